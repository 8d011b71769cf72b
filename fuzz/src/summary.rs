//! State vectors from peers: checked, and answered with what is missing there.

use vivim_doc::{ClientId, Doc, validate};

/// What is refused is refused twice; what isn't gets an answer that its sender could apply.
pub(crate) fn run(data: &[u8]) {
    let mut doc = Doc::new(ClientId::from_random(1));
    for (at, word) in ["one ", "two ", "👋"].into_iter().enumerate() {
        let edited = doc.text_insert("t", 4 * at as u32, word);
        edited.unwrap_or_else(|error| panic!("{error}"));
    }
    let checked = validate::state_vector(data);
    match doc.encode_state_as_update(Some(data)) {
        Ok(missing) => {
            assert_eq!(checked, Ok(()));
            let mut peer = Doc::new(ClientId::from_random(2));
            peer.apply_update(&missing).unwrap_or_else(|error| panic!("{error}"));
        }
        Err(_) => assert!(checked.is_err()),
    }
}
