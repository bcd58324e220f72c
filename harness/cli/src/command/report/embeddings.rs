//! The map of a dataset's molecules by a run's embeddings.

use std::collections::BTreeMap;

use clmbench_analysis::{CheckpointLoss, loss_pool};
use clmbench_protocol::{DatasetOutput, TaskKind};
use clmbench_report::html::{EmbeddingMap, EmbeddingPoint};
use clmbench_stats::principal_components;
use clmbench_store::{CellFile, Store};

use super::artifact;
use crate::error::CliError;

/// Largest file of embeddings that is read, in bytes.
const LONGEST: u64 = 256 << 20;
/// Widest embeddings whose components are computed.
const WIDEST: usize = 2_048;
/// Molecules that are drawn at most.
const MOST: usize = 1_500;

/// The first dataset of the suite that has embeddings. Of the runs that have embedded it, those whose losses can be compared (one
/// objective, tokenizer and held-out sample) and that are the most; of these, that with the smallest held-out loss. None where no run
/// has embedded any. Within, why it cannot be drawn.
///
/// # Errors
/// The database cannot be read.
pub(super) fn map(
    store: &Store,
    suite_id: i64,
    losses: &[CheckpointLoss],
    datasets: &[DatasetOutput],
) -> Result<Option<Result<EmbeddingMap, String>>, CliError> {
    let embedded = store.files_named(suite_id, "embed", "embeddings.safetensors")?;
    let molecules = store.files_named(suite_id, "tokenise_dataset", "molecules.csv")?;
    let checkpoints = store.checkpoints(suite_id)?;
    // Losses of last checkpoints by the digest of their weights.
    let of_run: BTreeMap<&str, &CheckpointLoss> =
        losses.iter().filter(|loss| loss.last && loss.annealed).map(|loss| (loss.run.as_str(), loss)).collect();
    let by_weights: BTreeMap<&str, &CheckpointLoss> = checkpoints
        .iter()
        .filter(|row| row.last)
        .filter_map(|row| Some((row.weights_digest.as_str(), *of_run.get(row.run.as_str())?)))
        .collect();
    for dataset in datasets {
        let same = |file: &&CellFile| file.data_digest.as_deref() == Some(&dataset.data_digest);
        let Some(table) = molecules.iter().find(same) else { continue };
        let by_loss =
            embedded.iter().filter(same).filter_map(|file| Some((file, *by_weights.get(file.weights_digest.as_deref()?)?)));
        if let Some((file, chosen)) = best(by_loss) {
            return Ok(Some(drawn(store, file, table, chosen, dataset)));
        }
    }
    Ok(None)
}

/// The run that is drawn.
struct Chosen {
    run: String,
    /// Why it, in words.
    because: String,
}

/// Of the largest pool of losses, the first by name among equals, the run with the smallest.
fn best<'a, F>(runs: impl Iterator<Item = (F, &'a CheckpointLoss)>) -> Option<(F, Chosen)> {
    let mut pools: BTreeMap<String, Vec<(F, &CheckpointLoss)>> = BTreeMap::new();
    runs.for_each(|(file, loss)| pools.entry(loss_pool(loss)).or_default().push((file, loss)));
    let several = pools.len() > 1;
    let (pool, runs) = pools.into_iter().rev().max_by_key(|(_, runs)| runs.len())?;
    let of = runs.len();
    let key = |loss: &CheckpointLoss| (loss.loss, loss.label.clone());
    let (file, loss) = runs.into_iter().min_by(|(_, left), (_, right)| {
        let (left, right) = (key(left), key(right));
        left.0.total_cmp(&right.0).then(left.1.cmp(&right.1))
    })?;
    let whose = if several { format!(" of the pool {pool}, the largest") } else { String::new() };
    let because = format!("the run with the smallest held-out loss of {of}{whose}");
    Some((file, Chosen { run: loss.label.clone(), because }))
}

