//! What the behaviour does on one connection.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
    time::Duration,
};

use libp2p::{
    StreamProtocol,
    core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo},
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, Stream, StreamUpgradeError, SubstreamProtocol,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
            ProtocolsChange,
        },
    },
};

use crate::{
    control::{OpenError, OpenRequest},
    signaling::PROTOCOL,
};

/// Time to negotiate one signaling stream.
const NEGOTIATION_TIMEOUT: Duration = Duration::from_secs(10);

/// What kind of connection a handler serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Over WebRTC.
    Direct,
    /// Neither relayed nor over WebRTC; nothing to do.
    Other,
    /// Over a relay: signaling is offered, and accepted if so.
    Relayed { accept: bool },
}

/// What a handler tells the behaviour.
#[derive(Debug)]
pub enum Event {
    /// The peer opened a signaling stream.
    Offer(Stream),
    /// The peer answered an identify request over this connection: bytes flow both ways.
    Proven,
    /// The peer does not speak signaling.
    Unsupported,
}

/// A handler.
#[derive(Debug)]
pub struct Handler {
    kind: Kind,
    requests: VecDeque<OpenRequest>,
    opening: usize,
    events: VecDeque<Event>,
    proven: bool,
}

impl Handler {
    pub(crate) fn new(kind: Kind, request: Option<OpenRequest>) -> Self {
        let mut handler = Self {
            kind,
            requests: VecDeque::new(),
            opening: 0,
            events: VecDeque::new(),
            proven: false,
        };
        if let Some(request) = request {
            handler.request(request);
        }
        handler
    }

    fn request(&mut self, mut request: OpenRequest) {
        if let Some(up) = request.relayed_up.take() {
            // The dial may have been given up meanwhile.
            let _ = up.send(());
        }
        self.requests.push_back(request);
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = OpenRequest;
    type ToBehaviour = Event;
    type InboundProtocol = Upgrade;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = OpenRequest;

    fn listen_protocol(&self) -> SubstreamProtocol<Upgrade> {
        let accept = self.kind == Kind::Relayed { accept: true };
        SubstreamProtocol::new(Upgrade(accept.then_some(PROTOCOL)), ())
    }

    fn connection_keep_alive(&self) -> bool {
        !self.requests.is_empty() || self.opening > 0
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Upgrade, OpenRequest, Event>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
        }
        while let Some(request) = self.requests.pop_front() {
            if request.reply.is_canceled() {
                continue;
            }
            self.opening += 1;
            let protocol = SubstreamProtocol::new(Upgrade(Some(PROTOCOL)), request)
                .with_timeout(NEGOTIATION_TIMEOUT);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, request: OpenRequest) {
        self.request(request);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Upgrade, Upgrade, (), OpenRequest>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) => self.events.push_back(Event::Offer(stream)),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: request,
            }) => {
                self.opening = self.opening.saturating_sub(1);
                // A dial that was given up drops the stream, which resets it.
                let _ = request.reply.send(Ok(stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: request, error }) => {
                self.opening = self.opening.saturating_sub(1);
                let error = match error {
                    StreamUpgradeError::NegotiationFailed => {
                        self.events.push_back(Event::Unsupported);
                        OpenError::Unsupported
                    }
                    StreamUpgradeError::Timeout => OpenError::Timeout,
                    StreamUpgradeError::Io(_) => OpenError::RelayedConnectionLost,
                    StreamUpgradeError::Apply(never) => match never {},
                };
                let _ = request.reply.send(Err(error));
            }
            ConnectionEvent::RemoteProtocolsChange(ProtocolsChange::Added(_))
                if self.kind == Kind::Direct && !self.proven =>
            {
                self.proven = true;
                self.events.push_back(Event::Proven);
            }
            _ => {}
        }
    }
}

/// The raw stream, once the protocol is agreed on.
#[derive(Debug, Clone)]
pub struct Upgrade(Option<StreamProtocol>);

impl UpgradeInfo for Upgrade {
    type Info = StreamProtocol;
    type InfoIter = std::option::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Upgrade {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}

impl OutboundUpgrade<Stream> for Upgrade {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}
