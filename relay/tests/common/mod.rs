//! A relay on free ports, and libp2p clients to drive it with.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::panic)]

use std::{future::Future, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, Swarm, Transport,
    core::upgrade::Version,
    identify,
    identity::Keypair,
    kad::{self, store::MemoryStore},
    noise, ping, relay,
    swarm::{self, NetworkBehaviour, SwarmEvent},
    tcp, websocket, yamux,
};
use tempfile::TempDir;
use tokio::sync::{broadcast, mpsc, oneshot};
use vivim_proto::{
    id::RoomId,
    rooms::{ClientMessage, FrameDecoder, PROTOCOL, ServerMessage},
};
use vivim_relay::{Config, Limits, Relay};

/// Longest wait for anything in these tests.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Fails the test instead of hanging it.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited too long for {what}"),
    }
}

pub struct TestRelay {
    pub relay: Relay,
    pub folder: TempDir,
}

pub async fn relay() -> TestRelay {
    relay_with(|config| config).await
}

pub async fn relay_with_limits(change: impl FnOnce(&mut Limits)) -> TestRelay {
    let mut limits = Limits::default();
    change(&mut limits);
    relay_with(|config| config.limits(limits)).await
}

pub async fn relay_with(change: impl FnOnce(Config) -> Config) -> TestRelay {
    let folder = tempfile::tempdir().unwrap();
    let config = change(Config::local(folder.path()));
    TestRelay { relay: Relay::start(config).await.unwrap(), folder }
}

impl TestRelay {
    pub fn addr(&self, kind: &str) -> Multiaddr {
        let addrs = &self.relay.ready().multiaddrs;
        let found = addrs.iter().find(|a| a.contains("/ws/") == (kind == "ws"));
        found.expect("the relay listens for it").parse().unwrap()
    }

    /// `host:port` of the HTTP port.
    pub fn http(&self) -> String {
        self.relay.ready().http.as_ref().unwrap().strip_prefix("http://").unwrap().into()
    }

    pub async fn metric(&self, name: &str) -> f64 {
        let (_, text) = get(&self.http(), "/metrics", &[]).await;
        metric(&text, name).unwrap_or(0.0)
    }

