#![allow(clippy::unwrap_used)]
use clmbench_protocol::{Budget, Comparable, Direction, ErrorKind, Number, TaskKind};
use clmbench_stats::{gate::GateVerdict, generator};
use rand::Rng as _;
use serde_json::json;

use super::*;
use crate::GENERATED_BY;

/// A regression task whose predictions err by so much, with noise that all sides share.
fn task(name: &str, protocol: &str, errors: &[&[f64]]) -> TaskRecord {
    let mut rng = generator(1, name);
    let labels: Vec<f64> = (0..40).map(|_| rng.random_range(-2.0..2.0)).collect();
    let seed = |(seed, error): (usize, &f64)| SeedRecord {
        cell: "cell".into(),
        seed: 7000 + seed as u64,
        score: Number(*error),
        // Errors of one size and both signs: the RMSE is that size in every resample.
        predictions: labels
            .iter()
            .enumerate()
            .map(|(row, label)| Number(label + if row % 2 == 0 { *error } else { -*error }))
            .collect(),
    };
    TaskRecord {
        dataset: name.into(),
        task: "expt".into(),
        task_kind: TaskKind::Regression,
        protocol: protocol.into(),
        score: "rmse".into(),
        unit: "kcal/mol".into(),
        split_digest: "split".into(),
        content_digest: format!("content of {name}"),
        train_sd: Some(Number(2.0)),
        settings: json!({ "revision": 1, "protocol": protocol }),
        rows: (0..40).collect(),
        labels: labels.iter().copied().map(Number).collect(),
        runs: errors.iter().map(|seeds| seeds.iter().enumerate().map(seed).collect()).collect(),
    }
}

fn side(tasks: Vec<TaskRecord>) -> SideRecord {
    SideRecord { tasks, ..SideRecord::default() }
}

fn baseline(tasks: Vec<TaskRecord>) -> GateBaseline {
    GateBaseline {
        schema: BASELINE_SCHEMA.into(),
        generated_by: GENERATED_BY.into(),
        suite: SuiteRecord { name: "s".into(), digest: "d".into(), toml: String::new() },
        margins: margins(&tasks, &[], &[]).unwrap(),
        side: side(tasks),
    }
}

fn refusal(baseline: &GateBaseline, candidate: TaskRecord) -> String {
    let report = judge(baseline, &side(vec![candidate]), &[], &Asked::default());
    assert_eq!((report.rows.len(), report.overall.verdict), (1, GateVerdict::CannotTell));
    report.rows[0].refusal.clone().unwrap_or_default()
}

#[test]
fn margins_are_the_defaults_or_the_most_exact_name() {
    let mut tasks = vec![task("freesolv", "probe", &[&[0.5]]), task("bace", "probe", &[&[0.5]])];
    tasks[1].score = "roc_auc".into();
    let given = |texts: &[&str]| texts.iter().map(|text| GivenMargin::parse(text).unwrap()).collect::<Vec<_>>();
    let values =
        |texts: &[&str]| margins(&tasks, &given(texts), &[]).unwrap().iter().map(|margin| margin.value).collect::<Vec<_>>();
    // 5 % of a standard deviation of 2; .02 of an AUC.
    assert_eq!(values(&[]), [0.1, 0.02]);
    assert_eq!(values(&["rmse=10%", "roc_auc=0.01"]), [0.2, 0.01]);
    assert_eq!(values(&["rmse=10%", "freesolv=0.3"]), [0.3, 0.02]);
    assert_eq!(values(&["freesolv=0.3", "freesolv/expt=0.4"]), [0.4, 0.02]);
    assert_eq!(
        margins(&tasks, &given(&["freesolf=1"]), &[]).unwrap_err().to_string(),
        "no score, dataset or task of the suite is called `freesolf`, which a margin names. There are bace, freesolv, rmse, roc_auc"
    );
    // Of an AUC there is no such share.
    assert!(matches!(margins(&tasks, &given(&["bace=5%"]), &[]), Err(MarginError::ShareOfOther { .. })));
    tasks[1].score = "r2".into();
    assert!(matches!(margins(&tasks, &[], &[]), Err(MarginError::NotNamed { .. })));
    tasks[0].train_sd = None;
    assert!(matches!(margins(&tasks[..1], &[], &[]), Err(MarginError::NoDeviation { .. })));
}

