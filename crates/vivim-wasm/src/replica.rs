//! A document kept here, by Yrs: the driver of [`vivim_documents::OpenDocument`] in a browser.
//!
//! Whatever touches the document does it in a short borrow; what is to be done afterwards is done by
//! [`Replica::drive`], with nothing borrowed. JavaScript hears of it from a task of its own, or, when
//! the node has brought the news, at once.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};

use futures::{
    channel::oneshot,
    future::{AbortHandle, abortable},
};
use futures_timer::Delay;
use js_sys::Function;
use vivim_doc::{Doc, EditError, Typing};
use vivim_documents::{
    NodeEvent, OpenDocument, Options, Output, Peer, Position, StoreDone, StoreOp,
};
use vivim_node::{DocId, DocumentEvent, PeerId, ReplicaOp, ReplicaResult};
use vivim_proto::time::Timestamp;
use vivim_store::StoreError;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_time::Instant;

use crate::{
    document_events::{self, Wants},
    failure::Failure,
    node::Core,
};

/// A peer, as documents know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who(pub(crate) PeerId);

impl Peer for Who {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        PeerId::from_bytes(bytes).ok().map(Self)
    }
}

/// Somebody who waits until everything up to a position is durable.
type Flush = (Position, oneshot::Sender<Result<(), StoreError>>);

/// The document as the node's replicas and the bindings know it.
#[derive(Debug)]
pub(crate) struct Replica {
    core: Weak<Core>,
    id: DocId,
    doc: RefCell<OpenDocument<Who>>,
    /// The epoch of the document's clock.
    born: Instant,
    /// Who is called with what happens.
    listener: RefCell<Option<Function>>,
    /// What it has yet to be called with.
    news: RefCell<Vec<JsValue>>,
    is_telling: Cell<bool>,
    /// Who waits for what to be durable.
    flushes: RefCell<Vec<Flush>>,
    /// Who waits for the store to have nothing to do for it.
    rests: RefCell<Vec<oneshot::Sender<()>>>,
    /// The timer that is set, and when it rings.
    alarm: RefCell<Option<(Timestamp, AbortHandle)>>,
    pub(crate) wants: Cell<Wants>,
    is_closed: Cell<bool>,
}

impl Replica {
    /// Opens a document; what is stored of it is being loaded.
    pub(crate) fn open(core: &Rc<Core>, options: Options) -> Rc<Self> {
        let this = Rc::new(Self {
            core: Rc::downgrade(core),
            id: options.doc,
            doc: RefCell::new(OpenDocument::new(options, Timestamp::ZERO)),
            born: Instant::now(),
            listener: RefCell::default(),
            news: RefCell::default(),
            is_telling: Cell::new(false),
            flushes: RefCell::default(),
            rests: RefCell::default(),
            alarm: RefCell::default(),
            wants: Cell::default(),
            is_closed: Cell::new(false),
        });
        this.drive();
        this
    }

    pub(crate) fn id(&self) -> DocId {
        self.id
    }

    fn now(&self) -> Timestamp {
        Timestamp::new(self.born.elapsed())
    }

    // For the bindings of the content -----------------------------------------------------------

    /// Edits; what changed waits until the next telling.
    pub(crate) fn edit<T, E: Into<Failure>>(
        &self,
        f: impl FnOnce(&mut Doc) -> Result<T, E>,
    ) -> Result<T, JsValue> {
        self.check_open()?;
        let now = self.now();
        let edit = |doc: &mut Doc| {
            // What is done within a moment is undone together.
            doc.set_time(now);
            f(doc)
        };
        self.doc.borrow_mut().edit(edit).map_err(|error| error.into().into())
    }

    /// Types: see [`Typing`].
    pub(crate) fn typing<T>(
        &self,
        f: impl FnOnce(&mut Doc, &mut Typing) -> Result<T, EditError>,
    ) -> Result<T, JsValue> {
        let result = self.doc.borrow_mut().type_in(|typing, doc| {
            // Reading the clock at every letter would be felt.
            if typing.is_empty() {
                doc.set_time(self.now());
            }
            f(doc, typing)
        });
        result.map_err(|error| Failure::from(error).into())
    }

    /// Reads; the engine makes a root of this name if there is none, which is no change.
    pub(crate) fn read<T>(
        &self,
        f: impl FnOnce(&mut Doc) -> Result<T, EditError>,
    ) -> Result<T, JsValue> {
        self.doc.borrow_mut().read(f).map_err(|error| Failure::from(error).into())
    }

