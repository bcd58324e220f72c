#![allow(clippy::unwrap_used)]

use clmbench_sdk::{draw::drawn, prelude::*, testing::golden::assert_golden};
use clmbench_torch_ext::Autocast;

use super::{Config, ModernBert, ModernBertModel};

mod hub;
mod reference;

const MODES: [AttentionMode; 2] = [AttentionMode::Fast, AttentionMode::TwiceDifferentiable];
const TINY: Config = Config {
    layers: 3,
    width: 16,
    head_width: 8,
    ffn_width: 24,
    global_every: 2,
    window: 4,
    global_base: 160_000.0,
    local_base: 10_000.0,
    norm_epsilon: 1e-5,
    vocab_size: 11,
    max_positions: 12,
};

/// A model with large random weights, so that attention is far from uniform and no bias or gain is at its initial value.
fn sharp(config: Config, kind: Kind) -> ModernBertModel {
    tch::set_num_threads(1);
    drawn(3, || {
        let model = ModernBertModel::new(config);
        let _guard = tch::no_grad_guard();
        for mut row in model.parameters() {
            let noise = row.tensor.randn_like() * 0.3;
            let weights = if matches!(row.role, Role::Norm) { &row.tensor + noise } else { noise };
            row.tensor.set_data(&weights.to_kind(kind));
        }
        model
    })
}

/// Two molecules of 9 and 3 tokens, so that the last padding of the second sees no real token through the window.
fn batch() -> (Tensor, Tensor) {
    let ids = Tensor::from_slice(&[2_i64, 5, 6, 7, 4, 8, 10, 9, 3, 2, 8, 3, 0, 0, 0, 0, 0, 0]).view([2, 9]);
    (ids.shallow_clone(), ids.ne(0).to_kind(Kind::Float))
}

fn largest(tensor: &Tensor) -> f64 {
    tensor.abs().max().double_value(&[])
}

/// Mean loss at three positions, one of them in the padded molecule, and its gradients.
fn loss(model: &ModernBertModel, mode: AttentionMode) -> (f64, Vec<Tensor>) {
    let (ids, mask) = batch();
    let (positions, targets) = (Tensor::from_slice(&[1_i64, 7, 10]), Tensor::from_slice(&[4_i64, 9, 5]));
    let weights: Vec<Tensor> = model.parameters().into_iter().map(|row| row.tensor).collect();
    let logits = model.logits(&model.hidden(&ids, &mask, mode).unwrap(), Some(&positions)).unwrap();
    let loss = logits.cross_entropy_loss(&targets, None::<Tensor>, tch::Reduction::Mean, -100, 0.0);
    let gradients = Tensor::run_backward(&[&loss], &weights, false, false);
    (loss.double_value(&[]), gradients)
}

#[test]
fn presets_are_named_by_their_size() {
    let presets = ModernBert.info().presets;
    assert_eq!(presets.len(), 7);
    for preset in presets {
        let size = format!("{:.2}M", preset.non_embedding_parameters as f64 / 1e6);
        assert_eq!(preset.name.split('-').next().unwrap(), size);
    }
}

#[test]
fn the_formula_counts_the_tensors_of_a_built_model() {
    for (layers, width, ffn_width) in [(1, 64, 96), (4, 128, 192), (3, 64, 100)] {
        let rows = init::without_storage(|| ModernBertModel::new(Config { layers, width, ffn_width, ..TINY })).parameters();
        let rows = rows.iter().filter(|row| !matches!(row.role, Role::Embedding | Role::OutputBias));
        let counted = rows.map(|row| row.tensor.numel() as u64).sum::<u64>();
        assert_eq!(counted, super::count::non_embedding(layers, width, ffn_width));
    }
}

/// ModernBERT-base and -large have 149 and 395 million parameters (section 2.1 of the paper), with a vocabulary of 50,368.
#[test]
fn the_largest_presets_have_the_published_sizes() {
    for (layers, width, ffn_width, published) in [(22, 768, 1152, 149), (28, 1024, 2624, 395)] {
        let total = super::count::non_embedding(layers, width, ffn_width) + 50_368 * (width as u64 + 1);
        assert_eq!(total / 1_000_000, published);
    }
}

