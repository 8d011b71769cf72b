//! The room directory, through a relay and real connections.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Client, relay, relay_with_limits, room, within};
use futures::{AsyncReadExt, AsyncWriteExt};
use vivim_proto::rooms::{ClientMessage, Refusal, ServerMessage};

#[tokio::test]
async fn a_client_is_greeted_with_the_limits_of_the_relay() {
    let relay = relay_with_limits(|limits| {
        limits.circuits_per_peer = 7;
        limits.circuit_bytes = 1 << 40;
        limits.circuit_secs = 60;
        limits.reservation_secs = 90;
    })
    .await;
    let mut client = Client::connected(&relay).await;
    let mut rooms = client.rooms(&relay).await;
    let Some(ServerMessage::Hello { limits }) = rooms.next().await else { panic!("no greeting") };
    assert_eq!(
        (limits.max_circuits, limits.max_circuit_bytes, limits.max_circuit_secs),
        (7, 1 << 40, 60)
    );
    assert_eq!((limits.reservation_secs, limits.max_rooms), (90, 1024));
}

#[tokio::test]
async fn members_hear_of_joins_and_leaves_at_once() {
    let relay = relay().await;
    let (mut a, mut b) = (Client::connected(&relay).await, Client::connected(&relay).await);
    let (mut rooms_a, mut rooms_b) = (a.rooms(&relay).await, b.rooms(&relay).await);
    let (one, other) = (room("one"), room("other"));

    assert_eq!(rooms_a.join(one).await, (vec![], 0));
    assert_eq!(rooms_b.join(other).await, (vec![], 0));
    assert_eq!(rooms_b.join(one).await, (vec![a.peer.to_bytes()], 1));
    let joined = ServerMessage::PeerJoined { room: one, peer: b.peer.to_bytes() };
    assert_eq!(rooms_a.next().await, Some(joined));
    relay.metric_becomes("vivim_relay_rooms", 2.0).await;
    relay.metric_becomes("vivim_relay_room_members", 3.0).await;

    rooms_b.send(ClientMessage::Leave { room: one }).await;
    let left = ServerMessage::PeerLeft { room: one, peer: b.peer.to_bytes() };
    assert_eq!(rooms_a.next().await, Some(left));
    relay.metric_becomes("vivim_relay_room_members", 2.0).await;
    b.stop().await;
    relay.metric_becomes("vivim_relay_room_members", 1.0).await;
}

#[tokio::test]
async fn an_entry_goes_with_its_connection() {
    let relay = relay().await;
    let (mut a, mut b) = (Client::connected(&relay).await, Client::connected(&relay).await);
    let (mut rooms_a, mut rooms_b) = (a.rooms(&relay).await, b.rooms(&relay).await);
    let one = room("one");
    rooms_a.join(one).await;
    rooms_b.join(one).await;
    let peer = b.peer.to_bytes();
    assert_eq!(
        rooms_a.next().await,
        Some(ServerMessage::PeerJoined { room: one, peer: peer.clone() })
    );

    b.stop().await;
    assert_eq!(rooms_a.next().await, Some(ServerMessage::PeerLeft { room: one, peer }));
    relay.metric_becomes("vivim_relay_room_streams", 1.0).await;

    let mut late = Client::connected(&relay).await;
    assert_eq!(late.rooms(&relay).await.join(one).await, (vec![a.peer.to_bytes()], 1));
}

#[tokio::test]
async fn an_entry_goes_with_its_stream() {
    let relay = relay().await;
    let (mut a, mut b) = (Client::connected(&relay).await, Client::connected(&relay).await);
    let (mut rooms_a, mut rooms_b) = (a.rooms(&relay).await, b.rooms(&relay).await);
    let one = room("one");
    rooms_a.join(one).await;
    rooms_b.join(one).await;
    rooms_a.next().await;

    rooms_b.stream.close().await.unwrap();
    let left = ServerMessage::PeerLeft { room: one, peer: b.peer.to_bytes() };
    assert_eq!(rooms_a.next().await, Some(left));
}

#[tokio::test]
async fn a_second_stream_replaces_the_first() {
    let relay = relay().await;
    let (mut a, mut b) = (Client::connected(&relay).await, Client::connected(&relay).await);
    let (mut rooms_a, mut first) = (a.rooms(&relay).await, b.rooms(&relay).await);
    let one = room("one");
    rooms_a.join(one).await;
    first.join(one).await;
    rooms_a.next().await;

    let mut second = b.rooms(&relay).await;
    assert!(matches!(second.next().await, Some(ServerMessage::Hello { .. })));
    assert_eq!(first.next().await, None);
    // What the first stream had joined is gone, and the second starts afresh.
    let left = ServerMessage::PeerLeft { room: one, peer: b.peer.to_bytes() };
    assert_eq!(rooms_a.next().await, Some(left));
    assert_eq!(second.join(one).await.1, 1);
    assert!(matches!(rooms_a.next().await, Some(ServerMessage::PeerJoined { .. })));
    relay.metric_becomes("vivim_relay_room_streams", 2.0).await;
}

