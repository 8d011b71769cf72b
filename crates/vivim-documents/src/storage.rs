//! A document and its store: loading, group commits, compaction, what other tabs write.

use bytes::Bytes;
use vivim_doc::{ApplyError, Doc};
use vivim_proto::{
    time::Timestamp,
    wire::{Reader, put_bytes},
};
use vivim_store::{
    Content, DocumentMeta, Loaded, RecordKey, StoreError, StoredRecord, Written,
    limits::MAX_DEVICES, policy::Moment,
};

use crate::{
    document::{OpenDocument, Peer, pieces},
    file::{DocumentFile, FileError},
    journal::{Position, Source, Write},
    limits::{IDLE_AFTER, SIBLING_QUIET},
    output::{Event, Output, StoreDone, StoreOp, Wrote},
    receipts::Receipts,
};

/// What is known of a document's store.
#[derive(Debug)]
pub(crate) struct Storage {
    phase: Phase,
    /// The application was told that the content is there.
    told_loaded: bool,
    pub(crate) meta: Option<DocumentMeta>,
    /// The meta has to be written.
    pub(crate) meta_is_old: bool,
    /// The meta is due again then, after it could not be written.
    meta_retry: Option<Timestamp>,
    /// What is under way.
    busy: Option<Busy>,
    /// Records to be set aside.
    discard: Vec<RecordKey>,
    /// Everything in the store is in the document. Records that the document refused stay in the
    /// store, and may be what later ones build on.
    is_whole: bool,
    /// The last operation failed, and the application knows.
    failing: bool,
    pub(crate) moment: Moment,
    idle_at: Option<Timestamp>,
    /// Nothing will come later: what there is to write at leisure is written now.
    is_closing: bool,
    /// The position and the last change of the write under way.
    writing_change: u64,
    /// The updates under way, for other tabs.
    writing: Vec<Bytes>,
    replacing: Vec<RecordKey>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// To be loaded, again if it could not be.
    Unloaded {
        at: Timestamp,
    },
    /// Loaded, but another tab has written what isn't known here.
    Behind,
    Loaded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Busy {
    Discarding,
    Loading,
    PuttingMeta,
    Writing,
}

impl Storage {
    /// Nothing is urgent: what there is to write at leisure is written when nothing has come for a
    /// while.
    pub(crate) fn rest(&mut self, now: Timestamp) {
        if !self.is_closing {
            self.idle_at = Some(now + IDLE_AFTER);
        }
    }

    /// The document is about to be closed.
    pub(crate) fn close(&mut self) {
        self.moment = Moment::Idle;
        self.idle_at = None;
        self.is_closing = true;
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            phase: Phase::Unloaded { at: Timestamp::ZERO },
            told_loaded: false,
            meta: None,
            meta_is_old: false,
            meta_retry: None,
            busy: None,
            discard: Vec::new(),
            is_whole: true,
            failing: false,
            moment: Moment::Busy,
            idle_at: None,
            is_closing: false,
            writing_change: 0,
            writing: Vec::new(),
            replacing: Vec::new(),
        }
    }
}

/// The document as the journal sees it.
struct Journaled<'a> {
    doc: &'a Doc,
    is_whole: bool,
}

impl Source for Journaled<'_> {
    fn state_vector(&self) -> Vec<u8> {
        self.doc.encode_state_vector()
    }

    fn difference(&self, since: Option<&[u8]>) -> Vec<Bytes> {
        pieces(self.doc, since)
    }

    fn snapshot(&self) -> Option<Bytes> {
        if !self.is_whole || self.doc.has_pending() {
            return None;
        }
        self.doc.encode_state_as_update(None).ok().map(Bytes::from)
    }
}

impl<P: Peer> OpenDocument<P> {
    /// Asks for durability of everything up to now. Wait until [`durable`](Self::durable) is at
    /// least what it gives: [`Output::Durable`] says so, [`Output::NotDurable`] that it failed.
    pub fn flush(&mut self, now: Timestamp) -> Position {
        self.put_local();
        let position = self.journal.position();
        // So that what is counted after a reload is what was done before.
        self.storage.meta_is_old |= self.receipts_changed;
        self.journal.hurry();
        self.storage.meta_retry = None;
        if let Phase::Unloaded { at } = &mut self.storage.phase {
            *at = now;
        }
        self.pump_storage(now);
        position
    }

    /// The document as a file.
    ///
    /// # Errors
    ///
    /// See [`FileError`].
    pub fn export(&mut self) -> Result<Vec<u8>, FileError> {
        self.put_local();
        let meta = match &self.storage.meta {
            Some(meta) => meta.clone(),
            None => self.fresh_meta(),
        };
        // Everything there is always can be encoded.
        let update = self.doc.encode_state_as_update(None).unwrap_or_default().into();
        DocumentFile { meta, update }.encode()
    }

