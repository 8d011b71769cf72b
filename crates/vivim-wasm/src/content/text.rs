//! Text.

use js_sys::Array;
use vivim_doc::{Attributes, Entry, TextOp, Value};
use wasm_bindgen::prelude::*;

use super::Handles;
use crate::{document::RawDocument, failure::Failure, js, value};

#[wasm_bindgen]
impl RawDocument {
    /// Its length in UTF-16 units.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = textLength)]
    pub fn text_length(&self, handle: u32) -> Result<u32, JsValue> {
        let id = self.handles.get(handle)?;
        self.replica.typing(|doc, typing| typing.len(doc, &id))
    }

    /// Its characters.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = textToString)]
    pub fn text_to_string(&self, handle: u32) -> Result<String, JsValue> {
        self.read(handle, |doc, id| doc.text_string(id))
    }

    /// Inserts, when it's asked for at the latest.
    ///
    /// # Errors
    ///
    /// `OUT_OF_BOUNDS`, `TOO_LARGE`, `GONE`.
    #[wasm_bindgen(js_name = textInsert)]
    pub fn text_insert(&self, handle: u32, index: u32, text: &str) -> Result<(), JsValue> {
        let id = self.handles.get(handle)?;
        self.replica.typing(|doc, typing| typing.insert(doc, &id, index, text))
    }

    /// Deletes, when it's asked for at the latest.
    ///
    /// # Errors
    ///
    /// `OUT_OF_BOUNDS`, `GONE`.
    #[wasm_bindgen(js_name = textDelete)]
    pub fn text_delete(&self, handle: u32, index: u32, length: u32) -> Result<(), JsValue> {
        let id = self.handles.get(handle)?;
        self.replica.typing(|doc, typing| typing.delete(doc, &id, index, length))
    }

    /// Inserts with just these formats.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`, `OUT_OF_BOUNDS`, `TOO_LARGE`, `GONE`.
    #[wasm_bindgen(js_name = textInsertFormatted)]
    pub fn text_insert_formatted(
        &self,
        handle: u32,
        index: u32,
        text: &str,
        #[wasm_bindgen(unchecked_param_type = "unknown")] attributes: &JsValue,
    ) -> Result<(), JsValue> {
        let attributes = attributes_of(attributes)?;
        self.edit(handle, |doc, id| doc.text_insert_with(id, index, text, &attributes))
    }

    /// Inserts a plain value.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`, `OUT_OF_BOUNDS`, `TOO_LARGE`, `GONE`.
    #[wasm_bindgen(js_name = textInsertEmbed)]
    pub fn text_insert_embed(
        &self,
        handle: u32,
        index: u32,
        #[wasm_bindgen(unchecked_param_type = "unknown")] value: &JsValue,
        #[wasm_bindgen(unchecked_param_type = "unknown")] attributes: &JsValue,
    ) -> Result<(), JsValue> {
        let (value, attributes) = (value::from_js(value)?, attributes_of(attributes)?);
        self.edit(handle, |doc, id| doc.text_insert_embed(id, index, &value, &attributes))
    }

    /// Formats a range.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`, `OUT_OF_BOUNDS`, `GONE`.
    #[wasm_bindgen(js_name = textFormat)]
    pub fn text_format(
        &self,
        handle: u32,
        index: u32,
        length: u32,
        #[wasm_bindgen(unchecked_param_type = "unknown")] attributes: &JsValue,
    ) -> Result<(), JsValue> {
        let attributes = attributes_of(attributes)?;
        self.edit(handle, |doc, id| doc.text_format(id, index, length, &attributes))
    }

    /// The text with its formats.
    ///
    /// # Errors
    ///
    /// `GONE`.
    #[wasm_bindgen(js_name = textDelta, unchecked_return_type = "RawDeltaOp[]")]
    pub fn text_delta(&self, handle: u32) -> Result<Array, JsValue> {
        let ops = self.read(handle, |doc, id| doc.text_delta(id))?;
        Ok(delta_to_js(&self.handles, &ops))
    }

    /// Makes several edits from the beginning.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`, `OUT_OF_BOUNDS`, `TOO_LARGE`, `GONE`.
    #[wasm_bindgen(js_name = textApplyDelta)]
    pub fn text_apply_delta(
        &self,
        handle: u32,
        #[wasm_bindgen(unchecked_param_type = "unknown")] delta: &JsValue,
    ) -> Result<(), JsValue> {
        let Value::Array(ops) = value::from_js(delta)? else { return Err(refused().into()) };
        let ops = ops.into_iter().map(op_of).collect::<Result<Vec<_>, _>>()?;
        self.edit(handle, |doc, id| doc.text_apply_delta(id, &ops))
    }
}

/// The steps as JavaScript has them.
pub(crate) fn delta_to_js(handles: &Handles, ops: &[TextOp]) -> Array {
    let formatted = |name: &'static str, value: JsValue, attributes: &Attributes| {
        let mut fields = vec![(name, value)];
        if !attributes.is_empty() {
            let attributes = attributes.iter().map(|(key, value)| (&key[..], value::to_js(value)));
            fields.push(("attributes", value::record(attributes)));
        }
        js::object(&fields)
    };
    ops.iter()
        .map(|op| match op {
            TextOp::Delete(len) => js::object(&[("delete", (*len).into())]),
            TextOp::Insert(entry, attributes) => {
                formatted("insert", handles.entry(entry), attributes)
            }
            TextOp::Retain(len, attributes) => formatted("retain", (*len).into(), attributes),
        })
        .collect()
}

/// One step, which has just one of `insert`, `retain` and `delete`.
fn op_of(op: Value) -> Result<TextOp, Failure> {
    let Value::Map(mut op) = op else { return Err(refused()) };
    let attributes = match op.remove("attributes") {
        None | Some(Value::Null) => Attributes::new(),
        Some(Value::Map(attributes)) => attributes,
        Some(_) => return Err(refused()),
    };
    let parts = (op.remove("insert"), op.remove("retain"), op.remove("delete"));
    match (parts, op.is_empty()) {
        ((Some(value), None, None), true) => Ok(TextOp::Insert(Entry::Value(value), attributes)),
        ((None, Some(len), None), true) => Ok(TextOp::Retain(length(&len)?, attributes)),
        ((None, None, Some(len)), true) => Ok(TextOp::Delete(length(&len)?)),
        _ => Err(refused()),
    }
}

fn length(value: &Value) -> Result<u32, Failure> {
    match value {
        Value::Number(number)
            if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number) =>
        {
            Ok(*number as u32)
        }
        _ => Err(refused()),
    }
}

fn refused() -> Failure {
    let message = "a delta must be an array of { insert, attributes? }, { retain, attributes? } and { delete }";
    Failure::new("INVALID_ARGUMENT", message)
}

/// Formats; none if it's undefined.
fn attributes_of(value: &JsValue) -> Result<Attributes, Failure> {
    if value.is_undefined() {
        return Ok(Attributes::new());
    }
    match value::from_js(value)? {
        Value::Map(attributes) => Ok(attributes),
        _ => Err(Failure::new("INVALID_ARGUMENT", "the attributes of text must be an object")),
    }
}
