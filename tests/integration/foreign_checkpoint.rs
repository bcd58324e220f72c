//! Folders that `transformers` saved, one of every family, from a suite to the leaderboard with the real worker. The oracle of tokens and
//! embeddings is `transformers` itself (tests/fixtures/checkpoints).

use std::{collections::BTreeMap, fs, path::Path};

use clmbench_store::{CellStatus, Store};
use serde_json::Value;

use crate::real::{CSV, Real, checkout};

const FAMILIES: [&str; 7] = ["bert", "gpt", "gpt2", "lstm", "modernbert", "molformer", "roberta"];

/// Relative difference of embeddings: that of float32.
const WITHIN: f64 = 1e-5;

const HEAD: &str = r#"
schema = 1
[suite]
name = "foreign"
seed = 5
[[corpus]]
name = "moses"
sizes = [200]
heldout = 16
[[dataset]]
source = "csv"
path = "molecules.csv"
targets = [{ column = "letters", unit = "letters" }]
task = "regression"
split = "random"
[[metric]]
id = "trivial/parameters"
[[metric]]
id = "loss/mlm_loss"
[[metric]]
id = "loss/clm_loss"
"#;

fn fixtures() -> std::path::PathBuf {
    checkout().join("tests/fixtures/checkpoints")
}

/// A test folder with the plugins of all families, the dataset, and these folders of checkpoints.
fn prepared(families: &[&str]) -> Real {
    let plugins: Vec<String> = FAMILIES[1..].iter().map(|family| format!("clmbench-plugin-{family}")).collect();
    let more: Vec<&str> = plugins.iter().map(String::as_str).chain([CSV]).collect();
    let real = Real::new(&more);
    fs::copy(fixtures().join("molecules.csv"), real.path("molecules.csv")).unwrap();
    let mut suite = HEAD.to_owned();
    for family in families {
        fs::create_dir_all(real.path("checkpoints").join(family)).unwrap();
        for entry in fs::read_dir(fixtures().join(family)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() != "expected.json" {
                fs::copy(entry.path(), real.path("checkpoints").join(family).join(entry.file_name())).unwrap();
            }
        }
        suite += &format!("[[checkpoint]]\npath = \"checkpoints/{family}\"\n");
    }
    real.write("suite.toml", &suite);
    real
}

/// The matrix of an `embeddings.safetensors`.
fn matrix(path: &Path) -> Vec<Vec<f64>> {
    let bytes = fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    assert_eq!(header["embeddings"]["dtype"], "F32");
    let width = header["embeddings"]["shape"][1].as_u64().unwrap() as usize;
    let numbers = bytes[8 + length..].as_chunks::<4>().0.iter().map(|four| f64::from(f32::from_le_bytes(*four)));
    numbers.collect::<Vec<f64>>().chunks(width).map(<[f64]>::to_vec).collect()
}

/// The embeddings of the molecules by the checkpoint of this name.
fn embeddings(real: &Real, name: &str) -> Vec<Vec<f64>> {
    let row = real.row(&format!("embed/{name}/checkpoint-0/molecules"));
    let store = Store::open_reader(&real.store()).unwrap();
    matrix(&store.artifact_dir(&row.identity.unwrap()).join("embeddings.safetensors"))
}

/// The largest difference of two matrices beside the largest entry of the second.
fn apart(found: &[Vec<f64>], wanted: &[Vec<f64>]) -> f64 {
    assert_eq!((found.len(), found[0].len()), (wanted.len(), wanted[0].len()));
    let pairs = || found.iter().flatten().zip(wanted.iter().flatten());
    let scale = pairs().map(|(_, wanted)| wanted.abs()).fold(0.0, f64::max);
    pairs().map(|(found, wanted)| (found - wanted).abs()).fold(0.0, f64::max) / scale
}

