//! `plan`: what a suite would compute, what it costs and what it could detect.

use clmbench_runner::{
    Plan, Suite, corpora,
    plan::{self, PlanSummary, Survey},
};
use clmbench_stats::{minimum_detectable_r, runs_needed};
use clmbench_store::{Store, StoreError};
use serde::Serialize;

use crate::{
    arguments::{Global, PlanArguments},
    console::Console,
    error::CliError,
    plugins,
    units::{show_bytes, show_seconds},
};

/// Fewest runs for any verdict.
const VERDICT_RUNS: usize = 8;

/// Prints the plan.
///
/// # Errors
/// [`CliError::Suite`] and [`CliError::Plan`] for what is wrong in the suite; [`CliError::NoWorker`], [`CliError::Store`].
pub fn run(arguments: &PlanArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let plan = read(&arguments.suite, global, console)?;
    let store = match Store::open_reader(&global.store) {
        Ok(store) => Some(store),
        Err(StoreError::Missing { .. } | StoreError::Older { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let survey = plan::survey(&plan, store.as_ref(), super::run::default_workers())?;
    let facts = Facts::new(&plan, survey);
    if arguments.json.json { console.json("plan", &[facts]) } else { console.print(&facts.page()) }
}

/// Reads a suite and plans it with the plugins at hand; says which plugins were left out.
///
/// # Errors
/// As [`run`]; when the suite names what no plugin offers and plugins were left out, they are said first.
pub fn read(suite: &std::path::Path, global: &Global, console: Console) -> Result<Plan, CliError> {
    let suite = Suite::read(suite)?;
    let discovery = plugins::find(global)?;
    plugins::warn(&discovery, console);
    Ok(plan::build(&suite, &discovery.plugins, &corpora::catalogue)?)
}

/// The row of `plan --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    suite: String,
    #[serde(flatten)]
    summary: PlanSummary,
    done: usize,
    todo: usize,
    /// Wall time of the rest, on this machine's workers; null before a cell of each kind was ever computed.
    seconds: Option<f64>,
    disk_bytes: Option<u64>,
    useful_effect: f64,
    /// Runs that would detect the useful effect.
    runs_needed: Option<usize>,
}

impl Facts {
    /// The plan in numbers.
    pub fn new(plan: &Plan, survey: Survey) -> Self {
        Self {
            suite: plan.suite.name.clone(),
            summary: plan.summary(&minimum_detectable_r),
            done: survey.done,
            todo: survey.todo,
            seconds: survey.seconds,
            disk_bytes: survey.disk_bytes,
            useful_effect: plan.suite.useful_effect,
            runs_needed: runs_needed(plan.suite.useful_effect),
        }
    }

    /// Cells that are not finished yet.
    pub fn todo(&self) -> usize {
        self.todo
    }

    /// A few lines for people.
    pub fn page(&self) -> String {
        let summary = &self.summary;
        let stages: Vec<String> = summary.stages.iter().map(|(stage, count)| format!("{count} {stage}")).collect();
        let mut lines = vec![format!(
            "suite {}: {} cells ({}), {} done, {} to do",
            self.suite,
            summary.cells,
            stages.join(", "),
            self.done,
            self.todo
        )];
        if summary.not_applicable > 0 {
            lines.push(format!("  {} more do not apply", summary.not_applicable));
        }
        lines.push(format!("runs    {} independent pretraining runs: the n of every fit", summary.runs));
        lines.push(format!("detects {}", self.power()));
        let cost = [
            (summary.gradient_equivalents > 0.0)
                .then(|| format!("metrics about {:.0} gradient-equivalents", summary.gradient_equivalents)),
            self.seconds.filter(|_| self.todo > 0).map(|seconds| format!("about {}", show_seconds(seconds))),
            self.disk_bytes.filter(|_| self.todo > 0).map(|bytes| format!("{} on disk", show_bytes(bytes))),
        ];
        let mut cost: Vec<String> = cost.into_iter().flatten().collect();
        if self.todo > 0 && self.seconds.is_none() {
            cost.push("time unknown until each kind of cell has been computed once".to_owned());
        }
        if !cost.is_empty() {
            lines.push(format!("cost    {}", cost.join(", ")));
        }
        lines.join("\n")
    }

    /// What this many runs could find, against what would be useful.
    fn power(&self) -> String {
        let runs = self.summary.runs;
        let useful = self.useful_effect;
        let needed =
            self.runs_needed.map(|needed| format!("; {needed} runs would detect the useful effect {useful}")).unwrap_or_default();
        match self.summary.mde {
            None => format!("nothing: a fit needs 4 runs and a verdict {VERDICT_RUNS}{needed}"),
            Some(mde) if runs < VERDICT_RUNS => {
                format!("|r| >= {mde:.2} (80 % power), but below {VERDICT_RUNS} runs every verdict is \"cannot tell\"{needed}")
            }
            Some(mde) if mde > useful => format!("|r| >= {mde:.2} (80 % power){needed}"),
            Some(mde) => format!("|r| >= {mde:.2} (80 % power), enough for the useful effect {useful}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(runs: usize) -> Facts {
        let summary = PlanSummary {
            cells: 10,
            stages: [("measure", 6), ("pretrain", 4)].into(),
            not_applicable: 0,
            runs,
            mde: minimum_detectable_r(runs),
            gradient_equivalents: 0.0,
        };
        let suite = "demo".to_owned();
        Facts {
            suite,
            summary,
            done: 0,
            todo: 10,
            seconds: None,
            disk_bytes: None,
            useful_effect: 0.5,
            runs_needed: runs_needed(0.5),
        }
    }

    #[test]
    fn power_is_said_before_compute_is_spent() {
        assert!(facts(3).page().contains("nothing: a fit needs 4 runs"));
        assert!(facts(6).page().contains("below 8 runs every verdict"));
        let twelve = facts(12).page();
        assert!(twelve.contains("|r| >= 0.74") && twelve.contains("runs would detect the useful effect 0.5"), "{twelve}");
        assert!(facts(60).page().contains("enough for the useful effect 0.5"));
    }
}
