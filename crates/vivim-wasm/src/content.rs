//! What is in a document: its texts and maps as JavaScript reads and edits them.

use wasm_bindgen::prelude::*;

use crate::{document::RawDocument, failure::Failure, value};

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
        let value = self.replica.with(|doc| doc.to_value());
        value::to_js(&value)
    }

    /// What this replica has.
    #[wasm_bindgen(js_name = encodeStateVector)]
    pub fn encode_state_vector(&self) -> Vec<u8> {
        self.replica.with(|doc| doc.encode_state_vector())
    }

    /// What a state vector lacks, or everything.
    ///
    /// # Errors
    ///
    /// `INVALID_UPDATE` if it isn't a state vector.
    #[wasm_bindgen(js_name = encodeStateAsUpdate)]
    pub fn encode_state_as_update(&self, since: Option<Vec<u8>>) -> Result<Vec<u8>, JsValue> {
        let update = self.replica.with(|doc| doc.encode_state_as_update(since.as_deref()));
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
