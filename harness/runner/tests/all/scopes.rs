//! What metrics of each scope are measured on, and what they are given to read.

use clmbench_protocol::{CellSpec, Measure};
use clmbench_runner::plan::Plan;

use super::{
    plan::bound_cells,
    support::{
        fake_worker::PROJECTED_BATCH,
        offers::{planned, small},
    },
};

/// Keys of applicable measurements of a metric.
fn keys(plan: &Plan, metric: &str) -> Vec<String> {
    let of = |key: &String| key.starts_with("measure/") && key.contains(metric);
    plan.cells.iter().filter(|cell| cell.not_applicable.is_none()).map(|cell| cell.key.clone()).filter(of).collect()
}

/// Cells that a cell needs.
fn needs<'p>(plan: &'p Plan, key: &str) -> Vec<&'p str> {
    let cell = &plan.cells[plan.find(key).unwrap()];
    cell.needs.iter().map(|need| plan.cells[*need].key.as_str()).collect()
}

/// The definition of the one measurement whose key ends so.
#[track_caller]
fn measured(cells: &[(String, CellSpec)], end: &str) -> Measure {
    let mut found = cells.iter().filter(|(key, _)| key.starts_with("measure/") && key.ends_with(end));
    let (Some((_, CellSpec::Measure(spec))), None) = (found.next(), found.next()) else { panic!("{end}: {cells:#?}") };
    spec.clone()
}

fn metric(id: &str) -> String {
    format!("[[metric]]\nid = \"{id}\"\n")
}

const FINETUNE: &str = "[[protocol]]\nkind = \"finetune\"\nseeds = 2\nepochs = 1\nlr = 1e-3\n";

#[test]
fn labels_are_read_with_embeddings_by_task() {
    let text = small(&metric("scope/labels")).replacen("\"freesolv\"", "\"freesolv\", \"bace\"", 1);
    let plan = planned(&text);
    let run = "bert-0.83M/mixed-500/seed0/checkpoint-1";
    let key = format!("measure/{run}/scope.labels/bace/expt");
    assert_eq!(keys(&plan, "scope.labels").len(), 2 * 2 * 2, "runs x checkpoints x tasks");
    let embed = format!("embed/{run}/bace");
    assert_eq!(needs(&plan, &key), ["pretrain/bert-0.83M/mixed-500/seed0", "tokenise/mixed-500", "tokenise/bace", &embed]);
    // Those of the probe, once each: runs and controls at each of their checkpoints x datasets.
    assert_eq!(plan.stages()["embed"], (2 * 2 + 2) * 2);

    let cells = bound_cells(&text);
    let spec = measured(&cells, &format!("{run}/scope.labels/bace/expt"));
    let probe = cells.iter().find(|(key, _)| *key == format!("transfer/{run}/bace/probe")).unwrap();
    let CellSpec::Transfer(probe) = &probe.1 else { panic!("{probe:?}") };
    let expected = (probe.data_digest.clone(), probe.split_digest.clone(), "expt".to_owned());
    assert_eq!(spec.dataset, Some(expected), "the molecules and the split that the probe is scored on");
    let clmbench_protocol::Protocol::Probe(protocol) = &probe.protocol else { panic!("{probe:?}") };
    assert_eq!(spec.embeddings.as_ref(), Some(&protocol.embedding_digest), "and the same embeddings");
    assert_eq!((spec.history, spec.others), (None, vec![]));
}

#[test]
fn without_a_probe_embeddings_are_planned_for_the_labels_alone() {
    let labels = metric("scope/labels") + &metric("scope/classes") + &metric("scope/classes_q5");
    let plan = planned(&small(&(labels + FINETUNE)));
    // Two runs at two checkpoints; the controls are not measured, and two metrics share a cell.
    assert_eq!(plan.stages()["embed"], 4);
    assert_eq!(keys(&plan, "scope.classes/").len(), 0);
    assert_eq!(keys(&plan, "scope.classes_q5/freesolv/expt").len(), 4);
}

#[test]
fn raw_checkpoints_have_no_labels_read() {
    let text = small(&metric("scope/labels")).replacen("checkpoints = 2", "checkpoints = 3\nschedule = \"cosine\"", 1);
    let keys = keys(&planned(&text), "scope.labels");
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(keys.iter().all(|key| key.contains("/checkpoint-3/")), "{keys:?}");
}

#[test]
fn a_run_is_read_once_with_its_losses_and_all_its_checkpoints() {
    let text = small(&metric("scope/run"));
    let plan = planned(&text);
    let end = "bert-0.06M/mixed-500/seed0/checkpoint-2/scope.run";
    assert_eq!(keys(&plan, "scope.run").len(), 2);
    assert_eq!(needs(&plan, &format!("measure/{end}")), ["pretrain/bert-0.06M/mixed-500/seed0", "tokenise/mixed-500"]);
    let cells = bound_cells(&text);
    let spec = measured(&cells, end);
    assert_eq!(spec.history.as_ref().map(String::len), Some(64), "BLAKE3 of the record");
    let earlier = measured(&cells, "bert-0.06M/mixed-500/seed0/checkpoint-1/loss.mlm_loss").checkpoint.weights_digest;
    let others: Vec<_> = spec.others.iter().map(|other| (other.name.as_str(), other.file.as_str(), &other.blake3)).collect();
    let expected =
        [("checkpoint-1", "model.safetensors", &earlier), ("checkpoint-2", "model.safetensors", &spec.checkpoint.weights_digest)];
    assert_eq!(others, expected);
    assert!(spec.others.iter().all(|other| other.group == "bert-0.06M/mixed-500/seed0"));
    let plain = measured(&cells, "bert-0.06M/mixed-500/seed0/checkpoint-2/loss.mlm_loss");
    assert_eq!((plain.history, plain.others, plain.embeddings), (None, vec![], None));
}

