//! The four hazards described for yrs 0.28.1, tried on yrs itself: what it does with such bytes when
//! nobody stands in front of it, and that ours never hands them on. One of them needs a 32-bit
//! address space and is tried in the browser: `wasm-tests/tests/documents.rs`.
//!
//! When one of these fails because yrs has been mended: good. Take the case out and say so.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

#[path = "support/bad_inputs.rs"]
mod bad_inputs;
#[path = "support/memory.rs"]
mod memory;

use std::process::Command;

use bad_inputs::{hex, repeated_in_v2, victim};
use vivim_doc::ApplyError;
use yrs::updates::decoder::Decode;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Set in the child process that is to crash.
const VICTIM: &str = "VIVIM_HAZARD_VICTIM";

fn refused(bytes: &[u8]) {
    let error = victim().apply_update(bytes).unwrap_err();
    assert!(matches!(error, ApplyError::Invalid(_)), "{error}");
}

/// (a) Nested values are decoded by recursion without a limit: 200 kB end the process.
#[test]
fn a_nesting_bomb_overflows_the_stack_of_yrs_and_is_refused_by_us() {
    let bomb = [hex("010101000801016101"), [117, 1].repeat(100_000), hex("7f00")].concat();
    if std::env::var_os(VICTIM).is_some() {
        let _ = yrs::Update::decode_v1(&bomb);
        return;
    }
    let test = "a_nesting_bomb_overflows_the_stack_of_yrs_and_is_refused_by_us";
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(VICTIM, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    println!("yrs: {}, {}", child.status, said.lines().nth(1).unwrap_or_default());
    assert!(!child.status.success(), "yrs survives it");
    assert!(said.contains("stack overflow"), "{said}");
    refused(&bomb);
}

/// (b) On 64 bits a length of 4 GB is only more than there is.
#[test]
fn a_length_of_four_gigabytes_is_an_error_of_yrs_on_64_bits() {
    let bytes = hex("010101000401ffffffff0f");
    assert!(yrs::Update::decode_v1(&bytes).is_err());
    refused(&bytes);
}

/// (c) What is announced is reserved at once, if the system has it.
#[test]
fn eight_bytes_make_yrs_reserve_hundreds_of_megabytes_and_are_refused_by_us() {
    const ANNOUNCED: u64 = 2_000_000;
    let mut number = Vec::new();
    vivim_proto::wire::put_uvarint(&mut number, ANNOUNCED);
    let blocks = [&[1], &number[..], &[1, 0]].concat();
    let array = [&hex("010101000801016101 75")[..], &number, &[127, 0]].concat();
    let map = [&hex("010101000801016101 76")[..], &number, &[127, 0]].concat();
    for (what, bytes) in [("blocks", blocks), ("array", array), ("map", map)] {
        let (peak, decoded) = memory::peak(|| yrs::Update::decode_v1(&bytes).map(drop));
        println!("yrs, {what}: {peak} bytes for {}", bytes.len());
        assert!(decoded.is_err());
        assert!(peak > 40_000_000, "{what}: {peak}");
        let (ours, ()) = memory::peak(|| refused(&bytes));
        assert!(ours < 1 << 20, "{what}: {ours}");
    }
}

/// (d) Encoding V2 says "and so on": 26 bytes are as many blocks as one likes.
#[test]
fn twenty_six_bytes_of_encoding_v2_are_two_million_blocks_in_yrs_and_are_refused_by_us() {
    let bytes = repeated_in_v2(2_000_000);
    let (peak, decoded) = memory::peak(|| yrs::Update::decode_v2(&bytes).map(drop));
    println!("yrs, V2: {peak} bytes for {}: {decoded:?}", bytes.len());
    decoded.expect("yrs takes it");
    assert!(peak > 40_000_000, "{peak}");
    refused(&bytes);
}
