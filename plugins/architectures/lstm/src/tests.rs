#![allow(clippy::unwrap_used)]

use clmbench_sdk::{draw::drawn, prelude::*, testing::golden::assert_golden};
use clmbench_torch_ext::Autocast;

use super::{Config, Lstm, LstmModel};

mod reference;

const TINY: Config = Config { layers: 2, width: 12, embedding_width: 7, vocab_size: 11, max_positions: 12 };
const MODES: [AttentionMode; 2] = [AttentionMode::Fast, AttentionMode::TwiceDifferentiable];

fn tiny() -> LstmModel {
    tch::set_num_threads(1);
    drawn(3, || LstmModel::new(TINY))
}

/// The tiny model with larger weights, so that gates open and close, in this kind.
fn sharp(kind: Kind) -> LstmModel {
    let mut model = tiny();
    let scaled = |tensor: &mut Tensor| *tensor = (tensor.detach() * 3.0).to_kind(kind).set_requires_grad(true);
    [&mut model.words, &mut model.output, &mut model.output_bias].into_iter().for_each(scaled);
    for layer in &mut model.layers {
        [&mut layer.of_input, &mut layer.of_state, &mut layer.input_bias, &mut layer.state_bias].into_iter().for_each(scaled);
    }
    model
}

fn batch() -> (Tensor, Tensor) {
    let ids = Tensor::from_slice(&[2_i64, 5, 6, 7, 3, 2, 8, 3, 0, 0]).view([2, 5]);
    (ids.shallow_clone(), ids.ne(0).to_kind(Kind::Float))
}

fn largest(tensor: &Tensor) -> f64 {
    tensor.abs().max().double_value(&[])
}

fn weights(model: &LstmModel) -> Vec<Tensor> {
    model.parameters().into_iter().map(|row| row.tensor).collect()
}

/// Mean next-token loss of a batch.
fn loss(model: &LstmModel, ids: &Tensor, mask: &Tensor, mode: AttentionMode) -> Tensor {
    let length = ids.size()[1];
    let hidden = model.hidden(ids, mask, mode).unwrap();
    let logits = model.logits(&hidden, None).unwrap().view([-1, length, model.config.vocab_size]);
    let (shown, next) = (logits.narrow(1, 0, length - 1), ids.narrow(1, 1, length - 1));
    let targets = next.where_self(&mask.narrow(1, 1, length - 1).ne(0.0), &Tensor::from(-100_i64));
    let flat = shown.reshape([-1, model.config.vocab_size]);
    flat.cross_entropy_loss(&targets.reshape([-1]), None::<Tensor>, tch::Reduction::Mean, -100, 0.0)
}

fn loss_and_gradients(model: &LstmModel, mode: AttentionMode) -> (f64, Vec<Tensor>) {
    let (ids, mask) = batch();
    let loss = loss(model, &ids, &mask, mode);
    let gradients = Tensor::run_backward(&[&loss], &weights(model), false, false);
    (loss.double_value(&[]), gradients)
}

#[test]
fn presets_are_named_by_their_size() {
    for preset in Lstm.info().presets {
        assert_eq!(preset.name, format!("{:.2}M", preset.non_embedding_parameters as f64 / 1e6));
    }
    // Three layers of 1024 by hand: 3 (8 1024^2 + 8 1024).
    assert_eq!(super::count::non_embedding(3, 1024, 1024), 25_190_400);
}

#[test]
fn the_formula_counts_the_tensors_of_a_built_model() {
    for (layers, width, embedding_width) in [(1, 64, 64), (3, 32, 50), (2, 48, 8)] {
        let config = Config { layers, width, embedding_width, ..TINY };
        let rows = drawn(1, || LstmModel::new(config)).parameters();
        let rows = rows.iter().filter(|row| !matches!(row.role, Role::Embedding | Role::OutputBias));
        let counted = rows.map(|row| row.tensor.numel() as u64).sum::<u64>();
        assert_eq!(counted, super::count::non_embedding(layers, width, embedding_width));
    }
}

