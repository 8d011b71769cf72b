//! A behaviour that opens and accepts streams on a connection of the caller's choice.
//!
//! Every protocol of this crate that isn't a behaviour of its own (rooms, sync, application
//! protocols, measured pings) takes its streams from here, so that the actor alone decides
//! whether one runs over the relayed or the direct connection.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Ready, ready},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{
        Endpoint, InboundUpgrade, OutboundUpgrade, UpgradeInfo, transport::PortUse,
        util::unreachable,
    },
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, NotifyHandler, StreamUpgradeError, SubstreamProtocol, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
        },
    },
};

use crate::limits;

/// The number of a request to open a stream; unique within one behaviour.
pub(crate) type OpenId = u64;

/// What the behaviour reports.
#[derive(Debug)]
pub(crate) enum Event {
    /// A stream that was asked for, or why there is none.
    Opened { id: OpenId, connection: ConnectionId, result: Result<Stream, OpenError> },
    /// A stream that the remote opened.
    Inbound { peer: PeerId, connection: ConnectionId, protocol: StreamProtocol, stream: Stream },
}

/// Why a stream could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// The remote doesn't speak the protocol.
    Unsupported,
    /// Negotiation took too long.
    Timeout,
    /// The connection broke.
    Io,
}

type Protocols = Arc<Mutex<Vec<StreamProtocol>>>;

fn lock(protocols: &Protocols) -> MutexGuard<'_, Vec<StreamProtocol>> {
    protocols.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Behaviour {
    accepted: Protocols,
    requests: VecDeque<(PeerId, ConnectionId, Open)>,
    events: VecDeque<Event>,
    next_id: OpenId,
}

impl Behaviour {
    pub(crate) fn new(accepted: impl IntoIterator<Item = StreamProtocol>) -> Self {
        Self {
            accepted: Arc::new(Mutex::new(accepted.into_iter().collect())),
            requests: VecDeque::new(),
            events: VecDeque::new(),
            next_id: 0,
        }
    }

    /// Accepts a protocol from now on, on live connections too. False if it was accepted before.
    pub(crate) fn accept(&mut self, protocol: StreamProtocol) -> bool {
        let mut accepted = lock(&self.accepted);
        if accepted.contains(&protocol) {
            return false;
        }
        accepted.push(protocol);
        true
    }

    /// Accepts it no longer.
    pub(crate) fn refuse(&mut self, protocol: &StreamProtocol) {
        lock(&self.accepted).retain(|p| p != protocol);
    }

    pub(crate) fn accepted(&self) -> Vec<StreamProtocol> {
        lock(&self.accepted).clone()
    }

    /// Opens a stream on exactly this connection. If the connection is gone already there is no
    /// answer; the actor learns of that by the connection's closing.
    pub(crate) fn open(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        protocol: StreamProtocol,
    ) -> OpenId {
        let id = self.next_id;
        self.next_id += 1;
        self.requests.push_back((peer, connection, Open { id, protocol }));
        id
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.accepted.clone()))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.accepted.clone()))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.events.push_back(match event {
            HandlerEvent::Opened(id, result) => Event::Opened { id, connection, result },
            HandlerEvent::Inbound(protocol, stream) => {
                Event::Inbound { peer, connection, protocol, stream }
            }
        });
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(ToSwarm::GenerateEvent(event));
        }
        if let Some((peer_id, connection, open)) = self.requests.pop_front() {
            return Poll::Ready(ToSwarm::NotifyHandler {
                peer_id,
                handler: NotifyHandler::One(connection),
                event: open,
            });
        }
        // The actor polls the swarm again after each of its own calls, so no waker is needed.
        Poll::Pending
    }
}

/// A request to a connection's handler.
#[derive(Debug)]
pub(crate) struct Open {
    id: OpenId,
    protocol: StreamProtocol,
}

/// What a connection's handler reports.
#[derive(Debug)]
pub(crate) enum HandlerEvent {
    Opened(OpenId, Result<Stream, OpenError>),
    Inbound(StreamProtocol, Stream),
}

/// One connection's part.
#[derive(Debug)]
pub(crate) struct Handler {
    accepted: Protocols,
    requests: VecDeque<Open>,
    events: VecDeque<HandlerEvent>,
}

impl Handler {
    fn new(accepted: Protocols) -> Self {
        Self { accepted, requests: VecDeque::new(), events: VecDeque::new() }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = HandlerEvent;
    type InboundProtocol = Negotiate;
    type OutboundProtocol = Negotiate;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = OpenId;

    fn listen_protocol(&self) -> SubstreamProtocol<Negotiate> {
        SubstreamProtocol::new(Negotiate(lock(&self.accepted).clone()), ())
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Negotiate, OpenId, HandlerEvent>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
        }
        if let Some(Open { id, protocol }) = self.requests.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(Negotiate(vec![protocol]), id)
                    .with_timeout(limits::OPEN_TIMEOUT),
            });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, open: Open) {
        self.requests.push_back(open);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Negotiate, Negotiate, (), OpenId>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (protocol, stream),
                ..
            }) => self.events.push_back(HandlerEvent::Inbound(protocol, stream)),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (_, stream),
                info,
            }) => self.events.push_back(HandlerEvent::Opened(info, Ok(stream))),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let error = match error {
                    StreamUpgradeError::Timeout => OpenError::Timeout,
                    StreamUpgradeError::Apply(never) => unreachable(never),
                    StreamUpgradeError::NegotiationFailed => OpenError::Unsupported,
                    StreamUpgradeError::Io(_) => OpenError::Io,
                };
                self.events.push_back(HandlerEvent::Opened(info, Err(error)));
            }
            _ => {}
        }
    }
}

/// Negotiates one of the protocols and hands the bare stream out.
#[derive(Debug)]
pub(crate) struct Negotiate(Vec<StreamProtocol>);

impl UpgradeInfo for Negotiate {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Negotiate {
    type Output = (StreamProtocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}

impl OutboundUpgrade<Stream> for Negotiate {
    type Output = (StreamProtocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}
