//! The configuration as the facade hands it over: complete, with every default filled in.

use std::collections::BTreeSet;

use js_sys::{Array, Uint8Array};
use vivim_node::{Config, IceServer, Multiaddr, NodeType, PeerId, identity::Keypair};
use wasm_bindgen::prelude::*;

use crate::failure::Failure;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r"
export interface RawIceServer { urls: string[]; username?: string | undefined; credential?: string | undefined }
export interface RawConfig {
  nodeType: 'client' | 'selfhosted';
  bootstrapPeers: string[];
  storePeers: string[];
  enableWebRTC: boolean;
  enableDHT: boolean;
  enableGossipsub: boolean;
  minConnections: number;
  maxConnections: number;
  iceServers: RawIceServer[];
  privateKey?: Uint8Array | undefined;
  deviceId: Uint8Array;
  storage?: string | undefined;
}
";

#[wasm_bindgen]
extern "C" {
    /// A complete configuration.
    #[wasm_bindgen(typescript_type = "RawConfig")]
    #[derive(Debug)]
    pub type RawConfig;

    #[wasm_bindgen(method, getter, structural, js_name = nodeType)]
    fn node_type(this: &RawConfig) -> String;
    #[wasm_bindgen(method, getter, structural, js_name = bootstrapPeers)]
    fn bootstrap_peers(this: &RawConfig) -> Array;
    #[wasm_bindgen(method, getter, structural, js_name = storePeers)]
    fn store_peers(this: &RawConfig) -> Array;
    #[wasm_bindgen(method, getter, structural, js_name = enableWebRTC)]
    fn enable_webrtc(this: &RawConfig) -> bool;
    #[wasm_bindgen(method, getter, structural, js_name = enableDHT)]
    fn enable_dht(this: &RawConfig) -> bool;
    #[wasm_bindgen(method, getter, structural, js_name = enableGossipsub)]
    fn enable_gossipsub(this: &RawConfig) -> bool;
    #[wasm_bindgen(method, getter, structural, js_name = minConnections)]
    fn min_connections(this: &RawConfig) -> u32;
    #[wasm_bindgen(method, getter, structural, js_name = maxConnections)]
    fn max_connections(this: &RawConfig) -> u32;
    #[wasm_bindgen(method, getter, structural, js_name = iceServers)]
    fn ice_servers(this: &RawConfig) -> Array;
    #[wasm_bindgen(method, getter, structural, js_name = privateKey)]
    fn private_key(this: &RawConfig) -> Option<Uint8Array>;
    #[wasm_bindgen(method, getter, structural, js_name = deviceId)]
    pub(crate) fn device_id(this: &RawConfig) -> Uint8Array;
    #[wasm_bindgen(method, getter, structural)]
    pub(crate) fn storage(this: &RawConfig) -> Option<String>;

    #[wasm_bindgen(typescript_type = "RawIceServer")]
    type RawIceServer;
    #[wasm_bindgen(method, getter, structural)]
    fn urls(this: &RawIceServer) -> Array;
    #[wasm_bindgen(method, getter, structural)]
    fn username(this: &RawIceServer) -> Option<String>;
    #[wasm_bindgen(method, getter, structural)]
    fn credential(this: &RawIceServer) -> Option<String>;
}

/// Bytes of an Ed25519 seed.
const SEED: usize = 32;
/// Bytes of a device id.
const DEVICE_ID: usize = 16;

/// The core's configuration, with the identity that it will have.
pub(crate) fn parse(raw: &RawConfig) -> Result<(Config, PeerId), Failure> {
    let keypair = match raw.private_key() {
        Some(key) => parse_key(key.to_vec())?,
        None => Keypair::generate_ed25519(),
    };
    let device_id: [u8; DEVICE_ID] = raw.device_id().to_vec().try_into().map_err(|_| {
        Failure::new("INVALID_CONFIG", format!("a device id has {DEVICE_ID} bytes"))
    })?;
    let mut bootstrap = Vec::new();
    for text in raw.bootstrap_peers().iter().filter_map(|entry| entry.as_string()) {
        bootstrap.push(parse_relay(&text)?);
    }
    let node_type = match raw.node_type().as_str() {
        "selfhosted" => NodeType::SelfHosted,
        _ => NodeType::Client,
    };
    let peer_id = keypair.public().to_peer_id();
    let config = Config::default()
        .node_type(node_type)
        .keypair(keypair)
        .device_id(device_id)
        .bootstrap(bootstrap)
        .webrtc(raw.enable_webrtc())
        .dht(raw.enable_dht())
        .gossipsub(raw.enable_gossipsub())
        .connections(raw.min_connections() as usize, raw.max_connections() as usize)
        .ice_servers(raw.ice_servers().iter().map(|server| ice_server(server.unchecked_ref())));
    Ok((config, peer_id))
}

/// Who keeps documents for others.
pub(crate) fn keepers(raw: &RawConfig) -> Result<BTreeSet<PeerId>, Failure> {
    raw.store_peers().iter().filter_map(|id| id.as_string()).map(|id| parse_peer(&id)).collect()
}

/// A multiaddr, or a sentence that says what is wrong with it.
pub(crate) fn parse_address(text: &str) -> Result<Multiaddr, Failure> {
    text.trim().parse().map_err(|error| Failure::address(text, error))
}

/// An address to stay connected to: without the peer id anybody could answer in its name.
fn parse_relay(text: &str) -> Result<Multiaddr, Failure> {
    let address = parse_address(text)?;
    match address.to_string().rsplit('/').nth(1) {
        Some("p2p") => Ok(address),
        _ => Err(Failure::address(
            text,
            "a bootstrap address ends in /p2p/<peer id>; copy the relay's address whole",
        )),
    }
}

/// A peer id.
pub(crate) fn parse_peer(text: &str) -> Result<PeerId, Failure> {
    text.trim().parse().map_err(|_| {
        Failure::new("INVALID_PEER_ID", format!("{text:?} is not a peer id (12D3Koo… or Qm…)"))
    })
}

fn parse_key(mut key: Vec<u8>) -> Result<Keypair, Failure> {
    let keypair = if key.len() == SEED {
        Keypair::ed25519_from_bytes(&mut key)
    } else {
        Keypair::from_protobuf_encoding(&key)
    };
    // What was wrong with a secret is nobody's business but its owner's: no details.
    keypair.map_err(|_| {
        Failure::new(
            "INVALID_KEY",
            "privateKey must be a 32-byte Ed25519 seed or a libp2p private key in protobuf form",
        )
    })
}

fn ice_server(raw: &RawIceServer) -> IceServer {
    IceServer {
        urls: raw.urls().iter().filter_map(|url| url.as_string()).collect(),
        username: raw.username(),
        credential: raw.credential(),
    }
}
