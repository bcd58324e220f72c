//! Curvature against PyHessian: the same weights, the same masked molecules.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

use super::CurvatureArguments;
use crate::{
    bench::{Bench, Cell, environment, markdown, median},
    cargo::{self, run, run_cargo},
    error::XtaskError,
};

/// Presets that are compared.
const PRESETS: [&str; 2] = ["0.83M", "4.87M"];
/// Weights that are compared: trained for a while, and fresh.
const WEIGHTS: [&str; 2] = ["trained", "random"];
/// Tokens of the training.
const TOKENS: u64 = 200_000;
/// Molecules of the sample.
const MOLECULES: &str = "128";
/// Standard error that the times are for, relative to the trace.
const PRECISION: f64 = 0.05;
/// Most joint standard errors between two traces.
const APART: f64 = 4.0;
/// Largest relative difference of the eigenvalue of largest size, which both sides iterate to within 1 %.
const SAME_END: f64 = 0.02;
/// Largest difference of the two losses.
const SAME_LOSS: f64 = 1e-5;

/// One way to estimate the trace, in one round.
#[derive(Debug, Clone, Copy)]
struct Estimate {
    trace: f64,
    /// Standard deviation of a probe.
    deviation: f64,
    probes: f64,
    /// Seconds a probe.
    seconds: f64,
    /// Seconds before the first probe.
    shared: f64,
}

#[derive(Debug, Deserialize)]
struct Grouped {
    groups: u64,
    trace: f64,
    deviation: f64,
    draws: f64,
    seconds: f64,
}

/// What plugins/metrics/hessian/examples/hessian_peer.rs writes.
#[derive(Debug, Deserialize)]
struct Ours {
    parameters: u64,
    loss: f64,
    traces: Vec<Grouped>,
    lambda_max: (f64, f64),
    ritz_2: (f64, f64),
    other_end: (f64, f64),
    lambda_seconds: f64,
}

#[derive(Debug, Deserialize)]
struct Probed {
    traces: Vec<f64>,
    shared: f64,
    seconds: f64,
}

/// What benchmarks/perf/peers/curvature.py prints.
#[derive(Debug, Deserialize)]
struct Theirs {
    loss: f64,
    padded: Probed,
    masked: Probed,
    eigenvalues: Vec<f64>,
    eigen_seconds: f64,
}

/// Everything of one size and one kind of weights.
struct Case {
    name: String,
    checkpoint: PathBuf,
    corpus: PathBuf,
    kind: &'static str,
    rounds: Vec<(Ours, Option<Theirs>)>,
}

pub fn run_all(arguments: &CurvatureArguments) -> Result<(), XtaskError> {
    let bench = Bench::new("perf-curvature", false)?;
    run_cargo(
        &bench.checkout,
        &["build", "--release", "--locked", "-p", "clmbench-plugin-hessian", "--example", "hessian_peer"],
    )?;
    let mut cases = cases(&bench, if arguments.quick { &PRESETS[..1] } else { &PRESETS })?;
    let rounds = if arguments.quick { 1 } else { 5 };
    for round in 0..rounds {
        for case in &mut cases {
            let out = bench.store("out");
            let ours = ours(&bench, case, &out, round)?;
            let theirs = arguments.peer.as_ref().map(|python| theirs(&bench, python, &out, round)).transpose()?;
            if let Some(theirs) = theirs.as_ref().filter(|theirs| (theirs.loss - ours.loss).abs() > SAME_LOSS) {
                let text = format!(
                    "{}: our loss is {} and that of the peer {}; they are not the same model",
                    case.name, ours.loss, theirs.loss
                );
                return Err(XtaskError::Check(text));
            }
            println!("xtask: round {}, {}", round + 1, case.name);
            case.rounds.push((ours, theirs));
        }
    }
    let text = report(&cases, &bench, arguments);
    println!("\n{text}");
    cases.iter().try_for_each(agree)?;
    if arguments.write {
        let path = bench.checkout.join("benchmarks/perf/CURVATURE.md");
        fs::write(&path, text).map_err(XtaskError::io("write", &path))?;
        println!("xtask: written to {}", path.display());
    }
    Ok(())
}

