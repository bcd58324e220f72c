//! The leaderboard of models as tables, one for each task, protocol and split.

use std::collections::{BTreeMap, BTreeSet};

use clmbench_analysis::{ModelBoard, ModelKind, ModelRow};

use crate::{
    Style,
    layout::{Column, draw},
    models_overview,
    text::{MISSING, count, decimals, finish, label_lines, plain, plural, refused_lines, wrap},
};

/// Width of the flags where they are never left out.
const NARROW_FLAGS: usize = 14;

/// The board as tables with one footer; of many rankings an overview that fits one screen.
pub fn model_table(board: &ModelBoard, style: Style) -> String {
    model_page(board, false, style)
}

/// [`model_table`]; `all` shows every run and task of an overview, however many lines they take.
pub fn model_page(board: &ModelBoard, all: bool, style: Style) -> String {
    let width = style.columns();
    if board.rows.is_empty() {
        let text = format!("No scores in suite {} yet: `clmbench run` computes them.", plain(&board.suite));
        return finish(wrap(&text, width), style);
    }
    let mut text = String::new();
    let mut left_out = BTreeSet::new();
    if models_overview::wanted(board) {
        text.push_str(&wrap(&plain(&format!("Models of suite {}", board.suite)), width));
        let (tables, lines) = models_overview::blocks(board, all, style);
        text.push_str(&tables);
        for line in lines.into_iter().chain(footer_without(board, &left_out, true)) {
            text.push_str(&wrap(&plain(&line), width));
        }
        return finish(text, style);
    }
    for ranking in board.rows.chunk_by(|left, right| key(left) == key(right)) {
        let first = &ranking[0];
        let direction = if first.higher_is_better { "larger is better" } else { "smaller is better" };
        let unit = if first.unit.is_empty() { String::new() } else { format!(" in {}", first.unit) };
        let title = format!(
            "Models of suite {}: {}, {}, {}{unit} ({direction}), {}; {} tested",
            board.suite, first.dataset, first.task, first.score, first.protocol, first.n_test,
        );
        text.push_str(&wrap(&plain(&title), width));
        let (table, narrow) = draw(columns(ranking), style);
        text.push_str(&table);
        left_out.extend(narrow);
    }
    for line in footer(board, &left_out) {
        text.push_str(&wrap(&plain(&line), width));
    }
    finish(text, style)
}

fn key(row: &ModelRow) -> (&str, &str, &str, &str, &str) {
    (&row.dataset, &row.task, &row.protocol, &row.score, &row.split_digest)
}

