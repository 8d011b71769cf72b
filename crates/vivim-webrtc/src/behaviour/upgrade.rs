//! When to dial a direct connection, and which connections to close: a machine without IO.

use std::{collections::HashMap, time::Duration};

use libp2p::{PeerId, swarm::ConnectionId};
use web_time::Instant;

use crate::limits::{GLARE_WINDOW, MAX_REMEMBERED_PEERS, OPEN_TIMEOUT};

/// Something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// A direct dial, of this machine or of the application, failed.
    DialFailed(PeerId),
    /// A direct connection is up.
    DirectUp { peer: PeerId, connection: ConnectionId, dialed: bool },
    /// A connection, of either kind, is closed.
    Down { peer: PeerId, connection: ConnectionId },
    /// A direct connection was seen to work.
    Proven { peer: PeerId, connection: ConnectionId },
    /// A relayed connection is up.
    RelayedUp { peer: PeerId, connection: ConnectionId, dialed: bool },
    /// The transport asked for a signaling stream.
    Requested(PeerId),
    /// The application wants an attempt now.
    Retry(PeerId),
    /// Time has passed.
    Timeout,
    /// The peer does not speak signaling.
    Unsupported(PeerId),
}

/// Something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Close a connection.
    Close(PeerId, ConnectionId),
    /// Dial the bare `/webrtc` address.
    Dial(PeerId),
    /// An attempt of this machine failed; the next is due after this time.
    Failed(PeerId, Duration),
}

#[derive(Debug)]
struct Direct {
    connection: ConnectionId,
    dialed: bool,
    since: Instant,
    proven: bool,
}

#[derive(Debug, Default)]
struct Peer {
    /// Connections, and whether this side dialed them.
    relayed: Vec<(ConnectionId, bool)>,
    direct: Vec<Direct>,
    /// A dial of this machine is under way.
    dialing: bool,
    /// The application dials; until then this machine stays out of the way.
    explicit: Option<Instant>,
    /// Attempts that failed in a row.
    failures: u32,
    not_before: Option<Instant>,
    unsupported: bool,
    close_relayed_at: Option<Instant>,
}

impl Peer {
    /// When the next attempt is due, if one is wanted.
    fn due(&self, now: Instant) -> Option<Instant> {
        let wanted = self.relayed.iter().any(|(_, dialed)| *dialed)
            && self.direct.is_empty()
            && !self.dialing
            && !self.unsupported;
        wanted.then(|| now.max(self.not_before.unwrap_or(now)).max(self.explicit.unwrap_or(now)))
    }

    fn is_forgettable(&self) -> bool {
        self.relayed.is_empty()
            && self.direct.is_empty()
            && !self.dialing
            && self.explicit.is_none()
    }
}

/// The settings of the machine.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) auto: bool,
    /// How long after a relayed connection the first attempt waits.
    pub(crate) delay: Duration,
    pub(crate) backoff: (Duration, Duration),
    pub(crate) close_relayed_after: Option<Duration>,
    pub(crate) session_timeout: Duration,
}

/// The machine.
#[derive(Debug)]
pub(crate) struct Upgrades {
    local: PeerId,
    settings: Settings,
    peers: HashMap<PeerId, Peer>,
    random: u64,
}

impl Upgrades {
    pub(crate) fn new(local: PeerId, settings: Settings, seed: u64) -> Self {
        Self { local, settings, peers: HashMap::new(), random: seed }
    }

    /// The newest relayed connection to a peer.
    pub(crate) fn relayed(&self, peer: &PeerId) -> Option<ConnectionId> {
        self.peers.get(peer)?.relayed.last().map(|(connection, _)| *connection)
    }

    /// The direct connections to a peer, oldest first.
    pub(crate) fn direct(&self, peer: &PeerId) -> impl Iterator<Item = ConnectionId> {
        self.peers.get(peer).into_iter().flat_map(|peer| &peer.direct).map(|d| d.connection)
    }

    /// When to feed [`Input::Timeout`].
    pub(crate) fn timeout(&self, now: Instant) -> Option<Instant> {
        let due = |peer: &Peer| self.settings.auto.then(|| peer.due(now)).flatten();
        let times = self.peers.values().flat_map(|peer| [due(peer), peer.close_relayed_at]);
        times.flatten().min()
    }

    /// Takes what happened and says what to do.
    #[must_use]
    pub(crate) fn handle(&mut self, input: Input, now: Instant) -> Vec<Output> {
        let mut outputs = Vec::new();
        match input {
            Input::DialFailed(id) => self.on_dial_failed(id, now, &mut outputs),
            Input::DirectUp { peer, connection, dialed } => {
                self.on_direct_up(peer, connection, dialed, now, &mut outputs);
            }
            Input::Down { peer, connection } => self.on_down(peer, connection, now),
            Input::Proven { peer, connection } => self.on_proven(peer, connection, now),
            Input::RelayedUp { peer, connection, dialed } => {
                let first = now + self.settings.delay;
                let peer = self.peer(peer);
                peer.relayed.push((connection, dialed));
                peer.not_before = peer.not_before.max(Some(first));
            }
            Input::Requested(id) => {
                let until = now + OPEN_TIMEOUT + self.settings.session_timeout;
                let peer = self.peer(id);
                if !peer.dialing {
                    peer.explicit = Some(until);
                }
            }
            Input::Retry(id) => {
                if let Some(peer) = self.peers.get_mut(&id) {
                    (peer.failures, peer.not_before, peer.unsupported) = (0, None, false);
                }
            }
            Input::Timeout => {}
            Input::Unsupported(id) => self.peer(id).unsupported = true,
        }
        self.settle(now, &mut outputs);
        outputs
    }

