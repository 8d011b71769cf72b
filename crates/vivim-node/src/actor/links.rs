//! Streams: opening them, the sync sessions that run over them, and measured pings.
//!
//! Two peers have one sync stream, on the best connection that there is. When a better one
//! appears, its dialler opens a stream there; the old stream goes on until the first frame has
//! come over the new one. Both ends agree which of two streams is better ([`Rank`]), so crossing
//! openings leave one.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use libp2p::{PeerId, StreamProtocol, swarm::ConnectionId};
use rand::Rng;
use vivim_proto::{
    id::DocId,
    limits::{GOSSIP_SETTLE, GOSSIP_SETTLE_JITTER, MAX_GOSSIP_PAYLOAD},
    sync::{self, FrameDecoder, Input, Output, ReplicaOp, ReplicaResult, Session, SessionConfig},
};
use web_time::Instant;

use super::{Actor, timers::Timer};
use crate::{
    command::Reply,
    error::{CommandError, StreamError},
    event::{CallId, DocumentEvent, Event, WarningCode},
    handle::AppStream,
    io::{self, Link, LinkId},
    limits, platform, streams,
};

pub(super) const SYNC_PROTOCOL: StreamProtocol = StreamProtocol::new(sync::PROTOCOL);

/// What a stream is opened for.
#[derive(Debug)]
pub(super) enum Opening {
    App(StreamProtocol, Reply<AppStream, StreamError>),
    Ping(Reply<Duration, StreamError>),
    Sync,
    Directory,
}

/// Which of two sync streams with one peer is the better: direct before relayed, then the one
/// whose opener has the smaller id. Both ends see the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    direct: bool,
    opened_by_smaller: bool,
    /// Of two equal ones the newer, because its opener had a reason.
    id: LinkId,
}

/// One sync stream.
#[derive(Debug)]
pub(super) struct SyncLink {
    pub(super) peer: PeerId,
    connection: ConnectionId,
    rank: Rank,
    /// Whether a frame has come over it.
    proven: bool,
    /// Whether a document has got in step over it.
    synced: bool,
    io: Link,
    decoder: FrameDecoder,
    session: Session,
    timer: Option<Instant>,
}

impl SyncLink {
    /// Whether both sides have a document open here.
    pub(super) fn is_open(&self, doc: DocId) -> bool {
        self.session.status(doc).is_some_and(|status| status.is_open())
    }
}

/// All sync streams.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub(super) map: HashMap<LinkId, SyncLink>,
    next: LinkId,
    /// Peers to which a stream is being opened, with the connection.
    pub(super) opening: HashMap<PeerId, ConnectionId>,
    /// The documents of which the application was told that they are exchanged with a peer.
    shared: BTreeSet<(PeerId, DocId)>,
}

impl Links {
    /// A fresh number; zero is nobody's.
    pub(super) fn next_id(&mut self) -> LinkId {
        self.next += 1;
        self.next
    }

    pub(super) fn of(&self, peer: &PeerId) -> impl Iterator<Item = (LinkId, &SyncLink)> {
        let peer = *peer;
        self.map.iter().filter(move |(_, l)| l.peer == peer).map(|(id, l)| (*id, l))
    }

    pub(super) fn ids(&self) -> Vec<LinkId> {
        self.map.keys().copied().collect()
    }

    /// Forgets a document that was closed here, about which the application needs no event.
    fn forget(&mut self, doc: DocId) {
        self.shared.retain(|(_, d)| *d != doc);
    }

    /// Takes out what was exchanged with a peer and is no longer, on any stream.
    fn take_ended(&mut self, peer: &PeerId) -> Vec<DocId> {
        let first = (*peer, DocId([0; 32]));
        let last = (*peer, DocId([u8::MAX; 32]));
        let ended: Vec<DocId> = self
            .shared
            .range(first..=last)
            .map(|(_, doc)| *doc)
            .filter(|doc| !self.of(peer).any(|(_, link)| link.is_open(*doc)))
            .collect();
        for doc in &ended {
            self.shared.remove(&(*peer, *doc));
        }
        ended
    }

