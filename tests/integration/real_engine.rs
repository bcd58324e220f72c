//! The real engine: equal values on every way to them, held-out loss below the unigram's, the scaffold split of the
//! reference, and kills in the middle of pretraining.

use std::{
    fs,
    io::Read as _,
    process::{Child, Command},
    sync::OnceLock,
    time::Duration,
};

use clmbench_protocol::fault;
use clmbench_store::{CellStatus, Store};

use crate::{
    bench::{finish, wait_until},
    real::{ECHO, Real, Snapshot, checkout},
};

/// A small run of some seconds with three checkpoints, and tiny ones with two seeds.
const SUITE: &str = r#"
schema = 1
[suite]
name = "engine"
seed = 7
[[corpus]]
name = "moses"
sizes = [2000]
heldout = 256
[[model]]
architecture = "bert"
overrides = [{ layers = 1, width = 64 }]
tokens = 300_000
checkpoints = 3
batch = 32
[[model]]
architecture = "echo"
presets = ["tiny"]
tokens = 20_000
checkpoints = 2
seeds = 2
[[dataset]]
source = "moleculenet"
names = ["freesolv"]
[[metric]]
id = "loss/mlm_loss"
[[metric]]
id = "echo/calls"
[[metric]]
id = "echo/said"
[[metric]]
select = "family:trivial"
"#;

/// Key of the small run.
const RUN: &str = "pretrain/bert-layers1-width64/moses-2000/seed0";

/// Folder and result of an undisturbed run, one cell after the other.
fn undisturbed() -> &'static (Real, Snapshot) {
    static RESULT: OnceLock<(Real, Snapshot)> = OnceLock::new();
    RESULT.get_or_init(|| {
        let real = prepared();
        real.clmbench(&["run", "suite.toml", "--workers", "1"]).code(0);
        let snapshot = real.snapshot();
        assert!(snapshot.values().all(|cell| cell.0 == CellStatus::Done));
        (real, snapshot)
    })
}

fn prepared() -> Real {
    let real = Real::new(&[ECHO]);
    real.write("suite.toml", SUITE);
    real
}

/// Asserts equality cell by cell, so that a difference can be read.
#[track_caller]
fn same(found: &Snapshot, wanted: &Snapshot) {
    for (key, cell) in wanted {
        assert_eq!(found.get(key), Some(cell), "{key}");
    }
    assert_eq!(found.len(), wanted.len());
}

#[test]
fn two_runs_from_empty_are_equal_bit_for_bit_whatever_the_workers() {
    let (_, wanted) = undisturbed();
    let other = prepared();
    other.clmbench(&["run", "suite.toml", "--workers", "2", "--isolate"]).code(0);
    same(&other.snapshot(), wanted);
    other.check_artifacts();
}

/// A model that is large enough for two threads (3.9 million parameters), and next to nothing to do.
const TWO_THREADS: &str = r#"
schema = 1
[suite]
name = "threads"
[[corpus]]
name = "moses"
sizes = [200]
heldout = 16
[[model]]
architecture = "bert"
overrides = [{ layers = 5, width = 256 }]
tokens = 1000
checkpoints = 1
batch = 16
[[dataset]]
source = "echo"
names = ["sixty"]
[[metric]]
id = "loss/mlm_loss"
"#;

#[test]
fn two_threads_give_equal_bits_as_well() {
    let snapshots = ["1", "2"].map(|workers| {
        let real = Real::new(&[ECHO]);
        real.write("threads.toml", TWO_THREADS);
        let planned = real.clmbench(&["run", "threads.toml", "--workers", workers, "--quiet"]).code(0);
        assert!(planned.stderr.is_empty(), "{}", planned.stderr);
        let spec = real.clmbench(&["show", "pretrain/bert-layers5-width256/moses-200/seed0", "--json"]).code(0).rows();
        assert_eq!(spec[0]["spec"]["threads"], 2);
        real.snapshot()
    });
    same(&snapshots[1], &snapshots[0]);
}

#[test]
fn values_do_not_depend_on_how_the_molecules_are_batched() {
    let (real, _) = undisturbed();
    for run in ["bert-layers1-width64", "echo-tiny"] {
        let end = format!("{run}/moses-2000/seed0/checkpoint-1/echo.calls");
        let value = |name: &str| real.value(&end, name);
        let (whole, pieces) = (value("loss"), value("loss_in_pieces"));
        assert!((whole - pieces).abs() <= 1e-5 * whole, "{run}: {whole} {pieces}");
        assert!(value("embedding_difference") <= 1e-5 * value("embedding_norm"), "{run}");
        // The weights are put back, and a shift shifts.
        assert_eq!(value("loss_after").to_bits(), whole.to_bits(), "{run}");
        assert_ne!(value("loss_shifted"), whole, "{run}");
        // The gradient is the slope of the losses (central difference in single precision).
        let (slope, wanted) = (value("slope"), value("slope_of_losses"));
        assert!((slope - wanted).abs() <= 0.02 * wanted.abs() + 0.02 * value("gradient_norm"), "{run}: {slope} {wanted}");
        let (curvature, wanted) = (value("curvature"), value("curvature_of_differences"));
        assert!((curvature - wanted).abs() <= 0.02 * curvature.abs(), "{run}: {curvature} {wanted}");
    }
}

