//! The forward pass again, in plain loops over f64, written from the published layout alone and in the quadratic form of the kernel: for
//! every pair of positions phi(q_i) . phi(k_j), with phi(x) = relu(x W) of queries and keys turned by their positions; each
//! row divided by its sum. After each sub-layer its input is added and the sum normalised; the last states are normalised once
//! more, and the head transforms, normalises and decodes them.

use clmbench_sdk::prelude::*;

use crate::{Linear, MolformerModel, Norm};

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

fn turn(head: &[f64], position: usize) -> Row {
    let half = head.len() / 2;
    let mut turned = head.to_vec();
    for i in 0..half {
        let angle = position as f64 * 10_000_f64.powf(-2.0 * i as f64 / head.len() as f64);
        turned[i] = head[i] * angle.cos() - head[i + half] * angle.sin();
        turned[i + half] = head[i + half] * angle.cos() + head[i] * angle.sin();
    }
    turned
}

/// relu(x W), W [head_width, F] row after row.
fn phi(turned: &[f64], features: &[f64]) -> Row {
    let count = features.len() / turned.len();
    let one = |f: usize| turned.iter().enumerate().map(|(i, x)| x * features[i * count + f]).sum::<f64>().max(0.0);
    (0..count).map(one).collect()
}

/// Hidden states and logits of every token of one molecule.
pub fn states_and_logits(model: &MolformerModel, tokens: &[i64]) -> (Vec<Row>, Vec<Row>) {
    let (width, head) = (model.config.width as usize, model.config.head_width as usize);
    let words = values(&model.words);
    let mut states: Vec<Row> = tokens.iter().map(|token| words[*token as usize * width..][..width].to_vec()).collect();
    for block in &model.blocks {
        let all = |layer: &Linear| states.iter().map(|state| linear(state, layer)).collect::<Vec<Row>>();
        let (queries, keys, mixed) = (all(&block.query), all(&block.key), all(&block.value));
        let features = values(&block.features);
        for (i, state) in states.iter_mut().enumerate() {
            let mut attended = Vec::new();
            for of_head in (0..width).step_by(head) {
                let query = phi(&turn(&queries[i][of_head..][..head], i), &features);
                let share = |j: usize| {
                    let key = phi(&turn(&keys[j][of_head..][..head], j), &features);
                    query.iter().zip(&key).map(|(q, k)| q * k).sum::<f64>()
                };
                let shares: Row = (0..tokens.len()).map(share).collect();
                let total = shares.iter().sum::<f64>().max(block.epsilon);
                attended.extend(
                    (of_head..of_head + head)
                        .map(|n| shares.iter().zip(&mixed).map(|(share, value)| share * value[n]).sum::<f64>() / total),
                );
            }
            let attended = norm(&add(&linear(&attended, &block.output), state), &block.attention_norm);
            let up: Row = linear(&attended, &block.up).into_iter().map(gelu).collect();
            *state = norm(&add(&linear(&up, &block.down), &attended), &block.output_norm);
        }
    }
    let states: Vec<Row> = states.iter().map(|state| norm(state, &model.final_norm)).collect();
    let table = values(model.decoder.as_ref().unwrap_or(&model.words));
    let decode = |state: &Row| {
        let transformed = norm(&linear(state, &model.transform).into_iter().map(gelu).collect::<Row>(), &model.transform_norm);
        table.chunks(width).map(|row| row.iter().zip(&transformed).map(|(w, x)| w * x).sum::<f64>()).collect()
    };
    let logits = states.iter().map(decode).collect();
    (states, logits)
}
