//! Values of maps: between the engine's form and JavaScript's.

use std::collections::BTreeMap;

use js_sys::{Array, BigInt, Object, Reflect, Uint8Array};
use vivim_doc::{Value, limits::MAX_NESTING};
use wasm_bindgen::{JsCast, JsValue};

use crate::failure::Failure;

/// Recurses as deep as the value is nested, which the engine's validator bounds.
pub(crate) fn to_js(value: &Value) -> JsValue {
    match value {
        Value::Array(values) => values.iter().map(to_js).collect::<Array>().into(),
        Value::BigInt(value) => BigInt::from(*value).into(),
        Value::Bool(value) => (*value).into(),
        Value::Bytes(value) => Uint8Array::from(&value[..]).into(),
        Value::Map(values) => {
            let object = Object::new();
            for (key, value) in values.iter().filter(|(_, value)| **value != Value::Undefined) {
                // Defined, not set: a key may be called `__proto__`.
                let descriptor = Object::new();
                for (name, value) in [
                    ("value", to_js(value)),
                    ("writable", true.into()),
                    ("enumerable", true.into()),
                    ("configurable", true.into()),
                ] {
                    // Setting a property of a fresh plain object can't fail.
                    let _ = Reflect::set(&descriptor, &name.into(), &value);
                }
                Object::define_property(&object, &key.as_str().into(), &descriptor);
            }
            object.into()
        }
        Value::Null => JsValue::NULL,
        Value::Number(value) => (*value).into(),
        Value::String(value) => value.as_str().into(),
        // `Undefined`, and what a newer engine may add.
        _ => JsValue::UNDEFINED,
    }
}

/// Refuses what a map can't hold. A value that contains itself is nested too deep.
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
        return Ok(Value::Bytes(bytes.to_vec()));
    }
    let levels = levels.checked_sub(1).ok_or_else(|| refused("a value nested this deep"))?;
    if let Some(values) = value.dyn_ref::<Array>() {
        let values = values.iter().map(|value| from_js_within(&value, levels));
        return Ok(Value::Array(values.collect::<Result<_, _>>()?));
    }
    if value.is_function() || !value.is_object() {
        return Err(refused("a function, a symbol or undefined"));
    }
    let mut map = BTreeMap::new();
    for entry in Object::entries(value.unchecked_ref()).iter() {
        let entry: Array = entry.unchecked_into();
        let (key, value) = (entry.get(0), entry.get(1));
        if let (Some(key), false) = (key.as_string(), value.is_undefined()) {
            map.insert(key, from_js_within(&value, levels)?);
        }
    }
    Ok(Value::Map(map))
}

fn refused(what: &str) -> Failure {
    Failure::new("INVALID_ARGUMENT", format!("a map can't hold {what}"))
}
