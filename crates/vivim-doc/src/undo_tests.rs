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
    let scope = doc.undo_scope(std::slice::from_ref(&text), TIMEOUT).unwrap();
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
    let scope = doc.undo_scope(std::slice::from_ref(&text), TIMEOUT).unwrap();
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
    let scope = one.undo_scope(std::slice::from_ref(&text), TIMEOUT).unwrap();
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
    let scope = doc.undo_scope(std::slice::from_ref(&map), Duration::ZERO).unwrap();
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
    let scope = doc.undo_scope(std::slice::from_ref(&map), TIMEOUT).unwrap();
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
    let only = one.undo_scope(std::slice::from_ref(&inner), TIMEOUT).unwrap();
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
    let scope = doc.undo_scope(std::slice::from_ref(&text), Duration::ZERO).unwrap();
    for _ in 0..=MAX_UNDO_STEPS {
        doc.text_insert_at(&text, 0, "ab").unwrap();
        doc.text_delete_at(&text, 0, 1).unwrap();
        assert!(doc.undo_depth(scope).0 <= MAX_UNDO_STEPS);
    }
    assert!(doc.undo(scope));
    for _ in 1..MAX_UNDO_SCOPES {
        doc.undo_scope(std::slice::from_ref(&text), TIMEOUT).unwrap();
    }
    let refused = doc.undo_scope(&[text], TIMEOUT);
    assert_eq!(refused, Err(EditError::TooMany(MAX_UNDO_SCOPES)));
    assert!(doc.undo_scope(&[], TIMEOUT).is_err());
}

/// Undo in the midst of what others do; the engine has pointers to lose here.
#[test]
fn undo_and_redo_at_any_time_leave_replicas_equal() {
    use rand::{Rng, SeedableRng};
    for seed in 0..2_000 {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut docs = [doc(1), doc(2)];
        let mut scopes: Vec<Vec<UndoScope>> = Vec::new();
        for doc in &mut docs {
            let map = doc.root(Kind::Map, "m").unwrap();
            let text = doc.root(Kind::Text, "t").unwrap();
            let timeout = Duration::from_millis(rng.random_range(0..3));
            scopes.push(vec![
                doc.undo_scope(&[map.clone(), text.clone()], timeout).unwrap(),
                doc.undo_scope(&[map], timeout).unwrap(),
            ]);
        }
        let mut now = 0;
        for _ in 0..150 {
            now += rng.random_range(0..3);
            let at = rng.random_range(0..2);
            let scope = scopes[at][rng.random_range(0..scopes[at].len())];
            let doc = &mut docs[at];
            doc.set_time(self::at(now));
            let map = TypeId::root("m");
            let key = ["a", "b"][rng.random_range(0..2)];
            let text = match doc.entry_get(&map, key).unwrap() {
                Some(Entry::Type(Kind::Text, inner)) if rng.random_bool(0.7) => inner,
                _ => TypeId::root("t"),
            };
            let len = doc.text_len_of(&text).unwrap();
            match rng.random_range(0..12) {
                0 | 1 => drop(doc.undo(scope)),
                2 => drop(doc.redo(scope)),
                3 => drop(doc.entry_set_type(&map, key, Kind::Text).unwrap()),
                4 => drop(doc.entry_delete(&map, key).unwrap()),
                5 | 6 => {
                    let from = rng.random_range(0..=len);
                    let count = rng.random_range(0..=(len - from).min(4));
                    doc.text_delete_at(&text, from, count).unwrap();
                }
                7 => {
                    // A history of something that may go away.
                    if text.root_name().is_none() && scopes[at].len() < 8 {
                        let made = doc.undo_scope(&[text], TIMEOUT).unwrap();
                        scopes[at].push(made);
                    }
                }
                8 => {
                    let (one, two) = docs.split_at_mut(1);
                    if rng.random_bool(0.5) {
                        sync(&mut one[0], &mut two[0]);
                    } else {
                        sync(&mut two[0], &mut one[0]);
                    }
                }
                _ => doc.text_insert_at(&text, rng.random_range(0..=len), "a👋b").unwrap(),
            }
        }
        let (one, two) = docs.split_at_mut(1);
        sync(&mut one[0], &mut two[0]);
        sync(&mut two[0], &mut one[0]);
        assert_eq!(one[0].to_value(), two[0].to_value(), "seed {seed}");
        assert_eq!(one[0].encode_state_vector(), two[0].encode_state_vector(), "seed {seed}");
    }
}
