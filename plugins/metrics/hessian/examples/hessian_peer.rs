//! Our side of `cargo xtask perf curvature`: the metrics on a checkpoint, and the same weights and masked molecules for a peer.
//!
//!     peer BERT_LIBRARY CHECKPOINT trained|random CORPUS OUT MOLECULES ROUND THREADS
//!
//! Writes into OUT: model.safetensors; batch.safetensors (ids [N, L] padded with 0, positions [M] in the flattened [N * L], targets
//! [M], all as float32); ours.json with the values, standard deviations of a probe and seconds.

use std::{error::Error, path::PathBuf, time::Instant};

use clmbench_engine::{
    batching::{self, Targets},
    checkpoint::Record,
    files, loader,
    masking::MaskKey,
    model::Model,
    probe::{ProbeHost, Samples, Setting},
    report::Reporter,
    seed, weights,
};
use clmbench_molecules::TokenCache;
use clmbench_plugin_hessian::{LambdaMax, TraceHutchinson};
use clmbench_sdk::{prelude::*, protocol::Budget};

/// Seed of the evaluation masks.
const SEED: u64 = 7;
/// Draws of a round.
const DRAWS: u64 = 4;
/// Groups that are tried.
const GROUPS: [u64; 3] = [1, 8, 16];

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [library, folder, kind, corpus, out, molecules, round, threads] = words.as_slice() else {
        return Err("usage: peer BERT_LIBRARY CHECKPOINT trained|random CORPUS OUT MOLECULES ROUND THREADS".into());
    };
    tch::set_num_threads(threads.parse()?);
    let (folder, corpus, out) = (PathBuf::from(folder), PathBuf::from(corpus), PathBuf::from(out));
    let record: Record = files::read_json(&folder.join("clmbench.json")).map_err(|failure| failure.message)?;
    let plugin = loader::open(library.as_ref()).map_err(|failure| failure.message)?;
    seed::seed_libtorch(5);
    let pretrain = record.pretrain.ok_or("the checkpoint is not one of our own runs")?;
    let (name, config) = (&pretrain.architecture, &pretrain.config);
    let model = Model::build(plugin.module, name, config, record.vocabulary).map_err(|failure| failure.message)?;
    if kind == "trained" {
        let path = folder.join("model.safetensors");
        model.load(&path, &record.checkpoint.weights_digest).map_err(|failure| failure.message)?;
    }
    let molecules: u32 = molecules.parse()?;
    share(&model, &corpus, &out, molecules)?;
    let answer = measure(&model, &corpus, molecules, round)?;
    std::fs::write(out.join("ours.json"), answer.to_string())?;
    Ok(())
}

/// Weights and the molecules under the masks of draw 0, as one padded batch.
fn share(model: &Model, corpus: &std::path::Path, out: &std::path::Path, molecules: u32) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(out)?;
    let tensors: Vec<_> = model.parameters.iter().map(|row| (row.name.clone(), &row.tensor)).collect();
    weights::write(&out.join("model.safetensors"), &tensors).map_err(|failure| failure.message)?;
    let cache = TokenCache::open(&corpus.join("heldout.bin"))?;
    let targets = Targets::new(Objective::MaskedLm, 0.15, model.vocabulary.size, &model.vocabulary.special);
    let targets = targets.map_err(|failure| failure.message)?;
    let key = MaskKey { seed: seed::derive("evaluation masks", &[&SEED.to_le_bytes()]), draw: 0 };
    let all: Vec<u32> = (0..molecules).collect();
    let batch = batching::with_targets(&cache, &all, &targets, key, Device::Cpu);
    // Tokens and positions are far below 2^24: exact in float32.
    let rows = [("ids", batch.shown.ids), ("positions", batch.positions), ("targets", batch.targets)]
        .map(|(name, tensor)| (name.to_owned(), tensor.to_kind(Kind::Float)));
    let rows: Vec<(String, &Tensor)> = rows.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
    weights::write(&out.join("batch.safetensors"), &rows).map_err(|failure| failure.message)?;
    Ok(())
}

fn params(metric: &dyn Metric, changed: &[(&str, serde_json::Value)]) -> Params {
    let declared = metric.info().parameters.into_iter().map(|parameter| (parameter.name, parameter.default));
    let mut all: serde_json::Map<String, serde_json::Value> = declared.collect();
    all.extend(changed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    all.into()
}

fn measure(model: &Model, corpus: &std::path::Path, molecules: u32, round: &str) -> Result<serde_json::Value, Box<dyn Error>> {
    let reporter = Reporter::silent();
    let (inner, all) = model.counts();
    let facts = RunFacts {
        non_embedding_parameters: inner,
        total_parameters: all,
        tokens: None,
        corpus_molecules: None,
        training_flops: None,
    };
    // Signs are those of the round.
    let identity = format!("peer, round {round}");
    let (objective, budget) = (Objective::MaskedLm, Budget::Thorough);
    let setting = Setting { objective, facts, identity: &identity, seed: SEED, budget, note: "peer" };
    let host = ProbeHost::new(model, Samples { corpus, train: None }, setting, &reporter).map_err(|failure| failure.message)?;
    let probe = Probe::new(host.edge());
    let sample = Sample { part: SamplePart::Heldout, start: 0, count: u64::from(molecules), draw: 0 };
    let losses = probe.loss(sample, None)?;
    let loss = losses.nll.iter().sum::<f64>() / losses.tokens.iter().sum::<f64>();
    let warm = probe.weights()?.f_ones_like()?.f_unsqueeze(0)?;
    let _ = probe.hvp(sample, &warm, HvpMethod::DoubleBackward)?;

    let named = |measured: &Measurement, name: &str| {
        let found = measured.values.iter().find(|value| value.name == name).cloned();
        found.ok_or_else(|| format!("the metric gave no `{name}`"))
    };
    let mut traces = Vec::new();
    for groups in GROUPS {
        let changed = [
            ("molecules", molecules.into()),
            ("groups", groups.into()),
            ("probes", DRAWS.into()),
            ("masks", "one".into()),
            ("adaptive", false.into()),
        ];
        let started = Instant::now();
        let measured = TraceHutchinson.measure(&probe, &params(&TraceHutchinson, &changed))?;
        let seconds = started.elapsed().as_secs_f64();
        let (trace, draws) = (named(&measured, "trace")?, named(&measured, "draws")?.value);
        let error = trace.se_estimator.unwrap_or(f64::NAN);
        traces.push(serde_json::json!({
            "groups": groups, "trace": trace.value, "deviation": error * draws.sqrt(), "draws": draws, "seconds": seconds / draws,
        }));
    }
    let started = Instant::now();
    let measured = LambdaMax.measure(
        &probe,
        &params(
            &LambdaMax,
            &[("molecules", molecules.into()), ("count", 2.into()), ("steps", 60.into()), ("tolerance", 0.01.into())],
        ),
    )?;
    let seconds = started.elapsed().as_secs_f64();
    let value = |name: &str| named(&measured, name).map(|value| serde_json::json!([value.value, value.residual_bound]));
    Ok(serde_json::json!({
        "parameters": all, "loss": loss, "traces": traces,
        "lambda_max": value("lambda_max")?, "ritz_2": value("ritz_2")?, "other_end": value("other_end")?,
        "steps": named(&measured, "steps")?.value, "lambda_seconds": seconds,
    }))
}
