use super::*;

fn awareness(id: u64) -> Awareness {
    Awareness::new(ClientId::from_random(id))
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn changes(awareness: &mut Awareness) -> Vec<(u64, Change)> {
    awareness.take_changes().into_iter().map(|(id, change)| (id.get(), change)).collect()
}

fn entry(id: u64, clock: u64, state: &str) -> Vec<u8> {
    let mut out = vec![1];
    put_uvarint(&mut out, id);
    put_uvarint(&mut out, clock);
    put_bytes(&mut out, state.as_bytes());
    out
}

#[test]
fn a_state_is_announced_read_and_taken_away() {
    let (mut ann, mut bob) = (awareness(1), awareness(2));
    ann.set_local_state(Some(r#"{"name":"Ann"}"#), at(0)).unwrap();
    bob.apply_update(&ann.take_announcement().unwrap(), at(0)).unwrap();
    assert_eq!(ann.take_announcement(), None);
    assert_eq!(changes(&mut bob), [(1, Change::Added)]);
    assert_eq!(bob.states().next().unwrap().1, r#"{"name":"Ann"}"#);

    ann.set_local_state(None, at(1)).unwrap();
    bob.apply_update(&ann.take_announcement().unwrap(), at(1)).unwrap();
    assert_eq!(changes(&mut bob), [(1, Change::Removed)]);
    assert_eq!(bob.states().count(), 0);
}

#[test]
fn an_older_state_does_not_replace_a_newer_one() {
    let mut bob = awareness(2);
    bob.apply_update(&entry(1, 5, r#""new""#), at(0)).unwrap();
    bob.apply_update(&entry(1, 4, r#""old""#), at(0)).unwrap();
    bob.apply_update(&entry(1, 5, r#""same clock""#), at(0)).unwrap();
    assert_eq!(bob.states().next().unwrap().1, r#""new""#);
    bob.apply_update(&entry(1, 5, "null"), at(0)).unwrap();
    assert_eq!(bob.states().count(), 0);
    bob.apply_update(&entry(1, 5, r#""risen""#), at(0)).unwrap();
    assert_eq!(bob.states().count(), 0);
}

#[test]
fn nobody_else_ends_or_sets_the_own_state() {
    let mut ann = awareness(1);
    ann.set_local_state(Some("1"), at(0)).unwrap();
    ann.take_announcement();
    for hostile in [entry(1, 7, "null"), entry(1, 9, r#""another""#)] {
        ann.apply_update(&hostile, at(1)).unwrap();
        assert_eq!(ann.local_state(), Some("1"));
        let mut bob = awareness(2);
        bob.apply_update(&hostile, at(1)).unwrap();
        bob.apply_update(&ann.take_announcement().unwrap(), at(1)).unwrap();
        assert_eq!(bob.states().next().unwrap().1, "1");
    }
}

#[test]
fn nobody_else_drives_the_own_clock_beyond_what_others_read() {
    let mut ann = awareness(1);
    ann.set_local_state(Some("1"), at(0)).unwrap();
    ann.apply_update(&entry(1, u32::MAX.into(), "null"), at(0)).unwrap();
    ann.handle_timeout(at(15));
    for state in ["2", "3"] {
        ann.set_local_state(Some(state), at(16)).unwrap();
        let mut bob = awareness(2);
        bob.apply_update(&ann.encode_all().unwrap(), at(16)).unwrap();
        assert_eq!(bob.states().next().unwrap().1, state);
    }
}

#[test]
fn who_is_silent_for_thirty_seconds_is_gone_and_who_renews_is_not() {
    let (mut ann, mut bob) = (awareness(1), awareness(2));
    ann.set_local_state(Some("1"), at(0)).unwrap();
    bob.apply_update(&ann.take_announcement().unwrap(), at(0)).unwrap();
    assert_eq!(ann.poll_timeout(), Some(at(15)));
    assert_eq!(bob.poll_timeout(), Some(at(30)));

    ann.handle_timeout(at(15));
    bob.apply_update(&ann.take_announcement().unwrap(), at(15)).unwrap();
    bob.handle_timeout(at(44));
    assert_eq!(bob.states().count(), 1);
    bob.handle_timeout(at(45));
    assert_eq!(bob.states().count(), 0);
    assert_eq!(changes(&mut bob), [], "added and removed between two looks");
    bob.handle_timeout(at(80));
    assert_eq!(bob.poll_timeout(), None, "and then forgotten");
}

#[test]
fn a_state_that_is_not_json_or_too_large_is_refused() {
    let mut ann = awareness(1);
    assert_eq!(ann.set_local_state(Some("{"), at(0)), Err(StateError::NotJson));
    let large = format!("\"{}\"", "x".repeat(MAX_AWARENESS_STATE));
    let len = large.len();
    assert_eq!(ann.set_local_state(Some(&large), at(0)), Err(StateError::TooLarge(len)));
    assert_eq!(ann.apply_update(&entry(2, 1, "{"), at(0)), Err(Invalid::BadJson));
    assert_eq!(ann.apply_update(&entry(2, 1, &large), at(0)), Err(Invalid::TooLarge(len)));
    assert_eq!(ann.take_announcement(), None);
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(ann.apply_update(&entry(2, 1, &deep), at(0)), Err(Invalid::BadJson));
}

#[test]
fn the_clients_remembered_are_bounded() {
    let mut ann = awareness(0);
    for id in 1..=2 * MAX_AWARENESS_CLIENTS as u64 {
        ann.apply_update(&entry(id, 1, "1"), at(0)).unwrap();
    }
    assert_eq!(ann.states().count(), MAX_AWARENESS_CLIENTS);
}

#[test]
fn everybody_together_is_cut_to_what_fits_a_message() {
    let mut ann = awareness(1);
    let large = format!("\"{}\"", "x".repeat(MAX_AWARENESS_STATE - 2));
    for id in 2..10 {
        ann.apply_update(&entry(id, 1, &large), at(0)).unwrap();
    }
    ann.set_local_state(Some("\"own\""), at(0)).unwrap();
    let all = ann.encode_all().unwrap();
    assert!(all.len() <= MAX_AWARENESS);
    let mut bob = awareness(99);
    bob.apply_update(&all, at(0)).unwrap();
    assert_eq!(bob.states().next().unwrap().1, "\"own\"");
    assert_eq!(bob.states().count(), 4);
}
