//! A Yrs document (stub).
use crate::node::Core;
use std::rc::Rc;
use vivim_node::{DocId, ReplicaOp, ReplicaResult};
use wasm_bindgen::prelude::*;
#[derive(Debug)]
pub(crate) struct Document;
impl Document {
    pub(crate) fn answer(&self, _: &ReplicaOp) -> ReplicaResult {
        ReplicaResult::Applied
    }
}
/// stub
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawDocument {}
impl RawDocument {
    pub(crate) fn new(core: Rc<Core>, doc: DocId) -> Self {
        core.replicas.add(doc, Rc::new(Document));
        Self {}
    }
}
