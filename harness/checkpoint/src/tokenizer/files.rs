//! A `tokenizer.json` made of vocabulary files, as the converters of the `transformers` package make it
//! (version 5.23: `tokenization_bert.py`, `tokenization_roberta.py`, `tokenization_gpt2.py`); the tests compare tokens with it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{SMILES_REGEX, Settings, judge::LARGEST_ID};
use crate::{
    error::{CheckpointError, shown},
    folder::Folder,
};

/// Families of tokenizers that need no `tokenizer.json`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    /// WordPiece over `vocab.txt`.
    Bert,
    /// Byte-level BPE between `<s>` and `</s>`.
    Roberta,
    /// Byte-level BPE without a template.
    Gpt2,
    /// The SMILES regex over a list of whole tokens.
    Smiles,
}

const CLASSES: [(&str, Family); 8] = [
    ("BertTokenizer", Family::Bert),
    ("DistilBertTokenizer", Family::Bert),
    ("ElectraTokenizer", Family::Bert),
    ("RobertaTokenizer", Family::Roberta),
    ("GPT2Tokenizer", Family::Gpt2),
    ("MolformerTokenizer", Family::Smiles),
    ("MolTranBertTokenizer", Family::Smiles),
    ("SmilesTokenizer", Family::Smiles),
];

/// Families by the word of the architecture, where no class is named.
const TYPES: [(&str, Family); 7] = [
    ("bert", Family::Bert),
    ("distilbert", Family::Bert),
    ("electra", Family::Bert),
    ("roberta", Family::Roberta),
    ("gpt2", Family::Gpt2),
    ("gpt_neo", Family::Gpt2),
    ("molformer", Family::Smiles),
];

const NEXT: &str = "save a tokenizer.json beside it: `AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)` of the `transformers` package writes one";

type Vocabulary = BTreeMap<String, u64>;

/// A tokenizer of the vocabulary files, and the name of the file that it is made of.
pub(super) fn made(
    folder: &Folder,
    settings: &Settings,
    notes: &mut Vec<String>,
) -> Result<(&'static str, Map<String, Value>), CheckpointError> {
    let file = ["vocab.txt", "vocab.json"].into_iter().find(|file| folder.has(file));
    let Some(file) = file else {
        return Err(folder.missing("tokenizer.json", "nor vocabulary files; copy the tokenizer from where the weights come from"));
    };
    let family = family(settings, file)?;
    let vocabulary = match file {
        "vocab.txt" => lines(&text(folder, file)?, notes),
        _ => ids(folder, file)?,
    };
    if let Some((token, id)) = vocabulary.iter().find(|(_, id)| **id > LARGEST_ID) {
        return Err(CheckpointError::tokenizer(
            file,
            format!("`{}` has the id {id}, and ids go up to {LARGEST_ID}", shown(token)),
        ));
    }
    let made = Made { file, settings, vocabulary };
    let tokenizer = match (family, file) {
        (Family::Bert, "vocab.txt") => made.word_piece()?,
        (Family::Roberta | Family::Gpt2, "vocab.json") => {
            if !folder.has("merges.txt") {
                return Err(folder.missing("merges.txt", "a tokenizer of byte pairs needs it beside vocab.json"));
            }
            made.byte_pairs(family, merges(&text(folder, "merges.txt")?)?)?
        }
        (Family::Smiles, _) => {
            notes.push("the tokenizer is the SMILES regex of Schwaller et al. over the vocabulary; letters that the regex does not know are dropped, as its class does".into());
            made.smiles()?
        }
        _ => return Err(CheckpointError::tokenizer(file, format!("its class needs another file of the vocabulary; {NEXT}"))),
    };
    let mut tokenizer = object(tokenizer);
    add(folder, &mut tokenizer)?;
    Ok((file, tokenizer))
}

fn family(settings: &Settings, file: &str) -> Result<Family, CheckpointError> {
    let class = settings.config.get("tokenizer_class").and_then(Value::as_str);
    let found = match class {
        Some(class) => {
            let plain = class.strip_suffix("Fast").unwrap_or(class);
            CLASSES.iter().find(|(name, _)| *name == plain).map(|(_, family)| *family)
        }
        None => TYPES.iter().find(|(word, _)| *word == settings.model_type).map(|(_, family)| *family),
    };
    found.ok_or_else(|| {
        let known: Vec<&str> = CLASSES.iter().map(|(name, _)| *name).collect();
        let is = class.map_or_else(
            || "no class of a tokenizer is named".into(),
            |class| format!("its class `{}` is unknown", shown(class)),
        );
        CheckpointError::tokenizer(file, format!("{is} (known without a tokenizer.json: {}); {NEXT}", known.join(", ")))
    })
}

