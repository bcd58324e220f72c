//! Values on their way into SQLite and back: floats with NaN and infinities, unsigned integers, words, JSON.

use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::StoreError;

/// A float: REAL when finite, else the text `NaN`, `inf` or `-inf` (SQLite would turn NaN into NULL).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Float(pub f64);

impl ToSql for Float {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(if self.0.is_finite() {
            ToSqlOutput::Owned(Value::Real(self.0))
        } else if self.0.is_nan() {
            ToSqlOutput::Borrowed(ValueRef::Text(b"NaN"))
        } else if self.0 > 0.0 {
            ToSqlOutput::Borrowed(ValueRef::Text(b"inf"))
        } else {
            ToSqlOutput::Borrowed(ValueRef::Text(b"-inf"))
        })
    }
}

impl FromSql for Float {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Real(value) => Ok(Self(value)),
            ValueRef::Text(b"NaN") => Ok(Self(f64::NAN)),
            ValueRef::Text(b"inf") => Ok(Self(f64::INFINITY)),
            ValueRef::Text(b"-inf") => Ok(Self(f64::NEG_INFINITY)),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// A count as SQLite's signed integer.
pub(crate) fn integer(count: u64) -> Result<i64, StoreError> {
    i64::try_from(count).map_err(|_| StoreError::invalid(format!("{count} is too large to be stored (at most 2^63 - 1)")))
}

/// A stored count.
pub(crate) fn count(stored: i64) -> Result<u64, StoreError> {
    u64::try_from(stored).map_err(|_| StoreError::malformed(format!("negative count {stored}")))
}

/// A count that may be unknown.
pub(crate) fn maybe(stored: Option<i64>) -> Result<Option<u64>, StoreError> {
    stored.map(count).transpose()
}

/// A stored small count.
pub(crate) fn small(stored: i64) -> Result<u32, StoreError> {
    u32::try_from(stored).map_err(|_| StoreError::malformed(format!("count {stored} is out of range")))
}

/// A stored seed.
pub(crate) fn seed(stored: &str) -> Result<u64, StoreError> {
    stored.parse().map_err(|_| StoreError::malformed(format!("`{stored}` is no seed")))
}

/// JSON text of a value; maps have sorted keys.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::invalid(format!("not representable as JSON: {error}")))
}

/// The value of a stored JSON text.
pub(crate) fn from_json<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::malformed(format!("{what}: {error}")))
}

/// The word of an enum that serialises to a string, such as `masked_lm`.
pub(crate) fn word<T: Serialize>(value: &T) -> Result<String, StoreError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        other => Err(StoreError::invalid(format!("not a word: {other:?}"))),
    }
}

/// The enum of a stored word.
pub(crate) fn from_word<T: DeserializeOwned>(word: String) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(word)).map_err(|error| StoreError::malformed(error.to_string()))
}

/// The first place at which two JSON values differ, for messages: `path: left, right`.
pub(crate) fn difference(left: &serde_json::Value, right: &serde_json::Value) -> Option<String> {
    fn short(value: Option<&serde_json::Value>) -> String {
        let text = value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        if text.chars().count() > 60 { format!("{}...", text.chars().take(57).collect::<String>()) } else { text }
    }
    fn walk(left: Option<&serde_json::Value>, right: Option<&serde_json::Value>, path: &str) -> Option<String> {
        use serde_json::Value::{Array, Object};
        match (left, right) {
            (Some(Object(one)), Some(Object(other))) => {
                let keys: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
                keys.into_iter().find_map(|key| walk(one.get(key), other.get(key), &format!("{path}.{key}")))
            }
            (Some(Array(one)), Some(Array(other))) => (0..one.len().max(other.len()))
                .find_map(|index| walk(one.get(index), other.get(index), &format!("{path}[{index}]"))),
            (one, other) if one == other => None,
            (one, other) => Some(format!("{}: {} and {}", path.trim_start_matches('.'), short(one), short(other))),
        }
    }
    walk(Some(left), Some(right), "")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_float_survives_sqlite_bit_for_bit() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (x ANY) STRICT").unwrap();
        let values =
            [0.0, -0.0, 1.0, -3.0, 0.1, 5e-324, f64::MAX, f64::MIN, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e15, 9e18];
        for value in values {
            connection.execute("INSERT INTO t VALUES (?1)", [Float(value)]).unwrap();
        }
        let mut statement = connection.prepare("SELECT x FROM t ORDER BY rowid").unwrap();
        let back: Vec<f64> = statement.query_map([], |row| Ok(row.get::<_, Float>(0)?.0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(values.map(f64::to_bits).to_vec(), back.iter().map(|value| value.to_bits()).collect::<Vec<_>>());
        let finite: i64 = connection.query_row("SELECT count(*) FROM t WHERE typeof(x) = 'real'", [], |row| row.get(0)).unwrap();
        assert_eq!(finite, 10);
        assert!(connection.query_row("SELECT 'Nan'", [], |row| row.get::<_, Float>(0)).is_err());
        assert!(connection.query_row("SELECT NULL", [], |row| row.get::<_, Option<Float>>(0)).unwrap().is_none());
    }

    #[test]
    fn differences_are_named_by_their_place() {
        let left = serde_json::json!({"a": [1, {"b": 2.0}], "c": "x"});
        let right = serde_json::json!({"a": [1, {"b": 2.5}], "c": "y"});
        assert_eq!(difference(&left, &right).unwrap(), "a[1].b: 2.0 and 2.5");
        assert_eq!(difference(&left, &left), None);
        assert_eq!(difference(&serde_json::json!([1]), &serde_json::json!([1, 2])).unwrap(), "[1]: nothing and 2");
    }
}