/// What the user names goes before the suite, however exact, and the suite before the default; each says where it is from.
#[test]
fn margins_are_of_the_option_then_the_suite_then_the_default() {
    let mut tasks = vec![task("freesolv", "probe", &[&[0.5]]), task("bace", "probe", &[&[0.5]])];
    tasks[1].score = "roc_auc".into();
    let given = |texts: &[&str]| texts.iter().map(|text| GivenMargin::parse(text).unwrap()).collect::<Vec<_>>();
    let of = |option: &[&str], suite: &[&str]| {
        let found = margins(&tasks, &given(option), &given(suite)).unwrap();
        found.into_iter().map(|margin| (margin.value, margin.from.clone(), margin.source().word())).collect::<Vec<_>>()
    };
    let (default, default_auc) = ((0.1, "default".to_owned(), "default"), (0.02, "default".to_owned(), "default"));
    assert_eq!(of(&[], &[]), [default, default_auc.clone()]);
    assert_eq!(of(&[], &["freesolv=0.3", "rmse=10%"]), [(0.3, "freesolv=0.3".to_owned(), "suite"), default_auc.clone()]);
    assert_eq!(of(&["rmse=7%"], &["freesolv=0.3"]), [(0.14, "rmse=7%".to_owned(), "option"), default_auc.clone()]);
    // A margin of the suite for a dataset that is not frozen is no error.
    assert_eq!(of(&["freesolv=1"], &["lipo=0.3"]), [(1.0, "freesolv=1".to_owned(), "option"), default_auc]);
    // The default that is missing may come from the suite.
    tasks[1].score = "r2".into();
    assert_eq!(margins(&tasks, &[], &given(&["r2=0.05"])).unwrap()[1].value, 0.05);
}

/// A file of a version that did not say who wrote a margin keeps its digest, which is of its text.
#[test]
fn a_gate_baseline_without_sources_of_margins_is_read_and_written_alike() {
    let mut old = baseline(vec![task("a", "probe", &[&[0.5]]), task("b", "probe", &[&[0.5]])]);
    old.margins[1].from = "rmse=5%".into();
    old.margins.iter_mut().for_each(|margin| margin.source = None);
    let text = serde_json::to_string(&old).unwrap();
    assert!(!text.contains("\"source\":\"default\""), "{text}");
    let read: GateBaseline = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    let words: Vec<&str> = read.margins.iter().map(|margin| margin.source().word()).collect();
    assert_eq!(words, ["default", "option"]);
}

#[test]
fn each_side_is_matched_by_task_and_protocol() {
    let tasks =
        || vec![task("a", "probe", &[&[0.5]]), task("a", "finetune", &[&[0.5, 0.51, 0.5]]), task("b", "probe", &[&[0.7]])];
    let mut candidate = tasks();
    candidate.reverse();
    candidate[2] = task("a", "probe", &[&[0.9]]);
    let report = judge(&baseline(tasks()), &side(candidate), &[], &Asked::default());
    let about: Vec<(String, GateVerdict)> = report.rows.iter().map(|row| (row.about(), row.verdict)).collect();
    let expected = [
        ("a expt (probe)", GateVerdict::Worse),
        ("a expt (finetune)", GateVerdict::NotWorse),
        ("b expt (probe)", GateVerdict::NotWorse),
    ];
    assert_eq!(about, expected.map(|(name, verdict)| (name.to_owned(), verdict)));
    assert_eq!(report.overall.reason, "worse on a expt (probe), after Holm over 3 comparisons");
    // The difference by hand: -(.9 - .5).
    assert!((report.rows[0].difference.unwrap() + 0.4).abs() < 1e-9);
    assert_eq!(report.rows[1].contains, "test molecules and transfer seeds (the same 3 on both sides, paired)");
    assert_eq!(report.rows[1].candidate_seeds, (1, 3));
}

