use super::*;

const ROOM: RoomId = RoomId([1; 32]);
const OTHER: RoomId = RoomId([2; 32]);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn joined(peers: &[&str], total: u64) -> ServerMessage {
    let peers = peers.iter().map(|peer| peer.as_bytes().to_vec()).collect();
    ServerMessage::Joined { room: ROOM, peers, total }
}

fn peer_joined(peer: &str) -> ServerMessage {
    ServerMessage::PeerJoined { room: ROOM, peer: peer.into() }
}

fn came(peer: &str) -> Output {
    Output::Event(Event::PeerJoined { room: ROOM, peer: peer.into() })
}

fn went(peer: &str) -> Output {
    Output::Event(Event::PeerLeft { room: ROOM, peer: peer.into() })
}

fn in_room(peers: &[&str]) -> Rooms {
    let mut rooms = Rooms::new();
    let _ = rooms.connected();
    let _ = rooms.join(ROOM);
    let _ = rooms.handle(joined(peers, peers.len() as u64), at(0));
    rooms
}

#[test]
fn a_room_wanted_before_there_is_a_connection_is_joined_with_it() {
    let mut rooms = Rooms::new();
    assert_eq!(rooms.join(ROOM), []);
    assert_eq!(rooms.join(ROOM), []);
    assert_eq!(rooms.connected(), [join(ROOM)]);
    assert_eq!(rooms.join(OTHER), [join(OTHER)]);
    assert_eq!(rooms.leave(OTHER), [Output::Send(ClientMessage::Leave { room: OTHER })]);
}

#[test]
fn the_answer_tells_who_is_there() {
    let mut rooms = Rooms::new();
    let _ = rooms.connected();
    let _ = rooms.join(ROOM);
    let first = Output::Event(Event::Joined { room: ROOM, total: 2 });
    assert_eq!(rooms.handle(joined(&["a", "b"], 2), at(0)), [first, came("a"), came("b")]);
    assert!(rooms.is_joined(ROOM));
    assert_eq!(rooms.handle(peer_joined("a"), at(0)), [], "known already");
}

#[test]
fn after_a_reconnect_everything_is_joined_again_and_only_differences_are_told() {
    let mut rooms = in_room(&["a", "b"]);
    rooms.disconnected();
    assert!(!rooms.is_joined(ROOM));
    assert_eq!(rooms.peers(ROOM).count(), 2, "direct connections go on");
    assert_eq!(rooms.connected(), [join(ROOM)]);
    let again = Output::Event(Event::Joined { room: ROOM, total: 2 });
    assert_eq!(rooms.handle(joined(&["b", "c"], 2), at(100)), [again, came("c")]);
    // "a" may be reconnecting itself.
    let gives_up_at = at(100) + REJOIN_GRACE;
    assert_eq!(rooms.poll_timeout(), Some(gives_up_at));
    assert_eq!(rooms.handle_timeout(at(101)), []);
    assert_eq!(rooms.handle_timeout(gives_up_at), [went("a")]);
    assert_eq!(rooms.poll_timeout(), None);
}

#[test]
fn a_peer_that_reconnects_within_the_grace_never_went() {
    let mut rooms = in_room(&["a"]);
    let _ = rooms.connected();
    let _ = rooms.handle(joined(&[], 0), at(100));
    assert_eq!(rooms.handle(peer_joined("a"), at(110)), []);
    assert_eq!(rooms.poll_timeout(), None);
}

#[test]
fn another_sample_of_a_large_room_takes_nobody_away() {
    let mut rooms = Rooms::new();
    let _ = rooms.connected();
    let _ = rooms.join(ROOM);
    let _ = rooms.handle(joined(&["a"], 500), at(0));
    assert_eq!(rooms.handle(joined(&["b"], 500), at(1)), [came("b")]);
    assert_eq!(rooms.poll_timeout(), None);
    assert_eq!(rooms.peers(ROOM).count(), 2);
}

#[test]
fn a_join_refused_for_its_rate_is_repeated() {
    let mut rooms = Rooms::new();
    let _ = rooms.connected();
    let _ = rooms.join(ROOM);
    let reason = Refusal::TooManyRequests;
    let told = rooms.handle(ServerMessage::Refused { room: ROOM, reason }, at(0));
    assert_eq!(told, [Output::Event(Event::Refused { room: ROOM, reason })]);
    let retry_at = at(0) + ROOM_RETRY;
    assert_eq!(rooms.poll_timeout(), Some(retry_at));
    assert_eq!(rooms.handle_timeout(retry_at), [join(ROOM)]);
    assert_eq!(rooms.poll_timeout(), None);
}

#[test]
fn a_join_refused_for_too_many_rooms_waits_for_the_next_connection() {
    let mut rooms = Rooms::new();
    let _ = rooms.connected();
    let _ = rooms.join(ROOM);
    let _ =
        rooms.handle(ServerMessage::Refused { room: ROOM, reason: Refusal::TooManyRooms }, at(0));
    assert_eq!(rooms.poll_timeout(), None);
    assert_eq!(rooms.connected(), [join(ROOM)]);
}

#[test]
fn messages_about_rooms_that_are_not_wanted_are_ignored() {
    let mut rooms = in_room(&[]);
    let _ = rooms.leave(ROOM);
    assert_eq!(rooms.handle(joined(&["a"], 1), at(0)), []);
    assert_eq!(rooms.handle(peer_joined("a"), at(0)), []);
    assert_eq!(rooms.rooms().count(), 0);
}

#[test]
fn a_relay_that_announces_without_end_is_not_believed_for_ever() {
    let mut rooms = in_room(&[]);
    for n in 0..2 * MAX_PEERS_PER_ROOM {
        let _ = rooms.handle(peer_joined(&n.to_string()), at(0));
    }
    assert_eq!(rooms.peers(ROOM).count(), MAX_PEERS_PER_ROOM);
}
