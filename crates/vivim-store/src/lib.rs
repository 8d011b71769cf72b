//! Durable storage of documents: SQLite natively, IndexedDB in browsers.
//!
//! A document in storage is a bag of *records*: snapshots and groups of updates, each under a key
//! that is never used again, and one record of [`DocumentMeta`]. Updates commute and may be applied
//! twice, so the order of records means nothing and two writers can't spoil each other's work:
//!
//! - [`Store::append`] adds a record; it is durable when the future resolves.
//! - [`Store::load`] gives all records. One that is damaged is reported and costs itself only.
//! - [`Store::replace`] puts a snapshot in the place of *exactly the records named*, in one
//!   transaction: what another tab has added meanwhile stays.
//!
//! When to do the last is decided by [`policy::Ledger`], which knows what a document costs.
//!
//! The stores: [`MemoryStore`] for tests, `SqliteStore` (feature `sqlite`) and, on wasm32,
//! `IndexedDbStore`. All of them keep the bytes that [`record`] makes, so that what one has written
//! is checked by the same code everywhere.

#[cfg(any(test, feature = "test-utils"))]
pub mod contract;
mod error;
#[cfg(target_arch = "wasm32")]
pub mod indexed_db;
pub mod limits;
mod memory;
mod meta;
mod platform;
pub mod policy;
pub mod record;
#[cfg(all(feature = "sqlite", not(target_arch = "wasm32")))]
mod sqlite;
mod store;

pub use error::StoreError;
#[cfg(target_arch = "wasm32")]
pub use indexed_db::IndexedDbStore;
pub use memory::MemoryStore;
#[cfg(any(test, feature = "test-utils"))]
pub use memory::faults;
pub use meta::DocumentMeta;
pub use platform::{MaybeSend, MaybeSync};
#[cfg(all(feature = "sqlite", not(target_arch = "wasm32")))]
pub use sqlite::SqliteStore;
pub use store::{
    Content, Damage, Damaged, Listing, Loaded, RecordKey, Store, StoredRecord, Usage, Written,
};
