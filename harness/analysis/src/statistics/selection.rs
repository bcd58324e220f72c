//! What choosing runs by a metric would have cost: regret and recall of the best one and three by each fit.
//!
//! They have no interval. Resamples miss the best run a third of the time, and regret and recall are often at their bounds: in simulation
//! (`benchmarks/CALIBRATION.md`) percentiles of resamples cover 20 to 100 % where 95 % is meant.

use clmbench_stats::{Refusal, selection};
use clmbench_store::StatisticRow;
use serde_json::json;

use super::{
    Fitted,
    numbers::{detailed, refused, valued},
};

const KIND: &str = "selection";
/// How many runs are chosen.
const CHOSEN: [usize; 2] = [1, 3];
/// Why there is no interval.
const NO_INTERVAL: &str =
    "no interval: resamples miss the best run a third of the time, and none that was tried covers what it should";

/// Three rows for each number of chosen runs, with what a random choice gives in their details.
pub(super) fn rows(fitted: &Fitted<'_>) -> Vec<StatisticRow> {
    CHOSEN.into_iter().flat_map(|k| at(fitted, k)).collect()
}

fn at(fitted: &Fitted<'_>, k: usize) -> [StatisticRow; 3] {
    let empty = ["regret", "regret_share", "recall"].map(|name| fitted.statistic(KIND, &format!("{name}_at_{k}")));
    let found = match selection(&fitted.metric, &fitted.score, k) {
        Ok(found) => found,
        Err(refusal) => return empty.map(|row| refused(row, &refusal)),
    };
    let [regret, share, recall] = empty;
    let alone = |row: StatisticRow, value: f64| {
        let mut row = valued(row, value);
        row.reason = Some(NO_INTERVAL.to_owned());
        row
    };
    let share = match found.regret_share {
        Some(value) => alone(share, value),
        None => refused(share, &Refusal::NoValues { what: "every choice holds one of the best runs".to_owned() }),
    };
    [
        detailed(alone(regret, found.regret), &json!({ "k": k, "random": found.random_regret })),
        detailed(share, &json!({ "k": k, "random": 1.0 })),
        detailed(alone(recall, found.recall), &json!({ "k": k, "random": found.random_recall })),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{fit::fit_rows, sample::suite, statistics::fitted};

    #[test]
    fn a_good_metric_costs_little_and_nothing_has_an_interval() {
        for n in [24, 6] {
            let inputs = suite(n);
            let fits = fit_rows(&inputs).unwrap();
            let all = fitted(&inputs, &fits).unwrap();
            let loss = all.iter().find(|fitted| fitted.row.metric == "loss/mlm_loss").unwrap();
            let rows = rows(loss);
            let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
            let expected = ["regret_at_1", "regret_share_at_1", "recall_at_1", "regret_at_3", "regret_share_at_3", "recall_at_3"];
            assert_eq!(names, expected);
            assert!(rows[1].value.unwrap() < 0.2 && rows[4].value.unwrap() < 0.2, "{rows:?}");
            assert!(rows.iter().all(|row| row.low95.is_none() && row.reason.as_deref() == Some(NO_INTERVAL)));
            assert!(rows[5].details_json.as_ref().unwrap().contains(&format!("\"random\":{}", 3.0 / n as f64)));
        }
    }

    #[test]
    fn three_of_three_are_refused() {
        let inputs = suite(3);
        let fits = fit_rows(&inputs).unwrap();
        let found: Vec<StatisticRow> = fitted(&inputs, &fits).unwrap().iter().flat_map(rows).collect();
        assert!(found.len() == 12 && found.iter().all(|row| row.refusal.as_deref() == Some("too_few")));
    }
}