#[test]
fn it_computes_what_its_equations_say() {
    let model = sharp(Kind::Double);
    let (ids, mask) = batch();
    for mode in MODES {
        let hidden = model.hidden(&ids, &mask, mode).unwrap();
        let logits = model.logits(&hidden, None).unwrap().view([2, 5, 11]);
        for (row, length) in [(0, 5), (1, 3)] {
            let tokens = Vec::<i64>::try_from(ids.select(0, row).narrow(0, 0, length)).unwrap();
            let (states, wanted) = reference::states_and_logits(&model, &tokens);
            for (found, wanted) in [(&hidden, states), (&logits, wanted)] {
                for (position, wanted) in wanted.iter().enumerate() {
                    let found = Vec::<f64>::try_from(found.select(0, row).select(0, position as i64)).unwrap();
                    for (found, wanted) in found.iter().zip(wanted) {
                        assert!((found - wanted).abs() < 1e-12, "{mode:?}, row {row}, position {position}: {found}, {wanted}");
                    }
                }
            }
        }
    }
}

#[test]
fn it_computes_what_pytorchs_modules_do() {
    assert_golden(&Lstm, concat!(env!("CARGO_MANIFEST_DIR"), "/golden/tiny.safetensors"), 1e-5);
}

#[test]
fn both_modes_agree_in_loss_and_gradient() {
    for (kind, within) in [(Kind::Float, 1e-5), (Kind::Double, 1e-12)] {
        let model = sharp(kind);
        let (fast, fast_gradients) = loss_and_gradients(&model, AttentionMode::Fast);
        let (slow, slow_gradients) = loss_and_gradients(&model, AttentionMode::TwiceDifferentiable);
        assert!((fast - slow).abs() < within * slow, "{kind:?}: {fast} is not {slow}");
        let scale = slow_gradients.iter().map(largest).fold(0.0, f64::max);
        for (a, b) in fast_gradients.iter().zip(&slow_gradients) {
            assert!(largest(b) > 0.0, "every parameter gets a gradient");
            assert!(largest(&(a - b)) < within * scale, "{kind:?}: {}", largest(&(a - b)));
        }
    }
}

#[test]
fn both_modes_agree_over_a_long_input() {
    let model = drawn(4, || LstmModel::new(Config { max_positions: 300, ..TINY }));
    let ids = drawn(4, || Tensor::randint(11, [3, 300], (Kind::Int64, Device::Cpu)));
    let mask = ids.ones_like().to_kind(Kind::Float);
    let of = |mode| model.hidden(&ids, &mask, mode).unwrap();
    let (fast, slow) = (of(AttentionMode::Fast), of(AttentionMode::TwiceDifferentiable));
    assert!(largest(&(&fast - &slow)) < 1e-5 * largest(&slow), "{}", largest(&(fast - slow)));
}

#[test]
fn a_hessian_vector_product_is_the_difference_of_gradients() {
    let (ids, mask) = batch();
    let product = |model: &LstmModel, mode: AttentionMode, directions: &[Tensor]| {
        let weights = weights(model);
        let gradients = Tensor::f_run_backward(&[&loss(model, &ids, &mask, mode)], &weights, true, true)?;
        let product = gradients.iter().zip(directions).map(|(gradient, v)| (gradient * v).sum(Kind::Double)).sum::<Tensor>();
        Tensor::f_run_backward(&[&product], &weights, false, false)
    };
    let model = sharp(Kind::Double);
    let weights = weights(&model);
    let directions: Vec<Tensor> = drawn(8, || weights.iter().map(Tensor::randn_like).collect());
    let exact = product(&model, AttentionMode::TwiceDifferentiable, &directions).unwrap();
    let shifted = |step: f64| {
        {
            let _guard = tch::no_grad_guard();
            weights.iter().zip(&directions).for_each(|(weight, v)| drop(weight.shallow_clone().g_add_(&(v * step))));
        }
        loss_and_gradients(&model, AttentionMode::TwiceDifferentiable).1
    };
    let step = 1e-6;
    let (ahead, behind) = (shifted(step), shifted(-2.0 * step));
    let scale = exact.iter().map(largest).fold(0.0, f64::max);
    for ((ahead, behind), exact) in ahead.iter().zip(&behind).zip(&exact) {
        let difference = (ahead - behind) / (2.0 * step);
        assert!(largest(&(&difference - exact)) < 1e-6 * scale, "{} of {scale}", largest(&(difference - exact)));
    }
    // On the CPU the fused kernel's gradient can be derived again too (cuDNN's cannot).
    let model = sharp(Kind::Float);
    let single: Vec<Tensor> = directions.iter().map(|v| v.to_kind(Kind::Float)).collect();
    let found = product(&model, AttentionMode::Fast, &single).unwrap();
    for (found, exact) in found.iter().zip(&exact) {
        assert!(largest(&(found.to_kind(Kind::Double) - exact)) < 1e-4 * scale, "{} of {scale}", largest(&(found - exact)));
    }
}

