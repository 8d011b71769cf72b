//! Drives one signaling session: joins the [session machine](crate::signaling::session) to a peer
//! connection, a signaling stream and timers.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{AsyncRead, AsyncWrite, FutureExt, future::BoxFuture};
use futures_timer::Delay;

use crate::{
    backend::{PeerConnection, PeerEvent},
    control::OpenError,
    gauge::Permit,
    muxer::Muxer,
    signaling::{
        io::{self, Received, SignalIo},
        session::{Input, Output, Role, Session, SessionError, Timer},
    },
};

/// Why no connection came up. A relayed connection to the peer is unharmed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No signaling stream could be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The session failed.
    #[error(transparent)]
    Session(#[from] SessionError),
}

enum Signal<S> {
    /// The stream is being opened; what is said already waits here.
    Opening(BoxFuture<'static, Result<S, OpenError>>, Vec<u8>),
    Open(SignalIo<S>),
    Gone,
}

/// One session: a future of a usable connection. Dropping it resets the signaling stream and
/// closes the peer connection.
#[must_use = "futures do nothing unless polled"]
pub struct Connect<P: PeerConnection, S> {
    muxer: Option<Muxer<P>>,
    session: Session,
    signal: Signal<S>,
    timers: Vec<(Timer, Delay)>,
    /// What the session wants done first.
    started: Vec<Output>,
}

impl<P, S> Connect<P, S>
where
    P: PeerConnection,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    /// A session over a signaling stream. The stream must be authenticated: whoever is at its
    /// other end will be at the other end of the connection.
    pub fn new(role: Role, peer: P, signaling: S, timeout: Duration) -> Self {
        Self::with(role, peer, None, Signal::Open(SignalIo::new(signaling)), timeout)
    }

    /// A session of the initiator whose offer is made while the stream is being opened.
    pub(crate) fn opening(
        peer: P,
        permit: Permit,
        stream: BoxFuture<'static, Result<S, OpenError>>,
        timeout: Duration,
    ) -> Self {
        let signal = Signal::Opening(stream, Vec::new());
        Self::with(Role::Initiator, peer, Some(permit), signal, timeout)
    }

    /// A session of the responder.
    pub(crate) fn accepting(peer: P, permit: Permit, signaling: S, timeout: Duration) -> Self {
        let signal = Signal::Open(SignalIo::new(signaling));
        Self::with(Role::Responder, peer, Some(permit), signal, timeout)
    }

    fn with(
        role: Role,
        peer: P,
        permit: Option<Permit>,
        signal: Signal<S>,
        timeout: Duration,
    ) -> Self {
        let (session, started) = Session::start(role, timeout);
        let muxer = Some(Muxer::new(peer, permit));
        Self { muxer, session, signal, timers: Vec::new(), started }
    }

    /// Does what the session wants. `Some` when it is over.
    fn carry_out(&mut self, outputs: Vec<Output>) -> Option<Result<Muxer<P>, ConnectError>> {
        for output in outputs {
            let peer = self.muxer.as_mut()?.peer();
            match output {
                Output::AcceptAnswer(answer) => peer.accept_answer(answer),
                Output::AddCandidate(candidate) => peer.add_candidate(candidate),
                Output::CreateAnswer(offer) => peer.start_answer(offer),
                Output::CreateOffer => peer.start_offer(),
                Output::Established => return self.established(),
                Output::Failed(error) => return Some(Err(error.into())),
                Output::Send(message) => match io::encode(&message) {
                    Ok(bytes) => match &mut self.signal {
                        Signal::Opening(_, waiting) => waiting.extend(bytes),
                        Signal::Open(io) => io.send(&bytes),
                        Signal::Gone => {}
                    },
                    Err(error) => return Some(Err(SessionError::from(error).into())),
                },
                Output::SetTimer(timer, time) => self.timers.push((timer, Delay::new(time))),
            }
        }
        None
    }

    fn established(&mut self) -> Option<Result<Muxer<P>, ConnectError>> {
        let mut muxer = self.muxer.take()?;
        if let Signal::Open(io) = std::mem::replace(&mut self.signal, Signal::Gone) {
            muxer.set_signaling(io.linger());
        }
        Some(Ok(muxer))
    }

    /// The next thing that happened. The peer connection first, then the stream, then the clock.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Result<Input, ConnectError>> {
        if let Some(muxer) = &mut self.muxer
            && let Poll::Ready(event) = muxer.poll_peer(cx)
            && let Some(input) = from_peer(event)
        {
            return Poll::Ready(Ok(input));
        }
        if let Signal::Opening(stream, waiting) = &mut self.signal
            && let Poll::Ready(result) = stream.poll_unpin(cx)
        {
            let mut io = SignalIo::new(result?);
            io.send(waiting);
            self.signal = Signal::Open(io);
        }
        if let Signal::Open(io) = &mut self.signal {
            io.poll_send(cx);
            if let Poll::Ready(received) = io.poll_receive(cx) {
                return Poll::Ready(Ok(from_stream(received)));
            }
        }
        let fired = self.timers.iter_mut().position(|(_, delay)| delay.poll_unpin(cx).is_ready());
        if let Some(index) = fired {
            return Poll::Ready(Ok(Input::Timeout(self.timers.swap_remove(index).0)));
        }
        Poll::Pending
    }
}

impl<P, S> Future for Connect<P, S>
where
    P: PeerConnection,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = Result<Muxer<P>, ConnectError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut outputs = std::mem::take(&mut this.started);
        loop {
            if let Some(result) = this.carry_out(outputs) {
                if result.is_err() {
                    // Resets the stream and closes the connection now, not when the caller gets
                    // around to dropping this.
                    this.signal = Signal::Gone;
                    this.muxer = None;
                }
                return Poll::Ready(result);
            }
            match this.poll_input(cx) {
                Poll::Ready(Ok(input)) => outputs = this.session.handle(input),
                Poll::Ready(Err(error)) => {
                    this.muxer = None;
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

// Nothing in it is ever pinned.
impl<P: PeerConnection, S> Unpin for Connect<P, S> {}

impl<P: PeerConnection, S> std::fmt::Debug for Connect<P, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect").field("session", &self.session).finish_non_exhaustive()
    }
}

fn from_peer<C>(event: PeerEvent<C>) -> Option<Input> {
    match event {
        // `poll_peer` keeps channels for the muxer.
        PeerEvent::Channel(_) => None,
        PeerEvent::Connectivity(connectivity) => Some(Input::Connectivity(connectivity)),
        PeerEvent::Failed(error) => Some(Input::BackendFailed(error)),
        PeerEvent::LocalCandidate(candidate) => Some(Input::LocalCandidate(candidate)),
        PeerEvent::LocalDescription(sdp) => Some(Input::LocalDescription(sdp)),
        PeerEvent::RemoteDescriptionApplied => Some(Input::RemoteDescriptionApplied),
    }
}

fn from_stream(received: Received) -> Input {
    match received {
        Received::Closed => Input::SignalingClosed,
        Received::Malformed(error) => Input::SignalingMalformed(error),
        Received::Message(message) => Input::Message(message),
        Received::Reset(error) => {
            tracing::debug!(%error, "a signaling stream broke");
            Input::SignalingReset
        }
    }
}
