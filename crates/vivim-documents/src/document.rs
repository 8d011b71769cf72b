//! One open document: its content, its journal, its awareness, and how far it has got.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use vivim_doc::{ApplyError, ClientId, Doc, Origin, awareness::Change as Presence};
use vivim_proto::{
    id::DocId,
    sync::{ReplicaOp, ReplicaResult},
    time::Timestamp,
};
use vivim_store::{DocumentMeta, policy::Moment};

use crate::{
    devices::Devices,
    journal::{Journal, Position},
    limits::{MAX_PEERS, MAX_PIECE, SEPARATE_UPDATES},
    output::{Event, Output},
};

/// How a document is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which one.
    pub doc: DocId,
    /// This opening's id: random, never used before.
    pub client: ClientId,
    /// This device's id.
    pub device: String,
    /// Its name within its room.
    pub name: String,
    /// Its room's name.
    pub room: String,
    /// What the application calls this sort of document.
    pub kind: String,
    /// Whether there is a store. If not, the document lives as long as this value, and a flush has
    /// nothing to wait for.
    pub stored: bool,
    /// Milliseconds since 1970.
    pub wall_clock: u64,
}

/// An open document. `P` names a peer.
///
/// A machine: it does nothing by itself. *Verbs* come from the application: [`edit`](Self::edit),
/// [`settle`](Self::settle), [`flush`](Self::flush), [`set_awareness`](Self::set_awareness),
/// [`close`](Self::close). What the node asks and tells goes to [`answer`](Self::answer),
/// [`attached`](Self::attached), [`peer_lost`](Self::peer_lost); what the store did to
/// [`store_done`](Self::store_done). After each of them take what is to be done by
/// [`poll_output`](Self::poll_output) until there is nothing more, and call
/// [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) says.
///
/// Nothing of it can be lost by a driver that is slow: what waits for the store is bounded, see
/// [`journal`](crate::journal).
#[derive(Debug)]
pub struct OpenDocument<P> {
    pub(crate) options: Options,
    pub(crate) doc: Doc,
    pub(crate) journal: Journal,
    pub(crate) storage: crate::storage::Storage,
    pub(crate) devices: Devices,
    pub(crate) outputs: VecDeque<Output<P>>,
    local: Local,
    /// Changes made here that the caller hasn't taken.
    settled: Vec<Bytes>,
    /// The number of the last change made here.
    changes: u64,
    attached: bool,
    /// Whose awareness states came from which peer, so that they go with it.
    owners: BTreeMap<u64, P>,
    /// Peers that have asked for our awareness before.
    asked: BTreeSet<P>,
    pub(crate) resummarize_at: Option<Timestamp>,
}

/// Edits that have not been handed on.
#[derive(Debug, Default)]
struct Local {
    updates: Vec<Bytes>,
    /// There were so many that they leave as one.
    merged: bool,
    /// What the document had before the first of them.
    before: Option<Vec<u8>>,
}

impl<P: Clone + Ord> OpenDocument<P> {
    /// Opens a document. The first output is to load it, if there is a store.
    pub fn new(options: Options, now: Timestamp) -> Self {
        let doc = Doc::new(options.client);
        let mut this = Self {
            doc,
            journal: Journal::default(),
            storage: crate::storage::Storage::default(),
            devices: Devices::default(),
            outputs: VecDeque::new(),
            local: Local::default(),
            settled: Vec::new(),
            changes: 0,
            attached: false,
            owners: BTreeMap::new(),
            asked: BTreeSet::new(),
            resummarize_at: None,
            options,
        };
        // A state of one field always fits.
        let _ = this.set_awareness(Some("{}"), now);
        this.pump_storage(now);
        this
    }

    /// Which document it is.
    pub fn id(&self) -> DocId {
        self.options.doc
    }

    /// How it was opened.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The document, to be read.
    pub fn doc(&self) -> &Doc {
        &self.doc
    }

    /// The document, to be asked what only a mutable reference can answer. Don't edit it.
    pub fn doc_mut(&mut self) -> &mut Doc {
        &mut self.doc
    }

    /// Whose client ids are whose.
    pub fn devices(&self) -> &Devices {
        &self.devices
    }

    /// What is known of the document besides its content, once it was loaded.
    pub fn meta(&self) -> Option<&DocumentMeta> {
        self.storage.meta.as_ref()
    }

