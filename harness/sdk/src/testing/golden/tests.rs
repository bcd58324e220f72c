#![allow(clippy::unwrap_used)]

use clmbench_api::{AttentionMode, Role};
use clmbench_protocol::{ArchitectureInfo, HubInfo, ImportedConfig, Objective, ParameterInfo};
use tch::{Device, Kind, Tensor};

use super::{assert_golden, golden};
use crate::{Architecture, HubConfig, Model, Parameter, Params, PluginError, init};

/// Hidden states are rows of a table, logits their products with it; `skew` spoils the second attention mode.
struct Table {
    skew: f64,
}

struct Built {
    words: Tensor,
    unused: Tensor,
    skew: f64,
}

impl Architecture for Table {
    fn info(&self) -> ArchitectureInfo {
        let hub = HubInfo {
            model_types: vec!["table".into()],
            prefix: "table.".into(),
            renamed: vec![("gamma".into(), "weight".into())],
            tied: vec![("output.weight".into(), "table.words.weight".into())],
            ignored: vec!["position_ids".into()],
            optional: vec!["table.unused".into()],
            ..HubInfo::default()
        };
        ArchitectureInfo {
            name: "table".into(),
            doc: String::new(),
            objective: Objective::CausalLm,
            parameters: vec![ParameterInfo::integer("width", 2, "width")],
            presets: vec![],
            hub: Some(hub),
        }
    }

    fn build(&self, config: &Params) -> Result<Box<dyn Model>, PluginError> {
        let shape = [config.integer("vocab_size")?, config.integer("width")?];
        Ok(Box::new(Built { words: init::normal(&shape, 1.0), unused: init::constant(&[3], 0.0), skew: self.skew }))
    }

    fn import(&self, config: &HubConfig) -> Result<ImportedConfig, PluginError> {
        let width = [("width".to_owned(), config.integer("hidden_size")?.into())];
        Ok(ImportedConfig {
            config: width.into_iter().collect(),
            vocab_size: config.integer("vocab_size")? as u64,
            max_positions: 9,
        })
    }
}

impl Model for Built {
    fn parameters(&self) -> Vec<Parameter> {
        let row =
            |name: &str, tensor: &Tensor| Parameter { name: name.into(), role: Role::Weight, tensor: tensor.shallow_clone() };
        vec![row("table.words.weight", &self.words), row("table.unused", &self.unused)]
    }

    fn hidden(&self, ids: &Tensor, _: &Tensor, mode: AttentionMode) -> Result<Tensor, PluginError> {
        let factor = if mode == AttentionMode::Fast { 1.0 } else { 1.0 + self.skew };
        Ok(Tensor::f_embedding(&self.words, ids, -1, false, false)? * factor)
    }

    fn logits(&self, hidden: &Tensor, positions: Option<&Tensor>) -> Result<Tensor, PluginError> {
        let rows = hidden.f_reshape([-1, 2])?;
        let rows = positions.map_or_else(|| Ok(rows.shallow_clone()), |positions| rows.f_index_select(0, positions))?;
        Ok(rows.f_linear(&self.words, None::<Tensor>)?)
    }

