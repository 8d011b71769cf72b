//! Every bound of this crate, on one page.
//!
//! A remote peer can push on each of these. Each names its unit and what happens beyond it.

use std::time::Duration;

/// Bytes of one encoded frame on a data channel, length prefix included. The specification's
/// limit; a longer one resets the stream.
pub const MAX_FRAME: usize = 16 * 1024;

/// Bytes of one message of a data channel: several of the longest frames. A longer one closes the
/// channel before it is copied: Firefox takes up to 1 GiB at once, and what the program's memory
/// has grown by for it would never be given back.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Bytes of payload that fit in a frame of nothing else: 2 are the frame's length, 3 the payload's
/// tag and length.
pub const MAX_PAYLOAD: usize = MAX_FRAME - 5;

/// Bytes of payload that a frame with credit has less: tag and the longest number.
pub const CREDIT_COST: usize = 11;

/// Bytes of one encoded signaling message, length prefix excluded, inclusive. An SDP of a data
/// channel session is below 2 KiB; a longer message ends the session.
pub const MAX_SIGNALING_MESSAGE: usize = 64 * 1024;

/// Messages that one signaling session accepts. One session needs about a dozen.
pub const MAX_SIGNALING_MESSAGES: usize = 256;

/// Bytes of credit that this side grants on each stream to a peer that takes part in credit (see
/// [`crate::stream`]). At 100 ms of round trip this allows 10 MiB/s for one stream.
pub const RECEIVE_WINDOW: u64 = 1024 * 1024;

/// Bytes, plus [`CHUNK_COST`] for each frame, that a stream holds for a reader that does not
/// read. Only a peer without credit can reach it; the stream is then reset.
pub const MAX_RECEIVE_BUFFER: usize = 16 * 1024 * 1024;

/// The same bound for a stream that nobody has accepted yet.
pub const MAX_UNACCEPTED_BUFFER: usize = 1024 * 1024;

/// The same bound for all streams of one connection together.
pub const MAX_CONNECTION_BUFFER: usize = 64 * 1024 * 1024;

/// Bytes that a queued frame costs in the three bounds above beside its payload, so that many
/// tiny frames are bounded too.
pub const CHUNK_COST: usize = 64;

/// Bytes in a channel's send buffer above which a writer waits.
pub const SEND_HIGH_WATER: usize = 512 * 1024;

/// Bytes in a channel's send buffer at which a waiting writer goes on.
pub const SEND_LOW_WATER: usize = 256 * 1024;

/// Messages that a channel keeps while nothing has been attached to it; one more closes it.
pub const MAX_EARLY_MESSAGES: usize = 64;

/// Streams of one connection, both directions together. Beyond it new streams of ours wait and
/// new streams of the peer are closed at once. Browsers stop at 256 to 1024 channels.
pub const MAX_STREAMS: usize = 256;

/// Streams of the peer that wait to be accepted. Beyond it they are closed at once.
pub const MAX_UNACCEPTED_STREAMS: usize = 64;

/// Events that a backend may queue before they are polled; more fail the connection.
pub const MAX_BACKEND_EVENTS: usize = 4096;

/// Peer connections alive at once; browsers fail at 500 in a process, collected or not.
pub const MAX_CONNECTIONS: usize = 64;

/// Offers of remote peers being answered at once; each costs a peer connection.
pub const MAX_INBOUND_SESSIONS: usize = 8;

/// Time for a whole session, from the offer to a usable connection.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(20);

/// Time to wait for the remote offer or answer.
pub const DESCRIPTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that a session may still take after the peer has cut the signaling stream.
pub const ABANDONED_TIMEOUT: Duration = Duration::from_secs(5);

/// Time to wait for the signaling stream, a relayed connection included.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(15);

/// Time that a connection may stay `disconnected` before it is given up.
pub const DISCONNECTED_GRACE: Duration = Duration::from_secs(10);

/// Time to wait for FIN_ACK after a stream was dropped, before its channel is closed anyway.
pub const FIN_ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that a finished session spends on closing its signaling stream in good order.
pub const SIGNALING_LINGER: Duration = Duration::from_secs(5);

/// Time that closing a connection waits for streams whose last bytes are not acknowledged yet.
pub const CLOSE_LINGER: Duration = Duration::from_secs(2);

/// First and largest time between two attempts to upgrade a relayed connection.
pub const UPGRADE_BACKOFF: (Duration, Duration) =
    (Duration::from_secs(2), Duration::from_secs(300));

/// Two direct connections that come up within this time of each other, one dialed by each side,
/// are a simultaneous dial: one of them is closed.
pub const GLARE_WINDOW: Duration = Duration::from_secs(10);

/// Peers whose upgrade history is remembered when they are gone.
pub const MAX_REMEMBERED_PEERS: usize = 1024;
