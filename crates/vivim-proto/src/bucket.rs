//! A token bucket whose time is an argument.

use std::time::Duration;

use crate::time::Timestamp;

/// Allows `burst` actions at once and one more every `interval`.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    burst: u32,
    interval: Duration,
    /// When the bucket would be full again if nothing more were taken.
    full_at: Timestamp,
}

impl Bucket {
    pub(crate) fn new(burst: u32, interval: Duration) -> Self {
        Self { burst, interval, full_at: Timestamp::ZERO }
    }

    /// Takes one token, or says when the next one will be there.
    pub(crate) fn take(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        let from = self.full_at.max(now);
        let full_at = from + self.interval;
        let depth = self.interval.saturating_mul(self.burst);
        if full_at - now > depth {
            return Err(Timestamp::new((full_at.since_epoch()).saturating_sub(depth)));
        }
        self.full_at = full_at;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_one_per_interval() {
        let mut bucket = Bucket::new(3, Duration::from_secs(1));
        let now = Timestamp::from_millis(5_000);
        for _ in 0..3 {
            assert_eq!(bucket.take(now), Ok(()));
        }
        let again = bucket.take(now).unwrap_err();
        assert_eq!(again, Timestamp::from_millis(6_000));
        assert_eq!(bucket.take(again), Ok(()));
        assert_eq!(bucket.take(again), Err(Timestamp::from_millis(7_000)));
    }

    #[test]
    fn a_clock_that_steps_back_does_not_lock_the_bucket_for_ever() {
        let mut bucket = Bucket::new(1, Duration::from_secs(1));
        assert_eq!(bucket.take(Timestamp::from_millis(10_000)), Ok(()));
        assert!(bucket.take(Timestamp::ZERO).is_err());
        assert_eq!(bucket.take(Timestamp::from_millis(11_000)), Ok(()));
    }
}
