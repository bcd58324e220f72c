//! `model import`, `describe` and `export`: checkpoints of others from folders and from a hub on the loopback, and runs for others.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
};

use clmbench_protocol::HubInfo;
use clmbench_tests::manifest::{PLUGIN, manifest};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    bench::{Answer, Bench, SMALL},
    real::{Real, checkout},
};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub with one model, `lab/small`, of these files.
struct Hub {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    fn new(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut pages: BTreeMap<String, Vec<u8>> =
            files.iter().map(|(name, bytes)| (format!("/lab/small/resolve/{COMMIT}/{name}"), bytes.clone())).collect();
        let entry = |(name, bytes): (&String, &Vec<u8>)| {
            let sha256: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            json!({"type": "file", "path": name, "size": bytes.len(), "oid": "0".repeat(40), "lfs": {"oid": sha256, "size": bytes.len()}})
        };
        let listing: Vec<Value> = files.iter().map(entry).collect();
        pages.insert(format!("/api/models/lab/small/tree/{COMMIT}"), serde_json::to_vec(&listing).unwrap());
        for revision in ["main", COMMIT] {
            pages.insert(format!("/api/models/lab/small/revision/{revision}"), format!("{{\"sha\":\"{COMMIT}\"}}").into_bytes());
        }
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = asked.clone();
        std::thread::spawn(move || listener.incoming().for_each(|stream| answer(stream.unwrap(), &pages, &record)));
        Self { url, asked }
    }

    /// Paths asked for since it was looked at last.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn answer(mut stream: TcpStream, pages: &BTreeMap<String, Vec<u8>>, record: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let path = first.split(' ').nth(1).unwrap().to_owned();
    lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
    let (status, bytes) = pages.get(&path).map_or(("404 Not Found", &[][..]), |bytes| ("200 OK", bytes));
    record.lock().unwrap().push(path);
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", bytes.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(bytes));
}

/// The files of a folder that `transformers` saved.
fn fixture(name: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = checkout().join("tests/fixtures/checkpoints").join(name);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_name() != "expected.json");
    files.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn put(folder: &Path, files: &[(&str, &[u8])]) {
    fs::create_dir_all(folder).unwrap();
    files.iter().for_each(|(name, bytes)| fs::write(folder.join(name), bytes).unwrap());
}

/// A folder whose plugin reads checkpoints of `model_type` fake.
fn bench() -> Bench {
    let bench = Bench::new(SMALL);
    let mut manifest = manifest("0.1.0");
    let class = Some("FakeForMaskedLM".to_owned());
    manifest.architectures[0].hub = Some(HubInfo { model_types: vec!["fake".into()], class, ..HubInfo::default() });
    let library = bench.path("plugins").join(PLUGIN).join("libclmbench_plugin_fake.so");
    fs::write(library, serde_json::to_string(&manifest).unwrap()).unwrap();
    bench
}

/// What a command said on standard error, the notes left out, with the test's folder as TEST.
fn error(bench: &Bench, answer: &Answer) -> String {
    let text = answer.stderr.replace(bench.path("").to_str().unwrap().trim_end_matches('/'), "TEST");
    text[text.find("error: ").unwrap_or_else(|| panic!("no error: {text}"))..].trim_end().to_owned()
}

