//! The model of the bundled checkpoints: one pre-norm transformer block (Vaswani et al. 2017; Xiong et al. 2020), learned
//! positions, tied decoder, for either objective. Plain products throughout, so that both attention modes are one.

use clmbench_api::{AttentionMode, Role};
use clmbench_protocol::Objective;
use clmbench_sdk::{Model as SdkModel, Parameter, PluginError, init, model_box};
use tch::{Kind, Tensor};

use crate::{
    failure::Result,
    model::{Model, Vocabulary},
    seed,
};

const WIDTH: i64 = 32;
const HEADS: i64 = 2;
const INNER: i64 = 64;
const STD: f64 = 0.05;

struct Small {
    objective: Objective,
    rows: Vec<(&'static str, Role, Tensor)>,
}

impl Small {
    /// The parameter of this name, which is one of those of [`build`].
    fn of(&self, name: &str) -> std::result::Result<&Tensor, PluginError> {
        let found = self.rows.iter().find(|row| row.0 == name).map(|row| &row.2);
        found.ok_or_else(|| PluginError::other(format!("no parameter `{name}`")))
    }

    fn norm(&self, input: &Tensor, name: [&str; 2]) -> std::result::Result<Tensor, PluginError> {
        Ok(input.f_layer_norm([WIDTH], Some(self.of(name[0])?), Some(self.of(name[1])?), 1e-5, false)?)
    }
}

impl SdkModel for Small {
    fn parameters(&self) -> Vec<Parameter> {
        let rows = self.rows.iter();
        rows.map(|(name, role, tensor)| Parameter { name: (*name).into(), role: *role, tensor: tensor.shallow_clone() }).collect()
    }

    fn hidden(&self, ids: &Tensor, mask: &Tensor, _mode: AttentionMode) -> std::result::Result<Tensor, PluginError> {
        let (batch, length) = ids.size2()?;
        let words = Tensor::f_embedding(self.of("words.weight")?, ids, -1, false, false)?; // [B, L, D]
        let hidden = words + self.of("positions.weight")?.f_narrow(0, 0, length)?;
        // Who sees whom: every real token, or those up to oneself. [B, 1, 1 or L, L]
        let seen = mask.f_view([batch, 1, 1, length])?;
        let seen = match self.objective {
            Objective::MaskedLm => seen,
            Objective::CausalLm => seen * mask.f_new_ones([length, length], (Kind::Float, mask.device()))?.f_tril(0)?,
        };
        let bias = seen.f_zeros_like()?.f_masked_fill(&seen.f_eq(0.0)?, f64::NEG_INFINITY)?;
        let parts =
            self.norm(&hidden, ["norm1.weight", "norm1.bias"])?.f_linear(self.of("attention.in.weight")?, None::<Tensor>)?;
        let split = |part: i64| -> std::result::Result<Tensor, PluginError> {
            let part = parts.f_narrow(2, part * WIDTH, WIDTH)?;
            Ok(part.f_reshape([batch, length, HEADS, WIDTH / HEADS])?.f_transpose(1, 2)?) // [B, H, L, D/H]
        };
        let scores = split(0)?.f_matmul(&split(1)?.f_transpose(-2, -1)?)? / ((WIDTH / HEADS) as f64).sqrt();
        let mixed = (scores + bias).f_softmax(-1, Kind::Float)?.f_matmul(&split(2)?)?;
        let mixed = mixed.f_transpose(1, 2)?.f_reshape([batch, length, WIDTH])?;
        let hidden = hidden + mixed.f_linear(self.of("attention.out.weight")?, None::<Tensor>)?;
        let fed = self.norm(&hidden, ["norm2.weight", "norm2.bias"])?;
        let fed = fed.f_linear(self.of("up.weight")?, Some(self.of("up.bias")?))?.f_gelu("none")?;
        let hidden = hidden + fed.f_linear(self.of("down.weight")?, Some(self.of("down.bias")?))?;
        self.norm(&hidden, ["norm3.weight", "norm3.bias"])
    }

    fn logits(&self, hidden: &Tensor, positions: Option<&Tensor>) -> std::result::Result<Tensor, PluginError> {
        let flat = hidden.f_reshape([-1, WIDTH])?;
        let chosen = positions.map_or_else(|| Ok(flat.shallow_clone()), |positions| flat.f_index_select(0, positions))?;
        Ok(chosen.f_linear(self.of("words.weight")?, Some(self.of("output.bias")?))?)
    }

    fn hub_config(&self) -> serde_json::Value {
        serde_json::json!({ "model_type": "clmbench-sample" })
    }
}

/// The model with fresh weights, the same every time.
///
/// # Errors
/// Whatever libtorch refuses.
pub fn build(objective: Objective, vocabulary: Vocabulary) -> Result<Model> {
    let rows = seed::drawn(11, || initial(&vocabulary));
    Model::from_box(model_box(Box::new(Small { objective, rows })), vocabulary)
}

fn initial(vocabulary: &Vocabulary) -> Vec<(&'static str, Role, Tensor)> {
    let (entries, longest) = (vocabulary.size as i64, vocabulary.max_tokens as i64);
    vec![
        ("words.weight", Role::Embedding, init::normal(&[entries, WIDTH], STD)),
        ("positions.weight", Role::Embedding, init::normal(&[longest, WIDTH], STD)),
        ("norm1.weight", Role::Norm, init::constant(&[WIDTH], 1.0)),
        ("norm1.bias", Role::Norm, init::constant(&[WIDTH], 0.0)),
        ("attention.in.weight", Role::Weight, init::normal(&[3 * WIDTH, WIDTH], STD)),
        ("attention.out.weight", Role::Weight, init::normal(&[WIDTH, WIDTH], STD)),
        ("norm2.weight", Role::Norm, init::constant(&[WIDTH], 1.0)),
        ("norm2.bias", Role::Norm, init::constant(&[WIDTH], 0.0)),
        ("up.weight", Role::Weight, init::normal(&[INNER, WIDTH], STD)),
        ("up.bias", Role::Bias, init::constant(&[INNER], 0.0)),
        ("down.weight", Role::Weight, init::normal(&[WIDTH, INNER], STD)),
        ("down.bias", Role::Bias, init::constant(&[WIDTH], 0.0)),
        ("norm3.weight", Role::Norm, init::constant(&[WIDTH], 1.0)),
        ("norm3.bias", Role::Norm, init::constant(&[WIDTH], 0.0)),
        ("output.bias", Role::OutputBias, init::constant(&[entries], 0.0)),
    ]
}
