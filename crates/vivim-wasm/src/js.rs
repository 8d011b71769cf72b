//! Small pieces of JavaScript: plain objects, arrays of strings, promises.

use std::future::Future;

use futures::{TryFutureExt, future::LocalBoxFuture};
use js_sys::{Array, Object, Promise, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::future_to_promise;

use crate::failure::Failure;

/// A plain object. Built by hand because a serializer would cost more bytes than all callers.
pub(crate) fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // Setting a property of a fresh plain object can't fail.
        let _ = Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}

/// An array of what is displayed.
pub(crate) fn strings<T: ToString>(items: impl IntoIterator<Item = T>) -> JsValue {
    items.into_iter().map(|item| JsValue::from(item.to_string())).collect::<Array>().into()
}

/// A promise of what the future comes to. The future is boxed, so that the machinery exists once.
pub(crate) fn promise(future: impl Future<Output = Result<JsValue, Failure>> + 'static) -> Promise {
    promise_of(Box::pin(future))
}

fn promise_of(future: LocalBoxFuture<'static, Result<JsValue, Failure>>) -> Promise {
    future_to_promise(future.map_err(JsValue::from))
}