/// The same seeds are pairs; others, as many or not, are not, and the row says which.
#[test]
fn transfer_seeds_are_paired_by_the_seed() {
    let frozen = baseline(vec![task("a", "finetune", &[&[0.5, 0.6, 0.7]])]);
    let judged = |errors: &[f64], first_seed: u64| {
        let mut other = task("a", "finetune", &[errors]);
        other.runs[0].iter_mut().zip(first_seed..).for_each(|(record, seed)| record.seed = seed);
        judge(&frozen, &side(vec![other]), &[], &Asked::default()).rows.remove(0)
    };
    // Each seed moves both alike: the differences are -.01 at every one.
    let same = judged(&[0.51, 0.61, 0.71], 7000);
    assert_eq!(same.contains, "test molecules and transfer seeds (the same 3 on both sides, paired)");
    assert!(same.se_seed.unwrap() < 1e-12 && same.verdict == GateVerdict::NotWorse, "{same:?}");
    // Two means of three with a standard deviation of .1 each.
    let others = judged(&[0.51, 0.61, 0.71], 8000);
    assert_eq!(others.contains, "test molecules and transfer seeds (3 on each side, but not the same: unpaired)");
    assert!((others.se_seed.unwrap() - (2.0f64 * 0.01 / 3.0).sqrt()).abs() < 1e-9, "{others:?}");
    assert_eq!(others.verdict, GateVerdict::CannotTell);
    // Variances .01 over 3 and .025 over 5 seeds.
    let more = judged(&[0.41, 0.51, 0.61, 0.71, 0.81], 7000);
    assert_eq!(more.contains, "test molecules and transfer seeds (3 and 5: unpaired)");
    assert!((more.se_seed.unwrap() - (0.01f64 / 3.0 + 0.025 / 5.0).sqrt()).abs() < 1e-9, "{more:?}");
    // Two runs a side, of which one lacks another seed on the one side: what those share is not known, and they are taken as moved together.
    let errors: &[&[f64]] = &[&[0.5, 0.6, 0.7], &[0.5, 0.7, 0.9]];
    let frozen = baseline(vec![task("a", "finetune", errors)]);
    let mut other = task("a", "finetune", errors);
    other.runs[1].iter_mut().for_each(|record| record.seed += 1);
    let mixed = judge(&frozen, &side(vec![other]), &[], &Asked::default()).rows.remove(0);
    let words = "test molecules and transfer seeds (3 and 3, other ones in runs of one side: taken as moving its runs together)";
    assert_eq!(mixed.contains, words);
    // Standard errors of .1 and .2 over the root of 3, a mean of .15 over it on either side.
    assert!((mixed.se_seed.unwrap() - 0.15 * (2.0f64 / 3.0).sqrt()).abs() < 1e-9, "{mixed:?}");
    // Three runs each are a recipe, whose runs are not pairs; other transfer seeds are said.
    let recipe = |seed: u64| {
        let errors: &[&[f64]] = &[&[0.5], &[0.51], &[0.52]];
        let frozen = baseline(vec![task("a", "finetune", errors)]);
        let mut other = task("a", "finetune", errors);
        other.runs.iter_mut().flatten().for_each(|record| record.seed = seed);
        judge(&frozen, &side(vec![other]), &[], &Asked::default()).rows.remove(0).contains
    };
    assert_eq!(recipe(7000), "test molecules and pretraining seeds");
    assert!(
        recipe(8000).starts_with("test molecules and pretraining seeds; the transfer seeds of the sides differ (1 on each side")
    );
}

