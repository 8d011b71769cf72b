//! The bodies of the messages.

use bytes::Bytes;

use super::{AckLevel, CloseCode, SyncError, VERSION};
use crate::{
    id::DocId,
    limits::{MAX_AUTHOR, MAX_CAPABILITY, MAX_DEPS},
    wire::{Reader, WireError, put_bytes, put_uvarint},
};

/// The numbers of the kinds.
pub(super) mod kind {
    pub(in crate::sync) const OPEN: u8 = 1;
    pub(in crate::sync) const SUMMARY: u8 = 2;
    pub(in crate::sync) const UPDATE: u8 = 3;
    pub(in crate::sync) const AWARENESS: u8 = 4;
    pub(in crate::sync) const ACK: u8 = 5;
    pub(in crate::sync) const CREDIT: u8 = 6;
    pub(in crate::sync) const CLOSE: u8 = 7;
}

/// The plain mode: payloads of y-protocols.
pub(super) const MODE_PLAIN: u8 = 0;

/// "This answers your summary."
const FLAG_ANSWER: u8 = 1;

/// "Send me your summary."
const FLAG_WANT: u8 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) mode: u8,
    pub(super) doc: DocId,
    pub(super) capability: Bytes,
}

impl Open {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, self.mode];
        out.extend_from_slice(&self.doc.0);
        put_bytes(&mut out, &self.capability);
        out
    }

    pub(super) fn decode(body: Bytes) -> Result<Self, SyncError> {
        let mut reader = Reader::new(body);
        let theirs = reader.u8()?;
        if theirs != VERSION {
            return Err(SyncError::UnsupportedVersion { theirs });
        }
        let mode = reader.u8()?;
        let doc = DocId(reader.array32()?);
        let capability = reader.bytes(MAX_CAPABILITY)?;
        reader.finish()?;
        Ok(Self { mode, doc, capability })
    }
}

/// An empty payload is a bare request for the other side's summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) want: bool,
    pub(super) payload: Bytes,
}

impl Summary {
    /// What goes in front of the payload.
    pub(super) fn header(&self) -> Bytes {
        Bytes::from_static(if self.want { &[FLAG_WANT] } else { &[0] })
    }

    pub(super) fn decode(body: Bytes) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        // Flags of later versions are hints; none may be needed to understand the payload.
        let want = reader.u8()? & FLAG_WANT != 0;
        Ok(Self { want, payload: reader.rest() })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Update {
    pub(super) answer: bool,
    /// Empty in the plain mode.
    pub(super) author: Bytes,
    pub(super) seq: u64,
    /// Empty in the plain mode.
    pub(super) deps: Vec<Bytes>,
    pub(super) payload: Bytes,
}

impl Update {
    /// An update of the plain mode.
    pub(super) fn plain(seq: u64, answer: bool, payload: Bytes) -> Self {
        Self { answer, author: Bytes::new(), seq, deps: Vec::new(), payload }
    }

    /// What goes in front of the payload.
    pub(super) fn header(&self) -> Bytes {
        let mut out = vec![if self.answer { FLAG_ANSWER } else { 0 }];
        put_bytes(&mut out, &self.author);
        put_uvarint(&mut out, self.seq);
        put_uvarint(&mut out, self.deps.len() as u64);
        for dep in &self.deps {
            put_bytes(&mut out, dep);
        }
        out.into()
    }

    pub(super) fn decode(body: Bytes) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        let answer = reader.u8()? & FLAG_ANSWER != 0;
        let author = reader.bytes(MAX_AUTHOR)?;
        let seq = reader.uvarint()?;
        let count = reader.length(MAX_DEPS)?;
        let mut deps = Vec::with_capacity(count);
        for _ in 0..count {
            deps.push(reader.bytes(MAX_AUTHOR)?);
        }
        Ok(Self { answer, author, seq, deps, payload: reader.rest() })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    /// `None` for a level of a later version.
    pub(super) level: Option<AckLevel>,
    pub(super) seq: u64,
}

impl Ack {
    pub(super) fn encode(level: AckLevel, seq: u64) -> Vec<u8> {
        let mut out = vec![match level {
            AckLevel::Applied => 1,
            AckLevel::Stored => 2,
        }];
        put_uvarint(&mut out, seq);
        out
    }

    pub(super) fn decode(body: Bytes) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        let level = match reader.u8()? {
            1 => Some(AckLevel::Applied),
            2 => Some(AckLevel::Stored),
            _ => None,
        };
        let seq = reader.uvarint()?;
        reader.finish()?;
        Ok(Self { level, seq })
    }
}

