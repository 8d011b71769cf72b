//! Bad inputs in the browser: the same items as natively (`crates/vivim-doc/tests/bad_inputs.rs`),
//! with the growth of the instance's memory, which never shrinks again.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

#[path = "../../crates/vivim-doc/tests/support/bad_inputs.rs"]
mod bad_inputs;
#[path = "../../crates/vivim-doc/tests/support/memory.rs"]
mod memory;
#[path = "../../crates/vivim-doc/tests/support/orders.rs"]
mod orders;

use bad_inputs::{ITEMS, hex, refuse, repeated_in_v2, victim};
use vivim_doc::limits::{MAX_PENDING_BYTES, MAX_PENDING_UPDATES};
use vivim_doc::{ClientId, Doc};
use wasm_bindgen::JsCast;
use wasm_bindgen_test::*;
use yrs::updates::decoder::Decode;

wasm_bindgen_test_configure!(run_in_browser);

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// The size of the instance's memory, as JavaScript sees it.
fn byte_length() -> usize {
    let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    let buffer: js_sys::ArrayBuffer = memory.buffer().unchecked_into();
    buffer.byte_length() as usize
}

/// What `f` cost: by count of the allocator, and by growth of the instance.
fn cost<R>(f: impl FnOnce() -> R) -> (usize, usize, R) {
    let before = byte_length();
    let (peak, result) = memory::peak(f);
    (peak, byte_length() - before, result)
}

#[wasm_bindgen_test]
fn items_1_to_9_are_refused_and_the_memory_of_the_instance_does_not_grow() {
    let mut doc = victim();
    let before = doc.encode_state_as_update(None).unwrap();
    for item in ITEMS {
        let bytes = (item.input)();
        let (peak, growth, refused) = cost(|| refuse(item, &bytes, &mut doc));
        console_log!("item {}: {} bytes cost {peak}, growth {growth}", item.name, bytes.len());
        assert_eq!(refused, Ok(()), "item {}", item.name);
        assert!(peak.max(growth) <= 4 * bytes.len() + (1 << 20), "item {}", item.name);
        assert_eq!(doc.encode_state_as_update(None).unwrap(), before, "item {}", item.name);
    }
    doc.text_insert("t", 0, "and writable: ").unwrap();
    assert_eq!(doc.text("t").unwrap(), "and writable: still usable");
}

#[wasm_bindgen_test]
fn item_12_what_waits_for_ever_is_bounded_and_the_document_stays_writable() {
    let mut doc = victim();
    let (peak, growth, resyncs) = cost(|| orders::wait_for_ever(&mut doc));
    console_log!("item 12: {peak} bytes at most, growth {growth}, dropped {resyncs} times");
    assert!(peak.max(growth) < 4 * MAX_PENDING_BYTES);
    assert!(resyncs > 0);
    doc.text_insert("t", 0, "and writable: ").unwrap();
    assert_eq!(doc.text("t").unwrap(), "and writable: still usable");
}

#[wasm_bindgen_test]
fn item_13_the_pieces_of_a_document_that_arrive_backwards_and_three_times_are_all_used_once() {
    let (updates, text) = orders::typed(MAX_PENDING_UPDATES as u32 / 3 - 1);
    let mut doc = Doc::new(ClientId::from_random(2));
    let (peak, growth, ()) = cost(|| {
        for update in updates.iter().rev().flat_map(|update| [update; 3]) {
            doc.apply_update(update).unwrap();
        }
    });
    console_log!("item 13: {peak} bytes at most, growth {growth}");
    assert!(peak.max(growth) < MAX_PENDING_BYTES);
    assert!(!doc.has_pending());
    assert_eq!(doc.text("t").unwrap(), text);
}

/// Hazard (b) of yrs 0.28.1: on 32 bits the end of what is to be read wraps round, and the instance
/// traps. Take it out when it doesn't any more.
#[wasm_bindgen_test]
#[should_panic]
fn a_length_of_four_gigabytes_traps_in_yrs_on_32_bits() {
    let _ = yrs::Update::decode_v1(&hex("010101000401ffffffff0f"));
}

/// Hazards (c) and (d): what is announced is reserved, and is the browser's no more.
#[wasm_bindgen_test]
fn a_few_bytes_make_yrs_grow_the_memory_of_the_instance_for_good() {
    let mut number = Vec::new();
    vivim_proto::wire::put_uvarint(&mut number, 2_000_000);
    let blocks = [&[1], &number[..], &[1, 0]].concat();
    let map = [&hex("010101000801016101 76")[..], &number, &[127, 0]].concat();
    for (what, bytes) in [("blocks", blocks), ("map", map)] {
        let (peak, growth, decoded) = cost(|| yrs::Update::decode_v1(&bytes).map(drop));
        console_log!("yrs, {what}: {} bytes cost {peak}, growth {growth}", bytes.len());
        assert!(decoded.is_err() && peak > 20_000_000, "{what}: {peak}");
    }
    let bytes = repeated_in_v2(2_000_000);
    let (peak, growth, decoded) = cost(|| yrs::Update::decode_v2(&bytes).map(drop));
    console_log!("yrs, V2: {} bytes cost {peak}, growth {growth}", bytes.len());
    assert!(decoded.is_ok() && peak > 20_000_000, "{peak}");
}
