//! A running relay.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, TransportError,
    core::transport::ListenerId,
    kad::{self, store::RecordStore},
    metrics::{self as libp2p_metrics, Recorder, Registry},
    multiaddr::Protocol,
    ping, relay,
    swarm::{ListenError, SwarmEvent},
};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::{
    Config, Port, StartError, http,
    http::{Alive, Shared},
    identity,
    metrics::Metrics,
    network::{self, Behaviour, BehaviourEvent},
    pages::Pages,
    ready::{self, Facts, Ready, ReadyLimits},
    stun, tls,
};

/// How long the listeners may take to report their addresses.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(10);

/// Addresses a relay tells others of itself when none are announced.
const MAX_DERIVED: usize = 8;

/// Records of the hash table one peer may have here.
const RECORDS_PER_PEER: usize = 256;

/// How often expired records are dropped and the gauges are set.
const TICK: Duration = Duration::from_secs(5);

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
        let mut swarm =
            network::swarm(&key, &config.limits, tls, &mut registry, Arc::clone(&metrics))?;

        let http = listen_http(&config).await?;
        let stun = listen_stun(&config).await?;
        let addrs = listen_libp2p(&mut swarm, &config, has_tls).await?;

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
            reserved: HashSet::new(),
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

/// What can be wrong with listening, in the words of [`StartError`].
fn listen_error(
    what: &'static str,
    flag: &'static str,
    host: IpAddr,
    port: u16,
    source: std::io::Error,
) -> StartError {
    match source.kind() {
        std::io::ErrorKind::AddrInUse => StartError::PortInUse { what, host, port, flag },
        _ => StartError::Listen { what, host, port, source },
    }
}

/// Whether a machine may do without this address: IPv6, where nobody asked for it.
fn optional(config: &Config, host: IpAddr, error: &StartError) -> bool {
    let excused = config.hosts_are_default
        && host.is_ipv6()
        && matches!(error, StartError::Listen { .. } | StartError::Transport { .. });
    if excused {
        tracing::info!(%error, "no IPv6 here, going on without");
    }
    excused
}