#[test]
fn what_is_not_the_same_is_refused() {
    let frozen = baseline(vec![task("a", "probe", &[&[0.5]])]);
    let same = || task("a", "probe", &[&[0.5]]);
    let refused = |change: &dyn Fn(&mut TaskRecord)| {
        let mut other = same();
        change(&mut other);
        refusal(&frozen, other)
    };
    assert_eq!(refused(&|task| task.split_digest = "another".into()), "other_split");
    assert_eq!(refused(&|task| task.content_digest = "another".into()), "not_alike");
    assert_eq!(refused(&|task| task.settings = json!({ "revision": 2, "protocol": "probe" })), "not_alike");
    assert_eq!(refused(&|task| task.rows[3] = 99), "other_molecules");
    assert_eq!(refused(&|task| task.labels[3] = Number(9.0)), "other_molecules");
    assert_eq!(refused(&|task| task.runs[0][0].score = Number(0.6)), "not_alike");
    assert_eq!(refused(&|task| task.runs[0][0].predictions[5] = Number(f64::NAN)), "not_finite");
    assert_eq!(refused(&|task| task.runs[0][0].predictions.truncate(39)), "other_molecules");
    assert_eq!(refused(&|task| task.runs[0].clear()), "no_predictions");
    assert_eq!(refused(&|task| task.dataset = "z".into()), "no_predictions");
    let few = |task: &mut TaskRecord| {
        task.rows.truncate(1);
        task.labels.truncate(1);
        task.runs[0][0].predictions.truncate(1);
    };
    let (mut first, mut second) = (same(), same());
    few(&mut first);
    few(&mut second);
    assert_eq!(refusal(&baseline(vec![first]), second), "too_few_molecules");
    let tuned = baseline(vec![task("a", "finetune", &[&[0.5]])]);
    assert_eq!(refusal(&tuned, task("a", "finetune", &[&[0.5]])), "one_seed");
    // Why the candidate has no score is said, not that it has none.
    let why = LeftOut { dataset: String::new(), task: String::new(), protocol: String::new(), reason: "cell x failed".into() };
    let report = judge(&frozen, &SideRecord::default(), &[why], &Asked::default());
    assert_eq!(report.rows[0].contains, "the candidate has no score of it: cell x failed");
}

fn metric(value: f64, error: f64) -> MetricRecord {
    MetricRecord {
        metric: "loss/mlm_loss".into(),
        params_json: "{}".into(),
        budget: Budget::Quick,
        unit: "nats".into(),
        direction: Direction::LowerIsBetter,
        comparable: Comparable::SameEvaluation,
        heldout_digest: "sample".into(),
        tokenizer_digest: "tokens".into(),
        dataset: None,
        values: vec![Some((Number(value), Number(error)))],
        error_kind: ErrorKind::Statistical,
    }
}

#[test]
fn a_metric_is_gated_by_its_direction_and_its_own_errors() {
    let mut frozen = baseline(vec![]);
    frozen.side.metrics = vec![metric(1.0, 0.03)];
    let asked = |margin: f64| Asked { metrics: vec![("loss/mlm_loss".into(), margin)], ..Asked::default() };
    let judged = |value: f64, margin: f64| {
        let candidate = SideRecord { metrics: vec![metric(value, 0.04)], ..SideRecord::default() };
        judge(&frozen, &candidate, &[], &asked(margin)).rows.remove(0)
    };
    let worse = judged(1.2, 0.05);
    // Errors .03 and .04 make .05; 1.96 x .05 = .098.
    assert!((worse.low95.unwrap() + 0.298).abs() < 1e-4 && (worse.high95.unwrap() + 0.102).abs() < 1e-4, "{worse:?}");
    assert_eq!((worse.verdict, judged(1.05, 0.2).verdict), (GateVerdict::Worse, GateVerdict::NotWorse));
    let mut other = metric(1.0, 0.04);
    other.heldout_digest = "another".into();
    let candidate = SideRecord { metrics: vec![other], ..SideRecord::default() };
    let refused = judge(&frozen, &candidate, &[], &asked(0.1));
    assert_eq!(refused.rows[0].refusal.as_deref(), Some("not_alike"));
    // Of several samples that of the baseline is taken, whichever comes first.
    let mut second = candidate.clone();
    second.metrics.push(metric(1.2, 0.04));
    assert_eq!(judge(&frozen, &second, &[], &asked(0.05)).rows[0], judged(1.2, 0.05));
    assert_eq!(refused.overall.verdict, GateVerdict::CannotTell);
}

