//! A document and the node: questions, who has what, the sync state.

use vivim_doc::{ConflictEvent, PathPart};
use vivim_proto::{
    clock::VectorClock,
    sync::{ReplicaOp, ReplicaResult},
    time::Timestamp,
};

use crate::{
    conflict::{Conflict, ConflictLog},
    document::{OpenDocument, Peer},
    limits::BEHIND_AFTER,
    output::{Event, Output},
    receipts::Receipts,
    state::{SyncInput, SyncState},
};

/// What the node tells of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeEvent<P> {
    /// This peer exchanges the document with us no longer.
    Closed(P),
    /// The document's room is joined, and there is a network.
    Joined,
    /// The room was left, or there is no network.
    Left,
    /// The exchange with this peer begins.
    Opened(P),
    /// This peer has all changes up to a number.
    Reached {
        /// Who.
        peer: P,
        /// The number of the change.
        change: u64,
        /// It has stored them, too.
        stored: bool,
    },
    /// What this peer had when the exchange began is here.
    Synced(P),
}

impl<P: Peer> OpenDocument<P> {
    /// The document is being opened on a node: from now on changes are told. Gives the number that
    /// the node has to hear of behind the opening (`Node::note_change`).
    pub fn attached(&mut self, now: Timestamp) -> u64 {
        self.put_local();
        self.attached = true;
        self.pump_storage(now);
        self.receipts.local()
    }

    /// The document was closed on the node, or the node has stopped.
    pub fn detached(&mut self, now: Timestamp) {
        self.attached = false;
        let peers: Vec<P> = self.sync.peers().cloned().collect();
        for peer in peers {
            self.receipts.closed(&peer);
        }
        let had_peers = self.sync.peers().len() > 0;
        self.sync_input(SyncInput::Stop);
        if had_peers {
            self.outputs.push_back(Output::Event(Event::Peers));
        }
        self.behind_since = None;
        self.is_behind = false;
        self.disown_all(now);
    }

    /// Answers a question of the node.
    pub fn answer(&mut self, peer: &P, op: ReplicaOp, now: Timestamp) -> ReplicaResult {
        // Whoever has fallen silent isn't passed on to newcomers.
        self.doc.awareness().handle_timeout(now);
        match &op {
            ReplicaOp::ApplyAwareness { payload } => self.note_owner(peer, payload),
            ReplicaOp::EncodeAwareness => self.renew_for(peer, now),
            ReplicaOp::Apply { .. } | ReplicaOp::Diff { .. } | ReplicaOp::Summary => {}
        }
        let is_apply = matches!(op, ReplicaOp::Apply { .. });
        // Before the peer's changes are among them.
        self.collect_local();
        let result = self.doc.handle(op, now);
        if is_apply {
            self.collect_remote(peer, now);
            self.pump_storage(now);
        }
        self.presence();
        // What brings nothing new is written by nobody, so this is the only time to say that it is
        // stored: a peer that has come back on another connection asks for that.
        if result == ReplicaResult::Applied && is_apply && self.is_all_durable() {
            return ReplicaResult::Stored;
        }
        result
    }

    /// The node has told something.
    pub fn node_event(&mut self, event: NodeEvent<P>, now: Timestamp) {
        match event {
            NodeEvent::Closed(peer) => {
                self.receipts.closed(&peer);
                self.disown(&peer, now);
                self.sync_input(SyncInput::Closed(peer));
                self.outputs.push_back(Output::Event(Event::Peers));
            }
            NodeEvent::Joined => self.sync_input(SyncInput::Joined),
            NodeEvent::Left => self.sync_input(SyncInput::Left),
            NodeEvent::Opened(peer) => {
                self.receipts.opened(&peer);
                self.sync_input(SyncInput::Opened(peer));
                self.outputs.push_back(Output::Event(Event::Peers));
            }
            NodeEvent::Reached { peer, change, stored } => {
                if self.receipts.reached(&peer, change, stored) {
                    self.tell_receipts();
                    self.receipts_are_old(now);
                }
            }
            NodeEvent::Synced(peer) => {
                self.outputs.push_back(Output::Event(Event::Synced(peer.clone())));
                self.sync_input(SyncInput::Answered(peer));
            }
        }
        self.check_behind(now);
    }

    /// How the document stands with its peers.
    pub fn state(&self) -> SyncState {
        self.sync.state()
    }

