//! What differs between a browser and a native process: transports, tasks, nothing else.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;
#[cfg(target_arch = "wasm32")]
mod websocket;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::*;
#[cfg(target_arch = "wasm32")]
pub(crate) use web::*;

use libp2p::{
    PeerId,
    core::{muxing::StreamMuxerBox, transport::Boxed},
    relay,
};

/// The transports in the order in which they are asked, and the behaviours that belong to them.
pub(crate) struct Transports {
    pub(crate) transport: Boxed<(PeerId, StreamMuxerBox)>,
    pub(crate) relay: relay::client::Behaviour,
    pub(crate) upgrade: DirectUpgrade,
}

/// What the direct upgrade reports, in words that both platforms share.
pub(crate) enum UpgradeNotice {
    /// Could not be made; the relayed connection stays.
    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "no native upgrade yet"))]
    Failed { peer: PeerId, reason: String },
    /// Nothing that the actor acts on.
    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "no native upgrade yet"))]
    Other,
}
