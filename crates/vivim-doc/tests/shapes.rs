//! Every kind of shared type, relative positions and snapshots as npm yjs wrote them, read and written
//! here. How they were made: `fixtures/generate-shapes.mjs`.

#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::Value as Json;
use vivim_doc::{
    Assoc, ClientId, Doc, DocOptions, Entry, Kind, SnapshotError, TextOp, TypeId, Value,
};

fn fixture() -> Json {
    serde_json::from_str(include_str!("fixtures/shapes-yjs-13.6.json")).unwrap()
}

fn bytes(hex: &Json) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The document as it ended, without forgetting what was deleted.
fn now(fixture: &Json) -> Doc {
    let mut options = DocOptions::default();
    options.keep_deleted = true;
    let mut doc = Doc::with_options(ClientId::from_random(9), options);
    for (kind, name) in [(Kind::Text, "t"), (Kind::Map, "m"), (Kind::XmlFragment, "x")] {
        doc.root(kind, name).unwrap();
    }
    doc.apply_update(&bytes(&fixture["state"])).unwrap();
    doc
}

fn then(fixture: &Json) -> Doc {
    let snapshot = bytes(&fixture["then"]["snapshot"]);
    now(fixture).at_snapshot(&snapshot, ClientId::from_random(8)).unwrap()
}

fn json(value: &Value) -> Json {
    serde_json::from_str(&value.to_json()).unwrap()
}

fn delta(doc: &Doc) -> Json {
    let op = |op: TextOp| {
        let TextOp::Insert(Entry::Value(insert), attributes) = op else { panic!("{op:?}") };
        let mut json = serde_json::json!({ "insert": json(&insert) });
        if !attributes.is_empty() {
            json["attributes"] = self::json(&Value::Map(attributes));
        }
        json
    };
    let ops = doc.text_delta(&TypeId::root("t")).unwrap();
    Json::Array(ops.into_iter().map(op).collect())
}

fn nested(entry: Option<Entry>) -> TypeId {
    match entry {
        Some(Entry::Type(_, id)) => id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_kind_of_type_is_read_as_yjs_reads_it() {
    let fixture = fixture();
    for (doc, expected) in [(now(&fixture), &fixture["now"]), (then(&fixture), &fixture["then"])] {
        assert_eq!(json(&doc.to_value()), expected["json"]);
        assert_eq!(delta(&doc), expected["delta"]);
    }
}

#[test]
fn snapshots_are_those_of_yjs() {
    let fixture = fixture();
    assert_eq!(now(&fixture).snapshot(), bytes(&fixture["now"]["snapshot"]));
    assert_eq!(then(&fixture).snapshot(), bytes(&fixture["then"]["snapshot"]));
    let mut forgetful = Doc::new(ClientId::from_random(9));
    forgetful.apply_update(&bytes(&fixture["state"])).unwrap();
    let then = bytes(&fixture["then"]["snapshot"]);
    let shown = forgetful.at_snapshot(&then, ClientId::from_random(8));
    assert!(matches!(shown, Err(SnapshotError::Collected)));
}

#[test]
fn relative_positions_are_those_of_yjs() {
    let fixture = fixture();
    let (now, then) = (now(&fixture), then(&fixture));
    let text = TypeId::root("t");
    for position in fixture["positions"].as_array().unwrap() {
        let index = u32::try_from(position["index"].as_u64().unwrap()).unwrap();
        let later = u32::try_from(position["later"].as_u64().unwrap()).unwrap();
        let assoc = if position["assoc"] == 0 { Assoc::After } else { Assoc::Before };
        let bytes = bytes(&position["bytes"]);
        assert_eq!(then.relative_position(&text, index, assoc).unwrap(), bytes, "{position}");
        assert_eq!(then.absolute_position(&bytes), Some((text.clone(), index)), "{position}");
        assert_eq!(now.absolute_position(&bytes), Some((text.clone(), later)), "{position}");
    }
}

#[test]
fn relative_positions_in_nested_types_are_those_of_yjs() {
    let fixture = fixture();
    let then = then(&fixture);
    let inner = nested(then.entry_get(&TypeId::root("m"), "inner").unwrap());
    let list = nested(then.entry_get(&inner, "list").unwrap());
    let body = nested(then.array_get(&list, 1).unwrap());
    let (_, p) = then.xml_get(&TypeId::root("x"), 0).unwrap().unwrap();
    for (id, name, at, index, assoc) in [
        (&body, "body", 0, 2, Assoc::After),
        (&body, "body", 1, 4, Assoc::After),
        (&list, "list", 0, 1, Assoc::After),
        (&list, "list", 1, 4, Assoc::Before),
        (&p, "p", 0, 1, Assoc::After),
    ] {
        let bytes = bytes(&fixture["nested"][name][at]);
        assert_eq!(then.relative_position(id, index, assoc).unwrap(), bytes, "{name} {index}");
        assert_eq!(then.absolute_position(&bytes), Some((id.clone(), index)), "{name} {index}");
    }
}
