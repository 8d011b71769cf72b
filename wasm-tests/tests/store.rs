//! Documents in the browser's IndexedDB.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, join, join_all, select};
use futures_timer::Delay;
use vivim_proto::id::DocId;
use vivim_store::contract::{self, DOC, meta, texts, updates};
use vivim_store::policy::{Ledger, Moment};
use vivim_store::record::{RecordError, encode_snapshot, encode_updates};
use vivim_store::{
    Damage, IndexedDbStore, Loaded, RecordKey, Store, StoreError, Usage, indexed_db, limits,
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::*;
use web_time::Instant;

wasm_bindgen_test_configure!(run_in_browser);

thread_local! {
    static DATABASES: Cell<u32> = const { Cell::new(0) };
}

/// A name that no other test has used in this browser profile.
fn name() -> String {
    let number = DATABASES.replace(DATABASES.get() + 1);
    format!("test {number} {}", js_sys::Date::now())
}

async fn open(name: &str) -> IndexedDbStore {
    IndexedDbStore::open(name).await.unwrap()
}

/// Runs the body of an async function; `name`, `doc` (the id of [`DOC`]) and `bytes` are in reach.
async fn js(name: &str, bytes: &[u8], body: &str) -> JsValue {
    let source = format!(
        "const done = request => new Promise((resolve, reject) => {{
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(request.error);
        }});
        const finished = transaction => new Promise((resolve, reject) => {{
            transaction.oncomplete = resolve;
            transaction.onabort = () => reject(transaction.error);
        }});
        return (async () => {{ {body} }})();"
    );
    let function = js_sys::Function::new_with_args("name, doc, bytes", &source);
    let doc = js_sys::Uint8Array::new_from_slice(&DOC.0);
    let bytes = js_sys::Uint8Array::new_from_slice(bytes);
    let promise = function.call3(&JsValue::NULL, &name.into(), &doc, &bytes).unwrap();
    JsFuture::from(promise.unchecked_into::<js_sys::Promise>()).await.unwrap()
}

/// Whether the future is still pending after this time.
async fn is_pending<T>(millis: u64, future: impl Future<Output = T> + Unpin) -> bool {
    matches!(select(future, Delay::new(Duration::from_millis(millis))).await, Either::Right(_))
}

fn keys(loaded: &Loaded) -> Vec<RecordKey> {
    loaded.records.iter().map(|record| record.key).collect()
}

macro_rules! in_indexed_db {
    ($name:ident) => {
        #[wasm_bindgen_test]
        async fn $name() {
            let name = name();
            contract::$name(&open(&name).await).await;
            IndexedDbStore::destroy(&name).await.unwrap();
        }
    };
}

vivim_store::contract!(in_indexed_db);

#[wasm_bindgen_test]
async fn a_thousand_reopenings_cost_nothing() {
    let name = name();
    for _ in 0..20 {
        let store = open(&name).await;
        if store.usage(DOC).await.unwrap() == Usage::default() {
            contract::reopening_costs_nothing(&store, 1).await;
        }
        for _ in 0..50 {
            let loaded = store.load(DOC).await.unwrap();
            assert!(!Ledger::new(&loaded).due(Moment::Idle));
            assert_eq!(loaded.payloads().map(Bytes::len).sum::<usize>(), 100_000);
        }
        store.close().await;
    }
    let store = open(&name).await;
    let usage = store.usage(DOC).await.unwrap();
    assert_eq!((usage.records, usage.bytes), (1, 100_014));
}

#[wasm_bindgen_test]
async fn what_was_written_is_there_when_the_database_is_opened_again() {
    let name = name();
    let store = open(&name).await;
    let first = store.append(DOC, &updates(["a"])).await.unwrap()[0].key;
    store.put_meta(&meta(DOC, "a")).await.unwrap();
    // Not closed: a tab that goes away doesn't say so.
    drop(store);
    let store = open(&name).await;
    let loaded = store.load(DOC).await.unwrap();
    assert_eq!((texts(&loaded), loaded.meta), (vec!["a".to_owned()], Some(meta(DOC, "a"))));
    assert!(store.replace(DOC, &[first], b"a").await.unwrap().unwrap().key > first);
}

