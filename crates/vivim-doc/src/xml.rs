//! XML: fragments and elements with children, elements and texts with attributes.

use std::fmt::Write;

use yrs::{
    Any, Array, ArrayRef, GetString, In, Map, MapRef, Out, ReadTxn, Text, TextRef,
    XmlElementPrelim,
    branch::BranchPtr,
    types::{TypeRef, text::YChange},
};

use crate::{
    Doc, EditError, Entry, Kind, TypeId, Value,
    doc::{check_bounds, check_name},
    map::{empty, new_type},
    types::{branch_of, kind_of},
};

const LIST: &[Kind] = &[Kind::XmlElement, Kind::XmlFragment];
const ELEMENT: &[Kind] = &[Kind::XmlElement];
const NODE: &[Kind] = &[Kind::XmlElement, Kind::XmlText];
const XML: &[Kind] = &[Kind::XmlElement, Kind::XmlFragment, Kind::XmlText];

impl Doc {
    /// How many children a fragment or element has.
    pub fn xml_len(&self, parent: &TypeId) -> Result<u32, EditError> {
        self.read(parent, LIST, |txn, branch| Ok(ArrayRef::from(branch).len(txn)))
    }

    /// A child of a fragment or element; `None` behind the last.
    pub fn xml_get(
        &self,
        parent: &TypeId,
        index: u32,
    ) -> Result<Option<(Kind, TypeId)>, EditError> {
        self.read(parent, LIST, |txn, branch| {
            let children = ArrayRef::from(branch);
            if index >= children.len(txn) {
                return Ok(None);
            }
            Ok(children.get(txn, index).and_then(|out| node(branch_of(&out)?)))
        })
    }

    /// The children of a fragment or element.
    pub fn xml_children(&self, parent: &TypeId) -> Result<Vec<(Kind, TypeId)>, EditError> {
        self.read(parent, LIST, |txn, branch| {
            let children = ArrayRef::from(branch);
            Ok(children.iter(txn).filter_map(|out| node(branch_of(&out)?)).collect())
        })
    }

    /// Inserts a new element.
    pub fn xml_insert_element(
        &mut self,
        parent: &TypeId,
        index: u32,
        name: &str,
    ) -> Result<TypeId, EditError> {
        check_name(name)?;
        self.insert_node(parent, index, In::XmlElement(XmlElementPrelim::empty(name)))
    }

    /// Inserts a new, empty text. It is edited as any text.
    pub fn xml_insert_text(&mut self, parent: &TypeId, index: u32) -> Result<TypeId, EditError> {
        self.insert_node(parent, index, empty(Kind::XmlText)?)
    }

    /// Deletes `len` children.
    pub fn xml_delete(&mut self, parent: &TypeId, index: u32, len: u32) -> Result<(), EditError> {
        self.write(parent, LIST, |txn, branch| {
            let children = ArrayRef::from(branch);
            check_bounds(u64::from(index) + u64::from(len), children.len(txn))?;
            if len > 0 {
                children.remove_range(txn, index, len);
            }
            Ok(())
        })
    }

    /// The name of an element.
    pub fn xml_name(&self, element: &TypeId) -> Result<String, EditError> {
        self.read(element, ELEMENT, |_, branch| Ok(name_of(branch)))
    }

    /// XML as a string: as Yjs writes it, which is without any escapes and for reading only.
    pub fn xml_string(&self, id: &TypeId) -> Result<String, EditError> {
        self.read(id, XML, |txn, branch| {
            let mut out = String::new();
            write_xml(&mut out, txn, branch);
            Ok(out)
        })
    }

    /// An attribute of an element or text.
    pub fn xml_attribute(&self, id: &TypeId, name: &str) -> Result<Option<Entry>, EditError> {
        self.read_entry(id, NODE, name)
    }

    /// Sets an attribute of an element or text.
    pub fn xml_set_attribute(
        &mut self,
        id: &TypeId,
        name: &str,
        value: &Value,
    ) -> Result<(), EditError> {
        self.write_entry(id, NODE, name, value)
    }

