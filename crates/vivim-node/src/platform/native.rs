//! Native: tokio, TCP and WebSocket. A native `/webrtc` comes later.

use std::future::Future;

use libp2p::{
    Multiaddr, PeerId, Transport, core::muxing::StreamMuxerBox,
    core::transport::timeout::TransportTimeout, core::upgrade::Version, dns, identity::Keypair,
    multiaddr::Protocol, noise, relay, swarm, tcp, websocket, yamux,
};

use super::{Transports, UpgradeNotice};
use crate::{config::Config, error::StartError, limits, meter::Registry};

/// Native nodes have no direct upgrade yet.
pub(crate) type DirectUpgrade = swarm::dummy::Behaviour;

/// Whether any transport takes an address: the resolver would hide that behind its own error.
pub(crate) fn can_dial(address: &Multiaddr) -> bool {
    address.iter().any(|part| matches!(part, Protocol::Tcp(_) | Protocol::P2pCircuit))
        && !address.iter().any(|part| matches!(part, Protocol::WebRTC))
}

/// A native `/webrtc` comes later; nobody needs to be warned of that.
pub(crate) fn webrtc_available() -> bool {
    true
}

/// Nothing to hurry.
pub(crate) fn upgrade_now(_: &mut DirectUpgrade, _: PeerId) {}

pub(crate) fn upgrade_notice(event: std::convert::Infallible) -> UpgradeNotice {
    match event {}
}

pub(crate) fn transports(
    keypair: &Keypair,
    _: &Config,
    meters: &Registry,
) -> Result<Transports, StartError> {
    let noise = || noise::Config::new(keypair).map_err(|_| StartError::Protocol("Noise"));
    let (relay_transport, relay) = relay::client::new(keypair.public().to_peer_id());
    let tcp = || tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let system_dns = |inner| {
        dns::tokio::Transport::system(inner).map_err(|_| StartError::Protocol("the DNS resolver"))
    };
    // Relay first: the others would dial the relay itself for a circuit address.
    let streams = relay_transport
        .upgrade(Version::V1Lazy)
        .authenticate(noise()?)
        .multiplex(yamux::Config::default())
        .or_transport(
            websocket::Config::new(system_dns(tcp())?)
                .upgrade(Version::V1Lazy)
                .authenticate(noise()?)
                .multiplex(yamux::Config::default()),
        )
        .or_transport(
            system_dns(tcp())?
                .upgrade(Version::V1Lazy)
                .authenticate(noise()?)
                .multiplex(yamux::Config::default()),
        );
    let meters = meters.clone();
    let transport = streams.map(move |either, endpoint| {
        use futures::future::Either;
        let (peer, muxer) = match either {
            Either::Left(Either::Left((peer, muxer))) => (peer, StreamMuxerBox::new(muxer)),
            Either::Left(Either::Right((peer, muxer))) => (peer, StreamMuxerBox::new(muxer)),
            Either::Right((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
        };
        (peer, StreamMuxerBox::new(meters.meter(peer, endpoint, muxer)))
    });
    let transport = TransportTimeout::new(transport, limits::DIAL_TIMEOUT).boxed();
    Ok(Transports { transport, relay, upgrade: swarm::dummy::Behaviour })
}

pub(crate) fn swarm_config() -> swarm::Config {
    swarm::Config::with_tokio_executor()
}

pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    // The task ends by itself when its stream or its channel to the actor ends.
    drop(tokio::spawn(task));
}
