//! The hostile encodings, each with the answer it must get.

use proptest::prelude::*;

use super::*;
use crate::{ApplyError, ClientId, Doc};

/// A sample of everything that Yjs writes: text, formats, embeds, values, nested types, holes.
pub(crate) fn samples() -> Vec<Vec<u8>> {
    let fixtures: serde_json::Value =
        serde_json::from_str(include_str!("../tests/fixtures/yjs-13.6.json")).unwrap();
    let mut found = Vec::new();
    collect(&fixtures, &mut found);
    found.retain(|bytes| update(bytes).is_ok());
    assert!(found.len() >= 9);
    found
}

fn collect(json: &serde_json::Value, found: &mut Vec<Vec<u8>>) {
    match json {
        serde_json::Value::String(hex) if hex.len() > 4 => found.extend(unhex(hex)),
        serde_json::Value::Array(values) => values.iter().for_each(|v| collect(v, found)),
        serde_json::Value::Object(values) => values.values().for_each(|v| collect(v, found)),
        _ => {}
    }
}

pub(crate) fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    digits
        .chunks(2)
        .map(|pair| Some((digit(pair[0])? * 16 + digit(*pair.get(1)?)?) as u8))
        .collect()
}

fn refused(hex: &str) -> Invalid {
    let bytes = unhex(hex).unwrap();
    let mut doc = Doc::new(ClientId::from_random(1 << 40));
    doc.text_insert("t", 0, "still usable").unwrap();
    let before = doc.encode_state_as_update(None).unwrap();
    let ApplyError::Invalid(invalid) = doc.apply_update(&bytes).unwrap_err() else {
        panic!("{hex} got past the validator");
    };
    assert_eq!(doc.encode_state_as_update(None).unwrap(), before);
    doc.text_insert("t", 0, "still writable").unwrap();
    invalid
}

#[test]
fn invalid_utf8_is_refused() {
    let hex = "01 01 ca 01 00 c4 01 0a 01 0b 06 20 74 68 65 e5 65 00";
    assert_eq!(refused(hex), Invalid::BadString);
}

#[test]
fn a_reservation_of_terabytes_is_refused_before_it_is_made() {
    let hex = "d7 54 8f 54 77 0c 78 00 2d 67 76 98 fb bf d5 f3 57 30 ee 32 40";
    assert_eq!(refused(hex), Invalid::Truncated);
}

#[test]
fn a_known_crash_input_of_51_bytes_is_refused() {
    let hex = "f57896ad4347334444c9c5120f84ab25d6931623ee3bb630718b6cfe6eb9c32627ae9275d7e99125bbe2\
               602f46854dbabeed2d";
    assert_eq!(refused(hex), Invalid::Truncated);
}

#[test]
fn a_string_length_that_wraps_a_32_bit_offset_is_refused() {
    assert_eq!(refused("01 01 01 00 04 01 ff ff ff ff 0f"), Invalid::Truncated);
}

#[test]
fn a_nesting_bomb_in_a_value_is_refused_at_the_limit() {
    let bomb = |levels| format!("01 01 01 00 08 01 01 61 01 {} 7f 00", "75 01 ".repeat(levels));
    assert_eq!(refused(&bomb(100_000)), Invalid::TooDeep);
    assert_eq!(refused(&bomb(MAX_NESTING + 1)), Invalid::TooDeep);
    assert_eq!(update(&unhex(&bomb(MAX_NESTING)).unwrap()), Ok(()));
}

#[test]
fn forty_million_blocks_in_eight_bytes_are_refused() {
    assert_eq!(refused("01 80 b4 89 13 01 00"), Invalid::Truncated);
}

#[test]
fn encoding_v2_is_not_accepted() {
    // An update of V2 begins with an empty feature flag, which reads as "no clients" in V1.
    let doc = yrs::Doc::new();
    {
        use yrs::{Text, Transact, WriteTxn};
        let mut txn = doc.transact_mut();
        txn.get_or_insert_text("t").insert(&mut txn, 0, "hello");
    }
    use yrs::{ReadTxn, StateVector, Transact};
    let v2 = doc.transact().encode_state_as_update_v2(&StateVector::default());
    assert!(update(&v2).is_err());
}

#[test]
fn a_block_without_length_is_refused() {
    // Deleted content, a string, values, collected blocks, a gap, a range of deletions.
    for hex in [
        "01 01 01 00 01 01 01 61 00 00",
        "01 01 01 00 04 01 01 61 00 00",
        "01 01 01 00 08 01 01 61 00 00",
        "01 01 01 00 00 00 00",
        "01 01 01 00 0a 00 00",
        "00 01 01 01 00 00",
    ] {
        assert_eq!(refused(hex), Invalid::Empty, "{hex}");
    }
}

#[test]
fn a_clock_that_overflows_is_refused() {
    // From the last clock on, by a block and by a range of deletions; a clock above 32 bits.
    for hex in [
        "01 01 01 ff ff ff ff 0f 00 01 00",
        "00 01 01 01 ff ff ff ff 0f 01",
        "01 01 01 80 80 80 80 10 00 01 00",
    ] {
        assert_eq!(refused(hex), Invalid::Overflow, "{hex}");
    }
}

