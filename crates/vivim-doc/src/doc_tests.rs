use proptest::prelude::*;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use vivim_proto::{
    sync::{ReplicaError, ReplicaOp, ReplicaResult},
    time::Timestamp,
};

use super::*;
use crate::Value;

fn doc(client: u64) -> Doc {
    Doc::new(ClientId::from_random(client))
}

#[test]
fn a_document_can_be_sent_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Doc>();
}

#[test]
fn a_position_behind_the_end_is_an_error_and_changes_nothing() {
    let mut doc = doc(1);
    doc.text_insert("t", 0, "a👋").unwrap();
    doc.take_updates();
    let error = EditError::OutOfBounds { position: 4, len: 3 };
    assert_eq!(doc.text_insert("t", 4, "x"), Err(error));
    assert_eq!(doc.text_delete("t", 2, 2), Err(error));
    let error = EditError::OutOfBounds { position: u64::from(u32::MAX) * 2, len: 3 };
    assert_eq!(doc.text_delete("t", u32::MAX, u32::MAX), Err(error));
    assert!(doc.take_updates().is_empty());
}

#[test]
fn one_name_has_one_kind() {
    let mut doc = doc(1);
    doc.text_insert("a", 0, "x").unwrap();
    assert_eq!(doc.map_set("a", "k", &Value::Null), Err(EditError::WrongKind));
    assert_eq!(doc.map_get("a", "k"), Err(EditError::WrongKind));
}

#[test]
fn names_that_are_too_long_are_refused() {
    let name = "n".repeat(MAX_NAME + 1);
    let error = EditError::NameTooLong(MAX_NAME + 1);
    assert_eq!(doc(1).text_insert(&name, 0, "x"), Err(error));
    assert_eq!(doc(1).map_set("m", &name, &Value::Null), Err(error));
}

#[test]
fn an_edit_that_changes_nothing_makes_no_update() {
    let mut doc = doc(1);
    doc.text_insert("t", 0, "").unwrap();
    doc.text_delete("t", 0, 0).unwrap();
    assert!(!doc.map_delete("m", "k").unwrap());
    assert!(doc.take_updates().is_empty());
}

#[test]
fn updates_say_who_made_them() {
    let (mut one, mut two) = (doc(1), doc(2));
    one.text_insert("t", 0, "x").unwrap();
    let updates = one.take_updates();
    assert_eq!(updates.len(), 1);
    assert_eq!(updates[0].origin, Origin::Local);
    two.apply_update(&updates[0].payload).unwrap();
    let applied = two.take_updates();
    assert_eq!(applied[0].origin, Origin::Remote);
    assert_eq!(applied[0].payload, updates[0].payload);
    two.apply_update(&updates[0].payload).unwrap();
    assert!(two.take_updates().is_empty(), "a repetition changes nothing");
}

#[test]
fn edits_under_the_own_client_id_are_refused_unless_they_are_echoes() {
    let (mut own, mut forger) = (doc(1), doc(1));
    own.text_insert("t", 0, "own").unwrap();
    own.apply_update(&own.encode_state_as_update(None).unwrap()).unwrap();
    forger.text_insert("t", 0, "forged").unwrap();
    let error = own.apply_update(&forger.encode_state_as_update(None).unwrap()).unwrap_err();
    assert!(matches!(error, ApplyError::OwnClient));
    assert_eq!(own.text("t").unwrap(), "own");
}

#[test]
fn different_content_under_a_number_that_is_taken_is_ignored() {
    let (mut first, mut second, mut reader) = (doc(1), doc(1), doc(9));
    first.text_insert("t", 0, "abc").unwrap();
    second.text_insert("t", 0, "xyz").unwrap();
    reader.apply_update(&first.encode_state_as_update(None).unwrap()).unwrap();
    reader.apply_update(&second.encode_state_as_update(None).unwrap()).unwrap();
    assert_eq!(reader.text("t").unwrap(), "abc");
}

#[test]
fn what_waits_for_ever_is_bounded_and_then_asked_for_again() {
    let (mut source, mut reader) = (doc(1), doc(9));
    source.text_insert("t", 0, "lost").unwrap();
    let lost = source.take_updates();
    let chunk = "x".repeat(512 * 1024);
    let mut asked = 0;
    for _ in 0..20 {
        source.text_insert("t", 0, &chunk).unwrap();
        for update in source.take_updates() {
            reader.apply_update(&update.payload).unwrap();
        }
        let waiting: usize = reader.pending.iter().map(|waiting| waiting.update.len()).sum();
        assert!(waiting <= MAX_PENDING_BYTES);
        asked += usize::from(reader.take_resync());
        reader.text_insert("mine", 0, "still writable").unwrap();
    }
    assert!(asked > 0);
    reader.apply_update(&lost[0].payload).unwrap();
    let vector = reader.encode_state_vector();
    reader.apply_update(&source.encode_state_as_update(Some(&vector)).unwrap()).unwrap();
    assert_eq!(reader.text_len("t").unwrap(), source.text_len("t").unwrap());
}

