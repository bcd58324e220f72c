#![allow(clippy::unwrap_used)]
use std::{collections::BTreeMap, fs, path::Path, time::Instant};

use serde_json::json;

use super::*;

fn folder(files: &[(&str, String)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.safetensors"), "").unwrap();
    fs::write(folder.path().join("config.json"), r#"{"model_type": "bert"}"#).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn found(files: &[(&str, Value)]) -> Result<FoundTokenizer, CheckpointError> {
    let files: Vec<(&str, String)> =
        files.iter().map(|(name, value)| (*name, value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect();
    Folder::open(folder(&files).path()).unwrap().tokenizer()
}

fn error(files: &[(&str, Value)]) -> String {
    found(files).unwrap_err().to_string()
}

fn ids(tokenizer: &FoundTokenizer, text: &str) -> Vec<u32> {
    Timed::new(&tokenizer.json).unwrap().encode(text, true).unwrap().get_ids().to_vec()
}

/// A tokenizer.json as ours, with a small vocabulary.
fn ours() -> Value {
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    let vocabulary: Map<String, Value> = special
        .into_iter()
        .chain(["C", "c", "(", ")", "=", "O", "1", "[Na+]"])
        .zip(0..)
        .map(|(text, id)| (text.into(), json!(id)))
        .collect();
    let added: Vec<Value> = special
        .into_iter()
        .zip(0..)
        .map(|(text, id)| json!({"id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}))
        .collect();
    let template = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}},
    });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": SMILES_REGEX}, "behavior": "Isolated", "invert": false},
        "post_processor": template, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    })
}

/// The same with something put at a JSON pointer.
fn changed(pointer: &str, value: Value) -> Value {
    let mut file = ours();
    match file.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => {
            let (at, name) = pointer.rsplit_once('/').unwrap();
            file.pointer_mut(at).unwrap().as_object_mut().unwrap().insert(name.into(), value);
        }
    }
    file
}

fn split(pattern: &str) -> Value {
    changed("/pre_tokenizer/pattern/Regex", json!(pattern))
}

#[test]
fn a_file_as_ours_is_as_ours() {
    let tokenizer = found(&[("tokenizer.json", ours())]).unwrap();
    assert_eq!((tokenizer.special.clone(), tokenizer.entries, tokenizer.kind.as_str()), (Special::default(), 13, "WordLevel"));
    assert_eq!(tokenizer.json, ours().to_string().into_bytes());
    assert!(tokenizer.notes.is_empty(), "{:?}", tokenizer.notes);
    assert_eq!(ids(&tokenizer, "CC(=O)X"), [2, 5, 5, 7, 9, 10, 8, 1, 3]);
}

#[test]
fn files_give_the_tokens_of_transformers() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tokenizers");
    let expected: BTreeMap<String, BTreeMap<String, Vec<u32>>> =
        serde_json::from_slice(&fs::read(here.join("expected.json")).unwrap()).unwrap();
    assert_eq!(expected.len(), 4);
    for (name, texts) in expected {
        let folder = folder(&[]);
        for entry in fs::read_dir(here.join(&name)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        let tokenizer = Folder::open(folder.path()).unwrap().tokenizer().unwrap();
        for (text, wanted) in texts {
            assert_eq!(ids(&tokenizer, &text), wanted, "{name}: {text}");
        }
        let special = match name.as_str() {
            "roberta" => Special { pad: 1, unknown: Some(3), start: Some(0), end: Some(2), mask: Some(4), others: vec![] },
            "gpt2" => Special { pad: 0, unknown: None, start: None, end: None, mask: None, others: vec![] },
            _ => Special { pad: 0, unknown: Some(2), start: Some(3), end: Some(4), mask: Some(5), others: vec![] },
        };
        assert_eq!(tokenizer.special, special, "{name}");
        let folds = tokenizer.notes.iter().any(|note| note.contains("aromatic"));
        assert_eq!(folds, name == "bert", "{:?}", tokenizer.notes);
    }
}

#[test]
fn the_smiles_regex_over_a_list_of_tokens() {
    let vocabulary = json!({"<bos>": 0, "<eos>": 1, "<pad>": 2, "<mask>": 3, "<unk>": 4, "C": 5, "Cl": 6, "[nH]": 7, "c": 8});
    let class = json!({"tokenizer_class": "MolformerTokenizer"});
    let tokenizer = found(&[("vocab.json", vocabulary), ("tokenizer_config.json", class)]).unwrap();
    let special = Special { pad: 2, unknown: Some(4), start: Some(0), end: Some(1), mask: Some(3), others: vec![] };
    assert_eq!((tokenizer.special.clone(), tokenizer.kind.as_str()), (special, "WordLevel"));
    // `findall` of the class: what the regex does not know is dropped, what the vocabulary does not know is unknown.
    assert_eq!(ids(&tokenizer, "CClX[nH]cBr"), [0, 5, 6, 7, 8, 4, 1]);
    assert_eq!(tokenizer.notes.len(), 1);
    let lines = json!("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nC\nC\n");
    let class = json!({"tokenizer_class": "SmilesTokenizer"});
    let tokenizer = found(&[("vocab.txt", lines), ("tokenizer_config.json", class)]).unwrap();
    assert_eq!((tokenizer.special.clone(), ids(&tokenizer, "CO")), (Special::default(), vec![2, 6, 1, 3]));
    assert!(tokenizer.notes.contains(&"1 lines of `vocab.txt` stand there before; the last of them counts".to_owned()));
}

