//! XML: what is more than a list of children.

use wasm_bindgen::prelude::*;

use crate::{document::RawDocument, value};

#[wasm_bindgen]
impl RawDocument {
    /// Inserts a new element; gives its handle.
    ///
    /// # Errors
    ///
    /// `OUT_OF_BOUNDS`, `INVALID_NAME`, `GONE`, `LIMIT`.
    #[wasm_bindgen(js_name = xmlInsertElement)]
    pub fn xml_insert_element(&self, handle: u32, index: u32, tag: &str) -> Result<u32, JsValue> {
        let id = self.edit(handle, |doc, id| doc.xml_insert_element(id, index, tag))?;
        Ok(self.handles.of(&id))
    }

    /// Inserts a new text; gives its handle.
    ///
    /// # Errors
    ///
    /// `OUT_OF_BOUNDS`, `GONE`, `LIMIT`.
    #[wasm_bindgen(js_name = xmlInsertText)]
    pub fn xml_insert_text(&self, handle: u32, index: u32) -> Result<u32, JsValue> {
        let id = self.edit(handle, |doc, id| doc.xml_insert_text(id, index))?;
        Ok(self.handles.of(&id))
    }

    /// As XML, without escapes.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = xmlToString)]
    pub fn xml_to_string(&self, handle: u32) -> Result<String, JsValue> {
        self.read(handle, |doc, id| doc.xml_string(id))
    }

    /// The tag of an element.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = xmlTag)]
    pub fn xml_tag(&self, handle: u32) -> Result<String, JsValue> {
        self.read(handle, |doc, id| doc.xml_name(id))
    }

    /// An attribute, or undefined.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = xmlGetAttribute, unchecked_return_type = "unknown")]
    pub fn xml_get_attribute(&self, handle: u32, name: &str) -> Result<JsValue, JsValue> {
        let entry = self.read(handle, |doc, id| doc.xml_attribute(id, name))?;
        Ok(entry.map_or(JsValue::UNDEFINED, |entry| self.handles.entry(&entry)))
    }

    /// Sets an attribute.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`, `INVALID_NAME`, `GONE`.
    #[wasm_bindgen(js_name = xmlSetAttribute)]
    pub fn xml_set_attribute(
        &self,
        handle: u32,
        name: &str,
        #[wasm_bindgen(unchecked_param_type = "unknown")] value: &JsValue,
    ) -> Result<(), JsValue> {
        let value = value::from_js(value)?;
        self.edit(handle, |doc, id| doc.xml_set_attribute(id, name, &value))
    }

    /// Removes an attribute.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = xmlRemoveAttribute)]
    pub fn xml_remove_attribute(&self, handle: u32, name: &str) -> Result<(), JsValue> {
        self.edit(handle, |doc, id| doc.xml_remove_attribute(id, name).map(drop))
    }

    /// All attributes.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = xmlAttributes, unchecked_return_type = "unknown")]
    pub fn xml_attributes(&self, handle: u32) -> Result<JsValue, JsValue> {
        let entries = self.read(handle, |doc, id| doc.xml_attributes(id))?;
        Ok(value::record(entries.iter().map(|(key, entry)| (&key[..], self.handles.entry(entry)))))
    }
}
