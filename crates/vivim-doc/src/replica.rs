//! The document as the replica of sync sessions.

use bytes::Bytes;
use vivim_proto::{
    limits::{MAX_ANSWER, MAX_PIECES, PIECE},
    sync::{ReplicaError, ReplicaOp, ReplicaResult},
    time::Timestamp,
};

use crate::{
    Doc,
    doc::EMPTY_UPDATE,
    pieces::{Most, Pieces},
};

impl Doc {
    /// Answers a request of a sync session. Payloads are judged here and nowhere before.
    ///
    /// Afterwards, [`take_updates`](Self::take_updates) has what changed, and
    /// [`Awareness::take_changes`](crate::Awareness::take_changes) who came or went.
    pub fn handle(&mut self, op: ReplicaOp, now: Timestamp) -> ReplicaResult {
        self.set_time(now);
        match op {
            ReplicaOp::Apply { payload } => match self.apply_update(&payload) {
                Ok(()) => ReplicaResult::Applied,
                Err(error) => ReplicaResult::Failed((&error).into()),
            },
            ReplicaOp::ApplyAwareness { payload } => {
                match self.awareness().apply_update(&payload, now) {
                    Ok(()) => ReplicaResult::Applied,
                    Err(error) if error.is_size() => ReplicaResult::Failed(ReplicaError::TooLarge),
                    Err(_) => ReplicaResult::Failed(ReplicaError::Malformed),
                }
            }
            ReplicaOp::Diff { summary } => match self.encode_some_pieces(&summary, PIECE, ANSWER) {
                Ok(pieces) => answer(pieces),
                Err(error) => ReplicaResult::Failed((&error).into()),
            },
            ReplicaOp::EncodeAwareness => {
                let known = self.awareness().encode_all();
                ReplicaResult::Awareness(known.map_or_else(Bytes::new, Bytes::from))
            }
            ReplicaOp::Summary => ReplicaResult::Summary(self.encode_state_vector().into()),
        }
    }
}

/// How much waits in a session at a time.
const ANSWER: Most = Most { bytes: MAX_ANSWER, pieces: MAX_PIECES };

/// What is missing, as a session takes it.
fn answer(Pieces { mut pieces, are_all }: Pieces) -> ReplicaResult {
    let bytes: usize = pieces.iter().map(Bytes::len).sum();
    let fits = pieces.len() <= MAX_PIECES && bytes <= MAX_ANSWER;
    if fits && !are_all {
        return ReplicaResult::Part(pieces);
    }
    match (pieces.len(), pieces.pop()) {
        (_, None) => ReplicaResult::Diff(Bytes::from_static(EMPTY_UPDATE)),
        _ if !fits => ReplicaResult::Failed(ReplicaError::TooLarge),
        (1, Some(piece)) => ReplicaResult::Diff(piece),
        (_, Some(last)) => {
            pieces.push(last);
            ReplicaResult::Pieces(pieces)
        }
    }
}
