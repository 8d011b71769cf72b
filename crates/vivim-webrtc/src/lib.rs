//! libp2p `/webrtc` (private-to-private) for rust-libp2p in browsers.
//!
#![doc = include_str!("../ESSAY.md")]
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod addr;
pub mod backend;
mod behaviour;
mod config;
mod connect;
mod control;
mod gauge;
pub mod limits;
mod muxer;
pub mod signaling;
pub mod stream;
mod transport;

pub use self::{
    addr::is_direct,
    behaviour::{Behaviour, Event},
    config::{Config, IceServer},
    connect::{Connect, ConnectError},
    control::{Control, OpenError},
    muxer::{ConnectionError, Muxer},
    transport::{Error, Transport},
};

use futures::channel::mpsc;
use libp2p::PeerId;

/// The transport and behaviour for a browser. Both must become part of the same swarm.
#[cfg(target_arch = "wasm32")]
pub fn new(local: PeerId, config: Config) -> (Transport<backend::web::Web>, Behaviour) {
    with_backend(local, config, backend::web::Web)
}

/// The transport and behaviour over any backend. Where the backend is not available nothing is
/// upgraded and nothing accepted, and dialing gives an error.
pub fn with_backend<B: backend::Backend>(
    local: PeerId,
    mut config: Config,
    backend: B,
) -> (Transport<B>, Behaviour) {
    if !backend.is_available() {
        config.accept_inbound = false;
        config.auto_upgrade = false;
    }
    config.announce &= config.accept_inbound;
    // Every sender has one more place, so a dial never waits for another.
    let (to_behaviour, requests) = mpsc::channel(0);
    let (to_transport, offers) = mpsc::channel(config.max_inbound_sessions);
    let control = Control::new(to_behaviour);
    let transport = Transport::new(backend, config.clone(), control.clone(), offers);
    let behaviour = Behaviour::new(local, config, control, requests, to_transport);
    (transport, behaviour)
}

// The scenarios are shared with a test crate, which names this one from outside.
#[cfg(test)]
extern crate self as vivim_webrtc;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
