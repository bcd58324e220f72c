//! What choosing runs by a metric would have cost: regret and recall of the best one and three by each fit.

use clmbench_stats::{Interval, Refusal, SelectionIntervals, generator, selection, selection_intervals};
use clmbench_store::StatisticRow;
use serde_json::json;

use super::{
    Fitted,
    numbers::{bounded, detailed, refused, valued},
};
use crate::fit::SEED;

const KIND: &str = "selection";
/// How many runs are chosen.
const CHOSEN: [usize; 2] = [1, 3];

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
    let mut stream = generator(SEED, &format!("{k} {}", fitted.label(KIND)));
    let intervals = selection_intervals(&fitted.metric, &fitted.score, k, &mut stream);
    let ends = |get: fn(&SelectionIntervals) -> Interval| intervals.as_ref().map(get).map_err(Clone::clone);
    let [regret, share, recall] = empty;
    let share = match found.regret_share {
        Some(value) => bounded(valued(share, value), &ends(|found| found.regret_share)),
        None => refused(share, &Refusal::NoValues { what: "every choice holds one of the best runs".to_owned() }),
    };
    [
        detailed(
            bounded(valued(regret, found.regret), &ends(|found| found.regret)),
            &json!({ "k": k, "random": found.random_regret }),
        ),
        detailed(share, &json!({ "k": k, "random": 1.0 })),
        detailed(
            bounded(valued(recall, found.recall), &ends(|found| found.recall)),
            &json!({ "k": k, "random": found.random_recall }),
        ),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{fit::fit_rows, sample::suite, statistics::fitted};

    #[test]
    fn a_good_metric_costs_little_and_small_designs_have_no_interval() {
        for (n, interval) in [(24, true), (6, false)] {
            let inputs = suite(n);
            let fits = fit_rows(&inputs).unwrap();
            let all = fitted(&inputs, &fits).unwrap();
            let loss = all.iter().find(|fitted| fitted.row.metric == "loss/mlm_loss").unwrap();
            let rows = rows(loss);
            let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
            let expected = ["regret_at_1", "regret_share_at_1", "recall_at_1", "regret_at_3", "regret_share_at_3", "recall_at_3"];
            assert_eq!(names, expected);
            assert!(rows[1].value.unwrap() < 0.2 && rows[4].value.unwrap() < 0.2, "{rows:?}");
            assert!(rows.iter().all(|row| row.low95.is_some() == interval && row.reason.is_some() != interval));
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
