//! Forests on fingerprints beside published scores: do our data, split, fingerprint, forest and score give the numbers of others?

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Instant,
};

use clap::Args;
use serde::Deserialize;

use crate::{
    bench::{Bench, Cell, environment, markdown},
    error::XtaskError,
};

/// Score units within which ours must be, where two published standard deviations are less.
const LEAST_BAND: f64 = 0.02;

/// Sets that --quick leaves out.
const LATER: [&str; 3] = ["clintox", "sider", "hiv"];

/// Arguments of `verify anchors`.
#[derive(Debug, Args)]
pub struct AnchorArguments {
    /// The sets of anchors.toml alone: without HIV, which takes most of the time, and without those that no package holds.
    #[arg(long)]
    quick: bool,
    /// Go on with the cells that an earlier check left, also those of an earlier build.
    #[arg(long)]
    resume: bool,
    /// Also write the table to benchmarks/ANCHORS.md; not with --quick.
    #[arg(long, conflicts_with = "quick")]
    write: bool,
}

/// `benchmarks/published.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    source: Vec<Source>,
    published: Vec<Published>,
    elsewhere: Vec<Elsewhere>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    name: String,
    citation: String,
    protocol: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    dataset: String,
    source: String,
    forest: String,
    value: f64,
    sd: Option<f64>,
    must: bool,
    peer: Option<(f64, f64, u32)>,
    /// What a reader of this row should know, shown below the table.
    note: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Elsewhere {
    dataset: String,
    source: String,
    value: f64,
    sd: Option<f64>,
}

/// What our forest of one kind reached on a data set.
#[derive(Debug, Clone, PartialEq)]
struct Ours {
    /// Score of each seed, the mean over tasks.
    seeds: Vec<f64>,
    /// Standard error over test molecules, the mean over seeds and tasks.
    se_test: f64,
    /// Tasks with a score, and all.
    tasks: (usize, usize),
    settings: String,
}

impl Ours {
    fn mean(&self) -> f64 {
        self.seeds.iter().sum::<f64>() / self.seeds.len() as f64
    }

    /// Standard deviation over seeds (divisor n - 1); none for one.
    fn sd(&self) -> Option<f64> {
        let squares: f64 = self.seeds.iter().map(|score| (score - self.mean()).powi(2)).sum();
        (self.seeds.len() > 1).then(|| (squares / (self.seeds.len() - 1) as f64).sqrt())
    }
}

