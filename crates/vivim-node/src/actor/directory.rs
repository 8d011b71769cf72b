//! The stream to each relay's room directory.

use std::collections::HashMap;

use libp2p::{PeerId, StreamProtocol};
use rand_chacha::rand_core::RngCore;
use vivim_proto::{
    id::RoomId,
    rooms::{self, ClientMessage, FrameDecoder, ServerMessage, client},
};

use super::{Actor, links::Opening, timers::Timer};
use crate::{
    event::{Event, RoomEvent, WarningCode},
    io::{Link, LinkId},
};

const ROOMS_PROTOCOL: StreamProtocol = StreamProtocol::new(rooms::PROTOCOL);

/// Messages waiting for a directory stream's writer; more means that the relay doesn't read.
const MAX_WAITING: usize = 4 * vivim_proto::limits::MAX_ROOMS_PER_PEER;

/// What we want of one relay's directory, and the stream to it while there is one.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) rooms: client::Rooms,
    stream: Option<Stream>,
}

#[derive(Debug)]
struct Stream {
    id: LinkId,
    io: Link,
    decoder: FrameDecoder<ServerMessage>,
    waiting: std::collections::VecDeque<bytes::Bytes>,
}

/// One directory per relay.
#[derive(Debug, Default)]
pub(super) struct Directories(pub(super) HashMap<PeerId, Directory>);

impl Directories {
    fn by_link(&mut self, id: LinkId) -> Option<(PeerId, &mut Directory)> {
        self.0
            .iter_mut()
            .find(|(_, d)| d.stream.as_ref().is_some_and(|s| s.id == id))
            .map(|(peer, d)| (*peer, d))
    }
}

impl Actor {
    /// The machine of a relay's directory, made when first needed: it wants all rooms.
    fn directory(&mut self, relay: PeerId) -> &mut Directory {
        let rooms = self.rooms.ids();
        self.directories.0.entry(relay).or_insert_with(|| {
            let mut client = client::Rooms::new();
            for room in rooms {
                // Not connected yet, so there is nothing to send.
                let _ = client.join(room);
            }
            Directory { rooms: client, stream: None }
        })
    }

    pub(super) fn open_directory(&mut self, relay: PeerId) {
        let has_stream =
            self.directories.0.get(&relay).is_some_and(|directory| directory.stream.is_some());
        let Some(connection) = self.relays.get(&relay).and_then(|r| r.connection) else { return };
        if !has_stream && self.rooms.wants_directory() {
            self.open(relay, connection, ROOMS_PROTOCOL, Opening::Directory);
        }
    }

    pub(super) fn on_directory_opened(&mut self, relay: PeerId, stream: Option<libp2p::Stream>) {
        let Some(stream) = stream else {
            let random = self.rng.next_u32();
            if let Some(relay) = self.relays.get_mut(&relay)
                && relay.connection.is_some()
            {
                let wait = relay.directory_backoff.next(random);
                self.timers.after(wait, Timer::Directory(relay.peer));
            }
            return;
        };
        if let Some(relay) = self.relays.get_mut(&relay) {
            relay.directory_backoff.reset();
        }
        let id = self.links.next_id();
        let io = Link::start(id, stream, &self.io_events);
        let directory = self.directory(relay);
        directory.stream =
            Some(Stream { id, io, decoder: FrameDecoder::new(), waiting: Default::default() });
        let outputs = directory.rooms.connected();
        self.on_directory_outputs(relay, outputs, false);
    }

    /// The relay's connection has gone.
    pub(super) fn on_directory_lost(&mut self, relay: PeerId) {
        if let Some(directory) = self.directories.0.get_mut(&relay) {
            directory.stream = None;
            directory.rooms.disconnected();
        }
    }

    pub(super) fn is_directory(&mut self, id: LinkId) -> bool {
        self.directories.by_link(id).is_some()
    }

    // Rare: see `Actor::round`.
    #[inline(never)]
    pub(super) fn on_directory_bytes(&mut self, id: LinkId, bytes: &[u8]) {
        let now = self.now();
        let Some((relay, directory)) = self.directories.by_link(id) else { return };
        let Some(stream) = &mut directory.stream else { return };
        stream.decoder.push(bytes);
        let (mut outputs, mut present) = (Vec::new(), Vec::new());
        let mut broken = false;
        loop {
            match stream.decoder.next() {
                Ok(Some(message)) => {
                    // Who is listed to us was there before: it is for us to dial.
                    let listed = matches!(message, ServerMessage::Joined { .. });
                    present.extend(named(&message).map(|peer| (listed, peer)));
                    outputs.push((listed, directory.rooms.handle(message, now)));
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(%relay, %error, "the directory's messages make no sense");
                    broken = true;
                    break;
                }
            }
        }
        for (listed, outputs) in outputs {
            self.on_directory_outputs(relay, outputs, listed);
        }
        // Members that we knew before make no event, but they are reachable now, whatever the
        // policy's backoff has come to while the relay was away.
        for (listed, peer) in present {
            self.on_member_reachable(peer, listed);
        }
        if broken {
            self.on_directory_closed(id);
        }
    }

