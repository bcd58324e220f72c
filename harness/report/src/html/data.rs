//! Datasets, corpora and metrics: what they are, whose they are, how many molecules were used.

use clmbench_protocol::{CorpusOutput, CostClass, DatasetInfo, DatasetOutput, Direction, MetricInfo};

use super::{
    CorpusSourceTerms, Report,
    node::{Node, with_text},
    note, paragraph,
    table::{Set, column, table},
};
use crate::text::count;

/// Datasets and corpora.
pub(crate) fn section(report: &Report<'_>) -> Vec<Node> {
    let mut nodes = vec![with_text("h3", "Datasets").into()];
    if report.datasets.is_empty() {
        nodes.push(paragraph("No dataset is read yet."));
    } else {
        nodes.push(datasets(report));
        nodes.push(note(
            "Invalid: rows whose SMILES is no molecule, left out. Leaked: molecules of the test part that are also in training or \
             validation (the same molecule in several rows). Conflicting: molecules with several rows whose labels differ, in the task \
             that has most. A licence is what its plugin says; look at the source before you \
             pass data on.",
        ));
    }
    nodes.push(with_text("h3", "Pretraining corpora").into());
    if report.corpora.is_empty() {
        nodes.push(paragraph("No corpus is drawn yet."));
    } else {
        nodes.push(corpora(report.corpora));
        nodes.push(note(
            "Excluded: test molecules of the suite's datasets, removed. Cross-entropies of the held-out sample under counts of \
             the subset, in nats a token ± standard error.",
        ));
    }
    if !report.sources.is_empty() {
        let columns = [
            column("source", Set::Name, |source: &CorpusSourceTerms| source.group.clone()),
            column("corpus", Set::Word, |source: &CorpusSourceTerms| source.corpus.clone()),
            column("files", Set::Number, |source: &CorpusSourceTerms| source.files.to_string())
                .by(|source| Some(source.files as f64)),
            column("licence", Set::Long, |source: &CorpusSourceTerms| source.licence.clone()),
            column("citation", Set::Long, |source: &CorpusSourceTerms| source.citation.clone()),
        ];
        nodes.push(table("Where the molecules of the corpora are from", report.sources, columns).into());
    }
    nodes
}

fn datasets(report: &Report<'_>) -> Node {
    let infos = || report.plugins.iter().flat_map(|plugin| &plugin.datasets);
    let info = |output: &DatasetOutput| infos().find(|info| info.serves(&output.source, &output.dataset));
    let said = |get: fn(&DatasetInfo) -> &String| {
        move |output: &DatasetOutput| info(output).map_or_else(String::new, |info| get(info).clone())
    };
    let tasks = |output: &DatasetOutput| {
        let task = |task: &clmbench_protocol::TaskInfo| {
            let unit = if task.unit.is_empty() { String::new() } else { format!(" in {}", task.unit) };
            format!("{}{unit} ({})", task.name, task.score)
        };
        output.tasks.iter().map(task).collect::<Vec<_>>().join(", ")
    };
    let mut columns = vec![
        column("dataset", Set::Name, |output: &DatasetOutput| output.dataset.clone()),
        column("source", Set::Word, |output: &DatasetOutput| output.source.clone()),
        column("train / validation / test", Set::Number, |output: &DatasetOutput| {
            let (train, validation, test) = output.counts;
            format!("{train} / {validation} / {test}")
        })
        .by(|output| Some(output.counts.0 as f64)),
        column("split", Set::Word, |output: &DatasetOutput| {
            let split = report.splits.iter().find(|split| split.source == output.source && split.dataset == output.dataset);
            split.map_or_else(String::new, |split| split.split.clone())
        }),
        column("rows", Set::Number, |output: &DatasetOutput| output.rows.to_string()).by(|output| Some(output.rows as f64)),
        column("invalid", Set::Number, |output: &DatasetOutput| output.invalid.len().to_string())
            .by(|output| Some(output.invalid.len() as f64)),
        column("leaked", Set::Number, |output: &DatasetOutput| output.leaked.to_string()).by(|output| Some(output.leaked as f64)),
        column("conflicting", Set::Number, |output: &DatasetOutput| {
            output.checks.iter().map(|check| check.conflicting).max().map_or_else(String::new, |most| most.to_string())
        })
        .by(|output| output.checks.iter().map(|check| check.conflicting).max().map(|most| most as f64)),
        column("truncated", Set::Number, |output: &DatasetOutput| output.truncated.to_string())
            .by(|output| Some(output.truncated as f64)),
        column("tasks (score)", Set::Long, tasks),
        column("licence", Set::Long, said(|info| &info.licence)),
        column("citation", Set::Long, said(|info| &info.citation)),
        column("what it is", Set::Long, said(|info| &info.doc)),
    ];
    // A dataset is there once for each tokenizer.
    if report.datasets.iter().any(|output| output.tokenizer_digest != report.datasets[0].tokenizer_digest) {
        let short = |output: &DatasetOutput| output.tokenizer_digest.chars().take(8).collect::<String>();
        columns.insert(1, column("tokenizer", Set::Word, short));
    }
    table("Datasets of the downstream tasks", report.datasets, columns).into()
}

