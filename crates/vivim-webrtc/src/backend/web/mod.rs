//! The browser's WebRTC.
//!
//! Browser objects belong to the thread they were made on, while libp2p asks for `Send`. They are
//! wrapped in `SendWrapper` here, once, which turns a use on another thread into a panic. There
//! is no other thread that could: `RTCPeerConnection` exists in windows only.

mod bindings;
mod channel;
mod peer;

use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};

pub use self::{channel::WebChannel, peer::WebPeer};

use super::{Backend, BackendError};
use crate::config::IceServer;

/// The browser's WebRTC.
#[derive(Debug, Clone, Copy, Default)]
pub struct Web;

impl Web {
    /// Peer connections that exist and are not closed, in this whole program.
    pub fn live_connections(self) -> usize {
        peer::live()
    }
}

impl Backend for Web {
    type Peer = WebPeer;

    fn is_available(&self) -> bool {
        Reflect::get(&js_sys::global(), &"RTCPeerConnection".into())
            .is_ok_and(|constructor| constructor.is_function())
    }

    fn peer_connection(&self, ice_servers: &[IceServer]) -> Result<WebPeer, BackendError> {
        if !self.is_available() {
            return Err(BackendError::Unavailable);
        }
        WebPeer::new(ice_servers)
    }
}

/// What JavaScript threw, as an error.
fn failed(step: &'static str, thrown: &JsValue) -> BackendError {
    let reason = match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => format!("{}: {}", error.name(), error.message()),
        // A DOMException is not an Error everywhere.
        None => Reflect::get(thrown, &"message".into())
            .ok()
            .and_then(|message| message.as_string())
            .unwrap_or_else(|| format!("{thrown:?}")),
    };
    BackendError::Failed { step, reason }
}
