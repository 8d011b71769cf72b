//! When to put a snapshot in the place of a log.
//!
//! Two rules. *Busy*, while edits come in: rarely, so that a long document isn't rewritten for every
//! sentence; the log may grow to half of the snapshot. *Idle*, after opening and when nothing has
//! come in for a while: until the log is a tenth of the snapshot, so that a document at rest takes
//! little more room than its state and opens with few reads. A document that has just been compacted
//! is never due, so opening it again and again writes nothing.

use std::collections::BTreeSet;

use crate::limits::{
    BUSY_FLOOR, BUSY_RECORDS, BUSY_SHARE, IDLE_RECORDS, IDLE_SHARE, RECORD_OVERHEAD,
};
use crate::store::{Content, Loaded, RecordKey, Written};

/// What is going on with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Updates are coming in.
    Busy,
    /// It was just opened, nothing has come in for a while, or it is about to be closed.
    Idle,
}

/// The records of one document that this side knows, and whether they are due for compaction.
///
/// Begin with what was loaded, add what is appended. When [`due`](Self::due) says so,
/// [`begin`](Self::begin) and make a snapshot in the same breath, give both to
/// [`Store::replace`](crate::Store::replace), and [`finish`](Self::finish) or
/// [`put_off`](Self::put_off). One compaction at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    keys: Vec<RecordKey>,
    snapshots: usize,
    snapshot_bytes: u64,
    log_records: usize,
    log_bytes: u64,
    /// The log below which a compaction that failed isn't tried again.
    put_off_below: u64,
}

/// A compaction that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compaction {
    keys: Vec<RecordKey>,
    log_records: usize,
    log_bytes: u64,
}

impl Compaction {
    /// The records that the snapshot contains, for [`Store::replace`](crate::Store::replace).
    pub fn keys(&self) -> &[RecordKey] {
        &self.keys
    }
}

impl Ledger {
    /// The records of a document that was loaded. Damaged ones aren't among them.
    pub fn new(loaded: &Loaded) -> Self {
        let mut ledger = Self::default();
        for record in &loaded.records {
            ledger.keys.push(record.key);
            match record.content {
                Content::Snapshot(_) => {
                    // Of several snapshots only the largest is no waste.
                    let bytes = record.bytes.min(ledger.snapshot_bytes);
                    ledger.log_bytes += if ledger.snapshots > 0 { bytes } else { 0 };
                    ledger.snapshot_bytes = ledger.snapshot_bytes.max(record.bytes);
                    ledger.snapshots += 1;
                }
                Content::Updates(_) => {
                    ledger.log_records += 1;
                    ledger.log_bytes += record.bytes;
                }
            }
        }
        ledger
    }

    /// Records were appended.
    pub fn appended(&mut self, written: &[Written]) {
        for record in written {
            self.keys.push(record.key);
            self.log_records += 1;
            self.log_bytes += record.bytes;
        }
    }

    /// Begins a compaction: the records that a snapshot made *now* contains. What is appended while
    /// the snapshot is written isn't in it, and stays.
    pub fn begin(&self) -> Compaction {
        Compaction {
            keys: self.keys.clone(),
            log_records: self.log_records,
            log_bytes: self.log_bytes,
        }
    }

    /// A snapshot has replaced the records of `done`.
    pub fn finish(&mut self, done: &Compaction, snapshot: Written) {
        let replaced: BTreeSet<RecordKey> = done.keys.iter().copied().collect();
        self.keys.retain(|key| !replaced.contains(key));
        self.keys.push(snapshot.key);
        self.snapshots = 1;
        self.snapshot_bytes = snapshot.bytes;
        self.log_records = self.log_records.saturating_sub(done.log_records);
        self.log_bytes = self.log_bytes.saturating_sub(done.log_bytes);
        self.put_off_below = 0;
    }

    /// A compaction has failed: don't try it again before the log has grown by half.
    pub fn put_off(&mut self) {
        let log = self.log();
        self.put_off_below = log.saturating_add(log / 2).max(1);
    }

    /// Whether to compact now.
    pub fn due(&self, moment: Moment) -> bool {
        let log = self.log();
        if log < self.put_off_below {
            return false;
        }
        match moment {
            Moment::Busy => {
                self.log_records >= BUSY_RECORDS
                    || log >= BUSY_FLOOR.max(self.snapshot_bytes / BUSY_SHARE)
            }
            Moment::Idle => {
                self.snapshots > 1
                    || self.log_records >= IDLE_RECORDS
                    || (self.log_records > 0 && log >= self.snapshot_bytes / IDLE_SHARE)
            }
        }
    }

    /// Bytes of all known records.
    pub fn bytes(&self) -> u64 {
        self.snapshot_bytes + self.log_bytes
    }

    /// What compaction would free, with what the database adds to each record.
    fn log(&self) -> u64 {
        let records = self.keys.len().saturating_sub(1) as u64;
        self.log_bytes + records * RECORD_OVERHEAD
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
