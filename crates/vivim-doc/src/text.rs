//! Text with formats: roots, nested texts, and texts in XML.

use std::{collections::HashMap, sync::Arc};

use yrs::{
    Any, Array, ArrayRef, GetString, Text, TextRef, Transaction, TransactionMut,
    branch::{Branch, BranchPtr},
    types::{
        Attrs,
        text::{Diff, YChange},
    },
};

use crate::{
    Attributes, Doc, EditError, Entry, Kind, TypeId, Value,
    doc::{check_bounds, check_name},
    limits::MAX_UPDATE,
    map::{empty, new_type},
};

const TEXT: &[Kind] = &[Kind::Text, Kind::XmlText];

/// A step of a change to text, as in Quill's deltas. Lengths are UTF-16 units.
#[derive(Clone, Debug, PartialEq)]
pub enum TextOp {
    /// Deletes so much.
    Delete(u32),
    /// Inserts a string ([`Value::String`]), an embedded value, or a shared type, with formats.
    Insert(Entry, Attributes),
    /// Goes over so much, and formats it.
    Retain(u32, Attributes),
}

impl Doc {
    /// The length of a text in UTF-16 units; what is embedded counts one.
    pub fn text_len_of(&self, text: &TypeId) -> Result<u32, EditError> {
        self.read(text, TEXT, |txn, branch| Ok(TextRef::from(branch).len(txn)))
    }

    /// A text as a string, without formats and what is embedded.
    pub fn text_string(&self, text: &TypeId) -> Result<String, EditError> {
        self.read(text, TEXT, |txn, branch| Ok(TextRef::from(branch).get_string(txn)))
    }

    /// A text with its formats.
    pub fn text_delta(&self, text: &TypeId) -> Result<Vec<TextOp>, EditError> {
        self.read(text, TEXT, |txn, branch| Ok(delta(txn, branch)))
    }

    /// Inserts into a text, with the formats that are in effect there. A position in the middle of a
    /// surrogate pair parts it into two replacement characters, as in Yjs.
    pub fn text_insert_at(
        &mut self,
        text: &TypeId,
        index: u32,
        string: &str,
    ) -> Result<(), EditError> {
        check_size(string)?;
        self.write_text(text, index.into(), |txn, text| {
            text.insert(txn, index, string);
            Ok(())
        })
    }

    /// Inserts into a text with just these formats.
    pub fn text_insert_with(
        &mut self,
        text: &TypeId,
        index: u32,
        string: &str,
        attributes: &Attributes,
    ) -> Result<(), EditError> {
        check_size(string)?;
        let attributes = attrs(attributes)?;
        self.write_text(text, index.into(), |txn, text| {
            text.insert_with_attributes(txn, index, string, attributes);
            Ok(())
        })
    }

    /// Inserts a plain value as one unit, such as an image.
    pub fn text_insert_embed(
        &mut self,
        text: &TypeId,
        index: u32,
        embed: &Value,
        attributes: &Attributes,
    ) -> Result<(), EditError> {
        let (embed, attributes) = (embed.to_any()?, attrs(attributes)?);
        self.write_text(text, index.into(), |txn, text| {
            text.insert_embed_with_attributes(txn, index, embed, attributes);
            Ok(())
        })
    }

    /// Inserts a new, empty shared type as one unit. XML elements have names and live in XML:
    /// [`EditError::WrongKind`].
    pub fn text_insert_type(
        &mut self,
        text: &TypeId,
        index: u32,
        kind: Kind,
    ) -> Result<TypeId, EditError> {
        let new = empty(kind)?;
        self.write_text(text, index.into(), |txn, text| {
            new_type(&list_of(&text).insert(txn, index, new))
        })
    }

    /// Deletes `len` units of a text.
    pub fn text_delete_at(&mut self, text: &TypeId, index: u32, len: u32) -> Result<(), EditError> {
        let as_list = self.deletes_as_list(text);
        self.write_text(text, u64::from(index) + u64::from(len), |txn, text| {
            if len == 0 {
                return Ok(());
            }
            if as_list {
                list_of(&text).remove_range(txn, index, len);
            } else {
                text.remove_range(txn, index, len);
            }
            Ok(())
        })
    }