    /// Everything up to here is durable, as far as there is a store.
    pub fn durable(&self) -> Position {
        if self.options.stored { self.journal.durable() } else { self.journal.position() }
    }

    /// The document was deleted from the store: from now on it lives in memory only.
    pub fn abandon(&mut self) {
        self.options.stored = false;
        // Nobody has anything to wait for.
        self.outputs.push_back(Output::Durable(self.journal.position()));
    }

    /// Changes, of others too, that are not durable here yet.
    pub fn waiting(&self) -> u64 {
        self.journal.position().0 - self.durable().0
    }

    /// Whether everything in the document is in the store, what waits for something else included.
    pub(crate) fn is_all_durable(&self) -> bool {
        self.options.stored
            && !matches!(self.storage.phase, Phase::Unloaded { .. })
            && !self.journal.has_waiting()
            && self.journal.durable() == self.journal.position()
            && !self.doc.has_pending()
    }

    /// Whether the content of the store is in the document, or can't be had.
    pub fn is_loaded(&self) -> bool {
        self.storage.told_loaded
    }

    /// Whether the store has something to do at this moment.
    pub fn is_storing(&self) -> bool {
        self.storage.busy.is_some()
    }

    /// Whether the storage fails at present.
    pub fn is_storage_failing(&self) -> bool {
        self.storage.failing
    }

    /// Bytes that the document takes in the store, as far as known.
    pub fn stored_bytes(&self) -> u64 {
        self.journal.bytes()
    }

    /// Another opening of the document, in another tab, has written.
    pub fn sibling_wrote(&mut self, wrote: Wrote, now: Timestamp) {
        match wrote {
            Wrote::Added { written, updates } if self.storage.phase == Phase::Loaded => {
                if self.take_stored(&updates, true, now) {
                    self.journal.sibling_wrote(&written);
                } else {
                    self.storage.is_whole = false;
                }
                self.resummarize_at = Some(now + SIBLING_QUIET);
            }
            Wrote::Compacted { replaced, snapshot } if self.storage.phase == Phase::Loaded => {
                // What it replaced, if all of it was known here, is nothing new.
                if !self.journal.sibling_compacted(&replaced, snapshot) {
                    self.storage.phase = Phase::Behind;
                }
            }
            // It will be among what is loaded.
            _ => {
                if self.storage.busy == Some(Busy::Loading) {
                    self.storage.phase = Phase::Behind;
                }
            }
        }
        self.pump_storage(now);
    }

    /// The store has done, or not done, what it was asked for.
    pub fn store_done(&mut self, done: StoreDone, now: Timestamp) {
        let busy = self.storage.busy.take();
        match done {
            StoreDone::Loaded(loaded) => self.loaded(*loaded, now),
            StoreDone::Appended(written) => self.appended(written, now),
            StoreDone::Replaced(snapshot) => self.replaced(snapshot),
            // A little room doesn't mean that there is enough for what waits.
            StoreDone::Done if busy == Some(Busy::PuttingMeta) && !self.journal.has_waiting() => {
                self.journal.worked();
                self.recovered();
            }
            StoreDone::Done => {}
            StoreDone::Failed(error) => self.store_failed(busy, error, now),
        }
        self.pump_storage(now);
    }

    fn loaded(&mut self, loaded: Loaded, now: Timestamp) {
        // What was edited here meanwhile isn't durable by being in the document.
        self.put_local();
        let mut loaded = loaded;
        if !loaded.damaged.is_empty() {
            self.storage.discard.extend(loaded.damaged_keys());
            self.outputs.push_back(Output::Event(Event::Damaged(loaded.damaged.clone())));
            self.outputs.push_back(Output::Resummarize);
        }
        let (snapshots, logs) = loaded
            .records
            .drain(..)
            .partition(|record: &StoredRecord| matches!(record.content, Content::Snapshot(_)));
        let records: [Vec<StoredRecord>; 2] = [snapshots, logs];
        // Snapshots first, so that little has to wait for something else.
        for record in records.into_iter().flatten() {
            let taken = match &record.content {
                Content::Snapshot(snapshot) => {
                    self.take_stored(std::slice::from_ref(snapshot), false, now)
                }
                Content::Updates(updates) => self.take_stored(updates, false, now),
            };
            if taken {
                loaded.records.push(record);
            } else {
                // Its bytes are what was written, so it isn't set aside.
                self.storage.is_whole = false;
            }
        }
        let source = Journaled { doc: &self.doc, is_whole: self.storage.is_whole };
        // Loaded again, and nothing is there: it was deleted under this opening.
        let deleted =
            self.storage.told_loaded && loaded.records.is_empty() && self.doc.has_content();
        self.journal.loaded(&loaded, &source);
        if deleted {
            self.journal.start_over();
        }
        // Unless something was written while this was read.
        if self.storage.phase != Phase::Behind {
            self.storage.phase = Phase::Loaded;
        }
        self.storage.moment = Moment::Idle;
        if self.storage.meta.is_none() {
            self.take_meta(loaded.meta.take());
        }
        self.recovered();
        self.tell_loaded();
        self.number_early();
    }

