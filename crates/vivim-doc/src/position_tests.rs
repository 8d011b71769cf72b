use super::*;
use crate::ClientId;

fn doc(client: u64) -> Doc {
    Doc::new(ClientId::from_random(client))
}

#[test]
fn a_position_stays_with_its_neighbour() {
    let mut doc = doc(1);
    let text = doc.root(Kind::Text, "t").unwrap();
    doc.text_insert_at(&text, 0, "ab👋cd").unwrap();
    for assoc in [Assoc::After, Assoc::Before] {
        for index in 0..=6 {
            let position = doc.relative_position(&text, index, assoc).unwrap();
            assert_eq!(doc.absolute_position(&position), Some((text.clone(), index)));
        }
    }
    let after = doc.relative_position(&text, 2, Assoc::After).unwrap();
    let before = doc.relative_position(&text, 2, Assoc::Before).unwrap();
    doc.text_insert_at(&text, 2, "XX").unwrap();
    assert_eq!(doc.absolute_position(&after), Some((text.clone(), 4)));
    assert_eq!(doc.absolute_position(&before), Some((text.clone(), 2)));
    doc.text_delete_at(&text, 0, 8).unwrap();
    assert_eq!(doc.absolute_position(&after), Some((text.clone(), 0)));
    let error = EditError::OutOfBounds { position: 1, len: 0 };
    assert_eq!(doc.relative_position(&text, 1, Assoc::After), Err(error));
}

#[test]
fn the_end_is_a_position_too_and_moves_with_it() {
    let mut doc = doc(1);
    let list = doc.root(Kind::Array, "l").unwrap();
    let end = doc.relative_position(&list, 0, Assoc::After).unwrap();
    doc.array_push(&list, &[true.into(), false.into()]).unwrap();
    assert_eq!(doc.absolute_position(&end), Some((list, 2)));
}

#[test]
fn a_position_in_what_is_gone_or_has_not_come_is_nowhere() {
    let (mut one, two) = (doc(1), doc(2));
    let map = one.root(Kind::Map, "m").unwrap();
    let text = one.entry_set_type(&map, "k", Kind::Text).unwrap();
    let empty = one.relative_position(&text, 0, Assoc::After).unwrap();
    one.text_insert_at(&text, 0, "abc").unwrap();
    let inside = one.relative_position(&text, 1, Assoc::After).unwrap();
    assert_eq!(two.absolute_position(&inside), None);
    assert_eq!(two.absolute_position(&empty), None);
    one.entry_delete(&map, "k").unwrap();
    assert_eq!(one.absolute_position(&inside), None);
    assert_eq!(one.absolute_position(&empty), None);
}

#[test]
fn positions_are_in_the_encoding_of_yjs() {
    let mut doc = doc(300);
    let text = doc.root(Kind::Text, "t").unwrap();
    doc.text_insert_at(&text, 0, "abc").unwrap();
    // `Y.encodeRelativePosition`: kind, client 300, clock 1, association.
    assert_eq!(doc.relative_position(&text, 1, Assoc::After).unwrap(), [0, 0xac, 2, 1, 0]);
    assert_eq!(doc.relative_position(&text, 2, Assoc::Before).unwrap(), [0, 0xac, 2, 1, 0x41]);
    assert_eq!(doc.relative_position(&text, 3, Assoc::After).unwrap(), [1, 1, b't', 0]);
    // Without an association, as older ones are.
    assert_eq!(doc.absolute_position(&[0, 0xac, 2, 1]), Some((text, 1)));
}

#[test]
fn hostile_positions_are_nowhere() {
    let mut doc = doc(1);
    doc.text_insert("t", 0, "abc").unwrap();
    for kind in 0..=255u8 {
        for tail in [&[][..], &[1], &[1, 0], &[1, 99, 0], &[0xff; 12], &[1, 2, 0x80, 0x80]] {
            let mut bytes = vec![kind];
            bytes.extend_from_slice(tail);
            let _ = doc.absolute_position(&bytes);
        }
    }
    assert_eq!(doc.absolute_position(&[]), None);
}