#[test]
fn speed_is_judged_by_turns_of_both_models_alone() {
    let stored = |seconds: f64| SideRecord {
        speed: vec![SpeedRecord {
            dataset: "a".into(),
            molecules: 100,
            seconds: vec![seconds],
            measured_with: "cpu, libtorch 2.11.0, 2 threads".into(),
        }],
        ..SideRecord::default()
    };
    let mut frozen = baseline(vec![]);
    frozen.side = stored(1.0);
    let judged = |measured: Result<SpeedTurns, String>| {
        let asked = Asked { speed: Some(SpeedAsked { share: 0.2, measured }), ..Asked::default() };
        judge(&frozen, &stored(4.0), &[], &asked)
    };
    let turns = |candidate: &[f64]| {
        let baseline = [1.0, 1.1, 0.9, 1.0, 1.02, 0.98];
        SpeedTurns { datasets: vec!["a".into()], seconds: baseline.into_iter().zip(candidate.iter().copied()).collect() }
    };
    // Seconds of two moments are shown and not judged, however far apart.
    let moments = judged(Err("the store has no weights of the gate baseline".into()));
    let row = &moments.rows[0];
    assert_eq!((row.refusal.as_deref(), row.baseline, row.candidate), (Some("not_measured"), Some(1.0), Some(4.0)));
    assert!(
        row.contains.ends_with("no weights of the gate baseline; seconds of two moments are not compared"),
        "{}",
        row.contains
    );
    assert_eq!(moments.overall.verdict, GateVerdict::CannotTell);
    let same = judged(Ok(turns(&[1.01, 1.08, 0.91, 1.0, 1.01, 0.99]))).rows.remove(0);
    assert_eq!((same.verdict, same.baseline), (GateVerdict::NotWorse, Some(1.0)));
    assert!(same.contains.starts_with("6 turns of both models, one after the other on the CPU of this machine (a;"), "{same:?}");
    // Twice as slow in each turn, whatever the turns do: scipy.stats.t.ppf(.975, 5) = 2.570581835636314.
    let slow = judged(Ok(turns(&[2.0, 2.2, 1.8, 2.1, 2.04, 1.96]))).rows.remove(0);
    assert_eq!(slow.verdict, GateVerdict::Worse);
    let ratios: [f64; 6] = [0.5f64.ln(), 0.5f64.ln(), 0.5f64.ln(), (1.0f64 / 2.1).ln(), 0.5f64.ln(), 0.5f64.ln()];
    let centre = ratios.iter().sum::<f64>() / 6.0;
    let spread = (ratios.iter().map(|ratio| (ratio - centre).powi(2)).sum::<f64>() / 5.0 / 6.0).sqrt();
    assert!((slow.difference.unwrap() - centre).abs() < 1e-12);
    assert!((slow.high95.unwrap() - centre - 2.570_581_835_636_314 * spread).abs() < 1e-9, "{slow:?}");
    // Turns that differ among themselves more than the models do: cannot tell.
    let wild = judged(Ok(turns(&[0.5, 3.0, 0.6, 2.5, 0.4, 1.9]))).rows.remove(0);
    assert_eq!((wild.verdict, wild.refusal), (GateVerdict::CannotTell, None));
    for (candidate, why) in [
        (&[1.0, 1.0, 1.0][..], "it takes 4 turns of both, and there are 3"),
        (&[1.0, 1.0, 0.0, 1.0], "the worker said that a turn took 0 s"),
        (&[1.0, f64::NAN, 1.0, 1.0], "the worker said that a turn took NaN s"),
    ] {
        let row = judged(Ok(turns(candidate))).rows.remove(0);
        assert_eq!(row.refusal.as_deref(), Some("not_measured"));
        assert!(row.contains.contains(why), "{}", row.contains);
    }
}

