#![allow(clippy::unwrap_used)]

use clmbench_sdk::{draw::drawn, prelude::*, testing::golden::assert_golden};
use clmbench_torch_ext::Autocast;

use super::{Activation, Config, Roberta, RobertaModel};

mod hub;
mod reference;

const MODES: [AttentionMode; 2] = [AttentionMode::Fast, AttentionMode::TwiceDifferentiable];
const TINY: Config = Config {
    layers: 2,
    width: 16,
    head_width: 8,
    ffn_width: 40,
    padding_id: 1,
    segments: 2,
    norm_epsilon: 1e-5,
    activation: Activation::Gelu,
    vocab_size: 11,
    max_positions: 12,
};

/// A model with large random weights, so that attention is far from uniform and no bias or gain is at its initial value.
fn sharp(config: Config, kind: Kind) -> RobertaModel {
    tch::set_num_threads(1);
    drawn(3, || {
        let model = RobertaModel::new(config);
        let _guard = tch::no_grad_guard();
        for mut row in model.parameters() {
            let noise = row.tensor.randn_like() * 0.3;
            let weights = if matches!(row.role, Role::Norm) { &row.tensor + noise } else { noise };
            row.tensor.set_data(&weights.to_kind(kind));
        }
        model
    })
}

/// Two molecules of these lengths, the second padded on the right.
fn batch() -> (Tensor, Tensor) {
    let ids = Tensor::from_slice(&[2_i64, 5, 6, 7, 3, 2, 8, 3, 1, 1]).view([2, 5]);
    (ids.shallow_clone(), ids.ne(1).to_kind(Kind::Float))
}

fn largest(tensor: &Tensor) -> f64 {
    tensor.abs().max().double_value(&[])
}

/// Mean loss at three positions, one of them in the padded molecule, and its gradients.
fn loss(model: &RobertaModel, mode: AttentionMode) -> (f64, Vec<Tensor>) {
    let (ids, mask) = batch();
    let (positions, targets) = (Tensor::from_slice(&[1_i64, 3, 6]), Tensor::from_slice(&[4_i64, 9, 5]));
    let weights: Vec<Tensor> = model.parameters().into_iter().map(|row| row.tensor).collect();
    let logits = model.logits(&model.hidden(&ids, &mask, mode).unwrap(), Some(&positions)).unwrap();
    let loss = logits.cross_entropy_loss(&targets, None::<Tensor>, tch::Reduction::Mean, -100, 0.0);
    let gradients = Tensor::run_backward(&[&loss], &weights, false, false);
    (loss.double_value(&[]), gradients)
}

#[test]
fn presets_are_named_by_their_size() {
    let presets = Roberta.info().presets;
    assert_eq!(presets.len(), 8);
    for preset in presets {
        assert_eq!(preset.name, format!("{:.2}M", preset.non_embedding_parameters as f64 / 1e6));
    }
}

#[test]
fn the_formula_counts_the_tensors_of_a_built_model() {
    for (layers, width, ffn_width) in [(1, 64, 256), (4, 128, 512), (3, 64, 100)] {
        let rows = init::without_storage(|| RobertaModel::new(Config { layers, width, ffn_width, ..TINY })).parameters();
        let rows = rows.iter().filter(|row| !matches!(row.role, Role::Embedding | Role::OutputBias));
        let counted = rows.map(|row| row.tensor.numel() as u64).sum::<u64>();
        assert_eq!(counted, super::count::non_embedding(layers, width, ffn_width));
    }
}

/// Public ChemBERTa models have a vocabulary of 600, 515 positions and one segment: 15.6, 44.0 and 86.5 million parameters.
#[test]
fn the_large_presets_have_the_published_sizes() {
    let presets = Roberta.info().presets;
    for (name, published) in [("14.77M", 15.6), ("43.12M", 44.0), ("85.65M", 86.5)] {
        let preset = presets.iter().find(|preset| preset.name == name).unwrap();
        let total = preset.non_embedding_parameters as f64 + (600.0 + 515.0 + 1.0) * 768.0 + 600.0;
        assert!((total / 1e6 - published).abs() < 0.05, "{name}: {total} is not {published} million");
    }
}

