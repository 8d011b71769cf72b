use crate::{ClientId, Doc, Kind, Value, limits::MAX_GROUP};

fn doc(client: u64) -> Doc {
    Doc::new(ClientId::from_random(client))
}

#[test]
fn a_change_is_one_update_and_what_is_in_it_is_read_at_once() {
    let (mut one, mut two) = (doc(1), doc(2));
    one.text_insert("t", 0, "x").unwrap();
    for update in one.take_updates() {
        two.apply_update(&update.payload).unwrap();
    }
    one.begin_change();
    one.text_insert("t", 1, "hello").unwrap();
    one.begin_change();
    one.text_delete("t", 0, 2).unwrap();
    assert_eq!(one.text("t").unwrap(), "ello");
    one.end_change();
    one.map_set("m", "k", &Value::Bool(true)).unwrap();
    let list = one.root(Kind::Array, "l").unwrap();
    let inner = one.array_push_type(&list, Kind::Map).unwrap();
    one.entry_set(&inner, "k", &Value::Null).unwrap();
    one.map_delete("m", "k").unwrap();
    assert!(one.take_updates().is_empty());
    one.end_change();
    let updates = one.take_updates();
    assert_eq!(updates.len(), 1);
    two.apply_update(&updates[0].payload).unwrap();
    assert!(!two.has_pending());
    two.root(Kind::Array, "l").unwrap();
    two.root(Kind::Map, "m").unwrap();
    two.root(Kind::Text, "t").unwrap();
    assert_eq!(two.to_value(), one.to_value());
    assert_eq!(two.snapshot(), one.snapshot());
}

#[test]
fn an_update_that_comes_in_the_middle_of_a_change_is_taken_in() {
    let (mut one, mut two) = (doc(1), doc(2));
    two.text_insert("t", 0, "two").unwrap();
    one.begin_change();
    one.text_insert("t", 0, "one").unwrap();
    one.apply_update(&two.encode_state_as_update(None).unwrap()).unwrap();
    let len = one.text_len("t").unwrap();
    one.text_insert("t", len, "!").unwrap();
    one.end_change();
    let updates = one.take_updates();
    assert_eq!(updates.len(), 2);
    for update in updates {
        two.apply_update(&update.payload).unwrap();
    }
    assert_eq!(two.text("t").unwrap(), one.text("t").unwrap());
}

#[test]
fn a_change_that_grows_goes_out_in_parts() {
    let mut doc = doc(1);
    doc.begin_change();
    let half = "x".repeat(MAX_GROUP / 2);
    for _ in 0..5 {
        doc.text_insert("t", 0, &half).unwrap();
    }
    assert_eq!(doc.take_updates().len(), 2);
    doc.end_change();
    assert_eq!(doc.take_updates().len(), 1);
}

#[test]
fn an_empty_change_is_no_update_and_an_end_without_a_beginning_nothing() {
    let mut doc = doc(1);
    doc.begin_change();
    doc.end_change();
    doc.end_change();
    assert!(!doc.is_changing());
    doc.text_insert("t", 0, "x").unwrap();
    assert_eq!(doc.take_updates().len(), 1);
}
