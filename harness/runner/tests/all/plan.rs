//! Plans: which cells, with which parameters, and what is said of suites that cannot be planned.

use std::collections::HashMap;

use clmbench_protocol::{CellSpec, Number, Precision, Protocol};
use clmbench_runner::{
    identity::identity,
    plan::{self, Finished, Input, Plan},
    suite::Suite,
};
use serde_json::json;

use super::support::offers::{corpora, no_hub, planned, plugins, small, suite};

/// The definitions of all applicable cells, with upstream outputs as a real run's would be in kind.
pub fn bound(text: &str) -> Vec<CellSpec> {
    bound_cells(text).into_iter().map(|(_, spec)| spec).collect()
}

/// The same with their keys.
pub fn bound_cells(text: &str) -> Vec<(String, CellSpec)> {
    let folder = tempfile::tempdir().unwrap();
    let plan = planned(text);
    let mut store = clmbench_store::Store::open_writer(folder.path()).unwrap();
    let mut executor = super::run::executor(folder.path(), 2);
    let summary = super::run::run_with(&mut store, &plan, &mut executor).unwrap();
    assert_eq!(summary.failed, 0, "{:?}", summary.failures);
    let applicable = plan.cells.iter().filter(|cell| cell.not_applicable.is_none());
    applicable.map(|cell| (cell.key.clone(), store.find_cell(&cell.key).unwrap().spec.unwrap())).collect()
}

#[test]
fn the_demo_has_these_cells() {
    let demo = planned(include_str!("../../../../benchmarks/suites/demo.toml"));
    assert_eq!((demo.runs, demo.pool.runs), (8, 8));
    assert!(demo.cells.iter().all(|cell| cell.threads == if cell.key.starts_with("transfer/baseline/") { 2 } else { 1 }));
    let stages: Vec<_> = demo.stages().into_iter().collect();
    // 4 datasets + 2 corpora; 8 runs + 4 controls; (8 + 4) x 4 datasets, probed and fine-tuned, and two baselines; 8 x 10 metrics.
    assert_eq!(stages, [("embed", 48), ("measure", 80), ("pretrain", 12), ("tokenise", 6), ("transfer", 96 + 2 * 4)]);
    let summary = demo.summary(&|runs| Some(1.0 / runs as f64));
    assert_eq!((summary.cells, summary.not_applicable, summary.mde), (250, 0, Some(0.125)));
    assert_eq!(summary.baselines, ["linear, ecfp4 2048", "random forest 100, ecfp4 2048"]);
    assert_eq!(summary.gradient_equivalents, 808.0, "one cheap and five moderate metrics at a quick budget on 8 checkpoints");
    let keys: Vec<&str> = demo.cells.iter().map(|cell| cell.key.as_str()).collect();
    let first = [
        "tokenise/freesolv",
        "tokenise/lipo",
        "tokenise/bbbp",
        "tokenise/bace",
        "tokenise/mixed-5000",
        "tokenise/mixed-20000",
        "pretrain/bert-layers1-width64/mixed-5000/seed0",
        "pretrain/bert-layers1-width64/mixed-20000/seed0",
        "pretrain/bert-layers2-width64/mixed-5000/seed0",
        "pretrain/bert-layers2-width64/mixed-20000/seed0",
        "pretrain/bert-layers2-width128/mixed-5000/seed0",
        "pretrain/bert-layers2-width128/mixed-20000/seed0",
        "pretrain/bert-layers4-width128/mixed-5000/seed0",
        "pretrain/bert-layers4-width128/mixed-20000/seed0",
        "control/bert-layers1-width64/mixed-5000/seed0",
        "control/bert-layers2-width64/mixed-5000/seed0",
        "control/bert-layers2-width128/mixed-5000/seed0",
        "control/bert-layers4-width128/mixed-5000/seed0",
        "transfer/baseline/linear-ecfp4_2048/freesolv",
    ];
    assert_eq!(keys[..first.len()], first);
    for key in [
        "embed/bert-layers4-width128/mixed-20000/seed0/checkpoint-1/freesolv",
        "embed/control/bert-layers1-width64/mixed-5000/seed0/checkpoint-0/freesolv",
        "measure/bert-layers1-width64/mixed-5000/seed0/checkpoint-1/loss.mlm_loss",
        "transfer/bert-layers1-width64/mixed-5000/seed0/checkpoint-1/freesolv/probe",
        "transfer/bert-layers1-width64/mixed-5000/seed0/checkpoint-1/bace/finetune/seed0",
        "transfer/control/bert-layers1-width64/mixed-5000/seed0/checkpoint-0/lipo/finetune/seed0",
    ] {
        assert!(keys.contains(&key), "{key} is not among {keys:#?}");
    }
    assert!(!keys.iter().any(|key| key.starts_with("measure/control")), "controls are not measured");
    for cell in &demo.cells {
        assert!(cell.needs.iter().all(|need| *need < demo.find(&cell.key).unwrap()), "{} comes before what it needs", cell.key);
    }
    let names: Vec<&str> = demo.plugins.iter().map(|plugin| plugin.manifest.name.as_str()).collect();
    assert_eq!(names, ["models", "sets", "loss", "curvature", "trivial"], "unused plugins are not recorded");
    assert_eq!(demo.sources.len(), 5, "MOSES and four datasets");
}

