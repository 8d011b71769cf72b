//! Nodes that know nothing but a relay and a room's name.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod support;

use std::{sync::atomic::Ordering, time::Duration};

use support::{Peer, replica, replica::Replicas};
use vivim_node::{
    Config, DocId, DocumentEvent, Event, InvalidName, Multiaddr, PeerId, RelayState, RoomError,
    RoomEvent, Status,
};
use vivim_proto::limits::MAX_NAME;
use vivim_relay::Relay;

struct Place {
    relay: Relay,
    address: Multiaddr,
    _data: tempfile::TempDir,
}

async fn relay() -> Place {
    let data = tempfile::tempdir().unwrap();
    let relay = Relay::start(vivim_relay::Config::local(data.path())).await.unwrap();
    let address = relay.ready().multiaddrs[0].to_string().parse().unwrap();
    Place { relay, address, _data: data }
}

fn member(place: &Place) -> (Peer, Replicas) {
    replica::start(Config::default().bootstrap([place.address.clone()]))
}

async fn open(peer: &Peer, room: &str) -> DocId {
    let room = peer.node.join_room(room.to_owned()).await.unwrap();
    peer.node.open_document(room, "default".to_owned()).await.unwrap()
}

async fn has(peer: &Peer, replicas: &Replicas, doc: DocId, entries: &[&str]) {
    let mut wanted: Vec<Vec<u8>> = entries.iter().map(|e| e.as_bytes().to_vec()).collect();
    wanted.sort();
    peer.until(&format!("{entries:?}"), |_| replicas.entries(doc) == wanted).await;
}

#[tokio::test]
async fn two_peers_find_each_other_by_a_room_name_alone_and_share_a_document() {
    let place = relay().await;
    let (a, a_docs) = member(&place);
    let doc = open(&a, "kitchen").await;
    a_docs.write(&a.node, doc, b"one");
    let (b, b_docs) = member(&place);
    assert_eq!(open(&b, "kitchen").await, doc);
    // A late joiner gets what was there before.
    has(&b, &b_docs, doc, &["one"]).await;
    b_docs.write(&b.node, doc, b"two");
    a_docs.write(&a.node, doc, b"three");
    has(&a, &a_docs, doc, &["one", "two", "three"]).await;
    has(&b, &b_docs, doc, &["one", "two", "three"]).await;
    b.event("the first exchange", |e| {
        matches!(e, Event::Document(d, DocumentEvent::Synced(p)) if *d == doc && *p == a.id)
            .then_some(())
    })
    .await;
    b.event("an acknowledgement", |e| {
        matches!(e, Event::Document(d, DocumentEvent::Acknowledged { peer, .. })
            if *d == doc && *peer == a.id)
        .then_some(())
    })
    .await;
    let room = a.node.join_room("kitchen".to_owned()).await.unwrap();
    a.until("b in the room", |a| {
        a.node.room_peers(room).iter().any(|p| p.peer == b.id && p.connected)
    })
    .await;
    b.status(Status::Relayed).await;
}

/// The highest change of ours that a peer was seen to have.
fn reached(peer: &Peer, doc: DocId, by: PeerId, in_store: bool) -> u64 {
    let mut highest = 0;
    peer.saw(|e| {
        if let Event::Document(d, DocumentEvent::Reached { peer, change, stored }) = e
            && (*d, *peer, *stored) == (doc, by, in_store)
        {
            highest = highest.max(*change);
        }
        false
    });
    highest
}

