//! One document of the service, and its driver.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Instant,
};

use tokio::sync::{Notify, oneshot, watch};
use vivim_doc::Doc;
use vivim_node::{DocId, DocumentEvent, PeerId, ReplicaOp, ReplicaResult, RoomError, RoomId};
use vivim_proto::{clock::VectorClock, time::Timestamp};
use vivim_store::StoreError;

use super::{Inner, ServiceEvent};
use crate::{
    Event, NodeEvent, OpenDocument, Options, Output, Peer, Position, Receipts, StoreOp, SyncState,
    file::FileError,
};

/// A peer, as documents know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Who(pub PeerId);

impl Peer for Who {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        PeerId::from_bytes(bytes).ok().map(Self)
    }
}

/// An open document. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Document {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    service: Weak<Inner>,
    id: DocId,
    room: String,
    born: Instant,
    machine: Mutex<Machine>,
    /// The timer is to be set anew.
    news: Arc<Notify>,
    loaded: watch::Sender<bool>,
    /// The store has nothing to do for it.
    resting: watch::Sender<bool>,
}

#[derive(Debug)]
struct Machine {
    doc: OpenDocument<Who>,
    flushes: Vec<(Position, oneshot::Sender<Result<(), StoreError>>)>,
    in_step: BTreeSet<Who>,
    is_attached: bool,
}

impl Document {
    pub(super) fn open(service: &Arc<Inner>, options: Options) -> Self {
        let shared = Shared {
            service: Arc::downgrade(service),
            id: options.doc,
            room: options.room.clone(),
            born: Instant::now(),
            news: Arc::default(),
            loaded: watch::Sender::new(false),
            resting: watch::Sender::new(false),
            machine: Mutex::new(Machine {
                doc: OpenDocument::new(options, Timestamp::ZERO),
                flushes: Vec::new(),
                in_step: BTreeSet::new(),
                is_attached: false,
            }),
        };
        let this = Self { shared: Arc::new(shared) };
        tokio::spawn(keep_time(Arc::downgrade(&this.shared)));
        this.perform();
        this
    }

    /// Its id in the network.
    pub fn id(&self) -> DocId {
        self.shared.id
    }

    /// The room in which it is exchanged.
    pub fn room(&self) -> String {
        self.shared.room.clone()
    }

    /// Resolves when what is stored is in it, or can't be had.
    pub async fn loaded(&self) {
        // The sender lives in this very document.
        let _ = self.shared.loaded.subscribe().wait_for(|loaded| *loaded).await;
    }

    /// Edits it, and tells peers.
    pub fn edit<T>(&self, edit: impl FnOnce(&mut Doc) -> T) -> T {
        self.act(|doc, now| {
            doc.read(|doc| doc.set_time(now));
            let result = doc.edit(edit);
            doc.settle(now);
            result
        })
    }

    /// Reads from it.
    pub fn read<T>(&self, read: impl FnOnce(&mut Doc) -> T) -> T {
        self.lock().doc.read(read)
    }

