//! Which peers of a room to be connected to, and how an update travels in it.
//!
//! A room of up to [`STREAMS_ROOM`] members (oneself included) is a full mesh of sync streams:
//! every update goes to everybody directly. When a member is lost, its last changes may have
//! reached some and not others; so those who stay compare their summaries once.
//!
//! In a larger room an author must not send to everybody, so updates and awareness go once on the
//! room's gossip topic, and each member keeps connections to a few random *neighbours*, exchanges
//! summaries with some of them from time to time, which repairs what gossip lost, and sends them
//! what is too large for gossip. A room that has grown goes back to streams only when it is clearly
//! small again. Whatever the sender's mode, receivers accept both.
//!
//! [`Room`] decides; its driver connects, sends and publishes.

pub mod gossip;
mod machine;

pub use machine::{Input, Mode, Output, Room, Route};

#[cfg(doc)]
use crate::limits::STREAMS_ROOM;
