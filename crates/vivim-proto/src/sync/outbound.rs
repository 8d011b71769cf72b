//! What this side sends on one of its channels.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{
    AckLevel, SyncError,
    coverage::Coverage,
    frame::{encode_parts, max_body},
    message::{Summary, Update, kind},
};
use crate::limits::{CREDIT_WINDOW, MAX_PAYLOAD, MAX_QUEUE_LEN, MIN_FRAGMENT};

/// The sending half of a channel.
#[derive(Debug)]
pub(super) struct Outbound {
    /// The number under which this side offered the document.
    pub(super) channel: u64,
    credit: u64,
    max_queue_bytes: usize,
    sending: Option<Sending>,
    summary: Option<Summary>,
    awareness: Option<Bytes>,
    updates: VecDeque<Queued>,
    /// Bytes of `updates`; an answer is bounded by being alone.
    queue_bytes: usize,
    /// The pieces of the answer to the peer's summary, as far as they aren't sent. They get their
    /// numbers when they are, so that what is typed meanwhile can go first.
    answer: VecDeque<Bytes>,
    /// What follows `answer`.
    rest: Rest,
    /// The queue has overflowed, and no diff that covers what was dropped has been asked for.
    dropping: bool,
    seq: u64,
    acked: [Acked; 2],
    coverage: Coverage,
}

/// What of an answer isn't among the pieces that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// There is no more.
    None,
    /// There is more, to be asked for when the peer has applied what there is.
    Later,
    /// When it has applied this update, which was the last one.
    After(u64),
}

/// A message of which fragments have been sent, or are about to be.
#[derive(Debug)]
struct Sending {
    kind: u8,
    /// The last piece of an answer.
    answer: bool,
    header: Bytes,
    payload: Bytes,
    offset: usize,
}

#[derive(Debug)]
struct Queued {
    seq: u64,
    payload: Bytes,
}

/// What the peer has acknowledged at one level.
#[derive(Clone, Copy, Debug, Default)]
struct Acked {
    seq: u64,
    gap: Option<Gap>,
}

/// Updates that were dropped. Acknowledgements count only up to it, until the answer that carries
/// the dropped updates is acknowledged itself.
#[derive(Clone, Copy, Debug)]
struct Gap {
    first: u64,
    /// The number of that answer, once it has one.
    answer: Option<u64>,
}

/// What a call of [`Outbound::poll`] came to.
#[derive(Debug)]
pub(super) enum Polled {
    Frame {
        bytes: Bytes,
        /// The frame ends the answer to a summary, so the next one may be prepared.
        answered: bool,
    },
    /// There is nothing to send.
    Idle,
    /// Nothing can be sent before the peer gives credit.
    NoCredit,
}

impl Outbound {
    pub(super) fn new(channel: u64, max_queue_bytes: usize) -> Self {
        Self {
            channel,
            credit: CREDIT_WINDOW,
            max_queue_bytes,
            sending: None,
            summary: None,
            awareness: None,
            updates: VecDeque::new(),
            queue_bytes: 0,
            answer: VecDeque::new(),
            rest: Rest::None,
            dropping: false,
            seq: 0,
            acked: [Acked::default(); 2],
            coverage: Coverage::default(),
        }
    }

    /// The same document under a new number. Update numbers go on, since the application holds some.
    pub(super) fn reoffer(&self, channel: u64) -> Self {
        let mut next = Self::new(channel, self.max_queue_bytes);
        next.seq = self.seq;
        next.acked = self.acked;
        next.coverage = self.coverage.clone();
        next
    }

    /// Sync begins, or begins again: what wasn't acknowledged counts as dropped, and the answer to
    /// the peer's summary, which every sync begins with, carries it.
    pub(super) fn begin(&mut self) {
        self.dropping = false;
        self.answer.clear();
        self.rest = Rest::None;
        for acked in &mut self.acked {
            acked.gap =
                (acked.seq < self.seq).then_some(Gap { first: acked.seq + 1, answer: None });
        }
    }

