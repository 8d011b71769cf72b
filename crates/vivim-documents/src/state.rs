//! The sync state of a document, as an explicit machine.
//!
//! | state | what it means |
//! |---|---|
//! | `offline` | no peer exchanges the document with us, and no room is there to find one |
//! | `connecting` | the document's room is joined; nobody exchanges the document with us yet |
//! | `syncing` | with some peer the first exchange is under way, or changes wait to be taken |
//! | `synced` | every peer that has the document open with us has answered our first summary, and what it had then is here |
//! | `conflict` | concurrent changes of one field were found |
//! | `resolved` | the rule has chosen; passed through on the way back |
//!
//! # Transitions
//!
//! | from | input | to |
//! |---|---|---|
//! | `offline` | joined | `connecting` |
//! | `offline` | opened | `connecting`, then `syncing` |
//! | `connecting` | opened | `syncing` |
//! | `syncing` | answered, closed, not behind: nothing is left to wait for | `synced` |
//! | `synced` | opened (another peer), behind | `syncing` |
//! | `syncing`, `synced` | conflict found | `conflict` |
//! | `conflict` | conflict resolved | `resolved`, then `synced`, or `syncing` if an exchange is under way |
//! | any | stop, or the last peer closed outside of a room, or left without a peer | `offline` |
//! | any | the last peer closed in a joined room | `offline`, then `connecting` |
//!
//! With several peers, each one's exchange counts on its own: a newcomer takes a synced document back
//! to `syncing` until it has answered, and a peer that goes is waited for no longer. One that has
//! answered once stays so until it closes; later exchanges repair and change no state.
//!
//! Any other input in any other state changes nothing: what it says is noted where it will matter
//! later (a peer that opens during a conflict is waited for after it) and is otherwise without
//! meaning there (a conflict found while loading from the store, without peers).

use vivim_proto::SortedMap;

use crate::limits::MAX_PEERS;

/// How a document stands with its peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SyncState {
    /// Concurrent changes of one field were found.
    Conflict,
    /// Looking for somebody who has the document.
    Connecting,
    /// Nobody, and no way to find somebody.
    #[default]
    Offline,
    /// The conflict has been settled.
    Resolved,
    /// In step with everybody who has the document open.
    Synced,
    /// Getting there.
    Syncing,
}

impl SyncState {
    /// The state's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Connecting => "connecting",
            Self::Offline => "offline",
            Self::Resolved => "resolved",
            Self::Synced => "synced",
            Self::Syncing => "syncing",
        }
    }
}

/// Something that happened to a document's sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncInput<P> {
    /// What this peer had when the exchange began is here.
    Answered(P),
    /// Whether changes made here wait for a peer to take them. Say so only of those that have waited
    /// for a while, or every keystroke will be seen in the state.
    Behind(bool),
    /// This peer exchanges the document with us no longer.
    Closed(P),
    /// Concurrent changes of one field were found.
    ConflictFound,
    /// They have been settled.
    ConflictResolved,
    /// The document's room is joined: there is a network.
    Joined,
    /// The room was left, or the network is gone. Peers that are still connected go on counting.
    Left,
    /// The exchange with this peer begins.
    Opened(P),
    /// Sync of this document was stopped. Everything known of peers and room is forgotten.
    Stop,
}

/// The machine. `P` names a peer.
#[derive(Clone, Debug)]
pub struct SyncMachine<P> {
    state: SyncState,
    joined: bool,
    behind: bool,
    /// The peers that exchange the document with us, and whether they have answered.
    peers: SortedMap<P, bool>,
}

impl<P> Default for SyncMachine<P> {
    fn default() -> Self {
        Self { state: SyncState::Offline, joined: false, behind: false, peers: SortedMap::new() }
    }
}

