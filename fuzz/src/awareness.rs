//! Awareness from peers: checked, taken in, given on, given up.

use std::time::Duration;

use vivim_doc::{ClientId, Doc, awareness};
use vivim_proto::time::Timestamp;

/// Who was told of everything we know takes it, and knows no more than we do.
pub(crate) fn run(data: &[u8]) {
    let mut now = Timestamp::ZERO;
    let mut doc = Doc::new(ClientId::from_random(1));
    let mut other = Doc::new(ClientId::from_random(2));
    let set = doc.awareness().set_local_state(Some("{\"name\":\"us\"}"), now);
    set.unwrap_or_else(|error| panic!("{error}"));
    // Two updates in one input, so that clocks can go on and clients leave.
    let (first, second) = data.split_at(data.len() / 2);
    for update in [first, second, data] {
        let checked = awareness::validate(update);
        assert_eq!(doc.awareness().apply_update(update, now), checked);
        let _ = awareness::author(update);
    }
    let own = doc.awareness().local_state().map(str::to_owned);
    assert_eq!(own.as_deref(), Some("{\"name\":\"us\"}"), "a stranger changed our state");
    if let Some(all) = doc.awareness().encode_all() {
        let taken = other.awareness().apply_update(&all, now);
        taken.unwrap_or_else(|error| panic!("our own awareness is refused: {error}"));
        let told = other.awareness().states().count();
        assert!(told <= doc.awareness().states().count());
    }
    now = now + Duration::from_secs(31);
    doc.awareness().handle_timeout(now);
    let left: Vec<u64> = doc.awareness().states().map(|(client, _)| client.get()).collect();
    assert_eq!(left, [1], "somebody stays for ever");
    let _ = doc.awareness().take_changes();
}
