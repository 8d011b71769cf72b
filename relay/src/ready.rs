//! What a running relay says about itself, at start and at `/.well-known/vivim`.

use std::net::{IpAddr, Ipv6Addr};

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use serde::Serialize;

use crate::config::Limits;

/// What clients need to know of a relay. In JSON the names are in camel case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// The relay's peer id.
    pub peer_id: String,
    /// Addresses to dial, each ending in the peer id, the preferred first.
    pub multiaddrs: Vec<String>,
    /// Where the page is, without a slash at the end; `None` if HTTP is off.
    pub http: Option<String>,
    /// STUN servers, as `iceServers` wants them.
    pub stun: Vec<String>,
    /// What one client may do.
    pub limits: ReadyLimits,
    /// The relay's version.
    pub version: &'static str,
}

/// Limits as clients read them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadyLimits {
    /// Connections in all.
    pub max_connections: u32,
    /// Reservations in all.
    pub max_reservations: u32,
    /// Seconds until a reservation is renewed.
    pub reservation_secs: u32,
    /// Circuits in all.
    pub max_circuits: u32,
    /// Circuits of one peer.
    pub max_circuits_per_peer: u32,
    /// Bytes of one circuit, both directions together.
    pub max_circuit_bytes: u64,
    /// Seconds of one circuit.
    pub max_circuit_secs: u32,
    /// Rooms of one peer.
    pub max_rooms: u32,
}

impl From<&Limits> for ReadyLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            max_connections: limits.connections,
            max_reservations: limits.reservations,
            reservation_secs: limits.reservation_secs,
            max_circuits: limits.circuits,
            max_circuits_per_peer: limits.circuits_per_peer,
            max_circuit_bytes: limits.circuit_bytes,
            max_circuit_secs: limits.circuit_secs,
            max_rooms: limits.for_clients().max_rooms,
        }
    }
}

/// The facts of a running relay from which [`Ready`] is made for whoever asks.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) peer: PeerId,
    /// The announced addresses, or those it listens on, best first; without peer id.
    pub(crate) addrs: Vec<Multiaddr>,
    /// Whether the operator chose `addrs`.
    pub(crate) announced: bool,
    pub(crate) tls: bool,
    pub(crate) ws_port: Option<u16>,
    pub(crate) http: Option<(IpAddr, u16)>,
    pub(crate) stun_port: Option<u16>,
    pub(crate) limits: ReadyLimits,
}

