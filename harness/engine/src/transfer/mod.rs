//! How well a checkpoint transfers to the tasks of a dataset.
//!
//! | question | file |
//! |---|---|
//! | which molecules have labels, and are they enough? | [`task`] |
//! | how good are predictions? | [`score`] |
//! | protocol `probe`: frozen embeddings | [`probe`], on [`crate::ridge`] and [`crate::logistic`] |
//! | protocol `finetune`: trials, choice, files | [`finetune`] |
//! | protocol `baseline`: fixed features, no CLM | [`baseline`] |
//! | one training of all weights | [`trial`], [`targets`], [`head`] |
//! | the parameter-space view of large models | [`sketch`] |

use std::path::Path;

use clmbench_molecules::PreparedDataset;
use clmbench_protocol::{Failure, FailureKind, FinetuneProtocol, ProbeProtocol, Transfer, TransferOutput};

use crate::{
    checkpoint,
    failure::{OrFail, Result},
    files,
    loader::Plugins,
    report::Reporter,
};

pub mod baseline;
pub mod finetune;
pub mod head;
pub mod probe;
pub mod score;
pub mod sketch;
pub mod targets;
pub mod task;
pub mod trial;

/// The dataset that was planned with.
pub(crate) fn open_dataset(spec: &Transfer, folder: &Path) -> Result<PreparedDataset> {
    let data = PreparedDataset::open(folder).or_fail()?;
    for (what, found, wanted) in
        [("data", &data.output.data_digest, &spec.data_digest), ("split", &data.output.split_digest, &spec.split_digest)]
    {
        if found != wanted {
            let text = format!("the {what} of {} has digest {found}, not {wanted}; run again to rebuild it", folder.display());
            return Err(Failure::new(FailureKind::CorruptFile, text));
        }
    }
    Ok(data)
}

/// Computes a transfer cell by the protocol `probe` from the folders of embeddings and dataset.
///
/// # Errors
/// Unreadable inputs; what [`probe::run`] refuses.
pub fn run_probe(spec: &Transfer, protocol: &ProbeProtocol, embeddings: &Path, dataset: &Path) -> Result<TransferOutput> {
    let data = open_dataset(spec, dataset)?;
    let matrix = probe::read_embeddings(&embeddings.join("embeddings.safetensors"), protocol, spec, &data)?;
    probe::run(spec, protocol, &data, &matrix)
}

/// Computes a transfer cell by the protocol `finetune` from the folders of checkpoint, dataset and this cell.
///
/// # Errors
/// Unreadable inputs; [`FailureKind::CorruptFile`] for a checkpoint with missing, truncated or mis-shaped tensors; what
/// [`finetune::run`] refuses.
pub fn run_finetune(
    spec: &Transfer,
    protocol: &FinetuneProtocol,
    plugins: &mut Plugins,
    folders: (&Path, &Path, &Path),
    reporter: &Reporter,
) -> Result<TransferOutput> {
    let (checkpoint_folder, dataset, work) = folders;
    let reference = &protocol.checkpoint;
    if spec.weights_digest != reference.weights_digest {
        let text = format!("the cell is of weights {}, its checkpoint of {}", spec.weights_digest, reference.weights_digest);
        return Err(Failure::new(FailureKind::Protocol, text));
    }
    for folder in [dataset, checkpoint_folder] {
        files::expect_digest(&folder.join("tokenizer.json"), &protocol.tokenizer_digest)?;
    }
    let data = open_dataset(spec, dataset)?;
    let model = checkpoint::open(checkpoint_folder, reference, plugins)?;
    finetune::run(spec, protocol, &model, &data, work, reporter)
}
