//! The document as a whole: its roots, and what is in any of its types.

use std::collections::BTreeMap;

use yrs::{
    Array, ArrayRef, GetString, Map, MapRef, Out, ReadTxn, TextRef, Transact, TransactionMut,
    WriteTxn, branch::BranchPtr,
};

use crate::{
    ClientId, Doc, EditError, Entry, Kind, TypeId, Value,
    doc::{check_name, resolve},
    types::{branch_of, kind_of},
    xml::write_xml,
};

pub(crate) const ANY: &[Kind] =
    &[Kind::Array, Kind::Map, Kind::Text, Kind::XmlElement, Kind::XmlFragment, Kind::XmlText];

impl Doc {
    /// A root of this name and kind, which exists from now on. Roots are lists, maps, texts and XML
    /// fragments; other kinds, and a name that is in use for another kind here, are
    /// [`EditError::WrongKind`].
    pub fn root(&mut self, kind: Kind, name: &str) -> Result<TypeId, EditError> {
        let id = TypeId::root(name);
        match self.kinds.get(name) {
            Some(known) if *known == kind => return Ok(id),
            Some(_) => return Err(EditError::WrongKind),
            None => {}
        }
        check_name(name)?;
        if matches!(kind, Kind::XmlElement | Kind::XmlText) {
            return Err(EditError::WrongKind);
        }
        declare(&mut self.engine.transact_mut(), name, kind);
        self.kinds.insert(name.into(), kind);
        Ok(id)
    }

    /// Makes the roots whose kinds are known.
    pub(crate) fn declare_roots(&mut self) {
        let mut txn = self.engine.transact_mut();
        for (name, kind) in &self.kinds {
            declare(&mut txn, name, *kind);
        }
    }

    /// The kind of a shared type. A root must have been asked for by [`root`](Self::root).
    pub fn kind(&self, id: &TypeId) -> Result<Kind, EditError> {
        let txn = self.engine.transact();
        let branch = resolve(&self.kinds, &txn, id, ANY)?;
        match id.root_name() {
            Some(name) => self.kinds.get(name).copied().ok_or(EditError::Gone),
            None => kind_of(branch).ok_or(EditError::Gone),
        }
    }

    /// Whether a shared type is there.
    pub fn exists(&self, id: &TypeId) -> bool {
        self.kind(id).is_ok()
    }

    /// The type that a shared type is in; `None` for a root.
    pub fn parent(&self, id: &TypeId) -> Result<Option<TypeId>, EditError> {
        self.kind(id)?;
        Ok(self.history.place(id).map(|place| place.parent.type_id()))
    }

    /// All that is in a shared type: a list, a record, or a string for text and XML.
    pub fn type_value(&self, id: &TypeId) -> Result<Value, EditError> {
        let kind = self.kind(id)?;
        self.read(id, &[kind], |txn, branch| Ok(value_of(txn, branch, kind)))
    }

    /// An entry as a plain value: what is in it, if it is a shared type.
    pub fn entry_value(&self, entry: &Entry) -> Result<Value, EditError> {
        match entry {
            Entry::Type(_, id) => self.type_value(id),
            Entry::Value(value) => Ok(value.clone()),
        }
    }

    /// The names of the roots that were asked for here or have come from elsewhere, in order.
    pub fn root_names(&self) -> Vec<String> {
        let txn = self.engine.transact();
        let mut names: Vec<String> = txn.root_refs().map(|(name, _)| name.to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// The kind of a root: as it was asked for here, or else as its content suggests. `None` if it
    /// has none.
    pub fn root_kind(&self, name: &str) -> Option<Kind> {
        let known = self.kinds.get(name).copied();
        known.or_else(|| self.history.guess_kind(name))
    }

    /// The whole document: a record of its roots. One that nobody here has asked for is read as what
    /// it looks like, and is [`Value::Undefined`] if it has no content.
    pub fn to_value(&self) -> Value {
        let txn = self.engine.transact();
        let root = |(name, out): (&str, Out)| {
            let kind = self.root_kind(name);
            // See `check_content`.
            let unreadable = matches!(kind, Some(Kind::Array | Kind::XmlFragment))
                && self.history.has_text(name);
            let value = match (branch_of(&out), kind) {
                (Some(branch), Some(kind)) if !unreadable => value_of(&txn, branch, kind),
                _ => Value::Undefined,
            };
            (name.to_owned(), value)
        };
        Value::Map(txn.root_refs().map(root).collect())
    }

    /// Who has written to the document, and how much: as in the state vector.
    pub fn clients(&self) -> BTreeMap<ClientId, u32> {
        self.history.states().map(|(id, clock)| (ClientId::from_random(id), clock)).collect()
    }

    /// Whether anything was ever written to the document, or waits to be.
    pub fn has_content(&self) -> bool {
        self.has_pending() || self.history.states().next().is_some()
    }
}

fn declare(txn: &mut TransactionMut<'_>, name: &str, kind: Kind) {
    match kind {
        Kind::Array => drop(txn.get_or_insert_array(name)),
        Kind::Map => drop(txn.get_or_insert_map(name)),
        Kind::Text => drop(txn.get_or_insert_text(name)),
        Kind::XmlFragment => drop(txn.get_or_insert_xml_fragment(name)),
        Kind::XmlElement | Kind::XmlText => {}
    }
}

/// Recurses as deep as types are nested, which is bounded.
pub(crate) fn value_of<T: ReadTxn>(txn: &T, branch: BranchPtr, kind: Kind) -> Value {
    match kind {
        Kind::Array => {
            let items = ArrayRef::from(branch);
            Value::Array(items.iter(txn).map(|out| out_value(txn, out)).collect())
        }
        Kind::Map => {
            let map = MapRef::from(branch);
            let entries = map.iter(txn).map(|(key, out)| (key.to_owned(), out_value(txn, out)));
            Value::Map(entries.collect())
        }
        Kind::Text => Value::String(TextRef::from(branch).get_string(txn)),
        Kind::XmlElement | Kind::XmlFragment | Kind::XmlText => {
            let mut out = String::new();
            write_xml(&mut out, txn, branch);
            Value::String(out)
        }
    }
}

fn out_value<T: ReadTxn>(txn: &T, out: Out) -> Value {
    match branch_of(&out) {
        Some(branch) => {
            kind_of(branch).map_or(Value::Undefined, |kind| value_of(txn, branch, kind))
        }
        None => match Entry::of(out) {
            Entry::Value(value) => value,
            Entry::Type(..) => Value::Undefined,
        },
    }
}

#[cfg(test)]
#[path = "whole_tests.rs"]
mod tests;
