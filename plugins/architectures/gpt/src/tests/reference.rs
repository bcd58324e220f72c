//! The forward pass again, in plain loops over f64, written from the published layout alone: the rows of
//! `query_key_value` are grouped by head, within a head query, key, value; position m turns the pair (i, i + w/2) of a head
//! of width w by m * 10000^(-2i/w); the two sub-layers follow each other.

use clmbench_sdk::prelude::*;

use crate::{GptModel, Linear, NORM_EPSILON, Norm};

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
    let scaled = input.iter().map(|x| (x - mean) / (variance + NORM_EPSILON).sqrt());
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

/// Hidden states of one molecule, a row a token.
pub fn hidden(model: &GptModel, tokens: &[i64]) -> Vec<Row> {
    let (width, head) = (model.config.width as usize, model.config.head_width as usize);
    let words = values(&model.words);
    let mut states: Vec<Row> = tokens.iter().map(|token| words[*token as usize * width..][..width].to_vec()).collect();
    for block in &model.blocks {
        let fused: Vec<Row> = states.iter().map(|x| linear(&norm(x, &block.attention_norm), &block.query_key_value)).collect();
        let part = |position: usize, of_head: usize, which: usize| &fused[position][(3 * of_head + which) * head..][..head];
        for (position, state) in states.iter_mut().enumerate() {
            let mut attended = Vec::new();
            for of_head in 0..width / head {
                let query = turn(part(position, of_head, 0), position);
                let score = |other: usize| {
                    let key = turn(part(other, of_head, 1), other);
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
        for state in &mut states {
            let up: Row = linear(&norm(state, &block.feed_norm), &block.up).into_iter().map(gelu).collect();
            *state = add(state, &linear(&up, &block.down));
        }
    }
    states.iter().map(|state| norm(state, &model.final_norm)).collect()
}
