//! What of a document is durable, what is being written, and what waits.
//!
//! Group commit: one write is under way at a time, and what comes meanwhile is the next one. What
//! waits is bounded. When there is more, or when a write fails, the updates are let go and the next
//! write is *one difference* between the last state that is known to be durable and the document as
//! it is then: nothing is lost, because the document itself is the queue.

use bytes::Bytes;
use vivim_proto::{SortedSet, time::Timestamp};
use vivim_store::{
    Loaded, RecordKey, Written,
    policy::{Compaction, Ledger, Moment},
};

use crate::limits::{MAX_WAITING_BYTES, MAX_WAITING_UPDATES, RETRY_MAX, RETRY_MIN};

/// A place in the sequence of a document's changes: how many there had been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// The document, as far as the journal needs it.
pub(crate) trait Source {
    /// The state vector.
    fn state_vector(&self) -> Vec<u8>;
    /// What a state vector lacks, in pieces that apply in this order; everything for `None`.
    fn difference(&self, since: Option<&[u8]>) -> Vec<Bytes>;
    /// Everything, as one update; `None` if the document doesn't hold everything that its records
    /// say: then they must stay.
    fn snapshot(&self) -> Option<Bytes>;
}

/// A write for the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// Add these.
    Append(Vec<Bytes>),
    /// Put a snapshot in the place of exactly these records.
    Replace { keys: Vec<RecordKey>, snapshot: Bytes },
}

/// What is under way.
#[derive(Debug)]
struct Writing {
    upto: Position,
    /// The state vector that is durable when it has succeeded.
    base: Vec<u8>,
    /// `None` if it adds.
    compaction: Option<Compaction>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    /// The next write is a difference, which has everything that waited.
    let_go: bool,
    put: Position,
    durable: Position,
    /// The state vector of what is durable; `None` for nothing.
    base: Option<Vec<u8>>,
    writing: Option<Writing>,
    ledger: Ledger,
    failures: u32,
    retry_at: Option<Timestamp>,
}

impl Journal {
    /// What was stored is in the document now.
    pub(crate) fn loaded(&mut self, loaded: &Loaded, source: &dyn Source) {
        self.ledger = Ledger::new(loaded);
        // What was edited before it was loaded has yet to be written.
        self.base = (self.put == self.durable).then(|| source.state_vector());
        self.worked();
    }

    /// A change of the document that has to become durable.
    pub(crate) fn put(&mut self, update: Bytes) {
        self.put.0 += 1;
        if self.let_go {
            return;
        }
        self.waiting_bytes += update.len();
        self.waiting.push(update);
        if self.waiting_bytes > MAX_WAITING_BYTES || self.waiting.len() > MAX_WAITING_UPDATES {
            self.let_go();
        }
    }

    /// Everything that was put so far.
    pub(crate) fn position(&self) -> Position {
        self.put
    }

    /// Everything up to here is durable.
    pub(crate) fn durable(&self) -> Position {
        self.durable
    }

    /// Another tab wrote these, and their content is in the document now.
    pub(crate) fn sibling_wrote(&mut self, written: &[Written]) {
        self.ledger.appended(written);
    }

    /// Another tab put a snapshot in the place of these. False if they aren't what is known here, and
    /// the snapshot may have what the document doesn't.
    pub(crate) fn sibling_compacted(&mut self, replaced: &[RecordKey], snapshot: Written) -> bool {
        let all = self.ledger.begin();
        let known: SortedSet<&RecordKey> = all.keys().iter().collect();
        let is_same =
            known.len() == replaced.len() && replaced.iter().all(|key| known.contains(key));
        if is_same {
            self.ledger.finish(&all, snapshot);
        }
        is_same
    }

    /// The store has lost everything: all of the document has to be written.
    pub(crate) fn start_over(&mut self) {
        self.ledger = Ledger::default();
        self.base = None;
        self.let_go();
        // Even if nothing was put since.
        self.put.0 += 1;
    }

    /// Whether something waits to be written.
    pub(crate) fn has_waiting(&self) -> bool {
        self.let_go || !self.waiting.is_empty()
    }

    /// When a failed write may be tried again.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.retry_at.filter(|_| self.writing.is_none() && self.has_waiting())
    }

    /// Whether the last write failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Somebody waits for durability: a failed write is tried again at once.
    pub(crate) fn hurry(&mut self) {
        self.retry_at = None;
    }

    /// Bytes of the records known here.
    pub(crate) fn bytes(&self) -> u64 {
        self.ledger.bytes()
    }

    /// The next write, if there is one to be made now. Every change of `source` must have been put.
    pub(crate) fn next(
        &mut self,
        source: &dyn Source,
        moment: Moment,
        now: Timestamp,
    ) -> Option<Write> {
        if self.writing.is_some() || self.retry_at.is_some_and(|at| now < at) {
            return None;
        }
        if let Some(write) = self.compact(source, moment) {
            return Some(write);
        }
        if !self.has_waiting() {
            return None;
        }
        let waiting = std::mem::take(&mut self.waiting);
        let updates = if self.let_go { source.difference(self.base.as_deref()) } else { waiting };
        self.begin(source, None);
        Some(Write::Append(updates))
    }

    fn compact(&mut self, source: &dyn Source, moment: Moment) -> Option<Write> {
        // What has to be written fast isn't held up by a snapshot.
        if self.has_waiting() || !self.ledger.due(moment) {
            return None;
        }
        let snapshot = source.snapshot()?;
        let compaction = self.ledger.begin();
        let keys = compaction.keys().to_vec();
        self.begin(source, Some(compaction));
        Some(Write::Replace { keys, snapshot })
    }

    fn begin(&mut self, source: &dyn Source, compaction: Option<Compaction>) {
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.let_go = false;
        let base = source.state_vector();
        self.writing = Some(Writing { upto: self.put, base, compaction });
    }

    /// The write under way has succeeded. Gives up to where everything is durable now.
    pub(crate) fn written(&mut self, written: &[Written]) -> Position {
        if let Some(Writing { upto, base, compaction }) = self.writing.take() {
            match (compaction, written) {
                (Some(done), [snapshot]) => self.ledger.finish(&done, *snapshot),
                _ => self.ledger.appended(written),
            }
            self.durable = upto;
            self.base = Some(base);
        }
        self.worked();
        self.durable
    }

    /// The compaction under way was not made: its records had been replaced by somebody else.
    pub(crate) fn was_late(&mut self) {
        self.writing = None;
        self.worked();
    }

    /// The store has done something: nothing has to wait.
    pub(crate) fn worked(&mut self) {
        self.failures = 0;
        self.retry_at = None;
    }

    /// The store has failed to do something. Gives when it may be tried again.
    pub(crate) fn back_off(&mut self, now: Timestamp) -> Timestamp {
        let wait = RETRY_MIN.saturating_mul(1 << self.failures.min(16)).min(RETRY_MAX);
        self.failures = self.failures.saturating_add(1);
        now + wait
    }

    /// The write under way has failed. Gives up to where it would have made things durable.
    pub(crate) fn failed(&mut self, now: Timestamp) -> Position {
        let Some(Writing { upto, compaction, .. }) = self.writing.take() else { return self.put };
        if compaction.is_some() {
            // Nothing waited, so nothing is less durable for it.
            self.ledger.put_off();
            return self.durable;
        }
        self.let_go();
        self.retry_at = Some(self.back_off(now));
        upto
    }

    /// What waits is let go: the next write is a difference, which has it.
    pub(crate) fn let_go(&mut self) {
        self.let_go = true;
        self.waiting = Vec::new();
        self.waiting_bytes = 0;
    }
}
