#![allow(clippy::unwrap_used)]

use clmbench_sdk::{draw::drawn, prelude::*, testing::golden::assert_golden};
use clmbench_torch_ext::Autocast;

use super::{Block, Call, Config, Linear, Molformer, MolformerModel, Norm, import, random_features, rotary::Rotary};

mod reference;

const TINY: Config = Config {
    layers: 2,
    width: 16,
    head_width: 8,
    features: 12,
    inner: 24,
    norm_epsilon: 1e-12,
    attention_epsilon: 1e-6,
    tied: false,
    vocab_size: 11,
    max_positions: 12,
};

fn tiny(config: Config) -> MolformerModel {
    tch::set_num_threads(1);
    drawn(3, || MolformerModel::new(config).unwrap())
}

/// The tiny model with larger weights, so that attention is far from uniform, in this kind.
fn sharp(config: Config, kind: Kind) -> MolformerModel {
    let mut model = tiny(config);
    let scaled = |tensor: &mut Tensor, factor: f64| *tensor = (tensor.detach() * factor).to_kind(kind).set_requires_grad(true);
    let linear = |linear: &mut Linear| {
        scaled(&mut linear.weight, 15.0);
        scaled(&mut linear.bias, 1.0);
    };
    let norm = |norm: &mut Norm| {
        scaled(&mut norm.gain, 1.0);
        scaled(&mut norm.bias, 1.0);
    };
    [Some(&mut model.words), model.decoder.as_mut()].into_iter().flatten().for_each(|table| scaled(table, 15.0));
    for block in &mut model.blocks {
        let Block { query, key, value, output, up, down, attention_norm, output_norm, features, .. } = block;
        [query, key, value, output, up, down].into_iter().for_each(linear);
        [attention_norm, output_norm].into_iter().for_each(norm);
        *features = features.to_kind(kind);
    }
    linear(&mut model.transform);
    [&mut model.final_norm, &mut model.transform_norm].into_iter().for_each(norm);
    model
}

fn batch() -> (Tensor, Tensor) {
    let ids = Tensor::from_slice(&[2_i64, 5, 6, 7, 3, 2, 8, 3, 0, 0]).view([2, 5]);
    (ids.shallow_clone(), ids.ne(0).to_kind(Kind::Float))
}

fn largest(tensor: &Tensor) -> f64 {
    tensor.abs().max().double_value(&[])
}

fn trained(model: &MolformerModel) -> Vec<Tensor> {
    model.parameters().into_iter().filter(|row| row.role != Role::Fixed).map(|row| row.tensor).collect()
}

/// Mean loss at three positions, one of them in the padded molecule.
fn loss(model: &MolformerModel) -> Tensor {
    let (ids, mask) = batch();
    let positions = Tensor::from_slice(&[1_i64, 3, 6]);
    let targets = Tensor::from_slice(&[4_i64, 9, 5]);
    let hidden = model.hidden(&ids, &mask, AttentionMode::TwiceDifferentiable).unwrap();
    let logits = model.logits(&hidden, Some(&positions)).unwrap();
    logits.cross_entropy_loss(&targets, None::<Tensor>, tch::Reduction::Mean, -100, 0.0)
}

#[test]
fn presets_are_named_by_their_size_and_the_largest_is_the_published_one() {
    let presets = Molformer.info().presets;
    for preset in &presets {
        assert_eq!(preset.name, format!("{:.2}M", preset.non_embedding_parameters as f64 / 1e6));
    }
    // 46.8M with both tables of 2,362 tokens, as published.
    let all = presets.last().unwrap().non_embedding_parameters + 2 * 2362 * 768;
    assert_eq!(format!("{:.1}", all as f64 / 1e6), "46.8");
}

#[test]
fn the_formula_counts_the_tensors_of_a_built_model() {
    for (layers, width, inner, tied) in [(1, 64, 64, true), (2, 128, 200, false), (5, 256, 256, false)] {
        let config = Config { layers, width, head_width: 32, inner, tied, vocab_size: 50, ..TINY };
        let rows = tiny(config).parameters();
        let tables = rows.iter().filter(|row| row.role == Role::Embedding).count();
        assert_eq!(tables, if tied { 1 } else { 2 });
        assert_eq!(rows.iter().filter(|row| row.role == Role::Fixed).count() as i64, layers);
        let inner_rows = rows.iter().filter(|row| !matches!(row.role, Role::Embedding | Role::Fixed));
        let counted = inner_rows.map(|row| row.tensor.numel() as u64).sum::<u64>();
        assert_eq!(counted, super::count::non_embedding(layers, width, inner));
    }
}

