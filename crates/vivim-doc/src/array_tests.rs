use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{ChangeDelta, ChangeOrigin, ClientId, Doc, EditError, Entry, Kind, ListOp, Value};

fn doc(client: u64) -> Doc {
    Doc::new(ClientId::from_random(client))
}

fn numbers(values: impl IntoIterator<Item = u32>) -> Vec<Value> {
    values.into_iter().map(|value| Value::Number(value.into())).collect()
}

#[test]
fn items_are_inserted_read_and_deleted() {
    let mut doc = doc(1);
    let list = doc.root(Kind::Array, "l").unwrap();
    doc.array_push(&list, &numbers([1, 4])).unwrap();
    doc.array_insert(&list, 1, &numbers([2, 3])).unwrap();
    let inner = doc.array_insert_type(&list, 4, Kind::Map).unwrap();
    doc.array_insert(&list, 0, &[]).unwrap();
    assert_eq!(doc.array_len(&list).unwrap(), 5);
    assert_eq!(doc.array_get(&list, 2).unwrap(), Some(Entry::Value(Value::Number(3.0))));
    assert_eq!(doc.array_get(&list, 4).unwrap(), Some(Entry::Type(Kind::Map, inner)));
    assert_eq!(doc.array_get(&list, 5).unwrap(), None);
    doc.array_delete(&list, 1, 2).unwrap();
    assert_eq!(doc.type_value(&list).unwrap().to_json(), "[1,4,{}]");
    assert_eq!(doc.array_items(&list).unwrap().len(), 3);
}

#[test]
fn what_is_appended_is_last_whoever_inserts_and_deletes_meanwhile() {
    for seed in 0..200 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut docs = [1, 2].map(doc);
        let list = docs[0].root(Kind::Array, "l").unwrap();
        docs[1].root(Kind::Array, "l").unwrap();
        let scopes = docs.each_mut().map(|doc| {
            doc.undo_scope(std::slice::from_ref(&list), std::time::Duration::ZERO).unwrap()
        });
        for _ in 0..60 {
            let who = rng.random_range(0..2);
            let (doc, scope) = (&mut docs[who], scopes[who]);
            let mut expected = doc.array_items(&list).unwrap();
            let (len, at) = (expected.len(), rng.random_range(0..=expected.len()));
            match rng.random_range(0..12) {
                0 if at < len => doc.array_delete(&list, at as u32, 1).unwrap(),
                1 if len > 0 => doc.array_delete(&list, len as u32 - 1, 1).unwrap(),
                2 => drop(doc.array_insert_type(&list, at as u32, Kind::Text).unwrap()),
                3 => doc.array_push(&list, &numbers([1])).unwrap(),
                4 => drop(doc.undo(scope)),
                5 => drop(doc.redo(scope)),
                6 => doc.array_insert(&list, at as u32, &numbers([1])).unwrap(),
                _ => {
                    let kind =
                        [Kind::Map, Kind::Array, Kind::Text, Kind::XmlText][rng.random_range(0..4)];
                    let id = doc.array_push_type(&list, kind).unwrap();
                    assert_eq!(doc.take_updates().len(), 1, "seed {seed}");
                    expected.push(Entry::Type(kind, id));
                    assert_eq!(doc.array_items(&list).unwrap(), expected, "seed {seed}");
                }
            }
            doc.take_updates();
            if rng.random_range(0..5) == 0 {
                let [one, other] = &mut docs;
                for _ in 0..2 {
                    let missing = other.encode_state_as_update(None).unwrap();
                    other.apply_update(&one.encode_state_as_update(None).unwrap()).unwrap();
                    one.apply_update(&missing).unwrap();
                }
                let items = one.array_items(&list).unwrap();
                assert_eq!(items, other.array_items(&list).unwrap(), "seed {seed}");
                let _ = docs.each_mut().map(Doc::take_updates);
            }
        }
        while docs[0].undo(scopes[0]) {}
        let text = docs[0].type_value(&list).unwrap().to_json();
        let mut copy = doc(3);
        copy.root(Kind::Array, "l").unwrap();
        copy.apply_update(&docs[0].encode_state_as_update(None).unwrap()).unwrap();
        assert_eq!(copy.type_value(&list).unwrap().to_json(), text, "seed {seed}");
    }
}

