//! What is typed is the same as what is written letter by letter.

use proptest::prelude::*;

use super::*;
use crate::{Attributes, ClientId, Kind, TextOp, Value};

fn open() -> (Doc, Typing, TypeId) {
    let mut doc = Doc::new(ClientId::from_random(1));
    let id = doc.root(Kind::Text, "t").unwrap();
    (doc, Typing::new(), id)
}

fn written(doc: &mut Doc, typing: &mut Typing, id: &TypeId) -> String {
    typing.settle(doc).unwrap();
    doc.text_string(id).unwrap()
}

#[test]
fn neighbouring_edits_are_one_update() {
    let (mut doc, mut typing, id) = open();
    for (index, letter) in ["h", "e", "l", "o"].into_iter().enumerate() {
        typing.insert(&mut doc, &id, index as u32, letter).unwrap();
    }
    typing.insert(&mut doc, &id, 2, "l").unwrap();
    typing.delete(&mut doc, &id, 4, 1).unwrap();
    typing.insert(&mut doc, &id, 4, "ö").unwrap();
    assert_eq!(doc.take_updates(), []);
    assert_eq!(typing.len(&doc, &id), Ok(5));
    assert!(!typing.is_empty());
    assert_eq!(written(&mut doc, &mut typing, &id), "hellö");
    assert!(typing.is_empty());
    assert_eq!(doc.take_updates().len(), 1);
}

#[test]
fn an_edit_elsewhere_writes_what_was_typed() {
    let (mut doc, mut typing, id) = open();
    typing.insert(&mut doc, &id, 0, "abcdef").unwrap();
    typing.settle(&mut doc).unwrap();
    typing.insert(&mut doc, &id, 1, "x").unwrap();
    typing.insert(&mut doc, &id, 5, "y").unwrap();
    assert_eq!(doc.text_string(&id).unwrap(), "axbcdef");
    let other = doc.root(Kind::Text, "u").unwrap();
    typing.insert(&mut doc, &other, 0, "z").unwrap();
    assert_eq!(doc.text_string(&id).unwrap(), "axbcdyef");
    assert_eq!(written(&mut doc, &mut typing, &other), "z");
}

#[test]
fn what_is_out_of_bounds_is_refused_at_once_and_loses_nothing() {
    let (mut doc, mut typing, id) = open();
    typing.insert(&mut doc, &id, 0, "ab").unwrap();
    let error = EditError::OutOfBounds { position: 3, len: 2 };
    assert_eq!(typing.insert(&mut doc, &id, 3, "x"), Err(error));
    assert_eq!(typing.delete(&mut doc, &id, 1, 2), Err(error));
    assert!(typing.delete(&mut doc, &id, u32::MAX, u32::MAX).is_err());
    let large = "x".repeat(MAX_UPDATE);
    assert_eq!(typing.insert(&mut doc, &id, 0, &large), Err(EditError::TooLarge(MAX_UPDATE)));
    let map = doc.root(Kind::Map, "m").unwrap();
    assert_eq!(typing.insert(&mut doc, &map, 0, "x"), Err(EditError::WrongKind));
    assert_eq!(written(&mut doc, &mut typing, &id), "ab");
}

#[test]
fn a_run_ends_at_its_limit() {
    let (mut doc, mut typing, id) = open();
    let part = "x".repeat(MAX_RUN / 2);
    for _ in 0..3 {
        typing.insert(&mut doc, &id, 0, &part).unwrap();
    }
    assert_eq!(doc.take_updates().len(), 1);
    assert_eq!(typing.len(&doc, &id), Ok(3 * part.len() as u32));
    assert_eq!(written(&mut doc, &mut typing, &id).len(), 3 * part.len());
}

#[test]
fn what_is_typed_behind_a_format_and_taken_back_keeps_it() {
    let (mut doc, mut typing, id) = open();
    let bold = Attributes::from([("bold".to_owned(), Value::Bool(true))]);
    doc.text_insert_with(&id, 0, "ab", &bold).unwrap();
    doc.text_insert_with(&id, 2, " plain", &Attributes::new()).unwrap();
    typing.insert(&mut doc, &id, 2, "c").unwrap();
    typing.delete(&mut doc, &id, 1, 1).unwrap();
    typing.settle(&mut doc).unwrap();
    let insert = |text: &str, attributes: &Attributes| {
        TextOp::Insert(crate::Entry::Value(Value::String(text.into())), attributes.clone())
    };
    let expected = vec![insert("ac", &bold), insert(" plain", &Attributes::new())];
    assert_eq!(doc.text_delta(&id), Ok(expected));
}

#[test]
fn a_text_that_is_gone_says_so() {
    let (mut doc, mut typing, _) = open();
    let map = doc.root(Kind::Map, "m").unwrap();
    let text = doc.entry_set_type(&map, "k", Kind::Text).unwrap();
    typing.insert(&mut doc, &text, 0, "x").unwrap();
    typing.settle(&mut doc).unwrap();
    doc.entry_delete(&map, "k").unwrap();
    assert_eq!(typing.insert(&mut doc, &text, 0, "x"), Err(EditError::Gone));
    assert_eq!(typing.len(&doc, &text), Err(EditError::Gone));
}

proptest! {
    #[test]
    fn typing_is_writing(edits in prop::collection::vec(
        (any::<bool>(), 0u32..4, any::<u32>(), 0u32..6, "[a-dü🎉]{0,3}", any::<bool>()), 1..80,
    )) {
        let (mut typed, mut typing, id) = open();
        let mut written = Doc::new(ClientId::from_random(1));
        let _ = written.root(Kind::Text, "t").unwrap();
        let mut cursor = 0;
        for (is_insertion, jump, place, count, text, settles) in edits {
            let len = written.text_len_of(&id).unwrap();
            prop_assert_eq!(typing.len(&typed, &id), Ok(len));
            let near = (cursor + place % 3).saturating_sub(1).min(len);
            let index = if jump == 0 { place % (len + 1) } else { near };
            if is_insertion {
                written.text_insert_at(&id, index, &text).unwrap();
                typing.insert(&mut typed, &id, index, &text).unwrap();
                cursor = index + text.encode_utf16().count() as u32;
            } else {
                let count = count.min(len - index);
                written.text_delete_at(&id, index, count).unwrap();
                typing.delete(&mut typed, &id, index, count).unwrap();
                cursor = index;
            }
            if settles {
                typing.settle(&mut typed).unwrap();
            }
        }
        typing.settle(&mut typed).unwrap();
        let (typed, written) = (typed.text_string(&id).unwrap(), written.text_string(&id).unwrap());
        // A pair of surrogates that was parted and joined again is one in what was typed.
        prop_assert_eq!(typed.encode_utf16().count(), written.encode_utf16().count());
        if !written.contains('\u{fffd}') {
            prop_assert_eq!(typed, written);
        }
    }
}

#[test]
fn text_that_reads_alike_is_one_piece() {
    let (mut doc, _, id) = open();
    let bold = Attributes::from([("bold".to_owned(), Value::Bool(true))]);
    let plain = Attributes::from([("bold".to_owned(), Value::Null)]);
    doc.text_insert_with(&id, 0, "ab", &bold).unwrap();
    doc.text_format(&id, 0, 2, &plain).unwrap();
    doc.text_insert_at(&id, 2, "c").unwrap();
    let piece = crate::Entry::Value(Value::String("abc".into()));
    assert_eq!(doc.text_delta(&id), Ok(vec![TextOp::Insert(piece, Attributes::new())]));
}
