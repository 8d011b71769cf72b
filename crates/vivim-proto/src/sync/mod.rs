//! `/vivim/sync/1.0.0`: how the replicas of two peers come to agree, over one stream for all of
//! their documents.
//!
//! # Channels
//!
//! Each side gives the documents that it shares numbers of its own, counting up from 1 and never
//! using one twice, and announces each by an `open` with the document's id. A document is synced
//! when both sides have opened it, whoever was first; the two numbers together are one logical
//! channel. So both sides may open the same document at the same moment, and neither needs to know
//! who opened the stream.
//!
//! What a side sends about a document carries that side's own number, except `ack` and `credit`,
//! which carry the number of the channel that they are about, the other side's.
//!
//! A `close` ends the sender's number and, if it names one, the receiver's. Whoever loses its
//! number like that, because the other side has no use for the document now (code `done`), offers
//! the document again under a new number; the other side remembers the offer, and when it opens
//! the document again sync starts at once. After any other code nothing is offered again. Frames
//! on a number that has ended are skipped; they were under way. Frames on a number that was never
//! opened are an error.
//!
//! # Sync
//!
//! When both sides have opened a document, each sends the *summary* of its replica (for Yjs the
//! state vector) and answers the other's summary with what is missing there, in an update marked
//! as the answer. Whoever has applied the answer is *synced*. Local updates go out at once, before
//! that too: the replica keeps what it can't integrate yet.
//!
//! Updates are numbered per channel; the receiver acknowledges, cumulatively, what its replica has
//! applied and what it has made durable. Numbers may skip: see below.
//!
//! An answer may be cut into *pieces*: updates that are applied one after the other, of which only
//! the last is marked as the answer. Each is numbered and acknowledged like any update; to the
//! receiver the others are updates like those typed at this moment. So a large document comes in
//! without holding the receiver's thread, and what is typed meanwhile goes before the pieces that
//! still wait. A receiver that goes away after some pieces has them already: its next summary says
//! so.
//!
//! An application that numbers its own changes (1, 2, 3, …) hears how far each peer has them, by
//! [`Event::Reached`]. A change counts when an update that carries it is acknowledged, or the answer
//! to a summary that was made after it; so what went past the stream, by gossip, counts after the
//! next exchange of summaries.
//!
//! In a large room what is typed goes by gossip. A summary made a moment before it arrived would be
//! answered with it once more; so such a summary isn't answered, but a newer one asked for when
//! gossip has had its time ([`Session::hold_answers`]).
//!
//! # Flow
//!
//! Messages are cut into fragments that fit a frame of 16 KiB; channels with something to send take
//! turns, one frame each. A sender has a window of 48 KiB per channel, which counts the frame
//! bodies of summaries, updates and awareness. The receiver gives credit back when its *replica*
//! has taken a message, so a slow replica holds the sender and nobody in between has to buffer. When
//! the receiver waits though the sender has used its credit up, the path is long, and the receiver
//! gives more than it took, until the window has 256 KiB. A
//! message larger than the window gets credit while it arrives, if nothing else of its channel is
//! waiting for the replica; half-received messages have a budget per session, beyond which one
//! channel at a time goes on.
//!
//! Local updates wait in a bounded queue. When it overflows, it is dropped, and a request for the
//! other side's summary goes out; the answer to that summary carries everything that was dropped,
//! under a higher number, which acknowledges the dropped numbers too. Awareness waits in a slot of
//! one: only the newest is worth sending.
//!
//! # The wire
//!
//! A frame is its length (unsigned varint, of what follows), a kind (one byte, whose highest bit
//! says that more fragments of the message follow), a channel (unsigned varint) and a body; at most
//! 16,384 bytes in all. A reader skips kinds that it doesn't know.
//!
//! | kind | | body |
//! |---|---|---|
//! | 1 | open | version (one byte, 1), mode (one byte), document id (32 bytes), capability (length-prefixed) |
//! | 2 | summary | flags (one byte), payload |
//! | 3 | update | flags (one byte), author (length-prefixed), seq (varint), count of deps (varint), deps (length-prefixed), payload |
//! | 4 | awareness | payload |
//! | 5 | ack | level (one byte: 1 applied, 2 stored), seq (varint) |
//! | 6 | credit | bytes (varint) |
//! | 7 | close | the receiver's channel or 0 (varint), code (one byte); the frame's channel may be 0 |
//!
//! Only kinds 2 to 4 may be fragmented, and the fragments of one message are not interleaved with
//! other messages of its channel. Flags of a summary: 1 = "send me yours". An empty summary is not
//! to be answered. Flags of an update: 1 = "this answers your summary".
//!
//! Mode 0 (plain) carries y-protocols payloads: the state vector, updates in encoding V1, awareness
//! updates; author and deps are empty. Mode 1 is kept for encrypted envelopes. An open with a mode
//! that the receiver doesn't have, or with another mode than its own, is answered by a close with
//! code `mode`: a mode never downgrades. An open with an unknown version ends the session with
//! [`SyncError::UnsupportedVersion`].

