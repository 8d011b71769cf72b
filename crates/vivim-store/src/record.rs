//! The bytes of one record, the same in every store.
//!
//! ```text
//! version (1) ‖ kind (1) ‖ length of the payload (4, little endian) ‖ checksum (8) ‖ payload
//! ```
//!
//! The checksum is for damage, not for forgery: disks and browsers have been seen to give back the
//! half of what they were given. It is the XXH64 of the payload, little endian, with the six bytes
//! before it as the seed (little endian, too). In version 1 it was the beginning of a SHA-256, which took
//! a third of the time in which a page that was just loaded opens a document; such records are read.
//!
//! The payload of a group of updates is each of them behind its length as a varint; that of a snapshot
//! is the snapshot.
//!
//! Decoding believes nothing: any bytes give a record or a [`RecordError`], and nothing is reserved
//! on the word of a length.
//!
//! All later versions have this header and checksum. So a record of a version or kind that isn't known
//! here is told from a damaged one: it is [`RecordError::Newer`], and is left as it is.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use twox_hash::XxHash64;
use vivim_proto::wire::{Reader, WireError, put_bytes};

use crate::limits::{GROUP_BYTES, MAX_PAYLOAD, MAX_UPDATES_PER_RECORD};
use crate::meta::DocumentMeta;

/// Bytes of a record without its payload.
pub const HEADER: usize = 14;

/// The version of the format that this code writes.
const VERSION: u8 = 2;

/// The version before, which is read: it differs in the checksum.
const VERSION_SHA: u8 = 1;

const KIND_SNAPSHOT: u8 = 1;
const KIND_UPDATES: u8 = 2;
const KIND_META: u8 = 3;

const CHECKSUM_AT: usize = 6;

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Record {
    /// What is known about a document besides its content.
    Meta(DocumentMeta),
    /// The whole state of a document, as it was at some time.
    Snapshot(Bytes),
    /// Updates that were committed together.
    Updates(Vec<Bytes>),
}

