//! The state machine of one sync stream.

mod answers;
mod close;
mod replica;

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use super::{
    ChannelStatus, CloseCode, Event, Frame, Input, Output, ReplicaOp, RequestId, SessionConfig,
    SyncError,
    channel::{Channel, Link},
    frame::encode_parts,
    inbound::{Inbound, Message, Received},
    message::{Ack, Close, MODE_PLAIN, Open, Summary, Update, decode_credit, kind},
    outbound::{Outbound, Polled},
    reassembly::Reassembly,
};
use crate::{
    SortedMap,
    id::DocId,
    limits::{MAX_AWARENESS, MAX_CONTROL_QUEUE},
    time::Timestamp,
};

/// The sync of all documents shared with one peer, over one stream.
///
/// Methods are of four kinds. *Verbs* come from the application: [`open`](Self::open),
/// [`close`](Self::close), [`local_update`](Self::local_update),
/// [`local_change`](Self::local_change), [`note_change`](Self::note_change),
/// [`local_awareness`](Self::local_awareness), [`hold_answers`](Self::hold_answers),
/// [`resummarize`](Self::resummarize), [`stored`](Self::stored). [`handle`](Self::handle) takes what happened.
/// [`poll_frame`](Self::poll_frame) and [`poll_timeout`](Self::poll_timeout) say what to send and
/// when to come back, and are to be asked again after any other call. [`status`](Self::status) is a
/// getter.
///
/// After [`Event::Failed`] the session does nothing more.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    channels: HashMap<DocId, Channel>,
    /// Our numbers that stand.
    local: HashMap<u64, DocId>,
    /// The peer's numbers that stand.
    remote: HashMap<u64, DocId>,
    /// The next number of ours; all below it were opened once.
    next_channel: u64,
    /// The peer's highest number so far.
    last_remote: u64,
    /// Opens and closes to send.
    control: VecDeque<Bytes>,
    /// Channels that may have something to send, in the order of their turns.
    ready: VecDeque<DocId>,
    requests: HashMap<RequestId, Request>,
    next_request: u64,
    /// Documents with a summary that must wait for its answer, and until when.
    deferred: SortedMap<DocId, Timestamp>,
    /// Documents with acknowledgements that wait for something to go with, and until when at least.
    acks: SortedMap<DocId, Timestamp>,
    reassembly: Reassembly,
    failed: bool,
}

/// A question that a replica hasn't answered.
#[derive(Clone, Copy, Debug)]
struct Request {
    doc: DocId,
    kind: RequestKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RequestKind {
    /// An update or awareness of the peer.
    Apply,
    /// Our summary.
    Summary,
    /// What the peer is missing.
    Diff,
    /// The awareness of everybody here.
    Awareness,
}

impl Session {
    /// A session at the start of its stream. Both sides of a stream are alike.
    pub fn new(config: SessionConfig) -> Self {
        Self {
            config,
            channels: HashMap::new(),
            local: HashMap::new(),
            remote: HashMap::new(),
            next_channel: 1,
            last_remote: 0,
            control: VecDeque::new(),
            ready: VecDeque::new(),
            requests: HashMap::new(),
            next_request: 0,
            deferred: SortedMap::new(),
            acks: SortedMap::new(),
            reassembly: Reassembly::default(),
            failed: false,
        }
    }

    /// We have this document and are willing to share it with this peer.
    ///
    /// Sync begins when the peer has opened it too. With as many documents open as the
    /// configuration allows, the answer is [`Event::Closed`] with [`CloseCode::Limit`].
    pub fn open(&mut self, doc: DocId) -> Vec<Output> {
        let mut out = Vec::new();
        if self.failed || self.channels.get(&doc).is_some_and(|channel| channel.local.is_some()) {
            return out;
        }
        if self.local.len() >= self.config.max_channels {
            out.push(Output::Event(Event::Closed { doc, code: CloseCode::Limit }));
            return out;
        }
        let number = self.offer(doc);
        let channel = self.channels.entry(doc).or_default();
        channel.local = Some(Outbound::new(number, self.config.max_queue_bytes));
        self.link(doc, &mut out);
        out
    }

