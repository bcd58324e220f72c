//! `config.json` of a checkpoint in the Hugging Face layout, read by type.

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
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
}
