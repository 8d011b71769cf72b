//! Reading and writing bytes: unsigned varints, bounded byte strings, typed errors.
//!
//! Decoding is strict: one value has one encoding, and nothing is reserved on the word of a length
//! that the input doesn't back.

use bytes::{Buf, Bytes, BytesMut};

/// Bytes of the longest accepted varint: 63 bits.
pub const MAX_UVARINT: usize = 9;

/// Why bytes could not be decoded. The peer that sent them is broken or hostile; drop its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The input ends in the middle of a value.
    #[error("the input ends in the middle of a value")]
    Truncated,
    /// A varint has more than nine bytes, or more bytes than its value needs.
    #[error("a varint is longer than its value needs, or than nine bytes")]
    BadVarint,
    /// A length is above its limit; the limit is in [`crate::limits`].
    #[error("a length of {len} is above the limit of {max}")]
    TooLong {
        /// The length that was read.
        len: u64,
        /// The limit.
        max: usize,
    },
    /// A field has a value that this version doesn't know and may not skip.
    #[error("the value {0} of a field is not known")]
    UnknownValue(u64),
    /// Bytes are left behind the last field.
    #[error("{0} bytes are left behind the last field")]
    Trailing(usize),
}

/// Bytes that [`put_uvarint`] appends for `value`.
pub const fn uvarint_len(value: u64) -> usize {
    let bits = 64 - value.leading_zeros() as usize;
    if bits == 0 { 1 } else { bits.div_ceil(7) }
}

/// Appends `value` as an unsigned varint.
///
/// Values of 2⁶³ and above would need ten bytes, which no reader accepts; nothing in these
/// protocols gets there, and such a value is written as 2⁶³ − 1.
pub fn put_uvarint(out: &mut Vec<u8>, value: u64) {
    let mut value = value.min(u64::MAX >> 1);
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends the length of `bytes` and `bytes`.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_uvarint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads one varint from the front of `input`: its value and its length.
///
/// `Ok(None)` means that it is not all there yet.
#[inline]
pub fn read_uvarint(input: &[u8]) -> Result<Option<(u64, usize)>, WireError> {
    let mut value = 0u64;
    for (index, byte) in input.iter().take(MAX_UVARINT).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let minimal = *byte != 0 || index == 0;
            return if minimal { Ok(Some((value, index + 1))) } else { Err(WireError::BadVarint) };
        }
    }
    if input.len() < MAX_UVARINT { Ok(None) } else { Err(WireError::BadVarint) }
}

/// Takes values from the front of a message.
#[derive(Debug)]
pub struct Reader {
    input: Bytes,
}

impl Reader {
    /// Reads from `input`, which is one whole message.
    pub fn new(input: Bytes) -> Self {
        Self { input }
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        self.input.try_get_u8().map_err(|_| WireError::Truncated)
    }

    /// One varint.
    pub fn uvarint(&mut self) -> Result<u64, WireError> {
        let (value, len) = read_uvarint(&self.input)?.ok_or(WireError::Truncated)?;
        self.input.advance(len);
        Ok(value)
    }

    /// One varint that must fit 32 bits.
    pub fn uvarint32(&mut self) -> Result<u32, WireError> {
        let value = self.uvarint()?;
        u32::try_from(value).map_err(|_| WireError::UnknownValue(value))
    }

    /// A varint that counts something of which there are at most `max`.
    pub fn length(&mut self, max: usize) -> Result<usize, WireError> {
        let len = self.uvarint()?;
        match usize::try_from(len) {
            Ok(fits) if fits <= max => Ok(fits),
            _ => Err(WireError::TooLong { len, max }),
        }
    }

    /// A length-prefixed byte string of at most `max` bytes, sharing the input's memory.
    pub fn bytes(&mut self, max: usize) -> Result<Bytes, WireError> {
        let len = self.length(max)?;
        self.take(len)
    }

    /// Exactly 32 bytes.
    pub fn array32(&mut self) -> Result<[u8; 32], WireError> {
        let mut out = [0; 32];
        self.input.try_copy_to_slice(&mut out).map_err(|_| WireError::Truncated)?;
        Ok(out)
    }

