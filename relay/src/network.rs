//! The libp2p side: transports, protocols and their limits.

use std::{
    io,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use either::Either;
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, Transport,
    core::{muxing::StreamMuxerBox, transport::Boxed, upgrade::Version},
    identify,
    identity::Keypair,
    kad::{
        self,
        store::{MemoryStore, MemoryStoreConfig},
    },
    metrics::{BandwidthTransport, Registry},
    noise, ping, relay,
    swarm::{self, NetworkBehaviour},
    tcp, websocket, yamux,
};

use crate::{
    StartError,
    config::Limits,
    ip_limits,
    metrics::Metrics,
    rate::{Buckets, Rate, limited_prefix},
    reservations::Reservations,
    rooms_behaviour,
};

/// What identify calls the protocols of this version.
pub const PROTOCOL_VERSION: &str = "vivim/1";

/// The distributed hash table of VIVIM, apart from that of IPFS.
pub const KAD_PROTOCOL: StreamProtocol = StreamProtocol::new("/vivim/kad/1.0.0");

/// Bytes of one record of the hash table: what fits a Kademlia message of 16 KiB with its key.
pub const MAX_RECORD: usize = 15 * 1024;

/// How long a record is kept that nobody publishes again.
pub const RECORD_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a connection may stay on which nothing is open: no reservation, room stream or circuit.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// A connection is asked for a sign of life in this interval, and closed when two pings in a row
/// fail. A laptop that was closed leaves its rooms after [`PING_INTERVAL`] and two
/// [`PING_TIMEOUT`]s at most, plus one more interval.
pub const PING_INTERVAL: Duration = Duration::from_secs(15);

/// How long a ping may take.
pub const PING_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a new connection may take for TLS, WebSocket, Noise and Yamux.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);

/// Streams on one connection. Each circuit of a peer is one.
const MAX_STREAMS: usize = 256;

/// Inbound streams of one connection whose protocol isn't agreed on yet.
const MAX_NEGOTIATING: usize = 32;

/// Bytes of one WebSocket message. Peers send a Noise frame (64 KiB) or a few in one.
const MAX_WEBSOCKET_MESSAGE: usize = 1024 * 1024;

/// Reservations of one peer: what a client needs that comes back every few seconds.
const RESERVATIONS_PER_PEER: Rate = Rate { burst: 64, interval: Duration::from_secs(4) };

/// Reservations per address: an office, or everybody after a restart.
const RESERVATIONS_PER_IP: Rate = Rate { burst: 1024, interval: Duration::from_millis(100) };

/// Circuits one peer opens: to everybody in some rooms, and again when the network changes.
const CIRCUITS_PER_PEER: Rate = Rate { burst: 256, interval: Duration::from_secs(1) };

/// Circuits per address.
const CIRCUITS_PER_IP: Rate = Rate { burst: 4096, interval: Duration::from_millis(20) };

/// Reservations one peer may hold, one per connection. A client needs one.
const RESERVATIONS_OF_PEER: usize = 4;

/// The protocols of a relay. It has no others: it neither subscribes to topics nor reads documents.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    // The limits come first: a connection they refuse must not reach the others.
    pub(crate) limits: libp2p::connection_limits::Behaviour,
    pub(crate) ip_limits: ip_limits::Behaviour,
    pub(crate) relay: relay::Behaviour,
    pub(crate) rooms: rooms_behaviour::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) kad: kad::Behaviour<MemoryStore>,
}

/// Makes the swarm; it doesn't listen yet.
pub(crate) fn swarm(
    key: &Keypair,
    limits: &Limits,
    reservations: Reservations,
    tls: Option<websocket::tls::Config>,
    registry: &mut Registry,
    metrics: Arc<Metrics>,
) -> Result<Swarm<Behaviour>, StartError> {
    let transport = BandwidthTransport::new(transport(key, tls)?, registry)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed();
    let config = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(IDLE_TIMEOUT)
        .with_max_negotiating_inbound_streams(MAX_NEGOTIATING);
    Ok(Swarm::new(
        transport,
        behaviour(key, limits, reservations, metrics),
        key.public().to_peer_id(),
        config,
    ))
}

/// The system's error as the cause of another: the layers above wrap errors in `Either`, which
/// names the cause of what it holds but not what it holds.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
struct SocketError {
    source: io::Error,
}

