//! Items 1 to 9 of the list of bad inputs: encodings that must be refused, natively and in the
//! browser alike. Both test programs run [`refuse`] for each of [`ITEMS`] and measure memory.

#![allow(dead_code)] // each test program uses a part of it

use vivim_doc::limits::MAX_BLOCKS;
use vivim_doc::{ApplyError, ClientId, Doc, awareness, validate};
use vivim_proto::sync::FrameDecoder;

/// A bad input.
pub(crate) struct Item {
    pub(crate) name: &'static str,
    pub(crate) input: fn() -> Vec<u8>,
    pub(crate) goes_to: Entrance,
}

/// Where bytes come in.
#[derive(Clone, Copy)]
pub(crate) enum Entrance {
    Update,
    StateVector,
    Awareness,
    /// The frames of a sync stream, which must fail or wait for more, but not reserve.
    Frame,
}

/// Levels of the nesting bomb of item 6.
const LEVELS: usize = 100_000;

#[rustfmt::skip]
pub(crate) const ITEMS: &[Item] = &[
    Item { name: "1: invalid UTF-8", goes_to: Entrance::Update,
        input: || vec![1, 1, 0xca, 1, 0, 0xc4, 1, 0x0a, 1, 0x0b, 6, 0x20, 0x74, 0x68, 0x65, 0xe5, 0x65, 0] },
    Item { name: "2: a reservation of 215 TB", goes_to: Entrance::Update,
        input: || hex("d7548f54770c78002d677698fbbfd5f35730ee3240") },
    Item { name: "3: a known crash input of 51 bytes", goes_to: Entrance::Update,
        input: || hex("f57896ad4347334444c9c5120f84ab25d6931623ee3bb630718b6cfe6eb9c32627ae9275d7e99125bbe2602f46854dbabeed2d") },
    Item { name: "4: a length that wraps a 32-bit offset", goes_to: Entrance::Update,
        input: || hex("0101010004 01ffffffff0f") },
    Item { name: "5: a state vector that announces 4 G entries", goes_to: Entrance::StateVector,
        input: || hex("ffffffff0f") },
    Item { name: "5: an awareness state of 4 GB", goes_to: Entrance::Awareness,
        input: || hex("010101ffffffff0f") },
    Item { name: "5: a frame of 4 GB", goes_to: Entrance::Frame,
        input: || hex("ffffffff0f 00") },
    Item { name: "5: the frame of y-protocols", goes_to: Entrance::Frame,
        input: || hex("0002ffffffff0f") },
    Item { name: "6: a nesting bomb", goes_to: Entrance::Update,
        input: || [hex("01010100080101610 1"), [117, 1].repeat(LEVELS), hex("7f00")].concat() },
    Item { name: "6: a nesting bomb of maps", goes_to: Entrance::Update,
        input: || [hex("01010100080101610 1"), [118, 1, 1, b'k'].repeat(LEVELS), hex("7f00")].concat() },
    Item { name: "6: a nesting bomb in JSON", goes_to: Entrance::Update,
        input: || {
            let json = [b"[".repeat(8_000), b"]".repeat(8_000)].concat();
            [hex("01010100050101 61"), hex("807d"), json, vec![0]].concat()
        } },
    Item { name: "7: 40 million blocks in 8 bytes", goes_to: Entrance::Update,
        input: || hex("0180b489130100") },
    Item { name: "7: 40 million values in an array", goes_to: Entrance::Update,
        input: || hex("01010100080101610175 80b48913 7f00") },
    Item { name: "7: 40 million entries in a map", goes_to: Entrance::Update,
        input: || hex("01010100080101610176 80b48913 7f00") },
    Item { name: "7: 40 million deletions", goes_to: Entrance::Update,
        input: || hex("00010180b489130001") },
    Item { name: "8: encoding V2 with one block repeated two million times", goes_to: Entrance::Update,
        input: || repeated_in_v2(2_000_000) },
    Item { name: "9: a block without length", goes_to: Entrance::Update,
        input: || hex("01010100000000") },
    Item { name: "9: a string without length", goes_to: Entrance::Update,
        input: || hex("0101010004 01016100 00") },
    Item { name: "9: a clock that overflows", goes_to: Entrance::Update,
        input: || hex("010101ffffffff0f000100") },
    Item { name: "9: a deletion that overflows", goes_to: Entrance::Update,
        input: || hex("00010101ffffffff0f01") },
    Item { name: "9: a clock above 32 bits", goes_to: Entrance::Update,
        input: || hex("010101808080801000 0100") },
    Item {
        name: "9: a quarter of a million blocks, the last of them without length",
        goes_to: Entrance::Update,
        input: || {
            let blocks = [0, 1].repeat(MAX_BLOCKS - 1);
            [hex("01 80 80 10 01 00"), blocks, vec![0, 0, 0]].concat()
        },
    },
];

/// An update in encoding V2 of one client with `count` blocks, all of them one byte each in three
/// columns that say "and so on".
pub(crate) fn repeated_in_v2(count: u64) -> Vec<u8> {
    // Flag; columns: keys, clients (1), left, right, infos (0 for ever), strings, parents, types,
    // lengths (1, 2³¹ times).
    let mut bytes =
        hex("00 00 0101 00 00 0100 020000 00 00 0641ffffffff07".replace(' ', "").as_str());
    bytes.push(1);
    vivim_proto::wire::put_uvarint(&mut bytes, count);
    bytes.extend_from_slice(&[0, 0]);
    bytes
}

/// Gives an input to where it belongs. It must be refused, and the replica must be as before and
/// usable.
pub(crate) fn refuse(item: &Item, bytes: &[u8], doc: &mut Doc) -> Result<(), String> {
    match item.goes_to {
        Entrance::Update => match doc.apply_update(bytes) {
            Err(ApplyError::Invalid(_)) => {
                validate::update(bytes).err().map(drop).ok_or("validate lets it pass".into())
            }
            other => Err(format!("{other:?}")),
        },
        Entrance::StateVector => {
            doc.encode_state_as_update(Some(bytes)).err().map(drop).ok_or("accepted".into())
        }
        Entrance::Awareness => {
            let now = vivim_proto::time::Timestamp::ZERO;
            let applied = doc.awareness().apply_update(bytes, now).err();
            let validated = awareness::validate(bytes).err();
            applied.and(validated).map(drop).ok_or("accepted".into())
        }
        Entrance::Frame => {
            let mut decoder = FrameDecoder::new();
            decoder.push(bytes);
            match decoder.next() {
                Err(_) | Ok(None) => Ok(()),
                Ok(Some(frame)) => Err(format!("{frame:?}")),
            }
        }
    }
}

/// A document to attack.
pub(crate) fn victim() -> Doc {
    let mut doc = Doc::new(ClientId::from_random(1 << 40));
    doc.text_insert("t", 0, "still usable").ok();
    doc
}

pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        digits.chars().filter_map(|digit| Some(digit.to_digit(16)? as u8)).collect();
    digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
}
