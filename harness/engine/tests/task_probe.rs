//! What a metric may read of a task, a run and other weights, from folders made by hand, and each refusal's text.
#![allow(missing_docs, clippy::unwrap_used)]

mod bench;
mod common;

use std::path::Path;

use bench::{Bench, MOLECULES, SECRET, TASK, failed, labelled, numbers, part, said, smiles, turn};
use clmbench_engine::{
    measure::{self, Folders},
    probe::{
        others::{self, Other},
        task::TaskSample,
    },
    report::Reporter,
    weights,
};
use clmbench_protocol::{Comparable, CostClass, Direction, FailureKind, Measure, MetricInfo, Scope};
use clmbench_sdk::{
    PluginError, Probe, Sample,
    abi_stable::prefix_type::PrefixTypeTrait,
    api::{HvpMethod, Labels, PluginModule, PluginModuleRef, SamplePart},
    export::{self, Exports},
    metric::{Measurement, Value},
    prelude::{Architecture, Dataset, Metric, Params},
};
use tch::{Kind, Tensor};

#[test]
fn the_task_part_is_the_labelled_training_molecules_in_one_random_order() {
    let _turn = turn();
    let (bench, reporter) = (Bench::new(), Reporter::silent());
    let host = bench.host(&reporter).with_task(bench.task());
    let probe = Probe::new(host.edge());
    let facts = probe.task().unwrap();
    assert_eq!((facts.dataset.as_str(), facts.task.name.as_str(), facts.task.unit.as_str()), ("chains", "energy", "kcal/mol"));
    assert_eq!(probe.molecules(SamplePart::Task).unwrap(), labelled().len() as u64);
    let labels = probe.labels().unwrap();
    assert_eq!((labels.kind(), labels.size()), (Kind::Double, vec![labelled().len() as i64]));
    let found: Vec<usize> = numbers(&labels).iter().map(|label| (10.0 * label).round() as usize).collect();
    let mut sorted = found.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, labelled());
    assert_ne!(found, sorted, "the order of the source");
    // Every molecule comes with its own label.
    let texts = probe.smiles(SamplePart::Task, 0, 0).unwrap();
    let wanted: Vec<String> =
        found.iter().map(|molecule| clmbench_molecules::smiles::canonical(&smiles(*molecule)).unwrap()).collect();
    assert_eq!(texts, wanted);
    assert_eq!(probe.smiles(SamplePart::Task, 3, 2).unwrap(), wanted[3..5]);
    let tokens = probe.predicted(TASK).unwrap();
    assert_eq!(tokens.len(), found.len());
    // Another probe, another time: the same order.
    let again = bench.host(&reporter).with_task(bench.task());
    assert!(Probe::new(again.edge()).labels().unwrap().equal(&labels));
}

#[test]
fn labels_of_validation_and_test_molecules_never_come_out() {
    let _turn = turn();
    let (bench, reporter) = (Bench::new(), Reporter::silent());
    let file = std::fs::read_to_string(bench.path("dataset/molecules.csv")).unwrap();
    assert!(file.contains(&format!(",{SECRET},")), "the file has the labels that must not come out");
    let host = bench.host(&reporter).with_task(bench.task());
    let probe = Probe::new(host.edge());
    let secret: f64 = SECRET.parse().unwrap();
    assert!(numbers(&probe.labels().unwrap()).iter().all(|label| *label != secret && label.is_finite()));
    let hidden: Vec<String> = (0..MOLECULES).filter(|molecule| part(*molecule) != "train").map(smiles).collect();
    let offered = probe.smiles(SamplePart::Task, 0, 0).unwrap();
    assert!(hidden.iter().all(|text| !offered.contains(&clmbench_molecules::smiles::canonical(text).unwrap())));
    let all = labelled().len() as u64;
    let beyond = probe.smiles(SamplePart::Task, all, 1);
    assert_eq!(said(&bench, beyond), format!("molecules {all}..{} of a part that has {all}; ask molecules() first", all + 1));
}

