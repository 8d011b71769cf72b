//! What is durable, what a restart loses, and whether receipts tell the truth.

use std::time::Duration;

use super::{Doc, Failure, Network, What};
use crate::{id::DocId, limits::PIECE, sim::SetReplica, sync::AckLevel};

/// The durable state of one document. One write is under way at a time.
#[derive(Debug, Default)]
pub(super) struct Disk {
    durable: SetReplica,
    /// What is being written, and the number of this write.
    writing: Option<(SetReplica, u64)>,
    /// Writes begun; a restart counts as one, so that what was under way is recognised.
    starts: u64,
}

/// How much a replica that answers in pieces gives at a time: little, so that answers have parts.
const PART: usize = 2 * PIECE;

/// The longest that a write takes.
const SLOWEST_WRITE: u64 = 300;

impl Doc {
    pub(super) fn new(in_pieces: bool) -> Self {
        let mut doc = Self::default();
        if in_pieces {
            for replica in [&mut doc.replica, &mut doc.disk.durable] {
                replica.set_piece(PIECE);
                replica.set_part(PART);
            }
        }
        doc
    }
}

impl Network {
    /// The replica may have changed: what is new has to be written.
    pub(super) fn write(&mut self, node: usize, doc: DocId) {
        let takes = Duration::from_millis(self.rng.below(SLOWEST_WRITE));
        let Some(state) = self.nodes[node].docs.get_mut(&doc) else { return };
        let disk = &mut state.disk;
        if disk.writing.is_some() || state.replica.len() == disk.durable.len() {
            return;
        }
        disk.starts += 1;
        let start = disk.starts;
        disk.writing = Some((state.replica.clone(), start));
        self.schedule(takes, What::Flushed { node, doc, start });
    }

    /// A write has succeeded, unless a restart came first.
    pub(super) fn flushed(&mut self, node: usize, doc: DocId, start: u64) -> Result<(), Failure> {
        let Some(state) = self.nodes[node].docs.get_mut(&doc) else { return Ok(()) };
        match state.disk.writing.take_if(|(_, writing)| *writing == start) {
            Some((written, _)) => state.disk.durable = written,
            None => return Ok(()),
        }
        let durable = &state.disk.durable;
        let promised = state.own.iter().filter(|element| durable.contains(**element));
        self.promised.extend(promised.map(|element| (doc, *element)));
        if durable.len() < state.replica.len() {
            self.write(node, doc);
            return Ok(());
        }
        // Everything that was applied is durable, not only what was when the write began.
        for pair in self.pairs_of(node) {
            let end = usize::from(pair.1 == node);
            if let Some(link) = self.links.get_mut(&pair) {
                link.ends[end].session.stored(doc);
            }
            self.perform(pair, end, Vec::new())?;
        }
        Ok(())
    }

    /// A node whose streams are gone begins again with what is on its disk.
    pub(super) fn restart(&mut self, node: usize) {
        self.report.restarts += 1;
        for state in self.nodes[node].docs.values_mut() {
            state.disk.writing = None;
            state.disk.starts += 1;
            state.replica = state.disk.durable.clone();
            let before = state.own.len();
            // They were written in their order.
            state.own.retain(|element| state.replica.contains(*element));
            self.report.lost += (before - state.own.len()) as u64;
        }
    }

    /// How many changes were made here, as far as this node remembers.
    pub(super) fn changes(&self, node: usize, doc: DocId) -> u64 {
        self.nodes[node].docs.get(&doc).map_or(0, |state| state.own.len() as u64)
    }

    /// A node was told that a peer has its changes. It must be so.
    pub(super) fn check_receipt(
        &mut self,
        pair: (usize, usize),
        end: usize,
        doc: DocId,
        change: u64,
        level: AckLevel,
    ) -> Result<(), Failure> {
        let (node, peer) = if end == 0 { pair } else { (pair.1, pair.0) };
        self.report.receipts += 1;
        let (Some(here), Some(there)) =
            (self.nodes[node].docs.get(&doc), self.nodes[peer].docs.get(&doc))
        else {
            return Ok(());
        };
        let there = match level {
            AckLevel::Applied => &there.replica,
            AckLevel::Stored => &there.disk.durable,
        };
        let Some(changes) = here.own.get(..change as usize) else {
            return Err(self.failure(format!("{node} was told of change {change}, never made")));
        };
        if let Some(missing) = changes.iter().find(|element| !there.contains(**element)) {
            let what = format!("{peer} does not have {missing} of {node} as {level:?}");
            return Err(self.failure(what));
        }
        if level == AckLevel::Stored {
            self.promised.extend(changes.iter().map(|element| (doc, *element)));
        }
        Ok(())
    }

    /// What was called stored, here or by a peer, is still there.
    pub(super) fn check_promises(&self) -> Result<(), Failure> {
        for (doc, element) in &self.promised {
            let there = |state: &Doc| state.replica.contains(*element);
            if !self.nodes.iter().all(|node| node.docs.get(doc).is_some_and(there)) {
                return Err(self.failure(format!("{element} was stored, and is lost")));
            }
        }
        Ok(())
    }
}
