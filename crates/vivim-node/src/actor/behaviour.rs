//! The libp2p behaviours of a node, composed.

use std::time::Duration;

use libp2p::{
    StreamProtocol, connection_limits, gossipsub, identify,
    identity::Keypair,
    kad, ping, relay,
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
};

use crate::{
    config::{Config, NodeType},
    error::StartError,
    limits,
    platform::DirectUpgrade,
    streams,
};

/// The DHT's protocol. Not IPFS's: the records have other rules.
pub(crate) const KAD_PROTOCOL: StreamProtocol = StreamProtocol::new("/vivim/kad/1.0.0");
/// What identify says this network is.
const IDENTIFY_PROTOCOL: &str = "vivim/1";
/// Connections per peer: relayed, direct, and one more of each while two dials cross.
const CONNECTIONS_PER_PEER: u32 = 4;

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) relay: relay::client::Behaviour,
    pub(crate) upgrade: DirectUpgrade,
    /// Before `ping`: inbound pings are ours, because that one answers a single stream per
    /// connection, and a second one from a measured ping would end it.
    pub(crate) streams: streams::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) kad: Toggle<kad::Behaviour<kad::store::MemoryStore>>,
    pub(crate) gossipsub: Toggle<gossipsub::Behaviour>,
}

impl Behaviour {
    pub(crate) fn new(
        keypair: &Keypair,
        config: &Config,
        relay: relay::client::Behaviour,
        upgrade: DirectUpgrade,
        accepted: Vec<StreamProtocol>,
    ) -> Result<Self, StartError> {
        let peer = keypair.public().to_peer_id();
        let max = u32::try_from(config.max_connections).unwrap_or(u32::MAX);
        let kad = config.dht.then(|| {
            let mut dht = kad::Config::new(KAD_PROTOCOL);
            dht.set_query_timeout(limits::QUERY_TIMEOUT)
                .set_max_packet_size(limits::MAX_DHT_VALUE + 4 * 1024)
                .set_periodic_bootstrap_interval(None);
            let mut kad =
                kad::Behaviour::with_config(peer, kad::store::MemoryStore::new(peer), dht);
            // Without this a browser would become a server as soon as it has a relay address.
            kad.set_mode(Some(match config.node_type {
                NodeType::Client => kad::Mode::Client,
                NodeType::SelfHosted => kad::Mode::Server,
            }));
            kad
        });
        let gossipsub = if config.gossipsub { Some(gossip(keypair)?) } else { None };
        Ok(Self {
            limits: connection_limits::Behaviour::new(
                connection_limits::ConnectionLimits::default()
                    .with_max_established(Some(max))
                    .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER))
                    .with_max_pending_incoming(Some(max))
                    .with_max_pending_outgoing(Some(max)),
            ),
            relay,
            upgrade,
            streams: streams::Behaviour::new(accepted),
            identify: identify::Behaviour::new(
                identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), keypair.public())
                    .with_agent_version(concat!("vivim/", env!("CARGO_PKG_VERSION")).to_owned())
                    .with_hide_listen_addrs(true)
                    .with_push_listen_addr_updates(true),
            ),
            ping: ping::Behaviour::new(
                ping::Config::new()
                    .with_interval(limits::PING_INTERVAL)
                    .with_timeout(limits::PING_TIMEOUT),
            ),
            kad: kad.into(),
            gossipsub: gossipsub.into(),
        })
    }
}

fn gossip(keypair: &Keypair) -> Result<gossipsub::Behaviour, StartError> {
    let failed = |_| StartError::Protocol("gossipsub");
    let config = gossipsub::ConfigBuilder::default()
        // The seeds' D, Dlo and Dout; Dhi is 8, so that one keystroke leaves its author at most
        // 8 times.
        .mesh_n(6)
        .mesh_n_low(4)
        .mesh_n_high(8)
        .mesh_outbound_min(2)
        .flood_publish(false)
        // What was just published is offered to so many peers outside of the mesh at each heartbeat.
        // Who hasn't got it yet by its own mesh takes it a second time: with the default of 6, a
        // keystroke left its author 11 times in every tenth round. What gets lost is offered thrice,
        // and summaries bring the rest.
        .gossip_lazy(2)
        .gossip_factor(0.0)
        .heartbeat_interval(Duration::from_secs(1))
        .heartbeat_initial_delay(Duration::from_millis(200))
        .max_transmit_size(limits::MAX_GOSSIP_MESSAGE + 4 * 1024)
        .validation_mode(gossipsub::ValidationMode::Strict)
        .validate_messages()
        .build()
        .map_err(|_| StartError::Protocol("gossipsub"))?;
    let mut gossipsub =
        gossipsub::Behaviour::new(gossipsub::MessageAuthenticity::Signed(keypair.clone()), config)
            .map_err(failed)?;
    let score = gossipsub::PeerScoreParams {
        // All peers behind one relay have the relay's address.
        ip_colocation_factor_weight: 0.0,
        ..gossipsub::PeerScoreParams::default()
    };
    gossipsub
        .with_peer_score(score, gossipsub::PeerScoreThresholds::default())
        .map_err(|_| StartError::Protocol("gossipsub"))?;
    Ok(gossipsub)
}