#[test]
fn cached_embeddings_are_those_of_the_molecules_and_cost_nothing() {
    let _turn = turn();
    let (bench, reporter) = (Bench::new(), Reporter::silent());
    let computed = bench.host(&reporter).with_task(bench.task());
    let by_model = Probe::new(computed.edge()).embed(SamplePart::Task, 0, 0).unwrap();
    assert!(computed.cost() > 0.0);
    let free = bench.host(&reporter).with_task(bench.task().with_free_embeddings());
    assert!(Probe::new(free.edge()).embed(SamplePart::Task, 0, 0).unwrap().equal(&by_model));
    assert_eq!(free.cost(), 0.0);

    let cache = clmbench_molecules::TokenCache::open(&bench.path("dataset/tokens.bin")).unwrap();
    let molecules: Vec<u32> = (0..MOLECULES as u32).collect();
    let matrix = clmbench_engine::embed::pooled(&bench.model, &cache, &molecules, &reporter).unwrap();
    let path = bench.path("embeddings/embeddings.safetensors");
    let digest = weights::write(&path, &[("embeddings".into(), &matrix)]).unwrap();
    let host = bench.host(&reporter).with_task(bench.task().with_embeddings(&bench.path("embeddings"), &digest).unwrap());
    let probe = Probe::new(host.edge());
    let cached = probe.embed(SamplePart::Task, 0, 0).unwrap();
    assert!((&cached - &by_model).abs().max().double_value(&[]) < 1e-5);
    assert!(probe.embed(SamplePart::Task, 4, 3).unwrap().equal(&cached.narrow(0, 4, 3)));
    assert_eq!(host.cost(), 0.0);

    let (kind, text) = failed(&bench, bench.task().with_embeddings(&bench.path("embeddings"), "0"));
    assert_eq!(kind, FailureKind::CorruptFile);
    let wanted = format!(
        "FOLDER/embeddings/embeddings.safetensors has digest {digest}, not 0: it was changed or damaged; run again to rebuild it"
    );
    assert_eq!(text, wanted);
    let digest = weights::write(&path, &[("embeddings".into(), &matrix.narrow(0, 0, 7))]).unwrap();
    let (kind, text) = failed(&bench, bench.task().with_embeddings(&bench.path("embeddings"), &digest));
    assert_eq!((kind, text.as_str()), (FailureKind::WrongShape, "embeddings [7, 12] for 40 molecules of chains"));
    let digest = weights::write(&path, &[("other".into(), &matrix)]).unwrap();
    let (_, text) = failed(&bench, bench.task().with_embeddings(&bench.path("embeddings"), &digest));
    assert_eq!(text, "FOLDER/embeddings/embeddings.safetensors holds no matrix `embeddings`; run again to rebuild it");
}

#[test]
fn losses_and_derivatives_over_the_task_are_those_of_its_molecules() {
    let _turn = turn();
    let (bench, reporter) = (Bench::new(), Reporter::silent());
    let host = bench.host(&reporter).with_task(bench.task());
    let probe = Probe::new(host.edge());
    let rows = probe.loss(TASK, None).unwrap();
    assert_eq!(rows.tokens, probe.predicted(TASK).unwrap());
    let count = rows.nll.len() as u64;
    // A part of them, alone: the same losses, so the same molecules under the same masks.
    let some = probe.loss(Sample { start: 5, count: 6, ..TASK }, None).unwrap();
    for (a, b) in some.nll.iter().zip(&rows.nll[5..11]) {
        assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{a} is not {b}");
    }
    assert_eq!(some.tokens, rows.tokens[5..11]);
    // The mean loss falls along its gradient at the slope that the gradient says, and the gradient itself at the slope of the product.
    let gradient = probe.grad(TASK, None, Labels::Data).unwrap();
    let step = 1e-3 / gradient.norm().double_value(&[]);
    let mean = |delta: &Tensor| {
        let rows = probe.loss(TASK, Some(delta)).unwrap();
        rows.nll.iter().sum::<f64>() / rows.tokens.iter().sum::<f64>()
    };
    let slope = (mean(&(&gradient * step)) - mean(&(&gradient * -step))) / (2.0 * step);
    let wanted = gradient.square().sum(Kind::Double).double_value(&[]);
    assert!((slope - wanted).abs() < 0.02 * wanted, "{slope} is not {wanted}");
    let vectors = gradient.unsqueeze(0);
    let [exact, near] =
        [HvpMethod::DoubleBackward, HvpMethod::FiniteDifference].map(|method| probe.hvp(TASK, &vectors, method).unwrap());
    let apart = (&exact - near).norm().double_value(&[]) / exact.norm().double_value(&[]);
    assert!(apart < 5e-3, "{apart}");
    let chances = probe.token_probs(TASK).unwrap();
    assert_eq!(chances.size()[0] as f64, rows.tokens.iter().sum::<f64>());
    assert!(probe.loss(Sample { start: count, count: 1, ..TASK }, None).is_err());
}

