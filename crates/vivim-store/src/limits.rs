//! Every bound of storage, on one page, each with its unit and the reason for it.

use std::time::Duration;

// Records ----------------------------------------------------------------------------------------

/// Bytes of one record's payload. The largest published editing trace has a snapshot of 0.2 MiB; a
/// larger record than this would not fit next to its decoded form in a browser tab.
pub const MAX_PAYLOAD: usize = 64 * 1024 * 1024;

/// Updates in one record. A group commit of more makes several records of one transaction.
pub const MAX_UPDATES_PER_RECORD: usize = 4_096;

/// Bytes of updates after which a group commit begins another record, so that one damaged record
/// doesn't cost much. One larger update has a record to itself.
pub const GROUP_BYTES: usize = 256 * 1024;

/// Bytes of the kind of a document.
pub const MAX_KIND: usize = 256;

/// Bytes of the device map: 1,024 devices with some client ids each.
pub const MAX_DEVICES: usize = 256 * 1024;

// Compaction -------------------------------------------------------------------------------------

/// Bytes that a database adds to each record: its key, its document's id, the index. Counted when
/// it is decided whether compaction is worth it.
pub const RECORD_OVERHEAD: u64 = 128;

/// While edits come in, the log may grow to this share of the snapshot: one half. Writing a snapshot
/// then costs at most three times what was written into the log.
pub const BUSY_SHARE: u64 = 2;

/// Bytes of log below which no compaction disturbs somebody who is typing.
pub const BUSY_FLOOR: u64 = 64 * 1024;

/// Records of log at which compaction is due also while edits come in: opening reads them one by one.
pub const BUSY_RECORDS: usize = 512;

/// When nothing is going on, the log may stay when it is below this share of the snapshot: a tenth.
pub const IDLE_SHARE: u64 = 10;

/// Records of log that may stay when nothing is going on.
pub const IDLE_RECORDS: usize = 32;

/// `opened` is written again when it is older than this, so that opening writes nothing.
pub const OPENED_GRANULARITY: Duration = Duration::from_secs(24 * 60 * 60);

// Quarantine -------------------------------------------------------------------------------------

/// Damaged records kept for whoever wants to look at them; the oldest go.
pub const MAX_QUARANTINE: usize = 64;

/// Bytes of one damaged record that are kept.
pub const MAX_QUARANTINED_BYTES: usize = 1024 * 1024;

// SQLite -----------------------------------------------------------------------------------------

/// How long a write waits for another process.
pub const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes that the write-ahead log keeps on the disk when it is done with.
pub const SQLITE_WAL_BYTES: u64 = 4 * 1024 * 1024;

// IndexedDB --------------------------------------------------------------------------------------

/// How long opening waits for a tab with an older version to let go of the database. Ours do at once.
pub const BLOCKED_PATIENCE: Duration = Duration::from_secs(3);

/// How long a write waits for another tab's before it goes ahead without the lock. A page that holds
/// a lock isn't frozen, so this is a tab whose main thread hangs.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(5);
