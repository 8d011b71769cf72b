//! The VIVIM peer: one actor over libp2p, the same in a browser and natively.
//!
//! # The loop
//!
//! [`Node::new`] gives a [`Node`] (a cheap handle), the [`EventStream`] and the [`Actor`]. Somebody
//! runs the actor to its end ([`Actor::run`]); it owns the swarm, every protocol state machine and
//! every stream, and nothing else does. The handle puts [`Command`](command::Command)s into a
//! bounded queue and waits for the answer; what happens meanwhile comes out of the event stream.
//!
//! Documents are not known here. A document's owner (Yrs in Rust, or an application's `Y.Doc` in
//! JavaScript) attaches a *replica*: the actor asks it by [`Event::Replica`] and is answered by
//! [`Node::respond`]; it is told of local changes by [`Node::local_update`]. So this crate never
//! links a CRDT, and neither does a relay built on it.
//!
//! # Rules for the embedder
//!
//! - Drain the event stream without waiting for a command in the same task: the actor stops
//!   reading from the network while [`limits::EVENT_QUEUE`] events wait.
//! - Dropping every handle stops the actor.

mod actor;
pub mod command;
mod config;
mod error;
mod event;
mod handle;
mod io;
pub mod limits;
mod meter;
mod platform;
mod streams;

pub use actor::Actor;
pub use config::{Config, IceServer, NodeType};
pub use error::{CommandError, ConnectError, RoomError, StartError, StreamError, TopicError};
pub use event::{
    CallId, Connection, Diagnosis, Direction, DocumentEvent, Event, NodeInfo, PeerInfo,
    PubSubMessage, RelayDiagnosis, RelayState, RoomEvent, RoomPeer, Status, Transport, WarningCode,
};
pub use handle::{AppStream, EventStream, IncomingStreams, Node};

pub use libp2p::{Multiaddr, PeerId, StreamProtocol, identity};
pub use vivim_proto::id::{DocId, InvalidName, RoomId};
pub use vivim_proto::sync::{ReplicaOp, ReplicaResult};
