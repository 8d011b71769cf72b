//! What this crate needs of a WebRTC implementation.
//!
//! A backend is thin: it carries out single steps and reports what happened, in order. Which step
//! comes when is decided by the [session](crate::signaling::session) and the
//! [stream](crate::stream) machines, which are the same for every backend.

use std::{
    sync::Weak,
    task::{Context, Poll},
};

use bytes::Bytes;

use crate::config::IceServer;

#[cfg(test)]
pub(crate) mod mock;
#[cfg(target_arch = "wasm32")]
pub mod web;

/// A WebRTC implementation.
pub trait Backend: Clone + Send + Unpin + 'static {
    /// Its peer connections.
    type Peer: PeerConnection;

    /// Whether peer connections exist here at all. They do not in workers and in Node.js.
    fn is_available(&self) -> bool;

    /// Makes a peer connection.
    fn peer_connection(&self, ice_servers: &[IceServer]) -> Result<Self::Peer, BackendError>;
}

/// One peer connection. Dropping it closes it.
///
/// The `start_*` methods return at once; their outcome is reported by
/// [`poll_event`](Self::poll_event).
pub trait PeerConnection: Send + Unpin + 'static {
    /// Its data channels.
    type Channel: DataChannel;

    /// Makes the in-band channel `init`, makes an offer, reports it as
    /// [`PeerEvent::LocalDescription`] and applies it. The backend closes `init` once it has
    /// opened.
    fn start_offer(&mut self);

    /// Applies a remote offer ([`PeerEvent::RemoteDescriptionApplied`]), makes an answer, reports
    /// and applies it.
    fn start_answer(&mut self, offer: String);

    /// Applies the remote answer.
    fn accept_answer(&mut self, answer: String);

    /// Hands over a remote ICE candidate, the JSON form of `RTCIceCandidateInit`. One that can't
    /// be used is ignored.
    fn add_candidate(&mut self, candidate: String);

    /// Makes a channel with an empty label and an id chosen by the implementation.
    fn open_channel(&mut self) -> Result<Self::Channel, BackendError>;

    /// The next thing that happened.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<PeerEvent<Self::Channel>>;

    /// Closes the connection and everything in it. Harmless when it is closed.
    fn close(&mut self);
}

/// What a peer connection reports.
#[derive(Debug)]
pub enum PeerEvent<C> {
    /// The peer opened a channel (never `init`).
    Channel(C),
    /// The state of the connection changed.
    Connectivity(Connectivity),
    /// A step failed.
    Failed(BackendError),
    /// ICE found a way this side may be reached; JSON.
    LocalCandidate(String),
    /// The offer or answer that was asked for.
    LocalDescription(String),
    /// The remote description is in force: candidates may be added.
    RemoteDescriptionApplied,
}

/// Whether packets reach the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connectivity {
    /// Closed, by either side.
    Closed,
    /// ICE and DTLS are up.
    Connected,
    /// Packets are missing; this may pass.
    Disconnected,
    /// Given up by ICE or DTLS.
    Failed,
}

/// One data channel: ordered, reliable messages. Dropping it closes it.
pub trait DataChannel: Send + Sync + 'static {
    /// Sends events here from now on, those that were kept until now first. May call the sink
    /// before it returns.
    fn attach(&self, sink: Weak<dyn ChannelSink>);

    /// Bytes handed to [`send`](Self::send) that have not left yet.
    fn buffered_amount(&self) -> usize;

    /// Closes the channel after what was sent has been delivered. Harmless when it is closed.
    fn close(&self);

    /// Whether messages can be sent.
    fn is_open(&self) -> bool;

    /// Sends one message. Never blocks; never calls the sink.
    fn send(&self, message: &[u8]) -> Result<(), BackendError>;
}

/// Where a channel's events go.
pub trait ChannelSink: Send + Sync {
    /// Something happened on the channel.
    fn on_channel_event(&self, event: ChannelEvent);
}

/// What happens on a data channel.
#[derive(Debug, Clone)]
pub enum ChannelEvent {
    /// The send buffer has fallen to [`SEND_LOW_WATER`](crate::limits::SEND_LOW_WATER).
    BufferedAmountLow,
    /// The channel is closed; nothing follows.
    Closed,
    /// A message came in.
    Message(Bytes),
    /// Messages can be sent now.
    Open,
}

/// A step of the WebRTC implementation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The channel or connection is closed. Open another one.
    #[error("the connection or channel is closed")]
    Closed,
    /// The implementation refused the step, in its words.
    #[error("{step} failed: {reason}")]
    Failed {
        /// The step.
        step: &'static str,
        /// What the implementation said.
        reason: String,
    },
    /// More came from the peer or the network than was polled: see
    /// [`MAX_BACKEND_EVENTS`](crate::limits::MAX_BACKEND_EVENTS).
    #[error("too many events are waiting")]
    Overloaded,
    /// There is no WebRTC here, as in workers and in Node.js. Use relayed connections.
    #[error("WebRTC is not available here")]
    Unavailable,
}
