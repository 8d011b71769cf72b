//! The messages of the room directory and their encoding.

use std::marker::PhantomData;

use bytes::Bytes;

use crate::{
    id::RoomId,
    limits::{MAX_PEER_BYTES, MAX_PEERS_PER_ANSWER, MAX_ROOM_MESSAGE},
    wire::{LengthDecoder, Reader, WireError, put_bytes, put_uvarint},
};

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// Be in this room, and hear who else is.
    Join {
        /// The room.
        room: RoomId,
    },
    /// Be there no longer.
    Leave {
        /// The room.
        room: RoomId,
    },
}

/// What a relay says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerMessage {
    /// The first message on every stream.
    Hello {
        /// What this relay allows.
        limits: RelayLimits,
    },
    /// The answer to a join.
    Joined {
        /// The room.
        room: RoomId,
        /// Others who are there: all of them, or a random sample of a large room.
        peers: Vec<Vec<u8>>,
        /// How many others are there.
        total: u64,
    },
    /// Somebody joined.
    PeerJoined {
        /// The room.
        room: RoomId,
        /// Who.
        peer: Vec<u8>,
    },
    /// Somebody left, of whom this client had been told.
    PeerLeft {
        /// The room.
        room: RoomId,
        /// Who.
        peer: Vec<u8>,
    },
    /// A request was not carried out.
    Refused {
        /// The room it was about.
        room: RoomId,
        /// Why.
        reason: Refusal,
    },
}

/// Why the relay didn't carry a request out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// Too many requests in a short time. Repeat it after
    /// [`ROOM_RETRY`](crate::limits::ROOM_RETRY).
    TooManyRequests,
    /// This peer is in as many rooms as the relay allows. Leave one first.
    TooManyRooms,
    /// A reason of a later version.
    Other(u64),
}

/// What a relay allows each client, so that the client can plan instead of running into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// Relayed connections one peer may have at a time.
    pub max_circuits: u32,
    /// Bytes one relayed connection may carry in both directions together; 0 means no limit.
    pub max_circuit_bytes: u64,
    /// Seconds one relayed connection may last; 0 means no limit.
    pub max_circuit_secs: u32,
    /// Seconds a reservation lasts before it must be renewed.
    pub reservation_secs: u32,
    /// Rooms one peer may be in.
    pub max_rooms: u32,
}

/// A message of either side. Sealed: there are two.
pub trait Message: Sized + sealed::Codec {
    /// The message with its length prefix.
    fn encode(&self) -> Vec<u8>;
}

/// Takes messages from a byte stream, whatever the pieces it arrives in.
///
/// Call [`push`](Self::push) with what was read, then [`next`](Self::next) until it returns
/// `Ok(None)`; then no more than one unfinished message is held.
#[derive(Debug)]
pub struct FrameDecoder<M> {
    frames: LengthDecoder,
    message: PhantomData<fn() -> M>,
}

impl ClientMessage {
    /// The message with its length prefix.
    pub fn encode(&self) -> Vec<u8> {
        Message::encode(self)
    }
}

impl ServerMessage {
    /// The message with its length prefix.
    pub fn encode(&self) -> Vec<u8> {
        Message::encode(self)
    }
}

impl<M: sealed::Codec> Message for M {
    fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        self.encode_body(&mut body);
        let mut out = Vec::with_capacity(body.len() + 3);
        put_bytes(&mut out, &body);
        out
    }
}

impl<M: Message> FrameDecoder<M> {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self { frames: LengthDecoder::new(MAX_ROOM_MESSAGE), message: PhantomData }
    }

    /// Adds what was read from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.frames.push(bytes);
    }

    /// The next message, or `None` until more has been read.
    ///
    /// An error is final: the stream has lost its place and must be dropped.
    #[allow(clippy::should_implement_trait)] // an iterator would end at the first `None`
    pub fn next(&mut self) -> Result<Option<M>, WireError> {
        while let Some(frame) = self.frames.next()? {
            if let Some(message) = M::decode_body(frame)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }
}

impl<M: Message> Default for FrameDecoder<M> {
    fn default() -> Self {
        Self::new()
    }
}

mod sealed {
    use bytes::Bytes;

    use crate::wire::WireError;