    /// Waits until a metric has a value. Metrics have no events, so this asks again.
    pub async fn metric_becomes(&self, name: &str, value: f64) {
        within(name, async {
            while self.metric(name).await != value {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}

pub fn metric(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// A GET with `Connection: close`: the head and the body.
pub async fn get(host: &str, path: &str, headers: &[(&str, &str)]) -> (String, String) {
    let (head, body) = request("GET", host, path, headers).await;
    (head, String::from_utf8_lossy(&body).into_owned())
}

pub async fn request(
    method: &str,
    host: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> (String, Vec<u8>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request.push_str(&format!("Host: {host}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    within("an HTTP answer", stream.read_to_end(&mut answer)).await.unwrap();
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
    (head, answer[end + 4..].to_vec())
}

#[derive(NetworkBehaviour)]
pub struct ClientBehaviour {
    relay: relay::client::Behaviour,
    ping: ping::Behaviour,
    identify: identify::Behaviour,
    stream: libp2p_stream::Behaviour,
    pub kad: kad::Behaviour<MemoryStore>,
}

/// What a client saw.
#[derive(Debug, Clone)]
pub enum Seen {
    Connected(PeerId),
    Disconnected(PeerId),
    DialFailed(String),
    Reserved(Multiaddr),
    ReservationFailed,
    Identified(Box<identify::Info>),
    Record(Option<Vec<u8>>),
    Stored(bool),
}

enum Order {
    Dial(Multiaddr),
    Listen(Multiaddr),
    Disconnect(PeerId),
    Put(PeerId, Multiaddr, Vec<u8>, Vec<u8>),
    Get(PeerId, Multiaddr, Vec<u8>),
    Stop(oneshot::Sender<()>),
}

/// A libp2p client in a task of its own.
pub struct Client {
    pub peer: PeerId,
    pub control: libp2p_stream::Control,
    orders: mpsc::Sender<Order>,
    seen: broadcast::Receiver<Seen>,
}

impl Client {
    pub fn new() -> Self {
        Self::trusting(None)
    }

    /// A client that also trusts a certificate, given as DER.
    pub fn trusting(certificate: Option<Vec<u8>>) -> Self {
        let key = Keypair::generate_ed25519();
        let peer = key.public().to_peer_id();
        let (relay_transport, relay) = relay::client::new(peer);
        let tcp = || tcp::tokio::Transport::new(tcp::Config::default());
        let mut ws = websocket::Config::new(tcp());
        if let Some(der) = certificate {
            let mut tls = websocket::tls::Config::builder();
            tls.add_trust(&websocket::tls::Certificate::new(der)).unwrap();
            ws.set_tls_config(tls.finish());
        }
        let transport = relay_transport
            .or_transport(ws)
            .or_transport(tcp())
            .upgrade(Version::V1Lazy)
            .authenticate(noise::Config::new(&key).unwrap())
            .multiplex(yamux::Config::default())
            .boxed();
        let stream = libp2p_stream::Behaviour::new();
        let control = stream.new_control();
        let mut kad = kad::Behaviour::with_config(
            peer,
            MemoryStore::new(peer),
            kad::Config::new(vivim_relay::KAD_PROTOCOL),
        );
        kad.set_mode(Some(kad::Mode::Client));
        let behaviour = ClientBehaviour {
            relay,
            ping: ping::Behaviour::default(),
            identify: identify::Behaviour::new(identify::Config::new(
                "vivim/1".into(),
                key.public(),
            )),
            stream,
            kad,
        };
        let config = swarm::Config::with_tokio_executor()
            .with_idle_connection_timeout(Duration::from_secs(60));
        let swarm = Swarm::new(transport, behaviour, peer, config);
        let (orders, taken) = mpsc::channel(16);
        let (report, seen) = broadcast::channel(1024);
        tokio::spawn(drive(swarm, taken, report));
        Self { peer, control, orders, seen }
    }

    /// A client that is connected to `relay`.
    pub async fn connected(relay: &TestRelay) -> Self {
        let mut client = Self::new();
        client.dial(relay.addr("ws")).await.unwrap();
        client
    }

    pub async fn dial(&mut self, addr: Multiaddr) -> Result<PeerId, String> {
        self.order(Order::Dial(addr)).await;
        self.wait("a dial", |seen| match seen {
            Seen::Connected(peer) => Some(Ok(peer)),
            Seen::DialFailed(error) => Some(Err(error)),
            _ => None,
        })
        .await
    }

    /// Reserves a place at a relay; the first address at which this client is reachable then.
    pub async fn reserve(&mut self, relay: Multiaddr) -> Option<Multiaddr> {
        let circuit = relay.with(libp2p::multiaddr::Protocol::P2pCircuit);
        self.order(Order::Listen(circuit)).await;
        self.wait("a reservation", |seen| match seen {
            Seen::Reserved(addr) => Some(Some(addr)),
            Seen::ReservationFailed => Some(None),
            _ => None,
        })
        .await
    }

    pub async fn disconnect(&mut self, peer: PeerId) {
        self.order(Order::Disconnect(peer)).await;
        self.wait("a disconnection", |seen| matches!(seen, Seen::Disconnected(_)).then_some(()))
            .await;
    }

    pub async fn put(&mut self, relay: &TestRelay, key: &[u8], value: &[u8]) -> bool {
        let (peer, addr) = (relay.relay.peer_id(), relay.addr("ws"));
        self.order(Order::Put(peer, addr, key.into(), value.into())).await;
        self.wait("a stored record", |seen| match seen {
            Seen::Stored(stored) => Some(stored),
            _ => None,
        })
        .await
    }

    pub async fn get(&mut self, relay: &TestRelay, key: &[u8]) -> Option<Vec<u8>> {
        let (peer, addr) = (relay.relay.peer_id(), relay.addr("ws"));
        self.order(Order::Get(peer, addr, key.into())).await;
        self.wait("a record", |seen| match seen {
            Seen::Record(value) => Some(value),
            _ => None,
        })
        .await
    }

    /// Ends this client with all its connections.
    pub async fn stop(self) {
        let (done, stopped) = oneshot::channel();
        self.order(Order::Stop(done)).await;
        within("a client's end", stopped).await.unwrap();
    }

    pub async fn rooms(&mut self, relay: &TestRelay) -> Rooms {
        let stream = self.open(relay.relay.peer_id(), PROTOCOL).await;
        Rooms { stream, decoder: FrameDecoder::new() }
    }

    pub async fn open(&mut self, peer: PeerId, protocol: &'static str) -> Stream {
        let opened = self.control.open_stream(peer, StreamProtocol::new(protocol));
        within("a stream", opened).await.unwrap()
    }

    async fn order(&self, order: Order) {
        assert!(self.orders.send(order).await.is_ok(), "the client runs");
    }

    pub async fn wait<T>(&mut self, what: &str, mut find: impl FnMut(Seen) -> Option<T>) -> T {
        within(what, async {
            loop {
                if let Some(found) = find(self.seen.recv().await.expect("few events")) {
                    return found;
                }
            }
        })
        .await
    }
}

async fn drive(
    mut swarm: Swarm<ClientBehaviour>,
    mut orders: mpsc::Receiver<Order>,
    report: broadcast::Sender<Seen>,
) {
    loop {
        let seen = tokio::select! {
            order = orders.recv() => match order {
                None => return,
                Some(Order::Stop(done)) => {
                    drop(swarm);
                    let _ = done.send(());
                    return;
                }
                Some(Order::Dial(addr)) => {
                    swarm.dial(addr).err().map(|e| Seen::DialFailed(e.to_string()))
                }
                Some(Order::Listen(addr)) => {
                    swarm.listen_on(addr).err().map(|_| Seen::ReservationFailed)
                }
                Some(Order::Disconnect(peer)) => {
                    let _ = swarm.disconnect_peer_id(peer);
                    None
                }
                Some(Order::Put(peer, addr, key, value)) => {
                    let kad = &mut swarm.behaviour_mut().kad;
                    kad.add_address(&peer, addr);
                    let record = kad::Record::new(key, value);
                    let put = kad.put_record(record, kad::Quorum::One);
                    put.err().map(|_| Seen::Stored(false))
                }
                Some(Order::Get(peer, addr, key)) => {
                    let kad = &mut swarm.behaviour_mut().kad;
                    kad.add_address(&peer, addr);
                    kad.get_record(key.into());
                    None
                }
            },
            event = swarm.select_next_some() => seen(event),
        };
        if let Some(seen) = seen {
            let _ = report.send(seen);
        }
    }
}

fn seen(event: SwarmEvent<ClientBehaviourEvent>) -> Option<Seen> {
    use kad::{Event, GetRecordOk, QueryResult};
    match event {
        SwarmEvent::ConnectionEstablished { peer_id, .. } => Some(Seen::Connected(peer_id)),
        SwarmEvent::ConnectionClosed { peer_id, .. } => Some(Seen::Disconnected(peer_id)),
        SwarmEvent::OutgoingConnectionError { error, .. } => {
            Some(Seen::DialFailed(format!("{error:?}")))
        }
        SwarmEvent::NewListenAddr { address, .. } => Some(Seen::Reserved(address)),
        SwarmEvent::ListenerClosed { .. } => Some(Seen::ReservationFailed),
        SwarmEvent::Behaviour(ClientBehaviourEvent::Identify(identify::Event::Received {
            info,
            ..
        })) => Some(Seen::Identified(Box::new(info))),
        SwarmEvent::Behaviour(ClientBehaviourEvent::Kad(Event::OutboundQueryProgressed {
            result,
            ..
        })) => match result {
            QueryResult::PutRecord(put) => Some(Seen::Stored(put.is_ok())),
            QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(found))) => {
                Some(Seen::Record(Some(found.record.value)))
            }
            QueryResult::GetRecord(_) => Some(Seen::Record(None)),
            _ => None,
        },
        _ => None,
    }
}

/// A client's stream to the room directory.
pub struct Rooms {
    pub stream: Stream,
    pub decoder: FrameDecoder<ServerMessage>,
}

impl Rooms {
    pub async fn send(&mut self, message: ClientMessage) {
        self.stream.write_all(&message.encode()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next message, or `None` when the relay has closed the stream.
    pub async fn next(&mut self) -> Option<ServerMessage> {
        within("a message of the room directory", async {
            loop {
                if let Some(message) = self.decoder.next().unwrap() {
                    return Some(message);
                }
                let mut buffer = [0; 4096];
                match self.stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => return None,
                    Ok(n) => self.decoder.push(&buffer[..n]),
                }
            }
        })
        .await
    }

    /// Reads the greeting, joins, and returns who is there.
    pub async fn join(&mut self, room: RoomId) -> (Vec<Vec<u8>>, u64) {
        self.send(ClientMessage::Join { room }).await;
        loop {
            match self.next().await.expect("an answer") {
                ServerMessage::Joined { room: joined, peers, total } if joined == room => {
                    return (peers, total);
                }
                ServerMessage::Hello { .. } => {}
                other => panic!("{other:?} instead of an answer"),
            }
        }
    }
}

pub fn room(name: &str) -> RoomId {
    RoomId::from_name(name)
}