impl<P: Ord> SyncMachine<P> {
    /// A document that was just opened here: `offline`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Something happened. Gives the states that were entered, in order; the last one is the state
    /// now.
    #[must_use]
    pub fn handle(&mut self, input: SyncInput<P>) -> Vec<SyncState> {
        let mut entered = Vec::new();
        match input {
            SyncInput::Answered(peer) => {
                if let Some(answered) = self.peers.get_mut(&peer) {
                    *answered = true;
                }
            }
            SyncInput::Behind(behind) => self.behind = behind,
            SyncInput::Closed(peer) => {
                self.peers.remove(&peer);
            }
            SyncInput::ConflictFound => {
                if matches!(self.state, SyncState::Syncing | SyncState::Synced) {
                    self.enter(SyncState::Conflict, &mut entered);
                }
            }
            SyncInput::ConflictResolved => {
                if self.state == SyncState::Conflict {
                    self.enter(SyncState::Resolved, &mut entered);
                }
            }
            SyncInput::Joined => self.joined = true,
            SyncInput::Left => self.joined = false,
            SyncInput::Opened(peer) => {
                // Who is too many is synced with, but not waited for.
                if self.peers.len() < MAX_PEERS {
                    self.peers.get_or_insert_with(peer, || false);
                }
            }
            SyncInput::Stop => *self = Self { state: self.state, ..Self::default() },
        }
        self.proceed(&mut entered);
        entered
    }

    /// The state now.
    pub fn state(&self) -> SyncState {
        self.state
    }

    /// The peers that exchange the document with us.
    pub fn peers(&self) -> impl ExactSizeIterator<Item = &P> {
        self.peers.keys()
    }

    /// Takes the steps from the state that is to the one that ought to be.
    fn proceed(&mut self, entered: &mut Vec<SyncState>) {
        use SyncState::{Conflict, Connecting, Offline, Resolved, Synced, Syncing};
        let goal = match (self.peers.is_empty(), self.joined) {
            (true, false) => Offline,
            (true, true) => Connecting,
            _ if self.behind || self.peers.values().any(|answered| !answered) => Syncing,
            _ => Synced,
        };
        while self.state != goal {
            let next = match (self.state, goal) {
                (Conflict, Syncing | Synced) => return,
                (_, Offline) | (Conflict | Resolved | Synced | Syncing, Connecting) => Offline,
                (Offline, _) => Connecting,
                (Connecting, _) => Syncing,
                (Resolved | Syncing | Synced, goal) => goal,
                // No goal is a conflict or its end.
                (Conflict, _) => return,
            };
            self.enter(next, entered);
        }
    }

    fn enter(&mut self, state: SyncState, entered: &mut Vec<SyncState>) {
        self.state = state;
        entered.push(state);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        SyncInput::*,
        SyncState::{Conflict, Connecting, Offline, Resolved, Synced, Syncing},
        *,
    };

    fn run(inputs: &[SyncInput<u8>]) -> Vec<SyncState> {
        let mut machine = SyncMachine::new();
        inputs.iter().flat_map(|input| machine.handle(*input)).collect()
    }

    #[test]
    fn alone_then_found_then_in_step() {
        assert_eq!(run(&[Joined, Opened(1), Answered(1)]), [Connecting, Syncing, Synced]);
    }

    #[test]
    fn a_peer_found_without_a_room_counts_as_well() {
        assert_eq!(run(&[Opened(1), Answered(1)]), [Connecting, Syncing, Synced]);
    }

    #[test]
    fn with_several_peers_all_have_to_answer_once() {
        let mut machine = SyncMachine::new();
        for input in [Joined, Opened(1), Opened(2), Answered(1)] {
            let _ = machine.handle(input);
        }
        assert_eq!(machine.state(), Syncing);
        assert_eq!(machine.handle(Answered(2)), [Synced]);
        assert_eq!(machine.handle(Answered(2)), []);
        assert_eq!(machine.handle(Opened(3)), [Syncing]);
        assert_eq!(machine.handle(Closed(3)), [Synced], "who has gone is waited for no longer");
    }