#[test]
fn a_small_model_learns_more_than_the_frequencies_of_tokens() {
    let (real, _) = undisturbed();
    let corpus = real.output("tokenise/moses-2000");
    let number = |key: &str| corpus[key].as_f64().unwrap();
    let end = |checkpoint: u32| format!("layers1-width64/moses-2000/seed0/checkpoint-{checkpoint}/loss.mlm_loss");
    let (loss, error) = (real.value(&end(3), "mlm_loss"), number("unigram_se"));
    let unigram = number("unigram_cross_entropy");
    assert!(loss + 4.0 * error < unigram, "{loss} is not below {unigram} +- {error}");
    assert!(loss < real.value(&end(1), "mlm_loss"));
}

#[test]
fn controls_are_there_and_never_counted() {
    let (real, _) = undisturbed();
    let store = Store::open_reader(&real.store()).unwrap();
    let runs = store.runs(store.suite(None).unwrap().id).unwrap();
    let controls: Vec<_> = runs.iter().filter(|run| run.control).collect();
    assert_eq!((runs.len() - controls.len(), controls.len()), (3, 2), "three runs, and a control of each size");
    assert!(controls.iter().all(|control| control.tokens == Some(0) && control.training_flops == Some(0.0)));
    let board = real.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows();
    assert!(!board.is_empty());
    for row in &board {
        assert!(row["n"].as_u64().unwrap() <= 3, "{row}");
    }
    let loss = board.iter().find(|row| row["metric"] == "loss/mlm_loss").unwrap();
    assert_eq!(loss["n"], 3, "{loss}");
    let models = real.clmbench(&["leaderboard", "models", "--json"]).code(0);
    assert!(models.stdout.contains("control"), "{}", models.stdout);
    for control in controls {
        // Initial weights, scored as every run is.
        let scores = store.score_rows(store.suite(None).unwrap().id).unwrap();
        assert!(scores.iter().any(|score| score.run == control.run && score.value.is_finite()), "{}", control.label);
    }
}

#[test]
fn the_scaffold_split_of_freesolv_is_that_of_the_reference_row_for_row() {
    let reference = checkout().join("../shared/data/scaffold/freesolv.csv.gz");
    if !reference.is_file() {
        println!("skipped: there is no ../shared/data beside the checkout");
        return;
    }
    let (real, _) = undisturbed();
    let identity = real.row("tokenise/freesolv").identity.unwrap();
    let ours = fs::read(real.store().join("artifacts").join(identity).join("molecules.csv")).unwrap();
    let mut theirs = Vec::new();
    flate2::read::GzDecoder::new(fs::File::open(reference).unwrap()).read_to_end(&mut theirs).unwrap();
    // Columns: row, smiles, canonical, scaffold, part; and row, split, scaffold, canonical.
    let records = |bytes: &[u8]| csv::Reader::from_reader(bytes).records().map(Result::unwrap).collect::<Vec<_>>();
    let (ours, theirs) = (records(&ours), records(&theirs));
    assert_eq!((ours.len(), theirs.len()), (642, 642));
    for (our, their) in ours.iter().zip(&theirs) {
        assert_eq!([&our[0], &our[4], &our[3], &our[2]], [&their[0], &their[1], &their[2], &their[3]]);
    }
}

/// A fixed sequence (Knuth's MMIX generator); where it hits varies with the machine.
struct Moments(u64);

impl Moments {
    fn next(&mut self, range: std::ops::Range<u64>) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(range.start + (self.0 >> 33) % (range.end - range.start))
    }
}

/// Starts the suite and waits until a worker computes the small run, then some more. Returns parent and worker; none if
/// the run is done already.
fn in_pretraining(real: &Real, moment: Duration) -> Option<(Child, u32)> {
    let mut child = real.start(&["run", "suite.toml", "--workers", "1"], &[]);
    let mut worker = None;
    wait_until("pretraining has begun", || {
        let running = real.rows().iter().any(|row| row.key == RUN && row.status == CellStatus::Running);
        worker = running.then(|| worker_of(child.id())).flatten();
        worker.is_some() || child.try_wait().unwrap().is_some()
    });
    std::thread::sleep(moment);
    if let Some(worker) = worker
        && real.row(RUN).status == CellStatus::Running
    {
        return Some((child, worker));
    }
    finish(child).code(0);
    println!("skipped: the run had ended before it could be killed after {moment:?}");
    None
}