mod channel;
mod coverage;
mod frame;
mod inbound;
mod message;
mod outbound;
mod reassembly;
mod session;
mod window;

use bytes::Bytes;

pub use self::{
    frame::{Frame, FrameDecoder},
    session::Session,
};
use crate::{id::DocId, wire::WireError};

/// The protocol's name on a libp2p stream.
pub const PROTOCOL: &str = "/vivim/sync/1.0.0";

/// The version in every open.
pub const VERSION: u8 = 1;

/// How a session behaves.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    max_channels: usize,
    max_queue_bytes: usize,
}

impl SessionConfig {
    /// Channels open, and offers remembered, at most. Default and most:
    /// [`MAX_CHANNELS`](crate::limits::MAX_CHANNELS). Each costs some 300 bytes when idle.
    pub fn max_channels(mut self, channels: usize) -> Self {
        self.max_channels = channels.clamp(1, crate::limits::MAX_CHANNELS);
        self
    }

    /// Bytes of local updates that may wait per channel. Default and most:
    /// [`MAX_QUEUE_BYTES`](crate::limits::MAX_QUEUE_BYTES). More only delays the summary exchange
    /// that replaces them.
    pub fn max_queue_bytes(mut self, bytes: usize) -> Self {
        self.max_queue_bytes = bytes.min(crate::limits::MAX_QUEUE_BYTES);
        self
    }
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            max_channels: crate::limits::MAX_CHANNELS,
            max_queue_bytes: crate::limits::MAX_QUEUE_BYTES,
        }
    }
}

/// Something that happened to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A frame came.
    Frame(Frame),
    /// The replica answered a request.
    Replica {
        /// The request's id.
        id: RequestId,
        /// The answer.
        result: ReplicaResult,
    },
    /// The time of [`Session::poll_timeout`] has come.
    Timeout,
}

/// Something for the driver to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a request that isn't answered stops the document's sync"]
pub enum Output {
    /// Tell whoever is interested.
    Event(Event),
    /// Have the document's replica do this, then pass its answer as [`Input::Replica`].
    Request {
        /// To be given back with the answer. Unique within the session.
        id: RequestId,
        /// Which document.
        doc: DocId,
        /// What to do.
        op: ReplicaOp,
    },
}

/// Identifies a question to a replica within one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What a replica is asked to do.
///
/// Requests of one document must be carried out in the order in which they were made; the answers
/// may come in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaOp {
    /// Take in an update of the peer. Answer [`ReplicaResult::Applied`] or
    /// [`ReplicaResult::Stored`]. The payload is hostile until judged.
    Apply {
        /// The update (mode 0: Yjs V1).
        payload: Bytes,
    },
    /// Take in the peer's awareness. Answer [`ReplicaResult::Applied`]. Hostile until judged.
    ApplyAwareness {
        /// An awareness update of y-protocols.
        payload: Bytes,
    },
    /// Say what is missing in a replica that has this summary. Answer [`ReplicaResult::Diff`], for a
    /// large one [`ReplicaResult::Pieces`], and if that would be too large [`ReplicaResult::Part`].
    Diff {
        /// The peer's summary (mode 0: state vector V1). Hostile until judged.
        summary: Bytes,
    },
    /// Give the awareness of everybody known here. Answer [`ReplicaResult::Awareness`]; empty for
    /// nobody.
    EncodeAwareness,
    /// Say what this replica has. Answer [`ReplicaResult::Summary`].
    Summary,
}

/// What a replica answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaResult {
    /// The update or awareness has been taken in.
    Applied,
    /// The awareness of everybody known here.
    Awareness(Bytes),
    /// What is missing there.
    Diff(Bytes),
    /// It could not be done.
    Failed(ReplicaError),
    /// The first of what is missing there, as [`Pieces`](Self::Pieces). When the peer has applied them
    /// its summary is asked for anew, and what it still lacks then is asked for here.
    ///
    /// Whoever has applied a part must have another summary: the same part again would lead nowhere.
    Part(Vec<Bytes>),
    /// What is missing there, as updates to be applied one after the other: at least one, at most
    /// [`MAX_PIECES`](crate::limits::MAX_PIECES), together at most
    /// [`MAX_ANSWER`](crate::limits::MAX_ANSWER) bytes. By convention a piece has at most
    /// [`PIECE`](crate::limits::PIECE) bytes, so that the other side can take a breath between two.
    Pieces(Vec<Bytes>),
    /// The update has been taken in and will survive a restart.
    Stored,
    /// What is here.
    Summary(Bytes),
}

/// Why a replica could not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicaError {
    /// The document is closed here. The channel is closed with code `done`.
    #[error("the document is closed")]
    Closed,
    /// The payload is not valid. The channel is closed with code `rejected`; a peer that means well
    /// doesn't send such a thing.
    #[error("the payload is not valid")]
    Malformed,
    /// The payload, or the answer, exceeds a limit. The channel is closed with code `too large`.
    #[error("the payload or the answer is too large")]
    TooLarge,
}

