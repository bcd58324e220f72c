//! `plan`: what a suite would compute, what it costs and what it could detect.

use clmbench_fetch::AcceptedLicences;
use clmbench_runner::{
    Plan, Suite, corpora,
    plan::{self, PlanSummary, Survey},
};
use clmbench_stats::{minimum_detectable_r, runs_needed};
use clmbench_store::{Store, StoreError};
use serde::Serialize;

use super::licences::{self, Needed};
use crate::{
    arguments::{Global, PlanArguments},
    console::Console,
    error::CliError,
    plugins,
    units::{show_bytes, show_seconds},
};

/// Stages of cells, in the order in which they are computed.
const STAGES: [&str; 5] = ["tokenise", "pretrain", "embed", "measure", "transfer"];

/// Columns of a line's label.
const LABEL: usize = 8;

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
    if arguments.json.json { console.json("plan", &[facts]) } else { console.print(&facts.page(console.style.width)) }
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
    /// Terms that must be accepted before its data is fetched.
    licences: Vec<Needed>,
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
            licences: licences::needed(plan, &AcceptedLicences::from_environment()),
        }
    }

    /// The same, with these terms accepted.
    #[must_use]
    pub fn accepting(self, plan: &Plan, accepted: &AcceptedLicences) -> Self {
        Self { licences: licences::needed(plan, accepted), ..self }
    }

    /// Cells that are not finished yet.
    pub fn todo(&self) -> usize {
        self.todo
    }

    /// A few lines for people, at most `width` columns wide.
    pub fn page(&self, width: usize) -> String {
        let summary = &self.summary;
        let (suite, cells, stages) = (&self.suite, summary.cells, self.stages());
        let mut lines = vec![("suite", format!("{suite}: {cells} cells ({stages}), {} done, {} to do", self.done, self.todo))];
        if summary.not_applicable > 0 {
            lines.push(("", format!("{} more do not apply", summary.not_applicable)));
        }
        lines.push(("runs", self.runs()));
        lines.push(("detects", self.power()));
        let cost = [
            (summary.gradient_equivalents > 0.0)
                .then(|| format!("metrics at most {:.0} gradient-equivalents", summary.gradient_equivalents)),
            self.seconds.filter(|_| self.todo > 0).map(|seconds| format!("about {}", show_seconds(seconds))),
            self.disk_bytes.filter(|_| self.todo > 0).map(|bytes| format!("{} on disk", show_bytes(bytes))),
        ];
        let mut cost: Vec<String> = cost.into_iter().flatten().collect();
        if self.todo > 0 && self.seconds.is_none() {
            cost.push("time unknown until each kind of cell has been computed once".to_owned());
        }
        if !cost.is_empty() {
            lines.push(("cost", cost.join(", ")));
        }
        lines
            .extend(self.licences.iter().enumerate().map(|(index, terms)| (if index == 0 { "terms" } else { "" }, terms.text())));
        lines.iter().map(|(label, text)| labelled(label, text, width)).collect::<Vec<_>>().join("\n")
    }

    /// Cells by stage, in the order in which they are computed.
    fn stages(&self) -> String {
        let summary = &self.summary;
        let words = |stage: &&str| {
            let count = *summary.stages.get(stage)?;
            let controls = count.saturating_sub(summary.runs);
            Some(match *stage {
                "pretrain" if controls > 0 => format!("{} pretrain + {controls} controls", summary.runs),
                stage => format!("{count} {stage}"),
            })
        };
        STAGES.iter().filter_map(words).collect::<Vec<_>>().join(", ")
    }

    /// The runs, and how many of them a fit has.
    fn runs(&self) -> String {
        let PlanSummary { runs, pool, .. } = self.summary;
        let noun = if runs == 1 { "run" } else { "runs" };
        if pool == runs {
            return format!("{runs} independent pretraining {noun}: the n of every fit");
        }
        format!(
            "{runs} independent pretraining {noun} in pools of at most {pool}: only runs of one objective and one held-out sample \
             (one [[corpus]] table) stand in one fit"
        )
    }

    /// What a pool of this many runs could find, against what would be useful.
    fn power(&self) -> String {
        let runs = self.summary.pool;
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

/// A label and text beside it, in lines of at most `width` columns (or a word).
fn labelled(label: &str, text: &str, width: usize) -> String {
    let mut lines = vec![format!("{label:<LABEL$}")];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        let used = line.chars().count();
        if used == LABEL {
            line.push_str(word);
        } else if used + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(format!("{:LABEL$}{word}", ""));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(runs: usize) -> Facts {
        let summary = PlanSummary {
            cells: 106 + runs,
            stages: [("measure", 80), ("pretrain", 4 + runs), ("tokenise", 2), ("transfer", 20)].into(),
            not_applicable: 0,
            runs,
            pool: runs,
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
            licences: Vec::new(),
        }
    }

    #[test]
    fn power_is_said_before_compute_is_spent() {
        assert!(facts(3).page(200).contains("nothing: a fit needs 4 runs"));
        assert!(facts(6).page(200).contains("below 8 runs every verdict"));
        let twelve = facts(12).page(200);
        assert!(twelve.contains("|r| >= 0.74") && twelve.contains("runs would detect the useful effect 0.5"), "{twelve}");
        assert!(facts(60).page(200).contains("enough for the useful effect 0.5"));
    }

    #[test]
    fn what_can_be_detected_follows_from_the_largest_pool() {
        let mut two_pools = facts(24);
        (two_pools.summary.pool, two_pools.summary.mde) = (12, minimum_detectable_r(12));
        let page = two_pools.page(400);
        assert!(
            page.contains("24 independent pretraining runs in pools of at most 12") && page.contains("|r| >= 0.74"),
            "{page}"
        );
        two_pools.summary.pool = 6;
        assert!(two_pools.page(400).contains("below 8 runs every verdict"));
        assert!(facts(1).page(200).contains("1 independent pretraining run: the n"));
    }

    #[test]
    fn the_page_keeps_to_the_terminal_and_the_order_of_work() {
        let page = facts(8).page(60);
        assert!(page.lines().all(|line| line.chars().count() <= 60), "{page}");
        let first =
            "suite   demo: 114 cells (2 tokenise, 8 pretrain + 4\n        controls, 80 measure, 20 transfer), 0 done, 10 to do\n";
        assert!(page.starts_with(first), "{page}");
    }
}
