use super::*;
use crate::ClientId;

fn doc(client: u64) -> Doc {
    Doc::new(ClientId::from_random(client))
}

fn attributes(pairs: &[(&str, Value)]) -> Attributes {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

fn insert(text: &str, pairs: &[(&str, Value)]) -> TextOp {
    TextOp::Insert(Entry::Value(Value::String(text.to_owned())), attributes(pairs))
}

const BOLD: &[(&str, Value)] = &[("bold", Value::Bool(true))];

#[test]
fn text_is_formatted_and_read_as_a_delta() {
    let mut doc = doc(1);
    let text = doc.root(Kind::Text, "t").unwrap();
    doc.text_insert_at(&text, 0, "hello world").unwrap();
    doc.text_format(&text, 0, 5, &attributes(BOLD)).unwrap();
    doc.text_insert_with(&text, 11, "!", &attributes(BOLD)).unwrap();
    let image = Value::Map([("image".to_owned(), Value::String("a.png".to_owned()))].into());
    doc.text_insert_embed(&text, 5, &image, &Attributes::new()).unwrap();
    let expected = [
        insert("hello", BOLD),
        TextOp::Insert(Entry::Value(image), Attributes::new()),
        insert(" world", &[]),
        insert("!", BOLD),
    ];
    assert_eq!(doc.text_delta(&text).unwrap(), expected);
    assert_eq!(doc.text_len_of(&text).unwrap(), 13);
    assert_eq!(doc.text_string(&text).unwrap(), "hello world!");
    doc.text_format(&text, 0, 13, &attributes(&[("bold", Value::Null)])).unwrap();
    doc.text_delete_at(&text, 5, 1).unwrap();
    assert_eq!(doc.text_delta(&text).unwrap(), [insert("hello world!", &[])]);
}

#[test]
fn a_delta_is_applied_as_one_edit() {
    let mut doc = doc(1);
    let text = doc.root(Kind::Text, "t").unwrap();
    doc.text_insert_at(&text, 0, "abcdef").unwrap();
    doc.take_updates();
    let ops = [
        TextOp::Retain(1, attributes(BOLD)),
        TextOp::Delete(2),
        insert("XY", BOLD),
        insert("", &[]),
        TextOp::Retain(1, Attributes::new()),
        TextOp::Insert(Entry::Value(Value::Number(7.0)), Attributes::new()),
    ];
    doc.text_apply_delta(&text, &ops).unwrap();
    assert_eq!(doc.text_string(&text).unwrap(), "aXYdef");
    assert_eq!(doc.take_updates().len(), 1);
    let too_far = [TextOp::Retain(3, Attributes::new()), TextOp::Delete(5)];
    let error = EditError::OutOfBounds { position: 8, len: 7 };
    assert_eq!(doc.text_apply_delta(&text, &too_far), Err(error));
    assert!(doc.take_updates().is_empty());
}

#[test]
fn a_shared_type_in_a_text_is_one_unit() {
    let mut doc = doc(1);
    let text = doc.root(Kind::Text, "t").unwrap();
    doc.text_insert_at(&text, 0, "ab").unwrap();
    let inner = doc.text_insert_type(&text, 1, Kind::Map).unwrap();
    doc.entry_set(&inner, "k", &Value::Bool(true)).unwrap();
    let expected = [
        insert("a", &[]),
        TextOp::Insert(Entry::Type(Kind::Map, inner.clone()), [].into()),
        insert("b", &[]),
    ];
    assert_eq!(doc.text_delta(&text).unwrap(), expected);
    assert_eq!(doc.path(&inner), [crate::PathPart::Key("t".into()), crate::PathPart::Index(1)]);
    doc.text_delete_at(&text, 0, 2).unwrap();
    assert!(!doc.exists(&inner));
}

#[test]
fn positions_in_the_middle_of_a_surrogate_pair_are_no_trouble() {
    let mut doc = doc(1);
    let text = doc.root(Kind::Text, "t").unwrap();
    doc.text_insert_at(&text, 0, "a👋b👋c").unwrap();
    doc.text_format(&text, 2, 3, &attributes(BOLD)).unwrap();
    doc.text_delete_at(&text, 2, 1).unwrap();
    doc.text_insert_at(&text, 2, "|").unwrap();
    let len = doc.text_len_of(&text).unwrap();
    assert_eq!(doc.text_string(&text).unwrap().encode_utf16().count() as u32, len);
    let mut other = self::doc(2);
    other.apply_update(&doc.encode_state_as_update(None).unwrap()).unwrap();
    assert_eq!(other.text("t").unwrap(), doc.text("t").unwrap());
}

#[test]
fn whatever_a_value_is_it_can_be_embedded_and_be_a_format() {
    let (mut doc, mut other) = (doc(1), doc(2));
    let text = doc.root(Kind::Text, "t").unwrap();
    let nested = (0..crate::limits::MAX_NESTING).fold(Value::Null, |v, _| Value::Array(vec![v]));
    let values = [
        Value::Number(f64::NAN),
        Value::Number(f64::INFINITY),
        Value::Number(-0.0),
        Value::Number(1e300),
        Value::BigInt(i64::MIN),
        Value::Bytes(vec![0, 255]),
        Value::Undefined,
        Value::String("\u{0}\u{7f}\"\\👋\u{2028}".to_owned()),
        Value::Map([(String::new(), Value::Bool(false))].into()),
        nested,
    ];
    for value in values {
        let attributes = attributes(&[("k", value.clone())]);
        doc.text_insert_embed(&text, 0, &value, &attributes).unwrap();
        doc.text_insert_with(&text, 0, "x", &attributes).unwrap();
        doc.text_format(&text, 0, 1, &attributes).unwrap();
        doc.map_set("m", "k", &value).unwrap();
        let list = doc.root(Kind::Array, "l").unwrap();
        doc.array_push(&list, &[value]).unwrap();
    }
    doc.text_insert_at(&text, 0, "still writable").unwrap();
    for update in doc.take_updates() {
        other.apply_update(&update.payload).unwrap();
    }
    assert_eq!(other.text("t").unwrap(), doc.text("t").unwrap());
    assert_eq!(other.snapshot(), doc.snapshot());
}
