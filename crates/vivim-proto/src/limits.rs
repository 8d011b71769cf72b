//! Every bound of the protocols, on one page, each with its unit and the reason for it.
//!
//! No other module declares a bound. Whoever reads this page knows how much memory a peer can make
//! us spend and how much work it can make us do.

use std::time::Duration;

// Names ------------------------------------------------------------------------------------------

/// Bytes of the name of a room or of a document. Names don't travel, their hashes do; they are kept
/// with each document. As much as a shared type's name may have.
pub const MAX_NAME: usize = 4 * 1024;

// Room directory ---------------------------------------------------------------------------------

/// Bytes of one room directory message, without its length prefix: 64 peers of 128 bytes fit.
pub const MAX_ROOM_MESSAGE: usize = 16 * 1024;

/// Bytes of one peer id in a room directory message. A libp2p id has 38 (Ed25519) or 34 (hashed).
pub const MAX_PEER_BYTES: usize = 128;

/// Rooms one peer may be in at a time, over all its connections.
pub const MAX_ROOMS_PER_PEER: usize = 1_024;

/// Peers in one answer to a join, and the number of members who are told about a newcomer. Larger
/// rooms get a random sample: gossip needs a few neighbours, not a list of everybody.
pub const MAX_PEERS_PER_ANSWER: usize = 64;

/// Directory streams one peer may hold open at a time: a few tabs' worth of reconnects in flight.
pub const MAX_DIRECTORY_STREAMS_PER_PEER: usize = 8;

/// Requests a peer may send in one burst: leaving and joining all of its rooms after a reconnect.
pub const ROOM_REQUEST_BURST: u32 = 2_048;

/// Requests per second a peer may go on sending after its burst.
pub const ROOM_REQUESTS_PER_SECOND: u32 = 32;

/// Peers a client remembers per room. A relay that announces more is not believed further.
pub const MAX_PEERS_PER_ROOM: usize = 1_024;

/// How long a client keeps a peer that a reconnected relay didn't list: after a relay's restart
/// everybody is reconnecting, and direct connections have gone on working meanwhile.
pub const REJOIN_GRACE: Duration = Duration::from_secs(30);

/// How long a client waits before it repeats a join that was refused for its rate.
pub const ROOM_RETRY: Duration = Duration::from_secs(2);

// Sync -------------------------------------------------------------------------------------------

/// Bytes of one sync frame in all, its length prefix included: one message of a WebRTC data
/// channel, and the granularity at which documents take turns.
pub const MAX_FRAME: usize = 16 * 1024;

/// Bytes of a frame's length prefix, kind and channel at their largest (3 + 1 + 9).
pub const MAX_FRAME_HEADER: usize = 13;

/// Bytes of one fragment's body.
pub const MAX_FRAME_BODY: usize = MAX_FRAME - MAX_FRAME_HEADER;

/// Bytes of one reassembled message: the whole state of a large document (the largest published
/// editing trace is 0.5 MiB), small enough to be held in a browser tab next to its decoded form.
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// Bytes of an update's payload: a message without the largest header an update can have.
pub const MAX_PAYLOAD: usize = MAX_MESSAGE - 8 * 1024;

/// Bytes of one piece of an answer, by convention: a browser applies it in a few milliseconds.
pub const PIECE: usize = 64 * 1024;

/// Bytes of all pieces of one answer, or of one part of a larger one. They wait here until they are
/// sent; the next part is found when the peer has applied them.
pub const MAX_ANSWER: usize = MAX_MESSAGE;

/// Pieces of one answer: four times what [`PIECE`] asks for, so that pieces may be of any size.
pub const MAX_PIECES: usize = 4 * MAX_ANSWER / PIECE;

/// Update numbers remembered per channel to tell which of the application's changes an
/// acknowledgement means; above it every second one is forgotten, and reports get coarser.
pub const MAX_COVERAGE_MARKS: usize = 256;

/// Bytes of a summary: a state vector of some hundred thousand clients.
pub const MAX_SUMMARY: usize = 1024 * 1024;

/// Bytes of an awareness payload: names, colours and cursors of a crowded room.
pub const MAX_AWARENESS: usize = 64 * 1024;

/// Bytes of summaries, updates and awareness that may be under way on one channel in one direction
/// before the receiver's replica has taken them, at first. A burst of so many fits into what a
/// socket and a browser hold: of a larger one the end gets lost when the other side is busy, and a
/// data channel sends what was lost at the end, where nothing follows that would show it, only after
/// 400 ms.
pub const CREDIT_WINDOW: u64 = 48 * 1024;

/// The same on a long path, which the window grows with. Covers 10 Mbit/s at 200 ms.
pub const MAX_CREDIT_WINDOW: u64 = 256 * 1024;

/// Credit is given back in portions of at least this many bytes: less than a frame, so that one
/// frame arrives for each that leaves.
pub const CREDIT_BATCH: u64 = CREDIT_WINDOW / 4;

/// How long a receiver waits with nothing to do, in the time that one window of bytes takes, before
/// it doubles the window. On a path that is so short the smallest window is 2 MiB/s, and waiting
/// rather means that the sender is busy.
pub const CREDIT_IDLE: Duration = Duration::from_millis(20);

