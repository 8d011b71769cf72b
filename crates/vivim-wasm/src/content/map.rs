//! Maps.

use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::handles;
use crate::{document::RawDocument, js, value};

#[wasm_bindgen]
impl RawDocument {
    /// How many keys there are.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = mapSize)]
    pub fn map_size(&self, handle: u32) -> Result<u32, JsValue> {
        self.read(handle, |doc, id| doc.entry_count(id))
    }

    /// The value of a key, or undefined.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = mapGet, unchecked_return_type = "unknown")]
    pub fn map_get(&self, handle: u32, key: &str) -> Result<JsValue, JsValue> {
        let entry = self.read(handle, |doc, id| doc.entry_get(id, key))?;
        Ok(entry.map_or(JsValue::UNDEFINED, |entry| self.handles.entry(&entry)))
    }

    /// Whether a key has a value.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = mapHas)]
    pub fn map_has(&self, handle: u32, key: &str) -> Result<bool, JsValue> {
        self.read(handle, |doc, id| doc.entry_has(id, key))
    }

    /// The keys in order.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = mapKeys, unchecked_return_type = "string[]")]
    pub fn map_keys(&self, handle: u32) -> Result<JsValue, JsValue> {
        Ok(js::strings(self.read(handle, |doc, id| doc.entry_keys(id))?))
    }

    /// Keys and values in turn, in the order of the keys.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = mapEntries, unchecked_return_type = "unknown[]")]
    pub fn map_entries(&self, handle: u32) -> Result<Array, JsValue> {
        let entries = self.read(handle, |doc, id| doc.entries(id))?;
        let pairs = entries.iter().flat_map(|(key, entry)| [key.into(), self.handles.entry(entry)]);
        Ok(pairs.collect())
    }

    /// Sets a key to a plain value.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for what a document can't hold, `INVALID_NAME`, `GONE`.
    #[wasm_bindgen(js_name = mapSet)]
    pub fn map_set(
        &self,
        handle: u32,
        key: &str,
        #[wasm_bindgen(unchecked_param_type = "unknown")] value: &JsValue,
    ) -> Result<(), JsValue> {
        let value = value::from_js(value)?;
        self.edit(handle, |doc, id| doc.entry_set(id, key, &value))
    }

    /// Sets a key to a new shared type; gives its handle.
    ///
    /// # Errors
    ///
    /// `INVALID_NAME`, `GONE`, `LIMIT`.
    #[wasm_bindgen(js_name = mapSetShared)]
    pub fn map_set_shared(&self, handle: u32, key: &str, kind: u32) -> Result<u32, JsValue> {
        let kind = handles::kind(kind)?;
        let id = self.edit(handle, |doc, id| doc.entry_set_type(id, key, kind))?;
        Ok(self.handles.of(&id))
    }

    /// Deletes a key; false if it had no value.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = mapDelete)]
    pub fn map_delete(&self, handle: u32, key: &str) -> Result<bool, JsValue> {
        self.edit(handle, |doc, id| doc.entry_delete(id, key))
    }

    /// Deletes all keys.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = mapClear)]
    pub fn map_clear(&self, handle: u32) -> Result<(), JsValue> {
        self.edit(handle, |doc, id| doc.entries_clear(id))
    }
}
