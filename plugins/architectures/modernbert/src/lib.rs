//! ModernBERT for masked language modelling: Warner et al. 2024, "Smarter, Better, Faster, Longer" (arXiv:2412.13663),
//! section 2.1 and appendix A: normalisation before each sub-layer and no biases, rotary positions (Su et al. 2021,
//! arXiv:2104.09864), a gated feed-forward layer (GeGLU: Shazeer 2020, arXiv:2002.05202), and attention that looks at all
//! tokens in every third block and through a window in the others. ModChemBERT (Cortes 2025, github.com/emapco/ModChemBERT)
//! is made of it, with a window of 8 tokens.
//!
//! Parameter names are those of Hugging Face `ModernBertForMaskedLM`. Initial weights have the standard deviations of the
//! original (maps onto the residual stream `0.02 / sqrt(2 L)`, all others 0.02), but are not cut off at two of them. Dropout is
//! not applied: losses are functions of the weights alone.

use clmbench_sdk::prelude::*;

mod count;
mod hub;
mod rotary;

use rotary::Rotary;

/// Standard deviation of initial weights, as in the original.
const INIT_STD: f64 = 0.02;

/// The architecture `modernbert`.
pub struct ModernBert;

/// Geometry of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Blocks.
    pub layers: i64,
    /// Width D of the hidden states.
    pub width: i64,
    /// Width of one attention head; even.
    pub head_width: i64,
    /// Width F of the gated feed-forward layer.
    pub ffn_width: i64,
    /// Block i looks at all tokens where i is a multiple of this number, and through the window elsewhere.
    pub global_every: i64,
    /// Width of the window in tokens: a token sees `window / 2` others on each side.
    pub window: i64,
    /// Base of the rotary frequencies of the blocks that look at all tokens.
    pub global_base: f64,
    /// Base of the rotary frequencies of the blocks with a window.
    pub local_base: f64,
    /// Epsilon of every layer normalisation.
    pub norm_epsilon: f64,
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
            ffn_width: params.optional_integer("ffn_width")?.unwrap_or(width * 3 / 2),
            global_every: params.integer("global_every")?,
            window: params.integer("window")?,
            global_base: params.float("global_base")?,
            local_base: params.float("local_base")?,
            norm_epsilon: params.float("norm_epsilon")?,
            vocab_size: params.integer("vocab_size")?,
            max_positions: params.integer("max_positions")?,
        };
        let head = config.head_width;
        if width % head != 0 {
            return Err(PluginError::Input(format!("width {width} is not a multiple of head_width {head}; choose one that is")));
        }
        if head % 2 != 0 {
            let text = format!("head_width {head} is odd, but rotary positions turn pairs; choose an even one");
            return Err(PluginError::Input(text));
        }
        Ok(config)
    }

    fn is_global(&self, layer: i64) -> bool {
        layer % self.global_every == 0
    }
}

impl Architecture for ModernBert {
    fn info(&self) -> ArchitectureInfo {
        let sizes = [
            ("0.07M", 2, 64, 96, 8, 2e-3),
            ("0.30M", 2, 128, 192, 8, 2e-3),
            ("0.57M", 4, 128, 192, 8, 1e-3),
            ("3.41M", 6, 256, 384, 8, 4e-4),
            // ModChemBERT, ModernBERT-base and ModernBERT-large.
            ("110.92M", 22, 768, 1152, 8, 1e-4),
            ("110.92M-window128", 22, 768, 1152, 128, 1e-4),
            ("344.25M-window128", 28, 1024, 2624, 128, 5e-5),
        ];
        let preset = |(name, layers, width, ffn_width, window, learning_rate): (&str, i64, i64, i64, i64, f64)| PresetInfo {
            name: name.into(),
            config: [("layers", layers), ("width", width), ("ffn_width", ffn_width), ("window", window)]
                .map(|(key, value)| (key.to_owned(), value.into()))
                .into_iter()
                .collect(),
            learning_rate,
            non_embedding_parameters: count::non_embedding(layers, width, ffn_width),
        };
        ArchitectureInfo {
            name: "modernbert".into(),
            doc: "Bidirectional encoder for masked language modelling (Warner et al. 2024, arXiv:2412.13663): pre-LN blocks without \
                  biases, rotary positions, GeGLU, attention to all tokens in every third block and within a window in the \
                  others. Presets are named by their non-embedding parameters: small ones and ModChemBERT with a window of 8 \
                  tokens, ModernBERT-base and -large with one of 128. Preset learning rates are starting values, not the result of \
                  a search."
                .into(),
            objective: Objective::MaskedLm,
            parameters: vec![
                ParameterInfo::integer("layers", 4, "number of blocks").between(1.0, 96.0),
                ParameterInfo::integer("width", 128, "width of the hidden states").between(8.0, 8192.0),
                ParameterInfo::integer("head_width", 64, "width of one attention head; even, divides the width").between(2.0, 512.0),
                ParameterInfo::integer("ffn_width", 0, "width of the gated feed-forward layer; three halves of the width if not set")
                    .between(1.0, 65_536.0)
                    .optional(),
                ParameterInfo::integer("global_every", 3, "blocks 0, n, 2 n ... look at all tokens, others through the window")
                    .between(1.0, 96.0),
                ParameterInfo::integer("window", 128, "width of the window in tokens, half of it on each side").between(2.0, 65_536.0),
                ParameterInfo::float("global_base", 160_000.0, "base of the rotary frequencies of blocks that look at all tokens")
                    .between(2.0, 1e9),
                ParameterInfo::float("local_base", 10_000.0, "base of the rotary frequencies of blocks with a window")
                    .between(2.0, 1e9),
                ParameterInfo::float("norm_epsilon", 1e-5, "epsilon of the layer normalisations").between(1e-12, 1e-3),
            ],
            presets: sizes.into_iter().map(preset).collect(),
            hub: Some(hub::info()),
        }
    }