    fn check_open(&self) -> Result<(), Failure> {
        if self.is_closed.get() {
            return Err(Failure::new("CLOSED", "this document was closed"));
        }
        Ok(())
    }

    // For the bindings of the document's life -----------------------------------------------------

    /// Looks at the document, or asks it for something.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut OpenDocument<Who>, Timestamp) -> T) -> T {
        f(&mut self.doc.borrow_mut(), self.now())
    }

    /// Like [`with`](Self::with), and then does what is to be done.
    pub(crate) fn act<T>(
        self: &Rc<Self>,
        f: impl FnOnce(&mut OpenDocument<Who>, Timestamp) -> T,
    ) -> T {
        let result = self.with(f);
        self.drive();
        result
    }

    pub(crate) fn listen(self: &Rc<Self>, listener: Function) {
        self.listener.replace(Some(listener));
        self.tell_soon();
    }

    /// Resolves when everything up to now is durable.
    pub(crate) async fn flush(self: Rc<Self>) -> Result<(), StoreError> {
        let position = self.act(OpenDocument::flush);
        self.durable(position).await
    }

    /// Says goodbye; resolves when everything is durable. The content can still be read.
    pub(crate) async fn close(self: Rc<Self>) -> Result<(), StoreError> {
        let position = self.act(OpenDocument::close);
        self.is_closed.set(true);
        self.durable(position).await
    }

    /// Resolves when nothing of it is being written, the names and the compaction behind the content
    /// included.
    pub(crate) async fn rest(self: Rc<Self>) {
        if !self.doc.borrow().is_storing() {
            return;
        }
        let (done, wait) = oneshot::channel();
        self.rests.borrow_mut().push(done);
        // The sender lives in here.
        let _ = wait.await;
    }

    async fn durable(&self, position: Position) -> Result<(), StoreError> {
        if self.doc.borrow().durable() >= position {
            return Ok(());
        }
        let (done, wait) = oneshot::channel();
        self.flushes.borrow_mut().push((position, done));
        wait.await.unwrap_or(Err(StoreError::Closed))
    }

    // For the node --------------------------------------------------------------------------------

    /// The document is being opened on the node. Gives the number of the last change.
    pub(crate) fn attached(self: &Rc<Self>) -> u64 {
        self.act(OpenDocument::attached)
    }

    /// The node has no more to do with it.
    pub(crate) fn detached(self: &Rc<Self>) {
        self.act(OpenDocument::detached);
    }

    /// Answers a question of the node.
    pub(crate) fn answer(&self, peer: PeerId, op: ReplicaOp) -> ReplicaResult {
        self.with(|doc, now| doc.answer(&Who(peer), op, now))
    }

    /// The node has told something. False if it is nothing to the document.
    pub(crate) fn on_node_event(&self, event: DocumentEvent) -> bool {
        let event = match event {
            DocumentEvent::Closed(peer) => NodeEvent::Closed(Who(peer)),
            DocumentEvent::Opened(peer) => {
                let is_keeper = self.core.upgrade().is_some_and(|c| c.keepers.contains(&peer));
                self.with(|doc, _| doc.set_keeper(&Who(peer), is_keeper));
                NodeEvent::Opened(Who(peer))
            }
            DocumentEvent::Reached { peer, change, stored } => {
                NodeEvent::Reached { peer: Who(peer), change, stored }
            }
            DocumentEvent::Synced(peer) => NodeEvent::Synced(Who(peer)),
            _ => return false,
        };
        self.with(|doc, now| doc.node_event(event, now));
        true
    }

    // What is to be done --------------------------------------------------------------------------

    /// Does everything that the document wants done. JavaScript hears of it later.
    pub(crate) fn drive(self: &Rc<Self>) {
        self.perform();
        self.tell_soon();
    }

    /// Does everything that the document wants done, and tells JavaScript at once. Not to be called
    /// by JavaScript.
    pub(crate) fn drive_and_tell(self: &Rc<Self>) {
        self.perform();
        self.tell();
    }

    fn perform(self: &Rc<Self>) {
        loop {
            let output = self.doc.borrow_mut().poll_output();
            match output {
                Some(output) => self.do_one(output),
                None => break,
            }
        }
        if !self.rests.borrow().is_empty() && !self.doc.borrow().is_storing() {
            self.end_rests();
        }
        self.set_alarm();
    }

    // Apart: see `events::pump`.
    #[inline(never)]
    fn end_rests(&self) {
        for waiter in self.rests.take() {
            // Whoever waits no longer doesn't need to know.
            let _ = waiter.send(());
        }
    }

    fn do_one(self: &Rc<Self>, output: Output<Who>) {
        let node = || self.core.upgrade().and_then(|core| core.node().ok());
        match output {
            Output::Change { number, payload } => {
                node().map(|node| node.local_change(self.id, number, payload.into()));
            }
            Output::Event(event) => {
                if let Some(event) = document_events::project(event, self.wants.get()) {
                    self.news.borrow_mut().push(event);
                }
            }
            output => self.do_rare(output),
        }
    }

    // Apart: see `events::pump`.
    #[inline(never)]
    fn do_rare(self: &Rc<Self>, output: Output<Who>) {
        let node = || self.core.upgrade().and_then(|core| core.node().ok());
        match output {
            Output::Awareness(payload) => {
                node().map(|node| node.local_awareness(self.id, payload.into()));
            }
            Output::LargeChange { number } => {
                node().map(|node| node.note_change(self.id, number) && node.resummarize(self.id));
            }
            Output::Resummarize => {
                node().map(|node| node.resummarize(self.id));
            }
            Output::Stored => {
                node().map(|node| node.stored(self.id));
            }
            Output::Durable(upto) => self.settle_flushes(upto, &Ok(())),
            Output::NotDurable(upto, error) => self.settle_flushes(upto, &Err(error)),
            Output::Store(op) => self.store(op),
            output @ (Output::Change { .. } | Output::Event(_)) => self.do_one(output),
        }
    }

    // Apart: see `events::pump`.
    #[inline(never)]
    fn settle_flushes(&self, upto: Position, result: &Result<(), StoreError>) {
        let waiting = self.flushes.take();
        let (done, waiting): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(position, _)| *position <= upto);
        self.flushes.replace(waiting);
        for (_, waiter) in done {
            // Whoever waits no longer doesn't need to know.
            let _ = waiter.send(result.clone());
        }
    }

    // Apart: see `events::pump`.
    #[inline(never)]
    fn store(self: &Rc<Self>, op: StoreOp) {
        let this = Rc::clone(self);
        spawn_local(async move {
            let done = match this.core.upgrade() {
                Some(core) => core.storage.run(op, this.id).await,
                None => StoreDone::Failed(StoreError::Closed),
            };
            this.with(|doc, now| doc.store_done(done, now));
            this.drive_and_tell();
        });
    }

    // Time ------------------------------------------------------------------------------------------

    // Apart: see `events::pump`.
    #[inline(never)]
    fn set_alarm(self: &Rc<Self>) {
        let due = self.doc.borrow_mut().poll_timeout();
        let mut alarm = self.alarm.borrow_mut();
        match (due, &*alarm) {
            // When it rings, it is seen what is due then.
            (Some(at), Some((set, _))) if *set <= at => return,
            (None, None) => return,
            _ => {}
        }
        // A timer that nobody needs would keep a process of Node.js from ending.
        if let Some((_, old)) = alarm.take() {
            old.abort();
        }
        let Some(at) = due else { return };
        let (rings, handle) = abortable(Delay::new(at - self.now()));
        *alarm = Some((at, handle));
        let this = Rc::downgrade(self);
        spawn_local(async move {
            let has_rung = rings.await.is_ok();
            let Some(this) = this.upgrade().filter(|_| has_rung) else { return };
            this.alarm.take();
            this.with(OpenDocument::handle_timeout);
            this.drive_and_tell();
        });
    }

    // JavaScript ------------------------------------------------------------------------------------

    fn tell_soon(self: &Rc<Self>) {
        let has_news = !self.news.borrow().is_empty() && self.listener.borrow().is_some();
        if has_news && !self.is_telling.replace(true) {
            let this = Rc::clone(self);
            spawn_local(async move {
                this.is_telling.set(false);
                this.tell();
            });
        }
    }

    fn tell(&self) {
        let Some(listener) = self.listener.borrow().clone() else { return };
        for event in self.news.take() {
            // The facade catches what handlers throw.
            let _ = listener.call1(&JsValue::NULL, &event);
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some((_, alarm)) = self.alarm.take() {
            alarm.abort();
        }
    }
}
