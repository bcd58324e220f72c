//! The cells: units of work with what they took.

use clmbench_store::{CellRow, CellStatus};

use super::{
    Report,
    node::{Node, element, with_text},
    note,
    table::{Set, column, table},
};
use crate::text::{plural, seconds};

/// Cells that are listed: of more, those that took longest.
const MOST: usize = 3_000;

/// The cells of a stage.
struct Stage<'a> {
    name: &'a str,
    cells: Vec<&'a CellRow>,
    /// Seconds of those that were computed, the shortest first.
    seconds: Vec<f64>,
}

impl Stage<'_> {
    fn done(&self) -> usize {
        self.cells.iter().filter(|cell| cell.status == CellStatus::Done).count()
    }

    fn median(&self) -> Option<f64> {
        let middle = self.seconds.len() / 2;
        let upper = *self.seconds.get(middle)?;
        Some(if self.seconds.len() % 2 == 1 { upper } else { (self.seconds[middle - 1] + upper) / 2.0 })
    }

    fn bytes(&self) -> Option<u64> {
        self.cells.iter().filter_map(|cell| cell.peak_rss_bytes).max()
    }
}

/// In the order in which they are first named.
fn stages(cells: &[CellRow]) -> Vec<Stage<'_>> {
    let mut stages: Vec<Stage<'_>> = Vec::new();
    for cell in cells {
        match stages.iter_mut().find(|stage| stage.name == cell.stage) {
            Some(stage) => stage.cells.push(cell),
            None => stages.push(Stage { name: &cell.stage, cells: vec![cell], seconds: Vec::new() }),
        }
    }
    for stage in &mut stages {
        stage.seconds = stage.cells.iter().filter_map(|cell| cell.seconds).filter(|seconds| seconds.is_finite()).collect();
        stage.seconds.sort_by(f64::total_cmp);
    }
    stages
}

/// Those that are listed, in the order of the plan.
fn listed(cells: &[CellRow]) -> Vec<&CellRow> {
    let mut places: Vec<(usize, f64)> =
        cells.iter().enumerate().map(|(place, cell)| (place, cell.seconds.unwrap_or(0.0))).collect();
    places.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    places.truncate(MOST);
    places.sort_by_key(|(place, _)| *place);
    places.into_iter().map(|(place, _)| &cells[place]).collect()
}

/// What every stage took, and a folded table of cells.
pub(crate) fn section(report: &Report<'_>) -> Vec<Node> {
    of(report.cells)
}

