//! Everything but the browser: the scenarios of the whole crate over the mock backend.

mod harness;
mod muxer;
mod scenarios;

use std::time::Duration;

use crate::{Config, Event, backend::mock::Mock};

use self::harness::Net;

#[tokio::test]
async fn a_relayed_connection_is_upgraded() {
    let mock = Mock::default();
    scenarios::a_relayed_connection_is_upgraded(mock.clone()).await;
    assert_eq!(mock.live(), 0, "everything is closed with its swarm");
}

#[tokio::test]
async fn a_webrtc_address_is_dialed_by_way_of_its_relay() {
    scenarios::a_webrtc_address_is_dialed_by_way_of_its_relay(Mock::default()).await;
}

#[tokio::test]
async fn simultaneous_dials_end_in_one_connection() {
    for _ in 0..5 {
        scenarios::simultaneous_dials_end_in_one_connection(Mock::default()).await;
    }
}

#[tokio::test]
async fn a_bare_address_needs_a_relayed_connection() {
    scenarios::a_bare_address_needs_a_relayed_connection(Mock::default()).await;
}

#[tokio::test]
async fn a_peer_without_signaling_stays_relayed() {
    scenarios::a_peer_without_signaling_stays_relayed(Mock::default()).await;
}

#[tokio::test]
async fn a_reservation_is_announced() {
    scenarios::a_reservation_is_announced(Mock::default()).await;
}

#[tokio::test]
async fn a_failed_upgrade_keeps_the_relayed_connection_and_is_tried_again() {
    let mock = Mock::default();
    mock.block(true);
    let wait = Duration::from_millis(40);
    let config = Config::new().upgrade_backoff(wait, wait * 4);
    let mut net = Net::new();
    let b = net.add_reachable(mock.clone(), config.clone()).await;
    let a = net.add(mock.clone(), config);
    let (relayed, _) = net.addrs(b);
    net.clients[a].swarm.dial(relayed).unwrap();
    let failures = |net: &Net| {
        net.events(a).filter(|event| matches!(event, Event::UpgradeFailed { .. })).count()
    };
    net.until(|net| failures(net) == 3).await;
    assert_eq!(net.connections(a, b), (0, 1));
    assert_eq!(mock.live(), 0, "failed sessions leave nothing behind");
    mock.block(false);
    net.until(|net| net.is_proven(a) && net.is_proven(b)).await;
    assert_eq!(net.connections(a, b), (1, 1));
}

#[tokio::test]
async fn an_application_may_not_want_to_wait_for_the_next_attempt() {
    let mock = Mock::default();
    mock.block(true);
    let hour = Duration::from_secs(3600);
    let config = Config::new().upgrade_backoff(hour, hour);
    let mut net = Net::new();
    let b = net.add_reachable(mock.clone(), config.clone()).await;
    let a = net.add(mock.clone(), config);
    let (relayed, _) = net.addrs(b);
    net.clients[a].swarm.dial(relayed).unwrap();
    net.until(|net| net.events(a).any(|e| matches!(e, Event::UpgradeFailed { .. }))).await;
    mock.block(false);
    let peer = net.clients[b].id;
    net.clients[a].swarm.behaviour_mut().webrtc.retry(peer);
    net.until(|net| net.is_proven(a)).await;
}

#[tokio::test]
async fn a_lost_direct_connection_is_replaced_over_the_relayed_one() {
    let mock = Mock::default();
    let wait = Duration::from_millis(20);
    let config = Config::new().upgrade_backoff(wait, wait);
    let mut net = Net::new();
    let b = net.add_reachable(mock.clone(), config.clone()).await;
    let a = net.add(mock.clone(), config);
    let (relayed, _) = net.addrs(b);
    net.clients[a].swarm.dial(relayed).unwrap();
    net.until(|net| net.is_proven(a)).await;
    mock.report(crate::backend::Connectivity::Failed);
    net.until(|net| net.connections(a, b) == (0, 1)).await;
    net.until(|net| net.connections(a, b) == (1, 1)).await;
}

#[tokio::test]
async fn connections_are_limited() {
    let mock = Mock::default();
    let mut net = Net::new();
    let b = net.add_reachable(mock.clone(), Config::new().max_connections(2)).await;
    let clients: Vec<usize> = (0..4).map(|_| net.add(mock.clone(), Config::new())).collect();
    let (relayed, _) = net.addrs(b);
    for client in &clients {
        net.clients[*client].swarm.dial(relayed.clone()).unwrap();
    }
    let direct = |net: &Net| clients.iter().map(|c| net.connections(*c, b).0).sum::<usize>();
    let refused = |net: &Net| {
        let failed = |c: &&usize| net.events(**c).any(|e| matches!(e, Event::UpgradeFailed { .. }));
        clients.iter().filter(failed).count()
    };
    net.until(|net| direct(net) == 2 && refused(net) == 2).await;
    // Those that found no room are still connected.
    assert!(clients.iter().all(|client| net.connections(*client, b).1 == 1));
}