#[test]
fn it_computes_what_its_published_layout_says() {
    // A window that matters, one that reaches everything, and one that sees itself and one neighbour on each side.
    for (window, global_every) in [(4, 2), (64, 3), (3, 1), (2, 3)] {
        let config = Config { window, global_every, ..TINY };
        let model = sharp(config, Kind::Double);
        let weights = reference::Weights::of(&model);
        let (ids, mask) = batch();
        for mode in MODES {
            let found = model.logits(&model.hidden(&ids, &mask, mode).unwrap(), None).unwrap().view([2, 9, 11]);
            for (row, length) in [(0, 9), (1, 3)] {
                let tokens = Vec::<i64>::try_from(ids.select(0, row).narrow(0, 0, length)).unwrap();
                for (position, wanted) in reference::logits(&weights, &config, &tokens).iter().enumerate() {
                    let found = Vec::<f64>::try_from(found.select(0, row).select(0, position as i64)).unwrap();
                    for (found, wanted) in found.iter().zip(wanted) {
                        let at = format!("{mode:?}, window {window}, row {row}, position {position}");
                        assert!((found - wanted).abs() < 1e-8, "{at}: {found} is not {wanted}");
                    }
                }
            }
        }
    }
}

/// Reached by a chain of windows: with one block through the window, a change moves its neighbours and nothing beyond.
#[test]
fn a_block_with_a_window_sees_half_of_it_on_each_side() {
    let config = Config { layers: 2, global_every: 2, ..TINY };
    let model = sharp(config, Kind::Double);
    let mask = Tensor::ones([1, 9], (Kind::Float, Device::Cpu));
    let [_, local] = model.views(&mask).unwrap();
    let input = drawn(4, || Tensor::randn([1, 9, 16], (Kind::Double, Device::Cpu)));
    let changed = input.shallow_clone()
        + Tensor::zeros([9], (Kind::Double, Device::Cpu)).index_fill(0, &Tensor::from(4_i64), 1.0).view([1, 9, 1]);
    for mode in MODES {
        let of = |input: &Tensor| model.blocks[1].attend(input, &local, mode).unwrap();
        let moved = (of(&input) - of(&changed)).abs().amax([0, 2], false);
        let moved: Vec<bool> = Vec::<f64>::try_from(moved).unwrap().iter().map(|x| *x > 1e-6).collect();
        assert_eq!(moved, [false, false, true, true, true, true, true, false, false], "{mode:?}");
    }
}

#[test]
fn both_attention_modes_agree_in_loss_and_gradient_and_reach_every_parameter() {
    for (kind, within) in [(Kind::Float, 1e-5), (Kind::Double, 1e-12)] {
        let model = sharp(TINY, kind);
        let (fast, fast_gradients) = loss(&model, AttentionMode::Fast);
        let (slow, slow_gradients) = loss(&model, AttentionMode::TwiceDifferentiable);
        assert!((fast - slow).abs() < within * slow, "{kind:?}: {fast} is not {slow}");
        let scale = slow_gradients.iter().map(largest).fold(0.0, f64::max);
        for ((a, b), row) in fast_gradients.iter().zip(&slow_gradients).zip(model.parameters()) {
            assert!(largest(&(a - b)) < within * scale, "{kind:?}, {}: {}", row.name, largest(&(a - b)));
            assert!(largest(b) > 1e-6 * scale, "{} is not reached", row.name);
        }
    }
}

#[test]
fn padding_out_of_sight_of_every_real_token_gives_numbers() {
    let model = sharp(TINY, Kind::Float);
    let (ids, mask) = batch();
    for mode in MODES {
        let hidden = model.hidden(&ids, &mask, mode).unwrap();
        assert!(bool::try_from(hidden.isfinite().all()).unwrap(), "{mode:?}");
    }
}

#[test]
fn under_autocast_products_are_bfloat16_and_the_residual_stream_is_float32() {
    let config = Config { width: 32, ..TINY };
    let model = sharp(config, Kind::Float);
    let exact = loss(&model, AttentionMode::TwiceDifferentiable);
    let _autocast = Autocast::enable().unwrap();
    let (ids, mask) = batch();
    let hidden = model.embedding_norm.forward(&Tensor::embedding(&model.words, &ids, -1, false, false)).unwrap();
    for view in model.views(&mask).unwrap() {
        let block = &model.blocks[1];
        assert_eq!(block.attend(&hidden, &view, AttentionMode::TwiceDifferentiable).unwrap().kind(), Kind::BFloat16);
        assert_eq!(block.forward(&hidden, &view, AttentionMode::TwiceDifferentiable).unwrap().kind(), Kind::Float);
    }
    let rounded = loss(&model, AttentionMode::TwiceDifferentiable);
    assert!((rounded.0 / exact.0 - 1.0).abs() < 0.05, "{} is not near {}", rounded.0, exact.0);
    for (rounded, exact) in rounded.1.iter().zip(&exact.1) {
        assert_eq!(rounded.kind(), Kind::Float);
        let cosine = (rounded * exact).sum(Kind::Double) / (rounded.norm() * exact.norm());
        if largest(exact) > 1e-4 {
            assert!(cosine.double_value(&[]) > 0.98, "{cosine:?}");
        }
    }
}