fn corpora(rows: &[CorpusOutput]) -> Node {
    let entropy = |value: f64, error: f64| if value.is_finite() { format!("{value:.3} ± {error:.3}") } else { String::new() };
    let columns = [
        column("corpus", Set::Name, |corpus: &CorpusOutput| format!("{} {}", corpus.corpus, count(corpus.molecules))),
        column("molecules", Set::Number, |corpus: &CorpusOutput| corpus.molecules.to_string())
            .by(|corpus| Some(corpus.molecules as f64)),
        column("tokens", Set::Number, |corpus: &CorpusOutput| corpus.tokens.to_string()).by(|corpus| Some(corpus.tokens as f64)),
        column("held out", Set::Number, |corpus: &CorpusOutput| corpus.heldout_molecules.to_string())
            .by(|corpus| Some(corpus.heldout_molecules as f64)),
        column("excluded", Set::Number, |corpus: &CorpusOutput| corpus.excluded.to_string())
            .by(|corpus| Some(corpus.excluded as f64)),
        column("unigram", Set::Number, move |corpus: &CorpusOutput| entropy(corpus.unigram_cross_entropy.0, corpus.unigram_se.0))
            .by(|corpus| Some(corpus.unigram_cross_entropy.0)),
        column("bigram", Set::Number, move |corpus: &CorpusOutput| entropy(corpus.bigram_cross_entropy.0, corpus.bigram_se.0))
            .by(|corpus| Some(corpus.bigram_cross_entropy.0)),
        column("two neighbours", Set::Number, move |corpus: &CorpusOutput| {
            entropy(corpus.two_neighbour_cross_entropy.0, corpus.two_neighbour_se.0)
        })
        .by(|corpus| Some(corpus.two_neighbour_cross_entropy.0)),
        column("share of molecules with tokens or lengths it never shows", Set::Long, |corpus: &CorpusOutput| {
            let share = |entry: &clmbench_protocol::Coverage| {
                let shares = [entry.unknown_token_share, entry.untrained_token_share, entry.untrained_position_share];
                let largest = shares.iter().map(|share| share.0).fold(0.0, f64::max);
                format!("{} {:.1} %", entry.dataset, 100.0 * largest)
            };
            corpus.coverage.iter().map(share).collect::<Vec<_>>().join(", ")
        }),
        column("test molecules met among its candidates, and removed", Set::Long, |corpus: &CorpusOutput| {
            let removed = |entry: &clmbench_protocol::Coverage| format!("{} {}", entry.dataset, entry.test_molecules_removed);
            corpus.coverage.iter().map(removed).collect::<Vec<_>>().join(", ")
        }),
    ];
    table("Subsets that were trained on", rows, columns).into()
}

/// The metrics that were measured, as their plugins describe them.
pub(crate) fn metrics(report: &Report<'_>) -> Vec<Node> {
    let measured = |info: &&MetricInfo| {
        let own =
            |metric: &str| metric == info.id || metric.strip_prefix(info.id.as_str()).is_some_and(|rest| rest.starts_with('['));
        report.predictors.rows.iter().any(|row| own(&row.fit.metric))
    };
    let infos: Vec<&MetricInfo> = report.plugins.iter().flat_map(|plugin| &plugin.metrics).filter(measured).collect();
    if infos.is_empty() {
        return vec![paragraph("No metric is fitted yet.")];
    }
    let columns = [
        column("metric", Set::Name, |info: &&MetricInfo| info.id.clone()),
        column("unit", Set::Word, |info: &&MetricInfo| info.unit.clone()),
        column("claim", Set::Word, |info: &&MetricInfo| {
            match info.direction {
                Direction::HigherIsBetter => "larger is better",
                Direction::LowerIsBetter => "smaller is better",
            }
            .to_owned()
        }),
        column("cost", Set::Word, |info: &&MetricInfo| {
            match info.cost {
                CostClass::Free => "free",
                CostClass::Cheap => "cheap",
                CostClass::Moderate => "moderate",
                CostClass::Expensive => "expensive",
            }
            .to_owned()
        }),
        column("what it measures", Set::Long, |info: &&MetricInfo| info.doc.clone()),
        column("citation", Set::Long, |info: &&MetricInfo| info.citation.clone()),
    ];
    vec![table("Metrics, as their plugins describe them", &infos, columns).into()]
}