/// Something that whoever drives the session may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The peer has applied or stored all of our updates up to a number that
    /// [`Session::local_update`] returned.
    Acked {
        /// The document.
        doc: DocId,
        /// The number.
        seq: u64,
        /// What it did with them.
        level: AckLevel,
    },
    /// The logical channel has ended, by the peer or by an error. After [`CloseCode::Done`] our
    /// side stays open for the peer to come back; after any other code it doesn't.
    Closed {
        /// The document.
        doc: DocId,
        /// Why.
        code: CloseCode,
    },
    /// The session is dead. Drop the stream.
    Failed(SyncError),
    /// The peer has applied or stored all of our changes up to a number that
    /// [`Session::local_change`] or [`Session::note_change`] was given.
    Reached {
        /// The document.
        doc: DocId,
        /// The application's number of the change.
        change: u64,
        /// What it did with them.
        level: AckLevel,
    },
    /// The peer opened a document that isn't open here; a later [`Session::open`] answers it.
    Offered {
        /// The document.
        doc: DocId,
    },
    /// Both sides have opened the document: sync has begun.
    Opened {
        /// The document.
        doc: DocId,
    },
    /// What the peer had when it answered our first summary has been applied here.
    Synced {
        /// The document.
        doc: DocId,
    },
    /// An update of the peer has been applied here.
    Updated {
        /// The document.
        doc: DocId,
    },
}

/// How far an update has got at the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AckLevel {
    /// The replica has applied it.
    Applied,
    /// It will survive a restart there.
    Stored,
}

/// Why a channel was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// No use for the document at present.
    Done,
    /// The mode isn't available, or differs from this side's.
    Mode,
    /// The capability doesn't allow it.
    Denied,
    /// Too many channels.
    Limit,
    /// A payload was not valid.
    Rejected,
    /// A message or an answer would exceed its limit.
    TooLarge,
    /// A code of a later version.
    Other(u8),
}

impl CloseCode {
    /// The number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Mode => 1,
            Self::Denied => 2,
            Self::Limit => 3,
            Self::Rejected => 4,
            Self::TooLarge => 5,
            Self::Other(code) => code,
        }
    }

    /// The code with this number.
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Done,
            1 => Self::Mode,
            2 => Self::Denied,
            3 => Self::Limit,
            4 => Self::Rejected,
            5 => Self::TooLarge,
            other => Self::Other(other),
        }
    }
}

/// The state of one document in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelStatus {
    /// This side has opened it.
    pub local: bool,
    /// The peer has opened it.
    pub remote: bool,
    /// The peer's state as of its first answer has been applied here.
    pub synced: bool,
    /// The number of the last local update.
    pub sent: u64,
    /// The peer has applied all local updates up to this number.
    pub applied: u64,
    /// The peer has stored all local updates up to this number.
    pub stored: u64,
}

impl ChannelStatus {
    /// Both sides have opened it.
    pub fn is_open(&self) -> bool {
        self.local && self.remote
    }

    /// How many local updates the peer has not yet applied.
    pub fn unacked(&self) -> u64 {
        self.sent.saturating_sub(self.applied)
    }
}

/// Why a session is dead. The peer broke the protocol, or speaks another version of it; drop the
/// stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// Bytes could not be decoded.
    #[error("a frame could not be decoded: {0}")]
    Wire(#[from] WireError),
    /// The peer speaks another version of the protocol. One of the two must be updated.
    #[error("the peer speaks version {theirs} of the sync protocol, we speak {}", VERSION)]
    UnsupportedVersion {
        /// The peer's version.
        theirs: u8,
    },
    /// An open used a number that was used before.
    #[error("channel {0} was opened twice")]
    ChannelReused(u64),
    /// A frame came on a channel that was never opened.
    #[error("a frame came on channel {0}, which was never opened")]
    UnknownChannel(u64),
    /// An open for a document that the peer has open already.
    #[error("the peer opened {0:?} twice")]
    DocumentReopened(DocId),
    /// Another message began before the last fragment of one had come.
    #[error("two messages are interleaved on channel {0}")]
    Interleaved(u64),
    /// A fragmented message of a kind that may not be fragmented.
    #[error("a message of kind {0} may not be fragmented")]
    Fragmented(u8),
    /// A message exceeds the limit of its kind.
    #[error("a message exceeds its limit of {max} bytes")]
    MessageTooLarge {
        /// The limit.
        max: usize,
    },
    /// The peer sent more than it had credit for.
    #[error("the peer sent more than its credit on channel {0}")]
    CreditExceeded(u64),
    /// Update numbers must go up.
    #[error("an update has number {seq} after {last}")]
    SeqNotIncreasing {
        /// The number.
        seq: u64,
        /// The one before.
        last: u64,
    },
    /// An acknowledgement of something that was never sent.
    #[error("update {seq} was acknowledged, but {sent} was the last one sent")]
    AckAhead {
        /// The number acknowledged.
        seq: u64,
        /// The last number sent.
        sent: u64,
    },
    /// The peer makes us answer and doesn't read the answers.
    #[error("the peer doesn't read our answers")]
    NotReading,
}
