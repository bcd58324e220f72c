//! Seconds of each metric on a task of 10,000 molecules of width 512, at the default number of molecules, with two threads: one
//! JSON line a metric.
//!
//! `cargo run --release -p clmbench-plugin-roughness --example roughness_speed [MOLECULES]`
#![allow(clippy::print_stdout)]

use std::time::Instant;

use clmbench_plugin_roughness::{Modi, Rmodi, Rogi, RogiXd};
use clmbench_sdk::{
    prelude::*,
    random::Stream,
    testing::{Nothing, TestProbe},
};

const WIDTH: i64 = 512;

fn main() -> Result<(), PluginError> {
    tch::set_num_threads(2);
    let molecules: Option<i64> = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let mut stream = Stream::new(1);
    let fall = (Tensor::f_arange(WIDTH, (Kind::Float, Device::Cpu))? + 1.0).f_pow_tensor_scalar(-0.5)?;
    let rows = stream.normals(&Tensor::f_zeros([10_000, WIDTH], (Kind::Float, Device::Cpu))?)? * fall + 0.1;
    let labels = rows.f_select(1, 0)?.f_to_kind(Kind::Double)?;
    let labels = &labels + stream.normals(&labels)? * 0.5;
    let classes = labels.f_gt(0.5)?.f_to_kind(Kind::Double)?;
    let metrics: [&dyn Metric; 4] = [&Rogi, &RogiXd, &Modi, &Rmodi];
    for metric in metrics {
        let info = metric.info();
        let kind = info.tasks.first().copied().unwrap_or(TaskKind::Regression);
        let labels = if kind == TaskKind::Regression { &labels } else { &classes };
        let host =
            TestProbe::new(&Nothing, 1, 1e9).with_embeddings(rows.shallow_clone()).with_labels(kind, labels.shallow_clone());
        let mut params: serde_json::Map<_, _> =
            info.parameters.into_iter().map(|parameter| (parameter.name, parameter.default)).collect();
        params.extend(molecules.map(|molecules| ("molecules".to_owned(), molecules.into())));
        let start = Instant::now();
        metric.measure(&host.probe(), &Params::from(params))?;
        println!("{}", serde_json::json!({"metric": info.id, "seconds": start.elapsed().as_secs_f64()}));
    }
    Ok(())
}
