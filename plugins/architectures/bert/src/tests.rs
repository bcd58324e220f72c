#![allow(clippy::unwrap_used)]

use clmbench_sdk::{draw::drawn, prelude::*, testing::golden::assert_golden};
use clmbench_torch_ext::Autocast;

use super::{Activation, Bert, BertModel, Block, Config, Linear, NORM_EPSILON, Norm, attention_bias, shares};

mod hub;
mod reference;

const TINY: Config = Config {
    layers: 2,
    width: 16,
    head_width: 8,
    ffn_width: 64,
    segments: 2,
    norm_epsilon: NORM_EPSILON,
    activation: Activation::Gelu,
    vocab_size: 11,
    max_positions: 12,
};

fn tiny() -> BertModel {
    tch::set_num_threads(1);
    drawn(3, || BertModel::new(TINY))
}

/// The tiny model with larger weights, so that attention is far from uniform, in this kind.
fn sharp(kind: Kind) -> BertModel {
    let mut model = tiny();
    let scaled = |tensor: &mut Tensor, factor: f64| *tensor = (tensor.detach() * factor).to_kind(kind).set_requires_grad(true);
    let linear = |linear: &mut Linear| {
        scaled(&mut linear.weight, 15.0);
        scaled(&mut linear.bias, 1.0);
    };
    let norm = |norm: &mut Norm| {
        scaled(&mut norm.gain, 1.0);
        scaled(&mut norm.bias, 1.0);
    };
    for table in [&mut model.words, &mut model.positions, &mut model.segments, &mut model.output_bias] {
        scaled(table, 15.0);
    }
    for block in &mut model.blocks {
        let Block { query, key, value, output, up, down, attention_norm, output_norm, .. } = block;
        [query, key, value, output, up, down].into_iter().for_each(linear);
        [attention_norm, output_norm].into_iter().for_each(norm);
    }
    [&mut model.pooler, &mut model.transform].into_iter().for_each(linear);
    [&mut model.embedding_norm, &mut model.transform_norm].into_iter().for_each(norm);
    model
}

fn largest(tensor: &Tensor) -> f64 {
    tensor.abs().max().double_value(&[])
}

/// Mean loss at three positions, one of them in the padded molecule, and its gradients.
fn loss(model: &BertModel, mode: AttentionMode) -> (f64, Vec<Tensor>) {
    let (ids, mask) = batch();
    let positions = Tensor::from_slice(&[1_i64, 3, 6]);
    let targets = Tensor::from_slice(&[4_i64, 9, 5]);
    let weights: Vec<Tensor> = model.parameters().into_iter().map(|row| row.tensor).collect();
    let logits = model.logits(&model.hidden(&ids, &mask, mode).unwrap(), Some(&positions)).unwrap();
    let loss = logits.cross_entropy_loss(&targets, None::<Tensor>, tch::Reduction::Mean, -100, 0.0);
    let gradients = Tensor::run_backward(&[&loss], &weights, false, false);
    (loss.double_value(&[]), gradients)
}

fn batch() -> (Tensor, Tensor) {
    let ids = Tensor::from_slice(&[2_i64, 5, 6, 7, 3, 2, 8, 3, 0, 0]).view([2, 5]);
    (ids.shallow_clone(), ids.ne(0).to_kind(Kind::Float))
}

#[test]
fn presets_have_the_published_sizes() {
    let expected = ["0.06", "0.11", "0.43", "0.83", "2.30", "4.87", "25.75", "86.24"];
    let presets = Bert.info().presets;
    assert_eq!(presets.len(), expected.len());
    for (preset, expected) in presets.iter().zip(expected) {
        assert_eq!(format!("{:.2}", preset.non_embedding_parameters as f64 / 1e6), expected);
        assert_eq!(preset.name, format!("{expected}M"));
    }
}

#[test]
fn the_formula_counts_the_tensors_of_a_built_model() {
    let counted = |layers, width| {
        let config = Config { layers, width, head_width: 64, ffn_width: 4 * width, ..TINY };
        let rows = init::without_storage(|| BertModel::new(config)).parameters();
        let rows = rows.iter().filter(|row| !matches!(row.role, Role::Embedding | Role::OutputBias));
        rows.map(|row| row.tensor.numel() as u64).sum::<u64>()
    };
    for (layers, width) in [(1, 64), (4, 128), (5, 192), (6, 256), (8, 512), (12, 768)] {
        assert_eq!(counted(layers, width), super::count::non_embedding(layers, width, 4 * width));
    }
}

#[test]
fn it_computes_what_its_published_layout_says() {
    let model = sharp(Kind::Double);
    let (ids, mask) = batch();
    for mode in [AttentionMode::Fast, AttentionMode::TwiceDifferentiable] {
        let found = model.logits(&model.hidden(&ids, &mask, mode).unwrap(), None).unwrap().view([2, 5, 11]);
        for (row, length) in [(0, 5), (1, 3)] {
            let tokens = Vec::<i64>::try_from(ids.select(0, row).narrow(0, 0, length)).unwrap();
            for (position, wanted) in reference::logits(&model, &tokens).iter().enumerate() {
                let found = Vec::<f64>::try_from(found.select(0, row).select(0, position as i64)).unwrap();
                for (found, wanted) in found.iter().zip(wanted) {
                    assert!((found - wanted).abs() < 1e-8, "{mode:?}, row {row}, position {position}: {found} is not {wanted}");
                }
            }
        }
    }
}