    /// Applies what was stored. True if the document took all of it.
    fn take_stored(&mut self, updates: &[Bytes], tell: bool, now: Timestamp) -> bool {
        let mut whole = true;
        for update in updates {
            let applied = match self.doc.apply_update(update) {
                // The state of a document may be larger than an update of a peer.
                Err(ApplyError::Invalid(why)) if why.is_size() => self.doc.apply_in_pieces(update),
                applied => applied,
            };
            whole &= applied.is_ok();
        }
        if tell {
            self.note_conflicts(now);
        } else {
            // They were told when they were found.
            drop(self.doc.take_conflicts());
        }
        // It is durable already.
        for update in self.doc.take_updates() {
            if tell {
                let update = update.payload;
                self.outputs.push_back(Output::Event(Event::Updated { update, from: None }));
            }
        }
        if self.doc.take_resync() {
            self.storage.is_whole = false;
            self.outputs.push_back(Output::Resummarize);
        }
        whole
    }

    fn take_meta(&mut self, meta: Option<DocumentMeta>) {
        let mut known = meta.unwrap_or_else(|| self.fresh_meta());
        let options = &self.options;
        let now = options.wall_clock;
        if !options.kind.is_empty() && known.kind != options.kind {
            known.kind.clone_from(&options.kind);
            self.storage.meta_is_old = true;
        }
        if known.opened_is_old(now) {
            known.opened = now;
            self.storage.meta_is_old = true;
        }
        self.restore_receipts(&known.devices);
        self.storage.meta = Some(known);
    }

    fn fresh_meta(&self) -> DocumentMeta {
        let options = &self.options;
        DocumentMeta {
            doc: options.doc,
            name: options.name.clone(),
            room: options.room.clone(),
            kind: options.kind.clone(),
            created: options.wall_clock,
            opened: 0,
            devices: Bytes::new(),
            later: Bytes::new(),
        }
    }

    /// What is kept in the meta beside what the store knows: devices, then receipts.
    fn restore_receipts(&mut self, kept: &Bytes) {
        let mut reader = Reader::new(kept.clone());
        if let Ok(devices) = reader.bytes(MAX_DEVICES) {
            self.devices.restore(&devices);
        }
        // Changes that have numbers by now keep them.
        if self.receipts.local() == 0 {
            let clock = self.own_clock();
            let receipts = reader.bytes(MAX_DEVICES).ok();
            let restored = receipts
                .filter(|bytes| !bytes.is_empty())
                .and_then(|bytes| Receipts::restore(&bytes, clock, |id| P::from_bytes(id)).ok());
            self.receipts = restored.unwrap_or_else(|| Receipts::lost(clock));
            if self.receipts.local() > 0 {
                self.tell_receipts();
            }
        }
    }

    fn keep_receipts(&self) -> Bytes {
        let mut out = Vec::new();
        put_bytes(&mut out, &self.devices.encode());
        put_bytes(&mut out, &self.receipts.encode(self.own_clock(), P::to_bytes));
        out.into()
    }

    fn appended(&mut self, written: Vec<Written>, now: Timestamp) {
        let durable = self.journal.written(&written);
        let updates = std::mem::take(&mut self.storage.writing);
        self.outputs.push_back(Output::Event(Event::Wrote(Wrote::Added { written, updates })));
        self.outputs.push_back(Output::Durable(durable));
        if self.receipts.durable(self.storage.writing_change) {
            self.tell_receipts();
        }
        if !self.storage.is_closing {
            self.storage.moment = Moment::Busy;
        }
        self.storage.rest(now);
        // What waits for something else isn't in the journal.
        if self.is_all_durable() {
            self.outputs.push_back(Output::Stored);
        }
        self.recovered();
    }

    fn replaced(&mut self, snapshot: Option<Written>) {
        let replaced = std::mem::take(&mut self.storage.replacing);
        let Some(snapshot) = snapshot else {
            // Somebody else has compacted, and may have known what this side doesn't.
            self.journal.was_late();
            self.storage.phase = Phase::Behind;
            return;
        };
        self.journal.written(&[snapshot]);
        self.outputs
            .push_back(Output::Event(Event::Wrote(Wrote::Compacted { replaced, snapshot })));
    }

