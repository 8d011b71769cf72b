//! Lists.

use vivim_proto::wire::put_uvarint;
use yrs::{Any, Array, ArrayRef, Update, updates::decoder::Decode};

use crate::{
    Doc, EditError, Entry, Kind, TypeId, Value,
    doc::check_bounds,
    history::Parent,
    map::{empty, new_type},
    validate::Id,
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
        let len = self.array_len(array)?;
        check_bounds(index.into(), len)?;
        if index < len {
            return self.write(array, ARRAY, |txn, branch| {
                new_type(&ArrayRef::from(branch).insert(txn, index, new))
            });
        }
        let list = Parent::of(array);
        let appended = match (self.history.list_end(&list), type_number(kind)) {
            (Some(end), Some(number)) => self.append_type(array, end, number),
            _ => self.write(array, ARRAY, |txn, branch| {
                new_type(&ArrayRef::from(branch).push_back(txn, new))
            }),
        }?;
        if let Some(id) = appended.nested() {
            self.history.set_list_end(&list, id);
        }
        Ok(appended)
    }

    /// Appends a shared type right of what is known to be the last item. The engine would look for it
    /// from the list's beginning, so it's given what another replica would say of such an edit.
    fn append_type(
        &mut self,
        array: &TypeId,
        end: Id,
        type_number: u8,
    ) -> Result<TypeId, EditError> {
        let client = self.client.get();
        let new = Id { client, clock: self.history.state(client) };
        let update = Update::decode_v1(&type_after(end, new, type_number));
        self.write(array, ARRAY, |txn, _| {
            // What is refused here isn't there afterwards.
            let applied = update.is_ok_and(|update| txn.apply_update(update).is_ok());
            let id = TypeId::from_id(new);
            let is_there = applied && id.branch_id().get_branch(txn).is_some();
            if is_there { Ok(id) } else { Err(EditError::Gone) }
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

/// The kinds of shared types as Yjs numbers them; those that need more than a number are left out.
fn type_number(kind: Kind) -> Option<u8> {
    match kind {
        Kind::Array => Some(0),
        Kind::Map => Some(1),
        Kind::Text => Some(2),
        Kind::XmlElement | Kind::XmlFragment | Kind::XmlText => None,
    }
}

/// An update in encoding V1: one shared type, right of this item.
fn type_after(left: Id, new: Id, type_number: u8) -> Vec<u8> {
    const HAS_LEFT: u8 = 0x80;
    const IS_TYPE: u8 = 7;
    let mut out = Vec::with_capacity(48);
    // One client, one block.
    out.extend_from_slice(&[1, 1]);
    put_uvarint(&mut out, new.client);
    put_uvarint(&mut out, new.clock.into());
    out.push(HAS_LEFT | IS_TYPE);
    put_uvarint(&mut out, left.client);
    put_uvarint(&mut out, left.clock.into());
    // No deletions.
    out.extend_from_slice(&[type_number, 0]);
    out
}

#[cfg(test)]
#[path = "array_tests.rs"]
mod tests;
