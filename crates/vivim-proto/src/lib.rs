//! The protocols of VIVIM as pure state machines: who meets whom ([`rooms`], [`room`]) and how
//! replicas of a document come to agree ([`sync`]). And [`clock`], which says what happened before
//! what.
//!
//! # The shape
//!
//! Nothing here opens a socket, spawns a task, reads a clock or makes a random number. A machine is
//! a plain value; its driver gives it bytes, [`time::Timestamp`]s and a random generator, and does
//! what the machine returns. So the same code runs in a browser, in the relay and in the simulator
//! (module `sim`, feature `test-utils`), which runs a minute of a bad network in a millisecond and
//! prints the seed when something is wrong.
//!
//! Every machine speaks one vocabulary:
//!
//! * an **Input** is something that happened: a frame came, a replica answered, time passed;
//! * an **Output** is something for the driver to do, handed back by the call that caused it, so
//!   that there is no second queue one could forget to drain;
//! * an **Event** is an output for the application;
//! * effects whose result matters are **requests with ids**, answered by a later input;
//! * timers are values: `poll_timeout` says when to call again, and calling early or late is
//!   harmless.
//!
//! Frames are the one thing that is pulled, by [`sync::Session::poll_frame`]: only a driver
//! knows when its transport can take another one, and a frame made no earlier than that is what
//! lets a hundred documents share a stream fairly.
//!
//! # What a peer can do to us
//!
//! Everything that arrives is hostile until decoded. Decoders never panic, never reserve memory on
//! the word of a length, and fail with a type that says what was wrong. Every queue, table and wait
//! has a named bound in [`limits`].
//!
//! # What is not here
//!
//! No document engine: [`sync`] carries opaque payloads and asks a replica to judge them, so the
//! relay, which links this crate, can't read documents. No identities either: a peer is bytes.

pub mod clock;
pub mod id;
pub mod limits;
pub mod room;
pub mod rooms;
#[cfg(any(test, feature = "test-utils"))]
pub mod sim;
pub mod sync;
pub mod time;
pub mod wire;

mod bucket;
mod sorted;

pub use self::sorted::{SortedMap, SortedSet};
