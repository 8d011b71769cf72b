//! A peer connection as a libp2p `StreamMuxer`.

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use futures_timer::Delay;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use web_time::Instant;

use crate::{
    backend::{BackendError, Connectivity, DataChannel, PeerConnection, PeerEvent},
    gauge::Permit,
    limits::{
        CLOSE_LINGER, DISCONNECTED_GRACE, FIN_ACK_TIMEOUT, MAX_STREAMS, MAX_UNACCEPTED_STREAMS,
    },
    stream::{
        Stream,
        io::{Hub, Notice, Shared, StreamId},
        machine::{Input, Machine},
    },
};

/// Why a connection is over. Connect again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The WebRTC implementation failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Either side closed the connection.
    #[error("the connection is closed")]
    Closed,
    /// ICE or DTLS gave the connection up.
    #[error("the connection failed")]
    Failed,
    /// Nothing came from the peer for longer than
    /// [`DISCONNECTED_GRACE`].
    #[error("the peer has vanished")]
    Vanished,
}

/// A peer connection and its streams. Dropping it closes both.
pub struct Muxer<P: PeerConnection> {
    peer: P,
    hub: Arc<Hub>,
    streams: HashMap<StreamId, Arc<Shared<P::Channel>>>,
    unaccepted: VecDeque<Arc<Shared<P::Channel>>>,
    next_id: u64,
    /// Streams that nobody holds any more, and when to stop waiting for their acknowledgement.
    lingering: VecDeque<(Instant, StreamId)>,
    linger_timer: Option<Delay>,
    /// Running while the connection is `disconnected`.
    grace: Option<Delay>,
    closing: Option<Delay>,
    /// Closes the signaling stream in the background.
    signaling: Option<BoxFuture<'static, ()>>,
    failed: Option<ConnectionError>,
    permit: Option<Permit>,
}

impl<P: PeerConnection> Muxer<P> {
    pub(crate) fn new(peer: P, permit: Option<Permit>) -> Self {
        Self {
            peer,
            hub: Arc::default(),
            streams: HashMap::new(),
            unaccepted: VecDeque::new(),
            next_id: 0,
            lingering: VecDeque::new(),
            linger_timer: None,
            grace: None,
            closing: None,
            signaling: None,
            failed: None,
            permit,
        }
    }

    pub(crate) fn peer(&mut self) -> &mut P {
        &mut self.peer
    }

    /// Runs a future, which ends by itself, beside the connection.
    pub(crate) fn set_signaling(&mut self, signaling: BoxFuture<'static, ()>) {
        self.signaling = Some(signaling);
    }

    /// Streams whose channel is open, those that linger and wait to be accepted included.
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    /// The next event of the peer connection that is not a new channel.
    pub(crate) fn poll_peer(&mut self, cx: &mut Context<'_>) -> Poll<PeerEvent<P::Channel>> {
        loop {
            match self.peer.poll_event(cx) {
                Poll::Ready(PeerEvent::Channel(channel)) => self.on_channel(channel),
                other => return other,
            }
        }
    }

    fn on_channel(&mut self, channel: P::Channel) {
        if self.unaccepted.len() >= MAX_UNACCEPTED_STREAMS {
            // Those that broke while they waited are of no use to anybody.
            self.unaccepted.retain(|shared| self.streams.contains_key(&shared.id()));
        }
        if self.unaccepted.len() >= MAX_UNACCEPTED_STREAMS || self.streams.len() >= MAX_STREAMS {
            tracing::debug!(open = self.streams.len(), "the peer opens too many streams");
            channel.close();
            return;
        }
        let shared = self.register(channel, Machine::inbound());
        self.unaccepted.push_back(shared);
    }

    fn register(&mut self, channel: P::Channel, machine: Machine) -> Arc<Shared<P::Channel>> {
        let id = StreamId(self.next_id);
        self.next_id += 1;
        let shared = Shared::new(id, self.hub.clone(), channel, machine);
        self.streams.insert(id, shared.clone());
        shared
    }

