//! GPT for causal language modelling: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section
//! 2.3 (a decoder with normalisation before each sub-layer and at the end), with the rotary positions of Su et al. 2021
//! (arXiv:2104.09864) instead of learned ones, GELU, and the output tied to the word embeddings.
//!
//! Parameter names and the order within `query_key_value` are those of Hugging Face `GPTNeoXForCausalLM` with
//! `use_parallel_residual` off, the nearest published layout. Dropout is not applied: losses are functions of the weights
//! alone. Padding stands on the right, where causal attention never looks.

use clmbench_sdk::prelude::*;

mod count;
mod rotary;

use rotary::Rotary;

/// Epsilon of every layer normalisation.
const NORM_EPSILON: f64 = 1e-5;
/// Standard deviation of initial weights, as in the original.
const INIT_STD: f64 = 0.02;

/// The architecture `gpt`.
pub struct Gpt;

/// Geometry of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Blocks.
    pub layers: i64,
    /// Width D of the hidden states.
    pub width: i64,
    /// Width of one attention head; even.
    pub head_width: i64,
    /// Width of the feed-forward layer in multiples of `width`.
    pub ffn_multiple: i64,
    /// Entries V of the vocabulary.
    pub vocab_size: i64,
    /// Longest sequence.
    pub max_positions: i64,
}

impl Config {
    fn read(params: &Params) -> Result<Self, PluginError> {
        let config = Self {
            layers: params.integer("layers")?,
            width: params.integer("width")?,
            head_width: params.integer("head_width")?,
            ffn_multiple: params.integer("ffn_multiple")?,
            vocab_size: params.integer("vocab_size")?,
            max_positions: params.integer("max_positions")?,
        };
        let (width, head) = (config.width, config.head_width);
        if width % head != 0 {
            return Err(PluginError::Input(format!("width {width} is not a multiple of head_width {head}; choose one that is")));
        }
        if head % 2 != 0 {
            let text = format!("head_width {head} is odd, but rotary positions turn pairs; choose an even one");
            return Err(PluginError::Input(text));
        }
        Ok(config)
    }
}

impl Architecture for Gpt {
    fn info(&self) -> ArchitectureInfo {
        let sizes = [
            ("0.05M", 1, 64, 64, 2e-3),
            ("0.10M", 2, 64, 64, 2e-3),
            ("0.40M", 2, 128, 64, 1e-3),
            ("0.79M", 4, 128, 64, 1e-3),
            ("1.24M", 4, 160, 40, 1e-3),
            ("3.95M", 5, 256, 64, 5e-4),
            ("15.76M", 5, 512, 128, 5e-4),
            ("85.06M", 12, 768, 64, 2e-4),
        ];
        let preset = |(name, layers, width, head_width, learning_rate): (&str, i64, i64, i64, f64)| PresetInfo {
            name: name.into(),
            config: [("layers", layers), ("width", width), ("head_width", head_width)]
                .map(|(key, value)| (key.to_owned(), value.into()))
                .into_iter()
                .collect(),
            learning_rate,
            non_embedding_parameters: count::non_embedding(layers, width, 4),
        };
        ArchitectureInfo {
            name: "gpt".into(),
            doc: "Causal decoder (Radford et al. 2019) with normalisation before each sub-layer, rotary positions (Su et al. 2021, \
                  arXiv:2104.09864), GELU and a tied output. Presets are named by their non-embedding parameters; the four \
                  largest are the geometries of MLM-Scaling's 1M, 4M, 16M and 85M (arXiv:2601.22757). Preset learning rates \
                  are starting values, not yet the result of a search."
                .into(),
            objective: Objective::CausalLm,
            parameters: vec![
                ParameterInfo::integer("layers", 4, "number of blocks").between(1.0, 96.0),
                ParameterInfo::integer("width", 128, "width of the hidden states").between(8.0, 8192.0),
                ParameterInfo::integer("head_width", 64, "width of one attention head; even, divides the width")
                    .between(2.0, 512.0),
                ParameterInfo::integer("ffn_multiple", 4, "width of the feed-forward layer in multiples of the width")
                    .between(1.0, 16.0),
            ],
            presets: sizes.into_iter().map(preset).collect(),
            hub: None,
        }
    }

    fn build(&self, config: &Params) -> Result<Box<dyn Model>, PluginError> {
        Ok(Box::new(GptModel::new(Config::read(config)?)))
    }
}

