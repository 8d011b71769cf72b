//! What can go wrong with a disk, on request. For tests.
//!
//! Writes are numbered from 1. A held write is one whose caller hasn't been told yet; a crash
//! decides whether it was done.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use bytes::Bytes;
use vivim_proto::id::DocId;

use super::{Inner, MemoryStore};
use crate::error::StoreError;
use crate::store::RecordKey;

/// The faults of one store.
#[derive(Debug, Default)]
pub(super) struct Faults {
    writes: u64,
    failing: BTreeMap<u64, StoreError>,
    quota: Option<u64>,
    is_held: bool,
    waiting: Vec<Waker>,
}

impl MemoryStore {
    /// Writes that were tried until now.
    pub fn writes(&self) -> u64 {
        self.lock().faults.writes
    }

    /// Lets the write after `after` more ones fail; 0 is the next one.
    pub fn fail_write(&self, after: u64, error: StoreError) {
        let mut inner = self.lock();
        let number = inner.faults.writes + 1 + after;
        inner.faults.failing.insert(number, error);
    }

    /// Refuses what would bring the whole store above `bytes`; `None` for no bound.
    pub fn set_quota(&self, bytes: Option<u64>) {
        self.lock().faults.quota = bytes;
    }

    /// From now on writes neither happen nor resolve, until [`release_writes`](Self::release_writes).
    pub fn hold_writes(&self) {
        self.lock().faults.is_held = true;
    }

    /// Lets held writes go on.
    pub fn release_writes(&self) {
        let waiting = {
            let mut inner = self.lock();
            inner.faults.is_held = false;
            std::mem::take(&mut inner.faults.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// The machine stops: what resolved is in the store returned, held writes never happened. This
    /// handle and its clones are closed.
    pub fn crash(&self) -> Self {
        let after = {
            let mut inner = self.lock();
            inner.is_closed = true;
            Inner {
                last_key: inner.last_key,
                records: inner.records.clone(),
                metas: inner.metas.clone(),
                ..Inner::default()
            }
        };
        self.release_writes();
        Self { inner: std::sync::Arc::new(std::sync::Mutex::new(after)) }
    }

    /// Cuts the newest record of a document to `keep` bytes; its key.
    pub fn tear_last_record(&self, doc: DocId, keep: usize) -> Option<RecordKey> {
        let mut inner = self.lock();
        let (key, record) = inner.records.get_mut(&doc)?.iter_mut().next_back()?;
        record.truncate(keep);
        Some(*key)
    }

    /// Changes the bytes of a record; whether there is one.
    pub fn corrupt(&self, doc: DocId, key: RecordKey, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut inner = self.lock();
        let record = inner.records.get_mut(&doc).and_then(|records| records.get_mut(&key));
        record.map(|record| damage(record, change)).is_some()
    }

    /// Changes the bytes of a document's meta record; whether there is one.
    pub fn corrupt_meta(&self, doc: DocId, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.lock().metas.get_mut(&doc).map(|record| damage(record, change)).is_some()
    }

    /// Bytes of all records.
    pub fn bytes(&self) -> u64 {
        self.lock().bytes()
    }
}

/// Counts a write, and holds or refuses it.
pub(super) async fn admit(store: &MemoryStore, bytes: u64) -> Result<(), StoreError> {
    let refused = {
        let mut inner = store.open()?;
        inner.faults.writes += 1;
        let number = inner.faults.writes;
        inner.faults.failing.remove(&number)
    };
    poll_fn(|context| {
        let mut inner = store.lock();
        if inner.faults.is_held {
            inner.faults.waiting.push(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
    let inner = store.open()?;
    if let Some(error) = refused {
        return Err(error);
    }
    // As a real one: what is removed in the same transaction isn't counted against it.
    match inner.faults.quota {
        Some(quota) if bytes > 0 && inner.bytes() + bytes > quota => Err(StoreError::QuotaExceeded),
        _ => Ok(()),
    }
}

fn damage(record: &mut Bytes, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = record.to_vec();
    change(&mut bytes);
    *record = bytes.into();
}

impl Inner {
    fn bytes(&self) -> u64 {
        let records = self.records.values().flat_map(BTreeMap::values);
        records.chain(self.metas.values()).map(|record| record.len() as u64).sum()
    }
}
