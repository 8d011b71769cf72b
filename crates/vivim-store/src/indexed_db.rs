//! Documents in a browser's IndexedDB.
//!
//! No transaction stays open across an `await` of ours: all requests of one are made in one go, and
//! its end is awaited. So it can't end too early, whatever else the page's event loop does, and a tab
//! that is closed in the middle has written all of it or nothing.

mod connection;
mod js;
mod lock;
mod quota;
mod rows;

use std::collections::BTreeSet;
use std::rc::Rc;

use bytes::Bytes;
use vivim_proto::id::DocId;
use wasm_bindgen::JsValue;

pub use self::quota::{Estimate, estimate, is_persisted, persist};

use self::connection::{Connection, Transaction};
use self::rows::{DOCUMENTS, QUARANTINE, RECORDS};
use crate::error::StoreError;
use crate::limits::{MAX_QUARANTINE, MAX_QUARANTINED_BYTES};
use crate::meta::DocumentMeta;
use crate::record;
use crate::store::{Damage, Listing, Loaded, RecordKey, Store, Usage, Written, known_meta};

/// Documents in a browser's IndexedDB, in a window or a worker.
///
/// Writes are made with `durability: 'strict'` under an exclusive Web Lock of the document, so that
/// of all tabs one writes at a time. Where there are no Web Locks (a page without https), and when
/// the holder of the lock doesn't let go of it, writes go ahead: every one is a transaction, and a
/// compaction replaces exactly what it has read. All that is lost without the lock is a bit of work
/// done twice.
///
/// A tab of a newer version that wants to upgrade the database isn't kept from it: this store then
/// closes itself and says [`StoreError::NewerVersion`].
#[derive(Clone, Debug)]
pub struct IndexedDbStore {
    connection: Rc<Connection>,
}

impl IndexedDbStore {
    /// Opens the database of this name, or makes it, or brings it up to date.
    pub async fn open(name: &str) -> Result<Self, StoreError> {
        Ok(Self { connection: Rc::new(Connection::open(name).await?) })
    }

    /// Deletes the database of this name with everything in it. Stores that are open on it, in
    /// other tabs too, say [`StoreError::Gone`] from then on.
    pub async fn destroy(name: &str) -> Result<(), StoreError> {
        connection::destroy(name).await
    }

    /// The damaged records that were kept, with their documents.
    pub async fn quarantined(&self) -> Result<Vec<(DocId, Bytes)>, StoreError> {
        let transaction = self.connection.read(&[QUARANTINE])?;
        let rows = transaction.store(QUARANTINE)?.get_all(&JsValue::UNDEFINED);
        let rows = rows::list(transaction, rows).await?;
        Ok(rows.iter().filter_map(|row| Some((row.doc()?, row.bytes()))).collect())
    }

    /// Begins a write; the lock is held until the guard is dropped.
    async fn write(
        &self,
        doc: DocId,
        stores: &[&str],
    ) -> Result<(lock::Lock, Transaction), StoreError> {
        let lock = lock::exclusive(self.connection.name(), doc).await;
        Ok((lock, self.connection.write(stores)?))
    }

