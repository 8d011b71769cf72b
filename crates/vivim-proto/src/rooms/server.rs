//! The relay's side: who is in which room, and who must hear about it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use rand::{Rng, RngCore};

use super::{ClientMessage, Refusal, RelayLimits, ServerMessage};
use crate::{
    bucket::Bucket,
    id::RoomId,
    limits::{
        MAX_DIRECTORY_STREAMS_PER_PEER, MAX_PEER_BYTES, MAX_PEERS_PER_ANSWER, MAX_ROOMS_PER_PEER,
        ROOM_REQUEST_BURST, ROOM_REQUESTS_PER_SECOND,
    },
    time::Timestamp,
};

/// All rooms of a relay.
///
/// The driver calls [`connected`](Self::connected) when a client's stream is there,
/// [`handle`](Self::handle) for each message on it and [`disconnected`](Self::disconnected) when
/// it has gone, and sends what these return. `conn` is any number the driver gives a stream, never
/// used again for another one.
#[derive(Debug)]
pub struct Directory {
    limits: RelayLimits,
    max_rooms: usize,
    streams: HashMap<u64, Stream>,
    peers: HashMap<Peer, PeerState>,
    rooms: HashMap<RoomId, Room>,
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a message that isn't sent leaves a client with a wrong view"]
pub struct Output {
    /// On which stream.
    pub to: u64,
    /// What.
    pub message: ServerMessage,
}

/// Why a stream was not taken in. Close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The number is in use: a mistake of the driver.
    #[error("stream {0} is already connected")]
    DuplicateStream(u64),
    /// The peer id is longer than [`MAX_PEER_BYTES`] and could not be told to others.
    #[error("a peer id of {0} bytes is too long")]
    PeerTooLong(usize),
    /// The peer has [`MAX_DIRECTORY_STREAMS_PER_PEER`] streams open; a client needs one.
    #[error("the peer has too many directory streams open")]
    TooManyStreams,
}

/// Shared, because one id is in many tables.
type Peer = Arc<[u8]>;

#[derive(Debug)]
struct Stream {
    peer: Peer,
    rooms: HashSet<RoomId>,
}

#[derive(Debug)]
struct PeerState {
    streams: BTreeSet<u64>,
    /// In how many of its streams the peer is in a room.
    rooms: HashMap<RoomId, usize>,
    requests: Bucket,
}

#[derive(Debug, Default)]
struct Room {
    /// The peers in the room, in a vector to draw from and with their place in it.
    order: Vec<Peer>,
    members: HashMap<Peer, Member>,
    /// What each stream has been told: the inverse of [`Member::told`].
    knows: HashMap<u64, HashSet<Peer>>,
}

#[derive(Debug)]
struct Member {
    place: usize,
    /// The streams of this peer that are in the room; ordered, so that a seeded run repeats.
    streams: BTreeSet<u64>,
    /// The streams of others that have been told of this peer and must hear when it goes.
    told: BTreeSet<u64>,
}

impl Directory {
    /// An empty directory that announces `limits` to every client.
    ///
    /// `limits.max_rooms` is also enforced, up to [`MAX_ROOMS_PER_PEER`].
    pub fn new(limits: RelayLimits) -> Self {
        let max_rooms = MAX_ROOMS_PER_PEER.min(limits.max_rooms as usize);
        let limits = RelayLimits { max_rooms: max_rooms as u32, ..limits };
        Self {
            limits,
            max_rooms,
            streams: HashMap::new(),
            peers: HashMap::new(),
            rooms: HashMap::new(),
        }
    }

    /// A client's stream is there.
    pub fn connected(&mut self, peer: &[u8], conn: u64) -> Result<Vec<Output>, ConnectError> {
        if peer.len() > MAX_PEER_BYTES {
            return Err(ConnectError::PeerTooLong(peer.len()));
        }
        if self.streams.contains_key(&conn) {
            return Err(ConnectError::DuplicateStream(conn));
        }
        let peer: Peer = match self.peers.get_key_value(peer) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(peer),
        };
        let state = self.peers.entry(Arc::clone(&peer)).or_insert_with(|| PeerState {
            streams: BTreeSet::new(),
            rooms: HashMap::new(),
            requests: Bucket::new(
                ROOM_REQUEST_BURST,
                Duration::from_secs(1) / ROOM_REQUESTS_PER_SECOND,
            ),
        });
        if state.streams.len() >= MAX_DIRECTORY_STREAMS_PER_PEER {
            return Err(ConnectError::TooManyStreams);
        }
        state.streams.insert(conn);
        self.streams.insert(conn, Stream { peer, rooms: HashSet::new() });
        Ok(vec![Output { to: conn, message: ServerMessage::Hello { limits: self.limits } }])
    }

    /// A client's stream has gone, and with it every entry that it made.
    pub fn disconnected(&mut self, conn: u64) -> Vec<Output> {
        let Some(stream) = self.streams.remove(&conn) else { return Vec::new() };
        let mut out = Vec::new();
        // Sorted, so that a seeded run repeats.
        let rooms: BTreeSet<RoomId> = stream.rooms.into_iter().collect();
        for room in rooms {
            self.remove(conn, &stream.peer, room, &mut out);
        }
        if let Some(state) = self.peers.get_mut(&stream.peer) {
            state.streams.remove(&conn);
            if state.streams.is_empty() {
                self.peers.remove(&stream.peer);
            }
        }
        out
    }

    /// A message came on a stream. Messages on a stream that isn't connected are ignored.
    pub fn handle(
        &mut self,
        conn: u64,
        message: ClientMessage,
        now: Timestamp,
        rng: &mut impl RngCore,
    ) -> Vec<Output> {
        let (ClientMessage::Join { room } | ClientMessage::Leave { room }) = message;
        let Some(stream) = self.streams.get_mut(&conn) else { return Vec::new() };
        let peer = Arc::clone(&stream.peer);
        let Some(state) = self.peers.get_mut(&peer) else { return Vec::new() };
        if state.requests.take(now).is_err() {
            return refused(conn, room, Refusal::TooManyRequests);
        }
        match message {
            ClientMessage::Join { room } => {
                if !state.rooms.contains_key(&room) && state.rooms.len() >= self.max_rooms {
                    return refused(conn, room, Refusal::TooManyRooms);
                }
                if stream.rooms.insert(room) {
                    *state.rooms.entry(room).or_insert(0) += 1;
                }
                self.rooms.entry(room).or_default().join(conn, &peer, room, rng)
            }
            ClientMessage::Leave { room } => {
                let mut out = Vec::new();
                if stream.rooms.remove(&room) {
                    self.remove(conn, &peer, room, &mut out);
                }
                out
            }
        }
    }

    /// Streams connected now.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Rooms with at least one member.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// Takes a stream out of a room that has been taken out of the stream's own set.
    fn remove(&mut self, conn: u64, peer: &Peer, room: RoomId, out: &mut Vec<Output>) {
        if let Some(state) = self.peers.get_mut(peer)
            && let Some(count) = state.rooms.get_mut(&room)
        {
            *count -= 1;
            if *count == 0 {
                state.rooms.remove(&room);
            }
        }
        if let Some(entry) = self.rooms.get_mut(&room) {
            entry.leave(conn, peer, room, out);
            if entry.members.is_empty() {
                self.rooms.remove(&room);
            }
        }
    }
}

