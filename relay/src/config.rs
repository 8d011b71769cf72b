//! The settings of a relay. Their meaning, unit and default is in the output of
//! `vivim-relay --print-config`, which [`Config`]'s `Display` writes and [`Config::from_toml`]
//! reads back.

mod file;
mod print;
mod values;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    time::Duration,
};

use libp2p::Multiaddr;
use vivim_proto::rooms::RelayLimits;

pub use self::{
    file::Overrides,
    values::{LogFormat, MetricsAccess, Port},
};

/// Why settings can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read. Check the path and its owner.
    #[error("can't read the settings file {path}: {source}; check the path and its owner")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file has a mistake; the message names the line. `--print-config` shows what is allowed.
    #[error(
        "in the settings file {path}: {source}run vivim-relay --print-config to see every setting"
    )]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where the mistake is, and what was expected.
        source: Box<toml::de::Error>,
    },
    /// The data folder can't be guessed, as there is no home folder. Pass `--data-dir`.
    #[error("there is no home folder to keep the identity in: pass --data-dir")]
    NoDataDir,
    /// One of certificate and key was given without the other. Give both.
    #[error("wss needs both a certificate and its key: give tls_certificate and tls_key")]
    HalfTls,
    /// An announced address can't be used. Give one that leads to this relay, such as
    /// `/dns4/relay.example.org/tcp/443/tls/ws`.
    #[error(
        "the announced address {addr} can't be used ({reason}): give one that leads to this relay, \
         such as /dns4/relay.example.org/tcp/443/tls/ws"
    )]
    Announce {
        /// The address.
        addr: Multiaddr,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A limit that must be at least one is zero.
    #[error("{0} must be at least 1")]
    ZeroLimit(&'static str),
    /// A limit is larger than what the protocol can carry.
    #[error("{name} must be at most {max}")]
    LargeLimit {
        /// The limit.
        name: &'static str,
        /// The largest value it can have.
        max: u64,
    },
    /// Neither WebSocket nor TCP is switched on. Switch one on.
    #[error("both ws_port and tcp_port are off: nobody could connect; switch one on")]
    NoTransport,
}

/// Most addresses that are announced. Every reservation carries them all.
pub const MAX_ANNOUNCE: usize = 16;

/// What is logged when nothing is said: what an operator needs, and of the libraries' only what is
/// wrong. Kademlia warns that it knows no peers, which is as it should be.
pub const DEFAULT_LOG: &str = "info,libp2p_swarm=warn,libp2p_kad=error";

/// All settings of a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) hosts: Vec<IpAddr>,
    /// Whether the hosts are the default, so that a machine without IPv6 is no error.
    pub(crate) hosts_are_default: bool,
    pub(crate) ws_port: Port,
    pub(crate) tcp_port: Port,
    pub(crate) http_port: Port,
    pub(crate) stun_port: Port,
    pub(crate) announce: Vec<Multiaddr>,
    pub(crate) tls_certificate: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) page: Option<PathBuf>,
    pub(crate) metrics: MetricsAccess,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    pub(crate) limits: Limits,
}

/// How much one relay gives, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub connections: u32,
    /// Connections whose handshake is under way.
    pub pending_connections: u32,
    /// Connections of one peer id.
    pub connections_per_peer: u32,
    /// Connections of one address (IPv6: one /64).
    pub connections_per_ip: u32,
    /// Peers who may hold a reservation, that is, be reachable through this relay.
    pub reservations: u32,
    /// How long a reservation holds before the client renews it, in seconds.
    pub reservation_secs: u32,
    /// Circuits in all: relayed connections between two peers.
    pub circuits: u32,
    /// Circuits one peer may take part in.
    pub circuits_per_peer: u32,
    /// How long a circuit may live, in seconds.
    pub circuit_secs: u32,
    /// Bytes a circuit may carry, both directions together.
    pub circuit_bytes: u64,
    /// Records of the distributed hash table that are kept, in memory.
    pub records: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 5_000,
            pending_connections: 512,
            connections_per_peer: 8,
            connections_per_ip: 512,
            reservations: 2_048,
            reservation_secs: 30 * 60,
            circuits: 1_024,
            circuits_per_peer: 64,
            circuit_secs: 30 * 60,
            circuit_bytes: 64 * 1024 * 1024,
            records: 4_096,
        }
    }
}