    /// Removes an attribute. False if there was none.
    pub fn xml_remove_attribute(&mut self, id: &TypeId, name: &str) -> Result<bool, EditError> {
        self.delete_entry(id, NODE, name)
    }

    /// The attributes of an element or text, in the order of their names.
    pub fn xml_attributes(&self, id: &TypeId) -> Result<Vec<(String, Entry)>, EditError> {
        self.read_entries(id, NODE)
    }

    fn insert_node(&mut self, parent: &TypeId, index: u32, new: In) -> Result<TypeId, EditError> {
        self.write(parent, LIST, |txn, branch| {
            let children = ArrayRef::from(branch);
            check_bounds(index.into(), children.len(txn))?;
            new_type(&children.insert(txn, index, new))
        })
    }
}

fn node(branch: BranchPtr) -> Option<(Kind, TypeId)> {
    Some((kind_of(branch)?, TypeId::of(branch)))
}

fn name_of(branch: BranchPtr) -> String {
    match branch.type_ref() {
        TypeRef::XmlElement(name) => name.to_string(),
        _ => String::new(),
    }
}

/// Recurses as deep as types are nested, which is bounded.
pub(crate) fn write_xml<T: ReadTxn>(out: &mut String, txn: &T, branch: BranchPtr) {
    match kind_of(branch) {
        Some(Kind::XmlElement) => {
            let name = name_of(branch).to_lowercase();
            let map = MapRef::from(branch);
            let mut attributes: Vec<_> =
                map.iter(txn).map(|(key, value)| (key, attribute_string(txn, value))).collect();
            attributes.sort_unstable();
            out.push('<');
            out.push_str(&name);
            for (key, value) in attributes {
                // Writing to a string doesn't fail.
                let _ = write!(out, " {key}=\"{value}\"");
            }
            out.push('>');
            write_children(out, txn, branch);
            let _ = write!(out, "</{name}>");
        }
        Some(Kind::XmlText) => write_text(out, txn, branch),
        // It has no children: the engine reads text in a list wrongly, and can't end.
        Some(Kind::Text) => out.push_str(&TextRef::from(branch).get_string(txn)),
        _ => write_children(out, txn, branch),
    }
}

/// A document prints as its own replica's id, which is another everywhere; its name is the same.
fn attribute_string<T: ReadTxn>(txn: &T, value: Out) -> String {
    match value {
        Out::YDoc(doc) => doc.guid().to_string(),
        other => other.to_string(txn),
    }
}

fn write_children<T: ReadTxn>(out: &mut String, txn: &T, branch: BranchPtr) {
    for child in ArrayRef::from(branch).iter(txn) {
        if let Some(child) = branch_of(&child) {
            write_xml(out, txn, child);
        }
    }
}

/// Formats are elements around what they format.
fn write_text<T: ReadTxn>(out: &mut String, txn: &T, branch: BranchPtr) {
    for piece in TextRef::from(branch).diff(txn, YChange::identity) {
        let mut formats: Vec<_> = piece.attributes.iter().flat_map(|attrs| attrs.iter()).collect();
        formats.sort_unstable_by(|a, b| a.0.cmp(b.0));
        for (name, value) in &formats {
            let _ = write!(out, "<{name}");
            if let Any::Map(attributes) = value {
                let mut attributes: Vec<_> = attributes.iter().collect();
                attributes.sort_unstable_by(|a, b| a.0.cmp(b.0));
                for (key, value) in attributes {
                    let _ = write!(out, " {key}=\"{value}\"");
                }
            }
            out.push('>');
        }
        match &piece.insert {
            Out::Any(value) => {
                let _ = write!(out, "{value}");
            }
            other => {
                if let Some(inner) = branch_of(other) {
                    write_xml(out, txn, inner);
                }
            }
        }
        for (name, _) in formats.iter().rev() {
            let _ = write!(out, "</{name}>");
        }
    }
}

#[cfg(test)]
#[path = "xml_tests.rs"]
mod tests;
