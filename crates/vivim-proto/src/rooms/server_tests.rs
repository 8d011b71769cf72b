use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::rooms::client;

fn limits() -> RelayLimits {
    RelayLimits {
        max_circuits: 16,
        max_circuit_bytes: 1 << 30,
        max_circuit_secs: 3_600,
        reservation_secs: 3_600,
        max_rooms: MAX_ROOMS_PER_PEER as u32,
    }
}

fn room(n: u8) -> RoomId {
    RoomId([n; 32])
}

fn peer(n: u64) -> Vec<u8> {
    n.to_be_bytes().to_vec()
}

struct Relay {
    directory: Directory,
    rng: ChaCha8Rng,
    now: Timestamp,
}

impl Relay {
    fn new() -> Self {
        Self {
            directory: Directory::new(limits()),
            rng: ChaCha8Rng::seed_from_u64(1),
            now: Timestamp::from_millis(1_000),
        }
    }

    /// Peer `n` on stream `n`.
    fn connect(&mut self, n: u64) {
        let hello = self.directory.connected(&peer(n), n).unwrap();
        let message = ServerMessage::Hello { limits: limits() };
        assert_eq!(hello, [Output { to: n, message }]);
    }

    fn join(&mut self, n: u64, room: RoomId) -> Vec<Output> {
        self.directory.handle(n, ClientMessage::Join { room }, self.now, &mut self.rng)
    }

    fn leave(&mut self, n: u64, room: RoomId) -> Vec<Output> {
        self.directory.handle(n, ClientMessage::Leave { room }, self.now, &mut self.rng)
    }
}

fn listed(outputs: &[Output]) -> (Vec<Vec<u8>>, u64) {
    match &outputs[0].message {
        ServerMessage::Joined { peers, total, .. } => (peers.clone(), *total),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_newcomer_hears_who_is_there_and_they_hear_of_it_at_once() {
    let mut relay = Relay::new();
    relay.connect(1);
    relay.connect(2);
    assert_eq!(listed(&relay.join(1, room(1))), (vec![], 0));
    let outputs = relay.join(2, room(1));
    assert_eq!(listed(&outputs), (vec![peer(1)], 1));
    let message = ServerMessage::PeerJoined { room: room(1), peer: peer(2) };
    assert_eq!(outputs[1..], [Output { to: 1, message }]);
}

#[test]
fn an_entry_lives_no_longer_than_its_stream() {
    let mut relay = Relay::new();
    relay.connect(1);
    relay.connect(2);
    let _ = relay.join(1, room(1));
    let _ = relay.join(2, room(1));
    let message = ServerMessage::PeerLeft { room: room(1), peer: peer(2) };
    assert_eq!(relay.directory.disconnected(2), [Output { to: 1, message }]);
    assert_eq!(relay.directory.disconnected(1), []);
    assert_eq!((relay.directory.rooms(), relay.directory.streams()), (0, 0));
    assert!(relay.directory.peers.is_empty());
}

#[test]
fn a_peer_with_two_streams_leaves_with_the_last_one_and_is_never_told_of_itself() {
    let mut relay = Relay::new();
    relay.connect(1);
    relay.connect(2);
    let _ = relay.directory.connected(&peer(2), 20).unwrap();
    let _ = relay.join(1, room(1));
    let _ = relay.join(2, room(1));
    let second = relay.join(20, room(1));
    assert_eq!(listed(&second), (vec![peer(1)], 1));
    assert_eq!(second.len(), 1, "nobody is told twice");
    assert_eq!(relay.directory.disconnected(2), []);
    assert_eq!(relay.directory.disconnected(20).len(), 1);
}

#[test]
fn the_other_stream_of_a_peer_hears_of_newcomers_too() {
    let mut relay = Relay::new();
    relay.connect(1);
    let _ = relay.directory.connected(&peer(1), 10).unwrap();
    relay.connect(2);
    let _ = relay.join(1, room(1));
    let _ = relay.join(10, room(1));
    let told: Vec<u64> = relay.join(2, room(1))[1..].iter().map(|output| output.to).collect();
    assert_eq!(told, [1, 10]);
}

#[test]
fn joining_twice_gives_a_fresh_answer_and_disturbs_nobody() {
    let mut relay = Relay::new();
    relay.connect(1);
    relay.connect(2);
    let _ = relay.join(1, room(1));
    let _ = relay.join(2, room(1));
    assert_eq!(relay.join(2, room(1)).len(), 1);
    assert_eq!(relay.leave(2, room(1)).len(), 1);
    assert_eq!(relay.leave(2, room(1)), []);
}

#[test]
fn a_large_room_answers_with_a_random_sample_and_tells_a_sample() {
    let mut relay = Relay::new();
    for n in 0..1_000 {
        relay.connect(n);
        let outputs = relay.join(n, room(1));
        let (peers, total) = listed(&outputs);
        assert_eq!(total, n);
        assert_eq!(peers.len(), (n as usize).min(MAX_PEERS_PER_ANSWER));
        assert!(!peers.contains(&peer(n)));
        assert_eq!(outputs.len() - 1, (n as usize).min(MAX_PEERS_PER_ANSWER));
    }
    let (first, _) = listed(&relay.join(999, room(1)));
    let (second, _) = listed(&relay.join(999, room(1)));
    assert_ne!(first, second);
    let distinct: BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), MAX_PEERS_PER_ANSWER);
}