#[test]
fn what_cannot_be_read_is_refused_with_the_next_step() {
    let bench = bench();
    let no_folder = "name a folder that is there, or owner/name@REVISION, such as sagawa/molscaletransfer-chemlm-0.06m@main";
    let refused = |name: &str, code: i32| error(&bench, &bench.clmbench(&["model", "import", name]).code(code));
    assert_eq!(
        refused("./nothing", 2),
        format!("error: there is no folder ./nothing, and it names no model of a hub\n  hint: {no_folder}")
    );
    assert_eq!(
        refused("gpt2", 2),
        format!("error: there is no folder gpt2, and it names no model of a hub\n  hint: {no_folder}")
    );
    assert_eq!(
        refused("lab/small@../x", 2),
        "error: `../x` is no revision of lab/small: write a commit (40 hex digits), a branch or a tag of letters, digits and . _ - /"
    );
    assert_eq!(
        refused("suite.toml", 2),
        "error: suite.toml is a file, not a checkpoint's folder\n  hint: name the folder that holds config.json, model.safetensors and the \
         tokenizer"
    );
    let pickle = bench.path("pickle");
    put(&pickle, &[("config.json", b"{\"model_type\":\"fake\"}"), ("pytorch_model.bin", b"\x80")]);
    let said = refused("pickle", 2);
    assert!(said.contains("`pytorch_model.bin`") && said.contains("safe_serialization=True"), "{said}");
    let other = bench.path("other");
    put(&other, &[("config.json", b"{\"model_type\":\"t5\"}"), ("model.safetensors", b"")]);
    assert_eq!(
        refused("other", 2),
        "error: no plugin knows checkpoints of model_type `t5`, as other is\n  hint: known are fake; `clmbench plugin new architecture` \
         begins a plugin for another"
    );
    let asked = |name: &str| error(&bench, &bench.clmbench(&["model", "import", "other", "--architecture", name]).code(2));
    assert_eq!(
        asked("fake"),
        "error: architecture fake reads model_type fake, but other is `t5`\n  hint: leave --architecture out, or name \
                               the one that reads it"
    );
    assert!(asked("fack").starts_with("error: no plugin offers architecture `fack`. Did you mean `fake`?"), "{}", asked("fack"));
    let offline = refused(&format!("lab/small@{COMMIT}"), 4);
    assert_eq!(
        offline,
        format!(
            "error: lab/small@{COMMIT} is not in the cache and downloads are switched off: run once without --offline (and without \
             CLMBENCH_OFFLINE), or put config.json, model.safetensors and tokenizer.json (or the vocabulary files) of it into \
             TEST/cache/hub/lab--small/{COMMIT}; `[[checkpoint]] path = \"FOLDER\"` takes any folder of them"
        )
    );
    assert!(!bench.path("cache/hub").exists());
}

#[test]
fn a_hub_that_has_pickle_alone_or_no_such_model_is_told_from_a_good_one() {
    let bench = bench();
    let hub = Hub::new(&BTreeMap::from([
        ("config.json".to_owned(), b"{}".to_vec()),
        ("pytorch_model.bin".to_owned(), b"\x80".to_vec()),
    ]));
    let online =
        [("CLMBENCH_OFFLINE", "0"), ("HF_ENDPOINT", hub.url.as_str()), ("CLMBENCH_PATIENCE", "2"), ("HF_TOKEN", "hf_secret")];
    let refused = |name: &str| error(&bench, &bench.with(&["model", "import", name], &online).code(2)).replace(&hub.url, "HUB");
    let said = refused("lab/small");
    assert!(
        said.starts_with(&format!(
            "error: lab/small@{COMMIT} has its weights only as pickle (`pytorch_model.bin`), which can run code"
        )),
        "{said}"
    );
    assert!(hub.asked().iter().all(|path| !path.contains("/resolve/")), "nothing was downloaded");
    assert_eq!(
        refused("lab/none@main"),
        "error: there is no model lab/none at HUB, or it is private: correct the name, or set HF_TOKEN to a token that may read it"
    );
    let bad = bench.with(&["model", "import", "lab/small"], &[("CLMBENCH_OFFLINE", "0"), ("HF_ENDPOINT", "http://example.org")]);
    let said = error(&bench, &bad.code(4));
    assert!(said.starts_with("error: HF_ENDPOINT=http://example.org is refused: only https is asked"), "{said}");
    let bad = bench.with(&["model", "import", "lab/small"], &[("CLMBENCH_OFFLINE", "0"), ("HF_TOKEN", "hf_secret\u{1b}x")]);
    let said = error(&bench, &bad.code(4));
    assert!(said.starts_with("error: HF_TOKEN holds characters that no token has") && !said.contains("secret"), "{said}");
}

