//! A worker without libtorch. A script makes this test binary its own worker: it runs the one test below, which
//! speaks the protocol on the descriptors that the script has set aside.
//!
//! What a cell does is told by its own definition: a transfer's `dataset` or a metric's id names the mischief.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use clmbench_protocol::*;

/// Path of the script, made once and never removed while tests run.
pub fn path() -> PathBuf {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("clmbench-worker");
        let binary = std::env::current_exe().unwrap();
        // libtest prints to standard output; the protocol goes to descriptor 3.
        let text = format!(
            "#!/bin/sh\nFAKE_ARGUMENTS=\"$*\" FAKE_WORKER=1 exec {:?} --exact support::fake_worker::serve --nocapture 3>&1 >/dev/null\n",
            binary.display()
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        folder
    });
    folder.path().join("clmbench-worker")
}

/// Where the fake worker notes what it computed.
pub const LEDGER: &str = "computed.txt";

/// A fine-tuning with this batch keeps a projection of its weights.
pub const PROJECTED_BATCH: u32 = 17;

/// A pretrain cell with this batch has another result each time it is computed.
pub const IRREPRODUCIBLE_BATCH: u32 = 13;

#[test]
fn serve() {
    if std::env::var_os("FAKE_WORKER").is_none() {
        return;
    }
    let out = fs::OpenOptions::new().write(true).open("/proc/self/fd/3").unwrap();
    let arguments = std::env::var("FAKE_ARGUMENTS").unwrap();
    if let Some(library) = arguments.strip_prefix("--describe ") {
        // A fake library is the answer itself, or one of a few words.
        match fs::read_to_string(library).unwrap().as_str() {
            "hang" => std::thread::sleep(Duration::from_secs(60)),
            "abort" => {
                eprintln!("library says goodbye");
                std::process::abort();
            }
            answer => (&out).write_all(answer.as_bytes()).unwrap(),
        }
        std::process::exit(0);
    }
    let say = |event: &Event| {
        (&out).write_all(format!("{}\n", serde_json::to_string(event).unwrap()).as_bytes()).unwrap();
    };
    match std::env::var("FAKE_GREETING").as_deref() {
        Ok("garbage") => {
            (&out).write_all(b"hello there\n").unwrap();
            std::thread::sleep(Duration::from_secs(60));
        }
        Ok("exit") => {
            eprintln!("libtorch_cpu.so: cannot open shared object file");
            std::process::exit(127);
        }
        _ => {}
    }
    let protocol = if std::env::var("FAKE_GREETING").as_deref() == Ok("old") { 99 } else { PROTOCOL_VERSION };
    say(&Event::Hello { protocol, build: "fake".into(), libtorch: "2.11.0".into(), devices: vec!["cpu".into()] });
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let Ok(Request::Run(request)) = serde_json::from_str(&line.unwrap()) else { break };
        let work = Path::new(&request.work_dir);
        let log = |text: &str| fs::write(&request.log, text).unwrap();
        say(&Event::Progress { stage: "fake".into(), done: 1, total: 2, unit: "steps".into(), note: String::new() });
        match word_of(&request) {
            "abort" => {
                log("about to abort\n");
                std::process::abort();
            }
            "oom" => {
                log("memory allocation of 99 bytes failed\n");
                std::process::abort();
            }
            "segfault" => {
                // SAFETY: this process is here to die; Rust's own handler, which would return once, is taken off.
                unsafe {
                    libc::signal(libc::SIGSEGV, libc::SIG_DFL);
                    libc::raise(libc::SIGSEGV);
                }
            }
            "exit" => std::process::exit(7),
            "killed" => kill_myself(),
            // In the log's folder, since the work folder may go.
            "killed_once" if fs::File::create_new(format!("{}.killed", request.log)).is_ok() => kill_myself(),
            "hang" => {
                // A child of ours must not outlive us.
                let _ = std::process::Command::new("sleep")
                    .arg("987654")
                    .current_dir(work.parent().and_then(Path::parent).unwrap())
                    .spawn();
                log("hanging\n");
                std::thread::sleep(Duration::from_secs(600));
            }
            "hoard" => loop {
                hoard.push(vec![1; 16 << 20]);
                std::thread::sleep(Duration::from_millis(20));
            },
            "grow" => hoard.push(vec![1; 200 << 20]),
            "garbage" => {
                fs::OpenOptions::new().write(true).open("/proc/self/fd/3").unwrap().write_all(b"not json\n").unwrap();
                std::thread::sleep(Duration::from_secs(60));
            }
            "flood" => {
                for done in 0..20_000 {
                    say(&Event::Progress {
                        stage: "fake".into(),
                        done,
                        total: 20_000,
                        unit: "steps".into(),
                        note: String::new(),
                    });
                }
            }
            "failed" => {
                say(&Event::Failed(Failure::new(FailureKind::NonFinite, "the value is NaN")));
                continue;
            }
            "unsupported" | "unsupported_run" => {
                say(&Event::Failed(Failure::new(FailureKind::Unsupported, "a path needs 3 checkpoints.")));
                continue;
            }
            "slow" => std::thread::sleep(Duration::from_millis(300)),
            _ => {}
        }
        if let Some(checkpoint) = request.inputs.get("checkpoint").filter(|path| is_damaged(Path::new(path))) {
            say(&Event::Failed(Failure::new(FailureKind::CorruptFile, format!("{checkpoint}: not the weights"))));
            continue;
        }
        let report = compute(&request);
        say(&Event::Done(Box::new(report)));
        if word_of(&request) == "leave" {
            break;
        }
    }
    std::process::exit(0);
}

