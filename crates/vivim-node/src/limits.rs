//! Every bound of the node, with its unit and reason.

use std::time::Duration;

/// Commands waiting for the actor; a caller waits for a place.
pub const COMMAND_QUEUE: usize = 256;
/// Events waiting for the application; above it the actor reads no more from the network.
pub const EVENT_QUEUE: usize = 1_024;
/// Frames that one sync stream's writer may hold: 16 frames of 16 KiB keep a fast path busy.
pub const WRITER_FRAMES: usize = 16;
/// Bytes read from a stream at once: one frame of the sync protocol.
pub const READ_SIZE: usize = 16 * 1024;
/// Bytes of frames that are written as one: as many as the largest frame has.
pub const WRITE_SIZE: usize = 16 * 1024;
/// Messages from stream readers waiting for the actor (each reader has one more of its own).
pub const READER_QUEUE: usize = 32;
/// Inbound application streams of one protocol waiting for its handler; more are reset.
pub const INCOMING_STREAMS: usize = 32;
/// Rooms of one node (the directory's own bound is the same).
pub const MAX_ROOMS: usize = 1_024;
/// Open documents of one room on one node.
pub const MAX_DOCUMENTS_PER_ROOM: usize = 512;
/// Bytes of a topic's name: subscribers send it to each other.
pub const MAX_TOPIC: usize = 512;
/// Bytes of one gossip message.
pub const MAX_GOSSIP_MESSAGE: usize = 64 * 1024;
/// Bytes of one DHT value.
pub const MAX_DHT_VALUE: usize = 64 * 1024;
/// Application protocols of one node.
pub const MAX_PROTOCOLS: usize = 128;
/// Pending dials, opens and queries of one kind.
pub const MAX_PENDING: usize = 512;
/// Addresses remembered per peer.
pub const MAX_ADDRESSES: usize = 16;
/// Peers whose addresses are remembered.
pub const MAX_KNOWN_PEERS: usize = 1_024;

/// The whole of one dial, relay and ICE included.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(30);
/// A DHT query, a stream's opening.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(15);
/// A stream's opening, negotiation included.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How often connections are pinged.
pub const PING_INTERVAL: Duration = Duration::from_secs(10);
/// How long a ping may take; then the connection is closed.
pub const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a member that the directory lists no longer has to show that it is still there.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(4);
/// First wait before a lost relay is tried again.
pub const RELAY_BACKOFF_MIN: Duration = Duration::from_millis(250);
/// Longest wait, so that a restarted relay is noticed soon.
pub const RELAY_BACKOFF_MAX: Duration = Duration::from_secs(15);
/// How long a member waits for the newcomer's dial before it dials itself.
pub const NEWCOMER_GRACE: Duration = Duration::from_secs(3);
/// How long an acceptor waits for the dialler's sync stream before it opens one itself.
pub const ACCEPTOR_GRACE: Duration = Duration::from_secs(2);
/// How long a direct upgrade lets the relayed connection go first; it begins earlier when the
/// documents are in step. Signalling and ICE keep a browser's thread busy, and a person who opens a
/// page wants to see the text.
pub const UPGRADE_DELAY: Duration = Duration::from_millis(400);
/// How long a connection without streams is kept.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a relayed connection outlives the proof of the direct one.
pub const RELAYED_LINGER: Duration = Duration::from_secs(5);
