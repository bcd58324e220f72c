#![allow(clippy::unwrap_used)]

use clmbench_sdk::prelude::*;

use super::{Bert, BertModel, Config};

fn tiny() -> BertModel {
    tch::manual_seed(3);
    BertModel::new(Config { layers: 2, width: 16, head_width: 8, ffn_multiple: 4, vocab_size: 11, max_positions: 12 })
}

fn batch() -> (Tensor, Tensor) {
    let ids = Tensor::from_slice(&[2_i64, 5, 6, 7, 3, 2, 8, 3, 0, 0]).view([2, 5]);
    (ids.shallow_clone(), ids.ne(0).to_kind(Kind::Float))
}

#[test]
fn presets_have_the_published_sizes() {
    let expected = ["0.06", "0.83", "2.30", "4.87", "25.75", "86.24"];
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
        let config = Config { layers, width, head_width: 64, ffn_multiple: 4, vocab_size: 50, max_positions: 16 };
        let rows = BertModel::new(config).parameters();
        let rows = rows.iter().filter(|row| !matches!(row.role, Role::Embedding | Role::OutputBias));
        rows.map(|row| row.tensor.numel() as u64).sum::<u64>()
    };
    for (layers, width) in [(1, 64), (4, 128), (5, 192), (6, 256)] {
        assert_eq!(counted(layers, width), super::count::non_embedding(layers, width, 4));
    }
}

#[test]
fn both_attention_modes_agree_in_loss_and_gradient() {
    let model = tiny();
    let (ids, mask) = batch();
    let positions = Tensor::from_slice(&[1_i64, 3, 6]);
    let targets = Tensor::from_slice(&[4_i64, 9, 5]);
    let weights: Vec<Tensor> = model.parameters().into_iter().map(|row| row.tensor).collect();
    let run = |mode| {
        let logits = model.logits(&model.hidden(&ids, &mask, mode).unwrap(), Some(&positions)).unwrap();
        let loss = logits.cross_entropy_loss(&targets, None::<Tensor>, tch::Reduction::Mean, -100, 0.0);
        let gradients = Tensor::run_backward(&[&loss], &weights, false, false);
        (loss.double_value(&[]), gradients)
    };
    let (fast, fast_gradients) = run(AttentionMode::Fast);
    let (slow, slow_gradients) = run(AttentionMode::TwiceDifferentiable);
    assert!((fast - slow).abs() < 1e-6 * slow, "{fast} is not {slow}");
    let mut compared = 0;
    for (a, b) in fast_gradients.iter().zip(&slow_gradients) {
        assert_eq!(a.defined(), b.defined());
        if a.defined() {
            let difference = (a - b).abs().max().double_value(&[]);
            assert!(difference < 1e-5 * (1.0 + b.abs().max().double_value(&[])), "{difference}");
            compared += 1;
        }
    }
    // All but the pooler's two, which the masked-LM loss does not reach.
    assert_eq!(compared, weights.len() - 2);
}

#[test]
fn padding_changes_nothing() {
    let model = tiny();
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
