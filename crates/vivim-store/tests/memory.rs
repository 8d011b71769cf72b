//! The store in memory, and the faults that other crates' tests ask it for.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures::executor::block_on;
use vivim_store::contract::{self, DOC, meta, texts, updates};
use vivim_store::record::RecordError;
use vivim_store::{Damage, Damaged, MemoryStore, RecordKey, Store, StoreError};

macro_rules! in_memory {
    ($name:ident) => {
        #[test]
        fn $name() {
            block_on(contract::$name(&MemoryStore::new()));
        }
    };
}

vivim_store::contract!(in_memory);

#[test]
fn reopening_costs_nothing() {
    block_on(contract::reopening_costs_nothing(&MemoryStore::new(), 1_000));
}

#[test]
fn the_write_that_is_to_fail_fails_and_writes_nothing() {
    let store = MemoryStore::new();
    store.fail_write(1, StoreError::QuotaExceeded);
    block_on(async {
        store.append(DOC, &updates(["a"])).await.unwrap();
        let failed = store.append(DOC, &updates(["b"])).await;
        assert_eq!(failed, Err(StoreError::QuotaExceeded));
        store.append(DOC, &updates(["c"])).await.unwrap();
        assert_eq!(texts(&store.load(DOC).await.unwrap()), ["a", "c"]);
        assert_eq!(store.writes(), 3);
    });
}

#[test]
fn a_store_that_is_full_takes_no_more_but_gives_back_what_it_has() {
    let store = MemoryStore::new();
    store.set_quota(Some(30));
    block_on(async {
        store.append(DOC, &updates(["a"])).await.unwrap();
        assert_eq!(store.append(DOC, &updates(["b"])).await, Err(StoreError::QuotaExceeded));
        assert_eq!(texts(&store.load(DOC).await.unwrap()), ["a"]);
        store.delete(DOC).await.unwrap();
        store.append(DOC, &updates(["b"])).await.unwrap();
    });
}

#[test]
fn a_crash_keeps_what_was_acknowledged_and_loses_what_was_held() {
    let store = MemoryStore::new();
    block_on(store.append(DOC, &updates(["a"]))).unwrap();
    store.hold_writes();
    let held = updates(["b"]);
    let mut append = pin!(store.append(DOC, &held));
    let mut context = Context::from_waker(Waker::noop());
    assert!(append.as_mut().poll(&mut context).is_pending());
    let after = store.crash();
    assert_eq!(append.as_mut().poll(&mut context), Poll::Ready(Err(StoreError::Closed)));
    assert_eq!(texts(&block_on(after.load(DOC)).unwrap()), ["a"]);
    assert_eq!(block_on(store.load(DOC)), Err(StoreError::Closed));
}

#[test]
fn held_writes_go_on_when_they_are_released() {
    let store = MemoryStore::new();
    store.hold_writes();
    let held = updates(["a"]);
    let mut append = pin!(store.append(DOC, &held));
    let mut context = Context::from_waker(Waker::noop());
    assert!(append.as_mut().poll(&mut context).is_pending());
    assert_eq!(texts(&block_on(store.load(DOC)).unwrap()), [""; 0]);
    store.release_writes();
    assert!(append.as_mut().poll(&mut context).is_ready());
    assert_eq!(texts(&block_on(store.load(DOC)).unwrap()), ["a"]);
}

#[test]
fn a_damaged_record_costs_itself_and_is_named() {
    let store = MemoryStore::new();
    block_on(async {
        let first = store.append(DOC, &updates(["a"])).await.unwrap()[0];
        store.append(DOC, &updates(["b"])).await.unwrap();
        store.put_meta(&meta(DOC, "a")).await.unwrap();
        store.append(DOC, &updates(["c"])).await.unwrap();
        assert!(store.corrupt(DOC, first.key, |bytes| bytes[15] ^= 1));
        let torn = store.tear_last_record(DOC, 15).unwrap();
        assert!(store.corrupt_meta(DOC, Vec::clear));
        let loaded = store.load(DOC).await.unwrap();
        assert_eq!(texts(&loaded), ["b"]);
        let damaged = |key: Option<RecordKey>, error: RecordError| Damaged {
            key,
            damage: Damage::Record(error),
        };
        let expected = [
            damaged(None, RecordError::Truncated(0)),
            damaged(Some(first.key), RecordError::Checksum),
            damaged(Some(torn), RecordError::Length { expected: 2, found: 1 }),
        ];
        assert_eq!(loaded.damaged, expected);
        assert_eq!(store.list().await.unwrap().damaged, [DOC]);
        store.discard(DOC, &loaded.damaged_keys()).await.unwrap();
        store.put_meta(&meta(DOC, "a")).await.unwrap();
        let loaded = store.load(DOC).await.unwrap();
        assert_eq!((texts(&loaded), loaded.damaged), (vec!["b".to_owned()], Vec::new()));
    });
}

#[test]
fn what_a_newer_version_has_written_is_refused_and_stays() {
    let store = MemoryStore::new();
    block_on(async {
        let newer = store.append(DOC, &updates(["a"])).await.unwrap()[0].key;
        let known = store.append(DOC, &updates(["b"])).await.unwrap()[0].key;
        assert!(store.corrupt(DOC, newer, |bytes| *bytes = contract::newer_record(b"new")));
        contract::newer_records_stay(&store, newer, known).await;
        let store = MemoryStore::new();
        store.put_meta(&meta(DOC, "a")).await.unwrap();
        assert!(store.corrupt_meta(DOC, |bytes| *bytes = contract::newer_record(b"new")));
        contract::a_newer_meta_stays(&store).await;
    });
}