fn drawn(
    store: &Store,
    file: &CellFile,
    table: &CellFile,
    chosen: Chosen,
    dataset: &DatasetOutput,
) -> Result<EmbeddingMap, String> {
    let task = dataset.tasks.first().ok_or_else(|| format!("{} has no task", dataset.dataset))?;
    let (columns, rows) = artifact::table(store, table)?;
    let column = |name: &str| {
        let place = columns.iter().position(|column| column == name);
        place.ok_or_else(|| format!("{} has no column {name}", table.file.path))
    };
    let (smiles, part, label) = (column("canonical")?, column("part")?, column(&task.name)?);
    let path = artifact::intact(store, file, LONGEST)?;
    let header = clmbench_checkpoint::header(&path).map_err(|error| error.to_string())?;
    let [tensor] = header.as_slice() else { return Err(format!("{} holds {} tensors", file.file.path, header.len())) };
    let shape: Vec<usize> = tensor.shape.iter().filter_map(|size| usize::try_from(*size).ok()).collect();
    let [count, width] = shape[..] else { return Err(format!("{} is no matrix", file.file.path)) };
    if count != rows.len() || !(2..=WIDEST).contains(&width) {
        return Err(format!("the embeddings of {} are {count} x {width} for {} molecules", dataset.dataset, rows.len()));
    }
    let values = clmbench_checkpoint::read_tensor(tensor).map_err(|error| error.to_string())?;
    // The molecules with a label, in an order that has nothing to do with that of the file.
    let mut labelled: Vec<(String, usize, f64)> = rows
        .iter()
        .enumerate()
        .filter_map(|(index, row)| {
            let label: f64 = row[label].parse().ok()?;
            label.is_finite().then(|| (blake3::hash(row[smiles].as_bytes()).to_hex().to_string(), index, label))
        })
        .collect();
    let molecules = labelled.len();
    labelled.sort_by(|left, right| (&left.0, left.1).cmp(&(&right.0, right.1)));
    labelled.truncate(MOST);
    let matrix: Vec<Vec<f64>> = labelled
        .iter()
        .map(|(_, index, _)| values[index * width..(index + 1) * width].iter().map(|value| f64::from(*value)).collect())
        .collect();
    let components = principal_components(&matrix).map_err(|refusal| refusal.to_string())?;
    let point = |((_, index, label), place): (&(String, usize, f64), &[f64; 2])| EmbeddingPoint {
        smiles: rows[*index][smiles].clone(),
        part: rows[*index][part].clone(),
        label: *label,
        place: *place,
    };
    Ok(EmbeddingMap {
        run: chosen.run,
        because: chosen.because,
        dataset: dataset.dataset.clone(),
        task: task.name.clone(),
        unit: if task.kind == TaskKind::Classification { String::new() } else { task.unit.clone() },
        task_kind: task.kind,
        shares: components.shares,
        molecules,
        width,
        points: labelled.iter().zip(&components.coordinates).map(point).collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_protocol::Objective;

    use super::*;

    fn loss(label: &str, tokenizer: &str, loss: f64) -> CheckpointLoss {
        CheckpointLoss {
            run: label.into(),
            label: label.into(),
            architecture: "bert".into(),
            objective: Objective::MaskedLm,
            tokenizer_digest: tokenizer.into(),
            heldout_digest: "h".into(),
            configuration: label.into(),
            seed: None,
            parameters: 1,
            corpus: "mixed".into(),
            corpus_molecules: None,
            run_tokens: None,
            tokens: None,
            training_flops: None,
            annealed: true,
            last: true,
            metric: "loss/mlm_loss".into(),
            loss,
            std_error: 0.1,
        }
    }

    #[test]
    fn losses_of_other_tokenizers_are_not_held_against_each_other() {
        // The smallest of all is of a tokenizer that one run has.
        let losses = [loss("a", "one", 0.1), loss("b", "two", 2.0), loss("c", "two", 1.5), loss("d", "two", 1.5)];
        let (file, chosen) = best(losses.iter().enumerate()).unwrap();
        assert_eq!((file, chosen.run.as_str()), (2, "c"));
        let words = "the run with the smallest held-out loss of 3 of the pool masked_lm tokenizer:two sample:h, the largest";
        assert_eq!(chosen.because, words);
        let (file, chosen) = best(losses[1..].iter().enumerate()).unwrap();
        assert_eq!((file, chosen.because.as_str()), (1, "the run with the smallest held-out loss of 3"));
        assert!(best(losses[..0].iter().enumerate()).is_none());
    }
}
