//! How much the peer may have under way on one channel.

use std::time::Duration;

use crate::{
    limits::{CREDIT_IDLE, CREDIT_ROUND, CREDIT_WINDOW, MAX_CREDIT_WINDOW},
    time::Timestamp,
};

/// The size of a channel's window, as the receiver finds it.
///
/// It is small at first, so that no burst is larger than what the systems on a short path hold. On a
/// long path a small window leaves both sides waiting for each other, and the receiver sees that: in
/// the time from one window's first byte to the next one's, which is a round trip at least, it was idle
/// though the peer had used up nearly all that it may send. Then the window doubles. A receiver whose
/// replica is busy isn't idle; a larger window would only make its queue longer.
#[derive(Debug)]
pub(super) struct Window {
    size: u64,
    /// Bytes that have come.
    received: u64,
    /// Bytes that the peer had been allowed when this round began; the next byte begins another.
    round_end: u64,
    round_began: Option<Timestamp>,
    /// Time in this round in which there was nothing to do.
    idle: Duration,
    pub(super) quiet_since: Timestamp,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            size: CREDIT_WINDOW,
            received: 0,
            round_end: CREDIT_WINDOW,
            round_began: None,
            idle: Duration::ZERO,
            quiet_since: Timestamp::ZERO,
        }
    }
}

impl Window {
    /// Bytes have come, after which the peer may send `allowance` more; `idle` if the replica had
    /// nothing to do before. Gives the credit by which the window grows.
    pub(super) fn receive(&mut self, len: u64, allowance: u64, idle: bool, now: Timestamp) -> u64 {
        // With more than half of it left the peer may have had nothing to send.
        if idle && self.round_end.saturating_sub(self.received) <= self.size / 2 {
            self.idle += now - self.quiet_since;
        }
        self.quiet_since = now;
        self.received += len;
        let began = *self.round_began.get_or_insert(now);
        if self.received <= self.round_end {
            return 0;
        }
        let is_long = self.idle >= CREDIT_IDLE && now - began <= CREDIT_ROUND;
        self.round_end = self.received + allowance;
        self.round_began = Some(now);
        self.idle = Duration::ZERO;
        let grown = if is_long { (2 * self.size).min(MAX_CREDIT_WINDOW) } else { self.size };
        let credit = grown - self.size;
        self.size = grown;
        credit
    }
}