    /// The number of the last change made here since it was opened.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output<P>> {
        self.outputs.pop_front()
    }

    // Editing --------------------------------------------------------------------------------------

    /// Edits the document. What changed waits until [`settle`](Self::settle).
    pub fn edit<T>(&mut self, edit: impl FnOnce(&mut Doc) -> T) -> T {
        if self.local.before.is_none() {
            self.local.before = Some(self.doc.encode_state_vector());
        }
        let result = edit(&mut self.doc);
        self.collect(None);
        result
    }

    /// Hands on what was edited since the last time: to peers, into the journal, and to the caller,
    /// who may want to tell others. Edits of one turn that are many, or large, are put together, or
    /// cut into pieces.
    pub fn settle(&mut self, now: Timestamp) -> Vec<Bytes> {
        self.put_local();
        let settled = std::mem::take(&mut self.settled);
        if !settled.is_empty() {
            self.pump_storage(now);
        }
        settled
    }

    /// What of [`settle`](Self::settle) has to come before a write.
    pub(crate) fn put_local(&mut self) {
        self.collect(None);
        let Local { updates, merged, before } = std::mem::take(&mut self.local);
        let large = updates.iter().any(|update| update.len() > MAX_PIECE);
        let updates = match before {
            Some(before) if merged || large => pieces(&self.doc, Some(&before)),
            _ => updates,
        };
        if !updates.is_empty() && self.changes == 0 && self.learn_own() {
            self.storage.meta_is_old = true;
        }
        for update in updates {
            self.changes += 1;
            self.journal.put(update.clone());
            if self.attached {
                let (number, payload) = (self.changes, update.clone());
                self.outputs.push_back(Output::Change { number, payload });
            }
            self.settled.push(update);
        }
    }

    /// This opening's client id is this device's.
    fn learn_own(&mut self) -> bool {
        let device = self.options.device.clone();
        self.devices.learn(self.options.client, &device)
    }

    /// Takes what the document has published since the last time.
    fn collect(&mut self, from: Option<&P>) {
        let updates = self.doc.take_updates();
        for update in updates {
            match update.origin {
                Origin::Local if self.local.merged => {}
                Origin::Local => {
                    self.local.updates.push(update.payload);
                    if self.local.updates.len() > SEPARATE_UPDATES && self.local.before.is_some() {
                        self.local.updates = Vec::new();
                        self.local.merged = true;
                    }
                }
                Origin::Remote => {
                    self.journal.put(update.payload.clone());
                    let (update, from) = (update.payload, from.cloned());
                    self.outputs.push_back(Output::Event(Event::Updated { update, from }));
                }
            }
        }
        if self.doc.take_resync() {
            // What was dropped may have been an edit that nobody fetched: the difference has it.
            if self.local.before.is_some() {
                self.local.merged = true;
            }
            self.outputs.push_back(Output::Resummarize);
        }
    }

    // The node -------------------------------------------------------------------------------------

    /// The document is being opened on a node: from now on changes are told. Gives the number that
    /// the node has to hear of first (`Node::note_change`).
    pub fn attached(&mut self, now: Timestamp) -> u64 {
        self.put_local();
        self.attached = true;
        self.pump_storage(now);
        self.changes
    }

    /// The document was closed on the node, or the node has stopped.
    pub fn detached(&mut self, now: Timestamp) {
        self.attached = false;
        let peers: Vec<P> = self.owners.values().cloned().collect();
        for peer in &peers {
            self.peer_lost(peer, now);
        }
        self.asked.clear();
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
        let result = self.doc.handle(op, now);
        self.collect(Some(peer));
        self.presence();
        if is_apply {
            self.pump_storage(now);
        }
        result
    }

    /// An update came in whole, from a file or a sibling, and counts as a change made here.
    ///
    /// # Errors
    ///
    /// See [`ApplyError`].
    pub fn apply_update(&mut self, update: &[u8]) -> Result<(), ApplyError> {
        self.edit(|doc| doc.apply_update(update))
    }

    // Awareness ------------------------------------------------------------------------------------

    /// Sets this device's awareness: a JSON object to which the field `device` is added, or nothing.
    ///
    /// # Errors
    ///
    /// See [`StateError`](vivim_doc::awareness::StateError).
    pub fn set_awareness(
        &mut self,
        json: Option<&str>,
        now: Timestamp,
    ) -> Result<(), vivim_doc::awareness::StateError> {
        let state = json.map(|json| with_device(json, &self.options.device));
        self.doc.awareness().set_local_state(state.as_deref(), now)?;
        self.presence();
        Ok(())
    }

    /// A peer exchanges this document no more: who was there through it is gone.
    pub fn peer_lost(&mut self, peer: &P, now: Timestamp) {
        self.owners.retain(|client, owner| {
            let gone = owner == peer;
            if gone {
                self.doc.awareness().remove(ClientId::from_random(*client), now);
            }
            !gone
        });
        self.presence();
    }

    fn note_owner(&mut self, peer: &P, payload: &[u8]) {
        let own = self.options.client;
        if let Some(client) = vivim_doc::awareness::author(payload)
            && client != own
            && (self.owners.len() < MAX_PEERS || self.owners.contains_key(&client.get()))
        {
            self.owners.insert(client.get(), peer.clone());
        }
    }

    /// A peer that asks again has forgotten our state, and takes it only with a newer clock.
    fn renew_for(&mut self, peer: &P, now: Timestamp) {
        if self.asked.len() >= MAX_PEERS {
            self.asked.clear();
        }
        if !self.asked.insert(peer.clone()) {
            let state = self.doc.awareness().local_state().map(str::to_owned);
            if let Some(state) = state {
                // It was accepted before.
                let _ = self.doc.awareness().set_local_state(Some(&state), now);
            }
        }
    }

    /// Tells who came and went, and what others must hear of this device.
    fn presence(&mut self) {
        if let Some(payload) = self.doc.awareness().take_announcement()
            && self.attached
        {
            self.outputs.push_back(Output::Awareness(payload.into()));
        }
        let changes = self.doc.awareness().take_changes();
        if changes.is_empty() {
            return;
        }
        let there: BTreeSet<ClientId> = changes
            .iter()
            .filter(|(_, change)| *change != Presence::Removed)
            .map(|(client, _)| *client)
            .collect();
        for (client, state) in self.doc.awareness().states() {
            if there.contains(&client) && self.devices.learn_from_state(client, state) {
                self.storage.meta_is_old = true;
            }
        }
        let of = |wanted: Presence| {
            let matching = changes.iter().filter(move |(_, change)| *change == wanted);
            matching.map(|(client, _)| *client).collect()
        };
        self.outputs.push_back(Output::Event(Event::Awareness {
            added: of(Presence::Added),
            updated: of(Presence::Updated),
            removed: of(Presence::Removed),
        }));
    }

    // Time -----------------------------------------------------------------------------------------

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&mut self) -> Option<Timestamp> {
        let awareness = if self.attached { self.doc.awareness().poll_timeout() } else { None };
        [awareness, self.storage_timeout(), self.resummarize_at].into_iter().flatten().min()
    }

    /// The time of [`poll_timeout`](Self::poll_timeout) has come.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.doc.awareness().handle_timeout(now);
        self.presence();
        if self.resummarize_at.is_some_and(|at| at <= now) {
            self.resummarize_at = None;
            if self.attached {
                self.outputs.push_back(Output::Resummarize);
            }
        }
        self.handle_storage_timeout(now);
    }

    /// The document is about to be closed: says goodbye to peers and writes what there is to write.
    /// Gives what has to become durable before it may be dropped.
    pub fn close(&mut self, now: Timestamp) -> Position {
        // Taking the state away can't fail.
        let _ = self.set_awareness(None, now);
        self.storage.moment = Moment::Idle;
        self.flush(now)
    }
}

/// A state with the field `device`. What isn't an object gets none.
fn with_device(json: &str, device: &str) -> String {
    let body = json.trim();
    let Some(fields) = body.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return json.to_owned();
    };
    let comma = if fields.trim().is_empty() { "" } else { "," };
    // The last of two fields of one name counts, so nobody is someone else by accident.
    let device = device.replace(['"', '\\'], "");
    format!("{{{fields}{comma}\"device\":\"{device}\"}}")
}

/// What a state vector lacks, in pieces that apply in this order; everything for `None`.
pub(crate) fn pieces(doc: &Doc, since: Option<&[u8]>) -> Vec<Bytes> {
    // It is a state vector of this very document.
    doc.encode_state_as_update(since).map(Bytes::from).into_iter().collect()
}
