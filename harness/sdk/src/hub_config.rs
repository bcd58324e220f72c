//! `config.json` of a checkpoint in the Hugging Face layout, read by type.

use clmbench_protocol::{ArchitectureInfo, ImportedConfig, ParameterInfo};
use serde_json::{Map, Value};

use crate::PluginError;

/// A `config.json`. Errors name the field, what it is and what is needed.
#[derive(Debug, Clone, Default)]
pub struct HubConfig(Map<String, Value>);

impl HubConfig {
    /// From the text of a `config.json`.
    ///
    /// # Errors
    /// [`PluginError::Input`] when the text is not a JSON object.
    pub fn parse(json: &str) -> Result<Self, PluginError> {
        match serde_json::from_str(json) {
            Ok(map) => Ok(Self(map)),
            Err(error) => Err(PluginError::Input(format!("config.json is not a JSON object: {error}"))),
        }
    }

    /// A field as it stands; none where it is absent or null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Whether a field is there and null.
    pub fn is_null(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(Value::is_null)
    }

    fn read<T>(&self, name: &str, kind: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>, PluginError> {
        let wrong = |value: &Value| {
            let shown: String = value.to_string().chars().take(80).collect();
            PluginError::Input(format!("config.json: `{name}` is {shown}, not {kind}"))
        };
        self.get(name).map(|value| read(value).ok_or_else(|| wrong(value))).transpose()
    }

    fn needed<T>(&self, name: &str, kind: &str, found: Option<T>) -> Result<T, PluginError> {
        found.ok_or_else(|| PluginError::Input(format!("config.json has no `{name}`; {kind} is needed")))
    }

    /// A whole number that must be there, at least 1 and at most 2^31 - 1.
    ///
    /// # Errors
    /// [`PluginError::Input`] when it is absent, of another type or out of bounds.
    pub fn integer(&self, name: &str) -> Result<i64, PluginError> {
        let kind = "a whole number from 1 to 2147483647";
        let found = self.read(name, kind, |value| value.as_i64().filter(|number| (1..=i64::from(i32::MAX)).contains(number)))?;
        self.needed(name, kind, found)
    }

    /// A whole number from 0 to 2^31 - 1, or what stands for an absent one.
    ///
    /// # Errors
    /// [`PluginError::Input`] when it is of another type or out of bounds.
    pub fn integer_or(&self, name: &str, absent: i64) -> Result<i64, PluginError> {
        let kind = "a whole number from 0 to 2147483647";
        let found = self.read(name, kind, |value| value.as_i64().filter(|number| (0..=i64::from(i32::MAX)).contains(number)))?;
        Ok(found.unwrap_or(absent))
    }

    /// A finite number, or what stands for an absent one.
    ///
    /// # Errors
    /// [`PluginError::Input`] when it is of another type.
    pub fn float_or(&self, name: &str, absent: f64) -> Result<f64, PluginError> {
        Ok(self.read(name, "a number", |value| value.as_f64().filter(|number| number.is_finite()))?.unwrap_or(absent))
    }

    /// `true` or `false`, or what stands for an absent one.
    ///
    /// # Errors
    /// [`PluginError::Input`] when it is of another type.
    pub fn boolean_or(&self, name: &str, absent: bool) -> Result<bool, PluginError> {
        Ok(self.read(name, "true or false", Value::as_bool)?.unwrap_or(absent))
    }

    /// A string, or what stands for an absent one.
    ///
    /// # Errors
    /// [`PluginError::Input`] when it is of another type.
    pub fn text_or(&self, name: &str, absent: &str) -> Result<String, PluginError> {
        Ok(self.read(name, "a string", |value| value.as_str().map(str::to_owned))?.unwrap_or_else(|| absent.to_owned()))
    }

    /// A list of strings; none where it is absent.
    ///
    /// # Errors
    /// [`PluginError::Input`] when it is of another type.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, PluginError> {
        let strings = |value: &Value| value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        self.read(name, "a list of strings", strings)
    }

    /// The fields of an object inside; none where it is absent.
    ///
    /// # Errors
    /// [`PluginError::Input`] when it is of another type.
    pub fn object(&self, name: &str) -> Result<Option<Self>, PluginError> {
        self.read(name, "an object", |value| value.as_object().cloned().map(Self))
    }

