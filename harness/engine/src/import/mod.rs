//! Import cells: a checkpoint of others becomes one of ours. Everything is judged before anything is allocated: the files by their hashes, the
//! configuration by the architecture, the names and shapes of the weights by a model without storage, the tokenizer by a trial.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clmbench_api::AttentionMode;
use clmbench_checkpoint::{Folder, FoundTokenizer, Matched, config_notes, model_type};
use clmbench_molecules::{ForeignTokenizer, digest, foreign};
use clmbench_protocol::{
    ArchitectureInfo, CheckpointOutput, Failure, FailureKind, FileRef, HubInfo, Import, ImportOutput, ImportedConfig,
    TokenizerSpec,
};
use tch::{Kind, Tensor};

use crate::{
    checkpoint::{self, Imported, Origin},
    failure::{OrFail, Result},
    loader::Plugin,
    model::{Model, Vocabulary},
    report::Reporter,
    seed,
};

mod geometry;
mod special;
mod values;

pub use special::SpecialTokens;

/// Folder of the checkpoint inside the cell's.
const FOLDER: &str = "checkpoint-0";

/// The paths of the files of the checkpoint by name.
///
/// # Errors
/// [`FailureKind::Protocol`] when the host left one out; [`FailureKind::CorruptFile`] for other bytes than those planned with.
pub fn files(files: &[FileRef], inputs: &BTreeMap<String, String>, reporter: &Reporter) -> Result<BTreeMap<String, PathBuf>> {
    let mut paths = BTreeMap::new();
    for (done, file) in files.iter().enumerate() {
        let name = &file.name;
        reporter.report("import", done as u64, files.len() as u64, "files", || format!("checking {name}"));
        let path = inputs.get(&format!("file:{name}")).map(PathBuf::from);
        let path = path.ok_or_else(|| Failure::new(FailureKind::Protocol, format!("the host gave no input `file:{name}`")))?;
        let wanted = file.bytes_sha256().ok_or_else(|| {
            Failure::new(FailureKind::Protocol, format!("file `{name}` of a checkpoint was planned without its SHA-256"))
        })?;
        let found = digest::sha256_file(&path).or_fail()?;
        if found != wanted {
            let text = format!(
                "`{name}` has SHA-256 {found}, not {wanted}: it was changed since the run was planned; run again. If this \
                 comes back, the file is damaged: remove it and run again, so that it is fetched anew, or bring a sound copy of your own folder"
            );
            return Err(Failure::new(FailureKind::CorruptFile, text));
        }
        paths.insert(name.clone(), path);
    }
    Ok(paths)
}

/// Computes an import cell.
///
/// # Errors
/// [`FailureKind::BadInput`] for files that are no checkpoint of the architecture, [`FailureKind::NonFinite`] for weights or answers that are no
/// numbers, [`FailureKind::MemoryLimit`] for models too large, and what the plugin refuses.
pub fn run(
    spec: &Import,
    plugin: &Plugin,
    files: BTreeMap<String, PathBuf>,
    work: &Path,
    reporter: &Reporter,
) -> Result<ImportOutput> {
    let info = architecture(plugin, &spec.architecture)?;
    let folder = Folder::of(files).or_fail()?;
    let judged = judge(spec, plugin, info, &folder)?;
    let seed = match spec.control {
        // As the control of a run of our own is drawn.
        Some(seed) => seed::derive("initial weights", &[&seed.to_le_bytes()]),
        None => seed::derive("weights that the files lack", &[spec.architecture.as_bytes()]),
    };
    let vocabulary = judged.vocabulary();
    let config = &judged.imported.config;
    let mut model = seed::drawn(seed, || Model::build(plugin.module, &spec.architecture, config, vocabulary))?;
    geometry::same(&judged.shapes, &model)?;
    let hub = info.hub.clone().unwrap_or_default();
    model.head_is_random = judged.matched.absent.iter().any(|name| starts(name, &hub.head));
    let mut notes = judged.notes(&folder);
    match spec.control {
        Some(_) => notes.push("a control: the architecture and the tokenizer of the checkpoint with random weights".into()),
        None => values::copy(&judged.matched, &model, reporter)?,
    }
    if model.head_is_random {
        notes.push("the files lack weights that logits need: nothing that needs the loss can be measured".into());
    }
    forward(&model)?;
    let imported = Imported { cell: spec.clone(), head_is_random: model.head_is_random };
    let row = checkpoint::write(work, &model, &judged.tokenizer.json, Origin::Files(&imported, &judged.named), row())?;
    let (inner, all) = judged.counts(&model, &hub);
    Ok(ImportOutput {
        architecture: spec.architecture.clone(),
        config: judged.imported.config,
        objective: info.objective,
        non_embedding_parameters: inner,
        total_parameters: all,
        vocabulary: judged.imported.vocab_size,
        tokenizer_entries: judged.tokenizer.entries,
        tokenizer_kind: judged.tokenizer.kind,
        max_tokens: judged.max_tokens,
        max_positions: judged.imported.max_positions,
        tokenizer_digest: judged.tokenizer_digest,
        special: judged.tokenizer.special,
        head_is_random: model.head_is_random,
        checkpoint: row,
        notes,
    })
}

