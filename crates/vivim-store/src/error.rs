//! Why storage didn't do what it was asked for.

use crate::record::RecordError;

/// Why an operation of a store failed. Nothing of it was written then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another tab holds an older version of the database open and doesn't let go of it.
    #[error("another tab holds an older version of the storage open; close or reload it")]
    Blocked,
    /// The store was closed by [`Store::close`](crate::Store::close).
    #[error("the store is closed; open it again")]
    Closed,
    /// The database as a whole can't be read. Single records that can't are reported by
    /// [`Loaded::damaged`](crate::Loaded::damaged) instead.
    #[error("the storage is damaged: {reason}; fetch the documents from peers into a new one")]
    Damaged {
        /// What the database said.
        reason: String,
    },
    /// The database was deleted while it was open: evicted by the browser, cleared by the user or
    /// deleted by another tab. Open a new store and write whole documents into it; keys of the old
    /// one mean nothing there.
    #[error("the storage was deleted while it was in use; open it again and write everything anew")]
    Gone,
    /// The disk, the browser or the database failed.
    #[error("the storage failed: {reason}")]
    Io {
        /// What the database said.
        reason: String,
    },
    /// The database, or a record that was to be read or replaced, was made by a newer version of this
    /// software. It stays as it is.
    #[error("the storage belongs to a newer version of this software; reload or update it")]
    NewerVersion,
    /// The disk is full, or the browser grants no more. Delete documents, or ask the user.
    #[error("there is no room left in the storage; delete documents or free disk space")]
    QuotaExceeded,
    /// What was to be stored can't be a record.
    #[error("this can't be stored: {0}")]
    Record(#[from] RecordError),
    /// There is no storage here: a private window, a sandboxed frame, a setting of the user.
    #[error("there is no storage here ({reason}); documents live as long as the page")]
    Unavailable {
        /// What the browser said.
        reason: String,
    },
}