#[test]
fn a_task_that_is_not_there_or_has_too_few_labels_is_refused() {
    let _turn = turn();
    let bench = Bench::new();
    let open = |planned: &(String, String, String), tokenizer: &str| {
        failed(&bench, TaskSample::open(&bench.path("dataset"), planned, tokenizer))
    };
    let refused = |task: &str| open(&bench.planned(task), &bench.output.tokenizer_digest);
    let rest = "at least 2 are needed: leave the task out, or choose another split";
    let (kind, text) = refused("once");
    assert_eq!(kind, FailureKind::BadInput);
    assert_eq!(text, format!("task `once` of chains has 1 labelled training molecule; {rest}"));
    assert_eq!(refused("never").1, format!("task `never` of chains has 0 labelled training molecules; {rest}"));
    let wanted = "dataset chains has no task `heat`; there is: energy, once, never";
    assert_eq!(refused("heat"), (FailureKind::BadInput, wanted.into()));

    let (data, split, task) = bench.planned("energy");
    let digest = &bench.output.tokenizer_digest;
    let (kind, text) = open(&("1".into(), split.clone(), task.clone()), digest);
    assert_eq!(kind, FailureKind::CorruptFile);
    assert_eq!(text, "FOLDER/dataset is not the dataset 1 planned with; run again to rebuild it");
    let (_, text) = open(&(data, "2".into(), task), digest);
    assert_eq!(text, "FOLDER/dataset is not the split 2 planned with; run again to rebuild it");
    let (kind, text) = open(&bench.planned("energy"), "3");
    assert!(kind == FailureKind::CorruptFile && text.contains("FOLDER/dataset/tokenizer.json has digest"), "{text}");
    // A label changed by hand.
    let path = bench.path("dataset/molecules.csv");
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replace(",0.2,", ",0.3,")).unwrap();
    assert_eq!(refused("energy").0, FailureKind::CorruptFile);
}

#[test]
fn a_probe_without_a_task_history_or_other_weights_says_what_to_declare() {
    let _turn = turn();
    let (bench, reporter) = (Bench::new(), Reporter::silent());
    let host = bench.host(&reporter);
    let probe = Probe::new(host.edge());
    let task = "no task was planned for this metric; declare scope CheckpointDataset in its info() to read labels";
    assert_eq!(said(&bench, probe.task()), task);
    assert_eq!(said(&bench, probe.labels()), task);
    assert_eq!(said(&bench, probe.embed(SamplePart::Task, 0, 0)), task);
    assert_eq!(said(&bench, probe.smiles(SamplePart::Task, 0, 0)), task);
    assert_eq!(said(&bench, probe.molecules(SamplePart::Task)), task);
    let history = "no training history was planned for this metric; declare scope Run in its info() to read it";
    assert_eq!(said(&bench, probe.history()), history);
    let others = "no other weights were planned for this metric; declare scope Run, Pair or Transfer in its info()";
    assert_eq!(said(&bench, probe.others()), others);
    assert_eq!(said(&bench, probe.other_weights(0)), others);
    let train = "the SMILES of the training subset are not kept; there are those of SamplePart::Heldout and, for label-aware \
                 metrics, SamplePart::Task";
    assert_eq!(said(&bench, probe.smiles(SamplePart::Train, 0, 0)), train);
    assert!(host.fault().is_none());
}

#[test]
fn heldout_smiles_are_canonical_and_compared_with_their_tokens() {
    let _turn = turn();
    let (bench, reporter) = (Bench::new(), Reporter::silent());
    let host = bench.host(&reporter);
    let canonical: Vec<String> = bench.heldout.iter().map(|text| clmbench_molecules::smiles::canonical(text).unwrap()).collect();
    let probe = Probe::new(host.edge());
    assert_eq!(probe.smiles(SamplePart::Heldout, 0, 0).unwrap(), canonical);
    assert_eq!(probe.smiles(SamplePart::Heldout, 8, 2).unwrap(), canonical[8..]);
    let path = bench.path("corpus/heldout.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    for (changed, what) in [
        (text.replacen("CNCNO", "CNCNN", 1), "molecule 0 (`CNCNN`) is not the one that was tokenised"),
        (text.replacen("CNCNO\n", "", 1), "it holds 9 molecules, its tokens 10"),
    ] {
        std::fs::write(&path, changed).unwrap();
        let host = bench.host(&reporter);
        let refusal = said(&bench, Probe::new(host.edge()).smiles(SamplePart::Heldout, 0, 0));
        assert_eq!(refusal, format!("FOLDER/corpus/heldout.csv: {what}; it was changed or damaged; run again to rebuild it"));
        assert_eq!(host.fault().unwrap().kind, FailureKind::CorruptFile);
    }
}

