//! The store in an SQLite file.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use vivim_store::contract::{self, DOC, meta, texts, updates};
use vivim_store::record::RecordError;
use vivim_store::{Damage, RecordKey, SqliteStore, Store, StoreError};

/// Set for the child process: the file it writes into.
const WRITER_FILE: &str = "VIVIM_STORE_WRITER";

/// The byte of [`WRITER_FILE`]'s updates.
const WRITER_BYTE: &str = "VIVIM_STORE_WRITER_BYTE";

fn folder() -> TempDir {
    TempDir::new().unwrap()
}

async fn open(folder: &TempDir) -> SqliteStore {
    SqliteStore::open(folder.path().join("documents.db")).await.unwrap()
}

/// The same file, without the store.
async fn sql(folder: &TempDir) -> SqliteConnection {
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("documents.db").display());
    SqliteConnection::connect(&url).await.unwrap()
}

async fn run(connection: &mut SqliteConnection, statements: &str) {
    sqlx::raw_sql(statements).execute(connection).await.unwrap();
}

macro_rules! in_sqlite {
    ($name:ident) => {
        #[tokio::test]
        async fn $name() {
            let folder = folder();
            contract::$name(&open(&folder).await).await;
        }
    };
}

vivim_store::contract!(in_sqlite);

#[tokio::test]
async fn reopening_costs_nothing() {
    let folder = folder();
    contract::reopening_costs_nothing(&open(&folder).await, 1_000).await;
}

#[tokio::test]
async fn what_was_written_is_there_when_the_file_is_opened_again() {
    let folder = folder();
    let store = open(&folder).await;
    let first = store.append(DOC, &updates(["a"])).await.unwrap()[0].key;
    store.put_meta(&meta(DOC, "a")).await.unwrap();
    store.close().await;
    let store = open(&folder).await;
    let loaded = store.load(DOC).await.unwrap();
    assert_eq!((texts(&loaded), loaded.meta), (vec!["a".to_owned()], Some(meta(DOC, "a"))));
    let second = store.replace(DOC, &[first], b"a").await.unwrap().unwrap();
    assert!(second.key > first);
}

#[tokio::test]
async fn opening_a_file_that_is_up_to_date_writes_nothing() {
    let folder = folder();
    let store = open(&folder).await;
    store.append(DOC, &updates(["a"])).await.unwrap();
    store.close().await;
    let before = fs::read(folder.path().join("documents.db")).unwrap();
    for _ in 0..20 {
        let store = open(&folder).await;
        store.load(DOC).await.unwrap();
        store.close().await;
    }
    assert!(fs::read(folder.path().join("documents.db")).unwrap() == before);
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_and_its_companions_are_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let store = open(&folder).await;
    store.append(DOC, &updates(["a"])).await.unwrap();
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 3, "the file, its log and the log's index: {files:?}");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.path());
    }
}

#[tokio::test]
async fn a_damaged_record_costs_itself_and_goes_to_the_quarantine() {
    let folder = folder();
    let store = open(&folder).await;
    let written = store.append(DOC, &updates(["bad"])).await.unwrap();
    store.append(DOC, &updates(["good"])).await.unwrap();
    let mut raw = sql(&folder).await;
    run(&mut raw, "UPDATE records SET record = record || x'00' WHERE key = 1").await;
    let loaded = store.load(DOC).await.unwrap();
    assert_eq!(texts(&loaded), ["good"]);
    let damage = Damage::Record(RecordError::Length { expected: 4, found: 5 });
    assert_eq!(loaded.damaged[0].damage, damage);
    assert_eq!(loaded.damaged_keys(), [written[0].key]);
    store.discard(DOC, &loaded.damaged_keys()).await.unwrap();
    assert_eq!(store.load(DOC).await.unwrap().damaged, []);
    let kept: Vec<(Vec<u8>, i64, Vec<u8>)> =
        sqlx::query_as("SELECT doc, key, record FROM quarantine")
            .fetch_all(&mut raw)
            .await
            .unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].0.as_slice(), kept[0].1), (&DOC.0[..], 1));
    assert!(kept[0].2.ends_with(b"\x03bad\x00"));
}

