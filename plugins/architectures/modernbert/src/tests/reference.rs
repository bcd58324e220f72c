//! The forward pass again, in plain loops over f64, written from the published layout alone and reading weights by their
//! published names: embeddings are normalised; in each block normalisation (not in the first), attention with turned queries
//! and keys to those tokens that the block may see, addition, normalisation, the gated layer, addition; then a last
//! normalisation, the MLM head, and its decoder with the word embeddings.

use std::collections::HashMap;

use clmbench_sdk::prelude::*;

use crate::Config;

type Row = Vec<f64>;

/// Values of every parameter by its name.
pub struct Weights(HashMap<String, Row>);

impl Weights {
    pub fn of(model: &dyn Model) -> Self {
        let values = |tensor: &Tensor| Row::try_from(tensor.detach().to_kind(Kind::Double).flatten(0, -1)).unwrap();
        Self(model.parameters().into_iter().map(|row| (row.name, values(&row.tensor))).collect())
    }

    fn get(&self, name: &str) -> &[f64] {
        self.0.get(name).unwrap_or_else(|| panic!("no parameter is called {name}"))
    }

    fn linear(&self, name: &str, input: &[f64]) -> Row {
        self.get(&format!("{name}.weight")).chunks(input.len()).map(|row| dot(row, input)).collect()
    }

    fn norm(&self, name: &str, input: &[f64], epsilon: f64) -> Row {
        let count = input.len() as f64;
        let mean = input.iter().sum::<f64>() / count;
        let variance = input.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        let gain = self.get(&format!("{name}.weight"));
        input.iter().zip(gain).map(|(x, gain)| (x - mean) / (variance + epsilon).sqrt() * gain).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
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

/// A head's vector turned by its position: each pair (i, i + half) as a complex number times exp(i angle).
fn turned(vector: &[f64], position: usize, base: f64) -> Row {
    let half = vector.len() / 2;
    let mut out = vector.to_vec();
    for i in 0..half {
        let angle = position as f64 * base.powf(-2.0 * i as f64 / vector.len() as f64);
        let (real, imaginary) = (vector[i], vector[i + half]);
        out[i] = real * angle.cos() - imaginary * angle.sin();
        out[i + half] = real * angle.sin() + imaginary * angle.cos();
    }
    out
}

/// Logits of every token of one molecule.
pub fn logits(weights: &Weights, config: &Config, tokens: &[i64]) -> Vec<Row> {
    let (width, head, epsilon) = (config.width as usize, config.head_width as usize, config.norm_epsilon);
    let words = weights.get("model.embeddings.tok_embeddings.weight");
    let embedded = |token: &i64| weights.norm("model.embeddings.norm", &words[*token as usize * width..][..width], epsilon);
    let mut states: Vec<Row> = tokens.iter().map(embedded).collect();
    for layer in 0..config.layers {
        let part = |name: &str| format!("model.layers.{layer}.{name}");
        let global = layer % config.global_every == 0;
        let base = if global { config.global_base } else { config.local_base };
        let normed = |state: &Row| if layer == 0 { state.clone() } else { weights.norm(&part("attn_norm"), state, epsilon) };
        let all: Vec<Row> = states.iter().map(|state| weights.linear(&part("attn.Wqkv"), &normed(state))).collect();
        for (at, state) in states.iter_mut().enumerate() {
            let seen: Vec<usize> =
                (0..all.len()).filter(|other| global || other.abs_diff(at) <= (config.window / 2) as usize).collect();
            let mut attended = Vec::new();
            for start in (0..width).step_by(head) {
                let query = turned(&all[at][start..][..head], at, base);
                let score = |other: usize| {
                    let key = turned(&all[other][width + start..][..head], other, base);
                    dot(&query, &key) / (head as f64).sqrt()
                };
                let shares: Row = seen.iter().map(|other| score(*other).exp()).collect();
                let total: f64 = shares.iter().sum();
                let value = |other: usize, i: usize| all[other][2 * width + i];
                let mixed = |i| shares.iter().zip(&seen).map(|(share, other)| share * value(*other, i)).sum::<f64>() / total;
                attended.extend((start..start + head).map(mixed));
            }
            let mixed = add(&weights.linear(&part("attn.Wo"), &attended), state);
            let both = weights.linear(&part("mlp.Wi"), &weights.norm(&part("mlp_norm"), &mixed, epsilon));
            let (input, gate) = both.split_at(both.len() / 2);
            let fed: Row = input.iter().zip(gate).map(|(x, gate)| gelu(*x) * gate).collect();
            *state = add(&weights.linear(&part("mlp.Wo"), &fed), &mixed);
        }
    }
    let decode = |state: &Row| {
        let last = weights.norm("model.final_norm", state, epsilon);
        let transformed: Row = weights.linear("head.dense", &last).into_iter().map(gelu).collect();
        let transformed = weights.norm("head.norm", &transformed, epsilon);
        words.chunks(width).zip(weights.get("decoder.bias")).map(|(row, bias)| dot(row, &transformed) + bias).collect()
    };
    states.iter().map(decode).collect()
}
