//! Seconds of each metric on 10,000 molecules of width 512, with two threads: one JSON line a metric.
//!
//! `cargo run --release -p clmbench-plugin-representation --example representation_speed [MOLECULES]`
#![allow(clippy::print_stdout)]

use std::time::Instant;

use clmbench_plugin_representation::{AlphaReq, Anisotropy, CkaFingerprint, ParticipationRatio, RankMe, Uniformity};
use clmbench_sdk::{
    prelude::*,
    random::Stream,
    testing::{Nothing, TestProbe},
};

const WIDTH: i64 = 512;
const PARTS: [&str; 10] = ["C", "CC", "O", "N", "c1ccccc1", "C(=O)", "C(F)", "S", "C(C)", "c1ccncc1"];

fn main() -> Result<(), PluginError> {
    tch::set_num_threads(2);
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000_i64);
    let mut stream = Stream::new(1);
    // A falling spectrum and a mean, as trained encoders have.
    let fall = (Tensor::f_arange(WIDTH, (Kind::Float, Device::Cpu))? + 1.0).f_pow_tensor_scalar(-0.5)?;
    let rows = stream.normals(&Tensor::f_zeros([count, WIDTH], (Kind::Float, Device::Cpu))?)? * fall + 0.1;
    let mut part = || PARTS[(stream.bits() % PARTS.len() as u64) as usize];
    let smiles = (0..count).map(|_| (0..9).map(|_| part()).collect()).collect();
    let host = TestProbe::new(&Nothing, 1, 1e9).with_embeddings(rows).with_smiles(smiles);
    let metrics: [&dyn Metric; 6] = [&RankMe, &AlphaReq, &ParticipationRatio, &Anisotropy, &Uniformity, &CkaFingerprint];
    for metric in metrics {
        let info = metric.info();
        let mut params: serde_json::Map<_, _> =
            info.parameters.into_iter().map(|parameter| (parameter.name, parameter.default)).collect();
        params.insert("molecules".into(), 0.into());
        let start = Instant::now();
        metric.measure(&host.probe(), &Params::from(params))?;
        println!("{}", serde_json::json!({"metric": info.id, "seconds": start.elapsed().as_secs_f64()}));
    }
    Ok(())
}