    fn build(&self, config: &Params) -> Result<Box<dyn Model>, PluginError> {
        Ok(Box::new(ModernBertModel::new(Config::read(config)?)))
    }

    fn import(&self, config: &HubConfig) -> Result<ImportedConfig, PluginError> {
        hub::import(&self.info(), config)
    }
}

/// The matrix of y = x W^T.
fn map(inputs: i64, outputs: i64, std: f64) -> Tensor {
    init::normal(&[outputs, inputs], std)
}

fn apply(matrix: &Tensor, input: &Tensor) -> Result<Tensor, PluginError> {
    Ok(input.f_linear(matrix, None::<Tensor>)?)
}

/// Layer normalisation over the last dimension, without a bias.
struct Norm {
    gain: Tensor,
    epsilon: f64,
}

impl Norm {
    fn new(config: &Config) -> Self {
        Self { gain: init::constant(&[config.width], 1.0), epsilon: config.norm_epsilon }
    }

    fn forward(&self, input: &Tensor) -> Result<Tensor, PluginError> {
        Ok(input.f_layer_norm(self.gain.size(), Some(&self.gain), None::<&Tensor>, self.epsilon, false)?)
    }

    fn row(&self, name: &str) -> Parameter {
        row(format!("{name}.weight"), Role::Norm, &self.gain)
    }
}

fn row(name: String, role: Role, tensor: &Tensor) -> Parameter {
    Parameter { name, role, tensor: tensor.shallow_clone() }
}

/// What blocks of one kind, with or without the window, need to know of a call.
struct View {
    rotary: Rotary,
    /// 0 where a token may look, -inf elsewhere, [B, 1, 1, L] or [B, 1, L, L].
    bias: Tensor,
}

/// One encoder block: normalisation, self-attention, residual; normalisation, gated feed-forward, residual.
struct Block {
    /// None in the first block: the embeddings are normalised already.
    attention_norm: Option<Norm>,
    query_key_value: Tensor,
    output: Tensor,
    feed_norm: Norm,
    input_and_gate: Tensor,
    down: Tensor,
    head_width: i64,
}

impl Block {
    fn new(config: &Config, layer: i64) -> Self {
        let (width, inner) = (config.width, config.ffn_width);
        let std_out = std_out(config);
        Self {
            attention_norm: (layer > 0).then(|| Norm::new(config)),
            query_key_value: map(width, 3 * width, INIT_STD),
            output: map(width, width, std_out),
            feed_norm: Norm::new(config),
            input_and_gate: map(width, 2 * inner, INIT_STD),
            down: map(inner, width, std_out),
            head_width: config.head_width,
        }
    }

    /// `hidden` [B, L, D] -> [B, L, D].
    fn forward(&self, hidden: &Tensor, view: &View, mode: AttentionMode) -> Result<Tensor, PluginError> {
        let attended = match &self.attention_norm {
            None => self.attend(hidden, view, mode)?,
            Some(norm) => self.attend(&norm.forward(hidden)?, view, mode)?,
        };
        let hidden = apply(&self.output, &attended)?.f_add(hidden)?;
        let parts = apply(&self.input_and_gate, &self.feed_norm.forward(&hidden)?)?.f_chunk(2, -1)?;
        let [input, gate] = &parts[..] else { return Err(PluginError::Shape("no input and gate".into())) };
        let fed = input.f_gelu("none")?.f_mul(gate)?; // [B, L, F]
        Ok(apply(&self.down, &fed)?.f_add(&hidden)?)
    }

