//! What fuzzing started from and what it found, replayed: see `fuzz/`.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../../fuzz/src/awareness.rs"]
mod awareness;
#[path = "../../../fuzz/src/replay.rs"]
mod replay;
#[path = "../../../fuzz/src/summary.rs"]
mod summary;
#[path = "../../../fuzz/src/update.rs"]
mod update;

#[test]
fn the_corpus_of_update_is_replayed() {
    replay::all("update", update::run);
}

#[test]
fn the_corpus_of_summary_is_replayed() {
    replay::all("summary", summary::run);
}

#[test]
fn the_corpus_of_awareness_is_replayed() {
    replay::all("awareness", awareness::run);
}