fn columns(rows: &[ModelRow]) -> Vec<Column> {
    let column = |get: &dyn Fn(&ModelRow) -> String| rows.iter().map(get).collect::<Vec<String>>();
    let digits = decimals(rows.iter().filter_map(|row| row.value).fold(0.0f64, |largest, value| largest.max(value.abs())));
    let number = |value: Option<f64>| value.map_or_else(|| MISSING.to_owned(), |value| format!("{value:.digits$}"));
    // Only runs are compared with a control or a baseline: elsewhere there is nothing to be missing.
    let to = |found: Over| {
        let range = |(low, high)| format!("[{}, {}]", number(Some(low)), number(Some(high)));
        let interval = found.ends().map_or_else(|| MISSING.to_owned(), range);
        found.value.map_or_else(String::new, |value| format!("{} {interval}", number(Some(value))))
    };
    let over = |row: &ModelRow, found: Over| match (row.kind, found.value) {
        (ModelKind::Run, Some(_)) => to(found),
        (ModelKind::Run, None) => MISSING.to_owned(),
        _ => String::new(),
    };
    let size = |value: Option<u64>| value.map_or_else(String::new, count);
    let mut columns = vec![
        Column::right("#", 0, column(&|row| row.rank.map_or_else(|| MISSING.to_owned(), |rank| rank.to_string()))),
        Column::left("", 0, column(&|row| if row.tied_with_best == Some(true) { "=" } else { "" }.to_owned())),
        Column::left("model", 0, column(&|row| row.label.clone())),
        Column::left("kind", 2, column(&|row| kind(row.kind).to_owned())),
        Column::right("parameters", 4, column(&|row| size(row.non_embedding_parameters))),
        Column::right("tokens", 5, column(&|row| size(row.tokens))),
        Column::right("corpus", 5, column(&|row| size(row.corpus_molecules))),
        Column::right(&rows[0].score, 0, column(&|row| number(row.value))),
        Column::right("se", 0, column(&|row| number(row.std_error))),
        // No difference without its uncertainty.
        Column::right("over control", 1, column(&|row| over(row, Over::control(row)))),
    ];
    if rows.iter().any(|row| row.kind == ModelKind::Baseline) && rows.iter().any(|row| row.kind == ModelKind::Run) {
        columns.push(Column::right("over baseline", 1, column(&|row| over(row, Over::baseline(row)))));
    }
    columns.push(Column::right("to best", 2, column(&|row| to(Over::best(row)))));
    columns.push(Column::right("over next", 3, column(&|row| to(Over::next(row)))));
    // The components of the error, where there is more than the test molecules.
    if rows.iter().any(|row| row.se_seed.is_some() || row.se_pretrain.is_some()) {
        columns.push(Column::right("se test", 3, column(&|row| number(row.se_test))));
        columns.push(Column::right("se seed", 3, column(&|row| number(row.se_seed))));
        columns.push(Column::right("sd pretrain", 3, column(&|row| number(row.se_pretrain))));
    }
    if rows.iter().any(|row| row.transfer_seeds > 1) {
        columns.push(Column::right("seeds", 3, column(&|row| row.transfer_seeds.to_string())));
    }
    if rows.iter().any(|row| !row.flags.is_empty()) {
        let flags = column(&|row| row.flags.join(", "));
        // A leak is no footnote: its flag stays where others would be left out.
        columns.push(match rows.iter().any(is_leaked) {
            true => Column::left("flags", 0, flags).capped(NARROW_FLAGS),
            false => Column::left("flags", 3, flags),
        });
    }
    columns
}

/// Whether test molecules of a row are also in training or validation.
pub(crate) fn is_leaked(row: &ModelRow) -> bool {
    row.flags.iter().any(|flag| flag == "leaked")
}

/// By how much a run is better than another model.
pub(crate) struct Over {
    pub value: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
}

impl Over {
    /// Than the same model untrained.
    pub fn control(row: &ModelRow) -> Self {
        Self { value: row.control_difference, low: row.control_difference_low, high: row.control_difference_high }
    }

    /// Than the best baseline.
    pub fn baseline(row: &ModelRow) -> Self {
        Self { value: row.baseline_difference, low: row.baseline_difference_low, high: row.baseline_difference_high }
    }

    /// Than the best of the ranking; nothing for the best itself.
    pub fn best(row: &ModelRow) -> Self {
        let value = row.best_difference.filter(|_| row.rank != Some(1));
        Self { value, low: row.best_difference_low, high: row.best_difference_high }
    }

    /// Than the next one below.
    pub fn next(row: &ModelRow) -> Self {
        Self { value: row.next_difference, low: row.next_difference_low, high: row.next_difference_high }
    }

    /// Ends of its 95 % interval.
    pub fn ends(&self) -> Option<(f64, f64)> {
        self.low.zip(self.high)
    }
}

