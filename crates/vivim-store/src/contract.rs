//! What every store promises, as tests that take one. They need an empty store each.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use vivim_proto::id::DocId;

use crate::error::StoreError;
use crate::meta::DocumentMeta;
use crate::policy::{Ledger, Moment};
use crate::record::{self, RecordError};
use crate::store::{Content, Loaded, RecordKey, Store, Usage, Written};

/// The document that the tests are about.
pub const DOC: DocId = DocId([7; 32]);

const OTHER: DocId = DocId([8; 32]);

/// Updates of text.
pub fn updates<const N: usize>(texts: [&'static str; N]) -> Vec<Bytes> {
    texts.into_iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
}

/// Everything that was loaded, as text.
pub fn texts(loaded: &Loaded) -> Vec<String> {
    loaded.payloads().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
}

/// A meta with this name.
pub fn meta(doc: DocId, name: &str) -> DocumentMeta {
    DocumentMeta {
        doc,
        name: name.to_owned(),
        room: "a room".to_owned(),
        kind: "text".to_owned(),
        created: 1_700_000_000_000,
        opened: 1_700_000_000_001,
        devices: Bytes::from_static(&[1, 2, 3]),
        later: Bytes::new(),
    }
}

/// A record as a later version might write it: with the header that all versions have.
pub fn newer_record(payload: &[u8]) -> Vec<u8> {
    let [l0, l1, l2, l3] = (payload.len() as u32).to_le_bytes();
    let described = [3, 2, l0, l1, l2, l3];
    [&described[..], &record::sum(described, payload), payload].concat()
}

fn keys(written: &[Written]) -> Vec<RecordKey> {
    written.iter().map(|record| record.key).collect()
}

/// What was appended is loaded, in one record for each group and in order; documents don't mix.
pub async fn what_was_appended_is_loaded(store: &impl Store) {
    assert_eq!(store.load(DOC).await.unwrap(), Loaded::default());
    let first = store.append(DOC, &updates(["a", "b"])).await.unwrap();
    store.append(OTHER, &updates(["x"])).await.unwrap();
    let second = store.append(DOC, &updates(["", "c"])).await.unwrap();
    let loaded = store.load(DOC).await.unwrap();
    assert_eq!(texts(&loaded), ["a", "b", "", "c"]);
    let found: Vec<Written> = loaded
        .records
        .iter()
        .map(|record| Written { key: record.key, bytes: record.bytes })
        .collect();
    assert_eq!(found, [first.clone(), second.clone()].concat());
    assert!(keys(&first) < keys(&second));
    let bytes = found.iter().map(|record| record.bytes).sum();
    assert_eq!(store.usage(DOC).await.unwrap(), Usage { records: 2, bytes });
    assert_eq!(store.append(DOC, &[]).await.unwrap(), []);
    assert_eq!(store.usage(DOC).await.unwrap().records, 2);
}

/// A large group takes several records and comes back whole; a large update is one record.
pub async fn large_groups_come_back_whole(store: &impl Store) {
    let large: Vec<Bytes> =
        [1, 300_000, 2, 3, 200_000, 200_000].map(|len| Bytes::from(vec![len as u8; len])).into();
    let written = store.append(DOC, &large).await.unwrap();
    assert!(written.len() > 1);
    let loaded = store.load(DOC).await.unwrap();
    assert_eq!(loaded.payloads().cloned().collect::<Vec<_>>(), large);
}

/// A compaction replaces the records that it names and no others, and may be late.
pub async fn a_compaction_replaces_exactly_what_it_names(store: &impl Store) {
    let mine = store.append(DOC, &updates(["a", "b"])).await.unwrap();
    let theirs = store.append(DOC, &updates(["from another tab"])).await.unwrap();
    let other = store.append(OTHER, &updates(["x"])).await.unwrap();
    let snapshot = store.replace(DOC, &keys(&mine), b"ab").await.unwrap().unwrap();
    assert!(snapshot.key > keys(&other)[0]);
    let loaded = store.load(DOC).await.unwrap();
    assert_eq!(texts(&loaded), ["ab", "from another tab"]);
    assert_eq!(loaded.records[0].key, keys(&theirs)[0]);
    assert_eq!(loaded.records[1].content, Content::Snapshot(Bytes::from_static(b"ab")));
    assert_eq!(texts(&store.load(OTHER).await.unwrap()), ["x"]);
    // The other tab compacts too, with records that are gone: it was late, and nothing is changed.
    let named = [keys(&mine), keys(&theirs)].concat();
    assert_eq!(store.replace(DOC, &named, b"ab from another tab").await.unwrap(), None);
    assert_eq!(texts(&store.load(DOC).await.unwrap()), ["ab", "from another tab"]);
}

/// A key that is gone isn't given to another record.
pub async fn keys_are_not_used_again(store: &impl Store) {
    let first = store.append(DOC, &updates(["a"])).await.unwrap();
    store.delete(DOC).await.unwrap();
    let second = store.append(DOC, &updates(["b"])).await.unwrap();
    assert!(keys(&first) < keys(&second));
    assert_eq!(store.replace(DOC, &keys(&first), b"a").await.unwrap(), None);
    assert_eq!(texts(&store.load(DOC).await.unwrap()), ["b"]);
}

/// A meta is listed, loaded, replaced, and deleted with its document.
pub async fn metas_are_listed(store: &impl Store) {
    assert_eq!(store.meta(DOC).await.unwrap(), None);
    store.put_meta(&meta(DOC, "a")).await.unwrap();
    store.put_meta(&meta(OTHER, "b")).await.unwrap();
    store.put_meta(&meta(DOC, "c")).await.unwrap();
    store.append(DOC, &updates(["x"])).await.unwrap();
    assert_eq!(store.meta(DOC).await.unwrap(), Some(meta(DOC, "c")));
    assert_eq!(store.load(DOC).await.unwrap().meta, Some(meta(DOC, "c")));
    let listing = store.list().await.unwrap();
    assert_eq!(listing.documents, [meta(DOC, "c"), meta(OTHER, "b")]);
    store.delete(DOC).await.unwrap();
    assert_eq!(store.load(DOC).await.unwrap(), Loaded::default());
    assert_eq!(store.list().await.unwrap().documents, [meta(OTHER, "b")]);
    assert_eq!(store.usage(DOC).await.unwrap(), Usage::default());
}

/// What can't be a record is refused, and nothing of it is written.
pub async fn what_is_too_large_is_refused(store: &impl Store) {
    let mut large = meta(DOC, "a");
    large.devices = vec![0; crate::limits::MAX_DEVICES + 1].into();
    let refused = store.put_meta(&large).await;
    assert!(matches!(refused, Err(StoreError::Record(RecordError::TooLarge { .. }))));
    assert_eq!(store.list().await.unwrap().documents, []);
}

/// Discarded records are gone, the others stay; discarding nothing or twice is nothing.
pub async fn discarded_records_are_gone(store: &impl Store) {
    let bad = store.append(DOC, &updates(["bad"])).await.unwrap();
    store.append(DOC, &updates(["good"])).await.unwrap();
    store.discard(DOC, &[]).await.unwrap();
    store.discard(DOC, &keys(&bad)).await.unwrap();
    store.discard(DOC, &keys(&bad)).await.unwrap();
    assert_eq!(texts(&store.load(DOC).await.unwrap()), ["good"]);
}

/// A document with a [`newer_record`] under the key `newer`, and one under the key `known` that isn't:
/// neither is read, replaced or set aside, and what is written meanwhile is added.
pub async fn newer_records_stay(store: &impl Store, newer: RecordKey, known: RecordKey) {
    let before = store.usage(DOC).await.unwrap();
    assert_eq!(store.load(DOC).await, Err(StoreError::NewerVersion));
    for keys in [vec![newer], vec![known, newer], vec![newer, known]] {
        let refused = store.replace(DOC, &keys, b"a snapshot without it").await;
        assert_eq!(refused, Err(StoreError::NewerVersion), "{keys:?}");
        assert_eq!(store.discard(DOC, &keys).await, Err(StoreError::NewerVersion), "{keys:?}");
    }
    assert_eq!(store.usage(DOC).await.unwrap(), before);
    // Whether this is refused or says nothing about this document: it stays.
    let _ = store.replace(OTHER, &[newer], b"x").await;
    assert_eq!(store.usage(DOC).await.unwrap(), before);
    // What has nothing to do with it goes on.
    let written = store.replace(DOC, &[known], b"known").await.unwrap().unwrap();
    assert_eq!(store.usage(DOC).await.unwrap().records, before.records);
    assert!(written.key > newer);
}

/// A document whose meta is a [`newer_record`]: it is neither read nor replaced.
pub async fn a_newer_meta_stays(store: &impl Store) {
    assert_eq!(store.load(DOC).await, Err(StoreError::NewerVersion));
    assert_eq!(store.meta(DOC).await, Err(StoreError::NewerVersion));
    assert_eq!(store.put_meta(&meta(DOC, "older")).await, Err(StoreError::NewerVersion));
    store.put_meta(&meta(OTHER, "b")).await.unwrap();
    let listing = store.list().await.unwrap();
    assert_eq!(listing.documents, [meta(OTHER, "b")]);
    assert_eq!((listing.newer, listing.damaged), (vec![DOC], Vec::new()));
    store.delete(DOC).await.unwrap();
    store.put_meta(&meta(DOC, "anew")).await.unwrap();
}

/// Opening a document again and again by the policy costs no more than its state.
pub async fn reopening_costs_nothing(store: &impl Store, times: usize) {
    const STATE: usize = 100_000;
    let mut log = Vec::new();
    for chunk in [0u8; STATE].chunks(500) {
        log.extend(store.append(DOC, &[Bytes::copy_from_slice(chunk)]).await.unwrap());
    }
    for _ in 0..times {
        let loaded = store.load(DOC).await.unwrap();
        let state: Vec<u8> = loaded.payloads().flatten().copied().collect();
        assert_eq!(state.len(), STATE);
        let mut ledger = Ledger::new(&loaded);
        if ledger.due(Moment::Idle) {
            let compaction = ledger.begin();
            let written = store.replace(DOC, compaction.keys(), &state).await.unwrap();
            ledger.finish(&compaction, written.unwrap());
        }
    }
    let usage = store.usage(DOC).await.unwrap();
    assert_eq!(usage.records, 1);
    assert!(usage.bytes as usize <= STATE + STATE / 5, "{usage:?}");
}

/// A closed store says so.
pub async fn a_closed_store_says_so(store: &impl Store) {
    store.append(DOC, &updates(["a"])).await.unwrap();
    store.close().await;
    assert_eq!(store.load(DOC).await.unwrap_err(), StoreError::Closed);
    assert_eq!(store.append(DOC, &updates(["b"])).await.unwrap_err(), StoreError::Closed);
    assert_eq!(store.list().await.unwrap_err(), StoreError::Closed);
    store.close().await;
}

/// All of them, each with a store of its own.
#[macro_export]
macro_rules! contract {
    ($test:ident) => {
        $test!(what_was_appended_is_loaded);
        $test!(large_groups_come_back_whole);
        $test!(a_compaction_replaces_exactly_what_it_names);
        $test!(keys_are_not_used_again);
        $test!(metas_are_listed);
        $test!(what_is_too_large_is_refused);
        $test!(discarded_records_are_gone);
        $test!(a_closed_store_says_so);
    };
}
