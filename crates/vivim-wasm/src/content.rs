//! What is in a document, as the facade's shared types read and edit it.
//!
//! A shared type crosses as a *handle*, a number. Arguments are read before the document is
//! borrowed, because reading an object may run JavaScript (getters, proxies), and results are built
//! after it was given back.

pub(crate) mod handles;
mod history;
mod list;
mod map;
mod text;
mod xml;

use vivim_doc::{Doc, EditError, TypeId};
use wasm_bindgen::prelude::*;

pub(crate) use self::handles::Handles;
use crate::{document::RawDocument, failure::Failure, value};

impl RawDocument {
    /// Reads from a shared type.
    fn read<T>(
        &self,
        handle: u32,
        f: impl FnOnce(&mut Doc, &TypeId) -> Result<T, EditError>,
    ) -> Result<T, JsValue> {
        let id = self.handles.get(handle)?;
        self.replica.read(|doc| f(doc, &id))
    }

    /// Edits a shared type.
    fn edit<T>(
        &self,
        handle: u32,
        f: impl FnOnce(&mut Doc, &TypeId) -> Result<T, EditError>,
    ) -> Result<T, JsValue> {
        let id = self.handles.get(handle)?;
        self.replica.edit(|doc| f(doc, &id))
    }
}

#[wasm_bindgen]
impl RawDocument {
    /// The root of this kind and name, which exists from now on.
    ///
    /// # Errors
    ///
    /// `WRONG_KIND`, `INVALID_NAME`.
    pub fn root(&self, kind: u32, name: &str) -> Result<u32, JsValue> {
        let kind = handles::kind(kind)?;
        let id = self.replica.read(|doc| doc.root(kind, name))?;
        Ok(self.handles.of(&id))
    }

    /// Whether a shared type is part of the document.
    ///
    /// # Errors
    ///
    /// None that can be met.
    #[wasm_bindgen(js_name = isAttached)]
    pub fn is_attached(&self, handle: u32) -> Result<bool, JsValue> {
        self.read(handle, |doc, id| Ok(doc.exists(id)))
    }

    /// All that is in a shared type, as a plain value.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = sharedToJson, unchecked_return_type = "unknown")]
    pub fn shared_to_json(&self, handle: u32) -> Result<JsValue, JsValue> {
        Ok(value::to_js(&self.read(handle, |doc, id| doc.type_value(id))?))
    }

    /// Begins a change: until [`RawDocument::end_change`], edits go out and are undone together.
    ///
    /// # Errors
    ///
    /// None that can be met.
    #[wasm_bindgen(js_name = beginChange)]
    pub fn begin_change(&self) -> Result<(), JsValue> {
        self.replica.edit(|doc| {
            doc.begin_change();
            Ok::<_, EditError>(())
        })
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// None that can be met.
    #[wasm_bindgen(js_name = endChange)]
    pub fn end_change(&self) -> Result<(), JsValue> {
        self.replica.edit(|doc| {
            doc.end_change();
            Ok::<_, EditError>(())
        })
    }

    /// Everything by name.
    ///
    /// # Errors
    ///
    /// None that can be met.
    #[wasm_bindgen(js_name = toJson, unchecked_return_type = "unknown")]
    pub fn to_json(&self) -> Result<JsValue, JsValue> {
        let value = self.replica.read(|doc| Ok(doc.to_value()))?;
        Ok(value::to_js(&value))
    }

    /// What this replica has.
    ///
    /// # Errors
    ///
    /// None that can be met.
    #[wasm_bindgen(js_name = encodeStateVector)]
    pub fn encode_state_vector(&self) -> Result<Vec<u8>, JsValue> {
        self.replica.read(|doc| Ok(doc.encode_state_vector()))
    }

    /// What a state vector lacks, or everything.
    ///
    /// # Errors
    ///
    /// `INVALID_UPDATE` if it isn't a state vector.
    #[wasm_bindgen(js_name = encodeStateAsUpdate)]
    pub fn encode_state_as_update(&self, since: Option<Vec<u8>>) -> Result<Vec<u8>, JsValue> {
        let update = self.replica.read(|doc| Ok(doc.encode_state_as_update(since.as_deref())))?;
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
}