/// y = x W^T + b.
struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    fn new(inputs: i64, outputs: i64) -> Self {
        Self { weight: init::normal(&[outputs, inputs], INIT_STD), bias: init::constant(&[outputs], 0.0) }
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor, PluginError> {
        Ok(input.f_linear(&self.weight, Some(&self.bias))?)
    }

    fn list(&self, name: &str, rows: &mut Vec<Parameter>) {
        rows.push(row(format!("{name}.weight"), Role::Weight, &self.weight));
        rows.push(row(format!("{name}.bias"), Role::Bias, &self.bias));
    }
}

/// Layer normalisation over the last dimension.
struct Norm {
    gain: Tensor,
    bias: Tensor,
}

impl Norm {
    fn new(width: i64) -> Self {
        Self { gain: init::constant(&[width], 1.0), bias: init::constant(&[width], 0.0) }
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor, PluginError> {
        Ok(input.f_layer_norm(self.gain.size(), Some(&self.gain), Some(&self.bias), NORM_EPSILON, false)?)
    }

    fn list(&self, name: &str, rows: &mut Vec<Parameter>) {
        rows.push(row(format!("{name}.weight"), Role::Norm, &self.gain));
        rows.push(row(format!("{name}.bias"), Role::Norm, &self.bias));
    }
}

fn row(name: String, role: Role, tensor: &Tensor) -> Parameter {
    Parameter { name, role, tensor: tensor.shallow_clone() }
}

/// What all blocks need to know of a call.
struct Call {
    rotary: Rotary,
    /// 0 on and below the diagonal, -inf above it, [L, L]; none where the kernel knows that attention is causal.
    bias: Option<Tensor>,
}

/// One decoder block: normalisation, self-attention, residual; normalisation, feed-forward, residual.
struct Block {
    attention_norm: Norm,
    query_key_value: Linear,
    output: Linear,
    feed_norm: Norm,
    up: Linear,
    down: Linear,
    head_width: i64,
}

impl Block {
    fn new(config: &Config) -> Self {
        let (width, inner) = (config.width, config.width * config.ffn_multiple);
        Self {
            attention_norm: Norm::new(width),
            query_key_value: Linear::new(width, 3 * width),
            output: Linear::new(width, width),
            feed_norm: Norm::new(width),
            up: Linear::new(width, inner),
            down: Linear::new(inner, width),
            head_width: config.head_width,
        }
    }

    /// `hidden` [B, L, D] -> [B, L, D].
    fn forward(&self, hidden: &Tensor, call: &Call) -> Result<Tensor, PluginError> {
        let attended = self.attend(&self.attention_norm.forward(hidden)?, call)?;
        let hidden = self.output.forward(&attended)? + hidden;
        let fed = self.up.forward(&self.feed_norm.forward(&hidden)?)?.f_gelu("none")?;
        Ok(self.down.forward(&fed)? + hidden)
    }

    /// Attention heads side by side, [B, L, D].
    fn attend(&self, input: &Tensor, call: &Call) -> Result<Tensor, PluginError> {
        let (batch, length, width) = input.size3()?;
        let turned = call.rotary.turn(&self.query_key_value.forward(input)?)?;
        let parts =
            turned.f_view([batch, length, width / self.head_width, 3, self.head_width])?.f_transpose(1, 2)?.f_unbind(3)?;
        let [query, key, value] = &parts[..] else { return Err(PluginError::Shape("no query, key and value".into())) };
        let attended = match &call.bias {
            None => {
                // [B, heads, L, head_width]
                Tensor::f_scaled_dot_product_attention(query, key, value, None::<Tensor>, 0.0, true, None, false)?
            }
            Some(bias) => {
                let query = query * (1.0 / (self.head_width as f64).sqrt());
                let scores = query.f_matmul(&key.f_transpose(-2, -1)?)? + bias;
                shares(&scores, value.kind())?.f_matmul(value)?
            }
        };
        Ok(attended.f_transpose(1, 2)?.f_reshape([batch, length, width])?)
    }

