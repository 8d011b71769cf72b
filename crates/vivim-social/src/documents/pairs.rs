//! Sets in root maps whose keys name two things: `A B`.
//!
//! They stand beside the entities that they belong to and not inside them. Two replicas that add to
//! an entity's set for the first time would each make that set, and one of the two would be lost; a
//! root is there from the beginning. The second part never holds a space, the first may.

use std::collections::{BTreeMap, BTreeSet};

use vivim_doc::{Doc, EditError, Value};
use vivim_proto::SortedMap;

use crate::{edit, record::is_did};

pub(crate) fn key(first: &str, second: &str) -> String {
    format!("{first} {second}")
}

/// Deletes all entries of the first thing.
pub(crate) fn unset_all(doc: &mut Doc, root: &str, first: &str) -> Result<(), EditError> {
    edit::unset_where(doc, root, |key| {
        key.rsplit_once(' ').is_some_and(|(known, _)| known == first)
    })
}

/// The DIDs that belong to each thing.
pub(crate) fn sets(
    doc: &mut Doc,
    root: &str,
) -> Result<SortedMap<String, BTreeSet<String>>, EditError> {
    let mut sets: SortedMap<String, BTreeSet<String>> = SortedMap::new();
    for key in edit::map(doc, root)?.into_keys() {
        if let Some((first, did)) = key.rsplit_once(' ').filter(|(_, did)| is_did(did)) {
            sets.get_or_insert_with(first.to_owned(), BTreeSet::new).insert(did.to_owned());
        }
    }
    Ok(sets)
}

/// Ordered pairs of DIDs, such as who has blocked whom.
pub(crate) fn pairs(doc: &mut Doc, root: &str) -> Result<BTreeSet<(String, String)>, EditError> {
    let sets = sets(doc, root)?.into_iter().filter(|(first, _)| is_did(first));
    Ok(sets
        .flat_map(|(first, seconds)| seconds.into_iter().map(move |second| (first.clone(), second)))
        .collect())
}

/// The plain values that belong to each thing, by name.
pub(crate) fn fields(
    doc: &mut Doc,
    root: &str,
) -> Result<SortedMap<String, BTreeMap<String, Value>>, EditError> {
    let mut fields: SortedMap<String, BTreeMap<String, Value>> = SortedMap::new();
    for (key, value) in edit::map(doc, root)? {
        if let Some((first, name)) = key.rsplit_once(' ') {
            fields
                .get_or_insert_with(first.to_owned(), BTreeMap::new)
                .insert(name.to_owned(), value);
        }
    }
    Ok(fields)
}
