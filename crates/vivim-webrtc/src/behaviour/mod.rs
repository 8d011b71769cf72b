//! The libp2p behaviour: signaling streams on relayed connections, and automatic upgrades.

pub(crate) mod handler;
mod upgrade;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, StreamExt, channel::mpsc};
use futures_timer::Delay;
use libp2p::{
    Multiaddr, PeerId,
    core::{ConnectedPoint, Endpoint, transport::PortUse},
    multiaddr::Protocol,
    swarm::{
        CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, ListenOpts, NetworkBehaviour,
        NotifyHandler, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use web_time::Instant;

use self::{
    handler::{Handler, Kind},
    upgrade::{Input, Output, Settings, Upgrades},
};
use crate::{
    addr,
    config::Config,
    control::{Control, InboundOffer, OpenError, OpenRequest},
    gauge::{Gauge, Permit},
};

/// What the behaviour reports.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A direct connection is up. It has not carried a byte yet: go on using what you have.
    DirectConnected {
        /// The peer.
        peer: PeerId,
        /// The connection.
        connection: ConnectionId,
        /// Whether this side dialed it.
        dialed: bool,
    },
    /// The peer has answered over a direct connection (its protocols became known, as identify
    /// does): traffic can move there and the relayed connections are not needed any more.
    DirectProven {
        /// The peer.
        peer: PeerId,
        /// The connection.
        connection: ConnectionId,
    },
    /// An automatic upgrade failed. The relayed connection stays; another attempt follows.
    UpgradeFailed {
        /// The peer.
        peer: PeerId,
        /// Why, in words.
        reason: String,
        /// Time to the next attempt.
        retry_in: Duration,
    },
}

/// Opens and accepts signaling streams on relayed connections, and upgrades them. It needs the [`Transport`](crate::Transport) that was made with it.
pub struct Behaviour {
    local: PeerId,
    config: Config,
    control: Control,
    requests: mpsc::Receiver<OpenRequest>,
    offers: mpsc::Sender<InboundOffer>,
    sessions: Gauge,
    /// The session that a peer's offer started, while it runs.
    inbound: HashMap<PeerId, Weak<Permit>>,
    upgrades: Upgrades,
    /// Where each relayed connection goes: the circuit's address without the peer's id.
    circuits: HashMap<ConnectionId, Multiaddr>,
    /// Dials of relayed connections that requests wait for.
    relay_dials: HashMap<ConnectionId, OpenRequest>,
    /// Dials of direct connections by this behaviour.
    upgrade_dials: HashMap<ConnectionId, PeerId>,
    actions: VecDeque<ToSwarm<Event, OpenRequest>>,
    timer: Option<(Instant, Delay)>,
}

impl Behaviour {
    pub(crate) fn new(
        local: PeerId,
        config: Config,
        control: Control,
        requests: mpsc::Receiver<OpenRequest>,
        offers: mpsc::Sender<InboundOffer>,
    ) -> Self {
        let settings = Settings {
            auto: config.auto_upgrade,
            delay: config.upgrade_delay,
            backoff: config.backoff,
            close_relayed_after: config.close_relayed_after,
            session_timeout: config.session_timeout,
        };
        let mut actions = VecDeque::new();
        if config.accept_inbound {
            actions.push_back(ToSwarm::ListenOn { opts: ListenOpts::new(addr::listen()) });
        }
        Self {
            local,
            sessions: Gauge::new(config.max_inbound_sessions),
            config,
            control,
            requests,
            offers,
            inbound: HashMap::new(),
            circuits: HashMap::new(),
            upgrades: Upgrades::new(local, settings, upgrade::seed()),
            relay_dials: HashMap::new(),
            upgrade_dials: HashMap::new(),
            actions,
            timer: None,
        }
    }

    /// Opens signaling streams, for those who run sessions themselves.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// The direct connections to a peer, oldest first.
    pub fn direct_connections(&self, peer: &PeerId) -> impl Iterator<Item = ConnectionId> {
        self.upgrades.direct(peer)
    }

    /// The relayed connection to a peer that signaling would use.
    pub fn relayed_connection(&self, peer: &PeerId) -> Option<ConnectionId> {
        self.upgrades.relayed(peer)
    }

    /// Forgets a peer's failures and, if it is connected over a relay only, attempts an upgrade
    /// at once. Call it when the network has changed, as on the browser's `online` event.
    pub fn retry(&mut self, peer: PeerId) {
        self.handle(Input::Retry(peer), None);
    }

    fn handle(&mut self, input: Input, reason: Option<&dyn std::fmt::Display>) {
        for output in self.upgrades.handle(input, Instant::now()) {
            let action = match output {
                Output::Close(peer_id, connection) => {
                    let connection = CloseConnection::One(connection);
                    ToSwarm::CloseConnection { peer_id, connection }
                }
                Output::Dial(peer) => {
                    // `Always`: the peer is connected, and may be being dialed too.
                    let relayed = self.upgrades.relayed(&peer);
                    let address = self.webrtc_address(relayed, peer);
                    let opts = DialOpts::peer_id(peer)
                        .addresses(vec![address])
                        .condition(PeerCondition::Always)
                        .build();
                    self.upgrade_dials.insert(opts.connection_id(), peer);
                    ToSwarm::Dial { opts }
                }
                Output::Failed(peer, retry_in) => {
                    let reason = reason.map(ToString::to_string).unwrap_or_default();
                    tracing::debug!(%peer, %reason, ?retry_in, "an upgrade failed");
                    ToSwarm::GenerateEvent(Event::UpgradeFailed { peer, reason, retry_in })
                }
            };
            self.actions.push_back(action);
        }
    }

    /// Where a peer's `/webrtc` is reached. Identify tells peers what we see them at, and
    /// js-libp2p refuses an address that doesn't begin with a host, as the bare form does.
    fn webrtc_address(&self, relayed: Option<ConnectionId>, peer: PeerId) -> Multiaddr {
        match relayed.and_then(|connection| self.circuits.get(&connection)) {
            Some(circuit) => circuit.clone().with(Protocol::WebRTC).with(Protocol::P2p(peer)),
            None => addr::bare(peer),
        }
    }

    fn handler(&mut self, connection: ConnectionId, kind: Kind) -> Handler {
        Handler::new(kind, self.relay_dials.remove(&connection))
    }

    /// Serves a request for a signaling stream.
    fn on_request(&mut self, request: OpenRequest) {
        let peer = request.peer;
        self.handle(Input::Requested(peer), None);
        if let Some(connection) = self.upgrades.relayed(&peer) {
            let handler = NotifyHandler::One(connection);
            self.actions.push_back(ToSwarm::NotifyHandler {
                peer_id: peer,
                handler,
                event: request,
            });
            return;
        }
        let Some(relayed) = request.relayed.clone() else {
            let _ = request.reply.send(Err(OpenError::NoRelayedConnection));
            return;
        };
        // `Always`: the swarm is dialing this peer already, and that dial waits for this one.
        let opts = DialOpts::peer_id(peer)
            .addresses(vec![relayed])
            .condition(PeerCondition::Always)
            .build();
        self.relay_dials.insert(opts.connection_id(), request);
        self.actions.push_back(ToSwarm::Dial { opts });
    }

    /// Hands an offer to the transport, if there is room. Dropping the stream resets it.
    fn on_offer(&mut self, peer: PeerId, connection: ConnectionId, stream: libp2p::swarm::Stream) {
        self.inbound.retain(|_, session| session.strong_count() > 0);
        if self.inbound.contains_key(&peer) {
            tracing::debug!(%peer, "refused an offer: this peer's last one is not done");
            return;
        }
        let Some(permit) = self.sessions.acquire() else {
            tracing::debug!(%peer, "refused an offer: too many at once");
            return;
        };
        let permit = Arc::new(permit);
        self.inbound.insert(peer, Arc::downgrade(&permit));
        let address = self.webrtc_address(Some(connection), peer);
        if self.offers.try_send(InboundOffer { peer, address, stream, permit }).is_err() {
            tracing::debug!(%peer, "refused an offer: the transport does not take it");
        }
    }

    fn on_connected(&mut self, peer: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        self.upgrade_dials.remove(&connection);
        let (address, dialed) = match endpoint {
            ConnectedPoint::Dialer { address, .. } => (address, true),
            ConnectedPoint::Listener { local_addr, .. } => (local_addr, false),
        };
        match kind(address, false) {
            Kind::Direct => {
                self.handle(Input::DirectUp { peer, connection, dialed }, None);
                let event = Event::DirectConnected { peer, connection, dialed };
                self.actions.push_back(ToSwarm::GenerateEvent(event));
            }
            Kind::Relayed { .. } => {
                self.circuits.insert(connection, addr::circuit(address));
                self.handle(Input::RelayedUp { peer, connection, dialed }, None);
            }
            Kind::Other => {}
        }
    }

    /// Waits for the upgrades' next timeout; whether it is over.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let now = Instant::now();
        let Some(at) = self.upgrades.timeout(now) else {
            self.timer = None;
            return false;
        };
        if self.timer.as_ref().is_none_or(|(other, _)| *other != at) {
            self.timer = Some((at, Delay::new(at.saturating_duration_since(now))));
        }
        let fired = self.timer.as_mut().is_some_and(|(_, delay)| delay.poll_unpin(cx).is_ready());
        if fired {
            self.timer = None;
        }
        fired
    }
}