#[wasm_bindgen_test]
async fn a_damaged_record_costs_itself_and_goes_to_the_quarantine() {
    let name = name();
    let store = open(&name).await;
    store.append(DOC, &updates(["bad"])).await.unwrap();
    store.append(DOC, &updates(["good"])).await.unwrap();
    store.append(DOC, &updates(["no bytes"])).await.unwrap();
    js(
        &name,
        b"not a record",
        "const db = await done(indexedDB.open(name));
        const transaction = db.transaction(['records'], 'readwrite');
        transaction.objectStore('records').put({ k: 1, d: doc, b: bytes });
        transaction.objectStore('records').put({ k: 3, d: doc, b: 'a text' });
        await finished(transaction);
        db.close();",
    )
    .await;
    let loaded = store.load(DOC).await.unwrap();
    assert_eq!(texts(&loaded), ["good"]);
    let damage: Vec<_> = loaded.damaged.iter().map(|damaged| damaged.damage.clone()).collect();
    let expected = [RecordError::Truncated(12), RecordError::Truncated(0)].map(Damage::Record);
    assert_eq!(damage, expected);
    assert_eq!(loaded.damaged_keys(), [RecordKey(1), RecordKey(3)]);
    store.discard(DOC, &loaded.damaged_keys()).await.unwrap();
    assert_eq!(store.load(DOC).await.unwrap().damaged, []);
    let kept = store.quarantined().await.unwrap();
    assert_eq!(kept, [(DOC, Bytes::from_static(b"not a record")), (DOC, Bytes::new())]);
    store.delete(DOC).await.unwrap();
    assert_eq!(store.quarantined().await.unwrap(), []);
}

#[wasm_bindgen_test]
async fn the_quarantine_is_bounded() {
    let store = open(&name()).await;
    for _ in 0..3 {
        for _ in 0..limits::MAX_QUARANTINE / 2 {
            store.append(DOC, &updates(["bad"])).await.unwrap();
        }
        let bad = keys(&store.load(DOC).await.unwrap());
        store.discard(DOC, &bad).await.unwrap();
    }
    assert_eq!(store.quarantined().await.unwrap().len(), limits::MAX_QUARANTINE);
}

#[wasm_bindgen_test]
async fn a_record_that_the_database_cannot_read_costs_itself() {
    let name = name();
    let store = open(&name).await;
    store.append(DOC, &updates(["a"])).await.unwrap();
    store.append(DOC, &updates(["bad"])).await.unwrap();
    store.append(DOC, &updates(["b"])).await.unwrap();
    store.put_meta(&meta(DOC, "a")).await.unwrap();
    // What Chromium does when the file of a large value is gone: any question with it in the answer
    // fails.
    js(
        &name,
        b"",
        "globalThis.undo = [];
        const fail = (type, method, when) => {
            const real = type.prototype[method];
            undo.push(() => type.prototype[method] = real);
            type.prototype[method] = function (query) {
                const request = real.call(this, query);
                if (when(query)) (this.objectStore ?? this).transaction.abort();
                return request;
            };
        };
        fail(IDBIndex, 'getAll', () => true);
        fail(IDBObjectStore, 'get', query => query === 2);",
    )
    .await;
    let loaded = store.load(DOC).await;
    let discarded = store.discard(DOC, &[RecordKey(2)]).await;
    js(&name, b"", "undo.forEach(undo => undo());").await;
    let loaded = loaded.unwrap();
    assert_eq!((texts(&loaded), loaded.meta), (updates_as_text(), Some(meta(DOC, "a"))));
    assert_eq!(loaded.damaged.len(), 1);
    assert_eq!(loaded.damaged[0].key, Some(RecordKey(2)));
    assert!(matches!(loaded.damaged[0].damage, Damage::Unreadable(_)));
    discarded.unwrap();
    assert_eq!(texts(&store.load(DOC).await.unwrap()), updates_as_text());
}

fn updates_as_text() -> Vec<String> {
    vec!["a".to_owned(), "b".to_owned()]
}

/// The database as version 1 made it, with a snapshot and a group of updates.
async fn make_version_1(name: &str, rest: &str) {
    let snapshot = encode_snapshot(b"a snapshot").unwrap();
    let updates = encode_updates(&updates(["an update", "another"])).unwrap().remove(0);
    let bytes = [&[snapshot.len() as u8], &snapshot[..], &updates].concat();
    let body = format!(
        "const request = indexedDB.open(name, 1);
        request.onupgradeneeded = () => {{
            const db = request.result;
            db.createObjectStore('documents', {{ keyPath: 'd' }});
            const records = db.createObjectStore('records', {{ keyPath: 'k', autoIncrement: true }});
            records.createIndex('d', 'd');
            records.add({{ d: doc, b: bytes.slice(1, 1 + bytes[0]) }});
            records.add({{ d: doc, b: bytes.slice(1 + bytes[0]) }});
        }};
        const db = await done(request);
        {rest}"
    );
    js(name, &bytes, &body).await;
}

