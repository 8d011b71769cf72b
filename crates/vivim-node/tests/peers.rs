//! Two nodes that know each other's address.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

mod support;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use support::Peer;
use vivim_node::{
    CommandError, Config, ConnectError, Event, Multiaddr, PeerId, Status, StreamError,
};

async fn pair() -> (Peer, Peer) {
    let a = Peer::listening().await;
    let b = Peer::start(Config::default());
    assert_eq!(b.node.connect(a.address()).await.unwrap(), a.id);
    (a, b)
}

#[tokio::test]
async fn connect_resolves_to_the_peer_and_both_sides_hear_of_it() {
    let (a, b) = pair().await;
    a.event("the connection", |e| matches!(e, Event::PeerConnected(p) if *p == b.id).then_some(()))
        .await;
    b.status(Status::Direct).await;
    assert_eq!(b.node.connections()[0].peer, a.id);
    // Again is harmless.
    assert_eq!(b.node.connect(a.address()).await.unwrap(), a.id);
}

#[tokio::test]
async fn connecting_to_the_wrong_peer_says_who_answered() {
    let a = Peer::listening().await;
    let b = Peer::start(Config::default());
    let somebody = PeerId::random();
    let mut address = a.address();
    address.pop();
    let address = address.with(vivim_node_p2p(somebody));
    let error = b.node.connect(address).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::WrongPeer { expected, obtained }
            if expected == somebody && obtained == a.id),
        "{error:?}"
    );
}

fn vivim_node_p2p(peer: PeerId) -> libp2p::multiaddr::Protocol<'static> {
    libp2p::multiaddr::Protocol::P2p(peer)
}

#[tokio::test]
async fn connecting_to_nobody_to_oneself_or_by_an_unknown_transport_fails_with_the_reason() {
    let a = Peer::listening().await;
    let b = Peer::start(Config::default());
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody: Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    let error = b.node.connect(nobody).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable(_)), "{error:?}");
    assert!(matches!(a.node.connect(a.address()).await, Err(ConnectError::Own)));
    let quic: Multiaddr = "/ip4/127.0.0.1/udp/1/quic-v1".parse().unwrap();
    let error = b.node.connect(quic).await.unwrap_err();
    assert!(matches!(error, ConnectError::UnsupportedAddress(_)), "{error:?}");
}

#[tokio::test]
async fn a_stream_carries_bytes_both_ways_and_half_closes() {
    let (a, b) = pair().await;
    let mut incoming = a.node.handle("/test/echo/1".to_owned()).await.unwrap();
    let server = tokio::spawn(async move {
        let mut stream = incoming.next().await.unwrap().stream;
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        stream.write_all(&all).await.unwrap();
        stream.close().await.unwrap();
    });
    let mut stream = b.node.open_stream(a.id, "/test/echo/1".to_owned()).await.unwrap().stream;
    let sent: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
    stream.write_all(&sent).await.unwrap();
    stream.close().await.unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    assert!(received == sent);
    server.await.unwrap();
    let bytes = b.node.connections()[0].bytes_sent;
    assert!(bytes > 1_000_000, "{bytes} bytes counted");
}

#[tokio::test]
async fn a_protocol_that_nobody_handles_is_refused_by_name() {
    let (a, b) = pair().await;
    let error = b.node.open_stream(a.id, "/test/none/1".to_owned()).await.unwrap_err();
    assert!(matches!(error, StreamError::UnsupportedProtocol { .. }), "{error:?}");
    let error = b.node.open_stream(PeerId::random(), "/test/none/1".to_owned()).await.unwrap_err();
    assert!(matches!(error, StreamError::NotConnected(_)), "{error:?}");
    let error = b.node.open_stream(a.id, "no slash".to_owned()).await.unwrap_err();
    assert!(matches!(error, StreamError::InvalidProtocol(_)), "{error:?}");
}

#[tokio::test]
async fn dropping_the_incoming_streams_frees_the_protocol() {
    let a = Peer::listening().await;
    let first = a.node.handle("/test/echo/1".to_owned()).await.unwrap();
    assert!(matches!(
        a.node.handle("/test/echo/1".to_owned()).await,
        Err(StreamError::AlreadyHandled(_))
    ));
    drop(first);
    a.node.handle("/test/echo/1".to_owned()).await.unwrap();
}

#[tokio::test]
async fn ping_measures_a_round_trip() {
    let (a, b) = pair().await;
    let rtt = b.node.ping(a.id).await.unwrap();
    assert!(rtt > std::time::Duration::ZERO && rtt < support::PATIENCE);
}

#[tokio::test]
async fn subscribers_hear_what_is_published_with_its_author() {
    let (a, b) = pair().await;
    a.node.subscribe("news".to_owned()).await.unwrap();
    // A name with a slash is whole; this is the same topic.
    b.node.subscribe("/vivim/news".to_owned()).await.unwrap();
    let mut round = 0u8;
    // Publishing before the other side's subscription has arrived reaches nobody.
    a.until("the message", |a| {
        round += 1;
        let node = b.node.clone();
        tokio::spawn(async move { node.publish("news".to_owned(), vec![1, 2, round]).await });
        a.saw(|e| {
            matches!(e, Event::Message(m)
                if m.topic == "news" && m.from == b.id && m.data.starts_with(&[1, 2]))
        })
    })
    .await;
    assert!(!b.saw(|e| matches!(e, Event::Message(_))), "an author hears itself");
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_before_it_is_sent() {
    let a = Peer::start(Config::default());
    let error = a.node.publish("t".to_owned(), vec![0; 64 * 1024 + 1]).await.unwrap_err();
    assert!(error.to_string().contains("65537"), "{error}");
}

#[tokio::test]
async fn a_stopped_node_rejects_everything() {
    let (a, b) = pair().await;
    a.node.stop().await.unwrap();
    assert!(matches!(a.node.stop().await, Err(CommandError::Stopped)));
    assert!(matches!(a.node.ping(b.id).await, Err(StreamError::Command(CommandError::Stopped))));
    assert!(!a.node.network_changed(true));
    a.event("the end", |e| matches!(e, Event::Stopped).then_some(())).await;
    b.event("the loss", |e| matches!(e, Event::PeerDisconnected(p) if *p == a.id).then_some(()))
        .await;
}

#[tokio::test]
async fn disconnect_closes_every_connection_to_a_peer() {
    let (a, b) = pair().await;
    b.node.disconnect(a.id).await.unwrap();
    b.until("no connections", |b| b.node.connections().is_empty()).await;
    a.until("no connections", |a| a.node.connections().is_empty()).await;
}
