//! The service natively: nodes that know nothing but a relay, each with an SQLite file.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Semaphore,
};
use vivim_documents::{
    SyncState,
    native::{CrdtSyncService, Document, ServiceError},
};
use vivim_node::{Config, Multiaddr, Node, PeerId, RoomError};
use vivim_proto::limits::MAX_NAME;
use vivim_relay::Relay;
use vivim_store::{
    Content, SqliteStore, Store, StoreError, contract,
    record::{HEADER, encode_snapshot, encode_updates},
};

/// No wait may hang a test.
const PATIENCE: Duration = Duration::from_secs(60);

struct Place {
    _relay: Relay,
    address: Multiaddr,
    data: tempfile::TempDir,
}

async fn place() -> Place {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(vivim_relay::Config::local(data.path())).await.unwrap();
    let address = relay.ready().multiaddrs[0].to_string().parse().unwrap();
    Place { _relay: relay, address, data }
}

struct Peer {
    node: Node,
    service: CrdtSyncService,
    id: PeerId,
}

async fn start(relay: Option<&Multiaddr>, file: &Path, device: &str) -> Peer {
    let store = SqliteStore::open(file).await.unwrap();
    let (node, events, actor) = Node::new(Config::default().bootstrap(relay.cloned())).unwrap();
    tokio::spawn(actor.run());
    let (service, driver) = CrdtSyncService::new(node.clone(), events, store, device);
    tokio::spawn(driver.run(drop));
    Peer { id: node.peer_id(), node, service }
}

/// An address of the relay at which only so many bytes get through before the gate is opened.
struct Gate {
    address: Multiaddr,
    bytes: Arc<Semaphore>,
}

