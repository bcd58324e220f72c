//! `show`: one cell, its inputs, its result and how it was computed.

use clmbench_protocol::{CellOutput, MetricValue, Number, ScoreValue};
use clmbench_store::{CellDetail, Store};

use crate::{
    arguments::{Global, ShowArguments},
    console::{self, Console},
    error::CliError,
    units::{show_bytes, show_seconds},
};

/// Files that are listed one by one.
const MOST_FILES: usize = 12;

/// Prints the cell.
///
/// # Errors
/// [`CliError::Store`] when it is unknown or its start fits several; [`CliError::Output`].
pub fn run(arguments: &ShowArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let store = Store::open_reader(&global.store)?;
    let detail = store.find_cell(&arguments.cell)?;
    if arguments.json.json {
        return console.json("cell", &[detail]);
    }
    console.print(&console::plain(&page(&detail, &store)))
}

fn page(detail: &CellDetail, store: &Store) -> String {
    let mut page = Page::default();
    heading(&mut page, detail);
    if let Some(output) = &detail.output {
        page.blank();
        result(&mut page, output);
    }
    if let (Some(identity), Some(report)) = (&detail.row.identity, &detail.report) {
        page.blank();
        page.line("folder", &store.artifact_dir(identity).display().to_string());
        for file in report.files.iter().take(MOST_FILES) {
            page.line("", &format!("{:>10}  {}", show_bytes(file.bytes), file.path));
        }
        if report.files.len() > MOST_FILES {
            page.line("", &format!("and {} more", report.files.len() - MOST_FILES));
        }
        page.line("build", &report.build);
    }
    if let Some(identity) = &detail.row.identity {
        let log = store.log_path(identity);
        if log.is_file() {
            page.line("log", &log.display().to_string());
        }
    }
    if let Some(spec) = &detail.spec {
        page.blank();
        page.line("definition", &serde_json::to_string_pretty(spec).unwrap_or_default().replace('\n', &format!("\n{:14}", "")));
    }
    page.text
}

fn heading(page: &mut Page, detail: &CellDetail) {
    let row = &detail.row;
    page.line("cell", &row.key);
    if row.label != row.key {
        page.line("", &row.label);
    }
    page.line("identity", row.identity.as_deref().unwrap_or("known once the cells it needs are done"));
    if let Some(suite) = &detail.suite {
        page.line("suite", suite);
    }
    page.line("stage", &row.stage);
    page.line("status", row.status.word());
    if let Some(reason) = &row.reason {
        let kind = row.failure_kind.as_ref().map(|kind| format!("{kind}: ")).unwrap_or_default();
        page.line("reason", &format!("{kind}{reason}"));
    }
    if row.attempts > 1 {
        page.line("attempts", &row.attempts.to_string());
    }
    if let (Some(started), Some(finished)) = (&row.started, &row.finished) {
        let took = row.seconds.map(|seconds| format!(" ({})", show_seconds(seconds))).unwrap_or_default();
        page.line("computed", &format!("{started} to {finished}{took}"));
    }
    let on = [
        row.device.clone(),
        row.libtorch.as_ref().map(|version| format!("libtorch {version}")),
        row.peak_rss_bytes.map(|bytes| format!("peak memory {}", show_bytes(bytes))),
    ];
    let on: Vec<String> = on.into_iter().flatten().collect();
    if !on.is_empty() {
        page.line("on", &on.join(", "));
    }
    for (index, needed) in row.dependencies.iter().enumerate() {
        page.line(if index == 0 { "needs" } else { "" }, needed);
    }
}

