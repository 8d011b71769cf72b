//! Closing and opening again.

use super::*;

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
