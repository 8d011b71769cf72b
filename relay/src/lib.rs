//! The VIVIM relay: the one server that browsers need to find each other.
//!
//! It does four things, and reads nobody's documents:
//!
//! * it **relays**: a peer with a reservation is reachable through it (libp2p circuit relay v2), so
//!   two browsers can talk at once, and agree on a direct WebRTC connection;
//! * it keeps the **room directory** `/vivim/rooms/1.0.0`: who else is in a room;
//! * it answers **STUN**, so that browsers learn their public address;
//! * it serves the **page**, `/healthz`, `/metrics` and `/.well-known/vivim` over HTTP.
//!
//! ```no_run
//! # async fn run() -> Result<(), vivim_relay::StartError> {
//! use vivim_relay::{Config, Relay};
//!
//! let relay = Relay::start(Config::local("/tmp/relay")).await?;
//! println!("clients dial {:?}", relay.ready().multiaddrs);
//! relay.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # How it is made
//!
//! [`Relay::start`] opens every port or fails with a [`StartError`] that says what to do. Then one
//! task drives the swarm, and one each serves HTTP and STUN per address. They share the metrics and
//! a few facts, and nothing else. Everything a client can make grow has a bound: [`Limits`], and
//! the constants of the modules.
//!
//! It never dials, never subscribes to a topic, and never decodes a document: the crate doesn't
//! link a document engine.

pub mod cli;
pub mod config;
mod driver;
mod error;
pub mod http;
pub mod identity;
pub mod ip_limits;
mod listen;
mod metrics;
mod network;
pub mod pages;
mod rate;
mod ready;
mod relay;
mod reservations;
mod rooms_behaviour;
mod rooms_handler;
pub mod stun;
mod tls;

pub use crate::{
    config::{Config, ConfigError, Limits, LogFormat, MetricsAccess, Port},
    error::{IdentityError, StartError, TlsError},
    network::{
        IDLE_TIMEOUT, KAD_PROTOCOL, MAX_RECORD, PING_INTERVAL, PING_TIMEOUT, PROTOCOL_VERSION,
        RECORD_TTL,
    },
    rate::Rate,
    ready::{Ready, ReadyLimits},
    relay::Relay,
    rooms_handler::{MAX_QUEUED, MAX_UNANSWERED, PAUSE_QUEUED},
};
