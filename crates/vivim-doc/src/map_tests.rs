use crate::{ClientId, Doc, EditError, Entry, Kind, TypeId, Value};

fn doc(client: u64) -> Doc {
    Doc::new(ClientId::from_random(client))
}

fn sync(from: &mut Doc, to: &mut Doc) {
    let vector = to.encode_state_vector();
    let diff = from.encode_state_as_update(Some(&vector)).unwrap();
    to.apply_update(&diff).unwrap();
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

#[test]
fn entries_are_set_read_and_deleted() {
    let mut doc = doc(1);
    let map = doc.root(Kind::Map, "m").unwrap();
    doc.entry_set(&map, "b", &text("x")).unwrap();
    doc.entry_set(&map, "a", &Value::Null).unwrap();
    doc.entry_set(&map, "b", &text("y")).unwrap();
    assert_eq!(doc.entry_keys(&map).unwrap(), ["a", "b"]);
    assert_eq!(doc.entry_count(&map).unwrap(), 2);
    assert_eq!(doc.entry_get(&map, "b").unwrap(), Some(Entry::Value(text("y"))));
    assert!(doc.entry_has(&map, "a").unwrap());
    assert!(doc.entry_delete(&map, "a").unwrap());
    assert!(!doc.entry_delete(&map, "a").unwrap());
    assert!(!doc.entry_has(&map, "a").unwrap());
    doc.entries_clear(&map).unwrap();
    assert_eq!(doc.entries(&map).unwrap(), []);
}

#[test]
fn nested_types_have_the_same_name_everywhere() {
    let (mut one, mut two) = (doc(1), doc(2));
    let root = one.root(Kind::Map, "m").unwrap();
    let inner = one.entry_set_type(&root, "inner", Kind::Map).unwrap();
    let list = one.entry_set_type(&inner, "list", Kind::Array).unwrap();
    let body = one.array_push_type(&list, Kind::Text).unwrap();
    one.text_insert_at(&body, 0, "deep").unwrap();
    sync(&mut one, &mut two);
    two.text_insert_at(&body, 4, "er").unwrap();
    sync(&mut two, &mut one);
    assert_eq!(one.text_string(&body).unwrap(), "deeper");
    two.root(Kind::Map, "m").unwrap();
    assert_eq!(two.entry_get(&root, "inner").unwrap(), Some(Entry::Type(Kind::Map, inner.clone())));
    assert_eq!(two.parent(&body).unwrap(), Some(list.clone()));
    assert_eq!(two.parent(&list).unwrap(), Some(inner.clone()));
    assert_eq!(two.parent(&inner).unwrap(), Some(root.clone()));
    assert_eq!(two.parent(&root).unwrap(), None);
    assert_eq!(one.to_value().to_json(), r#"{"m":{"inner":{"list":["deeper"]}}}"#);
    let handle: TypeId = body.to_string().parse().unwrap();
    assert_eq!(two.kind(&handle).unwrap(), Kind::Text);
}

#[test]
fn a_deleted_type_and_what_was_in_it_is_gone() {
    let (mut one, mut two) = (doc(1), doc(2));
    let root = one.root(Kind::Map, "m").unwrap();
    let outer = one.entry_set_type(&root, "k", Kind::Map).unwrap();
    let inner = one.entry_set_type(&outer, "k", Kind::Array).unwrap();
    sync(&mut one, &mut two);
    two.root(Kind::Map, "m").unwrap();
    two.entry_set(&root, "k", &Value::Null).unwrap();
    sync(&mut two, &mut one);
    for doc in [&mut one, &mut two] {
        for id in [&outer, &inner] {
            assert_eq!(doc.kind(id), Err(EditError::Gone));
            assert!(!doc.exists(id));
        }
        assert_eq!(doc.entry_set(&outer, "x", &Value::Null), Err(EditError::Gone));
        assert_eq!(doc.array_push(&inner, &[Value::Null]), Err(EditError::Gone));
        assert_eq!(doc.array_items(&inner), Err(EditError::Gone));
    }
}

#[test]
fn what_was_never_there_is_gone_too() {
    let doc = doc(1);
    for id in ["root:nobody", "7:3"] {
        assert_eq!(doc.entry_get(&id.parse().unwrap(), "k"), Err(EditError::Gone));
    }
}

#[test]
fn an_operation_of_another_kind_is_refused() {
    let mut doc = doc(1);
    let root = doc.root(Kind::Map, "m").unwrap();
    let list = doc.entry_set_type(&root, "l", Kind::Array).unwrap();
    assert_eq!(doc.entry_set(&list, "k", &Value::Null), Err(EditError::WrongKind));
    assert_eq!(doc.array_push(&root, &[]), Err(EditError::WrongKind));
    assert_eq!(doc.text_string(&list), Err(EditError::WrongKind));
    assert_eq!(doc.entry_set_type(&root, "x", Kind::XmlElement), Err(EditError::WrongKind));
    assert_eq!(doc.root(Kind::XmlElement, "e"), Err(EditError::WrongKind));
}

#[test]
fn types_are_nested_up_to_the_limit_and_no_deeper() {
    let mut doc = doc(1);
    let mut at = doc.root(Kind::Map, "m").unwrap();
    let mut depth = 0;
    let refused = loop {
        match doc.entry_set_type(&at, "k", Kind::Map) {
            Ok(inner) => at = inner,
            Err(error) => break error,
        }
        depth += 1;
    };
    assert_eq!(refused, EditError::TooDeep);
    assert_eq!(depth, crate::limits::MAX_DOCUMENT_NESTING + 1);
    assert_eq!(doc.entry_set(&at, "k", &Value::Null), Err(EditError::TooDeep));
    let mut other = self::doc(2);
    sync(&mut doc, &mut other);
    assert_eq!(other.to_value(), doc.to_value());
}

#[test]
fn a_value_that_others_would_not_take_is_not_written() {
    let mut doc = doc(1);
    let map = doc.root(Kind::Map, "m").unwrap();
    let key = "k".repeat(crate::limits::MAX_NAME + 1);
    let keyed = Value::Map([(key.clone(), Value::Null)].into());
    assert_eq!(doc.entry_set(&map, "k", &keyed), Err(EditError::NameTooLong(key.len())));
    let large = Value::String("x".repeat(crate::limits::MAX_UPDATE / 2));
    assert!(matches!(doc.entry_set(&map, "k", &large), Err(EditError::TooLarge(_))));
    let many = Value::Array(vec![Value::Null; crate::limits::MAX_VALUES]);
    assert!(matches!(doc.entry_set(&map, "k", &many), Err(EditError::TooLarge(_))));
    doc.entry_set(&map, "k", &Value::Bool(true)).unwrap();
}