#[test]
fn a_queue_of_updates_that_nobody_fetches_is_bounded() {
    let mut doc = doc(1);
    for _ in 0..=MAX_UPDATES_QUEUED {
        doc.text_insert("t", 0, "x").unwrap();
    }
    assert!(doc.take_resync());
    assert!(!doc.take_resync());
    assert_eq!(doc.take_updates().len(), 1);
}

#[test]
fn two_documents_sync_by_the_requests_of_a_session() {
    let now = Timestamp::ZERO;
    let (mut one, mut two) = (doc(1), doc(2));
    one.text_insert("t", 0, "from one").unwrap();
    two.map_set("m", "k", &Value::Bool(true)).unwrap();
    let ReplicaResult::Summary(summary) = one.handle(ReplicaOp::Summary, now) else { panic!() };
    let ReplicaResult::Diff(payload) = two.handle(ReplicaOp::Diff { summary }, now) else {
        panic!()
    };
    assert_eq!(one.handle(ReplicaOp::Apply { payload }, now), ReplicaResult::Applied);
    assert_eq!(one.map_get("m", "k").unwrap(), Some(Value::Bool(true)));

    let hostile = bytes::Bytes::from_static(&[1, 0x80, 0xb4, 0x89, 0x13, 1, 0]);
    for op in [
        ReplicaOp::Apply { payload: hostile.clone() },
        ReplicaOp::Diff { summary: hostile.clone() },
        ReplicaOp::ApplyAwareness { payload: hostile },
    ] {
        assert_eq!(one.handle(op, now), ReplicaResult::Failed(ReplicaError::Malformed));
    }
    let ReplicaResult::Awareness(nobody) = one.handle(ReplicaOp::EncodeAwareness, now) else {
        panic!()
    };
    assert!(nobody.is_empty());
}

#[test]
fn values_that_a_peer_put_into_a_text_do_not_stop_its_edits() {
    let mut doc = doc(9);
    // "ab" and then the values [true, 5] in the list of the text.
    let update = [1, 2, 1, 0, 4, 1, 1, b't', 2, b'a', b'b', 0x88, 1, 1, 2, 120, 125, 5, 0];
    doc.apply_update(&update).unwrap();
    assert_eq!(doc.text_len("t").unwrap(), 4);
    doc.text_delete("t", 1, 3).unwrap();
    assert_eq!(doc.text("t").unwrap(), "a");
    doc.text_insert("t", 1, "!").unwrap();
    assert_eq!(doc.text("t").unwrap(), "a!");
}

