use super::*;

const FIRST: Duration = Duration::from_secs(2);
const MAX: Duration = Duration::from_secs(60);

struct Test {
    upgrades: Upgrades,
    now: Instant,
    peer: PeerId,
    next: usize,
}

impl Test {
    fn new(close_relayed_after: Option<Duration>) -> Self {
        let (a, b) = (PeerId::random(), PeerId::random());
        // The local peer id is the smaller one.
        Self::with(a.min(b), a.max(b), close_relayed_after)
    }

    fn with(local: PeerId, peer: PeerId, close_relayed_after: Option<Duration>) -> Self {
        let settings = Settings {
            auto: true,
            delay: Duration::ZERO,
            backoff: (FIRST, MAX),
            close_relayed_after,
            session_timeout: Duration::from_secs(20),
        };
        let upgrades = Upgrades::new(local, settings, 7);
        Self { upgrades, now: Instant::now(), peer, next: 1 }
    }

    fn handle(&mut self, input: Input) -> Vec<Output> {
        self.upgrades.handle(input, self.now)
    }

    fn connection(&mut self) -> ConnectionId {
        self.next += 1;
        ConnectionId::new_unchecked(self.next)
    }

    fn relayed(&mut self, dialed: bool) -> (ConnectionId, Vec<Output>) {
        let connection = self.connection();
        let peer = self.peer;
        (connection, self.handle(Input::RelayedUp { peer, connection, dialed }))
    }

    fn direct(&mut self, dialed: bool) -> (ConnectionId, Vec<Output>) {
        let connection = self.connection();
        let peer = self.peer;
        (connection, self.handle(Input::DirectUp { peer, connection, dialed }))
    }

    fn down(&mut self, connection: ConnectionId) -> Vec<Output> {
        let peer = self.peer;
        self.handle(Input::Down { peer, connection })
    }

    fn proven(&mut self, connection: ConnectionId) -> Vec<Output> {
        let peer = self.peer;
        self.handle(Input::Proven { peer, connection })
    }

    /// Goes to the next timeout.
    fn wait(&mut self) -> (Duration, Vec<Output>) {
        let at = self.upgrades.timeout(self.now).expect("a timeout");
        let time = at - self.now;
        self.now = at;
        (time, self.handle(Input::Timeout))
    }
}

#[test]
fn an_upgrade_lets_the_relayed_connection_go_first_unless_it_is_hurried() {
    let mut test = Test::new(None);
    test.upgrades.settings.delay = Duration::from_millis(400);
    assert_eq!(test.relayed(true).1, []);
    assert_eq!(test.wait(), (Duration::from_millis(400), vec![Output::Dial(test.peer)]));
    let mut test = Test::new(None);
    test.upgrades.settings.delay = Duration::from_millis(400);
    assert_eq!(test.relayed(true).1, []);
    assert_eq!(test.handle(Input::Retry(test.peer)), [Output::Dial(test.peer)]);
}

#[test]
fn the_side_that_dialed_the_relayed_connection_upgrades_it() {
    let mut test = Test::new(None);
    assert_eq!(test.relayed(false).1, []);
    assert_eq!(test.relayed(true).1, [Output::Dial(test.peer)]);
    assert_eq!(test.relayed(true).1, [], "one dial is enough");
}

#[test]
fn failed_upgrades_wait_longer_each_time_up_to_a_limit() {
    let mut test = Test::new(None);
    let _ = test.relayed(true);
    let mut full = FIRST;
    for _ in 0..12 {
        let outputs = test.handle(Input::DialFailed(test.peer));
        let [Output::Failed(_, wait)] = outputs[..] else { panic!("{outputs:?}") };
        assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
        let (waited, outputs) = test.wait();
        assert_eq!(waited, wait);
        assert_eq!(outputs, [Output::Dial(test.peer)]);
        full = (full * 2).min(MAX);
    }
}

#[test]
fn a_peer_that_reconnects_does_not_escape_its_backoff() {
    let mut test = Test::new(None);
    let (relayed, _) = test.relayed(true);
    let _ = test.handle(Input::DialFailed(test.peer));
    assert_eq!(test.down(relayed), []);
    assert_eq!(test.relayed(true).1, []);
    assert_eq!(test.wait().1, [Output::Dial(test.peer)]);
}

