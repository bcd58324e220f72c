//! Speed of pretraining, in real tokens per second.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use super::PretrainArguments;
use crate::{
    bench::{Bench, environment, markdown, median},
    error::XtaskError,
};

/// A size of the table.
struct Size {
    preset: &'static str,
    layers: u32,
    width: u32,
    /// Runs side by side: below 3M core parameters a run takes one thread, so two runs fill two cores.
    runs: u32,
    tokens: u64,
    quick: u64,
    /// Tokens per second of a plain padded Hugging Face Trainer and of the best PyTorch loop we could write, on another machine.
    elsewhere: (u64, u64),
}

const SIZES: [Size; 2] = [
    Size { preset: "0.83M", layers: 4, width: 128, runs: 2, tokens: 600_000, quick: 200_000, elsewhere: (15_500, 46_400) },
    Size { preset: "4.87M", layers: 6, width: 256, runs: 1, tokens: 250_000, quick: 100_000, elsewhere: (4_400, 16_300) },
];

/// Molecules a step, of ours and of the peers.
const BATCH: u32 = 128;

/// Speeds of one size, a number a round.
#[derive(Default)]
struct Speeds {
    ours: Vec<f64>,
    precision: String,
    threads: String,
    plain: Vec<f64>,
    tuned: Vec<f64>,
}

pub fn run(arguments: &PretrainArguments) -> Result<(), XtaskError> {
    let bench = Bench::new("perf-pretrain", false)?;
    let rounds = if arguments.quick { 3 } else { 5 };
    let mut table: Vec<Speeds> = SIZES.iter().map(|_| Speeds::default()).collect();
    for round in 0..rounds {
        for (size, speeds) in SIZES.iter().zip(&mut table) {
            let tokens = if arguments.quick { size.quick } else { size.tokens };
            // A store of its own for each round and size, so that nothing is taken from an earlier one.
            let (speed, (precision, threads), corpus) = ours(&bench, size, tokens, round)?;
            println!("xtask: round {}, {}: {speed:.0} tokens/s", round + 1, size.preset);
            speeds.ours.push(speed);
            speeds.precision = precision;
            speeds.threads = threads;
            if let Some(python) = &arguments.peer {
                // A tenth of the tokens: it is slow.
                speeds.plain.push(peer(&bench, python, size, &corpus, tokens / 10, "plain")?);
                speeds.tuned.push(peer(&bench, python, size, &corpus, tokens, "tuned")?);
            }
        }
    }
    let text = report(&table, &bench, arguments);
    println!("\n{text}");
    if arguments.write {
        let path = bench.checkout.join("benchmarks/perf/PRETRAIN.md");
        fs::write(&path, text).map_err(XtaskError::io("write", &path))?;
        println!("xtask: written to {}", path.display());
    }
    Ok(())
}

/// Tokens per second of all runs side by side, their precision and threads, and the held-out molecules of the corpus.
fn ours(bench: &Bench, size: &Size, tokens: u64, round: u32) -> Result<(f64, (String, String), std::path::PathBuf), XtaskError> {
    let name = format!("round{round}-{}", size.preset);
    let suite = format!(
        "schema = 1\n[suite]\nname = \"perf\"\nseed = {}\n[[corpus]]\nname = \"mixed\"\nsizes = [20_000]\n\
         [[model]]\narchitecture = \"bert\"\npresets = [\"{}\"]\ntokens = {tokens}\nseeds = {}\nbatch = {BATCH}\n\
         [[metric]]\nid = \"trivial/parameters\"\n",
        round + 1,
        size.preset,
        size.runs
    );
    bench.run(&name, &suite, None)?;
    let cells = bench.cells(&name, |key| key.starts_with("pretrain/") || key.starts_with("tokenise/mixed"))?;
    let mut speed = 0.0;
    let mut format = (String::new(), String::new());
    for cell in cells.iter().filter(|cell| cell.stage == "pretrain") {
        let trained = cell.number("/checkpoints/0/tokens").zip(cell.seconds);
        let Some((tokens, seconds)) = trained.filter(|_| cell.status == "done") else {
            return Err(XtaskError::Cell { key: cell.key.clone(), status: cell.status.clone() });
        };
        speed += tokens / seconds;
        format = (cell.defined("/precision"), cell.defined("/threads"));
    }
    let corpus = cells.iter().find(|cell| cell.stage == "tokenise").and_then(|cell| cell.identity.clone());
    let heldout = bench.store(&name).join("artifacts").join(corpus.unwrap_or_default()).join("heldout.csv");
    Ok((speed, format, heldout))
}