#[test]
fn it_computes_what_its_published_layout_says() {
    for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
        let config = Config { activation, ..TINY };
        let model = sharp(config, Kind::Double);
        let weights = reference::Weights::of(&model);
        let (ids, mask) = batch();
        for mode in MODES {
            let found = model.logits(&model.hidden(&ids, &mask, mode).unwrap(), None).unwrap().view([2, 5, 11]);
            for (row, length) in [(0, 5), (1, 3)] {
                let tokens = Vec::<i64>::try_from(ids.select(0, row).narrow(0, 0, length)).unwrap();
                for (position, wanted) in reference::logits(&weights, &config, &tokens).iter().enumerate() {
                    let found = Vec::<f64>::try_from(found.select(0, row).select(0, position as i64)).unwrap();
                    for (found, wanted) in found.iter().zip(wanted) {
                        assert!((found - wanted).abs() < 1e-8, "{mode:?}, {row}, {position}: {found} is not {wanted}");
                    }
                }
            }
        }
    }
}

#[test]
fn positions_are_counted_over_real_tokens_from_the_padding_id_on() {
    let model = init::without_storage(|| RobertaModel::new(TINY));
    let real = Tensor::from_slice(&[1_i64, 1, 1, 0, 0, 0, 0, 1, 1, 0]).view([2, 5]);
    let places = Vec::<i64>::try_from(model.position_ids(&real).unwrap().flatten(0, -1)).unwrap();
    assert_eq!(places, [2, 3, 4, 1, 1, 1, 1, 2, 3, 1]);
    assert_eq!(model.positions.size(), [14, 16]);
}

#[test]
fn a_sequence_may_be_as_long_as_it_says() {
    let model = sharp(TINY, Kind::Float);
    let ids = Tensor::full([1, 12], 5_i64, (Kind::Int64, Device::Cpu));
    let hidden = model.hidden(&ids, &ids.ones_like().to_kind(Kind::Float), AttentionMode::Fast).unwrap();
    assert!(bool::try_from(hidden.isfinite().all()).unwrap());
    let ids = Tensor::ones([1, 13], (Kind::Int64, Device::Cpu));
    let error = model.hidden(&ids, &ids.to_kind(Kind::Float), AttentionMode::Fast).unwrap_err();
    assert_eq!(error.to_string(), "sequences of 13 tokens, but the model has 12 positions");
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
            // The gradient of a key's bias is zero but for rounding: all scores of a query move alike.
            assert!(largest(b) > 1e-6 * scale || row.name.ends_with("key.bias"), "{} is not reached", row.name);
        }
    }
}

#[test]
fn under_autocast_products_are_bfloat16_and_the_residual_stream_is_float32() {
    let config = Config { width: 32, ..TINY };
    let model = sharp(config, Kind::Float);
    let exact = loss(&model, AttentionMode::TwiceDifferentiable);
    let _autocast = Autocast::enable().unwrap();
    let (ids, _) = batch();
    let hidden = Tensor::embedding(&model.words, &ids, -1, false, false);
    let bias = Tensor::zeros([2, 1, 1, 5], (Kind::Float, Device::Cpu));
    let block = &model.blocks[0];
    assert_eq!(block.attend(&hidden, &bias, AttentionMode::TwiceDifferentiable).unwrap().kind(), Kind::BFloat16);
    assert_eq!(block.forward(&hidden, &bias, AttentionMode::TwiceDifferentiable).unwrap().kind(), Kind::Float);
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
        // Nor does the side that it stands on, nor what stands there.
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
    assert_eq!(all.size(), [10, 11]);
    let chosen = Tensor::from_slice(&[4_i64, 7]);
    let some = model.logits(&hidden, Some(&chosen)).unwrap();
    assert!(largest(&(some - all.index_select(0, &chosen))) < 1e-5);
}

fn refusal(changes: &str) -> String {
    let mut config: serde_json::Map<String, serde_json::Value> = serde_json::from_str(
        r#"{"layers": 1, "width": 64, "head_width": 64, "ffn_multiple": 4, "padding_id": 0, "segments": 1,
            "norm_epsilon": 1e-5, "activation": "gelu", "vocab_size": 9, "max_positions": 8}"#,
    )
    .unwrap();
    config.extend(serde_json::from_str::<serde_json::Map<_, _>>(changes).unwrap());
    Roberta.build(&Params::from(config)).err().unwrap().to_string()
}

#[test]
fn impossible_configurations_are_refused_by_name() {
    assert_eq!(refusal(r#"{"width": 100}"#), "width 100 is not a multiple of head_width 64; choose one that is");
    let text = "padding_id 9 is beyond the vocabulary of 9 entries; give the tokenizer's own";
    assert_eq!(refusal(r#"{"padding_id": 9}"#), text);
    assert_eq!(refusal(r#"{"activation": "silu"}"#), "activation silu is not one of gelu, gelu_new, gelu_pytorch_tanh, relu");
}

#[test]
fn it_agrees_with_transformers() {
    assert_golden(&Roberta, concat!(env!("CARGO_MANIFEST_DIR"), "/golden/tiny.safetensors"), 1e-5);
}
