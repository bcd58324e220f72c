//! Rank correlation within one size and within one corpus.

use std::collections::BTreeSet;

use clmbench_stats::{Refusal, Strata, Stratum, strata};
use clmbench_store::{RunRow, StatisticRow};
use serde_json::json;

use super::{
    Fitted,
    numbers::{about, bounded, detailed, ended_if, refused, valued},
};

const KIND: &str = "stratum";

/// Spearman's correlation in every size and every corpus that the runs have, and the means over them.
pub(super) fn rows(fitted: &Fitted<'_>) -> Vec<StatisticRow> {
    let size = |run: &RunRow| Some((run.non_embedding_parameters, format!("{} parameters", run.non_embedding_parameters)));
    let corpus = |run: &RunRow| run.corpus_molecules.map(|molecules| (molecules, format!("{} {molecules}", run.corpus)));
    let mut rows = by(fitted, "size", "within_size", size);
    rows.extend(by(fitted, "corpus", "within_corpus", corpus));
    rows
}

fn by(fitted: &Fitted<'_>, what: &str, name: &str, key: impl Fn(&RunRow) -> Option<(u64, String)>) -> Vec<StatisticRow> {
    let mean_name = format!("{name}_mean");
    let refuse = |refusal: &Refusal| vec![refused(fitted.statistic(KIND, &mean_name), refusal)];
    let Some(keys) = fitted.runs.iter().map(|run| key(run)).collect::<Option<Vec<(u64, String)>>>() else {
        let what = format!("the {what} of a checkpoint of others is not known");
        return refuse(&Refusal::NoValues { what });
    };
    let terms: Vec<&(u64, String)> = keys.iter().collect::<BTreeSet<_>>().into_iter().collect();
    let groups: Vec<usize> = keys.iter().map(|key| terms.partition_point(|term| *term < key)).collect();
    let Strata { strata, within } = match strata(&fitted.metric, &fitted.score, &groups) {
        Ok(found) => found,
        Err(refusal) => return refuse(&fitted.named(refusal)),
    };
    if let [_] = terms[..] {
        return refuse(&Refusal::Constant { name: what.to_owned() });
    }
    let mut rows: Vec<StatisticRow> =
        strata.iter().map(|(group, stratum)| about(one(fitted, name, stratum), &terms[*group].1)).collect();
    let row = fitted.statistic(KIND, &mean_name);
    rows.push(match within {
        Ok(found) => {
            let mut row = valued(row, found.r);
            row.n = found.n as u32;
            row.p_raw = Some(found.p_value);
            let row = ended_if(row, &found.ends);
            detailed(row, &json!({ "strata": found.strata, "strata_refused": strata.len() - found.strata }))
        }
        Err(refusal) => refused(row, &refusal),
    });
    rows
}

fn one(fitted: &Fitted<'_>, name: &str, stratum: &Stratum) -> StatisticRow {
    let mut row = fitted.statistic(KIND, name);
    row.n = stratum.n as u32;
    match &stratum.spearman {
        Ok(r) => bounded(valued(row, *r), &stratum.ends),
        Err(refusal) => refused(row, &fitted.named(refusal.clone())),
    }
}
