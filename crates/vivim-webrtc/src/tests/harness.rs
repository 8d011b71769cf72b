//! A relay and clients in one process, over memory transports. The same scenarios run natively
//! over the mock backend and in a browser over the real one.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    task::Poll,
    time::Duration,
};

use futures::{
    StreamExt,
    future::{self, Either, poll_fn},
};
use futures_timer::Delay;
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport,
    core::{muxing::StreamMuxerBox, transport::MemoryTransport, upgrade::Version},
    identify, identity,
    multiaddr::Protocol,
    noise, ping, relay,
    swarm::{Config as SwarmConfig, NetworkBehaviour, SwarmEvent},
    yamux,
};
use vivim_webrtc::{Behaviour, Config, Event, backend::Backend, is_direct, with_backend};

/// A relay's behaviour.
#[derive(NetworkBehaviour)]
pub(crate) struct RelayBehaviour {
    identify: identify::Behaviour,
    relay: relay::Behaviour,
}

/// A client's behaviour.
#[derive(NetworkBehaviour)]
pub(crate) struct ClientBehaviour {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    relay: relay::client::Behaviour,
    pub(crate) webrtc: Behaviour,
}

/// Something a client's swarm said.
pub(crate) type Said = SwarmEvent<ClientBehaviourEvent>;

/// A client.
pub(crate) struct Client {
    pub(crate) swarm: Swarm<ClientBehaviour>,
    pub(crate) id: PeerId,
    /// What it said so far.
    pub(crate) said: Vec<Said>,
}

/// A relay and clients.
pub(crate) struct Net {
    relay: Swarm<RelayBehaviour>,
    relay_addr: Multiaddr,
    pub(crate) clients: Vec<Client>,
}

fn identify_config(key: &identity::Keypair) -> identify::Config {
    identify::Config::new("/test/1.0.0".into(), key.public()).with_hide_listen_addrs(true)
}

fn swarm_config() -> SwarmConfig {
    SwarmConfig::without_executor().with_idle_connection_timeout(Duration::from_secs(60))
}

