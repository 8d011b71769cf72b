//! Connections per address, which libp2p doesn't limit: one machine must not take all places.
//!
//! This machine itself isn't limited: behind a proxy on the same machine
//! everybody would share its address.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::IpAddr,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
    },
};

use crate::rate::{Buckets, Rate, limited_prefix};

/// New connections per address: an office, or everybody after a restart, then 16 a second.
pub const NEW_CONNECTIONS: Rate = Rate { burst: 512, interval: Duration::from_millis(62) };

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The address has as many connections as one address may.
    #[error("too many connections from one address")]
    TooMany,
    /// The address opens connections too fast.
    #[error("connections from one address too fast")]
    TooFast,
}

/// See the module.
#[derive(Debug)]
pub struct Behaviour {
    per_ip: u32,
    new: Buckets<IpAddr>,
    established: HashMap<IpAddr, u32>,
}

impl Behaviour {
    /// Allows each address `per_ip` connections.
    pub fn new(per_ip: u32) -> Self {
        Self { per_ip, new: Buckets::new(NEW_CONNECTIONS), established: HashMap::new() }
    }

    fn check(&self, ip: IpAddr) -> Result<(), ConnectionDenied> {
        match self.established.get(&ip) {
            Some(count) if *count >= self.per_ip => Err(ConnectionDenied::new(Refused::TooMany)),
            _ => Ok(()),
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let Some(ip) = limited_prefix(remote) else { return Ok(()) };
        self.check(ip)?;
        if self.new.take(ip, Instant::now()) {
            Ok(())
        } else {
            Err(ConnectionDenied::new(Refused::TooFast))
        }
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if let Some(ip) = limited_prefix(remote) {
            self.check(ip)?;
        }
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(connection) => {
                let remote = connection.endpoint.get_remote_address();
                if let Some(ip) = limited_prefix(remote) {
                    *self.established.entry(ip).or_insert(0) += 1;
                }
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { endpoint, .. }) => {
                if let Some(ip) = limited_prefix(endpoint.get_remote_address())
                    && let Some(count) = self.established.get_mut(&ip)
                {
                    *count -= 1;
                    if *count == 0 {
                        self.established.remove(&ip);
                    }
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pending(behaviour: &mut Behaviour, remote: &str) -> Result<(), String> {
        let local = "/ip4/192.0.2.1/tcp/9000/ws".parse().unwrap();
        behaviour
            .handle_pending_inbound_connection(
                ConnectionId::new_unchecked(1),
                &local,
                &remote.parse().unwrap(),
            )
            .map_err(|denied| denied.downcast::<Refused>().unwrap().to_string())
    }

    #[test]
    fn an_address_that_connects_too_fast_is_refused_and_the_others_are_not() {
        let mut behaviour = Behaviour::new(4);
        for port in 1..=512 {
            assert_eq!(pending(&mut behaviour, &format!("/ip4/192.0.2.9/tcp/{port}/ws")), Ok(()));
        }
        let refused = (0..20).filter(|_| pending(&mut behaviour, "/ip4/192.0.2.9/tcp/9").is_err());
        assert!(refused.count() > 10);
        assert_eq!(pending(&mut behaviour, "/ip4/192.0.2.8/tcp/1"), Ok(()));
    }

    #[test]
    fn this_machine_is_not_limited() {
        let mut behaviour = Behaviour::new(1);
        for _ in 0..10_000 {
            assert_eq!(pending(&mut behaviour, "/ip4/127.0.0.1/tcp/1/ws"), Ok(()));
        }
    }

    #[test]
    fn an_address_with_all_its_connections_gets_no_more_until_one_closes() {
        let mut behaviour = Behaviour::new(2);
        let ip = limited_prefix(&"/ip4/192.0.2.9/tcp/1".parse().unwrap()).unwrap();
        behaviour.established.insert(ip, 2);
        assert_eq!(
            pending(&mut behaviour, "/ip4/192.0.2.9/tcp/1"),
            Err(Refused::TooMany.to_string())
        );
        behaviour.established.insert(ip, 1);
        assert_eq!(pending(&mut behaviour, "/ip4/192.0.2.9/tcp/1"), Ok(()));
    }
}
