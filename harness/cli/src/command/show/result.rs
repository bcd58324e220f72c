//! The result of a cell, line by line; every number with its error.

use clmbench_analysis::LARGEST_UNTRAINED_SHARE;
use clmbench_protocol::{
    CellOutput, CorpusOutput, Coverage, DatasetOutput, ImportOutput, MeasureOutput, MetricValue, PretrainOutput,
};

use super::{super::left_out::LISTED, Page, transfer::transfer};
use crate::units::with_error;

/// Writes the result of a cell.
pub(super) fn result(page: &mut Page, output: &CellOutput) {
    match output {
        CellOutput::TokeniseDataset(of) => dataset(page, of),
        CellOutput::TokeniseCorpus(of) => corpus(page, of),
        CellOutput::Import(of) => import(page, of),
        CellOutput::Pretrain(of) => pretrain(page, of),
        CellOutput::Embed(of) => page.line("result", &format!("{} embeddings of width {}", of.rows, of.width)),
        CellOutput::Measure(of) => measure(page, of),
        CellOutput::Transfer(of) => transfer(page, of),
    }
}

fn dataset(page: &mut Page, of: &DatasetOutput) {
    let (train, validation, test) = of.counts;
    page.line("result", &format!("{}/{}: {} rows, {} not valid", of.source, of.dataset, of.rows, of.invalid.len()));
    page.line("", &format!("train {train}, validation {validation}, test {test} molecules"));
    let molecules = train + validation + test;
    let of_all =
        |count: u64| if molecules == 0 { String::new() } else { format!(" ({})", percent(count as f64 / molecules as f64)) };
    page.line(
        "",
        &format!(
            "{} cut{}, {} with an unknown token{}",
            of.truncated,
            of_all(of.truncated),
            of.unknown_token_molecules,
            of_all(of.unknown_token_molecules)
        ),
    );
    page.line("", &format!("{} test molecules also in training or validation", of.leaked));
    for (index, (row, reason)) in of.invalid.iter().take(LISTED).enumerate() {
        page.line(if index == 0 { "not valid" } else { "" }, &format!("row {row}: {reason}"));
    }
    if of.invalid.len() > LISTED {
        page.line("", &format!("and {} more rows; --json has all", of.invalid.len() - LISTED));
    }
}

fn corpus(page: &mut Page, of: &CorpusOutput) {
    page.line("result", &format!("{}: {} molecules, {} tokens", of.corpus, of.molecules, of.tokens));
    page.line("", &format!("held out {} molecules, {} tokens", of.heldout_molecules, of.heldout_tokens));
    page.line("", &format!("left out: {} not valid, {} repeated, {} of test sets", of.invalid, of.duplicates, of.excluded));
    page.line("", &format!("{} cut to the longest length", of.truncated));
    page.line("held out by", "cross-entropy of counts in the training subset, in nats/token");
    for (name, value, error) in [
        ("unigram", of.unigram_cross_entropy, of.unigram_se),
        ("bigram", of.bigram_cross_entropy, of.bigram_se),
        ("two neighbours", of.two_neighbour_cross_entropy, of.two_neighbour_se),
    ] {
        page.line("", &format!("{name:<15} {}", with_error(value, error)));
    }
    if !of.coverage.is_empty() {
        page.line("never shown", "share of each dataset's molecules with unknown tokens, untrained tokens, untrained positions");
    }
    for coverage in &of.coverage {
        page.line("", &shares(coverage));
    }
    for (index, coverage) in of.coverage.iter().enumerate() {
        let label = if index == 0 { "removed" } else { "" };
        page.line(
            label,
            &format!("{}  {} of its test molecules met among the candidates", coverage.dataset, coverage.test_molecules_removed),
        );
    }
}

