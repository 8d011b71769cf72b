use crate::{ClientId, Doc, EditError, Entry, Kind, Value};

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
