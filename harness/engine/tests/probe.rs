//! The probe from a metric's side, on the toy model.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::{Mutex, MutexGuard};

use clmbench_engine::{
    embed,
    model::Model,
    probe_host::{ProbeHost, Setting},
    report::Reporter,
    toy,
};
use clmbench_molecules::TokenCache;
use clmbench_protocol::{Budget, RunFacts};
use clmbench_sdk::{
    PluginError, Probe, Sample,
    api::{HvpMethod, Labels, SamplePart},
};
use tch::{Kind, Tensor};

static TURN: Mutex<()> = Mutex::new(());

const HELDOUT: Sample = Sample { part: SamplePart::Heldout, start: 0, count: 0, draw: 0 };

fn with_probe(body: impl FnOnce(&Probe<'_>, &Model)) {
    let _turn: MutexGuard<'_, ()> = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let folder = tempfile::tempdir().unwrap();
    toy::corpus(folder.path()).unwrap();
    let model = toy::model().unwrap();
    let reporter = Reporter::silent();
    let facts =
        RunFacts { non_embedding_parameters: 1, total_parameters: 2, tokens: 3, corpus_molecules: 4, training_flops: 5.0.into() };
    let setting = Setting { facts, identity: "test", seed: 7, budget: Budget::Quick, note: "test" };
    let host = ProbeHost::new(&model, folder.path(), setting, &reporter).unwrap();
    body(&Probe::new(host.edge()), &model);
}

fn mean_loss(probe: &Probe<'_>, sample: Sample, delta: Option<&Tensor>) -> f64 {
    let rows = probe.loss(sample, delta).unwrap();
    rows.nll.iter().sum::<f64>() / rows.tokens.iter().sum::<f64>()
}

fn parameters(probe: &Probe<'_>) -> i64 {
    probe.parameters().unwrap().iter().map(|row| row.shape.iter().product::<i64>()).sum()
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    with_probe(|probe, _| {
        let gradient = probe.grad(HELDOUT, None, Labels::Data).unwrap();
        assert_eq!(gradient.size(), [parameters(probe)]);
        tch::manual_seed(11);
        for _ in 0..3 {
            let direction = Tensor::randn_like(&gradient);
            let step = 1e-2;
            let up = mean_loss(probe, HELDOUT, Some(&(&direction * step)));
            let down = mean_loss(probe, HELDOUT, Some(&(&direction * -step)));
            let slope = (&gradient * &direction).sum(Kind::Double).double_value(&[]);
            // float32 losses of some 3 nats over a step of 0.02, and a cubic term.
            assert!(((up - down) / (2.0 * step) - slope).abs() < 2e-3 * (1.0 + slope.abs()), "{slope}");
        }
    });
}

#[test]
fn hessian_vector_products_agree_by_both_methods_and_are_symmetric() {
    with_probe(|probe, model| {
        let before = model.memory_digest();
        tch::manual_seed(12);
        let size = parameters(probe);
        let vectors = Tensor::randn([2, size], (Kind::Float, tch::Device::Cpu));
        let exact = probe.hvp(HELDOUT, &vectors, HvpMethod::DoubleBackward).unwrap();
        let near = probe.hvp(HELDOUT, &vectors, HvpMethod::FiniteDifference).unwrap();
        assert_eq!(exact.size(), [2, size]);
        let error = (&exact - near).norm().double_value(&[]) / exact.norm().double_value(&[]);
        // float32 gradients, step by the cube root of the machine's precision.
        assert!(error < 5e-3, "{error}");
        let dot = |a: i64, b: i64| (vectors.select(0, a) * exact.select(0, b)).sum(Kind::Double).double_value(&[]);
        assert!((dot(0, 1) - dot(1, 0)).abs() < 1e-4 * (dot(0, 0).abs() + dot(1, 1).abs()), "{} {}", dot(0, 1), dot(1, 0));
        assert_eq!(model.memory_digest(), before);
        let wrong = Tensor::ones([1, 3], (Kind::Float, tch::Device::Cpu));
        assert!(matches!(probe.hvp(HELDOUT, &wrong, HvpMethod::DoubleBackward), Err(PluginError::Shape(_))));
    });
}

#[test]
fn a_delta_acts_for_one_call_and_leaves_the_weights_as_they_were() {
    with_probe(|probe, model| {
        let (before, plain) = (model.memory_digest(), mean_loss(probe, HELDOUT, None));
        let delta = Tensor::ones([parameters(probe)], (Kind::Float, tch::Device::Cpu)) * 0.1;
        assert_ne!(mean_loss(probe, HELDOUT, Some(&delta)), plain);
        assert_eq!(model.memory_digest(), before);
        assert_eq!(mean_loss(probe, HELDOUT, None), plain);
        let wrong = Tensor::ones([3], (Kind::Float, tch::Device::Cpu));
        assert!(matches!(probe.loss(HELDOUT, Some(&wrong)), Err(PluginError::Shape(text)) if text.contains("[3]")));
        assert_eq!(model.memory_digest(), before);
    });
}

#[test]
fn masks_and_losses_of_a_molecule_do_not_depend_on_its_company() {
    with_probe(|probe, _| {
        let whole = probe.loss(HELDOUT, None).unwrap();
        for start in [0_u64, 7, 31] {
            let part = probe.loss(Sample { start, count: 5, ..HELDOUT }, None).unwrap();
            let range = start as usize..start as usize + 5;
            assert_eq!(part.tokens, whole.tokens[range.clone()]);
            for (a, b) in part.nll.iter().zip(&whole.nll[range]) {
                assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a} is not {b}");
            }
        }
        assert_ne!(probe.loss(Sample { draw: 1, ..HELDOUT }, None).unwrap().nll, whole.nll);
        assert_eq!(probe.loss(HELDOUT, None).unwrap(), whole);
    });
}