#[test]
fn both_attention_modes_agree_in_loss_and_gradient() {
    for (kind, within) in [(Kind::Float, 1e-5), (Kind::Double, 1e-12)] {
        let model = sharp(kind);
        let (fast, fast_gradients) = loss(&model, AttentionMode::Fast);
        let (slow, slow_gradients) = loss(&model, AttentionMode::TwiceDifferentiable);
        assert!((fast - slow).abs() < within * slow, "{kind:?}: {fast} is not {slow}");
        let reached = |gradients: &[Tensor]| gradients.iter().filter(|gradient| gradient.defined()).count();
        // All but the pooler's two, which the masked-LM loss does not reach.
        assert_eq!((reached(&fast_gradients), reached(&slow_gradients)), (fast_gradients.len() - 2, fast_gradients.len() - 2));
        let scale = slow_gradients.iter().filter(|gradient| gradient.defined()).map(largest).fold(0.0, f64::max);
        for (a, b) in fast_gradients.iter().zip(&slow_gradients).filter(|(a, b)| a.defined() && b.defined()) {
            assert!(largest(&(a - b)) < within * scale, "{kind:?}: {}", largest(&(a - b)));
        }
    }
}

#[test]
fn under_autocast_products_are_bfloat16_and_the_residual_stream_is_float32() {
    let model = sharp(Kind::Float);
    let exact = loss(&model, AttentionMode::TwiceDifferentiable);
    let _autocast = Autocast::enable().unwrap();
    let (ids, mask) = batch();
    let hidden = Tensor::embedding(&model.words, &ids, -1, false, false);
    let bias = attention_bias(&mask).unwrap().view([2, 1, 1, 5]);
    let block = &model.blocks[0];
    assert_eq!(block.attend(&hidden, &bias, AttentionMode::TwiceDifferentiable).unwrap().kind(), Kind::BFloat16);
    assert_eq!(block.forward(&hidden, &bias, AttentionMode::TwiceDifferentiable).unwrap().kind(), Kind::Float);
    let rounded = loss(&model, AttentionMode::TwiceDifferentiable);
    assert!((rounded.0 / exact.0 - 1.0).abs() < 0.05, "{} is not near {}", rounded.0, exact.0);
    for (rounded, exact) in rounded.1.iter().zip(&exact.1).filter(|(_, exact)| exact.defined()) {
        assert_eq!(rounded.kind(), Kind::Float);
        let cosine = (rounded * exact).sum(Kind::Double) / (rounded.norm() * exact.norm());
        // The gradient of a key's bias is zero but for rounding: all scores of a query move alike.
        if largest(exact) > 1e-4 {
            assert!(cosine.double_value(&[]) > 0.98, "{cosine:?}");
        }
    }
}

#[test]
fn softmax_is_exact_and_comes_back_in_the_kind_of_the_values() {
    let scores = drawn(1, || Tensor::randn([3, 40], (Kind::Float, Device::Cpu))).to_kind(Kind::BFloat16);
    let found = shares(&scores, Kind::BFloat16).unwrap();
    assert_eq!(found.kind(), Kind::BFloat16);
    let wanted = scores.to_kind(Kind::Double).softmax(-1, Kind::Double);
    // One rounding to the 8 significant bits of bfloat16, and no more.
    assert!(largest(&(found.to_kind(Kind::Double) / wanted - 1.0)) <= 2_f64.powi(-8) * 1.001);
}

#[test]
fn padding_changes_nothing() {
    let model = sharp(Kind::Float);
    let (ids, mask) = batch();
    let long = model.hidden(&ids, &mask, AttentionMode::Fast).unwrap().select(0, 1).narrow(0, 0, 3);
    let (ids, mask) = (ids.narrow(0, 1, 1).narrow(1, 0, 3), mask.narrow(0, 1, 1).narrow(1, 0, 3));
    let short = model.hidden(&ids, &mask, AttentionMode::Fast).unwrap().squeeze_dim(0);
    assert!((long - short).abs().max().double_value(&[]) < 1e-5);
}

#[test]
fn logits_at_positions_are_rows_of_all_logits() {
    let model = tiny();
    let (ids, mask) = batch();
    let hidden = model.hidden(&ids, &mask, AttentionMode::Fast).unwrap();
    let all = model.logits(&hidden, None).unwrap();
    assert_eq!(all.size(), [10, 11]);
    let some = model.logits(&hidden, Some(&Tensor::from_slice(&[4_i64, 7]))).unwrap();
    let wanted = all.index_select(0, &Tensor::from_slice(&[4_i64, 7]));
    assert!((some - wanted).abs().max().double_value(&[]) < 1e-5);
}

#[test]
fn impossible_geometry_and_overlong_input_are_errors() {
    let config = r#"{"layers": 1, "width": 100, "head_width": 64, "ffn_multiple": 4, "vocab_size": 9, "max_positions": 8}"#;
    let error = Bert.build(&Params::parse(config).unwrap()).err().unwrap().to_string();
    assert!(error.contains("width 100 is not a multiple of head_width 64"), "{error}");
    let ids = Tensor::ones([1, 13], (Kind::Int64, Device::Cpu));
    let error = tiny().hidden(&ids, &ids.to_kind(Kind::Float), AttentionMode::Fast).unwrap_err();
    assert!(error.to_string().contains("13 tokens"), "{error}");
}

#[test]
fn it_agrees_with_transformers() {
    assert_golden(&Bert, concat!(env!("CARGO_MANIFEST_DIR"), "/golden/tiny.safetensors"), 1e-5);
}
