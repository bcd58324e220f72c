//! GPT-2 for causal language modelling: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3:
//! a decoder with learned positions, normalisation before each sub-layer and at the end, GELU (in the approximation by tanh), and
//! the output tied to the word embeddings. As chemical language models: MolGPT (Bagal et al. 2022, doi:10.1021/acs.jcim.1c00600) and
//! many others.
//!
//! Parameter names, and matrices that stand as [inputs, outputs], are those of Hugging Face `GPT2LMHeadModel`. Dropout is not applied:
//! losses are functions of the weights alone. Padding stands on the right, where causal attention never looks.

use clmbench_sdk::prelude::*;

mod count;
mod import;

/// Epsilon of every layer normalisation, if the configuration is silent.
const NORM_EPSILON: f64 = 1e-5;
/// Standard deviation of initial weights, as in the original; of the maps into the residual stream by sqrt(2 L) smaller.
const INIT_STD: f64 = 0.02;
/// Words for the activations that there are; the first if the configuration is silent.
const ACTIVATIONS: [&str; 2] = ["gelu_new", "gelu"];

/// The architecture `gpt2`.
pub struct Gpt2;

/// What stands between the two maps of a feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// GELU approximated by tanh.
    Tanh,
    /// GELU.
    Exact,
}

impl Activation {
    fn read(word: &str) -> Result<Self, PluginError> {
        match word {
            "gelu_new" => Ok(Self::Tanh),
            "gelu" => Ok(Self::Exact),
            _ => Err(PluginError::Input(format!("activation `{word}`; there are `{}`", ACTIVATIONS.join("`, `")))),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Tanh => ACTIVATIONS[0],
            Self::Exact => ACTIVATIONS[1],
        }
    }

    fn apply(self, input: &Tensor) -> Result<Tensor, PluginError> {
        Ok(input.f_gelu(if self == Self::Tanh { "tanh" } else { "none" })?)
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
    /// Width of the feed-forward layer.
    pub inner: i64,
    /// Epsilon of every layer normalisation.
    pub norm_epsilon: f64,
    /// Of the feed-forward layer.
    pub activation: Activation,
    /// Whether the output is the table of the word embeddings.
    pub tied: bool,
    /// Entries V of the vocabulary.
    pub vocab_size: i64,
    /// Longest sequence.
    pub max_positions: i64,
}

impl Config {
    fn read(params: &Params) -> Result<Self, PluginError> {
        let (width, head) = (params.integer("width")?, params.integer("head_width")?);
        if width % head != 0 {
            return Err(PluginError::Input(format!("width {width} is not a multiple of head_width {head}; choose one that is")));
        }
        Ok(Self {
            layers: params.integer("layers")?,
            width,
            head_width: head,
            inner: params.optional_integer("ffn_width")?.unwrap_or(4 * width),
            norm_epsilon: params.optional_float("layer_norm_eps")?.unwrap_or(NORM_EPSILON),
            activation: Activation::read(&params.optional_text("activation")?.unwrap_or_else(|| ACTIVATIONS[0].into()))?,
            tied: params.optional_boolean("tied")?.unwrap_or(true),
            vocab_size: params.integer("vocab_size")?,
            max_positions: params.integer("max_positions")?,
        })
    }
}

impl Architecture for Gpt2 {
    fn info(&self) -> ArchitectureInfo {
        let sizes = [
            ("0.05M", 1, 64, 64, 2e-3),
            ("0.10M", 2, 64, 64, 2e-3),
            ("0.79M", 4, 128, 64, 1e-3),
            ("6.32M", 8, 256, 32, 5e-4),
            ("25.22M", 8, 512, 64, 3e-4),
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
            name: "gpt2".into(),
            doc: "GPT-2 (Radford et al. 2019): causal decoder with learned positions, normalisation before each sub-layer and a tied \
                  output. Presets are named by their non-embedding parameters; 6.32M has the 8 layers, 8 heads and width of MolGPT (Bagal \
                  et al. 2022, doi:10.1021/acs.jcim.1c00600), 85.06M is the smallest GPT-2. Preset learning rates are starting values, \
                  not the result of a search."
                .into(),
            objective: Objective::CausalLm,
            parameters: vec![
                ParameterInfo::integer("layers", 4, "number of blocks").between(1.0, 96.0),
                ParameterInfo::integer("width", 128, "width of the hidden states").between(8.0, 8192.0),
                ParameterInfo::integer("head_width", 64, "width of one attention head; divides the width").between(1.0, 512.0),
                ParameterInfo::integer("ffn_width", 0, "width of the feed-forward layer; four times the width if absent")
                    .between(1.0, 65_536.0)
                    .optional(),
                ParameterInfo::float("layer_norm_eps", NORM_EPSILON, "epsilon of the normalisations; 1e-5 if absent")
                    .between(0.0, 1.0)
                    .optional(),
                ParameterInfo::text("activation", ACTIVATIONS[0], &ACTIVATIONS, "GELU by tanh, or exact; gelu_new if absent")
                    .optional(),
                ParameterInfo::boolean("tied", true, "output tied to the word embeddings; it is if absent").optional(),
            ],
            presets: sizes.into_iter().map(preset).collect(),
            hub: Some(import::hub()),
        }
    }

    fn build(&self, config: &Params) -> Result<Box<dyn Model>, PluginError> {
        Ok(Box::new(Gpt2Model::new(Config::read(config)?)))
    }