    #[test]
    fn loss_leads_to_offline_from_everywhere() {
        let to_conflict = [Joined, Opened(1), Answered(1), ConflictFound];
        for steps in 0..=to_conflict.len() {
            let mut machine = SyncMachine::new();
            for input in &to_conflict[..steps] {
                let _ = machine.handle(*input);
            }
            let before = machine.state();
            let mut stopped = machine.clone();
            let _ = stopped.handle(Stop);
            assert_eq!(stopped.state(), Offline);
            let mut entered = machine.handle(Left);
            entered.extend(machine.handle(Closed(1)));
            assert_eq!(machine.state(), Offline);
            assert_eq!(entered.is_empty(), before == Offline, "from {before:?}");
            assert_eq!(machine.handle(ConflictResolved), []);
        }
    }

    #[test]
    fn the_last_peer_lost_in_a_room_is_a_loss_and_a_new_beginning() {
        let inputs = [Joined, Opened(1), Answered(1), Closed(1), Opened(2), Answered(2)];
        let states = [Connecting, Syncing, Synced, Offline, Connecting, Syncing, Synced];
        assert_eq!(run(&inputs), states);
    }

    #[test]
    fn the_network_may_go_while_peers_stay() {
        assert_eq!(run(&[Joined, Opened(1), Answered(1), Left]), [Connecting, Syncing, Synced]);
    }

    #[test]
    fn a_conflict_is_passed_through() {
        let inputs = [Joined, Opened(1), Answered(1), ConflictFound, ConflictResolved];
        let states = [Connecting, Syncing, Synced, Conflict, Resolved, Synced];
        assert_eq!(run(&inputs), states);
    }

    #[test]
    fn who_comes_during_a_conflict_is_waited_for_after_it() {
        let mut machine = SyncMachine::new();
        for input in [Joined, Opened(1), ConflictFound] {
            let _ = machine.handle(input);
        }
        assert_eq!(machine.state(), Conflict);
        assert_eq!(machine.handle(Opened(2)), []);
        assert_eq!(machine.handle(Answered(1)), []);
        assert_eq!(machine.handle(ConflictResolved), [Resolved, Syncing]);
        assert_eq!(machine.handle(Answered(2)), [Synced]);
    }

    #[test]
    fn changes_that_wait_are_seen_and_what_makes_no_sense_is_not() {
        let mut machine = SyncMachine::new();
        for input in [ConflictFound, ConflictResolved, Answered(9), Closed(9), Behind(true), Left] {
            assert_eq!(machine.handle(input), []);
        }
        assert_eq!(machine.handle(Opened(1)), [Connecting, Syncing]);
        assert_eq!(machine.handle(Answered(1)), [], "behind");
        assert_eq!(machine.handle(Behind(false)), [Synced]);
        assert_eq!(machine.handle(Behind(true)), [Syncing]);
    }

    /// Only the arrows of the table, whatever happens in whatever order.
    #[test]
    fn no_other_transition_is_ever_made() {
        let inputs = [
            Answered(1),
            Answered(2),
            Behind(false),
            Behind(true),
            Closed(1),
            Closed(2),
            ConflictFound,
            ConflictResolved,
            Joined,
            Left,
            Opened(1),
            Opened(2),
            Stop,
        ];
        let mut random = 1u64;
        let mut machine = SyncMachine::new();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..100_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let input = inputs[(random >> 33) as usize % inputs.len()];
            let mut from = machine.state();
            for to in machine.handle(input) {
                seen.insert((from, to));
                from = to;
            }
            assert_eq!(from, machine.state());
        }
        let arrows = [
            (Offline, Connecting),
            (Connecting, Syncing),
            (Connecting, Offline),
            (Syncing, Synced),
            (Syncing, Conflict),
            (Syncing, Offline),
            (Synced, Syncing),
            (Synced, Conflict),
            (Synced, Offline),
            (Conflict, Resolved),
            (Conflict, Offline),
            (Resolved, Synced),
            (Resolved, Syncing),
        ];
        assert_eq!(seen, arrows.into());
    }
}
