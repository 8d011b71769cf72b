//! What records promise about bytes that nobody wrote.

use bytes::Bytes;
use proptest::prelude::*;
use vivim_proto::id::DocId;
use vivim_proto::limits::MAX_NAME;
use vivim_proto::wire::WireError;

use super::*;
use crate::limits::MAX_DEVICES;

fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

fn meta() -> impl Strategy<Value = DocumentMeta> {
    (any::<[u8; 32]>(), ".{0,20}", ".{0,20}", ".{0,9}", 0..1u64 << 60, 0..1u64 << 60, bytes())
        .prop_map(|(doc, name, room, kind, created, opened, devices)| {
            let doc = DocId(doc);
            let later = Bytes::new();
            DocumentMeta { doc, name, room, kind, created, opened, devices, later }
        })
}

fn record() -> impl Strategy<Value = (Record, Bytes)> {
    let updates = prop::collection::vec(bytes(), 1..20);
    prop_oneof![
        bytes().prop_map(|s| (Record::Snapshot(s.clone()), encode_snapshot(&s).unwrap())),
        updates.prop_map(|u| (Record::Updates(u.clone()), encode_updates(&u).unwrap().remove(0))),
        meta().prop_map(|m| (Record::Meta(m.clone()), encode_meta(&m).unwrap())),
    ]
}