/// Both sides estimate the same trace and find the same eigenvalue of largest size.
fn agree(case: &Case) -> Result<(), XtaskError> {
    let pairs = || case.rounds.iter().filter_map(|(ours, theirs)| Some((ours, theirs.as_ref()?)));
    let peer = pooled(&pairs().map(|(_, theirs)| theirs.padded.estimate()).collect::<Vec<_>>());
    for index in 0..case.rounds.first().map_or(0, |(ours, _)| ours.traces.len()) {
        let ours = pooled(&pairs().map(|(ours, _)| ours.traces[index].estimate()).collect::<Vec<_>>());
        let joint = ours.error().hypot(peer.error());
        if (ours.trace - peer.trace).abs() > APART * joint {
            let text = format!(
                "{}: our trace {} and the peer's {} are over {APART} joint errors ({joint}) apart",
                case.name, ours.trace, peer.trace
            );
            return Err(XtaskError::Check(text));
        }
    }
    for (ours, theirs) in pairs() {
        let own = [ours.lambda_max.0, ours.other_end.0].into_iter().max_by(|a, b| a.abs().total_cmp(&b.abs()));
        let (own, peer) = (own.unwrap_or(f64::NAN), theirs.eigenvalues.first().copied().unwrap_or(f64::NAN));
        // Not a number agrees with nothing.
        let agrees = (own - peer).abs() <= SAME_END * peer.abs();
        if !agrees {
            return Err(XtaskError::Check(format!("{}: our largest eigenvalue is {own}, the peer's {peer}", case.name)));
        }
    }
    Ok(())
}

/// Trains each size for a while.
fn cases(bench: &Bench, presets: &[&str]) -> Result<Vec<Case>, XtaskError> {
    let mut cases = Vec::new();
    let suite = format!(
        "schema = 1\n[suite]\nname = \"curvature\"\nseed = 1\n[[corpus]]\nname = \"mixed\"\nsizes = [20_000]\n\
         [[model]]\narchitecture = \"bert\"\npresets = {presets:?}\ntokens = {TOKENS}\nbatch = 32\n\
         [[metric]]\nid = \"trivial/parameters\"\n"
    );
    bench.run("models", &suite, None)?;
    let cells = bench.cells("models", |key| key.starts_with("pretrain/") || key.starts_with("tokenise/mixed"))?;
    let artifacts = |cell: &Cell| bench.store("models").join("artifacts").join(cell.identity.clone().unwrap_or_default());
    let corpus = cells.iter().find(|cell| cell.stage == "tokenise").map(artifacts).unwrap_or_default();
    for preset in presets {
        let found = cells.iter().find(|cell| cell.stage == "pretrain" && cell.key.contains(preset));
        let Some(cell) = found.filter(|cell| cell.status == "done") else {
            let status = found.map_or("missing".into(), |cell| cell.status.clone());
            return Err(XtaskError::Cell { key: format!("pretrain/bert-{preset}"), status });
        };
        let folder = cell.output.pointer("/checkpoints/0/folder").and_then(|folder| folder.as_str()).unwrap_or("checkpoint-1");
        for kind in WEIGHTS {
            let (name, checkpoint) = (format!("{preset} {kind}"), artifacts(cell).join(folder));
            cases.push(Case { name, checkpoint, corpus: corpus.clone(), kind, rounds: Vec::new() });
        }
    }
    Ok(cases)
}

fn threads() -> String {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).to_string()
}