#[test]
fn a_retry_forgets_failures() {
    let mut test = Test::new(None);
    let _ = test.relayed(true);
    let _ = test.handle(Input::DialFailed(test.peer));
    assert_eq!(test.handle(Input::Retry(test.peer)), [Output::Dial(test.peer)]);
}

#[test]
fn a_peer_without_signaling_is_left_alone() {
    let mut test = Test::new(None);
    let (relayed, _) = test.relayed(true);
    let _ = test.handle(Input::Unsupported(test.peer));
    let _ = test.handle(Input::DialFailed(test.peer));
    assert_eq!(test.upgrades.timeout(test.now), None);
    let _ = test.down(relayed);
}

#[test]
fn an_explicit_dial_is_not_doubled() {
    let mut test = Test::new(None);
    let _ = test.handle(Input::Requested(test.peer));
    assert_eq!(test.relayed(true).1, []);
    // It never came to anything, and nobody said so.
    assert_eq!(test.wait().1, [Output::Dial(test.peer)]);
}

#[test]
fn of_two_simultaneous_connections_the_one_of_the_smaller_peer_stays() {
    let (a, b) = (PeerId::random(), PeerId::random());
    let (small, large) = (a.min(b), a.max(b));
    for (local, remote) in [(small, large), (large, small)] {
        for ours_first in [true, false] {
            let mut test = Test::with(local, remote, None);
            let (first, outputs) = test.direct(ours_first);
            assert_eq!(outputs, []);
            let (second, outputs) = test.direct(!ours_first);
            let ours = if ours_first { first } else { second };
            let theirs = if ours_first { second } else { first };
            let loser = if local == small { theirs } else { ours };
            assert_eq!(outputs, [Output::Close(remote, loser)]);
        }
    }
}

#[test]
fn a_peer_that_comes_back_later_is_not_a_simultaneous_dial() {
    let mut test = Test::new(None);
    let _ = test.direct(true);
    test.now += GLARE_WINDOW;
    assert_eq!(test.direct(false).1, []);
}

#[test]
fn relayed_connections_are_closed_only_after_a_direct_one_has_proved_itself() {
    let delay = Duration::from_secs(5);
    let mut test = Test::new(Some(delay));
    let (theirs, _) = test.relayed(false);
    let (ours, _) = test.relayed(true);
    let (direct, _) = test.direct(true);
    assert_eq!(test.upgrades.timeout(test.now), None);
    assert_eq!(test.proven(direct), []);
    assert_eq!(test.wait(), (delay, vec![Output::Close(test.peer, ours)]));
    // The other side closes what it dialed.
    let _ = theirs;
}

#[test]
fn relayed_connections_stay_when_the_direct_one_breaks_in_time() {
    let mut test = Test::new(Some(Duration::from_secs(5)));
    let _ = test.relayed(true);
    let (direct, _) = test.direct(true);
    let _ = test.proven(direct);
    let _ = test.down(direct);
    let (_, outputs) = test.wait();
    assert_eq!(outputs, [Output::Dial(test.peer)]);
}

#[test]
fn a_connection_that_never_worked_counts_as_a_failure() {
    let mut test = Test::new(None);
    let _ = test.relayed(true);
    for _ in 0..4 {
        let (direct, _) = test.direct(true);
        assert_eq!(test.down(direct), []);
        assert_eq!(test.wait().1, [Output::Dial(test.peer)]);
    }
    let (direct, _) = test.direct(true);
    let _ = test.down(direct);
    assert!(test.wait().0 >= FIRST * 8, "the fifth wait is long");
}

#[test]
fn peers_without_connections_are_forgotten() {
    let mut test = Test::new(None);
    for _ in 0..3 * MAX_REMEMBERED_PEERS {
        test.peer = PeerId::random();
        let (relayed, _) = test.relayed(true);
        let _ = test.handle(Input::DialFailed(test.peer));
        let _ = test.down(relayed);
    }
    assert!(test.upgrades.peers.len() <= MAX_REMEMBERED_PEERS + 1);
    test.now += MAX;
    let _ = test.handle(Input::Timeout);
    assert_eq!(test.upgrades.peers.len(), 0);
}
