//! The machine over a virtual store: every seed is another history of edits, flushes, failures and
//! crashes.

use std::collections::BTreeMap;

use vivim_doc::ClientId;
use vivim_proto::{
    id::DocId,
    sync::{ReplicaOp, ReplicaResult},
};
use vivim_store::{Content, Loaded, RecordKey, StoreError, StoredRecord, Written};

use super::*;
use crate::{Event, Output, StoreDone, StoreOp, Wrote};

const DOC: DocId = DocId([1; 32]);

/// A disk. What was written is there; nothing else.
#[derive(Clone, Default)]
struct Disk {
    last: u64,
    records: BTreeMap<RecordKey, Content>,
    meta: Option<DocumentMeta>,
}

impl Disk {
    fn add(&mut self, content: Content) -> Written {
        self.last += 1;
        let key = RecordKey(self.last);
        let bytes = size(&content);
        self.records.insert(key, content);
        Written { key, bytes }
    }

    fn run(&mut self, op: StoreOp) -> StoreDone {
        match op {
            StoreOp::Load => {
                let records = self.records.iter().map(|(key, content)| StoredRecord {
                    key: *key,
                    bytes: size(content),
                    content: content.clone(),
                });
                let records = records.collect();
                StoreDone::Loaded(Box::new(Loaded {
                    meta: self.meta.clone(),
                    records,
                    damaged: Vec::new(),
                }))
            }
            StoreOp::Append(updates) => {
                StoreDone::Appended(vec![self.add(Content::Updates(updates))])
            }
            StoreOp::Replace { keys, snapshot } => {
                if !keys.iter().all(|key| self.records.contains_key(key)) {
                    return StoreDone::Replaced(None);
                }
                keys.iter().for_each(|key| drop(self.records.remove(key)));
                StoreDone::Replaced(Some(self.add(Content::Snapshot(snapshot))))
            }
            StoreOp::PutMeta(meta) => {
                self.meta = Some(meta);
                StoreDone::Done
            }
            StoreOp::Discard(keys) => {
                keys.iter().for_each(|key| drop(self.records.remove(key)));
                StoreDone::Done
            }
        }
    }
}

fn size(content: &Content) -> u64 {
    match content {
        Content::Snapshot(snapshot) => snapshot.len() as u64,
        Content::Updates(updates) => updates.iter().map(|update| update.len() as u64).sum(),
    }
}

/// One tab.
struct Tab {
    doc: OpenDocument<String>,
    /// What the store was asked for and hasn't answered.
    asked: Option<StoreOp>,
    now: Timestamp,
    changes: Vec<(u64, Bytes)>,
    wrote: Vec<Wrote>,
    events: Vec<String>,
    stored: usize,
}

impl Tab {
    fn open(client: u64) -> Self {
        Self::on(client, &format!("device{client}"))
    }

    fn on(client: u64, device: &str) -> Self {
        let options = Options {
            doc: DOC,
            client: ClientId::from_random(client),
            device: device.to_owned(),
            name: "default".to_owned(),
            room: "room".to_owned(),
            kind: String::new(),
            stored: true,
            wall_clock: 1_000_000_000_000,
        };
        let mut this = Self {
            doc: OpenDocument::new(options, Timestamp::ZERO),
            asked: None,
            now: Timestamp::ZERO,
            changes: Vec::new(),
            wrote: Vec::new(),
            events: Vec::new(),
            stored: 0,
        };
        this.drain();
        this
    }

    fn drain(&mut self) {
        while let Some(output) = self.doc.poll_output() {
            match output {
                Output::Store(op) => {
                    assert!(self.asked.is_none(), "two operations at once");
                    self.asked = Some(op);
                }
                Output::Change { number, payload } => self.changes.push((number, payload)),
                Output::Stored => self.stored += 1,
                Output::Event(Event::Wrote(wrote)) => self.wrote.push(wrote),
                Output::Event(event) => self.events.push(format!("{event:?}")),
                _ => {}
            }
        }
    }

    fn done(&mut self, done: StoreDone) {
        self.asked = None;
        self.doc.store_done(done, self.now);
        self.drain();
    }