    /// A string that must be one of these; the absent one stands for a field that is not there.
    ///
    /// # Errors
    /// [`PluginError::Input`] for another word: the model does not compute it.
    pub fn word(&self, name: &str, known: &[&str], absent: &str) -> Result<String, PluginError> {
        let found = self.text_or(name, absent)?;
        if known.contains(&found.as_str()) {
            return Ok(found);
        }
        let (found, known): (String, String) = (found.chars().take(80).collect(), known.join("`, `"));
        Err(PluginError::Input(format!("config.json: `{name}` is `{found}`; this architecture computes `{known}`")))
    }

    /// That a switch stands as the model computes it; `absent` stands for a field that is not there.
    ///
    /// # Errors
    /// [`PluginError::Input`] for the other position.
    pub fn must(&self, name: &str, wanted: bool, absent: bool) -> Result<(), PluginError> {
        let found = self.boolean_or(name, absent)?;
        if found == wanted {
            return Ok(());
        }
        Err(PluginError::Input(format!("config.json: `{name}` is {found}; this architecture computes {wanted} alone")))
    }
    /// The width of each of so many equal parts, such as `hidden_size` over `num_attention_heads`.
    ///
    /// # Errors
    /// [`PluginError::Input`] when one of them is absent or out of bounds, or the parts are not equal.
    pub fn part(&self, whole: &str, parts: &str) -> Result<i64, PluginError> {
        let (width, count) = (self.integer(whole)?, self.integer(parts)?);
        if width % count == 0 {
            return Ok(width / count);
        }
        Err(PluginError::Input(format!("config.json: `{whole}` {width} is not a multiple of `{parts}` {count}")))
    }

    /// What an architecture makes of the fields: for each of its own parameters the value that was read and the field that it was read
    /// from; every other parameter has its default, and optional ones are not set.
    ///
    /// # Errors
    /// [`PluginError::Input`] naming the field whose value is out of the parameter's bounds or none of its words.
    pub fn imported(
        info: &ArchitectureInfo,
        read: &[(&str, &str, Value)],
        (vocab_size, max_positions): (i64, i64),
    ) -> Result<ImportedConfig, PluginError> {
        let mut config = Map::new();
        for parameter in &info.parameters {
            match read.iter().find(|(own, _, _)| *own == parameter.name) {
                Some((_, field, value)) => {
                    inside(parameter, field, value)?;
                    config.insert(parameter.name.clone(), value.clone());
                }
                None if parameter.is_optional() => {}
                None => drop(config.insert(parameter.name.clone(), parameter.default.clone())),
            }
        }
        if let Some((own, _, _)) = read.iter().find(|(own, _, _)| !config.contains_key(*own)) {
            return Err(PluginError::Other(format!(
                "`{own}` is no parameter of architecture `{}`; declare it in info()",
                info.name
            )));
        }
        let positive = |number: i64, what: &str| {
            u64::try_from(number)
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(|| PluginError::Input(format!("config.json leaves {number} {what}; at least one is needed")))
        };
        let (vocab_size, max_positions) = (positive(vocab_size, "words")?, positive(max_positions, "positions")?);
        Ok(ImportedConfig { config, vocab_size, max_positions })
    }
}