#[test]
fn the_history_is_the_losses_of_the_run() {
    let _turn = turn();
    let (bench, reporter) = (Bench::new(), Reporter::silent());
    let (corpus, run) = (bench.path("small"), bench.path("trained"));
    for folder in [&corpus, &run] {
        std::fs::create_dir(folder).unwrap();
    }
    common::corpus(&corpus, 64);
    common::pretrain(&common::spec(&corpus, 4000, 2), &corpus, &run).unwrap();
    let path = run.join("record.json");
    let digest = clmbench_molecules::digest::blake3_file(&path).unwrap();
    let losses = others::history(&run, &digest).unwrap();
    assert!(losses.len() > 20 && losses[0] > *losses.last().unwrap(), "{losses:?}");
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(record["losses"].as_array().unwrap().len(), losses.len());
    let host = bench.host(&reporter).with_history(losses.clone());
    assert_eq!(Probe::new(host.edge()).history().unwrap(), losses);

    let (kind, text) = failed(&bench, others::history(&run, "0"));
    assert_eq!(kind, FailureKind::CorruptFile);
    let wanted =
        format!("FOLDER/trained/record.json has digest {digest}, not 0: it was changed or damaged; run again to rebuild it");
    assert_eq!(text, wanted);
    let mut empty = record;
    empty["losses"] = serde_json::json!([]);
    std::fs::write(&path, empty.to_string()).unwrap();
    let digest = clmbench_molecules::digest::blake3_file(&path).unwrap();
    let (kind, text) = failed(&bench, others::history(&run, &digest));
    assert_eq!(kind, FailureKind::BadInput);
    assert_eq!(text, "FOLDER/trained/record.json tells of no training step; a metric of a run needs a trained one");
}

#[test]
fn other_weights_lie_flat_in_the_order_of_the_table() {
    let _turn = turn();
    let (bench, reporter) = (Bench::new(), Reporter::silent());
    let moved = |name: &str| bench.weights(name, |_, tensor| Some(tensor.detach() + 1.0));
    let host = bench.host(&reporter).with_others(vec![moved("end"), bench.weights("same", |_, tensor| Some(tensor.detach()))]);
    let probe = Probe::new(host.edge());
    let names: Vec<String> = probe.others().unwrap().into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["end", "same"]);
    let own = probe.weights().unwrap();
    assert!(probe.other_weights(1).unwrap().equal(&own));
    assert!(((probe.other_weights(0).unwrap() - &own) - 1.0).abs().max().double_value(&[]) < 1e-6);
    assert_eq!(host.cost(), 0.0);
    assert_eq!(said(&bench, probe.other_weights(2)), "other weights number 2 of 2; ask others() first, and count from 0");
}

