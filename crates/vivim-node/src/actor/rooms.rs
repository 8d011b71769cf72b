//! Rooms and their documents: whom to be connected to, whom to offer what, how updates travel.

use std::collections::{BTreeSet, HashMap, VecDeque};

use bytes::Bytes;
use libp2p::{
    Multiaddr, PeerId,
    gossipsub::{IdentTopic, MessageAcceptance, TopicHash},
    swarm::ConnectionId,
};
use vivim_proto::{
    SortedMap, SortedSet,
    id::{DocId, RoomId, check_name, topic_room},
    room::{
        Input, Output, Room as Policy, Route,
        gossip::{GossipKind, GossipMessage},
    },
    sync::{ReplicaOp, RequestId},
};
use web_time::Instant;

use super::{Actor, timers::Timer};
use crate::{
    error::RoomError,
    event::{CallId, Event, RoomEvent, RoomPeer},
    limits,
};

/// One joined room. A topic's room has no name and no documents: its subscribers only meet there.
#[derive(Debug)]
struct Room {
    name: Option<String>,
    policy: Policy<PeerId>,
    docs: SortedSet<DocId>,
    timer: Option<Instant>,
}

/// All joined rooms.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    map: SortedMap<RoomId, Room>,
    /// The room of each attached document.
    docs: HashMap<DocId, RoomId>,
    /// The last numbered change of those whose application counts them.
    changes: HashMap<DocId, u64>,
    topics: HashMap<TopicHash, RoomId>,
    /// Peers that the application disconnected: not dialled until they are connected again.
    shunned: SortedSet<PeerId>,
    /// Members who came after us and have not had their time to dial us yet.
    waiting: SortedSet<PeerId>,
    /// Members whom the directory lists no longer but who are still connected directly.
    departed: BTreeSet<(RoomId, PeerId)>,
}

impl Rooms {
    pub(super) fn ids(&self) -> Vec<RoomId> {
        self.map.keys().copied().collect()
    }

    pub(super) fn wants_directory(&self) -> bool {
        !self.map.is_empty()
    }

    pub(super) fn is_for_documents(&self, room: &RoomId) -> bool {
        self.map.get(room).is_some_and(|r| r.name.is_some())
    }

    fn of_peer(&self, peer: &PeerId) -> Vec<RoomId> {
        self.map.iter().filter(|(_, r)| r.policy.is_member(peer)).map(|(id, _)| *id).collect()
    }
}

impl Actor {
    // Joining and leaving ----------------------------------------------------------------------

    pub(super) fn join_room(&mut self, name: &str) -> Result<RoomId, RoomError> {
        check_name(name)?;
        let id = RoomId::from_name(name);
        if self.rooms.map.contains_key(&id) {
            return Ok(id);
        }
        if self.rooms.map.len() >= limits::MAX_ROOMS {
            return Err(RoomError::TooManyRooms(limits::MAX_ROOMS));
        }
        let topic = IdentTopic::new(id.gossip_topic());
        if let Ok(gossipsub) = self.gossipsub() {
            // Fails only for topics that a filter forbids, and there is none.
            let _ = gossipsub.subscribe(&topic);
            self.rooms.topics.insert(topic.hash(), id);
        }
        self.add_room(id, Some(name.to_owned()));
        Ok(id)
    }

    fn add_room(&mut self, id: RoomId, name: Option<String>) {
        let policy = Policy::new(self.peer_id);
        self.rooms.map.insert(id, Room { name, policy, docs: SortedSet::new(), timer: None });
        self.stale = true;
        self.join_directories(id);
    }

    pub(super) fn join_topic_room(&mut self, topic: &str) {
        let id = topic_room(topic);
        if !self.rooms.map.contains_key(&id) && self.rooms.map.len() < limits::MAX_ROOMS {
            self.add_room(id, None);
        }
    }

    pub(super) fn leave_topic_room(&mut self, topic: &str) {
        self.remove_room(topic_room(topic));
    }

    #[inline(never)]
    pub(super) fn leave_room(&mut self, room: RoomId) -> Result<(), RoomError> {
        if !self.rooms.is_for_documents(&room) {
            return Err(RoomError::NotJoined);
        }
        let topic = IdentTopic::new(room.gossip_topic());
        if let Ok(gossipsub) = self.gossipsub() {
            gossipsub.unsubscribe(&topic);
        }
        self.rooms.topics.remove(&topic.hash());
        self.remove_room(room);
        Ok(())
    }

