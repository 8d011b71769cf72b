//! The actor's timers: values with a deadline, never cancelled, ignored when they come too late.

use std::{
    collections::BTreeMap,
    task::{Context, Poll},
    time::Duration,
};

use futures::FutureExt;
use futures_timer::Delay;
use libp2p::{PeerId, swarm::ConnectionId};
use vivim_proto::id::RoomId;
use web_time::Instant;

use crate::io::LinkId;

/// What is to be done at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Try a relay again.
    Relay(PeerId),
    /// Ask a relay for its directory's stream again.
    Directory(PeerId),
    /// A directory client's deadline.
    DirectoryDeadline(PeerId),
    /// Dial a room's peer, unless connected.
    Dial(PeerId),
    /// Open a sync stream to a peer, unless there is one.
    Link(PeerId),
    /// Give a pending dial up.
    DialTimeout(ConnectionId),
    /// Close a relayed connection whose direct successor has proved itself.
    Relayed(ConnectionId),
    /// Close a connection unless more than so many bytes have come over it.
    Probe(ConnectionId, u64),
    /// A sync session's deadline.
    Session(LinkId),
    /// A room's anti-entropy.
    Room(RoomId),
}

/// In whole milliseconds, and not fewer: a browser's timers drop the rest, so they would ring too early
/// and had to be set once or twice more.
fn whole_millis(wait: Duration) -> Duration {
    let millis = wait.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// A queue of timers over one platform timer.
#[derive(Debug)]
pub(crate) struct Timers {
    queue: BTreeMap<(Instant, u64), Timer>,
    next: u64,
    delay: Option<(Instant, Delay)>,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Self { queue: BTreeMap::new(), next: 0, delay: None }
    }

    pub(crate) fn after(&mut self, wait: Duration, timer: Timer) {
        self.at(Instant::now() + wait, timer);
    }

    pub(crate) fn at(&mut self, deadline: Instant, timer: Timer) {
        self.queue.insert((deadline, self.next), timer);
        self.next += 1;
    }

    // Rare: see `Actor::round`.
    #[inline(never)]
    fn set(&mut self, deadline: Instant, now: Instant) {
        self.delay = Some((deadline, Delay::new(whole_millis(deadline - now))));
    }

    // Rare: see `Actor::round`.
    #[inline(never)]
    fn take(&mut self, key: (Instant, u64)) {
        self.queue.remove(&key);
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Timer> {
        loop {
            let Some((&key, &timer)) = self.queue.first_key_value() else {
                self.delay = None;
                return Poll::Pending;
            };
            // Asked first, because it costs less than the clock, and mostly nothing is due.
            if let Some((_, delay)) = self.delay.as_mut().filter(|(deadline, _)| *deadline == key.0)
            {
                match delay.poll_unpin(cx) {
                    Poll::Ready(()) => self.delay = None,
                    Poll::Pending => return Poll::Pending,
                }
            }
            let now = Instant::now();
            if key.0 <= now {
                self.take(key);
                return Poll::Ready(timer);
            }
            self.set(key.0, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_timer_rings_before_its_time() {
        for (wait, millis) in [(0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (39_700_000, 40)] {
            assert_eq!(whole_millis(Duration::from_nanos(wait)), Duration::from_millis(millis));
        }
    }
}
