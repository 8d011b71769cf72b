//! Which of the application's changes a peer has, from what it acknowledges.

use std::collections::VecDeque;

use super::AckLevel;
use crate::limits::MAX_COVERAGE_MARKS;

/// Translates acknowledgements of one channel's update numbers into the application's numbers of
/// its changes.
///
/// Changes reach a peer on three ways: as an update of this channel, in the answer to a summary, or
/// past this channel (by gossip). The first way counts only if no change before went another way;
/// the answer covers every change that there was when it was made.
#[derive(Clone, Debug, Default)]
pub(super) struct Coverage {
    /// The newest change that the replica has.
    latest: u64,
    /// Every change up to this one has been sent here, or is covered by an answer that was.
    carried: u64,
    /// The changes, first to last, that were sent here after one that wasn't.
    behind_hole: Option<(u64, u64)>,
    /// The newest change that the waiting answer covers.
    in_answer: u64,
    /// By update number: once it is acknowledged, so is the change. Both go up.
    marks: VecDeque<(u64, u64)>,
    /// What was reported last, by level.
    reached: [u64; 2],
}

impl Coverage {
    /// A change is in the replica, but was not sent here.
    pub(super) fn note(&mut self, change: u64) {
        self.latest = self.latest.max(change);
    }

    /// A change was queued as an update of this number.
    pub(super) fn sent(&mut self, seq: u64, change: u64) {
        match &mut self.behind_hole {
            _ if change == self.carried + 1 => {
                self.carried = change;
                self.mark(seq, change);
            }
            Some((_, last)) if change == *last + 1 => *last = change,
            // Only an answer closes the hole before it.
            hole => *hole = Some((change, change)),
        }
        self.note(change);
    }

    /// The replica has said what the peer is missing.
    pub(super) fn answer_made(&mut self) {
        self.in_answer = self.latest;
    }

    /// The end of that answer is being sent as an update of this number.
    pub(super) fn answer_sent(&mut self, seq: u64) {
        if self.in_answer <= self.carried {
            return;
        }
        self.carried = self.in_answer;
        if let Some((first, last)) = self.behind_hole
            && first <= self.carried + 1
        {
            self.carried = self.carried.max(last);
            self.behind_hole = None;
        }
        self.mark(seq, self.carried);
    }

    /// The peer has acknowledged everything up to a number, and at both levels up to another.
    pub(super) fn acked(&mut self, level: AckLevel, upto: u64, both: u64) -> Option<u64> {
        let after = self.marks.partition_point(|(seq, _)| *seq <= upto);
        let change = self.marks.get(after.checked_sub(1)?)?.1;
        // The last one done with stays, for the level that is behind.
        let done = self.marks.partition_point(|(seq, _)| *seq <= both);
        self.marks.drain(..done.saturating_sub(1));
        let reached = &mut self.reached[level as usize];
        (change > *reached).then(|| {
            *reached = change;
            change
        })
    }

    fn mark(&mut self, seq: u64, change: u64) {
        if self.marks.len() >= MAX_COVERAGE_MARKS {
            // Every second one: what was between is reported with the next.
            let mut keep = false;
            self.marks.retain(|_| {
                keep = !keep;
                !keep
            });
        }
        self.marks.push_back((seq, change));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPLIED: AckLevel = AckLevel::Applied;
    const STORED: AckLevel = AckLevel::Stored;

    #[test]
    fn changes_sent_in_order_are_reported_in_order_and_once() {
        let mut coverage = Coverage::default();
        for change in 1..=5 {
            coverage.sent(change + 10, change);
        }
        assert_eq!(coverage.acked(APPLIED, 12, 0), Some(2));
        assert_eq!(coverage.acked(APPLIED, 12, 0), None);
        assert_eq!(coverage.acked(STORED, 11, 11), Some(1));
        assert_eq!(coverage.acked(APPLIED, 15, 11), Some(5));
        assert_eq!(coverage.acked(STORED, 15, 15), Some(5));
    }

    #[test]
    fn a_change_that_went_another_way_holds_the_later_ones_until_an_answer_covers_it() {
        let mut coverage = Coverage::default();
        coverage.sent(1, 1);
        coverage.note(2);
        coverage.sent(2, 3);
        assert_eq!(coverage.acked(APPLIED, 2, 0), Some(1));
        coverage.answer_made();
        coverage.note(4);
        coverage.answer_sent(3);
        assert_eq!(coverage.acked(APPLIED, 3, 0), Some(3));
        coverage.sent(4, 5);
        assert_eq!(coverage.acked(APPLIED, 4, 0), None, "4 went another way");
    }

    #[test]
    fn changes_sent_while_the_answer_waits_count_with_it() {
        let mut coverage = Coverage::default();
        coverage.note(5);
        coverage.answer_made();
        coverage.sent(1, 6);
        coverage.sent(2, 7);
        coverage.answer_sent(3);
        coverage.sent(4, 8);
        assert_eq!(coverage.acked(APPLIED, 2, 0), None);
        assert_eq!(coverage.acked(APPLIED, 3, 0), Some(7));
        assert_eq!(coverage.acked(APPLIED, 4, 0), Some(8));
    }

    #[test]
    fn marks_are_bounded_and_none_is_reported_too_early() {
        let mut coverage = Coverage::default();
        for change in 1..=50_000 {
            coverage.sent(change, change);
            assert!(coverage.marks.len() <= MAX_COVERAGE_MARKS);
        }
        let mut last = 0;
        for seq in 1..=50_000 {
            if let Some(change) = coverage.acked(APPLIED, seq, 0) {
                assert!(change <= seq && change > last);
                last = change;
            }
        }
        assert_eq!(last, 50_000);
    }
}