    /// Lets everything that waits for an event look at it. Every `poll_*` begins with this.
    fn drive(&mut self, cx: &mut Context<'_>) -> Result<(), ConnectionError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        while let Poll::Ready(event) = self.poll_peer(cx) {
            match event {
                PeerEvent::Connectivity(Connectivity::Connected) => self.grace = None,
                PeerEvent::Connectivity(Connectivity::Disconnected) => {
                    self.grace.get_or_insert_with(|| Delay::new(DISCONNECTED_GRACE));
                }
                PeerEvent::Connectivity(Connectivity::Failed) => {
                    return Err(self.fail(ConnectionError::Failed));
                }
                PeerEvent::Connectivity(Connectivity::Closed) => {
                    return Err(self.fail(ConnectionError::Closed));
                }
                PeerEvent::Failed(error) => return Err(self.fail(error.into())),
                // Late news of a session that is over.
                _ => {}
            }
        }
        if self.grace.as_mut().is_some_and(|grace| grace.poll_unpin(cx).is_ready()) {
            return Err(self.fail(ConnectionError::Vanished));
        }
        if self.signaling.as_mut().is_some_and(|future| future.poll_unpin(cx).is_ready()) {
            self.signaling = None;
        }
        for notice in self.hub.take_notices(cx) {
            match notice {
                Notice::Finished(id) => drop(self.streams.remove(&id)),
                Notice::Lingering(id) => {
                    self.lingering.push_back((Instant::now() + FIN_ACK_TIMEOUT, id));
                }
            }
        }
        self.drive_lingering(cx);
        Ok(())
    }

    fn drive_lingering(&mut self, cx: &mut Context<'_>) {
        loop {
            let Some((deadline, id)) = self.lingering.front().copied() else {
                self.linger_timer = None;
                return;
            };
            let now = Instant::now();
            let Some(shared) = self.streams.get(&id) else {
                self.lingering.pop_front();
                self.linger_timer = None;
                continue;
            };
            if deadline <= now {
                shared.handle(Input::Timeout);
                self.lingering.pop_front();
                self.linger_timer = None;
                continue;
            }
            let timer = self.linger_timer.get_or_insert_with(|| Delay::new(deadline - now));
            if timer.poll_unpin(cx).is_pending() {
                return;
            }
            self.linger_timer = None;
        }
    }

    /// Ends the connection and every stream in it.
    fn fail(&mut self, error: ConnectionError) -> ConnectionError {
        tracing::debug!(%error, "a WebRTC connection ended");
        self.failed.get_or_insert_with(|| error.clone());
        self.shut();
        error
    }

    fn shut(&mut self) {
        for (_, shared) in self.streams.drain() {
            shared.handle(Input::ConnectionLost);
        }
        self.unaccepted.clear();
        self.lingering.clear();
        self.linger_timer = None;
        self.grace = None;
        self.signaling = None;
        self.peer.close();
        self.permit = None;
    }
}

impl<P: PeerConnection> StreamMuxer for Muxer<P> {
    type Substream = Stream<P::Channel>;
    type Error = ConnectionError;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        self.drive(cx)?;
        match self.unaccepted.pop_front() {
            Some(shared) => {
                shared.handle(Input::Accepted);
                Poll::Ready(Ok(Stream::new(shared)))
            }
            None => Poll::Pending,
        }
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        self.drive(cx)?;
        if self.streams.len() >= MAX_STREAMS {
            return Poll::Pending;
        }
        match self.peer.open_channel() {
            Ok(channel) => {
                let shared = self.register(channel, Machine::outbound());
                Poll::Ready(Ok(Stream::new(shared)))
            }
            // Browsers run out of channel ids before they run out of connection: the end of a
            // stream wakes this task.
            Err(error @ BackendError::Failed { .. }) if !self.streams.is_empty() => {
                tracing::debug!(%error, "no data channel is free");
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(self.fail(error.into()))),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if self.drive(cx).is_ok() && !self.lingering.is_empty() {
            // The last bytes of a stream may be on their way; closing would lose them.
            let timer = self.closing.get_or_insert_with(|| Delay::new(CLOSE_LINGER));
            if timer.poll_unpin(cx).is_pending() {
                return Poll::Pending;
            }
        }
        self.failed.get_or_insert(ConnectionError::Closed);
        self.shut();
        Poll::Ready(Ok(()))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        self.drive(cx)?;
        Poll::Pending
    }
}

impl<P: PeerConnection> Drop for Muxer<P> {
    fn drop(&mut self) {
        self.shut();
    }
}

impl<P: PeerConnection> std::fmt::Debug for Muxer<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Muxer")
            .field("streams", &self.streams.len())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
