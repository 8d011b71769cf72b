//! `/vivim/rooms/1.0.0`: how peers of a room find each other through a relay.
//!
//! A client keeps one bidirectional stream to the relay, on which both sides send messages, each
//! behind its length as an unsigned varint. The relay speaks first, with [`ServerMessage::Hello`].
//! The client joins and leaves rooms by their 32-byte id; the relay answers a join with the peers
//! that are there and from then on pushes joins and leaves as they happen.
//!
//! * An entry lives no longer than the stream that made it. There is nothing to renew and nothing
//!   to expire.
//! * A room is found only by those who know its id: no message lists rooms.
//! * Joining a room one is already in is harmless and gives a fresh answer; in a room of more than
//!   [`MAX_PEERS_PER_ANSWER`](crate::limits::MAX_PEERS_PER_ANSWER) members, another random sample.
//! * In such a room a newcomer is announced to a random sample only, and a leave to those who had
//!   been told of the one who leaves.
//! * A peer is never told about itself. With several streams of one peer in a room, it leaves when
//!   the last one goes.
//!
//! A message is its type (varint) and its fields. A reader skips types that it doesn't know.
//!
//! | type | client sends | fields |
//! |---|---|---|
//! | 1 | join | room (32 bytes) |
//! | 2 | leave | room |
//!
//! | type | relay sends | fields |
//! |---|---|---|
//! | 1 | hello | the five limits as varints; later versions may append more |
//! | 2 | joined | room, total (varint), count (varint), peers (length-prefixed) |
//! | 3 | peer joined | room, peer (length-prefixed) |
//! | 4 | peer left | room, peer |
//! | 5 | refused | room, reason (varint) |
//!
//! [`server::Directory`] is the relay's side, [`client::Rooms`] the client's.

pub mod client;
mod message;
pub mod server;

pub use message::{ClientMessage, FrameDecoder, Message, Refusal, RelayLimits, ServerMessage};

pub use crate::limits::MAX_ROOM_MESSAGE as MAX_MESSAGE;

/// The protocol's name on a libp2p stream.
pub const PROTOCOL: &str = "/vivim/rooms/1.0.0";