    /// Everything that is left.
    pub fn rest(self) -> Bytes {
        self.input
    }

    /// Succeeds if nothing is left.
    pub fn finish(self) -> Result<(), WireError> {
        if self.input.is_empty() { Ok(()) } else { Err(WireError::Trailing(self.input.len())) }
    }

    fn take(&mut self, len: usize) -> Result<Bytes, WireError> {
        if len > self.input.len() {
            return Err(WireError::Truncated);
        }
        Ok(self.input.split_to(len))
    }
}

/// Cuts a byte stream into length-prefixed frames, whatever the pieces it arrives in.
///
/// Holds what was pushed and not yet taken, and no more than one frame once
/// [`next`](Self::next) has returned `Ok(None)`: nothing is reserved for a frame that was only
/// announced.
#[derive(Debug)]
pub(crate) struct LengthDecoder {
    buffer: BytesMut,
    max: usize,
}

impl LengthDecoder {
    /// Frames of at most `max` bytes behind their prefix.
    pub(crate) fn new(max: usize) -> Self {
        Self { buffer: BytesMut::new(), max }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame without its prefix. An error is final: the stream has lost its place.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, WireError> {
        let Some((len, prefix)) = read_uvarint(&self.buffer)? else { return Ok(None) };
        let max = self.max;
        let len = match usize::try_from(len) {
            Ok(fits) if fits <= max => fits,
            _ => return Err(WireError::TooLong { len, max }),
        };
        if self.buffer.len() - prefix < len {
            return Ok(None);
        }
        self.buffer.advance(prefix);
        Ok(Some(self.buffer.split_to(len).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put_uvarint(&mut out, value);
        out
    }

    proptest! {
        #[test]
        fn a_varint_is_read_back_and_has_the_length_announced(value in 0..=u64::MAX >> 1) {
            let bytes = encoded(value);
            prop_assert_eq!(bytes.len(), uvarint_len(value));
            prop_assert_eq!(read_uvarint(&bytes), Ok(Some((value, bytes.len()))));
        }

        #[test]
        fn any_bytes_give_a_value_a_wait_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            if let Ok(Some((value, len))) = read_uvarint(&bytes) {
                prop_assert_eq!(encoded(value), &bytes[..len]);
            }
        }

        #[test]
        fn frames_are_the_same_however_the_stream_is_cut(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..10),
            cuts in prop::collection::vec(1usize..40, 1..20),
        ) {
            let mut stream = Vec::new();
            for frame in &frames {
                put_bytes(&mut stream, frame);
            }
            let mut decoder = LengthDecoder::new(300);
            let mut seen = Vec::new();
            let mut cuts = cuts.iter().cycle();
            while !stream.is_empty() {
                let cut = (*cuts.next().unwrap()).min(stream.len());
                let rest = stream.split_off(cut);
                decoder.push(&stream);
                stream = rest;
                while let Some(frame) = decoder.next().unwrap() {
                    seen.push(frame.to_vec());
                }
            }
            prop_assert_eq!(seen, frames);
        }
    }

    #[test]
    fn a_varint_with_a_needless_byte_is_refused() {
        assert_eq!(read_uvarint(&[0x80, 0x00]), Err(WireError::BadVarint));
        assert_eq!(read_uvarint(&[0x00]), Ok(Some((0, 1))));
    }

    #[test]
    fn a_varint_of_ten_bytes_is_refused_without_waiting_for_its_end() {
        assert_eq!(read_uvarint(&[0xff; 9]), Err(WireError::BadVarint));
        assert_eq!(read_uvarint(&[0xff; 8]), Ok(None));
    }

    #[test]
    fn a_frame_above_the_limit_is_refused_at_its_prefix() {
        let mut decoder = LengthDecoder::new(10);
        decoder.push(&[11]);
        assert_eq!(decoder.next(), Err(WireError::TooLong { len: 11, max: 10 }));
    }

    #[test]
    fn a_length_that_the_input_does_not_back_is_truncated() {
        let mut reader = Reader::new(Bytes::from_static(&[5, 1, 2]));
        assert_eq!(reader.bytes(100), Err(WireError::Truncated));
    }
}
