//! What can go wrong, one type per operation.

use vivim_proto::sync::ReplicaError;

use crate::validate::Invalid;

/// Why an update was not applied. The document is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The update doesn't pass the checks in front of the engine. Don't take more from its sender.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The engine refused what had passed the checks, which should not happen. The document takes no
    /// more updates; open a new one, which gets its content from the others.
    #[error("the engine refused the update: {0}")]
    Engine(String),
    /// The document has been given up before.
    #[error("the document has been given up")]
    GivenUp,
    /// The update continues the edits of this very replica, which only the replica itself may do.
    /// Either two replicas were given one client id (give each its own), or the sender forges.
    #[error("the update uses this replica's own client id")]
    OwnClient,
}

/// Why a local edit was not made. The document is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The operation is not one of this kind of shared type, or the name is in use for another kind in
    /// this replica, or holds what its kind doesn't allow.
    #[error("a shared type of another kind")]
    WrongKind,
    /// The shared type is not there: it was deleted, or hasn't come yet, or is a root that wasn't
    /// asked for by [`Doc::root`](crate::Doc::root).
    #[error("the shared type is not there")]
    Gone,
    /// A name or key is longer than [`MAX_NAME`](crate::limits::MAX_NAME).
    #[error("a name or key of {0} bytes is too long")]
    NameTooLong(usize),
    /// A position is behind the end of the text (in UTF-16 units) or list.
    #[error("position {position} is behind the end, which is at {len}")]
    OutOfBounds {
        /// The position, or the end of the range.
        position: u64,
        /// The length of the text or list.
        len: u32,
    },
    /// The value is nested deeper than [`MAX_NESTING`](crate::limits::MAX_NESTING), or the shared type
    /// deeper than [`MAX_DOCUMENT_NESTING`](crate::limits::MAX_DOCUMENT_NESTING).
    #[error("nested too deep")]
    TooDeep,
    /// More of something than [`limits`](crate::limits) allow, or none where there must be some.
    #[error("none, or more than {0}")]
    TooMany(usize),
    /// What is to be inserted is larger than an update may be. Insert it in pieces.
    #[error("{0} bytes are too much for one edit")]
    TooLarge(usize),
    /// The document has been given up, see [`ApplyError::Engine`].
    #[error("the document has been given up")]
    GivenUp,
}

/// Why a question by summary was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SummaryError {
    /// The bytes are not a state vector.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// Why a document can't be shown as it was at a snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The bytes are not a snapshot.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The snapshot has what this document hasn't. It is one of another document, or its content
    /// hasn't come yet.
    #[error("the snapshot has what this document hasn't")]
    Ahead,
    /// What was deleted since has been forgotten: the document doesn't keep it, see
    /// [`DocOptions::keep_deleted`](crate::DocOptions::keep_deleted).
    #[error("content of the snapshot has been forgotten")]
    Collected,
    /// The content could not be put together again, which should not happen.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl From<&ApplyError> for ReplicaError {
    fn from(error: &ApplyError) -> Self {
        match error {
            ApplyError::Invalid(invalid) if invalid.is_size() => Self::TooLarge,
            ApplyError::Invalid(_) | ApplyError::OwnClient => Self::Malformed,
            ApplyError::Engine(_) | ApplyError::GivenUp => Self::Closed,
        }
    }
}

impl From<&SummaryError> for ReplicaError {
    fn from(error: &SummaryError) -> Self {
        match error {
            SummaryError::Invalid(_) => Self::Malformed,
        }
    }
}
