//! Both traces through the engine's own probe, on the engine's toy model (280 parameters) and corpus.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{path::Path, sync::Mutex};

use clmbench_engine::{
    batching::{self, Targets},
    masking::MaskKey,
    model::Model,
    report::Reporter,
    toy,
};
use clmbench_molecules::TokenCache;
use clmbench_plugin_hessian::{LambdaMax, LambdaMin, TraceFisher, TraceHutchinson};
use clmbench_sdk::{prelude::*, random::Stream, testing::dense_hessian};

mod common;
use common::named;

/// libtorch's global generator draws the toy's weights: one test at a time.
static TURN: Mutex<()> = Mutex::new(());

fn with_host(objective: Objective, body: impl FnOnce(&Probe<'_>, &Model, &Path)) {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    tch::set_num_threads(1);
    let folder = tempfile::tempdir().unwrap();
    toy::corpus(folder.path()).unwrap();
    let model = toy::model_for(objective).unwrap();
    let reporter = Reporter::silent();
    let host = toy::probe(&model, objective, folder.path(), "test", &reporter).unwrap();
    body(&Probe::new(host.edge()), &model, folder.path());
}

/// The defaults but for these.
fn params(metric: &dyn Metric, count: (&str, u64), sample: &str, molecules: u64) -> Params {
    common::params(metric, &[(count.0, count.1.into()), ("sample", sample.into()), ("molecules", molecules.into())])
}

#[test]
fn hutchinson_agrees_with_the_dense_hessian_of_a_causal_model() {
    // No masks: every draw has the same Hessian, which 280 products give whole. Three molecules, so that the quick budget lasts.
    for (sample, part) in [("heldout", SamplePart::Heldout), ("train", SamplePart::Train)] {
        with_host(Objective::CausalLm, |probe, model, folder| {
            // Three molecules make three groups; their Hessians, and how many tokens each predicts.
            let of = |molecule: u64, draw: u64| Sample { part, start: molecule, count: 1, draw };
            let all = Sample { part, start: 0, count: 3, draw: 0 };
            let dense = dense_hessian(probe, all).unwrap().to_kind(Kind::Double);
            assert!((&dense - dense.transpose(0, 1)).abs().max().double_value(&[]) < 1e-5);
            let parts: Vec<Tensor> =
                (0..3).map(|molecule| dense_hessian(probe, of(molecule, 0)).unwrap().to_kind(Kind::Double)).collect();
            let tokens = probe.predicted(all).unwrap();
            let total: f64 = tokens.iter().sum();
            let mean = (0..3).fold(dense.zeros_like(), |sum, group| sum + &parts[group] * (tokens[group] / total));
            assert!((&mean - &dense).abs().max().double_value(&[]) < 1e-5);
            // The same signs through the whole matrices at once: in groups and batches, by two passes backward, it must be the same.
            let weights = probe.weights().unwrap();
            let draws = 6;
            let (mut raw, mut adaptive) = (0.0, 0.0);
            for draw in 0..draws {
                for group in 0..3_usize {
                    let label = format!("signs {draw} from {group}");
                    let signs = Stream::new(probe.rng(&label)).signs(&weights).unwrap();
                    let form = |vector: Tensor| {
                        let vector = vector.to_kind(Kind::Double);
                        vector.dot(&parts[group].mv(&vector)).double_value(&[]) * tokens[group] / total / draws as f64
                    };
                    raw += form(signs.shallow_clone());
                    adaptive += form(signs * weights.abs());
                }
            }
            // A probe of its own, since the dense matrix has used up the budget of this one.
            let reporter = Reporter::silent();
            let fresh = toy::probe(model, Objective::CausalLm, folder, "test", &reporter).unwrap();
            let measured = TraceHutchinson
                .measure(&Probe::new(fresh.edge()), &params(&TraceHutchinson, ("probes", draws), sample, 3))
                .unwrap();
            assert_eq!(named(&measured, "draws").value, draws as f64);
            for (name, wanted) in [("trace", raw), ("trace_adaptive", adaptive)] {
                let value = named(&measured, name).value;
                assert!((value - wanted).abs() < 1e-4 * wanted.abs(), "{sample} {name}: {value} is not {wanted}");
            }
            // And what it estimates is the sum of the diagonal.
            let trace = dense.diag(0).sum(Kind::Double).double_value(&[]);
            let error = named(&measured, "trace").se_estimator.unwrap();
            assert!((raw - trace).abs() < 4.0 * error, "{sample}: {raw} +- {error} is not {trace}");
        });
    }
}

/// `|grad log p(y | x)|^2` and `|w grad log p(y | x)|^2` for every label y of every token of some molecules, weighted by p: the
/// Fisher matrix without sampling, from the model itself and not through the probe.
fn fisher(model: &Model, folder: &Path, molecules: u32) -> [f64; 2] {
    let cache = TokenCache::open(&folder.join("heldout.bin")).unwrap();
    let (mut sums, mut tokens) = ([0.0; 2], 0.0);
    let weights = model.tensors();
    for molecule in 0..molecules {
        let key = MaskKey { seed: 0, draw: 0 };
        let batch = batching::with_targets(&cache, &[molecule], &Targets::Next, key, Device::Cpu);
        let hidden = model.hidden(&batch.shown.ids, &batch.shown.mask, AttentionMode::Fast).unwrap();
        let logs = model.logits(&hidden, &batch.positions).unwrap().log_softmax(-1, Kind::Float);
        for token in 0..logs.size()[0] {
            tokens += 1.0;
            for label in 0..logs.size()[1] {
                let log = logs.get(token).get(label);
                let gradients = Tensor::run_backward(&[&log], &weights, true, false);
                let chance = log.double_value(&[]).exp();
                for (gradient, weight) in gradients.iter().zip(&weights) {
                    let square = |tensor: Tensor| tensor.square().sum(Kind::Double).double_value(&[]);
                    sums[0] += chance * square(gradient.shallow_clone());
                    sums[1] += chance * square(gradient * weight.detach());
                }
            }
        }
    }
    sums.map(|sum| sum / tokens)
}

#[test]
fn fisher_agrees_with_the_sum_over_all_labels() {
    with_host(Objective::CausalLm, |probe, model, folder| {
        let truths = fisher(model, folder, 12);
        let measured = TraceFisher.measure(probe, &params(&TraceFisher, ("draws", 60), "heldout", 12)).unwrap();
        for (name, truth) in ["trace", "trace_adaptive"].into_iter().zip(truths) {
            let value = named(&measured, name);
            let error = value.se_estimator.unwrap();
            assert!((value.value - truth).abs() < 4.0 * error, "{name}: {value:?} is not {truth}");
            assert!(error < 0.1 * truth, "{name}: +- {error} of {truth} says nothing");
        }
    });
}

#[test]
fn the_budget_is_kept_under_masks() {
    // 20 gradients; a draw on the whole sample costs 4 or 1.
    let cases: [(&dyn Metric, &str, f64); 2] = [(&TraceHutchinson, "probes", 4.0), (&TraceFisher, "draws", 1.0)];
    for (metric, draws, cost) in cases {
        with_host(Objective::MaskedLm, |probe, _, _| {
            let measured = metric.measure(probe, &params(metric, (draws, 10_000), "heldout", 0)).unwrap();
            let (spent, value) = (probe.spent().unwrap(), named(&measured, "trace"));
            match measured.stopped {
                "budget" => assert!(spent >= probe.budget() && spent < probe.budget() + cost, "{spent}"),
                "precision" => assert!(value.se_estimator.unwrap() <= 0.05 * value.value.abs(), "{value:?}"),
                other => panic!("{other}"),
            }
        });
    }
}

#[test]
fn the_ends_of_the_spectrum_are_those_of_the_toys_dense_hessian() {
    with_host(Objective::CausalLm, |probe, model, folder| {
        let dense = dense_hessian(probe, Sample { part: SamplePart::Heldout, start: 0, count: 3, draw: 0 }).unwrap();
        let all = common::eigenvalues(&dense.to_kind(Kind::Double));
        for (metric, name, truth) in
            [(&LambdaMax as &dyn Metric, "lambda_max", all[all.len() - 1]), (&LambdaMin, "lambda_min", all[0])]
        {
            let reporter = Reporter::silent();
            let fresh = toy::probe(model, Objective::CausalLm, folder, "test", &reporter).unwrap();
            let measured = metric.measure(&Probe::new(fresh.edge()), &params(metric, ("steps", 60), "heldout", 3)).unwrap();
            let found = named(&measured, name);
            // Float32: the products, the basis and the dense matrix all round.
            let bound = found.residual_bound.unwrap() + 1e-5 * all[all.len() - 1];
            assert!((found.value - truth).abs() <= bound && bound < 0.02 * truth.abs(), "{found:?} is not {truth}");
        }
    });
}

#[test]
fn values_do_not_depend_on_the_size_of_batches() {
    for (metric, _) in common::METRICS {
        let info = metric.info();
        let counts = [("probes", 3.into()), ("draws", 3.into()), ("runs", 2.into()), ("steps", 12.into())];
        let mut changed: Vec<(&str, serde_json::Value)> =
            counts.into_iter().filter(|(name, _)| info.parameters.iter().any(|parameter| parameter.name == *name)).collect();
        changed.push(("molecules", 20.into()));
        let mut found = Vec::new();
        for tokens in [24, 4096] {
            with_host(Objective::MaskedLm, |_, model, folder| {
                let reporter = Reporter::silent();
                let host = toy::probe(model, Objective::MaskedLm, folder, "test", &reporter).unwrap().with_batches(tokens);
                found.push(metric.measure(&Probe::new(host.edge()), &common::params(metric, &changed)).unwrap());
            });
        }
        let [small, large] = [&found[0], &found[1]].map(|measured| named(measured, &info.primary).value);
        assert!((small - large).abs() <= 1e-5 * large.abs(), "{}: {small} is not {large}", info.id);
    }
}

#[test]
fn a_double_backward_is_a_difference_of_gradients() {
    with_host(Objective::MaskedLm, |probe, _, _| {
        let sample = Sample { part: SamplePart::Heldout, start: 0, count: 20, draw: 0 };
        let vector = Stream::new(5).normals(&probe.weights().unwrap()).unwrap().unsqueeze(0);
        let products =
            [HvpMethod::DoubleBackward, HvpMethod::FiniteDifference].map(|method| probe.hvp(sample, &vector, method).unwrap());
        let away = (&products[0] - &products[1]).norm().double_value(&[]) / products[0].norm().double_value(&[]);
        assert!(away < 1e-2, "{away}");
    });
}
