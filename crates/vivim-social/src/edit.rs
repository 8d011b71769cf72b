//! Reading and editing a document's roots.
//!
//! Reading gives plain values and never fails for what others have written: a root that holds what
//! its kind doesn't allow reads as empty. Entities are maps of their own, so that concurrent changes
//! of two fields both stay.

use std::collections::BTreeMap;

use vivim_doc::{Doc, EditError, Entry, Kind, TypeId, Value};

use crate::{diff::diff, record::Record};

/// A root map as plain values.
pub(crate) fn map(doc: &mut Doc, root: &str) -> Result<BTreeMap<String, Value>, EditError> {
    match whole(doc, Kind::Map, root)? {
        Value::Map(entries) => Ok(entries),
        _ => Ok(BTreeMap::new()),
    }
}

/// A root list as plain values.
pub(crate) fn list(doc: &mut Doc, root: &str) -> Result<Vec<Value>, EditError> {
    match whole(doc, Kind::Array, root)? {
        Value::Array(values) => Ok(values),
        _ => Ok(Vec::new()),
    }
}

/// The entries of this id in a root list as plain values, without a look at the others' content.
pub(crate) fn find(doc: &mut Doc, root: &str, id: &str) -> Result<Vec<Value>, EditError> {
    let list = doc.root(Kind::Array, root)?;
    let found = readable(doc.array_find(&list, "id", id))?;
    found.iter().map(|entry| doc.entry_value(entry)).collect()
}

/// A root text.
pub(crate) fn text(doc: &mut Doc, root: &str) -> Result<String, EditError> {
    let id = doc.root(Kind::Text, root)?;
    readable(doc.text_string(&id))
}

/// Sets an entry of a root map to a plain value.
pub(crate) fn set(
    doc: &mut Doc,
    root: &str,
    key: &str,
    value: impl Into<Value>,
) -> Result<(), EditError> {
    let map = doc.root(Kind::Map, root)?;
    doc.entry_set(&map, key, &value.into())
}

/// Deletes an entry of a root map.
pub(crate) fn unset(doc: &mut Doc, root: &str, key: &str) -> Result<(), EditError> {
    let map = doc.root(Kind::Map, root)?;
    doc.entry_delete(&map, key).map(drop)
}

/// Deletes the entries of a root map whose keys are like this.
pub(crate) fn unset_where(
    doc: &mut Doc,
    root: &str,
    is_meant: impl Fn(&str) -> bool,
) -> Result<(), EditError> {
    let map = doc.root(Kind::Map, root)?;
    for key in doc.entry_keys(&map)?.iter().filter(|key| is_meant(key)) {
        doc.entry_delete(&map, key)?;
    }
    Ok(())
}

/// Makes an entry of a root map a record of its own.
pub(crate) fn put(doc: &mut Doc, root: &str, key: &str, fields: &Record) -> Result<(), EditError> {
    let map = doc.root(Kind::Map, root)?;
    let entity = doc.entry_set_type(&map, key, Kind::Map)?;
    write(doc, &entity, fields)
}

/// Sets fields of an entry of a root map; null takes one away.
pub(crate) fn put_fields(
    doc: &mut Doc,
    root: &str,
    key: &str,
    changes: &Record,
) -> Result<(), EditError> {
    let map = doc.root(Kind::Map, root)?;
    match doc.entry_get(&map, key)? {
        Some(Entry::Type(Kind::Map, entity)) => write(doc, &entity, changes),
        Some(Entry::Value(Value::Map(fields))) => put(doc, root, key, &over(fields, changes)),
        _ => put(doc, root, key, changes),
    }
}

/// Appends a record to a root list.
pub(crate) fn push(doc: &mut Doc, root: &str, fields: &Record) -> Result<(), EditError> {
    let list = doc.root(Kind::Array, root)?;
    let entity = doc.array_push_type(&list, Kind::Map)?;
    write(doc, &entity, fields)
}

/// Sets fields of all records of this id in a root list.
pub(crate) fn item_fields(
    doc: &mut Doc,
    root: &str,
    id: &str,
    changes: &Record,
) -> Result<(), EditError> {
    let list = doc.root(Kind::Array, root)?;
    let mut are_plain = false;
    for entry in doc.array_find(&list, "id", id)? {
        match entry {
            Entry::Type(_, entity) => write(doc, &entity, changes)?,
            Entry::Value(_) => are_plain = true,
        }
    }
    if !are_plain {
        return Ok(());
    }
    for (at, entry) in places(doc, &list)? {
        let Entry::Value(Value::Map(fields)) = entry else { continue };
        if is_this(fields.get("id"), id) {
            doc.array_delete(&list, at, 1)?;
            let entity = doc.array_insert_type(&list, at, Kind::Map)?;
            write(doc, &entity, &over(fields, changes))?;
        }
    }
    Ok(())
}

