//! The VIVIM peer: one actor over libp2p, for browsers and native.
