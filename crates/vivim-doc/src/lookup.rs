//! Records of lists, found by the text in one of their fields.
//!
//! A list is read from its beginning, so whoever looks for one record in ten thousand reads them all.
//! A list that was searched once is remembered by what is in that field: from then on, the history
//! tells which records had the field written, by anybody. What is remembered is a guess that
//! is checked against the document each time, so nothing has to be forgotten when something is deleted.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use yrs::{Any, Array, ArrayRef, Map, MapRef, Out, ReadTxn, branch::BranchPtr};

use crate::{
    Doc, EditError, Entry, Kind, TypeId,
    array::ARRAY,
    history::{History, Parent, Scope},
    limits::{MAX_LOOKUP_NEWS, MAX_LOOKUPS},
    types::{branch_of, kind_of},
    validate::Id,
};

/// The lists that were searched.
#[derive(Debug, Default)]
pub(crate) struct Lookups(HashMap<Parent, Vec<Lookup>>);

/// One list, by one field of its records.
#[derive(Debug)]
struct Lookup {
    field: Box<str>,
    /// Records by the hash of what the field holds, or has held.
    known: BTreeSet<(u64, Id)>,
    /// Records whose field has been written since.
    news: Vec<Id>,
    hasher: RandomState,
}

impl Lookups {
    /// Notes that this field of a record in a list has been written.
    fn note(&mut self, list: &Parent, field: &str, record: Id) {
        let Some(lookups) = self.0.get_mut(list) else { return };
        if let Some(at) = lookups.iter().position(|lookup| *lookup.field == *field) {
            match lookups.get_mut(at) {
                Some(lookup) if lookup.news.len() < MAX_LOOKUP_NEWS => lookup.news.push(record),
                // Reading the list anew is cheaper than that.
                _ => drop(lookups.swap_remove(at)),
            }
        }
    }

    fn take(&mut self, list: &Parent, field: &str) -> Option<Lookup> {
        let lookups = self.0.get_mut(list)?;
        let at = lookups.iter().position(|lookup| *lookup.field == *field)?;
        Some(lookups.swap_remove(at))
    }

    fn put(&mut self, list: Parent, lookup: Lookup) {
        if self.0.values().map(Vec::len).sum::<usize>() >= MAX_LOOKUPS {
            self.0.clear();
        }
        self.0.entry(list).or_default().push(lookup);
    }
}

impl Lookup {
    fn add(&mut self, text: &str, record: Id) {
        self.known.insert((self.hasher.hash_one(text), record));
    }

    fn guesses(&self, hash: u64) -> Vec<Id> {
        let of = |client, clock| (hash, Id { client, clock });
        self.known.range(of(0, 0)..=of(u64::MAX, u32::MAX)).map(|(_, id)| *id).collect()
    }
}

impl History {
    /// Tells the lookups what was written under a key.
    pub(crate) fn note_field(&mut self, scope: Scope) {
        if self.lookups.0.is_empty() {
            return;
        }
        let Some(written) = self.scopes.info(scope) else { return };
        let Parent::Type(record) = written.key.parent else { return };
        let list = self.scope_of(record);
        let Self { scopes, lookups, .. } = self;
        let (Some(written), Some(list)) = (scopes.info(scope), scopes.info(list)) else { return };
        if let (Some(field), None) = (&written.key.key, &list.key.key) {
            lookups.note(&list.key.parent, field, record);
        }
    }
}

impl Doc {
    /// The records in a list whose field is this text, in the order of the list: maps, and plain records.
    ///
    /// The first search of a list by a field reads it; those that follow don't, if it holds nothing
    /// but shared types.
    pub fn array_find(
        &mut self,
        list: &TypeId,
        field: &str,
        text: &str,
    ) -> Result<Vec<Entry>, EditError> {
        let parent = Parent::of(list);
        if self.history.has_plain_values(&parent) {
            return self.read(list, ARRAY, |txn, branch| {
                let items = ArrayRef::from(branch);
                let is_meant = |out: &Out| text_in(txn, out, field).is_some_and(|it| *it == *text);
                Ok(items.iter(txn).filter(is_meant).map(Entry::of).collect())
            });
        }
        let known = self.history.lookups.take(&parent, field);
        let (lookup, found) = self.read(list, ARRAY, |txn, branch| {
            let mut lookup = known.unwrap_or_else(|| all(txn, branch, field));
            for record in std::mem::take(&mut lookup.news) {
                if let Some(text) = text_of(txn, record, field) {
                    lookup.add(&text, record);
                }
            }
            let hash = lookup.hasher.hash_one(text);
            let mut found = lookup.guesses(hash);
            found.retain(|id| {
                let is_meant = text_of(txn, *id, field).is_some_and(|known| *known == *text);
                if !is_meant {
                    lookup.known.remove(&(hash, *id));
                }
                is_meant
            });
            if found.len() > 1 {
                let items = ArrayRef::from(branch);
                let ids = items.iter(txn).filter_map(|out| TypeId::of(branch_of(&out)?).nested());
                found = ids.filter(|id| found.contains(id)).collect();
            }
            Ok((lookup, found))
        })?;
        self.history.lookups.put(parent, lookup);
        Ok(found.into_iter().map(|id| Entry::Type(Kind::Map, TypeId::from_id(id))).collect())
    }

    /// The place of a shared type in a list; `None` if it isn't there.
    pub fn array_index_of(&self, list: &TypeId, item: &TypeId) -> Result<Option<u32>, EditError> {
        self.read(list, ARRAY, |txn, branch| {
            let is_it = |out: Out| branch_of(&out).is_some_and(|inner| TypeId::of(inner) == *item);
            // No list is longer than what the engine counts.
            Ok(ArrayRef::from(branch).iter(txn).position(is_it).map(|at| at as u32))
        })
    }
}

/// A list as it is.
fn all<T: ReadTxn>(txn: &T, list: BranchPtr, field: &str) -> Lookup {
    let (known, news) = Default::default();
    let mut lookup = Lookup { field: field.into(), known, news, hasher: RandomState::new() };
    for out in ArrayRef::from(list).iter(txn) {
        let id = branch_of(&out).and_then(|record| TypeId::of(record).nested());
        if let (Some(id), Some(text)) = (id, text_in(txn, &out, field)) {
            lookup.add(&text, id);
        }
    }
    lookup
}

/// The text in a field of a record, if it is there.
fn text_of<T: ReadTxn>(txn: &T, record: Id, field: &str) -> Option<Arc<str>> {
    let record = TypeId::from_id(record).branch_id().get_branch(txn)?;
    if record.is_deleted() { None } else { field_of(txn, record, field) }
}

/// The text in a field of what is in a list.
fn text_in<T: ReadTxn>(txn: &T, out: &Out, field: &str) -> Option<Arc<str>> {
    match out {
        Out::Any(Any::Map(fields)) => match fields.get(field)? {
            Any::String(text) => Some(text.clone()),
            _ => None,
        },
        _ => field_of(txn, branch_of(out)?, field),
    }
}

fn field_of<T: ReadTxn>(txn: &T, record: BranchPtr, field: &str) -> Option<Arc<str>> {
    if kind_of(record) != Some(Kind::Map) {
        return None;
    }
    match MapRef::from(record).get(txn, field)? {
        Out::Any(Any::String(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
#[path = "lookup_tests.rs"]
mod tests;
