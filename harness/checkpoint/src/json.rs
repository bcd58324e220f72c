//! JSON of others, strictly: a name that stands twice in an object is an error (readers differ in which one they take), as are nesting
//! beyond 128 levels and numbers beyond a double (both by serde_json).

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::error::{CheckpointError, shown};

/// A value without doubled names.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Reader)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(de::Error::custom(format!("the name `{}` stands twice in one object", shown(&name))));
            }
            let value = entries.next_value_seed(Reader)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// Reads the JSON object of a file.
///
/// # Errors
/// [`CheckpointError::Json`] for text that is no JSON, no object, or has doubled names.
pub(crate) fn object(file: &str, bytes: &[u8]) -> Result<Map<String, Value>, CheckpointError> {
    let wrong = |what: String| CheckpointError::Json { file: file.into(), what };
    let text = std::str::from_utf8(bytes).map_err(|error| wrong(format!("not UTF-8 at byte {}", error.valid_up_to())))?;
    match serde_json::from_str::<Strict>(text) {
        Ok(Strict(Value::Object(object))) => Ok(object),
        Ok(Strict(other)) => Err(wrong(format!("it is {}, and must be an object", kind(&other)))),
        Err(error) => Err(wrong(shown(&error.to_string()))),
    }
}

/// What a value is, in words and shortened.
pub(crate) fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        other => format!("`{}`", shown(&other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn error(text: &str) -> String {
        object("config.json", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn sound_json_is_as_serde_json_reads_it() {
        let text = r#"{"a": [1, -2, 2.5, null, true, "x\u0000"], "b": {"c": {}}, "d": 18446744073709551615}"#;
        assert_eq!(Value::Object(object("f", text.as_bytes()).unwrap()), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn bad_json_is_an_error_with_its_place() {
        let start = "`config.json` is not readable: ";
        let end = "; download or save it again";
        assert_eq!(
            error(r#"{"a": 1, "a": 2}"#),
            format!("{start}the name `a` stands twice in one object at line 1 column 12{end}")
        );
        assert!(error(r#"{"x": {"a\u001b": 1, "a\u001b": 2}}"#).contains("`a\\u{1b}`"));
        assert_eq!(error("[]"), format!("{start}it is a list, and must be an object{end}"));
        assert_eq!(error("{\"a\": 1e999}"), format!("{start}number out of range at line 1 column 11{end}"));
        assert_eq!(
            object("f", b"{\"\xff\": 1}").unwrap_err().to_string(),
            "`f` is not readable: not UTF-8 at byte 2; download or save it again"
        );
        let deep = format!("{}{}{}", "{\"a\":".repeat(100_000), "1", "}".repeat(100_000));
        assert_eq!(error(&deep), format!("{start}recursion limit exceeded at line 1 column 636{end}"));
        assert!(error("").contains("EOF") && error("{}x").contains("trailing"));
    }
}