#[test]
fn a_later_token_changes_nothing_before_it() {
    let model = sharp(Kind::Float);
    let ids = Tensor::from_slice(&[2_i64, 5, 6, 7, 9, 3]).view([1, 6]);
    let mask = Tensor::ones([1, 6], (Kind::Float, Device::Cpu));
    let changed = Tensor::from_slice(&[2_i64, 5, 6, 10, 9, 3]).view([1, 6]);
    for mode in MODES {
        let (a, b) = (model.hidden(&ids, &mask, mode).unwrap(), model.hidden(&changed, &mask, mode).unwrap());
        let difference = |from, count| largest(&(a.narrow(1, from, count) - b.narrow(1, from, count)));
        assert!(difference(0, 3) < 1e-6, "{mode:?}: {}", difference(0, 3));
        for position in 3..6 {
            assert!(difference(position, 1) > 1e-3, "{mode:?}, position {position}: {}", difference(position, 1));
        }
    }
}

#[test]
fn padding_on_the_right_changes_nothing_and_on_the_left_is_refused() {
    let model = sharp(Kind::Float);
    let (ids, mask) = batch();
    for mode in MODES {
        let padded = model.hidden(&ids, &mask, mode).unwrap();
        assert!(bool::try_from(padded.isfinite().all()).unwrap());
        let (short, ones) = (ids.narrow(0, 1, 1).narrow(1, 0, 3), mask.narrow(0, 1, 1).narrow(1, 0, 3));
        let alone = model.hidden(&short, &ones, mode).unwrap().squeeze_dim(0);
        assert!(largest(&(padded.select(0, 1).narrow(0, 0, 3) - alone)) < 1e-5);
    }
    let error = model.hidden(&ids.flip([1]), &mask.flip([1]), AttentionMode::Fast).unwrap_err();
    assert!(matches!(&error, PluginError::Input(text) if text.contains("pad causal models on the right")), "{error}");
}

#[test]
fn under_autocast_it_stays_near_and_gradients_are_float32() {
    let model = sharp(Kind::Float);
    let exact = loss_and_gradients(&model, AttentionMode::TwiceDifferentiable);
    let _autocast = Autocast::enable().unwrap();
    let (ids, mask) = batch();
    for mode in MODES {
        assert_eq!(model.hidden(&ids, &mask, mode).unwrap().kind(), Kind::Float, "{mode:?}");
        let rounded = loss_and_gradients(&model, mode);
        assert!((rounded.0 / exact.0 - 1.0).abs() < 0.05, "{mode:?}: {} is not near {}", rounded.0, exact.0);
        for (rounded, exact) in rounded.1.iter().zip(&exact.1) {
            assert_eq!(rounded.kind(), Kind::Float);
            let cosine = (rounded * exact).sum(Kind::Double) / (rounded.norm() * exact.norm());
            assert!(cosine.double_value(&[]) > 0.98, "{mode:?}: {cosine:?}");
        }
    }
}