    /// Resolves when everything up to now is durable.
    ///
    /// # Errors
    ///
    /// The store's. The document goes on in memory, and the write is repeated.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let position = self.act(OpenDocument::flush);
        self.durable(position).await
    }

    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let position = self.act(OpenDocument::close);
        let result = self.durable(position).await;
        // The receipts are written with the names, behind the content. The sender lives here.
        let _ = self.shared.resting.subscribe().wait_for(|resting| *resting).await;
        result
    }

    async fn durable(&self, position: Position) -> Result<(), StoreError> {
        let wait = {
            let mut machine = self.lock();
            if machine.doc.durable() >= position {
                return Ok(());
            }
            let (done, wait) = oneshot::channel();
            machine.flushes.push((position, done));
            wait
        };
        wait.await.unwrap_or(Err(StoreError::Closed))
    }

    /// How it stands with its peers.
    pub fn state(&self) -> SyncState {
        self.lock().doc.state()
    }

    /// The peers that exchange it with us.
    pub fn peers(&self) -> Vec<PeerId> {
        self.lock().doc.peers().map(|peer| peer.0).collect()
    }

    /// Whether what this peer had when the exchange began is here.
    pub fn is_in_step_with(&self, peer: &Who) -> bool {
        self.lock().in_step.contains(peer)
    }

    /// Where the changes made here have got.
    pub fn receipts(&self) -> Receipts<Who> {
        self.act(|doc, _| doc.receipts().clone())
    }

    /// What it has seen, by device.
    pub fn vector_clock(&self) -> VectorClock<String> {
        self.act(|doc, _| doc.vector_clock())
    }

    /// Sets this device's awareness: a JSON object, or nothing.
    ///
    /// # Errors
    ///
    /// See [`StateError`](vivim_doc::awareness::StateError).
    pub fn set_awareness(
        &self,
        json: Option<&str>,
    ) -> Result<(), vivim_doc::awareness::StateError> {
        self.act(|doc, now| doc.set_awareness(json, now))
    }

    /// The awareness states, in JSON, of a peer's openings.
    pub fn awareness(&self, peer: PeerId) -> Vec<String> {
        let states = self.lock().doc.awareness_states();
        let of_peer = states.into_iter().filter(|(_, _, owner)| *owner == Some(Who(peer)));
        of_peer.map(|(_, state, _)| state).collect()
    }

    pub(super) fn export(&self) -> Result<Vec<u8>, FileError> {
        self.act(|doc, _| doc.export())
    }

    pub(super) fn abandon(&self) {
        self.act(|doc, _| doc.abandon());
    }

    // The node -------------------------------------------------------------------------------------

    pub(super) async fn attach(&self, room: RoomId) -> Result<(), RoomError> {
        let Some(service) = self.shared.service.upgrade() else { return Ok(()) };
        {
            let mut machine = self.lock();
            if std::mem::replace(&mut machine.is_attached, true) {
                return Err(RoomError::AlreadyOpen);
            }
        }
        self.act(|doc, now| doc.node_event(NodeEvent::Joined, now));
        let name = super::DEFAULT.to_owned();
        if let Err(error) = service.node.open_document(room, name).await {
            self.lock().is_attached = false;
            self.act(|doc, now| doc.node_event(NodeEvent::Left, now));
            return Err(error);
        }
        // Everything up to here goes with the first exchange; the node hears of it next.
        let number = self.act(OpenDocument::attached);
        service.node.note_change(self.shared.id, number);
        service.node.resummarize(self.shared.id);
        Ok(())
    }

    pub(super) async fn detach(&self) {
        if !std::mem::replace(&mut self.lock().is_attached, false) {
            return;
        }
        self.on_node_stopped();
        if let Some(service) = self.shared.service.upgrade() {
            // The node may have stopped, and the document with it.
            let _ = service.node.close_document(self.shared.id).await;
        }
    }

    pub(super) fn on_node_stopped(&self) {
        {
            let mut machine = self.lock();
            machine.is_attached = false;
            machine.in_step.clear();
        }
        self.act(OpenDocument::detached);
    }

    pub(super) fn answer(&self, peer: PeerId, op: ReplicaOp) -> ReplicaResult {
        let now = self.now();
        self.lock().doc.answer(&Who(peer), op, now)
    }

    pub(super) fn on_node_event(&self, event: DocumentEvent) {
        let event = match event {
            DocumentEvent::Closed(peer) => {
                self.lock().in_step.remove(&Who(peer));
                NodeEvent::Closed(Who(peer))
            }
            DocumentEvent::Opened(peer) => NodeEvent::Opened(Who(peer)),
            DocumentEvent::Reached { peer, change, stored } => {
                NodeEvent::Reached { peer: Who(peer), change, stored }
            }
            DocumentEvent::Synced(peer) => {
                self.lock().in_step.insert(Who(peer));
                NodeEvent::Synced(Who(peer))
            }
            _ => return,
        };
        self.act(|doc, now| doc.node_event(event, now));
    }

    // What is to be done ---------------------------------------------------------------------------

    fn lock(&self) -> MutexGuard<'_, Machine> {
        // A poisoned lock only means that a panic happened elsewhere.
        self.shared.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        Timestamp::new(self.shared.born.elapsed())
    }

    fn act<T>(&self, f: impl FnOnce(&mut OpenDocument<Who>, Timestamp) -> T) -> T {
        let now = self.now();
        let result = f(&mut self.lock().doc, now);
        self.perform();
        result
    }

    /// Does everything that the document wants done.
    pub(super) fn perform(&self) {
        let Some(service) = self.shared.service.upgrade() else { return };
        let (node, id) = (&service.node, self.shared.id);
        let mut machine = self.lock();
        // The lock is held, so that what is sent keeps its order; none of this waits.
        while let Some(output) = machine.doc.poll_output() {
            match output {
                Output::Awareness(payload) => drop(node.local_awareness(id, payload.into())),
                Output::Change { number, payload } => {
                    node.local_change(id, number, payload.into());
                }
                Output::LargeChange { number } => {
                    node.note_change(id, number);
                    node.resummarize(id);
                }
                Output::Resummarize => drop(node.resummarize(id)),
                Output::Stored => drop(node.stored(id)),
                Output::Durable(upto) => machine.settle(upto, &Ok(())),
                Output::NotDurable(upto, error) => machine.settle(upto, &Err(error)),
                Output::Store(op) => self.store(&service, op),
                Output::Event(event) => {
                    if matches!(event, Event::Loaded) {
                        self.shared.loaded.send_replace(true);
                    }
                    // Nobody may be listening.
                    let _ = service.events.send(ServiceEvent { doc: id, event });
                }
            }
        }
        self.shared.resting.send_replace(!machine.doc.is_storing());
        drop(machine);
        self.shared.news.notify_one();
    }

    fn store(&self, service: &Arc<Inner>, op: StoreOp) {
        let (this, store) = (self.clone(), service.store.clone());
        tokio::spawn(async move {
            let done = op.run(&store, this.shared.id).await;
            this.act(|doc, now| doc.store_done(done, now));
        });
    }
}

impl Machine {
    fn settle(&mut self, upto: Position, result: &Result<(), StoreError>) {
        let waiting = std::mem::take(&mut self.flushes);
        for (position, waiter) in waiting {
            if position <= upto {
                // Whoever waits no longer doesn't need to know.
                let _ = waiter.send(result.clone());
            } else {
                self.flushes.push((position, waiter));
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The timer's task finds that the document is gone.
        self.news.notify_one();
    }
}

/// Rings whenever the document says, for as long as it is there.
async fn keep_time(document: Weak<Shared>) {
    loop {
        let Some(shared) = document.upgrade() else { return };
        let this = Document { shared };
        let due = this.lock().doc.poll_timeout();
        let wait = due.map(|at| at - this.now());
        if wait.is_some_and(|wait| wait.is_zero()) {
            this.act(OpenDocument::handle_timeout);
        }
        let news = Arc::clone(&this.shared.news);
        // Nothing of the document is held while this waits.
        drop(this);
        match wait {
            Some(wait) => {
                tokio::select! {
                    () = news.notified() => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
            None => news.notified().await,
        }
    }
}
