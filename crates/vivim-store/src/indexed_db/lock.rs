//! One writer of a document at a time, over all tabs.

use vivim_proto::id::DocId;
use wasm_bindgen::JsValue;
use wasm_bindgen::closure::Closure;

use super::js;
use crate::limits::LOCK_PATIENCE;

/// Holds the lock, if it could be had, until it is dropped.
pub(super) struct Lock {
    release: Option<JsValue>,
}

/// Waits for the lock `vivim:<database>:<document>`, but not longer than [`LOCK_PATIENCE`].
///
/// Nothing breaks without it: see [`IndexedDbStore`](super::IndexedDbStore).
pub(super) async fn exclusive(database: &str, doc: DocId) -> Lock {
    let Some(locks) = js::global().navigator().and_then(|navigator| navigator.locks()) else {
        return Lock { release: None };
    };
    let name = ["vivim:", database, ":", &doc.to_hex()].concat();
    let (granted, proceed, _) = js::deferred();
    // The lock is ours until this one settles.
    let (held, release, _) = js::deferred();
    // Made before the request: dropped while waiting, it lets go of a lock that comes later.
    let lock = Lock { release: Some(release) };
    let on_granted = {
        let proceed = proceed.clone();
        Closure::once_into_js(move || {
            js::settle(&proceed);
            held
        })
    };
    if let Ok(request) = locks.request(&name, &on_granted) {
        // Refused, in a frame without a storage for example: go on without.
        request.otherwise(&proceed);
        js::set_timeout(&proceed, LOCK_PATIENCE.as_millis() as i32);
        // Never rejected.
        let _ = wasm_bindgen_futures::JsFuture::from(granted).await;
    }
    lock
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(release) = &self.release {
            js::settle(release);
        }
    }
}
