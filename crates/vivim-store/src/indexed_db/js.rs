//! The parts of IndexedDB, Web Locks and StorageManager that are used here. The bindings of `web-sys`
//! have the options of a transaction and Web Locks only behind a compiler flag.

use js_sys::{Array, Function, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    pub(super) fn set_timeout(call: &JsValue, millis: i32);

    /// The global object; each of its parts may be missing.
    #[derive(Clone, Debug)]
    pub(super) type Global;
    /// May throw in a sandboxed frame.
    #[wasm_bindgen(method, getter, catch, js_name = indexedDB)]
    pub(super) fn indexed_db(this: &Global) -> Result<Option<Factory>, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn navigator(this: &Global) -> Option<Navigator>;

    pub(super) type Navigator;
    #[wasm_bindgen(method, getter)]
    pub(super) fn locks(this: &Navigator) -> Option<LockManager>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn storage(this: &Navigator) -> Option<StorageManager>;

    pub(super) type LockManager;
    #[wasm_bindgen(method, catch)]
    pub(super) fn request(
        this: &LockManager,
        name: &str,
        granted: &JsValue,
    ) -> Result<LockRequest, JsValue>;

    /// The promise of a lock.
    pub(super) type LockRequest;
    #[wasm_bindgen(method, js_name = catch)]
    pub(super) fn otherwise(this: &LockRequest, refused: &JsValue) -> JsValue;

    pub(super) type StorageManager;
    #[wasm_bindgen(method, catch)]
    pub(super) fn estimate(this: &StorageManager) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(super) fn persist(this: &StorageManager) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(super) fn persisted(this: &StorageManager) -> Result<Promise, JsValue>;

    /// An answer of [`StorageManager::estimate`].
    pub(super) type Numbers;
    #[wasm_bindgen(method, getter)]
    pub(super) fn usage(this: &Numbers) -> Option<f64>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn quota(this: &Numbers) -> Option<f64>;

    pub(super) type Factory;
    #[wasm_bindgen(method, catch)]
    pub(super) fn open(this: &Factory, name: &str, version: u32) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch, js_name = deleteDatabase)]
    pub(super) fn delete_database(this: &Factory, name: &str) -> Result<Request, JsValue>;

    /// A request, and also the one that opens a database.
    #[derive(Clone, Debug)]
    pub(super) type Request;
    #[wasm_bindgen(method, getter, catch)]
    pub(super) fn result(this: &Request) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, getter, catch)]
    pub(super) fn error(this: &Request) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, getter, js_name = readyState)]
    pub(super) fn ready_state(this: &Request) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub(super) fn transaction(this: &Request) -> Option<RawTransaction>;
    #[wasm_bindgen(method, setter, js_name = onsuccess)]
    pub(super) fn set_onsuccess(this: &Request, handler: &JsValue);
    #[wasm_bindgen(method, setter, js_name = onerror)]
    pub(super) fn set_onerror(this: &Request, handler: &JsValue);
    #[wasm_bindgen(method, setter, js_name = onblocked)]
    pub(super) fn set_onblocked(this: &Request, handler: &JsValue);
    #[wasm_bindgen(method, setter, js_name = onupgradeneeded)]
    pub(super) fn set_onupgradeneeded(this: &Request, handler: &JsValue);

    /// An event of a change of version; `newVersion` is null when the database is deleted.
    pub(super) type VersionChange;
    #[wasm_bindgen(method, getter, js_name = oldVersion)]
    pub(super) fn old_version(this: &VersionChange) -> f64;
    #[wasm_bindgen(method, getter, js_name = newVersion)]
    pub(super) fn new_version(this: &VersionChange) -> Option<f64>;

    #[derive(Clone, Debug)]
    pub(super) type Database;
    #[wasm_bindgen(method, catch)]
    pub(super) fn transaction(
        this: &Database,
        stores: &Array,
        mode: &str,
        options: &JsValue,
    ) -> Result<RawTransaction, JsValue>;
    #[wasm_bindgen(method, catch, js_name = createObjectStore)]
    pub(super) fn create_object_store(
        this: &Database,
        name: &str,
        options: &JsValue,
    ) -> Result<ObjectStore, JsValue>;
    #[wasm_bindgen(method)]
    pub(super) fn close(this: &Database);
    #[wasm_bindgen(method, setter, js_name = onversionchange)]
    pub(super) fn set_onversionchange(this: &Database, handler: &JsValue);
    #[wasm_bindgen(method, setter, js_name = onclose)]
    pub(super) fn set_onclose(this: &Database, handler: &JsValue);

    #[derive(Clone, Debug)]
    pub(super) type RawTransaction;
    #[wasm_bindgen(method, catch, js_name = objectStore)]
    pub(super) fn object_store(this: &RawTransaction, name: &str) -> Result<ObjectStore, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn error(this: &RawTransaction) -> JsValue;
    #[wasm_bindgen(method, catch)]
    pub(super) fn abort(this: &RawTransaction) -> Result<(), JsValue>;
    /// Newer than the rest: without it, a transaction commits itself a bit later.
    #[wasm_bindgen(method, catch)]
    pub(super) fn commit(this: &RawTransaction) -> Result<(), JsValue>;
    #[wasm_bindgen(method, setter, js_name = oncomplete)]
    pub(super) fn set_oncomplete(this: &RawTransaction, handler: &JsValue);
    #[wasm_bindgen(method, setter, js_name = onabort)]
    pub(super) fn set_onabort(this: &RawTransaction, handler: &JsValue);

    /// An object store, or an index: they are asked in the same way.
    #[derive(Clone, Debug)]
    pub(super) type ObjectStore;
    #[wasm_bindgen(method, catch)]
    pub(super) fn add(this: &ObjectStore, value: &JsValue) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(super) fn put(this: &ObjectStore, value: &JsValue) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(super) fn delete(this: &ObjectStore, query: &JsValue) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(super) fn get(this: &ObjectStore, query: &JsValue) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getAll)]
    pub(super) fn get_all(this: &ObjectStore, query: &JsValue) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getAllKeys)]
    pub(super) fn get_all_keys(this: &ObjectStore, query: &JsValue) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(super) fn index(this: &ObjectStore, name: &str) -> Result<ObjectStore, JsValue>;
    #[wasm_bindgen(method, catch, js_name = createIndex)]
    pub(super) fn create_index(
        this: &ObjectStore,
        name: &str,
        path: &str,
    ) -> Result<ObjectStore, JsValue>;

    #[wasm_bindgen(js_name = IDBKeyRange)]
    pub(super) type KeyRange;
    #[wasm_bindgen(static_method_of = KeyRange, js_class = "IDBKeyRange", catch)]
    pub(super) fn bound(lower: f64, upper: f64) -> Result<JsValue, JsValue>;

    /// A row of any of our object stores: `k` is its key where the database makes one, `d` the
    /// document's id, `b` the record.
    #[derive(Clone, Debug)]
    #[wasm_bindgen(js_name = Object)]
    pub(super) type Row;
    #[wasm_bindgen(constructor, js_class = "Object")]
    pub(super) fn new() -> Row;
    #[wasm_bindgen(method, getter)]
    pub(super) fn k(this: &Row) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub(super) fn d(this: &Row) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub(super) fn b(this: &Row) -> JsValue;
    #[wasm_bindgen(method, setter)]
    pub(super) fn set_d(this: &Row, doc: &Uint8Array);
    #[wasm_bindgen(method, setter)]
    pub(super) fn set_b(this: &Row, bytes: &Uint8Array);

    /// An exception.
    pub(super) type Exception;
    #[wasm_bindgen(method, getter)]
    pub(super) fn name(this: &Exception) -> JsValue;
    #[wasm_bindgen(method, getter)]
    pub(super) fn message(this: &Exception) -> JsValue;
}

/// The window's or the worker's global object.
pub(super) fn global() -> Global {
    js_sys::global().unchecked_into()
}

/// A promise, and the functions that fulfil and reject it.
pub(super) fn deferred() -> (Promise, JsValue, JsValue) {
    let mut functions = (JsValue::UNDEFINED, JsValue::UNDEFINED);
    // The constructor calls its argument before it returns.
    let promise = Promise::new(&mut |resolve, reject| functions = (resolve.into(), reject.into()));
    (promise, functions.0, functions.1)
}

/// Calls a function of [`deferred`].
pub(super) fn settle(function: &JsValue) {
    if let Some(function) = function.dyn_ref::<Function>() {
        // Such a function doesn't throw.
        let _ = function.call0(&JsValue::UNDEFINED);
    }
}

/// An object with one property.
pub(super) fn object(name: &str, value: impl Into<JsValue>) -> JsValue {
    let object = js_sys::Object::new();
    // Fails for frozen objects only.
    let _ = js_sys::Reflect::set(&object, &name.into(), &value.into());
    object.into()
}
