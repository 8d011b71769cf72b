//! Lists: arrays, and the children of XML fragments and elements.

use js_sys::Array;
use vivim_doc::{Entry, Kind, Value};
use wasm_bindgen::prelude::*;

use super::handles;
use crate::{document::RawDocument, failure::Failure, value};

#[wasm_bindgen]
impl RawDocument {
    /// How many there are.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = listLength)]
    pub fn list_length(&self, handle: u32) -> Result<u32, JsValue> {
        self.read(handle, |doc, id| match doc.kind(id)? {
            Kind::Array => doc.array_len(id),
            _ => doc.xml_len(id),
        })
    }

    /// What is at an index, or undefined.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = listGet, unchecked_return_type = "unknown")]
    pub fn list_get(&self, handle: u32, index: u32) -> Result<JsValue, JsValue> {
        let entry = self.read(handle, |doc, id| match doc.kind(id)? {
            Kind::Array => doc.array_get(id, index),
            _ => Ok(doc.xml_get(id, index)?.map(|(kind, id)| Entry::Type(kind, id))),
        })?;
        Ok(entry.map_or(JsValue::UNDEFINED, |entry| self.handles.entry(&entry)))
    }

    /// What is from one index up to and without another.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = listSlice, unchecked_return_type = "unknown[]")]
    pub fn list_slice(&self, handle: u32, from: u32, to: u32) -> Result<Array, JsValue> {
        let entries = self.read(handle, |doc, id| match doc.kind(id)? {
            Kind::Array => doc.array_items(id),
            _ => {
                let children = doc.xml_children(id)?.into_iter();
                Ok(children.map(|(kind, id)| Entry::Type(kind, id)).collect())
            }
        })?;
        let count = to.saturating_sub(from) as usize;
        Ok(self.handles.entries(entries.iter().skip(from as usize).take(count)))
    }

    /// Deletes from a list.
    ///
    /// # Errors
    ///
    /// `OUT_OF_BOUNDS`, `GONE`.
    #[wasm_bindgen(js_name = listDelete)]
    pub fn list_delete(&self, handle: u32, index: u32, length: u32) -> Result<(), JsValue> {
        self.edit(handle, |doc, id| match doc.kind(id)? {
            Kind::Array => doc.array_delete(id, index, length),
            _ => doc.xml_delete(id, index, length),
        })
    }

    /// Inserts plain values into an array.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`, `OUT_OF_BOUNDS`, `TOO_LARGE`, `GONE`.
    #[wasm_bindgen(js_name = arrayInsert)]
    pub fn array_insert(
        &self,
        handle: u32,
        index: u32,
        #[wasm_bindgen(unchecked_param_type = "unknown")] values: &JsValue,
    ) -> Result<(), JsValue> {
        let Value::Array(values) = value::from_js(values)? else {
            let message = "what is inserted into an array must be an array of values";
            return Err(Failure::new("INVALID_ARGUMENT", message).into());
        };
        self.edit(handle, |doc, id| doc.array_insert(id, index, &values))
    }

    /// Inserts a new shared type into an array; gives its handle.
    ///
    /// # Errors
    ///
    /// `OUT_OF_BOUNDS`, `GONE`, `LIMIT`.
    #[wasm_bindgen(js_name = arrayInsertShared)]
    pub fn array_insert_shared(&self, handle: u32, index: u32, kind: u32) -> Result<u32, JsValue> {
        let kind = handles::kind(kind)?;
        let id = self.edit(handle, |doc, id| doc.array_insert_type(id, index, kind))?;
        Ok(self.handles.of(&id))
    }
}
