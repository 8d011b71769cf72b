//! The document as the replica of sync sessions.

use bytes::Bytes;
use vivim_proto::{
    sync::{ReplicaError, ReplicaOp, ReplicaResult},
    time::Timestamp,
};

use crate::{Doc, limits::MAX_UPDATE};

impl Doc {
    /// Answers a request of a sync session. Payloads are judged here and nowhere before.
    ///
    /// Afterwards, [`take_updates`](Self::take_updates) has what changed, and
    /// [`Awareness::take_changes`](crate::Awareness::take_changes) who came or went.
    pub fn handle(&mut self, op: ReplicaOp, now: Timestamp) -> ReplicaResult {
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
            ReplicaOp::Diff { summary } => match self.encode_state_as_update(Some(&summary)) {
                Ok(diff) if diff.len() <= MAX_UPDATE => ReplicaResult::Diff(diff.into()),
                Ok(_) => ReplicaResult::Failed(ReplicaError::TooLarge),
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