fn ours(bench: &Bench, case: &Case, out: &Path, round: u32) -> Result<Ours, XtaskError> {
    let release = cargo::metadata(&bench.checkout, false)?.target_directory.join("release");
    let mut command = Command::new(release.join("examples/hessian_peer"));
    command.arg(release.join("libclmbench_plugin_bert.so")).arg(&case.checkpoint).arg(case.kind).arg(&case.corpus).arg(out);
    command.args([MOLECULES, &round.to_string(), &threads()]);
    run(command)?;
    let path = out.join("ours.json");
    Ok(serde_json::from_slice(&fs::read(&path).map_err(XtaskError::io("read", &path))?)?)
}

fn theirs(bench: &Bench, python: &Path, folder: &Path, round: u32) -> Result<Theirs, XtaskError> {
    let mut command = Command::new(python);
    command.arg(bench.checkout.join("benchmarks/perf/peers/curvature.py")).arg(folder);
    command.args(["8", &round.to_string(), &threads()]).stderr(Stdio::inherit());
    let output = command.output().map_err(XtaskError::io("start", python))?;
    if !output.status.success() {
        return Err(XtaskError::Child { command: format!("{} curvature.py", python.display()), code: 1 });
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

impl Grouped {
    fn estimate(&self) -> Estimate {
        Estimate { trace: self.trace, deviation: self.deviation, probes: self.draws, seconds: self.seconds, shared: 0.0 }
    }
}

impl Probed {
    fn estimate(&self) -> Estimate {
        let count = self.traces.len() as f64;
        let mean = self.traces.iter().sum::<f64>() / count;
        let squares: f64 = self.traces.iter().map(|trace| (trace - mean).powi(2)).sum();
        let deviation = (squares / (count - 1.0)).sqrt();
        Estimate { trace: mean, deviation, probes: count, seconds: self.seconds, shared: self.shared }
    }
}

/// Rounds of one estimator as one.
fn pooled(rounds: &[Estimate]) -> Estimate {
    let of = |number: &dyn Fn(&Estimate) -> f64| rounds.iter().map(number).collect::<Vec<f64>>();
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    Estimate {
        trace: mean(of(&|one| one.trace)),
        deviation: mean(of(&|one| one.deviation.powi(2))).sqrt(),
        probes: of(&|one| one.probes).iter().sum(),
        seconds: median(&of(&|one| one.seconds)),
        shared: median(&of(&|one| one.shared)),
    }
}

impl Estimate {
    /// Seconds until the standard error is that of the comparison, relative to a trace.
    fn until_precise(&self, trace: f64) -> f64 {
        self.shared + self.seconds * (self.deviation / (PRECISION * trace)).powi(2)
    }

    fn error(&self) -> f64 {
        self.deviation / self.probes.sqrt()
    }
}

fn report(cases: &[Case], bench: &Bench, arguments: &CurvatureArguments) -> String {
    let (mut traces, mut ends) = (Vec::new(), Vec::new());
    for case in cases {
        let ours = |index: usize| pooled(&case.rounds.iter().map(|(ours, _)| ours.traces[index].estimate()).collect::<Vec<_>>());
        let peers: Vec<&Theirs> = case.rounds.iter().filter_map(|(_, theirs)| theirs.as_ref()).collect();
        let peer = |of: &dyn Fn(&Theirs) -> Estimate| {
            (!peers.is_empty()).then(|| pooled(&peers.iter().map(|theirs| of(theirs)).collect::<Vec<_>>()))
        };
        let padded = peer(&|theirs| theirs.padded.estimate());
        let groups: Vec<u64> =
            case.rounds.first().map_or(Vec::new(), |(ours, _)| ours.traces.iter().map(|one| one.groups).collect());
        let mut rows: Vec<(String, Estimate)> =
            groups.iter().enumerate().map(|(index, groups)| (format!("clmbench, {groups} group(s)"), ours(index))).collect();
        rows.extend(padded.map(|one| ("PyHessian, padded".to_owned(), one)));
        rows.extend(peer(&|theirs| theirs.masked.estimate()).map(|one| ("PyHessian, masked positions".to_owned(), one)));
        let trace = ours(groups.len().saturating_sub(1)).trace;
        for (name, one) in rows {
            let seconds = one.until_precise(trace);
            let apart = padded.map_or("–".into(), |padded| {
                format!("{:+.1}", (one.trace - padded.trace) / one.error().hypot(padded.error()).max(f64::MIN_POSITIVE))
            });
            traces.push(vec![
                case.name.clone(),
                name,
                format!("{:.4} ± {:.4}", one.trace, one.error()),
                apart,
                format!("{:.4}", one.deviation),
                format!("{:.3}", one.seconds),
                format!("{seconds:.2}"),
                padded.map_or("–".into(), |padded| format!("{:.2}", padded.until_precise(trace) / seconds)),
            ]);
        }
        ends.push(eigenvalues(case, &peers));
    }
    let text = |rounds: usize| {
        format!(
            "# Curvature against PyHessian\n\nTrace and top eigenvalues of the Hessian on the same weights and the same {MOLECULES} masked molecules (one draw of masks); {} threads; {rounds} round(s) in \
             turn, medians of\ntimes. `trained`: {TOKENS} tokens; `random`: fresh weights. The losses agree to {SAME_LOSS}. One probe of clmbench draws signs for each group of \
             molecules; with 1 group it is plain Hutchinson.\n`padded` is what PyHessian does with a padded batch and labels -100, `masked positions` has its logits where a token is predicted only; its \
             first backward pass, shared by\nall probes, is in its seconds. `apart`: difference to PyHessian (padded) in joint standard errors. `seconds to 5 %`: (deviation / 5 % of the \
             trace)^2 probes. `ratio`:\nPyHessian (padded) over this, above 1 is faster. Probes: PyHessian one at a time, since its own rule stops after two where the mean is negative.\n\n\
             Made by `cargo xtask perf curvature{}{} --write` on {}.\n\n",
            threads(),
            if arguments.quick { " --quick" } else { "" },
            if arguments.peer.is_some() { " --peer PYTHON" } else { "" },
            environment(&bench.checkout)
        )
    };
    let header = ["weights", "estimator", "trace", "apart", "deviation of a probe", "seconds a probe", "seconds to 5 %", "ratio"];
    let beside = ["weights", "parameters", "clmbench, largest two by size", "residuals", "seconds", "PyHessian", "seconds"];
    text(cases.iter().map(|case| case.rounds.len()).max().unwrap_or(0))
        + &markdown(&header, &traces)
        + "\nEigenvalues: Lanczos until the residual is 1 % of the largest; PyHessian by power iteration, largest by size, until a step \
           changes it by 0.1 % (100 at most).\n\n"
        + &markdown(&beside, &ends)
}

/// The two eigenvalues of the largest size, as PyHessian counts them.
fn eigenvalues(case: &Case, peers: &[&Theirs]) -> Vec<String> {
    let last = case.rounds.last().map(|(ours, _)| ours);
    let mut known = last.map_or(Vec::new(), |ours| vec![ours.lambda_max, ours.ritz_2, ours.other_end]);
    known.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
    let list =
        |values: &[f64], digits: usize| values.iter().map(|value| format!("{value:.digits$}")).collect::<Vec<_>>().join(", ");
    let two = &known[..known.len().min(2)];
    let ours: Vec<f64> = case.rounds.iter().map(|(ours, _)| ours.lambda_seconds).collect();
    let theirs: Vec<f64> = peers.iter().map(|theirs| theirs.eigen_seconds).collect();
    vec![
        case.name.clone(),
        last.map_or(String::new(), |ours| ours.parameters.to_string()),
        list(&two.iter().map(|pair| pair.0).collect::<Vec<_>>(), 4),
        list(&two.iter().map(|pair| pair.1).collect::<Vec<_>>(), 4),
        format!("{:.1}", median(&ours)),
        peers.last().map_or("–".into(), |theirs| list(&theirs.eigenvalues, 4)),
        if theirs.is_empty() { "–".into() } else { format!("{:.1}", median(&theirs)) },
    ]
}
