use super::*;
use crate::{
    limits::{CREDIT_WINDOW, MAX_FRAME, MAX_MESSAGE, MAX_QUEUE_LEN, MAX_REASSEMBLY, SUMMARY_BURST},
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
fn a_megabyte_passes_a_window_of_a_quarter() {
    let mut pair = Pair::new();
    pair.sides[0].edit(DOC, 1, 3 << 20);
    pair.sides[0].open(DOC);
    pair.sides[1].open(DOC);
    pair.settle();
    pair.assert_equal(DOC);
}

fn bytes_at_replica(side: &Side) -> usize {
    let bytes = |(_, _, op): &(RequestId, DocId, ReplicaOp)| match op {
        ReplicaOp::Apply { payload } => payload.len(),
        _ => 0,
    };
    side.held.iter().map(bytes).sum()
}

#[test]
fn a_slow_replica_holds_the_sender() {
    // Updates of one frame, and of several.
    for size in [10_000, 100_000] {
        let mut pair = Pair::synced();
        pair.sides[1].hold = true;
        for element in 0..100 {
            pair.sides[0].edit(DOC, element, size);
            pair.settle();
        }
        let waiting = bytes_at_replica(&pair.sides[1]) as u64;
        let most = CREDIT_WINDOW + u64::from(size);
        assert!(waiting <= most, "{waiting} bytes wait for the replica");
        assert!(waiting > CREDIT_WINDOW / 2);
        pair.sides[1].release(NOW);
        pair.settle();
        pair.assert_equal(DOC);
    }
}

#[test]
fn a_queue_that_overflows_is_dropped_and_repaired_by_a_summary() {
    let mut pair = Pair::synced();
    pair.sides[1].hold = true;
    let mut last = 0;
    for element in 0..10_000 {
        last = pair.sides[0].edit(DOC, element, 1_000).unwrap();
        if element % 100 == 0 {
            pair.settle();
        }
    }
    let queued = pair.sides[0].session.channels[&DOC].local.as_ref().unwrap().queued();
    assert!(queued.0 <= MAX_QUEUE_LEN && queued.1 <= crate::limits::MAX_QUEUE_BYTES);
    assert!(pair.sides[0].session.status(DOC).unwrap().applied < last);
    pair.sides[1].release(NOW);
    pair.settle();
    pair.assert_equal(DOC);
    assert!(pair.sides[0].session.status(DOC).unwrap().applied >= last);
}

#[test]
fn nothing_dropped_is_acknowledged_before_it_has_arrived() {
    let mut pair = Pair::synced();
    pair.sides[1].hold = true;
    let mut numbers = BTreeMap::new();
    for element in 0..3_000 {
        numbers.insert(pair.sides[0].edit(DOC, element, 1_000).unwrap(), element);
    }
    // Released bit by bit, with the truth checked at each step.
    for _ in 0..100_000 {
        pair.settle();
        let applied = pair.sides[0].session.status(DOC).unwrap().applied;
        for element in numbers.range(..=applied).map(|(_, element)| *element) {
            assert!(pair.sides[1].replicas[&DOC].contains(element), "{element} was not there");
        }
        if pair.sides[1].held.is_empty() {
            break;
        }
        let (id, doc, op) = pair.sides[1].held.remove(0);
        pair.sides[1].answer(id, doc, op, NOW);
        numbers = numbers.split_off(&(applied + 1));
    }
    pair.sides[1].release(NOW);
    pair.settle();
    pair.assert_equal(DOC);
}

#[test]
fn an_update_sent_while_the_repair_is_prepared_does_not_acknowledge_what_was_dropped() {
    let mut pair = Pair::synced();
    for element in 0..3_000 {
        pair.sides[0].edit(DOC, element, 1_000);
    }
    // The peer's summary comes, and the replica takes its time to find out what is missing.
    pair.sides[0].hold = true;
    pair.settle();
    let late = pair.sides[0].edit(DOC, 5_000, 10).unwrap();
    pair.settle();
    assert!(pair.sides[1].replicas[&DOC].contains(5_000));
    assert!(!pair.sides[1].replicas[&DOC].contains(2_999));
    let applied = |pair: &Pair| pair.sides[0].session.status(DOC).unwrap().applied;
    assert!(applied(&pair) < late - 1_000);
    pair.sides[0].release(NOW);
    pair.settle();
    pair.assert_equal(DOC);
    assert!(applied(&pair) >= late);
}

#[test]
fn a_difference_found_before_updates_were_dropped_does_not_stand_for_them() {
    let mut pair = Pair::synced();
    pair.sides[0].hold = true;
    // The peer asks, the replica looks, and then a lot happens before it answers.
    pair.sides[0].receive_raw(kind::SUMMARY, false, 1, &[0, 0]);
    let (id, doc, op) = pair.sides[0].held.remove(0);
    let result = pair.sides[0].replicas.entry(doc).or_default().handle(op);
    let mut last = 0;
    for element in 0..3_000 {
        last = pair.sides[0].edit(DOC, element, 1_000).unwrap();
    }
    let outputs = pair.sides[0].session.handle(Input::Replica { id, result }, NOW);
    pair.sides[0].perform(outputs, NOW);
    pair.settle();
    assert!(!pair.sides[1].replicas[&DOC].contains(0));
    assert_eq!(pair.sides[0].session.status(DOC).unwrap().applied, 1, "only the first answer");
    pair.sides[0].release(NOW);
    pair.settle();
    pair.assert_equal(DOC);
    assert!(pair.sides[0].session.status(DOC).unwrap().applied >= last);
}

#[test]
fn of_summaries_only_the_newest_waits_for_its_answer() {
    let mut pair = Pair::synced();
    pair.sides[0].hold = true;
    for n in 0..5 {
        pair.sides[0].receive_raw(kind::SUMMARY, false, 1, &[0, 0, 0, 0, 0, 0, 0, 0, n]);
    }
    assert_eq!(pair.sides[0].held.len(), 1);
    pair.sides[0].hold = false;
    let (id, doc, op) = pair.sides[0].held.remove(0);
    pair.sides[0].hold = true;
    pair.sides[0].answer(id, doc, op, NOW);
    assert_eq!(pair.sides[0].held, [], "the next one waits until the answer is out");
    pair.settle();
    let newest = ReplicaOp::Diff { summary: Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 4]) };
    assert_eq!(pair.sides[0].held.len(), 1);
    assert_eq!(pair.sides[0].held[0].2, newest);
}

