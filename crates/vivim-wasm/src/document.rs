//! A document kept here, by Yrs: its life. What is in it is in [`crate::content`].

use std::rc::Rc;

use js_sys::{Array, Uint8Array};
use vivim_doc::ClientId;
use vivim_node::DocId;
use wasm_bindgen::prelude::*;

use crate::{failure::Failure, node::Core, replica::Replica};

/// A document. Its changes wait in it until [`RawDocument::take_updates`].
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawDocument {
    pub(crate) replica: Rc<Replica>,
}

impl RawDocument {
    /// A fresh replica, which from now on answers for this document.
    pub(crate) fn new(core: &Core, doc: DocId) -> Result<Self, Failure> {
        let random = getrandom::u64().map_err(|error| Failure::new("INTERNAL", error))?;
        let replica = Rc::new(Replica::new(ClientId::from_random(random)));
        core.replicas.add(doc, Rc::clone(&replica));
        Ok(Self { replica })
    }
}

#[wasm_bindgen]
impl RawDocument {
    /// The changes made here since the last call, as updates.
    ///
    /// # Errors
    ///
    /// None that can be met.
    #[wasm_bindgen(js_name = takeUpdates, unchecked_return_type = "Uint8Array[]")]
    pub fn take_updates(&self) -> Result<Array, JsValue> {
        let updates = self.replica.take()?;
        Ok(updates.iter().map(|update| Uint8Array::from(&update[..])).collect())
    }
}
