//! Small pieces of JavaScript: plain objects, arrays of strings, promises.

use std::{cell::RefCell, collections::HashMap, future::Future};

use futures::{TryFutureExt, future::LocalBoxFuture};
use js_sys::{Array, JsString, Object, Promise, Reflect};
use vivim_node::PeerId;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::future_to_promise;

use crate::failure::Failure;

/// A plain object. Built by hand because a serializer would cost more bytes than all callers.
pub(crate) fn object(fields: &[(&'static str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // Setting a property of a fresh plain object can't fail.
        let _ = Reflect::set(&object, &constant(name), value);
    }
    object.into()
}

thread_local! {
    /// The strings of [`constant`]. The program has some hundred of them.
    static CONSTANTS: RefCell<HashMap<&'static str, JsString>> = RefCell::default();
}

/// A string of the program's own, decoded once: a new one takes a microsecond or two, and the name of
/// every field and event would be a new one.
pub(crate) fn constant(text: &'static str) -> JsValue {
    let make = || JsString::from(text);
    CONSTANTS.with_borrow_mut(|known| known.entry(text).or_insert_with(make).clone().into())
}

/// How many peers' ids are kept as JavaScript's strings.
const MAX_PEER_NAMES: usize = 64;

thread_local! {
    static PEER_NAMES: RefCell<HashMap<PeerId, JsValue>> = RefCell::default();
}

/// A peer's id. The last few are kept, because encoding one takes longer than applying a letter.
pub(crate) fn peer_name(peer: PeerId) -> JsValue {
    PEER_NAMES.with_borrow_mut(|names| {
        if names.len() >= MAX_PEER_NAMES && !names.contains_key(&peer) {
            names.clear();
        }
        names.entry(peer).or_insert_with(|| peer.to_string().into()).clone()
    })
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
