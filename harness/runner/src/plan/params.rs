//! Parameters of architectures and metrics: checked, converted and filled in from the declared defaults.

use clmbench_protocol::{ParameterInfo, ParameterKind};
use serde_json::{Map, Value, json};

use super::PlanError;
use crate::{nearest::hint, suite::Place};

/// Every declared parameter with the given or its default value. A whole number given for a `Float` becomes one, so
/// that `2` and `2.0` are the same.
pub(super) fn fill(
    owner: &str,
    declared: &[ParameterInfo],
    given: &Map<String, Value>,
    place: &Place,
) -> Result<Map<String, Value>, PlanError> {
    let names: Vec<&str> = declared.iter().map(|info| info.name.as_str()).collect();
    if let Some(key) = given.keys().find(|key| !names.contains(&key.as_str())) {
        let (place, owner, hint) = (place.clone(), owner.to_owned(), hint(key, &names));
        return Err(PlanError::UnknownParameter { place, owner, key: key.clone(), hint });
    }
    let mut filled = Map::new();
    for info in declared {
        if info.is_optional() && given.get(&info.name).is_none_or(Value::is_null) {
            continue;
        }
        let value = given.get(&info.name).unwrap_or(&info.default);
        let value = convert(info, value).map_err(|message| PlanError::BadParameter {
            place: place.clone(),
            owner: owner.to_owned(),
            key: info.name.clone(),
            message,
        })?;
        filled.insert(info.name.clone(), value);
    }
    Ok(filled)
}

/// A value as the parameter wants it.
///
/// # Errors
/// A sentence: another type, out of bounds, or none of the choices.
pub fn convert(info: &ParameterInfo, value: &Value) -> Result<Value, String> {
    let otherwise = if info.is_optional() { "it may be left out".to_owned() } else { format!("the default is {}", info.default) };
    let wrong = |wanted: &str| Err(format!("{value} is not {wanted}; {otherwise}."));
    let converted = match (info.kind, value) {
        (ParameterKind::Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => value.clone(),
        (ParameterKind::Integer, _) => return wrong("a whole number"),
        (ParameterKind::Float, Value::Number(number)) => json!(number.as_f64()),
        (ParameterKind::Float, _) => return wrong("a number"),
        (ParameterKind::Boolean, Value::Bool(_)) => value.clone(),
        (ParameterKind::Boolean, _) => return wrong("`true` or `false`"),
        (ParameterKind::Text, Value::String(_)) => value.clone(),
        (ParameterKind::Text, _) => return wrong("a string"),
    };
    if let Some(number) = converted.as_f64() {
        if let Some(minimum) = info.minimum.filter(|minimum| number < *minimum) {
            return Err(format!("{value} is below its smallest value, {minimum}."));
        }
        if let Some(maximum) = info.maximum.filter(|maximum| number > *maximum) {
            return Err(format!("{value} is above its largest value, {maximum}."));
        }
    }
    if let Some(word) = converted.as_str()
        && !info.choices.is_empty()
        && !info.choices.iter().any(|choice| choice == word)
    {
        let choices: Vec<&str> = info.choices.iter().map(String::as_str).collect();
        return Err(format!("`{}` is not a choice.{}", word.escape_debug(), hint(word, &choices)));
    }
    Ok(converted)
}