#[tokio::test]
async fn the_quarantine_is_bounded() {
    let folder = folder();
    let store = open(&folder).await;
    let mut raw = sql(&folder).await;
    for _ in 0..100 {
        let key = store.append(DOC, &updates(["bad"])).await.unwrap()[0].key;
        store.discard(DOC, &[key]).await.unwrap();
    }
    let (count, newest): (i64, i64) = sqlx::query_as("SELECT count(*), max(key) FROM quarantine")
        .fetch_one(&mut raw)
        .await
        .unwrap();
    assert_eq!((count, newest), (vivim_store::limits::MAX_QUARANTINE as i64, 100));
}

#[tokio::test]
async fn a_broken_page_costs_the_record_in_it() {
    let folder = folder();
    let store = open(&folder).await;
    // Larger than a page: the rest is in a chain of pages, each with the number of the next.
    let large = Bytes::from(vec![0xab; 20_000]);
    let bad = store.append(DOC, std::slice::from_ref(&large)).await.unwrap()[0].key;
    store.append(DOC, &updates(["good"])).await.unwrap();
    store.close().await;
    let path = folder.path().join("documents.db");
    let mut file = fs::read(&path).unwrap();
    let is_overflow = |page: &[u8]| page[4..].iter().all(|byte| *byte == 0xab);
    let page = file.chunks(4096).position(is_overflow).unwrap();
    file[page * 4096..][..4].copy_from_slice(&[0x7f; 4]);
    fs::write(&path, file).unwrap();
    let store = open(&folder).await;
    let loaded = store.load(DOC).await.unwrap();
    assert_eq!(texts(&loaded), ["good"]);
    assert_eq!(loaded.damaged_keys(), [bad]);
    assert!(matches!(loaded.damaged[0].damage, Damage::Unreadable(_)), "{:?}", loaded.damaged);
    // The connection is as good as before.
    assert_eq!(store.load(DOC).await.unwrap(), loaded);
    store.append(DOC, &updates(["more"])).await.unwrap();
    assert_eq!(texts(&store.load(DOC).await.unwrap()), ["good", "more"]);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let folder = folder();
    let path = folder.path().join("documents.db");
    let text = "not a database ".repeat(1000);
    fs::write(&path, &text).unwrap();
    let refused = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let folder = folder();
    run(&mut sql(&folder).await, "PRAGMA application_id = 5; CREATE TABLE mine (x)").await;
    let refused = SqliteStore::open(folder.path().join("documents.db")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
}

#[tokio::test]
async fn a_file_of_version_1_is_brought_up_to_date_with_everything_in_it() {
    let folder = folder();
    let mut raw = sql(&folder).await;
    run(&mut raw, include_str!("fixtures/version-1.sql")).await;
    raw.close().await.unwrap();
    let store = open(&folder).await;
    let loaded = store.load(DOC).await.unwrap();
    assert_eq!(texts(&loaded), ["a snapshot", "an update", "another"]);
    assert_eq!(loaded.records[0].key, RecordKey(3));
    assert_eq!(loaded.meta, Some(meta(DOC, "of version 1")));
    assert_eq!(loaded.damaged, []);
    // What version 2 has added works, and old keys aren't given again.
    store.discard(DOC, &[RecordKey(4)]).await.unwrap();
    assert_eq!(store.append(DOC, &updates(["b"])).await.unwrap()[0].key, RecordKey(6));
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_not_touched() {
    let folder = folder();
    open(&folder).await.close().await;
    let mut raw = sql(&folder).await;
    run(&mut raw, "PRAGMA user_version = 99; CREATE TABLE later (x)").await;
    raw.close().await.unwrap();
    let refused = SqliteStore::open(folder.path().join("documents.db")).await;
    assert_eq!(refused.unwrap_err(), StoreError::NewerVersion);
}

#[tokio::test]
async fn what_a_newer_version_has_written_is_refused_and_stays() {
    let folder = folder();
    let store = open(&folder).await;
    let newer = store.append(DOC, &updates(["a"])).await.unwrap()[0].key;
    let known = store.append(DOC, &updates(["b"])).await.unwrap()[0].key;
    let record = contract::newer_record(b"something new");
    let mut raw = sql(&folder).await;
    let planted = sqlx::query("UPDATE records SET record = ? WHERE key = ?");
    planted.bind(&record).bind(newer.0.cast_signed()).execute(&mut raw).await.unwrap();
    contract::newer_records_stay(&store, newer, known).await;
    let kept: Vec<u8> = sqlx::query_scalar("SELECT record FROM records WHERE key = ?")
        .bind(newer.0.cast_signed())
        .fetch_one(&mut raw)
        .await
        .unwrap();
    assert_eq!(kept, record);
    let set_aside: i64 =
        sqlx::query_scalar("SELECT count(*) FROM quarantine").fetch_one(&mut raw).await.unwrap();
    assert_eq!(set_aside, 0);
    store.delete(DOC).await.unwrap();
    store.put_meta(&meta(DOC, "a")).await.unwrap();
    let planted = sqlx::query("UPDATE documents SET record = ?").bind(&record);
    planted.execute(&mut raw).await.unwrap();
    contract::a_newer_meta_stays(&store).await;
}

#[tokio::test]
async fn writers_in_one_process_wait_for_each_other() {
    let folder = folder();
    let store = open(&folder).await;
    let writers: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    store.append(DOC, &updates(["x"])).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(texts(&store.load(DOC).await.unwrap()).len(), 200);
}

/// Not a test: what the child processes of the tests below run. Appends for ever, and says each key
/// when it is acknowledged.
#[tokio::test]
async fn a_child_writes() {
    let Ok(path) = std::env::var(WRITER_FILE) else { return };
    let store = SqliteStore::open(path).await.unwrap();
    let byte: u8 = std::env::var(WRITER_BYTE).unwrap().parse().unwrap();
    for size in 1.. {
        let written = store.append(DOC, &[vec![byte; size % 5_000].into()]).await.unwrap();
        // In one write, so that a kill doesn't cut it.
        let line = format!("\nacknowledged {}\n", written[0].key.0);
        std::io::stdout().write_all(line.as_bytes()).unwrap();
    }
}

fn writer(path: &Path, byte: u8) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_child_writes", "--nocapture", "--test-threads=1"])
        .env(WRITER_FILE, path)
        .env(WRITER_BYTE, byte.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The keys that the child says, until there are `count`; then it is killed, and the rest is read.
fn kill_after(mut child: Child, count: usize) -> Vec<RecordKey> {
    let mut keys = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(key) = line.strip_prefix("acknowledged ") {
            keys.push(RecordKey(key.parse().unwrap()));
            if keys.len() == count {
                // SIGKILL: nothing of the child's own runs any more.
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    keys
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let folder = folder();
    let path = folder.path().join("documents.db");
    let mut acknowledged = Vec::new();
    for round in 1..=10 {
        let keys = kill_after(writer(&path, 1), round * 7);
        assert!(keys.len() >= round * 7);
        acknowledged.extend(keys);
        let store = SqliteStore::open(&path).await.unwrap();
        let loaded = store.load(DOC).await.unwrap();
        assert_eq!(loaded.damaged, []);
        for key in &acknowledged {
            assert!(loaded.records.iter().any(|record| record.key == *key), "{key:?} is lost");
        }
        store.close().await;
    }
}

#[tokio::test]
async fn two_processes_write_into_one_file() {
    let folder = folder();
    let path = folder.path().join("documents.db");
    let writers = [writer(&path, 1), writer(&path, 2)];
    let readers = writers.map(|child| std::thread::spawn(move || kill_after(child, 40)));
    let keys = readers.map(|reader| reader.join().unwrap());
    let store = SqliteStore::open(&path).await.unwrap();
    let loaded = store.load(DOC).await.unwrap();
    for (keys, byte) in keys.iter().zip([1u8, 2]) {
        for key in keys {
            let record = loaded.records.iter().find(|record| record.key == *key).unwrap();
            let vivim_store::Content::Updates(updates) = &record.content else { panic!() };
            assert!(
                updates[0].iter().all(|found| *found == byte),
                "{key:?} is of the other process"
            );
        }
    }
}

#[tokio::test]
async fn a_writer_gives_up_on_a_process_that_does_not_let_go() {
    let folder = folder();
    let store = open(&folder).await;
    let mut raw = sql(&folder).await;
    run(&mut raw, "BEGIN IMMEDIATE").await;
    let patience = vivim_store::limits::SQLITE_BUSY_TIMEOUT + Duration::from_secs(20);
    let late = updates(["a"]);
    let append = tokio::time::timeout(patience, store.append(DOC, &late));
    assert!(matches!(append.await.unwrap(), Err(StoreError::Io { .. })));
    run(&mut raw, "ROLLBACK").await;
    store.append(DOC, &updates(["a"])).await.unwrap();
}