fn result(page: &mut Page, output: &CellOutput) {
    match output {
        CellOutput::TokeniseDataset(of) => {
            let (train, validation, test) = of.counts;
            page.line("result", &format!("{}/{}: {} rows, {} not valid", of.source, of.dataset, of.rows, of.invalid.len()));
            page.line("", &format!("train {train}, validation {validation}, test {test} molecules"));
            page.line("", &format!("{} cut, {} with an unknown token", of.truncated, of.unknown_token_molecules));
            page.line("", &format!("{} test molecules also in training or validation", of.leaked));
        }
        CellOutput::TokeniseCorpus(of) => {
            page.line("result", &format!("{}: {} molecules, {} tokens", of.corpus, of.molecules, of.tokens));
            page.line("", &format!("held out {} molecules, {} tokens", of.heldout_molecules, of.heldout_tokens));
            page.line(
                "",
                &format!("left out: {} not valid, {} repeated, {} of test sets", of.invalid, of.duplicates, of.excluded),
            );
            page.line("", &format!("unigram cross-entropy {} nats/token", with_error(of.unigram_cross_entropy, of.unigram_se)));
        }
        CellOutput::Pretrain(of) => {
            let diverged = if of.diverged { "; DIVERGED" } else { "" };
            page.line(
                "result",
                &format!("{} non-embedding parameters, {} in all{diverged}", of.non_embedding_parameters, of.total_parameters),
            );
            page.line("", &format!("{} molecules, {:.2} epochs", of.corpus_molecules, of.epochs.0));
            for checkpoint in &of.checkpoints {
                let marks = [(checkpoint.annealed, "annealed"), (checkpoint.last, "last")];
                let marks: Vec<&str> = marks.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect();
                page.line(
                    "",
                    &format!(
                        "{}: step {}, {} tokens, training loss {:.4}, weights {} {}",
                        checkpoint.folder,
                        checkpoint.step,
                        checkpoint.tokens,
                        checkpoint.training_loss.0,
                        checkpoint.weights_digest.get(..12).unwrap_or(&checkpoint.weights_digest),
                        marks.join(", ")
                    ),
                );
            }
        }
        CellOutput::Embed(of) => page.line("result", &format!("{} embeddings of width {}", of.rows, of.width)),
        CellOutput::Measure(of) => {
            for (index, value) in of.values.iter().enumerate() {
                page.line(if index == 0 { "result" } else { "" }, &metric_value(value));
            }
            let cost = of.gradient_equivalents.0;
            page.line("", &format!("{} molecules, {cost:.2} gradient-equivalents, stopped by {}", of.molecules, of.stopped));
        }
        CellOutput::Transfer(of) => {
            let (train, validation, test) = of.counts;
            for (index, score) in of.scores.iter().enumerate() {
                page.line(if index == 0 { "result" } else { "" }, &score_value(score));
            }
            page.line("", &format!("task {}: train {train}, validation {validation}, test {test} molecules", of.task));
            page.line("", &format!("ridge strength {} (chosen on validation)", of.strength.0));
        }
    }
}

fn metric_value(value: &MetricValue) -> String {
    let primary = if value.primary { " (primary)" } else { "" };
    format!("{} {} {}{primary}", value.name, with_error(value.value, value.std_error), value.unit)
}

fn score_value(score: &ScoreValue) -> String {
    let better = if score.higher_is_better { "higher is better" } else { "lower is better" };
    let primary = if score.primary { ", primary" } else { "" };
    let value = with_error(score.value, score.se_test);
    format!(
        "{} {value} over test molecules ({better}{primary}); predicting the mean gives {:.4}",
        score.name, score.mean_predictor.0
    )
}

fn with_error(value: Number, error: Number) -> String {
    format!("{:.4} ± {:.4}", value.0, error.0)
}

/// Lines of `name  text`.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, name: &str, text: &str) {
        let text = text.trim_end();
        self.text.push_str(&format!("{name:<12}  {text}\n"));
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use clmbench_protocol::{ErrorKind, MeasureOutput};

    use super::*;

    #[test]
    fn a_measurement_shows_its_error_and_what_stopped_it() {
        let value = MetricValue {
            name: "mlm_loss".into(),
            value: Number(1.25),
            unit: "nats/token".into(),
            se_estimator: None,
            se_sample: Some(Number(0.01)),
            std_error: Number(0.01),
            error_kind: ErrorKind::Statistical,
            primary: true,
        };
        let output = MeasureOutput {
            values: vec![value],
            molecules: 4096,
            gradient_equivalents: Number(0.333),
            stopped: "complete".into(),
        };
        let mut page = Page::default();
        result(&mut page, &CellOutput::Measure(output));
        let expected = "result        mlm_loss 1.2500 ± 0.0100 nats/token (primary)\n              4096 molecules, 0.33 gradient-equivalents, stopped by complete\n";
        assert_eq!(page.text, expected);
    }
}