    fn store_failed(&mut self, busy: Option<Busy>, error: StoreError, now: Timestamp) {
        if error == StoreError::Gone {
            self.journal.start_over();
            self.storage.meta_is_old = self.storage.meta.is_some();
        }
        match busy {
            Some(Busy::Loading) => {
                self.storage.phase = Phase::Unloaded { at: self.journal.back_off(now) };
                self.outputs.push_back(Output::NotDurable(self.journal.position(), error.clone()));
            }
            Some(Busy::PuttingMeta) => {
                self.storage.meta_is_old = true;
                self.storage.meta_retry = Some(self.journal.back_off(now));
            }
            // They are found damaged again the next time.
            Some(Busy::Discarding) => {}
            Some(Busy::Writing) => {
                self.storage.writing.clear();
                self.storage.replacing.clear();
                let upto = self.journal.failed(now);
                if upto > self.journal.durable() {
                    self.outputs.push_back(Output::NotDurable(upto, error.clone()));
                }
            }
            None => {}
        }
        self.storage.failing = true;
        self.outputs.push_back(Output::Event(Event::StorageFailed(error)));
        self.tell_loaded();
        self.number_early();
    }

    fn recovered(&mut self) {
        if self.storage.failing && !self.journal.is_failing() {
            self.storage.failing = false;
            self.outputs.push_back(Output::Event(Event::StorageRecovered));
        }
    }

    fn tell_loaded(&mut self) {
        if !std::mem::replace(&mut self.storage.told_loaded, true) {
            self.outputs.push_back(Output::Event(Event::Loaded));
        }
    }

    pub(crate) fn storage_timeout(&self) -> Option<Timestamp> {
        if !self.options.stored || self.storage.busy.is_some() {
            return None;
        }
        let load = match self.storage.phase {
            Phase::Unloaded { at } => return Some(at),
            Phase::Behind | Phase::Loaded => None,
        };
        let meta = self.storage.meta_retry.filter(|_| self.storage.meta_is_old);
        [load, meta, self.storage.idle_at, self.journal.poll_timeout()].into_iter().flatten().min()
    }

    pub(crate) fn handle_storage_timeout(&mut self, now: Timestamp) {
        if self.storage.idle_at.is_some_and(|at| at <= now) {
            self.storage.idle_at = None;
            self.storage.moment = Moment::Idle;
            self.storage.meta_is_old |= self.receipts_changed;
        }
        self.pump_storage(now);
    }

    /// Gives the store its next task, if there is one and it has none.
    pub(crate) fn pump_storage(&mut self, now: Timestamp) {
        if !self.options.stored {
            self.tell_loaded();
            self.number_early();
            return;
        }
        if self.storage.busy.is_some() {
            return;
        }
        if let Some((busy, op)) = self.next_op(now) {
            self.storage.busy = Some(busy);
            self.outputs.push_back(Output::Store(op));
        }
    }

    fn next_op(&mut self, now: Timestamp) -> Option<(Busy, StoreOp)> {
        match self.storage.phase {
            Phase::Unloaded { at } if at > now => return None,
            Phase::Unloaded { .. } => return Some((Busy::Loading, StoreOp::Load)),
            Phase::Behind => {
                self.storage.phase = Phase::Loaded;
                return Some((Busy::Loading, StoreOp::Load));
            }
            Phase::Loaded => {}
        }
        if !self.storage.discard.is_empty() {
            let keys = std::mem::take(&mut self.storage.discard);
            return Some((Busy::Discarding, StoreOp::Discard(keys)));
        }
        if let Some(meta) = self.next_meta(now) {
            return Some((Busy::PuttingMeta, StoreOp::PutMeta(meta)));
        }
        // Its state vector becomes the base, so everything in it must be in the journal.
        self.put_local();
        let source = Journaled { doc: &self.doc, is_whole: self.storage.is_whole };
        let op = match self.journal.next(&source, self.storage.moment, now)? {
            Write::Append(updates) => {
                self.storage.writing_change = self.receipts.local();
                self.storage.writing.clone_from(&updates);
                StoreOp::Append(updates)
            }
            Write::Replace { keys, snapshot } => {
                self.storage.replacing.clone_from(&keys);
                StoreOp::Replace { keys, snapshot }
            }
        };
        Some((Busy::Writing, op))
    }

    fn next_meta(&mut self, now: Timestamp) -> Option<DocumentMeta> {
        if !self.storage.meta_is_old || self.storage.meta_retry.is_some_and(|at| at > now) {
            return None;
        }
        let kept = self.keep_receipts();
        let meta = self.storage.meta.as_mut()?;
        meta.devices = kept;
        self.receipts_changed = false;
        self.storage.meta_is_old = false;
        self.storage.meta_retry = None;
        Some(meta.clone())
    }
}
