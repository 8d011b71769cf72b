//! Opens ports, or says why one can't be opened and what to do.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use futures::{FutureExt, StreamExt};
use libp2p::{
    Multiaddr, Swarm, TransportError, core::transport::ListenerId, multiaddr::Protocol,
    swarm::SwarmEvent,
};
use tokio::net::{TcpListener, UdpSocket};

use crate::{Config, Port, StartError, network::Behaviour, ready};

/// How long the listeners may take to report their addresses.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(10);

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

/// Opens the HTTP port on every host.
pub(crate) async fn http(config: &Config) -> Result<Vec<TcpListener>, StartError> {
    bind_all(config, config.http_port, |addr| {
        socket(addr, socket2::Type::STREAM)
            .and_then(|socket| TcpListener::from_std(socket.into()))
            .map_err(|e| listen_error("HTTP", "--http-port", addr.ip(), addr.port(), e))
    })
}

/// Opens the STUN port on every host.
pub(crate) async fn stun(config: &Config) -> Result<Vec<UdpSocket>, StartError> {
    bind_all(config, config.stun_port, |addr| {
        socket(addr, socket2::Type::DGRAM)
            .and_then(|socket| UdpSocket::from_std(socket.into()))
            .map_err(|e| listen_error("STUN", "--stun-port", addr.ip(), addr.port(), e))
    })
}

/// Listens for WebSocket and TCP, and waits until every listener has an address.
pub(crate) async fn libp2p(
    swarm: &mut Swarm<Behaviour>,
    config: &Config,
    tls: bool,
) -> Result<HashSet<Multiaddr>, StartError> {
    let mut waiting: HashSet<ListenerId> = HashSet::new();
    for (what, flag, port) in
        [("WebSocket", "--ws-port", config.ws_port), ("TCP", "--tcp-port", config.tcp_port)]
    {
        waiting.extend(bind_all(config, port, |addr| {
            // libp2p shares ports (SO_REUSEPORT): a second relay would silently get some of the
            // first one's clients. So whether the port is free is asked without that.
            socket(addr, socket2::Type::STREAM)
                .map_err(|e| listen_error(what, flag, addr.ip(), addr.port(), e))?;
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
        // A listener on all addresses reports them one by one, but those it knows at once.
        while let Some(event) = swarm.select_next_some().now_or_never() {
            if let SwarmEvent::NewListenAddr { address, .. } = event {
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