/// Values on the same molecules and masks are no pairs that are stored; the row says that they are taken as independent.
#[test]
fn a_metric_on_a_shared_sample_says_that_it_is_cautious() {
    let mut frozen = baseline(vec![]);
    frozen.side.metrics = vec![metric(1.0, 0.03)];
    let asked = Asked { metrics: vec![("loss/mlm_loss".into(), 0.1)], ..Asked::default() };
    let contains = |candidate: MetricRecord| {
        judge(&frozen, &SideRecord { metrics: vec![candidate], ..SideRecord::default() }, &[], &asked).rows.remove(0).contains
    };
    let said = "the errors of measurement, taken as independent although both sides were measured on the same molecules and masks: cautious";
    assert_eq!(contains(metric(1.0, 0.03)), said);
    frozen.side.metrics[0].comparable = Comparable::Any;
    let contains = |candidate: MetricRecord| {
        judge(&frozen, &SideRecord { metrics: vec![candidate], ..SideRecord::default() }, &[], &asked).rows.remove(0).contains
    };
    assert_eq!(contains(MetricRecord { comparable: Comparable::Any, ..metric(1.0, 0.03) }), "the errors of measurement");
}

#[test]
fn the_json_form_is_read_back() {
    let frozen = baseline(vec![task("a", "probe", &[&[0.5]])]);
    let text = serde_json::to_string(&frozen).unwrap();
    assert_eq!(serde_json::from_str::<GateBaseline>(&text).unwrap(), frozen);
    let again: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(again["schema"], BASELINE_SCHEMA);
    let report = judge(&frozen, &frozen.side, &[], &Asked::default());
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<GateReport>(&text).unwrap(), report);
}

#[test]
fn runs_are_chosen_by_label_key_or_configuration() {
    let runs: Vec<_> = (0..4)
        .map(|number| {
            let mut run = crate::sample::run_row(number);
            run.label = format!("bert/mixed/seed{number}");
            run.control = number == 3;
            run
        })
        .collect();
    let chosen = |labels: &[&str]| {
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        choose(&runs, &labels).map(|runs| runs.iter().map(|run| run.seed.unwrap()).collect::<Vec<_>>())
    };
    assert_eq!(chosen(&[]).unwrap(), [0, 1, 2]);
    assert_eq!(chosen(&["bert/mixed"]).unwrap(), [0, 1, 2]);
    assert_eq!(chosen(&["pretrain/bert/mixed/seed1", "bert/mixed/seed1"]).unwrap(), [1]);
    assert_eq!(chosen(&["bert/mixed/seed3"]).unwrap_err().0, "bert/mixed/seed3", "a control is no model");
    assert_eq!(chosen(&["bert"]).unwrap_err().1.len(), 3);
}

fn pretrained(label: &str, weights: &str, parameters: u64) -> RunRecord {
    RunRecord {
        label: label.into(),
        identity: label.into(),
        architecture: "bert".into(),
        non_embedding_parameters: parameters,
        weights_digest: weights.into(),
        source: None,
    }
}