#[wasm_bindgen_test]
async fn a_database_of_version_1_is_brought_up_to_date_with_everything_in_it() {
    let name = name();
    make_version_1(&name, "db.close();").await;
    let store = open(&name).await;
    assert_eq!(texts(&store.load(DOC).await.unwrap()), ["a snapshot", "an update", "another"]);
    store.discard(DOC, &[RecordKey(1)]).await.unwrap();
    assert_eq!(store.quarantined().await.unwrap().len(), 1);
    assert_eq!(store.append(DOC, &updates(["b"])).await.unwrap()[0].key, RecordKey(3));
}

#[wasm_bindgen_test]
async fn a_database_of_a_newer_version_is_not_touched() {
    let name = name();
    open(&name).await.close().await;
    js(&name, b"", "(await done(indexedDB.open(name, 99))).close();").await;
    assert_eq!(IndexedDbStore::open(&name).await.unwrap_err(), StoreError::NewerVersion);
}

#[wasm_bindgen_test]
async fn what_a_newer_version_has_written_is_refused_and_stays() {
    let name = name();
    let store = open(&name).await;
    let newer = store.append(DOC, &updates(["a"])).await.unwrap()[0].key;
    let known = store.append(DOC, &updates(["b"])).await.unwrap()[0].key;
    let record = contract::newer_record(b"something new");
    let plant = |rows: &'static str| {
        let body = format!(
            "const db = await done(indexedDB.open(name));
            const transaction = db.transaction(['documents', 'records'], 'readwrite');
            {rows};
            await finished(transaction);
            db.close();"
        );
        let (name, record) = (name.clone(), record.clone());
        async move { js(&name, &record, &body).await }
    };
    plant("transaction.objectStore('records').put({ k: 1, d: doc, b: bytes })").await;
    contract::newer_records_stay(&store, newer, known).await;
    let kept = js(
        &name,
        b"",
        "const db = await done(indexedDB.open(name));
        const row = await done(db.transaction(['records']).objectStore('records').get(1));
        db.close();
        return row.b;",
    )
    .await;
    assert_eq!(kept.unchecked_into::<js_sys::Uint8Array>().to_vec(), record);
    assert_eq!(store.quarantined().await.unwrap(), []);
    store.delete(DOC).await.unwrap();
    plant("transaction.objectStore('documents').put({ d: doc, b: bytes })").await;
    contract::a_newer_meta_stays(&store).await;
}

#[wasm_bindgen_test]
async fn a_newer_tab_is_not_kept_from_upgrading() {
    let name = name();
    let store = open(&name).await;
    store.append(DOC, &updates(["a"])).await.unwrap();
    js(&name, b"", "(await done(indexedDB.open(name, 99))).close();").await;
    assert_eq!(store.load(DOC).await.unwrap_err(), StoreError::NewerVersion);
    assert_eq!(store.append(DOC, &updates(["b"])).await.unwrap_err(), StoreError::NewerVersion);
}

#[wasm_bindgen_test]
async fn an_older_tab_that_does_not_let_go_is_named_and_not_waited_for_for_ever() {
    let name = name();
    make_version_1(&name, "globalThis.old = db;").await;
    let started = Instant::now();
    assert_eq!(IndexedDbStore::open(&name).await.unwrap_err(), StoreError::Blocked);
    assert!(started.elapsed() >= limits::BLOCKED_PATIENCE);
    // The upgrade happens when the old tab goes. Nobody waits for it any more, so it must not leave
    // a connection behind that blocks the next one.
    js(&name, b"", "old.close();").await;
    let store = open(&name).await;
    assert_eq!(texts(&store.load(DOC).await.unwrap()), ["a snapshot", "an update", "another"]);
    // It has all that the new version has.
    store.delete(DOC).await.unwrap();
    drop(store);
    js(&name, b"", "(await done(indexedDB.open(name, 99))).close();").await;
}