    // Rare: see `Actor::round`.
    #[inline(never)]
    pub(super) fn on_directory_closed(&mut self, id: LinkId) {
        let Some((relay, _)) = self.directories.by_link(id) else { return };
        self.on_directory_lost(relay);
        self.on_directory_opened(relay, None);
    }

    // Rare: see `Actor::round`.
    #[inline(never)]
    pub(super) fn on_directory_ready(&mut self, id: LinkId) {
        if let Some((_, directory)) = self.directories.by_link(id)
            && let Some(stream) = &mut directory.stream
        {
            stream.pump();
        }
    }

    pub(super) fn join_directories(&mut self, room: RoomId) {
        let relays: Vec<PeerId> = self.relays.iter().map(|r| r.peer).collect();
        for relay in relays {
            let outputs = self.directory(relay).rooms.join(room);
            self.on_directory_outputs(relay, outputs, false);
            self.open_directory(relay);
        }
    }

    pub(super) fn leave_directories(&mut self, room: RoomId) {
        let relays: Vec<PeerId> = self.directories.0.keys().copied().collect();
        for relay in relays {
            let outputs = self.directory(relay).rooms.leave(room);
            self.on_directory_outputs(relay, outputs, false);
        }
    }

    pub(super) fn on_directory_timer(&mut self, relay: PeerId) {
        let now = self.now();
        if let Some(directory) = self.directories.0.get_mut(&relay) {
            let outputs = directory.rooms.handle_timeout(now);
            self.on_directory_outputs(relay, outputs, false);
        }
    }

    fn on_directory_outputs(&mut self, relay: PeerId, outputs: Vec<client::Output>, listed: bool) {
        for output in outputs {
            match output {
                client::Output::Send(message) => self.send_to_directory(relay, &message),
                client::Output::Event(event) => self.on_directory_event(relay, event, listed),
            }
        }
        let deadline = self.directories.0.get(&relay).and_then(|d| d.rooms.poll_timeout());
        if let Some(deadline) = deadline {
            let at = self.started + deadline.since_epoch();
            self.timers.at(at, Timer::DirectoryDeadline(relay));
        }
    }

    fn send_to_directory(&mut self, relay: PeerId, message: &ClientMessage) {
        if let Some(directory) = self.directories.0.get_mut(&relay)
            && let Some(stream) = &mut directory.stream
            && stream.waiting.len() < MAX_WAITING
        {
            stream.waiting.push_back(message.encode().into());
            stream.pump();
        }
    }

    fn on_directory_event(&mut self, relay: PeerId, event: client::Event, listed: bool) {
        match event {
            client::Event::Hello { limits } => {
                if let Some(relay) = self.relays.get_mut(&relay) {
                    relay.limits = Some(limits);
                }
            }
            client::Event::Joined { room, total } => {
                self.emit_room(room, RoomEvent::Joined { total });
            }
            client::Event::PeerJoined { room, peer } => {
                if let Ok(peer) = PeerId::from_bytes(&peer) {
                    self.on_member_joined(room, peer, listed);
                }
            }
            client::Event::PeerLeft { room, peer } => {
                if let Ok(peer) = PeerId::from_bytes(&peer)
                    && !self.is_listed(room, &peer)
                {
                    self.on_member_left(room, peer);
                }
            }
            client::Event::Refused { room, reason } => self.warn(
                WarningCode::RoomRefused,
                format!("the relay refused the room {room:?}: {reason:?}"),
            ),
            _ => {}
        }
    }

    /// Whether any relay's directory still lists a peer in a room.
    pub(super) fn is_listed(&self, room: RoomId, peer: &PeerId) -> bool {
        let bytes = peer.to_bytes();
        self.directories.0.values().any(|d| d.rooms.peers(room).any(|p| p == bytes))
    }

    pub(super) fn emit_room(&mut self, room: RoomId, event: RoomEvent) {
        if self.rooms.is_for_documents(&room) {
            self.emit(Event::Room(room, event));
        }
    }
}

/// The peers that a message says are there.
fn named(message: &ServerMessage) -> impl Iterator<Item = PeerId> + use<> {
    let peers = match message {
        ServerMessage::Joined { peers, .. } => peers.clone(),
        ServerMessage::PeerJoined { peer, .. } => vec![peer.clone()],
        _ => Vec::new(),
    };
    peers.into_iter().filter_map(|peer| PeerId::from_bytes(&peer).ok())
}

impl Stream {
    fn pump(&mut self) {
        while self.io.ready()
            && let Some(message) = self.waiting.pop_front()
        {
            self.io.send(message);
        }
    }
}