    fn ids_of(&self, peer: &PeerId) -> Vec<LinkId> {
        self.of(peer).map(|(id, _)| id).collect()
    }
}

impl Actor {
    pub(super) fn now(&self) -> vivim_proto::time::Timestamp {
        vivim_proto::time::Timestamp::new(self.started.elapsed())
    }

    // Opening streams -------------------------------------------------------------------------

    pub(super) fn open(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        protocol: StreamProtocol,
        purpose: Opening,
    ) {
        let id = self.swarm.behaviour_mut().streams.open(peer, connection, protocol);
        self.opens.insert(id, (peer, connection, purpose));
    }

    pub(super) fn on_stream_event(&mut self, event: streams::Event) {
        match event {
            streams::Event::Opened { id, connection, result } => {
                let Some((peer, _, purpose)) = self.opens.remove(&id) else { return };
                self.on_opened(peer, connection, purpose, result);
            }
            streams::Event::Inbound { peer, connection, protocol, stream } => {
                if protocol == SYNC_PROTOCOL {
                    self.start_link(peer, connection, stream, false);
                } else if protocol == libp2p::ping::PROTOCOL_NAME {
                    self.answer_pings(connection, stream);
                } else if let Some(handler) = self.handlers.get_mut(&protocol) {
                    let direct = self.connections.get(connection).is_some_and(|c| c.direct);
                    // A handler that is too far behind loses the stream, which resets it.
                    let _ = handler.try_send(AppStream { peer, protocol, direct, stream });
                }
            }
        }
    }

    fn on_opened(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        purpose: Opening,
        result: Result<libp2p::Stream, streams::OpenError>,
    ) {
        match (purpose, result) {
            (Opening::App(protocol, reply), Ok(stream)) => {
                let direct = self.connections.get(connection).is_some_and(|c| c.direct);
                let _ = reply.send(Ok(AppStream { peer, protocol, direct, stream }));
            }
            (Opening::App(protocol, reply), Err(error)) => {
                let _ = reply.send(Err(stream_error(error, peer, &protocol)));
            }
            (Opening::Ping(reply), Ok(stream)) => self.measure(stream, reply),
            (Opening::Ping(reply), Err(error)) => {
                let protocol = libp2p::ping::PROTOCOL_NAME;
                let _ = reply.send(Err(stream_error(error, peer, &protocol)));
            }
            (Opening::Sync, Ok(stream)) => {
                self.links.opening.remove(&peer);
                self.start_link(peer, connection, stream, true);
            }
            (Opening::Sync, Err(error)) => {
                self.links.opening.remove(&peer);
                tracing::debug!(%peer, ?error, "no sync stream");
                if error != streams::OpenError::Unsupported {
                    self.timers.after(limits::ACCEPTOR_GRACE, Timer::Link(peer));
                }
            }
            (Opening::Directory, result) => self.on_directory_opened(peer, result.ok()),
        }
    }

    /// The openings on a connection that has closed.
    pub(super) fn fail_openings_on(&mut self, connection: ConnectionId) {
        let failed: Vec<_> =
            self.opens.extract_if(|_, (_, c, _)| *c == connection).map(|(_, o)| o).collect();
        for (peer, connection, purpose) in failed {
            self.on_opened(peer, connection, purpose, Err(streams::OpenError::Io));
        }
    }

    // Sync streams ----------------------------------------------------------------------------

    /// Opens a sync stream to a peer on its best connection, unless there is one.
    pub(super) fn want_link(&mut self, peer: PeerId) {
        let Some(connection) = self.connections.best(&peer) else { return };
        if !self.shares_with(&peer)
            || self.links.opening.get(&peer) == Some(&connection)
            || self.links.of(&peer).any(|(_, l)| l.connection == connection)
        {
            return;
        }
        self.links.opening.insert(peer, connection);
        self.open(peer, connection, SYNC_PROTOCOL, Opening::Sync);
    }

    pub(super) fn on_link_timer(&mut self, peer: PeerId) {
        self.settle_shared(peer);
        if self.connections.is_connected(&peer) && self.links.of(&peer).next().is_none() {
            self.want_link(peer);
        }
    }

