//! `/webrtc` multiaddrs: taking them apart and telling direct from relayed.

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

/// What a `/webrtc` address says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebRtcAddr {
    /// The peer to reach: the last `/p2p` component.
    pub peer: PeerId,
    /// The address of a relayed connection to that peer, when the address names one
    /// (`/…/p2p-circuit/webrtc/p2p/X`). The bare form `/webrtc/p2p/X` relies on a relayed
    /// connection that exists already.
    pub relayed: Option<Multiaddr>,
}

/// Why an address is not one of this transport.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddrError {
    /// There is no `/webrtc` component after the last `/p2p-circuit`: another transport's address.
    #[error("not a /webrtc address")]
    NotWebRtc,
    /// The address does not end in `/p2p/<peer id>`. Add the peer to reach.
    #[error("a /webrtc address must end in /p2p/<peer id>")]
    MissingPeer,
    /// There is something else after `/webrtc` than the peer id.
    #[error("only /p2p/<peer id> may follow /webrtc")]
    TrailingComponents,
    /// The part before `/webrtc` does not end in `/p2p-circuit`, so it names no relayed connection.
    #[error("the part before /webrtc must be a circuit address")]
    NotACircuit,
}

impl WebRtcAddr {
    /// Takes `/…/p2p-circuit/webrtc/p2p/X` or `/webrtc/p2p/X` apart.
    pub fn parse(addr: &Multiaddr) -> Result<Self, AddrError> {
        if !ends_in_webrtc(addr) {
            return Err(AddrError::NotWebRtc);
        }
        let mut before = Multiaddr::empty();
        let mut after = Vec::new();
        let mut seen = false;
        for part in addr.iter() {
            match part {
                Protocol::WebRTC if !seen => seen = true,
                part if seen => after.push(part),
                part => before.push(part),
            }
        }
        let peer = match after.as_slice() {
            [Protocol::P2p(peer)] => *peer,
            [] => return Err(AddrError::MissingPeer),
            _ => return Err(AddrError::TrailingComponents),
        };
        let relayed = match before.iter().last() {
            None => None,
            Some(Protocol::P2pCircuit) => Some(before.with(Protocol::P2p(peer))),
            // Some addresses name the peer on both sides of `/webrtc`.
            Some(Protocol::P2p(named))
                if named == peer && before.iter().any(|p| p == Protocol::P2pCircuit) =>
            {
                Some(before)
            }
            Some(_) => return Err(AddrError::NotACircuit),
        };
        Ok(Self { peer, relayed })
    }
}

/// The bare address of a peer: "over WebRTC, by whatever relayed connection there is".
pub fn bare(peer: PeerId) -> Multiaddr {
    Multiaddr::from(Protocol::WebRTC).with(Protocol::P2p(peer))
}

/// The address that this node listens on for `/webrtc`.
pub fn listen() -> Multiaddr {
    Multiaddr::from(Protocol::WebRTC)
}

/// The `/webrtc` form of a reservation's address, `/…/p2p-circuit[/p2p/X]`, if it is one.
pub fn of_reservation(addr: &Multiaddr, local: PeerId) -> Option<Multiaddr> {
    let mut addr = addr.clone();
    if let Some(Protocol::P2p(peer)) = addr.iter().last() {
        if peer != local {
            return None;
        }
        addr.pop();
    }
    (addr.iter().last() == Some(Protocol::P2pCircuit))
        .then(|| addr.with(Protocol::WebRTC).with(Protocol::P2p(local)))
}

/// The part of a relayed connection's address up to and with `/p2p-circuit`.
pub(crate) fn circuit(addr: &Multiaddr) -> Multiaddr {
    let mut circuit = Multiaddr::empty();
    for part in addr {
        let last = part == Protocol::P2pCircuit;
        circuit.push(part);
        if last {
            break;
        }
    }
    circuit
}

/// Whether data on a connection with this address goes straight to the peer.
///
/// libp2p's `ConnectedPoint::is_relayed` calls every address with `/p2p-circuit` relayed, but a
/// connection dialed by `/…/p2p-circuit/webrtc/p2p/X` used the relay for its signaling only.
pub fn is_direct(addr: &Multiaddr) -> bool {
    ends_in_webrtc(addr) || !addr.iter().any(|part| part == Protocol::P2pCircuit)
}

/// Whether the last of `/p2p-circuit` and `/webrtc` in an address is `/webrtc`.
pub(crate) fn ends_in_webrtc(addr: &Multiaddr) -> bool {
    addr.iter().fold(false, |webrtc, part| match part {
        Protocol::WebRTC => true,
        Protocol::P2pCircuit => false,
        _ => webrtc,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: &str = "/dns4/relay.example/tcp/443/tls/ws/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/p2p-circuit";
    const X: &str = "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X";

    fn addr(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_circuit_address_splits_into_relayed_and_peer() {
        let parsed = WebRtcAddr::parse(&addr(&format!("{RELAY}/webrtc/p2p/{X}"))).unwrap();
        assert_eq!(parsed.peer.to_string(), X);
        assert_eq!(parsed.relayed, Some(addr(&format!("{RELAY}/p2p/{X}"))));
    }

    #[test]
    fn the_bare_form_names_no_relayed_connection() {
        let parsed = WebRtcAddr::parse(&addr(&format!("/webrtc/p2p/{X}"))).unwrap();
        assert_eq!(parsed, WebRtcAddr { peer: X.parse().unwrap(), relayed: None });
        assert_eq!(bare(parsed.peer), addr(&format!("/webrtc/p2p/{X}")));
    }

    #[test]
    fn other_addresses_are_told_apart() {
        for (text, error) in [
            (format!("{RELAY}/p2p/{X}"), AddrError::NotWebRtc),
            (format!("{RELAY}/webrtc"), AddrError::MissingPeer),
            (format!("/webrtc/tcp/1/p2p/{X}"), AddrError::TrailingComponents),
            (format!("/ip4/1.2.3.4/tcp/1/webrtc/p2p/{X}"), AddrError::NotACircuit),
            (format!("/ip4/1.2.3.4/tcp/1/ws/p2p/{X}"), AddrError::NotWebRtc),
            (format!("/ip4/1.2.3.4/udp/1/webrtc-direct/p2p/{X}"), AddrError::NotWebRtc),
        ] {
            assert_eq!(WebRtcAddr::parse(&addr(&text)), Err(error), "{text}");
        }
    }

    #[test]
    fn a_connection_that_only_signals_over_the_relay_is_direct() {
        assert!(is_direct(&addr(&format!("{RELAY}/webrtc/p2p/{X}"))));
        assert!(is_direct(&addr(&format!("/webrtc/p2p/{X}"))));
        assert!(is_direct(&addr("/ip4/1.2.3.4/tcp/1")));
        assert!(!is_direct(&addr(&format!("{RELAY}/p2p/{X}"))));
    }

    #[test]
    fn a_reservation_is_announced_in_its_webrtc_form() {
        let local = X.parse().unwrap();
        let expected = addr(&format!("{RELAY}/webrtc/p2p/{X}"));
        let reservation = addr(&format!("{RELAY}/p2p/{X}"));
        assert_eq!(of_reservation(&reservation, local).as_ref(), Some(&expected));
        assert_eq!(of_reservation(&addr(RELAY), local).as_ref(), Some(&expected));
        assert_eq!(of_reservation(&addr("/ip4/1.2.3.4/tcp/1"), local), None);
        assert_eq!(of_reservation(&expected, local), None);
    }
}
