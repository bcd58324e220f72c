//! Cell identity: BLAKE3 of a canonical form of everything that can change the value.
//!
//! Canonical form: JSON without whitespace, keys sorted by their bytes at every level, whole numbers in decimal,
//! numbers with a fraction or an exponent as the bits of their `f64` (`0x` and 16 hex digits), strings as JSON
//! strings. Key order, number formatting and the platform do not matter; every other change does.

use clmbench_protocol::{CellSpec, IDENTITY_VERSION};
use serde_json::{Value, json};

/// The specification cannot be written as JSON (a map with keys that are not strings; never for our types).
#[derive(Debug, thiserror::Error)]
#[error("a cell's definition cannot be written as JSON: {0}. This is a defect of clmbench; please report it.")]
pub struct IdentityError(#[from] serde_json::Error);

/// Identity of a cell: 64 lower-case hex digits.
///
/// # Errors
/// [`IdentityError`].
pub fn identity(spec: &CellSpec) -> Result<String, IdentityError> {
    let value = json!({ "identity_version": IDENTITY_VERSION, "spec": serde_json::to_value(spec)? });
    Ok(blake3::hash(canonical(&value).as_bytes()).to_hex().to_string())
}

/// The canonical form of a JSON value.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(whole), _, _) => text.push_str(&whole.to_string()),
            (_, Some(whole), _) => text.push_str(&whole.to_string()),
            (_, _, Some(float)) => text.push_str(&format!("0x{:016x}", float.to_bits())),
            _ => text.push_str(&number.to_string()),
        },
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|left, right| left.0.as_bytes().cmp(right.0.as_bytes()));
            text.push('{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(item, text);
            }
            text.push('}');
        }
        plain => text.push_str(&plain.to_string()),
    }
}
