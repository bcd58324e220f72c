//! Pretraining from the outside: determinism, learning, objectives, schedules, precision, divergence, what is refused.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, atomic::Ordering},
};

use clmbench_molecules::TokenCacheBuilder;
use clmbench_protocol::{
    CheckpointRef, FailureKind, Number, Objective, Precision, Pretrain, PretrainOutput, Schedule, ScheduleKind,
};
use common::{FUSE, corpus, pretrain, spec};

/// The fuse and libtorch's generator are the process's, so these tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    let guard = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    tch::set_num_threads(1);
    FUSE.store(-1, Ordering::SeqCst);
    guard
}

/// A folder with a corpus, and folders to work in.
struct Bench {
    folder: tempfile::TempDir,
    data: PathBuf,
}

impl Bench {
    fn new(molecules: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        corpus(&data, molecules);
        Self { folder, data }
    }

    fn work(&self) -> PathBuf {
        tempfile::tempdir_in(self.folder.path()).unwrap().keep()
    }

    fn run(&self, spec: &Pretrain) -> PretrainOutput {
        pretrain(spec, &self.data, &self.work()).unwrap()
    }

    fn spec(&self, tokens: u64, checkpoints: u32) -> Pretrain {
        spec(&self.data, tokens, checkpoints)
    }
}

fn cosine() -> Schedule {
    Schedule { kind: ScheduleKind::Cosine, warmup: Number(0.05), cooldown: Number(0.0) }
}

#[test]
fn the_same_definition_gives_the_same_bits_and_the_loss_falls() {
    let _turn = turn();
    let bench = Bench::new(200);
    let mut spec = bench.spec(60_000, 2);
    spec.learning_rate = Number(0.03);
    let first = bench.run(&spec);
    assert_eq!(first, bench.run(&spec));
    assert!(!first.diverged && first.divergence.is_none() && first.checkpoints.len() == 2);
    assert!(first.checkpoints.iter().all(|row| row.annealed) && first.checkpoints[1].last && !first.checkpoints[0].last);
    assert_eq!(first.checkpoints.iter().map(|row| row.tokens).collect::<Vec<_>>(), [30_000, 60_000]);
    // The loss of 25 equally likely tokens is ln 25 = 3.2.
    assert!(first.checkpoints[1].training_loss.0 < 2.5, "{:?}", first.checkpoints[1].training_loss);
    assert!(first.checkpoints[1].training_loss < first.checkpoints[0].training_loss);
    // The last step of a cool-down is near zero, but a step.
    let rate = first.checkpoints[1].learning_rate.0;
    assert!(rate > 0.0 && rate < 0.1 * spec.learning_rate.0, "{rate}");
    let other = bench.run(&Pretrain { seed: 4, ..spec });
    assert_ne!(other.checkpoints[1].weights_digest, first.checkpoints[1].weights_digest);
}

#[test]
fn causal_language_modelling_learns_too_and_is_another_run() {
    let _turn = turn();
    let bench = Bench::new(200);
    let causal = Pretrain { objective: Objective::CausalLm, ..bench.spec(20_000, 1) };
    let output = bench.run(&causal);
    assert_eq!(output, bench.run(&causal));
    assert!(!output.diverged && output.checkpoints[0].training_loss.0 < 2.5, "{:?}", output.checkpoints[0]);
    // Masks mean nothing to it.
    let ratio = bench.run(&Pretrain { mask_ratio: Number(0.9), ..causal });
    assert_eq!(ratio.checkpoints[0].weights_digest, output.checkpoints[0].weights_digest);
}

#[test]
fn the_mask_ratio_says_how_much_is_predicted() {
    let _turn = turn();
    let bench = Bench::new(200);
    let base = bench.spec(4_000, 1);
    let digest = |ratio| bench.run(&Pretrain { mask_ratio: Number(ratio), ..base.clone() }).checkpoints[0].weights_digest.clone();
    assert_ne!(digest(0.15), digest(0.4));
    // So few masks that no batch has any: nothing can be learnt, and that is said.
    let none = Pretrain { mask_ratio: Number(1e-9), ..base };
    let failure = pretrain(&none, &bench.data, &bench.work()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadInput);
    assert!(failure.message.contains("mask_ratio"), "{failure}");
}

#[test]
fn accumulation_changes_a_run_by_rounding_only() {
    let _turn = turn();
    let bench = Bench::new(200);
    let whole = bench.run(&bench.spec(2_000, 1));
    for accumulate in [2, 3, 8, 50] {
        let parts = bench.run(&Pretrain { accumulate, ..bench.spec(2_000, 1) });
        let (a, b) = (whole.checkpoints[0].training_loss.0, parts.checkpoints[0].training_loss.0);
        assert!((a - b).abs() < 1e-4 * a, "{b} in {accumulate} parts, {a} in one");
        assert_eq!((parts.checkpoints[0].step, parts.epochs), (whole.checkpoints[0].step, whole.epochs));
    }
}

