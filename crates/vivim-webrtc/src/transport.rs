//! The libp2p transport.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures::{
    FutureExt, StreamExt,
    channel::mpsc,
    future::{BoxFuture, Either},
};
use futures_timer::Delay;
use libp2p::{
    Multiaddr, PeerId,
    core::transport::{DialOpts, ListenerId, TransportError, TransportEvent},
    multiaddr::Protocol,
};

use crate::{
    addr::{self, AddrError, WebRtcAddr},
    backend::{Backend, BackendError},
    config::Config,
    connect::{Connect, ConnectError},
    control::{Control, InboundOffer, OpenError},
    gauge::Gauge,
    limits::OPEN_TIMEOUT,
    muxer::Muxer,
};

/// Why a dial, an inbound connection or a listener failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is a `/webrtc` address, but not a proper one.
    #[error(transparent)]
    Addr(#[from] AddrError),
    /// No peer connection could be made.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Signaling, or finding a path to the peer, failed.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There are [`Config::max_connections`] connections. Close one.
    #[error("too many WebRTC connections")]
    TooManyConnections,
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Self::Connect(error.into())
    }
}

/// The `/webrtc` transport. Its output is a peer and a muxer; it needs no upgrade.
///
/// Put it *before* libp2p's relay transport: that one takes every address with `/p2p-circuit`,
/// `/…/p2p-circuit/webrtc/…` too. It does nothing without the [`Behaviour`](crate::Behaviour)
/// that was made with it.
pub struct Transport<B: Backend> {
    backend: B,
    config: Config,
    control: Control,
    connections: Gauge,
    offers: mpsc::Receiver<InboundOffer>,
    listener: Option<ListenerId>,
    events: VecDeque<TransportEvent<Dial<B>, Error>>,
    waker: Option<Waker>,
}

/// A dial, or the answer to an offer.
type Dial<B> = BoxFuture<'static, Result<(PeerId, Muxer<<B as Backend>::Peer>), Error>>;

impl<B: Backend> Transport<B> {
    pub(crate) fn new(
        backend: B,
        config: Config,
        control: Control,
        offers: mpsc::Receiver<InboundOffer>,
    ) -> Self {
        let connections = Gauge::new(config.max_connections);
        Self {
            backend,
            config,
            control,
            connections,
            offers,
            listener: None,
            events: VecDeque::new(),
            waker: None,
        }
    }

    /// Opens signaling streams, for those who run sessions themselves.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn initiate(&self, target: WebRtcAddr) -> Dial<B> {
        let (backend, config) = (self.backend.clone(), self.config.clone());
        let (control, connections) = (self.control.clone(), self.connections.clone());
        async move {
            let WebRtcAddr { peer, relayed } = target;
            let mut deadline = Delay::new(OPEN_TIMEOUT);
            let (relayed_up, stream) = control.request(peer, relayed).await?;
            // A peer connection is dear, so there is none before there is a relayed connection.
            // From then on the offer is made while the stream is being opened.
            match futures::future::select(relayed_up, &mut deadline).await {
                Either::Left((Ok(()), _)) => {}
                Either::Left((Err(_), _)) => {
                    let stream = stream.await.map_err(|_| OpenError::RelayedConnectionLost)?;
                    return Err(stream.err().unwrap_or(OpenError::RelayedConnectionLost).into());
                }
                Either::Right(_) => return Err(OpenError::Timeout.into()),
            }
            let permit = connections.acquire().ok_or(Error::TooManyConnections)?;
            let connection = backend.peer_connection(&config.ice_servers)?;
            let stream = async move {
                match futures::future::select(stream, deadline).await {
                    Either::Left((Ok(result), _)) => result,
                    Either::Left((Err(_), _)) => Err(OpenError::RelayedConnectionLost),
                    Either::Right(_) => Err(OpenError::Timeout),
                }
            };
            let timeout = config.session_timeout;
            let session = Connect::opening(connection, permit, stream.boxed(), timeout);
            Ok((peer, session.await?))
        }
        .boxed()
    }

    fn respond(&self, offer: InboundOffer) -> Dial<B> {
        let (backend, config) = (self.backend.clone(), self.config.clone());
        let connections = self.connections.clone();
        async move {
            let InboundOffer { peer, stream, permit: session_permit, .. } = offer;
            let permit = connections.acquire().ok_or(Error::TooManyConnections)?;
            let connection = backend.peer_connection(&config.ice_servers)?;
            let muxer =
                Connect::accepting(connection, permit, stream, config.session_timeout).await?;
            drop(session_permit);
            Ok((peer, muxer))
        }
        .boxed()
    }
}

impl<B: Backend> libp2p::Transport for Transport<B> {
    type Output = (PeerId, Muxer<B::Peer>);
    type Error = Error;
    type ListenerUpgrade = Dial<B>;
    type Dial = Dial<B>;

    /// Accepts `/webrtc` alone: there is one way to be reached, whatever the relay.
    fn listen_on(
        &mut self,
        id: ListenerId,
        addr: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        let mut parts = addr.iter();
        if parts.next() != Some(Protocol::WebRTC) || parts.next().is_some() {
            return Err(TransportError::MultiaddrNotSupported(addr));
        }
        if !self.backend.is_available() {
            return Err(TransportError::Other(BackendError::Unavailable.into()));
        }
        if let Some(listener) = self.listener.replace(id) {
            self.events.push_back(TransportEvent::ListenerClosed {
                listener_id: listener,
                reason: Ok(()),
            });
        }
        self.events
            .push_back(TransportEvent::NewAddress { listener_id: id, listen_addr: addr::listen() });
        self.wake();
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        if self.listener != Some(id) {
            return false;
        }
        self.listener = None;
        self.events.push_back(TransportEvent::ListenerClosed { listener_id: id, reason: Ok(()) });
        self.wake();
        true
    }

    fn dial(
        &mut self,
        addr: Multiaddr,
        opts: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        // Hole punching dials "as listener"; ICE does that better.
        if opts.role.is_listener() {
            return Err(TransportError::MultiaddrNotSupported(addr));
        }
        match WebRtcAddr::parse(&addr) {
            Ok(target) => Ok(self.initiate(target)),
            Err(AddrError::NotWebRtc) => Err(TransportError::MultiaddrNotSupported(addr)),
            Err(error) => Err(TransportError::Other(error.into())),
        }
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        while let Poll::Ready(Some(offer)) = self.offers.poll_next_unpin(cx) {
            // Nobody listens: the offer is dropped, which resets its stream.
            let Some(listener_id) = self.listener else { continue };
            return Poll::Ready(TransportEvent::Incoming {
                listener_id,
                local_addr: addr::listen(),
                send_back_addr: offer.address.clone(),
                upgrade: self.respond(offer),
            });
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<B: Backend> std::fmt::Debug for Transport<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport")
            .field("config", &self.config)
            .field("connections", &self.connections.used())
            .finish_non_exhaustive()
    }
}
