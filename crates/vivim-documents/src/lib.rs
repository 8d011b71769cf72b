//! The document service: documents that persist, sync and say how far they have got.
//!
//! [`OpenDocument`] is one document as a machine: its content ([`vivim_doc::Doc`]), what of it is
//! durable (the journal), who is there, how far it has got. It does no IO: it answers the node's
//! questions, takes what the store has done, and says what is to be done next. A browser's driver is
//! in `vivim-wasm`; natively, `native::CrdtSyncService` (feature `native`) runs it
//! over a node and SQLite.
//!
//! # What "durable" means
//!
//! Edits leave for peers at once and go into the journal at the same time. One write is under way at
//! a time; what comes meanwhile is the next one. [`OpenDocument::flush`] is done when everything up
//! to it has been written, and a peer hears that its updates are *stored* only then.
//!
//! # When the storage fails
//!
//! The document goes on in memory; nothing is called stored that isn't; the write is repeated with
//! growing waits, as one difference to what was durable before, so that what waits takes no memory
//! of its own.

mod conflict;
mod devices;
mod document;
mod exchange;
pub mod file;
mod journal;
pub mod limits;
mod local;
#[cfg(all(feature = "native", not(target_arch = "wasm32")))]
pub mod native;
mod output;
mod receipts;
mod state;
mod storage;

pub use self::{
    conflict::{Conflict, ConflictLog},
    devices::Devices,
    document::{OpenDocument, Options, Peer},
    exchange::NodeEvent,
    journal::Position,
    output::{Event, Output, StoreDone, StoreOp, Wrote},
    receipts::{Receipt, Receipts, Standing},
    state::{SyncInput, SyncMachine, SyncState},
};