#[test]
fn other_weights_of_another_model_or_file_are_refused_by_name() {
    let _turn = turn();
    let (bench, reporter) = (Bench::new(), Reporter::silent());
    let text_of = |other: Other| {
        let host = bench.host(&reporter).with_others(vec![other]);
        let text = said(&bench, Probe::new(host.edge()).other_weights(0));
        (text, host.fault().map(|fault| fault.kind))
    };
    let cut = |name: &str, tensor: &Tensor| match name {
        "first.weight" => None,
        "second.weight" => Some(tensor.detach().narrow(0, 0, 4)),
        _ => Some(tensor.detach()),
    };
    let (text, fault) = text_of(bench.weights("end", cut));
    let wanted = "the weights of `end` (FOLDER/end/end.safetensors) are of another model: `first.weight` is missing; \
                  `second.weight` has shape [4, 12], not [12, 12]";
    assert_eq!((text.as_str(), fault), (wanted, None));

    let mut projection = bench.weights("small", |_, tensor| Some(tensor.detach()));
    projection.weights.file = "projection.safetensors".into();
    let (text, _) = text_of(projection);
    let wanted = "`small` kept no weights: fine-tuned models above 5000000 parameters leave a projection of their path alone; \
                  measure it on smaller models";
    assert_eq!(text, wanted);

    let other = bench.weights("end", |_, tensor| Some(tensor.detach()));
    let path = bench.path("end/end.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (text, fault) = text_of(other.clone());
    assert!(text.starts_with("FOLDER/end/end.safetensors: digest ") && text.contains("changed or damaged"), "{text}");
    assert_eq!(fault, Some(FailureKind::CorruptFile));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(text_of(other).1, Some(FailureKind::Io));
}

/// A metric that reads the first of the other weights, and makes light of a refusal.
struct Reads;

impl Metric for Reads {
    fn info(&self) -> MetricInfo {
        MetricInfo {
            id: "test/reads".into(),
            doc: String::new(),
            citation: String::new(),
            unit: String::new(),
            primary: "value".into(),
            direction: Direction::LowerIsBetter,
            scope: Scope::Pair,
            cost: CostClass::Free,
            comparable: Comparable::Any,
            objectives: Vec::new(),
            tasks: Vec::new(),
            parameters: Vec::new(),
            trivial: false,
        }
    }

    fn measure(&self, probe: &Probe<'_>, _params: &Params) -> Result<Measurement, PluginError> {
        let value = probe.other_weights(0).map_or(0.0, |weights| weights.norm().double_value(&[]));
        Ok(Measurement::complete(vec![Value::exact("value", value, "")], 0))
    }
}

struct Exported;

impl Exports for Exported {
    const NAME: &'static str = "tiny";
    const VERSION: &'static str = "0.1.0";
    fn architectures() -> Vec<Box<dyn Architecture>> {
        Vec::new()
    }
    fn datasets() -> Vec<Box<dyn Dataset>> {
        Vec::new()
    }
    fn metrics() -> Vec<Box<dyn Metric>> {
        vec![Box::new(Reads)]
    }
}

fn module() -> PluginModuleRef {
    PluginModule {
        manifest: export::manifest::<Exported>,
        import_config: export::import_config::<Exported>,
        shapes: export::shapes::<Exported>,
        new_model: export::new_model::<Exported>,
        read_dataset: export::read_dataset::<Exported>,
        measure: export::measure::<Exported>,
    }
    .leak_into_prefix()
}

#[test]
fn a_damaged_file_ends_the_cell_as_one_whatever_the_metric_makes_of_it() {
    let _turn = turn();
    let (bench, reporter) = (Bench::new(), Reporter::silent());
    let other = bench.weights("end", |_, tensor| Some(tensor.detach()));
    let measured = |other: &Other| {
        let host = bench.host(&reporter).with_others(vec![other.clone()]);
        measure::call(module(), &Reads.info(), "{}", &bench.model, &host)
    };
    let (output, _) = measured(&other).unwrap();
    assert!(output.values[0].value.0 > 0.0);
    std::fs::write(bench.path("end/end.safetensors"), b"nothing").unwrap();
    assert_eq!(failed(&bench, measured(&other)).0, FailureKind::CorruptFile);
}

#[test]
fn a_cell_gives_its_metric_what_was_planned_and_needs_the_inputs_for_it() {
    let _turn = turn();
    let (bench, reporter) = (Bench::new(), Reporter::silent());
    let other = bench.weights("end", |_, tensor| Some(tensor.detach()));
    let nothing = bench.path("nothing");
    let none = Folders {
        checkpoint: &nothing,
        corpus: &nothing,
        train: None,
        dataset: None,
        embeddings: None,
        run: None,
        others: &[],
        work: &nothing,
    };
    let equip = |spec: &Measure, folders: Folders<'_>| measure::equip(bench.host(&reporter), spec, folders).map(drop);
    let labelled = Measure { dataset: Some(bench.planned("energy")), ..bench.spec() };
    let cached = Measure { embeddings: Some("0".into()), ..labelled.clone() };
    let of_run = Measure { history: Some("0".into()), ..bench.spec() };
    let pair = Measure { others: vec![other.weights.clone()], ..bench.spec() };
    let dataset = bench.path("dataset");
    let with_data = Folders { dataset: Some(&dataset), ..none };
    for (spec, folders, role) in
        [(&labelled, none, "dataset"), (&cached, with_data, "embeddings"), (&of_run, none, "run"), (&pair, none, "other:0")]
    {
        let (kind, text) = failed(&bench, equip(spec, folders));
        assert_eq!((kind, text), (FailureKind::Protocol, format!("the host gave no input `{role}`")));
    }
    let empty: &Path = &bench.path("embeddings");
    let (kind, _) = failed(&bench, equip(&cached, Folders { embeddings: Some(empty), ..with_data }));
    assert_eq!(kind, FailureKind::Io);
    let folders = [bench.path("end")];
    let both = Measure { others: pair.others.clone(), ..labelled };
    let host = measure::equip(bench.host(&reporter), &both, Folders { others: &folders, ..with_data }).unwrap();
    let probe = Probe::new(host.edge());
    assert_eq!(probe.others().unwrap(), pair.others);
    assert!(probe.other_weights(0).is_ok() && probe.labels().is_ok());
}