    pub trait Codec: Sized {
        fn encode_body(&self, out: &mut Vec<u8>);
        /// `None` for a type of a later version.
        fn decode_body(body: Bytes) -> Result<Option<Self>, WireError>;
    }
}

impl sealed::Codec for ClientMessage {
    fn encode_body(&self, out: &mut Vec<u8>) {
        let (kind, room) = match self {
            Self::Join { room } => (1, room),
            Self::Leave { room } => (2, room),
        };
        put_uvarint(out, kind);
        out.extend_from_slice(&room.0);
    }

    fn decode_body(body: Bytes) -> Result<Option<Self>, WireError> {
        let mut reader = Reader::new(body);
        let message = match reader.uvarint()? {
            1 => Self::Join { room: RoomId(reader.array32()?) },
            2 => Self::Leave { room: RoomId(reader.array32()?) },
            _ => return Ok(None),
        };
        reader.finish()?;
        Ok(Some(message))
    }
}

impl sealed::Codec for ServerMessage {
    fn encode_body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello { limits } => {
                put_uvarint(out, 1);
                put_uvarint(out, limits.max_circuits.into());
                put_uvarint(out, limits.max_circuit_bytes);
                put_uvarint(out, limits.max_circuit_secs.into());
                put_uvarint(out, limits.reservation_secs.into());
                put_uvarint(out, limits.max_rooms.into());
            }
            Self::Joined { room, peers, total } => {
                put_uvarint(out, 2);
                out.extend_from_slice(&room.0);
                put_uvarint(out, *total);
                put_uvarint(out, peers.len() as u64);
                for peer in peers {
                    put_bytes(out, peer);
                }
            }
            Self::PeerJoined { room, peer } => {
                put_uvarint(out, 3);
                out.extend_from_slice(&room.0);
                put_bytes(out, peer);
            }
            Self::PeerLeft { room, peer } => {
                put_uvarint(out, 4);
                out.extend_from_slice(&room.0);
                put_bytes(out, peer);
            }
            Self::Refused { room, reason } => {
                put_uvarint(out, 5);
                out.extend_from_slice(&room.0);
                put_uvarint(out, reason.code());
            }
        }
    }

    fn decode_body(body: Bytes) -> Result<Option<Self>, WireError> {
        let mut reader = Reader::new(body);
        let message = match reader.uvarint()? {
            1 => {
                let limits = RelayLimits {
                    max_circuits: reader.uvarint32()?,
                    max_circuit_bytes: reader.uvarint()?,
                    max_circuit_secs: reader.uvarint32()?,
                    reservation_secs: reader.uvarint32()?,
                    max_rooms: reader.uvarint32()?,
                };
                // A later relay may have appended limits that this version doesn't know.
                return Ok(Some(Self::Hello { limits }));
            }
            2 => {
                let room = RoomId(reader.array32()?);
                let total = reader.uvarint()?;
                let count = reader.length(MAX_PEERS_PER_ANSWER)?;
                let mut peers = Vec::with_capacity(count);
                for _ in 0..count {
                    peers.push(reader.bytes(MAX_PEER_BYTES)?.to_vec());
                }
                Self::Joined { room, peers, total }
            }
            3 => {
                let room = RoomId(reader.array32()?);
                Self::PeerJoined { room, peer: reader.bytes(MAX_PEER_BYTES)?.to_vec() }
            }
            4 => {
                let room = RoomId(reader.array32()?);
                Self::PeerLeft { room, peer: reader.bytes(MAX_PEER_BYTES)?.to_vec() }
            }
            5 => {
                let room = RoomId(reader.array32()?);
                Self::Refused { room, reason: Refusal::from_code(reader.uvarint()?) }
            }
            _ => return Ok(None),
        };
        reader.finish()?;
        Ok(Some(message))
    }
}

impl Refusal {
    /// The number on the wire.
    pub const fn code(self) -> u64 {
        match self {
            Self::TooManyRequests => 1,
            Self::TooManyRooms => 2,
            Self::Other(code) => code,
        }
    }

    /// The reason with this number.
    pub const fn from_code(code: u64) -> Self {
        match code {
            1 => Self::TooManyRequests,
            2 => Self::TooManyRooms,
            other => Self::Other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn room() -> impl Strategy<Value = RoomId> {
        any::<[u8; 32]>().prop_map(RoomId)
    }

    fn peer() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..=MAX_PEER_BYTES)
    }