#[wasm_bindgen_test]
async fn a_database_that_is_deleted_under_a_store_is_gone() {
    let name = name();
    let store = open(&name).await;
    store.append(DOC, &updates(["a"])).await.unwrap();
    IndexedDbStore::destroy(&name).await.unwrap();
    assert_eq!(store.load(DOC).await.unwrap_err(), StoreError::Gone);
    assert_eq!(store.append(DOC, &updates(["b"])).await.unwrap_err(), StoreError::Gone);
    assert_eq!(open(&name).await.load(DOC).await.unwrap(), Loaded::default());
}

#[wasm_bindgen_test]
async fn two_connections_write_at_once_and_compact_what_they_know() {
    const EACH: usize = 40;
    let name = name();
    let stores = [open(&name).await, open(&name).await];
    let tabs = stores.iter().enumerate().map(|(tab, store)| async move {
        let mut ledger = Ledger::new(&store.load(DOC).await.unwrap());
        let mut state = Vec::new();
        for edit in 0..EACH {
            let update = Bytes::from(vec![tab as u8, edit as u8]);
            state.extend_from_slice(&update);
            ledger.appended(&store.append(DOC, &[update]).await.unwrap());
            if edit % 7 == 0 {
                let compaction = ledger.begin();
                let snapshot = store.replace(DOC, compaction.keys(), &state).await.unwrap();
                // The other names none of these.
                ledger.finish(&compaction, snapshot.unwrap());
            }
        }
    });
    join_all(tabs).await;
    let loaded = stores[0].load(DOC).await.unwrap();
    let mut found: Vec<u8> = Vec::new();
    for payload in loaded.payloads() {
        found.extend(payload.chunks(2).map(|edit| edit[0] * 100 + edit[1]));
    }
    found.sort_unstable();
    let expected: Vec<u8> =
        (0..2).flat_map(|tab| (0..EACH as u8).map(move |e| tab * 100 + e)).collect();
    assert_eq!(found, expected, "an edit is lost or there twice");
    // The next one to open it makes one of the two snapshots.
    assert!(Ledger::new(&loaded).due(Moment::Idle));
}

/// Holds the lock of [`DOC`] until `globalThis.letGo()`.
const HOLD: &str = "const hex = [...doc].map(byte => byte.toString(16).padStart(2, '0')).join('');
    await new Promise(held => navigator.locks.request(`vivim:${name}:${hex}`, () => {
        held();
        return new Promise(resolve => globalThis.letGo = resolve);
    }));";

#[wasm_bindgen_test]
async fn a_write_waits_for_the_other_tabs_write_of_the_same_document() {
    let name = name();
    let store = open(&name).await;
    js(&name, b"", HOLD).await;
    let late = updates(["a"]);
    let mut append = Box::pin(store.append(DOC, &late));
    assert!(is_pending(200, &mut append).await);
    assert_eq!(texts(&store.load(DOC).await.unwrap()), [""; 0]);
    store.append(DocId([1; 32]), &updates(["of another document"])).await.unwrap();
    js(&name, b"", "letGo();").await;
    append.await.unwrap();
    assert_eq!(texts(&store.load(DOC).await.unwrap()), ["a"]);
}

#[wasm_bindgen_test]
async fn a_tab_that_hangs_with_the_lock_does_not_keep_others_from_storing() {
    let name = name();
    let store = open(&name).await;
    js(&name, b"", HOLD).await;
    let started = Instant::now();
    store.append(DOC, &updates(["a"])).await.unwrap();
    assert!(started.elapsed() >= limits::LOCK_PATIENCE);
    js(&name, b"", "letGo();").await;
    // The lock that came too late was given back.
    let started = Instant::now();
    store.append(DOC, &updates(["b"])).await.unwrap();
    assert!(started.elapsed() < limits::LOCK_PATIENCE);
}

#[wasm_bindgen_test]
async fn a_write_that_is_given_up_lets_go_of_its_lock() {
    let name = name();
    let store = open(&name).await;
    for millis in [0, 1, 2] {
        let given_up = updates(["a"]);
        let append = Box::pin(store.append(DOC, &given_up));
        let _ = is_pending(millis, append).await;
    }
    let started = Instant::now();
    store.append(DOC, &updates(["b"])).await.unwrap();
    assert!(started.elapsed() < limits::LOCK_PATIENCE);
    assert_eq!(texts(&store.load(DOC).await.unwrap()).last().unwrap(), "b");
}