/// Removes all records from a root list in which these fields have these values; the first one says
/// where to look.
pub(crate) fn remove_items(
    doc: &mut Doc,
    root: &str,
    with: &[(&str, &str)],
) -> Result<(), EditError> {
    let list = doc.root(Kind::Array, root)?;
    let Some((field, value)) = with.first() else { return Ok(()) };
    let found = doc.array_find(&list, field, value)?;
    let places = match found.as_slice() {
        [] => return Ok(()),
        [Entry::Type(_, only)] => {
            let at = doc.array_index_of(&list, only)?;
            at.into_iter().zip(found).collect()
        }
        _ => places(doc, &list)?,
    };
    // From the end, so that the places before stay what they are.
    for (at, entry) in places.into_iter().rev() {
        let mut is_meant = true;
        for (name, value) in with {
            is_meant &= is_text(doc, &entry, name, value)?;
        }
        if is_meant {
            doc.array_delete(&list, at, 1)?;
        }
    }
    Ok(())
}

/// Removes the first so many from a root list.
pub(crate) fn remove_first(doc: &mut Doc, root: &str, count: usize) -> Result<(), EditError> {
    let list = doc.root(Kind::Array, root)?;
    let count = u32::try_from(count).unwrap_or(u32::MAX).min(doc.array_len(&list)?);
    if count == 0 { Ok(()) } else { doc.array_delete(&list, 0, count) }
}

/// Edits a root text into this one, keeping what stays.
pub(crate) fn set_text(doc: &mut Doc, root: &str, new: &str) -> Result<(), EditError> {
    let id = doc.root(Kind::Text, root)?;
    edit_text(doc, &id, new)
}

/// Edits a text in a root map into this one, keeping what stays.
pub(crate) fn set_entry_text(
    doc: &mut Doc,
    root: &str,
    key: &str,
    new: &str,
) -> Result<(), EditError> {
    let map = doc.root(Kind::Map, root)?;
    let id = match doc.entry_get(&map, key)? {
        Some(Entry::Type(Kind::Text, id)) => id,
        _ => doc.entry_set_type(&map, key, Kind::Text)?,
    };
    edit_text(doc, &id, new)
}

/// Empties roots.
pub(crate) fn clear(doc: &mut Doc, roots: &[(&str, Kind)]) -> Result<(), EditError> {
    for (root, kind) in roots {
        let id = doc.root(*kind, root)?;
        match kind {
            Kind::Array => remove_first(doc, root, usize::MAX)?,
            Kind::Map => doc.entries_clear(&id)?,
            _ => {
                let len = doc.text_len_of(&id)?;
                doc.text_delete_at(&id, 0, len)?;
            }
        }
    }
    Ok(())
}

fn whole(doc: &mut Doc, kind: Kind, root: &str) -> Result<Value, EditError> {
    let id = doc.root(kind, root)?;
    match doc.type_value(&id) {
        Err(EditError::WrongKind) => Ok(Value::Undefined),
        other => other,
    }
}

fn readable<T: Default>(read: Result<T, EditError>) -> Result<T, EditError> {
    match read {
        Err(EditError::WrongKind) => Ok(T::default()),
        other => other,
    }
}

fn places(doc: &Doc, list: &TypeId) -> Result<Vec<(u32, Entry)>, EditError> {
    Ok((0..).zip(doc.array_items(list)?).collect())
}

/// Whether an entry of a list is a record in which a field is this text.
fn is_text(doc: &Doc, entry: &Entry, name: &str, text: &str) -> Result<bool, EditError> {
    Ok(match entry {
        Entry::Type(Kind::Map, entity) => {
            is_this(doc.entry_get(entity, name)?.as_ref().and_then(Entry::as_value), text)
        }
        Entry::Value(Value::Map(fields)) => is_this(fields.get(name), text),
        _ => false,
    })
}

fn is_this(value: Option<&Value>, text: &str) -> bool {
    matches!(value, Some(Value::String(known)) if known == text)
}

fn write(doc: &mut Doc, entity: &TypeId, fields: &Record) -> Result<(), EditError> {
    for (name, value) in fields.iter() {
        if *value == Value::Null {
            doc.entry_delete(entity, name)?;
        } else {
            doc.entry_set(entity, name, value)?;
        }
    }
    Ok(())
}

fn over(fields: BTreeMap<String, Value>, changes: &Record) -> Record {
    let mut record = Record::from(fields);
    for (name, value) in changes.iter() {
        record.set(name, value.clone());
    }
    record
}

fn edit_text(doc: &mut Doc, id: &TypeId, new: &str) -> Result<(), EditError> {
    let old = readable(doc.text_string(id))?;
    for step in diff(&old, new).into_iter().rev() {
        if step.delete > 0 {
            doc.text_delete_at(id, step.at, step.delete)?;
        }
        if !step.insert.is_empty() {
            doc.text_insert_at(id, step.at, &step.insert)?;
        }
    }
    Ok(())
}