    /// Lets the store do what it was asked for.
    fn step(&mut self, disk: &mut Disk) -> bool {
        let Some(op) = self.asked.take() else { return false };
        let done = disk.run(op);
        self.done(done);
        true
    }

    fn run(&mut self, disk: &mut Disk) {
        while self.step(disk) {}
    }

    fn fail(&mut self, error: StoreError) {
        if self.asked.is_some() {
            self.done(StoreDone::Failed(error));
        }
    }

    fn type_text(&mut self, text: &str) {
        self.doc.edit(|doc| {
            let end = doc.text_len("t").unwrap();
            doc.text_insert("t", end, text).unwrap();
        });
        self.doc.settle(self.now);
        self.drain();
    }

    fn flush(&mut self) -> Position {
        let position = self.doc.flush(self.now);
        self.drain();
        position
    }

    fn wait(&mut self, millis: u64) {
        self.now = self.now + std::time::Duration::from_millis(millis);
        self.doc.handle_timeout(self.now);
        self.drain();
    }

    fn text(&mut self) -> String {
        self.doc.read(|doc| doc.text("t").unwrap())
    }
}

/// Numbers that look random, the same for each seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }
}

#[test]
fn what_was_flushed_is_there_after_a_crash_at_any_step() {
    for seed in 0..2_000 {
        let mut dice = Dice(seed);
        let mut disk = Disk::default();
        let mut word = 0;
        let mut flushed: Vec<u64> = Vec::new();
        for opening in 1..=4 {
            let mut tab = Tab::open(seed * 10 + opening);
            let mut typed: Vec<u64> = Vec::new();
            let mut tickets: Vec<(Position, Vec<u64>)> = Vec::new();
            for _ in 0..dice.roll(60) {
                match dice.roll(10) {
                    0..=3 => {
                        word += 1;
                        tab.type_text(&format!("<{word}>"));
                        typed.push(word);
                    }
                    4 => {
                        let position = tab.flush();
                        tickets.push((position, typed.clone()));
                    }
                    5..=7 => drop(tab.step(&mut disk)),
                    8 => tab.fail(match dice.roll(3) {
                        0 => StoreError::QuotaExceeded,
                        _ => StoreError::Io { reason: "test".to_owned() },
                    }),
                    _ => tab.wait(dice.roll(40_000)),
                }
                for (position, words) in std::mem::take(&mut tickets) {
                    if tab.doc.durable() >= position {
                        flushed.extend(words);
                    } else {
                        tickets.push((position, words));
                    }
                }
            }
            // Crash: a write under way has happened, or not.
            if dice.roll(2) == 0
                && let Some(op) = tab.asked.take()
            {
                drop(disk.run(op));
            }
            let mut after = Tab::open(seed * 10 + 9);
            after.run(&mut disk);
            let text = after.text();
            for word in &flushed {
                assert!(text.contains(&format!("<{word}>")), "seed {seed}: {word} was flushed");
            }
            assert!(after.events.iter().any(|event| event == "Loaded"), "seed {seed}");
        }
    }
}

#[test]
fn edits_wait_as_one_difference_when_there_are_too_many() {
    let mut disk = Disk::default();
    let mut tab = Tab::open(1);
    tab.run(&mut disk);
    tab.type_text("first ");
    // The store doesn't answer, and more comes than may wait.
    for number in 0..2_000 {
        tab.type_text(&format!("{number} "));
    }
    let position = tab.flush();
    tab.run(&mut disk);
    assert!(tab.doc.durable() >= position);
    let mut after = Tab::open(2);
    after.run(&mut disk);
    assert_eq!(after.text(), tab.text());
}