/// By data set and forest.
type Table = BTreeMap<(String, &'static str), Ours>;

/// Runs the suites and compares.
pub fn run_anchors(arguments: &AnchorArguments) -> Result<(), XtaskError> {
    let bench = Bench::new("verify-anchors", arguments.resume)?;
    let read = |name: &str| {
        let path = bench.checkout.join("benchmarks").join(name);
        fs::read_to_string(&path).map_err(XtaskError::io("read", &path))
    };
    let file: File = toml::from_str(&read("published.toml")?)
        .map_err(|error| XtaskError::Check(format!("benchmarks/published.toml: {}", error.to_string().trim_end())))?;
    let begun = Instant::now();
    let mut ours = Table::new();
    let mut unread = BTreeSet::new();
    // HIV first of the sets that no package holds: the others may be out of reach.
    let suites: &[&str] = if arguments.quick { &["anchors"] } else { &["anchors", "anchors-hiv", "anchors-more"] };
    for suite in suites {
        for (dataset, text) in one_by_one(&read(&format!("suites/{suite}.toml"))?)? {
            let part = format!("{suite}-{dataset}");
            match bench.run(&part, &text, None) {
                Ok(()) => ours.extend(table(&bench.cells(&part, |key| key.starts_with("transfer/baseline/"))?)),
                Err(XtaskError::Child { code: 4, .. }) => {
                    println!("xtask: {dataset} is left out: it cannot be had here, as said above");
                    unread.insert(dataset);
                }
                Err(error) => return Err(error),
            }
        }
    }
    if ours.is_empty() {
        return Err(XtaskError::Check("no data set gave a score; what stands above says why".into()));
    }
    let wanted: Vec<&Published> =
        file.published.iter().filter(|row| !(arguments.quick && LATER.contains(&row.dataset.as_str()))).collect();
    let text = page(&file, &wanted, (&ours, &unread), &environment(&bench.checkout));
    println!("\n{text}xtask: anchors took {:.0} s", begun.elapsed().as_secs_f64());
    let broken: Vec<String> = wanted
        .iter()
        .filter(|row| row.must && !ours.get(&key(row)).is_some_and(|ours| inside(row, ours)))
        .map(|row| format!("{} ({}, {})", row.dataset, row.forest, row.source))
        .collect();
    if arguments.write {
        let path = bench.checkout.join("benchmarks/ANCHORS.md");
        fs::write(&path, text).map_err(XtaskError::io("write", &path))?;
        println!("xtask: written to {}", path.display());
    }
    if !broken.is_empty() {
        return Err(XtaskError::Check(format!(
            "outside the band, or without a score (a source that could not be read? CLMBENCH_DATA=DIR names a folder of your own): {}",
            broken.join(", ")
        )));
    }
    Ok(())
}

/// A suite for each data set of a suite, in their order, with its baselines: one that cannot be had must not take the others with it.
fn one_by_one(text: &str) -> Result<Vec<(String, String)>, XtaskError> {
    let wrong = |error: String| XtaskError::Check(format!("a suite of anchors: {}", error.trim_end()));
    let suite: toml::Table = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let names = |table: &toml::Value, key: &str| -> Option<Vec<String>> {
        let words = table.get(key)?.as_array()?.iter();
        Some(words.filter_map(|word| word.as_str().map(str::to_owned)).collect())
    };
    let tables = |key: &str| suite.get(key).and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let mut parts = Vec::new();
    for entry in tables("dataset") {
        for dataset in names(&entry, "names").unwrap_or_default() {
            let (mut part, mut entry) = (suite.clone(), entry.clone());
            if let Some(table) = entry.as_table_mut() {
                table.insert("names".into(), vec![dataset.clone()].into());
            }
            let takes = |baseline: &toml::Value| names(baseline, "datasets").is_none_or(|names| names.contains(&dataset));
            let baselines = tables("baseline").into_iter().filter(takes).map(|mut baseline| {
                if let Some(table) = baseline.as_table_mut() {
                    table.remove("datasets");
                }
                baseline
            });
            part.insert("baseline".into(), baselines.collect::<Vec<_>>().into());
            part.insert("dataset".into(), vec![entry].into());
            parts.push((dataset, toml::to_string(&part).map_err(|error| wrong(error.to_string()))?));
        }
    }
    Ok(parts)
}

fn key(row: &Published) -> (String, &'static str) {
    (row.dataset.clone(), if row.forest == "tuned" { "tuned" } else { "usual" })
}

fn band(row: &Published) -> f64 {
    row.sd.map_or(LEAST_BAND, |sd| (2.0 * sd).max(LEAST_BAND))
}

fn inside(row: &Published, ours: &Ours) -> bool {
    (ours.mean() - row.value).abs() <= band(row)
}

/// Scores of the forests among finished cells. A seed's score is the mean over the tasks that have one.
fn table(cells: &[Cell]) -> Table {
    let mut table = Table::new();
    for cell in cells.iter().filter(|cell| cell.status == "done" && cell.defined("/protocol/model/kind") == "random_forest") {
        let growth = cell.spec.pointer("/protocol/model/growth");
        let forest = if growth.is_some() { "tuned" } else { "usual" };
        let tasks = cell.output.pointer("/tasks").and_then(|tasks| tasks.as_array()).cloned().unwrap_or_default();
        let primary = tasks.iter().filter_map(|task| {
            let scores = task.pointer("/scores")?.as_array()?;
            let score = scores.iter().find(|score| score.pointer("/primary") == Some(&serde_json::Value::Bool(true)))?;
            Some((score.pointer("/value")?.as_f64()?, score.pointer("/se_test")?.as_f64()?))
        });
        let scores: Vec<(f64, f64)> = primary.collect();
        if scores.is_empty() {
            continue;
        }
        let mean = |pick: fn(&(f64, f64)) -> f64| scores.iter().map(pick).sum::<f64>() / scores.len() as f64;
        let entry = table.entry((cell.defined("/dataset"), forest)).or_insert_with(|| Ours {
            seeds: Vec::new(),
            se_test: 0.0,
            tasks: (scores.len(), tasks.len()),
            settings: settings(cell),
        });
        let before = entry.seeds.len() as f64;
        entry.se_test = (entry.se_test * before + mean(|score| score.1)) / (before + 1.0);
        entry.seeds.push(mean(|score| score.0));
    }
    table
}

fn settings(cell: &Cell) -> String {
    let trees = format!("{} trees", cell.defined("/protocol/model/trees"));
    let Some(growth) = cell.spec.pointer("/protocol/model/growth").and_then(|growth| growth.as_object()) else { return trees };
    let mut words = vec![trees];
    for (name, value) in growth {
        match (name.as_str(), value) {
            ("bootstrap", serde_json::Value::Bool(true)) | ("balanced", serde_json::Value::Bool(false)) => {}
            ("bootstrap", _) => words.push("no bootstrap".into()),
            ("balanced", _) => words.push("balanced".into()),
            ("criterion", serde_json::Value::String(word)) => words.push(word.replace('_', " ")),
            (_, value) => words.push(format!("split from {value}")),
        }
    }
    words.join(", ")
}

fn spread(value: f64, sd: Option<f64>) -> String {
    sd.map_or_else(|| format!("{value:.4}"), |sd| format!("{value:.4} ± {sd:.4}"))
}

fn page(file: &File, wanted: &[&Published], (ours, unread): (&Table, &BTreeSet<String>), environment: &str) -> String {
    let rows = wanted.iter().map(|row| {
        let found = ours.get(&key(row));
        let shown = |show: &dyn Fn(&Ours) -> String| found.map_or_else(|| "–".into(), show);
        let tasks =
            |ours: &Ours| if ours.tasks.1 > 1 { format!(" ({} of {} tasks)", ours.tasks.0, ours.tasks.1) } else { String::new() };
        let verdict = match found {
            None if unread.contains(&row.dataset) => "no score: source not reachable",
            None => "no score",
            Some(ours) if inside(row, ours) => "inside",
            Some(_) if row.must => "OUTSIDE",
            Some(_) => "outside, not held to",
        };
        vec![
            format!("{}{}", row.dataset, found.map(tasks).unwrap_or_default()),
            shown(&|ours| ours.settings.clone()),
            shown(&|ours| format!("{} ({})", spread(ours.mean(), ours.sd()), ours.seeds.len())),
            shown(&|ours| format!("{}{:.3}", if ours.tasks.1 > 1 { "≤ " } else { "" }, ours.se_test)),
            row.peer.map_or_else(|| "–".into(), |(mean, sd, seeds)| format!("{} ({seeds})", spread(mean, Some(sd)))),
            format!("{} {}", spread(row.value, row.sd), row.source),
            shown(&|ours| format!("{:+.4}", ours.mean() - row.value)),
            format!("{:.4}", band(row)),
            verdict.into(),
        ]
    });
    let header =
        ["data set", "forest", "ours (seeds)", "se_test", "scikit-learn (seeds)", "published", "difference", "band", "verdict"];
    let compared = markdown(&header, &rows.collect::<Vec<_>>());
    let notes: String = wanted
        .iter()
        .filter_map(|row| {
            Some(format!("- **{}**, {}, {} forest: {}.\n", row.dataset, row.source, row.forest, row.note.as_ref()?))
        })
        .collect();
    let others: Vec<Vec<String>> =
        file.elsewhere.iter().map(|row| vec![row.dataset.clone(), spread(row.value, row.sd), row.source.clone()]).collect();
    let sources: Vec<String> =
        file.source.iter().map(|source| format!("- **{}**: {}. {}.", source.name, source.citation, source.protocol)).collect();
    format!(
        "# Anchors\n\nRandom forests on ECFP4 fingerprints of 1,024 bits, DeepChem's scaffold split (80 : 10 : 10), beside published values: RMSE for esol, lipo\n\
         and bace_reg, else ROC-AUC, the mean over tasks. Ours: mean ± standard deviation over seeds of the forest; `se_test` is the standard error over test\n\
         molecules (for several tasks that of one, which that of the mean does not exceed). `scikit-learn`: its forest with the same settings on the same rows\n\
         (`perf/peers/forests.py`). A row must be within its band: two published standard deviations or {LEAST_BAND}, whichever is larger; rows with the usual\n\
         forest beside values of other settings need not, nor do those that a note below excuses.\n\n\
         Made by `cargo xtask verify anchors --write` on {environment}. Settings: `suites/anchors*.toml`; values: `published.toml`.\n\n\
         {compared}\n{notes}\n## Of other splits, not comparable\n\nForests again. The split alone moves BBBP from .72 to .93.\n\n{}\n## Sources\n\n{}\n",
        markdown(&["data set", "published", "source"], &others),
        sources.join("\n")
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cell(dataset: &str, growth: Option<serde_json::Value>, scores: &[f64]) -> Cell {
        let mut model = serde_json::json!({"kind": "random_forest", "trees": 30});
        if let Some(growth) = growth {
            model["growth"] = growth;
        }
        let task = |value: &f64| {
            serde_json::json!({"scores": [{"primary": false, "value": 9.0, "se_test": 9.0},
                                                               {"primary": true, "value": value, "se_test": 0.25}]})
        };
        let tasks: Vec<_> = scores.iter().map(task).chain([serde_json::json!({"refused": "few", "scores": []})]).collect();
        Cell {
            key: "transfer/baseline/x".into(),
            identity: None,
            stage: "transfer".into(),
            status: "done".into(),
            seconds: None,
            spec: serde_json::json!({"dataset": dataset, "protocol": {"model": model}}),
            output: serde_json::json!({"tasks": tasks}),
        }
    }

    #[test]
    fn seeds_and_tasks_are_averaged_and_forests_kept_apart() {
        let growth =
            serde_json::json!({"min_samples_split": 8, "criterion": "absolute_error", "bootstrap": false, "balanced": true});
        let found = table(&[cell("a", None, &[0.5, 0.7]), cell("a", Some(growth), &[0.9]), cell("a", None, &[0.8])]);
        let usual = &found[&("a".to_owned(), "usual")];
        assert_eq!((usual.seeds.len(), usual.tasks, usual.settings.as_str()), (2, (2, 3), "30 trees"));
        assert!((usual.mean() - 0.7).abs() < 1e-12 && (usual.sd().unwrap() - 0.02_f64.sqrt()).abs() < 1e-12);
        assert_eq!(usual.se_test, 0.25);
        let tuned = &found[&("a".to_owned(), "tuned")];
        assert_eq!(tuned.sd(), None);
        assert_eq!(tuned.settings, "30 trees, balanced, no bootstrap, absolute error, split from 8");
    }

    #[test]
    fn the_band_is_two_deviations_or_the_least() {
        let row = |sd, value| Published {
            dataset: "a".into(),
            source: "s".into(),
            forest: "usual".into(),
            value,
            sd,
            must: true,
            peer: None,
            note: None,
        };
        let ours = Ours { seeds: vec![0.5], se_test: 0.1, tasks: (1, 1), settings: String::new() };
        assert!(inside(&row(None, 0.519), &ours) && !inside(&row(None, 0.521), &ours));
        assert!(inside(&row(Some(0.03), 0.441), &ours) && !inside(&row(Some(0.001), 0.441), &ours));
    }

    #[test]
    fn the_committed_values_are_readable_and_their_sources_named() {
        let file: File = toml::from_str(include_str!("../../../../benchmarks/published.toml")).unwrap();
        let names: Vec<&str> = file.source.iter().map(|source| source.name.as_str()).collect();
        let used = file.published.iter().map(|row| &row.source).chain(file.elsewhere.iter().map(|row| &row.source));
        for source in used {
            assert!(names.contains(&source.as_str()), "{source}");
        }
        assert!(file.published.iter().all(|row| ["tuned", "usual"].contains(&row.forest.as_str())));
        let unread = BTreeSet::from(["hiv".to_owned()]);
        let text = page(&file, &file.published.iter().collect::<Vec<_>>(), (&Table::new(), &unread), "here");
        assert!(text.contains("no score ") && !text.contains("inside |"), "{text}");
        for line in text.lines().filter(|line| line.starts_with("| hiv") && line.contains("ChemBERTa-3")) {
            assert!(line.contains("no score: source not reachable"), "{line}");
        }
        // Numbers measured here stand in the table or, dated, in the notes; never in the text of the program.
        let program = include_str!("anchors.rs").split("#[cfg(test)]").next().unwrap();
        assert!(!program.contains("1.2") && !program.contains(".803"));
        for note in file.published.iter().filter_map(|row| row.note.as_ref()) {
            assert!(note.contains("2026-"), "a note says when it was measured: {note}");
            assert!(text.contains(note.as_str()));
        }
        assert!(file.published.iter().all(|row| row.must || row.forest == "usual" || row.note.is_some()));
    }

    #[test]
    fn each_data_set_has_a_suite_of_its_own() {
        let of = |text: &str| {
            one_by_one(text)
                .unwrap()
                .into_iter()
                .map(|(name, text)| {
                    let suite: toml::Table = toml::from_str(&text).unwrap();
                    assert_eq!(suite["dataset"][0]["names"], toml::Value::from(vec![name.as_str()]));
                    assert_eq!(suite["dataset"].as_array().unwrap().len(), 1);
                    (name, suite["baseline"].as_array().unwrap().len())
                })
                .collect::<Vec<_>>()
        };
        let wanted = |pairs: &[(&str, usize)]| pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>();
        assert_eq!(
            of(include_str!("../../../../benchmarks/suites/anchors.toml")),
            wanted(&[("esol", 2), ("lipo", 1), ("bbbp", 2), ("bace", 2), ("bace_reg", 2)])
        );
        assert_eq!(of(include_str!("../../../../benchmarks/suites/anchors-more.toml")), wanted(&[("clintox", 2), ("sider", 2)]));
        assert_eq!(of(include_str!("../../../../benchmarks/suites/anchors-hiv.toml")), wanted(&[("hiv", 1)]));
        assert!(one_by_one("a =").is_err());
    }
}
