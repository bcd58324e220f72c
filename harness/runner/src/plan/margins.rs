//! That the margins of a suite are of what it has.

use clmbench_protocol::TaskInfo;
use clmbench_store::GivenMargin;

use super::PlanError;
use crate::{nearest::hint, suite::Suite};

/// Holds each margin against the (dataset, task) pairs of the suite.
///
/// # Errors
/// [`PlanError::UnknownMargin`], [`PlanError::ShareOfOther`].
pub(super) fn check(suite: &Suite, tasks: &[(String, TaskInfo)]) -> Result<(), PlanError> {
    for entry in &suite.margins {
        let margin = &entry.margin;
        let named = |(dataset, task): &&(String, TaskInfo)| names(dataset, task).contains(&margin.of);
        if !tasks.iter().any(|task| named(&task)) {
            return Err(PlanError::UnknownMargin {
                place: entry.place.clone(),
                of: margin.of.escape_debug().to_string(),
                hint: known(&margin.of, tasks),
            });
        }
        if let Some((dataset, task)) = tasks.iter().filter(named).find(|(_, task)| !margin.suits(&task.score)) {
            return Err(PlanError::ShareOfOther {
                place: entry.place.clone(),
                of: key(&margin.of),
                score: task.score.clone(),
                task: format!("{dataset}/{}", task.name),
            });
        }
    }
    Ok(())
}

fn names(dataset: &str, task: &TaskInfo) -> [String; 3] {
    GivenMargin::names(dataset, &task.name, &task.score)
}

/// The nearest name, among tasks where one of a dataset is meant.
fn known(of: &str, tasks: &[(String, TaskInfo)]) -> String {
    let of_tasks = of.contains('/');
    let mut known: Vec<String> = tasks
        .iter()
        .flat_map(|(dataset, task)| {
            let [task, dataset, score] = names(dataset, task);
            if of_tasks { vec![task] } else { vec![dataset, score] }
        })
        .collect();
    known.sort();
    known.dedup();
    hint(of, &known.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A key as TOML wants it.
fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
    if bare { name.to_owned() } else { format!("\"{}\"", name.escape_debug()) }
}
