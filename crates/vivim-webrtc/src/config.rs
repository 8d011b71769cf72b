//! Settings of the transport.

use std::time::Duration;

use crate::limits;

/// A STUN or TURN server for the browser's ICE agent.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    pub(crate) urls: Vec<String>,
    pub(crate) credentials: Option<(String, String)>,
}

impl IceServer {
    /// A server that needs no credentials, such as `stun:relay.example:3478`.
    pub fn new(url: impl Into<String>) -> Self {
        Self { urls: vec![url.into()], credentials: None }
    }

    /// Adds the user name and password that a TURN server asks for.
    pub fn credentials(mut self, username: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some((username.into(), password.into()));
        self
    }

    /// Adds another address of the same server.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }
}

impl std::fmt::Debug for IceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the password.
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .field("credentials", &self.credentials.is_some())
            .finish()
    }
}

/// Settings of the transport and its behaviour. Every setter has a default that is right for most.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) ice_servers: Vec<IceServer>,
    pub(crate) accept_inbound: bool,
    pub(crate) auto_upgrade: bool,
    pub(crate) announce: bool,
    pub(crate) upgrade_delay: Duration,
    pub(crate) close_relayed_after: Option<Duration>,
    pub(crate) session_timeout: Duration,
    pub(crate) max_connections: usize,
    pub(crate) max_inbound_sessions: usize,
    pub(crate) backoff: (Duration, Duration),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ice_servers: Vec::new(),
            accept_inbound: true,
            auto_upgrade: true,
            announce: true,
            upgrade_delay: Duration::ZERO,
            close_relayed_after: None,
            session_timeout: limits::SESSION_TIMEOUT,
            max_connections: limits::MAX_CONNECTIONS,
            max_inbound_sessions: limits::MAX_INBOUND_SESSIONS,
            backoff: limits::UPGRADE_BACKOFF,
        }
    }
}

impl Config {
    /// The default settings: no ICE servers (enough on one machine or network), everything
    /// automatic, relayed connections left open.
    pub fn new() -> Self {
        Self::default()
    }

    /// STUN and TURN servers. Default: none. More than four slow ICE down.
    pub fn ice_servers(mut self, servers: impl IntoIterator<Item = IceServer>) -> Self {
        self.ice_servers = servers.into_iter().collect();
        self
    }

    /// Whether to listen on `/webrtc` and answer offers. Default: yes.
    pub fn accept_inbound(mut self, accept: bool) -> Self {
        self.accept_inbound = accept;
        self
    }

    /// Whether to dial `/webrtc/p2p/X` as soon as a relayed connection to X that this side
    /// dialed is up, and again with backoff when that fails. Default: yes.
    pub fn auto_upgrade(mut self, upgrade: bool) -> Self {
        self.auto_upgrade = upgrade;
        self
    }

    /// How long the automatic upgrade waits after the relayed connection is up, so that what is
    /// urgent can use that one first; [`Behaviour::retry`](crate::Behaviour::retry) ends the wait.
    /// Dials of the application don't wait. Default: not at all.
    pub fn upgrade_delay(mut self, delay: Duration) -> Self {
        self.upgrade_delay = delay;
        self
    }

    /// Whether to confirm `…/p2p-circuit/webrtc/p2p/self` as an external address for each
    /// reservation, so that identify tells peers of it. Default: yes.
    pub fn announce(mut self, announce: bool) -> Self {
        self.announce = announce;
        self
    }

    /// Closes the relayed connections that this side dialed to a peer so long after a direct one
    /// has proved itself ([`Event::DirectProven`](crate::Event::DirectProven)). Default: `None`,
    /// which leaves them to their owner and to the swarm's idle timeout.
    pub fn close_relayed_after(mut self, time: Option<Duration>) -> Self {
        self.close_relayed_after = time;
        self
    }

    /// Time for one session, from the offer to a usable connection. Default: 20 s.
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.session_timeout = timeout;
        self
    }

    /// Peer connections alive at once, being established included. Default: 64, at most 256
    /// (browsers fail at 500 in a process, and count those not collected yet).
    pub fn max_connections(mut self, max: usize) -> Self {
        self.max_connections = max.min(256);
        self
    }

    /// Offers of remote peers being answered at once. Default: 8.
    pub fn max_inbound_sessions(mut self, max: usize) -> Self {
        self.max_inbound_sessions = max;
        self
    }

    /// First and largest time between upgrade attempts to one peer. Default: 2 s and 5 min.
    pub fn upgrade_backoff(mut self, first: Duration, max: Duration) -> Self {
        self.backoff = (first, max.max(first));
        self
    }
}
