//! Two sessions, their replicas, and the frames between them.

mod close;
mod flow;
mod hostile;
mod window;

use std::collections::BTreeMap;

use super::*;
use crate::{
    limits::{
        ACK_DELAY, CREDIT_WINDOW, MAX_CREDIT_WINDOW, MAX_FRAME, MAX_MESSAGE, MAX_QUEUE_LEN,
        MAX_REASSEMBLY, SUMMARY_BURST,
    },
    sim::SetReplica,
    sync::{AckLevel, FrameDecoder, ReplicaError, ReplicaResult, frame::max_body},
};

const DOC: DocId = DocId([1; 32]);
const OTHER: DocId = DocId([2; 32]);
const NOW: Timestamp = Timestamp::from_millis(1_000);

/// One end of a stream: a session, its replicas, and what they have to say.
struct Side {
    session: Session,
    replicas: BTreeMap<DocId, SetReplica>,
    /// Requests that wait while the replicas are held.
    held: Vec<(RequestId, DocId, ReplicaOp)>,
    hold: bool,
    events: Vec<Event>,
}

/// Two sides whose frames arrive at once.
struct Pair {
    sides: [Side; 2],
    now: Timestamp,
}

impl Side {
    fn new() -> Self {
        Self {
            session: Session::new(SessionConfig::default()),
            replicas: BTreeMap::new(),
            held: Vec::new(),
            hold: false,
            events: Vec::new(),
        }
    }

    fn perform(&mut self, outputs: Vec<Output>, now: Timestamp) {
        for output in outputs {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Request { id, doc, op } if self.hold => self.held.push((id, doc, op)),
                Output::Request { id, doc, op } => self.answer(id, doc, op, now),
            }
        }
    }

    fn answer(&mut self, id: RequestId, doc: DocId, op: ReplicaOp, now: Timestamp) {
        let result = self.replicas.entry(doc).or_default().handle(op);
        let outputs = self.session.handle(Input::Replica { id, result }, now);
        self.perform(outputs, now);
    }

    /// The replicas do what they were asked meanwhile.
    fn release(&mut self, now: Timestamp) {
        self.hold = false;
        for (id, doc, op) in std::mem::take(&mut self.held) {
            self.answer(id, doc, op, now);
        }
    }

    fn open(&mut self, doc: DocId) {
        let outputs = self.session.open(doc);
        self.perform(outputs, NOW);
    }

    fn edit(&mut self, doc: DocId, element: u64, size: u32) -> Option<u64> {
        let update = self.replicas.entry(doc).or_default().insert(element, size);
        self.session.local_update(doc, update)
    }

    fn receive(&mut self, frame: &[u8], now: Timestamp) {
        let mut decoder = FrameDecoder::new();
        decoder.push(frame);
        let frame = decoder.next().unwrap().unwrap();
        let outputs = self.session.handle(Input::Frame(frame), now);
        self.perform(outputs, now);
    }

    fn receive_raw(&mut self, kind: u8, more: bool, channel: u64, body: &[u8]) {
        self.receive(&encode_parts(kind, more, channel, &[body]), NOW);
    }

    fn failure(&self) -> Option<SyncError> {
        self.events.iter().find_map(|event| match event {
            Event::Failed(error) => Some(*error),
            _ => None,
        })
    }

    fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}

impl Pair {
    fn new() -> Self {
        Self { sides: [Side::new(), Side::new()], now: NOW }
    }

    /// Both have the document open and know everything.
    fn synced() -> Self {
        let mut pair = Self::new();
        pair.sides[0].open(DOC);
        pair.sides[1].open(DOC);
        pair.settle();
        pair.sides[0].take_events();
        pair.sides[1].take_events();
        pair
    }

