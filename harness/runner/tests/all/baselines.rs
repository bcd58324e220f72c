//! `[[baseline]]` tables: what is read, which cells become of it, and every mistake word for word.

use clmbench_protocol::{BaselineFeatures, BaselineModel, CellSpec, Criterion, Growth, Number, Protocol};
use clmbench_runner::{plan, suite::Suite};
use clmbench_store::Store;

use super::{
    plan::bound_cells,
    run::{executor, run_with},
    support::offers::{corpora, no_hub, planned, plugins, small},
};

/// A suite of datasets and baselines alone; the table's keys start on line 9.
fn alone(keys: &str) -> String {
    format!(
        "schema = 1\n[suite]\nname = \"alone\"\nseed = 3\n[[dataset]]\nsource = \"moleculenet\"\nnames = [\"freesolv\", \
         \"bace\"]\n[[baseline]]\n{keys}\n"
    )
}

#[test]
fn every_key_is_read_and_silence_means_the_defaults() {
    let read = |keys: &str| Suite::parse("s.toml", &alone(keys)).unwrap().baselines.remove(0);
    let forest = read("model = \"random_forest\"");
    assert_eq!(forest.model, BaselineModel::RandomForest { trees: 500, growth: Growth::default() });
    assert_eq!((forest.features.as_slice(), forest.seeds), ([BaselineFeatures::Ecfp4 { bits: 2048 }].as_slice(), 1));
    let forest = read("model = \"random_forest\"\nfeatures = [\"ecfp4\", \"descriptors\"]\nbits = 1024\ntrees = 100\nseeds = 3");
    assert_eq!(forest.features, [BaselineFeatures::Ecfp4 { bits: 1024 }, BaselineFeatures::Descriptors]);
    assert_eq!((forest.model, forest.seeds), (BaselineModel::RandomForest { trees: 100, growth: Growth::default() }, 3));
    let tuned = read(
        "model = \"random_forest\"\ndatasets = [\"bace\"]\ngrowth = { min_samples_split = 32, criterion = \"entropy\", bootstrap = \
         false, balanced = true }",
    );
    let growth = Growth { min_samples_split: 32, criterion: Criterion::Entropy, bootstrap: false, balanced: true };
    assert_eq!(
        (&tuned.model, tuned.datasets.clone()),
        (&BaselineModel::RandomForest { trees: 500, growth }, Some(vec!["bace".into()]))
    );
    assert_eq!(tuned.label(tuned.features[0]), "random forest (split 32, entropy, no bootstrap, balanced), ecfp4 2048");
    let boosting = read("model = \"boosting\"\nfeatures = \"descriptors\"");
    let model = |rounds, rate, depth| BaselineModel::Boosting { rounds, learning_rate: Number(rate), depth };
    assert_eq!((boosting.model, boosting.features.as_slice()), (model(100, 0.1, 6), [BaselineFeatures::Descriptors].as_slice()));
    assert_eq!(read("model = \"boosting\"\nrounds = 7\nlr = 1\ndepth = 2").model, model(7, 1.0, 2));
    let BaselineModel::Linear { strengths } = read("model = \"linear\"").model else { panic!("not linear") };
    assert_eq!((strengths.len(), strengths[0], strengths[12]), (13, Number(1e-4), Number(1e8)));
}

#[test]
fn a_suite_of_baselines_alone_is_a_suite() {
    let text =
        alone("model = \"random_forest\"\nseeds = 2\nfeatures = [\"ecfp4\", \"descriptors\"]\n[[baseline]]\nmodel = \"linear\"");
    let plan = planned(&text);
    let keys: Vec<&str> = plan.cells.iter().map(|cell| cell.key.as_str()).collect();
    let expected = [
        "tokenise/freesolv",
        "tokenise/bace",
        "transfer/baseline/random_forest-ecfp4_2048/freesolv/seed0",
        "transfer/baseline/random_forest-ecfp4_2048/freesolv/seed1",
        "transfer/baseline/random_forest-ecfp4_2048/bace/seed0",
        "transfer/baseline/random_forest-ecfp4_2048/bace/seed1",
        "transfer/baseline/random_forest-descriptors/freesolv/seed0",
        "transfer/baseline/random_forest-descriptors/freesolv/seed1",
        "transfer/baseline/random_forest-descriptors/bace/seed0",
        "transfer/baseline/random_forest-descriptors/bace/seed1",
        "transfer/baseline/linear-ecfp4_2048/freesolv",
        "transfer/baseline/linear-ecfp4_2048/bace",
    ];
    assert_eq!(keys, expected);
    assert_eq!((plan.runs, plan.pool.runs), (0, 0));
    assert!(plan.cells[2..].iter().all(|cell| cell.threads == 2 && cell.needs.len() == 1 && cell.stage == "transfer"));
    let labels = ["random forest, ecfp4 2048", "random forest, descriptors", "linear, ecfp4 2048"];
    assert_eq!(plan.summary(&|_| None).baselines, labels);
}