fn of(cells: &[CellRow]) -> Vec<Node> {
    let sum = |stage: &Stage<'_>| stage.seconds.iter().sum::<f64>();
    let memory = |bytes: Option<u64>| bytes.map_or_else(String::new, |bytes| (bytes >> 20).to_string());
    let mebibytes = |bytes: Option<u64>| bytes.map(|bytes| (bytes >> 20) as f64);
    let of_stages = [
        column("stage", Set::Name, |stage: &Stage<'_>| stage.name.to_owned()),
        column("cells", Set::Number, |stage: &Stage<'_>| stage.cells.len().to_string())
            .by(|stage| Some(stage.cells.len() as f64)),
        column("done", Set::Number, |stage: &Stage<'_>| stage.done().to_string()).by(|stage| Some(stage.done() as f64)),
        column("time of all", Set::Number, move |stage: &Stage<'_>| seconds(Some(sum(stage)))).by(move |stage| Some(sum(stage))),
        column("median", Set::Number, |stage: &Stage<'_>| seconds(stage.median())).by(Stage::median),
        column("longest", Set::Number, |stage: &Stage<'_>| seconds(stage.seconds.last().copied()))
            .by(|stage| stage.seconds.last().copied()),
        column("most memory (MiB)", Set::Number, move |stage: &Stage<'_>| memory(stage.bytes()))
            .by(move |stage| mebibytes(stage.bytes())),
    ];
    let columns = [
        column("cell", Set::Name, |cell: &&CellRow| cell.key.clone()),
        column("status", Set::Word, |cell: &&CellRow| cell.status.word().replace('_', " ")).once(),
        column("seconds", Set::Number, |cell: &&CellRow| cell.seconds.map_or_else(String::new, digits)),
        column("memory (MiB)", Set::Number, move |cell: &&CellRow| memory(cell.peak_rss_bytes)),
    ];
    let shown = listed(cells);
    let more = cells.len() - shown.len();
    let caption = match more {
        0 => "Cells of the plan".to_owned(),
        _ => format!("Cells of the plan: the {} that took longest", shown.len()),
    };
    let mut folded = element("details")
        .child(with_text("summary", format!("{} with time and memory", plural(cells.len(), "cell"))))
        .child(table(&caption, &shown, columns));
    if more > 0 {
        folded = folded.child(note(format!("{more} more: clmbench export cells.")));
    }
    vec![table("Cells by stage", &stages(cells), of_stages).into(), folded.into()]
}

/// Three digits or more: what is shown is what is sorted by.
fn digits(value: f64) -> String {
    let places = (2 - value.abs().max(1e-3).log10().floor() as i32).clamp(0, 5) as usize;
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(key: &str, stage: &str, seconds: Option<f64>) -> CellRow {
        let [key, stage] = [key, stage].map(str::to_owned);
        CellRow {
            label: key.clone(),
            key,
            stage,
            identity: None,
            status: if seconds.is_some() { CellStatus::Done } else { CellStatus::Todo },
            failure_kind: None,
            reason: None,
            attempts: 1,
            seconds,
            elapsed: None,
            started: None,
            finished: None,
            dependencies: Vec::new(),
            device: None,
            libtorch: None,
            build: None,
            peak_rss_bytes: seconds.map(|seconds| (seconds as u64) << 20),
        }
    }

    fn written(cells: &[CellRow]) -> String {
        let mut text = String::new();
        of(cells).iter().for_each(|node| node.write(&mut text));
        text
    }

    #[test]
    fn stages_have_their_sums() {
        let cells = [cell("a", "measure", Some(1.0)), cell("b", "embed", None), cell("c", "measure", Some(4.0))];
        let text = written(&cells);
        let row = "<tr><th scope=\"row\">measure</th><td>2</td><td>2</td><td data-v=\"5\">5.0 s</td><td data-v=\"2.5\">2.5 s</td>\
                   <td data-v=\"4\">4.0 s</td><td>4</td></tr>";
        assert!(text.contains(row) && text.contains("<th scope=\"row\">embed</th><td>1</td><td>0</td>"), "{text}");
    }

    #[test]
    fn of_many_cells_the_longest_are_listed_in_their_order() {
        let cells: Vec<CellRow> =
            (0..MOST + 50).map(|index| cell(&format!("<{index}>"), "measure", Some((index % 1_000) as f64))).collect();
        let text = written(&cells);
        // Every thousandth begins again at no seconds: the 50 that are left out are of the shortest.
        assert_eq!(text.matches("<th scope=\"row\">&lt;").count(), MOST);
        assert!(text.contains("the 3000 that took longest") && text.contains("50 more: clmbench export cells."));
        let places: Vec<usize> = text.split("&lt;").skip(1).filter_map(|part| part.split("&gt;").next()?.parse().ok()).collect();
        assert!(places.is_sorted() && places.len() == MOST && places.iter().all(|place| place % 1_000 >= 12));
        assert!(!written(&cells[..MOST]).contains(" more"));
    }

    #[test]
    fn seconds_are_short_and_are_numbers() {
        let shown = [0.0, 0.001_234, 0.5, 1.25, 12.345, 1_234.5].map(digits);
        assert_eq!(shown, ["0", "0.00123", "0.5", "1.25", "12.3", "1234"]);
    }
}
