//! The forward pass again, in plain loops over f64, written from the equations alone: rows of weights and biases are those of the
//! input gate, the forget gate, the cell and the output gate.

use clmbench_sdk::prelude::*;

use crate::LstmModel;

type Row = Vec<f64>;

fn values(tensor: &Tensor) -> Row {
    Vec::<f64>::try_from(tensor.detach().flatten(0, -1)).unwrap()
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn product(weight: &[f64], vector: &[f64], row: usize) -> f64 {
    weight[row * vector.len()..][..vector.len()].iter().zip(vector).map(|(w, x)| w * x).sum()
}

/// Hidden states and logits of every token of one molecule.
pub fn states_and_logits(model: &LstmModel, tokens: &[i64]) -> (Vec<Row>, Vec<Row>) {
    let (width, embedded) = (model.config.width as usize, model.config.embedding_width as usize);
    let words = values(&model.words);
    let mut states: Vec<Row> = tokens.iter().map(|token| words[*token as usize * embedded..][..embedded].to_vec()).collect();
    for layer in &model.layers {
        let [of_input, of_state, input_bias, state_bias] = layer.weights().map(values);
        let (mut cell, mut shown) = (vec![0.0; width], vec![0.0; width]);
        for state in &mut states {
            let gate = |which: usize, n: usize| {
                let row = which * width + n;
                product(&of_input, state, row) + input_bias[row] + product(&of_state, &shown, row) + state_bias[row]
            };
            let next: Row =
                (0..width).map(|n| logistic(gate(1, n)) * cell[n] + logistic(gate(0, n)) * gate(2, n).tanh()).collect();
            let out: Row = (0..width).map(|n| logistic(gate(3, n)) * next[n].tanh()).collect();
            (cell, shown) = (next, out.clone());
            *state = out;
        }
    }
    let (output, bias) = (values(&model.output), values(&model.output_bias));
    let logits = states.iter().map(|state| (0..bias.len()).map(|row| product(&output, state, row) + bias[row]).collect());
    let logits = logits.collect();
    (states, logits)
}