/// The one checkpoint: whether its learning rate was cooled down is not known, and it stands for its run.
fn row() -> CheckpointOutput {
    CheckpointOutput {
        folder: FOLDER.into(),
        step: 0,
        tokens: 0,
        annealed: true,
        last: true,
        learning_rate: 0.0.into(),
        training_loss: f64::NAN.into(),
        training_flops: 0.0.into(),
        weights_digest: String::new(),
    }
}

fn starts(name: &str, starts: &[String]) -> bool {
    starts.iter().any(|start| name.starts_with(start.as_str()))
}

/// The architecture of this name.
fn architecture<'a>(plugin: &'a Plugin, name: &str) -> Result<&'a ArchitectureInfo> {
    let found = plugin.manifest.architectures.iter().find(|info| info.name == name);
    found.ok_or_else(|| {
        let text = format!("plugin `{}` exports no architecture `{name}`", plugin.manifest.name);
        Failure::new(FailureKind::Protocol, text)
    })
}

/// What is known of a checkpoint before anything of its size is allocated.
struct Judged {
    imported: ImportedConfig,
    shapes: Vec<(String, Vec<u64>)>,
    matched: Matched,
    tokenizer: FoundTokenizer,
    tokenizer_digest: String,
    named: SpecialTokens,
    max_tokens: u32,
    config_notes: Vec<String>,
}

impl Judged {
    fn vocabulary(&self) -> Vocabulary {
        let (size, entries) = (self.imported.vocab_size, self.tokenizer.entries);
        let entries = (entries != size).then_some(entries);
        Vocabulary { size, max_tokens: self.imported.max_positions, special: self.tokenizer.special.clone(), entries }
    }

    /// Parameters without embeddings and output bias, and all of them: those of the files, and a head that they lack, without which there
    /// would be no model to take a loss of. Whatever else the files lack is not counted: its values are none of the checkpoint's.
    fn counts(&self, model: &Model, hub: &HubInfo) -> (u64, u64) {
        model.counts_of(|name| starts(name, &hub.head) || !self.matched.absent.iter().any(|absent| absent == name))
    }

    /// What a reader should know.
    fn notes(&self, folder: &Folder) -> Vec<String> {
        let mut notes = folder.notes();
        notes.extend(self.config_notes.iter().chain(&self.tokenizer.notes).cloned());
        notes.extend(values::notes(&self.matched));
        if self.max_tokens == self.imported.max_positions as u32 {
            notes.push(format!("molecules are cut to {} tokens, the longest sequence of the model", self.max_tokens));
        }
        notes
    }
}

