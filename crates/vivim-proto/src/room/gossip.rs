//! What is published on a room's gossip topic.
//!
//! A message is a version (one byte, 1), a kind (one byte: 1 update, 2 awareness), the document's
//! id (32 bytes) and the payload.

use bytes::Bytes;

use crate::{
    id::DocId,
    limits::{MAX_GOSSIP_MESSAGE, MAX_GOSSIP_PAYLOAD},
    wire::{Reader, WireError},
};

const VERSION: u8 = 1;

/// Bytes in front of the payload.
const HEADER: usize = 2 + 32;

/// One message on a room's topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GossipMessage {
    /// The document it is about.
    pub doc: DocId,
    /// What the payload is.
    pub kind: GossipKind,
    /// An update or awareness update as in a plain sync stream; hostile until judged.
    pub payload: Bytes,
}

/// What a gossip message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GossipKind {
    /// Who is there, their cursors.
    Awareness,
    /// A change of the document.
    Update,
}

/// The payload is larger than [`MAX_GOSSIP_PAYLOAD`]. Send it by streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a payload of {0} bytes is too large for gossip")]
pub struct GossipTooLarge(pub usize);

impl GossipMessage {
    /// Bytes of the encoded message.
    pub fn encoded_len(&self) -> usize {
        HEADER + self.payload.len()
    }

    /// The message in bytes.
    pub fn encode(&self) -> Result<Vec<u8>, GossipTooLarge> {
        if self.payload.len() > MAX_GOSSIP_PAYLOAD {
            return Err(GossipTooLarge(self.payload.len()));
        }
        let mut out = Vec::with_capacity(self.encoded_len());
        out.push(VERSION);
        out.push(match self.kind {
            GossipKind::Update => 1,
            GossipKind::Awareness => 2,
        });
        out.extend_from_slice(&self.doc.0);
        out.extend_from_slice(&self.payload);
        Ok(out)
    }

    /// The message in these bytes; `None` for a version or kind that isn't known, which is to be
    /// ignored without blaming the sender.
    pub fn decode(bytes: Bytes) -> Result<Option<Self>, WireError> {
        if bytes.len() > MAX_GOSSIP_MESSAGE {
            return Err(WireError::TooLong { len: bytes.len() as u64, max: MAX_GOSSIP_MESSAGE });
        }
        let mut reader = Reader::new(bytes);
        if reader.u8()? != VERSION {
            return Ok(None);
        }
        let kind = match reader.u8()? {
            1 => GossipKind::Update,
            2 => GossipKind::Awareness,
            _ => return Ok(None),
        };
        let doc = DocId(reader.array32()?);
        let payload = reader.rest();
        if payload.len() > MAX_GOSSIP_PAYLOAD {
            let len = payload.len() as u64;
            return Err(WireError::TooLong { len, max: MAX_GOSSIP_PAYLOAD });
        }
        Ok(Some(Self { doc, kind, payload }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message() -> impl Strategy<Value = GossipMessage> {
        (any::<[u8; 32]>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)).prop_map(
            |(doc, update, payload)| GossipMessage {
                doc: DocId(doc),
                kind: if update { GossipKind::Update } else { GossipKind::Awareness },
                payload: payload.into(),
            },
        )
    }

    proptest! {
        #[test]
        fn a_message_is_read_back_and_has_the_length_announced(message in message()) {
            let bytes = message.encode().unwrap();
            prop_assert_eq!(bytes.len(), message.encoded_len());
            prop_assert_eq!(GossipMessage::decode(bytes.into()), Ok(Some(message)));
        }

        #[test]
        fn a_perturbed_message_is_an_error_or_another_message(
            message in message(), at in any::<prop::sample::Index>(), bit in 0..8u32,
        ) {
            let mut bytes = message.encode().unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_ne!(GossipMessage::decode(bytes.into()), Ok(Some(message)));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = GossipMessage::decode(bytes.into());
        }
    }

    #[test]
    fn a_payload_above_the_limit_is_refused_on_both_sides() {
        let doc = DocId([1; 32]);
        let mut message = GossipMessage {
            doc,
            kind: GossipKind::Update,
            payload: vec![0; MAX_GOSSIP_PAYLOAD].into(),
        };
        let mut bytes = message.encode().unwrap();
        bytes.push(0);
        assert!(matches!(
            GossipMessage::decode(bytes.into()),
            Err(WireError::TooLong { max: MAX_GOSSIP_PAYLOAD, .. })
        ));
        message.payload = vec![0; MAX_GOSSIP_PAYLOAD + 1].into();
        assert_eq!(message.encode(), Err(GossipTooLarge(MAX_GOSSIP_PAYLOAD + 1)));
    }

    #[test]
    fn a_later_version_is_ignored() {
        assert_eq!(GossipMessage::decode(Bytes::from_static(&[2, 1])), Ok(None));
    }
}
