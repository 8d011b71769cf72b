//! What changed in the shared types that somebody watches.
//!
//! The engine calls its observers in the middle of a transaction. Ours only note what happened, in a
//! queue that is taken from when nothing is going on. A type that nobody observes costs nothing.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use yrs::{
    Transact, TransactionMut,
    types::{Change as EngineChange, Delta, EntryChange, Event, PathSegment},
};

use crate::{
    Attributes, Doc, EditError, Entry, Kind, TextOp, TypeId,
    doc::{REMOTE, resolve},
    limits::MAX_EVENTS_QUEUED,
    text::attributes_of,
    types::{branch_of, kind_of},
    whole::ANY,
};

/// A change of a shared type.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ChangeEvent {
    /// The type that is observed.
    pub observed: TypeId,
    /// Whether it is observed together with all that is in it.
    pub deep: bool,
    /// The type that changed.
    pub target: TypeId,
    /// Its kind.
    pub kind: Kind,
    /// The way from the observed type to it.
    pub path: Vec<PathPart>,
    /// What changed in its list.
    pub delta: ChangeDelta,
    /// What changed under its keys.
    pub keys: BTreeMap<String, KeyChange>,
    /// Who changed it.
    pub origin: ChangeOrigin,
}

/// A step on the way to a shared type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathPart {
    /// The place in a list; in a text, in UTF-16 units.
    Index(u32),
    /// The key in a map.
    Key(String),
}

/// The change of a list, as steps from its beginning.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeDelta {
    /// Of an array, or of the children of XML; empty if only keys changed.
    List(Vec<ListOp>),
    /// Of a text.
    Text(Vec<TextOp>),
}

/// A step of a change to a list.
#[derive(Clone, Debug, PartialEq)]
pub enum ListOp {
    /// Deletes so many.
    Delete(u32),
    /// Inserts these.
    Insert(Vec<Entry>),
    /// Goes over so many.
    Retain(u32),
}

/// The change of an entry of a map, or of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyChange {
    /// There was none.
    Add(Entry),
    /// There is none any more. What there was; a shared type is gone now.
    Delete(Entry),
    /// There was another.
    Update {
        /// What is there now.
        new: Entry,
        /// What there was.
        old: Entry,
    },
}

/// Who made a change that is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChangeOrigin {
    /// An edit of this replica.
    Local,
    /// An update that was applied.
    Remote,
    /// Undo or redo in this replica.
    Undo,
}

/// Events that wait.
#[derive(Debug, Default)]
pub(crate) struct Events(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<ChangeEvent>,
    lost: bool,
}

/// The name of our observers in the engine.
const OBSERVER: &str = "vivim";

impl Doc {
    /// From now on, tells of changes of a shared type; if `deep`, of all that is in it too. To
    /// observe a type once more in the same way does nothing.
    pub fn observe(&mut self, id: &TypeId, deep: bool) -> Result<(), EditError> {
        let txn = self.engine.transact_mut();
        let mut branch = resolve(&self.kinds, &txn, id, ANY)?;
        let (queue, observed) = (self.events.0.clone(), id.clone());
        if deep {
            branch.observe_deep(OBSERVER.into(), move |txn, events| {
                for event in events.iter() {
                    push(&queue, event_of(&observed, true, txn, event));
                }
            });
        } else {
            branch.observe(OBSERVER.into(), move |txn, event| {
                push(&queue, event_of(&observed, false, txn, event));
            });
        }
        Ok(())
    }

    /// Ends what [`observe`](Self::observe) began. A type that was deleted isn't observed any more.
    pub fn unobserve(&mut self, id: &TypeId, deep: bool) {
        let txn = self.engine.transact_mut();
        if let Ok(mut branch) = resolve(&self.kinds, &txn, id, ANY) {
            if deep {
                branch.unobserve_deep(&OBSERVER.into());
            } else {
                branch.unobserve(&OBSERVER.into());
            }
        }
    }

    /// The changes of observed types since the last call, oldest first.
    ///
    /// Each call of an edit, and each update, is told of by itself. If more wait than
    /// [`MAX_EVENTS_QUEUED`], all are dropped.
    pub fn take_events(&mut self) -> Vec<ChangeEvent> {
        lock(&self.events.0).events.drain(..).collect()
    }