    fn list(&self, name: &str, rows: &mut Vec<Parameter>) {
        self.attention_norm.list(&format!("{name}.input_layernorm"), rows);
        self.query_key_value.list(&format!("{name}.attention.query_key_value"), rows);
        self.output.list(&format!("{name}.attention.dense"), rows);
        self.feed_norm.list(&format!("{name}.post_attention_layernorm"), rows);
        self.up.list(&format!("{name}.mlp.dense_h_to_4h"), rows);
        self.down.list(&format!("{name}.mlp.dense_4h_to_h"), rows);
    }
}

/// Softmax over the last dimension, never computed in less than float32, in this kind: under autocast the product that
/// follows stays in bfloat16.
fn shares(scores: &Tensor, kind: Kind) -> Result<Tensor, PluginError> {
    let exact = if scores.kind() == Kind::Double { Kind::Double } else { Kind::Float };
    Ok(scores.f_softmax(-1, exact)?.f_to_kind(kind)?)
}

/// The whole model.
struct GptModel {
    config: Config,
    words: Tensor,
    blocks: Vec<Block>,
    final_norm: Norm,
}

impl GptModel {
    fn new(config: Config) -> Self {
        Self {
            words: init::normal(&[config.vocab_size, config.width], INIT_STD),
            blocks: (0..config.layers).map(|_| Block::new(&config)).collect(),
            final_norm: Norm::new(config.width),
            config,
        }
    }
}

impl Model for GptModel {
    fn parameters(&self) -> Vec<Parameter> {
        let mut rows = vec![row("gpt_neox.embed_in.weight".into(), Role::Embedding, &self.words)];
        for (index, block) in self.blocks.iter().enumerate() {
            block.list(&format!("gpt_neox.layers.{index}"), &mut rows);
        }
        self.final_norm.list("gpt_neox.final_layer_norm", &mut rows);
        rows
    }

    fn hidden(&self, ids: &Tensor, mask: &Tensor, mode: AttentionMode) -> Result<Tensor, PluginError> {
        let (_, length) = ids.size2()?;
        if length > self.config.max_positions {
            let most = self.config.max_positions;
            return Err(PluginError::Shape(format!("sequences of {length} tokens, but the model has {most} positions")));
        }
        refuse_padding_on_the_left(mask, length)?;
        let bias = match mode {
            AttentionMode::Fast => None,
            AttentionMode::TwiceDifferentiable => {
                let full = Tensor::f_full([length, length], f64::NEG_INFINITY, (self.words.kind(), ids.device()))?;
                Some(full.f_triu(1)?)
            }
        };
        let heads = self.config.width / self.config.head_width;
        let call = Call { rotary: Rotary::new(length, heads, self.config.head_width, ids.device())?, bias };
        let mut hidden = Tensor::f_embedding(&self.words, ids, -1, false, false)?; // [B, L, D]
        for block in &self.blocks {
            hidden = block.forward(&hidden, &call)?;
        }
        self.final_norm.forward(&hidden)
    }

    fn logits(&self, hidden: &Tensor, positions: Option<&Tensor>) -> Result<Tensor, PluginError> {
        let flat = hidden.f_reshape([-1, self.config.width])?;
        let chosen = positions.map_or_else(|| Ok(flat.shallow_clone()), |positions| flat.f_index_select(0, positions))?;
        Ok(chosen.f_linear(&self.words, None::<Tensor>)?) // [M, V]
    }

    fn hub_config(&self) -> serde_json::Value {
        let config = &self.config;
        serde_json::json!({
            "architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox",
            "hidden_size": config.width, "num_hidden_layers": config.layers,
            "num_attention_heads": config.width / config.head_width, "intermediate_size": config.width * config.ffn_multiple,
            "vocab_size": config.vocab_size, "max_position_embeddings": config.max_positions,
            "hidden_act": "gelu", "layer_norm_eps": NORM_EPSILON, "initializer_range": INIT_STD,
            "rotary_pct": 1.0, "rotary_emb_base": rotary::BASE, "use_parallel_residual": false, "attention_bias": true,
            "hidden_dropout": 0.0, "attention_dropout": 0.0, "classifier_dropout": 0.0,
            "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3,
            "tie_word_embeddings": true, "is_decoder": true, "torch_dtype": "float32",
        })
    }
}

/// Causal attention alone keeps padding out only where padding follows the molecule.
fn refuse_padding_on_the_left(mask: &Tensor, length: i64) -> Result<(), PluginError> {
    let (before, after) = (mask.f_narrow(1, 0, length - 1)?, mask.f_narrow(1, 1, length - 1)?);
    if bool::try_from(after.f_gt_tensor(&before)?.f_any()?)? {
        return Err(PluginError::Input("a real token stands behind padding; pad causal models on the right".into()));
    }
    Ok(())
}

export_plugin! { architectures: [Gpt] }

#[cfg(test)]
mod tests;