impl Facts {
    /// What to tell a client that reached this relay's HTTP port as `host`.
    pub(crate) fn ready(&self, host: Option<&Host>) -> Ready {
        let announced_host = self.addrs.iter().find_map(Host::of).filter(|_| self.announced);
        let host = announced_host.as_ref().or(host);
        let mut addrs = self.addrs.clone();
        if let (false, Some(host), Some(port)) = (self.announced, host, self.ws_port) {
            let reached = host.websocket(port, self.tls);
            addrs.retain(|addr| *addr != reached);
            addrs.insert(0, reached);
        }
        let fallback = self.addrs.iter().find_map(Host::of);
        let stun_host = host.or(fallback.as_ref());
        Ready {
            peer_id: self.peer.to_string(),
            multiaddrs: addrs.into_iter().map(|addr| with_peer(addr, self.peer)).collect(),
            http: self.http.map(|(ip, port)| match ip {
                // Browsers trust localhost without TLS.
                ip if ip.is_unspecified() => format!("http://localhost:{port}"),
                IpAddr::V4(ip) => format!("http://{ip}:{port}"),
                IpAddr::V6(ip) => format!("http://[{ip}]:{port}"),
            }),
            stun: match (stun_host, self.stun_port) {
                (Some(host), Some(port)) => vec![format!("stun:{host}:{port}")],
                _ => Vec::new(),
            },
            limits: self.limits.clone(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

fn with_peer(addr: Multiaddr, peer: PeerId) -> String {
    match addr.iter().last() {
        Some(Protocol::P2p(_)) => addr.to_string(),
        _ => addr.with(Protocol::P2p(peer)).to_string(),
    }
}

/// A name or address of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Ip(IpAddr),
    Name(String),
}

impl Host {
    /// Longest DNS name, in bytes.
    const MAX_NAME: usize = 253;

    /// Reads the host of an HTTP `Host` header. It comes from the client, so whatever isn't plainly
    /// a host is refused.
    pub(crate) fn from_header(header: &str) -> Option<Self> {
        if let Some(rest) = header.strip_prefix('[') {
            return rest.split_once(']')?.0.parse().ok().map(|ip: Ipv6Addr| Self::Ip(ip.into()));
        }
        let host = header.split(':').next()?;
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Some(Self::Ip(ip));
        }
        let label = |l: &str| {
            !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let valid = host.len() <= Self::MAX_NAME && host.split('.').all(label);
        valid.then(|| Self::Name(host.to_ascii_lowercase()))
    }

    fn of(addr: &Multiaddr) -> Option<Self> {
        match addr.iter().next()? {
            Protocol::Ip4(ip) => Some(Self::Ip(ip.into())),
            Protocol::Ip6(ip) => Some(Self::Ip(ip.into())),
            Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => {
                Some(Self::Name(name.into_owned()))
            }
            _ => None,
        }
    }

    fn websocket(&self, port: u16, tls: bool) -> Multiaddr {
        let addr = match self {
            Self::Ip(IpAddr::V4(ip)) => Multiaddr::from(*ip),
            Self::Ip(IpAddr::V6(ip)) => Multiaddr::from(*ip),
            Self::Name(name) => Multiaddr::empty().with(Protocol::Dns4(name.into())),
        };
        websocket(addr, port, tls)
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// `/tcp/PORT/ws` or `/tcp/PORT/tls/ws` behind `addr`.
pub(crate) fn websocket(addr: Multiaddr, port: u16, tls: bool) -> Multiaddr {
    let addr = addr.with(Protocol::Tcp(port));
    let addr = if tls { addr.with(Protocol::Tls) } else { addr };
    addr.with(Protocol::Ws("/".into()))
}

/// Orders listen addresses, the best to tell others first: WebSocket before TCP, as browsers can
/// use nothing else; then addresses of the network before those of this machine. Those that lead
/// nowhere elsewhere without a zone (link-local IPv6) are left out.
pub(crate) fn rank(addrs: impl IntoIterator<Item = Multiaddr>, max: usize) -> Vec<Multiaddr> {
    let mut ranked: Vec<_> = addrs
        .into_iter()
        .filter_map(|addr| {
            let ip = match addr.iter().next()? {
                Protocol::Ip4(ip) => IpAddr::from(ip),
                Protocol::Ip6(ip) if ip.is_unicast_link_local() => return None,
                Protocol::Ip6(ip) => IpAddr::from(ip),
                _ => return None,
            };
            let websocket =
                addr.iter().any(|part| matches!(part, Protocol::Ws(_) | Protocol::Wss(_)));
            Some(((!websocket, ip.is_loopback(), ip.is_ipv6()), addr))
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, addr)| addr).take(max).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn facts() -> Facts {
        Facts {
            peer: PeerId::random(),
            addrs: vec!["/ip4/10.0.0.7/tcp/9000/ws".parse().unwrap()],
            announced: false,
            tls: false,
            ws_port: Some(9000),
            http: Some(("0.0.0.0".parse().unwrap(), 8080)),
            stun_port: Some(3478),
            limits: ReadyLimits::from(&Limits::default()),
        }
    }

    #[test]
    fn a_client_is_told_the_address_by_which_it_came() {
        for (header, addr, stun) in [
            ("localhost:8080", "/dns4/localhost/tcp/9000/ws", "stun:localhost:3478"),
            (
                "Relay.Example.org",
                "/dns4/relay.example.org/tcp/9000/ws",
                "stun:relay.example.org:3478",
            ),
            ("192.0.2.1:80", "/ip4/192.0.2.1/tcp/9000/ws", "stun:192.0.2.1:3478"),
            ("[2001:db8::1]:80", "/ip6/2001:db8::1/tcp/9000/ws", "stun:[2001:db8::1]:3478"),
        ] {
            let host = Host::from_header(header).unwrap();
            let facts = facts();
            let ready = facts.ready(Some(&host));
            assert_eq!(ready.multiaddrs[0], format!("{addr}/p2p/{}", facts.peer));
            assert_eq!(ready.multiaddrs.len(), 2);
            assert_eq!(ready.stun, [stun]);
        }
    }

    #[test]
    fn an_announced_address_wins_over_the_one_by_which_a_client_came() {
        let mut facts = facts();
        facts.announced = true;
        facts.addrs = vec!["/dns4/r.example.org/tcp/443/tls/ws".parse().unwrap()];
        let ready = facts.ready(Host::from_header("10.0.0.1").as_ref());
        assert_eq!(
            ready.multiaddrs,
            [format!("/dns4/r.example.org/tcp/443/tls/ws/p2p/{}", facts.peer)]
        );
        assert_eq!(ready.stun, ["stun:r.example.org:3478"]);
    }

    #[test]
    fn a_host_header_that_is_no_host_is_refused() {
        let long = "a".repeat(254);
        for header in ["", ":80", "a/b", "a b", "a..b", "[::1", "[x]", "ä.example", "<a>", &long] {
            assert_eq!(Host::from_header(header), None, "{header}");
        }
    }

    #[test]
    fn websocket_and_the_network_come_first_and_link_local_not_at_all() {
        let addrs = [
            "/ip4/127.0.0.1/tcp/9001",
            "/ip4/10.0.0.7/tcp/9001",
            "/ip6/fe80::1/tcp/9000/ws",
            "/ip4/127.0.0.1/tcp/9000/ws",
            "/ip6/2001:db8::1/tcp/9000/ws",
            "/ip4/10.0.0.7/tcp/9000/ws",
        ];
        let ranked = rank(addrs.map(|a| a.parse().unwrap()), 4);
        let expected = [addrs[5], addrs[4], addrs[3], addrs[1]];
        assert_eq!(ranked, expected.map(|a| a.parse::<Multiaddr>().unwrap()));
    }
}