fn random_edit(doc: &mut Doc, rng: &mut ChaCha8Rng) {
    let len = doc.text_len("t").unwrap();
    match rng.random_range(0..6) {
        0 => {
            let from = rng.random_range(0..=len);
            doc.text_delete("t", from, rng.random_range(0..=(len - from).min(8))).unwrap();
        }
        1 => {
            let key = ["a", "b", "c"][rng.random_range(0..3)];
            doc.map_set("m", key, &Value::Number(rng.random_range(0..100).into())).unwrap();
        }
        2 => drop(doc.map_delete("m", ["a", "b", "c"][rng.random_range(0..3)]).unwrap()),
        _ => {
            let text = ["x", "yz", "👋", "a👋b", "word "][rng.random_range(0..5)];
            doc.text_insert("t", rng.random_range(0..=len), text).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn replicas_agree_when_all_have_everything_in_any_order_and_more_than_once(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut docs: Vec<Doc> = (1..=3).map(doc).collect();
        let mut everything: Vec<bytes::Bytes> = Vec::new();
        for _ in 0..60 {
            let at = rng.random_range(0..docs.len());
            random_edit(&mut docs[at], &mut rng);
            for update in docs[at].take_updates() {
                everything.push(update.payload.clone());
                // Some hear of it at once.
                #[allow(clippy::needless_range_loop)] // two of them are borrowed in turn
                for other in 0..docs.len() {
                    if other != at && rng.random_bool(0.3) {
                        docs[other].apply_update(&update.payload).unwrap();
                        docs[other].take_updates();
                    }
                }
            }
        }
        for doc in &mut docs {
            let mut shuffled: Vec<_> = everything.iter().chain(&everything).collect();
            shuffled.shuffle(&mut rng);
            for update in shuffled {
                doc.apply_update(update).unwrap();
            }
            prop_assert!(!doc.has_pending());
        }
        let texts: Vec<String> = docs.iter_mut().map(|doc| doc.text("t").unwrap()).collect();
        let maps: Vec<Value> = docs.iter_mut().map(|doc| doc.map("m").unwrap()).collect();
        prop_assert!(texts.iter().all(|text| *text == texts[0]), "{:?}", texts);
        prop_assert!(maps.iter().all(|map| *map == maps[0]));
    }
}

#[test]
fn what_is_larger_than_an_answer_is_answered_in_parts() {
    use vivim_proto::limits::{MAX_ANSWER, MAX_PIECES, PIECE};
    let now = Timestamp::ZERO;
    let (mut source, mut reader) = (doc(1), doc(2));
    for number in 0..36 {
        source.text_insert("t", number, &"a👋é".repeat(150_000)).unwrap();
    }
    source.map_set("m", "k", &Value::String("v".repeat(2 * PIECE))).unwrap();
    source.text_delete("t", 7, 1_000_000).unwrap();
    let mut parts = 0;
    let last = loop {
        let summary: bytes::Bytes = reader.encode_state_vector().into();
        let asked = source.handle(ReplicaOp::Diff { summary }, now);
        let ReplicaResult::Part(pieces) = asked else { break asked };
        let bytes: usize = pieces.iter().map(bytes::Bytes::len).sum();
        assert!(bytes <= MAX_ANSWER && bytes > MAX_ANSWER / 2, "{bytes}");
        assert!(pieces.len() <= MAX_PIECES);
        for payload in pieces {
            assert!(payload.len() <= PIECE);
            assert_eq!(reader.handle(ReplicaOp::Apply { payload }, now), ReplicaResult::Applied);
            assert!(!reader.has_pending());
        }
        parts += 1;
    };
    assert_eq!(parts, 2);
    let ReplicaResult::Pieces(pieces) = last else { panic!("{last:?}") };
    for payload in pieces {
        assert_eq!(reader.handle(ReplicaOp::Apply { payload }, now), ReplicaResult::Applied);
    }
    assert!(reader.text("t").unwrap() == source.text("t").unwrap());
    assert!(reader.map("m").unwrap() == source.map("m").unwrap());
}

#[test]
fn a_state_that_is_larger_than_an_update_may_be_is_applied_in_pieces() {
    let mut source = doc(1);
    for _ in 0..20 {
        source.text_insert("t", 0, &"0123456789abcdef".repeat(65_536)).unwrap();
    }
    source.text_delete("t", 5, 100).unwrap();
    let state = source.encode_state_as_update(None).unwrap();
    assert!(state.len() > MAX_UPDATE);
    let mut reader = doc(2);
    assert!(matches!(reader.apply_update(&state), Err(ApplyError::Invalid(why)) if why.is_size()));
    reader.apply_in_pieces(&state).unwrap();
    assert!(!reader.has_pending());
    assert!(reader.text("t").unwrap() == source.text("t").unwrap());
    let cut = reader.apply_in_pieces(&state[..state.len() - 1]);
    assert!(matches!(cut, Err(ApplyError::Invalid(_))), "{cut:?}");
}

#[test]
fn a_large_diff_is_answered_in_pieces_and_a_small_one_whole() {
    let now = Timestamp::ZERO;
    let (mut source, mut reader) = (doc(1), doc(2));
    source.text_insert("t", 0, &"a👋".repeat(100_000)).unwrap();
    source.map_set("m", "k", &Value::Bool(true)).unwrap();
    let summary: bytes::Bytes = reader.encode_state_vector().into();
    let asked = source.handle(ReplicaOp::Diff { summary: summary.clone() }, now);
    let ReplicaResult::Pieces(pieces) = asked else { panic!("{asked:?}") };
    for payload in pieces {
        assert!(payload.len() <= vivim_proto::limits::PIECE);
        assert_eq!(reader.handle(ReplicaOp::Apply { payload }, now), ReplicaResult::Applied);
        assert!(!reader.has_pending());
    }
    assert_eq!(reader.text("t").unwrap(), source.text("t").unwrap());
    let summary: bytes::Bytes = reader.encode_state_vector().into();
    let nothing = ReplicaResult::Diff(EMPTY_UPDATE.into());
    assert_eq!(source.handle(ReplicaOp::Diff { summary }, now), nothing);
}