fn text(folder: &Folder, file: &str) -> Result<String, CheckpointError> {
    let bytes = folder.bytes(file)?.unwrap_or_default();
    String::from_utf8(bytes).map_err(|error| {
        CheckpointError::tokenizer(file, format!("it is not UTF-8 at byte {}", error.utf8_error().valid_up_to()))
    })
}

/// A token a line; its id is the number of the line, and of a token that stands twice the last.
fn lines(text: &str, notes: &mut Vec<String>) -> Vocabulary {
    let mut vocabulary = Vocabulary::new();
    let mut count = 0;
    for (id, line) in (0..).zip(text.lines()) {
        vocabulary.insert(line.to_owned(), id);
        count += 1;
    }
    if vocabulary.len() < count {
        notes.push(format!("{} lines of `vocab.txt` stand there before; the last of them counts", count - vocabulary.len()));
    }
    vocabulary
}

/// An object of tokens and ids, each id once.
fn ids(folder: &Folder, file: &'static str) -> Result<Vocabulary, CheckpointError> {
    let wrong = |what: String| CheckpointError::tokenizer(file, what);
    let mut vocabulary = Vocabulary::new();
    let mut owners = BTreeMap::new();
    for (token, id) in folder.object(file)?.unwrap_or_default() {
        let id = id.as_u64().ok_or_else(|| wrong(format!("the id of `{}` is no whole number from 0", shown(&token))))?;
        if let Some(other) = owners.insert(id, token.clone()) {
            return Err(wrong(format!("`{}` and `{}` have the same id {id}", shown(&other), shown(&token))));
        }
        vocabulary.insert(token, id);
    }
    Ok(vocabulary)
}

/// Pairs of `merges.txt`.
fn merges(text: &str) -> Result<Vec<Value>, CheckpointError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with("#version"));
    let pairs = lines.map(|(number, line)| match line.split(' ').collect::<Vec<_>>()[..] {
        [a, b] => Ok(json!([a, b])),
        _ => Err(CheckpointError::tokenizer(
            "merges.txt",
            format!("line {} is not two tokens and a blank between them", number + 1),
        )),
    });
    pairs.collect()
}

struct Made<'a> {
    file: &'static str,
    settings: &'a Settings,
    vocabulary: Vocabulary,
}

