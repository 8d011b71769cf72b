use proptest::prelude::*;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::{ClientId, Kind, Value};

fn doc(client: u64) -> Doc {
    Doc::new(ClientId::from_random(client))
}

fn random_edit(doc: &mut Doc, rng: &mut ChaCha8Rng) {
    let map = doc.root(Kind::Map, "m").unwrap();
    let list = doc.root(Kind::Array, "l").unwrap();
    let len = doc.text_len("t").unwrap();
    let items = doc.array_len(&list).unwrap();
    match rng.random_range(0..8) {
        0 => {
            let from = rng.random_range(0..=len);
            doc.text_delete("t", from, rng.random_range(0..=(len - from).min(400))).unwrap();
        }
        1 => {
            let key = ["a", "b", "c"][rng.random_range(0..3)];
            doc.entry_set(&map, key, &Value::Number(rng.random_range(0..100).into())).unwrap();
        }
        2 => {
            let key = ["a", "b", "c"][rng.random_range(0..3)];
            let inner = doc.entry_set_type(&map, key, Kind::Text).unwrap();
            doc.text_insert_at(&inner, 0, "inner").unwrap();
        }
        3 => {
            let values = vec![Value::String("v".repeat(9)); rng.random_range(1..300)];
            doc.array_insert(&list, rng.random_range(0..=items), &values).unwrap();
        }
        4 => {
            let from = rng.random_range(0..=items);
            doc.array_delete(&list, from, rng.random_range(0..=(items - from).min(9))).unwrap();
        }
        _ => {
            let text = ["x", "yz", "👋", "a👋b", "word "][rng.random_range(0..5)];
            let text = text.repeat(rng.random_range(1..600));
            doc.text_insert("t", rng.random_range(0..=len), &text).unwrap();
        }
    }
}

/// Three replicas that have edited and exchanged some of it.
fn replicas(rng: &mut ChaCha8Rng) -> Vec<Doc> {
    let mut docs: Vec<Doc> = (1..=3).map(doc).collect();
    for _ in 0..60 {
        let at = rng.random_range(0..3);
        random_edit(&mut docs[at], rng);
        let (from, to) = (rng.random_range(0..3), rng.random_range(0..3));
        if from != to && rng.random_bool(0.4) {
            let diff = docs[from].encode_state_as_update(None).unwrap();
            docs[to].apply_update(&diff).unwrap();
        }
    }
    docs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pieces_come_to_the_same_as_the_diff_and_none_waits(seed: u64, max in 1024..8192usize) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let docs = replicas(&mut rng);
        let [source, behind, _] = &docs[..] else { unreachable!() };
        for vector in [None, Some(behind.encode_state_vector())] {
            let vector = vector.as_deref();
            let receiver = || {
                let mut receiver = doc(9);
                if vector.is_some() {
                    let state = behind.encode_state_as_update(None).unwrap();
                    receiver.apply_update(&state).unwrap();
                }
                receiver
            };
            let mut whole = receiver();
            whole.apply_update(&source.encode_state_as_update(vector).unwrap()).unwrap();
            let mut pieces = source.encode_pieces(vector, max).unwrap();
            let mut one_by_one = receiver();
            for piece in &pieces {
                prop_assert!(piece.len() <= max, "{} > {max}", piece.len());
                one_by_one.apply_update(piece).unwrap();
                prop_assert!(!one_by_one.has_pending());
            }
            let mut any_order = receiver();
            pieces.shuffle(&mut rng);
            for piece in &pieces {
                any_order.apply_update(piece).unwrap();
            }
            prop_assert!(!any_order.has_pending());
            for other in [&one_by_one, &any_order] {
                prop_assert_eq!(other.to_value(), whole.to_value());
                prop_assert_eq!(other.snapshot(), whole.snapshot());
            }
        }
    }
}

#[test]
fn a_long_string_is_cut_between_characters() {
    let mut source = doc(1);
    let text = "👋é".repeat(4000);
    source.text_insert("t", 0, &text).unwrap();
    let pieces = source.encode_pieces(None, MIN_PIECE).unwrap();
    assert!(pieces.len() > 20);
    let mut reader = doc(2);
    for piece in &pieces {
        assert!(piece.len() <= MIN_PIECE);
        reader.apply_update(piece).unwrap();
    }
    assert_eq!(reader.text("t").unwrap(), text);
}

#[test]
fn a_value_that_is_too_large_goes_alone() {
    let mut source = doc(1);
    source.map_set("m", "a", &Value::Bool(true)).unwrap();
    source.map_set("m", "large", &Value::Bytes(vec![7; 5000])).unwrap();
    source.map_set("m", "z", &Value::Bool(true)).unwrap();
    let pieces = source.encode_pieces(None, MIN_PIECE).unwrap();
    assert_eq!(pieces.len(), 3);
    let mut reader = doc(2);
    for piece in &pieces {
        reader.apply_update(piece).unwrap();
        assert!(!reader.has_pending());
    }
    assert_eq!(reader.map("m").unwrap(), source.map("m").unwrap());
}

#[test]
fn nothing_missing_is_no_piece() {
    let mut source = doc(1);
    assert!(source.encode_pieces(None, MIN_PIECE).unwrap().is_empty());
    source.text_insert("t", 0, "x").unwrap();
    let vector = source.encode_state_vector();
    assert!(source.encode_pieces(Some(&vector), MIN_PIECE).unwrap().is_empty());
    assert_eq!(source.encode_pieces(None, MIN_PIECE).unwrap().len(), 1);
}