    fn remove_room(&mut self, id: RoomId) {
        let Some(room) = self.rooms.map.remove(&id) else { return };
        for doc in room.docs {
            self.rooms.docs.remove(&doc);
            self.rooms.changes.remove(&doc);
            self.withdraw(doc);
        }
        self.leave_directories(id);
        // A stream without a common document has no purpose; its connection goes when idle.
        for peer in room.policy.members() {
            if !self.shares_with(peer) {
                self.drop_links(peer);
            }
        }
        self.stale = true;
    }

    pub(super) fn stop_rooms(&mut self) {
        for id in self.rooms.ids() {
            self.remove_room(id);
        }
    }

    // Documents ----------------------------------------------------------------------------------

    pub(super) fn open_document(&mut self, room: RoomId, name: &str) -> Result<DocId, RoomError> {
        check_name(name)?;
        let Some(entry) = self.rooms.map.get_mut(&room) else { return Err(RoomError::NotJoined) };
        let Some(room_name) = &entry.name else { return Err(RoomError::NotJoined) };
        let doc = DocId::derive(room_name, name);
        if entry.docs.len() >= limits::MAX_DOCUMENTS_PER_ROOM {
            return Err(RoomError::TooManyDocuments(limits::MAX_DOCUMENTS_PER_ROOM));
        }
        if !entry.docs.insert(doc) {
            return Err(RoomError::AlreadyOpen);
        }
        self.rooms.docs.insert(doc, room);
        for peer in self.peers_for(room) {
            self.offer(&peer, doc);
        }
        Ok(doc)
    }

    #[inline(never)]
    pub(super) fn close_document(&mut self, doc: DocId) -> Result<(), RoomError> {
        let Some(room) = self.rooms.docs.remove(&doc) else { return Err(RoomError::NotJoined) };
        self.rooms.changes.remove(&doc);
        if let Some(room) = self.rooms.map.get_mut(&room) {
            room.docs.remove(&doc);
        }
        self.withdraw(doc);
        Ok(())
    }

    pub(super) fn has_document(&self, doc: DocId) -> bool {
        self.rooms.docs.contains_key(&doc)
    }

    /// The documents to offer to a peer: those of the rooms it is in, and all of them to one that
    /// the application connected to by address.
    pub(super) fn docs_for(&self, peer: &PeerId) -> Vec<DocId> {
        let explicit = self.explicit.contains(peer);
        self.rooms
            .map
            .values()
            .filter(|room| explicit || room.policy.is_member(peer))
            .flat_map(|room| room.docs.iter().copied())
            .collect()
    }

    /// Whether there is a reason for a sync stream with a peer.
    pub(super) fn shares_with(&self, peer: &PeerId) -> bool {
        !self.relays.contains(peer)
            && (self.explicit.contains(peer)
                || self
                    .rooms
                    .map
                    .values()
                    .any(|room| room.name.is_some() && room.policy.is_member(peer)))
    }

    fn peers_for(&self, room: RoomId) -> Vec<PeerId> {
        let Some(room) = self.rooms.map.get(&room) else { return Vec::new() };
        room.policy.members().chain(&self.explicit).copied().collect()
    }

    /// A peer has opened a document, so it is in the document's room, whatever a directory says.
    pub(super) fn on_doc_opened(&mut self, doc: DocId, peer: PeerId) {
        if let Some(room) = self.rooms.docs.get(&doc).copied() {
            self.on_member_joined(room, peer, false);
        }
    }

    // Updates ------------------------------------------------------------------------------------

    pub(super) fn local_update(&mut self, doc: DocId, payload: Bytes) {
        self.send_update(doc, payload, GossipKind::Update, None);
    }

    pub(super) fn local_change(&mut self, doc: DocId, change: u64, payload: Bytes) {
        self.send_update(doc, payload, GossipKind::Update, Some(change));
        // Where it went by stream, this says nothing new.
        self.note_change(doc, change);
    }

