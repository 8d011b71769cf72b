//! Every bound of the document service, with its unit and the reason for it.

use std::time::Duration;

/// Bytes of updates that may wait for the storage. Beyond it they are dropped and the next write is
/// one difference between what is durable and what is in the document.
pub const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;

/// Updates that may wait for the storage, as a number: a write of more small records costs more
/// than one difference.
pub const MAX_WAITING_UPDATES: usize = 512;

/// Bytes of one piece of a change or of a difference: what applies elsewhere, or here when the
/// document is opened, without holding up the page.
pub const MAX_PIECE: usize = vivim_proto::limits::PIECE;

/// First wait before a failed write is tried again; doubles up to [`RETRY_MAX`].
pub const RETRY_MIN: Duration = Duration::from_millis(500);

/// Longest wait before a failed write is tried again. A flush tries at once.
pub const RETRY_MAX: Duration = Duration::from_secs(30);

/// Client ids whose device is remembered per document. Each opening of a document makes one.
pub const MAX_DEVICES: usize = 1_024;

/// Earlier openings of a device that are told to who comes: a kilobyte of awareness.
pub const MAX_OPENINGS: usize = 64;

/// Bytes of a device's id in awareness; ours have 32 hex digits.
pub const MAX_DEVICE_ID: usize = 64;

/// Local edits of one turn that leave as updates of their own; more leave as one.
pub const SEPARATE_UPDATES: usize = 16;

/// Edits of one turn that are put together at a time: each costs an allocation until then.
pub const MERGED_UPDATES: usize = 512;

/// Bytes of an update after whose application the driver lets others have the thread.
pub const LARGE_UPDATE: usize = 16 * 1024;

/// Bytes of an exported document: a document's state and what is around it.
pub const MAX_FILE: usize = 256 * 1024 * 1024;

/// Bytes of the record of names in an exported document.
pub const MAX_FILE_META: usize = 16 * 1024;

/// How long nothing has to change before a document is compacted at leisure.
pub const IDLE_AFTER: Duration = Duration::from_secs(5);

/// How long another tab's changes have to rest before peers are asked whether they have them: the
/// other tab sends them by itself, unless it has no network.
pub const SIBLING_QUIET: Duration = Duration::from_secs(1);

/// Peers whose first question for awareness is remembered, and clients whose peer is.
pub const MAX_PEERS: usize = 1_024;

/// Peers whose receipts are remembered per document. Of more, those that have the least are
/// forgotten.
pub const MAX_RECEIPT_PEERS: usize = 256;

/// Bytes of a peer's id in saved receipts.
pub const MAX_PEER_ID: usize = vivim_proto::limits::MAX_PEER_BYTES;

/// Conflicts remembered per open document.
pub const MAX_CONFLICTS: usize = 64;

/// Bytes of the path of a conflict.
pub const MAX_CONFLICT_PATH: usize = 512;

/// How long changes have to wait for a peer that is there before the document's state says so.
pub const BEHIND_AFTER: Duration = Duration::from_secs(1);

/// Events of a native service that wait for a slow subscriber; then it misses the oldest.
pub const SERVICE_EVENTS: usize = 4 * 1024;

/// Documents that a native service has open.
pub const MAX_DOCUMENTS: usize = 4 * 1024;
