//! RoBERTa for masked language modelling: Liu et al. 2019, "RoBERTa: A Robustly Optimized BERT Pretraining Approach"
//! (arXiv:1907.11692), section 3: the encoder of BERT without its pooler. ChemBERTa (Chithrananda et al. 2020,
//! arXiv:2010.09885) and ChemBERTa-2 (Ahmad et al. 2022, arXiv:2209.01712) are made of it.
//!
//! Parameter names are those of Hugging Face `RobertaForMaskedLM`, and so are the positions: real tokens are counted from
//! `padding_id + 1` on, padding has position `padding_id`, so that the table has `max_positions + padding_id + 1` rows.
//! Dropout is not applied: losses are functions of the weights alone.

use clmbench_sdk::prelude::*;

mod count;
mod hub;

/// Standard deviation of initial weights, as in the original.
const INIT_STD: f64 = 0.02;

/// The architecture `roberta`.
pub struct Roberta;

/// Non-linearity of the feed-forward layers. That of the MLM head is always the exact GELU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x Phi(x).
    Gelu,
    /// Its approximation by a hyperbolic tangent.
    GeluTanh,
    /// max(x, 0).
    Relu,
}

impl Activation {
    /// The words of Hugging Face configurations; the first of an activation is the one that is written.
    const WORDS: [(&str, Self); 4] =
        [("gelu", Self::Gelu), ("gelu_new", Self::GeluTanh), ("gelu_pytorch_tanh", Self::GeluTanh), ("relu", Self::Relu)];

    fn read(word: &str) -> Result<Self, PluginError> {
        let known = Self::WORDS.iter().find(|(known, _)| *known == word);
        known.map(|(_, activation)| *activation).ok_or_else(|| {
            let words = Self::WORDS.map(|(known, _)| known).join(", ");
            PluginError::Input(format!("activation {word} is not one of {words}"))
        })
    }

    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, activation)| *activation == self).map_or("gelu", |(word, _)| word)
    }

    fn of(self, input: &Tensor) -> Result<Tensor, PluginError> {
        Ok(match self {
            Self::Gelu => input.f_gelu("none")?,
            Self::GeluTanh => input.f_gelu("tanh")?,
            Self::Relu => input.f_relu()?,
        })
    }
}

/// Geometry of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Blocks.
    pub layers: i64,
    /// Width D of the hidden states.
    pub width: i64,
    /// Width of one attention head.
    pub head_width: i64,
    /// Width F of the feed-forward layer.
    pub ffn_width: i64,
    /// Id of the padding token; positions are counted from the next number on.
    pub padding_id: i64,
    /// Rows of the table of segments, of which only the first is used.
    pub segments: i64,
    /// Epsilon of every layer normalisation.
    pub norm_epsilon: f64,
    /// Non-linearity of the feed-forward layers.
    pub activation: Activation,
    /// Entries V of the vocabulary.
    pub vocab_size: i64,
    /// Longest sequence.
    pub max_positions: i64,
}

impl Config {
    fn read(params: &Params) -> Result<Self, PluginError> {
        let width = params.integer("width")?;
        let config = Self {
            layers: params.integer("layers")?,
            width,
            head_width: params.integer("head_width")?,
            ffn_width: params.optional_integer("ffn_width")?.unwrap_or(params.integer("ffn_multiple")? * width),
            padding_id: params.integer("padding_id")?,
            segments: params.integer("segments")?,
            norm_epsilon: params.float("norm_epsilon")?,
            activation: Activation::read(&params.text("activation")?)?,
            vocab_size: params.integer("vocab_size")?,
            max_positions: params.integer("max_positions")?,
        };
        if width % config.head_width != 0 {
            let head = config.head_width;
            return Err(PluginError::Input(format!("width {width} is not a multiple of head_width {head}; choose one that is")));
        }
        if config.padding_id >= config.vocab_size {
            let (padding, entries) = (config.padding_id, config.vocab_size);
            let text = format!("padding_id {padding} is beyond the vocabulary of {entries} entries; give the tokenizer's own");
            return Err(PluginError::Input(text));
        }
        Ok(config)
    }

