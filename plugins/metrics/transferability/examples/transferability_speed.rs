//! Seconds of each metric on 10,000 made-up molecules at width 512, embeddings at hand: `cargo run --release -p
//! clmbench-plugin-transferability --example transferability_speed`. One JSON line a metric.
#![allow(clippy::print_stdout, missing_docs)]

use std::time::Instant;

use clmbench_plugin_transferability::__clmbench_export::Exported;
use clmbench_sdk::{
    export::Exports,
    prelude::*,
    random::Stream,
    testing::{Nothing, TestProbe},
};

const MOLECULES: i64 = 10_000;
const WIDTH: i64 = 512;
const VOCABULARY: i64 = 600;
const TOKENS: u64 = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tch::set_num_threads(2);
    let mut stream = Stream::new(1);
    let mut normals = |rows: i64, columns: i64| stream.normals(&Tensor::zeros([rows, columns], (Kind::Float, Device::Cpu)));
    // A spectrum that falls as a power, as those of encoders do.
    let scales = (Tensor::arange(WIDTH, (Kind::Float, Device::Cpu)) + 1.0).pow_tensor_scalar(-0.5);
    let features = normals(MOLECULES, WIDTH)? * scales;
    let direction = normals(WIDTH, 1)?;
    let real = (features.mm(&direction) + normals(MOLECULES, 1)? * 0.5).squeeze_dim(1).to_kind(Kind::Double);
    let binary = real.gt(0.5).to_kind(Kind::Double);
    let probabilities = normals(MOLECULES * TOKENS as i64, VOCABULARY)?.softmax(1, Kind::Float);
    for metric in Exported::metrics() {
        let info = metric.info();
        let defaults = info.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.default.clone()));
        let params = Params::from(defaults.collect::<serde_json::Map<_, _>>());
        let classification = info.tasks == [TaskKind::Classification];
        let (kind, labels) = if classification { (TaskKind::Classification, &binary) } else { (TaskKind::Regression, &real) };
        let host = TestProbe::new(&Nothing, 1, 1e9)
            .with_embeddings(features.shallow_clone())
            .with_labels(kind, labels.shallow_clone())
            .with_token_probs(vec![TOKENS; MOLECULES as usize], vec![probabilities.shallow_clone()]);
        let start = Instant::now();
        metric.measure(&host.probe(), &params)?;
        println!("{}", serde_json::json!({"metric": info.id, "seconds": start.elapsed().as_secs_f64()}));
    }
    Ok(())
}
