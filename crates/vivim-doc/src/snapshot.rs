//! The document as it was.

use std::collections::BTreeMap;

use vivim_proto::wire::put_uvarint;
use yrs::{ReadTxn, StateVector, Transact, updates::encoder::Encode};

use crate::{
    ClientId, Doc, DocOptions,
    admission::From as Sender,
    encode,
    error::SnapshotError,
    limits::{MAX_BLOCKS, MAX_CLIENTS, MAX_UPDATE},
    pieces::{put_deletions, put_first},
    validate::{Block, Content, Cursor, Id, Invalid, Limits, Part, Place, walk_within},
};

/// A state of a document: what had been written, and what of it was deleted. It has no content; that
/// stays in the document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The first clock of each client that hadn't been written.
    states: BTreeMap<u64, u32>,
    /// In order, without overlaps.
    deletions: Vec<(Id, u32)>,
}

impl Snapshot {
    /// Reads a snapshot in Yjs' encoding (`Y.encodeSnapshot`) from anywhere.
    pub fn decode(bytes: &[u8]) -> Result<Self, Invalid> {
        if bytes.len() > MAX_UPDATE {
            return Err(Invalid::TooLarge(bytes.len()));
        }
        let mut cursor = Cursor { rest: bytes };
        let mut deletions = Vec::new();
        for _ in 0..cursor.count(MAX_CLIENTS)? {
            let client = cursor.client()?;
            for _ in 0..cursor.count(MAX_BLOCKS)? {
                let from = Id { client, clock: cursor.u32()? };
                let len = cursor.u32()?;
                if len == 0 {
                    return Err(Invalid::Empty);
                }
                from.clock.checked_add(len).ok_or(Invalid::Overflow)?;
                deletions.push((from, len));
            }
        }
        let mut states = BTreeMap::new();
        for _ in 0..cursor.count(MAX_CLIENTS)? {
            let (client, clock) = (cursor.client()?, cursor.u32()?);
            if clock > 0 && states.insert(client, clock).is_some() {
                return Err(Invalid::OutOfOrder);
            }
        }
        cursor.end()?;
        // One form for what is equal.
        let mut canonical = Vec::new();
        put_deletions(&mut canonical, &mut deletions);
        Ok(Self { states, deletions })
    }

    /// In Yjs' encoding; equal snapshots have equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_deletions(&mut out, &mut self.deletions.clone());
        put_uvarint(&mut out, self.states.len() as u64);
        // Yjs writes the larger first.
        for (client, clock) in self.states.iter().rev() {
            put_uvarint(&mut out, *client);
            put_uvarint(&mut out, (*clock).into());
        }
        out
    }

    fn is_deleted(&self, from: Id, len: u32) -> bool {
        let after = self.deletions.partition_point(|(start, _)| *start <= from);
        after.checked_sub(1).and_then(|at| self.deletions.get(at)).is_some_and(|(start, range)| {
            start.client == from.client && from.clock + len <= start.clock + range
        })
    }
}

impl Doc {
    /// The state that the document is in, in Yjs' encoding (`Y.encodeSnapshot`). Equal states have
    /// equal bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let bytes = self.engine.transact().snapshot().encode_v1();
        // What the engine has written can be read.
        Snapshot::decode(&bytes).map_or(bytes, |snapshot| snapshot.encode())
    }

    /// The document as it was at a snapshot, as a document of its own, which `client` may edit.
    ///
    /// Needs what was deleted since, which documents don't keep unless they were made with
    /// [`keep_deleted`](DocOptions::keep_deleted).
    pub fn at_snapshot(&self, snapshot: &[u8], client: ClientId) -> Result<Self, SnapshotError> {
        let snapshot = Snapshot::decode(snapshot)?;
        let is_ahead = |(client, clock): (&u64, &u32)| *clock > self.history.state(*client);
        if snapshot.states.iter().any(is_ahead) {
            return Err(SnapshotError::Ahead);
        }
        let is_outside = |(from, len): &(Id, u32)| {
            let state = snapshot.states.get(&from.client).copied().unwrap_or(0);
            from.clock + len > state
        };
        if snapshot.deletions.iter().any(is_outside) {
            return Err(SnapshotError::Ahead);
        }
        let full = encode::diff(&self.engine.transact(), &StateVector::default());
        let mut clients: Vec<(u64, u64, Vec<u8>)> = Vec::new();
        let mut bad = Ok(());
        walk_within(&full, Limits::NONE, |part| {
            if let (Part::Block(block), true) = (part, bad.is_ok()) {
                bad = take_block(&snapshot, &block, &mut clients);
            }
        })?;
        bad?;
        let mut update = Vec::with_capacity(full.len());
        put_uvarint(&mut update, clients.len() as u64);
        for (client, count, bytes) in &clients {
            put_uvarint(&mut update, *count);
            put_uvarint(&mut update, *client);
            put_uvarint(&mut update, 0);
            update.extend_from_slice(bytes);
        }
        put_deletions(&mut update, &mut snapshot.deletions.clone());
        let mut doc = Self::with_options(client, DocOptions { keep_deleted: true });
        doc.kinds.clone_from(&self.kinds);
        doc.declare_roots();
        doc.apply_from(&update, Sender::Engine)?;
        doc.take_updates();
        Ok(doc)
    }
}

fn take_block(
    snapshot: &Snapshot,
    block: &Block<'_>,
    clients: &mut Vec<(u64, u64, Vec<u8>)>,
) -> Result<(), SnapshotError> {
    let Id { client, clock } = block.id;
    let state = snapshot.states.get(&client).copied().unwrap_or(0);
    if clock >= state {
        return Ok(());
    }
    let len = block.len.min(state - clock);
    let is_gone = block.content == Content::Nothing && !matches!(block.place, Place::Gap);
    if is_gone && !snapshot.is_deleted(block.id, len) {
        return Err(SnapshotError::Collected);
    }
    if clients.last().is_none_or(|(last, ..)| *last != client) {
        clients.push((client, 0, Vec::new()));
    }
    if let Some((_, count, bytes)) = clients.last_mut() {
        *count += 1;
        put_first(bytes, block, len)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