    /// Queues a local update. True if there is something new to send.
    pub(super) fn push_update(&mut self, payload: Bytes) -> (u64, bool) {
        self.seq += 1;
        let seq = self.seq;
        if self.dropping {
            return (seq, false);
        }
        let live = !self.updates.is_empty();
        let full = self.queue_bytes + payload.len() > self.max_queue_bytes
            || self.updates.len() >= MAX_QUEUE_LEN;
        if payload.len() > MAX_PAYLOAD || live && full {
            self.drop_updates(seq);
        } else {
            self.queue_bytes += payload.len();
            self.updates.push_back(Queued { seq, payload });
        }
        (seq, true)
    }

    /// Queues a local update that is one of the application's numbered changes.
    pub(super) fn push_change(&mut self, change: u64, payload: Bytes) -> (u64, bool) {
        let (seq, news) = self.push_update(payload);
        self.coverage.sent(seq, change);
        (seq, news)
    }

    /// A change is in the replica, but was not sent here.
    pub(super) fn note_change(&mut self, change: u64) {
        self.coverage.note(change);
    }

    /// Queues the answer to a summary of the peer, as found out just now.
    pub(super) fn push_answer(&mut self, pieces: Vec<Bytes>) {
        self.answer = pieces.into();
        self.coverage.answer_made();
    }

    /// Queues the first part of an answer. It stands for nothing yet; its end will.
    pub(super) fn push_part(&mut self, pieces: Vec<Bytes>) {
        self.answer = pieces.into();
        self.rest = Rest::Later;
    }

    /// The peer has everything up to this number. True if it has a part of an answer then: its
    /// summary is asked for, so that the next one can be found.
    pub(super) fn part_taken(&mut self, seq: u64) -> bool {
        let taken = matches!(self.rest, Rest::After(last) if seq >= last);
        if taken {
            self.rest = Rest::None;
            self.ask_for_summary();
        }
        taken
    }

    /// Whether updates have been dropped that no answer covers yet.
    pub(super) fn is_dropping(&self) -> bool {
        self.dropping
    }

    /// Asks for the peer's summary.
    pub(super) fn ask_for_summary(&mut self) {
        match &mut self.summary {
            Some(summary) => summary.want = true,
            None => self.summary = Some(Summary { want: true, payload: Bytes::new() }),
        }
    }

    /// A diff is being asked for: it will carry everything dropped so far.
    pub(super) fn diff_requested(&mut self) {
        self.dropping = false;
    }

    /// Whether an answer waits or is under way.
    pub(super) fn has_answer(&self) -> bool {
        self.rest != Rest::None
            || self.sending.as_ref().is_some_and(|sending| sending.answer)
            || !self.answer.is_empty()
    }

    pub(super) fn set_summary(&mut self, mut summary: Summary) {
        summary.want |= self.summary.as_ref().is_some_and(|waiting| waiting.want);
        self.summary = Some(summary);
    }

    pub(super) fn set_awareness(&mut self, payload: Bytes) {
        self.awareness = Some(payload);
    }

    /// For the replica's view at the start of sync, which may be older than what is there by now.
    pub(super) fn set_awareness_if_none(&mut self, payload: Bytes) {
        self.awareness.get_or_insert(payload);
    }

    pub(super) fn add_credit(&mut self, bytes: u64) {
        self.credit = self.credit.saturating_add(bytes);
    }

    /// The peer acknowledged. Returns the number up to which everything is, if that is news.
    ///
    /// [`reached`](Self::reached) says afterwards which of the application's changes that means.
    pub(super) fn handle_ack(
        &mut self,
        level: AckLevel,
        seq: u64,
    ) -> Result<Option<u64>, SyncError> {
        if seq > self.seq {
            return Err(SyncError::AckAhead { seq, sent: self.seq });
        }
        let acked = &mut self.acked[level as usize];
        let upto = match acked.gap {
            Some(Gap { answer: Some(answer), .. }) if seq >= answer => {
                acked.gap = None;
                seq
            }
            Some(Gap { first, .. }) => seq.min(first - 1),
            None => seq,
        };
        if upto <= acked.seq {
            return Ok(None);
        }
        acked.seq = upto;
        Ok(Some(upto))
    }

