//! What fuzzing started from and what it found, replayed: see `fuzz/`.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../../fuzz/src/record.rs"]
mod record;
#[path = "../../../fuzz/src/replay.rs"]
mod replay;

#[test]
fn the_corpus_of_record_is_replayed() {
    replay::all("record", record::run);
}