impl Gate {
    async fn before(relay: &Multiaddr, bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let relay = relay.to_string();
        // `/ip4/127.0.0.1/tcp/…`
        let there = relay.split('/').nth(4).unwrap().to_owned();
        let address = relay.replace(&format!("/tcp/{there}/"), &format!("/tcp/{port}/"));
        let bytes = Arc::new(Semaphore::new(bytes));
        let gate = Self { address: address.parse().unwrap(), bytes: bytes.clone() };
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let far = TcpStream::connect(format!("127.0.0.1:{there}")).await.unwrap();
                let (near, far) = (near.into_split(), far.into_split());
                tokio::spawn(pass(near.0, far.1, bytes.clone()));
                tokio::spawn(pass(far.0, near.1, bytes.clone()));
            }
        });
        gate
    }

    fn open(&self) {
        self.bytes.add_permits(Semaphore::MAX_PERMITS / 2);
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, bytes: Arc<Semaphore>) {
    let mut buffer = vec![0; 16 * 1024];
    // Until one side has closed the connection.
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        bytes.acquire_many(read as u32).await.unwrap().forget();
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn write(document: &Document, text: &str) {
    document.edit(|doc| {
        let end = doc.text_len("t").unwrap();
        doc.text_insert("t", end, text).unwrap();
    });
}

fn text(document: &Document) -> String {
    document.read(|doc| doc.text("t").unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_edit_one_restarts_offline_from_its_file_and_they_merge() {
    let place = place().await;
    let file = place.data.path().join("ann.sqlite");
    let ann = start(Some(&place.address), &file, "ann").await;
    let bob = start(Some(&place.address), &place.data.path().join("bob.sqlite"), "bob").await;
    let a = ann.service.create_document("garden").await.unwrap();
    let b = bob.service.create_document("garden").await.unwrap();
    write(&a, "ann;");
    until("ann's edit at bob's", || text(&b) == "ann;").await;
    write(&b, "bob;");
    until("bob's edit at ann's", || text(&a) == "ann;bob;").await;
    tokio::time::timeout(PATIENCE, ann.service.sync(&a, bob.id)).await.unwrap().unwrap();

    // Receipts: applied at once, stored when it is durable there.
    until("bob has stored ann's edit", || {
        a.receipts().peers().any(|r| r.peer.0 == bob.id && r.applied == 1 && r.stored == 1)
    })
    .await;
    assert_eq!(a.receipts().unsynced(), 0);
    until("in step", || a.state() == SyncState::Synced).await;

    a.flush().await.unwrap();
    ann.service.destroy().await.unwrap();
    ann.node.stop().await.unwrap();
    write(&b, "more;");

    // Offline: from the file alone.
    let alone = start(None, &file, "ann").await;
    let a = alone.service.create_document("garden").await.unwrap();
    assert_eq!(text(&a), "ann;bob;");
    write(&a, "offline;");
    assert_eq!(a.receipts().unsynced(), 1);
    alone.service.destroy().await.unwrap();
    alone.node.stop().await.unwrap();

    let again = start(Some(&place.address), &file, "ann").await;
    let a = again.service.create_document("garden").await.unwrap();
    until("they have merged", || {
        let (a, b) = (text(&a), text(&b));
        a == b && a.contains("offline;") && a.contains("more;")
    })
    .await;
    until("the offline edit has reached bob", || a.receipts().unsynced() == 0).await;
    let listed = again.service.list_documents().await.unwrap();
    assert_eq!(listed.iter().map(|meta| meta.room.as_str()).collect::<Vec<_>>(), ["garden"]);
    until("both know both devices", || {
        let clock = b.vector_clock();
        clock.len() == 2 && clock.get("ann") > 0 && clock.get("bob") > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_documents_share_a_connection_and_a_large_one_holds_up_none() {
    const SMALL: usize = 299;
    const LARGE: usize = 5 * 1024 * 1024;
    let place = place().await;
    let ann = start(Some(&place.address), &place.data.path().join("ann.sqlite"), "ann").await;
    let gate = Gate::before(&place.address, LARGE / 8).await;
    let bob = start(Some(&gate.address), &place.data.path().join("bob.sqlite"), "bob").await;
    let large = ann.service.create_document("large").await.unwrap();
    let piece = "0123456789abcdef".repeat(1024);
    for _ in 0..LARGE / piece.len() {
        write(&large, &piece);
    }
    let mut small = Vec::new();
    for number in 0..SMALL {
        let document = ann.service.create_document(&format!("small-{number}")).await.unwrap();
        write(&document, "small");
        small.push(document);
    }
    let mut there = Vec::new();
    for number in 0..SMALL {
        there.push(bob.service.open_document(&format!("small-{number}"), "").await.unwrap());
    }
    // The large one is asked for first, and is under way when all the others are asked for.
    let large_there = bob.service.create_document("large").await.unwrap();
    until("the large one begins", || large_there.read(|doc| doc.text_len("t").unwrap()) > 0).await;
    for document in &there {
        bob.service.sync_document(document).await.unwrap();
    }
    gate.open();
    let mut large_was_through = None;
    until("every small one is there", || {
        let done = there.iter().filter(|document| text(document) == "small").count();
        if large_was_through.is_none()
            && large_there.read(|doc| doc.text_len("t").unwrap()) as usize >= LARGE
        {
            large_was_through = Some(done);
        }
        done == SMALL
    })
    .await;
    let came = large_there.read(|doc| doc.text_len("t").unwrap()) as usize;
    println!("of the large one {came} of {LARGE} were there when the small ones were through");
    println!("small ones there when the large one was through: {large_was_through:?}");
    assert!(
        large_was_through.is_none_or(|done| done > SMALL * 9 / 10),
        "only {large_was_through:?} small ones were there before the large one"
    );
    until("the large one is there", || {
        large_there.read(|doc| doc.text_len("t").unwrap()) as usize >= LARGE
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_of_many_answers_reaches_a_newcomer_and_opens_from_its_file() {
    // More than two parts.
    const LARGE: usize = 40 * 1024 * 1024;
    let place = place().await;
    let (ann_file, bob_file) =
        (place.data.path().join("ann.sqlite"), place.data.path().join("bob.sqlite"));
    let ann = start(Some(&place.address), &ann_file, "ann").await;
    let a = ann.service.create_document("large").await.unwrap();
    for number in 0..LARGE / (1024 * 1024) {
        let chapter = format!("{number:08}{}", "0123456789abcdef".repeat(65_536));
        a.edit(|doc| doc.text_insert("t", 0, &chapter)).unwrap();
    }
    a.edit(|doc| doc.text_delete("t", 100, 5_000_000)).unwrap();
    let len = |document: &Document| document.read(|doc| doc.text_len("t").unwrap());
    let bob = start(Some(&place.address), &bob_file, "bob").await;
    let b = bob.service.create_document("large").await.unwrap();
    until("everything is there", || len(&b) == len(&a)).await;
    until("in step", || b.state() == SyncState::Synced).await;
    assert!(text(&a) == text(&b));
    until("ann knows that it is", || a.receipts().unsynced() == 0).await;
    bob.service.destroy().await.unwrap();
    // From the file alone, and again when it was compacted.
    for _ in 0..2 {
        let alone = start(None, &bob_file, "bob").await;
        let opened = alone.service.create_document("large").await.unwrap();
        assert_eq!(len(&opened), len(&a));
        alone.service.destroy().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_goes_into_a_file_and_comes_back_from_it() {
    let data = tempfile::tempdir().unwrap();
    let ann = start(None, &data.path().join("ann.sqlite"), "ann").await;
    let document = ann.service.open_document("letters", "notes").await.unwrap();
    write(&document, "dear reader");
    document.flush().await.unwrap();
    let file = ann.service.export_document("letters").await.unwrap();
    ann.service.delete_document("letters").await.unwrap();
    assert_eq!(ann.service.list_documents().await.unwrap(), []);
    let empty = ann.service.open_document("letters", "").await.unwrap();
    assert_eq!(text(&empty), "");
    let again = ann.service.import_document(file, None).await.unwrap();
    assert_eq!(text(&again), "dear reader");
    let copy = ann.service.open_document("copy", "").await.unwrap();
    ann.service.merge_document(&again, &copy).unwrap();
    assert_eq!(text(&copy), "dear reader");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_name_is_kept_and_a_longer_one_is_refused_before_anything_is() {
    let place = place().await;
    let file = place.data.path().join("ann.sqlite");
    let ann = start(Some(&place.address), &file, "ann").await;
    let longest = "x".repeat(MAX_NAME);
    let document = ann.service.create_document(&longest).await.unwrap();
    write(&document, "kept");
    document.flush().await.unwrap();
    let refused = ann.service.open_document(&format!("{longest}x"), "").await;
    let len = MAX_NAME + 1;
    assert!(
        matches!(refused, Err(ServiceError::Room(RoomError::InvalidName(e))) if e.len == len),
        "{refused:?}"
    );
    ann.service.destroy().await.unwrap();
    let listed = ann.service.list_documents().await.unwrap();
    assert_eq!(listed.into_iter().map(|meta| meta.room).collect::<Vec<_>>(), [longest]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_of_a_newer_version_is_refused_and_its_file_keeps_it() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("ann.sqlite");
    let ann = start(None, &file, "ann").await;
    let document = ann.service.open_document("letters", "").await.unwrap();
    write(&document, "dear reader");
    ann.service.destroy().await.unwrap();
    let store = SqliteStore::open(&file).await.unwrap();
    let records = store.load(document.id()).await.unwrap().records;
    store.close().await;
    // As if a later version had written it.
    let old = match &records[0].content {
        Content::Updates(updates) => encode_updates(updates).unwrap().remove(0),
        // What was closed may have been compacted.
        Content::Snapshot(snapshot) => encode_snapshot(snapshot).unwrap(),
    };
    let newer = contract::newer_record(&old[HEADER..]);
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(old.len()).position(|window| window == old).unwrap();
    bytes[at..at + old.len()].copy_from_slice(&newer);
    std::fs::write(&file, bytes).unwrap();

    let again = start(None, &file, "ann").await;
    let document = again.service.open_document("letters", "").await.unwrap();
    write(&document, "older");
    assert_eq!(document.flush().await, Err(StoreError::NewerVersion));
    let closed = again.service.destroy().await;
    assert!(matches!(closed, Err(ServiceError::Store(StoreError::NewerVersion))), "{closed:?}");
    let kept = std::fs::read(&file).unwrap();
    assert!(kept.windows(newer.len()).any(|window| window == newer), "the record was changed");
    let store = SqliteStore::open(&file).await.unwrap();
    assert_eq!(store.usage(document.id()).await.unwrap().records, records.len());
}