    /// The last of the application's changes up to which the peer has all, if that is news.
    pub(super) fn reached(&mut self, level: AckLevel) -> Option<u64> {
        let upto = self.acked[level as usize].seq;
        let both = self.acked.iter().map(|acked| acked.seq).min().unwrap_or(0);
        self.coverage.acked(level, upto, both)
    }

    /// The number of the last local update or piece of an answer.
    pub(super) fn sent(&self) -> u64 {
        self.seq
    }

    pub(super) fn acked(&self, level: AckLevel) -> u64 {
        self.acked[level as usize].seq
    }

    /// Live updates that wait, and their bytes.
    #[cfg(test)]
    pub(super) fn queued(&self) -> (usize, usize) {
        (self.updates.len(), self.queue_bytes)
    }

    /// The next frame, if there is one and credit for it.
    pub(super) fn poll(&mut self) -> Polled {
        if self.sending.is_none() {
            self.sending = self.next_message();
        }
        let Some(sending) = &mut self.sending else { return Polled::Idle };
        let left = sending.header.len() + sending.payload.len() - sending.offset;
        let fits = left.min(max_body(self.channel));
        let credit = usize::try_from(self.credit).unwrap_or(usize::MAX);
        if credit < fits && credit < MIN_FRAGMENT {
            return Polled::NoCredit;
        }
        let take = fits.min(credit);
        let more = take < left;
        let start = sending.offset.min(sending.header.len());
        let header = &sending.header[start..];
        let header = &header[..header.len().min(take)];
        let from = sending.offset.saturating_sub(sending.header.len());
        let payload = &sending.payload[from..from + (take - header.len())];
        let bytes = encode_parts(sending.kind, more, self.channel, &[header, payload]);
        self.credit -= take as u64;
        sending.offset += take;
        let answered = !more && sending.answer;
        if !more {
            self.sending = None;
        }
        Polled::Frame { bytes, answered }
    }

    /// Drops what has no fragment sent yet, except an answer, and asks for a summary instead.
    fn drop_updates(&mut self, newest: u64) {
        let first = self.updates.front().map_or(newest, |update| update.seq);
        self.updates.clear();
        self.queue_bytes = 0;
        self.dropping = true;
        for acked in &mut self.acked {
            let first = acked.gap.map_or(first, |gap| gap.first.min(first));
            acked.gap = Some(Gap { first, answer: None });
        }
        self.ask_for_summary();
    }

    fn next_message(&mut self) -> Option<Sending> {
        if let Some(summary) = self.summary.take() {
            let header = summary.header();
            return Some(Sending::new(kind::SUMMARY, header, summary.payload));
        }
        if let Some(payload) = self.awareness.take() {
            return Some(Sending::new(kind::AWARENESS, Bytes::new(), payload));
        }
        if let Some(Queued { seq, payload }) = self.updates.pop_front() {
            self.queue_bytes -= payload.len();
            return Some(Sending::update(Update::plain(seq, false, payload)));
        }
        let payload = self.answer.pop_front()?;
        self.seq += 1;
        let (seq, last) = (self.seq, self.answer.is_empty());
        let is_end = last && self.rest == Rest::None;
        if is_end {
            self.answer_numbered(seq);
        } else if last {
            self.rest = Rest::After(seq);
        }
        Some(Sending::update(Update::plain(seq, is_end, payload)))
    }

    /// The last piece of the answer has its number: whoever acknowledges it has the whole answer,
    /// and what the answer stands in for.
    fn answer_numbered(&mut self, seq: u64) {
        self.coverage.answer_sent(seq);
        // What was dropped since the answer was asked for is not in it.
        if !self.dropping {
            for gap in self.acked.iter_mut().filter_map(|acked| acked.gap.as_mut()) {
                gap.answer.get_or_insert(seq);
            }
        }
    }
}

impl Sending {
    fn new(kind: u8, header: Bytes, payload: Bytes) -> Self {
        Self { kind, answer: false, header, payload, offset: 0 }
    }

    fn update(update: Update) -> Self {
        let header = update.header();
        Self { answer: update.answer, ..Self::new(kind::UPDATE, header, update.payload) }
    }
}