/// Three runs are a recipe if they differ by their seed; one checkpoint under three names, or three sizes, are refused.
#[test]
fn runs_that_are_no_seeds_of_one_model_are_refused() {
    let errors: &[&[f64]] = &[&[0.5], &[0.501], &[0.502]];
    let of = |runs: [(&str, u64); 3]| SideRecord {
        runs: runs.iter().enumerate().map(|(seed, (weights, size))| pretrained(&format!("seed{seed}"), weights, *size)).collect(),
        ..side(vec![task("a", "probe", errors)])
    };
    let mut frozen = baseline(vec![task("a", "probe", errors)]);
    frozen.side = of([("u", 9), ("v", 9), ("w", 9)]);
    let judged = |frozen: &GateBaseline, candidate: &SideRecord| judge(frozen, candidate, &[], &Asked::default());
    let good = judged(&frozen, &of([("x", 9), ("y", 9), ("z", 9)]));
    assert_eq!((good.overall.verdict, good.overall.claim), (GateVerdict::NotWorse, clmbench_stats::gate::Claim::Recipe));
    for (runs, reason) in [
        ([("x", 9), ("y", 9), ("x", 9)], "seed0 and seed2 have the same weights"),
        ([("x", 9), ("y", 9), ("z", 30)], "seed0 is bert of 9 parameters, seed2 is bert of 30 parameters"),
    ] {
        let report = judged(&frozen, &of(runs));
        assert_eq!((report.overall.verdict, report.rows[0].refusal.as_deref()), (GateVerdict::CannotTell, Some("not_seeds")));
        assert_eq!(
            report.rows[0].contains,
            format!(
                "the runs of the candidate are not pretraining seeds of one model: {reason}. Name one checkpoint of each seed, or a single run"
            )
        );
        let mut other = frozen.clone();
        other.side = of(runs);
        assert_eq!(judged(&other, &frozen.side).rows[0].refusal.as_deref(), Some("not_seeds"));
    }
}

#[test]
fn a_metric_without_a_value_or_a_standard_error_is_refused() {
    let mut frozen = baseline(vec![]);
    frozen.side.metrics = vec![metric(1.0, 0.03)];
    let asked = Asked { metrics: vec![("loss/mlm_loss".into(), 0.1)], ..Asked::default() };
    let row = |candidate: Vec<MetricRecord>| {
        judge(&frozen, &SideRecord { metrics: candidate, ..SideRecord::default() }, &[], &asked).rows.remove(0)
    };
    assert_eq!(row(vec![]).refusal.as_deref(), Some("no_value"));
    assert_eq!(row(vec![MetricRecord { values: vec![None], ..metric(1.0, 0.03) }]).refusal.as_deref(), Some("no_value"));
    let bounded = MetricRecord { error_kind: ErrorKind::ResidualBound, ..metric(1.0, 0.03) };
    assert_eq!(row(vec![bounded.clone()]).refusal.as_deref(), Some("no_standard_error"));
    // The spread over three runs needs no errors of single values; of the other side it is that of measurement.
    let value = |value: f64| Some((Number(value), Number(0.03)));
    let three = row(vec![MetricRecord { values: vec![value(1.0), value(1.01), value(1.02)], ..bounded }]);
    assert_eq!(
        (three.refusal, three.contains.as_str()),
        (None, "pretraining seeds of the candidate, the error of measurement of the gate baseline")
    );
}

#[test]
fn cells_of_a_run_differ_by_their_seed_alone() {
    let row =
        |cell: &str, seed: u64| clmbench_store::ScoreRow { cell: cell.into(), seed, ..crate::sample::score_row("run", 0.5) };
    let (first, second, third) = (row("p", 0), row("q", 1), row("r", 0));
    let settings = |revisions: [u64; 3]| {
        ["p", "q", "r"]
            .iter()
            .zip(revisions)
            .map(|(cell, revision)| (cell.to_string(), json!({ "revision": revision })))
            .collect()
    };
    let found = |cells: &[Vec<&clmbench_store::ScoreRow>], revisions| super::freeze::same_protocol(cells, &settings(revisions));
    assert_eq!(found(&[vec![&first, &second], vec![&third]], [1, 1, 1]), Ok(json!({ "revision": 1 })));
    assert!(found(&[vec![&first, &second]], [1, 2, 1]).unwrap_err().contains("the worker's revision"));
    assert!(found(&[vec![&first, &second], vec![&third]], [1, 1, 2]).unwrap_err().contains("the worker's revision"));
    assert!(found(&[vec![&first, &third]], [1, 1, 1]).unwrap_err().contains("two cells of transfer seed 0"));
}
