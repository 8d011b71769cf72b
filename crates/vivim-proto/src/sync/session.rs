//! The state machine of one sync stream.

use bytes::Bytes;

use super::{ChannelStatus, CloseCode, Input, Output, SessionConfig};
use crate::{id::DocId, time::Timestamp};

/// The sync of all documents shared with one peer, over one stream.
#[derive(Debug)]
pub struct Session {}

impl Session {
    /// A session at the start of its stream.
    pub fn new(_config: SessionConfig) -> Self {
        Self {}
    }

    /// We have this document and are willing to share it with this peer.
    pub fn open(&mut self, _doc: DocId) -> Vec<Output> {
        Vec::new()
    }

    /// The document is shared no longer.
    pub fn close(&mut self, _doc: DocId, _code: CloseCode) {}

    /// The replica changed here. Returns the number by which [`super::Event::Acked`] will refer to
    /// the update, if the channel is open; otherwise the exchange of summaries will carry it.
    pub fn local_update(&mut self, _doc: DocId, _payload: Bytes) -> Option<u64> {
        None
    }

    /// The awareness of this device changed. Only the newest unsent one is kept.
    pub fn local_awareness(&mut self, _doc: DocId, _payload: Bytes) {}

    /// Exchanges summaries again, in both directions.
    pub fn resummarize(&mut self, _doc: DocId) -> Vec<Output> {
        Vec::new()
    }

    /// Something happened.
    pub fn handle(&mut self, _input: Input, _now: Timestamp) -> Vec<Output> {
        Vec::new()
    }

    /// The next encoded frame, if one can be sent now.
    pub fn poll_frame(&mut self) -> Option<Bytes> {
        None
    }

    /// When to pass [`Input::Timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// The state of a document.
    pub fn status(&self, _doc: DocId) -> Option<ChannelStatus> {
        None
    }
}