#[test]
fn padding_changes_nothing() {
    let model = sharp(TINY, Kind::Float);
    let (ids, mask) = batch();
    let (alone, alone_mask) = (ids.narrow(0, 1, 1).narrow(1, 0, 3), mask.narrow(0, 1, 1).narrow(1, 0, 3));
    for mode in MODES {
        let long = model.hidden(&ids, &mask, mode).unwrap().select(0, 1).narrow(0, 0, 3);
        let short = model.hidden(&alone, &alone_mask, mode).unwrap().squeeze_dim(0);
        assert!(largest(&(&long - short)) < 1e-5);
        // Nor does the side that it stands on, since distances alone matter, nor what stands there.
        let left = Tensor::cat(&[Tensor::from_slice(&[9_i64, 1]).view([1, 2]), alone.shallow_clone()], 1);
        let left_mask = Tensor::from_slice(&[0_f32, 0.0, 1.0, 1.0, 1.0]).view([1, 5]);
        let left = model.hidden(&left, &left_mask, mode).unwrap().select(0, 0).narrow(0, 2, 3);
        assert!(largest(&(long - left)) < 1e-5);
    }
}

#[test]
fn logits_at_positions_are_rows_of_all_logits() {
    let model = sharp(TINY, Kind::Float);
    let (ids, mask) = batch();
    let hidden = model.hidden(&ids, &mask, AttentionMode::Fast).unwrap();
    let all = model.logits(&hidden, None).unwrap();
    assert_eq!(all.size(), [18, 11]);
    let chosen = Tensor::from_slice(&[4_i64, 7]);
    let some = model.logits(&hidden, Some(&chosen)).unwrap();
    assert!(largest(&(some - all.index_select(0, &chosen))) < 1e-5);
}

/// A configuration with every key that has a default, and these changes.
fn built(changes: &str) -> Result<Box<dyn Model>, PluginError> {
    let parameters = ModernBert.info().parameters.into_iter().filter(|parameter| !parameter.is_optional());
    let mut config: serde_json::Map<_, _> = parameters.map(|parameter| (parameter.name, parameter.default)).collect();
    config.extend([("vocab_size".into(), 9.into()), ("max_positions".into(), 8.into())]);
    config.extend(serde_json::from_str::<serde_json::Map<_, _>>(changes).unwrap());
    ModernBert.build(&Params::from(config))
}

#[test]
fn impossible_configurations_and_overlong_input_are_refused_by_name() {
    let refusal = |changes| built(changes).err().unwrap().to_string();
    assert_eq!(refusal(r#"{"width": 100}"#), "width 100 is not a multiple of head_width 64; choose one that is");
    let text = "head_width 5 is odd, but rotary positions turn pairs; choose an even one";
    assert_eq!(refusal(r#"{"width": 10, "head_width": 5}"#), text);
    let ids = Tensor::ones([1, 9], (Kind::Int64, Device::Cpu));
    let error = built("{}").unwrap().hidden(&ids, &ids.to_kind(Kind::Float), AttentionMode::Fast).unwrap_err();
    assert_eq!(error.to_string(), "sequences of 9 tokens, but the model has 8 positions");
}

#[test]
fn the_gated_layer_is_three_halves_of_the_width_unless_said_otherwise() {
    for (changes, inner) in [("{}", 192), (r#"{"ffn_width": 50}"#, 50)] {
        let rows = built(changes).unwrap().parameters();
        let row = rows.iter().find(|row| row.name == "model.layers.3.mlp.Wi.weight").unwrap();
        assert_eq!(row.tensor.size(), [2 * inner, 128]);
    }
}

#[test]
fn it_agrees_with_transformers() {
    assert_golden(&ModernBert, concat!(env!("CARGO_MANIFEST_DIR"), "/golden/tiny.safetensors"), 1e-5);
}
