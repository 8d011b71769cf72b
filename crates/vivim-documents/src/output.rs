//! What a document wants done, and what it tells.

use bytes::Bytes;
use vivim_doc::ClientId;
use vivim_proto::id::DocId;
use vivim_store::{Damaged, DocumentMeta, Loaded, RecordKey, Store, StoreError, Written};

use crate::{conflict::Conflict, journal::Position, state::SyncState};

/// Something for the driver to do.
#[derive(Clone, Debug)]
#[must_use]
pub enum Output<P> {
    /// Tell peers of this device's awareness: `Node::local_awareness`.
    Awareness(Bytes),
    /// Tell peers of a change that was made here: `Node::local_change`.
    Change {
        /// Its number.
        number: u64,
        /// The update.
        payload: Bytes,
    },
    /// Everything up to here is durable; whoever waits for it goes on.
    Durable(Position),
    /// Tell the application.
    Event(Event<P>),
    /// A change was made here that peers had better fetch in pieces: `Node::note_change`, and
    /// `Node::resummarize`.
    LargeChange {
        /// Its number.
        number: u64,
    },
    /// A write failed on which everything up to here depended; it will be repeated. Whoever waits
    /// for it is told.
    NotDurable(Position, StoreError),
    /// Ask peers for what is missing here: `Node::resummarize`.
    Resummarize,
    /// Have the store do this and give the answer to
    /// [`OpenDocument::store_done`](crate::OpenDocument::store_done).
    Store(StoreOp),
    /// Tell peers that what was applied so far will survive: `Node::stored`.
    Stored,
}

/// What happened to a document.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<P> {
    /// Somebody's awareness state came, changed or went.
    Awareness {
        /// Who came.
        added: Vec<ClientId>,
        /// Whose state is another.
        updated: Vec<ClientId>,
        /// Who went.
        removed: Vec<ClientId>,
    },
    /// Two devices changed one field without knowing of each other.
    Conflict(Conflict),
    /// A record of the store can't be read. What it held is asked for from peers, and it is set
    /// aside.
    Damaged(Vec<Damaged>),
    /// What was stored is in the document, or can't be had at present (and
    /// [`StorageFailed`](Self::StorageFailed) has said so).
    Loaded,
    /// [`OpenDocument::peers`](crate::OpenDocument::peers) are others.
    Peers,
    /// [`OpenDocument::receipts`](crate::OpenDocument::receipts) says something else.
    Receipts,
    /// The sync state is another one.
    State(SyncState),
    /// The storage works again, and everything is in it.
    StorageRecovered,
    /// The storage failed. The document goes on in memory, and what it lacks is written when the
    /// storage can.
    StorageFailed(StoreError),
    /// What this peer had when the exchange began is in the document.
    Synced(P),
    /// Another tab should hear of this: records are in the store that it doesn't know.
    Wrote(Wrote),
    /// A peer's update, or another tab's, is in the document now.
    Updated {
        /// The update.
        update: Bytes,
        /// Whose it is; `None` for another tab's.
        from: Option<P>,
    },
}

/// What was written into the store, for other openings of the same document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// Records were added.
    Added {
        /// Which.
        written: Vec<Written>,
        /// Their content.
        updates: Vec<Bytes>,
    },
    /// Records were replaced by a snapshot of them.
    Compacted {
        /// Which.
        replaced: Vec<RecordKey>,
        /// By which.
        snapshot: Written,
    },
}

/// Something for the store to do. One at a time per document.
#[derive(Clone, Debug)]
pub enum StoreOp {
    /// [`Store::append`].
    Append(Vec<Bytes>),
    /// [`Store::discard`].
    Discard(Vec<RecordKey>),
    /// [`Store::load`].
    Load,
    /// [`Store::put_meta`].
    PutMeta(DocumentMeta),
    /// [`Store::replace`].
    Replace {
        /// The records in whose place it is put.
        keys: Vec<RecordKey>,
        /// The snapshot.
        snapshot: Bytes,
    },
}

/// What became of a [`StoreOp`].
#[derive(Clone, Debug)]
pub enum StoreDone {
    /// [`StoreOp::Append`] was done.
    Appended(Vec<Written>),
    /// It was not done.
    Failed(StoreError),
    /// [`StoreOp::Load`] was done.
    Loaded(Box<Loaded>),
    /// [`StoreOp::Discard`] or [`StoreOp::PutMeta`] was done.
    Done,
    /// [`StoreOp::Replace`] was done; `None` if somebody else had replaced some of the records, and
    /// nothing was written.
    Replaced(Option<Written>),
}

impl StoreOp {
    /// Has a store do it.
    pub async fn run<S: Store>(self, store: &S, doc: DocId) -> StoreDone {
        let done = match self {
            Self::Append(updates) => store.append(doc, &updates).await.map(StoreDone::Appended),
            Self::Discard(keys) => store.discard(doc, &keys).await.map(|()| StoreDone::Done),
            Self::Load => store.load(doc).await.map(|loaded| StoreDone::Loaded(Box::new(loaded))),
            Self::PutMeta(meta) => store.put_meta(&meta).await.map(|()| StoreDone::Done),
            Self::Replace { keys, snapshot } => {
                store.replace(doc, &keys, &snapshot).await.map(StoreDone::Replaced)
            }
        };
        done.unwrap_or_else(StoreDone::Failed)
    }
}
