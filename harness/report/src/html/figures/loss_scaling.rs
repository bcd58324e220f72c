//! Held-out pretraining loss against size, tokens, corpus and computation, with power laws.

use std::collections::BTreeMap;

use clmbench_analysis::{Along, CheckpointLoss, POWER_LAW, PowerLawDetails, loss_pool};
use clmbench_store::StatisticRow;

use super::{Data, Figure, digits, slug};
use crate::{
    html::{
        axis::{Axis, short, with_error},
        plot::{Area, Plot, sheet},
    },
    text::{count, interval, plural},
};

/// Lines that are drawn at most; the data hold all.
const MOST_LINES: usize = 12;
/// Pools of runs whose losses are drawn at most.
const MOST_POOLS: usize = 4;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 330.0;

/// What runs of one line share, with their losses and the law fitted to them.
struct Line<'a> {
    group: &'a str,
    points: Vec<(f64, &'a CheckpointLoss)>,
    row: Option<&'a StatisticRow>,
}

impl Line<'_> {
    /// a, b and c of the law.
    fn law(&self) -> Option<(PowerLawDetails, f64)> {
        let row = self.row?;
        Some((serde_json::from_str(row.details_json.as_deref()?).ok()?, row.value?))
    }

    /// `b = 0.12 ± 0.01`.
    fn exponent(&self) -> Option<String> {
        let (row, value) = (self.row?, self.row?.value?);
        let error = row.std_error.filter(|error| error.is_finite() && *error > 0.0);
        Some(error.map_or_else(
            || format!("b = {value:.3}"),
            |error| format!("b = {} ± {}", short(value, error / 10.0), short(error, error / 10.0)),
        ))
    }
}

/// A figure a quantity and pool of runs, where the quantity has two values or more.
pub(super) fn figures(losses: &[CheckpointLoss], statistics: &[StatisticRow]) -> Vec<Figure> {
    let mut pools: BTreeMap<String, Vec<&CheckpointLoss>> = BTreeMap::new();
    losses.iter().for_each(|loss| pools.entry(loss_pool(loss)).or_default().push(loss));
    let mut pools: Vec<(String, Vec<&CheckpointLoss>)> = pools.into_iter().collect();
    pools.sort_by_key(|(_, losses)| std::cmp::Reverse(losses.len()));
    let several = pools.len() > 1;
    let drawn = pools.iter().take(MOST_POOLS).flat_map(|(pool, losses)| {
        Along::ALL.into_iter().filter_map(move |along| figure(along, losses, statistics, pool, several))
    });
    let mut figures: Vec<Figure> = drawn.collect();
    let more = pools.len().saturating_sub(MOST_POOLS);
    if let Some(last) = figures.last_mut().filter(|_| more > 0) {
        let pools = plural(more, "smaller pool");
        last.caption.push_str(&format!(" {pools} of runs not drawn: clmbench export results has their losses."));
    }
    figures
}

fn named(along: Along) -> &'static str {
    match along {
        Along::Size => "model size",
        Along::Tokens => "training tokens",
        Along::Corpus => "corpus size",
        Along::Compute => "training computation",
    }
}

fn axis_label(along: Along) -> &'static str {
    match along {
        Along::Size => "parameters without embeddings, logarithmic",
        Along::Tokens => "tokens trained on, logarithmic",
        Along::Corpus => "molecules of the corpus subset, logarithmic",
        Along::Compute => "6 x parameters x tokens, logarithmic",
    }
}

fn figure(along: Along, losses: &[&CheckpointLoss], statistics: &[StatisticRow], pool: &str, several: bool) -> Option<Figure> {
    let values = losses.iter().filter_map(|loss| along.value(loss));
    let (least, most) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if least >= most {
        return None;
    }
    let mut groups: BTreeMap<String, Vec<(f64, &CheckpointLoss)>> = BTreeMap::new();
    for loss in losses {
        if let Some(value) = along.value(loss) {
            groups.entry(along.group(loss)).or_default().push((value, loss));
        }
    }
    let name = format!("exponent_{}", along.word());
    let row = |group: &str| {
        statistics.iter().find(|row| {
            row.kind == POWER_LAW && row.name == name && row.term.as_deref() == Some(group) && row.pool.as_deref() == Some(pool)
        })
    };
    let mut lines: Vec<Line<'_>> =
        groups.iter().map(|(group, points)| Line { group, points: points.clone(), row: row(group) }).collect();
    // In order of what they share, as numbers.
    lines.sort_by_key(|line| (line.points[0].1.parameters, line.points[0].1.corpus_molecules, line.points[0].1.run_tokens));
    let of_pool = if several { format!(" ({pool})") } else { String::new() };
    let title = format!("Held-out pretraining loss against {}{of_pool}", named(along));
    Some(Figure {
        id: slug(&format!("loss-against-{}-{of_pool}", along.word())),
        caption: caption(&lines),
        alternative: alternative(along, &lines),
        drawing: drawing(along, &lines, &title),
        data: data(along, &lines),
        title,
    })
}