#[tokio::test]
async fn receipts_tell_how_far_each_peer_has_our_changes() {
    let place = relay().await;
    let (a, a_docs) = member(&place);
    let doc = open(&a, "kitchen").await;
    // The first was made before the document was open, the second before anybody else was there.
    a_docs.insert(doc, b"one");
    assert!(a.node.note_change(doc, 1));
    a_docs.write_change(&a.node, doc, 2, b"two");
    let (b, b_docs) = member(&place);
    open(&b, "kitchen").await;
    has(&b, &b_docs, doc, &["one", "two"]).await;
    a.event("the exchange's beginning", |e| {
        matches!(e, Event::Document(d, DocumentEvent::Opened(p)) if *d == doc && *p == b.id)
            .then_some(())
    })
    .await;
    a.until("the first two at b", |a| reached(a, doc, b.id, false) == 2).await;
    a_docs.write_change(&a.node, doc, 3, b"three");
    a.until("the third at b", |a| reached(a, doc, b.id, false) == 3).await;
    assert_eq!(reached(&a, doc, b.id, true), 0, "b has stored nothing");
    assert!(b.node.stored(doc));
    a.until("all three stored at b", |a| reached(a, doc, b.id, true) == 3).await;
    b.node.stop().await.unwrap();
    a.event("the exchange's end", |e| {
        matches!(e, Event::Document(d, DocumentEvent::Closed(p)) if *d == doc && *p == b.id)
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_member_who_leaves_is_gone_at_once() {
    let place = relay().await;
    let (a, _) = member(&place);
    let (b, _) = member(&place);
    let doc = open(&a, "kitchen").await;
    open(&b, "kitchen").await;
    let room = a.node.join_room("kitchen".to_owned()).await.unwrap();
    a.until("b", |a| a.node.room_peers(room).len() == 1).await;
    b.node.stop().await.unwrap();
    a.until("nobody", |a| a.node.room_peers(room).is_empty()).await;
    a.event("b's leaving", |e| {
        matches!(e, Event::Room(_, RoomEvent::PeerLeft(p)) if *p == b.id).then_some(())
    })
    .await;
    a.node.close_document(doc).await.unwrap();
    assert!(matches!(a.node.close_document(doc).await, Err(RoomError::NotJoined)));
}

#[tokio::test]
async fn documents_of_different_rooms_and_names_do_not_mix() {
    let place = relay().await;
    let (a, a_docs) = member(&place);
    let (b, b_docs) = member(&place);
    let kitchen = open(&a, "kitchen").await;
    open(&b, "kitchen").await;
    let room = a.node.join_room("cellar".to_owned()).await.unwrap();
    let cellar = a.node.open_document(room, "default".to_owned()).await.unwrap();
    let wine = a.node.open_document(room, "wine".to_owned()).await.unwrap();
    a_docs.write(&a.node, cellar, b"secret");
    a_docs.write(&a.node, wine, b"secret");
    a_docs.write(&a.node, kitchen, b"bread");
    has(&b, &b_docs, kitchen, &["bread"]).await;
    assert!(b_docs.entries(cellar).is_empty() && b_docs.entries(wine).is_empty());
    assert!(matches!(
        a.node.open_document(room, "wine".to_owned()).await,
        Err(RoomError::AlreadyOpen)
    ));
    assert_eq!(
        a.node.join_room(String::new()).await,
        Err(RoomError::InvalidName(InvalidName { len: 0 }))
    );
    let (longest, len) = ("x".repeat(MAX_NAME), MAX_NAME + 1);
    let longer = RoomError::InvalidName(InvalidName { len });
    let long = a.node.join_room(longest.clone()).await.unwrap();
    a.node.open_document(long, longest).await.unwrap();
    assert_eq!(a.node.open_document(long, "x".repeat(len)).await, Err(longer.clone()));
    assert_eq!(a.node.join_room("x".repeat(len)).await, Err(longer));
}

#[tokio::test]
async fn everything_recovers_when_the_relay_comes_back() {
    let data = tempfile::tempdir().unwrap();
    let config = || vivim_relay::Config::local(data.path());
    let first = Relay::start(config()).await.unwrap();
    let address: Multiaddr = first.ready().multiaddrs[0].to_string().parse().unwrap();
    let port = address
        .iter()
        .find_map(|p| match p {
            libp2p::multiaddr::Protocol::Tcp(port) => Some(port),
            _ => None,
        })
        .unwrap();
    let (a, a_docs) = replica::start(Config::default().bootstrap([address.clone()]));
    let (b, b_docs) = replica::start(Config::default().bootstrap([address.clone()]));
    let doc = open(&a, "kitchen").await;
    open(&b, "kitchen").await;
    a_docs.write(&a.node, doc, b"before");
    has(&b, &b_docs, doc, &["before"]).await;
    first.stop().await;
    a.status(Status::Connecting).await;
    a_docs.write(&a.node, doc, b"offline");
    let second = Relay::start(config().ws_port(vivim_relay::Port::At(port))).await.unwrap();
    assert_eq!(second.ready().peer_id, address_peer(&address).to_string());
    has(&b, &b_docs, doc, &["before", "offline"]).await;
    let diagnosis = b.node.diagnose().await.unwrap();
    assert_eq!(diagnosis.relays.len(), 1);
    b.until("a reservation", |_| true).await;
    second.stop().await;
}

fn address_peer(address: &Multiaddr) -> PeerId {
    match address.iter().last() {
        Some(libp2p::multiaddr::Protocol::P2p(peer)) => peer,
        _ => panic!("no peer id in {address}"),
    }
}

#[tokio::test]
async fn subscribers_of_a_topic_find_each_other_through_the_relay() {
    let place = relay().await;
    let (a, _) = member(&place);
    let (b, _) = member(&place);
    a.node.subscribe("news".to_owned()).await.unwrap();
    b.node.subscribe("news".to_owned()).await.unwrap();
    a.until("the message", |a| {
        let node = b.node.clone();
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move { node.publish("news".to_owned(), vec![7, n]).await });
        a.saw(|e| matches!(e, Event::Message(m) if m.from == b.id && m.data[0] == 7))
    })
    .await;
}

static NEXT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);

#[tokio::test]
async fn a_record_is_put_and_got_through_the_relay() {
    let place = relay().await;
    let (a, _) = member(&place);
    let (b, _) = member(&place);
    for peer in [&a, &b] {
        peer.event("the relay's protocols", |e| {
            matches!(e, Event::PeerDiscovered { .. }).then_some(())
        })
        .await;
    }
    a.node.put(b"key".to_vec(), b"value".to_vec()).await.unwrap();
    assert_eq!(b.node.get(b"key".to_vec()).await.unwrap(), Some(b"value".to_vec()));
    assert_eq!(b.node.get(b"nothing".to_vec()).await.unwrap(), None);
}

#[tokio::test]
async fn diagnose_tells_how_far_the_relay_got_and_what_it_allows() {
    let place = relay().await;
    let (a, _) = member(&place);
    open(&a, "kitchen").await;
    let mut diagnosis = a.node.diagnose().await.unwrap();
    let waiting = async {
        while diagnosis.relays[0].state != RelayState::Reserved
            || diagnosis.relays[0].limits.is_none()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
            diagnosis = a.node.diagnose().await.unwrap();
        }
    };
    tokio::time::timeout(support::PATIENCE, waiting).await.expect("a reservation");
    place.relay.stop().await;
}

