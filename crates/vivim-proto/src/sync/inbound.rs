//! What the peer sends on one of its channels.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::{
    AckLevel, Frame, ReplicaOp, RequestId, SyncError,
    frame::encode_parts,
    message::{Ack, encode_credit, kind},
    window::Window,
};
use crate::{
    limits::{
        ACK_DELAY, CREDIT_BATCH, CREDIT_WINDOW, MAX_AWARENESS, MAX_MESSAGE,
        MAX_REQUESTS_PER_CHANNEL, MAX_SUMMARY,
    },
    time::Timestamp,
};

/// The receiving half of a channel.
#[derive(Debug)]
pub(super) struct Inbound {
    /// The number under which the peer offered the document.
    pub(super) channel: u64,
    /// Bytes that the peer may still send.
    allowance: u64,
    /// Bytes whose credit is to be given back with the next credit frame.
    returned: u64,
    window: Window,
    partial: Option<Partial>,
    /// The rest of a message that is of no use: it began before sync did.
    skipping: bool,
    last_seq: u64,
    /// Messages that the replica hasn't been given yet.
    waiting: VecDeque<Message>,
    /// Messages that the replica has been given, oldest first.
    in_flight: VecDeque<InFlight>,
    applied: u64,
    stored: u64,
    /// Some update up to `applied` has not been reported as stored.
    unstored: bool,
    ack_applied: bool,
    ack_stored: bool,
    /// When acknowledgements that wait for something to go with have waited long enough.
    ack_by: Option<Timestamp>,
    /// They wait no longer.
    ack_now: bool,
}

/// A message of which fragments have come.
#[derive(Debug)]
struct Partial {
    kind: u8,
    bytes: BytesMut,
    /// Bytes of it whose credit hasn't been given back.
    held: u64,
}

/// A whole message on its way to the replica.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) op: ReplicaOp,
    /// The number of an update.
    pub(super) seq: Option<u64>,
    /// An update that answers our summary.
    pub(super) answer: bool,
    /// Bytes whose credit is given back when the replica has taken it.
    pub(super) held: u64,
}

#[derive(Debug)]
struct InFlight {
    id: RequestId,
    seq: Option<u64>,
    answer: bool,
    held: u64,
    done: Option<Taken>,
}

/// How the replica took a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Applied,
    Stored,
}

/// What a message that the replica has taken was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) update: bool,
    pub(super) answer: bool,
}

/// What came of a frame.
#[derive(Debug)]
pub(super) enum Received {
    /// A whole message.
    Whole {
        bytes: Bytes,
        /// Bytes of it whose credit hasn't been given back.
        held: u64,
    },
    /// A fragment.
    Partial,
    /// Nothing of use.
    Skipped,
}

impl Inbound {
    pub(super) fn new(channel: u64) -> Self {
        Self {
            channel,
            allowance: CREDIT_WINDOW,
            returned: 0,
            window: Window::default(),
            partial: None,
            skipping: false,
            last_seq: 0,
            waiting: VecDeque::new(),
            in_flight: VecDeque::new(),
            applied: 0,
            stored: 0,
            unstored: false,
            ack_applied: false,
            ack_stored: false,
            ack_by: None,
            ack_now: false,
        }
    }

    /// Takes a frame of a kind that counts against credit. Messages are of use while `linked`.
    pub(super) fn receive(
        &mut self,
        frame: Frame,
        linked: bool,
        now: Timestamp,
    ) -> Result<Received, SyncError> {
        let Frame { kind, more, body, .. } = frame;
        let len = body.len() as u64;
        self.allowance =
            self.allowance.checked_sub(len).ok_or(SyncError::CreditExceeded(self.channel))?;
        let idle = self.waiting.is_empty() && self.in_flight.is_empty();
        self.returned += self.window.receive(len, self.allowance, idle, now);
        if self.skipping || !linked && self.partial.is_none() {
            self.skipping = more;
            self.returned += len;
            return Ok(Received::Skipped);
        }
        if !more && self.partial.is_none() && kind == kind::UPDATE {
            // A frame holds less than the largest update.
            return Ok(Received::Whole { bytes: body, held: len });
        }
        self.receive_fragment(kind, more, body)
    }

    // Rare: see `Session::handle`.
    #[inline(never)]
    fn receive_fragment(
        &mut self,
        kind: u8,
        more: bool,
        body: Bytes,
    ) -> Result<Received, SyncError> {
        let len = body.len() as u64;
        let max = match kind {
            kind::SUMMARY => MAX_SUMMARY,
            kind::AWARENESS => MAX_AWARENESS,
            _ => MAX_MESSAGE,
        };
        let so_far = self.partial.as_ref().map_or(0, |partial| partial.bytes.len());
        if so_far + body.len() > max {
            return Err(SyncError::MessageTooLarge { max });
        }
        let Some(mut partial) = self.partial.take() else {
            if !more {
                return Ok(Received::Whole { bytes: body, held: len });
            }
            self.partial = Some(Partial { kind, bytes: BytesMut::from(&body[..]), held: len });
            return Ok(Received::Partial);
        };
        if partial.kind != kind {
            return Err(SyncError::Interleaved(self.channel));
        }
        partial.bytes.extend_from_slice(&body);
        partial.held += len;
        if more {
            self.partial = Some(partial);
            return Ok(Received::Partial);
        }
        Ok(Received::Whole { bytes: partial.bytes.freeze(), held: partial.held })
    }

    /// Bytes of the message that is half here; `None` if there is none.
    pub(super) fn partial_len(&self) -> Option<usize> {
        self.partial.as_ref().map(|partial| partial.bytes.len())
    }

