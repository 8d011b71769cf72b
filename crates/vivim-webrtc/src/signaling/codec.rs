//! Signaling messages as bytes: an unsigned varint length, then a protobuf message.

use std::collections::VecDeque;

use prost::Message as _;

use super::Message;
use crate::limits::MAX_SIGNALING_MESSAGE;

/// Bytes of the longest length prefix that is looked at; every legal length needs at most 3.
const MAX_PREFIX: usize = 4;

/// Why bytes are not a signaling message. The session ends; there is nothing to repair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The protobuf message does not parse.
    #[error("a signaling message does not parse: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// The message does not say what it is.
    #[error("a signaling message has no type")]
    MissingType,
    /// The message is longer than [`MAX_SIGNALING_MESSAGE`].
    #[error("a signaling message of {0} bytes is longer than {MAX_SIGNALING_MESSAGE}")]
    TooLong(usize),
    /// The message is none of offer, answer and candidate.
    #[error("signaling message type {0} is unknown")]
    UnknownType(i32),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
    #[prost(enumeration = "WireType", optional, tag = "1")]
    kind: Option<i32>,
    #[prost(string, optional, tag = "2")]
    data: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
enum WireType {
    SdpOffer = 0,
    SdpAnswer = 1,
    IceCandidate = 2,
}

/// A message as bytes, its length first.
pub fn encode(message: &Message) -> Result<Vec<u8>, CodecError> {
    let (kind, data) = match message {
        Message::Answer(data) => (WireType::SdpAnswer, data),
        Message::Candidate(data) => (WireType::IceCandidate, data),
        Message::Offer(data) => (WireType::SdpOffer, data),
    };
    let wire = Wire { kind: Some(kind.into()), data: Some(data.clone()) };
    match wire.encoded_len() {
        len if len > MAX_SIGNALING_MESSAGE => Err(CodecError::TooLong(len)),
        _ => Ok(wire.encode_length_delimited_to_vec()),
    }
}

/// Takes bytes as they come and gives messages. After an error it gives nothing more.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: VecDeque<u8>,
    failed: bool,
}