    fn client() -> impl Strategy<Value = ClientMessage> {
        prop_oneof![
            room().prop_map(|room| ClientMessage::Join { room }),
            room().prop_map(|room| ClientMessage::Leave { room }),
        ]
    }

    fn server() -> impl Strategy<Value = ServerMessage> {
        let limits = (any::<u32>(), 0..=u64::MAX >> 1, any::<u32>(), any::<u32>(), any::<u32>());
        prop_oneof![
            limits.prop_map(|(a, b, c, d, e)| ServerMessage::Hello {
                limits: RelayLimits {
                    max_circuits: a,
                    max_circuit_bytes: b,
                    max_circuit_secs: c,
                    reservation_secs: d,
                    max_rooms: e,
                }
            }),
            (room(), prop::collection::vec(peer(), 0..=MAX_PEERS_PER_ANSWER), 0..1u64 << 40)
                .prop_map(|(room, peers, total)| ServerMessage::Joined { room, peers, total }),
            (room(), peer()).prop_map(|(room, peer)| ServerMessage::PeerJoined { room, peer }),
            (room(), peer()).prop_map(|(room, peer)| ServerMessage::PeerLeft { room, peer }),
            (room(), 0..1_000u64).prop_map(|(room, code)| ServerMessage::Refused {
                room,
                reason: Refusal::from_code(code)
            }),
        ]
    }

    fn decode<M: Message>(bytes: &[u8]) -> Result<Option<M>, WireError> {
        let mut decoder = FrameDecoder::new();
        decoder.push(bytes);
        decoder.next()
    }

    proptest! {
        #[test]
        fn a_client_message_is_read_back(message in client()) {
            let bytes = message.encode();
            prop_assert_eq!(bytes.len(), 34);
            prop_assert_eq!(decode::<ClientMessage>(&bytes), Ok(Some(message)));
        }

        #[test]
        fn a_server_message_is_read_back_and_keeps_the_bound(message in server()) {
            let bytes = message.encode();
            prop_assert!(bytes.len() <= MAX_ROOM_MESSAGE);
            prop_assert_eq!(decode::<ServerMessage>(&bytes), Ok(Some(message)));
        }

        #[test]
        fn a_server_message_cut_short_is_not_taken_for_a_whole_one(
            message in server(), cut in any::<prop::sample::Index>(),
        ) {
            let bytes = message.encode();
            let cut = cut.index(bytes.len());
            prop_assert_eq!(decode::<ServerMessage>(&bytes[..cut]), Ok(None));
        }

        #[test]
        fn a_perturbed_message_is_an_error_or_another_message(
            message in server(), at in any::<prop::sample::Index>(), bit in 0..8u32,
        ) {
            let mut bytes = message.encode();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(Some(other)) = decode::<ServerMessage>(&bytes) {
                prop_assert_ne!(other, message);
            }
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<ServerMessage>(&bytes);
            let _ = decode::<ClientMessage>(&bytes);
        }
    }

    #[test]
    fn a_type_of_a_later_version_is_skipped() {
        let room = RoomId([7; 32]);
        let mut decoder = FrameDecoder::<ClientMessage>::new();
        decoder.push(&[3, 99, 1, 2]);
        decoder.push(&ClientMessage::Join { room }.encode());
        assert_eq!(decoder.next(), Ok(Some(ClientMessage::Join { room })));
    }

    #[test]
    fn limits_appended_by_a_later_version_are_skipped() {
        let limits = RelayLimits {
            max_circuits: 1,
            max_circuit_bytes: 2,
            max_circuit_secs: 3,
            reservation_secs: 4,
            max_rooms: 5,
        };
        let hello = decode::<ServerMessage>(&[8, 1, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(hello, Ok(Some(ServerMessage::Hello { limits })));
    }

    #[test]
    fn an_answer_that_announces_too_many_peers_is_refused() {
        let mut body = vec![2];
        body.extend_from_slice(&[0; 32]);
        body.extend_from_slice(&[0, 65]);
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, &body);
        assert_eq!(
            decode::<ServerMessage>(&bytes),
            Err(WireError::TooLong { len: 65, max: MAX_PEERS_PER_ANSWER })
        );
    }
}
