//! Bad inputs and what they may cost, natively. The same items run in the browser: see
//! `wasm-tests/tests/documents.rs`.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/bad_inputs.rs"]
mod bad_inputs;
#[path = "support/memory.rs"]
mod memory;
#[path = "support/orders.rs"]
mod orders;

use bad_inputs::{ITEMS, refuse, victim};
use vivim_doc::limits::{MAX_PENDING_BYTES, MAX_PENDING_UPDATES};
use vivim_doc::{ClientId, Doc};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

#[test]
fn items_1_to_9_are_refused_within_four_times_the_input_and_a_mebibyte() {
    let mut doc = victim();
    let before = doc.encode_state_as_update(None).unwrap();
    for item in ITEMS {
        let bytes = (item.input)();
        let (peak, refused) = memory::peak(|| refuse(item, &bytes, &mut doc));
        println!("item {}: {} bytes cost {peak} at most", item.name, bytes.len());
        assert_eq!(refused, Ok(()), "item {}", item.name);
        assert!(peak <= 4 * bytes.len() + (1 << 20), "item {}: {peak} bytes", item.name);
        assert_eq!(doc.encode_state_as_update(None).unwrap(), before, "item {}", item.name);
    }
    doc.text_insert("t", 0, "and writable: ").unwrap();
    assert_eq!(doc.text("t").unwrap(), "and writable: still usable");
}

#[test]
fn item_12_what_waits_for_ever_is_bounded_and_the_document_stays_writable() {
    let mut doc = victim();
    let (peak, resyncs) = memory::peak(|| orders::wait_for_ever(&mut doc));
    println!("item 12: {peak} bytes at most, dropped {resyncs} times");
    // What waits, once more as it is encoded, and what is known of where things are.
    assert!(peak < 4 * MAX_PENDING_BYTES, "{peak} bytes");
    assert!(resyncs > orders::ORPHANS / (MAX_PENDING_UPDATES + 1) / 2);
    doc.text_insert("t", 0, "and writable: ").unwrap();
    assert_eq!(doc.text("t").unwrap(), "and writable: still usable");
}

#[test]
fn item_12_the_pieces_of_a_document_that_arrive_backwards_are_all_used() {
    let (updates, text) = orders::typed(MAX_PENDING_UPDATES as u32 - 1);
    let mut doc = Doc::new(ClientId::from_random(2));
    for update in updates.iter().rev() {
        doc.apply_update(update).unwrap();
    }
    assert!(!doc.has_pending());
    assert_eq!(doc.text("t").unwrap(), text);
}