    /// Carries frames and fires timers until nothing moves.
    fn settle(&mut self) {
        loop {
            let mut moved = false;
            for from in 0..2 {
                while let Some(frame) = self.sides[from].session.poll_frame() {
                    assert!(frame.len() <= MAX_FRAME);
                    self.sides[1 - from].receive(&frame, self.now);
                    moved = true;
                }
                if let Some(at) = self.sides[from].session.poll_timeout() {
                    self.now = self.now.max(at);
                    let outputs = self.sides[from].session.handle(Input::Timeout, self.now);
                    self.sides[from].perform(outputs, self.now);
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn assert_equal(&self, doc: DocId) {
        let [one, two] = &self.sides;
        assert_eq!(one.replicas[&doc], two.replicas[&doc]);
        for side in &self.sides {
            let status = side.session.status(doc).unwrap();
            assert!(status.is_open() && status.synced, "{status:?}");
            assert_eq!(status.unacked(), 0);
        }
    }
}

#[test]
fn both_open_at_once_and_get_what_the_other_has() {
    let mut pair = Pair::new();
    pair.sides[0].edit(DOC, 1, 10);
    pair.sides[1].edit(DOC, 2, 20);
    pair.sides[0].open(DOC);
    pair.sides[1].open(DOC);
    pair.settle();
    pair.assert_equal(DOC);
    for side in &mut pair.sides {
        let events = side.take_events();
        let expected = [
            Event::Offered { doc: DOC },
            Event::Opened { doc: DOC },
            Event::Updated { doc: DOC },
            Event::Synced { doc: DOC },
        ];
        let seen: Vec<_> = expected.iter().filter(|event| events.contains(event)).collect();
        assert!(seen.len() >= 3 && events.contains(&Event::Synced { doc: DOC }), "{events:?}");
    }
}

#[test]
fn an_offer_is_remembered_until_it_is_answered() {
    let mut pair = Pair::new();
    pair.sides[0].open(DOC);
    pair.settle();
    assert_eq!(pair.sides[1].take_events(), [Event::Offered { doc: DOC }]);
    assert!(!pair.sides[1].session.status(DOC).unwrap().is_open());
    assert_eq!(pair.sides[1].session.offered().collect::<Vec<_>>(), [DOC]);
    pair.sides[1].open(DOC);
    pair.settle();
    pair.sides[0].replicas.entry(DOC).or_default();
    pair.assert_equal(DOC);
}

#[test]
fn a_live_update_is_numbered_applied_and_acknowledged() {
    let mut pair = Pair::synced();
    let seq = pair.sides[0].edit(DOC, 7, 100).unwrap();
    pair.settle();
    assert_eq!(pair.sides[1].take_events(), [Event::Updated { doc: DOC }]);
    let acked = Event::Acked { doc: DOC, seq, level: AckLevel::Applied };
    assert_eq!(pair.sides[0].take_events(), [acked]);
    pair.sides[1].session.stored(DOC);
    pair.settle();
    let acked = Event::Acked { doc: DOC, seq, level: AckLevel::Stored };
    assert_eq!(pair.sides[0].take_events(), [acked]);
    pair.assert_equal(DOC);
}

#[test]
fn an_update_before_sync_has_begun_is_carried_by_the_exchange_of_summaries() {
    let mut pair = Pair::new();
    pair.sides[0].open(DOC);
    assert_eq!(pair.sides[0].edit(DOC, 1, 10), None);
    pair.sides[1].open(DOC);
    pair.settle();
    pair.assert_equal(DOC);
}

#[test]
fn live_updates_flow_before_the_first_answer() {
    let mut pair = Pair::new();
    pair.sides[0].open(DOC);
    pair.sides[1].open(DOC);
    for side in &mut pair.sides {
        side.hold = true;
    }
    pair.settle();
    assert!(pair.sides[0].edit(DOC, 1, 10).is_some());
    pair.settle();
    let applying =
        |(_, _, op): &(RequestId, DocId, ReplicaOp)| matches!(op, ReplicaOp::Apply { .. });
    assert!(pair.sides[1].held.iter().any(applying));
    for side in &mut pair.sides {
        side.release(NOW);
    }
    pair.settle();
    pair.assert_equal(DOC);
}

#[test]
fn awareness_known_here_is_sent_when_sync_begins() {
    let mut pair = Pair::new();
    pair.sides[0].replicas.entry(DOC).or_default().set_awareness(Bytes::from_static(b"Ann"));
    pair.sides[0].open(DOC);
    pair.sides[1].open(DOC);
    pair.settle();
    assert_eq!(pair.sides[1].replicas[&DOC].awareness().as_ref(), b"Ann");
}

#[test]
fn summaries_again_repair_both_directions() {
    let mut pair = Pair::synced();
    for (side, element) in [(0, 1), (1, 2)] {
        // Lost on another way.
        let _ = pair.sides[side].replicas.entry(DOC).or_default().insert(element, 5);
    }
    let outputs = pair.sides[0].session.resummarize(DOC);
    pair.sides[0].perform(outputs, NOW);
    pair.settle();
    pair.assert_equal(DOC);
}
