//! What differs between browsers and the rest: whether futures and stores go from thread to thread.

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(not(target_arch = "wasm32"))]
mod native;

#[cfg(target_arch = "wasm32")]
pub use browser::{MaybeSend, MaybeSync};
#[cfg(not(target_arch = "wasm32"))]
pub use native::{MaybeSend, MaybeSync};