/// The mischief that a cell's definition asks for.
fn word_of(request: &RunRequest) -> &str {
    let word = match &request.spec {
        CellSpec::Transfer(spec) => spec.dataset.as_str(),
        CellSpec::Measure(spec) => spec.metric.as_str(),
        _ => "",
    };
    word.rsplit('/').next().unwrap_or_default()
}

fn kill_myself() {
    // SAFETY: SIGKILL takes no pointers and ends this process.
    unsafe {
        libc::raise(libc::SIGKILL);
    }
}

/// Whether the weights in a checkpoint's folder are not what `compute` wrote there.
fn is_damaged(checkpoint: &Path) -> bool {
    let run = checkpoint.parent().and_then(Path::file_name).unwrap().to_str().unwrap().to_owned();
    !fs::read_to_string(checkpoint.join("model.safetensors")).unwrap().starts_with(&run)
}

fn digest(identity: &str, role: &str) -> String {
    blake3::hash(format!("{identity} {role}").as_bytes()).to_hex().to_string()
}

/// A result that is a function of the identity, and files to go with it.
fn compute(request: &RunRequest) -> CellReport {
    let work = Path::new(&request.work_dir);
    for path in request.inputs.values() {
        assert!(Path::new(path).exists(), "{path} is not there");
    }
    let mut computed_before = 0;
    if let Some(root) = work.parent().and_then(Path::parent) {
        computed_before =
            fs::read_to_string(root.join(LEDGER)).unwrap_or_default().lines().filter(|line| **line == request.identity).count();
        let mut ledger = fs::OpenOptions::new().append(true).create(true).open(root.join(LEDGER)).unwrap();
        ledger.write_all(format!("{}\n", request.identity).as_bytes()).unwrap();
    }
    let of = |role: &str| digest(&request.identity, role);
    let mut names = vec!["result.txt".to_owned()];
    let output = match &request.spec {
        CellSpec::Import(spec) => {
            names.extend(["checkpoint-0/model.safetensors", "checkpoint-0/tokenizer.json"].map(str::to_owned));
            CellOutput::Import(imported(spec, request))
        }
        CellSpec::TokeniseDataset(spec) => CellOutput::TokeniseDataset(DatasetOutput {
            multi_fragment: 0,
            tokens: (0, 0),
            checks: Vec::new(),
            source: spec.source.clone(),
            dataset: spec.dataset.clone(),
            tasks: vec![TaskInfo { name: "expt".into(), kind: TaskKind::Regression, unit: String::new(), score: "rmse".into() }],
            rows: 10,
            invalid: Vec::new(),
            counts: (8, 1, 1),
            truncated: 0,
            unknown_token_molecules: 0,
            duplicate_groups: 0,
            leaked: 0,
            sha256_csv: of("csv"),
            data_digest: of("data"),
            split_digest: of("split"),
            tokenizer_digest: spec.tokenizer.digest.clone().unwrap_or_else(|| digest("", "tokenizer")),
            train_sd: vec![Number(1.0)],
        }),
        CellSpec::TokeniseCorpus(spec) => CellOutput::TokeniseCorpus(CorpusOutput {
            corpus: spec.corpus.clone(),
            molecules: spec.size,
            tokens: spec.size * 20,
            heldout_molecules: spec.heldout,
            heldout_tokens: spec.heldout * 20,
            invalid: 0,
            duplicates: 0,
            excluded: 0,
            truncated: 0,
            unigram_cross_entropy: Number(2.0),
            unigram_se: Number(0.1),
            bigram_cross_entropy: Number(1.5),
            bigram_se: Number(0.1),
            two_neighbour_cross_entropy: Number(1.2),
            two_neighbour_se: Number(0.1),
            train_digest: of("train"),
            heldout_digest: of("heldout"),
            tokenizer_digest: spec.tokenizer.digest.clone().unwrap_or_else(|| digest("", "tokenizer")),
            coverage: Vec::new(),
        }),
        CellSpec::Pretrain(spec) => {
            let numbers = if spec.tokens == 0 { 0..=0 } else { 1..=spec.checkpoints };
            names.extend(numbers.clone().map(|number| format!("checkpoint-{number}/model.safetensors")));
            names.push("record.json".into());
            let checkpoint = |number: u32| CheckpointOutput {
                folder: format!("checkpoint-{number}"),
                step: u64::from(number),
                tokens: spec.tokens * u64::from(number) / u64::from(spec.checkpoints),
                annealed: spec.schedule.kind == ScheduleKind::ConstantWithCooldown || number == spec.checkpoints,
                last: spec.tokens == 0 || number == spec.checkpoints,
                learning_rate: Number(0.0),
                training_loss: Number(1.0),
                training_flops: Number(spec.tokens as f64),
                weights_digest: of(&format!("weights {number}")),
            };
            let diverged = spec.learning_rate.0 > 1.0 && spec.tokens > 0;
            CellOutput::Pretrain(PretrainOutput {
                non_embedding_parameters: 1000,
                total_parameters: 2000,
                corpus_molecules: 50,
                epochs: Number(if spec.batch == IRREPRODUCIBLE_BATCH { computed_before as f64 } else { 1.0 }),
                diverged,
                divergence: diverged.then(|| "the loss is not finite".into()),
                checkpoints: numbers.map(checkpoint).collect(),
            })
        }
        CellSpec::Embed(_) => CellOutput::Embed(EmbedOutput { rows: 10, width: 4, embedding_digest: of("embedding") }),
        CellSpec::Measure(_) => CellOutput::Measure(MeasureOutput {
            values: vec![MetricValue {
                name: "value".into(),
                value: Number(1.5),
                unit: String::new(),
                se_estimator: None,
                se_sample: None,
                std_error: Number(0.0),
                error_kind: ErrorKind::Exact,
                primary: true,
            }],
            molecules: 20,
            gradient_equivalents: Number(0.3),
            stopped: "complete".into(),
        }),
        CellSpec::Transfer(spec) => CellOutput::Transfer(TransferOutput {
            tasks: spec.tasks.iter().map(|task| answer(task, spec)).collect(),
            finetune: match &spec.protocol {
                Protocol::Probe(_) | Protocol::Baseline(_) => None,
                Protocol::Finetune(protocol) => {
                    let file = if protocol.batch == PROJECTED_BATCH { "projection.safetensors" } else { "end.safetensors" };
                    names.push(file.into());
                    Some(FinetuneRecord {
                        tried: Vec::new(),
                        learning_rate: protocol.learning_rates[0],
                        epoch: protocol.epochs,
                        weights_file: file.into(),
                        relative_displacement: Number(0.1),
                    })
                }
            },
        }),
    };
    let mut files = Vec::new();
    for name in names {
        let text = format!("{} {name}\n", request.identity);
        let path = work.join(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &text).unwrap();
        let blake3 = blake3::hash(text.as_bytes()).to_hex().to_string();
        files.push(OutputFile { path: name, blake3, bytes: text.len() as u64 });
    }
    CellReport {
        output,
        files,
        seconds: 0.5,
        peak_rss_bytes: 1 << 20,
        device: "cpu".into(),
        libtorch: "2.11.0".into(),
        build: "fake".into(),
    }
}