impl Decoder {
    /// Adds bytes. Call [`next_message`](Self::next_message) until it gives `None` before adding
    /// more, so that no more than one message is ever kept.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.failed {
            self.buffer.extend(bytes);
        }
    }

    /// The next whole message, `None` if more bytes are needed.
    pub fn next_message(&mut self) -> Result<Option<Message>, CodecError> {
        if self.failed {
            return Ok(None);
        }
        let result = self.take();
        if result.is_err() {
            self.failed = true;
            self.buffer = VecDeque::new();
        }
        result
    }

    fn take(&mut self) -> Result<Option<Message>, CodecError> {
        let Some((prefix, len)) = self.prefix()? else { return Ok(None) };
        if self.buffer.len() < prefix + len {
            return Ok(None);
        }
        self.buffer.drain(..prefix);
        let body: Vec<u8> = self.buffer.drain(..len).collect();
        let wire = Wire::decode(body.as_slice())?;
        let data = wire.data.unwrap_or_default();
        let kind = wire.kind.ok_or(CodecError::MissingType)?;
        match WireType::try_from(kind) {
            Ok(WireType::SdpOffer) => Ok(Some(Message::Offer(data))),
            Ok(WireType::SdpAnswer) => Ok(Some(Message::Answer(data))),
            Ok(WireType::IceCandidate) => Ok(Some(Message::Candidate(data))),
            Err(_) => Err(CodecError::UnknownType(kind)),
        }
    }

    /// The bytes of the length prefix and the length.
    fn prefix(&self) -> Result<Option<(usize, usize)>, CodecError> {
        let mut len = 0usize;
        for (index, byte) in self.buffer.iter().take(MAX_PREFIX).enumerate() {
            len |= usize::from(byte & 0x7f) << (7 * index);
            if len > MAX_SIGNALING_MESSAGE {
                return Err(CodecError::TooLong(len));
            }
            if byte & 0x80 == 0 {
                return Ok(Some((index + 1, len)));
            }
        }
        // A prefix this long only makes sense for a message far beyond the limit.
        if self.buffer.len() >= MAX_PREFIX {
            Err(CodecError::TooLong(usize::MAX))
        } else {
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode_all(bytes: &[u8]) -> Result<Vec<Message>, CodecError> {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        let mut messages = Vec::new();
        while let Some(message) = decoder.next_message()? {
            messages.push(message);
        }
        Ok(messages)
    }

    #[test]
    fn an_offer_is_encoded_as_other_implementations_do() {
        let bytes = encode(&Message::Offer("v=0".into())).unwrap();
        assert_eq!(bytes, [0x07, 0x08, 0x00, 0x12, 0x03, 0x76, 0x3d, 0x30]);
        assert_eq!(decode_all(&bytes), Ok(vec![Message::Offer("v=0".into())]));
    }

    #[test]
    fn a_message_of_64_kib_is_the_longest() {
        // 2 bytes of type, 1 of tag and 3 of length stand beside the data.
        let fits = Message::Candidate("x".repeat(MAX_SIGNALING_MESSAGE - 6));
        let bytes = encode(&fits).unwrap();
        assert_eq!(bytes.len(), MAX_SIGNALING_MESSAGE + 3);
        assert_eq!(decode_all(&bytes), Ok(vec![fits]));

        let long = Message::Candidate("x".repeat(MAX_SIGNALING_MESSAGE - 5));
        assert_eq!(encode(&long), Err(CodecError::TooLong(MAX_SIGNALING_MESSAGE + 1)));
    }

    #[test]
    fn a_longer_message_is_refused_by_its_prefix_alone() {
        let mut prefix = Vec::new();
        prost::encoding::encode_varint(MAX_SIGNALING_MESSAGE as u64 + 1, &mut prefix);
        assert_eq!(decode_all(&prefix), Err(CodecError::TooLong(MAX_SIGNALING_MESSAGE + 1)));
        assert!(matches!(decode_all(&[0x80; 4]), Err(CodecError::TooLong(_))));
    }

    #[test]
    fn messages_without_a_known_type_are_refused() {
        assert_eq!(decode_all(&[0x00]), Err(CodecError::MissingType));
        assert_eq!(decode_all(&[0x02, 0x08, 0x03]), Err(CodecError::UnknownType(3)));
        assert!(matches!(decode_all(&[0x01, 0xff]), Err(CodecError::Malformed(_))));
    }

    #[test]
    fn nothing_follows_an_error() {
        let mut decoder = Decoder::default();
        decoder.push(&[0x00]);
        assert!(decoder.next_message().is_err());
        decoder.push(&encode(&Message::Offer(String::new())).unwrap());
        assert_eq!(decoder.next_message(), Ok(None));
    }

    fn message() -> impl Strategy<Value = Message> {
        (0..3, ".{0,80}").prop_map(|(kind, data)| match kind {
            0 => Message::Answer(data),
            1 => Message::Candidate(data),
            _ => Message::Offer(data),
        })
    }

    proptest! {
        #[test]
        fn messages_survive_any_fragmentation(
            messages in prop::collection::vec(message(), 0..8),
            sizes in prop::collection::vec(1usize..40, 1..20),
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(|m| encode(m).unwrap()).collect();
            let mut decoder = Decoder::default();
            let mut decoded = Vec::new();
            let (mut rest, mut sizes) = (bytes.as_slice(), sizes.iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                decoder.push(now);
                while let Some(message) = decoder.next_message().unwrap() {
                    decoded.push(message);
                }
                rest = later;
            }
            prop_assert_eq!(decoded, messages);
        }

        #[test]
        fn any_bytes_give_messages_or_a_typed_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode_all(&bytes);
        }

        #[test]
        fn perturbed_messages_give_messages_or_a_typed_error(
            message in message(), at in any::<prop::sample::Index>(), bit in 0u8..8,
        ) {
            let mut bytes = encode(&message).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let _ = decode_all(&bytes);
        }
    }
}