    /// Lets the half-received message go on past the window, unless the replica has something of
    /// this channel to take first.
    pub(super) fn extend_partial(&mut self) {
        let busy = !self.waiting.is_empty() || !self.in_flight.is_empty();
        if let Some(partial) = &mut self.partial
            && !busy
        {
            self.returned += std::mem::take(&mut partial.held);
        }
    }

    /// Checks that update numbers go up.
    pub(super) fn check_seq(&mut self, seq: u64) -> Result<(), SyncError> {
        if seq <= self.last_seq {
            return Err(SyncError::SeqNotIncreasing { seq, last: self.last_seq });
        }
        self.last_seq = seq;
        Ok(())
    }

    pub(super) fn give_back(&mut self, bytes: u64) {
        self.returned += bytes;
    }

    pub(super) fn push(&mut self, message: Message) {
        self.waiting.push_back(message);
    }

    /// The next thing for the replica to do, if it may be given more; noted under `id`.
    pub(super) fn next_op(&mut self, id: RequestId) -> Option<ReplicaOp> {
        if self.in_flight.len() >= MAX_REQUESTS_PER_CHANNEL {
            return None;
        }
        let Message { op, seq, answer, held } = self.waiting.pop_front()?;
        self.in_flight.push_back(InFlight { id, seq, answer, held, done: None });
        Some(op)
    }

    /// The replica has taken a message. `None` if it isn't one of this channel.
    pub(super) fn taken(&mut self, id: RequestId, taken: Taken) -> Option<Done> {
        // Ids go up, so the queue is sorted.
        let at = self.in_flight.binary_search_by_key(&id, |message| message.id).ok()?;
        let message = self.in_flight.get_mut(at)?;
        if message.done.is_some() {
            return None;
        }
        message.done = Some(taken);
        let done = Done { update: message.seq.is_some(), answer: message.answer };
        self.returned += std::mem::take(&mut message.held);
        while let Some(InFlight { done: Some(taken), seq, answer, .. }) = self.in_flight.front() {
            if let Some(seq) = *seq {
                self.applied = seq;
                self.ack_applied = true;
                // Whoever has come back sees at once what was missing.
                self.ack_now |= *answer;
                self.unstored |= *taken == Taken::Applied;
                if !self.unstored {
                    self.stored = seq;
                    self.ack_stored = true;
                }
            }
            self.in_flight.pop_front();
        }
        Some(done)
    }

    /// The replica has answered something, so it was busy until now.
    pub(super) fn replica_answered(&mut self, now: Timestamp) {
        self.window.quiet_since = now;
    }

    /// Whether a message given to the replica is awareness.
    pub(super) fn is_awareness(&self, id: RequestId) -> bool {
        let at = self.in_flight.binary_search_by_key(&id, |message| message.id);
        at.ok().and_then(|at| self.in_flight.get(at)).is_some_and(|message| message.seq.is_none())
    }

    /// Everything applied so far is durable. True if that is news.
    pub(super) fn all_stored(&mut self) -> bool {
        self.unstored = false;
        let news = self.stored < self.applied;
        self.stored = self.applied;
        self.ack_stored |= news;
        // Storing has taken its time, and what else waits goes along.
        self.ack_now |= news;
        news
    }

    /// When the acknowledgements that wait have to go at last; `None` if none waits.
    pub(super) fn ack_by(&mut self, now: Timestamp) -> Option<Timestamp> {
        let waits = self.owes_ack() && !self.ack_now;
        waits.then(|| *self.ack_by.get_or_insert(now + ACK_DELAY))
    }

    /// Whether there is something to acknowledge.
    fn owes_ack(&self) -> bool {
        self.ack_applied || self.ack_stored
    }

    /// Acknowledgements wait no longer.
    pub(super) fn hurry_acks(&mut self) {
        self.ack_now = self.owes_ack();
    }

    /// The next acknowledgement, whether it could wait or not.
    pub(super) fn take_ack(&mut self) -> Option<Bytes> {
        let body = if std::mem::take(&mut self.ack_applied) {
            Ack::encode(AckLevel::Applied, self.applied)
        } else if std::mem::take(&mut self.ack_stored) {
            Ack::encode(AckLevel::Stored, self.stored)
        } else {
            return None;
        };
        if !self.owes_ack() {
            self.ack_by = None;
            self.ack_now = false;
        }
        Some(encode_parts(kind::ACK, false, self.channel, &[&body]))
    }

    /// The next frame that needs no credit and can't wait: an acknowledgement whose time has come, or
    /// credit, which is given back when enough of it has come together to be worth a frame.
    pub(super) fn poll_exempt(&mut self) -> Option<Bytes> {
        let is_due = self.returned >= CREDIT_BATCH;
        if (self.ack_now || is_due)
            && let Some(ack) = self.take_ack()
        {
            return Some(ack);
        }
        is_due.then(|| {
            let credit = std::mem::take(&mut self.returned);
            self.allowance += credit;
            encode_parts(kind::CREDIT, false, self.channel, &[&encode_credit(credit)])
        })
    }

    /// Sync has ended, but the peer's number stands: forgets everything that was under way.
    pub(super) fn unlink(&mut self) {
        if let Some(partial) = self.partial.take() {
            self.skipping = true;
            self.returned += partial.held;
        }
        self.returned += self.waiting.drain(..).map(|message| message.held).sum::<u64>();
        self.returned += self.in_flight.drain(..).map(|message| message.held).sum::<u64>();
        self.hurry_acks();
    }
}
