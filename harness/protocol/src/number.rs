//! A float that survives JSON: finite numbers as numbers, the others as the strings `NaN`, `inf` and `-inf`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// An `f64` whose JSON form also holds NaN and the infinities (as strings).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Number(pub f64);

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self(value)
    }
}

impl From<Number> for f64 {
    fn from(value: Number) -> Self {
        value.0
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else if self.0.is_nan() {
            serializer.serialize_str("NaN")
        } else if self.0 > 0.0 {
            serializer.serialize_str("inf")
        } else {
            serializer.serialize_str("-inf")
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Float(f64),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Float(value) => Ok(Self(value)),
            Form::Text(text) => match text.as_str() {
                "NaN" => Ok(Self(f64::NAN)),
                "inf" => Ok(Self(f64::INFINITY)),
                "-inf" => Ok(Self(f64::NEG_INFINITY)),
                other => Err(D::Error::custom(format!("`{other}` is not a number, `NaN`, `inf` or `-inf`"))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn every_float_survives_json_bit_for_bit() -> Result<(), serde_json::Error> {
        for value in [0.1, -0.0, 1e-308, 5e-324, f64::MAX, f64::INFINITY, f64::NEG_INFINITY] {
            let text = serde_json::to_string(&Number(value))?;
            let back: Number = serde_json::from_str(&text)?;
            assert_eq!(back.0.to_bits(), value.to_bits(), "{text}");
        }
        let back: Number = serde_json::from_str(&serde_json::to_string(&Number(f64::NAN))?)?;
        assert!(back.0.is_nan());
        assert!(serde_json::from_str::<Number>("\"1e400\"").is_err());
        Ok(())
    }
}
