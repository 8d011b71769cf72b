//! Identifiers: newtypes, never bare byte arrays.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::limits::MAX_NAME;

/// Who meets: the key of a room in the directory, and its gossip topic.
///
/// It is a hash of the room's name, so that the relay doesn't learn the name. A name that can be
/// guessed can be found by guessing; generated names have 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub [u8; 32]);

impl RoomId {
    /// The id of the room with this name: `SHA-256("vivim-room-1" ‖ NFC(name))`.
    ///
    /// Without the crate's feature `nfc` the caller must have normalised the name (a browser has
    /// `String.prototype.normalize`); else the same name typed on another keyboard is another room.
    pub fn from_name(name: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"vivim-room-1");
        hash.update(nfc(name).as_bytes());
        Self(hash.finalize().into())
    }

    /// The gossip topic of the room: `/vivim/room/1/<hex>`.
    pub fn gossip_topic(&self) -> String {
        format!("/vivim/room/1/{}", hex(&self.0))
    }

    /// The whole id in hex.
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    /// The first eight hex digits, for logs.
    pub fn fmt_short(&self) -> String {
        hex(&self.0[..4])
    }
}

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomId({})", self.fmt_short())
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// One document of a room.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocId(pub [u8; 32]);

impl DocId {
    /// The id of a plain document:
    /// `SHA-256("vivim-doc-1" ‖ u64be(len NFC(room)) ‖ NFC(room) ‖ NFC(doc))`.
    ///
    /// Names are normalised here or by the caller, as for [`RoomId::from_name`].
    ///
    /// It needs the room's *name*, so the relay, which sees only [`RoomId`]s, can't derive it. The
    /// length keeps room `ab` with document `c` apart from room `a` with document `bc`.
    pub fn derive(room_name: &str, doc_name: &str) -> Self {
        let room = nfc(room_name);
        let mut hash = Sha256::new();
        hash.update(b"vivim-doc-1");
        hash.update((room.len() as u64).to_be_bytes());
        hash.update(room.as_bytes());
        hash.update(nfc(doc_name).as_bytes());
        Self(hash.finalize().into())
    }

    /// The whole id in hex.
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    /// The first eight hex digits, for logs.
    pub fn fmt_short(&self) -> String {
        hex(&self.0[..4])
    }
}

impl fmt::Debug for DocId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocId({})", self.fmt_short())
    }
}

impl fmt::Display for DocId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// No room and no document can have this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a room or a document must have 1 to {MAX_NAME} bytes, not {len}")]
pub struct InvalidName {
    /// Its bytes.
    pub len: usize,
}

/// Whether a room or a document can have this name.
pub fn check_name(name: &str) -> Result<(), InvalidName> {
    let len = name.len();
    if (1..=MAX_NAME).contains(&len) { Ok(()) } else { Err(InvalidName { len }) }
}

/// Where peers subscribed to a plain publish/subscribe topic find each other:
/// `SHA-256("vivim-topic-1" ‖ topic)`.
pub fn topic_room(topic: &str) -> RoomId {
    let mut hash = Sha256::new();
    hash.update(b"vivim-topic-1");
    hash.update(topic.as_bytes());
    RoomId(hash.finalize().into())
}

#[cfg(any(test, feature = "nfc"))]
fn nfc(name: &str) -> String {
    unicode_normalization::UnicodeNormalization::nfc(name).collect()
}

/// Without the feature, names come normalised.
#[cfg(not(any(test, feature = "nfc")))]
fn nfc(name: &str) -> &str {
    name
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_id_is_the_published_hash_of_its_name() {
        // printf 'vivim-room-1lobby' | sha256sum
        assert_eq!(RoomId::from_name("lobby").to_hex(), LOBBY);
        assert_eq!(RoomId::from_name("lobby").gossip_topic(), format!("/vivim/room/1/{LOBBY}"));
    }

    #[test]
    fn a_document_id_is_the_published_hash_of_both_names() {
        // printf 'vivim-doc-1\0\0\0\0\0\0\0\5lobbydefault' | sha256sum
        assert_eq!(DocId::derive("lobby", "default").to_hex(), LOBBY_DEFAULT);
    }

    #[test]
    fn one_name_is_one_room_however_its_accents_were_typed() {
        assert_eq!(RoomId::from_name("Caf\u{e9}"), RoomId::from_name("Cafe\u{301}"));
        assert_eq!(DocId::derive("\u{e9}", "\u{e8}"), DocId::derive("e\u{301}", "e\u{300}"));
    }

    #[test]
    fn a_boundary_between_room_and_document_cannot_be_moved() {
        assert_ne!(DocId::derive("ab", "c"), DocId::derive("a", "bc"));
    }

    #[test]
    fn a_name_has_at_least_one_byte_and_at_most_the_limit() {
        let longest = "é".repeat(MAX_NAME / 2);
        assert_eq!(check_name("x"), Ok(()));
        assert_eq!(check_name(&longest), Ok(()));
        assert_eq!(check_name(""), Err(InvalidName { len: 0 }));
        assert_eq!(check_name(&(longest + "x")), Err(InvalidName { len: MAX_NAME + 1 }));
    }

    #[test]
    fn debug_output_is_short() {
        assert_eq!(format!("{:?}", RoomId([0xab; 32])), "RoomId(abababab)");
        assert_eq!(format!("{:?}", DocId([0x01; 32])), "DocId(01010101)");
    }

    #[test]
    fn a_topic_meets_elsewhere_than_a_room_of_the_same_name() {
        assert_ne!(topic_room("lobby"), RoomId::from_name("lobby"));
    }

    const LOBBY: &str = "09ddf396739a0a638d160177249cf775b0bafe8c5b99492e0932bf153e482d4a";
    const LOBBY_DEFAULT: &str = "0f859b2a2686169cc268dc392a866f0ff936f40ae8dafeed20a0e1fa15a6bf1b";
}