proptest! {
    #[test]
    fn a_record_is_read_back((record, encoded) in record()) {
        prop_assert_eq!(decode(&encoded), Ok(record));
    }

    #[test]
    fn a_record_with_one_flipped_bit_is_an_error((_, encoded) in record(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut bad = encoded.to_vec();
        let at = at.index(bad.len());
        bad[at] ^= 1 << bit;
        prop_assert!(decode(&bad.into()).is_err());
    }

    #[test]
    fn a_torn_record_is_an_error((_, encoded) in record(), at in any::<prop::sample::Index>()) {
        prop_assert!(decode(&encoded.slice(..at.index(encoded.len()))).is_err());
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error(input in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&input.into());
    }

    #[test]
    fn any_payload_with_the_right_checksum_is_a_record_or_an_error(kind in 0..6u8, payload in prop::collection::vec(any::<u8>(), 0..300)) {
        let sealed = encode(kind, &payload).unwrap();
        match decode(&sealed) {
            Ok(Record::Updates(updates)) => {
                // One value has one encoding.
                prop_assert!(updates.is_empty() || encode_updates(&updates).unwrap() == [sealed]);
            }
            Ok(_) => {}
            Err(RecordError::Newer { version: VERSION, kind: found }) => prop_assert_eq!(found, kind),
            Err(RecordError::Payload(_)) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn a_group_of_updates_comes_back_whole_however_many_records_it_takes(
        sizes in prop::collection::vec(prop_oneof![0..100usize, 100_000..300_000usize], 0..12),
    ) {
        let updates: Vec<Bytes> = sizes.iter().map(|size| Bytes::from(vec![7; *size])).collect();
        let mut back = Vec::new();
        for record in encode_updates(&updates).unwrap() {
            let Ok(Record::Updates(some)) = decode(&record) else { panic!("not a group") };
            prop_assert!(some.len() == 1 || record.len() <= GROUP_BYTES + HEADER + 64);
            back.extend(some);
        }
        prop_assert_eq!(back, updates);
    }
}

#[test]
fn a_record_has_the_published_bytes() {
    let encoded = encode_snapshot(b"abc").unwrap();
    assert_eq!(encoded[..6], [2, 1, 3, 0, 0, 0]);
    // By the algorithm as published: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
    assert_eq!(encoded[6..14], [51, 167, 237, 191, 142, 200, 123, 209]);
    assert_eq!(&encoded[14..], b"abc");
}

#[test]
fn a_record_of_the_first_version_is_read() {
    // printf '\1\1\3\0\0\0abc' | sha256sum
    let header = [1, 1, 3, 0, 0, 0];
    let sum = Sha256::digest([&header[..], b"abc"].concat());
    let old = Bytes::from([&header[..], &sum[..8], b"abc"].concat());
    assert_eq!(decode(&old), Ok(Record::Snapshot(Bytes::from_static(b"abc"))));
    assert!(is_known(&old) && !is_newer(&old));
    for at in 0..old.len() {
        let mut damaged = old.to_vec();
        damaged[at] ^= 0x40;
        let damaged = Bytes::from(damaged);
        assert!(decode(&damaged).is_err() && !is_newer(&damaged), "byte {at}");
    }
}

#[test]
fn each_fault_has_its_own_error() {
    let good = encode_snapshot(b"a state").unwrap();
    let with = |at: usize, value: u8| {
        let mut bytes = good.to_vec();
        bytes[at] = value;
        decode(&bytes.into()).unwrap_err()
    };
    assert_eq!(decode(&Bytes::new()), Err(RecordError::Truncated(0)));
    assert_eq!(with(0, 9), RecordError::Checksum);
    assert_eq!(with(1, 2), RecordError::Checksum);
    assert_eq!(with(2, 8), RecordError::Length { expected: 8, found: 7 });
    assert_eq!(with(5, 0xff), RecordError::Length { expected: 0xff00_0007, found: 7 });
    assert_eq!(with(14, b'A'), RecordError::Checksum);
}

#[test]
fn an_intact_record_of_a_newer_version_is_told_from_a_damaged_one() {
    let newer = Bytes::from(crate::contract::newer_record(b"something new"));
    assert_eq!(decode(&newer), Err(RecordError::Newer { version: 3, kind: KIND_UPDATES }));
    assert!(is_newer(&newer));
    let kind = encode(9, b"").unwrap();
    assert_eq!(decode(&kind), Err(RecordError::Newer { version: VERSION, kind: 9 }));
    assert!(is_newer(&kind));
    for at in 0..newer.len() {
        let mut damaged = newer.to_vec();
        damaged[at] ^= 0x40;
        assert!(!is_newer(&damaged.into()), "byte {at}");
    }
    assert!(!is_newer(&encode_snapshot(b"a state").unwrap()));
    assert!(!is_newer(&Bytes::new()));
}

#[test]
fn more_updates_than_a_record_may_have_are_refused_before_they_are_kept() {
    let sealed = encode(KIND_UPDATES, &vec![0; MAX_UPDATES_PER_RECORD + 1]).unwrap();
    assert_eq!(decode(&sealed), Err(RecordError::Payload(WireError::Trailing(1))));
    let many = vec![Bytes::new(); MAX_UPDATES_PER_RECORD + 1];
    assert_eq!(encode_updates(&many).unwrap().len(), 2);
}

#[test]
fn a_length_that_the_payload_does_not_back_is_refused() {
    let sealed = encode(KIND_UPDATES, &[0xff, 0xff, 0xff, 0x0f]).unwrap();
    assert!(matches!(decode(&sealed), Err(RecordError::Payload(_))));
}

#[test]
fn what_is_too_large_is_not_encoded() {
    let limit = MAX_PAYLOAD;
    let size = limit + 1;
    assert_eq!(encode_snapshot(&vec![0; size]), Err(RecordError::TooLarge { size, limit }));
    let mut meta = DocumentMeta {
        doc: DocId([1; 32]),
        name: "x".repeat(MAX_NAME + 1),
        room: String::new(),
        kind: String::new(),
        created: 0,
        opened: 0,
        devices: Bytes::new(),
        later: Bytes::new(),
    };
    assert!(matches!(encode_meta(&meta), Err(RecordError::TooLarge { limit: MAX_NAME, .. })));
    meta.name.clear();
    meta.devices = vec![0; MAX_DEVICES + 1].into();
    assert!(matches!(encode_meta(&meta), Err(RecordError::TooLarge { limit: MAX_DEVICES, .. })));
}

#[test]
fn fields_that_a_later_version_appends_to_the_meta_are_handed_on() {
    let mut meta = crate::contract::meta(DocId([1; 32]), "n");
    let mut payload = meta.encode().unwrap();
    payload.extend_from_slice(b"something new");
    let sealed = encode(KIND_META, &payload).unwrap();
    meta.later = Bytes::from_static(b"something new");
    assert_eq!(decode(&sealed), Ok(Record::Meta(meta.clone())));
    assert_eq!(encode_meta(&meta), Ok(sealed));
}
