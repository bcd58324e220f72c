#![allow(clippy::unwrap_used)]
use std::sync::OnceLock;

use clmbench_molecules::TokenCache;
use clmbench_protocol::{Number, Objective, PluginRef, Precision, Pretrain, Schedule, ScheduleKind};
use tch::{Device, Kind, Tensor};

use super::{Outcome, Stepper};
use crate::{
    batching::{TargetBatch, Targets, with_targets},
    masking::MaskKey,
    model::Model,
    toy,
};

fn spec(precision: Precision) -> Pretrain {
    Pretrain {
        revision: 0,
        plugin: PluginRef { name: "toy".into(), version: "0.1.0".into(), digest: None },
        architecture: "toy".into(),
        config: serde_json::Map::new(),
        objective: Objective::MaskedLm,
        corpus_digest: String::new(),
        tokenizer_digest: String::new(),
        tokens: 1,
        checkpoints: 1,
        batch: 16,
        accumulate: 1,
        learning_rate: Number(0.01),
        schedule: Schedule { kind: ScheduleKind::Cosine, warmup: Number(0.0), cooldown: Number(0.0) },
        mask_ratio: Number(0.15),
        weight_decay: Number(0.01),
        betas: (Number(0.9), Number(0.999)),
        clip: Number(1.0),
        seed: 1,
        precision,
        threads: 1,
    }
}

/// The first `molecules` of the toy corpus in so many parts.
fn parts(objective: Objective, molecules: u32, count: usize, draw: u64) -> Vec<TargetBatch> {
    static CACHE: OnceLock<TokenCache> = OnceLock::new();
    let cache = CACHE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        toy::corpus(folder.path()).unwrap();
        // Mapped, so it stays when the folder goes.
        TokenCache::open(&folder.path().join("train.bin")).unwrap()
    });
    let targets = Targets::new(objective, 0.3, toy::VOCABULARY, &clmbench_protocol::Special::default()).unwrap();
    let all: Vec<u32> = (0..molecules).collect();
    let key = MaskKey { seed: 5, draw };
    all.chunks(all.len().div_ceil(count)).map(|part| with_targets(cache, part, &targets, key, Device::Cpu)).collect()
}

fn distance(a: &[Tensor], b: &[Tensor]) -> f64 {
    let square = |tensor: Tensor| tensor.to_kind(Kind::Double).square().sum(Kind::Double).double_value(&[]);
    let apart: f64 = a.iter().zip(b).map(|(a, b)| square(a - b)).sum();
    (apart / b.iter().map(|b| square(b.shallow_clone())).sum::<f64>()).sqrt()
}

fn with_model<T>(precision: Precision, body: impl FnOnce(&Model, Stepper<'_>) -> T) -> T {
    let model = toy::model().unwrap();
    body(&model, Stepper::new(&model, &spec(precision)))
}

#[test]
fn parts_of_a_batch_give_its_gradient() {
    for objective in [Objective::MaskedLm, Objective::CausalLm] {
        with_model(Precision::Float32, |_, stepper| {
            let (loss, whole) = stepper.gradients(&parts(objective, 33, 1, 0)).unwrap();
            for count in [2, 3, 8, 33] {
                let parts = parts(objective, 33, count, 0);
                assert!(parts.len() > 1);
                let (found, gradients) = stepper.gradients(&parts).unwrap();
                assert!((found - loss).abs() < 1e-5 * loss, "{found} is not {loss}");
                let apart = distance(&gradients, &whole);
                assert!(apart < 1e-5, "gradients in {count} parts are {apart} apart");
            }
        });
    }
}

#[test]
fn the_loss_is_the_mean_over_predicted_tokens_of_what_the_model_says_of_each_molecule_alone() {
    for objective in [Objective::MaskedLm, Objective::CausalLm] {
        with_model(Precision::Float32, |model, stepper| {
            let (loss, _) = stepper.gradients(&parts(objective, 12, 1, 3)).unwrap();
            let (mut sum, mut count) = (0.0, 0.0);
            for molecule in parts(objective, 12, 12, 3) {
                let mode = clmbench_api::AttentionMode::Fast;
                let hidden = model.hidden(&molecule.shown.ids, &molecule.shown.mask, mode).unwrap();
                let all = hidden.size()[1];
                let logits = model.logits(&hidden, &Tensor::arange(all, (Kind::Int64, Device::Cpu))).unwrap();
                let logits: Vec<Vec<f32>> = Vec::try_from(logits.detach()).unwrap();
                let list = |tensor: &Tensor| Vec::<i64>::try_from(tensor).unwrap();
                for (position, target) in list(&molecule.positions).into_iter().zip(list(&molecule.targets)) {
                    let row: Vec<f64> = logits[position as usize].iter().map(|value| f64::from(*value)).collect();
                    sum += row.iter().map(|value| value.exp()).sum::<f64>().ln() - row[target as usize];
                    count += 1.0;
                }
            }
            assert!((loss - sum / count).abs() < 1e-5, "{loss} is not {}", sum / count);
        });
    }
}

#[test]
fn bfloat16_follows_float32_and_leaves_the_weights_float32() {
    let train = |precision| {
        with_model(precision, |model, mut stepper| {
            let losses: Vec<f64> = (0..50)
                .map(|draw| match stepper.step(&parts(Objective::MaskedLm, 64, 1, draw), 0.02).unwrap() {
                    Outcome::Done(loss) => loss,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert!(model.parameters.iter().all(|row| row.tensor.kind() == Kind::Float));
            assert!(stepper.optimizer.state().all(|tensor| tensor.kind() == Kind::Float));
            losses
        })
    };
    let (single, half) = (train(Precision::Float32), train(Precision::Bfloat16));
    assert!(single[49] < 0.9 * single[0], "{single:?}");
    assert_ne!(single, half);
    for (step, (single, half)) in single.iter().zip(&half).enumerate() {
        // bfloat16 has 8 bits of mantissa: single values are off by 0.4 %, means over hundreds of tokens by less.
        assert!((single - half).abs() < 0.01 * single, "step {step}: {half} for {single}");
    }
    // A step sees the weights that the one before it left: nothing of the cache of cast weights stays.
    assert!(half[0] != half[1]);
}

#[test]
fn a_step_that_is_not_finite_changes_nothing() {
    with_model(Precision::Float32, |model, mut stepper| {
        let _guard = tch::no_grad_guard();
        let _ = model.parameters[2].tensor.shallow_clone().fill_(f64::NAN);
        let before = model.memory_digest();
        drop(_guard);
        let outcome = stepper.step(&parts(Objective::MaskedLm, 8, 1, 0), 0.1).unwrap();
        assert!(matches!(outcome, Outcome::Loss(value) if value.is_nan()), "{outcome:?}");
        assert_eq!(model.memory_digest(), before);
    });
}
