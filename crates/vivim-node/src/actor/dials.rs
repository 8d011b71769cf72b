//! Dials that the application waits for.

use std::collections::HashMap;

use libp2p::{
    Multiaddr, PeerId, TransportError,
    multiaddr::Protocol,
    swarm::{
        ConnectionId, DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};

use super::{Actor, timers::Timer};
use crate::{
    command::Reply,
    error::{CommandError, ConnectError},
    limits, platform,
};

/// Pending dials by the connection that they will become.
pub(super) type Dials = HashMap<ConnectionId, Reply<PeerId, ConnectError>>;

/// The peer that an address leads to: the one named last, unless a transport follows it.
pub(super) fn target(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

impl Actor {
    #[inline(never)]
    pub(super) fn connect(&mut self, address: Multiaddr, reply: Reply<PeerId, ConnectError>) {
        let peer = target(&address);
        if peer == Some(self.peer_id) {
            let _ = reply.send(Err(ConnectError::Own));
            return;
        }
        if !platform::can_dial(&address) {
            let _ = reply.send(Err(ConnectError::UnsupportedAddress(address)));
            return;
        }
        if self.dials.len() >= limits::MAX_PENDING {
            let _ = reply.send(Err(ConnectError::Unreachable(format!(
                "{} dials are pending already",
                limits::MAX_PENDING
            ))));
            return;
        }
        if let Some(peer) = peer {
            self.explicit.insert(peer);
            let wants_direct = address.iter().any(|p| matches!(p, Protocol::WebRTC));
            if self.connections.is_direct(&peer)
                || (!wants_direct && self.connections.is_connected(&peer))
            {
                self.want_link(peer);
                let _ = reply.send(Ok(peer));
                return;
            }
        }
        let opts = match peer {
            Some(peer) => DialOpts::peer_id(peer)
                .addresses(vec![address.clone()])
                .condition(PeerCondition::Always)
                .build(),
            None => DialOpts::unknown_peer_id().address(address.clone()).build(),
        };
        let id = opts.connection_id();
        match self.swarm.dial(opts) {
            Ok(()) => {
                self.dials.insert(id, reply);
                self.timers.after(limits::DIAL_TIMEOUT, Timer::DialTimeout(id));
            }
            Err(error) => {
                let _ = reply.send(Err(connect_error(&error, peer, &address)));
            }
        }
    }

    pub(super) fn on_dial_timeout(&mut self, id: ConnectionId) {
        if let Some(reply) = self.dials.remove(&id) {
            let timeout = CommandError::Timeout(limits::DIAL_TIMEOUT);
            let _ = reply.send(Err(timeout.into()));
        }
    }

    /// Dials a peer for our own ends, unless connected or dialling.
    pub(super) fn dial_peer(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) -> bool {
        let opts = DialOpts::peer_id(peer)
            .addresses(addresses)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .build();
        self.swarm.dial(opts).is_ok()
    }
}

/// What a failed dial means for who asked for it.
pub(super) fn connect_error(
    error: &DialError,
    peer: Option<PeerId>,
    address: &Multiaddr,
) -> ConnectError {
    match error {
        DialError::WrongPeerId { obtained, .. } => match peer {
            Some(expected) => ConnectError::WrongPeer { expected, obtained: *obtained },
            None => ConnectError::Unreachable("another peer answered".to_owned()),
        },
        DialError::LocalPeerId { .. } => ConnectError::Own,
        DialError::Transport(errors)
            if errors
                .iter()
                .all(|(_, e)| matches!(e, TransportError::MultiaddrNotSupported(_))) =>
        {
            ConnectError::UnsupportedAddress(address.clone())
        }
        other => ConnectError::Unreachable(reasons(other)),
    }
}

/// The innermost messages of a dial error: the outer ones only repeat that there was an error.
pub(super) fn reasons(error: &DialError) -> String {
    let DialError::Transport(errors) = error else { return error.to_string() };
    let mut reasons: Vec<String> = errors
        .iter()
        .map(|(_, error)| {
            let mut innermost: &dyn std::error::Error = error;
            while let Some(source) = innermost.source() {
                innermost = source;
            }
            innermost.to_string()
        })
        .collect();
    reasons.dedup();
    reasons.join("; ")
}
