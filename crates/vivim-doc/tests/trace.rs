//! A real document's history of 259,778 edits, read from `../shared/data/traces` beside the work
//! tree or from the file that `VIVIM_TRACE` names. Where it isn't, the test says so and passes.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "support/memory.rs"]
mod memory;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use vivim_doc::{ClientId, Doc};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Edits in one update of the shuffled delivery; about a thousand updates.
const EDITS_PER_UPDATE: usize = 260;

/// Times that each update is delivered.
const COPIES: usize = 3;

/// What a shuffled delivery may take, on a busy machine and without optimisation.
const TIME: Duration = Duration::from_secs(60);

/// What it may have in memory at most: the engine's items, and what waits.
const MEMORY: usize = 32 << 20;

struct Trace {
    /// Position, letters deleted, text inserted.
    edits: Vec<(u32, u32, String)>,
    text: String,
}

fn trace() -> Option<Trace> {
    let beside = "../../../shared/data/traces/automerge-paper.json.gz";
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join(beside);
    let file = std::env::var_os("VIVIM_TRACE").map_or(beside, PathBuf::from);
    if !file.is_file() {
        println!("SKIPPED: there is no {}", file.display());
        return None;
    }
    let unpacked = Command::new("gzip").arg("-dc").arg(file).output().unwrap();
    assert!(unpacked.status.success(), "{}", String::from_utf8_lossy(&unpacked.stderr));
    let json: serde_json::Value = serde_json::from_slice(&unpacked.stdout).unwrap();
    let number = |value: &serde_json::Value| u32::try_from(value.as_u64().unwrap()).unwrap();
    let edits = json["txns"].as_array().unwrap().iter();
    let edits = edits.flat_map(|txn| txn["patches"].as_array().unwrap());
    let edits = edits
        .map(|patch| (number(&patch[0]), number(&patch[1]), patch[2].as_str().unwrap().to_owned()));
    Some(Trace { edits: edits.collect(), text: json["endContent"].as_str().unwrap().to_owned() })
}

fn edit(doc: &mut Doc, (at, deleted, inserted): &(u32, u32, String)) {
    if *deleted > 0 {
        doc.text_delete("text", *at, *deleted).unwrap();
    }
    if !inserted.is_empty() {
        doc.text_insert("text", *at, inserted).unwrap();
    }
}

/// The trace, typed; and its updates of some edits each.
fn typed(trace: &Trace) -> (Doc, Vec<Vec<u8>>) {
    let mut doc = Doc::new(ClientId::from_random(1));
    let mut updates = Vec::new();
    for edits in trace.edits.chunks(EDITS_PER_UPDATE) {
        doc.begin_change();
        edits.iter().for_each(|patch| edit(&mut doc, patch));
        doc.end_change();
        updates.extend(doc.take_updates().into_iter().map(|update| update.payload.to_vec()));
    }
    (doc, updates)
}

#[test]
fn the_trace_replays_to_the_exact_text_and_item_13_shuffled_three_times_too() {
    let Some(trace) = trace() else { return };
    let start = Instant::now();
    let (mut author, updates) = typed(&trace);
    println!(
        "{} edits typed in {:?}: {} updates",
        trace.edits.len(),
        start.elapsed(),
        updates.len()
    );
    assert!(author.text("text").unwrap() == trace.text, "typed: another text");
    // As it is loaded.
    let mut loaded = Doc::new(ClientId::from_random(2));
    loaded.apply_update(&author.encode_state_as_update(None).unwrap()).unwrap();
    assert!(loaded.text("text").unwrap() == trace.text, "loaded: another text");

    let mut deliveries: Vec<&[u8]> =
        updates.iter().flat_map(|update| [update.as_slice(); COPIES]).collect();
    deliveries.shuffle(&mut ChaCha8Rng::seed_from_u64(13));
    let start = Instant::now();
    let mut resyncs = 0;
    let (peak, mut doc) = memory::peak(|| {
        let mut doc = Doc::new(ClientId::from_random(3));
        for update in deliveries {
            doc.apply_update(update).unwrap();
            doc.take_updates();
            resyncs += usize::from(doc.take_resync());
        }
        // What had to be dropped is asked for again, as a session does.
        if resyncs > 0 {
            let missing = author.encode_state_as_update(Some(&doc.encode_state_vector()));
            doc.apply_update(&missing.unwrap()).unwrap();
        }
        doc
    });
    let took = start.elapsed();
    println!(
        "shuffled and {COPIES} times: {took:?}, {peak} bytes at most, dropped {resyncs} times"
    );
    assert!(doc.text("text").unwrap() == trace.text, "shuffled: another text");
    assert_eq!(doc.encode_state_vector(), author.encode_state_vector());
    assert!(!doc.has_pending());
    assert!(took < TIME && peak < MEMORY);
}