#[test]
fn a_baseline_is_fitted_to_the_datasets_it_names_and_is_for() {
    let forest = "[[baseline]]\nmodel = \"random_forest\"\n";
    let text = alone(&format!(
        "model = \"linear\"\n{forest}datasets = [\"bace\"]\n{forest}datasets = [\"freesolv\"]\ntrees = 9\n{forest}growth = {{ \
         criterion = \"absolute_error\" }}"
    ));
    let plan = planned(&text);
    let cells: Vec<(&str, Option<&str>)> =
        plan.cells[2..].iter().map(|cell| (cell.key.as_str(), cell.not_applicable.as_deref())).collect();
    let reason = "the criterion `absolute_error` is for regression, and `expt` of bace is of classification";
    let expected = [
        ("transfer/baseline/linear-ecfp4_2048/freesolv", None),
        ("transfer/baseline/linear-ecfp4_2048/bace", None),
        ("transfer/baseline/random_forest-ecfp4_2048/bace/seed0", None),
        ("transfer/baseline/random_forest_9-ecfp4_2048/freesolv/seed0", None),
        ("transfer/baseline/random_forest_absolute_error-ecfp4_2048/freesolv/seed0", None),
        ("transfer/baseline/random_forest_absolute_error-ecfp4_2048/bace/seed0", Some(reason)),
    ];
    assert_eq!(cells, expected);
}

#[test]
fn a_baseline_belongs_to_its_dataset_alone() {
    let specs = bound_cells(&alone("model = \"random_forest\"\nseeds = 2\ntrees = 9\n[[baseline]]\nmodel = \"linear\""));
    let found: Vec<(u64, u32, String)> = specs
        .iter()
        .filter_map(|(_, spec)| match spec {
            CellSpec::Transfer(spec) => Some(spec),
            _ => None,
        })
        .map(|spec| {
            assert_eq!((spec.weights_digest.as_str(), spec.data_digest.len(), spec.split_digest.len()), ("", 64, 64));
            let Protocol::Baseline(baseline) = &spec.protocol else { panic!("{:?}", spec.protocol) };
            (baseline.seed, baseline.threads, baseline.label())
        })
        .collect();
    let (forest, linear) = ("random forest 9, ecfp4 2048".to_owned(), "linear, ecfp4 2048".to_owned());
    let forests = [3000, 3001, 3000, 3001].map(|seed| (seed, 2, forest.clone()));
    assert_eq!(found[..4], forests, "seed 3 of the suite, and the index");
    assert_eq!(found[4..], [(0, 2, linear.clone()), (0, 2, linear)]);
}

#[test]
fn baselines_leave_the_other_cells_as_they_are_and_are_computed_once() {
    let more = "[[baseline]]\nmodel = \"linear\"\n";
    let (before, after) = (bound_cells(&small("")), bound_cells(&small(more)));
    assert_eq!(after.len(), before.len() + 1);
    assert!(before.iter().all(|cell| after.contains(cell)));
    let (before, after) = (planned(&small("")), planned(&small(more)));
    assert_eq!((before.runs, before.pool), (after.runs, after.pool), "a baseline is never counted");
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open_writer(folder.path()).unwrap();
    let mut worker = executor(folder.path(), 2);
    let first = run_with(&mut store, &after, &mut worker).unwrap();
    let second = run_with(&mut store, &after, &mut worker).unwrap();
    assert_eq!((first.failed, first.computed, second.computed), (0, after.cells.len(), 0));
    let estimate = plan::survey(&after, Some(&store), 2, None).unwrap();
    assert_eq!((estimate.todo, estimate.done), (0, after.cells.len()));
}