    /// The document is shared no longer. What still waits in its queue isn't sent.
    ///
    /// With [`CloseCode::Done`] the peer keeps its side open, so that a later
    /// [`open`](Self::open) starts at once.
    pub fn close(&mut self, doc: DocId, code: CloseCode) {
        self.unlink(doc);
        let remote = self.channels.get_mut(&doc).and_then(|channel| channel.remote.as_mut());
        if let Some(remote) = remote {
            // There will be nothing else for them to go with.
            self.control.extend(std::iter::from_fn(|| remote.take_ack()));
        }
        let Some(mut channel) = self.channels.remove(&doc) else { return };
        let Some(local) = channel.local.take() else {
            // An offer of the peer stays remembered.
            self.channels.insert(doc, channel);
            return;
        };
        let yours = channel.remote.map_or(0, |remote| remote.channel);
        self.local.remove(&local.channel);
        self.remote.remove(&yours);
        self.send_close(local.channel, Close { yours, code });
    }

    /// The replica changed here; `payload` is the change.
    ///
    /// Returns the number by which [`Event::Acked`] will refer to it, or `None` if sync hasn't
    /// begun: then the exchange of summaries carries it. The replica must contain the change
    /// already.
    pub fn local_update(&mut self, doc: DocId, payload: Bytes) -> Option<u64> {
        let (local, ..) = self.channels.get_mut(&doc)?.linked()?;
        let (seq, news) = local.push_update(payload);
        if news {
            self.wake(doc);
        }
        Some(seq)
    }

    /// Like [`local_update`](Self::local_update), for a change to which the application has given a
    /// number: [`Event::Reached`] will say when the peer has everything up to it.
    ///
    /// The numbers of one document count up by one.
    pub fn local_change(&mut self, doc: DocId, change: u64, payload: Bytes) -> Option<u64> {
        let channel = self.channels.get_mut(&doc)?;
        if channel.link.is_none() {
            if let Some(local) = &mut channel.local {
                local.note_change(change);
            }
            return None;
        }
        let (seq, news) = channel.local.as_mut()?.push_change(change, payload);
        if news {
            self.wake(doc);
        }
        Some(seq)
    }

    /// The replica has all changes up to this number, which were not sent here: they were made
    /// before the document was opened here, or went another way. The next exchange of summaries
    /// carries what the peer is missing of them, and then [`Event::Reached`] counts them.
    pub fn note_change(&mut self, doc: DocId, change: u64) {
        if let Some(local) = self.channels.get_mut(&doc).and_then(|c| c.local.as_mut()) {
            local.note_change(change);
        }
    }

    /// The awareness of this device changed. Only the newest unsent one is kept, so `payload` must
    /// be all that is to be said, not a difference to an earlier one.
    ///
    /// Empty ones and those above [`MAX_AWARENESS`] are not sent.
    pub fn local_awareness(&mut self, doc: DocId, payload: Bytes) {
        if payload.is_empty() || payload.len() > MAX_AWARENESS {
            return;
        }
        let Some((local, ..)) = self.channels.get_mut(&doc).and_then(Channel::linked) else {
            return;
        };
        local.set_awareness(payload);
        self.wake(doc);
    }

    /// Exchanges summaries again, in both directions, if sync has begun: repairs whatever either
    /// side may have missed on other ways than this stream.
    pub fn resummarize(&mut self, doc: DocId) -> Vec<Output> {
        let mut out = Vec::new();
        self.ask_summary(doc, true, &mut out);
        out
    }

    /// Everything of this document that was applied so far will survive a restart; the peer is told.
    ///
    /// For replicas that answer [`Applied`](super::ReplicaResult::Applied) and store later.
    pub fn stored(&mut self, doc: DocId) {
        if let Some((_, remote, _)) = self.channels.get_mut(&doc).and_then(Channel::linked)
            && remote.all_stored()
        {
            self.wake(doc);
        }
    }

