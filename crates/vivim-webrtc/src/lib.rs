//! libp2p /webrtc (private-to-private) transport for browsers, in Rust.
