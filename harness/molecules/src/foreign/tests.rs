#![allow(clippy::unwrap_used)]
use super::*;

const LETTERS: &str = r#"{"type":"Split","pattern":{"Regex":"."},"behavior":"Isolated","invert":false}"#;
const TEMPLATE: &str = r#"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},
    {"SpecialToken":{"id":"</s>","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],
    "special_tokens":{"<s>":{"id":"<s>","ids":[0],"tokens":["<s>"]},"</s>":{"id":"</s>","ids":[2],"tokens":["</s>"]}}}"#;
const MODEL: &str =
    r#"{"type":"WordLevel","vocab":{"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"<mask>":4,"C":9,"O":6,"N":7},"unk_token":"<unk>"}"#;

fn special() -> Special {
    Special { pad: 1, unknown: Some(3), start: Some(0), end: Some(2), mask: Some(4), others: Vec::new() }
}

fn opened(model: &str, template: &str, special: Special, max_tokens: u32) -> Result<ForeignTokenizer, MoleculesError> {
    opened_with("null", model, template, (special, max_tokens))
}

fn opened_with(
    truncation: &str,
    model: &str,
    template: &str,
    (special, max_tokens): (Special, u32),
) -> Result<ForeignTokenizer, MoleculesError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let json = format!(
        r#"{{"version":"1.0","truncation":{truncation},"padding":null,
        "added_tokens":[],"normalizer":null,"pre_tokenizer":{LETTERS},"post_processor":{template},"decoder":null,"model":{model}}}"#
    );
    std::fs::write(file.path(), &json).unwrap();
    let spec = TokenizerSpec { kind: KIND.into(), max_tokens, digest: Some(blake3_hex(json.as_bytes())), special: Some(special) };
    ForeignTokenizer::open(file.path(), &spec)
}

#[test]
fn the_tokenizers_own_template_stands_around_a_molecule() {
    let tokenizer = opened(MODEL, TEMPLATE, special(), 6).unwrap();
    assert_eq!((tokenizer.vocabulary_size(), tokenizer.max_tokens()), (10, 6));
    let tokens = tokenizer.encode("CON").unwrap();
    assert_eq!((tokens.ids, tokens.truncated, tokens.unknown, tokens.counts), (vec![0, 9, 6, 7, 2], false, false, (3, 0)));
    let tokens = tokenizer.encode("CFNOOO").unwrap();
    assert_eq!((tokens.ids, tokens.truncated, tokens.unknown, tokens.counts), (vec![0, 9, 3, 7, 6, 2], true, true, (6, 1)));
    // Without a template nothing is added.
    let bare = opened(MODEL, "null", special(), 2).unwrap();
    assert_eq!(bare.encode("CO").unwrap().ids, [9, 6]);
    assert_eq!(bare.encode("CON").unwrap().ids, [9, 6]);
    // As the library itself cuts it.
    let mut library = tokenizers::Tokenizer::from_bytes(&tokenizer.json).unwrap();
    library.with_truncation(Some(tokenizers::TruncationParams { max_length: 6, ..Default::default() })).unwrap();
    let wanted: Vec<u16> = library.encode("CFNOOO", true).unwrap().get_ids().iter().map(|id| *id as u16).collect();
    assert_eq!(tokenizer.encode("CFNOOO").unwrap().ids, wanted);
}

#[test]
fn dropped_letters_are_unknown_and_nothing_is_never_empty() {
    let dropping = r#"{"type":"BPE","vocab":{"C":0,"O":1},"merges":[],"unk_token":null}"#;
    let without = Special { pad: 1, unknown: None, start: None, end: None, mask: None, others: Vec::new() };
    let tokenizer = opened(dropping, "null", without, 8).unwrap();
    let tokens = tokenizer.encode("C[Na]O").unwrap();
    assert_eq!((tokens.ids, tokens.unknown, tokens.counts), (vec![0, 1], true, (6, 4)));
    assert_eq!(tokenizer.encode("[Na]").unwrap().ids, [1]);
}

#[test]
fn unfit_files_and_settings_are_typed_errors() {
    assert!(matches!(
        opened(MODEL, TEMPLATE, special(), 2),
        Err(MoleculesError::Setting { setting: "tokenizer.max_tokens", .. })
    ));
    let large = r#"{"type":"WordLevel","vocab":{"C":65535},"unk_token":"C"}"#;
    assert!(matches!(opened(large, "null", special(), 8), Err(MoleculesError::Damaged { .. })));
    let cutting = r#"{"direction":"Right","max_length":4,"strategy":"LongestFirst","stride":0}"#;
    assert!(matches!(opened_with(cutting, MODEL, TEMPLATE, (special(), 8)), Err(MoleculesError::Damaged { .. })));
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut spec = TokenizerSpec { kind: KIND.into(), digest: Some("0".into()), ..TokenizerSpec::default() };
    assert!(matches!(ForeignTokenizer::open(file.path(), &spec), Err(MoleculesError::Setting { .. })));
    spec.special = Some(special());
    assert!(matches!(ForeignTokenizer::open(file.path(), &spec), Err(MoleculesError::WrongDigest { .. })));
}
