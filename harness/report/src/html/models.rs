//! The leaderboard of models, and the runs behind it.

use std::collections::BTreeSet;

use clmbench_analysis::{ModelBoard, ModelKind, ModelRow};
use clmbench_protocol::Objective;
use clmbench_store::RunRow;

use super::{
    Report,
    node::{Node, with_text},
    note, paragraph,
    table::{Set, column, table},
};
use crate::{
    models::{Over, footer, kind},
    text::{MISSING, count, decimals, seconds},
};

/// A ranking: what its rows share.
fn ranking(row: &ModelRow) -> (&str, &str, &str, &str, &str) {
    (&row.dataset, &row.task, &row.protocol, &row.score, &row.split_digest)
}

/// A table for each dataset, task and protocol.
pub(crate) fn section(report: &Report<'_>) -> Vec<Node> {
    let board = report.models;
    if board.rows.is_empty() {
        return vec![paragraph("No scores yet: clmbench run computes them.")];
    }
    let mut nodes = Vec::new();
    for rows in board.rows.chunk_by(|left, right| ranking(left) == ranking(right)) {
        let first = &rows[0];
        let unit = if first.unit.is_empty() { String::new() } else { format!(" in {}", first.unit) };
        let direction = if first.higher_is_better { "larger is better" } else { "smaller is better" };
        nodes.push(with_text("h3", format!("{} {}, {}", first.dataset, first.task, first.protocol)).into());
        let caption = format!("Models by {}{unit} ({direction}); {} molecules tested", first.score, first.n_test);
        nodes.push(ranked(&caption, rows));
    }
    nodes.extend(lines(board).into_iter().map(note));
    nodes
}

fn lines(board: &ModelBoard) -> Vec<String> {
    footer(board, &BTreeSet::new())
}

fn ranked(caption: &str, rows: &[ModelRow]) -> Node {
    let largest = rows.iter().filter_map(|row| row.value).fold(0.0f64, |largest, value| largest.max(value.abs()));
    let digits = decimals(largest);
    let number = move |value: Option<f64>| value.map_or_else(|| MISSING.to_owned(), |value| format!("{value:.digits$}"));
    // An error with a column of its own only where some row has it.
    let part = move |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.digits$}"));
    let size = |value: Option<u64>| value.map_or_else(String::new, count);
    let columns = [
        column("model", Set::Name, |row: &ModelRow| row.label.clone()),
        column("#", Set::Number, |row: &ModelRow| row.rank.map_or_else(|| MISSING.to_owned(), |rank| rank.to_string()))
            .by(|row| row.rank.map(|rank| rank as f64)),
        column("kind", Set::Word, |row: &ModelRow| kind(row.kind).to_owned()).once(),
        column("parameters", Set::Number, move |row: &ModelRow| size(row.non_embedding_parameters))
            .by(|row| row.non_embedding_parameters.map(|number| number as f64))
            .once(),
        column("tokens", Set::Number, move |row: &ModelRow| size(row.tokens))
            .by(|row| row.tokens.map(|number| number as f64))
            .once(),
        column("corpus", Set::Number, move |row: &ModelRow| size(row.corpus_molecules))
            .by(|row| row.corpus_molecules.map(|number| number as f64))
            .once(),
        column(&rows[0].score, Set::Number, move |row: &ModelRow| number(row.value)).by(|row| row.value),
        column("± se", Set::Number, move |row: &ModelRow| number(row.std_error)).by(|row| row.std_error),
        column("over control [95 %]", Set::Number, move |row: &ModelRow| match (row.kind, row.control_difference) {
            (ModelKind::Run, Some(value)) => {
                let ends = row.control_difference_low.zip(row.control_difference_high);
                let range = ends.map_or_else(|| MISSING.to_owned(), |(low, high)| format!("[{low:.digits$}, {high:.digits$}]"));
                format!("{value:.digits$} {range}")
            }
            (ModelKind::Run, None) => MISSING.to_owned(),
            _ => String::new(),
        })
        .by(|row| row.control_difference.filter(|_| row.kind == ModelKind::Run)),
        column("over baseline [95 %]", Set::Number, move |row: &ModelRow| {
            let found = Over::baseline(row);
            match (row.kind, found.value) {
                (ModelKind::Run, Some(value)) => {
                    let range = found
                        .ends()
                        .map_or_else(|| MISSING.to_owned(), |(low, high)| format!("[{low:.digits$}, {high:.digits$}]"));
                    format!("{value:.digits$} {range}")
                }
                _ => String::new(),
            }
        })
        .by(|row| Over::baseline(row).value.filter(|_| row.kind == ModelKind::Run)),
        column("se test", Set::Number, move |row: &ModelRow| part(row.se_test)).by(|row| row.se_test),
        column("se seed", Set::Number, move |row: &ModelRow| part(row.se_seed)).by(|row| row.se_seed),
        column("sd pretrain", Set::Number, move |row: &ModelRow| part(row.se_pretrain)).by(|row| row.se_pretrain),
        column("seeds", Set::Number, |row: &ModelRow| row.transfer_seeds.to_string())
            .by(|row| Some(f64::from(row.transfer_seeds)))
            .once(),
        column("held-out loss", Set::Number, |row: &ModelRow| {
            row.heldout_loss.map_or_else(String::new, |loss| format!("{loss:.3}"))
        })
        .by(|row| row.heldout_loss),
        column("unigrams", Set::Number, |row: &ModelRow| {
            row.unigram_cross_entropy.map_or_else(String::new, |loss| format!("{loss:.3}"))
        })
        .by(|row| row.unigram_cross_entropy)
        .once(),
        column("flags", Set::Long, |row: &ModelRow| row.flags.join(", ")).once(),
        column("± contains", Set::Long, |row: &ModelRow| row.std_error_contains.clone()).once(),
    ];
    table(caption, rows, columns).into()
}