/// What unigram frequencies reach, subset by subset, and which runs do not beat it.
fn unigram_lines(board: &ModelBoard) -> Vec<String> {
    let mut entropies: BTreeSet<(u64, String)> = BTreeSet::new();
    let mut above: BTreeSet<&str> = BTreeSet::new();
    for row in &board.rows {
        if let (Some(molecules), Some(entropy)) = (row.corpus_molecules, row.unigram_cross_entropy) {
            entropies.insert((molecules, format!("{entropy:.3}")));
        }
        if row.flags.iter().any(|flag| flag == "above_unigram") {
            above.insert(&row.label);
        }
    }
    let mut lines = Vec::new();
    if !entropies.is_empty() {
        let parts: Vec<String> = entropies
            .iter()
            .take(4)
            .map(|(molecules, entropy)| format!("{entropy} nats (corpus of {})", count(*molecules)))
            .collect();
        let more = if entropies.len() > 4 { format!(" and {} more", entropies.len() - 4) } else { String::new() };
        lines.push(format!("Unigram frequencies alone reach a held-out loss of {}{more}.", parts.join(", ")));
    }
    if !above.is_empty() {
        let names: Vec<&str> = above.iter().take(3).copied().collect();
        let more = if above.len() > 3 { format!(" and {} more", above.len() - 3) } else { String::new() };
        lines.push(format!("above_unigram: held-out loss not below that by 2 se ({}{more}).", names.join(", ")));
    }
    lines
}

/// The word for what was scored.
pub(crate) fn kind(kind: ModelKind) -> &'static str {
    match kind {
        ModelKind::Run => "run",
        ModelKind::Control => "control",
        ModelKind::Baseline | ModelKind::MeanPredictor => "baseline",
    }
}

/// Sentences below the tables.
pub(crate) fn footer(board: &ModelBoard, left_out: &BTreeSet<String>) -> Vec<String> {
    footer_without(board, left_out, false)
}