#[test]
fn a_folder_of_every_family_runs_from_a_suite_to_the_leaderboard() {
    let real = prepared(&FAMILIES);
    real.clmbench(&["run", "suite.toml"]).code(0);
    let open: Vec<_> =
        real.rows().into_iter().filter(|row| !matches!(row.status, CellStatus::Done | CellStatus::NotApplicable)).collect();
    assert!(open.is_empty(), "{open:?}");
    real.check_artifacts();

    let parameters: BTreeMap<&str, u64> = FAMILIES.map(|family| (family, weights(family))).into_iter().collect();
    for family in FAMILIES {
        let expected: Value = serde_json::from_slice(&fs::read(fixtures().join(family).join("expected.json")).unwrap()).unwrap();
        let wanted: Vec<Vec<f64>> = serde_json::from_value(expected["embeddings"].clone()).unwrap();
        let difference = apart(&embeddings(&real, family), &wanted);
        assert!(difference <= WITHIN, "{family}: {difference:e}");

        let import = real.output(&format!("import/{family}"));
        assert_eq!(import["architecture"], family);
        assert_eq!(import["total_parameters"].as_u64(), Some(parameters[family]), "{family}: {import}");
        assert_eq!((&import["head_is_random"], &import["max_tokens"]), (&false.into(), &64.into()), "{import}");
    }

    // The loss of its own objective is measured on each, and the other's does not apply.
    let causal = ["gpt", "gpt2", "lstm"];
    for family in FAMILIES {
        let (own, other) = if causal.contains(&family) { ("clm_loss", "mlm_loss") } else { ("mlm_loss", "clm_loss") };
        let of = |metric: &str| real.row(&format!("measure/{family}/checkpoint-0/loss.{metric}"));
        assert_eq!((of(own).status, of(other).status), (CellStatus::Done, CellStatus::NotApplicable), "{family}");
        let loss = real.value(&of(own).key, own);
        assert!(loss.is_finite() && loss > 0.0, "{family}: {loss}");
    }

    let rows = real.clmbench(&["leaderboard", "models", "--json"]).code(0).rows();
    for family in FAMILIES {
        let row = rows.iter().find(|row| row["label"] == family && row["kind"] == "run");
        let row = row.unwrap_or_else(|| panic!("{family} is not on the board: {rows:?}"));
        assert!(row["value"].as_f64().is_some_and(f64::is_finite), "{row}");
        assert_eq!((&row["unit"], &row["score"]), (&"letters".into(), &"rmse".into()), "{row}");
    }
}

