//! An architecture that reads checkpoints of others, and folders of such checkpoints, whole and spoilt.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, path::PathBuf};

use clmbench_engine::{failure::Result, import, loader::Plugin, report::Reporter};
use clmbench_molecules::digest;
use clmbench_protocol::{FileRef, HubInfo, Import, ImportOutput, ImportedConfig, Objective, PluginRef, revision};
use clmbench_sdk::{
    HubConfig,
    abi_stable::prefix_type::PrefixTypeTrait,
    api::{AttentionMode, PluginModule, Role},
    export::{self, Exports},
    prelude::{Architecture, ArchitectureInfo, Dataset, Metric, Model, Parameter, ParameterInfo, Params, PluginError, init},
};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};
use tch::{Kind, Tensor};

/// Entries of the tokenizer of [`Files::whole`], and rows of the embedding.
pub const ENTRIES: u64 = 12;
pub const ROWS: u64 = 16;
const WIDTH: i64 = 8;

struct Toy;

struct ToyModel {
    rows: Vec<(String, Role, Tensor)>,
    layers: i64,
}

impl Architecture for Toy {
    fn info(&self) -> ArchitectureInfo {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
        ArchitectureInfo {
            name: "toy".into(),
            doc: String::new(),
            objective: Objective::MaskedLm,
            parameters: vec![ParameterInfo::integer("layers", 2, "layers").between(1.0, 4.0)],
            presets: Vec::new(),
            hub: Some(HubInfo {
                model_types: vec!["toy".into()],
                class: None,
                renamed: vec![("norm.gamma".into(), "norm.weight".into())],
                prefix: "toy.".into(),
                tied: vec![("decoder.weight".into(), "toy.words.weight".into())],
                ignored: texts(&["position_ids"]),
                optional: texts(&["toy.pooler.", "head."]),
                head: texts(&["head."]),
            }),
        }
    }

    fn build(&self, config: &Params) -> std::result::Result<Box<dyn Model>, PluginError> {
        let layers = config.integer("layers")?;
        let entries = config.integer("vocab_size")?;
        let longest = config.integer("max_positions")?;
        let mut rows = vec![
            ("toy.words.weight".to_owned(), Role::Embedding, init::normal(&[entries, WIDTH], 0.3)),
            ("toy.positions.weight".to_owned(), Role::Embedding, init::normal(&[longest, WIDTH], 0.3)),
            ("toy.norm.weight".to_owned(), Role::Norm, init::constant(&[WIDTH], 1.0)),
            ("toy.shifts".to_owned(), Role::Fixed, init::fixed(&[WIDTH], || Tensor::rand([WIDTH], tch::kind::FLOAT_CPU))),
        ];
        for layer in 0..layers {
            rows.push((format!("toy.layer.{layer}.weight"), Role::Weight, init::normal(&[WIDTH, WIDTH], 0.3)));
        }
        rows.push(("toy.pooler.weight".into(), Role::Weight, init::normal(&[WIDTH, WIDTH], 0.3)));
        rows.push(("head.bias".into(), Role::OutputBias, init::constant(&[entries], 0.0)));
        Ok(Box::new(ToyModel { rows, layers }))
    }

    fn import(&self, config: &HubConfig) -> std::result::Result<ImportedConfig, PluginError> {
        let own = [("layers".to_owned(), Value::from(config.integer("num_hidden_layers")?))].into_iter().collect();
        let positions = config.integer("max_position_embeddings")? as u64;
        Ok(ImportedConfig { config: own, vocab_size: config.integer("vocab_size")? as u64, max_positions: positions })
    }
}

impl ToyModel {
    fn of(&self, name: &str) -> &Tensor {
        &self.rows.iter().find(|row| row.0 == name).unwrap().2
    }
}

impl Model for ToyModel {
    fn parameters(&self) -> Vec<Parameter> {
        let row = |row: &(String, Role, Tensor)| Parameter { name: row.0.clone(), role: row.1, tensor: row.2.shallow_clone() };
        self.rows.iter().map(row).collect()
    }

