//! Values in maps, as JavaScript has them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde::ser::{Serialize, SerializeMap, Serializer};
use yrs::{Any, any::Number};

use crate::{
    error::EditError,
    limits::{MAX_NAME, MAX_NESTING, MAX_UPDATE, MAX_VALUES},
};

/// A plain value: what JSON has, and what Yjs can hold beyond it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A list.
    Array(Vec<Value>),
    /// An integer that a JavaScript number can't count: beyond ±(2⁵³ - 1). Others are written and read
    /// as a [`Number`](Self::Number).
    BigInt(i64),
    /// True or false.
    Bool(bool),
    /// Bytes (`Uint8Array`).
    Bytes(Vec<u8>),
    /// A record.
    Map(BTreeMap<String, Value>),
    /// Nothing.
    Null,
    /// A number.
    Number(f64),
    /// A string.
    String(String),
    /// `undefined`; also a root that no replica here has given a kind.
    Undefined,
}

/// The largest integer up to which all are exact in a JavaScript number.
const MAX_SAFE: i64 = (1 << 53) - 1;

impl Value {
    /// As JSON: `undefined` is left out of records and null elsewhere, bytes are a list of numbers.
    pub fn to_json(&self) -> String {
        // Fails only for keys that aren't strings and for writers that fail; there are neither.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The engine's form of it, if others would take it.
    pub(crate) fn to_any(&self) -> Result<Any, EditError> {
        Budget::default().any(self, MAX_NESTING)
    }
}

/// The engine's form of several values that go into one edit.
pub(crate) fn to_anys(values: &[Value]) -> Result<Vec<Any>, EditError> {
    let mut budget = Budget::default();
    values.iter().map(|value| budget.any(value, MAX_NESTING)).collect()
}

/// What the values of one edit take so far. What doesn't pass the validator of others must not get
/// into the document.
#[derive(Default)]
struct Budget {
    values: usize,
    bytes: usize,
}

impl Budget {
    /// The most that a number or an announced length takes.
    const OVERHEAD: usize = 10;

    fn spend(&mut self, bytes: usize) -> Result<(), EditError> {
        self.values += 1;
        self.bytes = self.bytes.saturating_add(bytes + Self::OVERHEAD);
        if self.bytes > MAX_UPDATE / 2 || self.values > MAX_VALUES {
            Err(EditError::TooLarge(self.bytes))
        } else {
            Ok(())
        }
    }

    fn any(&mut self, value: &Value, levels: usize) -> Result<Any, EditError> {
        let deeper = || levels.checked_sub(1).ok_or(EditError::TooDeep);
        self.spend(match value {
            Value::Bytes(value) => value.len(),
            Value::String(value) => value.len(),
            _ => 0,
        })?;
        Ok(match value {
            Value::Array(values) => {
                let levels = deeper()?;
                let values: Result<Vec<Any>, _> =
                    values.iter().map(|value| self.any(value, levels)).collect();
                Any::Array(values?.into())
            }
            Value::BigInt(value) => Any::Number(Number::Int(*value)),
            Value::Bool(value) => Any::Bool(*value),
            Value::Bytes(value) => Any::Buffer(value.as_slice().into()),
            Value::Map(values) => {
                let levels = deeper()?;
                let mut map = HashMap::with_capacity(values.len());
                for (key, value) in values {
                    if key.len() > MAX_NAME {
                        return Err(EditError::NameTooLong(key.len()));
                    }
                    self.spend(key.len())?;
                    map.insert(key.clone(), self.any(value, levels)?);
                }
                Any::Map(Arc::new(map))
            }
            Value::Null => Any::Null,
            Value::Number(value) => Any::Number(number(*value)),
            Value::String(value) => Any::String(value.as_str().into()),
            Value::Undefined => Any::Undefined,
        })
    }
}

impl From<Any> for Value {
    /// Recurses as deep as the value is nested, which the validator bounds.
    fn from(any: Any) -> Self {
        match any {
            Any::Array(values) => Self::Array(values.iter().cloned().map(Self::from).collect()),
            Any::Bool(value) => Self::Bool(value),
            Any::Buffer(value) => Self::Bytes(value.to_vec()),
            Any::Map(values) => {
                let entry = |(key, value): (&String, &Any)| (key.clone(), value.clone().into());
                Self::Map(values.iter().map(entry).collect())
            }
            Any::Null => Self::Null,
            Any::Number(Number::Float(value)) => Self::Number(value),
            Any::Number(Number::Int(value)) if is_safe(value) => Self::Number(value as f64),
            Any::Number(Number::Int(value)) => Self::BigInt(value),
            Any::String(value) => Self::String(value.to_string()),
            Any::Undefined => Self::Undefined,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Array(values) => serializer.collect_seq(values),
            Self::BigInt(value) => serializer.serialize_i64(*value),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Bytes(value) => serializer.collect_seq(value),
            Self::Map(values) => {
                let mut map = serializer.serialize_map(None)?;
                for (key, value) in values {
                    if *value != Self::Undefined {
                        map.serialize_entry(key, value)?;
                    }
                }
                map.end()
            }
            Self::Null | Self::Undefined => serializer.serialize_unit(),
            Self::Number(value) => match number(*value) {
                Number::Int(value) => serializer.serialize_i64(value),
                Number::Float(value) => serializer.serialize_f64(value),
            },
            Self::String(value) => serializer.serialize_str(value),
        }
    }
}

/// Whether an integer and its neighbours are exact in a JavaScript number.
pub(crate) fn is_safe(value: i64) -> bool {
    (-MAX_SAFE..=MAX_SAFE).contains(&value)
}

/// Integers are written as such, as Yjs does; minus zero isn't one.
fn number(value: f64) -> Number {
    let safe = value.fract() == 0.0 && value.abs() <= MAX_SAFE as f64;
    if safe && (value != 0.0 || value.is_sign_positive()) {
        Number::Int(value as i64)
    } else {
        Number::Float(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_survives_the_engine() {
        let value = Value::Map(BTreeMap::from([
            ("a".to_owned(), Value::Array(vec![Value::Number(1.5), Value::Number(-7.0)])),
            ("b".to_owned(), Value::Bytes(vec![1, 2])),
            ("c".to_owned(), Value::BigInt(i64::MAX)),
            ("d".to_owned(), Value::Undefined),
            ("e".to_owned(), Value::Number(-0.0)),
        ]));
        let back = Value::from(value.to_any().unwrap());
        assert_eq!(back, value);
        assert_eq!(back.to_json(), r#"{"a":[1.5,-7],"b":[1,2],"c":9223372036854775807,"e":-0.0}"#);
    }

    #[test]
    fn a_value_nested_too_deep_is_refused_and_the_limit_is_not() {
        let nested = |levels| (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        assert!(nested(MAX_NESTING).to_any().is_ok());
        assert_eq!(nested(MAX_NESTING + 1).to_any(), Err(EditError::TooDeep));
    }
}