#[test]
fn a_client_id_above_53_bits_is_refused_because_the_engine_would_take_it_for_another() {
    assert_eq!(refused("01 01 80 80 80 80 80 80 80 10 00 00 01 00"), Invalid::Overflow);
}

#[test]
fn one_client_twice_is_refused() {
    assert_eq!(refused("02 01 01 00 00 01 01 01 05 00 01 00"), Invalid::OutOfOrder);
    assert_eq!(refused("00 02 01 01 00 01 01 01 02 01"), Invalid::OutOfOrder);
}

#[test]
fn a_block_that_refers_to_itself_or_a_later_one_is_refused() {
    // A map in itself; a character beside the one after it.
    for hex in ["01 01 01 00 07 00 01 00 01 00", "01 02 01 00 84 01 01 01 61 84 01 00 01 62 00"] {
        assert_eq!(refused(hex), Invalid::Circular, "{hex}");
    }
}

#[test]
fn a_block_between_two_places_is_refused() {
    // "a" in one text, "b" in another, "c" right of the one and left of the other.
    let hex = "01 03 01 00 04 01 01 61 01 61 04 01 01 62 01 62 c4 01 00 01 01 01 63 00";
    assert_eq!(refused(hex), Invalid::Inconsistent);
}

#[test]
fn shared_types_nested_too_deep_are_refused_at_once_or_piece_by_piece() {
    let most = crate::limits::MAX_DOCUMENT_NESTING + 1;
    let mut doc = Doc::new(ClientId::from_random(1 << 40));
    assert!(doc.apply_update(&nested_types(1, 0, most)).is_ok());
    for (from, count) in [(0, most + 1), (most, 1), (0, 100_000)] {
        let error = doc.apply_update(&nested_types(1, from, count)).unwrap_err();
        assert!(matches!(error, ApplyError::Invalid(Invalid::TooDeep)), "{error}");
    }
    // Reading and deleting the deepest document there can be.
    doc.to_value();
    doc.map_delete("m", "k").unwrap();
    assert_eq!(doc.map_get("m", "k").unwrap(), None);
}

#[test]
fn an_update_above_the_limit_is_refused_unread() {
    let bytes = vec![0; MAX_UPDATE + 1];
    assert_eq!(update(&bytes), Err(Invalid::TooLarge(MAX_UPDATE + 1)));
}

#[test]
fn hostile_state_vectors_are_refused() {
    for (hex, why) in [
        ("ff ff ff ff 0f", Invalid::Truncated),
        ("01 01", Invalid::Truncated),
        ("01 01 80 80 80 80 10", Invalid::Overflow),
        ("00 00", Invalid::Trailing),
        ("", Invalid::Truncated),
    ] {
        assert_eq!(state_vector(&unhex(hex).unwrap()), Err(why), "{hex}");
    }
}

#[test]
fn a_hostile_awareness_update_is_refused() {
    let bytes = unhex("01 01 01 ff ff ff ff 0f").unwrap();
    assert_eq!(crate::awareness::validate(&bytes), Err(Invalid::Truncated));
}

/// Maps, each the entry of the one before; the first in a root if `from` is 0.
pub(crate) fn nested_types(client: u8, from: u32, count: u32) -> Vec<u8> {
    use vivim_proto::wire::put_uvarint;
    let mut bytes = vec![1];
    put_uvarint(&mut bytes, count.into());
    bytes.push(client);
    put_uvarint(&mut bytes, from.into());
    for clock in from..from + count {
        if clock == 0 {
            bytes.extend_from_slice(&[0x27, 1, 1, b'm', 1, b'k', 1]);
        } else {
            bytes.extend_from_slice(&[0x27, 0, client]);
            put_uvarint(&mut bytes, (clock - 1).into());
            bytes.extend_from_slice(&[1, b'k', 1]);
        }
    }
    bytes.push(0);
    bytes
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = update(&bytes);
        let _ = state_vector(&bytes);
        let _ = crate::awareness::validate(&bytes);
    }

    #[test]
    fn every_prefix_of_an_update_is_refused(
        which in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(),
    ) {
        let samples = samples();
        let bytes = which.get(&samples);
        let cut = cut.index(bytes.len());
        prop_assert!(update(&bytes[..cut]).is_err());
    }

    #[test]
    fn what_the_engine_writes_passes(edits in prop::collection::vec((0u8..4, any::<u16>(), ".{1,5}"), 1..40)) {
        let mut doc = Doc::new(ClientId::from_random(5));
        for (kind, at, text) in &edits {
            let len = doc.text_len("t").unwrap();
            match kind {
                0 | 1 => doc.text_insert("t", u32::from(*at) % (len + 1), text).unwrap(),
                2 => doc.text_delete("t", 0, u32::from(*at) % (len + 1)).unwrap(),
                _ => doc.map_set("m", text, &crate::Value::Number(f64::from(*at))).unwrap(),
            }
        }
        for change in doc.take_updates() {
            prop_assert_eq!(update(&change.payload), Ok(()));
        }
        prop_assert_eq!(update(&doc.encode_state_as_update(None).unwrap()), Ok(()));
        prop_assert_eq!(state_vector(&doc.encode_state_vector()), Ok(()));
    }
}
