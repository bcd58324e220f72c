//! MoLFormer for masked language modelling: Ross et al. 2022, "Large-Scale Chemical Language Representations Capture
//! Molecular Structure and Properties" (Nature Machine Intelligence 4, 1256; arXiv:2106.09553), section 2: an encoder whose
//! queries and keys are turned by their positions (Su et al. 2021, arXiv:2104.09864) and whose attention is linear in the
//! length (Katharopoulos et al. 2020, arXiv:2006.16236, equations 4 to 6) over generalised random features (Choromanski
//! et al. 2021, arXiv:2009.14794, section 2.2): with phi(x) = relu(x W),
//!
//! `out_i = sum_j (phi(q_i) . phi(k_j)) v_j / max(sum_j phi(q_i) . phi(k_j), epsilon)`.
//!
//! Blocks normalise after each sub-layer; there is no normalisation of the embeddings, but one of the last hidden states.
//! Parameter names are those of `MolformerForMaskedLM` (the code beside ibm/MoLFormer-XL-both-10pct). That code may draw W anew
//! at every call; here it is drawn once, orthogonally as there, and kept with the weights, so that a loss is a function of them.
//! Dropout is not applied.

use clmbench_sdk::prelude::*;

mod count;
mod import;
mod rotary;

use rotary::Rotary;

/// Epsilon of every layer normalisation, if the configuration is silent.
const NORM_EPSILON: f64 = 1e-12;
/// Smallest divisor of an attention row, if the configuration is silent.
const ATTENTION_EPSILON: f64 = 1e-6;
/// Standard deviation of initial weights.
const INIT_STD: f64 = 0.02;

/// The architecture `molformer`.
pub struct Molformer;

/// Geometry of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Blocks.
    pub layers: i64,
    /// Width D of the hidden states.
    pub width: i64,
    /// Width of one attention head; even.
    pub head_width: i64,
    /// Random features F of a head.
    pub features: i64,
    /// Width of the feed-forward layer.
    pub inner: i64,
    /// Epsilon of every layer normalisation.
    pub norm_epsilon: f64,
    /// Smallest divisor of an attention row.
    pub attention_epsilon: f64,
    /// Whether the decoder is the table of the word embeddings.
    pub tied: bool,
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
            features: params.integer("features")?,
            inner: params.optional_integer("ffn_width")?.unwrap_or(width),
            norm_epsilon: params.optional_float("layer_norm_eps")?.unwrap_or(NORM_EPSILON),
            attention_epsilon: params.optional_float("attention_eps")?.unwrap_or(ATTENTION_EPSILON),
            tied: params.optional_boolean("tied")?.unwrap_or(false),
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
}

impl Architecture for Molformer {
    fn info(&self) -> ArchitectureInfo {
        let sizes = [
            ("0.03M", 1, 64, 2e-3),
            ("0.05M", 2, 64, 2e-3),
            ("0.42M", 4, 128, 1e-3),
            ("2.44M", 6, 256, 5e-4),
            ("12.89M", 8, 512, 3e-4),
            ("43.15M", 12, 768, 2e-4),
        ];
        let preset = |(name, layers, width, learning_rate): (&str, i64, i64, f64)| PresetInfo {
            name: name.into(),
            config: [("layers".into(), layers.into()), ("width".into(), width.into())].into_iter().collect(),
            learning_rate,
            non_embedding_parameters: count::non_embedding(layers, width, width),
        };
        ArchitectureInfo {
            name: "molformer".into(),
            doc: "MoLFormer (Ross et al. 2022, arXiv:2106.09553): bidirectional encoder for masked language modelling with linear \
                  attention over 32 random features, rotary positions and a feed-forward layer as wide as the model. Both attention \
                  modes are one: there is no quadratic path. Presets are named by their non-embedding parameters; 43.15M is \
                  the published MoLFormer-XL (46.8M with both tables of its 2,362 tokens). Preset learning rates are starting values, not \
                  the result of a search. A folder that says `deterministic_eval` is false, whose own code draws new random features at \
                  every call, is computed with the features of its file."
                .into(),
            objective: Objective::MaskedLm,
            parameters: vec![
                ParameterInfo::integer("layers", 4, "number of blocks").between(1.0, 96.0),
                ParameterInfo::integer("width", 128, "width of the hidden states").between(8.0, 8192.0),
                ParameterInfo::integer("head_width", 64, "width of one attention head; even, divides the width")
                    .between(2.0, 512.0),
                ParameterInfo::integer("features", 32, "random features of each head").between(1.0, 1024.0),
                ParameterInfo::integer("ffn_width", 0, "width of the feed-forward layer; the width of the model if absent")
                    .between(1.0, 65_536.0)
                    .optional(),
                ParameterInfo::float("layer_norm_eps", NORM_EPSILON, "epsilon of the normalisations; 1e-12 if absent")
                    .between(0.0, 1.0)
                    .optional(),
                ParameterInfo::float("attention_eps", ATTENTION_EPSILON, "smallest divisor of attention; 1e-6 if absent")
                    .between(1e-12, 1.0)
                    .optional(),
                ParameterInfo::boolean("tied", false, "decoder tied to the word embeddings; a table of its own if absent")
                    .optional(),
            ],
            presets: sizes.into_iter().map(preset).collect(),
            hub: Some(import::hub()),
        }
    }