fn transport(
    key: &Keypair,
    tls: Option<websocket::tls::Config>,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, StartError> {
    let tcp = || tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let mut websocket = websocket::Config::new(tcp());
    websocket.set_max_data_size(MAX_WEBSOCKET_MESSAGE);
    if let Some(tls) = tls {
        websocket.set_tls_config(tls);
    }
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(MAX_STREAMS);
    // WebSocket first: TCP would take a WebSocket address too and ignore its end.
    Ok(websocket
        .or_transport(tcp())
        .map_err(|error| match error {
            Either::Left(error) => SocketError { source: io::Error::other(error) },
            Either::Right(source) => SocketError { source },
        })
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(key)?)
        .multiplex(yamux)
        .timeout(HANDSHAKE_TIMEOUT)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed())
}

fn behaviour(
    key: &Keypair,
    limits: &Limits,
    reservations: Reservations,
    metrics: Arc<Metrics>,
) -> Behaviour {
    let peer = key.public().to_peer_id();
    let connection_limits = libp2p::connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits.pending_connections))
        .with_max_established_incoming(Some(limits.connections))
        .with_max_established_per_peer(Some(limits.connections_per_peer))
        // A relay dials nobody. So no peer can make it knock at addresses of its own network.
        .with_max_pending_outgoing(Some(0))
        .with_max_established_outgoing(Some(0));
    let identify = identify::Config::new(PROTOCOL_VERSION.into(), key.public())
        .with_agent_version(concat!("vivim-relay/", env!("CARGO_PKG_VERSION")).into())
        .with_hide_listen_addrs(true);
    Behaviour {
        limits: libp2p::connection_limits::Behaviour::new(connection_limits),
        ip_limits: ip_limits::Behaviour::new(limits.connections_per_ip),
        relay: relay::Behaviour::new(peer, relay_config(limits, reservations)),
        rooms: rooms_behaviour::Behaviour::new(limits.for_clients(), metrics),
        ping: ping::Behaviour::new(
            ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_TIMEOUT),
        ),
        identify: identify::Behaviour::new(identify),
        kad: kademlia(peer, limits),
    }
}

fn relay_config(limits: &Limits, reservations: Reservations) -> relay::Config {
    let limiters = |per_peer, per_ip| vec![limit_peers(per_peer), limit_ips(per_ip)];
    let mut reservation_rate_limiters = limiters(RESERVATIONS_PER_PEER, RESERVATIONS_PER_IP);
    // Last, as it takes the place at once.
    reservation_rate_limiters
        .push(Box::new(move |peer: PeerId, _: &Multiaddr, _: Instant| reservations.admit(peer)));
    relay::Config {
        // See `Reservations`.
        max_reservations: usize::MAX,
        // libp2p-relay 0.22 allows one more than it is told, here and for circuits.
        max_reservations_per_peer: RESERVATIONS_OF_PEER - 1,
        reservation_duration: limits.reservation_duration(),
        reservation_rate_limiters,
        max_circuits: limits.circuits as usize,
        max_circuits_per_peer: limits.circuits_per_peer.saturating_sub(1) as usize,
        max_circuit_duration: limits.circuit_duration(),
        max_circuit_bytes: limits.circuit_bytes,
        circuit_src_rate_limiters: limiters(CIRCUITS_PER_PEER, CIRCUITS_PER_IP),
    }
}

fn limit_peers(rate: Rate) -> Box<dyn relay::RateLimiter> {
    let mut buckets = Buckets::new(rate);
    Box::new(move |peer: PeerId, _: &Multiaddr, now| buckets.take(peer, now))
}

fn limit_ips(rate: Rate) -> Box<dyn relay::RateLimiter> {
    let mut buckets = Buckets::new(rate);
    Box::new(move |_: PeerId, addr: &Multiaddr, now| match limited_prefix(addr) {
        Some(ip) => buckets.take(ip, now),
        None => true,
    })
}

fn kademlia(peer: PeerId, limits: &Limits) -> kad::Behaviour<MemoryStore> {
    let records = limits.records as usize;
    let store = MemoryStore::with_config(
        peer,
        MemoryStoreConfig {
            max_records: records,
            max_value_bytes: MAX_RECORD,
            max_providers_per_key: 20,
            max_provided_keys: records,
        },
    );
    let mut config = kad::Config::new(KAD_PROTOCOL);
    config
        .set_record_ttl(Some(RECORD_TTL))
        .set_provider_record_ttl(Some(RECORD_TTL))
        // Whoever publishes a record keeps it alive; the relay only keeps what it was given.
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_provider_publication_interval(None)
        .set_periodic_bootstrap_interval(None)
        .set_caching(kad::Caching::Disabled)
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_replication_factor(NonZeroUsize::MIN)
        .set_query_timeout(Duration::from_secs(10));
    let mut kad = kad::Behaviour::with_config(peer, store, config);
    kad.set_mode(Some(kad::Mode::Server));
    kad
}
