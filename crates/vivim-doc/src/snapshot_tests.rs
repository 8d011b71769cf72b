use super::*;
use crate::{Kind, Value};

fn kept(client: u64) -> Doc {
    Doc::with_options(ClientId::from_random(client), DocOptions { keep_deleted: true })
}

#[test]
fn a_document_is_shown_as_it_was() {
    let mut doc = kept(1);
    doc.text_insert("t", 0, "hello👋").unwrap();
    doc.map_set("m", "k", &Value::Number(1.0)).unwrap();
    let first = doc.snapshot();
    doc.text_delete("t", 1, 3).unwrap();
    doc.text_insert("t", 0, "more ").unwrap();
    doc.map_set("m", "k", &Value::Number(2.0)).unwrap();
    let mut other = kept(2);
    other.apply_update(&doc.encode_state_as_update(None).unwrap()).unwrap();
    other.text_insert("t", 0, "and ").unwrap();
    let second = other.snapshot();
    other.text_delete("t", 0, 9).unwrap();

    let id = ClientId::from_random(9);
    for holder in [&doc, &other] {
        let then = holder.at_snapshot(&first, id).unwrap();
        assert_eq!(then.to_value().to_json(), r#"{"m":{"k":1},"t":"hello👋"}"#);
        assert_eq!(then.snapshot(), first);
    }
    let mut then = other.at_snapshot(&second, id).unwrap();
    assert_eq!(then.text("t").unwrap(), "and more ho👋");
    then.text_insert("t", 0, "!").unwrap();
    assert!(matches!(doc.at_snapshot(&second, id), Err(SnapshotError::Ahead)));
}

#[test]
fn what_was_collected_is_an_error_unless_it_was_deleted_then_too() {
    let mut doc = Doc::new(ClientId::from_random(1));
    doc.text_insert("t", 0, "abcdef").unwrap();
    doc.text_delete("t", 0, 2).unwrap();
    let then = doc.snapshot();
    let root = doc.root(Kind::Text, "t").unwrap();
    doc.text_insert("t", 4, "more").unwrap();
    let id = ClientId::from_random(9);
    assert_eq!(doc.at_snapshot(&then, id).unwrap().text_string(&root).unwrap(), "cdef");
    doc.text_delete("t", 0, 1).unwrap();
    assert!(matches!(doc.at_snapshot(&then, id), Err(SnapshotError::Collected)));
}

#[test]
fn snapshots_are_in_the_encoding_of_yjs_and_equal_if_the_states_are() {
    let mut doc = Doc::new(ClientId::from_random(300));
    doc.text_insert("t", 0, "abc").unwrap();
    doc.text_delete("t", 1, 1).unwrap();
    // `Y.encodeSnapshot`: deletions, then the state vector.
    assert_eq!(doc.snapshot(), [1, 0xac, 2, 1, 1, 1, 1, 0xac, 2, 3]);
    let mut copy = Doc::new(ClientId::from_random(2));
    copy.apply_update(&doc.encode_state_as_update(None).unwrap()).unwrap();
    assert_eq!(copy.snapshot(), doc.snapshot());
    assert_eq!(Snapshot::decode(&doc.snapshot()).unwrap().encode(), doc.snapshot());
}

#[test]
fn hostile_snapshots_are_errors() {
    let mut doc = kept(1);
    doc.text_insert("t", 0, "abc").unwrap();
    let id = ClientId::from_random(9);
    let at = |bytes: &[u8]| doc.at_snapshot(bytes, id).map(drop);
    for bytes in [&[][..], &[0], &[0xff; 9], &[0, 0, 0], &[1, 1, 1, 0, 0, 0], &[0, 2, 1, 1, 1, 2]] {
        assert!(matches!(at(bytes), Err(SnapshotError::Invalid(_))), "{bytes:?}");
    }
    // A client that wrote nothing; deletions behind the state; a state behind ours.
    assert!(at(&[0, 1, 1, 0]).is_ok());
    assert!(matches!(at(&[1, 1, 1, 2, 2, 1, 1, 3]), Err(SnapshotError::Ahead)));
    assert!(matches!(at(&[0, 1, 1, 4]), Err(SnapshotError::Ahead)));
}
