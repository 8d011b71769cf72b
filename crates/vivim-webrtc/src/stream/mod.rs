//! One libp2p stream over one data channel.
//!
//! A data channel carries messages in order and without loss, and knows only one way to end. A
//! libp2p stream carries bytes and has two halves that end on their own. Every message is a
//! [frame](frame::Frame) of at most 16 KiB with payload, a flag or both:
//!
//! * **FIN** ends the sender's half; the receiver answers with **FIN_ACK** at once, read or not.
//! * **RESET_STREAM** gives the sender's half up.
//! * **STOP_SENDING** gives the receiver's half up; flags still count afterwards.
//!
//! When both halves have ended, the channel is closed. A stream that is dropped with its half
//! open is reset, unless the peer has finished, which makes it a regular end. A channel whose
//! FIN was not acknowledged within [`FIN_ACK_TIMEOUT`](crate::limits::FIN_ACK_TIMEOUT) after the
//! drop is closed anyway. Closing the write half does not wait for FIN_ACK: the bytes are in order
//! and the connection delivers them; closing the *connection* does wait, shortly.
//!
//! # Backpressure
//!
//! *Sending.* The channel's send buffer is filled up to
//! [`SEND_HIGH_WATER`](crate::limits::SEND_HIGH_WATER); then the writer waits for the event
//! `bufferedamountlow`.
//!
//! *Receiving.* The browser's API has no flow control: whatever the peer sends is delivered, read
//! or not, and SCTP's own window never closes. Nothing that the receiver does alone can keep a
//! peer that never stops from filling memory. So there are two answers:
//!
//! * **Credit**, between two peers of this crate. The first frame of a stream carries field 3,
//!   `optional uint64 credit`: how many payload bytes, counted from the start of the stream, its
//!   sender is ready to receive. Other implementations skip a field they do not know. A peer that
//!   has received a credit sends no payload beyond the largest one; a peer that has received none
//!   does not know of it, and sends as the specification says. Frames with nothing but credit are
//!   sent only to a peer that has shown credit itself. The reader is
//!   [`RECEIVE_WINDOW`](crate::limits::RECEIVE_WINDOW) ahead of the writer at most, plus what was
//!   sent before the first answer came back: a slow reader loses nothing, keeps its stream and
//!   costs bounded memory.
//! * **A bound**, for everybody else: [`MAX_RECEIVE_BUFFER`](crate::limits::MAX_RECEIVE_BUFFER).
//!   A reader that lags so far behind a peer without credit gets what was received and then
//!   [`StreamError::ReceiveBufferFull`]; the peer gets a reset.

pub mod frame;
pub(crate) mod io;
pub mod machine;

pub use io::Stream;

use frame::FrameError;

/// Why a stream ended before its time. It is the source of the `io::Error` of reads and writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The channel was closed under the stream. Open another stream.
    #[error("the data channel is closed")]
    Closed,
    /// The connection is gone. Connect again.
    #[error("the connection to the peer is lost")]
    ConnectionLost,
    /// The peer did not acknowledge the end of the stream in time.
    #[error("the end of the stream was not acknowledged in time")]
    FinAckTimeout,
    /// The peer sent something that is not a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The reader is too far behind a peer that has no flow control. Read faster, or send less
    /// at a time in the application's protocol.
    #[error("the receive buffer is full")]
    ReceiveBufferFull,
    /// The peer gave its half of the stream up.
    #[error("the peer reset the stream")]
    ResetByPeer,
    /// The peer will not read any more.
    #[error("the peer stopped reading")]
    StoppedByPeer,
    /// The write half has been closed by this side.
    #[error("the stream is closed for writing")]
    WriteClosed,
}

impl From<StreamError> for std::io::Error {
    fn from(error: StreamError) -> Self {
        use std::io::ErrorKind;
        let kind = match error {
            StreamError::Closed | StreamError::StoppedByPeer | StreamError::WriteClosed => {
                ErrorKind::BrokenPipe
            }
            StreamError::ConnectionLost => ErrorKind::ConnectionAborted,
            StreamError::FinAckTimeout => ErrorKind::TimedOut,
            StreamError::Frame(_) => ErrorKind::InvalidData,
            StreamError::ReceiveBufferFull => ErrorKind::OutOfMemory,
            StreamError::ResetByPeer => ErrorKind::ConnectionReset,
        };
        Self::new(kind, error)
    }
}