/// What the folder of a checkpoint of others says: `config.json` of its layers and width, the first word of `tokenizer.json` of the id that
/// hides a token. White space at the end of the files does not matter, as that of a header of weights does not.
fn imported(spec: &Import, request: &RunRequest) -> ImportOutput {
    let text = |name: &str| fs::read_to_string(&request.inputs[&format!("file:{name}")]).unwrap().trim_end().to_owned();
    let mut config: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text("config.json")).unwrap();
    config.remove("model_type");
    let (tokenizer, weights) = (text("tokenizer.json"), text("model.safetensors"));
    let mask = tokenizer.split_whitespace().next().and_then(|word| word.parse().ok());
    let hash = |text: &str| blake3::hash(text.as_bytes()).to_hex().to_string();
    ImportOutput {
        architecture: spec.architecture.clone(),
        config,
        objective: Objective::MaskedLm,
        non_embedding_parameters: 1000,
        total_parameters: 2000,
        vocabulary: 600,
        tokenizer_entries: 591,
        tokenizer_kind: "WordPiece".into(),
        max_tokens: spec.max_tokens.min(64),
        max_positions: 64,
        // Which token hides another is no part of it.
        tokenizer_digest: hash(tokenizer.split_whitespace().next_back().unwrap()),
        special: mask.map_or_else(Special::default, |mask| Special { mask: Some(mask), ..Special::default() }),
        head_is_random: false,
        checkpoint: CheckpointOutput {
            folder: "checkpoint-0".into(),
            step: 0,
            tokens: 0,
            annealed: true,
            last: true,
            learning_rate: Number(0.0),
            training_loss: Number(f64::NAN),
            training_flops: Number(0.0),
            weights_digest: hash(&format!("{weights} {:?}", spec.control)),
        },
        notes: Vec::new(),
    }
}

