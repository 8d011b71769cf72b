//! What `/metrics` shows, and where it is counted.

use std::sync::atomic::AtomicU64;

use libp2p::metrics::Registry;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
};

use crate::{rooms_handler::Ended, stun};

type Count = Counter<u64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

/// The relay's own numbers, next to those of libp2p.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    rooms: Gauge,
    members: Gauge,
    room_streams: Gauge,
    room_requests_refused: Count,
    room_streams_ended: Family<Kind, Count>,
    pub(crate) connections: Gauge,
    pub(crate) connections_refused: Count,
    pub(crate) reservations: Gauge,
    pub(crate) reservations_refused: Count,
    pub(crate) circuits: Gauge,
    pub(crate) circuits_opened: Count,
    circuits_refused: Family<Kind, Count>,
    pub(crate) records: Gauge,
    stun: Family<Kind, Count>,
    http: Family<Kind, Count>,
}

impl Metrics {
    /// Puts the relay's numbers into `registry`.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let to = registry.sub_registry_with_prefix("vivim_relay");
        to.register(
            "build",
            "The running version",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        to.register("rooms", "Rooms with at least one member", metrics.rooms.clone());
        to.register("room_members", "Members of all rooms", metrics.members.clone());
        to.register("room_streams", "Clients of the room directory", metrics.room_streams.clone());
        to.register(
            "room_requests_refused",
            "Joins and leaves that were refused",
            metrics.room_requests_refused.clone(),
        );
        to.register(
            "room_streams_ended",
            "Streams of the room directory that ended, by reason",
            metrics.room_streams_ended.clone(),
        );
        to.register("connections", "Open connections", metrics.connections.clone());
        to.register(
            "connections_refused",
            "Connections that were refused by a limit",
            metrics.connections_refused.clone(),
        );
        to.register(
            "reservations",
            "Peers that can be reached through this relay",
            metrics.reservations.clone(),
        );
        to.register(
            "reservations_refused",
            "Reservations that were refused by a limit",
            metrics.reservations_refused.clone(),
        );
        to.register("circuits", "Relayed connections", metrics.circuits.clone());
        to.register(
            "circuits_opened",
            "Relayed connections opened so far",
            metrics.circuits_opened.clone(),
        );
        to.register(
            "circuits_refused",
            "Relayed connections that were refused, by reason",
            metrics.circuits_refused.clone(),
        );
        to.register("records", "Records of the hash table", metrics.records.clone());
        to.register("stun_requests", "Datagrams at the STUN port", metrics.stun.clone());
        to.register("http_responses", "Responses by class of status", metrics.http.clone());
        metrics
    }

    pub(crate) fn rooms(&self, rooms: usize, members: usize, streams: usize) {
        self.rooms.set(rooms as i64);
        self.members.set(members as i64);
        self.room_streams.set(streams as i64);
    }

    pub(crate) fn room_request_refused(&self) {
        self.room_requests_refused.inc();
    }

    pub(crate) fn room_stream_refused(&self) {
        self.room_streams_ended.get_or_create(&Kind { kind: "refused" }).inc();
    }

    pub(crate) fn room_stream_ended(&self, why: Ended) {
        let kind = match why {
            Ended::Closed => "closed",
            Ended::Malformed => "malformed",
            Ended::Slow => "slow",
        };
        self.room_streams_ended.get_or_create(&Kind { kind }).inc();
    }

    pub(crate) fn circuit_refused(&self, kind: &'static str) {
        self.circuits_refused.get_or_create(&Kind { kind }).inc();
    }

    pub(crate) fn stun(&self, outcome: stun::Outcome) {
        let kind = match outcome {
            stun::Outcome::Answered => "answered",
            stun::Outcome::UnknownAttribute => "unknown_attribute",
            stun::Outcome::Ignored => "ignored",
            stun::Outcome::Limited => "limited",
        };
        self.stun.get_or_create(&Kind { kind }).inc();
    }

    pub(crate) fn http(&self, status: u16) {
        let kind = match status {
            ..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            500.. => "5xx",
        };
        self.http.get_or_create(&Kind { kind }).inc();
    }
}
