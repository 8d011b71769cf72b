//! What a store does, whatever it stands on.

use std::future::Future;

use bytes::Bytes;
use vivim_proto::id::DocId;

use crate::error::StoreError;
use crate::meta::DocumentMeta;
use crate::platform::{MaybeSend, MaybeSync};
use crate::record::{self, Record, RecordError};

/// Durable storage of documents.
///
/// A store is a handle: clones are the same store. Be generic over it (`S: Store`); natively its
/// futures are `Send` and so is the store, in browsers neither has to be, and code that is generic
/// over both says [`MaybeSend`]. A future that is to outlive the caller's borrow is made from a
/// clone: `async move { store.append(doc, &updates).await }`.
///
/// Dropping a future before it resolves leaves open whether it was done, never half of it.
///
/// What a newer version of this software has written ([`RecordError::Newer`]) is neither read nor
/// changed: what would read it or put something in its place fails with
/// [`StoreError::NewerVersion`]. Only [`delete`](Self::delete) removes it.
pub trait Store: Clone + MaybeSend + MaybeSync + 'static {
    /// Everything that is stored of a document. A document that was never stored is an empty one,
    /// not an error. Writes nothing.
    ///
    /// A document with a record of a newer version isn't loaded in part: who edited it without what
    /// is in there could contradict it.
    fn load(&self, doc: DocId) -> impl Future<Output = Result<Loaded, StoreError>> + MaybeSend;

    /// Adds updates, all or none of them. They are durable when this resolves. Give many at once:
    /// they share one write to the disk and, unless they are large, one record.
    ///
    /// No updates are no write.
    fn append(
        &self,
        doc: DocId,
        updates: &[Bytes],
    ) -> impl Future<Output = Result<Vec<Written>, StoreError>> + MaybeSend;

    /// Compacts: puts `snapshot` in the place of the records `keys`, in one transaction. Name the
    /// records that the snapshot contains and no others: those that were loaded and those that
    /// were appended by this store since.
    ///
    /// If one of them is gone, somebody else was first, another tab or a document that was just
    /// closed: then nothing is written, and this gives `None`. Two snapshots of one state would be
    /// what the next opening has to compact. Load again to go on.
    ///
    /// The snapshot must contain all of what it replaces, also updates that still wait for others.
    fn replace(
        &self,
        doc: DocId,
        keys: &[RecordKey],
        snapshot: &[u8],
    ) -> impl Future<Output = Result<Option<Written>, StoreError>> + MaybeSend;

    /// Takes damaged records out of a document, once they have been reported. The newest
    /// [`MAX_QUARANTINE`](crate::limits::MAX_QUARANTINE) stay in the database in a place of their
    /// own, for whoever wants to try and save something; nothing here reads them.
    fn discard(
        &self,
        doc: DocId,
        keys: &[RecordKey],
    ) -> impl Future<Output = Result<(), StoreError>> + MaybeSend;

    /// The documents that have a [`DocumentMeta`].
    fn list(&self) -> impl Future<Output = Result<Listing, StoreError>> + MaybeSend;

    /// What is known about a document; `None` also when that record is damaged.
    fn meta(
        &self,
        doc: DocId,
    ) -> impl Future<Output = Result<Option<DocumentMeta>, StoreError>> + MaybeSend;

    /// Remembers this about `meta.doc`, in the place of what was known.
    fn put_meta(
        &self,
        meta: &DocumentMeta,
    ) -> impl Future<Output = Result<(), StoreError>> + MaybeSend;

    /// Removes a document, its meta and its quarantine. A tab that still has it open can write it
    /// again: tell the others.
    fn delete(&self, doc: DocId) -> impl Future<Output = Result<(), StoreError>> + MaybeSend;

    /// What a document costs. Reads all of its records.
    fn usage(&self, doc: DocId) -> impl Future<Output = Result<Usage, StoreError>> + MaybeSend;

    /// Ends all use of the store by this handle and its clones; writes under way are finished.
    fn close(&self) -> impl Future<Output = ()> + MaybeSend;
}

/// The name of a record. Grows with each record of a store and is never used again in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey(pub u64);

/// A record that is durable now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its name, for [`Store::replace`].
    pub key: RecordKey,
    /// Its size with its header.
    pub bytes: u64,
}

/// Everything that is stored of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// What is known about the document.
    pub meta: Option<DocumentMeta>,
    /// Its records in the order of their keys. Usually one snapshot and some groups of updates; tabs
    /// that compacted at once without a lock leave several snapshots. Apply them all, in any order.
    pub records: Vec<StoredRecord>,
    /// Records that can't be read. Report them, fetch what they held from peers (the state vector
    /// doesn't have it), and then [`discard`](Store::discard) them.
    pub damaged: Vec<Damaged>,
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its name.
    pub key: RecordKey,
    /// Its size with its header.
    pub bytes: u64,
    /// What it holds.
    pub content: Content,
}

