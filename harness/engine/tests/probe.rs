//! The probe from a metric's side, on the toy model.
#![allow(missing_docs, clippy::unwrap_used)]

use std::{
    path::Path,
    sync::{Mutex, MutexGuard},
};

use clmbench_engine::{
    embed,
    model::Model,
    probe::{ProbeHost, Samples, Setting},
    report::Reporter,
    toy,
};
use clmbench_molecules::TokenCache;
use clmbench_protocol::{Budget, FailureKind, Objective, RunFacts, TrainSample};
use clmbench_sdk::{
    PluginError, Probe, Sample,
    api::{HvpMethod, Labels, SamplePart},
};
use tch::{Kind, Tensor};

static TURN: Mutex<()> = Mutex::new(());

const HELDOUT: Sample = Sample { part: SamplePart::Heldout, start: 0, count: 0, draw: 0 };

const BOTH: [Objective; 2] = [Objective::MaskedLm, Objective::CausalLm];

fn with_probe_of(objective: Objective, body: impl FnOnce(&Probe<'_>, &Model, &Path)) {
    let _turn: MutexGuard<'_, ()> = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let folder = tempfile::tempdir().unwrap();
    toy::corpus(folder.path()).unwrap();
    let model = toy::model_for(objective).unwrap();
    let reporter = Reporter::silent();
    let host = toy::probe(&model, objective, folder.path(), "test", &reporter).unwrap();
    body(&Probe::new(host.edge()), &model, folder.path());
}

fn with_probe(body: impl FnOnce(&Probe<'_>, &Model)) {
    with_probe_of(Objective::MaskedLm, |probe, model, _| body(probe, model));
}

/// |a - b| relative to |a|.
fn apart(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).norm().double_value(&[]) / a.norm().double_value(&[])
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
        let directions = clmbench_sdk::draw::drawn(11, || [(); 3].map(|()| Tensor::randn_like(&gradient)));
        for direction in directions {
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
        let size = parameters(probe);
        let vectors = clmbench_sdk::draw::drawn(12, || Tensor::randn([2, size], (Kind::Float, tch::Device::Cpu)));
        let exact = probe.hvp(HELDOUT, &vectors, HvpMethod::DoubleBackward).unwrap();
        let near = probe.hvp(HELDOUT, &vectors, HvpMethod::FiniteDifference).unwrap();
        assert_eq!(exact.size(), [2, size]);
        let error = (&exact - near).norm().double_value(&[]) / exact.norm().double_value(&[]);
        assert!(error < 1e-3, "{error}");
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
        unsupported(probe.labels().map(drop));
        unsupported(probe.loss(Sample { part: SamplePart::Task, ..HELDOUT }, None).map(drop));
        let beyond = Sample { start: 38, count: 5, ..HELDOUT };
        for error in [probe.loss(beyond, None).unwrap_err(), probe.predicted(beyond).unwrap_err()] {
            assert!(matches!(&error, PluginError::Input(text) if text.contains("38..43")), "{error}");
        }
        assert!(probe.loss(Sample { start: u64::MAX, count: 2, ..HELDOUT }, None).is_err());
        assert_eq!(probe.record().unwrap().tokens, Some(1000));
        assert_ne!(probe.rng("a"), probe.rng("b"));
    });
}

#[test]
fn the_causal_loss_is_that_of_every_next_token() {
    with_probe_of(Objective::CausalLm, |probe, _, folder| {
        let cache = TokenCache::open(&folder.join("heldout.bin")).unwrap();
        let rows = probe.loss(HELDOUT, None).unwrap();
        let chances = Vec::<Vec<f32>>::try_from(probe.token_probs(HELDOUT).unwrap()).unwrap();
        assert_eq!(probe.predicted(HELDOUT).unwrap(), rows.tokens);
        let mut at = 0;
        for molecule in 0..cache.len() {
            let tokens = &cache.get(molecule)[1..];
            assert_eq!(rows.tokens[molecule] as usize, tokens.len());
            let nll: f64 = tokens.iter().zip(&chances[at..]).map(|(token, row)| -f64::from(row[*token as usize]).ln()).sum();
            assert!((nll - rows.nll[molecule]).abs() < 1e-5 * nll, "{nll} is not {}", rows.nll[molecule]);
            at += tokens.len();
        }
        assert_eq!(at, chances.len());
        // No masks: another draw is the same sample.
        assert_eq!(probe.loss(Sample { draw: 5, ..HELDOUT }, None).unwrap(), rows);
    });
}

#[test]
fn gradients_with_sampled_labels_have_the_moments_of_the_predicted_distribution() {
    for objective in BOTH {
        with_probe_of(objective, |probe, _, _| {
            // The output bias gets p - e_y from a token: mean 0 and mean square length 1 - sum p^2 over the model's own labels.
            let row = probe.parameters().unwrap().into_iter().find(|row| row.name == "output.bias").unwrap();
            let (mut squares, mut expected, mut sum) = (Vec::new(), 0.0, Tensor::zeros([24], tch::kind::DOUBLE_CPU));
            let draws = 200;
            for draw in 0..draws {
                let sample = Sample { draw, ..HELDOUT };
                let gradient = probe.grad(sample, None, Labels::Sampled).unwrap().narrow(0, row.offset, 24).to_kind(Kind::Double);
                let tokens: f64 = probe.predicted(sample).unwrap().iter().sum();
                squares.push(tokens * gradient.square().sum(Kind::Double).double_value(&[]));
                sum += gradient * tokens.sqrt();
                if draw < 5 {
                    let chances = probe.token_probs(sample).unwrap().to_kind(Kind::Double);
                    assert_eq!(chances.size()[0] as f64, tokens);
                    let spread: Tensor = 1.0 - chances.square().sum_dim_intlist(&[1_i64][..], false, Kind::Double);
                    expected += spread.mean(Kind::Double).double_value(&[]) / 5.0;
                }
            }
            let (mean, error) = clmbench_sdk::statistics::mean_with_error(&squares);
            assert!((mean - expected).abs() < 4.0 * error && error < 0.05 * mean, "{mean} +- {error} is not {expected}");
            // Each component has variance p (1 - p) < 1/4 over draws.
            let largest = (sum / (draws as f64).sqrt()).abs().max().double_value(&[]);
            assert!(largest < 4.5 * 0.5, "{largest}");
            let once = |draw| probe.grad(Sample { draw, ..HELDOUT }, None, Labels::Sampled).unwrap();
            assert!(once(1).equal(&once(1)) && !once(1).equal(&once(2)));
        });
    }
}

