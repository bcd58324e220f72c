//! `plan`: what a suite would compute, what it costs and what it could detect.

use clmbench_fetch::{AcceptedLicences, Fetcher};
use clmbench_report::Style;
use clmbench_runner::{
    Plan, RunError, Suite, corpora,
    plan::{self, HubWanted, MetricCost, PlanError, PlanSummary, STAGES, Selection, StageSurvey, Survey},
    plugins::Discovery,
    refuse_changed_plugins,
    suite::UNPINNED,
};
use clmbench_stats::{
    minimum_detectable_r, runs_needed,
    verdict::{SMALLEST_N_FOR_FIT, SMALLEST_N_FOR_VERDICT},
};
use clmbench_store::{GivenMargin, Store, StoreError};
use serde::Serialize;

use super::{
    hub_models,
    licences::{self, Needed},
    metric_costs,
};
use crate::{
    arguments::{Global, PlanArguments},
    console::Console,
    error::CliError,
    plugins,
    units::{show_bytes, show_seconds},
};

/// Columns of a line's label.
const LABEL: usize = 8;

/// Prints the plan.
///
/// # Errors
/// [`CliError::Suite`] and [`CliError::Plan`] for what is wrong in the suite; [`CliError::NoWorker`], [`CliError::Store`].
pub fn run(arguments: &PlanArguments, global: &Global, console: Console) -> Result<(), CliError> {
    let plan = Reader::new(&arguments.suite, global, console)?.plan()?;
    let store = match Store::open_reader(&global.store) {
        Ok(store) => Some(store),
        Err(StoreError::Missing { .. } | StoreError::Older { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let survey = plan::survey(&plan, store.as_ref(), super::run::default_workers(), None)?;
    let facts = Facts::new(&plan, survey);
    if arguments.json.json {
        console.json("plan", &[facts])?
    } else {
        console.print(&facts.page(console.style))?
    }
    if let Some(Err(error @ RunError::ChangedPlugin { .. })) = store.map(|store| refuse_changed_plugins(&store, &plan)) {
        console.note(&format!("warning: `clmbench run` will refuse this suite: {error}"));
    }
    Ok(())
}

/// The cells that `--only` names; none = all.
///
/// # Errors
/// [`CliError::Usage`] for a pattern that names nothing, with the nearest keys.
pub fn select(plan: &Plan, patterns: &[String]) -> Result<Option<Selection>, CliError> {
    if patterns.is_empty() {
        return Ok(None);
    }
    plan.select(patterns).map(Some).map_err(|error| CliError::Usage {
        message: error.to_string(),
        hint: format!(
            "nearest: {}. A pattern is a stage, a key, or a key with * and ?, in quotes; `clmbench status --cells` lists the keys of a suite that was run",
            error.nearest.join(", ")
        ),
    })
}

/// A suite and the plugins at hand.
pub struct Reader {
    suite: Suite,
    discovery: Discovery,
}

impl Reader {
    /// Reads a suite and finds the plugins; says which of them were left out.
    ///
    /// # Errors
    /// [`CliError::Suite`]; [`CliError::PluginsLeftOut`] when none can be used.
    pub fn new(suite: &std::path::Path, global: &Global, console: Console) -> Result<Self, CliError> {
        Self::of(Suite::read(suite)?, global, console)
    }

    /// [`Reader::new`] of a suite that is read already.
    ///
    /// # Errors
    /// [`CliError::PluginsLeftOut`] when no plugin can be used.
    pub fn of(suite: Suite, global: &Global, console: Console) -> Result<Self, CliError> {
        let discovery = plugins::find(global)?;
        if discovery.plugins.plugins().is_empty() && !discovery.errors.is_empty() {
            return Err(CliError::PluginsLeftOut(discovery.errors));
        }
        plugins::warn(&discovery, console);
        Ok(Self { suite, discovery })
    }

    /// Plans the suite with what is there; asks nobody.
    ///
    /// # Errors
    /// [`CliError::Plan`], and [`CliError::Fetch`] for files of which nothing is declared.
    pub fn plan(&self) -> Result<Plan, CliError> {
        let mut plan = self.build()?;
        settle(&mut plan)?;
        Ok(plan)
    }

    fn build(&self) -> Result<Plan, PlanError> {
        plan::build(&self.suite, &self.discovery.plugins, &corpora::catalogue, &hub_models::cached)
    }

    /// Plans the suite, and again with its checkpoints of the hub once those that are missing were fetched. `first` looks at the plan
    /// before that, refuses what else is wrong, and says whether they are needed. A checkpoint whose architecture is not written leaves
    /// nothing to look at before it is fetched.
    ///
    /// # Errors
    /// As [`Reader::plan`], those of `first`, and those of [`hub_models::fetch`].
    pub fn plan_and_fetch(
        &self,
        console: Console,
        first: impl FnOnce(Option<&Plan>) -> Result<bool, CliError>,
    ) -> Result<Plan, CliError> {
        match self.build() {
            Err(PlanError::NotFetched { .. }) => {
                first(None)?;
                hub_models::fetch(&hub_models::missing(&self.suite), console)?;
            }
            Err(error) => return Err(error.into()),
            Ok(mut plan) => {
                settle(&mut plan)?;
                if !first(Some(&plan))? || plan.hub.is_empty() {
                    return Ok(plan);
                }
                hub_models::fetch(&plan.hub, console)?;
            }
        }
        self.plan()
    }
}

/// Files of which nothing is declared go into the plan by their bytes, where they are there.
fn settle(plan: &mut Plan) -> Result<(), CliError> {
    let unsettled = plan.unsettled();
    if unsettled.is_empty() {
        return Ok(());
    }
    let fetcher = Fetcher::from_environment()?;
    for wanted in unsettled {
        if let Some(found) = fetcher.find(&wanted) {
            plan.settle(&wanted.reference, &found.path)?;
        }
    }
    Ok(())
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
    by_stage: Vec<StageSurvey>,
    /// What each metric costs.
    metrics: Vec<MetricCost>,
    useful_effect: f64,
    /// Runs that would detect the useful effect.
    runs_needed: Option<usize>,
    /// Margins that the suite names; [`clmbench_store::SuiteRow::margins`] reads them from the stored plan.
    margins: Vec<GivenMargin>,
    /// Terms that must be accepted before its data is fetched.
    licences: Vec<Needed>,
    /// Checkpoints of the hub that are not in the cache, as `owner/name@commit`; `unpinned` in place of a commit that is not written.
    not_fetched: Vec<String>,
}

impl Facts {
    /// The plan in numbers.
    pub fn new(plan: &Plan, survey: Survey) -> Self {
        Self {
            suite: plan.suite.name.clone(),
            summary: PlanSummary {
                pool: survey.pool.runs,
                pool_is_conditional: survey.pool.conditional,
                mde: minimum_detectable_r(survey.pool.runs),
                ..plan.summary(&minimum_detectable_r)
            },
            done: survey.done,
            todo: survey.todo,
            seconds: survey.seconds,
            disk_bytes: survey.disk_bytes,
            by_stage: survey.stages,
            metrics: survey.metrics,
            useful_effect: plan.suite.useful_effect,
            runs_needed: runs_needed(plan.suite.useful_effect),
            margins: plan.suite.margins.iter().map(|entry| entry.margin.clone()).collect(),
            licences: licences::needed(plan, &AcceptedLicences::from_environment()),
            not_fetched: plan.hub.iter().map(place_on_hub).collect(),
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

    /// A page for people: what, how many runs, what they could detect, then cells, time and disk by stage.
    pub fn page(&self, style: Style) -> String {
        let summary = &self.summary;
        let (suite, cells, stages) = (&self.suite, summary.cells, self.stages());
        let mut lines = vec![("suite", format!("{suite}: {cells} cells ({stages}), {} done, {} to do", self.done, self.todo))];
        if summary.not_applicable > 0 {
            lines.push(("", format!("{} more do not apply", summary.not_applicable)));
        }
        if self.is_of_baselines_alone() {
            lines.push(("runs", "none: nothing is pretrained, so nothing is fitted".to_owned()));
        } else {
            lines.push(("runs", self.runs()));
            lines.push(("detects", self.power()));
        }
        lines.extend(self.not_there().map(|text| ("hub", text)));
        lines.extend(self.baselines().map(|text| ("against", text)));
        lines.extend(self.margins().map(|text| ("margins", text)));
        let cost = self.cost();
        if !cost.is_empty() {
            lines.push(("cost", cost));
        }
        lines
            .extend(self.licences.iter().enumerate().map(|(index, terms)| (if index == 0 { "terms" } else { "" }, terms.text())));
        let mut page = lines.iter().map(|(label, text)| labelled(label, text, style.width)).collect::<Vec<_>>().join("\n");
        if self.todo > 0 {
            page.push('\n');
            page.push_str(table(&self.by_stage, style).trim_end());
            page.extend(self.not_known().map(|text| format!("\n{}", labelled("unknown", &text, style.width))));
        }
        let (costs, notes) = metric_costs::page(&self.metrics, style);
        if !costs.is_empty() {
            page.push('\n');
            page.push_str(costs.trim_end());
        }
        page.extend(notes.iter().map(|(label, text)| format!("\n{}", labelled(label, text, style.width))));
        page
    }

    /// Whether the suite has no model.
    fn is_of_baselines_alone(&self) -> bool {
        let made = ["pretrain", "import"].into_iter().any(|stage| self.summary.stages.contains_key(stage));
        !self.summary.baselines.is_empty() && !made
    }

    /// Checkpoints that must be fetched, and what is not known before.
    fn not_there(&self) -> Option<String> {
        let count = self.not_fetched.len();
        let open = self.not_fetched.iter().filter(|place| place.ends_with(UNPINNED)).count();
        let (noun, then) = match count {
            1 => ("checkpoint is", "its size is not known"),
            _ => ("checkpoints are", "they are taken to share one tokenizer, and their sizes are not known"),
        };
        let next = match open {
            0 => "`clmbench run` fetches what is missing".to_owned(),
            _ => format!(
                "{open} of them not pinned to a commit: `clmbench run` says which lines to write, and computes nothing before"
            ),
        };
        (count > 0).then(|| format!("{count} {noun} not in the cache ({next}). Until then {then}"))
    }

    /// The baselines, or that there are none; nothing where nothing is scored.
    fn baselines(&self) -> Option<String> {
        let named = &self.summary.baselines;
        self.summary.stages.contains_key("transfer").then(|| match named.len() {
            0 => "no baseline is named: scores have nothing but the mean predictor and the control to be compared with \
                  (`[[baseline]]` names some)"
                .to_owned(),
            count => format!("{} on the same splits: {}", crate::units::counted(count, "baseline"), named.join("; ")),
        })
    }

    /// The margins that the suite names.
    fn margins(&self) -> Option<String> {
        let named: Vec<String> = self.margins.iter().map(ToString::to_string).collect();
        (!named.is_empty()).then(|| format!("{} (of the gate and of saturation; defaults for the rest)", named.join(", ")))
    }

    /// Training, metrics, time and disk of what is to do.
    fn cost(&self) -> String {
        let summary = &self.summary;
        let todo = self.todo > 0;
        let training = (summary.training_tokens > 0).then(|| {
            let flops = (summary.training_flops > 0.0).then(|| format!(" ({:.1e} FLOP)", summary.training_flops));
            format!("training on {} tokens{}", large(summary.training_tokens), flops.unwrap_or_default())
        });
        let cost = [
            training,
            metric_costs::in_all(&self.metrics),
            self.seconds.filter(|_| todo).map(|seconds| format!("about {}", show_seconds(seconds))),
            self.disk_bytes.filter(|_| todo).map(|bytes| format!("{} on disk", show_bytes(bytes))),
        ];
        cost.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Why time and disk are not known, and what would tell; none where they are.
    fn not_known(&self) -> Option<String> {
        let unknown: usize = self.by_stage.iter().map(|stage| stage.unknown).sum();
        if unknown == 0 {
            return None;
        }
        let which = if unknown == self.todo { "all".to_owned() } else { format!("{unknown} of the {}", self.todo) };
        let imports = match self.summary.imports {
            0 => "",
            _ => ", or they are of checkpoints of others, whose sizes are known once they are read",
        };
        Some(format!(
            "time and disk of {which} cells to do: nothing like them was computed in this store yet{imports}. They are known from the \
             first cell of each kind on; `clmbench run SUITE --only PATTERN` computes a few first"
        ))
    }

    /// Cells by stage, in the order in which they are computed.
    fn stages(&self) -> String {
        let summary = &self.summary;
        let words = |stage: &&str| {
            let count = *summary.stages.get(stage)?;
            let counted = match *stage {
                "import" => summary.imports,
                _ => summary.runs - summary.imports,
            };
            let controls = count.saturating_sub(counted);
            Some(match *stage {
                "pretrain" | "import" if controls > 0 => {
                    format!("{counted} {stage} + {}", crate::units::counted(controls, "control"))
                }
                stage => format!("{count} {stage}"),
            })
        };
        STAGES.iter().filter_map(words).collect::<Vec<_>>().join(", ")
    }

    /// The runs, and how many of them a fit has.
    fn runs(&self) -> String {
        let PlanSummary { runs, imports, pool, pool_is_conditional, .. } = self.summary;
        let noun = if runs == 1 { "run" } else { "runs" };
        let what = match imports {
            0 => format!("{runs} independent pretraining {noun}"),
            _ if imports == runs => format!("{runs} independent pretraining {noun} (of others)"),
            _ => format!("{runs} independent pretraining {noun} ({imports} of others)"),
        };
        if pool == runs && !pool_is_conditional {
            return format!("{what}: the n of every fit");
        }
        let sample =
            if imports == 0 { "one held-out sample (one [[corpus]] table)" } else { "one tokenizer and held-out sample" };
        let condition = if pool_is_conditional { ", if their tokenizers are equal" } else { "" };
        format!("{what} in pools of at most {pool}{condition}: only runs of one objective and {sample} stand in one fit")
    }

    /// What a pool of this many runs could find, against what would be useful.
    fn power(&self) -> String {
        let runs = self.summary.pool;
        let useful = self.useful_effect;
        let needed =
            self.runs_needed.map(|needed| format!("; {needed} runs would detect the useful effect {useful}")).unwrap_or_default();
        match self.summary.mde {
            None => format!("nothing: a fit needs {SMALLEST_N_FOR_FIT} runs and a verdict {SMALLEST_N_FOR_VERDICT}{needed}"),
            Some(mde) if runs < SMALLEST_N_FOR_VERDICT => {
                format!(
                    "|r| >= {mde:.2} (80 % power), but below {SMALLEST_N_FOR_VERDICT} runs every verdict is \"cannot tell\"{needed}"
                )
            }
            Some(mde) if mde > useful => format!("|r| >= {mde:.2} (80 % power){needed}"),
            Some(mde) => format!("|r| >= {mde:.2} (80 % power), enough for the useful effect {useful}"),
        }
    }
}

/// `owner/name@commit`.
fn place_on_hub(wanted: &HubWanted) -> String {
    format!("{}@{}", wanted.repo, wanted.commit.as_deref().unwrap_or(UNPINNED))
}

/// Cells, time and disk by stage.
fn table(stages: &[StageSurvey], style: Style) -> String {
    let either = |stage: &StageSurvey, known: String| match (stage.todo, stage.unknown) {
        (0, _) => String::new(),
        (_, 0) => known,
        (todo, unknown) if todo == unknown => "unknown".to_owned(),
        _ => format!("> {known}"),
    };
    let count = |number: usize| if number == 0 { String::new() } else { number.to_string() };
    let rows: Vec<Vec<String>> = stages
        .iter()
        .map(|stage| {
            vec![
                stage.stage.to_owned(),
                stage.cells.to_string(),
                count(stage.done),
                count(stage.todo),
                either(stage, show_seconds(stage.known_seconds)),
                either(stage, show_bytes(stage.known_bytes)),
            ]
        })
        .collect();
    clmbench_report::table_in(&["stage", "cells", "done", "to do", "time", "disk"], &rows, style)
}

/// `600k`, `4.8M`, `12.0G`.
fn large(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..1_000_000 => format!("{}k", number / 1_000),
        1_000_000..1_000_000_000 => format!("{:.1}M", number as f64 / 1e6),
        _ => format!("{:.1}G", number as f64 / 1e9),
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
            imports: 0,
            baselines: vec!["linear, ecfp4 2048".into()],
            pool: runs,
            pool_is_conditional: false,
            mde: minimum_detectable_r(runs),
            gradient_equivalents: 0.0,
            training_tokens: 600_000,
            training_flops: 1.2e12,
        };
        let stage = |stage, todo, unknown, known_seconds, known_bytes| StageSurvey {
            stage,
            cells: 20,
            done: 20 - todo,
            todo,
            unknown,
            known_seconds,
            known_bytes,
        };
        let by_stage = vec![stage("tokenise", 0, 0, 0.0, 0), stage("pretrain", 8, 8, 0.0, 0), stage("measure", 2, 1, 65.0, 2048)];
        let suite = "demo".to_owned();
        Facts {
            suite,
            summary,
            done: 0,
            todo: 10,
            seconds: None,
            disk_bytes: None,
            by_stage,
            metrics: Vec::new(),
            useful_effect: 0.5,
            runs_needed: runs_needed(0.5),
            margins: Vec::new(),
            licences: Vec::new(),
            not_fetched: Vec::new(),
        }
    }

    #[test]
    fn power_is_said_before_compute_is_spent() {
        assert!(facts(3).page(Style::ascii(200)).contains("nothing: a fit needs 4 runs"));
        assert!(facts(6).page(Style::ascii(200)).contains("below 8 runs every verdict"));
        let twelve = facts(12).page(Style::ascii(200));
        assert!(twelve.contains("|r| >= 0.74") && twelve.contains("runs would detect the useful effect 0.5"), "{twelve}");
        assert!(facts(60).page(Style::ascii(200)).contains("enough for the useful effect 0.5"));
    }

    #[test]
    fn what_can_be_detected_follows_from_the_largest_pool() {
        let mut two_pools = facts(24);
        (two_pools.summary.pool, two_pools.summary.mde) = (12, minimum_detectable_r(12));
        let page = two_pools.page(Style::ascii(400));
        assert!(
            page.contains("24 independent pretraining runs in pools of at most 12") && page.contains("|r| >= 0.74"),
            "{page}"
        );
        two_pools.summary.pool = 6;
        assert!(two_pools.page(Style::ascii(400)).contains("below 8 runs every verdict"));
        assert!(facts(1).page(Style::ascii(200)).contains("1 independent pretraining run: the n"));
    }

    #[test]
    fn what_is_not_known_is_said_by_stage() {
        let page = facts(8).page(Style::ascii(80));
        let (_, rest) = page.split_once("cost    ").unwrap_or_default();
        let expected = "\
training on 600k tokens (1.2e12 FLOP)
";
        assert!(rest.starts_with(expected), "{page}");
        let row = |stage: &str| page.lines().find(|line| line.trim_start().starts_with(stage)).unwrap_or_default().to_owned();
        let words = |stage: &str| row(stage).split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        assert_eq!(words("tokenise"), "tokenise 20 20");
        assert_eq!(words("pretrain"), "pretrain 20 12 8 unknown unknown");
        assert_eq!(words("measure"), "measure 20 18 2 > 1 min 05 s > 2.0 KiB");
        assert!(page.contains("unknown time and disk of 9 of the 10 cells"), "{page}");
        assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    }

    #[test]
    fn what_scores_are_compared_with_is_said() {
        let mut some = facts(8);
        assert!(some.page(Style::ascii(200)).contains("against 1 baseline on the same splits: linear, ecfp4 2048\n"));
        some.summary.stages.remove("pretrain");
        let page = some.page(Style::ascii(200));
        assert!(page.contains("runs    none: nothing is pretrained, so nothing is fitted\nagainst 1 baseline"), "{page}");
        assert!(!page.contains("detects"), "{page}");
        let mut none = facts(8);
        none.summary.baselines.clear();
        let expected =
            "against no baseline is named: scores have nothing but the mean predictor and the control to be compared with";
        assert!(none.page(Style::ascii(200)).contains(expected));
        none.summary.stages.remove("transfer");
        assert!(!none.page(Style::ascii(200)).contains("against"), "nothing is scored");
    }

    #[test]
    fn margins_of_the_suite_are_said() {
        let mut some = facts(8);
        assert!(!some.page(Style::ascii(200)).contains("margins"));
        some.margins = ["lipo=0.1", "rmse=5%"].iter().filter_map(|text| GivenMargin::parse(text).ok()).collect();
        let page = some.page(Style::ascii(200));
        assert!(page.contains("\nmargins lipo=0.1, rmse=5% (of the gate and of saturation; defaults for the rest)\n"), "{page}");
    }

    #[test]
    fn the_page_keeps_to_the_terminal_and_the_order_of_work() {
        let page = facts(8).page(Style::ascii(60));
        assert!(page.lines().all(|line| line.chars().count() <= 60), "{page}");
        let first =
            "suite   demo: 114 cells (2 tokenise, 8 pretrain + 4\n        controls, 80 measure, 20 transfer), 0 done, 10 to do\n";
        assert!(page.starts_with(first), "{page}");
    }
}
