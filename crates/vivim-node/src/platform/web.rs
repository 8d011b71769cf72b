//! The browser: `/webrtc`, then relay, then WebSocket.

use std::future::Future;

use libp2p::{
    Multiaddr, PeerId, Transport, core::muxing::StreamMuxerBox,
    core::transport::timeout::TransportTimeout, core::upgrade::Version, identity::Keypair,
    multiaddr::Protocol, noise, relay, swarm, swarm::behaviour::toggle::Toggle, yamux,
};

use super::{Transports, UpgradeNotice, websocket};
use crate::{
    config::{Config, IceServer},
    error::StartError,
    limits,
    meter::Registry,
};

/// Upgrades relayed connections to WebRTC.
pub(crate) type DirectUpgrade = Toggle<vivim_webrtc::Behaviour>;

pub(crate) fn transports(
    keypair: &Keypair,
    config: &Config,
    meters: &Registry,
) -> Result<Transports, StartError> {
    let noise = noise::Config::new(keypair).map_err(|_| StartError::Protocol("Noise"))?;
    let (relay_transport, relay) = relay::client::new(keypair.public().to_peer_id());
    // Relay before WebSocket: the latter would dial the relay itself for a circuit address.
    // WebRTC before relay: the latter would ignore `/webrtc` and make a relayed connection.
    // One stack of upgrades for both: each costs tens of kilobytes of the package.
    let streams = relay_transport
        .or_transport(websocket::Transport)
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux::Config::default())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let meters = meters.clone();
    if !config.webrtc || !webrtc_available() {
        let transport = streams.map(move |(peer, muxer), endpoint| {
            (peer, StreamMuxerBox::new(meters.meter(peer, endpoint, muxer)))
        });
        let transport = TransportTimeout::new(transport, limits::DIAL_TIMEOUT).boxed();
        return Ok(Transports { transport, relay, upgrade: None.into() });
    }
    let webrtc_config = vivim_webrtc::Config::default()
        .upgrade_delay(limits::UPGRADE_DELAY)
        .ice_servers(config.ice_servers.iter().filter_map(ice_server));
    let (webrtc, upgrade) = vivim_webrtc::new(keypair.public().to_peer_id(), webrtc_config);
    let transport = webrtc
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .or_transport(streams)
        .map(move |either, endpoint| {
            let (peer, muxer) = either.into_inner();
            (peer, StreamMuxerBox::new(meters.meter(peer, endpoint, muxer)))
        });
    let transport = TransportTimeout::new(transport, limits::DIAL_TIMEOUT).boxed();
    Ok(Transports { transport, relay, upgrade: Some(upgrade).into() })
}

fn ice_server(server: &IceServer) -> Option<vivim_webrtc::IceServer> {
    let (first, more) = server.urls.split_first()?;
    let mut to = vivim_webrtc::IceServer::new(first);
    for url in more {
        to = to.url(url);
    }
    if let (Some(username), Some(credential)) = (&server.username, &server.credential) {
        to = to.credentials(username, credential);
    }
    Some(to)
}

/// The relayed connection has done what was urgent.
pub(crate) fn upgrade_now(upgrade: &mut DirectUpgrade, peer: PeerId) {
    if let Some(upgrade) = upgrade.as_mut() {
        upgrade.retry(peer);
    }
}

pub(crate) fn upgrade_notice(event: vivim_webrtc::Event) -> UpgradeNotice {
    match event {
        vivim_webrtc::Event::UpgradeFailed { peer, reason, .. } => {
            UpgradeNotice::Failed { peer, reason }
        }
        // The actor looks at connections and streams itself.
        _ => UpgradeNotice::Other,
    }
}

/// Whether any transport takes an address.
pub(crate) fn can_dial(address: &Multiaddr) -> bool {
    address.iter().any(|part| {
        matches!(part, Protocol::Ws(_) | Protocol::Wss(_) | Protocol::P2pCircuit | Protocol::WebRTC)
    })
}

/// Workers, Node and locked-down browsers have no `RTCPeerConnection`.
pub(crate) fn webrtc_available() -> bool {
    let name = wasm_bindgen::JsValue::from_str("RTCPeerConnection");
    js_sys::Reflect::has(&js_sys::global(), &name).unwrap_or(false)
}

pub(crate) fn swarm_config() -> swarm::Config {
    swarm::Config::with_wasm_executor()
}

pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    wasm_bindgen_futures::spawn_local(task);
}
