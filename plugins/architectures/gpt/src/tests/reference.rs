//! The forward pass again, in plain loops over f64, written from the published layout alone: the rows of
//! `query_key_value` are grouped by head, within a head query, key, value; position m turns the pair (i, i + t/2) of the first t numbers
//! of a head by m * base^(-2i/t); the two sub-layers follow each other, or have one input and are both added to it.

use clmbench_sdk::prelude::*;

use crate::{GptModel, Linear, Norm};

type Row = Vec<f64>;

fn values(tensor: &Tensor) -> Row {
    Vec::<f64>::try_from(tensor.detach().flatten(0, -1)).unwrap()
}

fn linear(input: &[f64], layer: &Linear) -> Row {
    let weight = values(&layer.weight);
    let rows = weight.chunks(input.len()).map(|row| row.iter().zip(input).map(|(w, x)| w * x).sum::<f64>());
    match &layer.bias {
        Some(bias) => rows.zip(values(bias)).map(|(sum, bias)| sum + bias).collect(),
        None => rows.collect(),
    }
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

fn turn(head: &[f64], position: usize, base: f64, turned: usize) -> Row {
    let half = turned / 2;
    let mut result = head.to_vec();
    for i in 0..half {
        let angle = position as f64 * base.powf(-2.0 * i as f64 / turned as f64);
        result[i] = head[i] * angle.cos() - head[i + half] * angle.sin();
        result[i + half] = head[i + half] * angle.cos() + head[i] * angle.sin();
    }
    result
}

/// Logits of one hidden state.
pub fn logits(model: &GptModel, state: &[f64]) -> Row {
    let table = values(model.output.as_ref().unwrap_or(&model.words));
    table.chunks(state.len()).map(|row| row.iter().zip(state).map(|(w, x)| w * x).sum()).collect()
}

/// Hidden states of one molecule, a row a token.
pub fn hidden(model: &GptModel, tokens: &[i64]) -> Vec<Row> {
    let (width, head) = (model.config.width as usize, model.config.head_width as usize);
    let base = model.config.rotary_base.unwrap_or(10_000.0);
    let turned = (model.config.rotary_share * head as f64) as usize;
    let words = values(&model.words);
    let mut states: Vec<Row> = tokens.iter().map(|token| words[*token as usize * width..][..width].to_vec()).collect();
    for block in &model.blocks {
        let fused: Vec<Row> = states.iter().map(|x| linear(&norm(x, &block.attention_norm), &block.query_key_value)).collect();
        let part = |position: usize, of_head: usize, which: usize| &fused[position][(3 * of_head + which) * head..][..head];
        let before = states.clone();
        for (position, state) in states.iter_mut().enumerate() {
            let mut attended = Vec::new();
            for of_head in 0..width / head {
                let query = turn(part(position, of_head, 0), position, base, turned);
                let score = |other: usize| {
                    let key = turn(part(other, of_head, 1), other, base, turned);
                    query.iter().zip(&key).map(|(q, k)| q * k).sum::<f64>() / (head as f64).sqrt()
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
        for (state, before) in states.iter_mut().zip(&before) {
            let seen = if model.config.parallel { before } else { &*state };
            let up: Row = linear(&norm(seen, &block.feed_norm), &block.up).into_iter().map(gelu).collect();
            *state = add(state, &linear(&up, &block.down));
        }
    }
    states.iter().map(|state| norm(state, &model.final_norm)).collect()
}
