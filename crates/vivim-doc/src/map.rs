//! Maps, and the entries that XML types have too.

use yrs::{
    ArrayPrelim, In, Map, MapPrelim, MapRef, Out, TransactionMut, XmlFragmentPrelim,
    branch::BranchPtr,
    types::{text::DeltaPrelim, xml::XmlDeltaPrelim},
};

use crate::{Doc, EditError, Entry, Kind, TypeId, Value, doc::check_name, types::branch_of};

const MAP: &[Kind] = &[Kind::Map];

impl Doc {
    /// An entry of a map.
    pub fn entry_get(&self, map: &TypeId, key: &str) -> Result<Option<Entry>, EditError> {
        self.read_entry(map, MAP, key)
    }

    /// Sets an entry of a map to a plain value.
    pub fn entry_set(&mut self, map: &TypeId, key: &str, value: &Value) -> Result<(), EditError> {
        self.write_entry(map, MAP, key, value)
    }

    /// Sets an entry of a map to a new, empty shared type. XML elements have names and live in XML:
    /// [`EditError::WrongKind`].
    pub fn entry_set_type(
        &mut self,
        map: &TypeId,
        key: &str,
        kind: Kind,
    ) -> Result<TypeId, EditError> {
        check_name(key)?;
        let new = empty(kind)?;
        self.write(map, MAP, |txn, branch| new_type(&MapRef::from(branch).insert(txn, key, new)))
    }

    /// Deletes an entry of a map. False if there was none.
    pub fn entry_delete(&mut self, map: &TypeId, key: &str) -> Result<bool, EditError> {
        self.delete_entry(map, MAP, key)
    }

    /// Whether a map has an entry.
    pub fn entry_has(&self, map: &TypeId, key: &str) -> Result<bool, EditError> {
        self.read(map, MAP, |txn, branch| Ok(MapRef::from(branch).contains_key(txn, key)))
    }

    /// The keys of a map, in order.
    pub fn entry_keys(&self, map: &TypeId) -> Result<Vec<String>, EditError> {
        self.read(map, MAP, |txn, branch| {
            let mut keys: Vec<String> =
                MapRef::from(branch).keys(txn).map(ToOwned::to_owned).collect();
            keys.sort_unstable();
            Ok(keys)
        })
    }

    /// The entries of a map, in the order of their keys.
    pub fn entries(&self, map: &TypeId) -> Result<Vec<(String, Entry)>, EditError> {
        self.read_entries(map, MAP)
    }

    /// How many entries a map has.
    pub fn entry_count(&self, map: &TypeId) -> Result<u32, EditError> {
        self.read(map, MAP, |txn, branch| Ok(MapRef::from(branch).len(txn)))
    }

    /// Deletes all entries of a map.
    pub fn entries_clear(&mut self, map: &TypeId) -> Result<(), EditError> {
        self.write(map, MAP, |txn, branch| {
            MapRef::from(branch).clear(txn);
            Ok(())
        })
    }

    pub(crate) fn read_entry(
        &self,
        id: &TypeId,
        of: &[Kind],
        key: &str,
    ) -> Result<Option<Entry>, EditError> {
        self.read(id, of, |txn, branch| Ok(MapRef::from(branch).get(txn, key).map(Entry::of)))
    }

    pub(crate) fn read_entries(
        &self,
        id: &TypeId,
        of: &[Kind],
    ) -> Result<Vec<(String, Entry)>, EditError> {
        self.read(id, of, |txn, branch| {
            let map = MapRef::from(branch);
            let mut entries: Vec<(String, Entry)> =
                map.iter(txn).map(|(key, out)| (key.to_owned(), Entry::of(out))).collect();
            entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            Ok(entries)
        })
    }

    pub(crate) fn write_entry(
        &mut self,
        id: &TypeId,
        of: &[Kind],
        key: &str,
        value: &Value,
    ) -> Result<(), EditError> {
        check_name(key)?;
        let value = value.to_any()?;
        self.write(id, of, |txn, branch| {
            MapRef::from(branch).insert(txn, key, value);
            Ok(())
        })
    }

    pub(crate) fn delete_entry(
        &mut self,
        id: &TypeId,
        of: &[Kind],
        key: &str,
    ) -> Result<bool, EditError> {
        self.write(id, of, |txn: &mut TransactionMut<'_>, branch: BranchPtr| {
            Ok(MapRef::from(branch).remove(txn, key).is_some())
        })
    }

    // Roots by name.

    /// Sets an entry of a root map.
    pub fn map_set(&mut self, name: &str, key: &str, value: &Value) -> Result<(), EditError> {
        let map = self.root(Kind::Map, name)?;
        self.entry_set(&map, key, value)
    }

    /// An entry of a root map. A nested shared type is read as its value.
    pub fn map_get(&mut self, name: &str, key: &str) -> Result<Option<Value>, EditError> {
        let map = self.root(Kind::Map, name)?;
        match self.entry_get(&map, key)? {
            None => Ok(None),
            Some(Entry::Value(value)) => Ok(Some(value)),
            Some(Entry::Type(_, id)) => self.type_value(&id).map(Some),
        }
    }

    /// Deletes an entry of a root map. False if there was none.
    pub fn map_delete(&mut self, name: &str, key: &str) -> Result<bool, EditError> {
        let map = self.root(Kind::Map, name)?;
        self.entry_delete(&map, key)
    }

    /// A whole root map.
    pub fn map(&mut self, name: &str) -> Result<Value, EditError> {
        let map = self.root(Kind::Map, name)?;
        self.type_value(&map)
    }
}

/// An empty shared type, to be put into another.
pub(crate) fn empty(kind: Kind) -> Result<In, EditError> {
    Ok(match kind {
        Kind::Array => In::Array(ArrayPrelim::default()),
        Kind::Map => In::Map(MapPrelim::default()),
        Kind::Text => In::Text(DeltaPrelim::default()),
        Kind::XmlElement => return Err(EditError::WrongKind),
        Kind::XmlFragment => In::XmlFragment(XmlFragmentPrelim::default()),
        Kind::XmlText => In::XmlText(XmlDeltaPrelim::default()),
    })
}

/// The name of a type that was just made.
pub(crate) fn new_type(out: &Out) -> Result<TypeId, EditError> {
    branch_of(out).map(TypeId::of).ok_or(EditError::Gone)
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