    /// Formats `len` units of a text.
    pub fn text_format(
        &mut self,
        text: &TypeId,
        index: u32,
        len: u32,
        attributes: &Attributes,
    ) -> Result<(), EditError> {
        let attributes = attrs(attributes)?;
        self.write_text(text, u64::from(index) + u64::from(len), |txn, text| {
            if len > 0 {
                text.format(txn, index, len, attributes);
            }
            Ok(())
        })
    }

    pub(crate) fn write_text<R>(
        &mut self,
        id: &TypeId,
        end: u64,
        f: impl FnOnce(&mut TransactionMut<'_>, TextRef) -> Result<R, EditError>,
    ) -> Result<R, EditError> {
        self.write(id, TEXT, |txn, branch| {
            let text = TextRef::from(branch);
            check_bounds(end, text.len(txn))?;
            f(txn, text)
        })
    }

    /// A hostile peer may have put values into the list of a root. The engine counts them in a
    /// text's length, but only a list's way of deleting can delete them.
    pub(crate) fn has_values(&self, text: &TypeId) -> bool {
        text.root_name().is_some_and(|name| self.history.has_values(name))
    }

    /// How to delete in a text. A text's way takes formats away that have nothing left to format,
    /// but takes them from shared types too that stand right behind what is deleted.
    pub(crate) fn deletes_as_list(&self, text: &TypeId) -> bool {
        self.has_values(text) || self.history.has_types(text)
    }

    // Roots by name.

    /// Inserts into a root text, at a position in UTF-16 units.
    pub fn text_insert(&mut self, name: &str, index: u32, text: &str) -> Result<(), EditError> {
        let root = self.root(Kind::Text, name)?;
        self.text_insert_at(&root, index, text)
    }

    /// Deletes from a root text `len` UTF-16 units.
    pub fn text_delete(&mut self, name: &str, index: u32, len: u32) -> Result<(), EditError> {
        let root = self.root(Kind::Text, name)?;
        self.text_delete_at(&root, index, len)
    }

    /// A root text as a string.
    pub fn text(&mut self, name: &str) -> Result<String, EditError> {
        let root = self.root(Kind::Text, name)?;
        self.text_string(&root)
    }

    /// The length of a root text in UTF-16 units.
    pub fn text_len(&mut self, name: &str) -> Result<u32, EditError> {
        let root = self.root(Kind::Text, name)?;
        self.text_len_of(&root)
    }
}

pub(crate) fn list_of(text: &TextRef) -> ArrayRef {
    let branch: &Branch = text.as_ref();
    ArrayRef::from(BranchPtr::from(branch))
}

fn delta(txn: &Transaction<'_>, branch: BranchPtr) -> Vec<TextOp> {
    let diff = TextRef::from(branch).diff(txn, YChange::identity);
    let mut ops: Vec<TextOp> = Vec::with_capacity(diff.len());
    for Diff { insert, attributes, .. } in diff {
        let (entry, attributes) = (Entry::of(insert), attributes_of(attributes.as_deref()));
        // The engine parts text wherever a format was; what reads alike is one piece, as in Yjs.
        match (ops.last_mut(), &entry) {
            (
                Some(TextOp::Insert(Entry::Value(Value::String(before)), formats)),
                Entry::Value(Value::String(string)),
            ) if *formats == attributes => before.push_str(string),
            _ => ops.push(TextOp::Insert(entry, attributes)),
        }
    }
    ops
}

pub(crate) fn attributes_of(attrs: Option<&Attrs>) -> Attributes {
    let pair = |(key, value): (&Arc<str>, &Any)| (key.to_string(), Value::from(value.clone()));
    attrs.into_iter().flatten().map(pair).collect()
}

pub(crate) fn attrs(attributes: &Attributes) -> Result<Attrs, EditError> {
    let mut attrs = HashMap::with_capacity(attributes.len());
    for (key, value) in attributes {
        check_name(key)?;
        attrs.insert(Arc::from(key.as_str()), value.to_any()?);
    }
    Ok(attrs)
}

fn check_size(string: &str) -> Result<(), EditError> {
    if string.len() > MAX_UPDATE / 2 { Err(EditError::TooLarge(string.len())) } else { Ok(()) }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