fn peer(bench: &Bench, python: &Path, size: &Size, corpus: &Path, tokens: u64, kind: &str) -> Result<f64, XtaskError> {
    let script = bench.checkout.join("benchmarks/perf/peers/pretrain.py");
    let numbers = [u64::from(size.layers), u64::from(size.width), u64::from(BATCH), tokens].map(|number| number.to_string());
    let mut command = Command::new(python);
    command.arg(script).arg(kind).arg(corpus).args(numbers).stderr(Stdio::inherit());
    let output = command.output().map_err(XtaskError::io("start", python))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let speed = text.split_whitespace().last().and_then(|word| word.parse().ok());
    match speed.filter(|_| output.status.success()) {
        Some(speed) => {
            println!("xtask: {kind} peer, {}: {}", size.preset, text.trim());
            Ok(speed)
        }
        None => Err(XtaskError::Child { command: format!("{} pretrain.py {kind}", python.display()), code: 1 }),
    }
}

fn report(table: &[Speeds], bench: &Bench, arguments: &PretrainArguments) -> String {
    let range = |values: &[f64]| {
        let (low, high) = values.iter().fold((f64::MAX, 0.0_f64), |(low, high), value| (low.min(*value), high.max(*value)));
        if values.is_empty() { "–".into() } else { format!("{:.0} ({low:.0}–{high:.0})", median(values)) }
    };
    let ratios = |ours: &[f64], theirs: &[f64]| {
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        if ratios.is_empty() { "–".into() } else { format!("{:.2}", median(&ratios)) }
    };
    let rows: Vec<Vec<String>> = SIZES
        .iter()
        .zip(table)
        .map(|(size, speeds)| {
            vec![
                size.preset.to_owned(),
                speeds.precision.clone(),
                format!("{} x {}", size.runs, speeds.threads),
                range(&speeds.ours),
                range(&speeds.plain),
                range(&speeds.tuned),
                ratios(&speeds.ours, &speeds.tuned),
                format!("{} / {}", size.elsewhere.0, size.elsewhere.1),
            ]
        })
        .collect();
    let header =
        ["parameters", "precision", "runs x threads", "clmbench", "plain PyTorch", "tuned PyTorch", "ratio", "elsewhere"];
    format!(
        "# Speed of pretraining\n\nReal (non-padding) tokens per second on two cores; median of {} rounds in turn, smallest and largest in \
         brackets. Our time is that of the whole\ncell: opening the corpus, building the model, writing the checkpoint. `ratio`: median over rounds of \
         clmbench / tuned PyTorch in the same round.\n`elsewhere`: a plain padded Hugging Face Trainer / the best PyTorch loop found, once measured on two cores of an Intel \
         Xeon with AMX; compare\nonly ratios across machines. Peers: benchmarks/perf/peers/pretrain.py.\n\nMade by `cargo xtask perf pretrain{}{} --write` on {}.\n\n{}",
        table.iter().map(|speeds| speeds.ours.len()).max().unwrap_or(0),
        if arguments.quick { " --quick" } else { "" },
        if arguments.peer.is_some() { " --peer PYTHON" } else { "" },
        environment(&bench.checkout),
        markdown(&header, &rows)
    )
}
