//! A document kept here, by Yrs.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use bytes::Bytes;
use js_sys::{Array, Uint8Array};
use vivim_doc::{ClientId, Doc, EditError};
use vivim_node::{DocId, ReplicaOp, ReplicaResult};
use vivim_proto::time::Timestamp;
use wasm_bindgen::prelude::*;
use web_time::Instant;

use crate::{failure::Failure, node::Core, value};

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
    fn new(client: ClientId) -> Self {
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

    fn edit<T, E: Into<Failure>>(
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
    fn read<T>(&self, f: impl FnOnce(&mut Doc) -> Result<T, EditError>) -> Result<T, JsValue> {
        f(&mut self.doc.borrow_mut()).map_err(|error| Failure::from(error).into())
    }

    fn take(&self) -> Result<Vec<Vec<u8>>, Failure> {
        self.is_batching.set(false);
        let updates = self.pending.take();
        if updates.len() <= SEPARATE_UPDATES {
            return Ok(updates.into_iter().map(Into::into).collect());
        }
        let before = self.before.take();
        Ok(vec![self.doc.borrow().encode_state_as_update(Some(&before))?])
    }
}

/// A document. Its changes wait in it until [`RawDocument::take_updates`].
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawDocument {
    replica: Rc<Replica>,
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
    /// The length of a text in UTF-16 units.
    ///
    /// # Errors
    ///
    /// `WRONG_KIND`, `INVALID_NAME`.
    #[wasm_bindgen(js_name = textLength)]
    pub fn text_length(&self, name: &str) -> Result<u32, JsValue> {
        self.replica.read(|doc| doc.text_len(name))
    }

    /// A text.
    ///
    /// # Errors
    ///
    /// `WRONG_KIND`, `INVALID_NAME`.
    #[wasm_bindgen(js_name = textToString)]
    pub fn text_to_string(&self, name: &str) -> Result<String, JsValue> {
        self.replica.read(|doc| doc.text(name))
    }

    /// Inserts into a text.
    ///
    /// # Errors
    ///
    /// `OUT_OF_BOUNDS`, `TOO_LARGE`, `WRONG_KIND`, `INVALID_NAME`.
    #[wasm_bindgen(js_name = textInsert)]
    pub fn text_insert(&self, name: &str, index: u32, text: &str) -> Result<(), JsValue> {
        self.replica.edit(|doc| doc.text_insert(name, index, text))
    }

    /// Deletes from a text.
    ///
    /// # Errors
    ///
    /// `OUT_OF_BOUNDS`, `WRONG_KIND`, `INVALID_NAME`.
    #[wasm_bindgen(js_name = textDelete)]
    pub fn text_delete(&self, name: &str, index: u32, length: u32) -> Result<(), JsValue> {
        self.replica.edit(|doc| doc.text_delete(name, index, length))
    }

    /// An entry of a map.
    ///
    /// # Errors
    ///
    /// `WRONG_KIND`, `INVALID_NAME`.
    #[wasm_bindgen(js_name = mapGet, unchecked_return_type = "unknown")]
    pub fn map_get(&self, name: &str, key: &str) -> Result<JsValue, JsValue> {
        let value = self.replica.read(|doc| doc.map_get(name, key))?;
        Ok(value.as_ref().map_or(JsValue::UNDEFINED, value::to_js))
    }

    /// Sets an entry of a map.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for what a map can't hold, `WRONG_KIND`, `INVALID_NAME`.
    #[wasm_bindgen(js_name = mapSet)]
    pub fn map_set(
        &self,
        name: &str,
        key: &str,
        #[wasm_bindgen(unchecked_param_type = "unknown")] value: &JsValue,
    ) -> Result<(), JsValue> {
        let value = value::from_js(value)?;
        self.replica.edit(|doc| doc.map_set(name, key, &value))
    }

    /// Deletes an entry of a map.
    ///
    /// # Errors
    ///
    /// `WRONG_KIND`, `INVALID_NAME`.
    #[wasm_bindgen(js_name = mapDelete)]
    pub fn map_delete(&self, name: &str, key: &str) -> Result<(), JsValue> {
        self.replica.edit(|doc| doc.map_delete(name, key).map(drop))
    }

    /// A whole map.
    ///
    /// # Errors
    ///
    /// `WRONG_KIND`, `INVALID_NAME`.
    #[wasm_bindgen(js_name = mapToJson, unchecked_return_type = "unknown")]
    pub fn map_to_json(&self, name: &str) -> Result<JsValue, JsValue> {
        Ok(value::to_js(&self.replica.read(|doc| doc.map(name))?))
    }

    /// Everything by name.
    #[wasm_bindgen(js_name = toJson, unchecked_return_type = "unknown")]
    pub fn to_json(&self) -> JsValue {
        let value = self.replica.doc.borrow().to_value();
        value::to_js(&value)
    }

    /// What this replica has.
    #[wasm_bindgen(js_name = encodeStateVector)]
    pub fn encode_state_vector(&self) -> Vec<u8> {
        self.replica.doc.borrow().encode_state_vector()
    }

    /// What a state vector lacks, or everything.
    ///
    /// # Errors
    ///
    /// `INVALID_UPDATE` if it isn't a state vector.
    #[wasm_bindgen(js_name = encodeStateAsUpdate)]
    pub fn encode_state_as_update(&self, since: Option<Vec<u8>>) -> Result<Vec<u8>, JsValue> {
        let update = self.replica.doc.borrow().encode_state_as_update(since.as_deref());
        update.map_err(|error| Failure::from(error).into())
    }

    /// Applies an update, which counts as a change made here.
    ///
    /// # Errors
    ///
    /// `INVALID_UPDATE`, `LIMIT`.
    #[wasm_bindgen(js_name = applyUpdate)]
    pub fn apply_update(&self, update: &[u8]) -> Result<(), JsValue> {
        self.replica.edit(|doc| doc.apply_update(update))
    }

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
