//! The state machine of one room.

use std::time::Duration;

use rand::{Rng, RngCore};

use crate::{
    SortedMap,
    limits::{
        MAX_GOSSIP_PAYLOAD, MAX_MEMBERS, NEIGHBOURS, REDIAL_MAX, REDIAL_MIN, STREAMS_ROOM,
        STREAMS_ROOM_AGAIN, SUMMARY_NEIGHBOURS, SUMMARY_ROUND, SUMMARY_ROUND_JITTER, SUMMARY_SOON,
    },
    time::Timestamp,
};

/// Decides whom to connect to in one room, and how to send there.
///
/// `P` is a peer; its order makes seeded runs repeat. The driver tells it what happens by
/// [`handle`](Self::handle) and asks [`route`](Self::route) for each update.
#[derive(Debug)]
pub struct Room<P> {
    own: P,
    mode: Mode,
    members: SortedMap<P, Member>,
    next_round: Option<Timestamp>,
}

/// Something that happened in the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<P> {
    /// A connection to a peer is there, whoever dialled.
    Connected(P),
    /// The last connection to a peer has gone, or dialling it failed.
    Disconnected(P),
    /// An update came that is too large for gossip: others can only get it by streams, so
    /// summaries should go out soon.
    LargeUpdate,
    /// A peer is in the room, by the directory or because it opened a document of the room.
    PeerJoined(P),
    /// A peer is in the room no longer.
    PeerLeft(P),
    /// The time of [`Room::poll_timeout`] has come.
    Timeout,
}

/// Something for the driver to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Output<P> {
    /// Connect to a peer, then tell with [`Input::Connected`] or [`Input::Disconnected`].
    Connect(P),
    /// The room is in another mode now.
    Mode(Mode),
    /// Exchange summaries of all documents of the room with a peer.
    Resummarize(P),
}

/// How updates travel in the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Once, on the room's topic.
    Gossip,
    /// To every member, by its sync stream.
    Streams,
}

/// How one update or awareness update is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// Publish it once.
    Gossip,
    /// By the sync streams of all connected members.
    Streams,
    /// By the sync streams of the connected [`Room::neighbours`].
    Neighbours,
}

#[derive(Debug)]
struct Member {
    connected: bool,
    neighbour: bool,
    /// The wait before the next dial, if the last one failed.
    backoff: Duration,
    redial_at: Option<Timestamp>,
}

impl<P: Clone + Ord> Room<P> {
    /// A room in which one is alone.
    pub fn new(own: P) -> Self {
        Self { own, mode: Mode::Streams, members: SortedMap::new(), next_round: None }
    }

    /// Something happened.
    pub fn handle(
        &mut self,
        input: Input<P>,
        now: Timestamp,
        rng: &mut impl RngCore,
    ) -> Vec<Output<P>> {
        let mut out = Vec::new();
        match input {
            Input::Connected(peer) => {
                if let Some(member) = self.members.get_mut(&peer) {
                    member.connected = true;
                    member.backoff = Duration::ZERO;
                    member.redial_at = None;
                }
            }
            Input::Disconnected(peer) => self.handle_disconnected(&peer, now, rng),
            Input::LargeUpdate => self.hurry(now, rng),
            Input::PeerJoined(peer) => {
                if peer != self.own && self.members.len() < MAX_MEMBERS {
                    self.members.get_or_insert_with(peer, || Member {
                        connected: false,
                        neighbour: false,
                        backoff: Duration::ZERO,
                        redial_at: None,
                    });
                }
            }
            Input::PeerLeft(peer) => {
                if self.members.remove(&peer).is_some_and(|member| member.connected) {
                    self.compare_after_loss(now, rng);
                }
            }
            Input::Timeout => {}
        }
        self.update_mode(now, rng, &mut out);
        self.fill_neighbours(now, rng, &mut out);
        self.redial(now, &mut out);
        self.round(now, rng, &mut out);
        out
    }