#[test]
fn every_mistake_is_said_word_for_word() {
    let forest = "model = \"random_forest\"";
    let cases: Vec<(String, &str)> = vec![
        ("bits = 1024".into(), "8: [[baseline]] lacks `model`. Add, for example, `model = \"random_forest\"`."),
        (
            "model = \"random_forrest\"".into(),
            "9: `model` in [[baseline]]: `random_forrest` is not a baseline. Did you mean `random_forest`?",
        ),
        (format!("{forest}\ntree = 5"), "10: unknown key `tree` in [[baseline]]. Did you mean `trees`?"),
        (format!("{forest}\ntrees = 0"), "10: `trees` in [[baseline]]: 0 is outside 1 to 10000."),
        (
            format!("{forest}\nrounds = 5"),
            "10: `rounds` in [[baseline]]: belongs to `boosting`, not to `random_forest`: it has no such setting. Remove the key.",
        ),
        (
            "model = \"linear\"\nseeds = 5".into(),
            "10: `seeds` in [[baseline]]: belongs to `random_forest`, not to `linear`: fitted to the same molecules it is always \
             the same. Remove the key.",
        ),
        ("model = \"boosting\"\nlr = 0".into(), "10: `lr` in [[baseline]]: 0 is not above 0 and at most 1; a usual one is 0.1."),
        (format!("{forest}\nbits = 512"), "10: `bits` in [[baseline]]: 512 is neither 1024 nor 2048."),
        (
            format!("{forest}\nfeatures = \"descriptors\"\nbits = 1024"),
            "11: `bits` in [[baseline]]: belongs to `ecfp4`; descriptors are not folded. Remove the key.",
        ),
        (
            format!("{forest}\nfeatures = [\"efcp4\"]"),
            "10: `features` in [[baseline]]: `efcp4` are no features. Did you mean `ecfp4`?",
        ),
        (
            format!("{forest}\nfeatures = 4"),
            "10: `features` in [[baseline]] must be a list, such as `features = [\"ecfp4\"]`, but a whole number is written.",
        ),
        (
            format!("{forest}\n[[baseline]]\n{forest}\ntrees = 500\nseeds = 2"),
            "10: the baseline `random forest, ecfp4 2048` of `freesolv` is named twice, first on line 8. Remove one.",
        ),
        (
            format!("{forest}\ndatasets = [\"bacce\"]"),
            "8: `datasets` in [[baseline]]: no `[[dataset]]` of the suite is `bacce`. Did you mean `bace`?",
        ),
        (
            format!("{forest}\ngrowth = {{ criterion = \"entrpy\" }}"),
            "10: `criterion` in `growth` of [[baseline]]: `entrpy` is not a criterion. Did you mean `entropy`?",
        ),
        (
            format!("{forest}\ngrowth = {{ bootstrap = 1 }}"),
            "10: `bootstrap` in `growth` of [[baseline]] must be `true` or `false`, such as `bootstrap = false`, but a whole number is \
             written.",
        ),
        (
            format!("{forest}\ngrowth = 3"),
            "10: `growth` in [[baseline]] must be a table, such as `growth = { min_samples_split = 32 }`, but a whole number is written.",
        ),
        (
            format!("{forest}\n[[metric]]\nid = \"loss/mlm_loss\""),
            "1: the suite lacks `corpus`. Add, for example, `[[corpus]] name = \"mixed\", sizes = [5_000]`.",
        ),
    ];
    for (keys, expected) in cases {
        let message = Suite::parse("s.toml", &alone(&keys)).err().unwrap_or_else(|| panic!("accepted:\n{keys}")).to_string();
        assert_eq!(message, format!("s.toml:{expected}"), "\n{keys}");
    }
    let nothing = "schema = 1\n[suite]\nname = \"alone\"\n[[baseline]]\nmodel = \"linear\"\n";
    let message = Suite::parse("s.toml", nothing).unwrap_err().to_string();
    let expected =
        "s.toml:1: the suite lacks `dataset`. Add, for example, `[[dataset]] source = \"moleculenet\", names = [\"freesolv\"]`.";
    assert_eq!(message, expected);
    assert!(plan::build(&Suite::parse("s.toml", &alone(forest)).unwrap(), &plugins(), &corpora, &no_hub).is_ok());
}