/// What the calls answer for a sample.
fn answers(probe: &Probe<'_>, sample: Sample) -> Vec<Tensor> {
    let rows = probe.loss(sample, None).unwrap();
    assert_eq!(probe.predicted(sample).unwrap(), rows.tokens);
    let vector = Tensor::ones([1, parameters(probe)], tch::kind::FLOAT_CPU);
    vec![
        Tensor::from_slice(&rows.nll),
        probe.grad(sample, None, Labels::Data).unwrap(),
        probe.grad(sample, None, Labels::Sampled).unwrap(),
        probe.hvp(sample, &vector, HvpMethod::DoubleBackward).unwrap(),
        probe.token_probs(sample).unwrap(),
    ]
}

#[test]
fn batch_size_does_not_change_what_a_call_answers() {
    for objective in BOTH {
        with_probe_of(objective, |probe, model, folder| {
            let reporter = Reporter::silent();
            let small = toy::probe(model, objective, folder, "test", &reporter).unwrap().with_batches(30);
            for sample in [Sample { draw: 3, ..HELDOUT }, Sample { start: 5, count: 17, part: SamplePart::Train, draw: 1 }] {
                let both = (answers(probe, sample), answers(&Probe::new(small.edge()), sample));
                for (call, (a, b)) in both.0.iter().zip(&both.1).enumerate() {
                    assert!(apart(a, b) < 1e-5, "call {call}: {}", apart(a, b));
                }
            }
        });
    }
}

#[test]
fn weights_are_a_copy_in_the_order_of_the_table() {
    with_probe(|probe, model| {
        let (weights, before) = (probe.weights().unwrap(), model.memory_digest());
        let flat: Vec<Tensor> = model.tensors().iter().map(|tensor| tensor.detach().flatten(0, -1)).collect();
        assert!(weights.equal(&Tensor::cat(&flat, 0)) && !weights.requires_grad());
        let _ = weights.shallow_clone().fill_(0.0);
        assert_eq!(model.memory_digest(), before);
    });
}

#[test]
fn calls_are_charged_by_the_share_of_the_sample() {
    with_probe(|probe, _| {
        let spent = |body: &dyn Fn()| {
            let before = probe.spent().unwrap();
            body();
            probe.spent().unwrap() - before
        };
        assert_eq!(spent(&|| drop(probe.predicted(HELDOUT).unwrap())), 0.0);
        assert!((spent(&|| drop(probe.loss(HELDOUT, None).unwrap())) - 1.0 / 3.0).abs() < 1e-9);
        assert!((spent(&|| drop(probe.grad(HELDOUT, None, Labels::Sampled).unwrap())) - 1.0).abs() < 1e-9);
        let part = spent(&|| drop(probe.grad(Sample { count: 10, ..HELDOUT }, None, Labels::Data).unwrap()));
        assert!(part > 0.1 && part < 0.4, "{part}");
    });
}

#[test]
fn training_molecules_are_offered_when_planned_and_only_the_planned_ones() {
    with_probe_of(Objective::CausalLm, |probe, model, folder| {
        assert_eq!(probe.molecules(SamplePart::Train).unwrap(), 64);
        let train = Sample { part: SamplePart::Train, ..HELDOUT };
        assert_ne!(mean_loss(probe, train, None), mean_loss(probe, HELDOUT, None));

        let reporter = Reporter::silent();
        let facts = RunFacts {
            non_embedding_parameters: 1,
            total_parameters: 2,
            tokens: Some(3),
            corpus_molecules: Some(4),
            training_flops: Some(5.0.into()),
        };
        let setting =
            Setting { objective: Objective::CausalLm, facts, identity: "test", seed: 7, budget: Budget::Quick, note: "test" };
        let open = |train: Option<&TrainSample>| {
            let train = train.map(|sample| (folder, sample));
            ProbeHost::new(model, Samples { corpus: folder, train }, setting.clone(), &reporter)
        };
        let none = open(None).unwrap();
        assert!(matches!(Probe::new(none.edge()).loss(train, None), Err(PluginError::Unsupported(_))));
        let digest = TokenCache::open(&folder.join("train.bin")).unwrap().digest().to_owned();
        let fewer = TrainSample { digest: digest.clone(), molecules: 10 };
        let few = open(Some(&fewer)).unwrap();
        assert_eq!(Probe::new(few.edge()).loss(train, None).unwrap().nll.len(), 10);
        assert!(Probe::new(few.edge()).loss(Sample { start: 10, count: 1, ..train }, None).is_err());
        for wrong in [TrainSample { digest: "0".into(), molecules: 10 }, TrainSample { digest, molecules: 65 }] {
            let failure = open(Some(&wrong)).err().unwrap();
            assert!(failure.kind == FailureKind::CorruptFile && failure.message.contains("train.bin"), "{}", failure.message);
        }
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
