//! Stream frames as bytes: an unsigned varint length, then a protobuf message with at most a flag,
//! a payload and a credit limit.
//!
//! Written by hand and not by prost because a payload must not be copied twice: decoding slices
//! it out of the message it came in, encoding appends it to the buffer that is sent. A property
//! test compares both directions with prost.

use bytes::{Buf, Bytes, BytesMut};

use crate::limits::MAX_FRAME;

/// A flag of the stream protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Flag {
    /// The sender will send no more payload.
    Fin = 0,
    /// The sender will read no more payload.
    StopSending = 1,
    /// The sender has given up sending; what is in flight may be lost.
    ResetStream = 2,
    /// The sender has received FIN.
    FinAck = 3,
}

/// One frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// A flag, if any. Flags unknown to this crate are read as none.
    pub flag: Option<Flag>,
    /// Payload; empty if there is none.
    pub payload: Bytes,
    /// An extension of this crate: the number of payload bytes, counted from the start of the
    /// stream, that the sender of this frame is ready to receive.
    pub credit: Option<u64>,
}

/// Why bytes are not a frame. The stream is reset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The protobuf message does not parse.
    #[error("a stream frame does not parse")]
    Malformed,
    /// The frame is longer than [`MAX_FRAME`].
    #[error("a stream frame of {0} bytes is longer than {MAX_FRAME}")]
    TooLong(u64),
}

const TAG_FLAG: u64 = 1 << 3;
const TAG_PAYLOAD: u64 = 2 << 3 | 2;
const TAG_CREDIT: u64 = 3 << 3;

impl Frame {
    /// Appends a frame to a buffer. The payload must leave room for the rest: see
    /// [`MAX_PAYLOAD`](crate::limits::MAX_PAYLOAD) and [`CREDIT_COST`](crate::limits::CREDIT_COST).
    pub fn encode(flag: Option<Flag>, payload: &[u8], credit: Option<u64>, buffer: &mut Vec<u8>) {
        let mut head = [0; 24];
        let mut used = 0;
        let mut put = |value: u64| {
            let mut value = value;
            while value >= 0x80 {
                head[used] = value as u8 | 0x80;
                value >>= 7;
                used += 1;
            }
            head[used] = value as u8;
            used += 1;
        };
        if let Some(flag) = flag {
            put(TAG_FLAG);
            put(flag as u64);
        }
        if let Some(credit) = credit {
            put(TAG_CREDIT);
            put(credit);
        }
        if !payload.is_empty() {
            put(TAG_PAYLOAD);
            put(payload.len() as u64);
        }
        let head = &head[..used];
        let mut len = head.len() + payload.len();
        while len >= 0x80 {
            buffer.push(len as u8 | 0x80);
            len >>= 7;
        }
        buffer.push(len as u8);
        buffer.extend_from_slice(head);
        buffer.extend_from_slice(payload);
    }

    /// Reads a frame's protobuf message.
    fn decode(mut bytes: Bytes) -> Result<Self, FrameError> {
        let mut frame = Self::default();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes)?;
            match tag {
                TAG_FLAG => frame.flag = flag(varint(&mut bytes)?),
                TAG_CREDIT => frame.credit = Some(varint(&mut bytes)?),
                TAG_PAYLOAD => frame.payload = take(&mut bytes)?,
                tag if tag >> 3 == 0 => return Err(FrameError::Malformed),
                tag => match tag & 7 {
                    0 => drop(varint(&mut bytes)?),
                    1 => skip(&mut bytes, 8)?,
                    2 => drop(take(&mut bytes)?),
                    5 => skip(&mut bytes, 4)?,
                    _ => return Err(FrameError::Malformed),
                },
            }
        }
        Ok(frame)
    }
}

fn flag(value: u64) -> Option<Flag> {
    [Flag::Fin, Flag::StopSending, Flag::ResetStream, Flag::FinAck]
        .into_iter()
        .find(|flag| *flag as u64 == value)
}

fn varint(bytes: &mut Bytes) -> Result<u64, FrameError> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = bytes.try_get_u8().map_err(|_| FrameError::Malformed)?;
        // The tenth byte has room for one bit.
        if shift == 63 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(FrameError::Malformed)
}