    fn hidden(&self, ids: &Tensor, _mask: &Tensor, _mode: AttentionMode) -> std::result::Result<Tensor, PluginError> {
        let length = ids.size()[1];
        let words = Tensor::f_embedding(self.of("toy.words.weight"), ids, -1, false, false)?;
        let mut hidden = words + self.of("toy.positions.weight").f_narrow(0, 0, length)?;
        for layer in 0..self.layers {
            hidden = hidden.f_linear(self.of(&format!("toy.layer.{layer}.weight")), None::<Tensor>)?.f_tanh()?;
        }
        Ok((hidden + self.of("toy.shifts")) * self.of("toy.norm.weight"))
    }

    fn logits(&self, hidden: &Tensor, positions: Option<&Tensor>) -> std::result::Result<Tensor, PluginError> {
        let flat = hidden.f_reshape([-1, WIDTH])?;
        let chosen = positions.map_or_else(|| Ok(flat.shallow_clone()), |positions| flat.f_index_select(0, positions))?;
        Ok(chosen.f_linear(self.of("toy.words.weight"), Some(self.of("head.bias")))?)
    }

    fn hub_config(&self) -> Value {
        let rows = self.of("toy.words.weight").size()[0];
        let longest = self.of("toy.positions.weight").size()[0];
        json!({ "model_type": "toy", "num_hidden_layers": self.layers, "vocab_size": rows, "max_position_embeddings": longest })
    }
}

struct Exported;

impl Exports for Exported {
    const NAME: &'static str = "toy";
    const VERSION: &'static str = "0.1.0";
    fn architectures() -> Vec<Box<dyn Architecture>> {
        vec![Box::new(Toy)]
    }
    fn datasets() -> Vec<Box<dyn Dataset>> {
        Vec::new()
    }
    fn metrics() -> Vec<Box<dyn Metric>> {
        Vec::new()
    }
}

pub fn plugin() -> Plugin {
    let module = PluginModule {
        manifest: export::manifest::<Exported>,
        new_model: export::new_model::<Exported>,
        import_config: export::import_config::<Exported>,
        shapes: export::shapes::<Exported>,
        read_dataset: export::read_dataset::<Exported>,
        measure: export::measure::<Exported>,
    };
    Plugin { module: module.leak_into_prefix(), manifest: export::manifest_of::<Exported>() }
}

/// The files of a checkpoint, to be spoilt and imported.
pub struct Files {
    pub config: Value,
    pub tokenizer: Value,
    pub tensors: BTreeMap<String, Tensor>,
    /// `tokenizer_config.json`.
    pub names: Value,
    pub dtype: Kind,
    /// Files in place of those above.
    pub instead: BTreeMap<&'static str, Option<Vec<u8>>>,
}

