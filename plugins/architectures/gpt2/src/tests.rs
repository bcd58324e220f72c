#![allow(clippy::unwrap_used)]

use clmbench_sdk::{draw::drawn, prelude::*, testing::golden::assert_golden};
use clmbench_torch_ext::Autocast;

use super::{Activation, Config, Gpt2, Gpt2Model, Linear, import};

mod reference;

const TINY: Config = Config {
    layers: 2,
    width: 16,
    head_width: 8,
    inner: 64,
    norm_epsilon: 1e-5,
    activation: Activation::Tanh,
    tied: true,
    vocab_size: 11,
    max_positions: 12,
};
const OTHER: Config = Config { inner: 40, norm_epsilon: 1e-3, activation: Activation::Exact, tied: false, ..TINY };

fn tiny(config: Config) -> Gpt2Model {
    tch::set_num_threads(1);
    drawn(3, || Gpt2Model::new(config))
}

/// The tiny model with larger weights, so that attention is far from uniform, in this kind.
fn sharp(config: Config, kind: Kind) -> Gpt2Model {
    let mut model = tiny(config);
    let scaled = |tensor: &mut Tensor, factor: f64| *tensor = (tensor.detach() * factor).to_kind(kind).set_requires_grad(true);
    let linear = |linear: &mut Linear| {
        scaled(&mut linear.weight, 15.0);
        scaled(&mut linear.bias, 1.0);
    };
    scaled(&mut model.words, 15.0);
    scaled(&mut model.positions, 15.0);
    model.output.iter_mut().for_each(|output| scaled(output, 15.0));
    for block in &mut model.blocks {
        for part in [&mut block.query_key_value, &mut block.output, &mut block.up, &mut block.down] {
            linear(part);
        }
        for norm in [&mut block.attention_norm, &mut block.feed_norm] {
            scaled(&mut norm.gain, 1.0);
            scaled(&mut norm.bias, 1.0);
        }
    }
    scaled(&mut model.final_norm.gain, 1.0);
    scaled(&mut model.final_norm.bias, 1.0);
    model
}

fn batch() -> (Tensor, Tensor) {
    let ids = Tensor::from_slice(&[2_i64, 5, 6, 7, 3, 2, 8, 3, 0, 0]).view([2, 5]);
    (ids.shallow_clone(), ids.ne(0).to_kind(Kind::Float))
}

fn largest(tensor: &Tensor) -> f64 {
    tensor.abs().max().double_value(&[])
}

/// Mean next-token loss of a batch, and its gradients.
fn loss(model: &Gpt2Model, ids: &Tensor, mask: &Tensor, mode: AttentionMode) -> (f64, Vec<Tensor>) {
    let length = ids.size()[1];
    let hidden = model.hidden(ids, mask, mode).unwrap();
    let logits = model.logits(&hidden, None).unwrap().view([-1, length, model.config.vocab_size]);
    let (shown, next) = (logits.narrow(1, 0, length - 1), ids.narrow(1, 1, length - 1));
    let targets = next.where_self(&mask.narrow(1, 1, length - 1).ne(0.0), &Tensor::from(-100_i64));
    let flat = shown.reshape([-1, model.config.vocab_size]);
    let loss = flat.cross_entropy_loss(&targets.reshape([-1]), None::<Tensor>, tch::Reduction::Mean, -100, 0.0);
    let weights: Vec<Tensor> = model.parameters().into_iter().map(|row| row.tensor).collect();
    let gradients = Tensor::run_backward(&[&loss], &weights, false, false);
    (loss.double_value(&[]), gradients)
}

#[test]
fn presets_are_named_by_their_size() {
    for preset in Gpt2.info().presets {
        assert_eq!(preset.name, format!("{:.2}M", preset.non_embedding_parameters as f64 / 1e6));
    }
}

#[test]
fn the_formula_counts_the_tensors_of_a_built_model() {
    for (layers, width, ffn_multiple) in [(1, 64, 4), (2, 128, 4), (5, 256, 4), (3, 64, 2)] {
        let config = Config { layers, width, head_width: 32, inner: width * ffn_multiple, vocab_size: 50, ..TINY };
        let rows = tiny(config).parameters();
        let rows = rows.iter().filter(|row| !matches!(row.role, Role::Embedding | Role::OutputBias));
        let counted = rows.map(|row| row.tensor.numel() as u64).sum::<u64>();
        assert_eq!(counted, super::count::non_embedding(layers, width, ffn_multiple));
    }
    // The smallest GPT-2 has 124,439,808 parameters with its 50,257 words and 1,024 positions.
    assert_eq!(super::count::non_embedding(12, 768, 4) + (50_257 + 1_024) * 768, 124_439_808);
}

