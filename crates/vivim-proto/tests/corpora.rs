//! What fuzzing started from and what it found, replayed: see `fuzz/`.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../../fuzz/src/frame.rs"]
mod frame;
#[path = "../../../fuzz/src/replay.rs"]
mod replay;

#[test]
fn the_corpus_of_frame_is_replayed() {
    replay::all("frame", frame::run);
}