#[test]
fn it_computes_the_quadratic_form_of_its_kernel() {
    for config in [TINY, Config { tied: true, features: 5, norm_epsilon: 1e-5, ..TINY }] {
        let model = sharp(config, Kind::Double);
        let (ids, mask) = batch();
        for mode in [AttentionMode::Fast, AttentionMode::TwiceDifferentiable] {
            let hidden = model.hidden(&ids, &mask, mode).unwrap();
            let logits = model.logits(&hidden, None).unwrap().view([2, 5, 11]);
            for (row, length) in [(0, 5), (1, 3)] {
                let tokens = Vec::<i64>::try_from(ids.select(0, row).narrow(0, 0, length)).unwrap();
                let (states, wanted) = reference::states_and_logits(&model, &tokens);
                for (found, wanted) in [(&hidden, states), (&logits, wanted)] {
                    for (position, wanted) in wanted.iter().enumerate() {
                        let found = Vec::<f64>::try_from(found.select(0, row).select(0, position as i64)).unwrap();
                        for (found, wanted) in found.iter().zip(wanted) {
                            assert!((found - wanted).abs() < 1e-8, "row {row}, position {position}: {found} is not {wanted}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn it_computes_what_the_peer_in_python_does() {
    assert_golden(&Molformer, concat!(env!("CARGO_MANIFEST_DIR"), "/golden/tiny.safetensors"), 1e-5);
}

#[test]
fn in_float32_it_is_the_same_to_a_few_digits_of_rounding() {
    let (double, single) = (sharp(TINY, Kind::Double), sharp(TINY, Kind::Float));
    let (ids, mask) = batch();
    let of = |model: &MolformerModel| {
        model.hidden(&ids, &mask, AttentionMode::Fast).unwrap().to_kind(Kind::Double) * mask.unsqueeze(-1)
    };
    let (wanted, found) = (of(&double), of(&single));
    assert!(largest(&(&found - &wanted)) < 1e-5 * largest(&wanted), "{}", largest(&(found - wanted)));
}

#[test]
fn features_are_orthogonal_and_follow_the_seed() {
    let features = |seed, count| drawn(seed, || random_features(8, count).unwrap());
    let drawn = features(5, 20);
    assert_eq!((drawn.size(), drawn.requires_grad()), (vec![8, 20], false));
    for columns in [0..8, 8..16, 16..20] {
        let part = drawn.narrow(1, columns.start, columns.end - columns.start);
        let products = part.transpose(0, 1).matmul(&part);
        assert!(largest(&(&products - products.diagonal(0, 0, 1).diag(0))) < 1e-4, "{products:?}");
    }
    // Lengths are those of normal vectors of 8 numbers: squared they have mean 8 and variance 16.
    let many = features(6, 4000);
    let squared = (&many * &many).sum_dim_intlist([0_i64].as_slice(), false, Kind::Double);
    let (mean, variance) = (squared.mean(Kind::Double).double_value(&[]), squared.var(true).double_value(&[]));
    assert!((mean - 8.0).abs() < 5.0 * (16.0_f64 / 4000.0).sqrt() && (variance / 16.0 - 1.0).abs() < 0.2, "{mean}, {variance}");
    assert_eq!(features(5, 20), drawn);
    assert_ne!(features(6, 20), drawn);
}

#[test]
fn every_trained_parameter_gets_a_gradient_and_features_get_none() {
    let model = sharp(TINY, Kind::Float);
    let weights = trained(&model);
    assert_eq!(weights.len() + 2, model.parameters().len());
    for gradient in Tensor::run_backward(&[&loss(&model)], &weights, false, false) {
        assert!(largest(&gradient) > 0.0);
    }
    assert!(model.parameters().iter().all(|row| row.tensor.requires_grad() == (row.role != Role::Fixed)));
}

#[test]
fn a_hessian_vector_product_is_the_difference_of_gradients() {
    let model = sharp(TINY, Kind::Double);
    let weights = trained(&model);
    let directions: Vec<Tensor> = drawn(8, || weights.iter().map(Tensor::randn_like).collect());
    let gradients = Tensor::run_backward(&[&loss(&model)], &weights, true, true);
    let product = gradients.iter().zip(&directions).map(|(gradient, v)| (gradient * v).sum(Kind::Double)).sum::<Tensor>();
    let exact = Tensor::run_backward(&[&product], &weights, false, false);
    let shifted = |step: f64| {
        {
            let _guard = tch::no_grad_guard();
            weights.iter().zip(&directions).for_each(|(weight, v)| drop(weight.shallow_clone().g_add_(&(v * step))));
        }
        Tensor::run_backward(&[&loss(&model)], &weights, false, false)
    };
    let step = 1e-6;
    let (ahead, behind) = (shifted(step), shifted(-2.0 * step));
    let scale = exact.iter().map(largest).fold(0.0, f64::max);
    for ((ahead, behind), exact) in ahead.iter().zip(&behind).zip(&exact) {
        let difference = (ahead - behind) / (2.0 * step);
        assert!(largest(&(&difference - exact)) < 1e-5 * scale, "{} of {scale}", largest(&(difference - exact)));
    }
}

#[test]
fn padding_changes_nothing() {
    let model = sharp(TINY, Kind::Float);
    let (ids, mask) = batch();
    let long = model.hidden(&ids, &mask, AttentionMode::Fast).unwrap();
    assert!(bool::try_from(long.isfinite().all()).unwrap());
    let (short, ones) = (ids.narrow(0, 1, 1).narrow(1, 0, 3), mask.narrow(0, 1, 1).narrow(1, 0, 3));
    let alone = model.hidden(&short, &ones, AttentionMode::Fast).unwrap().squeeze_dim(0);
    assert!(largest(&(long.select(0, 1).narrow(0, 0, 3) - alone)) < 1e-5);
}

#[test]
fn turned_queries_and_keys_depend_on_their_distance_alone() {
    let rotary = Rotary::new(40, 8, Kind::Float, Device::Cpu).unwrap();
    let vector = |seed| drawn(seed, || Tensor::randn([8], (Kind::Float, Device::Cpu)));
    let (query, key) = (vector(5), vector(6));
    let turned = |vector: &Tensor| rotary.turn(&vector.expand([1, 1, 40, 8], false)).unwrap().view([40, 8]);
    let products = turned(&query).matmul(&turned(&key).transpose(0, 1));
    for distance in [-7_i64, 0, 3] {
        let diagonal = products.diagonal(distance, 0, 1);
        assert!(largest(&(&diagonal - diagonal.get(0))) < 1e-4);
    }
    assert!((products.double_value(&[0, 0]) - query.dot(&key).double_value(&[])).abs() < 1e-5);
    assert!((products.double_value(&[0, 0]) - products.double_value(&[0, 3])).abs() > 1e-2);
}

#[test]
fn under_autocast_products_are_bfloat16_and_the_residual_stream_is_float32() {
    let model = sharp(TINY, Kind::Float);
    let weights = trained(&model);
    let run = || {
        let loss = loss(&model);
        let gradients = Tensor::run_backward(&[&loss], &weights, false, false);
        (loss.double_value(&[]), gradients)
    };
    let exact = run();
    let _autocast = Autocast::enable().unwrap();
    let (ids, mask) = batch();
    let hidden = Tensor::embedding(&model.words, &ids, -1, false, false);
    let rotary = Rotary::new(5, 8, Kind::Float, Device::Cpu).unwrap();
    let call = Call { rotary, real: mask.view([2, 1, 5, 1]) };
    let block = &model.blocks[0];
    assert_eq!(block.attend(&hidden, &call).unwrap().kind(), Kind::BFloat16);
    assert_eq!(block.forward(&hidden, &call).unwrap().kind(), Kind::Float);
    let rounded = run();
    assert!((rounded.0 / exact.0 - 1.0).abs() < 0.05, "{} is not near {}", rounded.0, exact.0);
    for (rounded, exact) in rounded.1.iter().zip(&exact.1) {
        assert_eq!(rounded.kind(), Kind::Float);
        let cosine = (rounded * exact).sum(Kind::Double) / (rounded.norm() * exact.norm());
        assert!(cosine.double_value(&[]) > 0.97, "{cosine:?}");
    }
}

#[test]
fn an_untrained_model_knows_nothing() {
    let model = tiny(Config { vocab_size: 200, max_positions: 64, layers: 4, width: 128, head_width: 64, inner: 128, ..TINY });
    let numbers = |seed, shape: &[i64]| drawn(seed, || Tensor::randint(200, shape, (Kind::Int64, Device::Cpu)));
    let (ids, targets) = (numbers(1, &[8, 32]), numbers(2, &[256]));
    let hidden = model.hidden(&ids, &ids.ones_like().to_kind(Kind::Float), AttentionMode::Fast).unwrap();
    let logits = model.logits(&hidden, None).unwrap();
    let loss = logits.cross_entropy_loss(&targets, None::<Tensor>, tch::Reduction::Mean, -100, 0.0).double_value(&[]);
    assert!((loss - 200_f64.ln()).abs() < 0.15, "{loss}");
}

#[test]
fn it_learns_a_pattern() {
    let model = tiny(TINY);
    let weights = trained(&model);
    let before = loss(&model).double_value(&[]);
    for _ in 0..150 {
        let gradients = Tensor::run_backward(&[&loss(&model)], &weights, false, false);
        let _guard = tch::no_grad_guard();
        for (weight, gradient) in weights.iter().zip(&gradients) {
            let _ = weight.shallow_clone().g_sub_(&(gradient * 0.5));
        }
    }
    let after = loss(&model).double_value(&[]);
    assert!((before - 11_f64.ln()).abs() < 0.2 && after < 0.3, "from {before} to {after}");
}

#[test]
fn logits_at_positions_are_rows_of_all_logits() {
    let model = tiny(TINY);
    let (ids, mask) = batch();
    let hidden = model.hidden(&ids, &mask, AttentionMode::Fast).unwrap();
    let all = model.logits(&hidden, None).unwrap();
    assert_eq!(all.size(), [10, 11]);
    let chosen = Tensor::from_slice(&[4_i64, 7]);
    assert!(largest(&(model.logits(&hidden, Some(&chosen)).unwrap() - all.index_select(0, &chosen))) < 1e-5);
}

#[test]
fn what_it_writes_as_config_json_it_reads_as_the_same_configuration() {
    for config in [TINY, Config { tied: true, norm_epsilon: 1e-5, attention_epsilon: 1e-4, inner: 40, ..TINY }] {
        let written = tiny(config).hub_config();
        let imported = Molformer.import(&HubConfig::parse(&written.to_string()).unwrap()).unwrap();
        assert_eq!((imported.vocab_size, imported.max_positions), (11, 12));
        let mut params = imported.config;
        params.insert("vocab_size".into(), 11.into());
        params.insert("max_positions".into(), 12.into());
        assert_eq!(Config::read(&Params::from(params)).unwrap(), config);
        let kept = Molformer.info().hub.unwrap().model_types;
        assert!(kept.contains(&written["model_type"].as_str().unwrap().to_owned()));
    }
}

#[test]
fn what_it_does_not_compute_is_refused_by_its_field() {
    let error = |from: &str, to: &str| {
        let text = import::hub_config(&TINY).to_string().replacen(from, to, 1);
        Molformer.import(&HubConfig::parse(&text).unwrap()).unwrap_err().to_string()
    };
    assert!(error(r#""gelu""#, r#""silu""#).contains("`hidden_act` is `silu`; this architecture computes `gelu`"));
    assert!(error(r#""relu""#, r#""elu""#).contains("`feature_map_kernel` is `elu`; this architecture computes `relu`"));
    assert!(error(r#""num_attention_heads":2"#, r#""num_attention_heads":3"#).contains("not a multiple of"));
    assert!(error(r#""hidden_size":16"#, r#""hidden_size":-1"#).contains("`hidden_size` is -1"));
}

#[test]
fn a_build_without_storage_has_the_same_names_and_shapes() {
    let shapes = |model: MolformerModel| -> Vec<(String, Vec<i64>)> {
        model.parameters().into_iter().map(|row| (row.name, row.tensor.size())).collect()
    };
    let dry = init::without_storage(|| MolformerModel::new(TINY)).unwrap();
    assert_eq!(shapes(dry), shapes(tiny(TINY)));
    let huge = Config { vocab_size: 1 << 30, width: 1 << 12, head_width: 64, inner: 1 << 16, ..TINY };
    assert!(init::without_storage(|| MolformerModel::new(huge)).is_ok());
}

#[test]
fn impossible_geometry_and_overlong_input_are_errors() {
    let error = |width: i64, head: i64| {
        let config = format!(
            r#"{{"layers": 1, "width": {width}, "head_width": {head}, "features": 4, "vocab_size": 9, "max_positions": 8}}"#
        );
        Molformer.build(&Params::parse(&config).unwrap()).err().unwrap().to_string()
    };
    assert!(error(100, 64).contains("width 100 is not a multiple of head_width 64"));
    assert!(error(21, 7).contains("head_width 7 is odd"));
    let ids = Tensor::ones([1, 13], (Kind::Int64, Device::Cpu));
    let error = tiny(TINY).hidden(&ids, &ids.to_kind(Kind::Float), AttentionMode::Fast).unwrap_err();
    assert!(error.to_string().contains("13 tokens"), "{error}");
}