    /// Rows of records, each asked for alone: what the database can't read fails the whole question.
    async fn load_one_by_one(&self, doc: DocId, loaded: &mut Loaded) -> Result<(), StoreError> {
        for key in self.keys(doc).await? {
            let transaction = self.connection.read(&[RECORDS])?;
            let row = transaction.store(RECORDS)?.get(&rows::key(key));
            match rows::one(transaction, row).await {
                Ok(Some(row)) => loaded.push(key, &row.bytes())?,
                Ok(None) => {}
                Err(StoreError::Io { reason }) => {
                    loaded.push_damaged(Some(key), Damage::Unreadable(reason));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The keys of a document's records, readable or not.
    async fn keys(&self, doc: DocId) -> Result<Vec<RecordKey>, StoreError> {
        let transaction = self.connection.read(&[RECORDS])?;
        let keys = rows::by_doc(&transaction)?.get_all_keys(&rows::id(doc));
        rows::keys(transaction, keys).await
    }

    /// Fails if one of these records is of a newer version. What is under a key never changes, so this
    /// needs no lock.
    async fn leave_newer(&self, keys: &[RecordKey]) -> Result<(), StoreError> {
        match self.rows(keys).await {
            Ok(rows) => rows.iter().try_for_each(js::Row::leave_newer),
            // What can't be read isn't known to be newer; the others are asked for alone.
            Err(StoreError::Io { .. }) => {
                for key in keys {
                    match self.rows(&[*key]).await {
                        Ok(rows) => rows.iter().try_for_each(js::Row::leave_newer)?,
                        Err(StoreError::Io { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The records under these keys, in one question.
    async fn rows(&self, keys: &[RecordKey]) -> Result<Vec<js::Row>, StoreError> {
        let transaction = self.connection.read(&[RECORDS])?;
        let store = transaction.store(RECORDS)?;
        let mut requests = Vec::with_capacity(keys.len());
        for key in keys {
            requests.push(transaction.made(store.get(&rows::key(*key)))?);
        }
        transaction.finished().await?;
        Ok(requests.iter().filter_map(rows::value).collect())
    }

    /// What is in these records, as far as the database can say; for the quarantine.
    async fn salvage(&self, keys: &[RecordKey]) -> Result<Vec<Bytes>, StoreError> {
        let mut found = Vec::new();
        for key in keys.iter().take(MAX_QUARANTINE) {
            let transaction = self.connection.read(&[RECORDS])?;
            let row = transaction.store(RECORDS)?.get(&rows::key(*key));
            match rows::one(transaction, row).await {
                Ok(row) => found.extend(row.map(|row| row.bytes())),
                Err(StoreError::Io { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

impl Store for IndexedDbStore {
    async fn load(&self, doc: DocId) -> Result<Loaded, StoreError> {
        let transaction = self.connection.read(&[DOCUMENTS, RECORDS])?;
        let meta = transaction.made(transaction.store(DOCUMENTS)?.get(&rows::id(doc)))?;
        let records = transaction.made(rows::by_doc(&transaction)?.get_all(&rows::id(doc)))?;
        let mut loaded = Loaded::default();
        match transaction.finished().await {
            Ok(()) => {
                if let Some(row) = rows::value(&meta) {
                    loaded.put_meta(doc, &row.bytes())?;
                }
                for row in rows::values(&records) {
                    loaded.push(row.record_key(), &row.bytes())?;
                }
            }
            Err(StoreError::Io { .. }) => {
                match self.meta(doc).await {
                    Ok(meta) => loaded.meta = meta,
                    Err(StoreError::Io { reason }) => {
                        loaded.push_damaged(None, Damage::Unreadable(reason));
                    }
                    Err(error) => return Err(error),
                }
                self.load_one_by_one(doc, &mut loaded).await?;
            }
            Err(error) => return Err(error),
        }
        Ok(loaded)
    }

    async fn append(&self, doc: DocId, updates: &[Bytes]) -> Result<Vec<Written>, StoreError> {
        let records = record::encode_updates(updates)?;
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let (_lock, transaction) = self.write(doc, &[RECORDS]).await?;
        let store = transaction.store(RECORDS)?;
        let mut requests = Vec::with_capacity(records.len());
        for record in &records {
            requests.push(transaction.made(store.add(&rows::record(doc, record)))?);
        }
        transaction.commit().await?;
        let written =
            requests.iter().zip(&records).map(|(request, record)| rows::written(request, record));
        Ok(written.collect())
    }

    async fn replace(
        &self,
        doc: DocId,
        keys: &[RecordKey],
        snapshot: &[u8],
    ) -> Result<Option<Written>, StoreError> {
        let record = record::encode_snapshot(snapshot)?;
        self.leave_newer(keys).await?;
        let _lock = lock::exclusive(self.connection.name(), doc).await;
        // Under the lock, so that nobody is first between this and the write.
        let stored: BTreeSet<RecordKey> = self.keys(doc).await?.into_iter().collect();
        if !keys.iter().all(|key| stored.contains(key)) {
            return Ok(None);
        }
        let transaction = self.connection.write(&[RECORDS])?;
        let store = transaction.store(RECORDS)?;
        rows::remove(&transaction, &store, keys)?;
        let request = transaction.made(store.add(&rows::record(doc, &record)))?;
        transaction.commit().await?;
        Ok(Some(rows::written(&request, &record)))
    }

    async fn discard(&self, doc: DocId, keys: &[RecordKey]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        self.leave_newer(keys).await?;
        let found = self.salvage(keys).await?;
        let old = {
            let transaction = self.connection.read(&[QUARANTINE])?;
            let old = transaction.store(QUARANTINE)?.get_all_keys(&JsValue::UNDEFINED);
            rows::keys(transaction, old).await?
        };
        let (_lock, transaction) = self.write(doc, &[RECORDS, QUARANTINE]).await?;
        let quarantine = transaction.store(QUARANTINE)?;
        let surplus = (old.len() + found.len()).saturating_sub(MAX_QUARANTINE);
        rows::remove(&transaction, &quarantine, &old[..surplus.min(old.len())])?;
        for bytes in found {
            let kept = &bytes[..bytes.len().min(MAX_QUARANTINED_BYTES)];
            transaction.made(quarantine.add(&rows::record(doc, kept)))?;
        }
        rows::remove(&transaction, &transaction.store(RECORDS)?, keys)?;
        transaction.commit().await
    }

    async fn list(&self) -> Result<Listing, StoreError> {
        let transaction = self.connection.read(&[DOCUMENTS])?;
        let rows = transaction.store(DOCUMENTS)?.get_all(&JsValue::UNDEFINED);
        let mut listing = Listing::default();
        for row in rows::list(transaction, rows).await? {
            if let Some(doc) = row.doc() {
                listing.push(doc, &row.bytes());
            }
        }
        Ok(listing)
    }

    async fn meta(&self, doc: DocId) -> Result<Option<DocumentMeta>, StoreError> {
        let transaction = self.connection.read(&[DOCUMENTS])?;
        let row = transaction.store(DOCUMENTS)?.get(&rows::id(doc));
        let row = rows::one(transaction, row).await?;
        row.map_or(Ok(None), |row| known_meta(doc, &row.bytes()))
    }

    async fn put_meta(&self, meta: &DocumentMeta) -> Result<(), StoreError> {
        let record = record::encode_meta(meta)?;
        let _lock = lock::exclusive(self.connection.name(), meta.doc).await;
        let old = {
            let transaction = self.connection.read(&[DOCUMENTS])?;
            let old = transaction.store(DOCUMENTS)?.get(&rows::id(meta.doc));
            rows::one(transaction, old).await
        };
        match old {
            Ok(old) => old.map_or(Ok(()), |row| row.leave_newer())?,
            // What can't be read isn't known to be newer.
            Err(StoreError::Io { .. }) => {}
            Err(error) => return Err(error),
        }
        let transaction = self.connection.write(&[DOCUMENTS])?;
        let store = transaction.store(DOCUMENTS)?;
        transaction.made(store.put(&rows::record(meta.doc, &record)))?;
        transaction.commit().await
    }

    async fn delete(&self, doc: DocId) -> Result<(), StoreError> {
        let _lock = lock::exclusive(self.connection.name(), doc).await;
        let keys = self.keys(doc).await?;
        let quarantined = {
            let transaction = self.connection.read(&[QUARANTINE])?;
            let rows = transaction.store(QUARANTINE)?.get_all(&JsValue::UNDEFINED);
            let rows = rows::list(transaction, rows).await?;
            let of_doc = rows.into_iter().filter(|row| row.doc() == Some(doc));
            of_doc.map(|row| row.record_key()).collect::<Vec<_>>()
        };
        let transaction = self.connection.write(&[DOCUMENTS, RECORDS, QUARANTINE])?;
        rows::remove(&transaction, &transaction.store(RECORDS)?, &keys)?;
        rows::remove(&transaction, &transaction.store(QUARANTINE)?, &quarantined)?;
        transaction.made(transaction.store(DOCUMENTS)?.delete(&rows::id(doc)))?;
        transaction.commit().await
    }

    async fn usage(&self, doc: DocId) -> Result<Usage, StoreError> {
        let transaction = self.connection.read(&[RECORDS])?;
        let rows = rows::by_doc(&transaction)?.get_all(&rows::id(doc));
        let rows = rows::list(transaction, rows).await?;
        let bytes = rows.iter().map(|row| u64::from(row.len())).sum();
        Ok(Usage { records: rows.len(), bytes })
    }

    async fn close(&self) {
        self.connection.close();
    }
}