#[test]
fn every_pair_of_seeds_is_compared_at_the_end() {
    let text = small(&metric("scope/pair")).replacen("checkpoints = 2", "checkpoints = 2\nseeds = 3", 1);
    let plan = planned(&text);
    let small: Vec<String> = keys(&plan, "scope.pair").into_iter().filter(|key| key.contains("0.06M")).collect();
    let of =
        |first: u32, second: u32| format!("measure/bert-0.06M/mixed-500/seed{first}/checkpoint-2/scope.pair/with-seed{second}");
    assert_eq!(small, [of(0, 1), of(0, 2), of(1, 2)]);
    let runs = ["seed1", "seed2"].map(|seed| format!("pretrain/bert-0.06M/mixed-500/{seed}"));
    assert_eq!(needs(&plan, &of(1, 2)), [runs[0].as_str(), "tokenise/mixed-500", runs[1].as_str()]);
    let cells = bound_cells(&text);
    let spec = measured(&cells, &of(1, 2));
    let partner = measured(&cells, "bert-0.06M/mixed-500/seed2/checkpoint-2/loss.mlm_loss").checkpoint.weights_digest;
    let [other] = &spec.others[..] else { panic!("{:?}", spec.others) };
    assert_eq!((other.blake3.as_str(), other.group.as_str()), (partner.as_str(), "bert-0.06M/mixed-500/seed2"));
    assert_eq!(spec.history, None);
}

#[test]
fn fine_tuned_weights_are_read_where_there_are_some() {
    let text = small(&(metric("scope/transfer") + FINETUNE)).replacen("\"freesolv\"", "\"freesolv\", \"bace\"", 1);
    let plan = planned(&text);
    let keys = keys(&plan, "scope.transfer");
    assert_eq!(keys.len(), 2, "the last checkpoint of each run: {keys:?}");
    assert_eq!(plan.cells.iter().filter(|cell| cell.not_applicable.is_some()).count(), 0, "nothing is missing at the others");
    assert_eq!(needs(&plan, &keys[0]).len(), 2 + 4);
    let cells = bound_cells(&text);
    let spec = measured(&cells, "bert-0.06M/mixed-500/seed0/checkpoint-2/scope.transfer");
    let others: Vec<_> =
        spec.others.iter().map(|other| (other.name.as_str(), other.group.as_str(), other.file.as_str())).collect();
    let expected = [
        ("freesolv/finetune/seed0", "freesolv", "end.safetensors"),
        ("freesolv/finetune/seed1", "freesolv", "end.safetensors"),
        ("bace/finetune/seed0", "bace", "end.safetensors"),
        ("bace/finetune/seed1", "bace", "end.safetensors"),
    ];
    assert_eq!(others, expected);
    let files: std::collections::HashSet<&str> = spec.others.iter().map(|other| other.blake3.as_str()).collect();
    assert_eq!(files.len(), 4);

    let everywhere = text.replacen("kind = \"finetune\"", "kind = \"finetune\"\ncheckpoints = \"all\"", 1);
    assert_eq!(self::keys(&planned(&everywhere), "scope.transfer").len(), 4);
}

#[test]
fn what_is_not_there_to_read_is_a_refusal_with_a_way_out() {
    let refused = |text: &str, forget: &str| {
        let folder = tempfile::tempdir().unwrap();
        let plan = planned(text);
        let mut store = clmbench_store::Store::open_writer(folder.path()).unwrap();
        let mut executor = super::run::executor(folder.path(), 2);
        super::run::run_with(&mut store, &plan, &mut executor).unwrap();
        let index = plan.cells.iter().position(|cell| cell.key.contains("/scope.")).unwrap();
        let mut finished = Vec::new();
        for cell in &plan.cells[..index] {
            let identity = store.find_cell(&cell.key).unwrap().row.identity.unwrap();
            let mut report = store.report(&identity).unwrap().unwrap();
            report.files.retain(|file| file.path != forget);
            finished.push(clmbench_runner::plan::Finished { identity, report });
        }
        plan.bind(index, &|need| finished.get(need)).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&small(&metric("scope/run")), "record.json"),
        "needs the training losses of `pretrain/bert-0.06M/mixed-500/seed0`, which was finished by a version that did not keep them. \
         Run the suite in another store (`--store FOLDER`) to train it anew"
    );
    let finetuned = small(&(metric("scope/transfer") + FINETUNE));
    let key = "`transfer/bert-0.06M/mixed-500/seed0/checkpoint-2/freesolv/finetune/seed0`";
    assert_eq!(
        refused(&finetuned, "end.safetensors"),
        format!("needs the fine-tuned weights of {key}, which kept none; `clmbench show` says how it went")
    );
    let projected = format!("kind = \"finetune\"\nbatch = {PROJECTED_BATCH}");
    assert_eq!(
        refused(&finetuned.replacen("kind = \"finetune\"", &projected, 1), ""),
        format!(
            "needs the fine-tuned weights of {key}, which kept only a projection of them: whole weights are kept up to 5 million \
             parameters"
        )
    );
}

#[test]
fn an_objective_that_does_not_apply_keeps_its_reason_in_every_scope() {
    let text = small("[[metric]]\nselect = \"all\"\n").replacen("\"bert\"", "\"gpt\"", 1);
    let plan = planned(&text);
    let reasons = plan.cells.iter().filter(|cell| cell.key.contains("mlm_loss")).map(|cell| cell.not_applicable.as_deref());
    let expected = "`loss/mlm_loss` applies to masked language modelling, and `gpt` is trained by causal language modelling";
    assert_eq!(reasons.collect::<Vec<_>>(), [Some(expected); 4]);
}
