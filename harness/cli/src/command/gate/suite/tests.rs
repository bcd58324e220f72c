#![allow(clippy::unwrap_used)]
use clap::Parser;
use clmbench_analysis::gate::{SeedRecord, TaskRecord};
use clmbench_protocol::{Number, TaskKind};
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