#[test]
fn what_cuts_fills_or_varies_is_switched_off() {
    let mut file = changed(
        "/padding",
        json!({"strategy": {"Fixed": 1_000_000_000_000_u64}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}),
    );
    file["truncation"] = json!({"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0});
    let tokenizer = found(&[("tokenizer.json", file)]).unwrap();
    assert_eq!(tokenizer.notes.len(), 2);
    assert_eq!(ids(&tokenizer, "CCCCCC").len(), 8);
    assert_eq!(serde_json::from_slice::<Value>(&tokenizer.json).unwrap(), ours());
    let lower = json!({"do_lower_case": true});
    let mut file = ours();
    file["normalizer"] = json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": false});
    let tokenizer = found(&[("tokenizer.json", file), ("tokenizer_config.json", lower)]).unwrap();
    assert_eq!(
        tokenizer.notes,
        ["`tokenizer_config.json` says do_lower_case = true, but `tokenizer.json`, which is followed, has lowercase = false"]
    );
}

#[test]
fn special_tokens_are_named_or_usual_or_none() {
    let named = json!({"pad_token": {"content": "c", "__type": "AddedToken"}, "mask_token": "nope", "bos_token": "1", "additional_special_tokens": ["=", {"content": "O"}]});
    let tokenizer = found(&[("tokenizer.json", ours()), ("tokenizer_config.json", named)]).unwrap();
    let special = Special { pad: 6, unknown: Some(1), start: Some(2), end: Some(3), mask: Some(4), others: vec![0, 9, 10, 11] };
    assert_eq!(tokenizer.special, special);
    assert_eq!(tokenizer.notes, ["`mask_token` names `nope`, which the tokenizer does not have"]);
    let mut plain = ours();
    plain["added_tokens"] = json!([]);
    plain["post_processor"] = Value::Null;
    plain["model"]["vocab"] = json!({"C": 0, "c": 1, "?": 2});
    plain["model"]["unk_token"] = json!("?");
    let tokenizer = found(&[("tokenizer.json", plain)]).unwrap();
    assert_eq!(tokenizer.special, Special { pad: 2, unknown: Some(2), start: None, end: None, mask: None, others: vec![] });
}

#[test]
fn bad_files_are_named() {
    let start = "the tokenizer in `tokenizer.json` cannot be used: ";
    let steps = |step: Value, count: usize| json!({"type": "Sequence", "normalizers": vec![step; count]});
    let replace = json!({"type": "Replace", "pattern": {"String": "C"}, "content": "CCCCCCCC"});
    let once = "post_processor: the template `single` must have the sequence A once and at most 64 parts";
    let cases = [
        (changed("/normalizer", steps(replace.clone(), 5)), "its steps could make a text 32768 times longer, more than 4096"),
        (changed("/normalizer", steps(replace, 65)), "normalizer has more than 64 steps"),
        (
            changed("/normalizer", json!({"type": "Replace", "pattern": {"Regex": ""}, "content": "x".repeat(1_025)})),
            "normalizer: `content` of Replace has 1025 bytes, more than 1024",
        ),
        (
            changed("/normalizer", json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"})),
            "normalizer: the compiled normaliser of SentencePiece is not read; save the tokenizer with another normaliser",
        ),
        (
            changed("/pre_tokenizer", json!({"type": "FixedLength", "length": 0})),
            "pre_tokenizer: pieces of FixedLength have length 0",
        ),
        (split(&"a".repeat(2_049)), "a regular expression has 2049 bytes, more than 2048"),
        (
            changed(
                "/post_processor/single",
                json!([{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]),
            ),
            once,
        ),
        (changed("/post_processor/single", json!([])), once),
        (
            changed("/post_processor/special_tokens/[CLS]/ids", json!([99])),
            "its template adds the id 99, and its vocabulary goes up to 12",
        ),
        (
            changed("/model/vocab/C", json!(65_535)),
            "`C` has the id 65535, and ids go up to 65534: vocabularies that large are not supported",
        ),
        (
            changed("/added_tokens/4/id", json!(7)),
            "the added token `[MASK]` should have the id 7, and has the id 4 by its vocabulary",
        ),
        (changed("/added_tokens/4/content", json!("x".repeat(1_025))), "an added token is longer than 1024 bytes"),
    ];
    for (file, wanted) in cases {
        assert_eq!(error(&[("tokenizer.json", file)]), format!("{start}{wanted}"));
    }
    assert!(error(&[("tokenizer.json", split("(a"))]).starts_with(start));
    assert!(error(&[("tokenizer.json", json!("{}"))]).starts_with(start));
    let deep = format!(r#"{{"normalizer": {}{}}}"#, r#"{"normalizers":["#.repeat(200), "]}".repeat(200));
    assert!(error(&[("tokenizer.json", json!(deep))]).contains("recursion limit exceeded"));
    let mut nothing = split("x");
    nothing["pre_tokenizer"]["behavior"] = json!("Removed");
    nothing["pre_tokenizer"]["invert"] = json!(true);
    assert_eq!(
        error(&[("tokenizer.json", nothing)]),
        format!("{start}it gives no token for any of CC, c1ccccc1, O, [Na+].[Cl-]")
    );
}

#[test]
fn expressions_of_decoders_are_compiled_and_so_are_counted() {
    // Each of them takes some hundred KiB of memory once the library has read it: 2,000 took more than a GB.
    let replace = json!({"type": "Replace", "pattern": {"Regex": "\\w{150}"}, "content": ""});
    let with = |step: &Value, count: usize| {
        let decoder = json!({"type": "Sequence", "decoders": vec![step; count]});
        changed("/decoder", decoder)
    };
    assert_eq!(
        error(&[("tokenizer.json", with(&replace, 60))]),
        "the tokenizer in `tokenizer.json` cannot be used: it has 61 regular expressions, more than 16; save the folder with another \
         tokenizer.json"
    );
    assert!(error(&[("tokenizer.json", with(&replace, 2_000))]).ends_with("decoder has more than 64 steps"));
    // What has a list and a pattern is counted as both, wherever it stands.
    let mut both = replace.clone();
    both["decoders"] = json!(vec![replace.clone(); 20]);
    assert!(error(&[("tokenizer.json", changed("/decoder", both.clone()))]).contains("it has 22 regular expressions"));
    both["normalizers"] = json!([]);
    let many = json!({"type": "Sequence", "normalizers": vec![both; 20]});
    assert!(error(&[("tokenizer.json", changed("/normalizer", many))]).contains("it has 21 regular expressions"));
    // Published files have a few; they are kept as they are.
    let few = with(&replace, 3);
    let found = found(&[("tokenizer.json", few.clone())]).unwrap();
    assert_eq!(found.json, few.to_string().into_bytes());
}

#[test]
fn the_unknown_token_of_unigram_is_that_of_its_file() {
    let mut file = ours();
    let pieces = ["<s>", "what?", "C", "c", "O", "1"].map(|piece| json!([piece, -1.0]));
    file["model"] = json!({"type": "Unigram", "unk_id": 1, "vocab": pieces});
    file["added_tokens"] = json!([]);
    file["post_processor"] = Value::Null;
    let found = found(&[("tokenizer.json", file)]).unwrap();
    assert_eq!((found.kind.as_str(), found.special.unknown), ("Unigram", Some(1)));
}

#[test]
fn vocabulary_files_that_do_not_do() {
    let class = |name: &str| ("tokenizer_config.json", json!({"tokenizer_class": name}));
    let vocabulary = ("vocab.json", json!({"<s>": 0, "</s>": 1, "<unk>": 2, "C": 3}));
    let next = "save a tokenizer.json beside it: `AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)` of the `transformers` package writes one";
    let known = "BertTokenizer, DistilBertTokenizer, ElectraTokenizer, RobertaTokenizer, GPT2Tokenizer, MolformerTokenizer, MolTranBertTokenizer, SmilesTokenizer";
    let of = "the tokenizer in `vocab.json` cannot be used: ";
    assert_eq!(
        error(&[vocabulary.clone(), class("T5Tokenizer")]),
        format!("{of}its class `T5Tokenizer` is unknown (known without a tokenizer.json: {known}); {next}")
    );
    assert!(
        error(&[vocabulary.clone(), class("RobertaTokenizer")])
            .ends_with("has no `merges.txt`; a tokenizer of byte pairs needs it beside vocab.json")
    );
    assert_eq!(
        error(&[vocabulary.clone(), class("BertTokenizer")]),
        format!("{of}its class needs another file of the vocabulary; {next}")
    );
    assert!(error(&[]).contains("has no `tokenizer.json`; nor vocabulary files"));
    let same = ("vocab.json", json!({"C": 1, "O": 1}));
    assert_eq!(error(&[same, class("MolformerTokenizer")]), format!("{of}`C` and `O` have the same id 1"));
    let large = ("vocab.json", json!({"C": 65_535}));
    assert_eq!(error(&[large, class("MolformerTokenizer")]), format!("{of}`C` has the id 65535, and ids go up to 65534"));
    let negative = ("vocab.json", json!({"C": -1}));
    assert_eq!(error(&[negative, class("MolformerTokenizer")]), format!("{of}the id of `C` is no whole number from 0"));
    assert_eq!(
        error(&[("vocab.json", json!({"C": 1})), class("MolformerTokenizer")]),
        format!("{of}`cls_token`, which is `<bos>`, is not in the vocabulary")
    );
    let merges = ("merges.txt", json!("#version: 0.2\na b c\n"));
    assert_eq!(
        error(&[vocabulary.clone(), merges, class("RobertaTokenizer")]),
        "the tokenizer in `merges.txt` cannot be used: line 2 is not two tokens and a blank between them"
    );
    let merges = ("merges.txt", json!("C nope\n"));
    assert!(error(&[vocabulary, merges, class("RobertaTokenizer")]).contains("out of vocabulary"));
}

/// What the library does with expressions that have no end, and what we say.
#[test]
fn expressions_without_an_end() {
    // Without look-around it is linear.
    let begin = Instant::now();
    Timed::new(split("(a|a)*b|C").to_string().as_bytes()).unwrap();
    // With it, a million steps back, and then the library says nothing.
    let gives_up = r"(?:(?=Q)Q|Q)*!|C";
    let library = tokenizers::Tokenizer::from_bytes(split(gives_up).to_string()).unwrap();
    let text = format!("C{}C", "Q".repeat(40));
    let tokens = library.encode_fast(text.as_str(), false).unwrap();
    assert_eq!(tokens.get_ids(), [5, 1], "the last C is lost without a word");
    let ours = Timed::new(split(gives_up).to_string().as_bytes()).unwrap();
    assert_eq!(ours.encode("CC", false).unwrap().get_ids(), [5, 5]);
    let wanted = "a regular expression of the tokenizer gives up on `CQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ…` (42 letters): `(?:(?=Q)Q|Q)*!|C`: Error executing regex: Max limit for backtracking count exceeded; tokens from there on would be wrong, so it is refused: save the folder with another tokenizer.json";
    assert_eq!(ours.encode(&text, false).unwrap_err().to_string(), wanted);
    // The same in the normaliser, and in a sequence.
    let replace = json!({"type": "Replace", "pattern": {"Regex": gives_up}, "content": "C"});
    let file = changed("/normalizer", json!({"type": "Sequence", "normalizers": [{"type": "NFC"}, replace]}));
    assert!(matches!(Timed::new(file.to_string().as_bytes()).unwrap().encode(&text, false), Err(CheckpointError::GaveUp { .. })));
    let inner = split(gives_up)["pre_tokenizer"].clone();
    let file = changed("/pre_tokenizer", json!({"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}, inner]}));
    assert!(matches!(Timed::new(file.to_string().as_bytes()).unwrap().encode(&text, false), Err(CheckpointError::GaveUp { .. })));
    // On a molecule of the trial.
    let trial = Timed::new(split(&gives_up.replace('Q', "a")).to_string().as_bytes());
    assert!(matches!(trial, Err(CheckpointError::GaveUp { .. })), "{trial:?}");
    // Decoders are never run.
    let file = changed("/decoder", json!({"type": "Replace", "pattern": {"Regex": gives_up}, "content": "C"}));
    assert!(Timed::new(file.to_string().as_bytes()).unwrap().encode(&text, false).is_ok());
    assert!(begin.elapsed().as_secs() < 60);
}

/// Each search below the limit of steps, and many of them: minutes for one molecule.
#[test]
fn one_molecule_has_a_limit_of_time() {
    let many = r"(?:(?:(?=Q)Q|Q){17}!|.)";
    let begin = Instant::now();
    let ours = Timed::new(split(many).to_string().as_bytes()).unwrap();
    assert!(ours.encode("CCQC", false).is_ok());
    let slow = ours.encode(&"Q".repeat(5_000), false).unwrap_err().to_string();
    let wanted = format!(
        "the tokenizer is too slow: `{}…` (5000 letters) took more than 2 s; its regular expressions or its normaliser need an end, so save the folder with another tokenizer.json",
        "Q".repeat(40)
    );
    assert_eq!(slow, wanted);
    // It is not asked again.
    assert!(matches!(ours.encode("C", false), Err(CheckpointError::Slow { .. })));
    let trial = Timed::new(split(&many.replace('Q', "C")).to_string().as_bytes());
    assert!(matches!(trial, Err(CheckpointError::Slow { .. })), "{trial:?}");
    assert!(begin.elapsed().as_secs() < 60, "{:?}", begin.elapsed());
}
