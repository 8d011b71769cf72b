use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

struct Driven {
    room: Room<u32>,
    rng: ChaCha8Rng,
    now: Timestamp,
}

impl Driven {
    /// Node 0 in a room with nodes 1 to `others`.
    fn new(others: u32) -> Self {
        let mut driven = Self {
            room: Room::new(0),
            rng: ChaCha8Rng::seed_from_u64(3),
            now: Timestamp::from_millis(1_000),
        };
        for peer in 1..=others {
            driven.dial(Input::PeerJoined(peer));
        }
        driven
    }

    fn handle(&mut self, input: Input<u32>) -> Vec<Output<u32>> {
        self.room.handle(input, self.now, &mut self.rng)
    }

    /// Lets every dial succeed.
    fn dial(&mut self, input: Input<u32>) -> Vec<Output<u32>> {
        let outputs = self.handle(input);
        for output in &outputs {
            if let Output::Connect(peer) = output {
                let _ = self.handle(Input::Connected(*peer));
            }
        }
        outputs
    }

    /// Waits for the next timer.
    fn wait(&mut self) -> Vec<Output<u32>> {
        self.now = self.room.poll_timeout().unwrap();
        self.dial(Input::Timeout)
    }

    fn neighbours(&self) -> Vec<u32> {
        self.room.neighbours().copied().collect()
    }
}

fn resummarized(outputs: &[Output<u32>]) -> Vec<u32> {
    let peer = |output: &Output<u32>| match output {
        Output::Resummarize(peer) => Some(*peer),
        _ => None,
    };
    outputs.iter().filter_map(peer).collect()
}

#[test]
fn a_room_of_eight_is_a_mesh_of_streams() {
    let driven = Driven::new(7);
    assert_eq!(driven.room.mode(), Mode::Streams);
    assert_eq!(driven.neighbours(), (1..=7).collect::<Vec<_>>());
    assert_eq!(driven.room.route(1 << 20), Route::Streams);
    assert_eq!(driven.room.poll_timeout(), None);
}

#[test]
fn a_ninth_member_makes_it_gossip_and_the_border_does_not_flap() {
    let mut driven = Driven::new(7);
    assert!(driven.dial(Input::PeerJoined(8)).contains(&Output::Mode(Mode::Gossip)));
    for peer in [8, 7] {
        driven.dial(Input::PeerLeft(peer));
        assert_eq!(driven.room.mode(), Mode::Gossip);
        driven.dial(Input::PeerJoined(peer));
        driven.dial(Input::PeerLeft(peer));
    }
    // Seven members, oneself included; then six.
    assert!(driven.dial(Input::PeerLeft(6)).contains(&Output::Mode(Mode::Streams)));
}

#[test]
fn a_large_room_has_eight_stable_neighbours() {
    let mut driven = Driven::new(100);
    let neighbours = driven.neighbours();
    assert_eq!(neighbours.len(), NEIGHBOURS);
    driven.dial(Input::PeerJoined(101));
    assert_eq!(driven.neighbours(), neighbours);
    let gone = neighbours[3];
    driven.dial(Input::PeerLeft(gone));
    let after = driven.neighbours();
    assert_eq!(after.len(), NEIGHBOURS);
    assert_eq!(after.iter().filter(|peer| neighbours.contains(peer)).count(), NEIGHBOURS - 1);
}

#[test]
fn whoever_fails_in_a_large_room_is_replaced() {
    let mut driven = Driven::new(50);
    let lost = driven.neighbours()[0];
    let outputs = driven.dial(Input::Disconnected(lost));
    assert!(outputs.iter().any(|output| matches!(output, Output::Connect(peer) if *peer != lost)));
    assert!(!driven.neighbours().contains(&lost));
    assert_eq!(driven.neighbours().len(), NEIGHBOURS);
}

