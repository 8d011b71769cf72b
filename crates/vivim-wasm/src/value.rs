//! Plain values: between the engine's form and JavaScript's.

use std::collections::BTreeMap;

use js_sys::{Array, ArrayBuffer, BigInt, Object, Reflect, Uint8Array};
use vivim_doc::{Value, limits::MAX_NESTING};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};

use crate::failure::Failure;

/// Recurses as deep as the value is nested, which the engine's validator bounds.
pub(crate) fn to_js(value: &Value) -> JsValue {
    match value {
        Value::Array(values) => values.iter().map(to_js).collect::<Array>().into(),
        Value::BigInt(value) => BigInt::from(*value).into(),
        Value::Bool(value) => (*value).into(),
        Value::Bytes(value) => Uint8Array::from(&value[..]).into(),
        Value::Map(values) => {
            let entries = values.iter().filter(|(_, value)| **value != Value::Undefined);
            record(entries.map(|(key, value)| (&key[..], to_js(value))))
        }
        Value::Null => JsValue::NULL,
        Value::Number(value) => (*value).into(),
        Value::String(value) => value.as_str().into(),
        // `Undefined`, and what a newer engine may add.
        _ => JsValue::UNDEFINED,
    }
}

/// A plain object with any keys.
pub(crate) fn record<'a>(entries: impl Iterator<Item = (&'a str, JsValue)>) -> JsValue {
    let object = Object::new();
    entries.for_each(|(key, value)| define(&object, key, value));
    object.into()
}

/// Defined, not set: a key may be called `__proto__`.
fn define(object: &Object, key: &str, value: JsValue) {
    let descriptor = Object::new();
    for (name, value) in [
        ("value", value),
        ("writable", true.into()),
        ("enumerable", true.into()),
        ("configurable", true.into()),
    ] {
        // Setting a property of a fresh plain object can't fail.
        let _ = Reflect::set(&descriptor, &name.into(), &value);
    }
    Object::define_property(object, &key.into(), &descriptor);
}

/// Refuses what a document can't hold. A value that contains itself is nested too deep.
pub(crate) fn from_js(value: &JsValue) -> Result<Value, Failure> {
    from_js_within(value, MAX_NESTING)
}

fn from_js_within(value: &JsValue, levels: usize) -> Result<Value, Failure> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    if let Some(value) = value.as_bool() {
        return Ok(Value::Bool(value));
    }
    if let Some(value) = value.as_f64() {
        return Ok(Value::Number(value));
    }
    if let Some(value) = value.as_string() {
        return Ok(Value::String(value));
    }
    if value.is_bigint() {
        let value = i64::try_from(value.clone());
        return value.map(Value::BigInt).map_err(|_| refused("a bigint of more than 64 bits"));
    }
    if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
        // What stands for an array of bytes, as a proxy does, has not what one has.
        let is_real = ArrayBuffer::is_view(value);
        return if is_real { Ok(Value::Bytes(bytes.to_vec())) } else { Err(unreadable()) };
    }
    let levels = levels.checked_sub(1).ok_or_else(|| refused("a value nested this deep"))?;
    if is_array(value).map_err(|_| unreadable())? {
        let values = array_from(value).map_err(|_| unreadable())?;
        let values = values.iter().map(|value| from_js_within(&value, levels));
        return Ok(Value::Array(values.collect::<Result<_, _>>()?));
    }
    if value.is_function() || !value.is_object() {
        return Err(refused("a function, a symbol or undefined"));
    }
    let mut map = BTreeMap::new();
    for entry in object_entries(value).map_err(|_| unreadable())?.iter() {
        let entry: Array = entry.unchecked_into();
        let (key, value) = (entry.get(0), entry.get(1));
        if let (Some(key), false) = (key.as_string(), value.is_undefined()) {
            map.insert(key, from_js_within(&value, levels)?);
        }
    }
    Ok(Value::Map(map))
}

#[wasm_bindgen]
extern "C" {
    // Reading runs getters and proxies, which may throw. A proxy that was revoked always does.

    #[wasm_bindgen(catch, js_namespace = Array, js_name = from)]
    fn array_from(values: &JsValue) -> Result<Array, JsValue>;

    #[wasm_bindgen(catch, js_namespace = Array, js_name = isArray)]
    fn is_array(value: &JsValue) -> Result<bool, JsValue>;

    #[wasm_bindgen(catch, js_namespace = Object, js_name = entries)]
    fn object_entries(value: &JsValue) -> Result<Array, JsValue>;
}

fn unreadable() -> Failure {
    refused("a value that throws when it is read")
}

fn refused(what: &str) -> Failure {
    Failure::new("INVALID_ARGUMENT", format!("a document can't hold {what}"))
}
