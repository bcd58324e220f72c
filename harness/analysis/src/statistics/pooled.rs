//! A metric over all tasks of a protocol: mean r, its test by moving runs jointly, its two-way interval, its verdict.

use std::collections::BTreeMap;

use clmbench_stats::{
    Evidence, Judgement, PermutationTest, Pooled, Refusal, SMALLEST_N_FOR_INTERVALS, generator, holm, joint_permutation_test,
    judge, minimum_detectable_r, pooled_spearman, two_way_bootstrap::RESAMPLES, two_way_interval,
};
use clmbench_store::StatisticRow;
use rayon::prelude::*;
use serde::Serialize;

use super::{
    numbers::{bounded, detailed, refused, valued},
    over_tasks::{LeftOut, OverTasks},
    reliability::of_score,
};
use crate::fit::SEED;

const KIND: &str = "pooled";
/// Tasks with a reliability of the score below this are listed.
const RELIABLE: f64 = 0.5;

/// What a pooled row rests on.
#[derive(Debug, Serialize)]
struct Details<'a> {
    /// Tasks pooled.
    n_tasks: usize,
    /// Each of them with its r and the reliability of its score.
    per_task: Vec<OfTask<'a>>,
    /// Those with a reliability of the score below one half; they are pooled like the others.
    unreliable_tasks: Vec<&'a str>,
    /// Tasks that have nothing to rank.
    left_out: &'a [LeftOut],
    permutation: Option<PermutationTest>,
    family: &'a str,
    family_size: usize,
    reversed: bool,
    minimum_detectable_r: Option<f64>,
    resamples: Option<usize>,
}

#[derive(Debug, Serialize)]
struct OfTask<'a> {
    task: &'a str,
    spearman: f64,
    score_reliability: Option<f64>,
}

/// A row before the family's adjustment.
struct Draft<'a> {
    over: &'a OverTasks<'a>,
    row: StatisticRow,
    pooled: Result<Pooled, Refusal>,
    permutation: Option<PermutationTest>,
    interval: Result<clmbench_stats::Interval, Refusal>,
}

/// One row a metric, protocol and pool.
pub(super) fn rows(all: &[OverTasks<'_>], useful_effect: f64) -> Vec<StatisticRow> {
    let mut drafts: Vec<Draft<'_>> = all.par_iter().map(draft).collect();
    let sizes = adjust(&mut drafts);
    drafts.into_iter().map(|draft| finish(draft, &sizes, useful_effect)).collect()
}

fn draft<'a>(over: &'a OverTasks<'a>) -> Draft<'a> {
    let tasks = over.tasks();
    let pooled = pooled_spearman(&tasks).map_err(|refusal| match (refusal, over.left_out.first()) {
        // Not too few tasks, but a metric that ranks nothing on any of them.
        (Refusal::TooFewTasks { .. }, Some(_)) if tasks.is_empty() => Refusal::Constant { name: over.metric().to_owned() },
        (refusal, _) => refusal,
    });
    let stream = |what: &str| generator(SEED, &format!("pooled {what} {}", over.label()));
    let permutation = joint_permutation_test(&tasks, &mut stream("permutation")).ok();
    let interval = two_way_interval(&tasks, RESAMPLES, &mut stream("interval"));
    let mut row = over.statistic(KIND, "spearman");
    row.p_raw = permutation.map(|test| test.p_value);
    Draft { over, row, pooled, permutation, interval }
}

/// Holm within each family; returns how many tests each has.
fn adjust<'a>(drafts: &mut [Draft<'a>]) -> BTreeMap<&'a str, usize> {
    let mut families: BTreeMap<&'a str, Vec<usize>> = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate().filter(|(_, draft)| draft.row.p_raw.is_some()) {
        families.entry(draft.over.family()).or_default().push(index);
    }
    for members in families.values() {
        let raw: Vec<f64> = members.iter().filter_map(|&index| drafts[index].row.p_raw).collect();
        members.iter().zip(holm(&raw)).for_each(|(&index, adjusted)| drafts[index].row.p_value = Some(adjusted));
    }
    families.into_iter().map(|(family, members)| (family, members.len())).collect()
}