#[test]
fn a_failed_flush_says_so_and_the_write_is_repeated() {
    let mut disk = Disk::default();
    let mut tab = Tab::open(1);
    tab.run(&mut disk);
    tab.type_text("hello");
    let position = tab.flush();
    while !matches!(tab.asked, Some(StoreOp::Append(_))) {
        assert!(tab.step(&mut disk));
    }
    tab.fail(StoreError::QuotaExceeded);
    assert!(tab.doc.durable() < position);
    assert!(tab.doc.is_storage_failing());
    assert!(tab.events.iter().any(|event| event.contains("QuotaExceeded")));
    // The names may be written meanwhile.
    tab.run(&mut disk);
    assert!(tab.doc.durable() < position, "it waits");
    tab.wait(60_000);
    tab.run(&mut disk);
    assert!(tab.doc.durable() >= position);
    assert!(tab.events.iter().any(|event| event == "StorageRecovered"));
}

#[test]
fn a_store_that_was_deleted_under_us_gets_everything_again() {
    let mut disk = Disk::default();
    let mut tab = Tab::open(1);
    tab.run(&mut disk);
    tab.type_text("before ");
    tab.flush();
    tab.run(&mut disk);
    disk = Disk::default();
    tab.type_text("after");
    tab.fail(StoreError::Gone);
    tab.wait(60_000);
    tab.run(&mut disk);
    let mut again = Tab::open(2);
    again.run(&mut disk);
    assert_eq!(again.text(), "before after");
    assert_eq!(again.doc.meta().map(|meta| meta.room.as_str()), Some("room"));
}

#[test]
fn a_document_that_cannot_be_loaded_is_edited_in_memory_and_written_later() {
    let mut disk = Disk::default();
    let mut first = Tab::open(1);
    first.run(&mut disk);
    first.type_text("old ");
    first.flush();
    first.run(&mut disk);

    let mut tab = Tab::open(2);
    tab.fail(StoreError::Unavailable { reason: "private".to_owned() });
    assert!(tab.doc.is_loaded());
    tab.type_text("new ");
    assert!(tab.doc.durable() < tab.flush());
    tab.run(&mut disk);
    assert!(tab.text().contains("old "), "{}", tab.text());
    let mut after = Tab::open(3);
    after.run(&mut disk);
    assert_eq!(after.text(), tab.text());
}

#[test]
fn opening_again_and_again_leaves_the_store_as_small_as_the_document() {
    let mut disk = Disk::default();
    for opening in 1..=200 {
        let mut tab = Tab::open(opening);
        tab.run(&mut disk);
        tab.type_text("a sentence of some length. ");
        tab.flush();
        tab.run(&mut disk);
        tab.wait(60_000);
        tab.run(&mut disk);
    }
    let mut last = Tab::open(1_000);
    last.run(&mut disk);
    let state = last.doc.read(|doc| doc.encode_state_as_update(None).unwrap().len()) as u64;
    let stored: u64 = disk.records.values().map(size).sum();
    assert!(stored <= state + state / 5, "{stored} bytes for a state of {state}");
    assert!(disk.records.len() <= 33, "{} records", disk.records.len());
}

#[test]
fn what_is_closed_is_written_and_compacted_at_once_and_never_later() {
    let mut disk = Disk::default();
    let mut tab = Tab::open(1);
    tab.run(&mut disk);
    tab.type_text("one ");
    tab.flush();
    tab.run(&mut disk);
    tab.type_text("two");
    tab.doc.close(tab.now);
    tab.drain();
    assert!(tab.doc.is_storing());
    tab.run(&mut disk);
    assert!(!tab.doc.is_storing());
    assert!(matches!(disk.records.values().next(), Some(Content::Snapshot(_))));
    assert_eq!(disk.records.len(), 1);
    tab.now = tab.now + std::time::Duration::from_secs(3600);
    tab.doc.handle_timeout(tab.now);
    tab.drain();
    assert!(!tab.doc.is_storing());
}