/// A count, or nothing where it is not known.
fn known(number: Option<u64>) -> String {
    number.map_or_else(String::new, count)
}

/// What was pretrained, and how.
pub(crate) fn runs(report: &Report<'_>) -> Vec<Node> {
    if report.runs.is_empty() {
        return vec![paragraph("No pretraining run is finished yet.")];
    }
    let columns = [
        column("run", Set::Name, |run: &RunRow| run.label.clone()),
        column("kind", Set::Word, |run: &RunRow| {
            match (run.control, run.imported) {
                (true, _) => "control",
                (false, true) => "imported",
                (false, false) => "run",
            }
            .to_owned()
        })
        .once(),
        column("source", Set::Long, |run: &RunRow| run.source.clone().unwrap_or_default()).once(),
        column("architecture", Set::Word, |run: &RunRow| run.architecture.clone()).once(),
        column("objective", Set::Word, |run: &RunRow| {
            match run.objective {
                Objective::MaskedLm => "masked LM",
                Objective::CausalLm => "causal LM",
            }
            .to_owned()
        })
        .once(),
        column("parameters", Set::Number, |run: &RunRow| count(run.non_embedding_parameters))
            .by(|run| Some(run.non_embedding_parameters as f64))
            .once(),
        column("with embeddings", Set::Number, |run: &RunRow| count(run.total_parameters))
            .by(|run| Some(run.total_parameters as f64)),
        column("corpus", Set::Word, |run: &RunRow| format!("{} {}", run.corpus, known(run.corpus_molecules)).trim().to_owned())
            .once(),
        column("tokens", Set::Number, |run: &RunRow| known(run.tokens)).by(|run| run.tokens.map(|number| number as f64)).once(),
        column("epochs", Set::Number, |run: &RunRow| run.epochs.map_or_else(String::new, |epochs| format!("{epochs:.2}")))
            .by(|run| run.epochs)
            .once(),
        column("learning rate", Set::Number, |run: &RunRow| {
            run.learning_rate.map_or_else(String::new, |rate| format!("{rate:.2e}"))
        })
        .by(|run| run.learning_rate)
        .once(),
        column("seed", Set::Number, |run: &RunRow| run.seed.map_or_else(String::new, |seed| seed.to_string()))
            .by(|run| run.seed.map(|seed| seed as f64)),
        column("checkpoints", Set::Number, |run: &RunRow| run.n_checkpoints.to_string())
            .by(|run| Some(run.n_checkpoints as f64))
            .once(),
        column("precision", Set::Word, |run: &RunRow| run.precision.clone()).once(),
        column("device", Set::Word, |run: &RunRow| run.device.clone()).once(),
        column("libtorch", Set::Word, |run: &RunRow| run.libtorch.clone()).once(),
        column("time", Set::Number, |run: &RunRow| seconds(Some(run.seconds))).by(|run| Some(run.seconds)),
        column("diverged", Set::Long, |run: &RunRow| match (run.diverged, &run.divergence) {
            (true, Some(rule)) => rule.clone(),
            (true, None) => "yes".to_owned(),
            _ => String::new(),
        }),
    ];
    let mut nodes = vec![
        table("Pretraining runs and untrained controls; parameters without word and position embeddings", report.runs, columns)
            .into(),
        note("A control is the same model at its random initialisation. It is transferred, never measured, never counted."),
    ];
    if report.runs.iter().any(|run| run.imported) {
        nodes.push(note(
            "An imported run is a checkpoint of others. Empty fields are not known; nor is whether it was annealed, or whether test \
             molecules were among those that it was trained on.",
        ));
    }
    nodes
}
