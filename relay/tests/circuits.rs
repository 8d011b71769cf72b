//! Reservations and circuits.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Client, relay, relay_with, relay_with_limits, within};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{Multiaddr, StreamProtocol, multiaddr::Protocol};

const ECHO: &str = "/test/echo/1";

/// A client that can be reached through the relay and echoes what it is sent.
async fn echo_server(relay: &common::TestRelay) -> (Client, Multiaddr) {
    let mut client = Client::new();
    let mut incoming = client.control.accept(StreamProtocol::new(ECHO)).unwrap();
    tokio::spawn(async move {
        while let Some((_, stream)) = incoming.next().await {
            tokio::spawn(async move {
                let (read, mut write) = stream.split();
                let _ = futures::io::copy(read, &mut write).await;
                let _ = write.close().await;
            });
        }
    });
    let addr = client.reserve(relay.addr("ws")).await.expect("a reservation");
    (client, addr)
}

#[tokio::test]
async fn two_clients_talk_through_the_relay() {
    let relay = relay().await;
    let (server, addr) = echo_server(&relay).await;
    relay.metric_becomes("vivim_relay_reservations", 1.0).await;
    // One comes by TCP, the other by WebSocket.
    let mut client = Client::new();
    client.dial(relay.addr("tcp")).await.unwrap();
    assert_eq!(client.dial(addr).await, Ok(server.peer));
    relay.metric_becomes("vivim_relay_circuits", 1.0).await;

    let mut stream = client.open(server.peer, ECHO).await;
    let sent: Vec<u8> = (0..1 << 20).map(|n: u32| n as u8).collect();
    let (mut read, mut write) = (&mut stream).split();
    let echoed = within("the echo", async {
        let mut echoed = Vec::new();
        let (sent, received) = futures::join!(
            async {
                write.write_all(&sent).await?;
                write.close().await
            },
            read.read_to_end(&mut echoed)
        );
        sent.unwrap();
        received.unwrap();
        echoed
    })
    .await;
    assert!(echoed == sent);

    client.stop().await;
    relay.metric_becomes("vivim_relay_circuits", 0.0).await;
    server.stop().await;
    relay.metric_becomes("vivim_relay_reservations", 0.0).await;
    relay.metric_becomes("vivim_relay_connections", 0.0).await;
}

#[tokio::test]
async fn a_reservation_names_the_addresses_of_the_relay_websocket_first() {
    let relay = relay().await;
    let mut client = Client::new();
    let addr = client.reserve(relay.addr("tcp")).await.unwrap();
    let expected = relay.addr("ws").with(Protocol::P2pCircuit).with(Protocol::P2p(client.peer));
    assert_eq!(addr, expected);
}

#[tokio::test]
async fn announced_addresses_are_the_ones_in_reservations() {
    let announced: Multiaddr = "/dns4/relay.example.org/tcp/443/tls/ws".parse().unwrap();
    // The announced name doesn't lead here, so the client comes to a port that is known.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let relay =
        relay_with(|c| c.announce([announced.clone()]).ws_port(vivim_relay::Port::At(port))).await;
    let id = relay.relay.peer_id();
    assert_eq!(relay.relay.ready().multiaddrs, [format!("{announced}/p2p/{id}")]);
    let mut client = Client::new();
    let real = format!("/ip4/127.0.0.1/tcp/{port}/ws/p2p/{id}").parse().unwrap();
    let reserved = client.reserve(real).await.unwrap();
    assert_eq!(
        reserved.to_string(),
        format!("{announced}/p2p/{id}/p2p-circuit/p2p/{}", client.peer)
    );
}

#[tokio::test]
async fn clients_are_told_what_the_relay_speaks() {
    let relay = relay().await;
    let mut client = Client::connected(&relay).await;
    let info = client
        .wait("identify", |seen| match seen {
            common::Seen::Identified(info) => Some(info),
            _ => None,
        })
        .await;
    assert_eq!(info.protocol_version, "vivim/1");
    assert!(info.agent_version.starts_with("vivim-relay/"));
    let protocols: Vec<_> = info.protocols.iter().map(AsRef::as_ref).collect();
    for protocol in [
        "/libp2p/circuit/relay/0.2.0/hop",
        "/vivim/rooms/1.0.0",
        "/vivim/kad/1.0.0",
        "/ipfs/ping/1.0.0",
    ] {
        assert!(protocols.contains(&protocol), "{protocol} is missing in {protocols:?}");
    }
    assert!(!protocols.iter().any(|p| p.contains("meshsub")), "a relay has no gossipsub");
}

#[tokio::test]
async fn reservations_are_limited_and_a_free_place_is_given_again() {
    let relay = relay_with_limits(|limits| limits.reservations = 2).await;
    let (mut a, mut b, mut c) = (Client::new(), Client::new(), Client::new());
    assert!(a.reserve(relay.addr("ws")).await.is_some());
    assert!(b.reserve(relay.addr("ws")).await.is_some());
    assert_eq!(c.reserve(relay.addr("ws")).await, None);
    relay.metric_becomes("vivim_relay_reservations_refused_total", 1.0).await;
    a.stop().await;
    relay.metric_becomes("vivim_relay_reservations", 1.0).await;
    assert!(c.reserve(relay.addr("ws")).await.is_some());
}

