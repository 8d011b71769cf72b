//! The table of live connections, and which one of a peer's is the best.

use std::{collections::HashMap, sync::Arc, time::Duration};

use libp2p::{Multiaddr, PeerId, core::ConnectedPoint, multiaddr::Protocol, swarm::ConnectionId};

use crate::{
    event::{Connection, Direction, Transport},
    handle::LiveConnection,
    meter::Counters,
};

/// One live connection.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) peer: PeerId,
    pub(crate) direct: bool,
    pub(crate) outbound: bool,
    pub(crate) rtt: Option<Duration>,
    /// Shared with the tasks that answer pings, to count them.
    pub(crate) pings: Arc<()>,
    remote_addr: Multiaddr,
    transport: Transport,
    bytes: Arc<Counters>,
    connected_at_ms: u64,
    /// Number of the connection in order of establishment.
    order: u64,
}

impl Entry {
    /// Bytes received so far.
    pub(crate) fn received(&self) -> u64 {
        self.bytes.read().1
    }
}

/// All live connections.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    entries: HashMap<ConnectionId, Entry>,
    established: u64,
}

/// What an address says of the connection that was made with it.
fn classify(address: &Multiaddr) -> (Transport, bool) {
    let (mut transport, mut direct) = (Transport::Tcp, true);
    for part in address {
        match part {
            Protocol::P2pCircuit => direct = false,
            // Behind `/webrtc` the relay only carried the signalling.
            Protocol::WebRTC => (transport, direct) = (Transport::WebRtc, true),
            Protocol::WebRTCDirect => transport = Transport::WebRtc,
            Protocol::Ws(_) | Protocol::Wss(_) => transport = Transport::WebSocket,
            _ => {}
        }
    }
    (transport, direct)
}

impl Connections {
    pub(crate) fn insert(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        endpoint: &ConnectedPoint,
        bytes: Arc<Counters>,
    ) -> &Entry {
        let remote_addr = endpoint.get_remote_address().clone();
        // An inbound relayed connection's remote address may be bare; the local one tells.
        let (transport, direct) = match endpoint {
            ConnectedPoint::Dialer { address, .. } => classify(address),
            ConnectedPoint::Listener { local_addr, send_back_addr } => {
                let (remote, remote_direct) = classify(send_back_addr);
                let (local, local_direct) = classify(local_addr);
                match remote == Transport::WebRtc {
                    true => (remote, true),
                    false => (local, local_direct && remote_direct),
                }
            }
        };
        self.established += 1;
        let order = self.established;
        let connected_at_ms = now_ms();
        self.entries.entry(id).or_insert(Entry {
            peer,
            direct,
            outbound: endpoint.is_dialer(),
            rtt: None,
            pings: Arc::default(),
            remote_addr,
            transport,
            bytes,
            connected_at_ms,
            order,
        })
    }

    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<Entry> {
        self.entries.remove(&id)
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    pub(crate) fn is_connected(&self, peer: &PeerId) -> bool {
        self.entries.values().any(|e| e.peer == *peer)
    }

    pub(crate) fn is_direct(&self, peer: &PeerId) -> bool {
        self.entries.values().any(|e| e.peer == *peer && e.direct)
    }

    /// The connection that a new stream to a peer should take: direct before relayed, and the
    /// oldest of these, on which both ends agree while several exist.
    pub(crate) fn best(&self, peer: &PeerId) -> Option<ConnectionId> {
        self.of(peer).min_by_key(|(_, e)| (!e.direct, e.order)).map(|(id, _)| id)
    }

    /// A peer's connections.
    pub(crate) fn of(&self, peer: &PeerId) -> impl Iterator<Item = (ConnectionId, &Entry)> {
        let peer = *peer;
        self.entries.iter().filter(move |(_, e)| e.peer == peer).map(|(id, e)| (*id, e))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &Entry)> {
        self.entries.iter().map(|(id, e)| (*id, e))
    }

    /// What getters show, oldest first.
    pub(crate) fn snapshot(&self, is_relay: impl Fn(&PeerId) -> bool) -> Vec<LiveConnection> {
        let mut entries: Vec<_> = self.entries.values().collect();
        entries.sort_by_key(|e| e.order);
        entries
            .into_iter()
            .map(|e| LiveConnection {
                connection: Connection {
                    peer: e.peer,
                    remote_addr: e.remote_addr.clone(),
                    transport: e.transport,
                    direct: e.direct,
                    is_relay: is_relay(&e.peer),
                    direction: if e.outbound { Direction::Outbound } else { Direction::Inbound },
                    rtt: e.rtt,
                    bytes_sent: 0,
                    bytes_received: 0,
                    connected_at_ms: e.connected_at_ms,
                },
                bytes: e.bytes.clone(),
            })
            .collect()
    }
}

/// Milliseconds since the Unix epoch, for display only.
fn now_ms() -> u64 {
    // web_time's SystemTime works in browsers too; std's does not.
    let elapsed = web_time::SystemTime::now().duration_since(web_time::SystemTime::UNIX_EPOCH);
    elapsed.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_what_a_connection_runs_over() {
        let of = |s: &str| classify(&s.parse().unwrap());
        assert_eq!(of("/ip4/127.0.0.1/tcp/1/ws"), (Transport::WebSocket, true));
        assert_eq!(of("/ip4/127.0.0.1/tcp/1"), (Transport::Tcp, true));
        let circuit = "/ip4/127.0.0.1/tcp/1/ws/p2p/12D3KooWGXBAJMZ6eE4Sh5GGRXr2bGHTKBJ6VhbP7TyPcYU9fbjH/p2p-circuit";
        assert_eq!(of(circuit), (Transport::WebSocket, false));
        assert_eq!(of(&format!("{circuit}/webrtc")), (Transport::WebRtc, true));
        assert_eq!(of("/webrtc"), (Transport::WebRtc, true));
    }
}