    fn build(&self, config: &Params) -> Result<Box<dyn Model>, PluginError> {
        Ok(Box::new(MolformerModel::new(Config::read(config)?)?))
    }

    fn import(&self, config: &HubConfig) -> Result<ImportedConfig, PluginError> {
        import::config(&self.info(), config)
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

/// Random features W [head_width, F]: columns of orthogonal matrices, each scaled to the length of a normal vector
/// (Choromanski et al. 2021, section 3.2), a new matrix for every `head_width` columns.
fn random_features(head_width: i64, features: i64) -> Result<Tensor, PluginError> {
    let square = || -> Result<Tensor, PluginError> {
        let normal = Tensor::f_randn([head_width, head_width], (Kind::Float, Device::Cpu))?;
        let lengths = normal.f_norm_scalaropt_dim(2, [1], false)?; // [head_width]
        let (orthogonal, _) = Tensor::f_linalg_qr(&normal, "reduced")?;
        Ok(orthogonal.f_mul(&lengths)?)
    };
    let draw = || -> Result<Tensor, PluginError> {
        let squares = (0..features).step_by(head_width as usize).map(|_| square()).collect::<Result<Vec<_>, _>>()?;
        Ok(Tensor::f_cat(&squares, 1)?.f_narrow(1, 0, features)?.f_contiguous()?)
    };
    let mut failed = None;
    let drawn = init::fixed(&[head_width, features], || {
        draw().unwrap_or_else(|error| {
            failed = Some(error);
            Tensor::new()
        })
    });
    failed.map_or(Ok(drawn), Err)
}

/// What all blocks need to know of a call.
struct Call {
    rotary: Rotary,
    /// 1 for real tokens, 0 for padding, [B, 1, L, 1].
    real: Tensor,
}

/// One encoder block: self-attention and feed-forward, each followed by residual and normalisation.
struct Block {
    query: Linear,
    key: Linear,
    value: Linear,
    /// Random features, not trained, [head_width, F].
    features: Tensor,
    output: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    output_norm: Norm,
    heads: i64,
    epsilon: f64,
}

impl Block {
    fn new(config: &Config) -> Result<Self, PluginError> {
        let (width, inner) = (config.width, config.inner);
        Ok(Self {
            query: Linear::new(width, width),
            key: Linear::new(width, width),
            value: Linear::new(width, width),
            features: random_features(config.head_width, config.features)?,
            output: Linear::new(width, width),
            attention_norm: Norm::new(config),
            up: Linear::new(width, inner),
            down: Linear::new(inner, width),
            output_norm: Norm::new(config),
            heads: width / config.head_width,
            epsilon: config.attention_epsilon,
        })
    }

    /// `hidden` [B, L, D] -> [B, L, D].
    fn forward(&self, hidden: &Tensor, call: &Call) -> Result<Tensor, PluginError> {
        let attended = self.output.forward(&self.attend(hidden, call)?)?;
        let hidden = self.attention_norm.forward(&(attended + hidden))?;
        let fed = self.down.forward(&self.up.forward(&hidden)?.f_gelu("none")?)?;
        self.output_norm.forward(&(fed + hidden))
    }

    /// Attention heads side by side, [B, L, D], at a cost of B L D F: no product of all pairs of positions is formed.
    fn attend(&self, hidden: &Tensor, call: &Call) -> Result<Tensor, PluginError> {
        let (batch, length, width) = hidden.size3()?;
        let split = |linear: &Linear| -> Result<Tensor, PluginError> {
            // [B, heads, L, head_width]
            Ok(linear.forward(hidden)?.f_view([batch, length, self.heads, width / self.heads])?.f_transpose(1, 2)?)
        };
        // phi of a turned query or key, [B, heads, L, F].
        let phi = |linear: &Linear| -> Result<Tensor, PluginError> {
            Ok(call.rotary.turn(&split(linear)?)?.f_matmul(&self.features)?.f_relu()?)
        };
        let (query, key) = (phi(&self.query)?, phi(&self.key)?.f_mul(&call.real)?);
        let mixed = key.f_transpose(-2, -1)?.f_matmul(&split(&self.value)?)?; // [B, heads, F, head_width]
        let all_keys = key.f_sum_dim_intlist([-2_i64].as_slice(), true, None::<Kind>)?.f_transpose(-2, -1)?; // [B, heads, F, 1]
        let total = query.f_matmul(&all_keys)?.f_clamp_min(self.epsilon)?; // [B, heads, L, 1]
        let attended = query.f_matmul(&mixed)?.f_div(&total)?;
        Ok(attended.f_transpose(1, 2)?.f_reshape([batch, length, width])?)
    }

    fn list(&self, name: &str, rows: &mut Vec<Parameter>) {
        self.query.list(&format!("{name}.attention.self.query"), rows);
        self.key.list(&format!("{name}.attention.self.key"), rows);
        self.value.list(&format!("{name}.attention.self.value"), rows);
        rows.push(row(format!("{name}.attention.self.feature_map.weight"), Role::Fixed, &self.features));
        self.output.list(&format!("{name}.attention.output.dense"), rows);
        self.attention_norm.list(&format!("{name}.attention.output.LayerNorm"), rows);
        self.up.list(&format!("{name}.intermediate.dense"), rows);
        self.down.list(&format!("{name}.output.dense"), rows);
        self.output_norm.list(&format!("{name}.output.LayerNorm"), rows);
    }
}

/// The whole model.
struct MolformerModel {
    config: Config,
    words: Tensor,
    blocks: Vec<Block>,
    final_norm: Norm,
    transform: Linear,
    transform_norm: Norm,
    /// None where it is `words`.
    decoder: Option<Tensor>,
}

impl MolformerModel {
    fn new(config: Config) -> Result<Self, PluginError> {
        let table = [config.vocab_size, config.width];
        Ok(Self {
            words: init::normal(&table, INIT_STD),
            blocks: (0..config.layers).map(|_| Block::new(&config)).collect::<Result<_, _>>()?,
            final_norm: Norm::new(&config),
            transform: Linear::new(config.width, config.width),
            transform_norm: Norm::new(&config),
            decoder: (!config.tied).then(|| init::normal(&table, INIT_STD)),
            config,
        })
    }
}

impl Model for MolformerModel {
    fn parameters(&self) -> Vec<Parameter> {
        let mut rows = vec![row("molformer.embeddings.word_embeddings.weight".into(), Role::Embedding, &self.words)];
        for (index, block) in self.blocks.iter().enumerate() {
            block.list(&format!("molformer.encoder.layer.{index}"), &mut rows);
        }
        self.final_norm.list("molformer.LayerNorm", &mut rows);
        self.transform.list("lm_head.transform.dense", &mut rows);
        self.transform_norm.list("lm_head.transform.LayerNorm", &mut rows);
        // A table of the vocabulary as the first one is: not in the non-embedding count.
        rows.extend(self.decoder.as_ref().map(|decoder| row("lm_head.decoder.weight".into(), Role::Embedding, decoder)));
        rows
    }

    /// Both modes are the same computation: it is linear in the length as it stands, and twice differentiable.
    fn hidden(&self, ids: &Tensor, mask: &Tensor, _: AttentionMode) -> Result<Tensor, PluginError> {
        let (batch, length) = ids.size2()?;
        if length > self.config.max_positions {
            let most = self.config.max_positions;
            return Err(PluginError::Shape(format!("sequences of {length} tokens, but the model has {most} positions")));
        }
        let call = Call {
            rotary: Rotary::new(length, self.config.head_width, self.words.kind(), ids.device())?,
            real: mask.f_view([batch, 1, length, 1])?,
        };
        let mut hidden = Tensor::f_embedding(&self.words, ids, -1, false, false)?; // [B, L, D]
        for block in &self.blocks {
            hidden = block.forward(&hidden, &call)?;
        }
        self.final_norm.forward(&hidden)
    }

    fn logits(&self, hidden: &Tensor, positions: Option<&Tensor>) -> Result<Tensor, PluginError> {
        let flat = hidden.f_reshape([-1, self.config.width])?;
        let chosen = positions.map_or_else(|| Ok(flat.shallow_clone()), |positions| flat.f_index_select(0, positions))?;
        let transformed = self.transform_norm.forward(&self.transform.forward(&chosen)?.f_gelu("none")?)?;
        Ok(transformed.f_linear(self.decoder.as_ref().unwrap_or(&self.words), None::<Tensor>)?) // [M, V]
    }

    fn hub_config(&self) -> serde_json::Value {
        import::hub_config(&self.config)
    }
}

export_plugin! { architectures: [Molformer] }

#[cfg(test)]
mod tests;