impl Limits {
    /// What clients are told, over the rooms protocol and at `/.well-known/vivim`.
    pub fn for_clients(&self) -> RelayLimits {
        RelayLimits {
            max_circuits: self.circuits_per_peer.min(self.circuits),
            max_circuit_bytes: self.circuit_bytes,
            max_circuit_secs: self.circuit_secs,
            reservation_secs: self.reservation_secs,
            max_rooms: vivim_proto::limits::MAX_ROOMS_PER_PEER as u32,
        }
    }

    /// How long a circuit may live.
    pub fn circuit_duration(&self) -> Duration {
        Duration::from_secs(self.circuit_secs.into())
    }

    /// How long a reservation holds.
    pub fn reservation_duration(&self) -> Duration {
        Duration::from_secs(self.reservation_secs.into())
    }
}

impl Config {
    /// The settings of a relay that is started without any, with its identity in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            hosts: vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
            hosts_are_default: true,
            ws_port: Port::At(9000),
            tcp_port: Port::At(9001),
            http_port: Port::At(8080),
            stun_port: Port::At(3478),
            announce: Vec::new(),
            tls_certificate: None,
            tls_key: None,
            page: None,
            metrics: MetricsAccess::Loopback,
            log: DEFAULT_LOG.into(),
            log_format: LogFormat::Human,
            limits: Limits::default(),
        }
    }

    /// A relay for tests and development: loopback only, on any free ports.
    pub fn local(data_dir: impl Into<PathBuf>) -> Self {
        let any = Port::At(0);
        Self::new(data_dir)
            .hosts([Ipv4Addr::LOCALHOST.into()])
            .ws_port(any)
            .tcp_port(any)
            .http_port(any)
            .stun_port(any)
    }

    /// The defaults, changed by a settings file and then by `flags`.
    pub fn load(file: Option<&Path>, flags: Overrides) -> Result<Self, ConfigError> {
        let from_file = match file {
            None => Overrides::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
                Overrides::from_toml(&text).map_err(|source| ConfigError::Syntax {
                    path: path.to_owned(),
                    source: Box::new(source),
                })?
            }
        };
        let merged = flags.or(from_file);
        let data_dir = match &merged.data_dir {
            Some(folder) => folder.clone(),
            None => file::default_data_dir().ok_or(ConfigError::NoDataDir)?,
        };
        let mut config = Self::new(data_dir);
        merged.apply(&mut config);
        config.checked()
    }

    /// Reads what [`Display`](std::fmt::Display) writes; what isn't set has its default.
    pub fn from_toml(text: &str, data_dir: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let read = Overrides::from_toml(text).map_err(|source| ConfigError::Syntax {
            path: "(text)".into(),
            source: Box::new(source),
        })?;
        let mut config = Self::new(data_dir);
        read.apply(&mut config);
        config.checked()
    }

    /// Addresses of this machine to listen on. Default: all, IPv4 and IPv6.
    #[must_use]
    pub fn hosts(mut self, hosts: impl IntoIterator<Item = IpAddr>) -> Self {
        self.hosts = hosts.into_iter().collect();
        self.hosts_are_default = false;
        self
    }

    /// Port for WebSocket, which browsers use. Default 9000.
    #[must_use]
    pub fn ws_port(mut self, port: Port) -> Self {
        self.ws_port = port;
        self
    }

    /// Port for TCP, which native programs use. Default 9001.
    #[must_use]
    pub fn tcp_port(mut self, port: Port) -> Self {
        self.tcp_port = port;
        self
    }

    /// Port for HTTP: the page, health, metrics. Default 8080.
    #[must_use]
    pub fn http_port(mut self, port: Port) -> Self {
        self.http_port = port;
        self
    }

    /// UDP port for STUN. Default 3478.
    #[must_use]
    pub fn stun_port(mut self, port: Port) -> Self {
        self.stun_port = port;
        self
    }

    /// Addresses by which clients reach this relay. Default: those it listens on.
    #[must_use]
    pub fn announce(mut self, addrs: impl IntoIterator<Item = Multiaddr>) -> Self {
        self.announce = addrs.into_iter().collect();
        self
    }

    /// PEM files of certificate chain and key: WebSocket becomes `wss`. Default: none.
    #[must_use]
    pub fn tls(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls_certificate = Some(certificate.into());
        self.tls_key = Some(key.into());
        self
    }

    /// Folder of the page. Default: none, a short built-in page.
    #[must_use]
    pub fn page(mut self, folder: impl Into<PathBuf>) -> Self {
        self.page = Some(folder.into());
        self
    }

    /// Limits. Default: [`Limits::default`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The log filter, in the syntax of `tracing_subscriber::EnvFilter`.
    pub fn log_filter(&self) -> &str {
        &self.log
    }

    /// How log lines look.
    pub fn log_format(&self) -> LogFormat {
        self.log_format
    }

    /// Checks what single values can't say; [`Relay::start`](crate::Relay::start) calls it too.
    pub(crate) fn checked(self) -> Result<Self, ConfigError> {
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            return Err(ConfigError::HalfTls);
        }
        if self.ws_port == Port::Off && self.tcp_port == Port::Off {
            return Err(ConfigError::NoTransport);
        }
        for addr in &self.announce {
            values::check_announce(addr)
                .map_err(|reason| ConfigError::Announce { addr: addr.clone(), reason })?;
        }
        if self.announce.len() > MAX_ANNOUNCE {
            return Err(ConfigError::LargeLimit {
                name: "the number of announced addresses",
                max: MAX_ANNOUNCE as u64,
            });
        }
        let l = &self.limits;
        let positive = [
            ("limits.connections", l.connections),
            ("limits.pending_connections", l.pending_connections),
            ("limits.connections_per_peer", l.connections_per_peer),
            ("limits.connections_per_ip", l.connections_per_ip),
            ("limits.reservation_secs", l.reservation_secs),
            ("limits.circuit_secs", l.circuit_secs),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::ZeroLimit(name));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_printed_settings_read_back_as_the_same() {
        let plain = Config::new("/data");
        assert_eq!(Config::from_toml(&plain.to_string(), "/other").unwrap().limits, plain.limits);
        let mut printed = Config::from_toml(&plain.to_string(), "/other").unwrap();
        // Written out, the hosts aren't the default any more.
        printed.hosts_are_default = true;
        assert_eq!(printed, plain);

        let full = Config::local("/da\"ta")
            .stun_port(Port::Off)
            .announce(["/dns4/relay.example.org/tcp/443/tls/ws".parse().unwrap()])
            .tls("cert.pem", "key.pem")
            .page("dist");
        assert_eq!(Config::from_toml(&full.to_string(), "/other").unwrap(), full);
    }

    #[test]
    fn a_mistake_in_the_file_is_named_with_its_line() {
        for (text, line, says) in [
            ("ws_port = 1\nws_prot = 2\n", "line 2", "ws_prot"),
            ("\n\nws_port = 70000\n", "line 3", "65535"),
            ("ws_port = \"of\"\n", "line 1", "off"),
            ("host = [\"localhost\"]\n", "line 1", "IP address"),
            ("announce = [\n\"/dns4/a/tcp/1/ws\",\n\"http://a\"\n]\n", "line", "announce"),
            ("[limits]\ncircuits = -1\n", "line 2", "circuits"),
            ("log_format = \"xml\"\n", "line 1", "human"),
            ("metrics = 1 2\n", "line 1", ""),
        ] {
            let error = Config::from_toml(text, "/data").unwrap_err().to_string();
            assert!(error.contains(line) && error.contains(says), "{text:?}: {error}");
        }
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let error = |text: &str| Config::from_toml(text, "/data").unwrap_err();
        assert!(matches!(error("tls_key = \"k\""), ConfigError::HalfTls));
        assert!(matches!(error("ws_port = \"off\"\ntcp_port = \"off\""), ConfigError::NoTransport));
        assert!(matches!(
            error("[limits]\nconnections = 0"),
            ConfigError::ZeroLimit("limits.connections")
        ));
        for addr in ["/ip4/0.0.0.0/tcp/1", "/tcp/1", "/ip4/1.2.3.4/tcp/1/p2p-circuit"] {
            assert!(
                matches!(error(&format!("announce = [\"{addr}\"]")), ConfigError::Announce { .. }),
                "{addr}"
            );
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.toml");
        std::fs::write(&path, "ws_port = 1\ntcp_port = 2\n[limits]\ncircuits = 7\n").unwrap();
        let flags = Overrides {
            ws_port: Some(Port::At(9)),
            data_dir: Some("/data".into()),
            ..Overrides::default()
        };
        let config = Config::load(Some(&path), flags).unwrap();
        assert_eq!((config.ws_port, config.tcp_port), (Port::At(9), Port::At(2)));
        assert_eq!(config.limits.circuits, 7);
    }
}