/// What kind of connection an address, dialed or listened on, leads to.
fn kind(address: &Multiaddr, accept: bool) -> Kind {
    if addr::ends_in_webrtc(address) {
        Kind::Direct
    } else if address.iter().any(|part| part == Protocol::P2pCircuit) {
        Kind::Relayed { accept }
    } else {
        Kind::Other
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        local_addr: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(connection, kind(local_addr, self.config.accept_inbound)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        addr: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(connection, kind(addr, self.config.accept_inbound)))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                self.on_connected(event.peer_id, event.connection_id, event.endpoint);
            }
            FromSwarm::ConnectionClosed(event) => {
                let (peer, connection) = (event.peer_id, event.connection_id);
                self.circuits.remove(&connection);
                self.handle(Input::Down { peer, connection }, None);
            }
            FromSwarm::DialFailure(event) => {
                if let Some(request) = self.relay_dials.remove(&event.connection_id) {
                    let error = OpenError::RelayDial(event.error.to_string());
                    let _ = request.reply.send(Err(error));
                } else if let Some(peer) =
                    self.upgrade_dials.remove(&event.connection_id).or(event.peer_id)
                {
                    self.handle(Input::DialFailed(peer), Some(event.error));
                }
            }
            FromSwarm::ExternalAddrConfirmed(event) if self.config.announce => {
                if let Some(addr) = addr::of_reservation(event.addr, self.local) {
                    self.actions.push_back(ToSwarm::ExternalAddrConfirmed(addr));
                }
            }
            FromSwarm::ExternalAddrExpired(event) if self.config.announce => {
                if let Some(addr) = addr::of_reservation(event.addr, self.local) {
                    self.actions.push_back(ToSwarm::ExternalAddrExpired(addr));
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {
            handler::Event::Offer(stream) => self.on_offer(peer, connection, stream),
            handler::Event::Proven => {
                self.handle(Input::Proven { peer, connection }, None);
                let event = Event::DirectProven { peer, connection };
                self.actions.push_back(ToSwarm::GenerateEvent(event));
            }
            handler::Event::Unsupported => self.handle(Input::Unsupported(peer), None),
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                return Poll::Ready(action);
            }
            if let Poll::Ready(Some(request)) = self.requests.poll_next_unpin(cx) {
                self.on_request(request);
            } else if self.poll_timer(cx) {
                self.handle(Input::Timeout, None);
            } else {
                return Poll::Pending;
            }
        }
    }
}

impl std::fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Behaviour")
            .field("config", &self.config)
            .field("upgrades", &self.upgrades)
            .finish_non_exhaustive()
    }
}
