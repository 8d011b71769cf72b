//! Lists.

use yrs::{Any, Array, ArrayRef};

use crate::{
    Doc, EditError, Entry, Kind, TypeId, Value,
    doc::check_bounds,
    map::{empty, new_type},
    value::to_anys,
};

pub(crate) const ARRAY: &[Kind] = &[Kind::Array];

impl Doc {
    /// The length of a list.
    pub fn array_len(&self, array: &TypeId) -> Result<u32, EditError> {
        self.read(array, ARRAY, |txn, branch| Ok(ArrayRef::from(branch).len(txn)))
    }

    /// What is at a place of a list; `None` behind its end.
    pub fn array_get(&self, array: &TypeId, index: u32) -> Result<Option<Entry>, EditError> {
        self.read(array, ARRAY, |txn, branch| {
            let array = ArrayRef::from(branch);
            if index >= array.len(txn) {
                return Ok(None);
            }
            Ok(array.get(txn, index).map(Entry::of))
        })
    }

    /// All that is in a list.
    pub fn array_items(&self, array: &TypeId) -> Result<Vec<Entry>, EditError> {
        self.read(array, ARRAY, |txn, branch| {
            Ok(ArrayRef::from(branch).iter(txn).map(Entry::of).collect())
        })
    }

    /// Inserts plain values into a list.
    pub fn array_insert(
        &mut self,
        array: &TypeId,
        index: u32,
        values: &[Value],
    ) -> Result<(), EditError> {
        let values = to_anys(values)?;
        self.write(array, ARRAY, |txn, branch| {
            let array = ArrayRef::from(branch);
            check_bounds(index.into(), array.len(txn))?;
            array.insert_range::<_, Any>(txn, index, values);
            Ok(())
        })
    }

    /// Appends plain values to a list.
    pub fn array_push(&mut self, array: &TypeId, values: &[Value]) -> Result<(), EditError> {
        let values = to_anys(values)?;
        self.write(array, ARRAY, |txn, branch| {
            let array = ArrayRef::from(branch);
            array.insert_range::<_, Any>(txn, array.len(txn), values);
            Ok(())
        })
    }

    /// Inserts a new, empty shared type into a list. XML elements have names and live in XML:
    /// [`EditError::WrongKind`].
    pub fn array_insert_type(
        &mut self,
        array: &TypeId,
        index: u32,
        kind: Kind,
    ) -> Result<TypeId, EditError> {
        let new = empty(kind)?;
        self.write(array, ARRAY, |txn, branch| {
            let array = ArrayRef::from(branch);
            check_bounds(index.into(), array.len(txn))?;
            new_type(&array.insert(txn, index, new))
        })
    }

    /// Appends a new, empty shared type to a list.
    pub fn array_push_type(&mut self, array: &TypeId, kind: Kind) -> Result<TypeId, EditError> {
        let len = self.array_len(array)?;
        self.array_insert_type(array, len, kind)
    }

    /// Deletes `len` places of a list.
    pub fn array_delete(&mut self, array: &TypeId, index: u32, len: u32) -> Result<(), EditError> {
        self.write(array, ARRAY, |txn, branch| {
            let array = ArrayRef::from(branch);
            check_bounds(u64::from(index) + u64::from(len), array.len(txn))?;
            if len > 0 {
                array.remove_range(txn, index, len);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
#[path = "array_tests.rs"]
mod tests;
