#![allow(clippy::unwrap_used)]
use std::os::unix::fs::symlink;

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn error(files: &[(&str, &str)]) -> String {
    Folder::open(folder(files).path()).unwrap_err().to_string().replace('`', "")
}

#[test]
fn takes_names_it_knows_and_nothing_else() {
    let files = [
        ("config.json", "{}"),
        ("model.safetensors", "x"),
        ("modeling.py", "import os"),
        ("vocab.txt", "a\n"),
        ("README.md", ""),
    ];
    let folder = folder(&files);
    let opened = Folder::open(folder.path()).unwrap();
    assert_eq!(opened.files().collect::<Vec<_>>(), [("config.json", 2), ("model.safetensors", 1), ("vocab.txt", 2)]);
    assert!(opened.path("modeling.py").is_none() && opened.notes().is_empty());
    let elsewhere = BTreeMap::from([("modeling.py".to_owned(), folder.path().join("modeling.py"))]);
    assert!(
        Folder::of(elsewhere)
            .unwrap_err()
            .to_string()
            .starts_with("`modeling.py` is no file of a checkpoint; taken are added_tokens.json")
    );
}

#[test]
fn pickle_is_refused_by_name_with_the_way_to_convert() {
    let files = [("config.json", "{}"), ("pytorch_model.bin", "x"), ("training_args.bin", "x")];
    let text = Folder::open(folder(&files).path()).unwrap_err().to_string();
    let wanted = "`pytorch_model.bin` is not read: pickle can run any code when it is opened. Convert it once with the `transformers` package, where you trust it:
    model = AutoModel.from_pretrained(FOLDER)  # or the class of its head, such as AutoModelForMaskedLM
    model.save_pretrained(FOLDER, safe_serialization=True)";
    assert_eq!(text, wanted);
    let both = folder(&[("config.json", "{}"), ("pytorch_model.bin", "x"), ("model.safetensors", "")]);
    assert_eq!(Folder::open(both.path()).unwrap().notes(), ["`pytorch_model.bin` beside the safetensors file is not read"]);
}

#[test]
fn weights_of_other_libraries_are_refused_by_what_they_are() {
    let text = |files: &[&str]| {
        let files: Vec<(&str, &str)> = files.iter().map(|name| (*name, "{}")).collect();
        Folder::open(folder(&files).path()).unwrap_err().to_string()
    };
    let wanted = "`tf_model.h5` is not read: it holds weights as the TensorFlow library has them (version 4 of `transformers` reads them). Convert it once with the `transformers` package, where you trust it:
    model = AutoModel.from_pretrained(FOLDER, from_tf=True)  # or the class of its head, such as AutoModelForMaskedLM
    model.save_pretrained(FOLDER, safe_serialization=True)";
    assert_eq!(text(&["config.json", "tf_model.h5"]), wanted);
    assert!(text(&["config.json", "flax_model.msgpack"]).contains("FOLDER, from_flax=True)"));
    assert!(
        text(&["config.json", "flax_model.msgpack", "pytorch_model.bin"]).starts_with("`pytorch_model.bin` is not read: pickle")
    );
}

#[test]
fn what_is_not_there_is_named() {
    assert!(
        error(&[("config.json", "{}")])
            .ends_with(" has no model.safetensors; save the model there with save_pretrained(..., safe_serialization=True)")
    );
    assert!(error(&[("model.safetensors", "")]).contains(" has no config.json; it says what the model is"));
    let file = folder(&[("config.json", "{}")]);
    assert!(matches!(Folder::open(&file.path().join("config.json")), Err(CheckpointError::NoFolder(_))));
    assert!(matches!(Folder::open(&file.path().join("none")), Err(CheckpointError::Io { .. })));
}

#[test]
fn links_lead_to_files_or_are_refused() {
    let other = folder(&[("blob", "{\"model_type\": \"bert\"}")]);
    let folder = folder(&[("model.safetensors", "")]);
    symlink(other.path().join("blob"), folder.path().join("config.json")).unwrap();
    assert_eq!(model_type(&Folder::open(folder.path()).unwrap().config().unwrap()).unwrap(), "bert");
    for (target, what) in [("/dev/zero", "a device"), ("/", "a folder"), ("nowhere", "a link that leads nowhere")] {
        let link = folder.path().join("tokenizer.json");
        symlink(target, &link).unwrap();
        let wanted = format!("`tokenizer.json` is {what}; only regular files are read: put a copy of the file in its place");
        assert_eq!(Folder::open(folder.path()).unwrap_err().to_string(), wanted);
        fs::remove_file(link).unwrap();
    }
    // A link to itself, and a folder under the name of a file.
    symlink("vocab.txt", folder.path().join("vocab.txt")).unwrap();
    assert!(matches!(Folder::open(folder.path()), Err(CheckpointError::NotAFile { .. })));
    fs::remove_file(folder.path().join("vocab.txt")).unwrap();
    fs::create_dir(folder.path().join("merges.txt")).unwrap();
    assert!(Folder::open(folder.path()).unwrap_err().to_string().starts_with("`merges.txt` is a folder; "));
}

#[test]
fn text_files_have_a_limit() {
    let folder = folder(&[("model.safetensors", "")]);
    let file = File::create(folder.path().join("config.json")).unwrap();
    file.set_len((1 << 20) + 1).unwrap();
    let wanted = "`config.json` has 1048577 bytes, more than the 1048576 that are read of such a file; a file of a checkpoint is smaller, so look what it is";
    assert_eq!(Folder::open(folder.path()).unwrap_err().to_string(), wanted);
    // Grown since it was looked at.
    file.set_len(2).unwrap();
    let opened = Folder::open(folder.path()).unwrap();
    file.set_len(1 << 30).unwrap();
    assert!(matches!(opened.config(), Err(CheckpointError::TooLarge { .. })));
}

#[test]
fn the_word_of_the_architecture() {
    let of = |text: &str| model_type(serde_json::from_str::<Value>(text).unwrap().as_object().unwrap());
    assert_eq!(of(r#"{"model_type": "gpt_neox"}"#).unwrap(), "gpt_neox");
    let wanted = "`config.json`: field `model_type` is absent, but must be a word such as \"bert\", which tells the architecture";
    assert_eq!(of("{}").unwrap_err().to_string(), wanted);
    for bad in [r#"{"model_type": 3}"#, r#"{"model_type": ""}"#, r#"{"model_type": "a b"}"#, r#"{"model_type": ["bert"]}"#] {
        assert!(matches!(of(bad), Err(CheckpointError::Field { .. })), "{bad}");
    }
    let map = serde_json::from_str::<Map<String, Value>>(r#"{"auto_map": {"AutoModel": "x.Y"}}"#).unwrap();
    assert_eq!(config_notes(&map).len(), 1);
    assert!(config_notes(&Map::new()).is_empty());
}
