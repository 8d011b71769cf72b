//! Updates that are encoded well and mean nonsense: references to nothing, to oneself, to the wrong
//! kind of thing, in any order. A replica must survive them all and stay usable.
//!
//! `VIVIM_HOSTILE_RUNS` sets the number of runs, `VIVIM_HOSTILE_FROM` the first seed; a failure names
//! its seed.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/nonsense.rs"]
mod nonsense;

use std::panic::{AssertUnwindSafe, catch_unwind};

use nonsense::{mutated, nonsense, samples};
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use vivim_doc::{ClientId, Doc, DocUpdate, Kind, TypeId, Value};

/// Gives a replica these updates, and then what it still lacks.
fn bring(doc: &mut Doc, other: &mut Doc, updates: &[DocUpdate]) {
    for update in updates {
        match other.apply_update(&update.payload) {
            Ok(()) => {}
            Err(error) => panic!("an update of ours is refused: {error}"),
        }
    }
    let vector = other.encode_state_vector();
    let diff = doc.encode_state_as_update(Some(&vector)).unwrap();
    match other.apply_update(&diff) {
        Ok(()) => {}
        Err(error) => panic!("our own state is refused: {error}"),
    }
    assert!(!other.has_pending());
    assert_eq!(other.encode_state_vector().len(), doc.encode_state_vector().len());
    assert_eq!(content(other), content(doc), "two replicas differ");
}

/// What is a text to one application may be a list to another: no kind of content may break any way
/// of reading or editing.
fn read_as_other_kinds(doc: &Doc) {
    let state = doc.encode_state_as_update(None).unwrap();
    for kind in [Kind::Array, Kind::Map, Kind::Text, Kind::XmlFragment] {
        let mut doc = Doc::new(ClientId::from_random(5 << 40));
        doc.apply_update(&state).unwrap();
        for name in ["t", "m"] {
            let Ok(id) = doc.root(kind, name) else { continue };
            let _ = doc.type_value(&id).map(|value| value.to_json());
            use_as(&mut doc, kind, &id);
        }
        let _ = doc.to_value().to_json();
    }
}

/// Each way of reading and editing, whether or not it is allowed.
fn use_as(doc: &mut Doc, kind: Kind, id: &TypeId) {
    let value = Value::Number(1.0);
    match kind {
        Kind::Array => {
            let _ = doc.array_items(id);
            let len = doc.array_len(id).unwrap_or(0);
            let _ = doc.array_insert(id, len / 2, std::slice::from_ref(&value));
            let _ = doc.array_delete(id, len / 3, 1);
            let _ = doc.array_get(id, len / 2);
        }
        Kind::Map => {
            let _ = doc.entries(id);
            let _ = doc.entry_set(id, "a", &value);
            let _ = doc.entry_delete(id, "b");
        }
        Kind::Text => {
            let _ = doc.text_delta(id);
            let len = doc.text_len_of(id).unwrap_or(0);
            let _ = doc.text_insert_at(id, len / 2, "👋");
            let _ = doc.text_delete_at(id, len / 3, 1);
        }
        _ => {
            let _ = doc.xml_string(id);
            let _ = doc.xml_children(id);
            let _ = doc.xml_insert_element(id, 0, "p");
            let len = doc.xml_len(id).unwrap_or(0);
            let _ = doc.xml_delete(id, len / 2, 1);
        }
    }
}

/// What a person sees.
fn content(doc: &mut Doc) -> (String, String) {
    (doc.text("t").unwrap(), doc.map("m").unwrap().to_json().to_string())
}

fn run(seed: u64, samples: &[Vec<u8>]) -> bool {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut doc = Doc::new(ClientId::from_random(1 << 40));
    let mut other = Doc::new(ClientId::from_random(2 << 40));
    let mut got_in = false;
    for _ in 0..rng.random_range(1..8) {
        let update = match rng.random_range(0..3) {
            0 => {
                let sample = rng.random_range(0..samples.len());
                mutated(&mut rng, &samples[sample])
            }
            _ => nonsense(&mut rng),
        };
        let applied = doc.apply_update(&update);
        if std::env::var("VIVIM_HOSTILE_TRACE").is_ok() {
            let hex: String = update.iter().map(|byte| format!("{byte:02x} ")).collect();
            eprintln!("{hex}: {applied:?}");
        }
        got_in |= applied.is_ok();
        if rng.random_bool(0.3) {
            let len = doc.text_len("t").unwrap();
            doc.text_insert("t", rng.random_range(0..=len), "👋x").unwrap();
            let len = doc.text_len("t").unwrap();
            let from = rng.random_range(0..len);
            doc.text_delete("t", from, rng.random_range(0..=(len - from))).unwrap();
            doc.map_delete("m", "a").unwrap();
        }
    }
    let _ = doc.to_value().to_json();
    let mut updates = doc.take_updates();
    // One hears of each change in turn, one of all in another order, one of the whole at the end.
    bring(&mut doc, &mut other, &updates);
    updates.shuffle(&mut rng);
    bring(&mut doc, &mut Doc::new(ClientId::from_random(3 << 40)), &updates);
    bring(&mut doc, &mut Doc::new(ClientId::from_random(4 << 40)), &[]);
    read_as_other_kinds(&doc);
    doc.text_insert("still", 0, "usable").unwrap();
    assert_eq!(doc.text("still").unwrap(), "usable");
    got_in
}

#[test]
fn replicas_survive_well_encoded_nonsense_and_end_equal() {
    let runs = std::env::var("VIVIM_HOSTILE_RUNS").ok().and_then(|runs| runs.parse().ok());
    let from: u64 =
        std::env::var("VIVIM_HOSTILE_FROM").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let samples = samples();
    let mut got_in = 0;
    let mut failed = Vec::new();
    let runs = runs.unwrap_or(3_000);
    for seed in from..from + runs {
        match catch_unwind(AssertUnwindSafe(|| run(seed, &samples))) {
            Ok(accepted) => got_in += u64::from(accepted),
            Err(_) => failed.push(seed),
        }
        if failed.len() >= 40 {
            break;
        }
    }
    assert!(failed.is_empty(), "these seeds panicked: {failed:?}");
    assert!(got_in > runs / 3, "too little gets past the validator to test what is behind it");
}