    fn hub_config(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

/// A file whose numbers were found by hand: three words (1, 0), (0, 1), (1, 1), a padded pair, and one prediction at the second place of the
/// first molecule, where the logits are 0, 1, 1 and the target is the last word.
fn file(edit: impl FnOnce(&mut Vec<(String, Tensor)>)) -> tempfile::NamedTempFile {
    let floats = |values: &[f32], shape: &[i64]| Tensor::from_slice(values).view(shape);
    let e = 1.0_f32.exp();
    let (p0, p1) = (1.0 / (1.0 + 2.0 * e), e / (1.0 + 2.0 * e));
    // d loss / d word v = (p_v - [v = target]) hidden, and of the word that is read: sum over v of (p_v - [v = target]) word v.
    let (l0, l1, l2) = (p0, p1, p1 - 1.0);
    let gradient = [0.0, l0, l0 + l2, l1 + l1 + l2, 0.0, l2];
    let mut tensors: Vec<(String, Tensor)> = [
        ("w.words.gamma", floats(&[1.0, 0.0, 0.0, 1.0, 1.0, 1.0], &[3, 2])),
        ("w.output.weight", floats(&[1.0, 0.0, 0.0, 1.0, 1.0, 1.0], &[3, 2])),
        ("w.position_ids", Tensor::from_slice(&[0_i64, 1])),
        ("ids", Tensor::from_slice(&[0_i64, 1, 2, 0]).view([2, 2])),
        ("mask", Tensor::from_slice(&[1_i64, 1, 1, 0]).view([2, 2])),
        ("positions", Tensor::from_slice(&[1_i64])),
        ("targets", Tensor::from_slice(&[2_i64])),
        // At the padding stands what nobody may look at.
        ("hidden", floats(&[1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 9.0, 9.0], &[2, 2, 2])),
        ("logits", floats(&[1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 2.0, 9.0, 9.0, 9.0], &[2, 2, 3])),
        ("loss", Tensor::from(-p1.ln())),
        ("g.words.weight", floats(&gradient, &[3, 2])),
    ]
    .into_iter()
    .map(|(name, tensor)| (name.to_owned(), tensor))
    .collect();
    edit(&mut tensors);
    let plain = tempfile::NamedTempFile::new().unwrap();
    Tensor::write_safetensors(&tensors, plain.path()).unwrap();
    // The same file with metadata.
    let bytes = std::fs::read(plain.path()).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    header["__metadata__"] = serde_json::json!({ "config": r#"{"hidden_size": 2, "vocab_size": 3}"# });
    let header = header.to_string();
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + length..]].concat();
    std::fs::write(plain.path(), bytes).unwrap();
    plain
}

#[test]
fn what_was_found_by_hand_agrees_in_both_modes() {
    let path = file(|_| ());
    assert_golden(&Table { skew: 0.0 }, path.path(), 1e-6);
}

#[test]
fn a_mode_that_is_off_is_told_with_its_differences() {
    let found = golden(&Table { skew: 0.5 }, file(|_| ()).path()).unwrap();
    assert!(found[0].1.largest() < 1e-6 && (found[1].1.hidden - 0.5).abs() < 1e-6, "{found:?}");
    let head = found[1].1.head.clone().unwrap();
    assert!(head.logits > 0.4 && head.loss > 0.05 && head.gradient > 0.1, "{found:?}");
    assert_eq!(head.furthest, "table.words.weight");
    let nan = golden(&Table { skew: f64::NAN }, file(|_| ()).path()).unwrap().remove(1).1;
    let head = nan.head.clone().unwrap();
    let all = [nan.hidden, head.logits, head.loss, head.gradient, nan.largest()];
    assert_eq!(all, [f64::INFINITY; 5]);
}

#[test]
fn tensors_without_a_place_and_places_without_a_tensor_are_told() {
    let error = |edit: fn(&mut Vec<(String, Tensor)>)| golden(&Table { skew: 0.0 }, file(edit).path()).unwrap_err().to_string();
    let more = error(|tensors| tensors.push(("w.head.weight".into(), Tensor::zeros([1], (Kind::Float, Device::Cpu)))));
    assert_eq!(more, "no rule says where the tensor `head.weight` belongs");
    assert_eq!(error(|tensors| drop(tensors.remove(0))), "no tensor for `table.words.weight`");
    let shape = error(|tensors| tensors[0].1 = Tensor::zeros([2, 2], (Kind::Float, Device::Cpu)));
    assert_eq!(shape, "`words.gamma` has shape [2, 2], the model's [3, 2]");
    let lacking = error(|tensors| tensors.retain(|(name, _)| name != "targets"));
    assert_eq!(lacking, "the case has no `targets`");
    assert_eq!(error(|tensors| tensors.retain(|(name, _)| name != "logits")), "the case has no `logits`");
}

#[test]
fn a_gradient_where_there_is_none_counts() {
    let path = file(|tensors| tensors.retain(|(name, _)| !name.starts_with("g.")));
    let found = golden(&Table { skew: 0.0 }, path.path()).unwrap();
    assert_eq!(found[0].1.largest(), f64::INFINITY);
}
