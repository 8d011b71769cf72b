//! Vector clocks: what happened before what, and what happened without knowing of the other.
//!
//! A clock counts, for each of those who act (the key: a device, a node), how many of its actions
//! are known. A key that isn't there counts as zero, so `{a: 0}` and `{}` are one clock, and a clock
//! holds no zeros.
//!
//! There is one comparison, [`VectorClock::relation`], with four answers. The seeds of VIVIM name
//! two others, which are read off it: [`compare`](VectorClock::compare) (-1, 0, 1) and
//! [`compare_causal`](VectorClock::compare_causal) (before, after, concurrent), in both of which
//! equal clocks look like concurrent ones; [`equals`](VectorClock::equals) tells those apart.

mod json;

use std::{borrow::Borrow, collections::BTreeMap, fmt};

pub use self::json::ClockError;
use crate::limits::MAX_CLOCK_COUNT;

/// How often each of several has acted, as far as is known.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VectorClock<K = String> {
    /// Without zeros, and sorted.
    counts: BTreeMap<K, u64>,
}

/// How two clocks stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// The first knows everything that the second knows, and more.
    After,
    /// The second knows everything that the first knows, and more.
    Before,
    /// Each knows something that the other doesn't.
    Concurrent,
    /// They know the same.
    Equal,
}

/// What [`VectorClock::compare_causal`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Causality {
    /// The first dominates the second.
    After,
    /// The second dominates the first.
    Before,
    /// Neither dominates: they are concurrent, or equal.
    Concurrent,
}

impl Causality {
    /// The word of the seeds.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::After => "after",
            Self::Before => "before",
            Self::Concurrent => "concurrent",
        }
    }
}

impl<K: Ord> VectorClock<K> {
    /// A clock that knows nothing.
    pub const fn new() -> Self {
        Self { counts: BTreeMap::new() }
    }

    /// Counts one more action of `key`.
    pub fn increment(&mut self, key: K) -> &mut Self {
        let count = self.counts.entry(key).or_default();
        *count = (*count + 1).min(MAX_CLOCK_COUNT);
        self
    }

    /// Knows at least `count` actions of `key` from now on.
    pub fn observe(&mut self, key: K, count: u64) -> &mut Self {
        if count > 0 {
            let known = self.counts.entry(key).or_default();
            *known = count.min(MAX_CLOCK_COUNT).max(*known);
        }
        self
    }

    /// Knows from now on what the other knows too: of each key the larger count.
    pub fn merge(&mut self, other: &Self) -> &mut Self
    where
        K: Clone,
    {
        for (key, count) in &other.counts {
            self.observe(key.clone(), *count);
        }
        self
    }

    /// What two clocks know together.
    #[must_use]
    pub fn merged(one: &Self, other: &Self) -> Self
    where
        K: Clone,
    {
        let mut merged = one.clone();
        merged.merge(other);
        merged
    }

    /// How many actions of `key` are known.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> u64
    where
        K: Borrow<Q>,
    {
        self.counts.get(key).copied().unwrap_or(0)
    }

    /// How this clock stands to another. Both clocks' keys count: `{a: 1, b: 1}` and `{a: 2}` are
    /// concurrent, although the second has more of everything that it has.
    pub fn relation(&self, other: &Self) -> Relation {
        let more = self.counts.iter().any(|(key, count)| *count > other.get(key));
        let less = other.counts.iter().any(|(key, count)| *count > self.get(key));
        match (more, less) {
            (true, true) => Relation::Concurrent,
            (true, false) => Relation::After,
            (false, true) => Relation::Before,
            (false, false) => Relation::Equal,
        }
    }

    /// -1 if this clock is before the other, 1 if it is after, 0 if they are concurrent or equal.
    pub fn compare(&self, other: &Self) -> i8 {
        match self.relation(other) {
            Relation::Before => -1,
            Relation::After => 1,
            Relation::Concurrent | Relation::Equal => 0,
        }
    }

    /// Whether one dominates the other; equal clocks are "concurrent" here.
    pub fn compare_causal(&self, other: &Self) -> Causality {
        match self.relation(other) {
            Relation::Before => Causality::Before,
            Relation::After => Causality::After,
            Relation::Concurrent | Relation::Equal => Causality::Concurrent,
        }
    }

    /// Whether both know the same.
    pub fn equals(&self, other: &Self) -> bool {
        self.relation(other) == Relation::Equal
    }

    /// Whether the other knows everything that this one knows, and more.
    pub fn happens_before(&self, other: &Self) -> bool {
        self.relation(other) == Relation::Before
    }

    /// Whether each knows something that the other doesn't. False for equal clocks.
    pub fn is_concurrent(&self, other: &Self) -> bool {
        self.relation(other) == Relation::Concurrent
    }

    /// The keys and their counts, sorted by key; none is zero.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, u64)> {
        self.counts.iter().map(|(key, count)| (key, *count))
    }

    /// How many have acted.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

impl<K: Ord> Default for VectorClock<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug> fmt::Debug for VectorClock<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts.fmt(f)
    }
}

/// Of a key that comes twice the larger count; zeros are left out.
impl<K: Ord> FromIterator<(K, u64)> for VectorClock<K> {
    fn from_iter<I: IntoIterator<Item = (K, u64)>>(entries: I) -> Self {
        let mut clock = Self::new();
        for (key, count) in entries {
            clock.observe(key, count);
        }
        clock
    }
}

impl<K: Ord> PartialOrd for VectorClock<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        match self.relation(other) {
            Relation::Before => Some(std::cmp::Ordering::Less),
            Relation::After => Some(std::cmp::Ordering::Greater),
            Relation::Equal => Some(std::cmp::Ordering::Equal),
            Relation::Concurrent => None,
        }
    }
}

#[cfg(test)]
mod tests;