/// Opens a socket on every host; one that is optional may be missing.
fn bind_all<T>(
    config: &Config,
    port: Port,
    mut bind: impl FnMut(SocketAddr) -> Result<T, StartError>,
) -> Result<Vec<T>, StartError> {
    let Port::At(port) = port else { return Ok(Vec::new()) };
    let mut bound = Vec::new();
    for host in &config.hosts {
        match bind(SocketAddr::new(*host, port)) {
            Ok(socket) => bound.push(socket),
            Err(error) if optional(config, *host, &error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bound)
}

fn socket(addr: SocketAddr, kind: socket2::Type) -> std::io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(addr), kind, None)?;
    if addr.is_ipv6() {
        // So that [::] doesn't collide with 0.0.0.0.
        socket.set_only_v6(true)?;
    }
    if kind == socket2::Type::STREAM {
        // A restart must not wait for the connections of the relay before to fade.
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    if kind == socket2::Type::STREAM {
        socket.listen(1024)?;
    }
    Ok(socket)
}

async fn listen_http(config: &Config) -> Result<Vec<TcpListener>, StartError> {
    bind_all(config, config.http_port, |addr| {
        socket(addr, socket2::Type::STREAM)
            .and_then(|socket| TcpListener::from_std(socket.into()))
            .map_err(|e| listen_error("HTTP", "--http-port", addr.ip(), addr.port(), e))
    })
}

async fn listen_stun(config: &Config) -> Result<Vec<UdpSocket>, StartError> {
    bind_all(config, config.stun_port, |addr| {
        socket(addr, socket2::Type::DGRAM)
            .and_then(|socket| UdpSocket::from_std(socket.into()))
            .map_err(|e| listen_error("STUN", "--stun-port", addr.ip(), addr.port(), e))
    })
}

/// Listens for WebSocket and TCP, and waits until every listener has an address.
async fn listen_libp2p(
    swarm: &mut Swarm<Behaviour>,
    config: &Config,
    tls: bool,
) -> Result<HashSet<Multiaddr>, StartError> {
    let mut waiting: HashSet<ListenerId> = HashSet::new();
    for (what, flag, port) in
        [("WebSocket", "--ws-port", config.ws_port), ("TCP", "--tcp-port", config.tcp_port)]
    {
        waiting.extend(bind_all(config, port, |addr| {
            let host = Multiaddr::from(addr.ip());
            let multiaddr = match what {
                "WebSocket" => ready::websocket(host, addr.port(), tls),
                _ => host.with(Protocol::Tcp(addr.port())),
            };
            swarm.listen_on(multiaddr).map_err(|error| match error {
                TransportError::Other(source) => {
                    listen_error(what, flag, addr.ip(), addr.port(), innermost(source))
                }
                source => StartError::Transport { what, source },
            })
        })?);
    }

    let mut addrs = HashSet::new();
    let reported = tokio::time::timeout(ADDRESS_TIMEOUT, async {
        while !waiting.is_empty() {
            if let SwarmEvent::NewListenAddr { listener_id, address } =
                swarm.select_next_some().await
            {
                waiting.remove(&listener_id);
                addrs.insert(address);
            }
        }
    });
    // With an address for each host that has one, the relay is of use: a machine whose only IPv6
    // address is link-local still has that.
    match reported.await {
        Err(_) if addrs.is_empty() => Err(StartError::NoAddress(ADDRESS_TIMEOUT.as_secs())),
        _ => Ok(addrs),
    }
}

/// The system's own error, which the transports wrap several times.
fn innermost(error: std::io::Error) -> std::io::Error {
    let mut cause: &(dyn std::error::Error + 'static) = &error;
    let mut system = None;
    loop {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            system = io.raw_os_error().or(system);
            // An I/O error's source is that of the error inside it, which may be the one wanted.
            if let Some(inner) = io.get_ref() {
                cause = inner;
                continue;
            }
        }
        match cause.source() {
            Some(source) => cause = source,
            None => break,
        }
    }
    system.map(std::io::Error::from_raw_os_error).unwrap_or(error)
}

/// Drives the swarm.
struct Driver {
    swarm: Swarm<Behaviour>,
    announce: Vec<Multiaddr>,
    listening: HashSet<Multiaddr>,
    shared: Arc<Shared>,
    metrics: Arc<Metrics>,
    libp2p_metrics: libp2p_metrics::Metrics,
    /// Peers with a reservation.
    reserved: HashSet<PeerId>,
    /// Circuits between two peers. libp2p reports some ends twice, so it is a good guess only.
    circuits: HashMap<(PeerId, PeerId), u32>,
    /// How many records of the hash table each peer has here.
    records: HashMap<PeerId, usize>,
}

impl Driver {
    async fn run(&mut self, mut stop: watch::Receiver<bool>) {
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
    fn update_addresses(&mut self) {
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
                if self.reserved.insert(src_peer_id) {
                    self.metrics.reservations.inc();
                }
            }
            relay::Event::ReservationReqDenied { src_peer_id, status } => {
                tracing::info!(peer = %src_peer_id, ?status, "reservation refused");
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
        if self.reserved.remove(&peer) {
            self.metrics.reservations.dec();
        }
    }

    fn handle_kad(&mut self, request: kad::InboundRequest) {
        match request {
            kad::InboundRequest::PutRecord { source, record: Some(mut record), .. } => {
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
            kad::InboundRequest::AddProvider { record: Some(record) } => {
                let store = self.swarm.behaviour_mut().kad.store_mut();
                if let Err(error) = store.add_provider(record) {
                    tracing::debug!(%error, "a provider isn't kept");
                }
            }
            _ => {}
        }
    }
}