#[test]
fn a_cosine_leaves_raw_checkpoints_and_ends_annealed() {
    let _turn = turn();
    let bench = Bench::new(200);
    let spec = Pretrain { schedule: cosine(), ..bench.spec(20_000, 4) };
    let output = bench.run(&spec);
    let rows = &output.checkpoints;
    assert_eq!(rows.iter().map(|row| row.tokens).collect::<Vec<_>>(), [5_000, 10_000, 15_000, 20_000]);
    assert_eq!(rows.iter().map(|row| row.annealed).collect::<Vec<_>>(), [false, false, false, true]);
    assert_eq!(rows.iter().map(|row| row.last).collect::<Vec<_>>(), [false, false, false, true]);
    // 5 % of warm-up; then half a cosine over the other 95 %, give or take the last batch (at most 8 x 22 tokens).
    let rate = |tokens: f64| spec.learning_rate.0 * 0.5 * (1.0 + (std::f64::consts::PI * (tokens - 1_000.0) / 19_000.0).cos());
    for row in &rows[..3] {
        let (low, high) = (rate(row.tokens as f64 + 176.0), rate(row.tokens as f64 - 176.0));
        assert!(row.learning_rate.0 > low && row.learning_rate.0 < high, "{row:?} not in {low}..{high}");
    }
    assert!(rows[3].learning_rate.0 > 0.0 && rows[3].learning_rate.0 < 0.001 * spec.learning_rate.0, "{:?}", rows[3]);
    // The trunk is the run: steps and tokens of one pass, no branches.
    let once = bench.run(&Pretrain { checkpoints: 1, ..spec });
    assert_eq!((once.checkpoints[0].step, &once.checkpoints[0].weights_digest), (rows[3].step, &rows[3].weights_digest));
}

#[test]
fn bfloat16_runs_repeat_themselves_and_follow_float32() {
    let _turn = turn();
    let bench = Bench::new(200);
    let single = bench.run(&bench.spec(5_000, 1));
    let spec = Pretrain { precision: Precision::Bfloat16, ..bench.spec(5_000, 1) };
    let half = bench.run(&spec);
    assert_eq!(half, bench.run(&spec));
    assert_ne!(half.checkpoints[0].weights_digest, single.checkpoints[0].weights_digest);
    let (a, b) = (single.checkpoints[0].training_loss.0, half.checkpoints[0].training_loss.0);
    assert!((a - b).abs() < 0.02 * a, "{b} in bfloat16, {a} in float32");
}

#[test]
fn no_tokens_is_the_untrained_control() {
    let _turn = turn();
    let bench = Bench::new(50);
    let control = bench.run(&bench.spec(0, 1));
    assert_eq!((control.checkpoints[0].folder.as_str(), control.checkpoints[0].step), ("checkpoint-0", 0));
}

#[test]
fn a_batch_larger_than_the_corpus_is_a_batch_an_epoch() {
    let _turn = turn();
    let bench = Bench::new(5);
    let output = bench.run(&Pretrain { batch: 1_000, ..bench.spec(3_000, 1) });
    let row = &output.checkpoints[0];
    assert_eq!(output.epochs.0, row.step as f64);
    let even_larger = bench.run(&Pretrain { batch: u32::MAX, ..bench.spec(3_000, 1) });
    assert_eq!(even_larger.checkpoints[0].weights_digest, row.weights_digest);
}

