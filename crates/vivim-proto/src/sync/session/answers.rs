//! When the peer's summary is answered.

use super::{RequestKind, Session};
use crate::{
    id::DocId,
    sync::{Output, ReplicaOp, channel::Channel},
    time::Timestamp,
};

impl Session {
    /// What is new in this replica is on its way to the peer by gossip, and will be there by `until`.
    ///
    /// A summary that comes before that would be answered with what gossip brings. So it isn't: when
    /// the time has come, a newer one is asked for, and that one is answered. The first summary is
    /// answered at once all the same, and no summary waits for longer than
    /// [`MAX_HOLD`](crate::limits::MAX_HOLD).
    pub fn hold_answers(&mut self, doc: DocId, until: Timestamp) {
        if let Some((.., link)) = self.channels.get_mut(&doc).and_then(Channel::linked) {
            link.hold.until = link.hold.until.max(until);
        }
    }

    // Rare: see `Session::handle`.
    #[inline(never)]
    pub(super) fn handle_timeout(&mut self, now: Timestamp, out: &mut Vec<Output>) {
        let due: Vec<DocId> =
            self.deferred.iter().filter(|(_, at)| **at <= now).map(|(doc, _)| *doc).collect();
        for doc in due {
            self.try_answer(doc, now, out);
        }
        let due: Vec<DocId> =
            self.acks.iter().filter(|(_, at)| **at <= now).map(|(doc, _)| *doc).collect();
        for doc in due {
            self.acks.remove(&doc);
            self.note_acks(doc, now);
        }
    }

    /// Has acknowledgements sent when their time has come, unless they go with something else before.
    // Apart: see `Session::handle`.
    #[inline(never)]
    pub(super) fn note_acks(&mut self, doc: DocId, now: Timestamp) {
        let Some((_, remote, _)) = self.channels.get_mut(&doc).and_then(Channel::linked) else {
            return;
        };
        match remote.ack_by(now) {
            Some(at) if at <= now => {
                remote.hurry_acks();
                self.wake(doc);
            }
            // One that is set is earlier: it looks again.
            Some(at) => {
                self.acks.get_or_insert_with(doc, || at);
            }
            None => {}
        }
    }

    /// Asks for what the peer is missing, if it has sent a summary, the last answer is out and it
    /// hasn't asked too often.
    // Apart: see `Session::handle`.
    #[inline(never)]
    pub(super) fn try_answer(&mut self, doc: DocId, now: Timestamp, out: &mut Vec<Output>) {
        let Some((local, _, link)) = self.channels.get_mut(&doc).and_then(Channel::linked) else {
            return;
        };
        self.deferred.remove(&doc);
        if link.to_answer.is_none() || link.diff_asked || local.has_answer() {
            return;
        }
        let hold = &mut link.hold;
        if let Some(at) = hold.active(now).filter(|_| !local.is_dropping()) {
            hold.since.get_or_insert(now);
            hold.is_stale = true;
            self.deferred.insert(doc, at);
            return;
        }
        if std::mem::take(&mut hold.is_stale) {
            link.to_answer = None;
            local.ask_for_summary();
            self.wake(doc);
            return;
        }
        if let Err(at) = link.answers.take(now) {
            self.deferred.insert(doc, at);
            return;
        }
        let Some(summary) = link.to_answer.take() else { return };
        link.hold.since = None;
        link.hold.answered = true;
        link.diff_asked = true;
        local.diff_requested();
        self.request(doc, RequestKind::Diff, ReplicaOp::Diff { summary }, out);
    }
}
