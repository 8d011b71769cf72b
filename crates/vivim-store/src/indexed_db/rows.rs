//! What is in the database, and how to ask for it.
//!
//! | object store | key | value |
//! |---|---|---|
//! | `documents` | `d`, the document's id | `{ d, b }`, `b` the record of its meta |
//! | `records` | `k`, counted up and never given again | `{ k, d, b }`; index `d` |
//! | `quarantine` | `k` | `{ k, d, b }`, `b` a damaged record |

use bytes::Bytes;
use js_sys::{Array, Uint8Array};
use vivim_proto::id::DocId;
use wasm_bindgen::{JsCast, JsValue};

use super::connection::Transaction;
use super::js::{self, Database, KeyRange, ObjectStore, Request, Row};
use crate::error::StoreError;
use crate::record::is_known;
use crate::store::{RecordKey, Written, leave_newer};

pub(super) const DOCUMENTS: &str = "documents";
pub(super) const RECORDS: &str = "records";
pub(super) const QUARANTINE: &str = "quarantine";

/// The index of `records` by document.
const BY_DOC: &str = "d";

/// Makes what versions after `old` have added. Never changed for a version once it is released.
pub(super) fn upgrade(request: &Request, old: u32) -> Result<(), JsValue> {
    let database: Database = request.result()?.unchecked_into();
    if old < 1 {
        database.create_object_store(DOCUMENTS, &js::object("keyPath", "d"))?;
        let records = database.create_object_store(RECORDS, &counted())?;
        records.create_index(BY_DOC, "d")?;
    }
    if old < 2 {
        database.create_object_store(QUARANTINE, &counted())?;
    }
    Ok(())
}

/// The options of an object store whose keys the database makes.
fn counted() -> JsValue {
    let options = js::object("keyPath", "k");
    // Fails for frozen objects only.
    let _ = js_sys::Reflect::set(&options, &"autoIncrement".into(), &JsValue::TRUE);
    options
}

/// A document's id as a key.
pub(super) fn id(doc: DocId) -> Uint8Array {
    Uint8Array::new_from_slice(&doc.0)
}

/// A record's name as a key. Exact: a key of 2⁵³ can't be reached.
pub(super) fn key(key: RecordKey) -> JsValue {
    JsValue::from_f64(key.0 as f64)
}

/// The row of a record that has no key yet.
pub(super) fn record(doc: DocId, bytes: &[u8]) -> Row {
    let row = Row::new();
    row.set_d(&id(doc));
    row.set_b(&Uint8Array::new_from_slice(bytes));
    row
}

/// Records asked for by their document.
pub(super) fn by_doc(transaction: &Transaction) -> Result<ObjectStore, StoreError> {
    transaction.made(transaction.store(RECORDS)?.index(BY_DOC))
}

/// Removes rows by their keys. Keys that follow each other are removed in one request.
pub(super) fn remove(
    transaction: &Transaction,
    store: &ObjectStore,
    keys: &[RecordKey],
) -> Result<(), StoreError> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    for run in keys.chunk_by(|a, b| b.0 - a.0 <= 1) {
        let [first, .., last] = run else {
            for single in run {
                transaction.made(store.delete(&key(*single)))?;
            }
            continue;
        };
        let range = transaction.made(KeyRange::bound(first.0 as f64, last.0 as f64))?;
        transaction.made(store.delete(&range))?;
    }
    Ok(())
}

/// The record that a request to add it has made, once its transaction is done.
pub(super) fn written(request: &Request, record: &Bytes) -> Written {
    let key = request.result().unwrap_or_default().as_f64().unwrap_or_default();
    Written { key: RecordKey(key as u64), bytes: record.len() as u64 }
}

/// The row that was asked for, if there is one.
pub(super) async fn one(
    transaction: Transaction,
    request: Result<Request, JsValue>,
) -> Result<Option<Row>, StoreError> {
    let request = transaction.made(request)?;
    transaction.finished().await?;
    Ok(value(&request))
}

/// The rows that were asked for.
pub(super) async fn list(
    transaction: Transaction,
    request: Result<Request, JsValue>,
) -> Result<Vec<Row>, StoreError> {
    let request = transaction.made(request)?;
    transaction.finished().await?;
    Ok(values(&request))
}

/// The keys that were asked for.
pub(super) async fn keys(
    transaction: Transaction,
    request: Result<Request, JsValue>,
) -> Result<Vec<RecordKey>, StoreError> {
    let request = transaction.made(request)?;
    transaction.finished().await?;
    let keys = results(&request);
    Ok(keys.iter().filter_map(|key| key.as_f64()).map(|key| RecordKey(key as u64)).collect())
}

/// The row that a finished request has found.
pub(super) fn value(request: &Request) -> Option<Row> {
    let row = request.result().unwrap_or_default();
    row.is_object().then(|| row.unchecked_into())
}

/// The rows that a finished request has found.
pub(super) fn values(request: &Request) -> Vec<Row> {
    results(request).iter().map(JsValue::unchecked_into).collect()
}

fn results(request: &Request) -> Array {
    request.result().ok().and_then(|result| result.dyn_into().ok()).unwrap_or_default()
}

impl Row {
    pub(super) fn record_key(&self) -> RecordKey {
        RecordKey(self.k().as_f64().unwrap_or_default() as u64)
    }

    /// The document's id; `None` if it isn't one.
    pub(super) fn doc(&self) -> Option<DocId> {
        let id = self.d();
        // The key of `documents` comes back as it was given; nothing else is an id.
        let bytes = id.dyn_ref::<Uint8Array>()?.to_vec();
        bytes.try_into().ok().map(DocId)
    }

    /// The record; empty, which is no record, if there is something else in its place.
    pub(super) fn bytes(&self) -> Bytes {
        let bytes = self.b();
        bytes.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec).unwrap_or_default().into()
    }

    /// Before the record is taken away, or another put in its place.
    pub(super) fn leave_newer(&self) -> Result<(), StoreError> {
        let bytes = self.b();
        // The head first: almost all are known by it.
        let head = bytes.dyn_ref::<Uint8Array>().map(|bytes| bytes.subarray(0, 2).to_vec());
        if head.is_some_and(|head| is_known(&head)) { Ok(()) } else { leave_newer(&self.bytes()) }
    }

    /// Bytes of the record.
    pub(super) fn len(&self) -> u32 {
        self.b().dyn_ref::<Uint8Array>().map(Uint8Array::length).unwrap_or_default()
    }
}
