//! Every bound of documents, with its unit and the reason for it.

use std::time::Duration;

/// Bytes of an update: what a sync message carries.
pub const MAX_UPDATE: usize = vivim_proto::limits::MAX_PAYLOAD;

/// Bytes of a state vector: what a sync message carries.
pub const MAX_STATE_VECTOR: usize = vivim_proto::limits::MAX_SUMMARY;

/// Blocks and ranges of deletions in one update. A decoded block takes up to 200 bytes, an encoded
/// one as few as two; the largest published editing trace has 0.26 million *edits*, which make
/// fewer blocks.
pub const MAX_BLOCKS: usize = 256 * 1024;

/// Values inside the content of one update, nested ones counted each: a decoded value takes 24
/// bytes, an encoded one as little as one.
pub const MAX_VALUES: usize = 1024 * 1024;

/// Nesting of arrays and maps in one value.
pub const MAX_NESTING: usize = 64;

/// Nesting of shared types in a document. The engine deletes and reads them by recursion, so this is
/// stack.
pub const MAX_DOCUMENT_NESTING: u32 = 128;

/// Subdocuments announced by one update; each costs an engine of its own.
pub const MAX_SUBDOCUMENTS: usize = 256;

/// Clients in one update.
pub const MAX_CLIENTS: usize = 64 * 1024;

/// Bytes of the name of a shared type or of a key.
pub const MAX_NAME: usize = 4 * 1024;

/// Bytes of updates that wait for something they refer to. Beyond it they are dropped and
/// [`Doc::take_resync`](crate::Doc::take_resync) asks for them again.
pub const MAX_PENDING_BYTES: usize = 4 * 1024 * 1024;

/// Updates that wait for something they refer to.
pub const MAX_PENDING_UPDATES: usize = 1024;

/// Updates that wait for the owner to fetch them. Beyond it the queue is dropped and
/// [`Doc::take_resync`](crate::Doc::take_resync) asks for an exchange of summaries instead.
pub const MAX_UPDATES_QUEUED: usize = 4 * 1024;

/// Changes of observed types that wait for the owner to fetch them. Beyond it the queue is dropped and
/// [`Doc::take_events_lost`](crate::Doc::take_events_lost) says so.
pub const MAX_EVENTS_QUEUED: usize = 4 * 1024;

/// Conflicts that wait for the owner to fetch them; beyond it the oldest are dropped.
pub const MAX_CONFLICTS_QUEUED: usize = 1024;

/// Changes of the writer that are remembered of each key, to find conflicts.
pub const MAX_CHAIN: usize = 32;

/// Pairs of a list and a field by which [`Doc::array_find`](crate::Doc::array_find) remembers records;
/// one more, and all are forgotten. Each record that is remembered takes about 40 bytes.
pub const MAX_LOOKUPS: usize = 16;

/// Records of a list that have come or changed since it was last searched. Beyond it, the list is read
/// anew when it is searched again.
pub const MAX_LOOKUP_NEWS: usize = 16 * 1024;

/// Lists whose last item is remembered, so that appending needn't look for it; one more, and all are
/// forgotten.
pub const MAX_LIST_ENDS: usize = 64;

/// Histories of undo in one document.
pub const MAX_UNDO_SCOPES: usize = 64;

/// Steps of one history of undo, in either direction.
pub const MAX_UNDO_STEPS: usize = 1000;

/// The least bytes that a piece of a diff may be asked to have.
pub const MIN_PIECE: usize = 1024;

/// Bytes of the edits of one change. Beyond it, what there is goes out as an update of its own.
pub const MAX_GROUP: usize = 1024 * 1024;

/// UTF-16 units that [`Typing`](crate::Typing) holds back before it writes them.
pub const MAX_RUN: usize = 16 * 1024;

/// Clients whose awareness is remembered.
pub const MAX_AWARENESS_CLIENTS: usize = 1024;

/// Bytes of one client's awareness state in JSON.
pub const MAX_AWARENESS_STATE: usize = 16 * 1024;

/// A client that hasn't been heard of for so long is taken for gone; as in y-protocols.
pub const AWARENESS_TIMEOUT: Duration = Duration::from_secs(30);

/// The own state is announced again after this time; as in y-protocols.
pub const AWARENESS_RENEWAL: Duration = Duration::from_secs(15);