    /// Tells of the documents that are no longer exchanged with a peer.
    fn settle_shared(&mut self, peer: PeerId) {
        for doc in self.links.take_ended(&peer) {
            self.emit(Event::Document(doc, DocumentEvent::Closed(peer)));
        }
    }

    /// A stream of this peer has gone. While there is another one, its documents have a moment to be
    /// opened there: a better connection is no reason to tell of a loss.
    fn on_link_gone(&mut self, peer: PeerId) {
        if self.links.of(&peer).next().is_some() {
            self.schedule_link(peer);
        } else {
            self.settle_shared(peer);
        }
    }

    fn start_link(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        mut stream: libp2p::Stream,
        by_us: bool,
    ) {
        let Some(entry) = self.connections.get(connection) else { return };
        let direct = entry.direct;
        // Only the directory decides how long a relay is kept; a peer is kept while we sync.
        if !direct && self.connections.is_direct(&peer) {
            stream.ignore_for_keep_alive();
        }
        let id = self.links.next_id();
        let opened_by_smaller = by_us == (self.peer_id.to_bytes() < peer.to_bytes());
        let link = SyncLink {
            peer,
            connection,
            rank: Rank { direct, opened_by_smaller, id },
            proven: false,
            synced: false,
            io: Link::start(id, stream, &self.io_events),
            decoder: FrameDecoder::new(),
            session: Session::new(SessionConfig::default()),
            timer: None,
        };
        self.links.map.insert(id, link);
        let docs = self.docs_for(&peer);
        for doc in docs {
            self.open_on(id, doc);
        }
        self.pump(id);
    }

    /// Offers a document to a peer on all of its streams.
    pub(super) fn offer(&mut self, peer: &PeerId, doc: DocId) {
        for id in self.links.ids_of(peer) {
            self.open_on(id, doc);
            self.pump(id);
        }
    }

    fn open_on(&mut self, id: LinkId, doc: DocId) {
        let latest = self.latest_change(doc);
        if let Some(link) = self.links.map.get_mut(&id) {
            let outputs = link.session.open(doc);
            link.session.note_change(doc, latest);
            self.on_session_outputs(id, outputs);
        }
    }

    /// Exchanges summaries of a document again.
    pub(super) fn resummarize_on(&mut self, id: LinkId, doc: DocId) {
        if let Some(link) = self.links.map.get_mut(&id) {
            let outputs = link.session.resummarize(doc);
            self.on_session_outputs(id, outputs);
            self.pump(id);
        }
    }

    /// Drops all streams of a peer, its connections stay.
    pub(super) fn drop_links(&mut self, peer: &PeerId) {
        self.links.map.retain(|_, l| l.peer != *peer);
        self.settle_shared(*peer);
    }

    /// Withdraws a document from every stream.
    pub(super) fn withdraw(&mut self, doc: DocId) {
        self.links.forget(doc);
        for id in self.links.ids() {
            if let Some(link) = self.links.map.get_mut(&id) {
                link.session.close(doc, sync::CloseCode::Done);
            }
            self.pump(id);
        }
    }

    pub(super) fn on_io(&mut self, event: io::Event) {
        match event {
            io::Event::Read(id, bytes) if self.is_directory(id) => {
                self.on_directory_bytes(id, &bytes);
            }
            io::Event::Read(id, bytes) => self.on_link_bytes(id, &bytes),
            io::Event::Ready(id) if self.is_directory(id) => self.on_directory_ready(id),
            io::Event::Ready(id) => self.pump(id),
            io::Event::Closed(id) if self.is_directory(id) => self.on_directory_closed(id),
            io::Event::Closed(id) => self.close_link(id),
        }
    }

    fn on_link_bytes(&mut self, id: LinkId, bytes: &[u8]) {
        let Some(link) = self.links.map.get_mut(&id) else { return };
        link.decoder.push(bytes);
        if !std::mem::replace(&mut link.proven, true) {
            self.on_proven(id);
        }
        loop {
            let now = self.now();
            let Some(link) = self.links.map.get_mut(&id) else { return };
            let outputs = match link.decoder.next() {
                Ok(Some(frame)) => link.session.handle(Input::Frame(frame), now),
                Ok(None) => break,
                Err(error) => {
                    self.break_link(id, &error.to_string());
                    return;
                }
            };
            self.on_session_outputs(id, outputs);
        }
        self.pump(id);
    }