pub(super) fn encode_credit(bytes: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_uvarint(&mut out, bytes);
    out
}

pub(super) fn decode_credit(body: Bytes) -> Result<u64, WireError> {
    let mut reader = Reader::new(body);
    let bytes = reader.uvarint()?;
    reader.finish()?;
    Ok(bytes)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Close {
    /// The receiver's channel that ends too, or 0.
    pub(super) yours: u64,
    pub(super) code: CloseCode,
}

impl Close {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_uvarint(&mut out, self.yours);
        out.push(self.code.code());
        out
    }

    pub(super) fn decode(body: Bytes) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        let yours = reader.uvarint()?;
        let code = CloseCode::from_code(reader.u8()?);
        reader.finish()?;
        Ok(Self { yours, code })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(max: usize) -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..=max).prop_map(Bytes::from)
    }

    fn joined(header: &Bytes, payload: &Bytes) -> Bytes {
        [header.as_ref(), payload.as_ref()].concat().into()
    }

    fn update() -> impl Strategy<Value = Update> {
        let deps = prop::collection::vec(bytes(MAX_AUTHOR), 0..=MAX_DEPS);
        (any::<bool>(), bytes(MAX_AUTHOR), 0..=u64::MAX >> 1, deps, bytes(300)).prop_map(
            |(answer, author, seq, deps, payload)| Update { answer, author, seq, deps, payload },
        )
    }

    proptest! {
        #[test]
        fn an_open_is_read_back(mode: u8, doc: [u8; 32], capability in bytes(500)) {
            let open = Open { mode, doc: DocId(doc), capability };
            prop_assert_eq!(Open::decode(open.encode().into()), Ok(open));
        }

        #[test]
        fn a_summary_is_read_back(want: bool, payload in bytes(300)) {
            let summary = Summary { want, payload };
            let body = joined(&summary.header(), &summary.payload);
            prop_assert_eq!(Summary::decode(body), Ok(summary));
        }

        #[test]
        fn an_update_is_read_back_and_leaves_room_for_its_payload(update in update()) {
            let header = update.header();
            let most = crate::limits::MAX_MESSAGE - crate::limits::MAX_PAYLOAD;
            prop_assert!(header.len() <= most);
            prop_assert_eq!(Update::decode(joined(&header, &update.payload)), Ok(update));
        }

        #[test]
        fn a_perturbed_update_is_an_error_or_another_update(
            update in update(), at in any::<prop::sample::Index>(), bit in 0..8u32,
        ) {
            let mut body = joined(&update.header(), &update.payload).to_vec();
            let at = at.index(body.len());
            // The first byte's other bits are flags of later versions.
            prop_assume!(at > 0 || bit == 0);
            body[at] ^= 1 << bit;
            prop_assert_ne!(Update::decode(body.into()), Ok(update));
        }

        #[test]
        fn the_small_ones_are_read_back(seq in 0..=u64::MAX >> 1, stored: bool, code: u8) {
            let level = if stored { AckLevel::Stored } else { AckLevel::Applied };
            let ack = Ack { level: Some(level), seq };
            prop_assert_eq!(Ack::decode(Ack::encode(level, seq).into()), Ok(ack));
            prop_assert_eq!(decode_credit(encode_credit(seq).into()), Ok(seq));
            let close = Close { yours: seq, code: CloseCode::from_code(code) };
            prop_assert_eq!(Close::decode(close.encode().into()), Ok(close));
        }

        #[test]
        fn any_bytes_are_survived(body in bytes(120)) {
            let _ = Open::decode(body.clone());
            let _ = Summary::decode(body.clone());
            let _ = Update::decode(body.clone());
            let _ = Ack::decode(body.clone());
            let _ = Close::decode(body.clone());
            let _ = decode_credit(body);
        }
    }

    #[test]
    fn an_open_of_another_version_says_which() {
        let body = Bytes::from_static(&[9, 1, 2, 3]);
        assert_eq!(Open::decode(body), Err(SyncError::UnsupportedVersion { theirs: 9 }));
    }

    #[test]
    fn too_many_dependencies_are_refused_before_any_is_read() {
        let body = Bytes::from_static(&[0, 0, 1, 65]);
        assert_eq!(Update::decode(body), Err(WireError::TooLong { len: 65, max: MAX_DEPS }));
    }
}
