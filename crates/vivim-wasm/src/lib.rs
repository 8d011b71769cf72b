//! JavaScript bindings of VIVIM: a thin projection of `vivim-node` and `vivim-doc`.
//!
//! What an application sees is the TypeScript facade in `pkg-template/src`; the classes here are
//! its only user and begin with `Raw`. The rules of this crate:
//!
//! - One file is one noun. No protocol and no policy: those are in the crates below, what is
//!   about browsers (events of the window, storage, retries of a load) is in the facade.
//! - Exported methods take `&self`, read their arguments, clone the inner handle and only then
//!   build a promise ([`js::promise`]). Nothing borrowed lives across an `await`, and no JavaScript
//!   runs while anything here is borrowed: events leave through one task ([`events`]).
//! - Errors cross as `{ code, message }` ([`failure::Failure`]).
//! - A panic is a trap and ends the instance: the facade sees it in its calls, the glue in
//!   callbacks, and nobody is let in any more.

mod config;
mod content;
mod document;
mod document_events;
mod events;
mod failure;
mod js;
mod log;
mod node;
mod records;
mod replica;
mod replicas;
mod room;
mod social;
mod storage;
mod stream;
mod value;

pub use config::RawConfig;
pub use document::{RawDocument, read_document_file};
pub use log::set_log_level;
pub use node::{RawHandler, RawNode};
pub use room::{RawAttachment, RawRoom};
pub use social::social_events;
pub use stream::RawStream;

use std::cell::RefCell;

use vivim_doc::Rehearsal;
use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    static REHEARSAL: RefCell<Rehearsal> = RefCell::default();
}

/// Does a part of what makes the first document open faster, of some milliseconds at most: for times
/// when there is nothing else to do. False if nothing is left.
#[wasm_bindgen(js_name = rehearse)]
pub fn rehearse() -> bool {
    REHEARSAL.with(|rehearsal| rehearsal.borrow_mut().step())
}

/// The version of this module; the facade refuses to work with another one.
#[wasm_bindgen(js_name = version)]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