#[test]
fn openings_that_overlap_leave_one_snapshot_and_no_trace_of_who_wrote_nothing() {
    let mut disk = Disk::default();
    let mut writer = Tab::open(1);
    writer.run(&mut disk);
    writer.type_text("hello");
    writer.flush();
    writer.run(&mut disk);
    writer.doc.close(writer.now);
    writer.drain();
    let size_of_meta = |disk: &Disk| disk.meta.as_ref().unwrap().devices.len();
    let before = size_of_meta(&disk);
    // Each begins to compact while the one before it still does.
    let mut closing = writer;
    for client in 2..60 {
        let mut next = Tab::open(client);
        assert!(next.step(&mut disk), "loads");
        next.doc.close(next.now);
        next.drain();
        closing.run(&mut disk);
        closing = next;
    }
    closing.run(&mut disk);
    assert_eq!(disk.records.len(), 1);
    assert_eq!(size_of_meta(&disk), before);
    let mut last = Tab::open(99);
    last.run(&mut disk);
    assert_eq!(last.text(), "hello");
}

#[test]
fn who_compacts_too_late_loads_what_the_other_knew() {
    let mut disk = Disk::default();
    let mut first = Tab::open(1);
    first.run(&mut disk);
    first.type_text("one ");
    first.run(&mut disk);
    // Both know the same records, and the first hears nothing of what the second writes.
    let mut second = Tab::open(2);
    assert!(second.step(&mut disk));
    let late = second.asked.take().unwrap();
    assert!(matches!(late, StoreOp::Replace { .. }), "{late:?}");
    first.type_text("two");
    first.run(&mut disk);
    first.doc.close(first.now);
    first.drain();
    first.run(&mut disk);
    assert_eq!(disk.records.len(), 1);
    second.done(disk.run(late));
    second.run(&mut disk);
    assert_eq!(disk.records.len(), 1);
    assert_eq!(second.text(), "one two");
}

#[test]
fn what_is_deleted_under_an_opening_is_written_again_whole() {
    let mut disk = Disk::default();
    let mut first = Tab::open(1);
    first.run(&mut disk);
    first.type_text("one");
    first.run(&mut disk);
    let mut second = Tab::open(2);
    assert!(second.step(&mut disk));
    disk.records.clear();
    second.run(&mut disk);
    let mut third = Tab::open(3);
    third.run(&mut disk);
    assert_eq!(third.text(), "one");
}

#[test]
fn two_tabs_see_each_others_edits_and_lose_none_whoever_compacts() {
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let mut disk = Disk::default();
        let mut tabs = [Tab::open(2 * seed + 1), Tab::open(2 * seed + 2)];
        for number in 0..dice.roll(80) {
            let which = dice.roll(2) as usize;
            match dice.roll(6) {
                0 | 1 => tabs[which].type_text(&format!("<{number}>")),
                2 => drop(tabs[which].flush()),
                3 | 4 => drop(tabs[which].step(&mut disk)),
                _ => tabs[which].wait(dice.roll(9_000)),
            }
            if dice.roll(2) == 0 {
                tell(&mut tabs);
            }
        }
        for _ in 0..4 {
            for tab in &mut tabs {
                tab.flush();
                tab.run(&mut disk);
                tab.wait(60_000);
                tab.run(&mut disk);
            }
            tell(&mut tabs);
        }
        let [one, other] = &mut tabs;
        assert_eq!(one.text(), other.text(), "seed {seed}");
        let mut after = Tab::open(9_999);
        after.run(&mut disk);
        assert_eq!(after.text(), one.text(), "seed {seed}");
    }
}

/// Brings what each tab wrote to the other one.
fn tell(tabs: &mut [Tab; 2]) {
    let [one, other] = tabs;
    for (from, to) in [(0, 1), (1, 0)] {
        let (from, to) =
            if from < to { (&mut *one, &mut *other) } else { (&mut *other, &mut *one) };
        for wrote in std::mem::take(&mut from.wrote) {
            to.doc.sibling_wrote(wrote, to.now);
            to.drain();
        }
    }
}