    /// Something happened.
    // What doesn't come with every letter is kept out of line, and what does is apart: a browser
    // compiles a function a second time when it has become hot, as a whole, and the more code there
    // is in it, the sooner.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Output> {
        let mut out = Vec::new();
        if self.failed {
            return out;
        }
        let result = match input {
            Input::Frame(frame) => self.handle_frame(frame, now, &mut out),
            Input::Replica { id, result } => {
                self.handle_replica(id, result, now, &mut out);
                Ok(())
            }
            Input::Timeout => {
                self.handle_timeout(now, &mut out);
                Ok(())
            }
        };
        let overloaded = self.control.len() > MAX_CONTROL_QUEUE;
        if let Some(error) = result.err().or(overloaded.then_some(SyncError::NotReading)) {
            self.fail(error, &mut out);
        }
        out
    }

    // Rare: see `Session::handle`.
    #[inline(never)]
    fn fail(&mut self, error: SyncError, out: &mut Vec<Output>) {
        *self = Self { failed: true, ..Self::new(self.config.clone()) };
        out.push(Output::Event(Event::Failed(error)));
    }

    /// The next encoded frame, or `None` if there is nothing that could be sent now.
    ///
    /// Ask only when the transport takes another frame: channels take turns at this call.
    pub fn poll_frame(&mut self) -> Option<Bytes> {
        if let Some(frame) = self.control.pop_front() {
            return Some(frame);
        }
        while let Some(doc) = self.ready.pop_front() {
            let Some(channel) = self.channels.get_mut(&doc) else { continue };
            match channel.poll() {
                Polled::Frame { bytes, answered } => {
                    if answered && channel.link.as_ref().is_some_and(|l| l.to_answer.is_some()) {
                        // The next answer can be prepared, but not in a call without a clock.
                        self.deferred.insert(doc, Timestamp::ZERO);
                    }
                    self.ready.push_back(doc);
                    return Some(bytes);
                }
                Polled::Idle | Polled::NoCredit => channel.ready = false,
            }
        }
        None
    }

