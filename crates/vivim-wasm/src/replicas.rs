//! Who answers for a document: a Yrs document here, or a replica in JavaScript.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use vivim_node::{CallId, DocId, ReplicaResult};
use vivim_proto::sync::ReplicaError;

use crate::replica::Replica;

/// The replicas of one node, and the questions that JavaScript has not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Replicas {
    yrs: RefCell<HashMap<DocId, Rc<Replica>>>,
    /// [`CallId`]s are opaque, so they stay here and JavaScript gets their place.
    calls: RefCell<HashMap<u32, (DocId, CallId)>>,
    next_call: Cell<u32>,
}

impl Replicas {
    pub(crate) fn add(&self, doc: DocId, replica: Rc<Replica>) {
        self.yrs.borrow_mut().insert(doc, replica);
    }

    /// Forgets a document and the questions to it. A Yrs document goes only if it is this one.
    pub(crate) fn remove(&self, doc: DocId, replica: Option<&Rc<Replica>>) {
        let mut yrs = self.yrs.borrow_mut();
        let known = yrs.get(&doc);
        if known.is_some_and(|known| replica.is_none_or(|replica| Rc::ptr_eq(known, replica))) {
            yrs.remove(&doc);
        }
        drop(yrs);
        self.calls.borrow_mut().retain(|_, (of, _)| *of != doc);
    }

    /// All Yrs documents.
    pub(crate) fn all(&self) -> Vec<Rc<Replica>> {
        self.yrs.borrow().values().cloned().collect()
    }

    /// The Yrs document that answers; `None` if the replica is in JavaScript.
    pub(crate) fn get(&self, doc: DocId) -> Option<Rc<Replica>> {
        self.yrs.borrow().get(&doc).cloned()
    }

    /// Keeps a question to JavaScript and gives it a number.
    pub(crate) fn ask(&self, doc: DocId, id: CallId) -> u32 {
        let number = self.next_call.get();
        self.next_call.set(number.wrapping_add(1));
        self.calls.borrow_mut().insert(number, (doc, id));
        number
    }

    /// The question of this number, once.
    pub(crate) fn take(&self, number: u32) -> Option<(DocId, CallId)> {
        self.calls.borrow_mut().remove(&number)
    }
}

/// The answer of a replica in JavaScript: what it answered to, and bytes where there are any.
pub(crate) fn result(kind: &str, bytes: Vec<u8>) -> ReplicaResult {
    match kind {
        "summary" => ReplicaResult::Summary(bytes.into()),
        "diff" => ReplicaResult::Diff(bytes.into()),
        "applied" => ReplicaResult::Applied,
        "awareness" => ReplicaResult::Awareness(bytes.into()),
        "closed" => ReplicaResult::Failed(ReplicaError::Closed),
        _ => ReplicaResult::Failed(ReplicaError::Malformed),
    }
}
