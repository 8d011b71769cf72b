//! What a replica answers, and what a session makes of it.

use bytes::Bytes;

use super::{Request, RequestKind, Session};
use crate::{
    id::DocId,
    limits::{MAX_ANSWER, MAX_AWARENESS, MAX_PAYLOAD, MAX_PIECES, MAX_SUMMARY},
    sync::{
        CloseCode, Event, Output, ReplicaError, ReplicaResult, RequestId, channel::Channel,
        inbound::Taken, message::Summary,
    },
    time::Timestamp,
};

impl Session {
    // Apart: see `Session::handle`.
    #[inline(never)]
    pub(super) fn handle_replica(
        &mut self,
        id: RequestId,
        result: ReplicaResult,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) {
        // An answer that came after its channel was closed has no request any more.
        let Some(Request { doc, kind }) = self.requests.remove(&id) else { return };
        let Some((local, remote, link)) = self.channels.get_mut(&doc).and_then(Channel::linked)
        else {
            return;
        };
        remote.replica_answered(now);
        match (kind, result) {
            (RequestKind::Apply, ReplicaResult::Applied) => {
                self.handle_taken(doc, id, Taken::Applied, out);
            }
            (RequestKind::Apply, ReplicaResult::Stored) => {
                self.handle_taken(doc, id, Taken::Stored, out);
            }
            (RequestKind::Summary, ReplicaResult::Summary(payload)) => {
                let want = link.summary_asked.take().unwrap_or(false);
                if payload.len() + 1 > MAX_SUMMARY {
                    self.abort(doc, CloseCode::TooLarge, out);
                } else {
                    local.set_summary(Summary { want, payload });
                }
            }
            (RequestKind::Diff, ReplicaResult::Diff(payload)) => {
                link.diff_asked = false;
                if payload.len() > MAX_PAYLOAD {
                    self.abort(doc, CloseCode::TooLarge, out);
                } else {
                    local.push_answer(vec![payload]);
                }
            }
            (
                RequestKind::Diff,
                ref result @ (ReplicaResult::Pieces(ref pieces) | ReplicaResult::Part(ref pieces)),
            ) if !pieces.is_empty() => {
                link.diff_asked = false;
                let total: usize = pieces.iter().map(Bytes::len).sum();
                let largest = pieces.iter().map(Bytes::len).max().unwrap_or(0);
                if total > MAX_ANSWER || largest > MAX_PAYLOAD || pieces.len() > MAX_PIECES {
                    self.abort(doc, CloseCode::TooLarge, out);
                } else if matches!(result, ReplicaResult::Part(_)) {
                    // What follows isn't on its way to the peer by gossip.
                    link.hold.answered = false;
                    local.push_part(pieces.clone());
                } else {
                    local.push_answer(pieces.clone());
                }
            }
            (RequestKind::Awareness, ReplicaResult::Awareness(payload)) => {
                if !payload.is_empty() && payload.len() <= MAX_AWARENESS {
                    local.set_awareness_if_none(payload);
                }
            }
            (RequestKind::Apply, ReplicaResult::Failed(error)) if remote.is_awareness(id) => {
                // Cursors are not worth losing the document for.
                if error == ReplicaError::Closed {
                    self.close(doc, CloseCode::Done);
                } else {
                    self.handle_taken(doc, id, Taken::Applied, out);
                }
            }
            (RequestKind::Awareness, ReplicaResult::Failed(_)) => {}
            (_, ReplicaResult::Failed(ReplicaError::Closed)) => self.close(doc, CloseCode::Done),
            (_, ReplicaResult::Failed(ReplicaError::Malformed)) => {
                self.abort(doc, CloseCode::Rejected, out);
            }
            (_, ReplicaResult::Failed(ReplicaError::TooLarge)) => {
                self.abort(doc, CloseCode::TooLarge, out);
            }
            // An answer to another question than was asked: the replica is broken.
            (
                _,
                ReplicaResult::Applied
                | ReplicaResult::Awareness(_)
                | ReplicaResult::Diff(_)
                | ReplicaResult::Part(_)
                | ReplicaResult::Pieces(_)
                | ReplicaResult::Stored
                | ReplicaResult::Summary(_),
            ) => self.close(doc, CloseCode::Done),
        }
        self.note_acks(doc, now);
        self.wake(doc);
        self.try_answer(doc, now, out);
    }

    // Apart: see `Session::handle`.
    #[inline(never)]
    fn handle_taken(&mut self, doc: DocId, id: RequestId, taken: Taken, out: &mut Vec<Output>) {
        let Some((_, remote, link)) = self.channels.get_mut(&doc).and_then(Channel::linked) else {
            return;
        };
        let Some(done) = remote.taken(id, taken) else { return };
        if done.update {
            out.push(Output::Event(Event::Updated { doc }));
        }
        if done.answer && !link.synced {
            link.synced = true;
            out.push(Output::Event(Event::Synced { doc }));
        }
        self.pump(doc, out);
        self.account(doc);
    }
}
