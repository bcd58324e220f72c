//! LSTM for causal language modelling: Hochreiter and Schmidhuber 1997, "Long Short-Term Memory" (doi:10.1162/neco.1997.9.8.1735),
//! with the forget gates of Gers et al. 2000, stacked; as a chemical language model Segler et al. 2018, "Generating Focused
//! Molecule Libraries for Drug Discovery with Recurrent Neural Networks" (doi:10.1021/acscentsci.7b00512). With sigma the logistic
//! function and x_t the input of a layer at position t,
//!
//! `i, f, o = sigma(W x_t + b + U h_{t-1} + c)`, `g = tanh(the same)`, `s_t = f s_{t-1} + i g`, `h_t = o tanh(s_t)`.
//!
//! Names and initial values are those of PyTorch's `nn.Embedding`, `nn.LSTM` and `nn.Linear`: a table drawn from N(0, 1), all
//! else drawn evenly between -1/sqrt(H) and 1/sqrt(H). No dropout. Padding stands on the right, which no state has seen yet.

use clmbench_sdk::prelude::*;

mod count;
mod import;

/// The architecture `lstm`.
pub struct Lstm;

/// Geometry of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Layers, one above the other.
    pub layers: i64,
    /// Width H of a layer's state, which is that of the hidden states.
    pub width: i64,
    /// Width E of the word embeddings.
    pub embedding_width: i64,
    /// Entries V of the vocabulary.
    pub vocab_size: i64,
    /// Longest sequence.
    pub max_positions: i64,
}

impl Config {
    fn read(params: &Params) -> Result<Self, PluginError> {
        let width = params.integer("width")?;
        Ok(Self {
            layers: params.integer("layers")?,
            width,
            embedding_width: params.optional_integer("embedding_width")?.unwrap_or(width),
            vocab_size: params.integer("vocab_size")?,
            max_positions: params.integer("max_positions")?,
        })
    }
}

impl Architecture for Lstm {
    fn info(&self) -> ArchitectureInfo {
        let sizes = [
            ("0.03M", 1, 64, 4e-3),
            ("0.07M", 2, 64, 4e-3),
            ("0.26M", 2, 128, 2e-3),
            ("1.05M", 2, 256, 2e-3),
            ("6.30M", 3, 512, 1e-3),
            ("25.19M", 3, 1024, 1e-3),
        ];
        let preset = |(name, layers, width, learning_rate): (&str, i64, i64, f64)| PresetInfo {
            name: name.into(),
            config: [("layers".into(), layers.into()), ("width".into(), width.into())].into_iter().collect(),
            learning_rate,
            non_embedding_parameters: count::non_embedding(layers, width, width),
        };
        ArchitectureInfo {
            name: "lstm".into(),
            doc: "Stacked LSTM (Hochreiter and Schmidhuber 1997) for causal language modelling. Presets are named by their \
                  non-embedding parameters; 25.19M has the three layers of 1024 of Segler et al. 2018 \
                  (doi:10.1021/acscentsci.7b00512), with learned embeddings of that width in place of one-hot inputs. Every weight \
                  is used once a token, so that 6 x parameters x tokens counts its training FLOPs as it does a Transformer's. Preset \
                  learning rates are starting values, not the result of a search."
                .into(),
            objective: Objective::CausalLm,
            parameters: vec![
                ParameterInfo::integer("layers", 2, "number of layers").between(1.0, 16.0),
                ParameterInfo::integer("width", 128, "width of each layer and of the hidden states").between(8.0, 8192.0),
                ParameterInfo::integer("embedding_width", 0, "width of the word embeddings; that of the layers if absent")
                    .between(1.0, 8192.0)
                    .optional(),
            ],
            presets: sizes.into_iter().map(preset).collect(),
            hub: Some(import::hub()),
        }
    }

    fn build(&self, config: &Params) -> Result<Box<dyn Model>, PluginError> {
        Ok(Box::new(LstmModel::new(Config::read(config)?)))
    }

    fn import(&self, config: &HubConfig) -> Result<ImportedConfig, PluginError> {
        import::config(&self.info(), config)
    }
}

fn row(name: String, role: Role, tensor: &Tensor) -> Parameter {
    Parameter { name, role, tensor: tensor.shallow_clone() }
}

/// One layer. Rows of weights and biases: input gate, forget gate, cell, output gate, H each.
struct Layer {
    /// [4 H, inputs].
    of_input: Tensor,
    /// [4 H, H].
    of_state: Tensor,
    input_bias: Tensor,
    state_bias: Tensor,
}

impl Layer {
    fn new(inputs: i64, width: i64) -> Self {
        let bound = 1.0 / (width as f64).sqrt();
        Self {
            of_input: init::uniform(&[4 * width, inputs], bound),
            of_state: init::uniform(&[4 * width, width], bound),
            input_bias: init::uniform(&[4 * width], bound),
            state_bias: init::uniform(&[4 * width], bound),
        }
    }

    /// Weights and biases in the order of `nn.LSTM`.
    fn weights(&self) -> [&Tensor; 4] {
        [&self.of_input, &self.of_state, &self.input_bias, &self.state_bias]
    }

