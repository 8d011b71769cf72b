//! What passes between the transport, which runs sessions, and the behaviour, which has the
//! streams.

use std::sync::Arc;

use futures::{
    SinkExt,
    channel::{mpsc, oneshot},
};
use libp2p::{Multiaddr, PeerId, swarm::Stream};

use crate::gauge::Permit;

/// Why a signaling stream could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The behaviour is gone: it is not part of the swarm, or the swarm has been dropped.
    #[error("the WebRTC behaviour is not running")]
    BehaviourGone,
    /// There is no relayed connection to the peer, and the address names none. Dial
    /// `/…/p2p-circuit/webrtc/p2p/X`, or connect over a relay first.
    #[error("there is no relayed connection to signal over")]
    NoRelayedConnection,
    /// The relayed connection could not be dialed.
    #[error("the relayed connection failed: {0}")]
    RelayDial(String),
    /// The relayed connection closed before the stream was open.
    #[error("the relayed connection closed")]
    RelayedConnectionLost,
    /// The stream was not open in time.
    #[error("the signaling stream was not open in time")]
    Timeout,
    /// The peer does not speak `/webrtc-signaling/0.0.1`: it is not a browser, or refuses.
    #[error("the peer does not support WebRTC signaling")]
    Unsupported,
}

/// The transport wants a signaling stream.
#[derive(Debug)]
pub struct OpenRequest {
    pub(crate) peer: PeerId,
    /// The address to dial when there is no relayed connection.
    pub(crate) relayed: Option<Multiaddr>,
    /// Told when there is a relayed connection, which is when making an offer begins to pay.
    pub(crate) relayed_up: Option<oneshot::Sender<()>>,
    pub(crate) reply: oneshot::Sender<Result<Stream, OpenError>>,
}

/// A peer wants a connection.
#[derive(Debug)]
pub(crate) struct InboundOffer {
    pub(crate) peer: PeerId,
    /// Where the peer's `/webrtc` is reached.
    pub(crate) address: Multiaddr,
    pub(crate) stream: Stream,
    /// Held while the session runs.
    pub(crate) permit: Arc<Permit>,
}

/// Opens signaling streams on relayed connections.
#[derive(Debug, Clone)]
pub struct Control {
    requests: mpsc::Sender<OpenRequest>,
}

impl Control {
    pub(crate) fn new(requests: mpsc::Sender<OpenRequest>) -> Self {
        Self { requests }
    }

    /// Opens a signaling stream to a peer, over a relayed connection that exists or else the one
    /// that `relayed` names.
    pub async fn open_stream(
        &self,
        peer: PeerId,
        relayed: Option<Multiaddr>,
    ) -> Result<Stream, OpenError> {
        let (_, reply) = self.request(peer, relayed).await?;
        reply.await.map_err(|_| OpenError::RelayedConnectionLost)?
    }

    /// Asks for a stream; gives the receivers of "there is a relayed connection" and the stream.
    pub(crate) async fn request(
        &self,
        peer: PeerId,
        relayed: Option<Multiaddr>,
    ) -> Result<(oneshot::Receiver<()>, oneshot::Receiver<Result<Stream, OpenError>>), OpenError>
    {
        let (relayed_up, up) = oneshot::channel();
        let (reply, stream) = oneshot::channel();
        let request = OpenRequest { peer, relayed, relayed_up: Some(relayed_up), reply };
        // Each clone of the sender has a place of its own, so this waits for no other dial.
        let mut requests = self.requests.clone();
        requests.send(request).await.map_err(|_| OpenError::BehaviourGone)?;
        Ok((up, stream))
    }
}