#[test]
fn odd_definitions_and_empty_corpora_are_refused() {
    let _turn = turn();
    let bench = Bench::new(50);
    let refused = |change: &dyn Fn(&mut Pretrain), kind: FailureKind, words: &str| {
        let mut spec = bench.spec(1000, 1);
        change(&mut spec);
        let failure = pretrain(&spec, &bench.data, &bench.work()).unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(failure.message.contains(words), "{failure} does not say `{words}`");
    };
    refused(&|spec| spec.corpus_digest = "0".repeat(64), FailureKind::CorruptFile, "is not the corpus");
    refused(&|spec| spec.tokenizer_digest = "0".repeat(64), FailureKind::CorruptFile, "tokenizer.json");
    refused(&|spec| spec.batch = 0, FailureKind::BadInput, "batch is 0");
    refused(&|spec| spec.accumulate = 0, FailureKind::BadInput, "accumulate is 0");
    refused(&|spec| spec.mask_ratio = Number(0.0), FailureKind::BadInput, "mask_ratio is 0");
    refused(&|spec| spec.learning_rate = Number(f64::NAN), FailureKind::BadInput, "learning_rate is NaN");
    refused(&|spec| spec.learning_rate = Number(-1.0), FailureKind::BadInput, "learning_rate is -1");
    refused(&|spec| spec.betas.1 = Number(1.0), FailureKind::BadInput, "beta 2 is 1");
    refused(&|spec| spec.schedule.cooldown = Number(1.5), FailureKind::BadInput, "cooldown is 1.5");
    for molecules in [0, 3] {
        // No molecule, and molecules without a token.
        let mut builder = TokenCacheBuilder::new(32, 30);
        (0..molecules).for_each(|_| builder.push(&[]).unwrap());
        builder.write(&bench.data.join("train.bin")).unwrap();
        refused(&|_| (), FailureKind::BadInput, "no molecule");
    }
}

#[test]
fn a_rate_that_blows_up_is_a_diverged_run_that_says_why() {
    let _turn = turn();
    let bench = Bench::new(100);
    for rate in [1e6, 1e20, 1e38, 1e300] {
        for schedule in [bench.spec(0, 1).schedule, cosine()] {
            for precision in [Precision::Float32, Precision::Bfloat16] {
                let learning_rate = Number(rate);
                let output =
                    bench.run(&Pretrain { learning_rate, schedule: schedule.clone(), precision, ..bench.spec(10_000, 2) });
                assert_eq!(output.diverged, output.divergence.is_some());
                let why = output.divergence.unwrap_or_else(|| panic!("{rate} in {precision:?} did not diverge"));
                assert!(why.contains("training loss") || why.contains("gradient norm"), "{why}");
                for row in &output.checkpoints {
                    assert!(row.training_loss.0.is_finite());
                }
            }
        }
    }
}

#[test]
fn a_checkpoint_that_is_not_whole_is_refused_by_file_and_tensor() {
    let _turn = turn();
    let bench = Bench::new(50);
    let spec = bench.spec(1_000, 1);
    let work = bench.work();
    let row = pretrain(&spec, &bench.data, &work).unwrap().checkpoints.remove(0);
    let folder = work.join(&row.folder);
    let reference = CheckpointRef {
        weights_digest: row.weights_digest,
        plugin: spec.plugin.clone(),
        architecture: spec.architecture.clone(),
        config: spec.config.clone(),
        objective: spec.objective,
        special: None,
        head_is_random: false,
    };
    let open = || clmbench_engine::checkpoint::open_with(&folder, &reference, common::module()).map(|_| ());
    open().unwrap();
    let refused = |kind: FailureKind, words: &[&str]| {
        let failure = open().unwrap_err();
        assert_eq!(failure.kind, kind, "{failure}");
        for word in words {
            assert!(failure.message.contains(word), "{failure} does not say `{word}`");
        }
    };
    let weights = folder.join("model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    refused(FailureKind::CorruptFile, &["model.safetensors", "not a whole safetensors file"]);
    std::fs::write(&weights, b"").unwrap();
    refused(FailureKind::CorruptFile, &["model.safetensors", "not a whole safetensors file"]);
    let tensor = |shape: &[i64]| tch::Tensor::zeros(shape, tch::kind::FLOAT_CPU);
    rewrite(&weights, &[("words.weight", tensor(&[30, 12])), ("first.weight", tensor(&[24, 12]))]);
    refused(FailureKind::CorruptFile, &["model.safetensors", "`first.weight` has shape [24, 12], not [12, 24]"]);
    refused(FailureKind::CorruptFile, &["`second.weight` is missing"]);
    let all = [("words.weight", tensor(&[30, 12])), ("first.weight", tensor(&[12, 24])), ("second.weight", tensor(&[12, 12]))];
    rewrite(&weights, &all);
    refused(FailureKind::CorruptFile, &["model.safetensors", "changed or damaged"]);
    std::fs::remove_file(&weights).unwrap();
    refused(FailureKind::Io, &["model.safetensors"]);
    std::fs::write(&weights, &whole).unwrap();
    open().unwrap();
    std::fs::write(folder.join("clmbench.json"), b"{").unwrap();
    refused(FailureKind::CorruptFile, &["clmbench.json"]);
}

fn rewrite(path: &Path, tensors: &[(&str, tch::Tensor)]) {
    let rows: Vec<(String, &tch::Tensor)> = tensors.iter().map(|(name, tensor)| ((*name).to_owned(), tensor)).collect();
    clmbench_engine::weights::write(path, &rows).unwrap();
}