#[test]
fn embeddings_come_in_the_order_of_the_molecules() {
    with_probe(|probe, model| {
        let all = probe.embed(SamplePart::Heldout, 0, 0).unwrap();
        assert_eq!(all.size()[0] as u64, probe.molecules(SamplePart::Heldout).unwrap());
        let one = probe.embed(SamplePart::Heldout, 9, 1).unwrap();
        assert!((all.narrow(0, 9, 1) - one).abs().max().double_value(&[]) < 1e-5);
        let folder = tempfile::tempdir().unwrap();
        toy::corpus(folder.path()).unwrap();
        let cache = TokenCache::open(&folder.path().join("heldout.bin")).unwrap();
        let picked = embed::pooled(model, &cache, &[30, 2, 11], &Reporter::silent()).unwrap();
        let wanted = all.index_select(0, &Tensor::from_slice(&[30_i64, 2, 11]));
        assert!((picked - wanted).abs().max().double_value(&[]) < 1e-5);
    });
}

#[test]
fn what_is_not_there_yet_says_so_and_what_is_out_of_range_is_refused() {
    with_probe(|probe, _| {
        let unsupported = |result: Result<(), PluginError>| assert!(matches!(result, Err(PluginError::Unsupported(_))));
        unsupported(probe.token_probs(HELDOUT).map(drop));
        unsupported(probe.labels().map(drop));
        unsupported(probe.grad(HELDOUT, None, Labels::Sampled).map(drop));
        unsupported(probe.loss(Sample { part: SamplePart::Train, ..HELDOUT }, None).map(drop));
        let error = probe.loss(Sample { start: 38, count: 5, ..HELDOUT }, None).unwrap_err();
        assert!(matches!(&error, PluginError::Input(text) if text.contains("38..43")), "{error}");
        assert!(probe.loss(Sample { start: u64::MAX, count: 2, ..HELDOUT }, None).is_err());
        assert_eq!(probe.record().unwrap().tokens, 3);
        assert_ne!(probe.rng("a"), probe.rng("b"));
    });
}

#[test]
fn gradients_work_although_a_metric_has_switched_them_off() {
    with_probe(|probe, _| {
        let wanted = probe.grad(HELDOUT, None, Labels::Data).unwrap();
        let _off = tch::no_grad_guard();
        let found = probe.grad(HELDOUT, None, Labels::Data).unwrap();
        assert!(found.equal(&wanted));
    });
}