    pub(super) fn note_change(&mut self, doc: DocId, change: u64) {
        if !self.rooms.docs.contains_key(&doc) {
            return;
        }
        let latest = self.rooms.changes.entry(doc).or_default();
        *latest = change.max(*latest);
        self.note_on_links(doc, change);
    }

    /// The last numbered change of a document.
    pub(super) fn latest_change(&self, doc: DocId) -> u64 {
        self.rooms.changes.get(&doc).copied().unwrap_or(0)
    }

    pub(super) fn local_awareness(&mut self, doc: DocId, payload: Bytes) {
        self.send_update(doc, payload, GossipKind::Awareness, None);
    }

    fn send_update(&mut self, doc: DocId, payload: Bytes, kind: GossipKind, change: Option<u64>) {
        let Some(id) = self.rooms.docs.get(&doc).copied() else { return };
        let Some(room) = self.rooms.map.get(&id) else { return };
        let peers: Vec<PeerId> = match room.policy.route(payload.len()) {
            Route::Gossip => {
                let message = GossipMessage { doc, kind, payload: payload.clone() };
                let sent = message
                    .encode()
                    .is_ok_and(|bytes| self.publish_full(&id.gossip_topic(), bytes).is_ok());
                if sent {
                    if kind == GossipKind::Update {
                        self.hold_answers(doc);
                    }
                    return;
                }
                // Without gossip (switched off, or its queues full) streams carry it.
                self.neighbours(id)
            }
            Route::Streams => self.peers_for(id),
            Route::Neighbours => self.neighbours(id),
        };
        for peer in peers {
            self.with_sessions(&peer, |session| match (kind, change) {
                (GossipKind::Update, Some(change)) => {
                    session.local_change(doc, change, payload.clone());
                }
                (GossipKind::Update, None) => {
                    session.local_update(doc, payload.clone());
                }
                (GossipKind::Awareness, _) => session.local_awareness(doc, payload.clone()),
            });
        }
    }

    fn neighbours(&self, room: RoomId) -> Vec<PeerId> {
        let room = self.rooms.map.get(&room);
        room.map(|r| r.policy.neighbours().copied().collect()).unwrap_or_default()
    }

    /// A message on a room's topic.
    pub(super) fn on_room_gossip(
        &mut self,
        topic: &TopicHash,
        from: PeerId,
        data: &[u8],
    ) -> MessageAcceptance {
        let Some(room) = self.rooms.topics.get(topic).copied() else {
            return MessageAcceptance::Ignore;
        };
        match GossipMessage::decode(Bytes::copy_from_slice(data)) {
            Err(_) => MessageAcceptance::Reject,
            Ok(None) => MessageAcceptance::Ignore,
            Ok(Some(message)) => {
                if self.rooms.docs.get(&message.doc) == Some(&room) {
                    let payload = message.payload;
                    let op = match message.kind {
                        GossipKind::Update => ReplicaOp::Apply { payload },
                        GossipKind::Awareness => ReplicaOp::ApplyAwareness { payload },
                    };
                    // No session asks, so nobody waits for the answer: link zero is nobody's.
                    let id = CallId { link: 0, request: RequestId(0) };
                    self.emit(Event::Replica { doc: message.doc, id, peer: from, op });
                }
                // A document that isn't open here may be open at the next peer.
                MessageAcceptance::Accept
            }
        }
    }

    /// A stream brought what gossip can't carry: the others need to hear of it.
    pub(super) fn on_large_update(&mut self, doc: DocId) {
        if let Some(room) = self.rooms.docs.get(&doc).copied() {
            self.run_policy(room, Input::LargeUpdate);
        }
    }

    // Members --------------------------------------------------------------------------------------

    /// `dial` if it is for us to dial: we are the newcomer and were given a list.
    pub(super) fn on_member_joined(&mut self, id: RoomId, peer: PeerId, dial: bool) {
        let Some(room) = self.rooms.map.get(&id) else { return };
        if peer == self.peer_id || room.policy.is_member(&peer) {
            return;
        }
        if !dial && !self.connections.is_connected(&peer) {
            self.rooms.waiting.insert(peer);
            self.timers.after(limits::NEWCOMER_GRACE, Timer::Dial(peer));
        }
        self.stale = true;
        self.run_policy(id, Input::PeerJoined(peer));
        self.emit_room(id, RoomEvent::PeerJoined(peer));
        if self.connections.is_connected(&peer) {
            self.run_policy(id, Input::Connected(peer));
            let docs: Vec<DocId> = self
                .rooms
                .map
                .get(&id)
                .map(|r| r.docs.iter().copied().collect())
                .unwrap_or_default();
            for doc in docs {
                self.offer(&peer, doc);
            }
            self.schedule_link(peer);
        }
    }