#[tokio::test]
async fn a_relay_that_does_not_exist_is_named_in_a_warning() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address: Multiaddr =
        format!("/ip4/127.0.0.1/tcp/{port}/ws/p2p/{}", PeerId::random()).parse().unwrap();
    let (a, _) = replica::start(Config::default().bootstrap([address]));
    a.event("the warning", |e| {
        matches!(e, Event::Warning { message, .. } if message.contains(&port.to_string()))
            .then_some(())
    })
    .await;
    assert_eq!(a.node.info().status, Status::Connecting);
}

/// 30 members of one room: whatever the mode of the room, a keystroke must not leave its author
/// 30 times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_room_of_30_a_keystroke_reaches_everybody_and_leaves_its_author_at_most_8_times() {
    const KEYSTROKE: usize = 20_000;
    let place = relay().await;
    let members: Vec<(Peer, Replicas)> = (0..30).map(|_| member(&place)).collect();
    let mut doc = None;
    for (peer, _) in &members {
        doc = Some(open(peer, "hall").await);
    }
    let doc = doc.unwrap();
    let room = members[0].0.node.join_room("hall".to_owned()).await.unwrap();
    for (peer, _) in &members {
        peer.until("everybody", |p| p.node.room_peers(room).len() == 29).await;
        peer.until("neighbours", |p| {
            p.node.connections().iter().filter(|c| !c.is_relay).count() >= 4
        })
        .await;
    }
    let (author, docs) = &members[0];
    let sent = || -> u64 {
        author.node.connections().iter().filter(|c| !c.is_relay).map(|c| c.bytes_sent).sum()
    };
    let mut copies = Vec::new();
    for round in 1..=15u8 {
        let before = sent();
        // Large, so that it stands out from everything else that is sent meanwhile.
        docs.write(&author.node, doc, &[round; KEYSTROKE]);
        for (peer, docs) in &members {
            peer.until("the keystroke", |_| docs.entries(doc).len() == usize::from(round)).await;
        }
        copies.push((sent() - before) as f64 / KEYSTROKE as f64);
        if copies.last().is_some_and(|last| *last >= 9.0) {
            // While a mesh forms it may be too large until the next heartbeat (1 s) prunes it.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    assert!(copies.iter().all(|c| *c >= 1.0), "nothing was sent? {copies:?}");
    eprintln!("copies of each keystroke that left its author: {copies:.1?}");
    // Gossipsub's heartbeat offers what it just published to two peers outside of the mesh, and one
    // who hasn't got it yet by its own mesh takes the offer: in one round of ten, say.
    let settled = &copies[5..];
    let extra = settled.iter().filter(|c| **c >= 9.0).count();
    assert!(extra <= 1, "{copies:?} copies of a keystroke");
    assert!(settled.iter().all(|c| *c < 10.5), "{copies:?} copies of a keystroke");
}