/// The same; an overview has no differences of single models.
fn footer_without(board: &ModelBoard, left_out: &BTreeSet<String>, overview: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let runs: BTreeSet<&String> =
        board.rows.iter().filter(|row| row.kind == ModelKind::Run).filter_map(|row| row.run.as_ref()).collect();
    let controls: BTreeSet<&String> =
        board.rows.iter().filter(|row| row.kind == ModelKind::Control).filter_map(|row| row.run.as_ref()).collect();
    let baselines: BTreeSet<&String> =
        board.rows.iter().filter(|row| row.kind == ModelKind::Baseline).map(|row| &row.label).collect();
    if !runs.is_empty() || !controls.is_empty() || baselines.is_empty() {
        lines.push(format!(
            "{} (each at its last checkpoint) and {} (the same model, untrained).",
            plural(runs.len(), "run"),
            plural(controls.len(), "random-initialised control")
        ));
    }
    if !baselines.is_empty() {
        lines.push(format!(
            "{} without a language model, on the same split; never counted in n.",
            plural(baselines.len(), "baseline")
        ));
    }
    if board.rows.iter().any(|row| row.flags.iter().any(|flag| flag == "imported")) {
        lines.push(
            "imported: a checkpoint of others; whether it was annealed, or trained on test molecules, is not known.".to_owned(),
        );
    }
    let copies: BTreeSet<(&str, &str)> =
        board.rows.iter().filter_map(|row| Some((row.label.as_str(), row.same_weights_as.as_deref()?))).collect();
    for (copy, first) in copies {
        lines.push(format!("same_weights: {copy} has those of {first}, which counts in the fits in its place."));
    }
    if board.rows.iter().any(|row| row.flags.iter().any(|flag| flag == "out_of_vocabulary")) {
        lines.push(format!("out_of_vocabulary: {}.", crate::predictors::flag_meaning("out_of_vocabulary")));
    }
    // Each missing number gives its reason; each standard error says what it contains.
    let mut contains: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut of_baselines: BTreeSet<&str> = BTreeSet::new();
    let mut differences: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut over_baseline: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut missing: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for row in &board.rows {
        match row.std_error {
            Some(_) if row.kind == ModelKind::Baseline => _ = of_baselines.insert(&row.std_error_contains),
            Some(_) => _ = contains.entry(&row.std_error_contains).or_default().insert(&row.protocol),
            None => _ = missing.entry(format!("se: {}", row.std_error_contains)).or_default().insert(&row.label),
        }
        match row.control_difference_low.zip(row.control_difference_high) {
            Some(_) => _ = differences.entry(&row.control_difference_contains).or_default().insert(&row.protocol),
            None if row.kind != ModelKind::Run || overview => {}
            None => {
                let reason = format!("over control: {}", row.control_difference_contains);
                missing.entry(reason).or_default().insert(&row.label);
            }
        }
        let compared = row.rank != Some(1) && row.kind != ModelKind::MeanPredictor && !overview && !left_out.contains("to best");
        if compared && row.best_difference_low.is_none() && row.best_difference.is_some() {
            missing.entry(format!("to best: {}", row.best_difference_contains)).or_default().insert(&row.label);
        }
        if row.kind == ModelKind::Run && !baselines.is_empty() && !overview {
            match row.baseline_difference_low.zip(row.baseline_difference_high) {
                Some(_) => _ = over_baseline.entry(&row.baseline_difference_contains).or_default().insert(&row.protocol),
                None => {
                    let reason = format!("over baseline: {}", row.baseline_difference_contains);
                    missing.entry(reason).or_default().insert(&row.label);
                }
            }
        }
        if row.value.is_none() {
            missing.entry("score: its value is not finite".to_owned()).or_default().insert(&row.label);
        }
    }
    if board.rows.iter().any(|row| row.se_pretrain.is_some()) && !left_out.contains("sd pretrain") {
        lines.push("sd pretrain: standard deviation over pretraining seeds of one configuration.".to_owned());
    }
    let protocols: BTreeSet<&str> = board.rows.iter().map(|row| row.protocol.as_str()).collect();
    // Where the protocols differ, each line says which it is about.
    let of = |named: BTreeSet<&str>| match named == protocols {
        true => String::new(),
        false => format!(" ({})", named.into_iter().collect::<Vec<_>>().join(", ")),
    };
    for (what, named) in contains {
        lines.push(format!("se{}: standard error over {what}; pretraining seeds are not in it.", of(named)));
    }
    for what in of_baselines {
        lines.push(format!("se (baselines): standard error over {what}."));
    }
    if !overview && board.rows.iter().any(|row| row.tied_with_best == Some(true) && row.rank != Some(1)) {
        lines.push(
            "=: not told from the best, chosen on these test molecules: the 95 % interval of the difference, over the same ones, holds 0."
                .to_owned(),
        );
    }
    for (what, named) in differences.into_iter().filter(|_| !overview) {
        let which = of(named);
        lines.push(format!("over control{which}: by how much it beats the same model untrained [95 %], over {what}."));
    }
    for (what, named) in over_baseline {
        let which = of(named);
        lines.push(format!("over baseline{which}: by how much it beats the best baseline of its table [95 %], over {what}."));
    }
    lines.extend(unigram_lines(board));
    for (reason, labels) in missing {
        let named = labels.len();
        let names: Vec<&str> = labels.into_iter().take(3).collect();
        let more = if named > 3 { format!(" and {} more", named - 3) } else { String::new() };
        lines.push(format!("{MISSING} {reason} ({}{more}).", names.join(", ")));
    }
    lines.extend(label_lines(&board.labels, board.rows.iter().map(|row| row.dataset.as_str())));
    lines.extend(refused_lines(&board.refused));
    lines.extend(board.notes.iter().map(|note| format!("{note}.")));
    if !board.missing.is_empty() {
        let names: Vec<String> = board.missing.iter().take(4).map(|run| format!("{} ({})", run.label, run.reason)).collect();
        let more = if board.missing.len() > 4 { format!(" and {} more", board.missing.len() - 4) } else { String::new() };
        lines.push(format!("Without a score: {}{more}.", names.join(", ")));
    }
    if !left_out.is_empty() {
        let names: Vec<&str> = left_out.iter().map(String::as_str).collect();
        lines.push(format!("Not shown at this width: {}; --json has every column.", names.join(", ")));
    }
    lines
}
