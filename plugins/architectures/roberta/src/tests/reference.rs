//! The forward pass again, in plain loops over f64, written from the published layout alone and reading weights by their
//! published names: embeddings are summed and normalised; in each block attention, then the feed-forward layer, each added to
//! its input and normalised after; the MLM head, and its decoder with the word embeddings.

use std::collections::HashMap;

use clmbench_sdk::prelude::*;

use crate::{Activation, Config};

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

    fn row(&self, table: &str, index: usize, width: usize) -> &[f64] {
        &self.get(table)[index * width..][..width]
    }

    fn linear(&self, name: &str, input: &[f64]) -> Row {
        let (weight, bias) = (self.get(&format!("{name}.weight")), self.get(&format!("{name}.bias")));
        weight.chunks(input.len()).zip(bias).map(|(row, bias)| dot(row, input) + bias).collect()
    }

    fn norm(&self, name: &str, input: &[f64], epsilon: f64) -> Row {
        let (gain, bias) = (self.get(&format!("{name}.weight")), self.get(&format!("{name}.bias")));
        let count = input.len() as f64;
        let mean = input.iter().sum::<f64>() / count;
        let variance = input.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        let scaled = input.iter().map(|x| (x - mean) / (variance + epsilon).sqrt());
        scaled.zip(gain.iter().zip(bias)).map(|(x, (gain, bias))| x * gain + bias).collect()
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

fn activation(kind: Activation, x: f64) -> f64 {
    match kind {
        Activation::Gelu => gelu(x),
        // Hendrycks and Gimpel 2016 (arXiv:1606.08415), section 2.
        Activation::GeluTanh => 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh()),
        Activation::Relu => x.max(0.0),
    }
}

/// Logits of every token of one molecule, whose first token is the first one of its row.
pub fn logits(weights: &Weights, config: &Config, tokens: &[i64]) -> Vec<Row> {
    let (width, head, epsilon) = (config.width as usize, config.head_width as usize, config.norm_epsilon);
    let embedded = |(index, token): (usize, &i64)| {
        let place = index + config.padding_id as usize + 1;
        let word = weights.row("roberta.embeddings.word_embeddings.weight", *token as usize, width);
        let position = weights.row("roberta.embeddings.position_embeddings.weight", place, width);
        let segment = weights.row("roberta.embeddings.token_type_embeddings.weight", 0, width);
        weights.norm("roberta.embeddings.LayerNorm", &add(&add(word, position), segment), epsilon)
    };
    let mut states: Vec<Row> = tokens.iter().enumerate().map(embedded).collect();
    for layer in 0..config.layers {
        let part = |name: &str| format!("roberta.encoder.layer.{layer}.{name}");
        let all = |name: &str| states.iter().map(|state| weights.linear(&part(name), state)).collect::<Vec<Row>>();
        let (queries, keys, values) = (all("attention.self.query"), all("attention.self.key"), all("attention.self.value"));
        for (state, query) in states.iter_mut().zip(&queries) {
            let mut attended = Vec::new();
            for start in (0..width).step_by(head) {
                let score = |key: &Row| dot(&query[start..start + head], &key[start..start + head]) / (head as f64).sqrt();
                let shares: Row = keys.iter().map(|key| score(key).exp()).collect();
                let total: f64 = shares.iter().sum();
                let mixed = |i: usize| shares.iter().zip(&values).map(|(share, value)| share * value[i]).sum::<f64>() / total;
                attended.extend((start..start + head).map(mixed));
            }
            let mixed = add(&weights.linear(&part("attention.output.dense"), &attended), state);
            let mixed = weights.norm(&part("attention.output.LayerNorm"), &mixed, epsilon);
            let up = weights.linear(&part("intermediate.dense"), &mixed);
            let up: Row = up.into_iter().map(|x| activation(config.activation, x)).collect();
            let fed = add(&weights.linear(&part("output.dense"), &up), &mixed);
            *state = weights.norm(&part("output.LayerNorm"), &fed, epsilon);
        }
    }
    let words = weights.get("roberta.embeddings.word_embeddings.weight");
    let decode = |state: &Row| {
        let transformed: Row = weights.linear("lm_head.dense", state).into_iter().map(gelu).collect();
        let transformed = weights.norm("lm_head.layer_norm", &transformed, epsilon);
        words.chunks(width).zip(weights.get("lm_head.bias")).map(|(row, bias)| dot(row, &transformed) + bias).collect()
    };
    states.iter().map(decode).collect()
}