#[test]
fn a_run_is_exported_whole_and_once() {
    let bench = bench();
    bench.run();
    let key = bench.cells().into_keys().find(|key| key.starts_with("pretrain/")).unwrap();
    let export = |more: &[&str]| {
        let mut arguments = vec!["model", "export", key.as_str()];
        arguments.extend(more);
        bench.clmbench(&arguments)
    };
    let answer = export(&["--out", "out"]).code(0);
    assert!(answer.stdout.contains("FakeForMaskedLM of transformers opens it; README.md says how"), "{}", answer.stdout);
    let names = |folder: &str| {
        let mut names: Vec<_> =
            fs::read_dir(bench.path(folder)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names("out"), ["README.md", "model.safetensors"]);
    let card = fs::read_to_string(bench.path("out/README.md")).unwrap();
    assert!(card.starts_with("---\nlibrary_name: transformers\n") && card.contains("FakeForMaskedLM.from_pretrained"), "{card}");
    // Not over anything that is there.
    let again = error(&bench, &export(&["--out", "out"]).code(2));
    assert_eq!(again, "error: TEST/out is not empty\n  hint: --force replaces an earlier export; or name a new folder");
    let rows = export(&["--out", "out", "--force", "--json"]).code(0).rows();
    assert_eq!((rows[0]["run"].as_str().unwrap(), rows[0]["files"].as_array().unwrap().len()), (key.as_str(), 2));
    put(&bench.path("mine"), &[("thesis.tex", b"x"), ("model.safetensors", b"y")]);
    assert_eq!(
        error(&bench, &export(&["--out", "mine", "--force"]).code(2)),
        "error: TEST/mine holds `thesis.tex`, which no export wrote, and is left alone\n  hint: name a new folder, or clear this one yourself"
    );
    assert_eq!(names("mine"), ["model.safetensors", "thesis.tex"]);
    fs::create_dir(bench.path("empty")).unwrap();
    export(&["--out", "empty", "--suite", "small", "--checkpoint", "checkpoint-1"]).code(0);
    let none = error(&bench, &export(&["--out", "new", "--checkpoint", "checkpoint-9"]).code(2));
    assert_eq!(none, format!("error: run {key} has no checkpoint `checkpoint-9`\n  hint: it has checkpoint-1"));
    let wrong = error(&bench, &bench.clmbench(&["model", "export", &key.replace("seed0", "seed1"), "--out", "new"]).code(2));
    assert!(wrong.ends_with(&format!("hint: did you mean `{key}`? `clmbench status --cells` lists all")), "{wrong}");
    let tokenise = bench.cells().into_keys().find(|key| key.starts_with("tokenise/")).unwrap();
    let wrong = error(&bench, &bench.clmbench(&["model", "export", &tokenise, "--out", "new"]).code(2));
    assert!(wrong.contains("is of the stage tokenise, which has no checkpoints"), "{wrong}");
    // A file that is not as it was written is not passed on, and nothing half is left.
    let identity = bench.cells()[&key].1.clone().unwrap();
    let weights = bench.store().join("artifacts").join(identity).join("checkpoint-1/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    bytes[0] ^= 1;
    fs::write(&weights, bytes).unwrap();
    let damaged = error(&bench, &export(&["--out", "new"]).code(5));
    assert_eq!(
        damaged,
        format!(
            "error: checkpoint-1/model.safetensors of run {key} is damaged, so nothing is written\n  hint: `clmbench run SUITE` of its \
             suite computes what is missing or damaged again"
        )
    );
    let left: Vec<String> = names("").into_iter().filter(|name| name.starts_with("new") || name.contains("partial")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn names_are_told_apart_by_describe() {
    let bench = bench();
    let said = error(&bench, &bench.clmbench(&["model", "describe", "fack"]).code(2));
    assert_eq!(
        said,
        "error: no plugin offers architecture `fack`, and no folder and no run is called so\n  hint: did you mean `fake`? `clmbench model \
         list` shows all"
    );
    let said = error(&bench, &bench.clmbench(&["model", "describe", "./fake", "--preset", "a"]).code(2));
    assert!(said.starts_with("error: --preset a is of an architecture, and `./fake` is none"), "{said}");
    let said = error(&bench, &bench.clmbench(&["model", "describe", "fake", "--dataset", "fake/alpha"]).code(2));
    assert!(said.starts_with("error: fake is an architecture, which has no vocabulary to try on a dataset"), "{said}");
    bench.run();
    let key = bench.cells().into_keys().find(|key| key.starts_with("pretrain/")).unwrap();
    let page = bench.clmbench(&["model", "describe", &key]).code(0).stdout;
    assert!(page.starts_with(&format!("{key} (masked LM)\n")) && page.contains("pretrained here on 500 molecules"), "{page}");
    let row = bench.clmbench(&["model", "describe", &key, "--json"]).code(0).rows().remove(0);
    assert_eq!((&row["source"]["kind"], &row["transformers_class"]), (&json!("run"), &json!("FakeForMaskedLM")));
}

#[test]
fn the_page_of_a_checkpoint() {
    let bench = bench();
    let files: [(&str, &[u8]); 4] = [
        ("config.json", b"{\"model_type\":\"fake\",\"layers\":1,\"width\":64}"),
        ("model.safetensors", b"weights"),
        ("pytorch_model.bin", b"\x80"),
        ("tokenizer.json", br#"{"added_tokens":[{"id":0,"content":"<pad>\u001b[2J"}],"model":{"vocab":{"<unk>":1}}}"#),
    ];
    put(&bench.path("chem"), &files);
    let answer = bench.clmbench(&["model", "import", "chem", "--max-tokens", "32", "--architecture", "fake"]).code(0);
    let sha256 =
        |index: usize| Sha256::digest(files[index].1).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
    let folder = bench.path("chem").display().to_string();
    assert_eq!(
        answer.stdout,
        format!(
            "chem (masked LM)
from      {folder}, model_type fake; 3 files, 134 B
          config.json, 43 B, SHA-256 {}
          model.safetensors, 7 B, SHA-256 {}
          tokenizer.json, 84 B, SHA-256 {}
model     fake (clmbench-plugin-fake 0.1.0): layers 1, width 64
size      59152 parameters, 49152 of them without embeddings
FLOPs     a token: 98304 forward (2 x parameters without embeddings), 2.95e5 training (6 x)
tokens    WordPiece, 591 entries, for 600 embedding rows; pad <pad>\u{fffd}[2J 0, unknown <unk> 1, start 2, end 3, mask 4
length    at most 32 tokens; the model takes 64
note      `pytorch_model.bin` beside the safetensors file is not read
note      the pooler is absent: it keeps its initial values
opens as  FakeForMaskedLM of transformers, once exported

[[checkpoint]]
path = \"{folder}\"
architecture = \"fake\"
max_tokens = 32
",
            sha256(0),
            sha256(1),
            sha256(3)
        )
    );
    // The table is what a suite takes.
    let table = answer.stdout.split_once("[[checkpoint]]").unwrap().1;
    let suite = SMALL.replace("[[metric]]\nid = \"fake/noise\"", "[[protocol]]\nkind = \"probe\"") + "[[checkpoint]]" + table;
    fs::write(bench.path("suite.toml"), suite).unwrap();
    bench.run();
    let key = bench.cells().into_keys().find(|key| key.starts_with("import/")).unwrap();
    let page = bench.clmbench(&["model", "describe", &key]).code(0).stdout;
    assert!(
        page.contains("checkpoint of others: folder:chem, model.safetensors with SHA-256 ") && page.contains("fake/alpha"),
        "{page}"
    );
    let answer = bench.clmbench(&["model", "export", &key, "--out", "theirs"]).code(0);
    assert!(answer.stdout.starts_with(&format!("checkpoint-0 of {key} is in ")), "{}", answer.stdout);
    let card = fs::read_to_string(bench.path("theirs/README.md")).unwrap();
    assert!(
        card.contains("not known: a checkpoint of others")
            && card.contains("| comes from | `folder:chem` |")
            && card.contains(&sha256(1)),
        "{card}"
    );
    assert!(bench.path("theirs/tokenizer.json").is_file());
}

#[test]
fn a_checkpoint_of_others_is_read_from_a_folder_and_from_a_hub() {
    let real = Real::new(&[]);
    let files = fixture("bert");
    let folder = real.path("chem");
    let listed: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    put(&folder, &listed);
    let of_folder = real.clmbench(&["model", "import", "chem", "--json"]).code(0).rows().remove(0);
    assert_eq!((&of_folder["architecture"], &of_folder["source"]["model_type"]), (&json!("bert"), &json!("bert")));
    let total = of_folder["total_parameters"].as_u64().unwrap();
    let inner = of_folder["non_embedding_parameters"].as_u64().unwrap();
    assert!(0 < inner && inner < total);
    assert_eq!(of_folder["training_flops_per_token"], 6 * inner);
    let table = of_folder["suite_table"].as_str().unwrap();
    assert_eq!(table, format!("[[checkpoint]]\npath = \"{}\"", folder.display()));

    let (hub, own) = (Hub::new(&files), real.path("own"));
    let online = [("CLMBENCH_OFFLINE", "0"), ("HF_ENDPOINT", hub.url.as_str()), ("CLMBENCH_CACHE", own.to_str().unwrap())];
    let answer = real.with(&["model", "import", "lab/small@main"], &online).code(0);
    assert!(answer.stderr.contains(&format!("lab/small@main is commit {COMMIT} now")), "{}", answer.stderr);
    let page = &answer.stdout;
    for line in [
        "lab/small (masked LM)\n",
        "model     bert (clmbench-plugin-bert 0.1.0): ",
        &format!("size      {total} parameters, {inner} of them without embeddings\n"),
        &format!("\n[[checkpoint]]\nhub = \"lab/small\"\nrevision = \"{COMMIT}\"\n"),
        "(2 x parameters without embeddings)",
        "opens as  BertFor",
        "[PAD]",
    ] {
        assert!(page.contains(line), "{line}: {page}");
    }
    hub.asked();
    // Once it is there, nobody is asked again, and the same weights come out.
    let by_commit = real.with(&["model", "import", &format!("lab/small@{COMMIT}"), "--json"], &online).code(0).rows().remove(0);
    assert_eq!((hub.asked().len(), &by_commit["weights_digest"]), (0, &of_folder["weights_digest"]));
    let left: Vec<_> = fs::read_dir(real.path("own/work")).unwrap().collect();
    assert!(left.is_empty(), "nothing is left of what was computed: {left:?}");

    // How much of a dataset its vocabulary covers, by the cell that tokenises datasets.
    let described = real.clmbench(&["model", "describe", "chem", "--dataset", "moleculenet/freesolv", "--json"]).code(0).rows();
    let covered = &described[0]["coverage"][0];
    assert_eq!((&covered["dataset"], &covered["molecules"]), (&json!("moleculenet/freesolv"), &json!(642)));
    assert!(covered["tokens"].as_u64().unwrap() > 642, "{covered}");

    // As a run of a suite it is written for others, and what was written reads as the same model.
    real.write(
        "suite.toml",
        "schema = 1\n[suite]\nname = \"theirs\"\nseed = 7\n[[checkpoint]]\npath = \"chem\"\n[[dataset]]\nsource = \"moleculenet\"\n\
         names = [\"freesolv\"]\n[[protocol]]\nkind = \"probe\"\n",
    );
    real.clmbench(&["run", "suite.toml", "--only", "import/chem"]).code(0);
    let answer = real.clmbench(&["model", "export", "import/chem", "--out", "exported"]).code(0);
    assert!(answer.stdout.contains("BertForPreTraining of transformers opens it"), "{}", answer.stdout);
    let again = real.clmbench(&["model", "import", "exported", "--json"]).code(0).rows().remove(0);
    for same in ["weights_digest", "total_parameters", "config", "max_positions"] {
        assert_eq!(again[same], of_folder[same], "{same}");
    }
    assert_eq!(again["tokenizer"]["special"], of_folder["tokenizer"]["special"]);

    // Weights that do not fit are named.
    let config = String::from_utf8(files["config.json"].clone()).unwrap();
    let mut config: Value = serde_json::from_str(&config).unwrap();
    config["vocab_size"] = json!(7);
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let said = real.clmbench(&["model", "import", "chem"]).code(2).stderr;
    assert!(
        said.contains("chem cannot be imported: the weights are not those of the architecture that `config.json` tells:")
            && said.contains("bert.embeddings.word_embeddings.weight has [78, 16], needs [7, 16]"),
        "{said}"
    );
}