#[wasm_bindgen_test]
async fn without_web_locks_documents_are_stored_all_the_same() {
    let name = name();
    let store = open(&name).await;
    let hide =
        "Object.defineProperty(navigator, 'locks', { value: undefined, configurable: true });";
    js(&name, b"", hide).await;
    let written = store.append(DOC, &updates(["a"])).await;
    js(&name, b"", "delete navigator.locks;").await;
    written.unwrap();
    assert_eq!(texts(&store.load(DOC).await.unwrap()), ["a"]);
}

#[wasm_bindgen_test]
async fn without_indexed_db_there_is_no_storage() {
    for value in ["value: undefined", "get() { throw new DOMException('no', 'SecurityError'); }"] {
        let hide = format!(
            "globalThis.real = Object.getOwnPropertyDescriptor(globalThis, 'indexedDB');
            Object.defineProperty(globalThis, 'indexedDB', {{ {value}, configurable: true }});"
        );
        js("", b"", &hide).await;
        let refused = IndexedDbStore::open("nowhere").await;
        js("", b"", "Object.defineProperty(globalThis, 'indexedDB', real);").await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    }
}

#[wasm_bindgen_test]
async fn a_full_storage_is_said_to_be_full_and_nothing_is_written() {
    let name = name();
    let store = open(&name).await;
    let key = store.append(DOC, &updates(["a"])).await.unwrap()[0].key;
    // The browser's own bound is the disk's size here.
    js(
        &name,
        b"",
        "globalThis.real = IDBObjectStore.prototype.add;
        IDBObjectStore.prototype.add = () => { throw new DOMException('full', 'QuotaExceededError'); };",
    )
    .await;
    let appended = store.append(DOC, &updates(["b"])).await;
    let replaced = store.replace(DOC, &[key], b"a").await;
    js(&name, b"", "IDBObjectStore.prototype.add = real;").await;
    assert_eq!(appended, Err(StoreError::QuotaExceeded));
    assert_eq!(replaced, Err(StoreError::QuotaExceeded));
    // The removal before the failed addition didn't happen either.
    assert_eq!(texts(&store.load(DOC).await.unwrap()), ["a"]);
    store.append(DOC, &updates(["b"])).await.unwrap();
}

#[wasm_bindgen_test]
async fn a_large_state_comes_back_and_the_browser_says_what_it_costs() {
    let store = open(&name()).await;
    let large: Vec<u8> =
        (0..20_000_000u32).map(|i| (i.wrapping_mul(2654435761) >> 24) as u8).collect();
    store.replace(DOC, &[], &large).await.unwrap();
    let loaded = store.load(DOC).await.unwrap();
    assert!(loaded.payloads().next().unwrap() == &large);
    let estimate = indexed_db::estimate().await.unwrap();
    assert!(estimate.usage > 0.0 && estimate.usage < estimate.quota, "{estimate:?}");
    // Whether it agrees is the browser's affair.
    assert!(indexed_db::persist().await == indexed_db::is_persisted().await);
}

#[wasm_bindgen_test]
async fn opening_is_quick() {
    let store = open(&name()).await;
    store.replace(DOC, &[], &vec![3; 130_000]).await.unwrap();
    for _ in 0..limits::IDLE_RECORDS {
        store.append(DOC, &[vec![4; 100].into()]).await.unwrap();
    }
    store.put_meta(&meta(DOC, "a")).await.unwrap();
    let mut times = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        store.load(DOC).await.unwrap();
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let started = Instant::now();
    for _ in 0..100 {
        store.append(DOC, &[vec![4; 100].into()]).await.unwrap();
    }
    let (load, append) = (times[10], started.elapsed() / 100);
    console_log!(
        "load of 130 KB in {} records: {load:?}; append: {append:?}",
        limits::IDLE_RECORDS + 1
    );
    assert!(load < Duration::from_millis(200), "{load:?}");
}

#[wasm_bindgen_test]
async fn documents_do_not_wait_for_each_other() {
    let store = open(&name()).await;
    let own = updates(["b"]);
    let written = join(
        join_all((0..50u8).map(|doc| {
            let store = store.clone();
            async move { store.append(DocId([doc; 32]), &updates(["a"])).await.unwrap() }
        })),
        store.append(DOC, &own),
    );
    let (many, one) = written.await;
    assert_eq!((many.len(), one.unwrap().len()), (50, 1));
    for doc in 0..50 {
        let texts = texts(&store.load(DocId([doc; 32])).await.unwrap());
        assert_eq!(texts, if doc == 7 { vec!["a", "b"] } else { vec!["a"] });
    }
}
