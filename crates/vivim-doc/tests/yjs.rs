//! Documents that npm yjs wrote, read here. How they were made: `fixtures/README.md`.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use serde_json::Value as Json;
use vivim_doc::{ClientId, Doc, Value};
use vivim_proto::time::Timestamp;

fn fixtures() -> Json {
    serde_json::from_str(include_str!("fixtures/yjs-13.6.json")).unwrap()
}

fn bytes(hex: &Json) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn doc() -> Doc {
    Doc::new(ClientId::from_random(99))
}

fn read(update: &Json) -> Doc {
    let mut doc = doc();
    doc.apply_update(&bytes(update)).unwrap();
    doc
}

#[test]
fn a_text_is_read_and_gives_the_same_bytes_back() {
    let fixture = &fixtures()["text"];
    let mut doc = read(&fixture["update"]);
    assert_eq!(doc.text("body").unwrap(), fixture["text"].as_str().unwrap());
    assert_eq!(doc.encode_state_vector(), bytes(&fixture["vector"]));
    assert_eq!(doc.encode_state_as_update(None).unwrap(), bytes(&fixture["update"]));
}

#[test]
fn the_values_of_a_map_are_read() {
    let mut doc = read(&fixtures()["map"]["update"]);
    let list = Value::Array(vec![
        Value::Number(1.0),
        Value::Map(BTreeMap::from([("a".to_owned(), Value::String("b".to_owned()))])),
    ]);
    let expected = [
        ("n", Value::Number(1.5)),
        ("i", Value::Number(-42.0)),
        ("big", Value::Number(1_099_511_627_776.0)),
        ("s", Value::String("y".to_owned())),
        ("b", Value::Bool(true)),
        ("z", Value::Null),
        ("bin", Value::Bytes(vec![1, 2, 3])),
        ("list", list),
    ];
    let expected = expected.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    assert_eq!(doc.map("meta").unwrap(), Value::Map(expected));
    assert_eq!(doc.map_get("meta", "gone").unwrap(), None);
}

#[test]
fn formatted_text_is_read_without_its_formats() {
    let fixture = &fixtures()["rich"];
    let mut doc = read(&fixture["update"]);
    assert_eq!(doc.text("rich").unwrap(), fixture["text"].as_str().unwrap());
}

#[test]
fn nested_types_are_carried_even_if_not_shown() {
    let update = &fixtures()["nested"]["update"];
    let copy = read(update).encode_state_as_update(None).unwrap();
    // What a third replica gets through this one is the same document.
    let mut third = doc();
    third.apply_update(&copy).unwrap();
    assert_eq!(third.encode_state_vector(), read(update).encode_state_vector());
    assert_eq!(copy.len(), bytes(update).len());
}

#[test]
fn concurrent_edits_end_as_they_do_in_yjs_in_either_order() {
    let fixture = &fixtures()["concurrent"];
    let updates = fixture["updates"].as_array().unwrap();
    for order in [[0, 1], [1, 0]] {
        let mut doc = doc();
        for at in order {
            doc.apply_update(&bytes(&updates[at])).unwrap();
        }
        assert_eq!(doc.text("t").unwrap(), fixture["text"].as_str().unwrap());
    }
}

#[test]
fn a_pair_of_surrogates_that_was_split_counts_as_in_yjs() {
    let fixture = &fixtures()["surrogate"];
    let mut doc = read(&fixture["update"]);
    assert_eq!(doc.text("t").unwrap(), fixture["text"].as_str().unwrap());
    assert_eq!(u64::from(doc.text_len("t").unwrap()), fixture["length"].as_u64().unwrap());

    let mut ours = Doc::new(ClientId::from_random(7));
    ours.text_insert("t", 0, "a👋b").unwrap();
    ours.text_insert("t", 2, "|").unwrap();
    assert_eq!(ours.text("t").unwrap(), fixture["text"].as_str().unwrap());
}

#[test]
fn a_state_with_a_hole_is_completed_by_what_was_missing() {
    let fixture = &fixtures()["pending"];
    let mut doc = read(&fixture["update"]);
    assert!(doc.has_pending());
    assert_eq!(doc.text("t").unwrap().len(), 2);
    doc.apply_update(&bytes(&fixture["missing"])).unwrap();
    assert!(!doc.has_pending());
    assert_eq!(doc.text("t").unwrap(), fixture["text"].as_str().unwrap());
}

#[test]
fn awareness_of_y_protocols_comes_and_goes() {
    let fixture = &fixtures()["awareness"];
    let mut doc = doc();
    let now = Timestamp::ZERO;
    doc.awareness().apply_update(&bytes(&fixture["there"]), now).unwrap();
    let states: Vec<_> = doc.awareness().states().map(|(id, json)| (id.get(), json)).collect();
    assert_eq!(states, [(10, r##"{"user":{"name":"Ann","color":"#f00"}}"##)]);
    assert_eq!(doc.awareness().encode_all().unwrap(), bytes(&fixture["there"]));
    doc.awareness().apply_update(&bytes(&fixture["gone"]), now).unwrap();
    assert_eq!(doc.awareness().states().count(), 0);
}

#[test]
fn a_subdocument_is_carried() {
    let update = &fixtures()["subdocument"]["update"];
    let mut doc = read(update);
    let sub = doc.map_get("m", "sub").unwrap();
    assert!(sub.is_some());
}