#[test]
fn peers_hear_that_something_is_stored_only_when_it_is() {
    let mut disk = Disk::default();
    let mut theirs = Tab::open(1);
    theirs.run(&mut disk);
    theirs.doc.attached(theirs.now);
    theirs.type_text("hello");
    let (number, update) = theirs.changes.remove(0);
    assert_eq!(number, 1);

    let mut disk = Disk::default();
    let mut ours = Tab::open(2);
    ours.run(&mut disk);
    ours.doc.attached(ours.now);
    let peer = "peer".to_owned();
    let apply = ReplicaOp::Apply { payload: update };
    assert_eq!(ours.doc.answer(&peer, apply.clone(), ours.now), ReplicaResult::Applied);
    ours.drain();
    // It comes again, on a better connection, before it could be written.
    assert_eq!(ours.doc.answer(&peer, apply.clone(), ours.now), ReplicaResult::Applied);
    assert_eq!(ours.stored, 0);
    ours.fail(StoreError::QuotaExceeded);
    assert_eq!(ours.stored, 0);
    ours.wait(60_000);
    ours.run(&mut disk);
    assert_eq!(ours.stored, 1);
    assert_eq!(ours.text(), "hello");
    // And once more, when it is: nothing will be written for it.
    assert_eq!(ours.doc.answer(&peer, apply, ours.now), ReplicaResult::Stored);
}

#[test]
fn a_damaged_record_is_reported_set_aside_and_asked_for_again() {
    use vivim_store::{Damage, Damaged, record::RecordError};
    let mut tab = Tab::open(1);
    let damaged =
        Damaged { key: Some(RecordKey(7)), damage: Damage::Record(RecordError::Checksum) };
    tab.done(StoreDone::Loaded(Box::new(Loaded { damaged: vec![damaged], ..Loaded::default() })));
    assert!(tab.events.iter().any(|event| event.starts_with("Damaged")));
    assert!(matches!(&tab.asked, Some(StoreOp::Discard(keys)) if *keys == [RecordKey(7)]));
}

#[test]
fn a_document_of_a_newer_version_is_left_alone_until_it_can_be_read() {
    let mut disk = Disk::default();
    let mut first = Tab::open(1);
    first.run(&mut disk);
    first.type_text("newer");
    first.flush();
    first.run(&mut disk);

    let mut tab = Tab::open(2);
    tab.fail(StoreError::NewerVersion);
    assert!(tab.events.iter().any(|event| event.contains("NewerVersion")));
    assert!(tab.events.iter().any(|event| event == "Loaded"));
    // However much is edited, and however long it takes, nothing but loading is asked of the store.
    for _ in 0..20 {
        tab.type_text("here;");
        let position = tab.flush();
        assert!(matches!(tab.asked, Some(StoreOp::Load)), "{:?}", tab.asked);
        tab.fail(StoreError::NewerVersion);
        assert!(tab.doc.durable() < position);
        assert!(tab.asked.is_none());
        tab.wait(60_000);
        assert!(matches!(tab.asked, Some(StoreOp::Load)), "{:?}", tab.asked);
        tab.fail(StoreError::NewerVersion);
    }
    // It was updated meanwhile, or what was newer was deleted.
    let position = tab.flush();
    tab.run(&mut disk);
    assert!(tab.doc.durable() >= position);
    let mut after = Tab::open(3);
    after.run(&mut disk);
    assert!(after.text().contains("newer") && after.text().contains("here;"));
}

#[test]
fn the_count_of_what_is_only_here_survives_a_reload() {
    use crate::NodeEvent;
    let mut disk = Disk::default();
    let mut tab = Tab::open(1);
    tab.run(&mut disk);
    tab.type_text("one ");
    tab.type_text("two ");
    tab.type_text("three ");
    assert_eq!(tab.doc.unsynced(), 3);
    let peer = "peer".to_owned();
    tab.doc.attached(tab.now);
    tab.doc.node_event(NodeEvent::Opened(peer.clone()), tab.now);
    tab.doc.node_event(NodeEvent::Reached { peer, change: 2, stored: false }, tab.now);
    assert_eq!(tab.doc.unsynced(), 1);
    tab.flush();
    tab.run(&mut disk);

    // The same device opens it again.
    let mut again = Tab::on(2, "device1");
    again.run(&mut disk);
    assert_eq!(again.doc.unsynced(), 1);
    again.type_text("four");
    assert_eq!(again.doc.unsynced(), 2);
    assert_eq!(again.doc.attached(again.now), 4);
    assert_eq!(again.doc.vector_clock().iter().count(), 1);
}
