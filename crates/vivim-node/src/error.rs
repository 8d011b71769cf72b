//! One error per operation; each variant says what to do.

use libp2p::PeerId;
use vivim_proto::id::InvalidName;

/// Why a node could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A bootstrap address has no `/p2p/<peer id>` at its end.
    #[error(
        "the bootstrap address {0} does not end in /p2p/<peer id>; copy the relay's address whole"
    )]
    BootstrapWithoutPeerId(libp2p::Multiaddr),
    /// A listen address isn't supported on this platform.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: libp2p::Multiaddr,
        /// What the transport said.
        reason: String,
    },
    /// A protocol could not be set up; this is a defect of the library.
    #[error("{0} could not be set up; please report this")]
    Protocol(&'static str),
}

/// The node was stopped, or its actor has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// Start a new node.
    #[error("the node is stopped; call start() on a new node")]
    Stopped,
    /// No answer within the time allowed.
    #[error("no answer within {0:?}; the peer is unreachable or very slow")]
    Timeout(std::time::Duration),
    /// The part is switched off in the configuration.
    #[error("{0} is switched off in this node's configuration")]
    Disabled(&'static str),
    /// Nothing was found.
    #[error("{0} was not found")]
    NotFound(&'static str),
    /// The network could not take it.
    #[error("no peer took the {0}; connect to a relay first")]
    NoPeers(&'static str),
    /// Too large.
    #[error("{what} of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The bound in bytes.
        limit: usize,
    },
}

/// Why a peer could not be connected to.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// See [`CommandError`].
    #[error(transparent)]
    Command(#[from] CommandError),
    /// No transport of this node speaks this address.
    #[error("no transport for {0}: a browser dials /ws, /wss, /p2p-circuit and /webrtc addresses")]
    UnsupportedAddress(libp2p::Multiaddr),
    /// Somebody else answered.
    #[error("expected {expected} but {obtained} answered; the address is out of date")]
    WrongPeer {
        /// Who was asked for.
        expected: PeerId,
        /// Who answered.
        obtained: PeerId,
    },
    /// The address names this node.
    #[error("this is the node's own address")]
    Own,
    /// Nobody answered.
    #[error("cannot reach the peer: {0}")]
    Unreachable(String),
}

/// Why a stream could not be opened.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// See [`CommandError`].
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Connect first.
    #[error("not connected to {0}; call connect() first")]
    NotConnected(PeerId),
    /// The peer has no handler for it.
    #[error("{peer} does not speak {protocol}")]
    UnsupportedProtocol {
        /// The peer.
        peer: PeerId,
        /// The protocol.
        protocol: String,
    },
    /// Protocol names begin with `/`.
    #[error("{0:?} is not a protocol name: it must begin with '/'")]
    InvalidProtocol(String),
    /// A handler for it exists already.
    #[error("a handler for {0} exists already; remove it first")]
    AlreadyHandled(String),
    /// The connection broke.
    #[error("the connection broke while the stream was being opened")]
    Io,
}

/// Why a topic operation failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// See [`CommandError`].
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The message could not be published.
    #[error("cannot publish: {0}")]
    Publish(String),
}

/// Why a room operation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoomError {
    /// See [`CommandError`].
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Too many rooms on this node.
    #[error("a node can be in at most {0} rooms; leave one first")]
    TooManyRooms(usize),
    /// Too many documents in this room.
    #[error("a room can have at most {0} open documents on one node; close one first")]
    TooManyDocuments(usize),
    /// Not in this room.
    #[error("not in this room; join it first")]
    NotJoined,
    /// The document is open already.
    #[error("this document is open already on this node; use the one you have")]
    AlreadyOpen,
    /// Room names have bounds.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
}