#[test]
fn the_rest_of_a_message_whose_beginning_was_given_up_is_skipped() {
    let mut pair = Pair::synced();
    pair.sides[0].receive_raw(kind::UPDATE, true, 1, &[0, 0, 2, 0]);
    let close = Close { yours: 1, code: CloseCode::Done };
    pair.sides[0].receive_raw(kind::CLOSE, false, 0, &close.encode());
    assert!(pair.sides[0].session.status(DOC).unwrap().is_open(), "offered again");
    pair.sides[0].receive_raw(kind::UPDATE, true, 1, b"the middle");
    pair.sides[0].receive_raw(kind::UPDATE, false, 1, b"and the end");
    assert_eq!(pair.sides[0].failure(), None);
    let header = Update::plain(2, false, Bytes::new()).header();
    pair.sides[0].receive_raw(kind::UPDATE, false, 1, &header);
    assert!(pair.sides[0].events.contains(&Event::Updated { doc: DOC }));
}

#[test]
fn a_large_document_does_not_delay_a_small_one() {
    let mut pair = Pair::new();
    pair.sides[0].edit(DOC, 1, 1 << 20);
    for side in &mut pair.sides {
        side.open(DOC);
        side.open(OTHER);
    }
    // Up to the point where the large answer is under way.
    let mut frames_of_large = 0;
    while frames_of_large < 2 {
        for from in 0..2 {
            if let Some(frame) = pair.sides[from].session.poll_frame() {
                frames_of_large += usize::from(from == 0 && frame.len() > 10_000);
                pair.sides[1 - from].receive(&frame, NOW);
            }
        }
    }
    pair.sides[0].edit(OTHER, 5, 10);
    let mut frames = 0;
    while !pair.sides[1].replicas.get(&OTHER).is_some_and(|replica| replica.contains(5)) {
        let frame = pair.sides[0].session.poll_frame().unwrap();
        pair.sides[1].receive(&frame, NOW);
        frames += 1;
        assert!(frames <= 4, "the small document waits for the large one");
    }
    pair.settle();
    pair.assert_equal(DOC);
    pair.assert_equal(OTHER);
}

