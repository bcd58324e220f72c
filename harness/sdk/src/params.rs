//! Parameters as the host hands them over: every key filled in and checked against what was declared.

use serde_json::{Map, Value};

use crate::PluginError;

/// Filled-in parameters of a metric or configuration of an architecture.
#[derive(Debug, Clone, Default)]
pub struct Params(Map<String, Value>);

impl Params {
    /// From a JSON object.
    ///
    /// # Errors
    /// [`PluginError::Input`] when the text is not a JSON object.
    pub fn parse(json: &str) -> Result<Self, PluginError> {
        match serde_json::from_str(json) {
            Ok(map) => Ok(Self(map)),
            Err(error) => Err(PluginError::Input(format!("parameters are not a JSON object: {error}"))),
        }
    }

    /// What `get` reads, and none where it is not set: for a parameter that is declared `optional`.
    fn set<T>(&self, name: &str, kind: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Option<T>, PluginError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.get(name, kind, read).map(Some),
        }
    }

    /// A whole number, if it is set.
    ///
    /// # Errors
    /// [`PluginError::Input`] for another type.
    pub fn optional_integer(&self, name: &str) -> Result<Option<i64>, PluginError> {
        self.set(name, "a whole number", Value::as_i64)
    }

    /// A number, if it is set.
    ///
    /// # Errors
    /// [`PluginError::Input`] for another type.
    pub fn optional_float(&self, name: &str) -> Result<Option<f64>, PluginError> {
        self.set(name, "a number", Value::as_f64)
    }

    /// `true` or `false`, if it is set.
    ///
    /// # Errors
    /// [`PluginError::Input`] for another type.
    pub fn optional_boolean(&self, name: &str) -> Result<Option<bool>, PluginError> {
        self.set(name, "true or false", Value::as_bool)
    }

    /// A string, if it is set.
    ///
    /// # Errors
    /// [`PluginError::Input`] for another type.
    pub fn optional_text(&self, name: &str) -> Result<Option<String>, PluginError> {
        self.set(name, "a string", |value| value.as_str().map(str::to_owned))
    }

    fn get<T>(&self, name: &str, kind: &str, read: impl Fn(&Value) -> Option<T>) -> Result<T, PluginError> {
        let value =
            self.0.get(name).ok_or_else(|| PluginError::Input(format!("parameter `{name}` is missing; declare it in info()")))?;
        read(value).ok_or_else(|| PluginError::Input(format!("parameter `{name}` is {value}, not {kind}")))
    }

    /// A whole number.
    ///
    /// # Errors
    /// [`PluginError::Input`] when missing or of another type.
    pub fn integer(&self, name: &str) -> Result<i64, PluginError> {
        self.get(name, "a whole number", Value::as_i64)
    }

    /// A number.
    ///
    /// # Errors
    /// [`PluginError::Input`] when missing or of another type.
    pub fn float(&self, name: &str) -> Result<f64, PluginError> {
        self.get(name, "a number", Value::as_f64)
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// [`PluginError::Input`] when missing or of another type.
    pub fn boolean(&self, name: &str) -> Result<bool, PluginError> {
        self.get(name, "true or false", Value::as_bool)
    }

    /// A string.
    ///
    /// # Errors
    /// [`PluginError::Input`] when missing or of another type.
    pub fn text(&self, name: &str) -> Result<String, PluginError> {
        self.get(name, "a string", |value| value.as_str().map(str::to_owned))
    }
}

impl From<Map<String, Value>> for Params {
    fn from(map: Map<String, Value>) -> Self {
        Self(map)
    }
}

#[cfg(test)]
mod tests {
    use super::Params;

    #[test]
    fn values_are_read_by_type_and_errors_name_the_parameter() -> Result<(), crate::PluginError> {
        let params = Params::parse(r#"{"probes": 8, "rho": 0.5, "raw": true, "mode": "a"}"#)?;
        assert_eq!((params.integer("probes")?, params.float("rho")?), (8, 0.5));
        assert_eq!((params.boolean("raw")?, params.text("mode")?.as_str()), (true, "a"));
        assert!(params.integer("rho").is_err_and(|error| error.to_string().contains("`rho` is 0.5, not a whole number")));
        assert!(params.float("sigma").is_err_and(|error| error.to_string().contains("`sigma` is missing")));
        assert_eq!((params.optional_integer("probes")?, params.optional_float("sigma")?), (Some(8), None));
        assert!(params.optional_integer("rho").is_err());
        assert!(Params::parse("[]").is_err());
        Ok(())
    }
}