#[test]
fn a_small_plan_is_this_list() {
    let keys: Vec<String> = planned(&small("")).cells.into_iter().map(|cell| cell.key).collect();
    let expected = [
        "tokenise/freesolv",
        "tokenise/mixed-500",
        "pretrain/bert-0.06M/mixed-500/seed0",
        "pretrain/bert-0.83M/mixed-500/seed0",
        "control/bert-0.06M/mixed-500/seed0",
        "control/bert-0.83M/mixed-500/seed0",
        "embed/bert-0.06M/mixed-500/seed0/checkpoint-1/freesolv",
        "transfer/bert-0.06M/mixed-500/seed0/checkpoint-1/freesolv/probe",
        "embed/bert-0.06M/mixed-500/seed0/checkpoint-2/freesolv",
        "transfer/bert-0.06M/mixed-500/seed0/checkpoint-2/freesolv/probe",
        "embed/bert-0.83M/mixed-500/seed0/checkpoint-1/freesolv",
        "transfer/bert-0.83M/mixed-500/seed0/checkpoint-1/freesolv/probe",
        "embed/bert-0.83M/mixed-500/seed0/checkpoint-2/freesolv",
        "transfer/bert-0.83M/mixed-500/seed0/checkpoint-2/freesolv/probe",
        "embed/control/bert-0.06M/mixed-500/seed0/checkpoint-0/freesolv",
        "transfer/control/bert-0.06M/mixed-500/seed0/checkpoint-0/freesolv/probe",
        "embed/control/bert-0.83M/mixed-500/seed0/checkpoint-0/freesolv",
        "transfer/control/bert-0.83M/mixed-500/seed0/checkpoint-0/freesolv/probe",
        "measure/bert-0.06M/mixed-500/seed0/checkpoint-1/loss.mlm_loss",
        "measure/bert-0.06M/mixed-500/seed0/checkpoint-1/trivial.flops",
        "measure/bert-0.06M/mixed-500/seed0/checkpoint-2/loss.mlm_loss",
        "measure/bert-0.06M/mixed-500/seed0/checkpoint-2/trivial.flops",
        "measure/bert-0.83M/mixed-500/seed0/checkpoint-1/loss.mlm_loss",
        "measure/bert-0.83M/mixed-500/seed0/checkpoint-1/trivial.flops",
        "measure/bert-0.83M/mixed-500/seed0/checkpoint-2/loss.mlm_loss",
        "measure/bert-0.83M/mixed-500/seed0/checkpoint-2/trivial.flops",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn parameters_follow_the_written_rules() {
    let specs = bound(&small(
        "[[model]]\narchitecture = \"bert\"\noverrides = [{ layers = 7, width = 512, dropout = 1 }, { layers = 3 }]\ntokens = 5\nseeds = 2\n",
    ));
    let runs: Vec<_> = specs
        .iter()
        .filter_map(|spec| match spec {
            CellSpec::Pretrain(spec) => Some(spec),
            _ => None,
        })
        .collect();
    let of =
        |layers: u64, tokens: u64| runs.iter().filter(move |run| run.config["layers"] == json!(layers) && run.tokens == tokens);
    let big = of(7, 5).next().unwrap();
    assert_eq!(big.learning_rate, Number(5e-4), "nearest in size is 25.75M");
    assert_eq!((big.threads, of(3, 5).next().unwrap().threads), (2, 1), "12 x 7 x 512^2 is 22 million, 12 x 3 x 128^2 0.6");
    assert_eq!(of(3, 5).next().unwrap().learning_rate, Number(2e-3), "nearest in size is 0.83M");
    assert_eq!(of(3, 5).map(|run| run.seed).collect::<Vec<_>>(), [3000, 3001], "1000 x suite seed + index");
    assert_eq!(of(3, 0).map(|run| run.seed).collect::<Vec<_>>(), [3000], "one control");
    assert_eq!(big.config["dropout"].to_string(), "1.0", "a whole number for a float becomes one");
    assert_eq!(big.config["activation"], json!("gelu"), "defaults are filled in");
    assert_eq!(
        (big.betas, big.clip, big.weight_decay, big.mask_ratio),
        ((Number(0.9), Number(0.999)), Number(1.0), Number(0.01), Number(0.15))
    );
    for spec in &specs {
        match spec {
            CellSpec::TokeniseCorpus(spec) => {
                assert_eq!((spec.seed, spec.heldout, spec.exclude.len()), (3, 20, 1));
            }
            CellSpec::TokeniseDataset(spec) => assert_eq!(spec.split.fractions, (Number(0.8), Number(0.1))),
            CellSpec::Measure(spec) => {
                assert_eq!((spec.seed, spec.record.non_embedding_parameters), (3, 1000));
                let pre_release = spec.metric == "loss/mlm_loss";
                assert_eq!(spec.plugin.digest.is_some(), pre_release, "only pre-release versions carry the file's digest");
                assert_eq!(spec.params.contains_key("repeats"), pre_release);
            }
            CellSpec::Transfer(spec) => {
                let Protocol::Probe(probe) = &spec.protocol else { panic!("{:?}", spec.protocol) };
                assert_eq!((probe.strengths.len(), probe.strengths[0].0, probe.strengths[12].0), (13, 1e-4, 1e8));
                assert_eq!((spec.bootstrap, spec.seed), (1000, 3));
            }
            _ => {}
        }
    }
}

#[test]
fn what_does_not_apply_says_why() {
    let reasons = |plan: &Plan| {
        let mut reasons: HashMap<String, usize> = HashMap::new();
        for reason in plan.cells.iter().filter_map(|cell| cell.not_applicable.clone()) {
            *reasons.entry(reason).or_default() += 1;
        }
        reasons
    };
    let named = |expected: &[(&str, usize)]| -> HashMap<String, usize> {
        expected.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect()
    };
    let plan = planned(&small("[[metric]]\nselect = \"all\"\n"));
    // 2 runs x 2 checkpoints each.
    let expected = [
        ("`scope/classes` applies to classification, and `expt` of `freesolv` is a regression; `scope/classes_q5` does", 4),
        (
            "`scope/pair` compares the final checkpoints of two pretraining seeds, and the suite has one: set seeds = 2 in its [[model]]",
            2,
        ),
        (
            "`scope/transfer` is a diagnostic of fine-tuned weights, and the suite fine-tunes nothing: add a [[protocol]] with kind = \"finetune\"",
            2,
        ),
    ];
    assert_eq!(reasons(&plan), named(&expected));
    let measured = |metric: &str| plan.cells.iter().filter(|cell| cell.key.contains(metric)).count();
    assert_eq!(measured("scope.run"), 2, "the record of a run is read once");
    assert_eq!(measured("scope.labels/freesolv/expt"), 4);
    assert_eq!(measured("trivial.flops"), 4, "named and selected counts once");

    // Classification is transferred like regression.
    let plan = planned(&small("").replacen("freesolv", "bace", 1));
    assert_eq!(reasons(&plan), HashMap::new());
    assert_eq!(plan.runs, 2);
    // A causal model is trained; a metric of masked models does not apply to it.
    let plan = planned(&small("").replacen("\"bert\"", "\"gpt\"", 1));
    let metric = "`loss/mlm_loss` applies to masked language modelling, and `gpt` is trained by causal language modelling";
    assert_eq!((reasons(&plan), plan.runs), (named(&[(metric, 4)]), 2));
}

#[test]
fn final_checkpoints_only_when_asked() {
    let plan = planned(&small("[[protocol]]\nkind = \"probe\"\ncheckpoints = \"final\"\n"));
    let embeds: Vec<&str> = plan.cells.iter().filter(|cell| cell.stage == "embed").map(|cell| cell.key.as_str()).collect();
    assert_eq!(embeds.len(), 4, "{embeds:?}");
    assert!(embeds.iter().all(|key| key.contains("/checkpoint-2/") || key.contains("/control/")), "{embeds:?}");
}

#[test]
fn fine_tuning_needs_no_embeddings_and_has_its_seeds() {
    let protocol = "[[protocol]]\nkind = \"finetune\"\nseeds = 2\nepochs = 7\nlr = 1e-3\n";
    let plan = planned(&small(protocol));
    assert_eq!(plan.stages().get("embed"), None, "no probe, no embeddings");
    let keys: Vec<&str> = plan.cells.iter().filter(|cell| cell.stage == "transfer").map(|cell| cell.key.as_str()).collect();
    assert_eq!(keys.len(), 2 * (2 + 2), "two runs and two controls at their last checkpoints: {keys:?}");
    for key in [
        "transfer/bert-0.06M/mixed-500/seed0/checkpoint-2/freesolv/finetune/seed0",
        "transfer/bert-0.06M/mixed-500/seed0/checkpoint-2/freesolv/finetune/seed1",
        "transfer/control/bert-0.83M/mixed-500/seed0/checkpoint-0/freesolv/finetune/seed1",
    ] {
        assert!(keys.contains(&key), "{key} is not among {keys:#?}");
    }
    let specs = bound(&small(protocol));
    let transfers: Vec<_> = specs
        .iter()
        .filter_map(|spec| match spec {
            CellSpec::Transfer(spec) => Some(spec),
            _ => None,
        })
        .collect();
    let Protocol::Finetune(first) = &transfers[0].protocol else { panic!("{:?}", transfers[0].protocol) };
    assert_eq!((first.seed, first.epochs, first.searched, first.learning_rates[0].0), (3000, 7, false, 1e-3));
    assert_eq!((first.warmup.0, first.weight_decay.0, first.clip.0, first.batch, first.patience), (0.1, 0.01, 1.0, 32, 5));
    assert_eq!(first.checkpoint.weights_digest, transfers[0].weights_digest);
    assert!(!transfers[0].weights_digest.is_empty() && !first.tokenizer_digest.is_empty());
    let Protocol::Finetune(second) = &transfers[1].protocol else { panic!("{:?}", transfers[1].protocol) };
    assert_eq!(second.seed, 3001);
    let index = plan.find(keys[0]).unwrap();
    assert_eq!(plan.cells[index].kind, "transfer:finetune:freesolv");
    // 7 epochs of one rate against 20 of three.
    let searched = planned(&small("[[protocol]]\nkind = \"finetune\"\n"));
    let work = |plan: &Plan| plan.cells.iter().find(|cell| cell.stage == "transfer").unwrap().work;
    assert_eq!(work(&searched) / work(&plan), 60.0 / 7.0);
}

#[test]
fn under_a_cosine_only_the_last_checkpoint_is_transferred() {
    let plan = planned(&small("").replacen("checkpoints = 2", "checkpoints = 3\nschedule = \"cosine\"", 1));
    let of = |stage: &str| plan.cells.iter().filter(|cell| cell.stage == stage).count();
    // 2 runs and 2 controls; 2 metrics at 3 checkpoints of 2 runs.
    assert_eq!((of("embed"), of("transfer"), of("measure")), (4, 4, 12));
    assert!(plan.find("embed/bert-0.06M/mixed-500/seed0/checkpoint-3/freesolv").is_some());
}

#[test]
fn mask_ratio_accumulation_and_precision_reach_the_cell() {
    let more = "mask_ratio = 0.4\naccumulate = 2\nprecision = \"bfloat16\"\nbatch = 16";
    let specs = bound(&small("").replacen("checkpoints = 2", more, 1));
    let run = specs.iter().find_map(|spec| match spec {
        CellSpec::Pretrain(spec) => Some(spec),
        _ => None,
    });
    let run = run.unwrap();
    assert_eq!((run.mask_ratio.0, run.accumulate, run.batch, run.precision), (0.4, 2, 16, Precision::Bfloat16));
    let finetuned = bound(&small("[[protocol]]\nkind = \"finetune\"").replacen("checkpoints = 2", "precision = \"bfloat16\"", 1));
    let finetuned = finetuned.iter().find_map(|spec| match spec {
        CellSpec::Transfer(spec) => match &spec.protocol {
            Protocol::Finetune(protocol) => Some(protocol.precision),
            Protocol::Probe(_) | Protocol::Baseline(_) => None,
        },
        _ => None,
    });
    assert_eq!(finetuned, Some(Precision::Bfloat16), "fine-tuning steps are training steps");
    let causal = small("").replacen("\"bert\"", "\"gpt\"", 1);
    let specs = bound(&causal);
    assert!(specs.iter().any(|spec| matches!(spec, CellSpec::Pretrain(run) if run.mask_ratio.0 == 0.0)));
    let text = causal.replacen("checkpoints = 2", "mask_ratio = 0.4", 1);
    let message = plan::build(&suite(&text), &plugins(), &corpora, &no_hub).map(|_| ()).unwrap_err().to_string();
    assert!(message.contains("`mask_ratio` does not apply to `gpt`, which is trained by causal"), "{message}");
}

#[test]
fn a_metric_on_training_molecules_reads_the_smallest_subset() {
    let text = small("").replacen("sizes = [500]", "sizes = [800, 500]", 1);
    let text = text.replacen("id = \"loss/mlm_loss\"", "id = \"loss/mlm_loss\"\nparams = { sample = \"train\" }", 1);
    let plan = planned(&text);
    let index = plan.find("measure/bert-0.06M/mixed-800/seed0/checkpoint-1/loss.mlm_loss").unwrap();
    let smallest = plan.find("tokenise/mixed-500").unwrap();
    assert!(plan.cells[index].needs.contains(&smallest));
    let mut measured = 0;
    for spec in bound(&text) {
        if let CellSpec::Measure(spec) = spec {
            // The fake worker's digests differ between subsets; its sizes are those asked for.
            assert_eq!(spec.train.map(|train| train.molecules), (spec.metric == "loss/mlm_loss").then_some(500));
            measured += 1;
        }
    }
    assert_eq!(measured, 2 * 2 * 2 * 2);
}

#[test]
fn own_files_are_hashed_and_weighted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("suite.toml");
    std::fs::write(folder.path().join("own.smi"), "CCO\n").unwrap();
    let parsed = |corpus: &str| {
        let text = small("").replacen("name = \"mixed\"", corpus, 1);
        std::fs::write(&file, &text).unwrap();
        Suite::read(&file).unwrap()
    };
    let build = |corpus: &str| plan::build(&parsed(corpus), &plugins(), &corpora, &no_hub).map_err(|error| error.to_string());
    let plan = build("path = \"own.smi\"").unwrap();
    // echo CCO | sha256sum
    let sha256 = "5c9aa2a3024d56c903d547798cbd04ff743433ba0950dbfd8e19238e40651172";
    assert_eq!(plan.local.len(), 1);
    assert_eq!(plan.local[0].sha256, sha256);
    let index = plan.find("tokenise/own-500").unwrap();
    assert_eq!(plan.sources.len(), 1, "only the dataset's is fetched");
    assert!(plan.cells[index].not_applicable.is_none());

    let mixture = "name = \"m\"\nparts = [{ name = \"mixed\", weight = 3 }, { path = \"own.smi\", weight = 1 }]";
    let plan = build(mixture).unwrap();
    let dataset = plan.find("tokenise/freesolv").unwrap();
    let folder_of =
        |plan: &Plan| plan.bind(plan.find("tokenise/m-500").unwrap(), &|_| None::<&Finished>).unwrap_err().to_string();
    assert!(folder_of(&plan).contains(&plan.cells[dataset].key), "it still waits for the dataset that it excludes");
    let missing = build("path = \"absent.smi\"").unwrap_err();
    assert!(missing.contains("suite.toml:5: the corpus file") && missing.contains("absent.smi cannot be read"), "{missing}");
    std::fs::create_dir(folder.path().join("folder.smi")).unwrap();
    assert!(build("path = \"folder.smi\"").unwrap_err().contains("it is no file"));
}

#[test]
fn variants_of_a_metric_have_their_own_keys() {
    let plan = planned(&small("[[metric]]\nid = \"loss/mlm_loss\"\nbudget = \"quick\"\nparams = { repeats = 4 }\n"));
    assert!(plan.find("measure/bert-0.06M/mixed-500/seed0/checkpoint-1/loss.mlm_loss@standard").is_some());
    assert!(plan.find("measure/bert-0.06M/mixed-500/seed0/checkpoint-1/loss.mlm_loss@quick,repeats=4").is_some());
}

#[test]
fn parameters_of_a_selection_reach_the_metrics_that_have_them() {
    let specs = bound(&small("[[metric]]\nselect = \"family:hessian\"\nparams = { probes = 4 }\n"));
    let probes = |metric: &str| {
        let mut found = specs.iter().filter_map(|spec| match spec {
            CellSpec::Measure(spec) if spec.metric == metric => Some(spec.params.get("probes").cloned()),
            _ => None,
        });
        found.next().unwrap()
    };
    assert_eq!(probes("hessian/trace_fisher"), Some(json!(4)));
    assert_eq!(probes("loss/mlm_loss"), None);
    // What an earlier selection has met, a later one leaves alone.
    let twice = "[[metric]]\nselect = \"family:hessian\"\nparams = { probes = 4 }\n[[metric]]\nselect = \"all\"\n";
    let keys: Vec<String> = planned(&small(twice)).cells.into_iter().map(|cell| cell.key).collect();
    assert_eq!(keys.iter().filter(|key| key.contains("hessian.trace_fisher")).count(), 4, "{keys:?}");
    assert_eq!(keys.iter().filter(|key| key.contains("sharpness.sam")).count(), 4, "{keys:?}");
    let mixed =
        small("").replacen("id = \"loss/mlm_loss\"", "select = \"cost:moderate\"\nparams = { repeats = 4, probes = 2 }", 1);
    let plan = planned(&mixed);
    // The loss has `repeats` and no `probes`, the traces the other way round; the trivial ones have neither.
    for metric in ["loss.mlm_loss", "hessian.trace_fisher", "trivial.tokens"] {
        assert_eq!(plan.cells.iter().filter(|cell| cell.key.ends_with(metric)).count(), 4, "{metric}");
    }
}

#[test]
fn mistakes_are_named_with_their_line() {
    let demo = small("");
    let cases: &[(&str, &str, &[&str])] = &[
        ("\"bert\"", "\"bart\"", &["suite.toml:9:", "no plugin offers architecture `bart`", "Did you mean `bert`?"]),
        ("\"0.06M\"", "\"0.6M\"", &["suite.toml:9:", "no preset `0.6M`", "Did you mean `0.06M`?"]),
        ("\"freesolv\"", "\"freesolw\"", &["suite.toml:14:", "`moleculenet/freesolw`", "Did you mean `moleculenet/freesolv`?"]),
        ("\"loss/mlm_loss\"", "\"loss/mlmloss\"", &["suite.toml:17:", "metric `loss/mlmloss`", "Did you mean `loss/mlm_loss`?"]),
        ("\"mixed\"", "\"mixd\"", &["suite.toml:5:", "no corpus `mixd`", "Did you mean `mixed`?"]),
        (
            "id = \"loss/mlm_loss\"",
            "id = \"loss/mlm_loss\"\nparams = { repeat = 2 }",
            &["suite.toml:17:", "metric `loss/mlm_loss` has no parameter `repeat`", "`repeats`"],
        ),
        (
            "id = \"loss/mlm_loss\"",
            "id = \"loss/mlm_loss\"\nparams = { repeats = 2.5 }",
            &["suite.toml:17:", "`repeats`", "2.5 is not a whole number"],
        ),
        (
            "id = \"loss/mlm_loss\"",
            "select = \"all\"\nparams = { probs = 4 }",
            &["suite.toml:17: no metric of the selection has a parameter `probs`. Did you mean `probes`?"],
        ),
        (
            "id = \"loss/mlm_loss\"",
            "select = \"family:hessian\"\nparams = { probes = 1.5 }",
            &["suite.toml:17: parameter `probes` of metric `hessian/trace_hutchinson`: 1.5 is not a whole number"],
        ),
        ("id = \"loss/mlm_loss\"", "select = \"family:trival\"", &["suite.toml:17:", "family:trival", "Did you mean `trivial`?"]),
        (
            "presets = [\"0.06M\", \"0.83M\"]",
            "overrides = [{ layers = 97 }]",
            &["suite.toml:9:", "`layers`", "97 is above its largest value, 96"],
        ),
        (
            "presets = [\"0.06M\", \"0.83M\"]",
            "overrides = [{ activation = \"glu\" }]",
            &["suite.toml:9:", "`glu` is not a choice", "Did you mean `gelu`?"],
        ),
        (
            "presets = [\"0.06M\", \"0.83M\"]",
            "presets = [\"0.06M\"]\noverrides = [{ layers = 1, width = 64 }]",
            &["suite.toml:9:", "`bert-layers1-width64` is the same as `bert-0.06M`"],
        ),
        ("tokens = 1000", "tokens = 1000\nbatch = 501", &["suite.toml:9:", "`batch = 501`", "500 molecules of corpus `mixed`"]),
        (
            "heldout = 20",
            "heldout = 20\n[[corpus]]\nname = \"twin\"\nparts = [{ name = \"mixed\" }]\nsizes = [600, 500]\nheldout = 20",
            &["suite.toml:9:", "`corpus twin` is the same as `corpus mixed`"],
        ),
    ];
    for (part, instead, expected) in cases {
        assert!(demo.contains(part), "{part}");
        let text = demo.replacen(part, instead, 1);
        let message = plan::build(&suite(&text), &plugins(), &corpora, &no_hub).map(|_| ()).unwrap_err().to_string();
        for words in *expected {
            assert!(message.contains(words), "`{words}` is not in: {message}");
        }
    }
}

#[test]
fn a_full_batch_and_other_subsets_of_one_source_are_allowed() {
    let text = small("").replacen("tokens = 1000", "tokens = 1000\nbatch = 500", 1);
    let twin = |more: &str| {
        let more = format!("heldout = 20\n[[corpus]]\nname = \"twin\"\nparts = [{{ name = \"mixed\" }}]\n{more}");
        planned(&text.replacen("heldout = 20", &more, 1))
    };
    for other in
        ["sizes = [600]\nheldout = 20", "sizes = [500]\nheldout = 30", "sizes = [500]\nheldout = 20\nsmiles = \"random\""]
    {
        let plan = twin(other);
        // Two models x two corpora, which have held-out samples of their own.
        assert_eq!((plan.runs, plan.pool.runs), (4, 2), "{other}");
    }
}

#[test]
fn runs_of_two_objectives_are_two_pools() {
    let more = "[[model]]\narchitecture = \"gpt\"\npresets = [\"0.06M\"]\ntokens = 1000\n";
    let plan = planned(&small(more));
    assert_eq!((plan.runs, plan.pool.runs), (3, 2));
    assert_eq!(plan.summary(&|runs| Some(runs as f64)).mde, Some(2.0));
}

#[test]
fn models_with_another_budget_keep_apart() {
    let text = small("[[model]]\narchitecture = \"bert\"\npresets = [\"0.06M\"]\ntokens = 9\n");
    let plan = planned(&text);
    assert!(plan.find("pretrain/bert-0.06M/mixed-500/seed0").is_some());
    assert!(plan.find("pretrain/bert-0.06M-model2/mixed-500/seed0").is_some());
}

#[test]
fn an_unbound_upstream_is_refused_by_name() {
    let plan = planned(&small(""));
    let index = plan.find("pretrain/bert-0.06M/mixed-500/seed0").unwrap();
    let refusal = plan.bind(index, &|_| None::<&Finished>).unwrap_err();
    assert_eq!(refusal.to_string(), "needs `tokenise/mixed-500`, which has no output of the right kind");
    let first = plan.bind(0, &|_| None::<&Finished>).unwrap();
    assert!(matches!(&first.inputs[..], [(role, Input::Source(_))] if role == "source:freesolv.csv"));
    assert_eq!(identity(&first.spec).unwrap().len(), 64);
}

#[test]
fn the_catalogue_plans_the_demo() {
    let suite = Suite::parse("demo.toml", include_str!("../../../../benchmarks/suites/demo.toml")).unwrap();
    let plan = plan::build(&suite, &plugins(), &clmbench_runner::corpora::catalogue, &no_hub).unwrap();
    assert!(plan.sources.len() > 10, "MOSES, the MoleculeACE sets, AqSolDB and FreeSolv");
}
