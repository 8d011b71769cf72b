use super::*;
use crate::{ClientId, Doc};

fn admit<'a>(history: &mut History, update: &'a [u8]) -> Result<Admitted<'a>, ApplyError> {
    history.admit(update, From::Others { own_client: 0 })
}

fn edits(client: u64, text: &str) -> Vec<Vec<u8>> {
    let mut doc = Doc::new(ClientId::from_random(client));
    for (at, character) in text.chars().enumerate() {
        doc.text_insert("t", at as u32, &character.to_string()).unwrap();
    }
    doc.take_updates().into_iter().map(|update| update.payload.to_vec()).collect()
}

#[test]
fn a_text_of_one_author_is_one_run() {
    let mut history = History::default();
    for update in edits(1, "hello, how are you?") {
        assert!(admit(&mut history, &update).unwrap().now.is_some());
    }
    assert_eq!(history.count_runs(), 1);
    assert_eq!(history.state(1), 19);
}

#[test]
fn what_is_admitted_whole_is_passed_on_as_it_was() {
    let update = &edits(1, "a")[0];
    let admitted = admit(&mut History::default(), update).unwrap();
    assert_eq!(admitted.now.as_deref(), Some(&update[..]));
    assert!(admitted.later.is_none());
}

#[test]
fn what_is_known_is_not_passed_on_again() {
    let mut history = History::default();
    let update = &edits(1, "a")[0];
    admit(&mut history, update).unwrap();
    let again = admit(&mut history, update).unwrap();
    assert!(again.now.is_none() && again.later.is_none());
}

#[test]
fn an_update_with_a_hole_is_split_at_the_hole() {
    let updates = edits(1, "abc");
    let mut history = History::default();
    admit(&mut history, &updates[0]).unwrap();
    let ahead = admit(&mut history, &updates[2]).unwrap();
    assert!(ahead.now.is_none());
    let waiting = ahead.later.unwrap();
    assert_eq!(waiting.missing, [Id { client: 1, clock: 1 }]);
    assert!(!history.has(waiting.missing[0]));
    admit(&mut history, &updates[1]).unwrap();
    assert!(history.has(waiting.missing[0]));
    assert!(admit(&mut history, &waiting.update).unwrap().now.is_some());
    assert_eq!(history.state(1), 3);
}

#[test]
fn a_deletion_of_something_unknown_waits_for_it() {
    let mut history = History::default();
    admit(&mut history, &edits(1, "ab")[0]).unwrap();
    // Clocks 0 to 3 of client 1, of which only 0 is here.
    let split = admit(&mut history, &[0, 1, 1, 1, 0, 4]).unwrap();
    assert_eq!(*split.now.unwrap(), [0, 1, 1, 1, 0, 1]);
    let later = split.later.unwrap();
    assert_eq!(later.update, [0, 1, 1, 1, 1, 3]);
    assert_eq!(later.missing, [Id { client: 1, clock: 1 }]);
}

#[test]
fn a_refused_update_leaves_no_trace() {
    let mut history = History::default();
    // A good block of client 1, then one that is beside two places.
    let update = [
        1, 4, 1, 0, 4, 1, 1, b'a', 1, b'a', 4, 1, 1, b'b', 1, b'b', 0xc4, 1, 0, 1, 1, 1, b'c', 0,
        1, 0,
    ];
    let error = admit(&mut history, &update).unwrap_err();
    assert!(matches!(error, ApplyError::Invalid(Invalid::Inconsistent)));
    assert_eq!(history.state(1), 0);
    assert_eq!(history.count_runs(), 0);
    assert_eq!(history.states().count(), 0);
    assert!(!history.has_text("a") && history.guess_kind("b").is_none());
}