    /// Rows of the table of positions.
    fn position_rows(&self) -> i64 {
        self.max_positions + self.padding_id + 1
    }
}

impl Architecture for Roberta {
    fn info(&self) -> ArchitectureInfo {
        let sizes = [
            // The geometries of `bert`, and the learning rates that were found for them there.
            ("0.05M", 1, 64, 4e-3),
            ("0.10M", 2, 64, 2e-3),
            ("0.41M", 2, 128, 2e-3),
            ("0.81M", 4, 128, 1e-3),
            ("2.26M", 5, 192, 5e-4),
            // The public ChemBERTa models of 2, 6 and 12 layers.
            ("14.77M", 2, 768, 2e-4),
            ("43.12M", 6, 768, 1e-4),
            ("85.65M", 12, 768, 1e-4),
        ];
        let preset = |(name, layers, width, learning_rate): (&str, i64, i64, f64)| PresetInfo {
            name: name.into(),
            config: [("layers".into(), layers.into()), ("width".into(), width.into())].into_iter().collect(),
            learning_rate,
            non_embedding_parameters: count::non_embedding(layers, width, 4 * width),
        };
        ArchitectureInfo {
            name: "roberta".into(),
            doc: "Bidirectional encoder for masked language modelling (Liu et al. 2019, arXiv:1907.11692; ChemBERTa, \
                  arXiv:2010.09885): post-LN blocks, learned positions counted from the padding id on, MLM head, tied decoder. \
                  Presets are named by their non-embedding parameters: five geometries of `bert` and the public ChemBERTa sizes of \
                  2, 6 and 12 layers. Learning rates are those of `bert` at the same geometry or extrapolated, not searched."
                .into(),
            objective: Objective::MaskedLm,
            parameters: vec![
                ParameterInfo::integer("layers", 4, "number of blocks").between(1.0, 96.0),
                ParameterInfo::integer("width", 128, "width of the hidden states").between(8.0, 8192.0),
                ParameterInfo::integer("head_width", 64, "width of one attention head; divides the width").between(1.0, 512.0),
                ParameterInfo::integer("ffn_multiple", 4, "width of the feed-forward layer in multiples of the width")
                    .between(1.0, 16.0),
                ParameterInfo::integer("ffn_width", 0, "width of the feed-forward layer, if it is no multiple of the width")
                    .between(1.0, 65_536.0)
                    .optional(),
                ParameterInfo::integer("padding_id", 0, "id of the padding token; positions are counted from the next number on")
                    .between(0.0, 65_535.0),
                ParameterInfo::integer("segments", 1, "rows of the segment table, of which the first is used").between(1.0, 16.0),
                ParameterInfo::float("norm_epsilon", 1e-5, "epsilon of the layer normalisations").between(1e-12, 1e-3),
                ParameterInfo::text(
                    "activation",
                    "gelu",
                    &Activation::WORDS.map(|(word, _)| word),
                    "non-linearity of the feed-forward layers",
                ),
            ],
            presets: sizes.into_iter().map(preset).collect(),
            hub: Some(hub::info()),
        }
    }

    fn build(&self, config: &Params) -> Result<Box<dyn Model>, PluginError> {
        Ok(Box::new(RobertaModel::new(Config::read(config)?)))
    }

    fn import(&self, config: &HubConfig) -> Result<ImportedConfig, PluginError> {
        hub::import(&self.info(), config)
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
    epsilon: f64,
}

impl Norm {
    fn new(config: &Config) -> Self {
        let width = [config.width];
        Self { gain: init::constant(&width, 1.0), bias: init::constant(&width, 0.0), epsilon: config.norm_epsilon }
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor, PluginError> {
        Ok(input.f_layer_norm(self.gain.size(), Some(&self.gain), Some(&self.bias), self.epsilon, false)?)
    }

    fn list(&self, name: &str, rows: &mut Vec<Parameter>) {
        rows.push(row(format!("{name}.weight"), Role::Norm, &self.gain));
        rows.push(row(format!("{name}.bias"), Role::Norm, &self.bias));
    }
}

fn row(name: String, role: Role, tensor: &Tensor) -> Parameter {
    Parameter { name, role, tensor: tensor.shallow_clone() }
}

/// One encoder block: self-attention and feed-forward, each followed by residual and normalisation.
struct Block {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    output_norm: Norm,
    head_width: i64,
    activation: Activation,
}

impl Block {
    fn new(config: &Config) -> Self {
        let (width, inner) = (config.width, config.ffn_width);
        Self {
            query: Linear::new(width, width),
            key: Linear::new(width, width),
            value: Linear::new(width, width),
            output: Linear::new(width, width),
            attention_norm: Norm::new(config),
            up: Linear::new(width, inner),
            down: Linear::new(inner, width),
            output_norm: Norm::new(config),
            head_width: config.head_width,
            activation: config.activation,
        }
    }

