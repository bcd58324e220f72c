//! Checkpoints of others with the weights of another run: a copy whose files differ in more than their tensors, or the export of a run
//! beside the run itself. Counted twice, one run would look like two that agree.

use clmbench_store::RunRow;

/// The flag of such a checkpoint, and of the fits that do not count it.
pub(crate) const SAME_WEIGHTS: &str = "same_weights";

/// The run that counts in place of a checkpoint of others: of the runs with its last weights the first that is our own, or else the
/// first of the suite. None where it counts itself.
pub(crate) fn counted_instead<'a>(runs: &'a [RunRow], run: &RunRow) -> Option<&'a RunRow> {
    if !run.imported || run.control || run.last_weights.is_empty() {
        return None;
    }
    let same = runs.iter().filter(|other| !other.control && !other.diverged && other.last_weights == run.last_weights);
    same.min_by_key(|other| other.imported).filter(|first| first.run != run.run)
}

/// Why it is not counted.
pub(crate) fn reason(first: &RunRow) -> String {
    format!("has the same weights as {}", first.label)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Compared, Inputs, fit::fit_rows, model_board, sample::suite};

    /// Eight runs: an import with the weights of a run of our own that stands later, and two imports of one.
    fn copies() -> Inputs {
        let mut inputs = suite(8);
        for (number, weights) in [(0, "weights005"), (2, "theirs"), (3, "theirs")] {
            (inputs.runs[number].imported, inputs.runs[number].last_weights) = (true, weights.to_owned());
        }
        inputs
    }

    #[test]
    fn our_own_run_counts_and_of_several_imports_the_first() {
        let inputs = copies();
        let first = |number: usize| counted_instead(&inputs.runs, &inputs.runs[number]).map(|run| run.run.as_str());
        assert_eq!((0..8).map(first).collect::<Vec<_>>(), [Some("run005"), None, None, Some("run002"), None, None, None, None]);
        let mut others = copies();
        // Weights that are not there are not the same; controls and diverged runs count nowhere.
        others.runs.iter_mut().for_each(|run| run.last_weights.clear());
        assert!(others.runs.iter().all(|run| counted_instead(&others.runs, run).is_none()));
        let mut others = copies();
        (others.runs[5].diverged, others.runs[2].control) = (true, true);
        assert!(others.runs.iter().all(|run| counted_instead(&others.runs, run).is_none()));
    }

    #[test]
    fn a_copy_stands_in_no_fit_and_is_named_with_the_run_that_does() {
        let inputs = copies();
        let whole = fit_rows(&suite(8)).unwrap();
        assert!(whole.iter().all(|row| row.n == 8 && !row.flags.iter().any(|flag| flag == SAME_WEIGHTS)));
        for row in fit_rows(&inputs).unwrap() {
            assert_eq!(row.n, 6, "{}", row.metric);
            assert!(row.flags.iter().any(|flag| flag == SAME_WEIGHTS), "{:?}", row.flags);
            assert!(!row.flags.iter().any(|flag| flag == "incomplete"), "{:?}", row.flags);
            let details: crate::Details = serde_json::from_str(&row.details_json).unwrap();
            let said: Vec<(&str, &str)> = details.excluded.iter().map(|run| (run.run.as_str(), run.reason.as_str())).collect();
            let (own, import) = (reason(&inputs.runs[5]), reason(&inputs.runs[2]));
            assert_eq!(said, [("run000", own.as_str()), ("run003", import.as_str())]);
        }
        let board = model_board(&inputs, &Compared::default());
        let of = |run: &str| board.rows.iter().find(|row| row.run.as_deref() == Some(run)).unwrap();
        assert_eq!(of("run000").same_weights_as.as_deref(), Some(inputs.runs[5].label.as_str()));
        assert!(of("run000").flags.iter().any(|flag| flag == SAME_WEIGHTS));
        assert_eq!((of("run005").same_weights_as.as_deref(), of("run002").same_weights_as.as_deref()), (None, None));
    }
}