    /// The first bytes came over a stream: worse streams of the peer have had their time.
    // Rare: see `Actor::round`.
    #[inline(never)]
    fn on_proven(&mut self, id: LinkId) {
        let Some(link) = self.links.map.get(&id) else { return };
        let (peer, rank, connection) = (link.peer, link.rank, link.connection);
        let mut others: Vec<(Rank, LinkId)> =
            self.links.of(&peer).filter(|(_, l)| l.proven).map(|(id, l)| (l.rank, id)).collect();
        others.sort();
        let best = others.last().map_or(rank, |(rank, _)| *rank);
        for (rank, id) in others {
            if rank < best {
                // Dropping it closes the writing side; what is lost the new one's summary repairs.
                self.links.map.remove(&id);
                self.on_link_gone(peer);
            }
        }
        if rank.direct {
            self.on_direct_proven(peer);
        }
        self.on_alive(connection);
        self.stale = true;
    }

    fn on_session_outputs(&mut self, id: LinkId, outputs: Vec<Output>) {
        let Some(peer) = self.links.map.get(&id).map(|l| l.peer) else { return };
        for output in outputs {
            match output {
                Output::Request { id: request, doc, op } => {
                    if let ReplicaOp::Apply { payload } = &op
                        && payload.len() > MAX_GOSSIP_PAYLOAD
                    {
                        self.on_large_update(doc);
                    }
                    let call = CallId { link: id, request };
                    self.emit(Event::Replica { doc, id: call, peer, op });
                }
                Output::Event(event) => self.on_session_event(id, peer, event),
            }
        }
    }

    fn on_session_event(&mut self, id: LinkId, peer: PeerId, event: sync::Event) {
        match event {
            // Who names a document of ours knows the room's name.
            sync::Event::Offered { doc } if self.has_document(doc) => self.open_on(id, doc),
            sync::Event::Opened { doc } => {
                self.on_doc_opened(doc, peer);
                if self.links.shared.insert((peer, doc)) {
                    self.emit(Event::Document(doc, DocumentEvent::Opened(peer)));
                }
            }
            sync::Event::Synced { doc } => {
                self.hurry_upgrade(id);
                self.emit(Event::Document(doc, DocumentEvent::Synced(peer)));
            }
            sync::Event::Acked { doc, seq, level } => {
                let stored = level == sync::AckLevel::Stored;
                self.emit(Event::Document(doc, DocumentEvent::Acknowledged { peer, seq, stored }));
            }
            sync::Event::Reached { doc, change, level } => {
                let stored = level == sync::AckLevel::Stored;
                self.emit(Event::Document(doc, DocumentEvent::Reached { peer, change, stored }));
            }
            sync::Event::Updated { doc } => {
                self.emit(Event::Document(doc, DocumentEvent::Updated(peer)));
            }
            sync::Event::Closed { .. } => {
                self.settle_shared(peer);
                self.settle_departed(peer);
            }
            sync::Event::Failed(error) => self.break_link(id, &error.to_string()),
            _ => {}
        }
    }

    /// The first document of a relayed stream is in step: now the direct connection may be made.
    fn hurry_upgrade(&mut self, id: LinkId) {
        if let Some(link) = self.links.map.get_mut(&id)
            && !std::mem::replace(&mut link.synced, true)
            && !link.rank.direct
        {
            let peer = link.peer;
            platform::upgrade_now(&mut self.swarm.behaviour_mut().upgrade, peer);
        }
    }

    /// A replica answered.
    pub(super) fn on_replica(&mut self, _: DocId, call: CallId, result: ReplicaResult) {
        let now = self.now();
        // Gone, or a gossip message's, which waits for no answer.
        let Some(link) = self.links.map.get_mut(&call.link) else { return };
        let outputs = link.session.handle(Input::Replica { id: call.request, result }, now);
        self.on_session_outputs(call.link, outputs);
        self.pump(call.link);
    }