/// The worker of this process that has opened the plugin of the small run. One that is just starting would be replaced
/// without a word.
fn worker_of(parent: u32) -> Option<u32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let mut ids = processes.filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok());
    ids.find(|id| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let parent_of = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        let maps = || fs::read_to_string(format!("/proc/{id}/maps")).unwrap_or_default();
        parent_of == Some(parent) && maps().contains("libclmbench_plugin_bert")
    })
}

/// Whether the small run has left a state to go on from.
fn state_is_saved(real: &Real) -> bool {
    let identity = real.row(RUN).identity.unwrap();
    let states = fs::read_dir(real.store().join("work").join(identity).join("state"));
    states.is_ok_and(|files| files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("position-")))
}

/// Runs the rest; everything must be as if nothing had happened.
#[track_caller]
fn goes_on_to_the_same_end(real: &Real) {
    real.clmbench(&["run", "suite.toml", "--workers", "1"]).code(0);
    same(&real.snapshot(), &undisturbed().1);
    real.check_artifacts();
}

#[test]
fn a_parent_killed_at_random_moments_of_pretraining_loses_nothing() {
    let real = prepared();
    let mut moments = Moments(3);
    let (mut kills, mut resumable) = (0, 0);
    for _ in 0..6 {
        let Some((mut child, _)) = in_pretraining(&real, moments.next(50..1600)) else { break };
        child.kill().unwrap();
        finish(child).killed();
        kills += 1;
        resumable += u32::from(state_is_saved(&real));
        // What was done before is done, with the same result.
        let done = real.snapshot().into_iter().filter(|(_, cell)| cell.0 == CellStatus::Done);
        let done: Snapshot = done.collect();
        assert!(done.len() >= 2, "dataset and corpus");
        done.iter().for_each(|(key, cell)| assert_eq!(undisturbed().1.get(key), Some(cell), "{key}"));
    }
    println!("{kills} kills, {resumable} with a state to go on from");
    assert!(kills >= 2, "{kills}");
    goes_on_to_the_same_end(&real);
}

fn kill(process: u32) {
    assert!(Command::new("sh").args(["-c", &format!("kill -KILL {process}")]).status().unwrap().success());
}

#[test]
fn a_worker_killed_at_a_random_moment_of_pretraining_is_replaced_and_costs_nothing() {
    let mut moments = Moments(11);
    let mut kills = 0;
    // The last moment is the very beginning, which comes before the end of the run on any machine.
    for moment in [moments.next(50..1000), moments.next(50..1000), Duration::ZERO] {
        if kills == 2 {
            break;
        }
        let real = prepared();
        let Some((child, worker)) = in_pretraining(&real, moment) else { continue };
        kills += 1;
        kill(worker);
        finish(child).code(0);
        same(&real.snapshot(), &undisturbed().1);
        assert_eq!(real.row(RUN).attempts, 2);
        real.check_artifacts();
    }
    assert!(kills > 0, "every run had ended before it could be killed");
}

#[test]
fn a_cell_whose_workers_are_killed_twice_fails_and_the_next_run_goes_on() {
    let real = prepared();
    let (mut child, first) = in_pretraining(&real, Duration::ZERO).expect("the run ends before it can be killed: make it longer");
    kill(first);
    let mut second = None;
    wait_until("another worker has taken the run", || {
        second = worker_of(child.id()).filter(|id| *id != first && real.row(RUN).status == CellStatus::Running);
        second.is_some() || child.try_wait().unwrap().is_some()
    });
    kill(second.unwrap());
    finish(child).code(3);
    for row in real.rows() {
        let depends = row.key.contains("bert-layers1-width64") && !row.key.contains("control/");
        let expected = match row.key.as_str() {
            RUN => CellStatus::Failed,
            _ if depends => CellStatus::Refused,
            _ => CellStatus::Done,
        };
        assert_eq!(row.status, expected, "{row:?}");
    }
    let row = real.row(RUN);
    assert_eq!((row.failure_kind.as_deref(), row.attempts), (Some("died"), 2));
    assert!(row.reason.as_ref().unwrap().contains("was killed by SIGKILL"), "{row:?}");
    goes_on_to_the_same_end(&real);
}

#[test]
fn a_worker_killed_in_the_middle_of_a_checkpoint_leaves_no_half_checkpoint() {
    let real = prepared();
    let answer = real.with(&["run", "suite.toml", "--workers", "1"], &[(fault::VARIABLE, "mid_checkpoint")]).code(3);
    assert!(answer.stderr.contains("died"), "{}", answer.stderr);
    for row in real.rows().iter().filter(|row| row.stage == "pretrain") {
        assert_eq!(row.status, CellStatus::Failed, "{row:?}");
        let work = real.store().join("work").join(row.identity.as_ref().unwrap());
        assert!(!work.join("checkpoint-1").exists(), "{}", work.display());
    }
    goes_on_to_the_same_end(&real);
}