    /// True, once, if changes were dropped because nobody took them. Read anew what is observed.
    pub fn take_events_lost(&mut self) -> bool {
        std::mem::take(&mut lock(&self.events.0).lost)
    }
}

/// Nothing is left half done by a thread that panics while it holds the queue.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

fn push(queue: &Mutex<Queue>, event: Option<ChangeEvent>) {
    let Some(event) = event else { return };
    let mut queue = lock(queue);
    if queue.events.len() >= MAX_EVENTS_QUEUED {
        queue.events.clear();
        queue.lost = true;
    }
    queue.events.push_back(event);
}

fn event_of(
    observed: &TypeId,
    deep: bool,
    txn: &TransactionMut<'_>,
    event: &Event,
) -> Option<ChangeEvent> {
    let (delta, keys) = match event {
        Event::Array(event) => (list_delta(event.delta(txn)), BTreeMap::new()),
        Event::Map(event) => (ChangeDelta::List(Vec::new()), key_changes(event.keys(txn))),
        Event::Text(event) => (text_delta(event.delta(txn)), BTreeMap::new()),
        Event::XmlFragment(event) => (list_delta(event.delta(txn)), key_changes(event.keys(txn))),
        Event::XmlText(event) => (text_delta(event.delta(txn)), key_changes(event.keys(txn))),
        #[allow(unreachable_patterns)] // depends on the features of the engine
        _ => return None,
    };
    let is_empty = match &delta {
        ChangeDelta::List(ops) => ops.is_empty(),
        ChangeDelta::Text(ops) => ops.is_empty(),
    };
    if is_empty && keys.is_empty() {
        return None;
    }
    let path = event.path().into_iter().map(|segment| match segment {
        PathSegment::Key(key) => PathPart::Key(key.to_string()),
        PathSegment::Index(index) => PathPart::Index(index),
    });
    let target = branch_of(&event.target())?;
    Some(ChangeEvent {
        observed: observed.clone(),
        deep,
        target: TypeId::of(target),
        kind: kind_of(target)?,
        path: path.collect(),
        delta,
        keys,
        origin: match txn.origin() {
            None => ChangeOrigin::Local,
            Some(origin) if origin.as_ref() == REMOTE.as_bytes() => ChangeOrigin::Remote,
            Some(_) => ChangeOrigin::Undo,
        },
    })
}

fn list_delta(delta: &[EngineChange]) -> ChangeDelta {
    let op = |change: &EngineChange| match change {
        EngineChange::Added(items) => {
            ListOp::Insert(items.iter().cloned().map(Entry::of).collect())
        }
        EngineChange::Removed(len) => ListOp::Delete(*len),
        EngineChange::Retain(len) => ListOp::Retain(*len),
    };
    ChangeDelta::List(delta.iter().map(op).collect())
}

fn text_delta(delta: &[Delta]) -> ChangeDelta {
    let attributes = |attrs: &Option<Box<_>>| -> Attributes { attributes_of(attrs.as_deref()) };
    let op = |change: &Delta| match change {
        Delta::Inserted(insert, attrs) => {
            TextOp::Insert(Entry::of(insert.clone()), attributes(attrs))
        }
        Delta::Deleted(len) => TextOp::Delete(*len),
        Delta::Retain(len, attrs) => TextOp::Retain(*len, attributes(attrs)),
    };
    ChangeDelta::Text(delta.iter().map(op).collect())
}

fn key_changes(keys: &HashMap<Arc<str>, EntryChange>) -> BTreeMap<String, KeyChange> {
    let change = |change: &EntryChange| match change {
        EntryChange::Inserted(new) => KeyChange::Add(Entry::of(new.clone())),
        EntryChange::Updated(old, new) => {
            KeyChange::Update { new: Entry::of(new.clone()), old: Entry::of(old.clone()) }
        }
        EntryChange::Removed(old) => KeyChange::Delete(Entry::of(old.clone())),
    };
    keys.iter().map(|(key, entry)| (key.to_string(), change(entry))).collect()
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