fn judge(spec: &Import, plugin: &Plugin, info: &ArchitectureInfo, folder: &Folder) -> Result<Judged> {
    let hub: &HubInfo = info.hub.as_ref().ok_or_else(|| {
        let text = format!("architecture `{}` reads no checkpoints of others", info.name);
        Failure::new(FailureKind::Unsupported, text)
    })?;
    let config = folder.config().or_fail()?;
    let found = model_type(&config).or_fail()?;
    if !hub.model_types.contains(&found) {
        let text = format!(
            "config.json: `model_type` is `{found}`; architecture `{}` reads {}",
            info.name,
            hub.model_types.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        );
        return Err(Failure::new(FailureKind::BadInput, text));
    }
    let weights = folder.weights().or_fail()?;
    geometry::within_memory(&weights)?;
    let imported = geometry::imported(plugin.module, info, &config)?;
    let shapes = geometry::shapes(plugin.module, info, &imported)?;
    let matched = clmbench_checkpoint::match_up(&weights, &shapes, hub).or_fail()?;
    let tokenizer = folder.tokenizer().or_fail()?;
    if tokenizer.entries > imported.vocab_size {
        let text = format!(
            "the tokenizer has ids up to {}, the embedding {} rows (`vocab_size` of config.json): they are not of one checkpoint",
            tokenizer.entries - 1,
            imported.vocab_size
        );
        return Err(Failure::new(FailureKind::BadInput, text));
    }
    let max_tokens = u64::from(spec.max_tokens).min(imported.max_positions).min(u64::from(foreign::LARGEST_ID)) as u32;
    let tokenizer_digest = blake3::hash(&tokenizer.json).to_hex().to_string();
    let as_planned = TokenizerSpec {
        kind: foreign::KIND.into(),
        max_tokens,
        digest: Some(tokenizer_digest.clone()),
        special: Some(tokenizer.special.clone()),
    };
    let used = ForeignTokenizer::of(tokenizer.json.clone(), Path::new("tokenizer.json"), &as_planned).or_fail()?;
    let named = SpecialTokens::of(&tokenizer, &used, &imported.config);
    let config_notes = config_notes(&config);
    Ok(Judged { imported, shapes, matched, tokenizer, tokenizer_digest, named, max_tokens, config_notes })
}

/// Hidden states, and logits if their weights are there, of two short sequences must be numbers.
fn forward(model: &Model) -> Result<()> {
    let _guard = tch::no_grad_guard();
    let entries = model.vocabulary.entries() as i64;
    let longest = model.vocabulary.max_tokens.clamp(1, 4) as i64;
    let ids = Tensor::f_arange(2 * longest, (Kind::Int64, model.device())).or_fail()?;
    let ids = ids.f_remainder(entries.max(1)).or_fail()?.f_view([2, longest]).or_fail()?;
    let mask = Tensor::f_ones([2, longest], (Kind::Float, model.device())).or_fail()?;
    if longest > 1 {
        // The second is shorter by one.
        let _ = mask.f_narrow(0, 1, 1).or_fail()?.f_narrow(1, longest - 1, 1).or_fail()?.f_fill_(0.0).or_fail()?;
    }
    let finite = |tensor: &Tensor, what: &str| {
        if bool::try_from(tensor.f_isfinite().or_fail()?.f_all().or_fail()?).or_fail()? {
            return Ok(());
        }
        let text = format!("the {what} of the imported model are not all finite: its weights are damaged, or it diverged");
        Err(Failure::new(FailureKind::NonFinite, text))
    };
    let hidden = model.hidden(&ids, &mask, AttentionMode::Fast)?;
    finite(&hidden.f_narrow(1, 0, (longest - 1).max(1)).or_fail()?, "hidden states")?;
    let positions = Tensor::from_slice(&[0_i64, longest]).f_to_device(model.device()).or_fail()?;
    finite(&model.logits(&hidden, &positions)?, "logits")
}
