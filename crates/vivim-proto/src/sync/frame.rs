//! Frames: the unit that is sent, and at which channels take turns.

use bytes::Bytes;

use super::SyncError;
use crate::{
    limits::{MAX_FRAME, MAX_FRAME_BODY},
    wire::{LengthDecoder, Reader, put_uvarint, uvarint_len},
};

/// The bit of the kind's byte that says that more fragments of the message follow.
const MORE: u8 = 0x80;

/// Bytes of the largest length prefix: what [`MAX_FRAME`] needs.
const PREFIX: usize = 2;

/// One frame, decoded as far as its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the body is; kinds that aren't known are skipped.
    pub kind: u8,
    /// Whether more fragments of the message follow.
    pub more: bool,
    /// The channel.
    pub channel: u64,
    /// The message, or a fragment of it.
    pub body: Bytes,
}

impl Frame {
    /// Bytes of the encoded frame.
    pub fn encoded_len(&self) -> usize {
        let len = self.len_behind_prefix();
        uvarint_len(len as u64) + len
    }

    /// The frame with its length prefix.
    ///
    /// A body longer than [`MAX_FRAME_BODY`] would make a frame that no peer accepts.
    pub fn encode(&self) -> Bytes {
        debug_assert!(self.body.len() <= MAX_FRAME_BODY);
        encode_parts(self.kind, self.more, self.channel, &[&self.body])
    }

    /// The frame without its length prefix.
    fn decode(bytes: Bytes) -> Result<Self, SyncError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8()?;
        let channel = reader.uvarint()?;
        Ok(Self { kind: kind & !MORE, more: kind & MORE != 0, channel, body: reader.rest() })
    }

    fn len_behind_prefix(&self) -> usize {
        1 + uvarint_len(self.channel) + self.body.len()
    }
}

/// Takes frames from a byte stream, whatever the pieces it arrives in.
///
/// Call [`push`](Self::push) with what was read, then [`next`](Self::next) until it returns
/// `Ok(None)`; then no more than one unfinished frame is held.
#[derive(Debug)]
pub struct FrameDecoder {
    frames: LengthDecoder,
}

impl FrameDecoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self { frames: LengthDecoder::new(MAX_FRAME - PREFIX) }
    }

    /// Adds what was read from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.frames.push(bytes);
    }

    /// The next frame, or `None` until more has been read.
    ///
    /// An error is final: the stream has lost its place and must be dropped.
    #[allow(clippy::should_implement_trait)] // an iterator would end at the first `None`
    pub fn next(&mut self) -> Result<Option<Frame>, SyncError> {
        self.frames.next()?.map(Frame::decode).transpose()
    }
}

impl Default for FrameDecoder {
    fn default() -> Self {
        Self::new()
    }
}

/// An encoded frame whose body is in pieces, so that a large payload is copied only once.
pub(super) fn encode_parts(kind: u8, more: bool, channel: u64, body: &[&[u8]]) -> Bytes {
    let len = 1 + uvarint_len(channel) + body.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(uvarint_len(len as u64) + len);
    put_uvarint(&mut out, len as u64);
    out.push(kind & !MORE | if more { MORE } else { 0 });
    put_uvarint(&mut out, channel);
    for part in body {
        out.extend_from_slice(part);
    }
    out.into()
}

/// How many bytes of body fit a frame on this channel; the channel's number takes some room.
pub(super) fn max_body(channel: u64) -> usize {
    (MAX_FRAME - PREFIX - 1 - uvarint_len(channel)).min(MAX_FRAME_BODY)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::WireError;

    fn frame() -> impl Strategy<Value = Frame> {
        let body = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..100),
            prop::collection::vec(any::<u8>(), MAX_FRAME_BODY - 2..=MAX_FRAME_BODY),
        ];
        (0u8..0x80, any::<bool>(), 0..=u64::MAX >> 1, body).prop_map(
            |(kind, more, channel, body)| Frame { kind, more, channel, body: body.into() },
        )
    }

    proptest! {
        #[test]
        fn a_frame_is_read_back_and_has_the_length_announced(frame in frame()) {
            let bytes = frame.encode();
            prop_assert_eq!(bytes.len(), frame.encoded_len());
            prop_assert!(bytes.len() <= MAX_FRAME);
            let mut decoder = FrameDecoder::new();
            decoder.push(&bytes);
            prop_assert_eq!(decoder.next(), Ok(Some(frame)));
            prop_assert_eq!(decoder.next(), Ok(None));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = FrameDecoder::new();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next() {}
        }

        #[test]
        fn a_perturbed_frame_is_an_error_a_wait_or_another_frame(
            frame in frame(), at in any::<prop::sample::Index>(), bit in 0..8u32,
        ) {
            let mut bytes = frame.encode().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let mut decoder = FrameDecoder::new();
            decoder.push(&bytes);
            if let Ok(Some(other)) = decoder.next() {
                prop_assert_ne!(other, frame);
            }
        }
    }

    #[test]
    fn the_largest_body_makes_the_largest_frame() {
        let channel = 5;
        let body = vec![0; MAX_FRAME - PREFIX - 2].into();
        let frame = Frame { kind: 3, more: true, channel, body };
        assert_eq!(frame.encoded_len(), MAX_FRAME);
        assert!(max_body(channel) <= frame.body.len());
    }

    #[test]
    fn a_frame_of_17_kib_is_refused_at_its_prefix() {
        let mut prefix = Vec::new();
        put_uvarint(&mut prefix, 17 * 1024);
        let mut decoder = FrameDecoder::new();
        decoder.push(&prefix);
        assert!(matches!(decoder.next(), Err(SyncError::Wire(WireError::TooLong { .. }))));
    }
}
