//! Records with named fields, and the schemas that they are read by.
//!
//! A document comes from anybody, so nothing in it is what its place says until a [`Schema`] has
//! looked at it. The schemas are tables walked by two functions, and not a type with generated code
//! for each record: there are two dozen of them, and the module that carries this is downloaded.

use std::collections::BTreeMap;

use vivim_doc::Value;

use crate::{
    limits::{MAX_DID, MAX_ID, MAX_LIST, MAX_METADATA, MAX_TIME},
    refusal::Refusal,
};

/// A plain record: fields by name. As a [`Value`] it can be serialized.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record(BTreeMap<String, Value>);

/// The fields of a kind of record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema(pub(crate) &'static [Field]);

/// A field: its name, what it holds, and what is done where that isn't there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field(pub(crate) &'static str, pub(crate) Kind, pub(crate) Absent);

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// True or false.
    Bool,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A DID, or another name of somebody without spaces.
    Did,
    /// The id of something.
    Id,
    /// A list of free values.
    List,
    /// Free fields.
    Map,
    /// A whole number from 1, of members.
    Count,
    /// Any number that is one.
    Number,
    /// Text of at most so many bytes.
    Text(usize),
    /// Milliseconds since 1970.
    Time,
}

/// What stands for a field that isn't there or isn't of its kind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Absent {
    /// An empty list.
    EmptyList,
    /// An empty record.
    EmptyMap,
    /// False.
    False,
    /// Nothing: the field is optional.
    Leave,
    /// Nothing does: the record is none without it.
    Refuse,
    /// This word.
    Text(&'static str),
    /// True.
    True,
    /// 0.
    Zero,
}

impl Record {
    /// A record without fields.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Sets a field.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Sets a field if it isn't there.
    pub fn set_default(&mut self, name: &str, value: impl Into<Value>) {
        if matches!(self.get(name), None | Some(Value::Null | Value::Undefined)) {
            self.set(name, value);
        }
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// The record with a field set.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// A field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A field, if it's a string; an empty one otherwise.
    pub fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Value::String(text)) => text,
            _ => "",
        }
    }

    /// A field, if it's a boolean.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Value::Bool(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// A field, if it's a number; 0 otherwise.
    pub fn number(&self, name: &str) -> f64 {
        match self.get(name) {
            Some(Value::Number(number)) => *number,
            _ => 0.0,
        }
    }

    /// The fields by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> + '_ {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<BTreeMap<String, Value>> for Record {
    fn from(fields: BTreeMap<String, Value>) -> Self {
        Self(fields)
    }
}

impl From<Record> for Value {
    fn from(record: Record) -> Self {
        Self::Map(record.0)
    }
}

impl Schema {
    /// What somebody wrote into a document, made to fit: unknown fields go, those of a wrong kind
    /// count as absent. `None` if it isn't such a record at all.
    pub(crate) fn read(&self, value: &Value) -> Option<Record> {
        let Value::Map(fields) = value else { return None };
        let mut record = Record::new();
        for Field(name, kind, absent) in self.0 {
            match fields.get(*name) {
                Some(value) if kind.holds(value) => record.set(name, value.clone()),
                _ if matches!(absent, Absent::Refuse) => return None,
                _ => absent.fill(&mut record, name),
            }
        }
        Some(record)
    }

    /// What an application hands in: a field of a wrong kind is its mistake, which it's told.
    /// Fields that aren't in the schema, such as counts that are derived here, are left out.
    pub(crate) fn check(&self, given: &Record) -> Result<Record, Refusal> {
        let mut record = Record::new();
        for Field(name, kind, absent) in self.0 {
            match given.get(name) {
                Some(value) if kind.holds(value) => record.set(name, value.clone()),
                None | Some(Value::Null | Value::Undefined)
                    if !matches!(absent, Absent::Refuse) =>
                {
                    absent.fill(&mut record, name);
                }
                _ => return Err(Refusal::invalid(name, kind.expected())),
            }
        }
        Ok(record)
    }

    /// Changes of some fields: those given, checked like the others. `null` clears an optional one.
    pub(crate) fn check_partial(&self, given: &Record) -> Result<Record, Refusal> {
        let mut record = Record::new();
        for Field(name, kind, absent) in self.0 {
            match given.get(name) {
                None | Some(Value::Undefined) => {}
                Some(value) if kind.holds(value) => record.set(name, value.clone()),
                Some(Value::Null) if matches!(absent, Absent::Leave) => {
                    record.set(name, Value::Null);
                }
                Some(_) => return Err(Refusal::invalid(name, kind.expected())),
            }
        }
        Ok(record)
    }
}

impl Kind {
    fn holds(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Bool, Value::Bool(_)) => true,
            (Self::Choice(words), Value::String(word)) => words.contains(&word.as_str()),
            (Self::Did, Value::String(did)) => is_did(did),
            (Self::Id, Value::String(id)) => is_id(id),
            (Self::List, Value::Array(values)) => {
                values.len() <= MAX_LIST && size(value) <= MAX_METADATA
            }
            (Self::Map, Value::Map(_)) => size(value) <= MAX_METADATA,
            (Self::Count, Value::Number(number)) => {
                number.fract() == 0.0 && (1.0..=1e9).contains(number)
            }
            (Self::Number, Value::Number(number)) => number.is_finite(),
            (Self::Text(max), Value::String(text)) => text.len() <= max,
            (Self::Time, Value::Number(time)) => (0.0..=MAX_TIME).contains(time),
            _ => false,
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Choice(_) => "one of the words that the documentation lists",
            Self::Count => "a whole number from 1",
            Self::Did => "a DID, without spaces and of at most 512 bytes",
            Self::Id => "an id, without control characters and of 1 to 256 bytes",
            Self::List => "a list of at most 64 values and 16 KiB",
            Self::Map => "a record of at most 16 KiB",
            Self::Number => "a finite number",
            Self::Text(_) => "a string, not longer than the limit for it",
            Self::Time => "a time in milliseconds since 1970",
        }
    }
}

impl Absent {
    fn fill(self, record: &mut Record, name: &str) {
        let value = match self {
            Self::EmptyList => Value::Array(Vec::new()),
            Self::EmptyMap => Value::Map(BTreeMap::new()),
            Self::False => Value::Bool(false),
            Self::Leave | Self::Refuse => return,
            Self::Text(word) => word.into(),
            Self::True => Value::Bool(true),
            Self::Zero => Value::Number(0.0),
        };
        record.set(name, value);
    }
}

/// Whether this can stand for somebody. What is more than that, such as that a DID can be resolved,
/// is a matter of signatures.
pub(crate) fn is_did(did: &str) -> bool {
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control();
    !did.is_empty() && did.len() <= MAX_DID && did.chars().all(is_plain)
}

/// Whether this can be the id of something.
pub(crate) fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_ID && !id.chars().any(char::is_control)
}

/// About how many bytes a value takes.
pub(crate) fn size(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(size).sum::<usize>(),
        Value::Bytes(bytes) => 1 + bytes.len(),
        Value::Map(fields) => {
            1 + fields.iter().map(|(name, value)| name.len() + size(value)).sum::<usize>()
        }
        Value::String(text) => 1 + text.len(),
        _ => 8,
    }
}
