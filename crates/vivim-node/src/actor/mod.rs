//! The actor: owns the swarm, every state machine and every stream.
//!
//! One poll function moves everything: it delivers events, takes commands, takes what streams'
//! tasks read, polls the swarm and the timers, and goes round until nothing moves. The files
//! beside this one hold the subjects (relays, rooms, sync links, topics, the DHT); each is an
//! `impl Actor` over its own part of the state, and effects happen nowhere else.

mod backoff;
mod behaviour;
mod commands;
mod connections;
mod dht;
mod dials;
mod directory;
mod drowsy;
mod links;
mod pings;
mod relays;
mod rooms;
mod swarm_events;
mod timers;
mod topics;
mod upgrades;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use futures::{StreamExt, channel::mpsc};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, swarm::ConnectionId};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use web_time::Instant;

use self::{
    behaviour::Behaviour, connections::Connections, dht::Queries, dials::Dials,
    directory::Directories, drowsy::Drowsy, links::Links, relays::Relays, rooms::Rooms,
    timers::Timers, topics::Topics,
};
use crate::{
    command::{Command, Reply},
    config::Config,
    error::{CommandError, StartError},
    event::{Event, NodeInfo, Status, WarningCode},
    handle::{AppStream, Shared},
    io, limits,
    meter::Registry,
    platform::{self, Transports},
    streams::OpenId,
};

/// How many rounds the actor makes before it lets other tasks run.
const ROUNDS: usize = 256;

/// Owns everything; see the crate's documentation.
pub struct Actor {
    config: Config,
    peer_id: PeerId,
    swarm: Drowsy<Swarm<Behaviour>>,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    outbox: VecDeque<Event>,
    io: mpsc::Receiver<io::Event>,
    io_events: mpsc::Sender<io::Event>,
    shared: Arc<Mutex<Shared>>,
    /// Whether the getters' answers are out of date.
    stale: bool,
    stopping: Option<Reply<(), CommandError>>,
    running: bool,
    online: bool,
    status: Status,
    rng: ChaCha8Rng,
    started: Instant,
    meters: Registry,
    connections: Connections,
    known: HashMap<PeerId, Known>,
    dials: Dials,
    opens: HashMap<OpenId, (PeerId, ConnectionId, links::Opening)>,
    handlers: HashMap<StreamProtocol, mpsc::Sender<AppStream>>,
    queries: Queries,
    timers: Timers,
    topics: Topics,
    relays: Relays,
    rooms: Rooms,
    directories: Directories,
    links: Links,
    /// Peers that the application connected to by address: they are offered every document.
    explicit: HashSet<PeerId>,
    failed_upgrades: u64,
    last_upgrade_error: Option<String>,
}

/// What identify and dials told of a peer.
#[derive(Debug, Default)]
struct Known {
    addresses: Vec<Multiaddr>,
    protocols: Vec<String>,
}

impl std::fmt::Debug for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Actor").field("peer_id", &self.peer_id).finish_non_exhaustive()
    }
}

