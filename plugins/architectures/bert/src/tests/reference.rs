//! The forward pass again, in plain loops over f64, written from the published layout alone: embeddings are summed and
//! normalised; in each block attention, then the feed-forward layer, each added to its input and normalised after; the
//! transform of the MLM head, and its decoder with the word embeddings.

use clmbench_sdk::prelude::*;

use crate::{BertModel, Linear, Norm};

type Row = Vec<f64>;

fn values(tensor: &Tensor) -> Row {
    Vec::<f64>::try_from(tensor.detach().flatten(0, -1)).unwrap()
}

fn linear(input: &[f64], layer: &Linear) -> Row {
    let (weight, bias) = (values(&layer.weight), values(&layer.bias));
    let rows = weight.chunks(input.len()).zip(&bias);
    rows.map(|(row, bias)| row.iter().zip(input).map(|(w, x)| w * x).sum::<f64>() + bias).collect()
}

fn norm(input: &[f64], layer: &Norm) -> Row {
    let count = input.len() as f64;
    let mean = input.iter().sum::<f64>() / count;
    let variance = input.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    let scaled = input.iter().map(|x| (x - mean) / (variance + layer.epsilon).sqrt());
    scaled.zip(values(&layer.gain).iter().zip(&values(&layer.bias))).map(|(x, (gain, bias))| x * gain + bias).collect()
}

fn add(a: &[f64], b: &[f64]) -> Row {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// GELU by numerical integration of the normal density, x Phi(x).
fn gelu(x: f64) -> f64 {
    const STEPS: usize = 400;
    let density = |t: f64| (-t * t / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let width = x / STEPS as f64;
    let inner: f64 = (1..STEPS).map(|i| density(i as f64 * width) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
    x * (0.5 + (density(0.0) + inner + density(x)) * width / 3.0)
}

fn table_row(table: &Tensor, index: usize, width: usize) -> Row {
    values(table)[index * width..][..width].to_vec()
}

/// Logits of every token of one molecule.
pub fn logits(model: &BertModel, tokens: &[i64]) -> Vec<Row> {
    let (width, head) = (model.config.width as usize, model.config.head_width as usize);
    let embedded = |(position, token): (usize, &i64)| {
        let sum = add(&table_row(&model.words, *token as usize, width), &table_row(&model.positions, position, width));
        norm(&add(&sum, &table_row(&model.segments, 0, width)), &model.embedding_norm)
    };
    let mut states: Vec<Row> = tokens.iter().enumerate().map(embedded).collect();
    for block in &model.blocks {
        let all = |layer: &Linear| states.iter().map(|state| linear(state, layer)).collect::<Vec<Row>>();
        let (queries, keys, values) = (all(&block.query), all(&block.key), all(&block.value));
        for (state, query) in states.iter_mut().zip(&queries) {
            let mut attended = Vec::new();
            for of_head in (0..width).step_by(head) {
                let score = |key: &Row| {
                    let products = query[of_head..of_head + head].iter().zip(&key[of_head..of_head + head]).map(|(q, k)| q * k);
                    products.sum::<f64>() / (head as f64).sqrt()
                };
                let weights: Row = keys.iter().map(|key| score(key).exp()).collect();
                let total: f64 = weights.iter().sum();
                let mixed = |i: usize| weights.iter().zip(&values).map(|(weight, value)| weight * value[i]).sum::<f64>() / total;
                attended.extend((of_head..of_head + head).map(mixed));
            }
            let attended = norm(&add(&linear(&attended, &block.output), state), &block.attention_norm);
            let up: Row = linear(&attended, &block.up).into_iter().map(gelu).collect();
            *state = norm(&add(&linear(&up, &block.down), &attended), &block.output_norm);
        }
    }
    let (words, bias) = (values(&model.words), values(&model.output_bias));
    let decode = |state: &Row| {
        let transformed = norm(&linear(state, &model.transform).into_iter().map(gelu).collect::<Row>(), &model.transform_norm);
        let rows = words.chunks(width).zip(&bias);
        rows.map(|(row, bias)| row.iter().zip(&transformed).map(|(w, x)| w * x).sum::<f64>() + bias).collect()
    };
    states.iter().map(decode).collect()
}
