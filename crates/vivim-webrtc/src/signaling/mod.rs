//! The signaling protocol, `/webrtc-signaling/0.0.1`.
//!
//! Two peers that have a relayed connection exchange an SDP offer, an SDP answer and ICE
//! candidates over one stream of it. The relayed connection is encrypted and authenticated end to
//! end, so the certificate fingerprints inside the descriptions can be trusted, and the WebRTC
//! connection needs no handshake of its own: the peer at its other end is the peer at the other
//! end of the relayed one. For the same reason signaling is never offered on anything else.
//!
//! [`codec`] is the bytes, [`session`] is who says what when. Both are pure.

pub mod codec;
pub(crate) mod io;
pub mod session;

use libp2p::StreamProtocol;

/// The name of the protocol.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/webrtc-signaling/0.0.1");

/// One signaling message.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// An SDP answer.
    Answer(String),
    /// An ICE candidate: the JSON of an `RTCIceCandidateInit`. Empty or `null` means that there
    /// will be no more.
    Candidate(String),
    /// An SDP offer.
    Offer(String),
}

impl Message {
    /// What kind of message it is.
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Answer(_) => MessageKind::Answer,
            Self::Candidate(_) => MessageKind::Candidate,
            Self::Offer(_) => MessageKind::Offer,
        }
    }
}

/// Descriptions and candidates hold addresses of their author, so only sizes are shown.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Answer(data) | Self::Candidate(data) | Self::Offer(data)) = self;
        write!(f, "{:?}({} bytes)", self.kind(), data.len())
    }
}

/// The kind of a [`Message`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// [`Message::Answer`].
    Answer,
    /// [`Message::Candidate`].
    Candidate,
    /// [`Message::Offer`].
    Offer,
}