    /// `hidden` [B, L, D], `bias` [B, 1, 1, L] (0 real, -inf padding) -> [B, L, D].
    fn forward(&self, hidden: &Tensor, bias: &Tensor, mode: AttentionMode) -> Result<Tensor, PluginError> {
        let attended = self.output.forward(&self.attend(hidden, bias, mode)?)?;
        let hidden = self.attention_norm.forward(&attended.f_add(hidden)?)?;
        let fed = self.down.forward(&self.activation.of(&self.up.forward(&hidden)?)?)?;
        self.output_norm.forward(&fed.f_add(&hidden)?)
    }

    /// Attention heads side by side, [B, L, D].
    fn attend(&self, hidden: &Tensor, bias: &Tensor, mode: AttentionMode) -> Result<Tensor, PluginError> {
        let (batch, length, width) = hidden.size3()?;
        let split = |linear: &Linear| -> Result<Tensor, PluginError> {
            // [B, heads, L, head_width]
            Ok(linear.forward(hidden)?.f_view([batch, length, width / self.head_width, self.head_width])?.f_transpose(1, 2)?)
        };
        let (query, key, value) = (split(&self.query)?, split(&self.key)?, split(&self.value)?);
        let attended = match mode {
            AttentionMode::Fast => {
                Tensor::f_scaled_dot_product_attention(&query, &key, &value, Some(bias), 0.0, false, None, false)?
            }
            AttentionMode::TwiceDifferentiable => {
                let query = query.f_mul_scalar((self.head_width as f64).powf(-0.5))?;
                let scores = query.f_matmul(&key.f_transpose(-2, -1)?)?.f_add(bias)?;
                shares(&scores, value.kind())?.f_matmul(&value)?
            }
        };
        Ok(attended.f_transpose(1, 2)?.f_reshape([batch, length, width])?)
    }

    fn list(&self, name: &str, rows: &mut Vec<Parameter>) {
        self.query.list(&format!("{name}.attention.self.query"), rows);
        self.key.list(&format!("{name}.attention.self.key"), rows);
        self.value.list(&format!("{name}.attention.self.value"), rows);
        self.output.list(&format!("{name}.attention.output.dense"), rows);
        self.attention_norm.list(&format!("{name}.attention.output.LayerNorm"), rows);
        self.up.list(&format!("{name}.intermediate.dense"), rows);
        self.down.list(&format!("{name}.output.dense"), rows);
        self.output_norm.list(&format!("{name}.output.LayerNorm"), rows);
    }
}

/// Softmax over the last dimension, never computed in less than float32, in this kind: under autocast the product that
/// follows stays in bfloat16.
fn shares(scores: &Tensor, kind: Kind) -> Result<Tensor, PluginError> {
    let exact = if scores.kind() == Kind::Double { Kind::Double } else { Kind::Float };
    Ok(scores.f_softmax(-1, exact)?.f_to_kind(kind)?)
}

/// The whole model.
struct RobertaModel {
    config: Config,
    words: Tensor,
    positions: Tensor,
    segments: Tensor,
    embedding_norm: Norm,
    blocks: Vec<Block>,
    transform: Linear,
    transform_norm: Norm,
    output_bias: Tensor,
}

impl RobertaModel {
    fn new(config: Config) -> Self {
        let width = config.width;
        Self {
            words: init::normal(&[config.vocab_size, width], INIT_STD),
            positions: init::normal(&[config.position_rows(), width], INIT_STD),
            segments: init::normal(&[config.segments, width], INIT_STD),
            embedding_norm: Norm::new(&config),
            blocks: (0..config.layers).map(|_| Block::new(&config)).collect(),
            transform: Linear::new(width, width),
            transform_norm: Norm::new(&config),
            output_bias: init::constant(&[config.vocab_size], 0.0),
            config,
        }
    }