#[test]
fn whoever_is_lost_in_a_small_room_is_dialled_again_with_growing_waits() {
    let mut driven = Driven::new(1);
    let mut waits = Vec::new();
    assert_eq!(driven.handle(Input::Disconnected(1)), []);
    // The comparison with those who stay, of whom there are none.
    for _ in 0..8 {
        let lost_at = driven.now;
        while driven.room.next_round.is_some_and(|at| Some(at) == driven.room.poll_timeout()) {
            driven.now = driven.room.poll_timeout().unwrap();
            assert_eq!(driven.handle(Input::Timeout), []);
        }
        driven.now = driven.room.poll_timeout().unwrap();
        waits.push(driven.now - lost_at);
        assert_eq!(driven.handle(Input::Timeout), [Output::Connect(1)]);
        assert_eq!(driven.handle(Input::Disconnected(1)), []);
    }
    assert!(waits[0] >= REDIAL_MIN && waits[0] <= REDIAL_MIN * 2, "{waits:?}");
    assert!(waits[7] >= REDIAL_MAX && waits[7] <= REDIAL_MAX * 2, "{waits:?}");
    driven.now = driven.room.poll_timeout().unwrap();
    let _ = driven.dial(Input::Timeout);
    assert_eq!(driven.room.poll_timeout(), None);
}

#[test]
fn those_who_stay_compare_when_a_member_of_a_small_room_is_lost() {
    for lost in [Input::Disconnected(2), Input::PeerLeft(2)] {
        let mut driven = Driven::new(5);
        let lost_at = driven.now;
        assert_eq!(driven.handle(lost), []);
        let round = driven.room.next_round.unwrap();
        assert!(round - lost_at <= SUMMARY_SOON * 2);
        driven.now = round;
        assert_eq!(resummarized(&driven.handle(Input::Timeout)).len(), 4, "everybody");
        assert_eq!(driven.room.next_round, None, "once");
    }
}

#[test]
fn who_was_never_connected_is_no_loss() {
    let mut driven = Driven::new(0);
    let _ = driven.handle(Input::PeerJoined(1));
    let _ = driven.handle(Input::Disconnected(1));
    let _ = driven.handle(Input::PeerLeft(1));
    assert_eq!(driven.room.next_round, None);
}

#[test]
fn a_gossip_room_summarises_soon_and_then_in_rounds_with_four() {
    let mut driven = Driven::new(20);
    let started = driven.now;
    let first = resummarized(&driven.wait());
    assert!(driven.now - started <= SUMMARY_SOON * 2);
    assert_eq!(first.len(), SUMMARY_NEIGHBOURS);
    assert!(first.iter().all(|peer| driven.neighbours().contains(peer)));
    let mut met = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let before = driven.now;
        met.extend(resummarized(&driven.wait()));
        let interval = driven.now - before;
        assert!(interval >= SUMMARY_ROUND - SUMMARY_ROUND_JITTER);
        assert!(interval <= SUMMARY_ROUND + SUMMARY_ROUND_JITTER);
    }
    assert_eq!(met.len(), NEIGHBOURS, "rounds are not always with the same four");
}

#[test]
fn news_that_only_streams_carry_brings_the_next_round_forward() {
    let mut driven = Driven::new(20);
    driven.wait();
    let _ = driven.handle(Input::LargeUpdate);
    let before = driven.now;
    assert!(!resummarized(&driven.wait()).is_empty());
    assert!(driven.now - before <= SUMMARY_SOON * 2);
}

#[test]
fn large_payloads_go_to_neighbours_and_small_ones_by_gossip() {
    let driven = Driven::new(20);
    assert_eq!(driven.room.route(MAX_GOSSIP_PAYLOAD), Route::Gossip);
    assert_eq!(driven.room.route(MAX_GOSSIP_PAYLOAD + 1), Route::Neighbours);
}

#[test]
fn one_is_never_a_member_beside_oneself_and_members_are_bounded() {
    let mut driven = Driven::new(0);
    assert_eq!(driven.handle(Input::PeerJoined(0)), []);
    assert!(!driven.room.is_member(&0));
    for peer in 1..3_000 {
        driven.dial(Input::PeerJoined(peer));
    }
    assert_eq!(driven.room.members().count(), MAX_MEMBERS);
}
