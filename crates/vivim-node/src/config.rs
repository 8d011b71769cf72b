//! What a node is configured with.

use libp2p::{Multiaddr, identity::Keypair};

/// What part a node plays (the seeds' `NodeType`). A client queries the DHT, the others serve it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeType {
    /// A browser or an application: uses the network (the default).
    #[default]
    Client,
    /// A long-lived peer that also serves DHT queries.
    SelfHosted,
}

/// A STUN or TURN server, as WebRTC's `RTCIceServer`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:` and `turn:` URLs of one server.
    pub urls: Vec<String>,
    /// TURN user name.
    pub username: Option<String>,
    /// TURN credential.
    pub credential: Option<String>,
}

/// Configuration of a node. Chained setters; [`Default`] is a client without relays.
#[derive(Clone)]
pub struct Config {
    pub(crate) node_type: NodeType,
    pub(crate) keypair: Option<Keypair>,
    pub(crate) device_id: Option<[u8; 16]>,
    pub(crate) bootstrap: Vec<Multiaddr>,
    pub(crate) listen: Vec<Multiaddr>,
    pub(crate) webrtc: bool,
    pub(crate) dht: bool,
    pub(crate) gossipsub: bool,
    pub(crate) min_connections: usize,
    pub(crate) max_connections: usize,
    pub(crate) ice_servers: Vec<IceServer>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key pair and TURN credentials stay out of logs.
        f.debug_struct("Config")
            .field("node_type", &self.node_type)
            .field("bootstrap", &self.bootstrap)
            .field("listen", &self.listen)
            .field("webrtc", &self.webrtc)
            .field("dht", &self.dht)
            .field("gossipsub", &self.gossipsub)
            .finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            node_type: NodeType::Client,
            keypair: None,
            device_id: None,
            bootstrap: Vec::new(),
            listen: Vec::new(),
            webrtc: true,
            dht: true,
            gossipsub: true,
            min_connections: 5,
            max_connections: 50,
            ice_servers: Vec::new(),
        }
    }
}

impl Config {
    /// What part the node plays. Default: [`NodeType::Client`].
    #[must_use]
    pub fn node_type(mut self, node_type: NodeType) -> Self {
        self.node_type = node_type;
        self
    }

    /// The identity. Default: a fresh Ed25519 key pair, because two nodes with one key collide.
    #[must_use]
    pub fn keypair(mut self, keypair: Keypair) -> Self {
        self.keypair = Some(keypair);
        self
    }

    /// A random id of the device's profile, stable over restarts. Default: fresh.
    #[must_use]
    pub fn device_id(mut self, device_id: [u8; 16]) -> Self {
        self.device_id = Some(device_id);
        self
    }

    /// Relays (and other peers) to stay connected to, each ending in `/p2p/<id>`.
    #[must_use]
    pub fn bootstrap(mut self, peers: impl IntoIterator<Item = Multiaddr>) -> Self {
        self.bootstrap = peers.into_iter().collect();
        self
    }

    /// Addresses to listen on besides relays. Ignored in browsers, which can't listen.
    #[must_use]
    pub fn listen(mut self, addresses: impl IntoIterator<Item = Multiaddr>) -> Self {
        self.listen = addresses.into_iter().collect();
        self
    }

    /// Whether to upgrade relayed connections to WebRTC. Default: true, where WebRTC exists.
    #[must_use]
    pub fn webrtc(mut self, on: bool) -> Self {
        self.webrtc = on;
        self
    }

    /// Whether to speak Kademlia. Default: true.
    #[must_use]
    pub fn dht(mut self, on: bool) -> Self {
        self.dht = on;
        self
    }

    /// Whether to speak gossipsub. Default: true. Rooms of more than 8 peers need it.
    #[must_use]
    pub fn gossipsub(mut self, on: bool) -> Self {
        self.gossipsub = on;
        self
    }

    /// How many connections to aim for at least and keep at most. Defaults: 5 and 50. Members of
    /// joined rooms are what there is to connect to so far, and those are connected to anyway; the
    /// lower number has no other effect yet.
    #[must_use]
    pub fn connections(mut self, min: usize, max: usize) -> Self {
        self.min_connections = min;
        self.max_connections = max.max(min).max(1);
        self
    }

    /// STUN and TURN servers. Default: none, which is enough within one network.
    #[must_use]
    pub fn ice_servers(mut self, servers: impl IntoIterator<Item = IceServer>) -> Self {
        self.ice_servers = servers.into_iter().collect();
        self
    }
}
