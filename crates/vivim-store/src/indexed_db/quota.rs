//! How much room the browser gives, and whether it may take it back.

use js_sys::Promise;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::js::{self, Numbers, StorageManager};

/// What the browser says about the storage of this site, all of it: not only documents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Bytes in use, roughly.
    pub usage: f64,
    /// Bytes that may be used, roughly.
    pub quota: f64,
}

/// Asks the browser not to evict this site's storage when it needs room (Safari does so after seven
/// days without a visit). It may ask the user. Whether it agreed; false where it can't be asked.
pub async fn persist() -> bool {
    ask(StorageManager::persist).await.is_some_and(|answer| answer.is_truthy())
}

/// Whether the browser has agreed not to evict this site's storage.
pub async fn is_persisted() -> bool {
    ask(StorageManager::persisted).await.is_some_and(|answer| answer.is_truthy())
}

/// How much room there is; `None` where the browser doesn't say.
pub async fn estimate() -> Option<Estimate> {
    let answer = ask(StorageManager::estimate).await?;
    let numbers: &Numbers = answer.unchecked_ref();
    Some(Estimate { usage: numbers.usage()?, quota: numbers.quota()? })
}

async fn ask(question: fn(&StorageManager) -> Result<Promise, JsValue>) -> Option<JsValue> {
    let storage = js::global().navigator()?.storage()?;
    JsFuture::from(question(&storage).ok()?).await.ok()
}