    /// A relay has just named a member: if it is ours to be connected to, now is the time.
    pub(super) fn on_member_reachable(&mut self, peer: PeerId, listed: bool) {
        if self.connections.is_connected(&peer) || !self.is_neighbour(&peer) {
            return;
        }
        if listed {
            self.rooms.waiting.remove(&peer);
            self.dial_member(peer);
        } else if self.rooms.waiting.insert(peer) {
            self.timers.after(limits::NEWCOMER_GRACE, Timer::Dial(peer));
        }
    }

    fn is_neighbour(&self, peer: &PeerId) -> bool {
        self.rooms.map.values().any(|room| room.policy.neighbours().any(|p| p == peer))
    }

    pub(super) fn on_member_left(&mut self, id: RoomId, peer: PeerId) {
        // Who still has a document of the room open with us is still there: the relay may just have
        // restarted. If not, the probe ends the connection, and with it the membership.
        if self.connections.is_direct(&peer) && self.shares_document(id, &peer) {
            self.rooms.departed.insert((id, peer));
            self.probe(peer);
            return;
        }
        self.stale = true;
        self.run_policy(id, Input::PeerLeft(peer));
        self.emit_room(id, RoomEvent::PeerLeft(peer));
    }

    /// Drives a room's policy and does what it says. Who can't be dialled is news to the policies at
    /// once, and each may name the next one: as many as a room has members, so it's a loop.
    fn run_policy(&mut self, id: RoomId, input: Input<PeerId>) {
        let mut inputs = VecDeque::from([(id, input)]);
        while let Some((id, input)) = inputs.pop_front() {
            for output in self.step_policy(id, input) {
                match output {
                    Output::Connect(peer) if !self.try_dial_member(peer) => {
                        let rooms = self.rooms.of_peer(&peer).into_iter();
                        inputs.extend(rooms.map(|room| (room, Input::Disconnected(peer))));
                    }
                    Output::Connect(_) => {}
                    Output::Mode(mode) => tracing::debug!(room = ?id, ?mode, "the room's mode"),
                    Output::Resummarize(peer) => self.resummarize(id, peer),
                }
            }
        }
    }

    fn step_policy(&mut self, id: RoomId, input: Input<PeerId>) -> Vec<Output<PeerId>> {
        let now = self.now();
        let Some(room) = self.rooms.map.get_mut(&id) else { return Vec::new() };
        let outputs = room.policy.handle(input, now, &mut self.rng);
        if let Some(deadline) = room.policy.poll_timeout() {
            let at = self.started + deadline.since_epoch();
            if room.timer.is_none_or(|set| at < set) {
                room.timer = Some(at);
                self.timers.at(at, Timer::Room(id));
            }
        }
        outputs
    }

    fn resummarize(&mut self, room: RoomId, peer: PeerId) {
        let Some(room) = self.rooms.map.get(&room) else { return };
        for doc in room.docs.clone() {
            for id in self.links.of(&peer).map(|(id, _)| id).collect::<Vec<_>>() {
                self.resummarize_on(id, doc);
            }
        }
    }

    /// The replica had to drop something: every peer is asked again.
    pub(super) fn resummarize_all(&mut self, doc: DocId) {
        for id in self.links.ids() {
            self.resummarize_on(id, doc);
        }
    }

    pub(super) fn on_room_timer(&mut self, room: RoomId) {
        if let Some(entry) = self.rooms.map.get_mut(&room) {
            entry.timer = None;
            self.run_policy(room, Input::Timeout);
        }
    }

    // Connections to members -----------------------------------------------------------------------

    fn dial_member(&mut self, peer: PeerId) {
        if !self.try_dial_member(peer) {
            self.on_room_peer_dial_error(peer);
        }
    }

