use super::*;
use crate::{ClientId, Entry, Kind, Value};

fn doc(client: u64) -> Doc {
    Doc::new(ClientId::from_random(client))
}

fn sync(from: &mut Doc, to: &mut Doc) {
    let vector = to.encode_state_vector();
    to.apply_update(&from.encode_state_as_update(Some(&vector)).unwrap()).unwrap();
}

const TIMEOUT: Duration = Duration::from_millis(500);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn edits_that_are_close_are_one_step_and_others_are_not() {
    let mut doc = doc(1);
    let text = doc.root(Kind::Text, "t").unwrap();
    let scope = doc.undo_scope(&[text.clone()], TIMEOUT).unwrap();
    for (time, letter) in [(0, "a"), (499, "b"), (998, "c"), (2000, "d"), (2600, "e")] {
        doc.set_time(at(time));
        let len = doc.text_len_of(&text).unwrap();
        doc.text_insert_at(&text, len, letter).unwrap();
    }
    assert_eq!(doc.undo_depth(scope), (3, 0));
    for expected in ["abcd", "abc", ""] {
        assert!(doc.undo(scope));
        assert_eq!(doc.text_string(&text).unwrap(), expected);
    }
    assert!(!doc.undo(scope));
    for expected in ["abc", "abcd", "abcde"] {
        assert!(doc.redo(scope));
        assert_eq!(doc.text_string(&text).unwrap(), expected);
    }
    assert!(!doc.can_redo(scope));
}

#[test]
fn a_step_can_be_ended_by_hand_and_history_forgotten() {
    let mut doc = doc(1);
    let text = doc.root(Kind::Text, "t").unwrap();
    let scope = doc.undo_scope(&[text.clone()], TIMEOUT).unwrap();
    doc.text_insert_at(&text, 0, "a").unwrap();
    doc.undo_stop_capturing(scope);
    doc.text_insert_at(&text, 1, "b").unwrap();
    assert_eq!(doc.undo_depth(scope), (2, 0));
    doc.undo(scope);
    doc.text_insert_at(&text, 1, "c").unwrap();
    assert!(!doc.can_redo(scope), "an edit ends what can be done again");
    doc.undo_clear(scope);
    assert!(!doc.can_undo(scope));
    doc.undo_end(scope);
    doc.text_insert_at(&text, 0, "x").unwrap();
    assert!(!doc.undo(scope));
}

#[test]
fn what_others_wrote_is_never_undone_and_undo_is_sent_to_them() {
    let (mut one, mut two) = (doc(1), doc(2));
    let text = one.root(Kind::Text, "t").unwrap();
    let scope = one.undo_scope(&[text.clone()], TIMEOUT).unwrap();
    one.text_insert_at(&text, 0, "mine").unwrap();
    sync(&mut one, &mut two);
    two.text_insert("t", 2, "-theirs-").unwrap();
    sync(&mut two, &mut one);
    one.take_updates();
    assert!(one.undo(scope));
    assert_eq!(one.text_string(&text).unwrap(), "-theirs-");
    let updates = one.take_updates();
    assert_eq!(updates.len(), 1);
    two.apply_update(&updates[0].payload).unwrap();
    assert_eq!(two.text("t").unwrap(), "-theirs-");
    one.redo(scope);
    for update in one.take_updates() {
        two.apply_update(&update.payload).unwrap();
    }
    assert_eq!(two.text("t").unwrap(), one.text_string(&text).unwrap());
    assert_eq!(two.text("t").unwrap(), "mi-theirs-ne");
}

#[test]
fn a_change_is_one_step_even_without_a_timeout() {
    let mut doc = doc(1);
    let map = doc.root(Kind::Map, "m").unwrap();
    let scope = doc.undo_scope(&[map.clone()], Duration::ZERO).unwrap();
    doc.entry_set(&map, "a", &Value::Number(1.0)).unwrap();
    doc.begin_change();
    doc.entry_set(&map, "a", &Value::Number(2.0)).unwrap();
    doc.set_time(at(10_000));
    doc.entry_set(&map, "b", &Value::Number(3.0)).unwrap();
    doc.end_change();
    doc.entry_set(&map, "a", &Value::Number(4.0)).unwrap();
    assert_eq!(doc.undo_depth(scope), (3, 0));
    doc.undo(scope);
    doc.undo(scope);
    assert_eq!(doc.type_value(&map).unwrap().to_json(), r#"{"a":1}"#);
}

#[test]
fn a_deleted_type_comes_back_with_what_was_in_it_under_another_name() {
    let mut doc = doc(1);
    let map = doc.root(Kind::Map, "m").unwrap();
    let inner = doc.entry_set_type(&map, "k", Kind::Map).unwrap();
    doc.entry_set(&inner, "x", &Value::Bool(true)).unwrap();
    let scope = doc.undo_scope(&[map.clone()], TIMEOUT).unwrap();
    doc.entry_delete(&map, "k").unwrap();
    assert!(doc.undo(scope));
    assert_eq!(doc.type_value(&map).unwrap().to_json(), r#"{"k":{"x":true}}"#);
    let Some(Entry::Type(Kind::Map, again)) = doc.entry_get(&map, "k").unwrap() else { panic!() };
    assert!(again != inner && !doc.exists(&inner));
}

#[test]
fn a_scope_lets_go_of_a_type_that_others_delete() {
    let (mut one, mut two) = (doc(1), doc(2));
    let map = one.root(Kind::Map, "m").unwrap();
    let inner = one.entry_set_type(&map, "k", Kind::Text).unwrap();
    let both = one.undo_scope(&[map.clone(), inner.clone()], TIMEOUT).unwrap();
    let only = one.undo_scope(&[inner.clone()], TIMEOUT).unwrap();
    one.text_insert_at(&inner, 0, "x").unwrap();
    one.undo_stop_capturing(both);
    one.entry_set(&map, "a", &Value::Null).unwrap();
    sync(&mut one, &mut two);
    two.map_delete("m", "k").unwrap();
    sync(&mut two, &mut one);
    // Whatever takes the place of the deleted type in memory is none of the scope's business.
    for at in 0..100 {
        let other = one.root(Kind::Map, "other").unwrap();
        one.entry_set_type(&other, &at.to_string(), Kind::Text).unwrap();
    }
    assert!(!one.undo(only));
    assert!(one.undo(both));
    assert_eq!(one.type_value(&map).unwrap().to_json(), "{}");
}

#[test]
fn steps_and_scopes_are_bounded() {
    let mut doc = doc(1);
    let text = doc.root(Kind::Text, "t").unwrap();
    let scope = doc.undo_scope(&[text.clone()], Duration::ZERO).unwrap();
    for _ in 0..=MAX_UNDO_STEPS {
        doc.text_insert_at(&text, 0, "ab").unwrap();
        doc.text_delete_at(&text, 0, 1).unwrap();
        assert!(doc.undo_depth(scope).0 <= MAX_UNDO_STEPS);
    }
    assert!(doc.undo(scope));
    for _ in 1..MAX_UNDO_SCOPES {
        doc.undo_scope(&[text.clone()], TIMEOUT).unwrap();
    }
    let refused = doc.undo_scope(&[text], TIMEOUT);
    assert_eq!(refused, Err(EditError::TooMany(MAX_UNDO_SCOPES)));
    assert!(doc.undo_scope(&[], TIMEOUT).is_err());
}
