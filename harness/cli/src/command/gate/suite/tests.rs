#![allow(clippy::unwrap_used)]
use clap::Parser;
use clmbench_analysis::gate::{MetricRecord, SeedRecord, TaskRecord};
use clmbench_protocol::{Budget, Comparable, Direction, ErrorKind, Number, TaskKind};
use serde_json::json;

use super::*;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    gate: GateArguments,
}

fn side(seeds: u64, change: impl Fn(&mut TaskRecord)) -> SideRecord {
    let seed = |seed| SeedRecord { cell: String::new(), seed, score: Number(0.5), predictions: Vec::new() };
    let mut task = TaskRecord {
        dataset: "freesolv".into(),
        task: "expt".into(),
        task_kind: TaskKind::Regression,
        protocol: "finetune".into(),
        score: "rmse".into(),
        unit: String::new(),
        split_digest: "split".into(),
        content_digest: "content".into(),
        train_sd: None,
        settings: json!({ "revision": 1 }),
        rows: Vec::new(),
        labels: Vec::new(),
        runs: vec![(0..seeds).map(seed).collect()],
    };
    change(&mut task);
    SideRecord { tasks: vec![task], ..SideRecord::default() }
}

/// What is stored of a candidate is enough where it is what would be computed: else it is computed.
#[test]
fn complete_is_the_same_split_settings_and_seeds() {
    let arguments = Arguments::try_parse_from(["gate", "--baseline", "b", "--candidate", "c"]).unwrap().gate;
    let complete = |candidate: &SideRecord| is_complete(&side(3, |_| ()), candidate, &arguments);
    assert!(complete(&side(3, |_| ())) && complete(&side(4, |_| ())));
    assert!(!complete(&side(1, |_| ())), "fewer transfer seeds");
    assert!(!complete(&side(3, |task| task.split_digest = "another".into())));
    assert!(!complete(&side(3, |task| task.content_digest = "another".into())));
    assert!(!complete(&side(3, |task| task.settings = json!({ "revision": 2 }))));
    assert!(!complete(&SideRecord::default()));
}

/// A metric on another held-out sample is not what is judged, unless it needs none.
#[test]
fn complete_is_the_same_heldout_sample() {
    let arguments = ["gate", "--baseline", "b", "--candidate", "c", "--metric", "loss/mlm_loss=0.1"];
    let arguments = Arguments::try_parse_from(arguments).unwrap().gate;
    let of = |sample: &str, comparable| SideRecord {
        metrics: vec![MetricRecord {
            metric: "loss/mlm_loss".into(),
            params_json: "{}".into(),
            budget: Budget::Quick,
            unit: "nats".into(),
            direction: Direction::LowerIsBetter,
            comparable,
            heldout_digest: sample.into(),
            tokenizer_digest: "tokens".into(),
            dataset: None,
            values: Vec::new(),
            error_kind: ErrorKind::Statistical,
        }],
        ..SideRecord::default()
    };
    let complete = |sample, comparable| is_complete(&of("sample", comparable), &of(sample, comparable), &arguments);
    assert!(complete("sample", Comparable::SameEvaluation) && !complete("another", Comparable::SameEvaluation));
    assert!(complete("another", Comparable::Any));
}
