//! What comes out of a node: events, and the records they and the getters carry.

use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use vivim_proto::{
    id::{DocId, RoomId},
    sync::{ReplicaOp, RequestId},
};

/// How well the node is connected, from worst to best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Status {
    /// Not started, stopped, or the platform says that there is no network.
    #[default]
    Offline,
    /// No connection yet; dialling relays.
    Connecting,
    /// Connected to a relay, to no other peer.
    Online,
    /// Connected to peers through a relay only.
    Relayed,
    /// Connected to at least one peer directly.
    Direct,
}

/// What a connection runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// A WebRTC peer connection.
    WebRtc,
    /// A WebSocket (with circuit relay on top, if the connection isn't direct).
    WebSocket,
    /// TCP.
    Tcp,
}

/// Who dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The remote peer dialled.
    Inbound,
    /// We dialled.
    Outbound,
}

/// One live connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Who is at the other end.
    pub peer: PeerId,
    /// Its address as this side sees it.
    pub remote_addr: Multiaddr,
    /// What it runs over.
    pub transport: Transport,
    /// False if it goes through a relay.
    pub direct: bool,
    /// Whether the other end is a configured relay.
    pub is_relay: bool,
    /// Who dialled.
    pub direction: Direction,
    /// The last ping's round trip.
    pub rtt: Option<Duration>,
    /// Bytes sent inside the connection, after encryption is taken off.
    pub bytes_sent: u64,
    /// Bytes received, likewise.
    pub bytes_received: u64,
    /// Milliseconds since the Unix epoch.
    pub connected_at_ms: u64,
}

/// The node at a glance.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// This node.
    pub peer_id: PeerId,
    /// This device's profile.
    pub device_id: [u8; 16],
    /// Addresses under which others can reach it.
    pub multiaddrs: Vec<Multiaddr>,
    /// Protocols that it speaks.
    pub protocols: Vec<String>,
    /// How many live connections it has.
    pub connections: usize,
    /// How well it is connected.
    pub status: Status,
}

/// What is known of a peer.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// The peer.
    pub peer: PeerId,
    /// Its known addresses.
    pub multiaddrs: Vec<Multiaddr>,
    /// Its protocols, if it has identified itself.
    pub protocols: Vec<String>,
    /// Whether we are connected to it.
    pub connected: bool,
}

/// A message from a topic.
#[derive(Clone, Debug)]
pub struct PubSubMessage {
    /// The topic as the subscriber named it (without the `/vivim/` that was added).
    pub topic: String,
    /// The author; its signature was verified.
    pub from: PeerId,
    /// The payload.
    pub data: Vec<u8>,
}

/// A member of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomPeer {
    /// The peer.
    pub peer: PeerId,
    /// Whether we are connected to it at all.
    pub connected: bool,
    /// Whether one of the connections is direct.
    pub direct: bool,
}

/// What happens in a room.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RoomEvent {
    /// The relay has confirmed the room; `total` members are there besides us.
    Joined {
        /// Members besides us.
        total: u64,
    },
    /// Somebody came.
    PeerJoined(PeerId),
    /// Somebody left.
    PeerLeft(PeerId),
    /// A member's connection was made, lost, or changed between relayed and direct.
    PeersChanged,
}

