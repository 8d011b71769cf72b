//! Who answers for a document: a Yrs document here, or a replica in JavaScript.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use crate::document::Document;
use bytes::Bytes;
use vivim_node::{CallId, DocId, ReplicaOp, ReplicaResult};
use vivim_proto::sync::ReplicaError;

/// The replicas of one node, and the questions that JavaScript has not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Replicas {
    yrs: RefCell<HashMap<DocId, Rc<Document>>>,
    /// [`CallId`]s are opaque, so they stay here and JavaScript gets their place.
    calls: RefCell<HashMap<u32, (DocId, CallId)>>,
    next_call: Cell<u32>,
}

/// What a Yrs document answers, and the update to tell the application of, if one was applied.
pub(crate) struct Answer {
    pub(crate) result: ReplicaResult,
    pub(crate) applied: Option<Bytes>,
}

impl Replicas {
    pub(crate) fn add(&self, doc: DocId, document: Rc<Document>) {
        self.yrs.borrow_mut().insert(doc, document);
    }

    /// Forgets a document and the questions to it.
    pub(crate) fn remove(&self, doc: DocId) {
        self.yrs.borrow_mut().remove(&doc);
        self.calls.borrow_mut().retain(|_, (of, _)| *of != doc);
    }

    /// Answers for a Yrs document; `None` if the replica is in JavaScript.
    pub(crate) fn answer(&self, doc: DocId, op: &ReplicaOp) -> Option<Answer> {
        let document = self.yrs.borrow().get(&doc).cloned()?;
        let applied = match op {
            ReplicaOp::Apply { payload } => Some(payload.clone()),
            _ => None,
        };
        let result = document.answer(op);
        let applied = applied.filter(|_| matches!(result, ReplicaResult::Applied));
        Some(Answer { result, applied })
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