/// libp2p-relay refuses renewals too when all places are taken; ours doesn't.
#[tokio::test]
async fn a_full_relay_still_renews_reservations() {
    let relay = relay_with_limits(|limits| {
        limits.reservations = 1;
        limits.reservation_secs = 4;
    })
    .await;
    let mut client = Client::new();
    assert!(client.reserve(relay.addr("ws")).await.is_some());
    let renewed = "libp2p_relay_events_total{event=\"ReservationReqAccepted\"}";
    // The client renews when three quarters of the time are over.
    relay.metric_becomes(renewed, 2.0).await;
    assert_eq!(relay.metric("vivim_relay_reservations").await, 1.0);
    assert_eq!(relay.metric("vivim_relay_reservations_refused_total").await, 0.0);
}

#[tokio::test]
async fn circuits_are_limited_in_all_and_per_peer() {
    let relay = relay_with_limits(|limits| {
        limits.circuits = 3;
        limits.circuits_per_peer = 2;
    })
    .await;
    let mut servers = Vec::new();
    for _ in 0..4 {
        servers.push(echo_server(&relay).await);
    }
    let mut first = Client::connected(&relay).await;
    assert!(first.dial(servers[0].1.clone()).await.is_ok());
    assert!(first.dial(servers[1].1.clone()).await.is_ok());
    assert!(first.dial(servers[2].1.clone()).await.is_err());
    let mut second = Client::connected(&relay).await;
    assert!(second.dial(servers[2].1.clone()).await.is_ok());
    assert!(second.dial(servers[3].1.clone()).await.is_err());
    relay.metric_becomes("vivim_relay_circuits_refused_total{kind=\"limit\"}", 2.0).await;
}

#[tokio::test]
async fn a_circuit_ends_when_it_has_carried_its_bytes() {
    let relay = relay_with_limits(|limits| limits.circuit_bytes = 256 * 1024).await;
    let (server, addr) = echo_server(&relay).await;
    let mut client = Client::connected(&relay).await;
    client.dial(addr).await.unwrap();
    let mut stream = client.open(server.peer, ECHO).await;
    let mut echoed = vec![0; 64 * 1024];
    stream.write_all(&echoed.clone()).await.unwrap();
    within("what is allowed", stream.read_exact(&mut echoed)).await.unwrap();
    let _ = stream.write_all(&vec![0; 512 * 1024]).await;
    let mut rest = Vec::new();
    let ended = within("the end", stream.read_to_end(&mut rest)).await;
    assert!(ended.is_err() || rest.len() < 512 * 1024);
    relay.metric_becomes("vivim_relay_circuits", 0.0).await;
}

#[tokio::test]
async fn a_peer_without_a_reservation_is_not_reachable() {
    let relay = relay().await;
    let (mut a, b) = (Client::connected(&relay).await, Client::connected(&relay).await);
    let addr = relay.addr("ws").with(Protocol::P2pCircuit).with(Protocol::P2p(b.peer));
    assert!(a.dial(addr).await.is_err());
    relay.metric_becomes("vivim_relay_circuits_refused_total{kind=\"no_reservation\"}", 1.0).await;
}

#[tokio::test]
async fn connections_are_limited() {
    let relay = relay_with_limits(|limits| limits.connections = 3).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::connected(&relay).await);
    }
    // The fourth is let in as far as its handshake and then refused.
    let mut refused = Client::new();
    let _ = refused.dial(relay.addr("ws")).await;
    relay.metric_becomes("vivim_relay_connections_refused_total", 1.0).await;
    relay.metric_becomes("vivim_relay_connections", 3.0).await;
}

/// An office behind one address, or a test suite on one machine, isn't an attack.
#[tokio::test]
async fn many_clients_of_one_address_all_get_a_reservation() {
    let relay = relay().await;
    let mut clients = Vec::new();
    for _ in 0..150 {
        let addr = relay.addr("ws");
        clients.push(tokio::spawn(async move {
            let mut client = Client::new();
            let reserved = client.reserve(addr).await;
            (client, reserved.is_some())
        }));
    }
    let mut running = Vec::new();
    for client in clients {
        let (client, reserved) = client.await.unwrap();
        assert!(reserved);
        running.push(client);
    }
    relay.metric_becomes("vivim_relay_reservations", 150.0).await;
}

#[tokio::test]
async fn the_hash_table_keeps_what_it_is_given_up_to_its_bounds() {
    let relay = relay().await;
    let (mut a, mut b) = (Client::connected(&relay).await, Client::connected(&relay).await);
    assert!(a.put(&relay, b"key", b"value").await);
    assert_eq!(b.get(&relay, b"key").await, Some(b"value".to_vec()));
    assert_eq!(b.get(&relay, b"other").await, None);
    // One that is too large is taken from the wire and not kept.
    a.put(&relay, b"large", &[0; vivim_relay::MAX_RECORD]).await;
    assert_eq!(b.get(&relay, b"large").await, None);
}