impl Room {
    fn join(
        &mut self,
        conn: u64,
        peer: &Peer,
        room: RoomId,
        rng: &mut impl RngCore,
    ) -> Vec<Output> {
        let newcomer = !self.members.contains_key(peer);
        let place = self.order.len();
        let member = self.members.entry(Arc::clone(peer)).or_insert_with(|| Member {
            place,
            streams: BTreeSet::new(),
            told: BTreeSet::new(),
        });
        member.streams.insert(conn);
        if newcomer {
            self.order.push(Arc::clone(peer));
        }

        // One more than the answer holds, since the peer itself may be drawn.
        let mut others = sample(&self.order, MAX_PEERS_PER_ANSWER + 1, rng);
        others.retain(|other| other != peer);
        others.truncate(MAX_PEERS_PER_ANSWER);
        for other in &others {
            self.tell(conn, other);
        }
        let mut out = vec![Output {
            to: conn,
            message: ServerMessage::Joined {
                room,
                peers: others.iter().map(|other| other.to_vec()).collect(),
                total: self.order.len() as u64 - 1,
            },
        }];
        if newcomer {
            let mut audience = sample(&self.order, MAX_PEERS_PER_ANSWER + 1, rng);
            audience.retain(|other| other != peer);
            audience.truncate(MAX_PEERS_PER_ANSWER);
            for other in audience {
                let streams = self.members.get(&other).map(|member| member.streams.clone());
                for to in streams.into_iter().flatten() {
                    self.tell(to, peer);
                    let message = ServerMessage::PeerJoined { room, peer: peer.to_vec() };
                    out.push(Output { to, message });
                }
            }
        }
        out
    }

    fn leave(&mut self, conn: u64, peer: &Peer, room: RoomId, out: &mut Vec<Output>) {
        for known in self.knows.remove(&conn).into_iter().flatten() {
            if let Some(member) = self.members.get_mut(&known) {
                member.told.remove(&conn);
            }
        }
        let Some(member) = self.members.get_mut(peer) else { return };
        member.streams.remove(&conn);
        if !member.streams.is_empty() {
            return;
        }
        let Some(member) = self.members.remove(peer) else { return };
        self.order.swap_remove(member.place);
        if let Some(moved) = self.order.get(member.place)
            && let Some(moved) = self.members.get_mut(moved)
        {
            moved.place = member.place;
        }
        for to in member.told {
            if let Some(known) = self.knows.get_mut(&to) {
                known.remove(peer);
            }
            out.push(Output { to, message: ServerMessage::PeerLeft { room, peer: peer.to_vec() } });
        }
    }

    /// Notes that `conn` is being told of `peer`.
    fn tell(&mut self, conn: u64, peer: &Peer) {
        if let Some(member) = self.members.get_mut(peer) {
            member.told.insert(conn);
            self.knows.entry(conn).or_default().insert(Arc::clone(peer));
        }
    }
}

fn refused(to: u64, room: RoomId, reason: Refusal) -> Vec<Output> {
    vec![Output { to, message: ServerMessage::Refused { room, reason } }]
}

/// `count` different elements, all of them if there are no more, in random order.
///
/// Touches `count` elements, not all: a room of ten thousand must not make each join cost that.
fn sample<T: Clone>(from: &[T], count: usize, rng: &mut impl RngCore) -> Vec<T> {
    let count = count.min(from.len());
    // A Fisher-Yates shuffle whose swaps are kept aside instead of being done to `from`.
    let mut moved: BTreeMap<usize, usize> = BTreeMap::new();
    let mut out = Vec::with_capacity(count);
    for at in 0..count {
        let drawn = rng.random_range(at..from.len());
        let index = moved.get(&drawn).copied().unwrap_or(drawn);
        let here = moved.get(&at).copied().unwrap_or(at);
        moved.insert(drawn, here);
        out.push(from[index].clone());
    }
    out
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
