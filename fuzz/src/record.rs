//! Records from a store that something has damaged, or written.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use vivim_store::record::{Record, decode, encode_meta, encode_snapshot, encode_updates};

/// What is read can be written again, and is the same then.
pub(crate) fn run(data: &[u8]) {
    check(&Bytes::copy_from_slice(data));
    // With the right header, as no damage would leave it.
    if let Some((kind, payload)) = data.split_first()
        && let Ok(length) = u32::try_from(payload.len())
    {
        let mut record = vec![1, *kind];
        record.extend_from_slice(&length.to_le_bytes());
        let sum = Sha256::new().chain_update(&record).chain_update(payload).finalize();
        record.extend(sum.iter().take(8));
        record.extend_from_slice(payload);
        check(&record.into());
    }
}

fn check(bytes: &Bytes) {
    let Ok(record) = decode(bytes) else { return };
    let again = match &record {
        Record::Snapshot(snapshot) => encode_snapshot(snapshot).map(|record| vec![record]),
        Record::Meta(meta) => encode_meta(meta).map(|record| vec![record]),
        Record::Updates(updates) => encode_updates(updates),
        _ => return,
    };
    let again = again.unwrap_or_else(|error| panic!("what was read can't be written: {error}"));
    let read: Vec<Record> =
        again.iter().map(|bytes| decode(bytes).unwrap_or_else(|error| panic!("{error}"))).collect();
    match record {
        Record::Updates(updates) => {
            let all: Vec<Bytes> = read
                .into_iter()
                .flat_map(|record| match record {
                    Record::Updates(updates) => updates,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(all, updates);
        }
        other => assert_eq!(read, [other]),
    }
}