/// Why bytes are no record, or values can't be made one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The checksum doesn't fit the rest: bytes have changed since they were written.
    #[error("the checksum doesn't fit; bytes have changed since they were written")]
    Checksum,
    /// The length in the header isn't the length of what follows: a torn write.
    #[error("{expected} bytes of payload were written, {found} are there")]
    Length {
        /// The length in the header.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The record is in the place of one of another kind.
    #[error("it is a record of another kind than belongs there")]
    Misplaced,
    /// It is intact, and was written by a newer version of this software.
    #[error("it was written by a newer version of this software (version {version}, kind {kind})")]
    Newer {
        /// The version of its format.
        version: u8,
        /// Its kind.
        kind: u8,
    },
    /// The payload isn't what its kind says, in spite of the right checksum.
    #[error("the payload can't be read: {0}")]
    Payload(#[from] WireError),
    /// A value is above its limit; the limit is in [`crate::limits`].
    #[error("{size} bytes are above the limit of {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// There are fewer bytes than a header has.
    #[error("{0} bytes are less than a record's header")]
    Truncated(usize),
}

/// The record of a whole state.
pub fn encode_snapshot(snapshot: &[u8]) -> Result<Bytes, RecordError> {
    encode(KIND_SNAPSHOT, snapshot)
}

/// The records of a group of updates: one, unless there are many or they are large. None for none.
pub fn encode_updates(updates: &[Bytes]) -> Result<Vec<Bytes>, RecordError> {
    let mut records = Vec::new();
    let mut payload = Vec::new();
    let mut count = 0;
    for update in updates {
        let is_full = count >= MAX_UPDATES_PER_RECORD || payload.len() + update.len() > GROUP_BYTES;
        if is_full && count > 0 {
            records.push(encode(KIND_UPDATES, &payload)?);
            payload.clear();
            count = 0;
        }
        put_bytes(&mut payload, update);
        count += 1;
    }
    if count > 0 {
        records.push(encode(KIND_UPDATES, &payload)?);
    }
    Ok(records)
}

/// The record of what is known about a document.
pub fn encode_meta(meta: &DocumentMeta) -> Result<Bytes, RecordError> {
    encode(KIND_META, &meta.encode()?)
}

/// Reads one record. Payloads share the memory of `bytes`.
pub fn decode(bytes: &Bytes) -> Result<Record, RecordError> {
    let (kind, payload) = checked(bytes)?;
    match kind {
        KIND_SNAPSHOT => Ok(Record::Snapshot(payload)),
        KIND_UPDATES => {
            let mut updates = Vec::new();
            let mut reader = Reader::new(payload.clone());
            let mut left = payload.len();
            while left > 0 {
                if updates.len() == MAX_UPDATES_PER_RECORD {
                    return Err(RecordError::Payload(WireError::Trailing(left)));
                }
                let update = reader.bytes(MAX_PAYLOAD)?;
                left -= vivim_proto::wire::uvarint_len(update.len() as u64) + update.len();
                updates.push(update);
            }
            Ok(Record::Updates(updates))
        }
        KIND_META => Ok(Record::Meta(DocumentMeta::decode(payload)?)),
        kind => Err(RecordError::Newer { version: VERSION, kind }),
    }
}

/// Whether a record was written by a newer version of this software: it must stay as it is then.
pub(crate) fn is_newer(bytes: &Bytes) -> bool {
    // The checksum is for those that seem to be newer only.
    !is_known(bytes) && matches!(decode(bytes), Err(RecordError::Newer { .. }))
}

/// Whether a record that begins like this is of a version and a kind that are known here.
pub(crate) fn is_known(head: &[u8]) -> bool {
    matches!(head, [VERSION | VERSION_SHA, KIND_SNAPSHOT | KIND_UPDATES | KIND_META, ..])
}

/// The kind and the payload, if length and checksum are right.
fn checked(bytes: &Bytes) -> Result<(u8, Bytes), RecordError> {
    let (Some(header), Some(payload)) = (bytes.first_chunk::<HEADER>(), bytes.get(HEADER..)) else {
        return Err(RecordError::Truncated(bytes.len()));
    };
    let [version, kind, l0, l1, l2, l3, checksum @ ..] = *header;
    let described = [version, kind, l0, l1, l2, l3];
    let expected = u32::from_le_bytes([l0, l1, l2, l3]);
    if expected as usize != payload.len() {
        let (expected, found) = (expected.into(), payload.len() as u64);
        return Err(RecordError::Length { expected, found });
    }
    // A newer version may allow for more.
    if matches!(version, VERSION | VERSION_SHA) && payload.len() > MAX_PAYLOAD {
        return Err(RecordError::TooLarge { size: payload.len(), limit: MAX_PAYLOAD });
    }
    let right =
        if version == VERSION_SHA { sha(described, payload) } else { sum(described, payload) };
    if checksum != right {
        return Err(RecordError::Checksum);
    }
    if !matches!(version, VERSION | VERSION_SHA) {
        return Err(RecordError::Newer { version, kind });
    }
    Ok((kind, bytes.slice(HEADER..)))
}

fn encode(kind: u8, payload: &[u8]) -> Result<Bytes, RecordError> {
    let too_large = RecordError::TooLarge { size: payload.len(), limit: MAX_PAYLOAD };
    if payload.len() > MAX_PAYLOAD {
        return Err(too_large);
    }
    let length = u32::try_from(payload.len()).map_err(|_| too_large)?;
    let [l0, l1, l2, l3] = length.to_le_bytes();
    let described = [VERSION, kind, l0, l1, l2, l3];
    let mut out = Vec::with_capacity(HEADER + payload.len());
    out.extend_from_slice(&described);
    out.extend_from_slice(&sum(described, payload));
    out.extend_from_slice(payload);
    Ok(out.into())
}

/// The checksum of a payload and what stands before it.
pub(crate) fn sum(described: [u8; CHECKSUM_AT], payload: &[u8]) -> [u8; 8] {
    let [a, b, c, d, e, f] = described;
    let seed = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
    XxHash64::oneshot(seed, payload).to_le_bytes()
}

/// The checksum as it was in version 1.
fn sha(described: [u8; CHECKSUM_AT], payload: &[u8]) -> [u8; 8] {
    let hash = Sha256::new().chain_update(described).chain_update(payload).finalize();
    let hash: [u8; 32] = hash.into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