    /// Gives a stream's writer what its session has to say.
    pub(super) fn pump(&mut self, id: LinkId) {
        let Some(link) = self.links.map.get_mut(&id) else { return };
        while link.io.ready() {
            match link.session.poll_frame() {
                Some(frame) => link.io.send(frame),
                None => break,
            }
        }
        if let Some(at) = link.session.poll_timeout() {
            let at = self.started + at.since_epoch();
            if link.timer.is_none_or(|set| at < set) {
                link.timer = Some(at);
                self.timers.at(at, Timer::Session(id));
            }
        }
    }

    pub(super) fn on_session_timer(&mut self, id: LinkId) {
        let now = self.now();
        let Some(link) = self.links.map.get_mut(&id) else { return };
        link.timer = None;
        let outputs = link.session.handle(Input::Timeout, now);
        self.on_session_outputs(id, outputs);
        self.pump(id);
    }

    /// A peer broke the protocol: its stream goes, its connection stays.
    // Rare: see `Actor::round`.
    #[inline(never)]
    fn break_link(&mut self, id: LinkId, reason: &str) {
        if let Some(link) = self.links.map.remove(&id) {
            let message = format!("{} broke the sync protocol: {reason}", link.peer);
            self.warn(WarningCode::SyncProtocol, message);
            self.on_link_gone(link.peer);
        }
    }

    // Rare: see `Actor::round`.
    #[inline(never)]
    fn close_link(&mut self, id: LinkId) {
        let Some(link) = self.links.map.remove(&id) else { return };
        self.stale = true;
        self.on_link_gone(link.peer);
        self.settle_departed(link.peer);
        if self.links.of(&link.peer).next().is_none() && self.connections.is_connected(&link.peer) {
            self.timers.after(limits::ACCEPTOR_GRACE, Timer::Link(link.peer));
        }
    }

    pub(super) fn close_links_on(&mut self, connection: ConnectionId) {
        let gone: Vec<PeerId> = self
            .links
            .map
            .extract_if(|_, l| l.connection == connection)
            .map(|(_, l)| l.peer)
            .collect();
        for peer in gone {
            self.on_link_gone(peer);
        }
        self.links.opening.retain(|_, c| *c != connection);
        self.fail_openings_on(connection);
    }

    /// Everything of a document that was applied so far is durable: its peers may know.
    pub(super) fn stored(&mut self, doc: DocId) {
        for id in self.links.ids() {
            if let Some(link) = self.links.map.get_mut(&id) {
                link.session.stored(doc);
            }
            self.pump(id);
        }
    }

    /// A numbered change that is not sent by streams.
    pub(super) fn note_on_links(&mut self, doc: DocId, change: u64) {
        for link in self.links.map.values_mut() {
            link.session.note_change(doc, change);
        }
    }

    /// A change went by gossip: whoever asks for it within the next moment has it soon.
    pub(super) fn hold_answers(&mut self, doc: DocId) {
        let now = self.now();
        let spread = GOSSIP_SETTLE_JITTER.as_millis() as u64;
        for link in self.links.map.values_mut() {
            let later = Duration::from_millis(self.rng.random_range(0..=spread));
            link.session.hold_answers(doc, now + GOSSIP_SETTLE + later);
        }
    }

    /// Runs something on every session that a peer has with us.
    pub(super) fn with_sessions(&mut self, peer: &PeerId, mut run: impl FnMut(&mut Session)) {
        for id in self.links.ids_of(peer) {
            if let Some(link) = self.links.map.get_mut(&id) {
                run(&mut link.session);
            }
            self.pump(id);
        }
    }
}

fn stream_error(error: streams::OpenError, peer: PeerId, protocol: &StreamProtocol) -> StreamError {
    match error {
        streams::OpenError::Unsupported => {
            StreamError::UnsupportedProtocol { peer, protocol: protocol.to_string() }
        }
        streams::OpenError::Timeout => CommandError::Timeout(limits::OPEN_TIMEOUT).into(),
        streams::OpenError::Io => StreamError::Io,
    }
}
