//! Drives the swarm: what its events mean for the metrics, the addresses and the hash table.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm,
    kad::{self, store::RecordStore},
    metrics::{self as libp2p_metrics, Recorder},
    ping, relay,
    swarm::{ListenError, SwarmEvent},
};
use tokio::sync::watch;

use crate::{
    http::Shared,
    metrics::Metrics,
    network::{Behaviour, BehaviourEvent},
    ready,
    reservations::Reservations,
};

/// Addresses a relay tells others of itself when none are announced.
const MAX_DERIVED: usize = 8;

/// Records of the hash table one peer may have here.
const RECORDS_PER_PEER: usize = 256;

/// How often expired records are dropped and the gauges are set.
const TICK: Duration = Duration::from_secs(5);

/// Drives the swarm.
pub(crate) struct Driver {
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) announce: Vec<Multiaddr>,
    pub(crate) listening: HashSet<Multiaddr>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) libp2p_metrics: libp2p_metrics::Metrics,
    pub(crate) reservations: Reservations,
    /// Circuits between two peers. libp2p reports some ends twice, so it is a good guess only.
    pub(crate) circuits: HashMap<(PeerId, PeerId), u32>,
    /// How many records of the hash table each peer has here.
    pub(crate) records: HashMap<PeerId, usize>,
}