#[test]
fn it_computes_what_its_published_layout_says() {
    let (ids, mask) = batch();
    for config in [TINY, OTHER] {
        let model = sharp(config, Kind::Double);
        for mode in [AttentionMode::Fast, AttentionMode::TwiceDifferentiable] {
            let found = model.hidden(&ids, &mask, mode).unwrap();
            let logits = model.logits(&found, None).unwrap().view([2, 5, 11]);
            for (row, length) in [(0, 5), (1, 3)] {
                let tokens = Vec::<i64>::try_from(ids.select(0, row).narrow(0, 0, length)).unwrap();
                for (position, wanted) in reference::hidden(&model, &tokens).iter().enumerate() {
                    for (found, wanted) in [(&found, wanted), (&logits, &reference::logits(&model, wanted))] {
                        let found = Vec::<f64>::try_from(found.select(0, row).select(0, position as i64)).unwrap();
                        assert_eq!(found.len(), wanted.len());
                        for (found, wanted) in found.iter().zip(wanted) {
                            assert!((found - wanted).abs() < 1e-8, "{mode:?}, {row}, {position}: {found} is not {wanted}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn it_computes_what_transformers_does() {
    assert_golden(&Gpt2, concat!(env!("CARGO_MANIFEST_DIR"), "/golden/tiny.safetensors"), 1e-5);
}

#[test]
fn what_it_writes_as_config_json_it_reads_as_the_same_configuration() {
    let read = |text: &str| {
        let imported = Gpt2.import(&HubConfig::parse(text).unwrap()).unwrap();
        assert_eq!((imported.vocab_size, imported.max_positions), (11, 12));
        let mut params = imported.config;
        params.insert("vocab_size".into(), 11.into());
        params.insert("max_positions".into(), 12.into());
        Config::read(&Params::from(params)).unwrap()
    };
    for config in [TINY, OTHER] {
        assert_eq!(read(&import::hub_config(&config).to_string()), config);
    }
    // A file that leaves out what has a default: those of `GPT2Config`.
    let short = r#"{"n_layer": 2, "n_embd": 64, "n_head": 2, "n_inner": null, "vocab_size": 11, "n_positions": 12}"#;
    assert_eq!(read(short), Config { width: 64, head_width: 32, inner: 256, ..TINY });
}

#[test]
fn what_it_does_not_compute_is_refused_by_its_field() {
    let error = |from: &str, to: &str| {
        let text = import::hub_config(&TINY).to_string().replacen(from, to, 1);
        Gpt2.import(&HubConfig::parse(&text).unwrap()).unwrap_err().to_string()
    };
    assert!(
        error(r#""gelu_new""#, r#""relu""#).contains("`activation_function` is `relu`; this architecture computes `gelu_new`")
    );
    let field = |name: &str, from: bool| error(&format!("\"{name}\":{from}"), &format!("\"{name}\":{}", !from));
    assert!(field("scale_attn_weights", true).contains("`scale_attn_weights` is false; this architecture computes true alone"));
    assert!(field("scale_attn_by_inverse_layer_idx", false).contains("`scale_attn_by_inverse_layer_idx` is true"));
    assert!(error(r#""n_head":2"#, r#""n_head":3"#).contains("not a multiple of"));
    assert!(error(r#""n_layer":2"#, r#""n_layer":200"#).contains("at most 96"));
}

#[test]
fn a_build_without_storage_has_the_same_names_and_shapes() {
    let shapes = |model: Gpt2Model| -> Vec<(String, Vec<i64>)> {
        model.parameters().into_iter().map(|row| (row.name, row.tensor.size())).collect()
    };
    for config in [TINY, OTHER] {
        assert_eq!(shapes(init::without_storage(|| Gpt2Model::new(config))), shapes(tiny(config)));
    }
}

#[test]
fn a_later_token_changes_nothing_before_it() {
    let model = sharp(TINY, Kind::Float);
    let ids = Tensor::from_slice(&[2_i64, 5, 6, 7, 9, 3]).view([1, 6]);
    let mask = Tensor::ones([1, 6], (Kind::Float, Device::Cpu));
    let changed = Tensor::from_slice(&[2_i64, 5, 6, 10, 9, 3]).view([1, 6]);
    for mode in [AttentionMode::Fast, AttentionMode::TwiceDifferentiable] {
        let (a, b) = (model.hidden(&ids, &mask, mode).unwrap(), model.hidden(&changed, &mask, mode).unwrap());
        let difference = |from, count| largest(&(a.narrow(1, from, count) - b.narrow(1, from, count)));
        assert!(difference(0, 3) < 1e-6, "{mode:?}: {}", difference(0, 3));
        // And it does change what follows, at every position.
        for position in 3..6 {
            assert!(difference(position, 1) > 1e-2, "{mode:?}, position {position}");
        }
    }
}

#[test]
fn padding_on_the_right_changes_nothing_and_on_the_left_is_refused() {
    let model = sharp(TINY, Kind::Float);
    let (ids, mask) = batch();
    for mode in [AttentionMode::Fast, AttentionMode::TwiceDifferentiable] {
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
fn both_attention_modes_agree_in_loss_and_gradient() {
    let (ids, mask) = batch();
    for (kind, within) in [(Kind::Float, 1e-5), (Kind::Double, 1e-12)] {
        for config in [TINY, OTHER] {
            let model = sharp(config, kind);
            let (fast, fast_gradients) = loss(&model, &ids, &mask, AttentionMode::Fast);
            let (slow, slow_gradients) = loss(&model, &ids, &mask, AttentionMode::TwiceDifferentiable);
            assert!((fast - slow).abs() < within * slow, "{kind:?}: {fast} is not {slow}");
            let scale = slow_gradients.iter().map(largest).fold(0.0, f64::max);
            for (a, b) in fast_gradients.iter().zip(&slow_gradients) {
                assert!(largest(b) > 0.0, "every parameter gets a gradient");
                assert!(largest(&(a - b)) < within * scale, "{kind:?}: {}", largest(&(a - b)));
            }
        }
    }
}

#[test]
fn an_untrained_model_knows_nothing() {
    let model = tiny(Config { vocab_size: 200, max_positions: 64, layers: 4, width: 128, head_width: 64, inner: 512, ..TINY });
    let ids = drawn(1, || Tensor::randint(200, [8, 32], (Kind::Int64, Device::Cpu)));
    let (loss, _) = loss(&model, &ids, &ids.ones_like().to_kind(Kind::Float), AttentionMode::Fast);
    assert!((loss - 200_f64.ln()).abs() < 0.1, "{loss}");
}

#[test]
fn it_learns_a_pattern() {
    let model = tiny(TINY);
    let ids = Tensor::from_slice(&[2_i64, 5, 6, 7, 5, 6, 7, 5, 6, 3]).view([1, 10]);
    let mask = Tensor::ones([1, 10], (Kind::Float, Device::Cpu));
    let (before, _) = loss(&model, &ids, &mask, AttentionMode::Fast);
    for _ in 0..150 {
        let (_, gradients) = loss(&model, &ids, &mask, AttentionMode::Fast);
        let _guard = tch::no_grad_guard();
        for (row, gradient) in model.parameters().iter().zip(&gradients) {
            let _ = row.tensor.shallow_clone().g_sub_(&(gradient * 0.5));
        }
    }
    let (after, _) = loss(&model, &ids, &mask, AttentionMode::Fast);
    assert!((before - 11_f64.ln()).abs() < 0.2 && after < 0.3, "from {before} to {after}");
}

#[test]
fn under_autocast_products_are_bfloat16_and_the_residual_stream_is_float32() {
    let model = sharp(TINY, Kind::Float);
    let (ids, mask) = batch();
    let exact = loss(&model, &ids, &mask, AttentionMode::TwiceDifferentiable);
    let _autocast = Autocast::enable().unwrap();
    let hidden = Tensor::embedding(&model.words, &ids, -1, false, false);
    let bias = Tensor::full([5, 5], f64::NEG_INFINITY, (Kind::Float, Device::Cpu)).triu(1);
    let block = &model.blocks[0];
    assert_eq!(block.attend(&block.attention_norm.forward(&hidden).unwrap(), Some(&bias)).unwrap().kind(), Kind::BFloat16);
    assert_eq!(block.forward(&hidden, Some(&bias)).unwrap().kind(), Kind::Float);
    let rounded = loss(&model, &ids, &mask, AttentionMode::TwiceDifferentiable);
    assert!((rounded.0 / exact.0 - 1.0).abs() < 0.02, "{} is not near {}", rounded.0, exact.0);
    for (rounded, exact) in rounded.1.iter().zip(&exact.1) {
        assert_eq!(rounded.kind(), Kind::Float);
        let cosine = (rounded * exact).sum(Kind::Double) / (rounded.norm() * exact.norm());
        // The gradient of a key's bias is zero but for rounding: all scores of a query move alike.
        assert!(cosine.double_value(&[]) > 0.98, "{cosine:?}");
    }
}

#[test]
fn logits_at_positions_are_rows_of_all_logits() {
    let model = tiny(TINY);
    let (ids, mask) = batch();
    let hidden = model.hidden(&ids, &mask, AttentionMode::Fast).unwrap();
    let all = model.logits(&hidden, None).unwrap();
    assert_eq!(all.size(), [10, 11]);
    let chosen = Tensor::from_slice(&[4_i64, 7]);
    let some = model.logits(&hidden, Some(&chosen)).unwrap();
    assert!(largest(&(some - all.index_select(0, &chosen))) < 1e-5);
}

#[test]
fn impossible_geometry_and_overlong_input_are_errors() {
    let config = r#"{"layers": 1, "width": 100, "head_width": 64, "vocab_size": 9, "max_positions": 8}"#;
    let error = Gpt2.build(&Params::parse(config).unwrap()).err().unwrap().to_string();
    assert!(error.contains("width 100 is not a multiple of head_width 64"), "{error}");
    let ids = Tensor::ones([1, 13], (Kind::Int64, Device::Cpu));
    let error = tiny(TINY).hidden(&ids, &ids.to_kind(Kind::Float), AttentionMode::Fast).unwrap_err();
    assert!(error.to_string().contains("13 tokens"), "{error}");
}
