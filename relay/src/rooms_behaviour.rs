//! `/vivim/rooms/1.0.0` in a swarm: drives [`Directory`] with the streams of the connections.
//!
//! Each connection has one stream; a second one replaces the first. An entry of the directory lives
//! as long as its stream.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        CloseConnection, ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm,
        NetworkBehaviour, NotifyHandler, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    },
};
use rand::{SeedableRng, rngs::StdRng};
use vivim_proto::{
    id::RoomId,
    rooms::{
        ClientMessage, RelayLimits, ServerMessage,
        server::{Directory, Output},
    },
    time::Timestamp,
};

use crate::{
    metrics::Metrics,
    rooms_handler::{Command, Ended, Event, Handler},
};

/// See the module.
#[derive(Debug)]
pub(crate) struct Behaviour {
    directory: Directory,
    rng: StdRng,
    epoch: Instant,
    metrics: Arc<Metrics>,
    /// The stream of each connection, as the directory numbers them: never used again.
    sessions: HashMap<ConnectionId, u64>,
    targets: HashMap<u64, Target>,
    next_session: u64,
    /// The rooms of each session, which only the metrics want to know.
    memberships: HashMap<u64, HashSet<RoomId>>,
    members: usize,
    actions: VecDeque<ToSwarm<std::convert::Infallible, Command>>,
    waker: Option<Waker>,
}

#[derive(Debug, Clone, Copy)]
struct Target {
    peer: PeerId,
    connection: ConnectionId,
    /// Number of the stream on its connection.
    stream: u64,
}

impl Behaviour {
    /// An empty directory that tells clients `limits`.
    pub(crate) fn new(limits: RelayLimits, metrics: Arc<Metrics>) -> Self {
        Self {
            directory: Directory::new(limits),
            rng: StdRng::from_os_rng(),
            epoch: Instant::now(),
            metrics,
            sessions: HashMap::new(),
            targets: HashMap::new(),
            next_session: 0,
            memberships: HashMap::new(),
            members: 0,
            actions: VecDeque::new(),
            waker: None,
        }
    }

    fn opened(&mut self, peer: PeerId, connection: ConnectionId, stream: u64) {
        self.ended(connection);
        let session = self.next_session;
        self.next_session += 1;
        match self.directory.connected(&peer.to_bytes(), session) {
            Ok(outputs) => {
                self.sessions.insert(connection, session);
                self.targets.insert(session, Target { peer, connection, stream });
                self.send(outputs, None);
            }
            Err(error) => {
                tracing::debug!(%peer, %error, "a room stream is refused");
                self.metrics.room_stream_refused();
                self.actions.push_back(ToSwarm::CloseConnection {
                    peer_id: peer,
                    connection: CloseConnection::One(connection),
                });
            }
        }
    }

    fn request(&mut self, connection: ConnectionId, message: ClientMessage) {
        let Some(session) = self.sessions.get(&connection).copied() else { return };
        let now = Timestamp::new(self.epoch.elapsed());
        tracing::trace!(?message, session, "room request");
        let left = match message {
            ClientMessage::Leave { room } => Some(room),
            ClientMessage::Join { .. } => None,
        };
        let outputs = self.directory.handle(session, message, now, &mut self.rng);
        self.count_members(session, left, &outputs);
        self.send(outputs, Some(session));
    }

    fn count_members(&mut self, session: u64, left: Option<RoomId>, outputs: &[Output]) {
        let rooms = self.memberships.entry(session).or_default();
        let before = rooms.len();
        let mut refused = false;
        for output in outputs {
            match &output.message {
                ServerMessage::Joined { room, .. } => _ = rooms.insert(*room),
                ServerMessage::Refused { .. } => refused = true,
                _ => {}
            }
        }
        if let (Some(room), false) = (left, refused) {
            rooms.remove(&room);
        }
        self.members = self.members + rooms.len() - before;
    }

    fn ended(&mut self, connection: ConnectionId) {
        if let Some(session) = self.sessions.remove(&connection) {
            self.targets.remove(&session);
            self.members -= self.memberships.remove(&session).map_or(0, |rooms| rooms.len());
            let outputs = self.directory.disconnected(session);
            self.send(outputs, None);
        }
    }

    /// Sends messages, those for one stream together. `answered` gets a reply even if it is empty.
    fn send(&mut self, outputs: Vec<Output>, answered: Option<u64>) {
        let mut by_session: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        if let Some(session) = answered {
            by_session.insert(session, Vec::new());
        }
        for Output { to, message } in outputs {
            if let ServerMessage::Refused { .. } = message {
                self.metrics.room_request_refused();
            }
            by_session.entry(to).or_default().extend(message.encode());
        }
        for (session, bytes) in by_session {
            let Some(Target { peer, connection, stream }) = self.targets.get(&session).copied()
            else {
                continue;
            };
            let event = if answered == Some(session) {
                Command::Reply { stream, bytes }
            } else {
                Command::Push { stream, bytes }
            };
            self.actions.push_back(ToSwarm::NotifyHandler {
                peer_id: peer,
                handler: NotifyHandler::One(connection),
                event,
            });
        }
        self.metrics.rooms(self.directory.rooms(), self.members, self.directory.streams());
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = std::convert::Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) = event {
            self.ended(connection_id);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {
            Event::Opened { stream } => self.opened(peer, connection, stream),
            Event::Request(message) => self.request(connection, message),
            Event::Ended(why) => {
                match why {
                    Ended::Closed => tracing::debug!(%peer, "room stream closed"),
                    Ended::Malformed => tracing::debug!(%peer, "malformed message on room stream"),
                    Ended::Slow => tracing::debug!(%peer, "room stream isn't read, dropped"),
                }
                self.metrics.room_stream_ended(why);
                self.ended(connection);
            }
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(action) = self.actions.pop_front() {
            return Poll::Ready(action);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
