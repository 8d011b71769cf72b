//! A running relay.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
};

use libp2p::{
    Multiaddr, PeerId,
    metrics::{self as libp2p_metrics, Registry},
    multiaddr::Protocol,
};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::{
    Config, StartError,
    driver::Driver,
    http,
    http::{Alive, Shared},
    identity, listen,
    metrics::Metrics,
    network,
    pages::Pages,
    ready::{Facts, Ready, ReadyLimits},
    reservations::Reservations,
    stun, tls,
};

/// A running relay. It stops when it is dropped; [`stop`](Self::stop) waits until it has.
#[derive(Debug)]
pub struct Relay {
    peer_id: PeerId,
    ready: Ready,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Opens all ports and starts serving. When this returns, clients can connect.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let config = config.checked()?;
        let key = identity::load_or_create(&config.data_dir)?;
        let peer_id = key.public().to_peer_id();
        let tls = match (&config.tls_certificate, &config.tls_key) {
            (Some(certificate), Some(key)) => Some(tls::load(certificate, key)?),
            _ => None,
        };
        let pages = Pages::new(config.page.as_deref()).map_err(|source| StartError::Page {
            path: config.page.clone().unwrap_or_default(),
            source,
        })?;

        let mut registry = Registry::default();
        let metrics = Arc::new(Metrics::register(&mut registry));
        let libp2p_metrics = libp2p_metrics::Metrics::new(&mut registry);
        let has_tls = tls.is_some();
        let reservations = Reservations::new(config.limits.reservations as usize);
        let mut swarm = network::swarm(
            &key,
            &config.limits,
            reservations.clone(),
            tls,
            &mut registry,
            Arc::clone(&metrics),
        )?;

        let http = listen::http(&config).await?;
        let stun = listen::stun(&config).await?;
        let addrs = listen::libp2p(&mut swarm, &config, has_tls).await?;

        let facts = Facts {
            peer: peer_id,
            addrs: Vec::new(),
            announced: !config.announce.is_empty(),
            tls: has_tls,
            ws_port: addrs.iter().find_map(websocket_port),
            http: http.first().and_then(local).map(|addr| (addr.ip(), addr.port())),
            stun_port: stun.first().and_then(|s| s.local_addr().ok()).map(|addr| addr.port()),
            limits: ReadyLimits::from(&config.limits),
        };
        let shared = Arc::new(Shared {
            facts: RwLock::new(facts),
            pages,
            registry,
            metrics: Arc::clone(&metrics),
            metrics_access: config.metrics,
            alive: Alive::new(),
        });

        let (stop, stopped) = watch::channel(false);
        let mut servers = JoinSet::new();
        for listener in http {
            servers.spawn(http::serve(listener, Arc::clone(&shared), stopped.clone()));
        }
        for socket in stun {
            let (metrics, mut stopped) = (Arc::clone(&metrics), stopped.clone());
            servers.spawn(async move {
                tokio::select! {
                    () = stun::serve(socket, metrics) => {}
                    _ = stopped.wait_for(|stop| *stop) => {}
                }
            });
        }
        let mut driver = Driver {
            swarm,
            announce: config.announce.clone(),
            listening: addrs,
            shared: Arc::clone(&shared),
            metrics,
            libp2p_metrics,
            reservations,
            circuits: HashMap::new(),
            records: HashMap::new(),
        };
        driver.update_addresses();
        let ready = shared.facts.read().unwrap_or_else(PoisonError::into_inner).ready(None);
        let task = tokio::spawn(async move {
            driver.run(stopped).await;
            while servers.join_next().await.is_some() {}
        });
        Ok(Self { peer_id, ready, stop, task })
    }

    /// The peer id, which stays the same as long as the key file does.
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Addresses and limits, as they were at the start.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Closes all ports and connections, and returns when they are closed.
    pub async fn stop(self) {
        // If nobody listens, the tasks have ended already.
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

fn local(listener: &TcpListener) -> Option<SocketAddr> {
    listener.local_addr().ok()
}

fn websocket_port(addr: &Multiaddr) -> Option<u16> {
    let port = addr.iter().find_map(|part| match part {
        Protocol::Tcp(port) => Some(port),
        _ => None,
    })?;
    addr.iter().any(|part| matches!(part, Protocol::Ws(_) | Protocol::Wss(_))).then_some(port)
}