fn finish(draft: Draft<'_>, sizes: &BTreeMap<&str, usize>, useful_effect: f64) -> StatisticRow {
    let Draft { over, row, pooled, permutation, interval } = draft;
    let n = over.runs.len();
    let evidence = Evidence {
        n,
        spearman: pooled.clone().map(|pooled| pooled.mean),
        interval: interval.clone(),
        holm_p: row.p_value,
        useful_effect,
    };
    let Judgement { verdict, reversed, reason, .. } = judge(&evidence);
    let mut row = match &pooled {
        Ok(pooled) => bounded(valued(row, pooled.mean), &interval),
        Err(refusal) => refused(row, refusal),
    };
    row.verdict = Some(verdict.word().to_owned());
    row.reason = Some(match over.fewest_runs().filter(|_| n < SMALLEST_N_FOR_INTERVALS) {
        Some((task, runs)) => format!("{reason}; all tasks share {n} runs, and {task} has {runs} alone"),
        None => reason,
    });
    let per_task = pooled.map_or_else(|_| Vec::new(), |pooled| pooled.per_task);
    let per_task: Vec<OfTask<'_>> = over
        .names
        .iter()
        .zip(&over.fits)
        .zip(per_task)
        .map(|((task, fit), spearman)| OfTask { task, spearman, score_reliability: of_score(fit).ok() })
        .collect();
    let unreliable = per_task.iter().filter(|of| of.score_reliability.is_some_and(|value| value < RELIABLE));
    let details = Details {
        n_tasks: over.fits.len(),
        unreliable_tasks: unreliable.map(|of| of.task).collect(),
        per_task,
        left_out: &over.left_out,
        permutation,
        family: over.family(),
        family_size: sizes.get(over.family()).copied().unwrap_or(0),
        reversed,
        minimum_detectable_r: minimum_detectable_r(n),
        resamples: interval.ok().map(|interval| interval.resamples),
    };
    detailed(row, &details)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_stats::spearman;
    use serde_json::Value;

    use super::*;
    use crate::{
        fit::fit_rows,
        inputs::Inputs,
        sample::{score_row, suite},
        statistics::fitted,
    };

    fn of(inputs: &Inputs) -> Vec<StatisticRow> {
        let fits = fit_rows(inputs).unwrap();
        let fitted = fitted(inputs, &fits).unwrap();
        rows(&OverTasks::all(&fitted), inputs.useful_effect)
    }

    /// Runs that are scored on a second dataset too, there in no order.
    fn two_tasks(n: usize) -> Inputs {
        let mut inputs = suite(n);
        for number in 0..n {
            let mut row = score_row(&format!("run{number:03}"), ((number * 5) % 11) as f64);
            row.dataset = "esol".into();
            (row.data_digest, row.split_digest) = ("esol data".into(), "esol split".into());
            row.se_test = 10.0;
            inputs.scores.push(row);
        }
        inputs
    }

    #[test]
    fn the_mean_of_the_tasks_with_its_verdict() {
        let inputs = two_tasks(24);
        let found = of(&inputs);
        assert_eq!(found.len(), 2, "one a metric");
        let row = found.iter().find(|row| row.metric.as_deref() == Some("loss/mlm_loss")).unwrap();
        let fits = fit_rows(&inputs).unwrap();
        let of_loss: Vec<f64> =
            fits.iter().filter(|fit| fit.metric == "loss/mlm_loss").map(|fit| fit.spearman.unwrap()).collect();
        assert!((row.value.unwrap() - of_loss.iter().sum::<f64>() / 2.0).abs() < 1e-12);
        assert_eq!(
            (row.n, row.dataset.as_ref(), row.pool.as_deref()),
            (24, None, Some("masked_lm tokenizer:tokenize sample:heldout probe"))
        );
        assert!(row.p_value.unwrap() >= row.p_raw.unwrap() && row.low95 < row.value && row.value < row.high95);
        let details: Value = serde_json::from_str(row.details_json.as_ref().unwrap()).unwrap();
        assert_eq!((details["n_tasks"].as_u64(), details["family_size"].as_u64()), (Some(2), Some(2)));
        assert_eq!(details["unreliable_tasks"], serde_json::json!(["esol/expt"]), "listed, not dropped");
        assert!(row.verdict.is_some() && row.reason.is_some());
    }

    #[test]
    fn only_runs_that_all_tasks_share() {
        let mut inputs = two_tasks(24);
        inputs.scores.retain(|row| row.dataset != "esol" || row.run.as_str() < "run010");
        let found = of(&inputs);
        let row = found.iter().find(|row| row.metric.as_deref() == Some("loss/mlm_loss")).unwrap();
        assert_eq!(row.n, 10);
        let fits = fit_rows(&inputs).unwrap();
        let all = fitted(&inputs, &fits).unwrap();
        let each = all.iter().filter(|fit| fit.row.metric == "loss/mlm_loss");
        let expected: Vec<f64> = each.map(|fit| spearman(&fit.metric[..10], &fit.score[..10]).unwrap()).collect();
        assert!((row.value.unwrap() - (expected[0] + expected[1]) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_task_with_few_runs_does_not_cost_the_others_theirs() {
        let mut inputs = two_tasks(24);
        for number in 0..5 {
            let mut row = score_row(&format!("run{number:03}"), number as f64);
            row.dataset = "lipo".into();
            (row.data_digest, row.split_digest) = ("lipo data".into(), "lipo split".into());
            inputs.scores.push(row);
        }
        let loss = |inputs: &Inputs| of(inputs).into_iter().find(|row| row.metric.as_deref() == Some("loss/mlm_loss")).unwrap();
        let row = loss(&inputs);
        assert_eq!((row.n, row.value), (24, loss(&two_tasks(24)).value));
        assert!(row.details_json.unwrap().contains("\"left_out\":[{\"task\":\"lipo/expt\",\"reason\":\"it has 5 of the runs"));
        // With two tasks there is nothing to leave out, and the reason names the one.
        let mut inputs = two_tasks(24);
        inputs.scores.retain(|row| row.dataset != "esol" || row.run.as_str() < "run006");
        let row = loss(&inputs);
        assert!(
            row.n == 6 && row.reason.as_ref().unwrap().ends_with("; all tasks share 6 runs, and esol/expt has 6 alone"),
            "{row:?}"
        );
    }

    #[test]
    fn refused_in_words() {
        let one = of(&suite(12));
        assert!(one.iter().all(|row| row.value.is_none() && row.refusal.as_deref() == Some("too_few_tasks")));
        assert!(one.iter().all(|row| row.verdict.as_deref() == Some("refused")));
        assert_eq!(one[0].reason.as_deref(), Some("pooling over tasks needs 2 tasks and has 1"));
        let six = of(&two_tasks(6));
        assert!(
            six.iter().all(|row| row.value.is_some() && row.low95.is_none() && row.verdict.as_deref() == Some("cannot_tell"))
        );
        let mut three = two_tasks(3);
        // In the sample the first three have one score.
        three.scores[0].value = 9.0;
        let three = of(&three);
        assert!(three.iter().all(|row| row.refusal.as_deref() == Some("too_few")), "{three:?}");
        let mut constant = two_tasks(12);
        constant.metrics.iter_mut().filter(|row| row.metric == "loss/mlm_loss").for_each(|row| row.value = 1.0);
        let found = of(&constant);
        let row = found.iter().find(|row| row.metric.as_deref() == Some("loss/mlm_loss")).unwrap();
        assert_eq!(row.refusal.as_deref(), Some("constant"), "{row:?}");
        let details: Value = serde_json::from_str(row.details_json.as_ref().unwrap()).unwrap();
        assert_eq!(details["left_out"].as_array().unwrap().len(), 2);
    }
}
