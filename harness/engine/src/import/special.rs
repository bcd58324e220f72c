//! The special tokens of a checkpoint of others, as `config.json` and `tokenizer_config.json` say them.

use std::collections::BTreeMap;

use clmbench_checkpoint::FoundTokenizer;
use clmbench_molecules::ForeignTokenizer;
use clmbench_protocol::{Failure, FailureKind};
use serde_json::{Map, Value};

use crate::failure::Result;

/// Roles of tokens: `pad_token` in `tokenizer_config.json` is `pad_token_id` in `config.json`.
const ROLES: [&str; 7] = ["pad", "unk", "cls", "bos", "sep", "eos", "mask"];
/// The parameter by which an architecture says that `pad_token_id` of its `config.json` is where positions are counted from (RoBERTa's).
const OWN_PADDING: &str = "padding_id";

/// Special tokens by role, and the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Id and text of a role of [`ROLES`].
    roles: BTreeMap<&'static str, (u16, String)>,
    others: Vec<String>,
    /// Whether `pad_token_id` is the architecture's.
    own_padding: bool,
}

impl SpecialTokens {
    /// Those that the files name; begin and end are else what the template of the tokenizer puts.
    pub(super) fn of(found: &FoundTokenizer, tokenizer: &ForeignTokenizer, config: &Map<String, Value>) -> Self {
        let id = |role: &str| {
            let put = match role {
                "unk" => return found.special.unknown,
                "mask" => return found.special.mask,
                "cls" | "bos" => found.special.start,
                "sep" | "eos" => found.special.end,
                _ => None,
            };
            found.named.get(&format!("{role}_token")).copied().or(put)
        };
        let roles: BTreeMap<_, _> =
            ROLES.into_iter().filter_map(|role| Some((role, (id(role)?, tokenizer.token(id(role)?)?)))).collect();
        let others = found.special.others.iter().filter(|other| roles.values().all(|(id, _)| id != *other));
        let others = others.filter_map(|id| tokenizer.token(*id)).collect();
        Self { roles, others, own_padding: config.contains_key(OWN_PADDING) }
    }

    /// Fields of `tokenizer_config.json`.
    pub fn texts(&self) -> Map<String, Value> {
        let mut texts: Map<String, Value> =
            self.roles.iter().map(|(role, (_, text))| (format!("{role}_token"), text.as_str().into())).collect();
        if !self.others.is_empty() {
            texts.insert("additional_special_tokens".into(), self.others.clone().into());
        }
        texts
    }

    /// A `config.json` whose fields of special ids, as far as it has them, are those of this tokenizer; a role that it has not is left out.
    ///
    /// # Errors
    /// [`FailureKind::PluginError`] for what is no JSON object.
    pub fn put(&self, config: &str) -> Result<String> {
        let mut fields: Map<String, Value> = serde_json::from_str(config).map_err(|error| {
            let text = format!("the architecture's config.json is no JSON object: {error}; its plugin has to be mended");
            Failure::new(FailureKind::PluginError, text)
        })?;
        for role in ROLES {
            let field = format!("{role}_token_id");
            if !fields.contains_key(&field) || (role == "pad" && self.own_padding) {
                continue;
            }
            match self.roles.get(role) {
                Some((id, _)) => drop(fields.insert(field, (*id).into())),
                None => drop(fields.remove(&field)),
            }
        }
        Ok(Value::Object(fields).to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn tokens(own_padding: bool) -> SpecialTokens {
        let roles = [("pad", (7, "<fill>".to_owned())), ("eos", (9, "</s>".to_owned()))].into();
        SpecialTokens { roles, others: vec!["<extra>".into()], own_padding }
    }

    #[test]
    fn fields_that_are_there_get_the_ids_and_lose_those_that_there_are_not() {
        let written = r#"{"bos_token_id":2,"eos_token_id":3,"hidden_size":16,"pad_token_id":0}"#;
        assert_eq!(tokens(false).put(written).unwrap(), r#"{"eos_token_id":9,"hidden_size":16,"pad_token_id":7}"#);
        // Where positions are counted from it, the architecture's number stays.
        assert_eq!(tokens(true).put(written).unwrap(), r#"{"eos_token_id":9,"hidden_size":16,"pad_token_id":0}"#);
        assert_eq!(tokens(false).put("{}").unwrap(), "{}");
        assert!(tokens(false).put("[]").unwrap_err().message.starts_with("the architecture's config.json is no JSON object"));
        let texts = json!({"pad_token": "<fill>", "eos_token": "</s>", "additional_special_tokens": ["<extra>"]});
        assert_eq!(Value::Object(tokens(false).texts()), texts);
    }
}