#[tokio::test]
async fn a_stream_that_carries_no_messages_is_dropped() {
    let relay = relay().await;
    let mut client = Client::connected(&relay).await;
    for garbage in
        [&[0xff; 64][..], &[34, 1], &[0], &[0x80, 0x80, 0x80, 0x01], b"GET / HTTP/1.1\r\n\r\n"]
    {
        let mut rooms = client.rooms(&relay).await;
        assert!(matches!(rooms.next().await, Some(ServerMessage::Hello { .. })));
        let mut bytes = garbage.to_vec();
        bytes.resize(128, 0xff);
        rooms.stream.write_all(&bytes).await.unwrap();
        rooms.stream.flush().await.unwrap();
        assert_eq!(rooms.next().await, None, "{garbage:02x?}");
    }
    // The connection and the directory go on working.
    assert_eq!(client.rooms(&relay).await.join(room("one")).await.1, 0);
}

#[tokio::test]
async fn a_client_gets_no_more_rooms_than_the_relay_allows() {
    let relay = relay().await;
    let mut client = Client::connected(&relay).await;
    let mut rooms = client.rooms(&relay).await;
    rooms.next().await;
    let mut all = Vec::new();
    for n in 0..1025 {
        all.extend(ClientMessage::Join { room: room(&n.to_string()) }.encode());
    }
    rooms.stream.write_all(&all).await.unwrap();
    rooms.stream.flush().await.unwrap();
    for _ in 0..1024 {
        assert!(matches!(rooms.next().await, Some(ServerMessage::Joined { .. })));
    }
    let reason = Refusal::TooManyRooms;
    assert_eq!(rooms.next().await, Some(ServerMessage::Refused { room: room("1024"), reason }));
    relay.metric_becomes("vivim_relay_rooms", 1024.0).await;
    relay.metric_becomes("vivim_relay_room_requests_refused_total", 1.0).await;
}

#[tokio::test]
async fn a_large_room_is_answered_with_a_sample() {
    let relay = relay().await;
    let one = room("one");
    let mut members = Vec::new();
    for _ in 0..70 {
        let mut client = Client::connected(&relay).await;
        let mut rooms = client.rooms(&relay).await;
        rooms.join(one).await;
        members.push((client, rooms));
    }
    let mut late = Client::connected(&relay).await;
    let (peers, total) = late.rooms(&relay).await.join(one).await;
    assert_eq!((peers.len(), total), (64, 70));
}

/// A client that asks without reading isn't read either, so it can't make the relay queue answers.
#[tokio::test]
async fn a_client_that_does_not_read_is_not_listened_to() {
    let relay = relay().await;
    let mut client = Client::connected(&relay).await;
    let mut rooms = client.rooms(&relay).await;
    // 2,000 joins and leaves a second are let through; the answers fill the client's window.
    let join = ClientMessage::Join { room: room("one") }.encode();
    let mut sent = 0_usize;
    let stuck = async {
        loop {
            rooms.stream.write_all(&join).await.unwrap();
            rooms.stream.flush().await.unwrap();
            sent += join.len();
        }
    };
    // Nothing tells a writer that it will never go on, so this waits a moment.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(3), stuck).await;
    assert!(sent < 16 * 1024 * 1024, "{sent}");

    // Others don't notice.
    let mut other = Client::connected(&relay).await;
    assert_eq!(other.rooms(&relay).await.join(room("one")).await.1, 1);
}

/// A member that joins and then stops reading is dropped when its news pile up.
#[tokio::test]
async fn a_member_that_does_not_read_its_news_is_dropped() {
    let relay = relay().await;
    let (mut slow, mut busy) = (Client::connected(&relay).await, Client::connected(&relay).await);
    let (mut rooms_slow, mut rooms_busy) = (slow.rooms(&relay).await, busy.rooms(&relay).await);
    rooms_slow.next().await;
    let mut joins = Vec::new();
    for n in 0..1000 {
        joins.extend(ClientMessage::Join { room: room(&n.to_string()) }.encode());
    }
    rooms_slow.stream.write_all(&joins).await.unwrap();
    rooms_slow.stream.flush().await.unwrap();
    for _ in 0..1000 {
        assert!(matches!(rooms_slow.next().await, Some(ServerMessage::Joined { .. })));
    }

    // The slow client has a window of 256 KiB and the relay as much for it. Each news has 73 bytes,
    // so 8,000 are too many; peers come and go until they have been made.
    let busy_member = async {
        loop {
            rooms_busy.stream.write_all(&joins).await.unwrap();
            rooms_busy.stream.flush().await.unwrap();
            for _ in 0..1000 {
                match rooms_busy.next().await {
                    Some(ServerMessage::Joined { .. } | ServerMessage::Hello { .. }) => {}
                    // The slow one has gone: what is waited for outside.
                    Some(ServerMessage::PeerLeft { .. }) => std::future::pending().await,
                    other => panic!("{other:?}"),
                }
            }
            // A new stream starts without rooms, and without having used up its requests.
            rooms_busy = {
                busy.disconnect(relay.relay.peer_id()).await;
                busy = Client::connected(&relay).await;
                busy.rooms(&relay).await
            };
        }
    };
    let dropped = relay.metric_becomes("vivim_relay_room_streams_ended_total{kind=\"slow\"}", 1.0);
    within("the slow member to be dropped", async {
        tokio::select! {
            () = dropped => {}
            () = busy_member => {}
        }
    })
    .await;
    // What is left in the window can be read, then the stream ends.
    let mut rest = Vec::new();
    let _ = within("the end", rooms_slow.stream.read_to_end(&mut rest)).await;
}
