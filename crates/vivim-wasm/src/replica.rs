//! A document kept here, by Yrs, as the node and the bindings know it.

use std::cell::{Cell, RefCell};

use bytes::Bytes;
use vivim_doc::{ClientId, Doc, EditError};
use vivim_node::{ReplicaOp, ReplicaResult};
use vivim_proto::time::Timestamp;
use wasm_bindgen::prelude::*;
use web_time::Instant;

use crate::failure::Failure;

/// Updates of one turn that are sent one by one; more leave as one.
const SEPARATE_UPDATES: usize = 16;

/// The document as the node's replicas know it.
#[derive(Debug)]
pub(crate) struct Replica {
    doc: RefCell<Doc>,
    /// The epoch of the document's clock.
    born: Instant,
    /// What was changed by JavaScript since it last took the updates.
    pending: RefCell<Vec<Bytes>>,
    /// What the document had before the first of them.
    before: RefCell<Vec<u8>>,
    is_batching: Cell<bool>,
}

impl Replica {
    pub(crate) fn new(client: ClientId) -> Self {
        Self {
            doc: RefCell::new(Doc::new(client)),
            born: Instant::now(),
            pending: RefCell::default(),
            before: RefCell::default(),
            is_batching: Cell::new(false),
        }
    }

    /// Answers a question of the node; gives the changes that it made, too.
    pub(crate) fn answer(&self, op: ReplicaOp) -> (ReplicaResult, Vec<Bytes>) {
        let now = Timestamp::new(self.born.elapsed());
        let mut doc = self.doc.borrow_mut();
        // Whoever has fallen silent isn't passed on to newcomers.
        doc.awareness().handle_timeout(now);
        let result = doc.handle(op, now);
        doc.awareness().take_changes();
        let changes = doc.take_updates().into_iter().map(|update| update.payload).collect();
        (result, changes)
    }

    /// Whether the document dropped something that its peers have to be asked for again.
    pub(crate) fn take_resync(&self) -> bool {
        self.doc.borrow_mut().take_resync()
    }

    /// Edits; what changed waits until [`Replica::take`].
    pub(crate) fn edit<T, E: Into<Failure>>(
        &self,
        f: impl FnOnce(&mut Doc) -> Result<T, E>,
    ) -> Result<T, JsValue> {
        let mut doc = self.doc.borrow_mut();
        if !self.is_batching.replace(true) {
            self.before.replace(doc.encode_state_vector());
        }
        let result = f(&mut doc);
        let changes = doc.take_updates().into_iter().map(|update| update.payload);
        self.pending.borrow_mut().extend(changes);
        result.map_err(|error| error.into().into())
    }

    /// Reads; the engine makes a text or map of this name if there is none, which is no change.
    pub(crate) fn read<T>(
        &self,
        f: impl FnOnce(&mut Doc) -> Result<T, EditError>,
    ) -> Result<T, JsValue> {
        f(&mut self.doc.borrow_mut()).map_err(|error| Failure::from(error).into())
    }

    /// Looks at the document.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&Doc) -> T) -> T {
        f(&self.doc.borrow())
    }

    /// The changes made here since the last call, as updates.
    pub(crate) fn take(&self) -> Result<Vec<Vec<u8>>, Failure> {
        self.is_batching.set(false);
        let updates = self.pending.take();
        if updates.len() <= SEPARATE_UPDATES {
            return Ok(updates.into_iter().map(Into::into).collect());
        }
        let before = self.before.take();
        Ok(vec![self.doc.borrow().encode_state_as_update(Some(&before))?])
    }
}