/// The content of a document's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The whole state at some time.
    Snapshot(Bytes),
    /// Updates that were committed together.
    Updates(Vec<Bytes>),
}

/// A record that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Its name; `None` for the record of the document's [`DocumentMeta`], which
    /// [`Store::put_meta`] replaces.
    pub key: Option<RecordKey>,
    /// What is wrong with it.
    pub damage: Damage,
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// Its bytes aren't what was written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The database can't give back its bytes.
    #[error("the database can't read it: {0}")]
    Unreadable(String),
}

/// The documents of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// What is known about each.
    pub documents: Vec<DocumentMeta>,
    /// Documents whose [`DocumentMeta`] is damaged; their content may be well.
    pub damaged: Vec<DocId>,
    /// Documents whose [`DocumentMeta`] was written by a newer version of this software.
    pub newer: Vec<DocId>,
}

/// What a document costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Its records.
    pub records: usize,
    /// Their bytes, without what the database adds.
    pub bytes: u64,
}

impl Loaded {
    /// Adds a record as it came out of the database.
    pub(crate) fn push(&mut self, key: RecordKey, bytes: &Bytes) -> Result<(), StoreError> {
        let content = match record::decode(bytes) {
            Ok(Record::Snapshot(snapshot)) => Ok(Content::Snapshot(snapshot)),
            Ok(Record::Updates(updates)) => Ok(Content::Updates(updates)),
            Ok(Record::Meta(_)) => Err(RecordError::Misplaced),
            Err(error) => Err(error),
        };
        match content {
            Ok(content) => {
                self.records.push(StoredRecord { key, bytes: bytes.len() as u64, content });
            }
            Err(RecordError::Newer { .. }) => return Err(StoreError::NewerVersion),
            Err(error) => self.push_damaged(Some(key), error.into()),
        }
        Ok(())
    }

    /// Adds the meta record as it came out of the database.
    pub(crate) fn put_meta(&mut self, doc: DocId, bytes: &Bytes) -> Result<(), StoreError> {
        match decode_meta(doc, bytes) {
            Ok(meta) => self.meta = Some(meta),
            Err(RecordError::Newer { .. }) => return Err(StoreError::NewerVersion),
            Err(error) => self.push_damaged(None, error.into()),
        }
        Ok(())
    }

    pub(crate) fn push_damaged(&mut self, key: Option<RecordKey>, damage: Damage) {
        self.damaged.push(Damaged { key, damage });
    }

    /// Everything to apply: snapshots first, so that little has to wait for something else.
    pub fn payloads(&self) -> impl Iterator<Item = &Bytes> {
        let snapshots = self.records.iter().filter_map(|record| match &record.content {
            Content::Snapshot(snapshot) => Some(snapshot),
            Content::Updates(_) => None,
        });
        let updates = self.records.iter().filter_map(|record| match &record.content {
            Content::Snapshot(_) => None,
            Content::Updates(updates) => Some(updates),
        });
        snapshots.chain(updates.flatten())
    }

    /// The damaged records, for [`Store::discard`].
    pub fn damaged_keys(&self) -> Vec<RecordKey> {
        self.damaged.iter().filter_map(|damaged| damaged.key).collect()
    }
}

impl Listing {
    /// Adds a meta record as it came out of the database.
    pub(crate) fn push(&mut self, doc: DocId, bytes: &Bytes) {
        match decode_meta(doc, bytes) {
            Ok(meta) => self.documents.push(meta),
            Err(RecordError::Newer { .. }) => self.newer.push(doc),
            Err(_) => self.damaged.push(doc),
        }
    }
}

/// The meta of this document if it can be read.
pub(crate) fn known_meta(doc: DocId, bytes: &Bytes) -> Result<Option<DocumentMeta>, StoreError> {
    match decode_meta(doc, bytes) {
        Ok(meta) => Ok(Some(meta)),
        Err(RecordError::Newer { .. }) => Err(StoreError::NewerVersion),
        Err(_) => Ok(None),
    }
}

/// Before a record is taken away, or another put in its place.
pub(crate) fn leave_newer(bytes: &Bytes) -> Result<(), StoreError> {
    if record::is_newer(bytes) { Err(StoreError::NewerVersion) } else { Ok(()) }
}

/// The meta of this document, and not of another.
fn decode_meta(doc: DocId, bytes: &Bytes) -> Result<DocumentMeta, RecordError> {
    match record::decode(bytes)? {
        Record::Meta(meta) if meta.doc == doc => Ok(meta),
        _ => Err(RecordError::Misplaced),
    }
}
