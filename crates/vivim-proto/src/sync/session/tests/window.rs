//! How much is under way at once, on short paths and on long ones.

use std::{collections::VecDeque, time::Duration};

use super::*;

/// A path on which every frame takes the same time, to a replica that takes its time for each piece.
/// Gives the most bytes that were on their way to the second side at once, and how long it all took.
fn over_a_path(pair: &mut Pair, delay: Duration, work: Duration) -> (usize, Duration) {
    let began = pair.now;
    let mut frames: VecDeque<(Timestamp, usize, Bytes)> = VecDeque::new();
    let mut free_at = pair.now;
    let (mut under_way, mut most) = (0, 0);
    pair.sides[1].hold = true;
    loop {
        let now = pair.now;
        while frames.front().is_some_and(|(at, ..)| *at <= now) {
            let (_, to, frame) = frames.pop_front().unwrap();
            under_way -= if to == 1 { frame.len() } else { 0 };
            let was_idle = pair.sides[1].held.is_empty();
            pair.sides[to].receive(&frame, now);
            if was_idle {
                free_at = now + work;
            }
        }
        if !pair.sides[1].held.is_empty() && free_at <= now {
            let (id, doc, op) = pair.sides[1].held.remove(0);
            pair.sides[1].answer(id, doc, op, now);
            free_at = now + work;
        }
        for from in 0..2 {
            if pair.sides[from].session.poll_timeout().is_some_and(|at| at <= now) {
                let outputs = pair.sides[from].session.handle(Input::Timeout, now);
                pair.sides[from].perform(outputs, now);
            }
            while let Some(frame) = pair.sides[from].session.poll_frame() {
                under_way += if from == 0 { frame.len() } else { 0 };
                frames.push_back((now + delay, 1 - from, frame));
            }
        }
        most = most.max(under_way);
        let timers = pair.sides.iter().filter_map(|side| side.session.poll_timeout());
        let works = (!pair.sides[1].held.is_empty()).then_some(free_at);
        let next = frames.front().map(|(at, ..)| *at).into_iter().chain(timers).chain(works).min();
        match next {
            Some(at) => pair.now = pair.now.max(at),
            None => break,
        }
    }
    pair.assert_equal(DOC);
    (most, pair.now - began)
}

/// Two sides, of which the first has a document of two megabytes, which it gives in pieces.
fn with_two_megabytes() -> Pair {
    let mut pair = Pair::new();
    for element in 0..200 {
        pair.sides[0].edit(DOC, element, 10_000);
    }
    pair.sides[0].replicas.get_mut(&DOC).unwrap().set_piece(crate::limits::PIECE);
    for side in &mut pair.sides {
        side.open(DOC);
    }
    pair
}

#[test]
fn on_a_short_path_no_burst_is_larger_than_a_sockets_buffer() {
    for (delay, work) in [(0, 0), (1, 0), (1, 10), (3, 30)] {
        let (delay, work) = (Duration::from_millis(delay), Duration::from_millis(work));
        let (most, _) = over_a_path(&mut with_two_megabytes(), delay, work);
        assert!(most <= 64 * 1024, "{most} bytes at once at {delay:?}, {work:?}");
    }
}

#[test]
fn on_a_long_path_the_window_grows() {
    let delay = Duration::from_millis(100);
    let (most, took) = over_a_path(&mut with_two_megabytes(), delay, Duration::from_millis(5));
    assert!(most > MAX_CREDIT_WINDOW as usize * 3 / 4, "{most} bytes at once");
    assert!(most <= MAX_CREDIT_WINDOW as usize + 1_000, "{most} bytes at once");
    // Eight windows of the largest size, and a few round trips to get there.
    assert!(took <= 14 * 2 * delay, "{took:?}");
}

#[test]
fn who_types_on_a_short_path_has_a_small_window_afterwards() {
    let mut pair = Pair::synced();
    let delay = Duration::from_millis(1);
    for element in 0..1_000 {
        pair.sides[0].edit(DOC, element, 100);
        over_a_path(&mut pair, delay, Duration::ZERO);
        pair.now = pair.now + Duration::from_millis(100);
    }
    for element in 0..200 {
        pair.sides[0].edit(DOC, 1_000 + element, 5_000);
    }
    let (most, _) = over_a_path(&mut pair, delay, Duration::ZERO);
    assert!(most > 32 * 1024 && most <= 64 * 1024, "{most} bytes at once");
}
