//! GPT for causal language modelling: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section
//! 2.3 (a decoder with normalisation before each sub-layer and at the end), with the rotary positions of Su et al. 2021
//! (arXiv:2104.09864) instead of learned ones, GELU, and the output tied to the word embeddings.
//!
//! Parameter names and the order within `query_key_value` are those of Hugging Face `GPTNeoXForCausalLM` (Black et al. 2022,
//! arXiv:2204.06745). Optional parameters make the rest of that family of it: both sub-layers from the same input, positions in a part of
//! each head, an output of its own. Dropout is not applied: losses are functions of the weights alone. Padding stands on the right,
//! where causal attention never looks.

use clmbench_sdk::prelude::*;

mod count;
mod import;
mod rotary;

use rotary::Rotary;

/// Epsilon of every layer normalisation, if the configuration is silent.
const NORM_EPSILON: f64 = 1e-5;
/// Standard deviation of initial weights, as in the original.
const INIT_STD: f64 = 0.02;

/// The architecture `gpt`.
pub struct Gpt;

/// Geometry of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Blocks.
    pub layers: i64,
    /// Width D of the hidden states.
    pub width: i64,
    /// Width of one attention head; even.
    pub head_width: i64,
    /// Width of the feed-forward layer.
    pub inner: i64,
    /// Epsilon of every layer normalisation.
    pub norm_epsilon: f64,
    /// Whether both sub-layers of a block have the same input.
    pub parallel: bool,
    /// Share of each head that its position turns, 0 to 1.
    pub rotary_share: f64,
    /// Base of the rotary frequencies; 10,000 if none.
    pub rotary_base: Option<f64>,
    /// Whether the linear maps around attention have a bias.
    pub attention_bias: bool,
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
        let config = Self {
            layers: params.integer("layers")?,
            width,
            head_width: head,
            inner: match params.optional_integer("ffn_width")? {
                Some(inner) => inner,
                None => width * params.integer("ffn_multiple")?,
            },
            norm_epsilon: params.optional_float("layer_norm_eps")?.unwrap_or(NORM_EPSILON),
            parallel: params.optional_boolean("parallel_residual")?.unwrap_or(false),
            rotary_share: params.optional_float("rotary_share")?.unwrap_or(1.0),
            rotary_base: params.optional_float("rotary_base")?,
            attention_bias: params.optional_boolean("attention_bias")?.unwrap_or(true),
            tied: params.optional_boolean("tied")?.unwrap_or(true),
            vocab_size: params.integer("vocab_size")?,
            max_positions: params.integer("max_positions")?,
        };
        if width % head != 0 {
            return Err(PluginError::Input(format!("width {width} is not a multiple of head_width {head}; choose one that is")));
        }
        if head % 2 != 0 {
            let text = format!("head_width {head} is odd, but rotary positions turn pairs; choose an even one");
            return Err(PluginError::Input(text));
        }
        let (share, turned) = (config.rotary_share, config.turned());
        if turned < 2 || turned % 2 != 0 {
            let text = format!(
                "rotary_share {share} of head_width {head} is {turned}, but rotary positions turn pairs; choose one that leaves an even number"
            );
            return Err(PluginError::Input(text));
        }
        Ok(config)
    }

    /// Width of the part of each head that its position turns.
    fn turned(&self) -> i64 {
        (self.head_width as f64 * self.rotary_share) as i64
    }
}