fn take(bytes: &mut Bytes) -> Result<Bytes, FrameError> {
    match usize::try_from(varint(bytes)?) {
        Ok(len) if len <= bytes.len() => Ok(bytes.split_to(len)),
        _ => Err(FrameError::Malformed),
    }
}

fn skip(bytes: &mut Bytes, len: usize) -> Result<(), FrameError> {
    if len > bytes.len() {
        return Err(FrameError::Malformed);
    }
    bytes.advance(len);
    Ok(())
}

/// Takes the messages of a channel and gives frames.
///
/// Everybody sends one frame in one message, but nothing says so; a frame may be cut into several
/// messages and a message may hold several frames. The usual case copies nothing.
#[derive(Debug, Default)]
pub struct Decoder {
    /// A started frame.
    partial: BytesMut,
    /// What is left of the last message.
    message: Bytes,
}

impl Decoder {
    /// Adds a message. Call [`next_frame`](Self::next_frame) until it gives `None` before adding
    /// more, so that no more than one frame is ever kept.
    pub fn push(&mut self, message: Bytes) {
        if self.partial.is_empty() {
            self.message = message;
        } else {
            self.partial.extend_from_slice(&message);
            self.message = std::mem::take(&mut self.partial).freeze();
        }
    }

    /// The next whole frame, `None` if more bytes are needed.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.message.is_empty() {
            return Ok(None);
        }
        let mut rest = self.message.clone();
        let Some(len) = Self::prefix(&mut rest)? else {
            return Ok(self.keep());
        };
        if rest.len() < len {
            return Ok(self.keep());
        }
        let body = rest.split_to(len);
        self.message = rest;
        Frame::decode(body).map(Some)
    }

    /// Keeps the start of a frame for the next message.
    fn keep(&mut self) -> Option<Frame> {
        self.partial = BytesMut::from(std::mem::take(&mut self.message));
        None
    }

    /// Reads the length, if all of it is there.
    fn prefix(bytes: &mut Bytes) -> Result<Option<usize>, FrameError> {
        let complete = bytes.iter().take(10).any(|byte| byte & 0x80 == 0);
        if !complete {
            // Three bytes reach beyond the limit already.
            return if bytes.len() > 2 { Err(FrameError::TooLong(u64::MAX)) } else { Ok(None) };
        }
        let before = bytes.len();
        let len = varint(bytes)?;
        match usize::try_from(len) {
            Ok(fits) if fits <= MAX_FRAME - (before - bytes.len()) => Ok(Some(fits)),
            _ => Err(FrameError::TooLong(len)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;
    use crate::limits::{CREDIT_COST, MAX_PAYLOAD};

    #[derive(Clone, PartialEq, prost::Message)]
    struct Reference {
        #[prost(int32, optional, tag = "1")]
        flag: Option<i32>,
        #[prost(bytes = "vec", optional, tag = "2")]
        message: Option<Vec<u8>>,
        #[prost(uint64, optional, tag = "3")]
        credit: Option<u64>,
    }

    fn encode(flag: Option<Flag>, payload: &[u8], credit: Option<u64>) -> Bytes {
        let mut buffer = Vec::new();
        Frame::encode(flag, payload, credit, &mut buffer);
        buffer.into()
    }

    fn decode_all(messages: impl IntoIterator<Item = Bytes>) -> Result<Vec<Frame>, FrameError> {
        let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
        for message in messages {
            decoder.push(message);
            while let Some(frame) = decoder.next_frame()? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    #[test]
    fn the_largest_frames_are_exactly_as_long_as_allowed() {
        let frame = encode(None, &vec![7; MAX_PAYLOAD], None);
        assert_eq!(frame.len(), MAX_FRAME);
        assert_eq!(decode_all([frame]).unwrap()[0].payload.len(), MAX_PAYLOAD);
        let frame = encode(None, &vec![7; MAX_PAYLOAD - CREDIT_COST], Some(u64::MAX));
        assert_eq!(frame.len(), MAX_FRAME);
        assert!(decode_all([frame]).is_ok());
    }

    #[test]
    fn a_frame_of_17_kib_is_refused_by_its_prefix() {
        let frame = encode(None, &[0; 17 * 1024], None);
        assert_eq!(decode_all([frame.clone()]), Err(FrameError::TooLong(17 * 1024 + 4)));
        assert_eq!(decode_all([frame.slice(..3)]), Err(FrameError::TooLong(17 * 1024 + 4)));
        assert!(matches!(
            decode_all([Bytes::from_static(&[0xff; 9])]),
            Err(FrameError::TooLong(_))
        ));
    }

    #[test]
    fn a_length_of_any_size_is_refused() {
        // With its own prefix some are beyond what a `usize` holds.
        for len in [MAX_FRAME as u64, u64::from(u32::MAX) - 4, u32::MAX.into(), u64::MAX] {
            let mut prefix = Vec::new();
            prost::encoding::encode_varint(len, &mut prefix);
            assert_eq!(decode_all([prefix.into()]), Err(FrameError::TooLong(len)));
        }
    }

    #[test]
    fn flags_and_fields_of_other_versions_are_skipped() {
        // flag = 9, field 9 of every wire type, then a payload.
        let body = [
            0x08, 9, 0x48, 5, 0x49, 1, 2, 3, 4, 5, 6, 7, 8, 0x4a, 1, 0, 0x4d, 1, 2, 3, 4, 0x12, 1,
            42,
        ];
        let bytes: Vec<u8> = std::iter::once(body.len() as u8).chain(body).collect();
        let frames = decode_all([Bytes::from(bytes)]).unwrap();
        assert_eq!(frames, [Frame { payload: Bytes::from_static(&[42]), ..Frame::default() }]);
    }

    fn any_flag() -> impl Strategy<Value = Option<Flag>> {
        (0u64..5).prop_map(flag)
    }

    proptest! {
        #[test]
        fn encoding_agrees_with_prost(
            flag in any_flag(),
            payload in prop::collection::vec(any::<u8>(), 0..300),
            credit in any::<Option<u64>>(),
        ) {
            let bytes = encode(flag, &payload, credit);
            let reference = Reference::decode_length_delimited(bytes.clone()).unwrap();
            prop_assert_eq!(reference.flag, flag.map(|flag| flag as i32));
            prop_assert_eq!(reference.message.unwrap_or_default(), payload.clone());
            prop_assert_eq!(reference.credit, credit);
            let frame = Frame { flag, payload: payload.into(), credit };
            prop_assert_eq!(decode_all([bytes]), Ok(vec![frame]));
        }

        #[test]
        fn decoding_agrees_with_prost(
            number in prop::option::of(-1i32..5),
            message in prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
            credit in any::<Option<u64>>(),
        ) {
            let reference = Reference { flag: number, message: message.clone(), credit };
            let frames = decode_all([reference.encode_length_delimited_to_vec().into()]).unwrap();
            let flag = number.and_then(|number| flag(number as u64));
            let payload = message.unwrap_or_default().into();
            prop_assert_eq!(frames, vec![Frame { flag, payload, credit }]);
        }

        #[test]
        fn frames_survive_any_fragmentation(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 0..8),
            sizes in prop::collection::vec(1usize..80, 1..20),
        ) {
            let bytes: Vec<u8> =
                payloads.iter().flat_map(|payload| encode(None, payload, None)).collect();
            let (mut rest, mut sizes) = (Bytes::from(bytes), sizes.iter().cycle());
            let messages = std::iter::from_fn(|| {
                (!rest.is_empty()).then(|| rest.split_to(rest.len().min(*sizes.next().unwrap())))
            });
            let decoded: Vec<Bytes> =
                decode_all(messages).unwrap().into_iter().map(|frame| frame.payload).collect();
            prop_assert_eq!(decoded, payloads);
        }

        #[test]
        fn any_bytes_give_frames_or_a_typed_error(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6),
        ) {
            let _ = decode_all(messages.into_iter().map(Bytes::from));
        }
    }
}
