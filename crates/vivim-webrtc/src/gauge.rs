//! Counting what is alive.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A number of places.
#[derive(Debug, Clone)]
pub(crate) struct Gauge {
    used: Arc<AtomicUsize>,
    max: usize,
}

/// One place, taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Gauge {
    pub(crate) fn new(max: usize) -> Self {
        Self { used: Arc::default(), max }
    }

    pub(crate) fn acquire(&self) -> Option<Permit> {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                (used < self.max).then_some(used + 1)
            })
            .ok()
            .map(|_| Permit(self.used.clone()))
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_places_are_given_than_there_are() {
        let gauge = Gauge::new(2);
        let (first, second) = (gauge.acquire(), gauge.acquire());
        assert!(first.is_some() && second.is_some());
        assert!(gauge.acquire().is_none());
        drop(first);
        assert_eq!(gauge.used(), 1);
        assert!(gauge.acquire().is_some());
    }
}
