//! What getters give: the core's records as plain objects.

use js_sys::Array;
use vivim_node::{
    Connection, Diagnosis, Direction, NodeInfo, PeerInfo, RelayDiagnosis, RelayState, RoomPeer,
    Status, Transport,
};
use vivim_store::DocumentMeta;
use wasm_bindgen::prelude::*;

use crate::js::{object, strings};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r"
export type RawStatus = 'offline' | 'connecting' | 'online' | 'relayed' | 'direct';
export interface RawNodeInfo {
  peerId: string; deviceId: string; multiaddrs: string[]; protocols: string[]; connections: number; status: RawStatus;
}
export interface RawConnection {
  peerId: string; remoteAddr: string; transport: 'webrtc' | 'websocket' | 'tcp'; direct: boolean; relay: boolean;
  direction: 'inbound' | 'outbound'; rtt: number | undefined; bytesSent: number; bytesReceived: number; connectedAt: number;
}
export interface RawPeerInfo { peerId: string; multiaddrs: string[]; protocols: string[]; connected: boolean }
export interface RawDocumentInfo { docId: string; name: string; room: string; kind: string; created: number; opened: number }
export interface RawRoomPeer { peerId: string; connected: boolean; direct: boolean }
export interface RawRelayLimits {
  maxCircuits: number; maxCircuitBytes: number; maxCircuitSecs: number; reservationSecs: number; maxRooms: number;
}
export interface RawRelayDiagnosis {
  address: string; state: 'disconnected' | 'connecting' | 'connected' | 'reserved';
  lastError: string | undefined; limits: RawRelayLimits | undefined;
}
export interface RawDiagnosis {
  relays: RawRelayDiagnosis[]; directPeers: number; relayedPeers: number; failedUpgrades: number;
  lastUpgradeError: string | undefined;
}
";

/// Milliseconds of a second.
const MS: f64 = 1_000.0;

// Counters cross as numbers: 2^53 bytes is more than a connection lives to carry.
#[allow(clippy::cast_precision_loss)]
fn number(value: u64) -> JsValue {
    JsValue::from(value as f64)
}

pub(crate) fn status(status: Status) -> &'static str {
    match status {
        Status::Connecting => "connecting",
        Status::Direct => "direct",
        Status::Online => "online",
        Status::Relayed => "relayed",
        // `Status` is open for more; what isn't known here must not look connected.
        _ => "offline",
    }
}

#[allow(clippy::cast_precision_loss)] // Milliseconds since 1970.
pub(crate) fn document_info(meta: &DocumentMeta) -> JsValue {
    object(&[
        ("docId", meta.doc.to_hex().into()),
        ("name", meta.name.as_str().into()),
        ("room", meta.room.as_str().into()),
        ("kind", meta.kind.as_str().into()),
        ("created", number(meta.created)),
        ("opened", number(meta.opened)),
    ])
}

pub(crate) fn node_info(info: &NodeInfo) -> JsValue {
    object(&[
        ("peerId", info.peer_id.to_string().into()),
        ("deviceId", hex(&info.device_id).into()),
        ("multiaddrs", strings(&info.multiaddrs)),
        ("protocols", strings(&info.protocols)),
        ("connections", info.connections.into()),
        ("status", status(info.status).into()),
    ])
}

pub(crate) fn connections(connections: &[Connection]) -> JsValue {
    connections.iter().map(connection).collect::<Array>().into()
}

fn connection(connection: &Connection) -> JsValue {
    let transport = match connection.transport {
        Transport::Tcp => "tcp",
        Transport::WebRtc => "webrtc",
        // Also what a newer core may add: everything else runs over the relay's socket.
        _ => "websocket",
    };
    let direction = match connection.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    };
    object(&[
        ("peerId", connection.peer.to_string().into()),
        ("remoteAddr", connection.remote_addr.to_string().into()),
        ("transport", transport.into()),
        ("direct", connection.direct.into()),
        ("relay", connection.is_relay.into()),
        ("direction", direction.into()),
        ("rtt", connection.rtt.map(|rtt| rtt.as_secs_f64() * MS).into()),
        ("bytesSent", number(connection.bytes_sent)),
        ("bytesReceived", number(connection.bytes_received)),
        ("connectedAt", number(connection.connected_at_ms)),
    ])
}

pub(crate) fn peer_info(info: &PeerInfo) -> JsValue {
    object(&[
        ("peerId", info.peer.to_string().into()),
        ("multiaddrs", strings(&info.multiaddrs)),
        ("protocols", strings(&info.protocols)),
        ("connected", info.connected.into()),
    ])
}

pub(crate) fn room_peers(peers: &[RoomPeer]) -> JsValue {
    let peer = |peer: &RoomPeer| {
        object(&[
            ("peerId", peer.peer.to_string().into()),
            ("connected", peer.connected.into()),
            ("direct", peer.direct.into()),
        ])
    };
    peers.iter().map(peer).collect::<Array>().into()
}

pub(crate) fn diagnosis(diagnosis: &Diagnosis) -> JsValue {
    object(&[
        ("relays", diagnosis.relays.iter().map(relay).collect::<Array>().into()),
        ("directPeers", diagnosis.direct_peers.into()),
        ("relayedPeers", diagnosis.relayed_peers.into()),
        ("failedUpgrades", number(diagnosis.failed_upgrades)),
        ("lastUpgradeError", diagnosis.last_upgrade_error.as_deref().into()),
    ])
}

fn relay(relay: &RelayDiagnosis) -> JsValue {
    let state = match relay.state {
        RelayState::Connecting => "connecting",
        RelayState::Connected => "connected",
        RelayState::Reserved => "reserved",
        _ => "disconnected",
    };
    let limits = relay.limits.as_ref().map_or(JsValue::UNDEFINED, |limits| {
        object(&[
            ("maxCircuits", limits.max_circuits.into()),
            ("maxCircuitBytes", number(limits.max_circuit_bytes)),
            ("maxCircuitSecs", limits.max_circuit_secs.into()),
            ("reservationSecs", limits.reservation_secs.into()),
            ("maxRooms", limits.max_rooms.into()),
        ])
    });
    object(&[
        ("address", relay.address.to_string().into()),
        ("state", state.into()),
        ("lastError", relay.last_error.as_deref().into()),
        ("limits", limits),
    ])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_id_is_printed_as_hex() {
        assert_eq!(hex(&[0, 15, 16, 255]), "000f10ff");
    }
}