    /// Attention heads side by side, [B, L, D].
    fn attend(&self, input: &Tensor, view: &View, mode: AttentionMode) -> Result<Tensor, PluginError> {
        let (batch, length, width) = input.size3()?;
        let turned = view.rotary.turn(&apply(&self.query_key_value, input)?)?;
        let parts =
            turned.f_view([batch, length, 3, width / self.head_width, self.head_width])?.f_transpose(1, 3)?.f_unbind(2)?;
        let [query, key, value] = &parts[..] else { return Err(PluginError::Shape("no query, key and value".into())) };
        // [B, heads, L, head_width]
        let attended = match mode {
            AttentionMode::Fast => {
                Tensor::f_scaled_dot_product_attention(query, key, value, Some(&view.bias), 0.0, false, None, false)?
            }
            AttentionMode::TwiceDifferentiable => {
                let query = query.f_mul_scalar((self.head_width as f64).powf(-0.5))?;
                let scores = query.f_matmul(&key.f_transpose(-2, -1)?)?.f_add(&view.bias)?;
                shares(&scores, value.kind())?.f_matmul(value)?
            }
        };
        Ok(attended.f_transpose(1, 2)?.f_reshape([batch, length, width])?)
    }

    fn list(&self, name: &str, rows: &mut Vec<Parameter>) {
        rows.extend(self.attention_norm.as_ref().map(|norm| norm.row(&format!("{name}.attn_norm"))));
        rows.push(row(format!("{name}.attn.Wqkv.weight"), Role::Weight, &self.query_key_value));
        rows.push(row(format!("{name}.attn.Wo.weight"), Role::Weight, &self.output));
        rows.push(self.feed_norm.row(&format!("{name}.mlp_norm")));
        rows.push(row(format!("{name}.mlp.Wi.weight"), Role::Weight, &self.input_and_gate));
        rows.push(row(format!("{name}.mlp.Wo.weight"), Role::Weight, &self.down));
    }
}

/// Standard deviation of the maps onto the residual stream.
fn std_out(config: &Config) -> f64 {
    INIT_STD / (2.0 * config.layers as f64).sqrt()
}

/// Softmax over the last dimension, never computed in less than float32, in this kind: under autocast the product that
/// follows stays in bfloat16.
fn shares(scores: &Tensor, kind: Kind) -> Result<Tensor, PluginError> {
    let exact = if scores.kind() == Kind::Double { Kind::Double } else { Kind::Float };
    Ok(scores.f_softmax(-1, exact)?.f_to_kind(kind)?)
}

/// The whole model.
struct ModernBertModel {
    config: Config,
    words: Tensor,
    embedding_norm: Norm,
    blocks: Vec<Block>,
    final_norm: Norm,
    transform: Tensor,
    transform_norm: Norm,
    output_bias: Tensor,
}

impl ModernBertModel {
    fn new(config: Config) -> Self {
        let width = config.width;
        Self {
            words: init::normal(&[config.vocab_size, width], INIT_STD),
            embedding_norm: Norm::new(&config),
            blocks: (0..config.layers).map(|layer| Block::new(&config, layer)).collect(),
            final_norm: Norm::new(&config),
            transform: map(width, width, std_out(&config)),
            transform_norm: Norm::new(&config),
            output_bias: init::constant(&[config.vocab_size], 0.0),
            config,
        }
    }

    /// What blocks without and with the window need to know of a call with this mask [B, L].
    fn views(&self, mask: &Tensor) -> Result<[View; 2], PluginError> {
        let (config, (batch, length)) = (&self.config, mask.size2()?);
        let options = (self.words.kind(), mask.device());
        let heads = config.width / config.head_width;
        let bias = |hidden: &Tensor| -> Result<Tensor, PluginError> {
            Ok(Tensor::f_zeros(hidden.size(), options)?.f_masked_fill(hidden, f64::NEG_INFINITY)?)
        };
        let padding = mask.f_eq(0.0)?.f_view([batch, 1, 1, length])?;
        let global = bias(&padding)?;
        let reach = config.window / 2;
        let local = if reach >= length - 1 {
            global.shallow_clone()
        } else {
            let places = Tensor::f_arange(length, (Kind::Int64, mask.device()))?;
            let distance = places.f_unsqueeze(1)?.f_sub(&places)?.f_abs()?; // [L, L]
            let hidden = padding.f_logical_or(&distance.f_gt(reach)?)?; // [B, 1, L, L]
            // Padding far from every real token sees itself, lest its softmax be of nothing.
            bias(&hidden.f_logical_and(&distance.f_ne(0)?)?)?
        };
        let view = |base: f64, bias: Tensor| -> Result<View, PluginError> {
            Ok(View { rotary: Rotary::new(length, heads, config.head_width, base, options)?, bias })
        };
        Ok([view(config.global_base, global)?, view(config.local_base, local)?])
    }
}

