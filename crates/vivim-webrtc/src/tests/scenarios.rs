//! Scenarios that hold over every backend.

use std::time::Duration;

use libp2p::PeerId;
use vivim_webrtc::{Config, Event, addr, backend::Backend};

use super::harness::Net;

/// A relayed connection becomes a direct one by itself, both sides see it work, and the relayed
/// one goes when it is not needed.
pub(crate) async fn a_relayed_connection_is_upgraded<B: Backend>(backend: B) {
    let config = Config::new().close_relayed_after(Some(Duration::from_millis(100)));
    let mut net = Net::new();
    let b = net.add_reachable(backend.clone(), config.clone()).await;
    let a = net.add(backend, config);
    let (relayed, _) = net.addrs(b);
    net.clients[a].swarm.dial(relayed).unwrap();
    net.until(|net| net.is_proven(a) && net.is_proven(b)).await;
    net.until(|net| net.connections(a, b) == (1, 0) && net.connections(b, a) == (1, 0)).await;
    net.run(Duration::from_millis(200)).await;
    assert_eq!(net.connections(a, b), (1, 0));
}

/// One dial of the full address makes the relayed and the direct connection, and no more.
pub(crate) async fn a_webrtc_address_is_dialed_by_way_of_its_relay<B: Backend>(backend: B) {
    let mut net = Net::new();
    let b = net.add_reachable(backend.clone(), Config::new()).await;
    let a = net.add(backend, Config::new());
    let (_, direct) = net.addrs(b);
    net.clients[a].swarm.dial(direct).unwrap();
    net.until(|net| net.is_proven(a) && net.is_proven(b)).await;
    net.run(Duration::from_millis(300)).await;
    assert_eq!(net.connections(a, b), (1, 1));
    assert_eq!(net.connections(b, a), (1, 1));
    assert_eq!(net.dial_errors(a), Vec::<String>::new());
}

/// Both dial each other at once; one direct connection is left, the same for both.
pub(crate) async fn simultaneous_dials_end_in_one_connection<B: Backend>(backend: B) {
    let mut net = Net::new();
    let a = net.add_reachable(backend.clone(), Config::new()).await;
    let b = net.add_reachable(backend, Config::new()).await;
    let ((_, to_a), (_, to_b)) = (net.addrs(a), net.addrs(b));
    net.clients[a].swarm.dial(to_b).unwrap();
    net.clients[b].swarm.dial(to_a).unwrap();
    net.until(|net| net.connections(a, b).0 > 0 && net.connections(b, a).0 > 0).await;
    net.run(Duration::from_millis(700)).await;
    assert_eq!(net.connections(a, b).0, 1);
    assert_eq!(net.connections(b, a).0, 1);
    let dialed = |client: usize| {
        let ids = net.events(client).filter_map(|event| match event {
            Event::DirectConnected { connection, dialed, .. } => Some((*connection, *dialed)),
            _ => None,
        });
        let peer = net.clients[a + b - client].id;
        let left = net.clients[client].swarm.behaviour().webrtc.direct_connections(&peer);
        let left: Vec<_> = left.collect();
        ids.filter(|(id, _)| left.contains(id)).map(|(_, dialed)| dialed).collect::<Vec<bool>>()
    };
    let smaller = net.clients[a].id < net.clients[b].id;
    // The one that is left was dialed by the smaller peer id, if there ever were two.
    let both = net.events(a).filter(|e| matches!(e, Event::DirectConnected { .. })).count() == 2;
    if both {
        assert_eq!((dialed(a), dialed(b)), (vec![smaller], vec![!smaller]));
    }
}

/// Without a relayed connection the bare address leads nowhere, at once and in words.
pub(crate) async fn a_bare_address_needs_a_relayed_connection<B: Backend>(backend: B) {
    let mut net = Net::new();
    let a = net.add(backend, Config::new());
    net.clients[a].swarm.dial(addr::bare(PeerId::random())).unwrap();
    net.until(|net| !net.dial_errors(a).is_empty()).await;
    let error = net.dial_errors(a).remove(0);
    assert!(error.contains("NoRelayedConnection"), "{error}");
}

/// A peer that accepts nothing costs one attempt.
pub(crate) async fn a_peer_without_signaling_stays_relayed<B: Backend>(backend: B) {
    let config =
        Config::new().upgrade_backoff(Duration::from_millis(10), Duration::from_millis(10));
    let mut net = Net::new();
    let b = net.add_reachable(backend.clone(), config.clone().accept_inbound(false)).await;
    let a = net.add(backend, config);
    let (relayed, _) = net.addrs(b);
    net.clients[a].swarm.dial(relayed).unwrap();
    net.until(|net| !net.dial_errors(a).is_empty()).await;
    net.run(Duration::from_millis(300)).await;
    assert_eq!(net.dial_errors(a).len(), 1);
    assert_eq!(net.connections(a, b), (0, 1));
}

/// Reservations are announced in their WebRTC form.
pub(crate) async fn a_reservation_is_announced<B: Backend>(backend: B) {
    let mut net = Net::new();
    let b = net.add_reachable(backend, Config::new()).await;
    let (_, direct) = net.addrs(b);
    net.until(|net| net.clients[b].swarm.external_addresses().any(|addr| *addr == direct)).await;
}