/// Numbers in a fixture's weights that belong to trained parameters, counted from the file.
fn weights(family: &str) -> u64 {
    let bytes = fs::read(fixtures().join(family).join("model.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: BTreeMap<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    // The head for sentence pairs is not used; random features are not trained.
    let counted = header.iter().filter(|(name, _)| {
        *name != "__metadata__" && !name.contains("seq_relationship") && !name.ends_with("feature_map.weight")
    });
    let size = |entry: &Value| entry["shape"].as_array().unwrap().iter().map(|side| side.as_u64().unwrap()).product::<u64>();
    counted.map(|(_, entry)| size(entry)).sum()
}

#[test]
fn what_is_exported_is_imported_again_bit_for_bit() {
    const NAMES: [&str; 4] = ["gpt", "gpt2", "molformer", "roberta"];
    let real = prepared(&NAMES);
    real.clmbench(&["run", "suite.toml"]).code(0);
    let seen = || NAMES.map(|name| (embeddings(&real, name), real.output(&format!("import/{name}"))["special"].clone()));
    let before = seen();
    fs::create_dir(real.path("again")).unwrap();
    for name in NAMES {
        let folder = real.path("again").join(name);
        let key = format!("import/{name}");
        real.clmbench(&["model", "export", &key, "--out", folder.to_str().unwrap()]).code(0);
        assert!(!folder.join("clmbench.json").exists(), "our own record stays with us");
        // What says where a text begins and ends is the tokenizer's, named or numbered, even if no template puts it.
        let read = |place: std::path::PathBuf| serde_json::from_slice::<Value>(&fs::read(place).unwrap()).unwrap();
        let (config, theirs) = (read(folder.join("config.json")), read(fixtures().join(name).join("config.json")));
        let ids = config.as_object().unwrap().iter().filter(|(field, _)| field.ends_with("_token_id"));
        let differ = ids.filter(|(field, id)| theirs[field.as_str()] != **id);
        // GPT-2 has no token to fill up with: the one that ends texts does.
        let filled = if name == "gpt2" { vec![("pad_token_id".to_owned(), Value::from(0))] } else { Vec::new() };
        assert_eq!(differ.map(|(field, id)| (field.clone(), id.clone())).collect::<Vec<_>>(), filled, "{name}");
        let (named, theirs) =
            (read(folder.join("tokenizer_config.json")), read(fixtures().join(name).join("tokenizer_config.json")));
        for role in ["bos_token", "eos_token", "unk_token"] {
            assert!(theirs[role].is_null() || named[role] == theirs[role], "{name}: {named}");
        }
    }
    let folders: String = NAMES.map(|name| format!("[[checkpoint]]\npath = \"again/{name}\"\n")).concat();
    real.write("again.toml", &format!("{HEAD}{folders}").replace("name = \"foreign\"", "name = \"again\""));
    real.clmbench(&["run", "again.toml"]).code(0);
    assert_eq!(before, seen());
}

/// The same weights in a file with a longer header.
fn with_spaces(from: &Path, to: &Path) {
    let bytes = fs::read(from).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = [&bytes[8..8 + length], &[b' '; 8]].concat();
    fs::write(to, [&(header.len() as u64).to_le_bytes()[..], &header, &bytes[8 + length..]].concat()).unwrap();
}

#[test]
fn a_copy_and_an_export_of_a_run_of_our_own_are_no_second_runs() {
    let real = prepared(&["roberta"]);
    let ours = "[[model]]\narchitecture = \"bert\"\noverrides = [{ layers = 1, width = 64 }]\ntokens = 2000\nbatch = 16\n";
    let ours = format!("{HEAD}{ours}").replace("name = \"foreign\"", "name = \"ours\"");
    real.write("ours.toml", &ours);
    real.clmbench(&["run", "ours.toml"]).code(0);
    let own = real.clmbench(&["leaderboard", "models", "--json"]).code(0).rows();
    let label = own.iter().find(|row| row["kind"] == "run").unwrap()["label"].as_str().unwrap().to_owned();
    let key = format!("pretrain/{label}");
    real.clmbench(&["model", "export", &key, "--out", real.path("exported").to_str().unwrap()]).code(0);
    let copy = real.path("checkpoints/copy");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(real.path("checkpoints/roberta")).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    with_spaces(&real.path("checkpoints/roberta/model.safetensors"), &copy.join("model.safetensors"));
    let tables =
        ["exported", "checkpoints/roberta", "checkpoints/copy"].map(|path| format!("[[checkpoint]]\npath = \"{path}\"\n"));
    real.write("all.toml", &format!("{}{}", ours.replace("name = \"ours\"", "name = \"all\""), tables.concat()));
    real.clmbench(&["run", "all.toml"]).code(0);
    let rows = real.clmbench(&["leaderboard", "models", "--json"]).code(0).rows();
    let of = |label: &str| &rows.iter().find(|row| row["label"] == label).unwrap()["same_weights_as"];
    assert_eq!((of("exported"), of("copy"), of("roberta")), (&Value::from(label.as_str()), &"roberta".into(), &Value::Null));
    let fits = real.clmbench(&["leaderboard", "predictors", "--json"]).code(0).rows();
    assert!(!fits.is_empty() && fits.iter().all(|row| row["n"] == 1), "{fits:?}");
}

/// The weights of a fixture without those whose names start so, as bytes of a file.
fn bare(family: &str, start: &str) -> Vec<u8> {
    let bytes = fs::read(fixtures().join(family).join("model.safetensors")).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: BTreeMap<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let before = header.len();
    header.retain(|name, _| !name.starts_with(start));
    assert!(header.len() < before);
    let mut data = Vec::new();
    for (_, entry) in header.iter_mut().filter(|(name, _)| *name != "__metadata__") {
        let at = |side: usize| 8 + length + entry["data_offsets"][side].as_u64().unwrap() as usize;
        let (begin, end) = (at(0), at(1));
        entry["data_offsets"] = serde_json::json!([data.len(), data.len() + end - begin]);
        data.extend(&bytes[begin..end]);
    }
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()
}

#[test]
fn a_head_that_is_random_stays_one_through_an_export() {
    let real = prepared(&["bert"]);
    let weights = real.path("checkpoints/bert/model.safetensors");
    fs::write(&weights, bare("bert", "cls.")).unwrap();
    let check = |name: &str| {
        let import = real.output(&format!("import/{name}"));
        assert_eq!(import["head_is_random"], true, "{import}");
        let loss = real.row(&format!("measure/{name}/checkpoint-0/loss.mlm_loss"));
        assert_eq!(loss.status, CellStatus::Refused, "{loss:?}");
        import["checkpoint"]["weights_digest"].clone()
    };
    real.clmbench(&["run", "suite.toml"]).code(0);
    let (digest, before) = (check("bert"), embeddings(&real, "bert"));
    let row = real.clmbench(&["model", "export", "import/bert", "--out", "again", "--json"]).code(0).rows().remove(0);
    let left_out: Vec<&str> = row["left_out"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(left_out.len() == 5 && left_out.iter().all(|name| name.starts_with("cls.predictions.")), "{left_out:?}");
    let written = fs::read(real.path("again/model.safetensors")).unwrap();
    let listed = row["files"].as_array().unwrap().iter().find(|file| file["name"] == "model.safetensors").unwrap();
    assert_eq!(listed["bytes"], written.len(), "{listed}");
    let length = u64::from_le_bytes(written[..8].try_into().unwrap()) as usize;
    let header: BTreeMap<String, Value> = serde_json::from_slice(&written[8..8 + length]).unwrap();
    assert!(!header.keys().any(|name| name.starts_with("cls.")), "{:?}", header.keys());
    let card = fs::read_to_string(real.path("again/README.md")).unwrap();
    assert!(card.contains("| not in this folder | cls.predictions."), "{card}");
    assert!(!real.path("again/model.safetensors.whole").exists());

    let suite = format!("{HEAD}[[checkpoint]]\npath = \"again\"\n").replace("name = \"foreign\"", "name = \"again\"");
    real.write("again.toml", &suite);
    real.clmbench(&["run", "again.toml"]).code(0);
    assert_eq!((check("again"), embeddings(&real, "again")), (digest, before));
}

#[test]
fn another_mask_token_beside_the_same_weights_and_tokenizer_is_measured_anew() {
    let real = prepared(&["modernbert"]);
    let key = "measure/modernbert/checkpoint-0/loss.mlm_loss";
    let run = || {
        real.clmbench(&["run", "suite.toml"]).code(0);
        let import = real.output("import/modernbert");
        let same = [&import["checkpoint"]["weights_digest"], &import["tokenizer_digest"]].map(Value::to_string);
        (same, import["special"]["mask"].clone(), real.row(key).identity.unwrap(), real.value(key, "mlm_loss"))
    };
    let (before, first, identity, loss) = run();
    let settings = real.path("checkpoints/modernbert/tokenizer_config.json");
    let text = fs::read_to_string(&settings).unwrap();
    let changed = text.replace(r#""mask_token": "[MASK]""#, r#""mask_token": "[UNK]""#);
    assert_ne!(text, changed);
    fs::write(&settings, changed).unwrap();
    let (after, second, other, another) = run();
    assert_eq!((before, &first, &second), (after, &Value::from(4), &Value::from(0)));
    assert_ne!((identity, loss.to_bits()), (other, another.to_bits()));
    assert!((loss - another).abs() > 1e-6, "{loss} and {another}");
    // With the file as it was, the first value stands again.
    fs::write(&settings, text).unwrap();
    assert_eq!(run().3.to_bits(), loss.to_bits());
}
