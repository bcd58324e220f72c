#![allow(clippy::unwrap_used)]

use clmbench_sdk::{draw::drawn, prelude::*, testing::golden::assert_golden};
use clmbench_torch_ext::Autocast;

use super::{Call, Config, Gpt, GptModel, Linear, import, rotary::Rotary, shares};

mod reference;

const TINY: Config = Config {
    layers: 2,
    width: 16,
    head_width: 8,
    inner: 64,
    norm_epsilon: 1e-5,
    parallel: false,
    rotary_share: 1.0,
    rotary_base: None,
    attention_bias: true,
    tied: true,
    vocab_size: 11,
    max_positions: 12,
};
/// Pythia's kind, with what else may differ.
const OTHER: Config = Config {
    inner: 40,
    norm_epsilon: 1e-3,
    parallel: true,
    rotary_share: 0.5,
    rotary_base: Some(300.0),
    attention_bias: false,
    tied: false,
    ..TINY
};

fn tiny(config: Config) -> GptModel {
    tch::set_num_threads(1);
    drawn(3, || GptModel::new(config))
}

/// The tiny model with larger weights, so that attention is far from uniform, in this kind.
fn sharp(config: Config, kind: Kind) -> GptModel {
    let mut model = tiny(config);
    let scaled = |tensor: &mut Tensor, factor: f64| *tensor = (tensor.detach() * factor).to_kind(kind).set_requires_grad(true);
    let linear = |linear: &mut Linear| {
        scaled(&mut linear.weight, 15.0);
        linear.bias.iter_mut().for_each(|bias| scaled(bias, 1.0));
    };
    scaled(&mut model.words, 15.0);
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
fn loss(model: &GptModel, ids: &Tensor, mask: &Tensor, mode: AttentionMode) -> (f64, Vec<Tensor>) {
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
    for preset in Gpt.info().presets {
        assert_eq!(preset.name, format!("{:.2}M", preset.non_embedding_parameters as f64 / 1e6));
    }
}

#[test]
fn the_formula_counts_the_tensors_of_a_built_model() {
    for (layers, width, ffn_multiple) in [(1, 64, 4), (2, 128, 4), (5, 256, 4), (3, 64, 2)] {
        let config = Config { layers, width, head_width: 32, inner: width * ffn_multiple, vocab_size: 50, ..TINY };
        let rows = init::without_storage(|| GptModel::new(config)).parameters();
        let rows = rows.iter().filter(|row| !matches!(row.role, Role::Embedding | Role::OutputBias));
        let counted = rows.map(|row| row.tensor.numel() as u64).sum::<u64>();
        assert_eq!(counted, super::count::non_embedding(layers, width, ffn_multiple));
    }
    // MLM-Scaling's 1M: 4 layers of width 160, by hand: 4 (12 160^2 + 13 160) + 2 160.
    assert_eq!(super::count::non_embedding(4, 160, 4), 1_237_440);
}

#[test]
fn it_computes_what_its_published_layout_says() {
    let (ids, mask) = batch();
    let written_out = Config { rotary_base: Some(10_000.0), ..TINY };
    for config in [TINY, written_out, OTHER, Config { parallel: true, ..TINY }, Config { rotary_share: 0.25, ..OTHER }] {
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
                            // Angles are kept in float32.
                            assert!((found - wanted).abs() < 1e-5, "{mode:?}, {row}, {position}: {found} is not {wanted}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn it_computes_what_transformers_does() {
    for case in ["tiny", "parallel"] {
        assert_golden(&Gpt, format!("{}/golden/{case}.safetensors", env!("CARGO_MANIFEST_DIR")), 1e-5);
    }
}

#[test]
fn what_it_writes_as_config_json_it_reads_as_the_same_configuration() {
    let read = |text: &str| {
        let imported = Gpt.import(&HubConfig::parse(text).unwrap()).unwrap();
        assert_eq!((imported.vocab_size, imported.max_positions), (11, 12));
        let mut params = imported.config;
        params.insert("vocab_size".into(), 11.into());
        params.insert("max_positions".into(), 12.into());
        Config::read(&Params::from(params)).unwrap()
    };
    for config in [TINY, OTHER] {
        let mut written = import::hub_config(&config);
        let wanted = Config { rotary_base: Some(config.rotary_base.unwrap_or(10_000.0)), ..config };
        assert_eq!(read(&written.to_string()), wanted);
        // As version 4 of `transformers` wrote it, and as version 5 does.
        let fields = written.as_object_mut().unwrap();
        let inside = fields.remove("rope_parameters").unwrap();
        assert_eq!(read(&serde_json::json!(fields).to_string()), wanted);
        fields.insert("rope_parameters".into(), inside);
        fields.remove("rotary_pct");
        fields.remove("rotary_emb_base");
        assert_eq!(read(&serde_json::json!(fields).to_string()), wanted);
    }
    // A file that leaves out what has a default: those of `GPTNeoXConfig`.
    let short = r#"{"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 96, "vocab_size": 11,
                    "max_position_embeddings": 12}"#;
    let wanted = Config {
        width: 64,
        head_width: 32,
        inner: 96,
        parallel: true,
        rotary_share: 0.25,
        rotary_base: Some(10_000.0),
        tied: false,
        ..TINY
    };
    assert_eq!(read(short), wanted);
}

#[test]
fn what_it_does_not_compute_is_refused_by_its_field() {
    let error = |from: &str, to: &str| {
        let text = import::hub_config(&TINY).to_string().replacen(from, to, 1);
        Gpt.import(&HubConfig::parse(&text).unwrap()).unwrap_err().to_string()
    };
    assert!(error(r#""gelu""#, r#""gelu_new""#).contains("`hidden_act` is `gelu_new`; this architecture computes `gelu`"));
    assert!(error(r#""default""#, r#""yarn""#).contains("`rope_type` is `yarn`; this architecture computes `default`"));
    let scaled = r#"{"rope_scaling": {"type": "linear", "factor": 2.0},"#;
    assert!(error("{", scaled).contains("`rope_scaling` is set"), "{}", error("{", scaled));
    assert!(error(r#""num_attention_heads":2"#, r#""num_attention_heads":3"#).contains("not a multiple of"));
    assert!(error(r#""num_hidden_layers":2"#, r#""num_hidden_layers":200"#).contains("at most 96"));
}

#[test]
fn a_build_without_storage_has_the_same_names_and_shapes() {
    let shapes = |model: GptModel| -> Vec<(String, Vec<i64>)> {
        model.parameters().into_iter().map(|row| (row.name, row.tensor.size())).collect()
    };
    for config in [TINY, OTHER] {
        assert_eq!(shapes(init::without_storage(|| GptModel::new(config))), shapes(tiny(config)));
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
fn turned_queries_and_keys_depend_on_their_distance_alone() {
    let rotary = Rotary::new(40, &TINY, Device::Cpu).unwrap();
    let [query, key, value] = drawn(5, || [(); 3].map(|()| Tensor::randn([8], (Kind::Float, Device::Cpu))));
    // The same vectors in both heads of every position, as `query_key_value` gives them.
    let given = Tensor::cat(&[&query, &key, &value], 0).repeat([2]).view([1, 1, 48]).expand([1, 40, 48], false).contiguous();
    let turned = rotary.turn(&given).unwrap().view([40, 2, 3, 8]);
    assert!(largest(&(turned.select(1, 0) - turned.select(1, 1))) == 0.0, "heads are turned alike");
    let (queries, keys, values) =
        (turned.select(1, 1).select(1, 0), turned.select(1, 1).select(1, 1), turned.select(1, 1).select(1, 2));
    let products = queries.matmul(&keys.transpose(0, 1)); // [m, n]
    for distance in [-7_i64, 0, 3] {
        let diagonal = products.diagonal(distance, 0, 1);
        assert!(largest(&(&diagonal - diagonal.get(0))) < 1e-4);
    }
    // Not trivially: the product does change with the distance, and at distance 0 it is that of the vectors themselves.
    assert!((products.double_value(&[0, 0]) - query.dot(&key).double_value(&[])).abs() < 1e-5);
    assert!((products.double_value(&[0, 0]) - products.double_value(&[0, 3])).abs() > 1e-2);
    // Lengths are kept, and values are not turned at all.
    assert!(largest(&(queries.norm_scalaropt_dim(2, [1], false) - query.norm())) < 1e-5);
    assert!(largest(&(values - value)) == 0.0);
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
    let config = Config { vocab_size: 200, max_positions: 64, layers: 4, width: 128, head_width: 64, inner: 512, ..TINY };
    let model = drawn(7, || GptModel::new(config));
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
fn softmax_is_exact_and_comes_back_in_the_kind_of_the_values() {
    let scores = drawn(1, || Tensor::randn([3, 40], (Kind::Float, Device::Cpu))).to_kind(Kind::BFloat16);
    let found = shares(&scores, Kind::BFloat16).unwrap();
    assert_eq!(found.kind(), Kind::BFloat16);
    let wanted = scores.to_kind(Kind::Double).softmax(-1, Kind::Double);
    // One rounding to the 8 significant bits of bfloat16, and no more.
    assert!(largest(&(found.to_kind(Kind::Double) / wanted - 1.0)) <= 2_f64.powi(-8) * 1.001);
    assert_eq!(shares(&scores.to_kind(Kind::Double), Kind::Double).unwrap().kind(), Kind::Double);
}

#[test]
fn under_autocast_products_are_bfloat16_and_the_residual_stream_is_float32() {
    let model = sharp(TINY, Kind::Float);
    let (ids, mask) = batch();
    let exact = loss(&model, &ids, &mask, AttentionMode::TwiceDifferentiable);
    let _autocast = Autocast::enable().unwrap();
    let hidden = Tensor::embedding(&model.words, &ids, -1, false, false);
    let bias = Tensor::full([5, 5], f64::NEG_INFINITY, (Kind::Float, Device::Cpu)).triu(1);
    let call = Call { rotary: Rotary::new(5, &TINY, Device::Cpu).unwrap(), bias: Some(bias) };
    let block = &model.blocks[0];
    assert_eq!(block.attend(&block.attention_norm.forward(&hidden).unwrap(), &call).unwrap().kind(), Kind::BFloat16);
    assert_eq!(block.forward(&hidden, &call).unwrap().kind(), Kind::Float);
    let rounded = loss(&model, &ids, &mask, AttentionMode::TwiceDifferentiable);
    assert!((rounded.0 / exact.0 - 1.0).abs() < 0.02, "{} is not near {}", rounded.0, exact.0);
    for (rounded, exact) in rounded.1.iter().zip(&exact.1) {
        assert_eq!(rounded.kind(), Kind::Float);
        let cosine = (rounded * exact).sum(Kind::Double) / (rounded.norm() * exact.norm());
        assert!(cosine.double_value(&[]) > 0.99, "{cosine:?}");
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
    let error = |width: i64, head: i64| {
        let config = format!(
            r#"{{"layers": 1, "width": {width}, "head_width": {head}, "ffn_multiple": 4, "vocab_size": 9, "max_positions": 8}}"#
        );
        Gpt.build(&Params::parse(&config).unwrap()).err().unwrap().to_string()
    };
    assert!(error(100, 64).contains("width 100 is not a multiple of head_width 64"));
    assert!(error(21, 7).contains("head_width 7 is odd"));
    let config = r#"{"layers": 1, "width": 16, "head_width": 8, "ffn_multiple": 4, "rotary_share": 0.4, "vocab_size": 9, "max_positions": 8}"#;
    let text = Gpt.build(&Params::parse(config).unwrap()).err().unwrap().to_string();
    assert!(text.contains("rotary_share 0.4 of head_width 8 is 3"), "{text}");
    let ids = Tensor::ones([1, 13], (Kind::Int64, Device::Cpu));
    let error = tiny(TINY).hidden(&ids, &ids.to_kind(Kind::Float), AttentionMode::Fast).unwrap_err();
    assert!(error.to_string().contains("13 tokens"), "{error}");
}