#[test]
fn rooms_per_peer_are_bounded_over_all_of_its_streams() {
    let mut relay = Relay::new();
    relay.connect(1);
    let _ = relay.directory.connected(&peer(1), 10).unwrap();
    let room = |n: usize| {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&n.to_be_bytes());
        RoomId(id)
    };
    for n in 0..MAX_ROOMS_PER_PEER {
        assert_eq!(listed(&relay.join(if n % 2 == 0 { 1 } else { 10 }, room(n))).1, 0);
    }
    let one_more = room(MAX_ROOMS_PER_PEER);
    let refused = ServerMessage::Refused { room: one_more, reason: Refusal::TooManyRooms };
    assert_eq!(relay.join(1, one_more), [Output { to: 1, message: refused }]);
    let _ = relay.leave(1, room(0));
    assert_eq!(listed(&relay.join(1, one_more)).1, 0);
}

#[test]
fn requests_per_second_are_bounded() {
    let mut relay = Relay::new();
    relay.connect(1);
    let refused = ServerMessage::Refused { room: room(1), reason: Refusal::TooManyRequests };
    let refused = vec![Output { to: 1, message: refused }];
    let passed = (0..ROOM_REQUEST_BURST * 2).filter(|_| relay.join(1, room(1)) != refused).count();
    assert_eq!(passed, ROOM_REQUEST_BURST as usize);
    relay.now = relay.now + Duration::from_secs(1);
    let passed = (0..1_000).filter(|_| relay.join(1, room(1)) != refused).count();
    assert_eq!(passed, ROOM_REQUESTS_PER_SECOND as usize);
}

#[test]
fn streams_per_peer_and_its_id_are_bounded() {
    let mut directory = Directory::new(limits());
    for conn in 0..MAX_DIRECTORY_STREAMS_PER_PEER as u64 {
        assert!(directory.connected(b"peer", conn).is_ok());
    }
    assert_eq!(directory.connected(b"peer", 99), Err(ConnectError::TooManyStreams));
    assert_eq!(directory.connected(b"other", 0), Err(ConnectError::DuplicateStream(0)));
    let long = [0; MAX_PEER_BYTES + 1];
    assert_eq!(directory.connected(&long, 100), Err(ConnectError::PeerTooLong(long.len())));
}

#[test]
fn messages_on_a_stream_that_is_not_there_do_nothing() {
    let mut relay = Relay::new();
    assert_eq!(relay.join(7, room(1)), []);
    assert_eq!(relay.directory.disconnected(7), []);
    assert_eq!(relay.directory.rooms(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Against the simplest model: a table of who is where. Clients' views must be right, in rooms
    /// small enough for views to be complete, and no table may keep anything of who has gone.
    #[test]
    fn every_client_sees_exactly_who_is_there(
        steps in prop::collection::vec((0u8..4, 0u64..8, 0u8..3), 1..150),
    ) {
        let mut relay = Relay::new();
        let mut clients: BTreeMap<u64, client::Rooms> = BTreeMap::new();
        let mut model: BTreeSet<(u8, u64)> = BTreeSet::new();
        for (what, n, at) in steps {
            let mut outputs = Vec::new();
            // Streams 0 to 7 belong to peers 0 to 3, two each.
            match what {
                0 if !clients.contains_key(&n) => {
                    outputs = relay.directory.connected(&peer(n / 2), n).unwrap();
                    let mut rooms = client::Rooms::new();
                    let _ = rooms.connected();
                    clients.insert(n, rooms);
                }
                1 if clients.remove(&n).is_some() => {
                    outputs = relay.directory.disconnected(n);
                    model.retain(|(_, stream)| *stream != n);
                }
                2 => if let Some(client) = clients.get_mut(&n) {
                    let _ = client.join(room(at));
                    outputs = relay.join(n, room(at));
                    model.insert((at, n));
                }
                3 => if let Some(client) = clients.get_mut(&n) {
                    let _ = client.leave(room(at));
                    outputs = relay.leave(n, room(at));
                    model.remove(&(at, n));
                }
                _ => {}
            }
            for Output { to, message } in outputs {
                // To streams that are there only.
                let client = clients.get_mut(&to).unwrap();
                let _ = client.handle(message, relay.now);
            }
        }
        for (at, n) in &model {
            let there: BTreeSet<Vec<u8>> = model
                .iter()
                .filter(|(other, stream)| other == at && stream / 2 != n / 2)
                .map(|(_, stream)| peer(stream / 2))
                .collect();
            let seen: BTreeSet<Vec<u8>> =
                clients[n].peers(room(*at)).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(seen, there);
        }
        for n in clients.keys() {
            let _ = relay.directory.disconnected(*n);
        }
        prop_assert!(relay.directory.rooms.is_empty());
        prop_assert!(relay.directory.peers.is_empty());
        prop_assert!(relay.directory.streams.is_empty());
    }

    #[test]
    fn a_sample_has_different_elements(len in 0usize..200, count in 0usize..100, seed: u64) {
        let all: Vec<usize> = (0..len).collect();
        let drawn = sample(&all, count, &mut ChaCha8Rng::seed_from_u64(seed));
        prop_assert_eq!(drawn.len(), count.min(len));
        let distinct: BTreeSet<usize> = drawn.iter().copied().collect();
        prop_assert_eq!(distinct.len(), drawn.len());
        prop_assert!(distinct.iter().all(|drawn| *drawn < len));
    }
}