/// That a value may stand for a parameter.
fn inside(parameter: &ParameterInfo, field: &str, value: &Value) -> Result<(), PluginError> {
    let number = value.as_f64();
    let below = number.zip(parameter.minimum).is_some_and(|(number, low)| number < low);
    let above = number.zip(parameter.maximum).is_some_and(|(number, high)| number > high);
    let needed = match value {
        _ if below => format!("{} and more", parameter.minimum.unwrap_or_default()),
        _ if above => format!("at most {}", parameter.maximum.unwrap_or_default()),
        Value::String(word) if !parameter.choices.is_empty() && !parameter.choices.contains(word) => {
            format!("`{}`", parameter.choices.join("`, `"))
        }
        _ => return Ok(()),
    };
    let own = &parameter.name;
    Err(PluginError::Input(format!("config.json: `{field}` makes `{own}` {value}; this architecture computes {needed}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clmbench_protocol::{ArchitectureInfo, Objective, ParameterInfo};

    use super::HubConfig;

    #[test]
    fn fields_are_read_by_type_and_errors_name_them() {
        let config = HubConfig::parse(
            r#"{"hidden_size": 8, "eps": 1e-5, "tie": true, "act": "gelu", "none": null, "big": 9223372036854775808,
                "layer_types": ["a", "b"], "rope": {"theta": 2.5}}"#,
        )
        .unwrap();
        assert_eq!((config.integer("hidden_size").unwrap(), config.float_or("eps", 1.0).unwrap()), (8, 1e-5));
        assert_eq!((config.integer_or("none", 3).unwrap(), config.boolean_or("tie", false).unwrap()), (3, true));
        assert_eq!([config.is_null("none"), config.is_null("eps"), config.is_null("absent")], [true, false, false]);
        assert_eq!(config.word("act", &["gelu", "relu"], "relu").unwrap(), "gelu");
        assert_eq!(config.texts("layer_types").unwrap().unwrap(), ["a", "b"]);
        assert_eq!(config.object("rope").unwrap().unwrap().float_or("theta", 1.0).unwrap(), 2.5);
        let error = |result: Result<i64, crate::PluginError>| result.unwrap_err().to_string();
        assert!(
            error(config.integer("layers"))
                .contains("config.json has no `layers`; a whole number from 1 to 2147483647 is needed")
        );
        assert!(error(config.integer("big")).contains("`big` is 9223372036854775808, not a whole number"));
        assert!(error(config.integer("act")).contains("`act` is \"gelu\", not a whole number"));
        let error = config.word("act", &["relu"], "relu").unwrap_err().to_string();
        assert!(error.contains("`act` is `gelu`; this architecture computes `relu`"), "{error}");
        let error = config.must("tie", false, false).unwrap_err().to_string();
        assert!(error.contains("`tie` is true; this architecture computes false alone"), "{error}");
        assert!(HubConfig::parse("[]").is_err());
    }

    #[test]
    fn what_is_read_is_filled_in_and_kept_within_bounds() {
        let info = ArchitectureInfo {
            name: "toy".into(),
            doc: String::new(),
            objective: Objective::MaskedLm,
            parameters: vec![
                ParameterInfo::integer("layers", 4, "").between(1.0, 96.0),
                ParameterInfo::integer("head_width", 64, "").between(1.0, 512.0),
                ParameterInfo::text("activation", "gelu", &["gelu", "relu"], "").optional(),
                ParameterInfo::float("epsilon", 1e-5, ""),
            ],
            presets: Vec::new(),
            hub: None,
        };
        let config = HubConfig::parse(r#"{"hidden_size": 12, "heads": 3, "others": 5}"#).unwrap();
        let head_width = config.part("hidden_size", "heads").unwrap();
        let found = HubConfig::imported(&info, &[("head_width", "hidden_size", head_width.into())], (7, 9)).unwrap();
        assert_eq!(serde_json::to_string(&found.config).unwrap(), r#"{"epsilon":0.00001,"head_width":4,"layers":4}"#);
        assert_eq!((found.vocab_size, found.max_positions), (7, 9));
        let error = config.part("hidden_size", "others").unwrap_err().to_string();
        assert_eq!(error, "config.json: `hidden_size` 12 is not a multiple of `others` 5");
        let error = |own, field, value| HubConfig::imported(&info, &[(own, field, value)], (7, 9)).unwrap_err().to_string();
        let text = "config.json: `num_hidden_layers` makes `layers` 2147483647; this architecture computes at most 96";
        assert_eq!(error("layers", "num_hidden_layers", 2_147_483_647.into()), text);
        let text = "config.json: `hidden_act` makes `activation` \"silu\"; this architecture computes `gelu`, `relu`";
        assert_eq!(error("activation", "hidden_act", "silu".into()), text);
        assert_eq!(error("depth", "x", 1.into()), "`depth` is no parameter of architecture `toy`; declare it in info()");
        let error = HubConfig::imported(&info, &[], (7, -2)).unwrap_err().to_string();
        assert_eq!(error, "config.json leaves -2 positions; at least one is needed");
    }
}
