//! Credit, queues, turns, repair.

use std::time::Duration;

use super::*;

#[test]
fn megabytes_pass_a_window_of_kilobytes() {
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

/// How many frames the first side has to send now, which the other one gets.
fn carry(pair: &mut Pair) -> usize {
    let frames: Vec<Bytes> = std::iter::from_fn(|| pair.sides[0].session.poll_frame()).collect();
    for frame in &frames {
        let now = pair.now;
        pair.sides[1].receive(frame, now);
    }
    frames.len()
}

#[test]
fn an_acknowledgement_goes_behind_the_next_letter() {
    let mut pair = Pair::synced();
    let seq = pair.sides[1].edit(DOC, 1, 10).unwrap();
    pair.sides.reverse();
    assert_eq!(carry(&mut pair), 1);
    pair.sides.reverse();
    assert!(pair.sides[0].session.poll_frame().is_none(), "it waits");
    pair.sides[0].edit(DOC, 2, 10);
    assert_eq!(carry(&mut pair), 2);
    let acked = Event::Acked { doc: DOC, seq, level: AckLevel::Applied };
    let updated = Event::Updated { doc: DOC };
    assert_eq!(pair.sides[1].take_events(), [updated, acked]);
}

#[test]
fn an_acknowledgement_waits_no_longer_than_its_delay() {
    let mut pair = Pair::synced();
    let last = (0..5).filter_map(|element| pair.sides[0].edit(DOC, element, 10)).last().unwrap();
    assert_eq!(carry(&mut pair), 5);
    pair.sides.reverse();
    assert_eq!(carry(&mut pair), 0);
    let due = pair.now + ACK_DELAY;
    assert_eq!(pair.sides[0].session.poll_timeout(), Some(due));
    let outputs = pair.sides[0].session.handle(Input::Timeout, due);
    pair.sides[0].perform(outputs, due);
    assert_eq!(carry(&mut pair), 1, "one for all five");
    let acked = Event::Acked { doc: DOC, seq: last, level: AckLevel::Applied };
    assert_eq!(pair.sides[1].take_events(), [acked]);
    assert_eq!(pair.sides[0].session.poll_timeout(), None);
}

#[test]
fn what_went_with_a_letter_is_not_sent_again_and_a_later_one_has_its_own_time() {
    let mut pair = Pair::synced();
    let begin = pair.now;
    pair.sides[1].edit(DOC, 1, 10);
    pair.sides.reverse();
    carry(&mut pair);
    pair.sides.reverse();
    pair.sides[0].edit(DOC, 2, 10);
    assert_eq!(carry(&mut pair), 2);
    // The next one comes half a delay later.
    pair.now = begin + ACK_DELAY / 2;
    pair.sides.reverse();
    pair.sides[0].edit(DOC, 3, 10);
    carry(&mut pair);
    pair.sides.reverse();
    for (at, frames) in [(begin + ACK_DELAY, 0), (begin + ACK_DELAY / 2 + ACK_DELAY, 1)] {
        assert_eq!(pair.sides[0].session.poll_timeout(), Some(at));
        let outputs = pair.sides[0].session.handle(Input::Timeout, at);
        pair.sides[0].perform(outputs, at);
        assert_eq!(carry(&mut pair), frames);
    }
}

#[test]
fn who_closes_acknowledges_first() {
    let mut pair = Pair::synced();
    let seq = pair.sides[0].edit(DOC, 1, 10).unwrap();
    carry(&mut pair);
    pair.sides.reverse();
    pair.sides[0].session.close(DOC, CloseCode::Done);
    carry(&mut pair);
    let events = pair.sides[1].take_events();
    assert_eq!(events[0], Event::Acked { doc: DOC, seq, level: AckLevel::Applied });
    assert!(matches!(events[1], Event::Closed { .. }), "{events:?}");
}

#[test]
fn credit_does_not_wait_for_acknowledgements() {
    let mut pair = Pair::synced();
    let size = crate::limits::CREDIT_BATCH as u32;
    pair.sides[0].edit(DOC, 1, size);
    carry(&mut pair);
    pair.sides.reverse();
    assert_eq!(carry(&mut pair), 2, "credit, and the acknowledgement with it");
    assert_eq!(pair.sides[0].session.poll_timeout(), Some(pair.now + ACK_DELAY));
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
fn fragments_fill_their_frames() {
    let mut pair = Pair::synced();
    pair.sides[0].edit(DOC, 1, 100_000);
    let mut lens = Vec::new();
    while let Some(frame) = pair.sides[0].session.poll_frame() {
        lens.push(frame.len());
        pair.sides[1].receive(&frame, NOW);
        while let Some(credit) = pair.sides[1].session.poll_frame() {
            pair.sides[0].receive(&credit, NOW);
        }
    }
    assert_eq!(lens.len(), 100_000usize.div_ceil(max_body(1)));
}

/// Half a megabyte in elements of 10 kB, given in pieces of 64 KiB.
fn large_in_pieces(pair: &mut Pair) {
    for element in 0..50 {
        pair.sides[0].edit(DOC, element, 10_000);
    }
    pair.sides[0].replicas.get_mut(&DOC).unwrap().set_piece(crate::limits::PIECE);
}

#[test]
fn an_answer_in_pieces_is_applied_piece_by_piece_and_acknowledged_each_time() {
    let mut pair = Pair::new();
    large_in_pieces(&mut pair);
    pair.sides[1].hold = true;
    for side in &mut pair.sides {
        side.open(DOC);
    }
    let mut applied = Vec::new();
    loop {
        pair.settle();
        if pair.sides[1].held.is_empty() {
            break;
        }
        let (id, doc, op) = pair.sides[1].held.remove(0);
        if let ReplicaOp::Apply { payload } = &op {
            assert!(payload.len() <= crate::limits::PIECE + 1_000);
            applied.push(pair.sides[0].session.status(DOC).unwrap().applied);
            assert!(!pair.sides[1].events.contains(&Event::Synced { doc: DOC }));
        }
        pair.sides[1].answer(id, doc, op, NOW);
    }
    assert!(applied.len() > 8, "{applied:?}");
    assert!(applied.is_sorted_by(|one, next| one < next), "{applied:?}");
    pair.sides[1].release(NOW);
    pair.settle();
    pair.assert_equal(DOC);
}

#[test]
fn what_is_larger_than_an_answer_comes_in_parts_each_when_the_one_before_was_applied() {
    const PART: usize = 128 * 1024;
    let mut pair = Pair::new();
    large_in_pieces(&mut pair);
    pair.sides[0].replicas.get_mut(&DOC).unwrap().set_part(PART);
    pair.sides[0].session.open(DOC);
    pair.sides[0].session.note_change(DOC, 50);
    pair.sides[1].hold = true;
    pair.sides[1].open(DOC);
    let (mut most, mut summaries) = (0, 0);
    loop {
        pair.settle();
        if pair.sides[1].held.is_empty() {
            break;
        }
        let held = &pair.sides[1].held;
        most = most.max(held.iter().map(|(.., op)| applied_bytes(op)).sum());
        let (id, doc, op) = pair.sides[1].held.remove(0);
        summaries += usize::from(op == ReplicaOp::Summary);
        let before = pair.sides[1].replicas.get(&DOC).map_or(0, SetReplica::len);
        assert!(before == 50 || !pair.sides[1].events.contains(&Event::Synced { doc: DOC }));
        assert!(before == 50 || reached(&mut pair, AckLevel::Applied).is_empty());
        let now = pair.now;
        pair.sides[1].answer(id, doc, op, now);
    }
    assert!(most <= PART + 10_000, "{most} bytes at once");
    assert!(summaries > 3, "{summaries} summaries");
    assert_eq!(pair.sides[1].replicas[&DOC].len(), 50);
    assert!(pair.sides[1].events.contains(&Event::Synced { doc: DOC }));
    assert_eq!(reached(&mut pair, AckLevel::Applied), [50]);
}

fn applied_bytes(op: &ReplicaOp) -> usize {
    if let ReplicaOp::Apply { payload } = op { payload.len() } else { 0 }
}

#[test]
fn what_was_dropped_while_a_part_was_under_way_comes_with_the_rest() {
    let mut pair = Pair::new();
    large_in_pieces(&mut pair);
    pair.sides[0].replicas.get_mut(&DOC).unwrap().set_part(100_000);
    for side in &mut pair.sides {
        side.open(DOC);
    }
    while pair.sides[1].replicas.get(&DOC).is_none_or(SetReplica::is_empty) {
        for from in 0..2 {
            if let Some(frame) = pair.sides[from].session.poll_frame() {
                pair.sides[1 - from].receive(&frame, NOW);
            }
        }
    }
    let first = pair.sides[0].edit(DOC, 1_000, 10).unwrap();
    for element in 1_001..1_000 + 2 * MAX_QUEUE_LEN as u64 {
        pair.sides[0].edit(DOC, element, 10).unwrap();
    }
    assert!(pair.sides[0].session.status(DOC).unwrap().applied < first);
    pair.settle();
    pair.assert_equal(DOC);
    let status = pair.sides[0].session.status(DOC).unwrap();
    assert_eq!(status.applied, status.sent);
}

#[test]
fn what_is_typed_goes_before_the_pieces_that_wait() {
    let mut pair = Pair::new();
    large_in_pieces(&mut pair);
    for side in &mut pair.sides {
        side.open(DOC);
    }
    // Until the answer is under way.
    while pair.sides[1].replicas.get(&DOC).is_none_or(SetReplica::is_empty) {
        for from in 0..2 {
            if let Some(frame) = pair.sides[from].session.poll_frame() {
                pair.sides[1 - from].receive(&frame, NOW);
            }
        }
    }
    pair.sides[0].edit(DOC, 999, 10);
    let mut frames = 0;
    while !pair.sides[1].replicas[&DOC].contains(999) {
        let frame = pair.sides[0].session.poll_frame().unwrap();
        pair.sides[1].receive(&frame, NOW);
        frames += 1;
    }
    assert!(frames <= 5, "behind {frames} frames");
    assert!(!pair.sides[1].events.contains(&Event::Synced { doc: DOC }));
    pair.settle();
    pair.assert_equal(DOC);
}

#[test]
fn a_document_in_many_pieces_does_not_delay_a_small_one() {
    let mut pair = Pair::new();
    large_in_pieces(&mut pair);
    for side in &mut pair.sides {
        side.open(DOC);
        side.open(OTHER);
    }
    while pair.sides[1].replicas.get(&DOC).is_none_or(SetReplica::is_empty) {
        for from in 0..2 {
            if let Some(frame) = pair.sides[from].session.poll_frame() {
                pair.sides[1 - from].receive(&frame, NOW);
            }
        }
    }
    let mut most = 0;
    for element in 0..5 {
        pair.sides[0].edit(OTHER, element, 10);
        let mut frames = 0;
        while !pair.sides[1].replicas.get(&OTHER).is_some_and(|r| r.contains(element)) {
            let frame = pair.sides[0].session.poll_frame().unwrap();
            pair.sides[1].receive(&frame, NOW);
            frames += 1;
        }
        most = most.max(frames);
    }
    assert!(most <= 3, "each keystroke waited for {most} frames");
    assert!(!pair.sides[1].events.contains(&Event::Synced { doc: DOC }), "still coming");
    pair.settle();
    pair.assert_equal(DOC);
    pair.assert_equal(OTHER);
}

#[test]
fn an_answer_that_is_too_large_or_of_no_piece_ends_the_channel() {
    let too_large = vec![Bytes::from(vec![0; MAX_MESSAGE / 2]); 3];
    let too_many = vec![Bytes::new(); crate::limits::MAX_PIECES + 1];
    for (pieces, code) in [
        (too_large, CloseCode::TooLarge),
        (too_many, CloseCode::TooLarge),
        (Vec::new(), CloseCode::Done),
    ] {
        let mut pair = Pair::synced();
        pair.sides[0].hold = true;
        pair.sides[0].receive_raw(kind::SUMMARY, false, 1, &[0, 0]);
        let (id, ..) = pair.sides[0].held.remove(0);
        let result = ReplicaResult::Pieces(pieces);
        let outputs = pair.sides[0].session.handle(Input::Replica { id, result }, NOW);
        pair.sides[0].perform(outputs, NOW);
        pair.settle();
        assert_eq!(pair.sides[1].take_events(), [Event::Closed { doc: DOC, code }]);
    }
    // So is a part that has nothing in it, which would be asked for again and again.
    let mut pair = Pair::synced();
    pair.sides[0].hold = true;
    pair.sides[0].receive_raw(kind::SUMMARY, false, 1, &[0, 0]);
    let (id, ..) = pair.sides[0].held.remove(0);
    let result = ReplicaResult::Part(Vec::new());
    let outputs = pair.sides[0].session.handle(Input::Replica { id, result }, NOW);
    pair.sides[0].perform(outputs, NOW);
    pair.settle();
    let closed = Event::Closed { doc: DOC, code: CloseCode::Done };
    assert_eq!(pair.sides[1].take_events(), [closed]);
}

/// The numbered changes that side 0 was told to have reached the other.
fn reached(pair: &mut Pair, level: AckLevel) -> Vec<u64> {
    let events = pair.sides[0].take_events();
    let of_level = events.into_iter().filter_map(|event| match event {
        Event::Reached { change, level: found, .. } if found == level => Some(change),
        _ => None,
    });
    of_level.collect()
}

#[test]
fn numbered_changes_are_reported_when_they_are_applied_and_when_they_are_stored() {
    let mut pair = Pair::new();
    let insert = |pair: &mut Pair, change: u64| {
        pair.sides[0].replicas.entry(DOC).or_default().insert(change, 10)
    };
    // Two before anybody is there, one of them before the document was open.
    let _ = insert(&mut pair, 1);
    pair.sides[0].open(DOC);
    pair.sides[0].session.note_change(DOC, 1);
    let update = insert(&mut pair, 2);
    assert_eq!(pair.sides[0].session.local_change(DOC, 2, update), None);
    pair.sides[1].open(DOC);
    pair.settle();
    assert_eq!(reached(&mut pair, AckLevel::Applied), [2]);
    let update = insert(&mut pair, 3);
    assert!(pair.sides[0].session.local_change(DOC, 3, update).is_some());
    pair.settle();
    assert_eq!(reached(&mut pair, AckLevel::Applied), [3]);
    pair.sides[1].session.stored(DOC);
    pair.settle();
    assert_eq!(reached(&mut pair, AckLevel::Stored), [3]);
}

#[test]
fn a_change_that_went_by_gossip_is_reported_after_the_next_exchange_of_summaries() {
    let mut pair = Pair::synced();
    let gossiped = pair.sides[0].replicas.entry(DOC).or_default().insert(1, 10);
    pair.sides[0].session.note_change(DOC, 1);
    let op = ReplicaOp::Apply { payload: gossiped };
    let _ = pair.sides[1].replicas.entry(DOC).or_default().handle(op);
    let update = pair.sides[0].replicas.entry(DOC).or_default().insert(2, 10);
    pair.sides[0].session.local_change(DOC, 2, update);
    pair.settle();
    assert_eq!(reached(&mut pair, AckLevel::Applied), [], "the first may not be there");
    let outputs = pair.sides[1].session.resummarize(DOC);
    pair.sides[1].perform(outputs, NOW);
    pair.settle();
    assert_eq!(reached(&mut pair, AckLevel::Applied), [2]);
}

/// How many bytes of updates side 0 sends until nothing moves; frames to it arrive at once.
fn sent_until_quiet(pair: &mut Pair) -> usize {
    let mut sent = 0;
    loop {
        let mut moved = false;
        while let Some(frame) = pair.sides[1].session.poll_frame() {
            pair.sides[0].receive(&frame, pair.now);
            moved = true;
        }
        while let Some(frame) = pair.sides[0].session.poll_frame() {
            sent += frame.len();
            pair.sides[1].receive(&frame, pair.now);
            moved = true;
        }
        if !moved {
            return sent;
        }
    }
}

#[test]
fn a_summary_that_crosses_gossip_is_not_answered_with_what_gossip_brings() {
    let mut pair = Pair::synced();
    let gossiped = pair.sides[0].replicas.entry(DOC).or_default().insert(1, 10_000);
    pair.sides[0].session.hold_answers(DOC, NOW + Duration::from_secs(1));
    // The peer's summary is from before.
    let outputs = pair.sides[1].session.resummarize(DOC);
    pair.sides[1].perform(outputs, NOW);
    assert!(sent_until_quiet(&mut pair) < 1_000);
    let op = ReplicaOp::Apply { payload: gossiped };
    let _ = pair.sides[1].replicas.entry(DOC).or_default().handle(op);
    pair.now = pair.sides[0].session.poll_timeout().unwrap();
    assert_eq!(pair.now, NOW + Duration::from_secs(1));
    let outputs = pair.sides[0].session.handle(Input::Timeout, pair.now);
    pair.sides[0].perform(outputs, pair.now);
    assert!(sent_until_quiet(&mut pair) < 1_000);
    assert_eq!(pair.sides[0].session.poll_timeout(), None);
    pair.assert_equal(DOC);
}

#[test]
fn what_gossip_has_lost_is_sent_when_it_has_had_its_time() {
    let mut pair = Pair::synced();
    let _ = pair.sides[0].replicas.entry(DOC).or_default().insert(1, 10_000);
    pair.sides[0].session.hold_answers(DOC, NOW + Duration::from_secs(1));
    let outputs = pair.sides[1].session.resummarize(DOC);
    pair.sides[1].perform(outputs, NOW);
    pair.settle();
    assert_eq!(pair.now, NOW + Duration::from_secs(1));
    pair.assert_equal(DOC);
}

#[test]
fn somebody_who_never_stops_typing_answers_all_the_same() {
    let mut pair = Pair::synced();
    let _ = pair.sides[0].replicas.entry(DOC).or_default().insert(1, 10_000);
    let outputs = pair.sides[1].session.resummarize(DOC);
    pair.sides[1].perform(outputs, NOW);
    let mut waited = Duration::ZERO;
    while !pair.sides[1].replicas[&DOC].contains(1) {
        let until = pair.now + Duration::from_secs(1);
        pair.sides[0].session.hold_answers(DOC, until);
        sent_until_quiet(&mut pair);
        pair.now = pair.now + Duration::from_millis(300);
        waited += Duration::from_millis(300);
        let outputs = pair.sides[0].session.handle(Input::Timeout, pair.now);
        pair.sides[0].perform(outputs, pair.now);
        sent_until_quiet(&mut pair);
        assert!(waited <= crate::limits::MAX_HOLD + Duration::from_secs(1));
    }
    assert!(waited >= crate::limits::MAX_HOLD, "nobody was held: {waited:?}");
}

#[test]
fn a_newcomer_is_not_held() {
    let mut pair = Pair::new();
    pair.sides[0].edit(DOC, 1, 10);
    for side in &mut pair.sides {
        side.open(DOC);
    }
    pair.sides[0].session.hold_answers(DOC, NOW + Duration::from_secs(1));
    sent_until_quiet(&mut pair);
    pair.assert_equal(DOC);
}