impl Driver {
    /// Handles events until `stop` is true or closed.
    pub(crate) async fn run(&mut self, mut stop: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                event = self.swarm.select_next_some() => self.handle(event),
                _ = tick.tick() => self.tick(),
            }
        }
    }

    fn tick(&mut self) {
        self.shared.alive.tick();
        let now = Instant::now();
        let store = self.swarm.behaviour_mut().kad.store_mut();
        store.retain(|_, record| !record.is_expired(now));
        self.records.clear();
        let mut total = 0;
        for record in store.records() {
            total += 1;
            if let Some(publisher) = record.publisher {
                *self.records.entry(publisher).or_insert(0) += 1;
            }
        }
        self.metrics.records.set(total);
    }

    /// Tells the swarm and the clients by which addresses this relay is reached.
    pub(crate) fn update_addresses(&mut self) {
        let addrs = if self.announce.is_empty() {
            ready::rank(self.listening.iter().cloned(), MAX_DERIVED)
        } else {
            self.announce.clone()
        };
        let old: Vec<_> = self.swarm.external_addresses().cloned().collect();
        for addr in old.iter().filter(|addr| !addrs.contains(addr)) {
            self.swarm.remove_external_address(addr);
        }
        // Reservations name the address that was added last first.
        for addr in addrs.iter().rev() {
            self.swarm.add_external_address(addr.clone());
        }
        self.shared.facts.write().unwrap_or_else(PoisonError::into_inner).addrs = addrs;
    }

    fn handle(&mut self, event: SwarmEvent<BehaviourEvent>) {
        self.libp2p_metrics.record(&event);
        match event {
            SwarmEvent::Behaviour(event) => self.handle_behaviour(event),
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } => {
                self.metrics.connections.inc();
                tracing::debug!(peer = %peer_id, remote = %endpoint.get_remote_address(), "connected");
            }
            SwarmEvent::ConnectionClosed { peer_id, cause, num_established, .. } => {
                self.metrics.connections.dec();
                tracing::debug!(
                    peer = %peer_id,
                    cause = cause.map(tracing::field::display),
                    "disconnected"
                );
                if num_established == 0 {
                    self.forget_reservation(peer_id);
                }
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                if let ListenError::Denied { .. } = error {
                    self.metrics.connections_refused.inc();
                }
                tracing::debug!(remote = %send_back_addr, %error, "incoming connection failed");
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                tracing::info!(%address, "listening");
                self.listening.insert(address);
                self.update_addresses();
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                tracing::info!(%address, "no longer listening");
                self.listening.remove(&address);
                self.update_addresses();
            }
            SwarmEvent::ListenerClosed { addresses, reason, .. } => {
                tracing::error!(?addresses, ?reason, "a listener closed");
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "a listener has trouble");
            }
            _ => {}
        }
    }

    fn handle_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Relay(event) => {
                self.libp2p_metrics.record(&event);
                self.handle_relay(event);
            }
            BehaviourEvent::Ping(event) => {
                self.libp2p_metrics.record(&event);
                if let Err(ping::Failure::Timeout | ping::Failure::Other { .. }) = event.result {
                    // Ping reports the second failure in a row: nobody is there any more.
                    tracing::debug!(peer = %event.peer, "no sign of life, closing");
                    self.swarm.close_connection(event.connection);
                }
            }
            BehaviourEvent::Identify(event) => self.libp2p_metrics.record(&event),
            BehaviourEvent::Kad(event) => {
                self.libp2p_metrics.record(&event);
                if let kad::Event::InboundRequest { request } = event {
                    self.handle_kad(request);
                }
            }
            BehaviourEvent::Limits(never)
            | BehaviourEvent::IpLimits(never)
            | BehaviourEvent::Rooms(never) => match never {},
        }
    }

    fn handle_relay(&mut self, event: relay::Event) {
        match event {
            relay::Event::ReservationReqAccepted { src_peer_id, renewed } => {
                tracing::debug!(peer = %src_peer_id, renewed, "reservation");
                self.count_reservations();
            }
            relay::Event::ReservationReqDenied { src_peer_id, status } => {
                tracing::debug!(peer = %src_peer_id, ?status, "reservation refused");
                self.metrics.reservations_refused.inc();
            }
            relay::Event::ReservationTimedOut { src_peer_id } => {
                self.forget_reservation(src_peer_id);
            }
            relay::Event::CircuitReqAccepted { src_peer_id, dst_peer_id } => {
                tracing::debug!(from = %src_peer_id, to = %dst_peer_id, "circuit");
                *self.circuits.entry((src_peer_id, dst_peer_id)).or_insert(0) += 1;
                self.metrics.circuits.inc();
                self.metrics.circuits_opened.inc();
            }
            relay::Event::CircuitReqDenied { src_peer_id, dst_peer_id, status } => {
                let kind = match status {
                    relay::StatusCode::NoReservation => "no_reservation",
                    relay::StatusCode::ResourceLimitExceeded => "limit",
                    _ => "other",
                };
                tracing::debug!(from = %src_peer_id, to = %dst_peer_id, kind, "circuit refused");
                self.metrics.circuit_refused(kind);
            }
            relay::Event::CircuitClosed { src_peer_id, dst_peer_id, error } => {
                tracing::debug!(
                    from = %src_peer_id,
                    to = %dst_peer_id,
                    error = error.map(tracing::field::display),
                    "circuit closed"
                );
                let pair = (src_peer_id, dst_peer_id);
                if let Some(count) = self.circuits.get_mut(&pair) {
                    self.metrics.circuits.dec();
                    *count -= 1;
                    if *count == 0 {
                        self.circuits.remove(&pair);
                    }
                }
            }
            _ => {}
        }
    }

    fn forget_reservation(&mut self, peer: PeerId) {
        self.reservations.release(peer);
        self.count_reservations();
    }

    fn count_reservations(&self) {
        self.metrics.reservations.set(self.reservations.len() as i64);
    }

    fn handle_kad(&mut self, request: kad::InboundRequest) {
        // Provider records are dropped: nothing in VIVIM asks for them, and the addresses in them
        // would take memory that nobody counts.
        if let kad::InboundRequest::PutRecord { source, record: Some(mut record), .. } = request {
            let count = self.records.entry(source).or_insert(0);
            if *count >= RECORDS_PER_PEER {
                tracing::debug!(peer = %source, "too many records of one peer");
                return;
            }
            *count += 1;
            // Whoever sent it is charged for it, whatever the record says.
            record.publisher = Some(source);
            if let Err(error) = self.swarm.behaviour_mut().kad.store_mut().put(record) {
                tracing::debug!(peer = %source, %error, "a record isn't kept");
            }
        }
    }
}