    /// When to pass [`Input::Timeout`]; perhaps at once.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let deferred = self.deferred.values().copied().min();
        let acks = self.acks.values().copied().min();
        deferred.map_or(acks, |at| Some(acks.map_or(at, |ack| at.min(ack))))
    }

    /// The state of a document, if either side has opened it.
    pub fn status(&self, doc: DocId) -> Option<ChannelStatus> {
        self.channels.get(&doc).map(Channel::status)
    }

    /// The documents that the peer has opened, whether or not this side has.
    pub fn offered(&self) -> impl Iterator<Item = DocId> + '_ {
        self.remote.values().copied()
    }

    fn handle_frame(
        &mut self,
        frame: Frame,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        let counted = matches!(frame.kind, kind::SUMMARY | kind::UPDATE | kind::AWARENESS);
        let known = (kind::OPEN..=kind::CLOSE).contains(&frame.kind);
        if frame.more && known && !counted {
            return Err(SyncError::Fragmented(frame.kind));
        }
        match frame.kind {
            kind::OPEN => self.handle_open(frame.channel, Open::decode(frame.body)?, out),
            kind::SUMMARY | kind::UPDATE | kind::AWARENESS => self.handle_data(frame, now, out),
            kind::ACK => self.handle_ack(frame.channel, Ack::decode(frame.body)?, out),
            kind::CREDIT => self.handle_credit(frame.channel, decode_credit(frame.body)?),
            kind::CLOSE => self.handle_close(frame.channel, Close::decode(frame.body)?, out),
            // A kind of a later version.
            _ => Ok(()),
        }
    }

    // Rare: see `Session::handle`.
    #[inline(never)]
    fn handle_open(
        &mut self,
        number: u64,
        open: Open,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        if number <= self.last_remote {
            return Err(SyncError::ChannelReused(number));
        }
        self.last_remote = number;
        let doc = open.doc;
        if self.channels.get(&doc).is_some_and(|channel| channel.remote.is_some()) {
            return Err(SyncError::DocumentReopened(doc));
        }
        if open.mode != MODE_PLAIN {
            self.send_close(0, Close { yours: number, code: CloseCode::Mode });
            return Ok(());
        }
        if self.remote.len() >= self.config.max_channels {
            self.send_close(0, Close { yours: number, code: CloseCode::Limit });
            return Ok(());
        }
        self.remote.insert(number, doc);
        let channel = self.channels.entry(doc).or_default();
        channel.remote = Some(Inbound::new(number));
        if channel.local.is_none() {
            out.push(Output::Event(Event::Offered { doc }));
        }
        self.link(doc, out);
        Ok(())
    }

    // Rare: see `Session::handle`.
    #[inline(never)]
    fn handle_credit(&mut self, number: u64, bytes: u64) -> Result<(), SyncError> {
        if let Some(doc) = self.local_doc(number)? {
            if let Some(local) = self.channels.get_mut(&doc).and_then(|c| c.local.as_mut()) {
                local.add_credit(bytes);
            }
            self.wake(doc);
        }
        Ok(())
    }

    // Apart: see `Session::handle`.
    #[inline(never)]
    fn handle_data(
        &mut self,
        frame: Frame,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        let Some(doc) = self.remote_doc(frame.channel)? else { return Ok(()) };
        let Some(channel) = self.channels.get_mut(&doc) else { return Ok(()) };
        let linked = channel.link.is_some();
        let Some(remote) = &mut channel.remote else { return Ok(()) };
        let kind = frame.kind;
        let received = remote.receive(frame, linked, now)?;
        self.account(doc);
        match received {
            Received::Skipped | Received::Partial => {
                self.wake(doc);
                Ok(())
            }
            Received::Whole { bytes, held } => {
                self.handle_message(doc, kind, bytes, held, now, out)
            }
        }
    }

    // Apart: see `Session::handle`.
    #[inline(never)]
    fn handle_message(
        &mut self,
        doc: DocId,
        kind: u8,
        bytes: Bytes,
        held: u64,
        now: Timestamp,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        let Some((_, remote, link)) = self.channels.get_mut(&doc).and_then(Channel::linked) else {
            return Ok(());
        };
        match kind {
            kind::SUMMARY => {
                // Only the newest is kept, so its bytes hold nobody up.
                remote.give_back(held);
                let Summary { want, payload } = Summary::decode(bytes)?;
                if !payload.is_empty() {
                    link.to_answer = Some(payload);
                    link.hold.is_stale = false;
                }
                self.wake(doc);
                if want {
                    self.ask_summary(doc, false, out);
                }
                self.try_answer(doc, now, out);
                return Ok(());
            }
            kind::UPDATE => {
                let Update { answer, seq, payload, .. } = Update::decode(bytes)?;
                remote.check_seq(seq)?;
                let op = ReplicaOp::Apply { payload };
                remote.push(Message { op, seq: Some(seq), answer, held });
            }
            _ => {
                let op = ReplicaOp::ApplyAwareness { payload: bytes };
                remote.push(Message { op, seq: None, answer: false, held });
            }
        }
        self.pump(doc, out);
        Ok(())
    }

    // Apart: see `Session::handle`.
    #[inline(never)]
    fn handle_ack(
        &mut self,
        number: u64,
        ack: Ack,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        let Some(doc) = self.local_doc(number)? else { return Ok(()) };
        let Some(level) = ack.level else { return Ok(()) };
        let Some(channel) = self.channels.get_mut(&doc) else { return Ok(()) };
        let Some(local) = &mut channel.local else { return Ok(()) };
        if let Some(seq) = local.handle_ack(level, ack.seq)? {
            out.push(Output::Event(Event::Acked { doc, seq, level }));
            if let Some(change) = local.reached(level) {
                out.push(Output::Event(Event::Reached { doc, change, level }));
            }
        }
        if local.part_taken(ack.seq) {
            // A summary that came meanwhile is older than the one that is asked for.
            if let Some(link) = &mut channel.link {
                link.to_answer = None;
            }
            self.wake(doc);
        }
        Ok(())
    }

    /// Begins sync if both sides have opened the document.
    fn link(&mut self, doc: DocId, out: &mut Vec<Output>) {
        let Some(channel) = self.channels.get_mut(&doc) else { return };
        let (Some(local), Some(_), None) = (&mut channel.local, &channel.remote, &channel.link)
        else {
            return;
        };
        local.begin();
        channel.link = Some(Link::new());
        out.push(Output::Event(Event::Opened { doc }));
        self.ask_summary(doc, false, out);
        self.request(doc, RequestKind::Awareness, ReplicaOp::EncodeAwareness, out);
    }

    /// Ends sync, leaving both offers as they are. True if there was any.
    fn unlink(&mut self, doc: DocId) -> bool {
        let Some(channel) = self.channels.get_mut(&doc) else { return false };
        if channel.link.take().is_none() {
            return false;
        }
        if let Some(remote) = &mut channel.remote {
            remote.unlink();
        }
        if channel.ready {
            channel.ready = false;
            self.ready.retain(|ready| *ready != doc);
        }
        self.requests.retain(|_, request| request.doc != doc);
        self.deferred.remove(&doc);
        self.acks.remove(&doc);
        self.account(doc);
        true
    }

    /// Ends sync because of what this side found out.
    fn abort(&mut self, doc: DocId, code: CloseCode, out: &mut Vec<Output>) {
        self.close(doc, code);
        out.push(Output::Event(Event::Closed { doc, code }));
    }

    /// Announces a document under a new number.
    fn offer(&mut self, doc: DocId) -> u64 {
        let number = self.next_channel;
        self.next_channel += 1;
        self.local.insert(number, doc);
        let open = Open { mode: MODE_PLAIN, doc, capability: Bytes::new() };
        self.control.push_back(encode_parts(kind::OPEN, false, number, &[&open.encode()]));
        number
    }

    fn send_close(&mut self, number: u64, close: Close) {
        self.control.push_back(encode_parts(kind::CLOSE, false, number, &[&close.encode()]));
    }

    /// Has the replica's summary sent, once, however often it is asked for meanwhile.
    fn ask_summary(&mut self, doc: DocId, want: bool, out: &mut Vec<Output>) {
        let Some((.., link)) = self.channels.get_mut(&doc).and_then(Channel::linked) else {
            return;
        };
        match &mut link.summary_asked {
            Some(asked) => *asked |= want,
            None => {
                link.summary_asked = Some(want);
                self.request(doc, RequestKind::Summary, ReplicaOp::Summary, out);
            }
        }
    }

    /// Gives the replica what has come, as far as it may have more at a time.
    // Apart: see `Session::handle`.
    #[inline(never)]
    fn pump(&mut self, doc: DocId, out: &mut Vec<Output>) {
        while let Some((_, remote, _)) = self.channels.get_mut(&doc).and_then(Channel::linked) {
            let Some(op) = remote.next_op(RequestId(self.next_request)) else { break };
            self.request(doc, RequestKind::Apply, op, out);
        }
        self.wake(doc);
    }

    fn request(&mut self, doc: DocId, kind: RequestKind, op: ReplicaOp, out: &mut Vec<Output>) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.requests.insert(id, Request { doc, kind });
        out.push(Output::Request { id, doc, op });
    }

    /// Brings the budget of half-received messages up to date with one document, and lets those go
    /// on for which there is room now.
    // Apart: see `Session::handle`.
    #[inline(never)]
    fn account(&mut self, doc: DocId) {
        let remote = self.channels.get(&doc).and_then(|channel| channel.remote.as_ref());
        self.reassembly.set(doc, remote.and_then(Inbound::partial_len));
        for doc in self.reassembly.admitted(doc) {
            if let Some(remote) = self.channels.get_mut(&doc).and_then(|c| c.remote.as_mut()) {
                remote.extend_partial();
                self.wake(doc);
            }
        }
    }

    /// Lets a channel have its turn.
    fn wake(&mut self, doc: DocId) {
        if let Some(channel) = self.channels.get_mut(&doc)
            && !channel.ready
        {
            channel.ready = true;
            self.ready.push_back(doc);
        }
    }

    /// The document of one of our numbers, if it still stands.
    fn local_doc(&self, number: u64) -> Result<Option<DocId>, SyncError> {
        if number == 0 || number >= self.next_channel {
            return Err(SyncError::UnknownChannel(number));
        }
        Ok(self.local.get(&number).copied())
    }

    /// The document of one of the peer's numbers, if it still stands.
    fn remote_doc(&self, number: u64) -> Result<Option<DocId>, SyncError> {
        if number == 0 || number > self.last_remote {
            return Err(SyncError::UnknownChannel(number));
        }
        Ok(self.remote.get(&number).copied())
    }
}

#[cfg(test)]
mod tests;