impl Made<'_> {
    /// Text of a special token: as named, else as the class has it.
    fn token<'a>(&'a self, field: &str, usual: &'a str) -> &'a str {
        self.settings.token(field).unwrap_or(usual)
    }

    /// The same with its id.
    fn with_id<'a>(&'a self, field: &str, usual: &'a str) -> Result<(&'a str, u64), CheckpointError> {
        let text = self.token(field, usual);
        let id = self.vocabulary.get(text).copied();
        let missing =
            || CheckpointError::tokenizer(self.file, format!("`{field}`, which is `{}`, is not in the vocabulary", shown(text)));
        Ok((text, id.ok_or_else(missing)?))
    }

    /// BERT (Devlin et al. 2018): words by blanks and punctuation, pieces of words.
    fn word_piece(&self) -> Result<Value, CheckpointError> {
        let (start, end) = (self.with_id("cls_token", "[CLS]")?, self.with_id("sep_token", "[SEP]")?);
        let normalizer = json!({
            "type": "BertNormalizer",
            "clean_text": true,
            "handle_chinese_chars": self.settings.flag("tokenize_chinese_chars", true),
            "strip_accents": self.settings.config.get("strip_accents").and_then(Value::as_bool),
            "lowercase": self.settings.flag("do_lower_case", true),
        });
        let unknown = self.with_id("unk_token", "[UNK]")?.0;
        let special = [start.0, end.0, unknown, self.token("pad_token", "[PAD]"), self.token("mask_token", "[MASK]")];
        Ok(json!({
            "version": "1.0",
            "added_tokens": self.special(&special),
            "normalizer": normalizer,
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": template(start, end),
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "model": {
                "type": "WordPiece", "unk_token": unknown, "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                "vocab": self.vocabulary,
            },
        }))
    }

    /// GPT-2 (Radford et al. 2019) and RoBERTa (Liu et al. 2019): byte pairs over all 256 bytes.
    fn byte_pairs(&self, family: Family, merges: Vec<Value>) -> Result<Value, CheckpointError> {
        let space = self.settings.flag("add_prefix_space", false);
        let (special, processor) = if family == Family::Roberta {
            let (start, end) = (self.with_id("cls_token", "<s>")?, self.with_id("sep_token", "</s>")?);
            let processor = json!({
                "type": "RobertaProcessing", "sep": [end.0, end.1], "cls": [start.0, start.1], "trim_offsets": true, "add_prefix_space": space,
            });
            let (pad, unknown) = (self.token("pad_token", "<pad>"), self.token("unk_token", "<unk>"));
            (vec![start.0, end.0, pad, unknown, self.token("mask_token", "<mask>")], processor)
        } else {
            let plain = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true});
            let start =
                self.settings.flag("add_bos_token", false).then(|| self.with_id("bos_token", "<|endoftext|>")).transpose()?;
            let fields = ["bos_token", "eos_token", "unk_token"].map(|field| self.token(field, "<|endoftext|>"));
            let pad = self.settings.token("pad_token");
            let processor = start.map_or(plain, |(text, id)| {
                json!({
                    "type": "TemplateProcessing",
                    "single": [{"SpecialToken": {"id": text, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                    "special_tokens": {text: {"id": text, "ids": [id], "tokens": [text]}},
                })
            });
            (fields.into_iter().chain(pad).collect(), processor)
        };
        let level = json!({"type": "ByteLevel", "add_prefix_space": space, "trim_offsets": true, "use_regex": true});
        Ok(json!({
            "version": "1.0",
            "added_tokens": self.special(&special),
            "pre_tokenizer": level,
            "post_processor": processor,
            "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
            "model": {
                "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
                "fuse_unk": false, "byte_fallback": false, "vocab": self.vocabulary, "merges": merges,
            },
        }))
    }

    /// The SMILES regex over whole tokens: `findall`, so that what the regex does not match is dropped.
    fn smiles(&self) -> Result<Value, CheckpointError> {
        let has = |text: &&str| self.vocabulary.contains_key(*text);
        let usual = |texts: [&'static str; 2]| texts.into_iter().find(has).unwrap_or(texts[0]);
        let start = match self.settings.token("bos_token") {
            Some(_) => self.with_id("bos_token", "")?,
            None => self.with_id("cls_token", usual(["<bos>", "[CLS]"]))?,
        };
        let end = match self.settings.token("eos_token") {
            Some(_) => self.with_id("eos_token", "")?,
            None => self.with_id("sep_token", usual(["<eos>", "[SEP]"]))?,
        };
        let unknown = self
            .with_id("unk_token", usual(["<unk>", "[UNK]"]))
            .or_else(|_| self.with_id("pad_token", usual(["<pad>", "[PAD]"])))?
            .0;
        let (pad, mask) =
            (self.token("pad_token", usual(["<pad>", "[PAD]"])), self.token("mask_token", usual(["<mask>", "[MASK]"])));
        Ok(json!({
            "version": "1.0",
            "added_tokens": self.special(&[start.0, end.0, unknown, pad, mask]),
            "pre_tokenizer": {"type": "Split", "pattern": {"Regex": SMILES_REGEX}, "behavior": "Removed", "invert": true},
            "post_processor": template(start, end),
            "decoder": {"type": "Fuse"},
            "model": {"type": "WordLevel", "vocab": self.vocabulary, "unk_token": unknown},
        }))
    }

    /// Added tokens of those of these texts that the vocabulary has, by id.
    fn special(&self, texts: &[&str]) -> Vec<Value> {
        let of: BTreeMap<u64, &str> = texts.iter().filter_map(|text| Some((*self.vocabulary.get(*text)?, *text))).collect();
        of.into_iter().map(|(id, text)| token(id, text, true)).collect()
    }
}

fn token(id: u64, text: &str, special: bool) -> Value {
    json!({
        "id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false, "normalized": !special, "special": special,
    })
}

/// Start, molecule, end.
fn template(start: (&str, u64), end: (&str, u64)) -> Value {
    let token = |of: (&str, u64), kind: u8| json!({"SpecialToken": {"id": of.0, "type_id": kind}});
    let sequence = |id: &str, kind: u8| json!({"Sequence": {"id": id, "type_id": kind}});
    let mut special = Map::new();
    for (text, id) in [start, end] {
        special.insert(text.into(), json!({"id": text, "ids": [id], "tokens": [text]}));
    }
    json!({
        "type": "TemplateProcessing",
        "single": [token(start, 0), sequence("A", 0), token(end, 0)],
        "pair": [token(start, 0), sequence("A", 0), token(end, 0), sequence("B", 1), token(end, 1)],
        "special_tokens": special,
    })
}

/// Tokens of `added_tokens.json`, by id.
fn add(folder: &Folder, tokenizer: &mut Map<String, Value>) -> Result<(), CheckpointError> {
    const FILE: &str = "added_tokens.json";
    let mut more: Vec<(u64, String)> = Vec::new();
    for (text, id) in folder.object(FILE)?.unwrap_or_default() {
        let id = id
            .as_u64()
            .ok_or_else(|| CheckpointError::tokenizer(FILE, format!("the id of `{}` is no whole number from 0", shown(&text))))?;
        more.push((id, text));
    }
    more.sort();
    if let Some(Value::Array(added)) = tokenizer.get_mut("added_tokens") {
        added.extend(more.into_iter().map(|(id, text)| token(id, &text, false)));
    }
    Ok(())
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