impl Net {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(7_000_000);
        let key = identity::Keypair::generate_ed25519();
        let id = key.public().to_peer_id();
        let transport = MemoryTransport::default()
            .upgrade(Version::V1)
            .authenticate(noise::Config::new(&key).unwrap())
            .multiplex(yamux::Config::default())
            .boxed();
        let behaviour = RelayBehaviour {
            identify: identify::Behaviour::new(identify_config(&key)),
            relay: relay::Behaviour::new(id, relay::Config::default()),
        };
        let mut relay = Swarm::new(transport, behaviour, id, swarm_config());
        let addr = Multiaddr::from(Protocol::Memory(NEXT.fetch_add(1, Ordering::Relaxed)));
        relay.listen_on(addr.clone()).unwrap();
        relay.add_external_address(addr.clone());
        let relay_addr = addr.with(Protocol::P2p(id)).with(Protocol::P2pCircuit);
        Self { relay, relay_addr, clients: Vec::new() }
    }

    /// Adds a client; gives its number.
    pub(crate) fn add<B: Backend>(&mut self, backend: B, config: Config) -> usize {
        let key = identity::Keypair::generate_ed25519();
        let id = key.public().to_peer_id();
        let (relay_transport, relay) = relay::client::new(id);
        let (transport, webrtc) = with_backend(id, config, backend);
        let upgraded = relay_transport
            .or_transport(MemoryTransport::default())
            .upgrade(Version::V1)
            .authenticate(noise::Config::new(&key).unwrap())
            .multiplex(yamux::Config::default());
        let transport = transport
            .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
            .or_transport(upgraded)
            .map(|either, _| match either {
                Either::Left((peer, muxer)) => (peer, muxer),
                Either::Right((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
            })
            .boxed();
        let behaviour = ClientBehaviour {
            identify: identify::Behaviour::new(identify_config(&key)),
            ping: ping::Behaviour::default(),
            relay,
            webrtc,
        };
        let swarm = Swarm::new(transport, behaviour, id, swarm_config());
        self.clients.push(Client { swarm, id, said: Vec::new() });
        self.clients.len() - 1
    }

    /// A client with a reservation, which others can dial.
    pub(crate) async fn add_reachable<B: Backend>(&mut self, backend: B, config: Config) -> usize {
        let index = self.add(backend, config);
        let addr = self.relay_addr.clone();
        self.clients[index].swarm.listen_on(addr).unwrap();
        self.until(|net| net.clients[index].swarm.external_addresses().next().is_some()).await;
        index
    }

    /// The address of a client over the relay, and over WebRTC by way of the relay.
    pub(crate) fn addrs(&self, client: usize) -> (Multiaddr, Multiaddr) {
        let peer = Protocol::P2p(self.clients[client].id);
        let relayed = self.relay_addr.clone().with(peer.clone());
        (relayed, self.relay_addr.clone().with(Protocol::WebRTC).with(peer))
    }

    /// Runs everything until something is true.
    pub(crate) async fn until(&mut self, condition: impl FnMut(&mut Self) -> bool) {
        if !self.within(Duration::from_secs(20), condition).await {
            let counts: Vec<usize> = self.clients.iter().map(|client| client.said.len()).collect();
            panic!("it did not happen in time; the clients said {counts:?} things");
        }
    }

    /// Runs everything until something is true or the time is over; which.
    pub(crate) async fn within(
        &mut self,
        time: Duration,
        mut condition: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let run = poll_fn(|cx| {
            loop {
                let mut moved = self.relay.poll_next_unpin(cx).is_ready();
                for client in &mut self.clients {
                    while let Poll::Ready(Some(event)) = client.swarm.poll_next_unpin(cx) {
                        client.said.push(event);
                        moved = true;
                    }
                }
                if condition(self) {
                    return Poll::Ready(());
                }
                if !moved {
                    return Poll::Pending;
                }
            }
        });
        matches!(future::select(run, Delay::new(time)).await, Either::Left(_))
    }

    /// Runs everything for a while.
    pub(crate) async fn run(&mut self, time: Duration) {
        self.within(time, |_| false).await;
    }

    /// The number of direct and relayed connections that one client has to another.
    pub(crate) fn connections(&self, from: usize, to: usize) -> (usize, usize) {
        let (mut direct, mut relayed) = (0, 0);
        for event in &self.clients[from].said {
            let (peer_id, endpoint, change) = match event {
                SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } => {
                    (peer_id, endpoint, 1)
                }
                SwarmEvent::ConnectionClosed { peer_id, endpoint, .. } => (peer_id, endpoint, -1),
                _ => continue,
            };
            let address = match endpoint {
                libp2p::core::ConnectedPoint::Dialer { address, .. } => address,
                libp2p::core::ConnectedPoint::Listener { local_addr, .. } => local_addr,
            };
            let count = if is_direct(address) { &mut direct } else { &mut relayed };
            if *peer_id == self.clients[to].id {
                *count = usize::wrapping_add_signed(*count, change);
            }
        }
        (direct, relayed)
    }

    /// What a client's WebRTC behaviour said.
    pub(crate) fn events(&self, client: usize) -> impl Iterator<Item = &Event> {
        self.clients[client].said.iter().filter_map(|event| match event {
            SwarmEvent::Behaviour(ClientBehaviourEvent::Webrtc(event)) => Some(event),
            _ => None,
        })
    }

    /// Whether a direct connection of a client has proved itself.
    pub(crate) fn is_proven(&self, client: usize) -> bool {
        self.events(client).any(|event| matches!(event, Event::DirectProven { .. }))
    }

    /// The errors of a client's dials, in words.
    pub(crate) fn dial_errors(&self, client: usize) -> Vec<String> {
        let errors = self.clients[client].said.iter().filter_map(|event| match event {
            SwarmEvent::OutgoingConnectionError { error, .. } => Some(format!("{error:?}")),
            _ => None,
        });
        errors.collect()
    }
}