    /// False if a member that should be dialled can't be.
    fn try_dial_member(&mut self, peer: PeerId) -> bool {
        if self.connections.is_connected(&peer)
            || self.rooms.shunned.contains(&peer)
            || self.rooms.waiting.contains(&peer)
        {
            return true;
        }
        let addresses = self.room_addresses(&peer);
        !addresses.is_empty() && self.dial_peer(peer, addresses)
    }

    /// The newcomer has had its time to dial.
    pub(super) fn on_dial_timer(&mut self, peer: PeerId) {
        if self.rooms.waiting.remove(&peer) && self.is_neighbour(&peer) {
            self.dial_member(peer);
        }
    }

    /// Where a peer can be reached: through the relays, and at its own addresses.
    pub(super) fn room_addresses(&self, peer: &PeerId) -> Vec<Multiaddr> {
        if self.rooms.of_peer(peer).is_empty() {
            return Vec::new();
        }
        self.relays.circuits(*peer)
    }

    pub(super) fn on_room_peer_connected(
        &mut self,
        peer: PeerId,
        _: ConnectionId,
        _direct: bool,
        outbound: bool,
    ) {
        self.rooms.waiting.remove(&peer);
        self.rooms.shunned.remove(&peer);
        for room in self.rooms.of_peer(&peer) {
            self.run_policy(room, Input::Connected(peer));
            self.emit_room(room, RoomEvent::PeersChanged);
        }
        if outbound {
            // The dialler opens the stream at once, the other side only if it doesn't.
            self.want_link(peer);
        } else {
            self.schedule_link(peer);
        }
    }

    pub(super) fn schedule_link(&mut self, peer: PeerId) {
        self.timers.after(limits::ACCEPTOR_GRACE, Timer::Link(peer));
    }

    pub(super) fn on_room_peer_closed(&mut self, peer: PeerId) {
        let connected = self.connections.is_connected(&peer);
        for room in self.rooms.of_peer(&peer) {
            if !connected {
                self.run_policy(room, Input::Disconnected(peer));
            }
            self.emit_room(room, RoomEvent::PeersChanged);
        }
        if connected {
            self.schedule_link(peer);
            return;
        }
        self.settle_departed(peer);
    }

    /// Whether a peer has a document of a room open with us.
    fn shares_document(&self, id: RoomId, peer: &PeerId) -> bool {
        let Some(room) = self.rooms.map.get(&id) else { return false };
        self.links.of(peer).any(|(_, link)| room.docs.iter().any(|doc| link.is_open(*doc)))
    }

    /// A document or a connection was closed: members whom no directory lists and who share nothing
    /// with us any more have left.
    pub(super) fn settle_departed(&mut self, peer: PeerId) {
        let gone: Vec<RoomId> = self
            .rooms
            .departed
            .iter()
            .filter(|(room, p)| *p == peer && !self.shares_document(*room, p))
            .map(|(room, _)| *room)
            .collect();
        for room in gone {
            self.rooms.departed.remove(&(room, peer));
            if !self.is_listed(room, &peer) {
                self.on_member_left(room, peer);
            }
        }
    }

    pub(super) fn on_room_peer_dial_error(&mut self, peer: PeerId) {
        if self.connections.is_connected(&peer) {
            return;
        }
        for room in self.rooms.of_peer(&peer) {
            self.run_policy(room, Input::Disconnected(peer));
        }
    }

    /// The network is there (again): nobody waits for a backoff.
    pub(super) fn retry_peers_now(&mut self) {
        let peers: SortedSet<PeerId> =
            self.rooms.map.values().flat_map(|r| r.policy.neighbours().copied()).collect();
        for peer in peers {
            self.dial_member(peer);
        }
    }

    /// The application wants no connection to this peer.
    pub(super) fn forget_room_peer(&mut self, peer: PeerId) {
        if !self.rooms.of_peer(&peer).is_empty() {
            self.rooms.shunned.insert(peer);
        }
    }

    pub(super) fn room_peers(&self) -> HashMap<RoomId, Vec<RoomPeer>> {
        self.rooms
            .map
            .iter()
            .filter(|(_, room)| room.name.is_some())
            .map(|(id, room)| {
                let peers = room.policy.members().map(|peer| RoomPeer {
                    peer: *peer,
                    connected: self.connections.is_connected(peer),
                    direct: self.connections.is_direct(peer),
                });
                (*id, peers.collect())
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "rooms_tests.rs"]
mod tests;