/// What happens to a document.
///
/// # What can be known about a change that was made here
///
/// In a room of up to [`STREAMS_ROOM`](vivim_proto::limits::STREAMS_ROOM) members each change goes to
/// each peer by its stream, and is acknowledged there within a round trip. In a larger room a small
/// change goes by gossip, which acknowledges nothing. What a peer has of those shows in the next
/// exchange of summaries with it (with some neighbours every ten seconds); of members with whom there
/// is no stream nothing is ever known here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DocumentEvent {
    /// In step with this peer: what it had when the exchange began has been applied here.
    Synced(PeerId),
    /// This peer has applied our updates up to this number.
    Acknowledged {
        /// Who.
        peer: PeerId,
        /// The number that [`crate::Node::local_update`] used on that peer's stream.
        seq: u64,
        /// True if the peer has stored it durably, false if it has applied it.
        stored: bool,
    },
    /// The exchange with this peer begins: both have the document open, on the first stream
    /// between them that does. [`Synced`](Self::Synced) follows, and [`Closed`](Self::Closed) when
    /// the last one has gone.
    Opened(PeerId),
    /// This peer has all of our numbered changes up to this one: see
    /// [`Node::local_change`](crate::Node::local_change). After a change of streams a number may be
    /// reported again, or a lower one.
    Reached {
        /// Who.
        peer: PeerId,
        /// The number of the change.
        change: u64,
        /// True if the peer has stored it durably, false if it has applied it.
        stored: bool,
    },
    /// An update of this peer was applied.
    Updated(PeerId),
    /// This peer no longer exchanges this document with us.
    Closed(PeerId),
}

/// What the application should know although nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarningCode {
    /// A relay can't be reached; it is tried again.
    RelayUnreachable,
    /// A relay refused a reservation; it is tried again.
    ReservationRefused,
    /// A direct connection could not be made; the relayed one is kept.
    UpgradeFailed,
    /// A peer broke the sync protocol; its stream was closed.
    SyncProtocol,
    /// The directory refused a room.
    RoomRefused,
    /// WebRTC does not exist here.
    WebRtcUnavailable,
    /// A configured address can't be listened on.
    ListenFailed,
}

/// Names one question to a replica. Opaque; `Copy`, and convertible to two integers so that it
/// can cross into JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId {
    pub(crate) link: u64,
    pub(crate) request: RequestId,
}

/// What happens in a node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The actor runs.
    Started,
    /// The actor has ended; nothing comes after this.
    Stopped,
    /// A peer was heard of.
    PeerDiscovered {
        /// Who.
        peer: PeerId,
        /// Where.
        multiaddrs: Vec<Multiaddr>,
    },
    /// The first connection to a peer was made.
    PeerConnected(PeerId),
    /// The last connection to a peer was lost.
    PeerDisconnected(PeerId),
    /// [`crate::Node::connections`] gives another answer than before. Coalesced.
    ConnectionsChanged,
    /// How well the node is connected has changed.
    Status(Status),
    /// A message on a subscribed topic.
    Message(PubSubMessage),
    /// Something happened in a room.
    Room(RoomId, RoomEvent),
    /// Something happened to a document.
    Document(DocId, DocumentEvent),
    /// A question to a document's replica; answer with [`crate::Node::respond`].
    Replica {
        /// The document.
        doc: DocId,
        /// The question's number, to be given back.
        id: CallId,
        /// The peer on whose behalf it is asked.
        peer: PeerId,
        /// The question.
        op: ReplicaOp,
    },
    /// Something the application may want to show.
    Warning {
        /// What, for programs.
        code: WarningCode,
        /// What, for people.
        message: String,
    },
}

/// A relay as [`crate::Node::diagnose`] sees it.
#[derive(Clone, Debug)]
pub struct RelayDiagnosis {
    /// Its address as configured.
    pub address: Multiaddr,
    /// How far it got.
    pub state: RelayState,
    /// The last failure, for people.
    pub last_error: Option<String>,
    /// What it allows, once it has said so.
    pub limits: Option<vivim_proto::rooms::RelayLimits>,
}

/// How far the connection to a relay got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayState {
    /// Waiting for the next attempt.
    Disconnected,
    /// Dialling.
    Connecting,
    /// Connected, without a reservation: others can't reach us through it.
    Connected,
    /// Connected and reachable through it.
    Reserved,
}

/// Everything needed to explain why two peers can't connect.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// The configured relays.
    pub relays: Vec<RelayDiagnosis>,
    /// Live peers, direct and relayed.
    pub direct_peers: usize,
    /// Live peers that are reached through a relay only.
    pub relayed_peers: usize,
    /// Failed upgrades to a direct connection since the start, with the last reason.
    pub failed_upgrades: u64,
    /// The last reason.
    pub last_upgrade_error: Option<String>,
}
