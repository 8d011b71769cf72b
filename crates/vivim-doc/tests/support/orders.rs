//! Updates that come in an order they weren't made for.

#![allow(dead_code)] // each test program uses a part of it

use vivim_doc::{ClientId, Doc};

/// How many updates of strangers wait for what never comes.
pub(crate) const ORPHANS: usize = 5_000;

/// Gives a document many updates that depend on something that never comes. Returns how often the
/// document said that it had dropped some.
pub(crate) fn wait_for_ever(doc: &mut Doc) -> usize {
    let mut resyncs = 0;
    for client in 0..ORPHANS as u64 {
        let mut author = Doc::new(ClientId::from_random(client + 10));
        let before = author.text_insert("t", 0, "never sent ");
        author.take_updates();
        let after = author.text_insert("t", 11, &"x".repeat(1_000));
        assert!(before.is_ok() && after.is_ok());
        for update in author.take_updates() {
            assert!(doc.apply_update(&update.payload).is_ok());
        }
        resyncs += usize::from(doc.take_resync());
    }
    resyncs
}

/// A text typed letter by letter: an update for each, and the text.
pub(crate) fn typed(letters: u32) -> (Vec<Vec<u8>>, String) {
    let mut author = Doc::new(ClientId::from_random(1));
    let mut text = String::new();
    for at in 0..letters {
        let letter = char::from(b'a' + (at % 26) as u8);
        assert!(author.text_insert("t", at, letter.encode_utf8(&mut [0; 4])).is_ok());
        text.push(letter);
    }
    (author.take_updates().into_iter().map(|update| update.payload.to_vec()).collect(), text)
}
