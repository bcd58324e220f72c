//! Checkpoint folders: the Hugging Face layout (`config.json`, `model.safetensors`, `tokenizer.json`,
//! `tokenizer_config.json`) plus our record (`clmbench.json`).

use std::path::Path;

use clmbench_api::PluginModuleRef;
use clmbench_protocol::{CheckpointOutput, CheckpointRef, Failure, FailureKind, Import, Pretrain, fault};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    failure::{Result, io},
    files,
    import::SpecialTokens,
    loader::Plugins,
    model::{Model, Vocabulary},
    weights,
};

/// Our record in a checkpoint folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What the tokenizer says of the model's shape.
    pub vocabulary: Vocabulary,
    /// The cell that trained it; none for a checkpoint of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretrain: Option<Pretrain>,
    /// How it came in; none for one of our own runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<Imported>,
    /// Where in the run it stands.
    pub checkpoint: CheckpointOutput,
}

/// How a checkpoint of others came in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// The cell that read it.
    pub cell: Import,
    /// Whether weights that logits need are random because its files lacked them.
    pub head_is_random: bool,
}

/// What a checkpoint comes from.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// A run of ours.
    Run(&'a Pretrain),
    /// Files of others, and the special tokens of their tokenizer.
    Files(&'a Imported, &'a SpecialTokens),
}

/// Writes a checkpoint folder whole: into a folder beside, then renamed. `tokenizer` is the content of `tokenizer.json`. Returns the row with
/// the digest of the weights.
///
/// # Errors
/// What cannot be written.
pub fn write(
    work: &Path,
    model: &Model,
    tokenizer: &[u8],
    origin: Origin<'_>,
    mut row: CheckpointOutput,
) -> Result<CheckpointOutput> {
    let (folder, beside) = (work.join(&row.folder), work.join(format!("{}.partial", row.folder)));
    remove(&folder)?;
    remove(&beside)?;
    std::fs::create_dir_all(&beside).map_err(|error| io(&beside, "creating", &error))?;
    let tensors: Vec<_> = model.saved().map(|row| (row.name.clone(), &row.tensor)).collect();
    row.weights_digest = weights::write(&beside.join("model.safetensors"), &tensors)?;
    fault::reach("mid_checkpoint");
    let config = match origin {
        Origin::Run(_) => model.hub_config()?,
        Origin::Files(_, special) => special.put(&model.hub_config()?)?,
    };
    files::write(&beside.join("config.json"), config.as_bytes())?;
    files::write(&beside.join("tokenizer.json"), tokenizer)?;
    let mut special = serde_json::json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": model.vocabulary.max_tokens,
    });
    let texts = match origin {
        Origin::Run(_) => serde_json::json!({
            "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]",
        }),
        Origin::Files(_, special) => Value::Object(special.texts()),
    };
    if let (Value::Object(all), Value::Object(texts)) = (&mut special, texts) {
        all.extend(texts);
    }
    files::write_json(&beside.join("tokenizer_config.json"), &special)?;
    let (pretrain, import) = match origin {
        Origin::Run(pretrain) => (Some(pretrain.clone()), None),
        Origin::Files(imported, _) => (None, Some(imported.clone())),
    };
    let record = Record { vocabulary: model.vocabulary.clone(), pretrain, import, checkpoint: row.clone() };
    files::write_json(&beside.join("clmbench.json"), &record)?;
    std::fs::rename(&beside, &folder).map_err(|error| io(&folder, "moving into place", &error))?;
    Ok(row)
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(folder, "removing", &error)),
        _ => Ok(()),
    }
}

/// Loads the model of a checkpoint folder; weights are accepted by their digest.
///
/// # Errors
/// What cannot be read, built or accepted.
pub fn open(folder: &Path, reference: &CheckpointRef, plugins: &mut Plugins) -> Result<Model> {
    open_with(folder, reference, plugins.get(&reference.plugin.name)?.module)
}

/// [`open`] with the plugin of the architecture at hand.
///
/// # Errors
/// As [`open`].
pub fn open_with(folder: &Path, reference: &CheckpointRef, module: PluginModuleRef) -> Result<Model> {
    let path = folder.join("clmbench.json");
    let record: Record = files::read_json(&path)?;
    if record.checkpoint.weights_digest != reference.weights_digest {
        let text = format!("{} is the record of other weights; run again to rebuild the checkpoint", path.display());
        return Err(Failure::new(FailureKind::CorruptFile, text));
    }
    let head_is_random = record.import.is_some_and(|imported| imported.head_is_random);
    if (&record.vocabulary.special, head_is_random) != (&reference.special.clone().unwrap_or_default(), reference.head_is_random)
    {
        let text = format!("{} is the record of another tokenizer or head; run again to rebuild the checkpoint", path.display());
        return Err(Failure::new(FailureKind::CorruptFile, text));
    }
    let mut model = Model::build(module, &reference.architecture, &reference.config, record.vocabulary)?;
    model.head_is_random = head_is_random;
    model.load(&folder.join("model.safetensors"), &reference.weights_digest)?;
    Ok(model)
}