    /// When to pass [`Input::Timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let redial = self.members.values().filter(|m| m.neighbour).filter_map(|m| m.redial_at);
        redial.chain(self.next_round).min()
    }

    /// How to send an update or awareness update of this many bytes.
    pub fn route(&self, payload_len: usize) -> Route {
        match self.mode {
            Mode::Streams => Route::Streams,
            Mode::Gossip if payload_len <= MAX_GOSSIP_PAYLOAD => Route::Gossip,
            Mode::Gossip => Route::Neighbours,
        }
    }

    /// How updates travel now.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The peers to be connected to, connected or not.
    pub fn neighbours(&self) -> impl Iterator<Item = &P> + '_ {
        self.members.iter().filter(|(_, member)| member.neighbour).map(|(peer, _)| peer)
    }

    /// The other members, connected or not.
    pub fn members(&self) -> impl Iterator<Item = &P> + '_ {
        self.members.keys()
    }

    /// Whether a peer is known to be in the room.
    pub fn is_member(&self, peer: &P) -> bool {
        self.members.contains_key(peer)
    }

    fn handle_disconnected(&mut self, peer: &P, now: Timestamp, rng: &mut impl RngCore) {
        let gossip = self.mode == Mode::Gossip;
        let Some(member) = self.members.get_mut(peer) else { return };
        let was_connected = std::mem::take(&mut member.connected);
        // At first soon, since most connections are lost to a change of network; up to a half more,
        // so that a whole room doesn't dial one peer at the same moment.
        member.backoff = (member.backoff * 2).clamp(REDIAL_MIN, REDIAL_MAX);
        member.redial_at = Some(now + jittered(member.backoff, rng));
        if gossip {
            // Another one will do as well, and is more likely to be there.
            member.neighbour = false;
        }
        if was_connected {
            self.compare_after_loss(now, rng);
        }
    }

    /// A member's streams have broken. Its last changes may have reached some of us and not others,
    /// and perhaps it doesn't have them itself any more: those who stay must compare.
    fn compare_after_loss(&mut self, now: Timestamp, rng: &mut impl RngCore) {
        // With gossip the next round is never far.
        if self.mode == Mode::Streams {
            self.hurry(now, rng);
        }
    }

    fn update_mode(&mut self, now: Timestamp, rng: &mut impl RngCore, out: &mut Vec<Output<P>>) {
        let size = self.members.len() + 1;
        let mode = match self.mode {
            Mode::Streams if size > STREAMS_ROOM => Mode::Gossip,
            Mode::Gossip if size <= STREAMS_ROOM_AGAIN => Mode::Streams,
            unchanged => unchanged,
        };
        if mode == self.mode {
            return;
        }
        self.mode = mode;
        out.push(Output::Mode(mode));
        // Updates may have been lost in the change, in either direction.
        self.hurry(now, rng);
    }

    /// Chooses neighbours at random where there are too few; those that are stay.
    fn fill_neighbours(
        &mut self,
        now: Timestamp,
        rng: &mut impl RngCore,
        out: &mut Vec<Output<P>>,
    ) {
        let mut free = NEIGHBOURS.saturating_sub(self.neighbours().count());
        // Whoever is connected anyway (it chose us) costs nothing; who failed lately comes last.
        let mut candidates: Vec<_> = self
            .members
            .iter_mut()
            .filter(|(_, member)| !member.neighbour)
            .map(|(peer, member)| {
                let failed = !member.connected && member.redial_at.is_some_and(|at| at > now);
                (failed, rng.next_u64(), peer, member)
            })
            .collect();
        candidates.sort_by_key(|(failed, draw, ..)| (*failed, *draw));
        for (failed, _, peer, member) in candidates {
            if free == 0 {
                break;
            }
            free -= 1;
            member.neighbour = true;
            if !member.connected && !failed {
                member.redial_at = None;
                out.push(Output::Connect(peer.clone()));
            }
        }
    }

    fn redial(&mut self, now: Timestamp, out: &mut Vec<Output<P>>) {
        for (peer, member) in self.members.iter_mut() {
            if member.neighbour && !member.connected && member.redial_at.is_some_and(|at| at <= now)
            {
                member.redial_at = None;
                out.push(Output::Connect(peer.clone()));
            }
        }
    }

    fn round(&mut self, now: Timestamp, rng: &mut impl RngCore, out: &mut Vec<Output<P>>) {
        let Some(at) = self.next_round else { return };
        if at > now {
            return;
        }
        let mut connected: Vec<_> = self
            .members
            .iter()
            .filter(|(_, member)| member.connected)
            .map(|(peer, member)| (!member.neighbour, rng.next_u64(), peer))
            .collect();
        connected.sort();
        let most = match self.mode {
            // There is no next round in which the others could be asked.
            Mode::Streams => STREAMS_ROOM,
            Mode::Gossip => SUMMARY_NEIGHBOURS,
        };
        let peers = connected.into_iter().take(most);
        out.extend(peers.map(|(_, _, peer)| Output::Resummarize(peer.clone())));
        self.next_round = match self.mode {
            // Streams lose nothing; one round after the change, or after a loss, is enough.
            Mode::Streams => None,
            Mode::Gossip => {
                let earliest = SUMMARY_ROUND.saturating_sub(SUMMARY_ROUND_JITTER);
                let spread = SUMMARY_ROUND_JITTER.as_millis() as u64 * 2;
                let after = earliest + Duration::from_millis(rng.random_range(0..=spread));
                Some(now + after)
            }
        };
    }

    /// Lets the next round come soon.
    fn hurry(&mut self, now: Timestamp, rng: &mut impl RngCore) {
        let soon = now + jittered(SUMMARY_SOON, rng);
        self.next_round = Some(self.next_round.map_or(soon, |at| at.min(soon)));
    }
}

/// Up to half longer.
fn jittered(wait: Duration, rng: &mut impl RngCore) -> Duration {
    wait + Duration::from_millis(rng.random_range(0..=wait.as_millis() as u64 / 2))
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
