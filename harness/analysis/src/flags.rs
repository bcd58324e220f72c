//! Words on a row that say what to be careful about.
//!
//! | flag | meaning |
//! |---|---|
//! | `out_of_vocabulary` | over 20 % of the dataset's molecules hold a token, or are longer than anything, that a corpus subset in the fit shows; of a checkpoint of others, of whose corpus nothing is known: hold a token outside its vocabulary, or are cut |
//! | `leaked` | test molecules of the task are also in training or validation: scores may be too good |
//! | `mixed_device` | values from different classes of device (cpu, cuda) |
//! | `mixed_precision` | runs trained in different number formats (float32, bfloat16) |
//! | `mixed_libtorch` | values from different libtorch versions |
//! | `imported` | checkpoints of others are among the runs: whether they were annealed, what they were trained on, and whether test molecules of the task were part of it is not known |
//! | `same_weights` | checkpoints of others with the weights of another run of the suite were left out: they are that run |
//! | `diverged_runs` | diverged runs were left out |
//! | `incomplete` | runs without a value of the metric or without a score were left out, or scores are means over different numbers of transfer seeds (some failed) |
//! | `tokens_vary_with_corpus` | tokens and corpus size rise together: their effects cannot be told apart |
//! | `fixed_learning_rate` | runs of several sizes all had one learning rate, or were fine-tuned with one that was not searched for: scores that flatten with size may be its doing |

use std::collections::BTreeSet;

use clmbench_stats::spearman;
use clmbench_store::RunRow;

use crate::{
    details::ExcludedRun,
    inputs::Inputs,
    labels::LEAKED,
    points::{Point, ScoreGroup},
    twins::SAME_WEIGHTS,
};

/// The flag of a checkpoint of others.
pub(crate) const IMPORTED: &str = "imported";
/// The flag of molecules that hold what a run never saw.
pub(crate) const OUT_OF_VOCABULARY: &str = "out_of_vocabulary";

/// Share of a dataset's molecules that a corpus may leave untrained before the row is flagged.
pub const LARGEST_UNTRAINED_SHARE: f64 = 0.20;

/// Flags of a fit.
pub(crate) fn flags(
    points: &[Point<'_>],
    excluded: &[ExcludedRun],
    inputs: &Inputs,
    (group, leaked): (&ScoreGroup, bool),
) -> Vec<String> {
    let mut flags = Vec::new();
    let mut set = |flag: &str, on: bool| {
        if on {
            flags.push(flag.to_owned());
        }
    };
    set(LEAKED, leaked);
    set(IMPORTED, points.iter().any(|point| point.run.imported));
    set(OUT_OF_VOCABULARY, points.iter().any(|point| is_out_of_vocabulary(inputs, point.run, group)));
    let devices = points.iter().flat_map(|point| {
        point.score.devices.iter().chain([&point.metric.device, &point.run.device]).map(|device| class(device))
    });
    set("mixed_device", several(devices));
    set("mixed_precision", several(points.iter().map(|point| point.run.precision.as_str())));
    let versions = points
        .iter()
        .flat_map(|point| point.score.libtorch.iter().chain([&point.metric.libtorch, &point.run.libtorch]).map(String::as_str));
    set("mixed_libtorch", several(versions));
    let copies = excluded.iter().filter(|left| is_copy(inputs, left)).count();
    let diverged = excluded.iter().filter(|left| left.reason == "diverged").count();
    set(SAME_WEIGHTS, copies > 0);
    set("diverged_runs", diverged > 0);
    let fewer_seeds = distinct(points.iter().map(|point| u64::from(point.score.seeds))) > 1;
    set("incomplete", fewer_seeds || excluded.len() > copies + diverged);
    let known = |get: fn(&Point<'_>) -> Option<u64>| -> Vec<f64> {
        points.iter().filter_map(|point| get(point).map(|count| count as f64)).collect()
    };
    let (tokens, corpus) = (known(|point| point.run.tokens), known(|point| point.run.corpus_molecules));
    let all_known = tokens.len() == points.len() && corpus.len() == points.len();
    set("tokens_vary_with_corpus", all_known && spearman(&tokens, &corpus).is_ok_and(|rho| rho > 0.999));
    let learning_rates: Vec<u64> = points.iter().filter_map(|point| point.run.learning_rate.map(f64::to_bits)).collect();
    let sizes = points.iter().map(|point| point.run.non_embedding_parameters);
    let pretrained = learning_rates.len() == points.len() && distinct(sizes) > 1 && distinct(learning_rates.into_iter()) == 1;
    let tuned = points.iter().any(|point| point.score.fixed_learning_rate);
    set("fixed_learning_rate", pretrained || tuned);
    flags
}

/// Whether a run left out of a fit is another one of the suite.
fn is_copy(inputs: &Inputs, left: &ExcludedRun) -> bool {
    let run = inputs.runs.iter().find(|run| run.run == left.run);
    run.is_some_and(|run| crate::twins::counted_instead(&inputs.runs, run).is_some())
}

/// Whether the molecules of a dataset hold too much that a run never saw: by the corpus subset it was trained on, or, of a checkpoint of
/// others, by its tokenizer.
pub(crate) fn is_out_of_vocabulary(inputs: &Inputs, run: &RunRow, group: &ScoreGroup) -> bool {
    if run.imported {
        return inputs.unread.contains(&(run.run.clone(), group.data_digest.clone()));
    }
    let corpus = inputs.corpora.iter().find(|corpus| corpus.train_digest == run.corpus_digest);
    let coverage = corpus.and_then(|corpus| corpus.coverage.iter().find(|coverage| coverage.dataset == group.dataset));
    coverage.is_some_and(|coverage| {
        let shares = [coverage.unknown_token_share, coverage.untrained_token_share, coverage.untrained_position_share];
        shares.iter().any(|share| share.0 > LARGEST_UNTRAINED_SHARE)
    })
}

/// `cuda` of `cuda:0`.
fn class(device: &str) -> &str {
    device.split(':').next().unwrap_or(device)
}

fn distinct(values: impl Iterator<Item = u64>) -> usize {
    values.collect::<BTreeSet<u64>>().len()
}

/// Whether there are several distinct words; an empty one (unknown) does not count.
fn several<'a>(words: impl Iterator<Item = &'a str>) -> bool {
    let mut known = words.filter(|word| !word.is_empty());
    let first = known.next();
    known.any(|word| Some(word) != first)
}