#[test]
fn of_awareness_only_the_newest_waits() {
    let mut pair = Pair::synced();
    for n in 0..100u8 {
        pair.sides[0].session.local_awareness(DOC, vec![n; 10].into());
    }
    let mut frames = 0;
    while let Some(frame) = pair.sides[0].session.poll_frame() {
        frames += 1;
        pair.sides[1].receive(&frame, NOW);
    }
    assert_eq!(frames, 1);
    assert_eq!(pair.sides[1].replicas[&DOC].awareness().as_ref(), [99; 10]);
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

#[test]
fn who_asks_for_summaries_without_end_is_answered_slowly() {
    let mut pair = Pair::synced();
    pair.sides[1].hold = true;
    let mut diffs = 0;
    for _ in 0..1_000 {
        // A bare summary of nothing, on the peer's first channel.
        pair.sides[1].receive_raw(kind::SUMMARY, false, 1, &[0, 0]);
        let now = pair.now;
        diffs += pair.sides[1].held.len();
        pair.sides[1].release(now);
        pair.sides[1].hold = true;
        while pair.sides[1].session.poll_frame().is_some() {}
    }
    assert!(diffs <= SUMMARY_BURST as usize, "{diffs}");
    assert!(pair.sides[1].session.poll_timeout().is_some());
}

#[test]
fn a_document_closed_as_done_is_offered_again_and_opened_at_once() {
    let mut pair = Pair::synced();
    pair.sides[0].session.close(DOC, CloseCode::Done);
    pair.settle();
    let closed = Event::Closed { doc: DOC, code: CloseCode::Done };
    assert_eq!(pair.sides[1].take_events(), [closed]);
    assert_eq!(pair.sides[0].take_events(), [Event::Offered { doc: DOC }]);
    pair.sides[1].edit(DOC, 9, 10);
    pair.sides[0].open(DOC);
    pair.settle();
    pair.assert_equal(DOC);
}

#[test]
fn a_document_closed_for_another_reason_is_not_offered_again() {
    let mut pair = Pair::synced();
    pair.sides[0].session.close(DOC, CloseCode::Denied);
    pair.settle();
    let closed = Event::Closed { doc: DOC, code: CloseCode::Denied };
    assert_eq!(pair.sides[1].take_events(), [closed]);
    assert_eq!(pair.sides[0].take_events(), []);
    assert_eq!(pair.sides[1].session.status(DOC), None);
    for side in &mut pair.sides {
        side.open(DOC);
    }
    pair.settle();
    pair.assert_equal(DOC);
}

#[test]
fn both_may_close_and_open_in_any_interleaving() {
    for script in 0..256u32 {
        let mut pair = Pair::synced();
        for step in 0..4 {
            let side = &mut pair.sides[(script >> (2 * step)) as usize & 1];
            if script >> (2 * step + 1) & 1 == 0 {
                side.session.close(DOC, CloseCode::Done);
            } else {
                side.open(DOC);
            }
            if let Some(frame) = pair.sides[step % 2].session.poll_frame() {
                pair.sides[1 - step % 2].receive(&frame, NOW);
            }
        }
        for side in &mut pair.sides {
            side.open(DOC);
        }
        pair.sides[0].edit(DOC, 3, 3);
        pair.settle();
        pair.sides[0].edit(DOC, 4, 4);
        pair.settle();
        assert_eq!(pair.sides[0].failure().or(pair.sides[1].failure()), None, "script {script}");
        pair.assert_equal(DOC);
    }
}

#[test]
fn update_numbers_go_on_when_a_document_is_offered_again() {
    let mut pair = Pair::synced();
    let first = pair.sides[1].edit(DOC, 1, 1).unwrap();
    pair.sides[0].session.close(DOC, CloseCode::Done);
    pair.settle();
    pair.sides[0].open(DOC);
    pair.settle();
    assert!(pair.sides[1].edit(DOC, 2, 1).unwrap() > first);
    pair.settle();
    pair.assert_equal(DOC);
}

#[test]
fn what_was_under_way_when_a_document_was_closed_is_not_acknowledged_by_what_comes_after() {
    let mut pair = Pair::synced();
    pair.sides[1].hold = true;
    let lost = pair.sides[0].edit(DOC, 1, 10).unwrap();
    pair.settle();
    pair.sides[1].session.close(DOC, CloseCode::Done);
    pair.sides[1].held.clear();
    pair.sides[1].hold = false;
    pair.sides[0].hold = true;
    pair.sides[1].open(DOC);
    pair.settle();
    let after = pair.sides[0].edit(DOC, 2, 10).unwrap();
    pair.settle();
    assert!(pair.sides[1].replicas[&DOC].contains(2));
    assert!(!pair.sides[1].replicas[&DOC].contains(1));
    let applied = |pair: &Pair| pair.sides[0].session.status(DOC).unwrap().applied;
    assert!(applied(&pair) < lost);
    pair.sides[0].release(NOW);
    pair.settle();
    pair.assert_equal(DOC);
    assert!(applied(&pair) >= after);
}

fn open_body(version: u8, mode: u8, doc: DocId) -> Vec<u8> {
    let mut body = vec![version, mode];
    body.extend_from_slice(&doc.0);
    body.push(0);
    body
}

#[test]
fn an_unknown_mode_is_refused_and_never_downgraded() {
    let mut side = Side::new();
    side.open(DOC);
    let _ = side.session.poll_frame();
    side.receive_raw(kind::OPEN, false, 1, &open_body(1, 1, DOC));
    assert_eq!(side.take_events(), []);
    let close = side.session.poll_frame().unwrap();
    let expected = Close { yours: 1, code: CloseCode::Mode };
    assert_eq!(close, encode_parts(kind::CLOSE, false, 0, &[&expected.encode()]));
    assert!(!side.session.status(DOC).unwrap().remote);
    // What it sends on the refused channel is skipped.
    side.receive_raw(kind::UPDATE, false, 1, &[0, 0, 1, 0]);
    assert_eq!(side.failure(), None);
}

#[test]
fn the_peer_hears_that_its_mode_was_refused() {
    let mut side = Side::new();
    side.open(DOC);
    let close = Close { yours: 1, code: CloseCode::Mode };
    side.receive_raw(kind::CLOSE, false, 0, &close.encode());
    assert_eq!(side.take_events(), [Event::Closed { doc: DOC, code: CloseCode::Mode }]);
    assert_eq!(side.session.status(DOC), None);
}

#[test]
fn another_version_is_a_clear_error() {
    let mut side = Side::new();
    side.receive_raw(kind::OPEN, false, 1, &[2]);
    assert_eq!(side.failure(), Some(SyncError::UnsupportedVersion { theirs: 2 }));
}

#[test]
fn unknown_kinds_are_skipped_even_in_fragments() {
    let mut pair = Pair::synced();
    for more in [true, false] {
        pair.sides[0].receive_raw(99, more, 77, b"later version");
    }
    pair.sides[1].edit(DOC, 1, 1);
    pair.settle();
    assert_eq!(pair.sides[0].failure(), None);
    pair.assert_equal(DOC);
}

#[test]
fn what_breaks_the_protocol_is_a_typed_failure() {
    type Frames<'a> = &'a [(u8, bool, u64, &'a [u8])];
    let large = vec![0; 16_000];
    let large = large.as_slice();
    let other_doc = open_body(1, 0, OTHER);
    let same_doc = open_body(1, 0, DOC);
    let cases: [(Frames<'_>, SyncError); 10] = [
        (&[(kind::UPDATE, false, 9, &[0])], SyncError::UnknownChannel(9)),
        (&[(kind::ACK, false, 9, &[1, 0])], SyncError::UnknownChannel(9)),
        (&[(kind::CREDIT, false, 0, &[1])], SyncError::UnknownChannel(0)),
        (&[(kind::OPEN, false, 1, &other_doc)], SyncError::ChannelReused(1)),
        (&[(kind::OPEN, false, 5, &same_doc)], SyncError::DocumentReopened(DOC)),
        (&[(kind::ACK, true, 1, &[1, 0])], SyncError::Fragmented(kind::ACK)),
        (&[(kind::ACK, false, 1, &[1, 99])], SyncError::AckAhead { seq: 99, sent: 1 }),
        (
            &[(kind::UPDATE, true, 1, &[0]), (kind::AWARENESS, false, 1, &[0])],
            SyncError::Interleaved(1),
        ),
        (
            &[(kind::UPDATE, false, 1, &[0, 0, 1, 0])],
            SyncError::SeqNotIncreasing { seq: 1, last: 1 },
        ),
        (
            &[
                (kind::AWARENESS, true, 1, large),
                (kind::AWARENESS, true, 1, large),
                (kind::AWARENESS, true, 1, large),
                (kind::AWARENESS, true, 1, large),
                (kind::AWARENESS, true, 1, large),
            ],
            SyncError::MessageTooLarge { max: MAX_AWARENESS },
        ),
    ];
    for (frames, error) in cases {
        let mut pair = Pair::synced();
        for (kind, more, channel, body) in frames {
            pair.sides[0].receive_raw(*kind, *more, *channel, body);
        }
        assert_eq!(pair.sides[0].failure(), Some(error));
        // Dead, but harmless.
        assert!(pair.sides[0].session.poll_frame().is_none());
        assert_eq!(pair.sides[0].session.open(OTHER), []);
        assert_eq!(pair.sides[0].edit(DOC, 1, 1), None);
    }
}

#[test]
fn who_sends_beyond_its_credit_is_dropped() {
    let mut pair = Pair::synced();
    pair.sides[0].hold = true;
    let body = |seq: u64| {
        let header = Update::plain(seq, false, Bytes::new()).header();
        [header.as_ref(), &[0; 16_000]].concat()
    };
    let mut sent = 0;
    for seq in 2..100 {
        let body = body(seq);
        sent += body.len() as u64;
        pair.sides[0].receive_raw(kind::UPDATE, false, 1, &body);
        if sent > 2 * CREDIT_WINDOW {
            break;
        }
    }
    assert_eq!(pair.sides[0].failure(), Some(SyncError::CreditExceeded(1)));
}

#[test]
fn a_payload_that_the_replica_refuses_closes_its_document_only() {
    let mut pair = Pair::synced();
    let header = Update::plain(2, false, Bytes::new()).header();
    pair.sides[0].receive_raw(kind::UPDATE, false, 1, &[header.as_ref(), b"rubbish"].concat());
    let closed = Event::Closed { doc: DOC, code: CloseCode::Rejected };
    assert_eq!(pair.sides[0].take_events(), std::slice::from_ref(&closed));
    pair.settle();
    assert_eq!(pair.sides[1].take_events(), [closed]);
    for side in &mut pair.sides {
        side.open(OTHER);
        side.replicas.entry(OTHER).or_default();
    }
    pair.settle();
    pair.assert_equal(OTHER);
}

#[test]
fn a_document_too_large_to_send_is_closed_with_that_reason() {
    let mut pair = Pair::new();
    pair.sides[0].edit(DOC, 1, MAX_MESSAGE as u32);
    pair.sides[0].open(DOC);
    pair.sides[1].open(DOC);
    pair.settle();
    let closed = Event::Closed { doc: DOC, code: CloseCode::TooLarge };
    assert!(pair.sides[0].take_events().contains(&closed));
    assert!(pair.sides[1].take_events().contains(&closed));
}

#[test]
fn channels_are_bounded_and_so_are_offers_that_are_remembered() {
    let config = || SessionConfig::default().max_channels(3);
    let mut pair = Pair::new();
    pair.sides[1].session = Session::new(config());
    for n in 0..10 {
        pair.sides[0].open(DocId([n; 32]));
    }
    pair.settle();
    assert_eq!(pair.sides[1].session.offered().count(), 3);
    let refused = |event: &&Event| matches!(event, Event::Closed { code: CloseCode::Limit, .. });
    assert_eq!(pair.sides[0].events.iter().filter(refused).count(), 7);
    for n in 0..10 {
        pair.sides[1].open(DocId([n; 32]));
    }
    assert_eq!(pair.sides[1].events.iter().filter(refused).count(), 7);
}

#[test]
fn a_peer_that_does_not_read_our_refusals_is_dropped() {
    let mut side = Side::new();
    for number in 1..2 * MAX_CONTROL_QUEUE as u64 {
        side.receive_raw(kind::OPEN, false, number, &open_body(1, 1, DOC));
    }
    assert_eq!(side.failure(), Some(SyncError::NotReading));
}

#[test]
fn half_received_messages_are_bounded_and_still_end() {
    let docs: Vec<DocId> = (0..20).map(|n| DocId([n; 32])).collect();
    let mut pair = Pair::new();
    for (n, doc) in docs.iter().enumerate() {
        pair.sides[0].edit(*doc, n as u64, 6 << 20);
        pair.sides[0].open(*doc);
        pair.sides[1].open(*doc);
    }
    let mut most = 0;
    loop {
        let mut moved = false;
        for from in 0..2 {
            if let Some(frame) = pair.sides[from].session.poll_frame() {
                pair.sides[1 - from].receive(&frame, NOW);
                moved = true;
            }
        }
        most = most.max(pair.sides[1].session.reassembly.total());
        if !moved {
            break;
        }
    }
    let windows = docs.len() * CREDIT_WINDOW as usize;
    assert!(most <= MAX_REASSEMBLY + MAX_MESSAGE + windows, "{most}");
    assert!(most > MAX_REASSEMBLY / 2, "the budget was not put to the test");
    for doc in docs {
        pair.assert_equal(doc);
    }
}

#[test]
fn a_document_whose_replica_is_closed_is_closed_for_the_peer() {
    let mut pair = Pair::synced();
    pair.sides[0].hold = true;
    pair.sides[1].edit(DOC, 1, 1);
    pair.settle();
    let (id, ..) = pair.sides[0].held.remove(0);
    let result = ReplicaResult::Failed(ReplicaError::Closed);
    let outputs = pair.sides[0].session.handle(Input::Replica { id, result }, NOW);
    assert_eq!(outputs, []);
    pair.settle();
    assert_eq!(pair.sides[1].take_events(), [Event::Closed { doc: DOC, code: CloseCode::Done }]);
}

#[test]
fn answers_of_a_replica_that_come_too_late_do_nothing() {
    let mut pair = Pair::new();
    for side in &mut pair.sides {
        side.hold = true;
        side.open(DOC);
    }
    pair.settle();
    pair.sides[0].session.close(DOC, CloseCode::Done);
    pair.sides[0].release(NOW);
    let late = Input::Replica { id: RequestId(999), result: ReplicaResult::Applied };
    assert_eq!(pair.sides[0].session.handle(late, NOW), []);
    pair.settle();
    assert_eq!(pair.sides[0].failure(), None);
}

#[test]
fn fragments_fill_their_frames() {
    let mut pair = Pair::synced();
    pair.sides[0].edit(DOC, 1, 100_000);
    let mut lens = Vec::new();
    while let Some(frame) = pair.sides[0].session.poll_frame() {
        lens.push(frame.len());
        pair.sides[1].receive(&frame, NOW);
    }
    assert_eq!(lens.len(), 100_000usize.div_ceil(max_body(1)));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_frames_are_survived(
            frames in prop::collection::vec(
                (0u8..9, any::<bool>(), 0u64..4, prop::collection::vec(any::<u8>(), 0..60)),
                1..60,
            ),
        ) {
            let mut pair = Pair::synced();
            for (kind, more, channel, body) in frames {
                pair.sides[0].receive_raw(kind, more, channel, &body);
                while pair.sides[0].session.poll_frame().is_some() {}
            }
        }

        #[test]
        fn perturbed_frames_are_survived(
            at in any::<prop::sample::Index>(), bit in 0..8u32, which in 0usize..20,
        ) {
            let mut pair = Pair::new();
            pair.sides[0].edit(DOC, 1, 40_000);
            pair.sides[1].edit(DOC, 2, 40);
            pair.sides[0].open(DOC);
            pair.sides[1].open(DOC);
            let mut count = 0;
            for _ in 0..40 {
                for from in 0..2 {
                    let Some(frame) = pair.sides[from].session.poll_frame() else { continue };
                    let mut frame = frame.to_vec();
                    if count == which {
                        let at = at.index(frame.len());
                        frame[at] ^= 1 << bit;
                    }
                    count += 1;
                    let mut decoder = FrameDecoder::new();
                    decoder.push(&frame);
                    while let Ok(Some(frame)) = decoder.next() {
                        let to = &mut pair.sides[1 - from];
                        let outputs = to.session.handle(Input::Frame(frame), NOW);
                        to.perform(outputs, NOW);
                    }
                }
            }
        }
    }
}