impl Architecture for Gpt {
    fn info(&self) -> ArchitectureInfo {
        let sizes = [
            ("0.05M", 1, 64, 64, 2e-3),
            ("0.10M", 2, 64, 64, 2e-3),
            ("0.40M", 2, 128, 64, 1e-3),
            ("0.79M", 4, 128, 64, 1e-3),
            ("1.20M", 24, 64, 4, 1e-3),
            ("1.24M", 4, 160, 40, 1e-3),
            ("3.95M", 5, 256, 64, 5e-4),
            ("4.76M", 24, 128, 8, 5e-4),
            ("15.76M", 5, 512, 128, 5e-4),
            ("18.95M", 24, 256, 16, 3e-4),
            ("42.53M", 6, 768, 48, 3e-4),
            ("85.06M", 12, 768, 64, 2e-4),
            ("151.16M", 12, 1024, 64, 2e-4),
            ("277.12M", 22, 1024, 64, 2e-4),
            ("654.66M", 13, 2048, 64, 1e-4),
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
                  arXiv:2104.09864), GELU and a tied output. Presets are named by their non-embedding parameters. 1.24M, 3.95M, 15.76M, \
                  42.53M, 85.06M, 151.16M, 277.12M and 654.66M are the geometries of MLM-Scaling (arXiv:2601.22757); 1.20M, 4.76M and \
                  18.95M have the layers, widths and heads of ChemGPT (Frey et al. 2023, doi:10.1038/s42256-023-00740-3), and nothing else \
                  of it: ChemGPT is a GPT-Neo, with learned positions and local attention in every other block. Preset learning rates are \
                  starting values, not yet the result of a search."
                .into(),
            objective: Objective::CausalLm,
            parameters: vec![
                ParameterInfo::integer("layers", 4, "number of blocks").between(1.0, 96.0),
                ParameterInfo::integer("width", 128, "width of the hidden states").between(8.0, 8192.0),
                ParameterInfo::integer("head_width", 64, "width of one attention head; even, divides the width")
                    .between(2.0, 512.0),
                ParameterInfo::integer("ffn_multiple", 4, "width of the feed-forward layer in multiples of the width")
                    .between(1.0, 16.0),
                ParameterInfo::integer("ffn_width", 0, "width of the feed-forward layer, in place of ffn_multiple")
                    .between(1.0, 65_536.0)
                    .optional(),
                ParameterInfo::float("layer_norm_eps", NORM_EPSILON, "epsilon of the normalisations; 1e-5 if absent")
                    .between(0.0, 1.0)
                    .optional(),
                ParameterInfo::boolean("parallel_residual", false, "both sub-layers of a block have the same input; not so if absent")
                    .optional(),
                ParameterInfo::float("rotary_share", 1.0, "share of each head that its position turns; all of it if absent")
                    .between(0.0, 1.0)
                    .optional(),
                ParameterInfo::float("rotary_base", rotary::BASE, "base of the rotary frequencies; 10,000 if absent")
                    .between(1.0, 1e9)
                    .optional(),
                ParameterInfo::boolean("attention_bias", true, "biases around attention; there are if absent").optional(),
                ParameterInfo::boolean("tied", true, "output tied to the word embeddings; it is if absent").optional(),
            ],
            presets: sizes.into_iter().map(preset).collect(),
            hub: Some(import::hub()),
        }
    }

    fn build(&self, config: &Params) -> Result<Box<dyn Model>, PluginError> {
        Ok(Box::new(GptModel::new(Config::read(config)?)))
    }

    fn import(&self, config: &HubConfig) -> Result<ImportedConfig, PluginError> {
        import::config(&self.info(), config)
    }
}

/// y = x W^T + b.
struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    fn new(inputs: i64, outputs: i64, biased: bool) -> Self {
        let bias = biased.then(|| init::constant(&[outputs], 0.0));
        Self { weight: init::normal(&[outputs, inputs], INIT_STD), bias }
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor, PluginError> {
        Ok(input.f_linear(&self.weight, self.bias.as_ref())?)
    }

    fn list(&self, name: &str, rows: &mut Vec<Parameter>) {
        rows.push(row(format!("{name}.weight"), Role::Weight, &self.weight));
        rows.extend(self.bias.as_ref().map(|bias| row(format!("{name}.bias"), Role::Bias, bias)));
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

/// What all blocks need to know of a call.
struct Call {
    rotary: Rotary,
    /// 0 on and below the diagonal, -inf above it, [L, L]; none where the kernel knows that attention is causal.
    bias: Option<Tensor>,
}

/// One decoder block: normalisation, self-attention, residual; normalisation, feed-forward, residual. In a parallel one
/// the second normalisation sees what the first one does.
struct Block {
    attention_norm: Norm,
    query_key_value: Linear,
    output: Linear,
    feed_norm: Norm,
    up: Linear,
    down: Linear,
    head_width: i64,
    parallel: bool,
}

impl Block {
    fn new(config: &Config) -> Self {
        let (width, inner, biased) = (config.width, config.inner, config.attention_bias);
        Self {
            attention_norm: Norm::new(config),
            query_key_value: Linear::new(width, 3 * width, biased),
            output: Linear::new(width, width, biased),
            feed_norm: Norm::new(config),
            up: Linear::new(width, inner, true),
            down: Linear::new(inner, width, true),
            head_width: config.head_width,
            parallel: config.parallel,
        }
    }

    /// `hidden` [B, L, D] -> [B, L, D].
    fn forward(&self, hidden: &Tensor, call: &Call) -> Result<Tensor, PluginError> {
        let attended = self.output.forward(&self.attend(&self.attention_norm.forward(hidden)?, call)?)? + hidden;
        let seen = if self.parallel { hidden } else { &attended };
        let fed = self.up.forward(&self.feed_norm.forward(seen)?)?.f_gelu("none")?;
        Ok(self.down.forward(&fed)? + attended)
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
    /// None where it is `words`.
    output: Option<Tensor>,
}

impl GptModel {
    fn new(config: Config) -> Self {
        let table = [config.vocab_size, config.width];
        Self {
            words: init::normal(&table, INIT_STD),
            blocks: (0..config.layers).map(|_| Block::new(&config)).collect(),
            final_norm: Norm::new(&config),
            output: (!config.tied).then(|| init::normal(&table, INIT_STD)),
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
        // A table of the vocabulary as the first one is: not in the non-embedding count.
        rows.extend(self.output.as_ref().map(|output| row("embed_out.weight".into(), Role::Embedding, output)));
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
        let call = Call { rotary: Rotary::new(length, &self.config, ids.device())?, bias };
        let mut hidden = Tensor::f_embedding(&self.words, ids, -1, false, false)?; // [B, L, D]
        for block in &self.blocks {
            hidden = block.forward(&hidden, &call)?;
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

export_plugin! { architectures: [Gpt] }

#[cfg(test)]
mod tests;
