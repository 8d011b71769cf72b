//! What the swarm reports, and who in the actor it concerns.

use libp2p::{
    PeerId,
    core::ConnectedPoint,
    identify, ping, relay,
    swarm::{ConnectionId, DialError, SwarmEvent},
};

use super::{
    Actor,
    behaviour::BehaviourEvent,
    dials::{connect_error, reasons},
    timers::Timer,
};
use crate::{event::Event, limits};

impl Actor {
    // Rare: see `Actor::round`.
    #[inline(never)]
    pub(super) fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_established(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, .. } => {
                self.on_closed(peer_id, connection_id);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error } => {
                self.on_dial_error(connection_id, peer_id, &error);
            }
            SwarmEvent::NewListenAddr { .. }
            | SwarmEvent::ExpiredListenAddr { .. }
            | SwarmEvent::ExternalAddrConfirmed { .. }
            | SwarmEvent::ExternalAddrExpired { .. } => self.stale = true,
            SwarmEvent::ListenerClosed { listener_id, reason, .. } => {
                self.on_listener_closed(listener_id, reason.err().map(|e| e.to_string()));
                self.stale = true;
            }
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Streams(event) => self.on_stream_event(event),
            BehaviourEvent::Relay(relay::client::Event::ReservationReqAccepted {
                relay_peer_id,
                ..
            }) => self.on_reserved(relay_peer_id),
            BehaviourEvent::Relay(_) => {}
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                let known = self.known_mut(peer_id);
                known.addresses = info.listen_addrs;
                known.addresses.truncate(limits::MAX_ADDRESSES);
                known.protocols = info.protocols.iter().map(ToString::to_string).collect();
                let multiaddrs = known.addresses.clone();
                self.emit(Event::PeerDiscovered { peer: peer_id, multiaddrs });
            }
            BehaviourEvent::Identify(_) => {}
            BehaviourEvent::Ping(ping::Event { connection, result, .. }) => {
                self.on_ping(connection, result);
            }
            BehaviourEvent::Kad(event) => self.on_kad(event),
            BehaviourEvent::Gossipsub(event) => self.on_gossip(event),
            BehaviourEvent::Upgrade(event) => self.on_upgrade(event),
        }
    }

    fn on_established(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let first = !self.connections.is_connected(&peer);
        let bytes = self.meters.claim(&peer, endpoint);
        let entry = self.connections.insert(id, peer, endpoint, bytes);
        let (direct, outbound) = (entry.direct, entry.outbound);
        self.stale = true;
        if let Some(reply) = self.dials.remove(&id) {
            self.explicit.insert(peer);
            let _ = reply.send(Ok(peer));
        }
        if first {
            self.emit(Event::PeerConnected(peer));
        }
        self.on_relay_connected(peer, id, direct);
        self.on_room_peer_connected(peer, id, direct, outbound);
    }

    fn on_closed(&mut self, peer: PeerId, id: ConnectionId) {
        self.connections.remove(id);
        self.stale = true;
        self.close_links_on(id);
        self.on_relay_closed(peer, id);
        if !self.connections.is_connected(&peer) {
            self.emit(Event::PeerDisconnected(peer));
        }
        self.on_room_peer_closed(peer);
    }

    fn on_dial_error(&mut self, id: ConnectionId, peer: Option<PeerId>, error: &DialError) {
        if let Some(reply) = self.dials.remove(&id) {
            let address = match error {
                DialError::Transport(errors) => errors.first().map(|(a, _)| a.clone()),
                _ => None,
            };
            let address = address.unwrap_or_else(libp2p::Multiaddr::empty);
            let _ = reply.send(Err(connect_error(error, peer, &address)));
        }
        let Some(peer) = peer else { return };
        // Not an attempt: there is a connection or another dial already.
        if matches!(error, DialError::DialPeerConditionFalse(_)) {
            return;
        }
        self.on_relay_dial_error(peer, &reasons(error));
        self.on_room_peer_dial_error(peer);
    }

    fn on_ping(&mut self, id: ConnectionId, result: Result<std::time::Duration, ping::Failure>) {
        match result {
            Ok(rtt) => {
                if let Some(entry) = self.connections.get_mut(id) {
                    entry.rtt = Some(rtt);
                    self.stale = true;
                }
                self.on_alive(id);
            }
            Err(ping::Failure::Unsupported) => {}
            // The liveness policy: who doesn't answer a ping is gone. Streams may hang for ever.
            Err(_) => {
                self.swarm.close_connection(id);
            }
        }
    }

    fn known_mut(&mut self, peer: PeerId) -> &mut super::Known {
        if self.known.len() >= limits::MAX_KNOWN_PEERS && !self.known.contains_key(&peer) {
            // Any that isn't connected will do.
            let victim = self.known.keys().find(|p| !self.connections.is_connected(p)).copied();
            if let Some(victim) = victim {
                self.known.remove(&victim);
            }
        }
        self.known.entry(peer).or_default()
    }

    // Rare: see `Actor::round`.
    #[inline(never)]
    pub(super) fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Relay(peer) => self.on_relay_timer(peer),
            Timer::Directory(peer) => self.open_directory(peer),
            Timer::DirectoryDeadline(peer) => self.on_directory_timer(peer),
            Timer::Dial(peer) => self.on_dial_timer(peer),
            Timer::Link(peer) => self.on_link_timer(peer),
            Timer::DialTimeout(id) => self.on_dial_timeout(id),
            Timer::Relayed(id) => self.on_relayed_timer(id),
            Timer::Probe(id, received) => self.on_probe_timer(id, received),
            Timer::Session(id) => self.on_session_timer(id),
            Timer::Room(room) => self.on_room_timer(room),
        }
    }
}
