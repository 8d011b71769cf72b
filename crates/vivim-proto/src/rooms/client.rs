//! The client's side: the rooms it wants to be in, and who is there.

use std::sync::Arc;

use super::{ClientMessage, Refusal, RelayLimits, ServerMessage};
use crate::{
    SortedMap, SortedSet,
    id::RoomId,
    limits::{MAX_PEERS_PER_ROOM, REJOIN_GRACE, ROOM_RETRY},
    time::Timestamp,
};

/// What a client wants of one relay, and what it knows from it.
///
/// The rooms to be in outlive the connection: after a reconnect all of them are joined again, and
/// the application hears only what is different. Until then the known peers stay known, because
/// direct connections go on working without the relay.
#[derive(Debug, Default)]
pub struct Rooms {
    connected: bool,
    rooms: SortedMap<RoomId, Room>,
    limits: Option<RelayLimits>,
}

/// What the driver has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Tell the application.
    Event(Event),
    /// Send to the relay.
    Send(ClientMessage),
}

/// What the application may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The relay said what it allows.
    Hello {
        /// It allows this.
        limits: RelayLimits,
    },
    /// The relay has us in the room, for the first time or again after a reconnect.
    Joined {
        /// The room.
        room: RoomId,
        /// How many others are there, of whom a large room's answer names only some.
        total: u64,
    },
    /// A peer is in the room.
    PeerJoined {
        /// The room.
        room: RoomId,
        /// Who.
        peer: Vec<u8>,
    },
    /// A peer is in the room no longer.
    PeerLeft {
        /// The room.
        room: RoomId,
        /// Who.
        peer: Vec<u8>,
    },
    /// The relay doesn't have us in the room. A join refused for its rate is repeated without
    /// being asked; one refused because there are too many rooms, after the next reconnect.
    Refused {
        /// The room.
        room: RoomId,
        /// Why.
        reason: Refusal,
    },
}

#[derive(Debug, Default)]
struct Room {
    /// Whether the relay has confirmed the join on this connection.
    joined: bool,
    retry_at: Option<Timestamp>,
    /// The peers, each with the time at which it is given up if nobody lists it again.
    peers: SortedMap<Arc<[u8]>, Option<Timestamp>>,
}

impl Rooms {
    /// No rooms, not connected.
    pub fn new() -> Self {
        Self::default()
    }

    /// Be in a room from now on.
    pub fn join(&mut self, room: RoomId) -> Vec<Output> {
        if self.rooms.contains_key(&room) {
            return Vec::new();
        }
        self.rooms.insert(room, Room::default());
        if self.connected { vec![join(room)] } else { Vec::new() }
    }

    /// Be there no longer. Its peers are forgotten without an event each.
    pub fn leave(&mut self, room: RoomId) -> Vec<Output> {
        if self.rooms.remove(&room).is_none() || !self.connected {
            return Vec::new();
        }
        vec![Output::Send(ClientMessage::Leave { room })]
    }

    /// The stream to the relay is there: joins everything.
    pub fn connected(&mut self) -> Vec<Output> {
        self.disconnected();
        self.connected = true;
        self.rooms.keys().map(|room| join(*room)).collect()
    }

    /// The stream to the relay has gone. Who is known stays known.
    pub fn disconnected(&mut self) {
        self.connected = false;
        for room in self.rooms.values_mut() {
            room.joined = false;
            room.retry_at = None;
        }
    }

