//! Updates from peers: checked, admitted, integrated, and what comes of it sent on.
//!
//! The input is a list of updates, each behind its length in two bytes, the last one perhaps without
//! its end. One more bit of each length says whether the replica edits before it.

use vivim_doc::{ApplyError, ClientId, Doc};

/// Set in a length: this replica edits, too.
const EDITS: u16 = 0x8000;

/// No panic, no engine that gives up, and no state of ours that we'd refuse ourselves.
pub(crate) fn run(mut data: &[u8]) {
    let mut doc = Doc::new(ClientId::from_random(1 << 40));
    let mut other = Doc::new(ClientId::from_random(2 << 40));
    while let Some((length, rest)) = data.split_first_chunk() {
        let length = u16::from_be_bytes(*length);
        let (update, rest) = rest.split_at(rest.len().min((length & !EDITS).into()));
        data = rest;
        match doc.apply_update(update) {
            Ok(()) | Err(ApplyError::Invalid(_) | ApplyError::OwnClient) => {}
            Err(error) => panic!("{error}"),
        }
        if length & EDITS != 0 {
            edit(&mut doc);
        }
    }
    for update in doc.take_updates() {
        relay(&mut other, &update.payload);
    }
    let missing = doc.encode_state_as_update(Some(&other.encode_state_vector()));
    relay(&mut other, &missing.unwrap_or_else(|error| panic!("{error}")));
    assert!(!other.has_pending(), "something is missing in what we sent");
    assert_eq!(other.encode_state_vector().len(), doc.encode_state_vector().len());
    let mut fresh = Doc::new(ClientId::from_random(3 << 40));
    let state = doc.encode_state_as_update(None);
    relay(&mut fresh, &state.unwrap_or_else(|error| panic!("{error}")));
    for mut doc in [doc, other, fresh] {
        let _ = doc.to_value();
        edit(&mut doc);
    }
}

/// Whatever was applied, a person goes on typing.
fn edit(doc: &mut Doc) {
    let mut edited = || -> Result<(), vivim_doc::EditError> {
        let len = doc.text_len("t")?;
        doc.text_insert("t", len / 2, "é👋")?;
        doc.text_delete("t", len / 3, 1)?;
        doc.map_set("m", "a", &vivim_doc::Value::Number(1.0))?;
        doc.map_delete("m", "b")?;
        doc.text("t")?;
        doc.map("m")?;
        Ok(())
    };
    edited().unwrap_or_else(|error| panic!("{error}"));
}

fn relay(to: &mut Doc, update: &[u8]) {
    to.apply_update(update).unwrap_or_else(|error| panic!("our own update is refused: {error}"));
}
