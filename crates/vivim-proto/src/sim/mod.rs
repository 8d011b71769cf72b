//! A seeded simulation of rooms of replicas on a bad network, with a virtual clock.
//!
//! Links delay, break and come back; the network splits; replicas and disks are slow; gossip loses
//! messages; documents are closed and opened again; nodes restart and have only what was on their
//! disks. [`Network::run`] lets all that happen for a while, heals everything, and says whether every
//! replica has the same, and whether all is there that anybody was told to be stored. Each receipt is
//! checked against the truth when it comes. The same seed gives the same run, so a failure is a
//! number to keep.
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