fn drawing(along: Along, lines: &[Line<'_>], title: &str) -> crate::html::node::Element {
    let area = Area::nameless(WIDTH, HEIGHT);
    let all = || lines.iter().flat_map(|line| &line.points);
    let x = Axis::logarithmic_over(&all().map(|(x, _)| (*x, 0.0)).collect::<Vec<_>>(), area.left, area.right);
    let mut y: Vec<(f64, f64)> = all().map(|(_, loss)| (loss.loss, loss.std_error)).collect();
    for line in lines.iter().take(MOST_LINES) {
        let Some((law, b)) = line.law() else { continue };
        y.extend(line.points.iter().map(|(x, _)| (law.a.0 * x.powf(-b) + law.c.0, 0.0)));
    }
    let mut plot = Plot::new(area, x, Axis::linear_over(&y, area.bottom, area.top));
    for (style, line) in lines.iter().take(MOST_LINES).enumerate() {
        let ends = line.points.iter().map(|(x, _)| *x);
        let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        match line.law() {
            Some((law, b)) => {
                let places = (0..=40).map(|step| low * (high / low).powf(f64::from(step) / 40.0));
                let values: Vec<(f64, f64)> = places.map(|x| (x, law.a.0 * x.powf(-b) + law.c.0)).collect();
                let text = format!("{}: {}", line.group, line.exponent().unwrap_or_default());
                plot.line(style, false, &text, &values);
            }
            None => plot.line(style, true, &format!("{}: means", line.group), &means(line)),
        }
        for (x, loss) in &line.points {
            let last = loss.last && loss.annealed;
            let which = match (loss.last, loss.annealed) {
                (_, false) => ", not annealed",
                (true, true) => "",
                (false, true) => ", earlier checkpoint",
            };
            let text = format!("{}{which}: {} at {}", loss.label, with_error((loss.loss, loss.std_error)), amount(*x));
            plot.point(style, last, text, (*x, 0.0), (loss.loss, if last { loss.std_error } else { 0.0 }));
        }
    }
    let legend: Vec<(usize, String)> =
        lines.iter().take(MOST_LINES).enumerate().map(|(style, line)| (style, entry(line))).collect();
    sheet(title, 1, (WIDTH, HEIGHT), vec![plot.finish("", axis_label(along), "held-out loss (nats a predicted token)")], &legend)
}

/// A count, or a larger number by its power of ten: computations of large models are beyond whole numbers of 64 bits.
fn amount(x: f64) -> String {
    if x < 1e12 { count(x as u64) } else { format!("{x:.3e}") }
}

fn entry(line: &Line<'_>) -> String {
    line.exponent().map_or_else(|| line.group.to_owned(), |exponent| format!("{}: {exponent}", line.group))
}

/// Mean loss at each place across.
fn means(line: &Line<'_>) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> =
        line.points.iter().filter(|(_, loss)| loss.annealed).map(|(x, loss)| (*x, loss.loss)).collect();
    points.sort_by(|left, right| left.0.total_cmp(&right.0));
    let mean = |group: &[(f64, f64)]| (group[0].0, group.iter().map(|(_, loss)| loss).sum::<f64>() / group.len() as f64);
    points.chunk_by(|left, right| left.0 == right.0).map(mean).collect()
}

fn caption(lines: &[Line<'_>]) -> String {
    let mut text = "Full marks: last checkpoints of runs, one a pretraining seed; bars: one standard error (masks and molecules of the held-out \
                    sample, which all share). Outlines: earlier or not annealed checkpoints, in no fit."
        .to_owned();
    let laws: Vec<(PowerLawDetails, f64)> = lines.iter().filter_map(Line::law).collect();
    if !laws.is_empty() {
        let with = laws.iter().filter(|(law, _)| law.with_constant).count();
        let form = match with {
            0 => "L = a x^-b, without a constant".to_owned(),
            with if with == laws.len() => "L = a x^-b + c".to_owned(),
            with => format!("L = a x^-b, in {} with a constant c", plural(with, "line")),
        };
        text.push_str(&format!(
            " Heavy lines: {form}, least squares in ln L over the last checkpoints; b ± one standard error over runs."
        ));
        if let Some(because) = laws.iter().find_map(|(law, _)| law.without_constant_because.as_deref()) {
            text.push_str(&format!(" No constant: {because}."));
        }
    }
    let refused: Vec<&StatisticRow> = lines.iter().filter_map(|line| line.row).filter(|row| row.value.is_none()).collect();
    if let Some(reason) = refused.first().and_then(|row| row.reason.as_deref()) {
        text.push_str(&format!(" Thin lines join means where there is no law ({}: {reason}).", plural(refused.len(), "line")));
    } else if laws.len() < lines.len() {
        text.push_str(" Thin lines join means where no law was fitted.");
    }
    if lines.len() > MOST_LINES {
        text.push_str(&format!(" {} more are in the data only.", plural(lines.len() - MOST_LINES, "line")));
    }
    text
}

fn alternative(along: Along, lines: &[Line<'_>]) -> String {
    let last = || lines.iter().flat_map(|line| &line.points).filter(|(_, loss)| loss.last && loss.annealed).map(|(_, loss)| loss);
    let best = last().min_by(|left, right| left.loss.total_cmp(&right.loss));
    let worst = last().max_by(|left, right| left.loss.total_cmp(&right.loss));
    let mut text = format!("Held-out loss of {} against {}.", plural(last().count(), "run"), named(along));
    if let (Some(best), Some(worst)) = (best, worst) {
        text.push_str(&format!(" From {:.3} ({}) to {:.3} ({}).", worst.loss, worst.label, best.loss, best.label));
    }
    let exponents: Vec<String> = lines
        .iter()
        .filter_map(|line| {
            let row = line.row?;
            let range = row.low95.map_or_else(String::new, |_| format!(" {}", interval(row.low95, row.high95)));
            Some(format!("{}: {}{range}, n = {}", line.group, line.exponent()?, row.n))
        })
        .take(MOST_LINES)
        .collect();
    if exponents.is_empty() {
        text.push_str(" No power law is fitted.");
    } else {
        text.push_str(&format!(" Exponents of power laws, with 95 % intervals from 8 runs on: {}.", exponents.join("; ")));
    }
    text
}

fn data(along: Along, lines: &[Line<'_>]) -> Data {
    let mut data = Data::new(&[
        "group",
        "run",
        "seed",
        along.word(),
        "loss",
        "std_error",
        "last",
        "annealed",
        "exponent",
        "exponent_std_error",
        "factor",
        "constant",
    ]);
    for line in lines {
        let law = line.law();
        for (x, loss) in &line.points {
            data.rows.push(vec![
                line.group.to_owned(),
                loss.label.clone(),
                loss.seed.map_or_else(String::new, |seed| seed.to_string()),
                x.to_string(),
                loss.loss.to_string(),
                loss.std_error.to_string(),
                loss.last.to_string(),
                loss.annealed.to_string(),
                digits(law.as_ref().map(|(_, b)| *b)),
                digits(line.row.and_then(|row| row.std_error)),
                digits(law.as_ref().map(|(law, _)| law.a.0)),
                digits(law.as_ref().map(|(law, _)| law.c.0)),
            ]);
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use clmbench_protocol::Objective;

    use super::*;
    use crate::html::figures::made_up::{drawn, statistic};

    fn loss(index: usize, last: bool) -> CheckpointLoss {
        CheckpointLoss {
            run: format!("r{index}"),
            label: format!("<run {index}>"),
            architecture: "bert".into(),
            objective: Objective::MaskedLm,
            tokenizer_digest: "t".into(),
            heldout_digest: "h".into(),
            configuration: format!("c{index}"),
            seed: Some(0),
            parameters: 1_000 * 10u64.pow(index as u32),
            corpus: "mixed".into(),
            corpus_molecules: Some(5_000),
            run_tokens: Some(1_000_000),
            tokens: Some(if last { 1_000_000 } else { 500_000 }),
            training_flops: Some(6e9 * 10f64.powi(index as i32)),
            annealed: true,
            last,
            metric: "loss/mlm_loss".into(),
            loss: 2.0 - 0.2 * index as f64 + if last { 0.0 } else { 0.3 },
            std_error: 0.01,
        }
    }

    #[test]
    fn every_checkpoint_is_a_mark_and_every_law_a_line() {
        let mut losses: Vec<CheckpointLoss> = (0..4).map(|index| loss(index, true)).collect();
        losses.push(loss(0, false));
        let mut law = statistic(POWER_LAW, "exponent_size", "loss/mlm_loss");
        (law.value, law.std_error, law.term) = (Some(0.05), Some(0.004), Some("bert, mixed 5000, 1000000 tokens".into()));
        law.pool = Some(loss_pool(&losses[0]));
        law.details_json =
            Some("{\"a\":3.0,\"c\":0.0,\"with_constant\":false,\"without_constant_because\":\"few\",\"distinct\":4}".into());
        let figures = figures(&losses, &[law]);
        let ids: Vec<&str> = figures.iter().map(|figure| figure.id.as_str()).collect();
        assert_eq!(ids, ["loss-against-size", "loss-against-tokens", "loss-against-compute"], "one corpus is no axis");
        let text = drawn(&figures[0]);
        // Four last checkpoints, one earlier, one in the legend.
        assert_eq!((text.matches("class=\"mark s0\"").count(), text.matches("class=\"ring s0\"").count()), (5, 1));
        assert_eq!(text.matches("class=\"curve s0\"").count(), 2, "the law and its legend");
        assert!(text.contains("b = 0.0500 ± 0.0040") && text.contains("&lt;run 0&gt;"), "{text}");
        assert!(figures[0].caption.contains("without a constant") && figures[0].alternative.contains("b = 0.0500 ± 0.0040"));
        assert_eq!(figures[0].data.rows.len(), 5);
    }

    #[test]
    fn pools_have_figures_and_names_of_their_own() {
        let of = |pool: usize| {
            (0..3 + pool).map(move |index| CheckpointLoss { tokenizer_digest: format!("<t{pool}>"), ..loss(index, true) })
        };
        let two: Vec<CheckpointLoss> = (0..2).flat_map(of).collect();
        let found = figures(&two, &[]);
        let ids: std::collections::BTreeSet<&str> = found.iter().map(|figure| figure.id.as_str()).collect();
        assert_eq!((ids.len(), found.len()), (4, 4), "size and computation of each: {ids:?}");
        assert!(found.iter().all(|figure| figure.data.rows.len() == if figure.title.contains("<t0>") { 3 } else { 4 }));
        assert!(found.iter().all(|figure| !figure.caption.contains("smaller pool")));
        let many: Vec<CheckpointLoss> = (0..MOST_POOLS + 2).flat_map(of).collect();
        let found = figures(&many, &[]);
        assert_eq!(found.len(), 2 * MOST_POOLS);
        assert!(found[found.len() - 1].caption.contains("2 smaller pools of runs not drawn"), "{found:?}");
    }

    #[test]
    fn of_many_lines_the_first_are_drawn_and_all_are_data() {
        let of = |line: usize| {
            (0..2).map(move |index| CheckpointLoss { corpus_molecules: Some(1_000 + line as u64), ..loss(index, true) })
        };
        let many: Vec<CheckpointLoss> = (0..MOST_LINES + 2).flat_map(of).collect();
        let found = figures(&many, &[]);
        let text = drawn(&found[0]);
        // A line and its legend, two marks and that of the legend.
        assert_eq!(text.matches("class=\"mark ").count(), 3 * MOST_LINES);
        assert!(found[0].caption.contains(" 2 lines more are in the data only."), "{}", found[0].caption);
        assert_eq!(found[0].data.rows.len(), many.len());
    }

    #[test]
    fn computations_of_any_size_are_said() {
        assert_eq!([5e3, 8.3e5, 6e9, 1.8e19, 3e21].map(amount), ["5k", "0.83M", "6G", "1.800e19", "3.000e21"]);
    }

    #[test]
    fn one_run_or_none_is_no_figure() {
        assert!(figures(&[], &[]).is_empty());
        assert!(figures(&[loss(0, true)], &[]).is_empty());
    }
}