    /// The peers that exchange the document with us.
    pub fn peers(&self) -> impl ExactSizeIterator<Item = &P> {
        self.sync.peers()
    }

    /// Where the changes made here have got.
    pub fn receipts(&mut self) -> &Receipts<P> {
        self.put_local();
        &self.receipts
    }

    /// Whether this peer keeps documents for others: what it has stored counts as
    /// [`kept`](crate::Standing::kept) then.
    pub fn set_keeper(&mut self, peer: &P, keeper: bool) {
        self.receipts.set_keeper(peer, keeper);
    }

    /// How many changes made here no peer has, as far as is known.
    pub fn unsynced(&mut self) -> u64 {
        self.put_local();
        self.receipts.unsynced() + self.early
    }

    /// The conflicts that were found lately.
    pub fn conflicts(&self) -> &ConflictLog {
        &self.conflicts
    }

    /// What the document has seen, by device.
    pub fn vector_clock(&mut self) -> VectorClock<String> {
        self.collect_local();
        self.learn_own();
        // It is the document's own.
        self.devices.clock(&self.doc.encode_state_vector()).unwrap_or_default()
    }

    /// How much of the document is this device's: the sum of its openings' clocks.
    pub(crate) fn own_clock(&self) -> u64 {
        let clock = self.devices.clock(&self.doc.encode_state_vector()).unwrap_or_default();
        clock.get(self.options.device.as_str())
    }

    /// A change was made here; its number, or 0 while it can't have one.
    pub(crate) fn number_change(&mut self) -> u64 {
        self.tell_receipts();
        self.receipts_changed = true;
        if !self.is_loaded() {
            self.early += 1;
            return 0;
        }
        self.receipts.change()
    }

    /// The changes that were made before the document was loaded get their numbers.
    pub(crate) fn number_early(&mut self) {
        for _ in 0..std::mem::take(&mut self.early) {
            self.receipts.change();
        }
    }

    /// Tells of changed receipts, once until the driver has taken it.
    pub(crate) fn tell_receipts(&mut self) {
        let is_told = self
            .outputs
            .iter()
            .rev()
            .any(|output| matches!(output, Output::Event(Event::Receipts)));
        if !is_told {
            self.outputs.push_back(Output::Event(Event::Receipts));
        }
    }

    /// The store's copy of the receipts is written at leisure.
    fn receipts_are_old(&mut self, now: Timestamp) {
        self.receipts_changed = true;
        self.storage.rest(now);
    }

    /// Notes whether changes wait for a peer that is there, and for how long.
    pub(crate) fn check_behind(&mut self, now: Timestamp) {
        let waits = self.receipts.unsynced() > 0 && self.sync.peers().len() > 0;
        if !waits {
            if self.behind_since.take().is_some() || self.is_behind {
                self.is_behind = false;
                self.sync_input(SyncInput::Behind(false));
            }
            return;
        }
        if self.is_behind {
            return;
        }
        let since = *self.behind_since.get_or_insert(now);
        if now - since >= BEHIND_AFTER {
            self.behind_since = None;
            self.is_behind = true;
            self.sync_input(SyncInput::Behind(true));
        }
    }

    /// Concurrent changes of one field were found; the rule has chosen already.
    pub(crate) fn note_conflicts(&mut self, now: Timestamp) {
        for found in self.doc.take_conflicts() {
            let mut path = String::new();
            for part in &found.path {
                match part {
                    PathPart::Index(index) => path.push_str(&index.to_string()),
                    PathPart::Key(key) => path.push_str(key),
                }
                path.push('.');
            }
            path.push_str(&found.key);
            let ConflictEvent { winner, loser, .. } = found;
            let age = u64::try_from((now - self.opened).as_millis()).unwrap_or(u64::MAX);
            let at = self.options.wall_clock.saturating_add(age);
            self.conflict(Conflict::new(&path, winner, loser, &self.devices, at));
        }
    }

    fn conflict(&mut self, conflict: Conflict) {
        self.sync_input(SyncInput::ConflictFound);
        self.conflicts.push(conflict.clone());
        self.outputs.push_back(Output::Event(Event::Conflict(conflict)));
        self.sync_input(SyncInput::ConflictResolved);
    }

    fn sync_input(&mut self, input: SyncInput<P>) {
        for state in self.sync.handle(input) {
            self.outputs.push_back(Output::Event(Event::State(state)));
        }
    }
}