#[test]
fn an_untrained_model_knows_nothing_and_starts_as_pytorch_does() {
    let config = Config { vocab_size: 200, max_positions: 64, layers: 2, width: 128, embedding_width: 128 };
    let model = drawn(7, || LstmModel::new(config));
    let ids = drawn(1, || Tensor::randint(200, [8, 32], (Kind::Int64, Device::Cpu)));
    let ones = ids.ones_like().to_kind(Kind::Float);
    let loss = loss(&model, &ids, &ones, AttentionMode::Fast).double_value(&[]);
    assert!((loss - 200_f64.ln()).abs() < 0.1, "{loss}");
    for row in model.parameters() {
        let spread = row.tensor.std(true).double_value(&[]);
        // Even over +-1/sqrt(128): a standard deviation of 1 / sqrt(3 * 128).
        let wanted = if row.name == "embeddings.weight" { 1.0 } else { 1.0 / 384_f64.sqrt() };
        assert!((spread / wanted - 1.0).abs() < 0.15, "{}: {spread} is not {wanted}", row.name);
        let bound = if row.name == "embeddings.weight" { 7.0 } else { 1.0 / 128_f64.sqrt() };
        assert!(largest(&row.tensor) <= bound, "{}", row.name);
    }
}

#[test]
fn it_learns_a_pattern() {
    let model = tiny();
    let ids = Tensor::from_slice(&[2_i64, 5, 6, 7, 5, 6, 7, 5, 6, 3]).view([1, 10]);
    let mask = Tensor::ones([1, 10], (Kind::Float, Device::Cpu));
    let of = || loss(&model, &ids, &mask, AttentionMode::Fast);
    let before = of().double_value(&[]);
    for _ in 0..200 {
        let gradients = Tensor::run_backward(&[&of()], &weights(&model), false, false);
        let _guard = tch::no_grad_guard();
        for (weight, gradient) in weights(&model).iter().zip(&gradients) {
            let _ = weight.shallow_clone().g_sub_(&(gradient * 1.0));
        }
    }
    let after = of().double_value(&[]);
    assert!((before - 11_f64.ln()).abs() < 0.3 && after < 0.3, "from {before} to {after}");
}

#[test]
fn logits_at_positions_are_rows_of_all_logits() {
    let model = tiny();
    let (ids, mask) = batch();
    let hidden = model.hidden(&ids, &mask, AttentionMode::Fast).unwrap();
    assert_eq!(hidden.size(), [2, 5, 12]);
    let all = model.logits(&hidden, None).unwrap();
    assert_eq!(all.size(), [10, 11]);
    let chosen = Tensor::from_slice(&[4_i64, 7]);
    assert!(largest(&(model.logits(&hidden, Some(&chosen)).unwrap() - all.index_select(0, &chosen))) < 1e-5);
}

#[test]
fn what_it_writes_as_config_json_it_reads_as_the_same_configuration() {
    let written = tiny().hub_config();
    let read = |text: &str| Lstm.import(&HubConfig::parse(text).unwrap());
    let imported = read(&written.to_string()).unwrap();
    assert_eq!((imported.vocab_size, imported.max_positions), (11, 12));
    let mut params = imported.config;
    params.insert("vocab_size".into(), 11.into());
    params.insert("max_positions".into(), 12.into());
    assert_eq!(Config::read(&Params::from(params)).unwrap(), TINY);
    assert_eq!(Lstm.info().hub.unwrap().model_types, [written["model_type"].as_str().unwrap()]);
    let both = written.to_string().replace(r#""bidirectional":false"#, r#""bidirectional":true"#);
    let error = read(&both).unwrap_err().to_string();
    assert!(error.contains("`bidirectional` is true; this architecture computes false alone"), "{error}");
}

#[test]
fn a_build_without_storage_has_the_same_names_and_shapes() {
    let shapes = |model: LstmModel| -> Vec<(String, Vec<i64>)> {
        model.parameters().into_iter().map(|row| (row.name, row.tensor.size())).collect()
    };
    assert_eq!(shapes(init::without_storage(|| LstmModel::new(TINY))), shapes(tiny()));
    let huge = Config { width: 1 << 24, embedding_width: 1 << 24, ..TINY };
    init::without_storage(|| LstmModel::new(huge));
}

#[test]
fn overlong_input_is_an_error() {
    let ids = Tensor::ones([1, 13], (Kind::Int64, Device::Cpu));
    let error = tiny().hidden(&ids, &ids.to_kind(Kind::Float), AttentionMode::Fast).unwrap_err();
    assert!(error.to_string().contains("13 tokens"), "{error}");
}