#[test]
fn what_a_refused_update_said_of_a_type_is_not_believed() {
    let mut history = History::default();
    // Unit 0 of client 7 is a text in the list "r", which has a text in it; then follows nonsense.
    let refused = [1, 3, 7, 0, 7, 1, 1, b'r', 2, 4, 0, 7, 0, 1, b'x', 0x84, 7, 9, 1, b'y', 0];
    let error = admit(&mut history, &refused).unwrap_err();
    assert!(matches!(error, ApplyError::Invalid(Invalid::Circular)), "{error}");
    // In truth it is an array, with a number in it.
    let good = [1, 2, 7, 0, 7, 1, 1, b'r', 0, 8, 0, 7, 0, 1, 0x7d, 1, 0];
    assert_eq!(admit(&mut history, &good).unwrap().now.as_deref(), Some(&good[..]));
}

#[test]
fn two_clients_that_wait_for_each_other_in_turn_are_followed() {
    let mut one = Doc::new(ClientId::from_random(1));
    let mut two = Doc::new(ClientId::from_random(2));
    for round in 0..50 {
        one.text_insert("t", round, "x").unwrap();
        two.apply_update(&one.encode_state_as_update(None).unwrap()).unwrap();
        two.text_insert("t", round + 1, "y").unwrap();
        one.apply_update(&two.encode_state_as_update(None).unwrap()).unwrap();
    }
    let state = one.encode_state_as_update(None).unwrap();
    let mut history = History::default();
    let admitted = admit(&mut history, &state).unwrap();
    assert!(admitted.later.is_none());
    assert_eq!((history.state(1), history.state(2)), (50, 50));
}

#[test]
fn what_claims_to_be_first_and_in_the_middle_is_refused() {
    for (right, good) in [(0, true), (1, false), (2, false), (3, false), (4, true)] {
        let mut doc = Doc::new(ClientId::from_random(1));
        doc.text_insert("t", 0, "abc").unwrap();
        doc.text_insert("t", 3, "d").unwrap();
        doc.text_insert("t", 0, "e").unwrap();
        let mut history = History::default();
        admit(&mut history, &doc.encode_state_as_update(None).unwrap()).unwrap();
        let update = [1, 1, 2, 0, 0x44, 1, right, 1, b'x', 0];
        assert_eq!(admit(&mut history, &update).is_ok(), good, "{right}");
    }
}

#[test]
fn what_was_written_before_forgotten_content_is_no_contradiction() {
    let mut history = History::default();
    // Three units of client 1 that were collected, and a block of client 2 before the second.
    admit(&mut history, &[1, 1, 1, 0, 0, 3, 0]).unwrap();
    assert!(admit(&mut history, &[1, 1, 2, 0, 0x44, 1, 1, 1, b'x', 0]).is_ok());
}

#[test]
fn a_block_right_of_a_later_and_left_of_an_earlier_unit_is_taken_as_right_of_the_later() {
    // What undo writes: replicas whose items are split otherwise must put it in one place.
    let mut made = Doc::new(ClientId::from_random(1));
    made.text_insert("t", 0, "abcd").unwrap();
    let whole = made.encode_state_as_update(None).unwrap();
    // One string block of client 2, left of it unit `left` of client 1, right of it unit `right`.
    let beside = |left: u8, right: u8| vec![1, 1, 2, 0, 0xc4, 1, left, 1, right, 1, b'x', 0];
    for (left, right) in [(2, 1), (1, 1), (3, 0)] {
        let mut texts = Vec::new();
        for split in [false, true] {
            let mut doc = Doc::new(ClientId::from_random(3));
            doc.apply_update(&whole).unwrap();
            if split {
                doc.text_insert("t", 1, "-").unwrap();
                doc.text_insert("t", 3, "-").unwrap();
            }
            doc.apply_update(&beside(left, right)).unwrap();
            texts.push(doc.text("t").unwrap().replace('-', ""));
        }
        assert_eq!(texts[0], texts[1], "left {left}, right {right}");
        // Behind what was written at once with its left, as anything that comes later is.
        assert_eq!(texts[0], "abcdx");
    }
}