#[test]
fn an_update_that_is_refused_after_its_first_block_is_no_item_to_append_to() {
    let mut doc = doc(1);
    let list = doc.root(Kind::Array, "l").unwrap();
    let last = doc.array_push_type(&list, Kind::Map).unwrap();
    // Of client 9: a map right of client 1's clock 0, and another one right of itself.
    let bad = [1, 2, 9, 0, 0x87, 1, 0, 1, 0x87, 9, 1, 1, 0];
    assert!(doc.apply_update(&bad).is_err());
    let next = doc.array_push_type(&list, Kind::Map).unwrap();
    let expected = [last, next].map(|id| Entry::Type(Kind::Map, id));
    assert_eq!(doc.array_items(&list).unwrap(), expected);
    // Without the one that refers to itself it is an item to append to.
    let good = [1, 1, 9, 0, 0x87, 1, 1, 1, 0];
    doc.apply_update(&good).unwrap();
    doc.array_push_type(&list, Kind::Map).unwrap();
    let authors = doc.array_items(&list).unwrap().into_iter().map(|entry| match entry {
        Entry::Type(_, id) => id.author().map(ClientId::get),
        Entry::Value(_) => None,
    });
    assert!(authors.eq([1, 1, 9, 1].map(Some)));
}

#[test]
fn an_item_that_is_appended_is_told_of_undone_and_done_again() {
    let mut doc = doc(1);
    let list = doc.root(Kind::Array, "l").unwrap();
    let scope = doc.undo_scope(std::slice::from_ref(&list), std::time::Duration::ZERO).unwrap();
    doc.observe(&list, false).unwrap();
    for len in 1..4 {
        let id = doc.array_push_type(&list, Kind::Map).unwrap();
        let [event] = &doc.take_events()[..] else { panic!("one event") };
        let mut told = vec![ListOp::Insert(vec![Entry::Type(Kind::Map, id)])];
        if len > 1 {
            told.insert(0, ListOp::Retain(len - 1));
        }
        assert_eq!(event.delta, ChangeDelta::List(told));
        assert_eq!(event.origin, ChangeOrigin::Local);
    }
    assert_eq!(doc.undo_depth(scope), (3, 0));
    assert!(doc.undo(scope) && doc.undo(scope) && doc.redo(scope));
    assert_eq!(doc.array_len(&list), Ok(2));
}

#[test]
fn places_behind_the_end_are_errors_and_change_nothing() {
    let mut doc = doc(1);
    let list = doc.root(Kind::Array, "l").unwrap();
    doc.array_push(&list, &numbers([1])).unwrap();
    doc.take_updates();
    let error = Err(EditError::OutOfBounds { position: 2, len: 1 });
    assert_eq!(doc.array_insert(&list, 2, &numbers([1])), error);
    assert_eq!(doc.array_delete(&list, 1, 1), error);
    assert_eq!(doc.array_insert_type(&list, 2, Kind::Map).map(drop), error);
    assert!(doc.take_updates().is_empty());
}

#[test]
fn text_in_the_list_of_a_root_is_an_error_to_read_as_a_list() {
    let mut doc = doc(9);
    // A root "t" whose list is a string with a surrogate pair.
    let mut update = vec![1, 1, 1, 0, 4, 1, 1, b't', 6];
    update.extend("a👋b".as_bytes());
    update.push(0);
    doc.apply_update(&update).unwrap();
    let list = doc.root(Kind::Array, "t").unwrap();
    assert_eq!(doc.array_items(&list), Err(EditError::WrongKind));
    assert_eq!(doc.array_get(&list, 2), Err(EditError::WrongKind));
    assert_eq!(doc.type_value(&list), Err(EditError::WrongKind));
    assert_eq!(doc.to_value().to_json(), "{}");
}

#[test]
fn text_in_a_nested_list_is_left_out() {
    let mut doc = doc(9);
    // An array under "k" of the root "m", and in its list a string.
    let mut update = vec![1, 2, 1, 0, 0x27, 1, 1, b'm', 1, b'k', 0, 4, 0, 1, 0, 6];
    update.extend("a👋b".as_bytes());
    update.push(0);
    doc.apply_update(&update).unwrap();
    doc.root(Kind::Map, "m").unwrap();
    assert_eq!(doc.to_value().to_json(), r#"{"m":{"k":[]}}"#);
}