    /// A message came from the relay.
    pub fn handle(&mut self, message: ServerMessage, now: Timestamp) -> Vec<Output> {
        match message {
            ServerMessage::Hello { limits } => {
                self.limits = Some(limits);
                vec![Output::Event(Event::Hello { limits })]
            }
            ServerMessage::Joined { room, peers, total } => match self.rooms.get_mut(&room) {
                Some(entry) => entry.handle_joined(room, peers, total, now),
                // The answer crossed our leave.
                None => Vec::new(),
            },
            ServerMessage::PeerJoined { room, peer } => match self.rooms.get_mut(&room) {
                Some(entry) => {
                    let mut out = Vec::new();
                    entry.add(room, peer, &mut out);
                    out
                }
                None => Vec::new(),
            },
            ServerMessage::PeerLeft { room, peer } => {
                let Some(entry) = self.rooms.get_mut(&room) else { return Vec::new() };
                if entry.peers.remove(peer.as_slice()).is_none() {
                    return Vec::new();
                }
                vec![Output::Event(Event::PeerLeft { room, peer })]
            }
            ServerMessage::Refused { room, reason } => {
                let Some(entry) = self.rooms.get_mut(&room) else { return Vec::new() };
                if !entry.joined && reason == Refusal::TooManyRequests {
                    entry.retry_at = Some(now + ROOM_RETRY);
                }
                vec![Output::Event(Event::Refused { room, reason })]
            }
        }
    }

    /// Time passed: repeats refused joins, gives up peers that nobody has listed again.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Vec<Output> {
        let mut out = Vec::new();
        for (id, room) in self.rooms.iter_mut() {
            if room.retry_at.is_some_and(|at| at <= now) {
                room.retry_at = None;
                out.push(join(*id));
            }
            room.peers.retain(|peer, given_up_at| {
                let stays = given_up_at.is_none_or(|at| at > now);
                if !stays {
                    let peer = peer.to_vec();
                    out.push(Output::Event(Event::PeerLeft { room: *id, peer }));
                }
                stays
            });
        }
        out
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let of_room =
            |room: &Room| room.peers.values().flatten().copied().chain(room.retry_at).min();
        self.rooms.values().filter_map(of_room).min()
    }

    /// What the relay said it allows.
    pub fn limits(&self) -> Option<RelayLimits> {
        self.limits
    }

    /// The rooms to be in.
    pub fn rooms(&self) -> impl Iterator<Item = RoomId> + '_ {
        self.rooms.keys().copied()
    }

    /// Whether the relay has us in the room now.
    pub fn is_joined(&self, room: RoomId) -> bool {
        self.rooms.get(&room).is_some_and(|room| room.joined)
    }

    /// The known peers of a room.
    pub fn peers(&self, room: RoomId) -> impl Iterator<Item = &[u8]> + '_ {
        self.rooms.get(&room).into_iter().flat_map(|room| room.peers.keys().map(AsRef::as_ref))
    }
}

impl Room {
    fn handle_joined(
        &mut self,
        id: RoomId,
        peers: Vec<Vec<u8>>,
        total: u64,
        now: Timestamp,
    ) -> Vec<Output> {
        let first = !self.joined;
        self.joined = true;
        self.retry_at = None;
        let mut out = Vec::new();
        if first {
            out.push(Output::Event(Event::Joined { room: id, total }));
        }
        // A second answer on one connection is another sample and says nothing of the others; the
        // first one after a reconnect is all that this relay knows.
        if first || peers.len() as u64 == total {
            let listed: SortedSet<&[u8]> = peers.iter().map(Vec::as_slice).collect();
            for (peer, given_up_at) in self.peers.iter_mut() {
                if !listed.contains(peer.as_ref()) && given_up_at.is_none() {
                    *given_up_at = Some(now + REJOIN_GRACE);
                }
            }
        }
        for peer in peers {
            self.add(id, peer, &mut out);
        }
        out
    }

    fn add(&mut self, id: RoomId, peer: Vec<u8>, out: &mut Vec<Output>) {
        if let Some(given_up_at) = self.peers.get_mut(peer.as_slice()) {
            *given_up_at = None;
        } else if self.peers.len() < MAX_PEERS_PER_ROOM {
            self.peers.insert(peer.as_slice().into(), None);
            out.push(Output::Event(Event::PeerJoined { room: id, peer }));
        }
    }
}

fn join(room: RoomId) -> Output {
    Output::Send(ClientMessage::Join { room })
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
