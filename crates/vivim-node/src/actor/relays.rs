//! Keeps a connection, a reservation and a directory stream with every configured relay.

use libp2p::{
    Multiaddr, PeerId, core::transport::ListenerId, multiaddr::Protocol, swarm::ConnectionId,
};
use rand_chacha::rand_core::RngCore;
use vivim_proto::rooms::RelayLimits;

use super::{Actor, backoff::Backoff, dials::target, timers::Timer};
use crate::{
    error::StartError,
    event::{RelayDiagnosis, RelayState, WarningCode},
    io::LinkId,
    limits,
};

/// One configured relay.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) peer: PeerId,
    pub(super) address: Multiaddr,
    pub(super) connection: Option<ConnectionId>,
    /// The stream of its room directory.
    pub(super) directory: Option<LinkId>,
    pub(super) limits: Option<RelayLimits>,
    listener: Option<ListenerId>,
    reserved: bool,
    backoff: Backoff,
    pub(super) directory_backoff: Backoff,
    last_error: Option<String>,
    warned: bool,
}

/// The configured relays.
#[derive(Debug)]
pub(super) struct Relays(Vec<Relay>);

impl Relays {
    pub(super) fn new(addresses: &[Multiaddr]) -> Result<Self, StartError> {
        let mut relays: Vec<Relay> = Vec::new();
        for address in addresses {
            let Some(peer) = target(address) else {
                return Err(StartError::BootstrapWithoutPeerId(address.clone()));
            };
            if relays.iter().any(|r| r.peer == peer) {
                continue;
            }
            let backoff = Backoff::new(limits::RELAY_BACKOFF_MIN, limits::RELAY_BACKOFF_MAX);
            relays.push(Relay {
                peer,
                address: address.clone(),
                connection: None,
                directory: None,
                limits: None,
                listener: None,
                reserved: false,
                directory_backoff: backoff.clone(),
                backoff,
                last_error: None,
                warned: false,
            });
        }
        Ok(Self(relays))
    }

    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.0.iter().any(|r| r.peer == *peer)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get_mut(&mut self, peer: &PeerId) -> Option<&mut Relay> {
        self.0.iter_mut().find(|r| r.peer == *peer)
    }

    pub(super) fn get(&self, peer: &PeerId) -> Option<&Relay> {
        self.0.iter().find(|r| r.peer == *peer)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Relay> {
        self.0.iter()
    }

    /// Where a peer can be reached through the relays that we are connected to.
    pub(super) fn circuits(&self, peer: PeerId) -> Vec<Multiaddr> {
        self.0
            .iter()
            .filter(|r| r.connection.is_some())
            .map(|r| r.address.clone().with(Protocol::P2pCircuit).with(Protocol::P2p(peer)))
            .collect()
    }
}

impl Actor {
    pub(super) fn start_relays(&mut self) {
        let peers: Vec<PeerId> = self.relays.iter().map(|r| r.peer).collect();
        for peer in peers {
            self.reserve(peer);
        }
    }

    /// Listens through a relay, which dials it first if need be.
    fn reserve(&mut self, peer: PeerId) {
        let Some(relay) = self.relays.get_mut(&peer) else { return };
        if relay.listener.is_some() || !self.running {
            return;
        }
        match self.swarm.listen_on(relay.address.clone().with(Protocol::P2pCircuit)) {
            Ok(listener) => relay.listener = Some(listener),
            Err(error) => {
                relay.last_error = Some(error.to_string());
                self.retry_relay(peer);
            }
        }
    }

    fn retry_relay(&mut self, peer: PeerId) {
        let random = self.rng.next_u32();
        if let Some(relay) = self.relays.get_mut(&peer) {
            let wait = relay.backoff.next(random);
            self.timers.after(wait, Timer::Relay(peer));
        }
    }

    pub(super) fn on_relay_timer(&mut self, peer: PeerId) {
        self.reserve(peer);
    }

    /// The network is there (again): no relay waits for its timer.
    pub(super) fn retry_relays_now(&mut self) {
        let peers: Vec<PeerId> = self.relays.iter().map(|r| r.peer).collect();
        for peer in peers {
            if let Some(relay) = self.relays.get_mut(&peer) {
                relay.backoff.reset();
                relay.directory_backoff.reset();
            }
            self.reserve(peer);
        }
    }

    pub(super) fn on_relay_connected(&mut self, peer: PeerId, id: ConnectionId, direct: bool) {
        let Some(relay) = self.relays.get_mut(&peer).filter(|_| direct) else { return };
        if relay.connection.is_none() {
            relay.connection = Some(id);
            relay.backoff.reset();
            relay.warned = false;
            relay.last_error = None;
            self.open_directory(peer);
            self.reserve(peer);
        }
    }

    pub(super) fn on_relay_closed(&mut self, peer: PeerId, id: ConnectionId) {
        let next = self.connections.of(&peer).find(|(_, e)| e.direct).map(|(id, _)| id);
        let Some(relay) = self.relays.get_mut(&peer).filter(|r| r.connection == Some(id)) else {
            return;
        };
        relay.connection = next;
        relay.reserved = false;
        relay.directory = None;
        self.on_directory_lost(peer);
        if next.is_some() {
            self.open_directory(peer);
        }
    }

    pub(super) fn on_relay_dial_error(&mut self, peer: PeerId, reason: &str) {
        let Some(relay) = self.relays.get_mut(&peer) else { return };
        relay.last_error = Some(reason.to_owned());
        let address = relay.address.clone();
        if !std::mem::replace(&mut relay.warned, true) {
            self.warn(
                WarningCode::RelayUnreachable,
                format!("the relay {address} can't be reached: {reason}"),
            );
        }
    }

    pub(super) fn on_reserved(&mut self, peer: PeerId) {
        if let Some(relay) = self.relays.get_mut(&peer) {
            relay.reserved = true;
            relay.backoff.reset();
            self.stale = true;
        }
    }

    /// A relay's listener ends with its connection, or when a reservation is refused.
    pub(super) fn on_listener_closed(&mut self, listener: ListenerId, reason: Option<String>) {
        let Some(relay) = self.relays.0.iter_mut().find(|r| r.listener == Some(listener)) else {
            return;
        };
        relay.listener = None;
        let was_reserved = std::mem::take(&mut relay.reserved);
        let peer = relay.peer;
        let connected = relay.connection.is_some();
        if let Some(reason) = reason {
            relay.last_error.get_or_insert_with(|| reason.clone());
            if connected && !was_reserved && !std::mem::replace(&mut relay.warned, true) {
                self.warn(
                    WarningCode::ReservationRefused,
                    format!("the relay {peer} refused a reservation: {reason}"),
                );
            }
        }
        self.retry_relay(peer);
    }

    pub(super) fn diagnose_relays(&self) -> Vec<RelayDiagnosis> {
        self.relays
            .iter()
            .map(|relay| RelayDiagnosis {
                address: relay.address.clone(),
                state: match (relay.connection, relay.reserved, relay.listener) {
                    (Some(_), true, _) => RelayState::Reserved,
                    (Some(_), false, _) => RelayState::Connected,
                    (None, _, Some(_)) => RelayState::Connecting,
                    (None, _, None) => RelayState::Disconnected,
                },
                last_error: relay.last_error.clone(),
                limits: relay.limits,
            })
            .collect()
    }
}