    /// In plain matrix products, a position at a time. `inputs` [B, L, inputs] -> [B, L, H].
    fn forward(&self, inputs: &Tensor) -> Result<Tensor, PluginError> {
        let (batch, _, _) = inputs.size3()?;
        let width = self.of_state.size()[1];
        let zeros = Tensor::f_zeros([batch, width], (self.of_state.kind(), inputs.device()))?;
        let (mut state, mut shown) = (zeros.shallow_clone(), zeros);
        let mut all = Vec::new();
        for position in inputs.f_linear(&self.of_input, Some(&self.input_bias))?.f_unbind(1)? {
            let gates = (shown.f_linear(&self.of_state, Some(&self.state_bias))? + position).f_chunk(4, 1)?; // [B, H] each
            let [input, forget, cell, output] = &gates[..] else { return Err(PluginError::Shape("no four gates".into())) };
            state = forget.f_sigmoid()? * state + input.f_sigmoid()? * cell.f_tanh()?;
            shown = output.f_sigmoid()? * state.f_tanh()?;
            all.push(shown.shallow_clone());
        }
        Ok(Tensor::f_stack(&all, 1)?)
    }
}

/// The whole model.
struct LstmModel {
    config: Config,
    words: Tensor,
    layers: Vec<Layer>,
    output: Tensor,
    output_bias: Tensor,
}

impl LstmModel {
    fn new(config: Config) -> Self {
        let (entries, width) = (config.vocab_size, config.width);
        let bound = 1.0 / (width as f64).sqrt();
        let inputs = |layer: i64| if layer == 0 { config.embedding_width } else { width };
        Self {
            words: init::normal(&[entries, config.embedding_width], 1.0),
            layers: (0..config.layers).map(|layer| Layer::new(inputs(layer), width)).collect(),
            output: init::uniform(&[entries, width], bound),
            output_bias: init::uniform(&[entries], bound),
            config,
        }
    }

    /// libtorch's fused kernel; that of cuDNN has no second derivative. `embedded` [B, L, E] -> [B, L, H].
    fn fused(&self, embedded: &Tensor) -> Result<Tensor, PluginError> {
        let (batch, _, _) = embedded.size3()?;
        let options = (self.words.kind(), embedded.device());
        let zeros = Tensor::f_zeros([self.config.layers, batch, self.config.width], options)?;
        let weights: Vec<&Tensor> = self.layers.iter().flat_map(Layer::weights).collect();
        // `train` keeps what the backward pass of the kernels needs; there is no dropout that it could switch on.
        let (hidden, _, _) = embedded.f_lstm(&[&zeros, &zeros], &weights, true, self.config.layers, 0.0, true, false, true)?;
        // Under autocast the kernel answers in bfloat16, the other path in float32.
        Ok(hidden.f_to_kind(self.words.kind())?)
    }
}

impl Model for LstmModel {
    fn parameters(&self) -> Vec<Parameter> {
        let mut rows = vec![row("embeddings.weight".into(), Role::Embedding, &self.words)];
        for (index, layer) in self.layers.iter().enumerate() {
            let names =
                [("weight_ih", Role::Weight), ("weight_hh", Role::Weight), ("bias_ih", Role::Bias), ("bias_hh", Role::Bias)];
            let named = names.into_iter().zip(layer.weights());
            rows.extend(named.map(|((name, role), tensor)| row(format!("lstm.{name}_l{index}"), role, tensor)));
        }
        // A table of the vocabulary as the first one is: not in the non-embedding count.
        rows.push(row("output.weight".into(), Role::Embedding, &self.output));
        rows.push(row("output.bias".into(), Role::OutputBias, &self.output_bias));
        rows
    }

    fn hidden(&self, ids: &Tensor, mask: &Tensor, mode: AttentionMode) -> Result<Tensor, PluginError> {
        let (_, length) = ids.size2()?;
        if length > self.config.max_positions {
            let most = self.config.max_positions;
            return Err(PluginError::Shape(format!("sequences of {length} tokens, but the model has {most} positions")));
        }
        refuse_padding_on_the_left(mask, length)?;
        let embedded = Tensor::f_embedding(&self.words, ids, -1, false, false)?; // [B, L, E]
        match mode {
            AttentionMode::Fast => self.fused(&embedded),
            AttentionMode::TwiceDifferentiable => {
                self.layers.iter().try_fold(embedded, |inputs, layer| layer.forward(&inputs)) // [B, L, H]
            }
        }
    }

    fn logits(&self, hidden: &Tensor, positions: Option<&Tensor>) -> Result<Tensor, PluginError> {
        let flat = hidden.f_reshape([-1, self.config.width])?;
        let chosen = positions.map_or_else(|| Ok(flat.shallow_clone()), |positions| flat.f_index_select(0, positions))?;
        Ok(chosen.f_linear(&self.output, Some(&self.output_bias))?) // [M, V]
    }

    fn hub_config(&self) -> serde_json::Value {
        import::hub_config(&self.config)
    }
}

/// A state that has read padding is no longer that of the molecule alone.
fn refuse_padding_on_the_left(mask: &Tensor, length: i64) -> Result<(), PluginError> {
    let (before, after) = (mask.f_narrow(1, 0, length - 1)?, mask.f_narrow(1, 1, length - 1)?);
    if bool::try_from(after.f_gt_tensor(&before)?.f_any()?)? {
        return Err(PluginError::Input("a real token stands behind padding; pad causal models on the right".into()));
    }
    Ok(())
}

export_plugin! { architectures: [Lstm] }

#[cfg(test)]
mod tests;
