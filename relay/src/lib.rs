//! The VIVIM relay server.
