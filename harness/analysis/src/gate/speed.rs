//! The speed of embedding: both models in turn, or no verdict.

use clmbench_stats::{
    gate::{GateRefusal, ValueComparison},
    numeric::{mean, sample_sd},
};

use super::{
    judge::{Value, empty},
    record::SpeedRecord,
    report::{GateRow, GateRowKind},
};

/// Turns that a claim about speed needs.
const TURNS_FOR_SPEED: usize = 4;

/// What is asked of the speed of embedding, and what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeedAsked {
    /// How much slower it may be, as a share.
    pub share: f64,
    /// Both models in turn, or why they could not be measured.
    pub measured: Result<SpeedTurns, String>,
}

/// Seconds of embedding the same molecules, both models in turn on one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeedTurns {
    /// Datasets.
    pub datasets: Vec<String>,
    /// Seconds of all datasets in each turn: of the gate baseline and of the candidate.
    pub seconds: Vec<(f64, f64)>,
}

/// The mean over turns of -log(seconds of the candidate / seconds of the baseline), with the spread over turns. Stored seconds of cells
/// are shown where nothing was measured, and not judged: they are of two moments.
pub(super) fn of_speed(baseline: &[SpeedRecord], candidate: &[SpeedRecord], asked: &SpeedAsked) -> Value {
    let row = GateRow {
        name: "embedding".to_owned(),
        score: "log seconds".to_owned(),
        unit: "s".to_owned(),
        margin: asked.share.ln_1p(),
        margin_from: format!("{}% slower", asked.share * 100.0),
        ..empty(GateRowKind::Speed)
    };
    let turns = match &asked.measured {
        Ok(turns) => turns,
        Err(reason) => {
            let stored = baseline.iter().filter_map(|first| {
                let second =
                    candidate.iter().find(|other| (&other.dataset, other.molecules) == (&first.dataset, first.molecules))?;
                Some((mean(&first.seconds), mean(&second.seconds)))
            });
            let (first, second): (Vec<f64>, Vec<f64>) = stored.unzip();
            let sum = |seconds: &[f64]| (!seconds.is_empty()).then(|| seconds.iter().sum::<f64>()).filter(|sum| sum.is_finite());
            let row = GateRow { baseline: sum(&first), candidate: sum(&second), ..row };
            return Value { row, comparison: Err(GateRefusal::NotMeasured { reason: reason.clone() }) };
        }
    };
    let count = turns.seconds.len();
    let refused = |reason: String| Value { row: row.clone(), comparison: Err(GateRefusal::NotMeasured { reason }) };
    if count < TURNS_FOR_SPEED {
        return refused(format!("it takes {TURNS_FOR_SPEED} turns of both, and there are {count}"));
    }
    let (first, second): (Vec<f64>, Vec<f64>) = turns.seconds.iter().copied().unzip();
    if let Some(wrong) = first.iter().chain(&second).find(|seconds| !(seconds.is_finite() && **seconds > 0.0)) {
        return refused(format!("the worker said that a turn took {wrong} s"));
    }
    let ratios: Vec<f64> = turns.seconds.iter().map(|(first, second)| (first / second).ln()).collect();
    let contains = format!(
        "{count} turns of both models, one after the other on the CPU of this machine ({}; reading of the weights included): not \
         another machine, device or load",
        turns.datasets.join(", ")
    );
    let row = GateRow { baseline: Some(median(&first)), candidate: Some(median(&second)), contains, ..row };
    let comparison = ValueComparison {
        difference: mean(&ratios),
        std_error: sample_sd(&ratios) / (count as f64).sqrt(),
        degrees_of_freedom: Some(count as f64 - 1.0),
        margin: asked.share.ln_1p(),
    };
    Value { row, comparison: Ok(comparison) }
}

/// The middle one, or the mean of both.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}
