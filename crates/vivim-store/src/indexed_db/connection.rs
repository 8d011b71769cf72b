//! The open database: its version, its end, its transactions.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::Array;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::js::{
    self, Database, Exception, Factory, ObjectStore, RawTransaction, Request, VersionChange,
};
use super::rows;
use crate::error::StoreError;
use crate::limits::BLOCKED_PATIENCE;

/// The version of the database's layout. [`rows::upgrade`] knows what each one added.
const VERSION: u32 = 2;

/// An open database.
#[derive(Debug)]
pub(super) struct Connection {
    name: String,
    database: Database,
    /// Why the connection can't be used any more.
    end: Rc<Cell<End>>,
    /// Called by the database while it is open.
    _handlers: [Closure<dyn FnMut(VersionChange)>; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Gone,
    NewerVersion,
    Open,
}

impl Connection {
    pub(super) async fn open(name: &str) -> Result<Self, StoreError> {
        let request = factory()?.open(name, VERSION).map_err(|e| unavailable(&e))?;
        let upgrade =
            Closure::<dyn FnMut(VersionChange) -> Result<(), JsValue>>::new(upgrade(&request));
        request.set_onupgradeneeded(upgrade.as_ref());
        let database: Database = opened(&request).await?.unchecked_into();
        Ok(Self::new(name, database))
    }

    fn new(name: &str, database: Database) -> Self {
        let end = Rc::new(Cell::new(End::Open));
        let version_change = {
            let (end, database) = (end.clone(), database.clone());
            Closure::new(move |event: VersionChange| {
                // Whoever wants to upgrade or delete waits until we are gone.
                database.close();
                let upgraded = event.new_version().is_some();
                end.set(if upgraded { End::NewerVersion } else { End::Gone });
            })
        };
        let closed = {
            let end = end.clone();
            Closure::new(move |_: VersionChange| end.set(End::Gone))
        };
        database.set_onversionchange(version_change.as_ref());
        database.set_onclose(closed.as_ref());
        Self { name: name.to_owned(), database, end, _handlers: [version_change, closed] }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn close(&self) {
        self.database.close();
        if self.end.get() == End::Open {
            self.end.set(End::Closed);
        }
    }

    pub(super) fn read(self: &Rc<Self>, stores: &[&str]) -> Result<Transaction, StoreError> {
        self.begin(stores, "readonly")
    }

    pub(super) fn write(self: &Rc<Self>, stores: &[&str]) -> Result<Transaction, StoreError> {
        self.begin(stores, "readwrite")
    }

    fn begin(self: &Rc<Self>, stores: &[&str], mode: &str) -> Result<Transaction, StoreError> {
        self.check()?;
        let names: Array = stores.iter().map(|name| JsValue::from_str(name)).collect();
        let options = js::object("durability", "strict");
        let raw = self.database.transaction(&names, mode, &options);
        let raw = raw.map_err(|error| self.failure(&error))?;
        Ok(Transaction { raw, connection: self.clone() })
    }

    fn check(&self) -> Result<(), StoreError> {
        match self.end.get() {
            End::Closed => Err(StoreError::Closed),
            End::Gone => Err(StoreError::Gone),
            End::NewerVersion => Err(StoreError::NewerVersion),
            End::Open => Ok(()),
        }
    }

    /// What an exception of the database means. The event that says why a connection has ended may
    /// come after the exceptions that it causes.
    fn failure(&self, error: &JsValue) -> StoreError {
        if let Err(end) = self.check() {
            return end;
        }
        let (name, reason) = describe(error);
        match name.as_str() {
            "QuotaExceededError" => StoreError::QuotaExceeded,
            // Of a closed connection, and we didn't close it.
            "InvalidStateError" => self.lost(),
            "AbortError" | "UnknownError" if self.is_lost() => self.lost(),
            _ => StoreError::Io { reason },
        }
    }

    fn lost(&self) -> StoreError {
        self.end.set(End::Gone);
        StoreError::Gone
    }

    /// Whether the connection was closed under us: nothing can be begun on it.
    fn is_lost(&self) -> bool {
        let names = Array::of1(&rows::RECORDS.into());
        self.database.transaction(&names, "readonly", &JsValue::UNDEFINED).is_err()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The handlers are about to go, and an open connection would hold up upgrades.
        self.database.set_onversionchange(&JsValue::NULL);
        self.database.set_onclose(&JsValue::NULL);
        self.database.close();
    }
}

/// A transaction that has begun. Make all requests in one go, then await its end.
#[derive(Debug)]
pub(super) struct Transaction {
    raw: RawTransaction,
    connection: Rc<Connection>,
}

impl Transaction {
    pub(super) fn store(&self, name: &str) -> Result<ObjectStore, StoreError> {
        self.made(self.raw.object_store(name))
    }