impl Model for ModernBertModel {
    fn parameters(&self) -> Vec<Parameter> {
        let mut rows = vec![row("model.embeddings.tok_embeddings.weight".into(), Role::Embedding, &self.words)];
        rows.push(self.embedding_norm.row("model.embeddings.norm"));
        for (index, block) in self.blocks.iter().enumerate() {
            block.list(&format!("model.layers.{index}"), &mut rows);
        }
        rows.push(self.final_norm.row("model.final_norm"));
        rows.push(row("head.dense.weight".into(), Role::Weight, &self.transform));
        rows.push(self.transform_norm.row("head.norm"));
        rows.push(row("decoder.bias".into(), Role::OutputBias, &self.output_bias));
        rows
    }

    fn hidden(&self, ids: &Tensor, mask: &Tensor, mode: AttentionMode) -> Result<Tensor, PluginError> {
        let (_, length) = ids.size2()?;
        if length > self.config.max_positions {
            let most = self.config.max_positions;
            return Err(PluginError::Shape(format!("sequences of {length} tokens, but the model has {most} positions")));
        }
        let [global, local] = self.views(mask)?;
        let words = Tensor::f_embedding(&self.words, ids, -1, false, false)?;
        let mut hidden = self.embedding_norm.forward(&words)?; // [B, L, D]
        for (layer, block) in (0..).zip(&self.blocks) {
            let view = if self.config.is_global(layer) { &global } else { &local };
            hidden = block.forward(&hidden, view, mode)?;
        }
        self.final_norm.forward(&hidden)
    }

    fn logits(&self, hidden: &Tensor, positions: Option<&Tensor>) -> Result<Tensor, PluginError> {
        let flat = hidden.f_reshape([-1, self.config.width])?;
        let chosen = positions.map_or_else(|| Ok(flat.shallow_clone()), |positions| flat.f_index_select(0, positions))?;
        let transformed = self.transform_norm.forward(&apply(&self.transform, &chosen)?.f_gelu("none")?)?;
        Ok(transformed.f_linear(&self.words, Some(&self.output_bias))?) // [M, V]
    }

    fn hub_config(&self) -> serde_json::Value {
        let config = &self.config;
        let kind = |layer| if config.is_global(layer) { "full_attention" } else { "sliding_attention" };
        serde_json::json!({
            "architectures": ["ModernBertForMaskedLM"], "model_type": "modernbert",
            "hidden_size": config.width, "num_hidden_layers": config.layers,
            "num_attention_heads": config.width / config.head_width, "intermediate_size": config.ffn_width,
            "vocab_size": config.vocab_size, "max_position_embeddings": config.max_positions,
            "hidden_activation": "gelu", "classifier_activation": "gelu", "norm_eps": config.norm_epsilon,
            "norm_bias": false, "attention_bias": false, "mlp_bias": false, "classifier_bias": false, "decoder_bias": true,
            "initializer_range": INIT_STD, "initializer_cutoff_factor": 2.0,
            // The words of transformers 5, and those before it.
            "layer_types": (0..config.layers).map(kind).collect::<Vec<_>>(),
            "rope_parameters": {
                "full_attention": {"rope_type": "default", "rope_theta": config.global_base},
                "sliding_attention": {"rope_type": "default", "rope_theta": config.local_base},
            },
            "global_attn_every_n_layers": config.global_every, "local_attention": config.window,
            "global_rope_theta": config.global_base, "local_rope_theta": config.local_base,
            "attention_dropout": 0.0, "embedding_dropout": 0.0, "mlp_dropout": 0.0, "classifier_dropout": 0.0,
            "pad_token_id": 0, "tie_word_embeddings": true, "torch_dtype": "float32",
        })
    }
}

export_plugin! { architectures: [ModernBert] }

#[cfg(test)]
mod tests;
