//! What the policy promises about room and work.

use bytes::Bytes;
use futures::executor::block_on;
use proptest::prelude::*;
use vivim_proto::id::DocId;

use super::*;
use crate::MemoryStore;
use crate::error::StoreError;
use crate::record::HEADER;
use crate::store::{Store, StoredRecord};

const DOC: DocId = DocId([1; 32]);

fn written(key: u64, bytes: u64) -> Written {
    Written { key: RecordKey(key), bytes }
}

fn loaded(snapshots: &[u64], groups: &[u64]) -> Loaded {
    let snapshots = snapshots.iter().map(|bytes| (*bytes, Content::Snapshot(Bytes::new())));
    let groups = groups.iter().map(|bytes| (*bytes, Content::Updates(Vec::new())));
    let records = snapshots.chain(groups).enumerate().map(|(i, (bytes, content))| StoredRecord {
        key: RecordKey(i as u64 + 1),
        bytes,
        content,
    });
    Loaded { records: records.collect(), ..Loaded::default() }
}

#[test]
fn an_empty_document_and_one_just_compacted_are_never_due() {
    for ledger in [Ledger::default(), Ledger::new(&loaded(&[100], &[]))] {
        assert!(!ledger.due(Moment::Idle) && !ledger.due(Moment::Busy));
    }
}

#[test]
fn somebody_who_types_is_left_alone_until_the_log_is_half_of_the_snapshot() {
    let mut ledger = Ledger::new(&loaded(&[1_000_000], &[]));
    ledger.appended(&[written(2, 400_000)]);
    assert!(!ledger.due(Moment::Busy));
    assert!(ledger.due(Moment::Idle));
    ledger.appended(&[written(3, 100_000)]);
    assert!(ledger.due(Moment::Busy));
}

#[test]
fn many_small_records_are_due_whatever_their_size() {
    let mut ledger = Ledger::new(&loaded(&[1_000_000], &[]));
    for key in 0..BUSY_RECORDS as u64 {
        assert!(!ledger.due(Moment::Busy));
        assert_eq!(ledger.due(Moment::Idle), key >= IDLE_RECORDS as u64);
        ledger.appended(&[written(2 + key, 20)]);
    }
    assert!(ledger.due(Moment::Busy));
}

#[test]
fn two_snapshots_are_one_too_many() {
    assert!(Ledger::new(&loaded(&[10, 1_000_000], &[])).due(Moment::Idle));
}

#[test]
fn what_was_appended_during_a_compaction_stays_in_the_log() {
    let mut ledger = Ledger::new(&loaded(&[1_000], &[500]));
    let compaction = ledger.begin();
    ledger.appended(&[written(7, 300)]);
    ledger.finish(&compaction, written(8, 1_400));
    assert_eq!(compaction.keys(), [RecordKey(1), RecordKey(2)]);
    assert_eq!(ledger.begin().keys(), [RecordKey(7), RecordKey(8)]);
    assert_eq!(ledger.bytes(), 1_700);
}

#[test]
fn a_compaction_that_failed_is_tried_again_when_the_log_has_grown_by_half() {
    let mut ledger = Ledger::new(&loaded(&[1_000], &[100_000]));
    assert!(ledger.due(Moment::Busy));
    ledger.put_off();
    assert!(!ledger.due(Moment::Busy) && !ledger.due(Moment::Idle));
    ledger.appended(&[written(3, 40_000)]);
    assert!(!ledger.due(Moment::Busy));
    ledger.appended(&[written(4, 20_000)]);
    assert!(ledger.due(Moment::Busy));
}

/// A document whose state is the bytes of all its updates one after the other.
struct Toy {
    store: MemoryStore,
    ledger: Ledger,
    state: Vec<u8>,
}

impl Toy {
    fn open(store: &MemoryStore) -> Self {
        let loaded = block_on(store.load(DOC)).unwrap();
        let state = loaded.payloads().flatten().copied().collect();
        let mut toy = Self { store: store.clone(), ledger: Ledger::new(&loaded), state };
        toy.compact_if_due(Moment::Idle);
        toy
    }

    fn edit(&mut self, bytes: usize) {
        let update = Bytes::from(vec![7; bytes]);
        self.state.extend_from_slice(&update);
        self.ledger.appended(&block_on(self.store.append(DOC, &[update])).unwrap());
        self.compact_if_due(Moment::Busy);
    }

    fn compact_if_due(&mut self, moment: Moment) {
        if self.ledger.due(moment) {
            let compaction = self.ledger.begin();
            match block_on(self.store.replace(DOC, compaction.keys(), &self.state)) {
                Ok(snapshot) => self.ledger.finish(&compaction, snapshot.unwrap()),
                Err(StoreError::QuotaExceeded) => self.ledger.put_off(),
                Err(other) => panic!("{other}"),
            }
            assert!(!self.ledger.due(moment), "due again at once: {:?}", self.ledger);
        }
    }
}

#[test]
fn a_thousand_reopenings_of_a_document_at_rest_write_once_at_most() {
    let store = MemoryStore::new();
    let mut toy = Toy::open(&store);
    for _ in 0..100 {
        toy.edit(30);
    }
    let _ = Toy::open(&store);
    let writes = store.writes();
    for _ in 0..1_000 {
        let toy = Toy::open(&store);
        assert_eq!(toy.state.len(), 3_000);
    }
    assert_eq!(store.writes(), writes);
    assert_eq!(store.bytes(), 3_000 + HEADER as u64);
}

proptest! {
    #[test]
    fn a_document_costs_little_more_than_its_state_however_it_was_edited(
        sessions in prop::collection::vec(prop::collection::vec(1..3_000usize, 0..40), 1..20),
    ) {
        let store = MemoryStore::new();
        for session in &sessions {
            let mut toy = Toy::open(&store);
            for bytes in session {
                toy.edit(*bytes);
            }
            let state = toy.state.len() as u64;
            prop_assert_eq!(toy.ledger.bytes(), store.bytes());
            prop_assert!(store.bytes() <= state + BUSY_FLOOR.max(state / BUSY_SHARE) + 4_000);
        }
        let at_rest = Toy::open(&store);
        let state = at_rest.state.len() as u64;
        prop_assert_eq!(state, sessions.iter().flatten().map(|bytes| *bytes as u64).sum::<u64>());
        prop_assert!(store.bytes() <= state + state / IDLE_SHARE + 2 * HEADER as u64);
    }

    #[test]
    fn what_is_written_is_in_proportion_to_what_was_edited(
        edits in prop::collection::vec(1..20_000usize, 1..300),
    ) {
        let store = MemoryStore::new();
        let mut toy = Toy::open(&store);
        let mut compacted = 0;
        for bytes in &edits {
            let before = toy.ledger.begin();
            toy.edit(*bytes);
            if toy.ledger.begin().keys().len() <= before.keys().len() {
                compacted += toy.state.len();
            }
        }
        prop_assert!(compacted <= 3 * toy.state.len(), "{compacted} of {}", toy.state.len());
    }
}
