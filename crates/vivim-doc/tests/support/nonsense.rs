//! Updates that are encoded well and mean nonsense, from a seeded generator.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use vivim_doc::validate;
use vivim_proto::wire::{put_bytes, put_uvarint};

const CLIENTS: u64 = 3;

/// One update of a few blocks, all of whose numbers are small, so that they refer to each other.
pub(crate) fn nonsense(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut out = Vec::new();
    let clients: Vec<u64> = (1..=CLIENTS).filter(|_| rng.random_bool(0.6)).collect();
    put_uvarint(&mut out, clients.len() as u64);
    for client in clients {
        let blocks = rng.random_range(1..5u64);
        put_uvarint(&mut out, blocks);
        put_uvarint(&mut out, client);
        put_uvarint(&mut out, if rng.random_bool(0.5) { 0 } else { rng.random_range(0..10) });
        for _ in 0..blocks {
            block(rng, &mut out);
        }
    }
    let deleting: Vec<u64> = (1..=CLIENTS).filter(|_| rng.random_bool(0.3)).collect();
    put_uvarint(&mut out, deleting.len() as u64);
    for client in deleting {
        put_uvarint(&mut out, client);
        let ranges = rng.random_range(1..3u64);
        put_uvarint(&mut out, ranges);
        let mut from = rng.random_range(0..6);
        for _ in 0..ranges {
            let len = rng.random_range(1..4);
            put_uvarint(&mut out, from);
            put_uvarint(&mut out, len);
            from += len + rng.random_range(0..3);
        }
    }
    out
}

fn block(rng: &mut ChaCha8Rng, out: &mut Vec<u8>) {
    if rng.random_bool(0.1) {
        out.push(if rng.random_bool(0.5) { 0 } else { 10 });
        put_uvarint(out, rng.random_range(1..4));
        return;
    }
    let kind = [1, 3, 4, 4, 4, 5, 6, 7, 7, 8, 9][rng.random_range(0..11)];
    let mut info = kind;
    let (left, right) = (rng.random_bool(0.4), rng.random_bool(0.3));
    let key = rng.random_bool(0.4);
    info |= if left { 0x80 } else { 0 } | if right { 0x40 } else { 0 } | if key { 0x20 } else { 0 };
    out.push(info);
    if left {
        id(rng, out);
    }
    if right {
        id(rng, out);
    }
    if !left && !right {
        if rng.random_bool(0.6) {
            out.push(1);
            put_bytes(out, [b"t", b"m"][rng.random_range(0..2)]);
        } else {
            out.push(0);
            id(rng, out);
        }
        if key {
            put_bytes(out, [b"a", b"b"][rng.random_range(0..2)]);
        }
    }
    match kind {
        1 => put_uvarint(out, rng.random_range(1..4)),
        3 => put_bytes(out, b"xy"),
        4 => put_bytes(out, ["a", "bcd", "👋", "e👋f"][rng.random_range(0..4)].as_bytes()),
        5 => put_bytes(out, b"{\"i\":1}"),
        6 => {
            put_bytes(out, b"bold");
            put_bytes(out, [&b"true"[..], b"null"][rng.random_range(0..2)]);
        }
        7 => match [0, 1, 2, 3, 4, 6][rng.random_range(0..6)] {
            3 => {
                out.push(3);
                put_bytes(out, b"p");
            }
            other => out.push(other),
        },
        8 => {
            out.push(2);
            out.extend_from_slice(&[120, 125, 5]);
        }
        _ => {
            put_bytes(out, b"guid");
            out.extend_from_slice(&[118, 0]);
        }
    }
}

fn id(rng: &mut ChaCha8Rng, out: &mut Vec<u8>) {
    put_uvarint(out, rng.random_range(1..=CLIENTS));
    put_uvarint(out, rng.random_range(0..10));
}

pub(crate) fn mutated(rng: &mut ChaCha8Rng, sample: &[u8]) -> Vec<u8> {
    let mut bytes = sample.to_vec();
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..3) {
            0 => bytes[at] = bytes[at].wrapping_add(rng.random_range(0..3)).wrapping_sub(1),
            1 => bytes[at] = rng.random(),
            _ => bytes[at] ^= 1 << rng.random_range(0..8),
        }
    }
    bytes
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let fixtures: serde_json::Value =
        serde_json::from_str(include_str!("../fixtures/yjs-13.6.json")).unwrap();
    let mut found = Vec::new();
    for of_kind in fixtures.as_object().unwrap().values() {
        for hex in of_kind.as_object().unwrap().values().filter_map(|value| value.as_str()) {
            let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
            let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
            found.extend(bytes.filter(|bytes| validate::update(bytes).is_ok()));
        }
    }
    found
}
