//! A store that lives as long as the process.

#[cfg(any(test, feature = "test-utils"))]
pub mod faults;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use vivim_proto::id::DocId;

use crate::error::StoreError;
use crate::meta::DocumentMeta;
use crate::record;
use crate::store::{Listing, Loaded, RecordKey, Store, Usage, Written, known_meta, leave_newer};

/// A store that lives as long as its last handle. It keeps the same bytes as the durable ones.
///
/// With the feature `test-utils` it fails, hangs, tears and forgets on request: see
/// `faults`.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    is_closed: bool,
    last_key: u64,
    /// Records of each document, damaged ones too.
    records: BTreeMap<DocId, BTreeMap<RecordKey, Bytes>>,
    metas: BTreeMap<DocId, Bytes>,
    #[cfg(any(test, feature = "test-utils"))]
    faults: faults::Faults,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing is left half done by a panic: each change is one insertion or removal after the
    /// other of values that were made before.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        let inner = self.lock();
        if inner.is_closed { Err(StoreError::Closed) } else { Ok(inner) }
    }

    /// Does `write` when the faults let it through.
    async fn write<T>(
        &self,
        bytes: u64,
        write: impl FnOnce(&mut Inner) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        #[cfg(any(test, feature = "test-utils"))]
        faults::admit(self, bytes).await?;
        #[cfg(not(any(test, feature = "test-utils")))]
        let _ = bytes;
        write(&mut *self.open()?)
    }
}

impl Store for MemoryStore {
    async fn load(&self, doc: DocId) -> Result<Loaded, StoreError> {
        let inner = self.open()?;
        let mut loaded = Loaded::default();
        if let Some(meta) = inner.metas.get(&doc) {
            loaded.put_meta(doc, meta)?;
        }
        for (key, bytes) in inner.records.get(&doc).into_iter().flatten() {
            loaded.push(*key, bytes)?;
        }
        Ok(loaded)
    }

    async fn append(&self, doc: DocId, updates: &[Bytes]) -> Result<Vec<Written>, StoreError> {
        let records = record::encode_updates(updates)?;
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = records.iter().map(|record| record.len() as u64).sum();
        self.write(bytes, |inner| Ok(records.into_iter().map(|r| inner.insert(doc, r)).collect()))
            .await
    }

    async fn replace(
        &self,
        doc: DocId,
        keys: &[RecordKey],
        snapshot: &[u8],
    ) -> Result<Option<Written>, StoreError> {
        let record = record::encode_snapshot(snapshot)?;
        let keys = keys.to_vec();
        self.write(record.len() as u64, |inner| {
            let stored = inner.records.get(&doc);
            if !keys.iter().all(|key| stored.is_some_and(|records| records.contains_key(key))) {
                return Ok(None);
            }
            inner.remove(doc, &keys)?;
            Ok(Some(inner.insert(doc, record)))
        })
        .await
    }

    async fn discard(&self, doc: DocId, keys: &[RecordKey]) -> Result<(), StoreError> {
        let keys = keys.to_vec();
        // Nobody could look at a quarantine that ends with the process.
        self.write(0, |inner| inner.remove(doc, &keys)).await
    }

    async fn list(&self) -> Result<Listing, StoreError> {
        let inner = self.open()?;
        let mut listing = Listing::default();
        for (doc, meta) in &inner.metas {
            listing.push(*doc, meta);
        }
        Ok(listing)
    }

    async fn meta(&self, doc: DocId) -> Result<Option<DocumentMeta>, StoreError> {
        let inner = self.open()?;
        inner.metas.get(&doc).map_or(Ok(None), |meta| known_meta(doc, meta))
    }

    async fn put_meta(&self, meta: &DocumentMeta) -> Result<(), StoreError> {
        let (doc, record) = (meta.doc, record::encode_meta(meta)?);
        self.write(record.len() as u64, |inner| {
            inner.metas.get(&doc).map_or(Ok(()), leave_newer)?;
            inner.metas.insert(doc, record);
            Ok(())
        })
        .await
    }

    async fn delete(&self, doc: DocId) -> Result<(), StoreError> {
        self.write(0, |inner| {
            inner.records.remove(&doc);
            inner.metas.remove(&doc);
            Ok(())
        })
        .await
    }

    async fn usage(&self, doc: DocId) -> Result<Usage, StoreError> {
        let inner = self.open()?;
        let mut usage = Usage::default();
        for record in inner.records.get(&doc).into_iter().flat_map(BTreeMap::values) {
            usage.records += 1;
            usage.bytes += record.len() as u64;
        }
        Ok(usage)
    }

    async fn close(&self) {
        self.lock().is_closed = true;
    }
}

impl Inner {
    fn insert(&mut self, doc: DocId, record: Bytes) -> Written {
        self.last_key += 1;
        let written = Written { key: RecordKey(self.last_key), bytes: record.len() as u64 };
        self.records.entry(doc).or_default().insert(written.key, record);
        written
    }

    fn remove(&mut self, doc: DocId, keys: &[RecordKey]) -> Result<(), StoreError> {
        if let Some(records) = self.records.get_mut(&doc) {
            keys.iter().filter_map(|key| records.get(key)).try_for_each(leave_newer)?;
            records.retain(|key, _| !keys.contains(key));
        }
        Ok(())
    }
}
