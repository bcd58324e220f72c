//! What metrics of more than one checkpoint read: the losses of the run and other weights.

use std::path::{Path, PathBuf};

use clmbench_protocol::{Failure, FailureKind, OtherWeights};
use tch::Tensor;

use super::{ProbeHost, Read};
use crate::{
    failure::{OrFail, Result},
    files, training_state,
    transfer::finetune::{MOST_KEPT_PARAMETERS, PROJECTION},
    weights,
};

/// Other weights and the folder that holds their file.
#[derive(Debug, Clone)]
pub struct Other {
    /// What they are, and the digest of their file.
    pub weights: OtherWeights,
    /// The folder.
    pub folder: PathBuf,
}

/// Mean training losses of the steps of a run, from the folder of its cell.
///
/// # Errors
/// [`FailureKind::CorruptFile`] for a record with another digest; [`FailureKind::BadInput`] for a run without a step.
pub fn history(folder: &Path, digest: &str) -> Result<Vec<f64>> {
    let path = folder.join(training_state::RECORD);
    files::expect_digest(&path, digest)?;
    let losses = training_state::losses(&path)?;
    if losses.is_empty() {
        let text = format!("{} tells of no training step; a metric of a run needs a trained one", path.display());
        return Err(Failure::new(FailureKind::BadInput, text));
    }
    Ok(losses)
}

impl ProbeHost<'_> {
    /// Losses of the run.
    pub(super) fn losses(&self) -> Result<&[f64]> {
        self.note_read(Read::History);
        self.history.as_deref().ok_or_else(|| {
            let text = "no training history was planned for this metric; declare scope Run in its info() to read it";
            Failure::new(FailureKind::Unsupported, text)
        })
    }

    /// The other weights.
    pub(super) fn other_rows(&self) -> Result<Vec<&OtherWeights>> {
        if self.others.is_empty() {
            let text = "no other weights were planned for this metric; declare scope Run, Pair or Transfer in its info()";
            return Err(Failure::new(FailureKind::Unsupported, text));
        }
        Ok(self.others.iter().map(|other| &other.weights).collect())
    }

    /// Weights [P] of one of them, in the order of the parameter table. Tensors that are no parameter are passed over.
    pub(super) fn other_flat(&self, index: u64) -> Result<Tensor> {
        let all = self.other_rows()?.len();
        self.note_read(Read::Others);
        let Some(other) = usize::try_from(index).ok().and_then(|index| self.others.get(index)) else {
            let text = format!("other weights number {index} of {all}; ask others() first, and count from 0");
            return Err(Failure::new(FailureKind::BadInput, text));
        };
        let (name, file) = (&other.weights.name, &other.weights.file);
        if Path::new(file).file_name().is_some_and(|name| name == PROJECTION) {
            let text = format!(
                "`{name}` kept no weights: fine-tuned models above {MOST_KEPT_PARAMETERS} parameters leave a projection of their \
                 path alone; measure it on smaller models"
            );
            return Err(Failure::new(FailureKind::Unsupported, text));
        }
        let path = other.folder.join(file);
        let rows = weights::read_with(&path, &other.weights.blake3)?;
        let find = |name: &str| rows.binary_search_by(|row| row.0.as_str().cmp(name)).ok().map(|place| &rows[place].1);
        let (mut parts, mut wrong) = (Vec::new(), Vec::new());
        for (row, _) in self.model.parameters.iter().zip(self.reached()?).filter(|(_, reached)| *reached) {
            match find(&row.name) {
                None => wrong.push(format!("`{}` is missing", row.name)),
                Some(tensor) if tensor.size() != row.tensor.size() => {
                    wrong.push(format!("`{}` has shape {:?}, not {:?}", row.name, tensor.size(), row.tensor.size()));
                }
                Some(tensor) => parts.push(tensor.flatten(0, -1)),
            }
        }
        if !wrong.is_empty() {
            let text = format!("the weights of `{name}` ({}) are of another model: {}", path.display(), wrong.join("; "));
            return Err(Failure::new(FailureKind::WrongShape, text));
        }
        Tensor::f_cat(&parts, 0).or_fail()
    }
}