impl Actor {
    pub(crate) fn new(
        config: Config,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<Event>,
    ) -> Result<(Self, Arc<Mutex<Shared>>), StartError> {
        let keypair =
            config.keypair.clone().unwrap_or_else(libp2p::identity::Keypair::generate_ed25519);
        let peer_id = keypair.public().to_peer_id();
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| StartError::Protocol("the random generator"))?;
        let rng = ChaCha8Rng::from_seed(seed);
        let device_id = match config.device_id {
            Some(id) => id,
            None => {
                let mut id = [0; 16];
                getrandom::fill(&mut id)
                    .map_err(|_| StartError::Protocol("the random generator"))?;
                id
            }
        };
        let relays = Relays::new(&config.bootstrap)?;
        let meters = Registry::default();
        let Transports { transport, relay, upgrade } =
            platform::transports(&keypair, &config, &meters)?;
        let accepted = vec![links::SYNC_PROTOCOL, libp2p::ping::PROTOCOL_NAME];
        let behaviour = Behaviour::new(&keypair, &config, relay, upgrade, accepted)?;
        let swarm_config = platform::swarm_config()
            .with_idle_connection_timeout(limits::IDLE_TIMEOUT)
            .with_per_connection_event_buffer_size(32);
        let swarm = Drowsy::new(Swarm::new(transport, behaviour, peer_id, swarm_config));
        let (io_events, io) = mpsc::channel(limits::READER_QUEUE);
        let shared = Arc::new(Mutex::new(Shared {
            info: NodeInfo {
                peer_id,
                device_id,
                multiaddrs: Vec::new(),
                protocols: Vec::new(),
                connections: 0,
                status: Status::Offline,
            },
            connections: Vec::new(),
            rooms: HashMap::new(),
        }));
        let actor = Self {
            config,
            peer_id,
            swarm,
            commands,
            events,
            outbox: VecDeque::new(),
            io,
            io_events,
            shared: shared.clone(),
            stale: true,
            stopping: None,
            running: false,
            online: true,
            status: Status::Offline,
            rng,
            started: Instant::now(),
            meters,
            connections: Connections::default(),
            known: HashMap::new(),
            dials: Dials::default(),
            opens: HashMap::new(),
            handlers: HashMap::new(),
            queries: Queries::default(),
            timers: Timers::new(),
            topics: Topics::default(),
            relays,
            rooms: Rooms::default(),
            directories: Directories::default(),
            links: Links::default(),
            explicit: HashSet::new(),
            failed_upgrades: 0,
            last_upgrade_error: None,
        };
        Ok((actor, shared))
    }

    /// Runs until the node is stopped or every handle is dropped. Natively it must run on a tokio
    /// runtime.
    pub async fn run(mut self) {
        self.start();
        poll_fn(|cx| self.poll(cx)).await;
    }

    fn start(&mut self) {
        self.running = true;
        self.emit(Event::Started);
        if self.config.webrtc && !platform::webrtc_available() {
            self.warn(
                WarningCode::WebRtcUnavailable,
                "WebRTC does not exist here; peers are reached through relays only".to_owned(),
            );
        }
        for address in self.config.listen.clone() {
            if let Err(error) = self.swarm.listen_on(address.clone()) {
                self.warn(
                    WarningCode::ListenFailed,
                    format!("cannot listen on {address}: {error}"),
                );
            }
        }
        self.start_relays();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..ROUNDS {
            self.deliver(cx);
            if !self.running && self.outbox.is_empty() {
                if let Some(reply) = self.stopping.take() {
                    let _ = reply.send(Ok(()));
                }
                return Poll::Ready(());
            }
            if !self.round(cx) && !self.refresh() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// One round; false if nothing moved.
    ///
    /// What doesn't come with every letter is kept out of line, here and in what is called: a browser
    /// compiles a function a second time when it has become hot, as a whole, and the more code there is
    /// in it, the sooner. With everything inlined this one took a tenth of a second of a core, while
    /// somebody was typing.
    fn round(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.running {
            return false;
        }
        let mut moved = false;
        // Local work first. And nothing while the application is behind with its events: neither it
        // nor a peer can have them pile up.
        if self.outbox.len() < limits::EVENT_QUEUE {
            match self.commands.poll_next_unpin(cx) {
                Poll::Ready(Some(command)) => {
                    self.on_command(command);
                    moved = true;
                }
                Poll::Ready(None) => {
                    self.stop();
                    return true;
                }
                Poll::Pending => {}
            }
            if let Poll::Ready(Some(event)) = self.io.poll_next_unpin(cx) {
                self.on_io(event);
                moved = true;
            }
            if let Poll::Ready(Some(event)) = self.swarm.poll_next(cx) {
                self.on_swarm_event(event);
                moved = true;
            }
        }
        if let Poll::Ready(timer) = self.timers.poll(cx) {
            self.on_timer(timer);
            moved = true;
        }
        moved
    }

    /// Hands events to the application as long as it takes them.
    fn deliver(&mut self, cx: &mut Context<'_>) {
        while !self.outbox.is_empty() {
            match self.events.poll_ready(cx) {
                Poll::Ready(Ok(())) => {
                    if let Some(event) = self.outbox.pop_front() {
                        // Just found ready.
                        let _ = self.events.start_send(event);
                    }
                }
                // Nobody listens any more.
                Poll::Ready(Err(_)) => self.outbox.clear(),
                Poll::Pending => return,
            }
        }
    }

    /// Brings the getters' answers up to date; false if they are.
    fn refresh(&mut self) -> bool {
        let is_stale = std::mem::take(&mut self.stale);
        if is_stale {
            self.renew_answers();
        }
        is_stale
    }

    // Rare: see `Actor::round`.
    #[inline(never)]
    fn renew_answers(&mut self) {
        let status = self.compute_status();
        let mut multiaddrs: Vec<Multiaddr> = self.swarm.external_addresses().cloned().collect();
        for address in self.swarm.listeners() {
            if !multiaddrs.contains(address) && !address.iter().all(is_webrtc) {
                multiaddrs.push(address.clone());
            }
        }
        for address in &mut multiaddrs {
            if !matches!(address.iter().last(), Some(libp2p::multiaddr::Protocol::P2p(_))) {
                address.push(libp2p::multiaddr::Protocol::P2p(self.peer_id));
            }
        }
        multiaddrs.sort();
        multiaddrs.dedup();
        let protocols = self.protocols();
        let rooms = self.room_peers();
        let connections = self.connections.snapshot(|peer| self.relays.contains(peer));
        {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            shared.info.status = status;
            shared.info.connections = connections.len();
            shared.info.multiaddrs = multiaddrs;
            shared.info.protocols = protocols;
            shared.connections = connections;
            shared.rooms = rooms;
        }
        if self.running {
            self.emit(Event::ConnectionsChanged);
            if status != self.status {
                self.status = status;
                self.emit(Event::Status(status));
            }
        }
    }

    fn compute_status(&self) -> Status {
        if !self.running || !self.online {
            return Status::Offline;
        }
        let mut status = Status::Connecting;
        for (_, entry) in self.connections.iter() {
            status = status.max(match (self.relays.contains(&entry.peer), entry.direct) {
                (true, _) => Status::Online,
                (false, false) => Status::Relayed,
                (false, true) => Status::Direct,
            });
        }
        if status == Status::Connecting && self.relays.is_empty() { Status::Online } else { status }
    }

    fn protocols(&self) -> Vec<String> {
        let mut protocols: Vec<String> = self
            .swarm
            .behaviour()
            .streams
            .accepted()
            .iter()
            .map(|p| p.as_ref().to_owned())
            .collect();
        protocols.push("/ipfs/id/1.0.0".to_owned());
        if self.config.gossipsub {
            protocols.push("/meshsub/1.2.0".to_owned());
        }
        if self.config.dht {
            protocols.push(behaviour::KAD_PROTOCOL.to_string());
        }
        protocols
    }

    // Rare: see `Actor::round`.
    #[inline(never)]
    fn stop(&mut self) {
        self.stop_rooms();
        let connections: Vec<ConnectionId> = self.connections.iter().map(|(id, _)| id).collect();
        for id in connections {
            self.swarm.close_connection(id);
        }
        self.running = false;
        self.online = false;
        self.stale = true;
        self.refresh();
        self.emit(Event::Status(Status::Offline));
        self.emit(Event::Stopped);
    }

    fn emit(&mut self, event: Event) {
        // One change notice is as good as ten.
        if matches!(event, Event::ConnectionsChanged)
            && self.outbox.iter().any(|e| matches!(e, Event::ConnectionsChanged))
        {
            return;
        }
        self.outbox.push_back(event);
    }

    fn warn(&mut self, code: WarningCode, message: String) {
        tracing::debug!(?code, %message, "warning");
        self.emit(Event::Warning { code, message });
    }
}

/// The bare `/webrtc` listener is where upgrades arrive; nobody can dial it.
fn is_webrtc(part: libp2p::multiaddr::Protocol<'_>) -> bool {
    matches!(part, libp2p::multiaddr::Protocol::WebRTC | libp2p::multiaddr::Protocol::P2p(_))
}

#[cfg(test)]
mod tests;