impl Files {
    /// A checkpoint as an old `transformers` would have saved it: without prefix, with `gamma`, a repeated decoder and position ids.
    pub fn whole() -> Self {
        let shapes: [(&str, &[i64]); 9] = [
            ("words.weight", &[ROWS as i64, WIDTH]),
            ("positions.weight", &[20, WIDTH]),
            ("norm.gamma", &[WIDTH]),
            ("shifts", &[WIDTH]),
            ("layer.0.weight", &[WIDTH, WIDTH]),
            ("layer.1.weight", &[WIDTH, WIDTH]),
            ("toy.pooler.weight", &[WIDTH, WIDTH]),
            ("head.bias", &[ROWS as i64]),
            ("embeddings.position_ids", &[20]),
        ];
        let mut tensors: BTreeMap<String, Tensor> = clmbench_sdk::draw::drawn(5, || {
            shapes.map(|(name, shape)| (name.to_owned(), Tensor::randn(shape, tch::kind::FLOAT_CPU))).into()
        });
        let words = tensors["words.weight"].copy();
        tensors.insert("decoder.weight".into(), words);
        let special = |id: u64, text: &str| json!({ "id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true });
        let marked = |text: &str| json!({ "SpecialToken": { "id": text, "type_id": 0 } });
        let sign = |text: &str, id: u64| json!({ "id": text, "ids": [id], "tokens": [text] });
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "decoder": null,
            "added_tokens": [special(0, "<s>"), special(1, "<pad>"), special(2, "</s>"), special(3, "<unk>"), special(11, "<mask>")],
            "pre_tokenizer": { "type": "Split", "pattern": { "Regex": "." }, "behavior": "Isolated", "invert": false },
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [marked("<s>"), { "Sequence": { "id": "A", "type_id": 0 } }, marked("</s>")],
                "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
                "special_tokens": { "<s>": sign("<s>", 0), "</s>": sign("</s>", 2) },
            },
            "model": { "type": "WordLevel", "unk_token": "<unk>", "vocab": {
                "<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "C": 4, "N": 5, "O": 6, "(": 7, ")": 8, "=": 9, "1": 10, "<mask>": 11 } },
        });
        let config = json!({ "model_type": "toy", "num_hidden_layers": 2, "vocab_size": ROWS, "max_position_embeddings": 20 });
        let names = json!({ "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>" });
        Self { config, tokenizer, tensors, names, dtype: Kind::Float, instead: BTreeMap::new() }
    }

    fn weights(&self) -> Vec<u8> {
        let (dtype, width) = match self.dtype {
            Kind::Half => (Dtype::F16, 2),
            Kind::BFloat16 => (Dtype::BF16, 2),
            Kind::Double => (Dtype::F64, 8),
            _ => (Dtype::F32, 4),
        };
        let rows: Vec<(String, Vec<usize>, Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, tensor)| {
                let tensor = tensor.to_kind(self.dtype).contiguous();
                let mut bytes = vec![0; tensor.numel() * width];
                tensor.copy_data_u8(&mut bytes, tensor.numel());
                (name.clone(), tensor.size().iter().map(|side| *side as usize).collect(), bytes)
            })
            .collect();
        let views = rows.iter().map(|(name, shape, bytes)| (name, TensorView::new(dtype, shape.clone(), bytes).unwrap()));
        safetensors::serialize(views, None).unwrap()
    }

    /// Writes them and imports them.
    pub fn import(&self, max_tokens: u32, control: Option<u64>, work: &std::path::Path) -> Result<ImportOutput> {
        let folder = tempfile::tempdir().unwrap();
        let mut files: BTreeMap<&str, Vec<u8>> = [
            ("config.json", self.config.to_string().into_bytes()),
            ("model.safetensors", self.weights()),
            ("tokenizer.json", self.tokenizer.to_string().into_bytes()),
            ("tokenizer_config.json", self.names.to_string().into_bytes()),
        ]
        .into_iter()
        .collect();
        for (name, instead) in &self.instead {
            match instead {
                Some(bytes) => drop(files.insert(name, bytes.clone())),
                None => drop(files.remove(name)),
            }
        }
        let (mut refs, mut inputs) = (Vec::new(), BTreeMap::new());
        for (name, bytes) in files {
            let path: PathBuf = folder.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            refs.push(FileRef { name: name.into(), sha256: digest::sha256_hex(&bytes) });
            inputs.insert(format!("file:{name}"), path.to_string_lossy().into_owned());
        }
        let reporter = Reporter::silent();
        let spec = spec(refs, max_tokens, control);
        let paths = import::files(&spec.files, &inputs, &reporter)?;
        import::run(&spec, &plugin(), paths, work, &reporter)
    }
}

pub fn spec(files: Vec<FileRef>, max_tokens: u32, control: Option<u64>) -> Import {
    Import {
        revision: revision::IMPORT,
        plugin: PluginRef { name: "toy".into(), version: "0.1.0".into(), digest: None },
        architecture: "toy".into(),
        files,
        max_tokens,
        control,
        threads: 1,
    }
}