    /// The result of making a request; if it couldn't be made, the others aren't to happen either.
    pub(super) fn made<T>(&self, result: Result<T, JsValue>) -> Result<T, StoreError> {
        result.map_err(|error| {
            // Fails when it is aborted already.
            let _ = self.raw.abort();
            self.connection.failure(&error)
        })
    }

    /// Everything is asked for; resolves when it is durable.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        // Without this the database waits for more requests until its answers have been seen.
        let _ = self.raw.commit();
        self.finished().await
    }

    /// Resolves when all requests are done: their results can be read then.
    pub(super) async fn finished(self) -> Result<(), StoreError> {
        let (done, resolve, reject) = js::deferred();
        self.raw.set_oncomplete(&resolve);
        self.raw.set_onabort(&reject);
        match JsFuture::from(done).await {
            Ok(_) => Ok(()),
            Err(_) => Err(self.connection.failure(&self.raw.error())),
        }
    }
}

/// Deletes a database.
pub(super) async fn destroy(name: &str) -> Result<(), StoreError> {
    let request = factory()?.delete_database(name).map_err(|e| unavailable(&e))?;
    opened(&request).await.map(drop)
}

fn factory() -> Result<Factory, StoreError> {
    match js::global().indexed_db() {
        Ok(Some(factory)) => Ok(factory),
        Ok(None) => Err(StoreError::Unavailable { reason: "no IndexedDB".into() }),
        Err(error) => Err(unavailable(&error)),
    }
}

/// Brings the database up to date when the request asks for it. Throws into the event handler when it
/// fails, which aborts the upgrade.
fn upgrade(request: &Request) -> impl Fn(VersionChange) -> Result<(), JsValue> + 'static {
    let request = request.clone();
    move |event| rows::upgrade(&request, event.old_version() as u32)
}

fn unavailable(error: &JsValue) -> StoreError {
    StoreError::Unavailable { reason: describe(error).1 }
}

/// Waits for a request that opens or deletes a database. While it is blocked by another tab it is
/// given [`BLOCKED_PATIENCE`]; if it succeeds after that, what it opened is closed.
async fn opened(request: &Request) -> Result<JsValue, StoreError> {
    let waiting = Waiting::new(request);
    let (done, resolve, reject) = js::deferred();
    request.set_onsuccess(&resolve);
    request.set_onerror(&reject);
    let blocked = Closure::<dyn FnMut()>::new(move || {
        js::set_timeout(&reject, BLOCKED_PATIENCE.as_millis() as i32);
    });
    request.set_onblocked(blocked.as_ref());
    let outcome = JsFuture::from(done).await;
    if request.ready_state() != "done" {
        // The promise was rejected by the timer.
        return Err(StoreError::Blocked);
    }
    waiting.end();
    match outcome.and_then(|_| request.result()) {
        Ok(result) => Ok(result),
        Err(_) => {
            let error = request.error().unwrap_or_default();
            let (name, reason) = describe(&error);
            Err(match name.as_str() {
                "VersionError" => StoreError::NewerVersion,
                "QuotaExceededError" => StoreError::QuotaExceeded,
                // What private windows say.
                "InvalidStateError" | "SecurityError" => StoreError::Unavailable { reason },
                _ => StoreError::Io { reason },
            })
        }
    }
}

/// A request that may outlive the one who made it.
struct Waiting<'a>(Option<&'a Request>);

impl<'a> Waiting<'a> {
    fn new(request: &'a Request) -> Self {
        Self(Some(request))
    }

    fn end(mut self) {
        if let Some(request) = self.0.take() {
            release(request);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(request) = self.0 else { return };
        release(request);
        // The database takes the new version in any case, and would have it without what it adds.
        request.set_onupgradeneeded(&Closure::once_into_js(upgrade(request)));
        let late = request.clone();
        request.set_onsuccess(&Closure::once_into_js(move || {
            if let Ok(result) = late.result()
                && let Some(database) = result.dyn_ref::<js_sys::Object>()
            {
                database.unchecked_ref::<Database>().close();
            }
        }));
    }
}

/// The closures of these handlers are about to go.
fn release(request: &Request) {
    request.set_onsuccess(&JsValue::NULL);
    request.set_onerror(&JsValue::NULL);
    request.set_onblocked(&JsValue::NULL);
    request.set_onupgradeneeded(&JsValue::NULL);
}

/// The name of an exception and what it says.
fn describe(error: &JsValue) -> (String, String) {
    if error.is_null() || error.is_undefined() {
        // A transaction that was aborted without a reason: by us, or with its connection.
        return ("AbortError".into(), "the transaction was aborted".into());
    }
    let exception: &Exception = error.unchecked_ref();
    let text = |value: JsValue| value.as_string().unwrap_or_default();
    let (name, message) = (text(exception.name()), text(exception.message()));
    let reason = [name.as_str(), ": ", message.as_str()].concat();
    (name, reason)
}