    /// Rows of the table of positions for `real` [B, L] (1 real, 0 padding; i64), [B, L].
    fn position_ids(&self, real: &Tensor) -> Result<Tensor, PluginError> {
        Ok(real.f_cumsum(1, Kind::Int64)?.f_mul(real)?.f_add_scalar(self.config.padding_id)?)
    }
}

impl Model for RobertaModel {
    fn parameters(&self) -> Vec<Parameter> {
        let mut rows = vec![
            row("roberta.embeddings.word_embeddings.weight".into(), Role::Embedding, &self.words),
            row("roberta.embeddings.position_embeddings.weight".into(), Role::Embedding, &self.positions),
            row("roberta.embeddings.token_type_embeddings.weight".into(), Role::Embedding, &self.segments),
        ];
        self.embedding_norm.list("roberta.embeddings.LayerNorm", &mut rows);
        for (index, block) in self.blocks.iter().enumerate() {
            block.list(&format!("roberta.encoder.layer.{index}"), &mut rows);
        }
        self.transform.list("lm_head.dense", &mut rows);
        self.transform_norm.list("lm_head.layer_norm", &mut rows);
        rows.push(row("lm_head.bias".into(), Role::OutputBias, &self.output_bias));
        rows
    }

    fn hidden(&self, ids: &Tensor, mask: &Tensor, mode: AttentionMode) -> Result<Tensor, PluginError> {
        let (batch, length) = ids.size2()?;
        if length > self.config.max_positions {
            let most = self.config.max_positions;
            return Err(PluginError::Shape(format!("sequences of {length} tokens, but the model has {most} positions")));
        }
        let padding = mask.f_eq(0.0)?; // [B, L]
        let places = self.position_ids(&padding.f_logical_not()?.f_to_kind(Kind::Int64)?)?;
        let words = Tensor::f_embedding(&self.words, ids, -1, false, false)?;
        let positions = Tensor::f_embedding(&self.positions, &places, -1, false, false)?;
        let segment = self.segments.f_select(0, 0)?;
        let mut hidden = self.embedding_norm.forward(&words.f_add(&segment)?.f_add(&positions)?)?; // [B, L, D]
        let bias = Tensor::f_zeros([batch, length], (self.words.kind(), ids.device()))?
            .f_masked_fill(&padding, f64::NEG_INFINITY)?
            .f_view([batch, 1, 1, length])?;
        for block in &self.blocks {
            hidden = block.forward(&hidden, &bias, mode)?;
        }
        Ok(hidden)
    }

    fn logits(&self, hidden: &Tensor, positions: Option<&Tensor>) -> Result<Tensor, PluginError> {
        let flat = hidden.f_reshape([-1, self.config.width])?;
        let chosen = positions.map_or_else(|| Ok(flat.shallow_clone()), |positions| flat.f_index_select(0, positions))?;
        let transformed = self.transform_norm.forward(&self.transform.forward(&chosen)?.f_gelu("none")?)?;
        Ok(transformed.f_linear(&self.words, Some(&self.output_bias))?) // [M, V]
    }

    fn hub_config(&self) -> serde_json::Value {
        let config = &self.config;
        serde_json::json!({
            "architectures": ["RobertaForMaskedLM"], "model_type": "roberta",
            "hidden_size": config.width, "num_hidden_layers": config.layers,
            "num_attention_heads": config.width / config.head_width, "intermediate_size": config.ffn_width,
            "vocab_size": config.vocab_size, "max_position_embeddings": config.position_rows(),
            "type_vocab_size": config.segments, "hidden_act": config.activation.word(),
            "layer_norm_eps": config.norm_epsilon, "initializer_range": INIT_STD, "pad_token_id": config.padding_id,
            "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "position_embedding_type": "absolute",
            "tie_word_embeddings": true, "torch_dtype": "float32",
        })
    }
}

export_plugin! { architectures: [Roberta] }

#[cfg(test)]
mod tests;