/// `freesolv  0.0 %, 1.2 %, 0.0 %`, flagged as fits flag it.
fn shares(coverage: &Coverage) -> String {
    let shares = [coverage.unknown_token_share, coverage.untrained_token_share, coverage.untrained_position_share];
    let over = shares.iter().any(|share| share.0 > LARGEST_UNTRAINED_SHARE);
    let flag = if over { "  out_of_vocabulary" } else { "" };
    let shown: Vec<String> = shares.iter().map(|share| percent(share.0)).collect();
    format!("{}  {}{flag}", coverage.dataset, shown.join(", "))
}

fn import(page: &mut Page, of: &ImportOutput) {
    page.line(
        "result",
        &format!(
            "{}: {} non-embedding parameters, {} in all, {} rows of embeddings",
            of.architecture, of.non_embedding_parameters, of.total_parameters, of.vocabulary
        ),
    );
    let (kind, entries, longest) = (&of.tokenizer_kind, of.tokenizer_entries, of.max_tokens);
    page.line("tokenizer", &format!("{kind}, {entries} entries, at most {longest} tokens"));
    of.notes.iter().for_each(|note| page.line("note", note));
}

fn pretrain(page: &mut Page, of: &PretrainOutput) {
    let diverged = if of.diverged { "; DIVERGED" } else { "" };
    page.line(
        "result",
        &format!("{} non-embedding parameters, {} in all{diverged}", of.non_embedding_parameters, of.total_parameters),
    );
    if let Some(rule) = &of.divergence {
        page.line("diverged", rule);
    }
    page.line("", &format!("{} molecules, {:.2} epochs", of.corpus_molecules, of.epochs.0));
    for checkpoint in &of.checkpoints {
        let annealed = if checkpoint.annealed { "annealed" } else { "raw" };
        let last = if checkpoint.last { ", last" } else { "" };
        page.line(
            "",
            &format!(
                "{}: step {}, {} tokens, training loss {:.4}, learning rate {:.1e}, weights {} {annealed}{last}",
                checkpoint.folder,
                checkpoint.step,
                checkpoint.tokens,
                checkpoint.training_loss.0,
                checkpoint.learning_rate.0,
                checkpoint.weights_digest.get(..12).unwrap_or(&checkpoint.weights_digest),
            ),
        );
    }
}

fn measure(page: &mut Page, of: &MeasureOutput) {
    for (index, value) in of.values.iter().enumerate() {
        page.line(if index == 0 { "result" } else { "" }, &metric_value(value));
    }
    let cost = of.gradient_equivalents.0;
    page.line("", &format!("{} molecules, {cost:.2} gradient-equivalents, stopped by {}", of.molecules, of.stopped));
}

fn metric_value(value: &MetricValue) -> String {
    let primary = if value.primary { " (primary)" } else { "" };
    format!("{} {} {}{primary}", value.name, with_error(value.value, value.std_error), value.unit)
}

fn percent(share: f64) -> String {
    if share.is_nan() { "–".into() } else { format!("{:.1} %", 100.0 * share) }
}

#[cfg(test)]
mod tests {
    use clmbench_protocol::{ErrorKind, Number};

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
        let expected = "result        mlm_loss 1.250 ± 0.010 nats/token (primary)\n              4096 molecules, 0.33 gradient-equivalents, stopped by complete\n";
        assert_eq!(page.text, expected);
    }

    #[test]
    fn shares_over_a_fifth_are_flagged_and_unknown_ones_are_dashes() {
        let coverage = |unknown: f64, token: f64, position: f64| Coverage {
            test_molecules_removed: 0,
            dataset: "bace".into(),
            unknown_token_share: Number(unknown),
            untrained_token_share: Number(token),
            untrained_position_share: Number(position),
        };
        assert_eq!(shares(&coverage(0.0, 0.672, 0.5)), "bace  0.0 %, 67.2 %, 50.0 %  out_of_vocabulary");
        assert_eq!(shares(&coverage(f64::NAN, 0.2, 0.0)), "bace  –, 20.0 %, 0.0 %");
    }
}
