//! The forward pass again, in plain loops over f64, written from the published layout alone: matrices stand as [inputs, outputs]; the
//! columns of `c_attn` are all queries, all keys, all values, each by head; the two sub-layers follow each other, each behind its norm.

use clmbench_sdk::prelude::*;

use crate::{Activation, Gpt2Model, Linear, Norm};

type Row = Vec<f64>;

fn values(tensor: &Tensor) -> Row {
    Vec::<f64>::try_from(tensor.detach().flatten(0, -1)).unwrap()
}

fn linear(input: &[f64], layer: &Linear) -> Row {
    let (weight, mut sums) = (values(&layer.weight), values(&layer.bias));
    for (row, x) in weight.chunks(sums.len()).zip(input) {
        sums.iter_mut().zip(row).for_each(|(sum, w)| *sum += w * x);
    }
    sums
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

/// GELU: by numerical integration of the normal density, or Hendrycks and Gimpel's approximation (arXiv:1606.08415, section 2).
fn gelu(x: f64, activation: Activation) -> f64 {
    const STEPS: usize = 400;
    if activation == Activation::Tanh {
        return 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh());
    }
    let density = |t: f64| (-t * t / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let width = x / STEPS as f64;
    let inner: f64 = (1..STEPS).map(|i| density(i as f64 * width) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
    x * (0.5 + (density(0.0) + inner + density(x)) * width / 3.0)
}

/// Logits of one hidden state.
pub fn logits(model: &Gpt2Model, state: &[f64]) -> Row {
    let table = values(model.output.as_ref().unwrap_or(&model.words));
    table.chunks(state.len()).map(|row| row.iter().zip(state).map(|(w, x)| w * x).sum()).collect()
}

/// Hidden states of one molecule, a row a token.
pub fn hidden(model: &Gpt2Model, tokens: &[i64]) -> Vec<Row> {
    let (width, head) = (model.config.width as usize, model.config.head_width as usize);
    let (words, places) = (values(&model.words), values(&model.positions));
    let embedded =
        |(position, token): (usize, &i64)| add(&words[*token as usize * width..][..width], &places[position * width..][..width]);
    let mut states: Vec<Row> = tokens.iter().enumerate().map(embedded).collect();
    for block in &model.blocks {
        let fused: Vec<Row> = states.iter().map(|x| linear(&norm(x, &block.attention_norm), &block.query_key_value)).collect();
        let part = |position: usize, of_head: usize, which: usize| &fused[position][which * width + of_head * head..][..head];
        for (position, state) in states.iter_mut().enumerate() {
            let mut attended = Vec::new();
            for of_head in 0..width / head {
                let score = |other: usize| {
                    let products = part(position, of_head, 0).iter().zip(part(other, of_head, 1)).map(|(q, k)| q * k);
                    products.sum::<f64>() / (head as f64).sqrt()
                };
                let weights: Row = (0..=position).map(|other| score(other).exp()).collect();
                let total: f64 = weights.iter().sum();
                for i in 0..head {
                    let sum: f64 = weights.iter().enumerate().map(|(other, weight)| weight * part(other, of_head, 2)[i]).sum();
                    attended.push(sum / total);
                }
            }
            *state = add(state, &linear(&attended, &block.output));
        }
        for state in &mut states {
            let up = linear(&norm(state, &block.feed_norm), &block.up);
            let up: Row = up.into_iter().map(|x| gelu(x, block.activation)).collect();
            *state = add(state, &linear(&up, &block.down));
        }
    }
    states.iter().map(|state| norm(state, &model.final_norm)).collect()
}
