//! A seeded simulation of rooms of replicas on a bad network, with a virtual clock.
//!
//! Links delay, break and come back; the network splits; nodes restart; replicas are slow; gossip
//! loses messages; documents are closed and opened again. [`Network::run`] lets all that happen for
//! a while, heals everything, and says whether every replica has every edit. The same seed gives
//! the same run, so a failure is a number to keep.
//!
//! The replica is a set ([`SetReplica`]): the simplest thing whose states can be merged in any
//! order, so that what is tested is the protocol and not a document engine.

mod network;
mod replica;
mod rng;

pub use self::{
    network::{Failure, Network, Report, SimConfig},
    replica::SetReplica,
    rng::SimRng,
};

#[cfg(test)]
mod tests;
