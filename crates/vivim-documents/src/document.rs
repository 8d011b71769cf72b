//! One open document: its content, its journal, its awareness, and how far it has got.

use std::collections::VecDeque;

use bytes::Bytes;
use vivim_doc::{ClientId, Doc, Origin, Typing, awareness::Change as Presence};
use vivim_proto::{SortedMap, SortedSet, id::DocId, time::Timestamp};
use vivim_store::DocumentMeta;

use crate::{
    conflict::ConflictLog,
    devices::Devices,
    journal::{Journal, Position},
    limits::{BEHIND_AFTER, MAX_PEERS, MAX_PIECE},
    local::Local,
    output::{Event, Output},
    receipts::Receipts,
    state::SyncMachine,
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

/// What names a peer.
pub trait Peer: Clone + Ord {
    /// The bytes of its id, at most [`MAX_PEER_ID`](crate::limits::MAX_PEER_ID) of them.
    fn to_bytes(&self) -> Vec<u8>;
    /// The peer whose id this is.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl Peer for String {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_utf8(bytes.to_vec()).ok()
    }
}

/// An open document. `P` names a peer.
///
/// A machine: it does nothing by itself. *Verbs* come from the application: [`edit`](Self::edit),
/// [`settle`](Self::settle), [`flush`](Self::flush), [`set_awareness`](Self::set_awareness),
/// [`close`](Self::close). What the node asks and tells goes to [`answer`](Self::answer),
/// [`attached`](Self::attached) and [`node_event`](Self::node_event); what the store did to
/// [`store_done`](Self::store_done). After each of them take what is to be done by
/// [`poll_output`](Self::poll_output) until there is nothing more, and call
/// [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) says.
///
/// Nothing of it can be lost by a driver that is slow: what waits for the store is bounded, see
/// the journal.
#[derive(Debug)]
pub struct OpenDocument<P> {
    pub(crate) options: Options,
    pub(crate) doc: Doc,
    pub(crate) opened: Timestamp,
    typing: Typing,
    pub(crate) journal: Journal,
    pub(crate) storage: crate::storage::Storage,
    pub(crate) devices: Devices,
    pub(crate) outputs: VecDeque<Output<P>>,
    local: Local,
    /// Changes made here that the caller hasn't taken.
    settled: Vec<Bytes>,
    /// Changes made before it was loaded, which have no numbers yet.
    pub(crate) early: u64,
    pub(crate) receipts: Receipts<P>,
    pub(crate) sync: SyncMachine<P>,
    pub(crate) conflicts: ConflictLog,
    pub(crate) attached: bool,
    /// The application is to hear that receipts are others.
    pub(crate) receipts_changed: bool,
    /// Since when changes wait for a peer that is there.
    pub(crate) behind_since: Option<Timestamp>,
    /// They have waited so long that the state says so.
    pub(crate) is_behind: bool,
    /// Whose awareness states came from which peer, so that they go with it.
    owners: SortedMap<u64, P>,
    /// What the application says of this device, in JSON.
    state: Option<String>,
    /// Peers that have asked for our awareness before.
    asked: SortedSet<P>,
    pub(crate) resummarize_at: Option<Timestamp>,
}