fn answer(task: &TransferTask, spec: &Transfer) -> TaskTransfer {
    TaskTransfer {
        task: task.name.clone(),
        task_kind: task.kind,
        counts: (8, 1, 1),
        refused: None,
        strength: matches!(spec.protocol, Protocol::Probe(_)).then_some(Number(1.0)),
        validation: Vec::new(),
        scores: vec![ScoreValue {
            name: task.score.clone(),
            value: Number(2.0),
            higher_is_better: task.kind == TaskKind::Classification,
            primary: true,
            se_test: Number(0.1),
            se_seed: None,
            mean_predictor: Number(3.0),
        }],
        absent: Vec::new(),
        predictions: vec![(9, Number(1.0), Number(1.5))],
    }
}

/// A request for a transfer cell that does `mischief`, in a folder of its own.
pub fn request(folder: &Path, mischief: &str) -> RunRequest {
    let identity = blake3::hash(mischief.as_bytes()).to_hex().to_string();
    let work = folder.join("work").join(&identity);
    fs::create_dir_all(&work).unwrap();
    RunRequest {
        spec: CellSpec::Transfer(transfer(mischief)),
        plugins: Vec::new(),
        inputs: BTreeMap::new(),
        work_dir: work.display().to_string(),
        log: folder.join(format!("{mischief}.log")).display().to_string(),
        device: "cpu".into(),
        identity,
    }
}

pub fn transfer(dataset: &str) -> Transfer {
    let strengths = vec![Number(0.1), Number(10.0)];
    Transfer {
        revision: 1,
        protocol: Protocol::Probe(ProbeProtocol { embedding_digest: "e".into(), strengths }),
        weights_digest: "w".into(),
        data_digest: "d".into(),
        split_digest: "s".into(),
        dataset: dataset.into(),
        tasks: vec![TransferTask { name: "expt".into(), kind: TaskKind::Regression, score: "rmse".into() }],
        bootstrap: 1000,
        seed: 7,
    }
}