    fn on_direct_up(
        &mut self,
        id: PeerId,
        connection: ConnectionId,
        dialed: bool,
        now: Instant,
        outputs: &mut Vec<Output>,
    ) {
        let keep_dialed = self.local < id;
        let peer = self.peer(id);
        if dialed {
            peer.dialing = false;
            peer.explicit = None;
        }
        // Both sides dialed at once. Both see the same two connections and keep the one that the
        // smaller peer id dialed.
        let rival = peer
            .direct
            .iter()
            .find(|other| other.dialed != dialed && now.duration_since(other.since) < GLARE_WINDOW)
            .map(|other| other.connection);
        if let Some(rival) = rival {
            let loser = if dialed == keep_dialed { rival } else { connection };
            outputs.push(Output::Close(id, loser));
        }
        peer.direct.push(Direct { connection, dialed, since: now, proven: false });
    }

    fn on_down(&mut self, id: PeerId, connection: ConnectionId, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.relayed.retain(|(other, _)| *other != connection);
        let Some(index) = peer.direct.iter().position(|d| d.connection == connection) else {
            return;
        };
        let direct = peer.direct.remove(index);
        if !peer.direct.is_empty() {
            return;
        }
        peer.close_relayed_at = None;
        // A connection that never worked counts as a failed attempt.
        peer.failures = if direct.proven { 0 } else { peer.failures + 1 };
        let wait = self.backoff(id);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.not_before = Some(now + wait);
        }
    }

    fn on_proven(&mut self, id: PeerId, connection: ConnectionId, now: Instant) {
        let close_at = self.settings.close_relayed_after.map(|time| now + time);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(direct) = peer.direct.iter_mut().find(|d| d.connection == connection) else {
            return;
        };
        direct.proven = true;
        (peer.failures, peer.not_before) = (0, None);
        peer.close_relayed_at = close_at;
    }

    fn on_dial_failed(&mut self, id: PeerId, now: Instant, outputs: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.explicit = None;
        let ours = std::mem::take(&mut peer.dialing);
        peer.failures += 1;
        let wait = self.backoff(id);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.not_before = Some(now + wait);
            if ours {
                outputs.push(Output::Failed(id, wait));
            }
        }
    }

    /// Does what time alone decides.
    fn settle(&mut self, now: Instant, outputs: &mut Vec<Output>) {
        for (id, peer) in &mut self.peers {
            if peer.explicit.is_some_and(|until| until <= now) {
                peer.explicit = None;
            }
            if self.settings.auto && peer.due(now).is_some_and(|due| due <= now) {
                peer.dialing = true;
                outputs.push(Output::Dial(*id));
            }
            if peer.close_relayed_at.is_some_and(|at| at <= now) {
                peer.close_relayed_at = None;
                if peer.direct.iter().any(|direct| direct.proven) {
                    let dialed = peer.relayed.iter().filter(|(_, dialed)| *dialed);
                    outputs.extend(dialed.map(|(connection, _)| Output::Close(*id, *connection)));
                }
            }
        }
        let remember = self.peers.len() <= MAX_REMEMBERED_PEERS;
        self.peers.retain(|_, peer| {
            let backing_off = remember && peer.not_before.is_some_and(|time| time > now);
            backing_off || !peer.is_forgettable()
        });
    }

    /// The first wait doubled for each failure, and of that between one half and all.
    fn backoff(&mut self, id: PeerId) -> Duration {
        let (first, max) = self.settings.backoff;
        let failures = self.peers.get(&id).map_or(0, |peer| peer.failures.saturating_sub(1));
        let wait =
            first.saturating_mul(1u32.checked_shl(failures.min(31)).unwrap_or(u32::MAX)).min(max);
        // A plain linear congruential step: this only keeps peers from moving in step.
        self.random =
            self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let half = u32::try_from(self.random >> 33).unwrap_or(0);
        wait / 2 + (wait / 2).mul_f64(f64::from(half) / f64::from(1u32 << 31))
    }

    fn peer(&mut self, id: PeerId) -> &mut Peer {
        self.peers.entry(id).or_default()
    }
}

/// A seed that differs between processes, for [`Upgrades::new`].
pub(crate) fn seed() -> u64 {
    // Without randomness there is no key and no peer id either; nothing secret depends on this.
    getrandom::u64().unwrap_or_default()
}

#[cfg(test)]
mod tests;