/// The longest time that one window of bytes takes on the longest path. Who needs longer has nothing
/// more to send.
pub const CREDIT_ROUND: Duration = Duration::from_secs(1);

/// An acknowledgement that nothing else is sent with goes by itself after this long: what is typed
/// in both directions carries it along, so that a letter isn't held up by the last one's message.
/// Nobody waits for it; credit, which somebody may wait for, doesn't wait.
pub const ACK_DELAY: Duration = Duration::from_millis(40);

/// Bytes of the smallest fragment that doesn't end its message; a sender with less credit waits for
/// the next portion, so that a message isn't cut into crumbs.
pub const MIN_FRAGMENT: usize = 4 * 1024;

/// Bytes of half-received messages one session holds over all channels before only one channel at
/// a time may go on past its window.
pub const MAX_REASSEMBLY: usize = 32 * 1024 * 1024;

/// Channels a session has open, and offers of the peer it remembers.
pub const MAX_CHANNELS: usize = 1_024;

/// Bytes of local updates waiting on one channel for credit. Beyond it the queue is dropped and an
/// exchange of summaries repairs.
pub const MAX_QUEUE_BYTES: usize = 1024 * 1024;

/// Local updates waiting on one channel for credit, as a number.
pub const MAX_QUEUE_LEN: usize = 1_024;

/// Frames that answer or announce (open, close) waiting to be sent. A peer that makes us queue
/// more without reading any is dropped.
pub const MAX_CONTROL_QUEUE: usize = 4 * MAX_CHANNELS;

/// Apply requests one channel may have at its replica at a time; more wait in the channel.
pub const MAX_REQUESTS_PER_CHANNEL: usize = 256;

/// Bytes of the capability in an open.
pub const MAX_CAPABILITY: usize = 4 * 1024;

/// Bytes of the author of an update, and of each of its dependencies.
pub const MAX_AUTHOR: usize = 64;

/// Dependencies of an update.
pub const MAX_DEPS: usize = 64;

/// Summaries of a peer answered at once; each can cost a whole document.
pub const SUMMARY_BURST: u32 = 8;

/// After the burst, one summary is answered in this time; a newer one replaces the waiting one.
pub const SUMMARY_INTERVAL: Duration = Duration::from_secs(1);

/// A summary waits for at most this long because its answer is on its way by gossip: two rounds of
/// summaries, in which the peer asks others too.
pub const MAX_HOLD: Duration = Duration::from_secs(20);

// Rooms of many peers ----------------------------------------------------------------------------

/// Members (oneself included) up to which a room uses streams only.
pub const STREAMS_ROOM: usize = 8;

/// Members at which a room that has used gossip goes back to streams; lower than
/// [`STREAMS_ROOM`], so that one who comes and goes at the border changes nothing.
pub const STREAMS_ROOM_AGAIN: usize = 6;

/// Peers of one room to keep connections to.
pub const NEIGHBOURS: usize = 8;

/// Neighbours that get a summary in each round.
pub const SUMMARY_NEIGHBOURS: usize = 4;

/// Bytes of an update or awareness payload that goes by gossip; larger ones go by streams.
pub const MAX_GOSSIP_PAYLOAD: usize = 32 * 1024;

/// Bytes of one gossip message: version, kind, document id, payload.
pub const MAX_GOSSIP_MESSAGE: usize = MAX_GOSSIP_PAYLOAD + 64;

/// How long what was published by gossip is under way, as far as answers to summaries go: in a room
/// of 30 on a busy machine gossip takes some hundred milliseconds.
pub const GOSSIP_SETTLE: Duration = Duration::from_secs(1);

/// An answer that waits for gossip comes up to this much later, so that a room doesn't pulse.
pub const GOSSIP_SETTLE_JITTER: Duration = Duration::from_millis(500);

/// Mean time between two rounds of summaries in a gossip room.
pub const SUMMARY_ROUND: Duration = Duration::from_secs(10);

/// A round comes up to this much earlier or later, so that rooms don't pulse.
pub const SUMMARY_ROUND_JITTER: Duration = Duration::from_secs(3);

/// The first round after joining, or after news that only streams could carry.
pub const SUMMARY_SOON: Duration = Duration::from_secs(1);

/// First wait before a lost neighbour is dialled again; doubles up to [`REDIAL_MAX`].
pub const REDIAL_MIN: Duration = Duration::from_secs(1);

/// Longest wait before a lost neighbour is dialled again.
pub const REDIAL_MAX: Duration = Duration::from_secs(60);

/// Members of one room the room machine remembers.
pub const MAX_MEMBERS: usize = MAX_PEERS_PER_ROOM;

// Vector clocks ----------------------------------------------------------------------------------

/// Keys of a clock that is read from JSON: four times the devices remembered per document.
pub const MAX_CLOCK_ENTRIES: usize = 4_096;

/// Bytes of a key of a clock that is read from JSON. A DID or peer id has less than a hundred.
pub const MAX_CLOCK_KEY: usize = 256;

/// The largest count of a clock: what JavaScript's numbers hold exactly, 2⁵³ − 1.
pub const MAX_CLOCK_COUNT: u64 = (1 << 53) - 1;