impl<P: Peer> OpenDocument<P> {
    /// Opens a document. The first output is to load it, if there is a store.
    pub fn new(options: Options, now: Timestamp) -> Self {
        let doc = Doc::new(options.client);
        let mut this = Self {
            doc,
            opened: now,
            typing: Typing::new(),
            journal: Journal::default(),
            storage: crate::storage::Storage::default(),
            devices: Devices::default(),
            outputs: VecDeque::new(),
            local: Local::default(),
            settled: Vec::new(),
            early: 0,
            receipts: Receipts::new(),
            sync: SyncMachine::new(),
            conflicts: ConflictLog::default(),
            attached: false,
            receipts_changed: false,
            behind_since: None,
            is_behind: false,
            owners: SortedMap::new(),
            state: None,
            asked: SortedSet::new(),
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

    /// Reads from the document, with everything that was typed.
    pub fn read<T>(&mut self, read: impl FnOnce(&mut Doc) -> T) -> T {
        self.settle_typing();
        read(&mut self.doc)
    }

    /// Whose client ids are whose.
    pub fn devices(&self) -> &Devices {
        &self.devices
    }

    /// What is known of the document besides its content, once it was loaded.
    pub fn meta(&self) -> Option<&DocumentMeta> {
        self.storage.meta.as_ref()
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output<P>> {
        self.outputs.pop_front()
    }

    // Editing --------------------------------------------------------------------------------------

    /// Edits the document. What changed waits until [`settle`](Self::settle).
    pub fn edit<T>(&mut self, edit: impl FnOnce(&mut Doc) -> T) -> T {
        self.settle_typing();
        let result = edit(&mut self.doc);
        self.collect_local();
        result
    }

    /// Types: edits that may be held back and taken together with their neighbours. Whatever reads
    /// the document sees them.
    pub fn type_in<T>(&mut self, edit: impl FnOnce(&mut Typing, &mut Doc) -> T) -> T {
        let result = edit(&mut self.typing, &mut self.doc);
        self.collect_published();
        result
    }

    fn settle_typing(&mut self) {
        // It fails for a document that has been given up, as every edit of it does.
        let _ = self.typing.settle(&mut self.doc);
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
        self.collect_local();
        let updates = self.local.take();
        if !updates.is_empty() {
            self.learn_own();
        }
        for update in updates {
            self.journal.put(update.clone());
            let number = self.number_change();
            if self.attached {
                let payload = update.clone();
                self.outputs.push_back(if payload.len() > MAX_PIECE {
                    // Peers fetch it in pieces.
                    Output::LargeChange { number }
                } else {
                    Output::Change { number, payload }
                });
            }
            self.settled.push(update);
        }
    }

    /// This opening's client id is this device's.
    pub(crate) fn learn_own(&mut self) {
        let Options { client, device, .. } = &self.options;
        if self.devices.learn(*client, device) {
            self.storage.meta_is_old = true;
        }
    }

    /// Takes what was changed here, be it an edit or an update that the application applied.
    pub(crate) fn collect_local(&mut self) {
        self.settle_typing();
        self.collect_published();
    }

    fn collect_published(&mut self) {
        for update in self.doc.take_updates() {
            match update.origin {
                Origin::Local => self.local.push(update.payload),
                Origin::Remote => self.local.push_foreign(update.payload),
            }
        }
        self.check_resync();
    }

    /// Takes what a peer's update has changed.
    pub(crate) fn collect_remote(&mut self, from: &P, now: Timestamp) {
        for update in self.doc.take_updates() {
            let update = update.payload;
            self.journal.put(update.clone());
            let from = Some(from.clone());
            self.outputs.push_back(Output::Event(Event::Updated { update, from }));
        }
        self.note_conflicts(now);
        self.check_resync();
    }

    fn check_resync(&mut self) {
        if self.doc.take_resync() {
            // Some of it may have been an edit, or have changed the document.
            self.journal.let_go();
            self.outputs.push_back(Output::Resummarize);
        }
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
        let state = json.map(|json| with_device(json, &self.options.device, &[]));
        self.doc.awareness().set_local_state(state.as_deref(), now)?;
        self.state = json.map(str::to_owned);
        self.presence();
        Ok(())
    }

    /// The awareness of everybody who is there: client, state in JSON, and the peer through whom it
    /// came, if it is known.
    pub fn awareness_states(&mut self) -> Vec<(ClientId, String, Option<P>)> {
        let owners = &self.owners;
        let states =
            self.doc.awareness().states().map(|(client, state)| {
                (client, state.to_owned(), owners.get(&client.get()).cloned())
            });
        states.collect()
    }

    /// Who was there through this peer is gone.
    pub(crate) fn disown(&mut self, peer: &P, now: Timestamp) {
        self.owners.retain(|client, owner| {
            let gone = owner == peer;
            if gone {
                self.doc.awareness().remove(ClientId::from_random(*client), now);
            }
            !gone
        });
        self.presence();
    }

    /// Nobody is there any more.
    pub(crate) fn disown_all(&mut self, now: Timestamp) {
        for client in std::mem::take(&mut self.owners).into_keys() {
            self.doc.awareness().remove(ClientId::from_random(client), now);
        }
        self.asked.clear();
        self.presence();
    }

    pub(crate) fn note_owner(&mut self, peer: &P, payload: &[u8]) {
        let own = self.options.client;
        if let Some(client) = vivim_doc::awareness::author(payload)
            && client != own
            && (self.owners.len() < MAX_PEERS || self.owners.contains_key(&client.get()))
        {
            self.owners.insert(client.get(), peer.clone());
        }
    }

    /// Who comes hears which earlier openings were this device's. And a peer that asks again has
    /// forgotten our state, and takes it only with a newer clock.
    pub(crate) fn renew_for(&mut self, peer: &P, now: Timestamp) {
        if self.asked.len() >= MAX_PEERS {
            self.asked.clear();
        }
        let Options { client, device, .. } = &self.options;
        let mut earlier = self.devices.openings(device);
        earlier.retain(|opening| opening != client);
        if self.asked.insert(peer.clone()) && earlier.is_empty() {
            return;
        }
        if let Some(state) = &self.state {
            let full = with_device(state, device, &earlier);
            // If it's too large with all of that, the state stays what it was.
            let _ = self.doc.awareness().set_local_state(Some(&full), now);
        }
    }

    /// Tells who came and went, and what others must hear of this device.
    pub(crate) fn presence(&mut self) {
        if let Some(payload) = self.doc.awareness().take_announcement()
            && self.attached
        {
            self.outputs.push_back(Output::Awareness(payload.into()));
        }
        let changes = self.doc.awareness().take_changes();
        if changes.is_empty() {
            return;
        }
        let there: SortedSet<ClientId> = changes
            .iter()
            .filter(|(_, change)| *change != Presence::Removed)
            .map(|(client, _)| *client)
            .collect();
        let own = self.options.client;
        for (client, state) in self.doc.awareness().states() {
            // This opening is remembered once it has written something.
            if client != own
                && there.contains(&client)
                && self.devices.learn_from_state(client, state)
            {
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
        let behind = self.behind_since.map(|since| since + BEHIND_AFTER);
        let all = [awareness, self.storage_timeout(), self.resummarize_at, behind];
        all.into_iter().flatten().min()
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
        self.check_behind(now);
        self.handle_storage_timeout(now);
    }

    /// The document is about to be closed: says goodbye to peers and writes what there is to write.
    /// Gives what has to become durable before it may be dropped.
    pub fn close(&mut self, now: Timestamp) -> Position {
        // Taking the state away can't fail.
        let _ = self.set_awareness(None, now);
        self.storage.close();
        self.flush(now)
    }
}

/// A state with the field `device`, and `openings` if there are any. What isn't an object gets none.
fn with_device(json: &str, device: &str, openings: &[ClientId]) -> String {
    let body = json.trim();
    let Some(fields) = body.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return json.to_owned();
    };
    let comma = if fields.trim().is_empty() { "" } else { "," };
    // The last of two fields of one name counts, so nobody is someone else by accident.
    let device = device.replace(['"', '\\'], "");
    let mut state = format!("{{{fields}{comma}\"device\":\"{device}\"");
    if !openings.is_empty() {
        let ids: Vec<String> = openings.iter().map(|client| client.get().to_string()).collect();
        state.push_str(&format!(",\"openings\":[{}]", ids.join(",")));
    }
    state.push('}');
    state
}

/// What a state vector lacks, in pieces that apply in this order; everything for `None`.
pub(crate) fn pieces(doc: &Doc, since: Option<&[u8]>) -> Vec<Bytes> {
    // It is a state vector of this very document.
    doc.encode_pieces(since, MAX_PIECE).unwrap_or_default()
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