    fn import(&self, config: &HubConfig) -> Result<ImportedConfig, PluginError> {
        import::config(&self.info(), config)
    }
}

/// y = x W + b, W [inputs, outputs].
struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    fn new(inputs: i64, outputs: i64, std: f64) -> Self {
        Self { weight: init::normal(&[inputs, outputs], std), bias: init::constant(&[outputs], 0.0) }
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor, PluginError> {
        Ok(input.f_linear(&self.weight.f_transpose(0, 1)?, Some(&self.bias))?)
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
        let shape = [config.width];
        Self { gain: init::constant(&shape, 1.0), bias: init::constant(&shape, 0.0), epsilon: config.norm_epsilon }
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

/// One decoder block: normalisation, self-attention, residual; normalisation, feed-forward, residual.
struct Block {
    attention_norm: Norm,
    query_key_value: Linear,
    output: Linear,
    feed_norm: Norm,
    up: Linear,
    down: Linear,
    head_width: i64,
    activation: Activation,
}

impl Block {
    fn new(config: &Config) -> Self {
        let (width, inner) = (config.width, config.inner);
        let into_stream = INIT_STD / (2.0 * config.layers as f64).sqrt();
        Self {
            attention_norm: Norm::new(config),
            query_key_value: Linear::new(width, 3 * width, INIT_STD),
            output: Linear::new(width, width, into_stream),
            feed_norm: Norm::new(config),
            up: Linear::new(width, inner, INIT_STD),
            down: Linear::new(inner, width, into_stream),
            head_width: config.head_width,
            activation: config.activation,
        }
    }

    /// `hidden` [B, L, D] -> [B, L, D]. `bias` is 0 on and below the diagonal, -inf above it, [L, L]; none where the kernel knows
    /// that attention is causal.
    fn forward(&self, hidden: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, PluginError> {
        let attended = self.attend(&self.attention_norm.forward(hidden)?, bias)?;
        let hidden = self.output.forward(&attended)? + hidden;
        let fed = self.activation.apply(&self.up.forward(&self.feed_norm.forward(&hidden)?)?)?;
        Ok(self.down.forward(&fed)? + hidden)
    }

    /// Attention heads side by side, [B, L, D].
    fn attend(&self, input: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, PluginError> {
        let (batch, length, width) = input.size3()?;
        let all = self.query_key_value.forward(input)?;
        let parts = all.f_view([batch, length, 3, width / self.head_width, self.head_width])?.f_transpose(1, 3)?.f_unbind(2)?;
        let [query, key, value] = &parts[..] else { return Err(PluginError::Shape("no query, key and value".into())) };
        let attended = match bias {
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
        self.attention_norm.list(&format!("{name}.ln_1"), rows);
        self.query_key_value.list(&format!("{name}.attn.c_attn"), rows);
        self.output.list(&format!("{name}.attn.c_proj"), rows);
        self.feed_norm.list(&format!("{name}.ln_2"), rows);
        self.up.list(&format!("{name}.mlp.c_fc"), rows);
        self.down.list(&format!("{name}.mlp.c_proj"), rows);
    }
}

/// Softmax over the last dimension, never computed in less than float32, in this kind: under autocast the product that
/// follows stays in bfloat16.
fn shares(scores: &Tensor, kind: Kind) -> Result<Tensor, PluginError> {
    let exact = if scores.kind() == Kind::Double { Kind::Double } else { Kind::Float };
    Ok(scores.f_softmax(-1, exact)?.f_to_kind(kind)?)
}

/// The whole model.
struct Gpt2Model {
    config: Config,
    words: Tensor,
    positions: Tensor,
    blocks: Vec<Block>,
    final_norm: Norm,
    /// None where it is `words`.
    output: Option<Tensor>,
}

impl Gpt2Model {
    fn new(config: Config) -> Self {
        let table = [config.vocab_size, config.width];
        Self {
            words: init::normal(&table, INIT_STD),
            positions: init::normal(&[config.max_positions, config.width], INIT_STD),
            blocks: (0..config.layers).map(|_| Block::new(&config)).collect(),
            final_norm: Norm::new(&config),
            output: (!config.tied).then(|| init::normal(&table, INIT_STD)),
            config,
        }
    }
}

impl Model for Gpt2Model {
    fn parameters(&self) -> Vec<Parameter> {
        let mut rows = vec![
            row("transformer.wte.weight".into(), Role::Embedding, &self.words),
            row("transformer.wpe.weight".into(), Role::Embedding, &self.positions),
        ];
        for (index, block) in self.blocks.iter().enumerate() {
            block.list(&format!("transformer.h.{index}"), &mut rows);
        }
        self.final_norm.list("transformer.ln_f", &mut rows);
        // A table of the vocabulary as the first one is: not in the non-embedding count.
        rows.extend(self.output.as_ref().map(|output| row("lm_head.weight".into(), Role::Embedding, output)));
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
        let words = Tensor::f_embedding(&self.words, ids, -1, false, false)?;
        let mut hidden = words + self.positions.f_narrow(0, 0, length)?; // [B, L, D]
        for block in &self.blocks {
            hidden = block.forward(&hidden, bias.as_ref())?;
        }
        self.final_norm.forward(&hidden)
    }

    fn logits(&self, hidden: &Tensor, positions: Option<&Tensor>) -> Result<Tensor, PluginError> {
        let flat = hidden.f_reshape([-1, self.config.width])?;
        let chosen = positions.map_or_else(|| Ok(flat.shallow_clone()), |positions| flat.f_index_select(0, positions))?;
        Ok(chosen.f_linear(self.output.as_ref().unwrap_or(&self.words), None::<Tensor>)?) // [M, V]
    }

    fn hub_config(&self) -> serde_json::Value {
        import::hub_config(&self.config)
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

export_plugin! { architectures: [Gpt2] }

#[cfg(test)]
mod tests;
