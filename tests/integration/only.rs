//! `run --only`: the cells that are named and what they need, nothing else.

use clmbench_store::CellStatus;

use crate::bench::{Bench, SMALL, SUITE};

/// Keys of finished cells.
fn done(bench: &Bench) -> Vec<String> {
    bench.cells().into_iter().filter(|(_, cell)| cell.0 == CellStatus::Done).map(|(key, _)| key).collect()
}

#[test]
fn a_stage_a_key_or_a_pattern_names_cells_and_all_they_need() {
    let bench = Bench::new(SMALL);
    let answer = bench.clmbench(&["run", "suite.toml", "--only", "tokenise"]).code(0);
    assert_eq!(done(&bench), ["tokenise/alpha", "tokenise/moses-500"]);
    assert!(answer.stderr.contains("only    2 of the cells: 0 done, 2 to do; the others are left"), "{}", answer.stderr);
    assert!(answer.stderr.contains("left    7 cells that --only does not name"), "{}", answer.stderr);

    // A measurement needs its run, which needs its corpus; embeddings, probes and the control are left.
    let measure = "measure/fake-a/moses-500/seed0/checkpoint-1/fake.noise";
    let keys: Vec<String> = bench.cells().into_keys().collect();
    let measure = keys.iter().find(|key| key.starts_with("measure/")).map_or(measure, String::as_str);
    bench.clmbench(&["run", "suite.toml", "--only", measure]).code(0);
    let run = keys.iter().find(|key| key.starts_with("pretrain/")).unwrap();
    assert_eq!(done(&bench), [measure, run, "tokenise/alpha", "tokenise/moses-500"]);
    assert_eq!(bench.begun().len(), 4, "nothing twice");

    bench.clmbench(&["run", "suite.toml", "--only", "*/prob?", "--only", "tokenise"]).code(0);
    let left: Vec<String> =
        bench.cells().into_iter().filter(|(_, cell)| cell.0 != CellStatus::Done).map(|(key, _)| key).collect();
    assert!(left.is_empty(), "the control is needed by its probe: {left:?}");
    let begun = bench.begun().len();
    bench.run();
    assert_eq!(bench.begun().len(), begun);
}

#[test]
fn the_parts_make_the_whole_whatever_the_workers() {
    let whole = Bench::new(SUITE);
    whole.run();
    let parts = Bench::new(SUITE);
    for options in [
        &["--only", "embed", "--workers", "1"][..],
        &["--only", "measure", "--workers", "3", "--isolate"],
        &["--only", "transfer", "--device", "cpu"],
        &[],
    ] {
        parts.clmbench(&[&["run", "suite.toml"], options].concat()).code(0);
    }
    assert_eq!(parts.cells(), whole.cells());
    assert_eq!(parts.board(), whole.board());
    let begun = parts.begun();
    assert_eq!(begun.iter().collect::<std::collections::BTreeSet<_>>().len(), begun.len(), "no cell is computed twice");
}

#[test]
fn a_pattern_that_names_nothing_is_a_usage_error_with_the_nearest_keys() {
    let bench = Bench::new(SMALL);
    let answer = bench.clmbench(&["run", "suite.toml", "--only", "tokenize"]).code(2);
    assert!(answer.stderr.starts_with("error: no cell of the suite is named by `tokenize`\n"), "{}", answer.stderr);
    assert!(answer.stderr.contains("hint: nearest: tokenise, tokenise/alpha, tokenise/moses-500."), "{}", answer.stderr);
    let answer = bench.clmbench(&["run", "suite.toml", "--only", "tokenise", "--only", "pretrain/zzz*"]).code(2);
    assert!(answer.stderr.contains("`pretrain/zzz*`") && answer.stderr.contains("nearest: pretrain"), "{}", answer.stderr);
    assert!(bench.begun().is_empty() && !bench.store().exists(), "nothing is begun");
}

#[test]
fn failed_cells_are_tried_again_only_where_both_options_say_so() {
    let bench = Bench::new(SMALL);
    let failing = [("FAKE_WORKER_MISBEHAVE", "fail"), ("FAKE_WORKER_ON", "fake/noise")];
    bench.with(&["run", "suite.toml", "--only", "tokenise"], &failing).code(0);
    bench.with(&["run", "suite.toml", "--only", "measure"], &failing).code(3);
    let begun = bench.begun().len();
    // Not asked for again, and not among the cells that are named.
    bench.clmbench(&["run", "suite.toml", "--only", "measure"]).code(3);
    bench.clmbench(&["run", "suite.toml", "--only", "tokenise", "--retry-failed"]).code(0);
    assert_eq!(bench.begun().len(), begun);
    bench.clmbench(&["run", "suite.toml", "--only", "measure", "--retry-failed"]).code(0);
    assert_eq!(bench.begun().len(), begun + 1);
}
