//! Rates per address, for the relay protocol and for new connections.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, multiaddr::Protocol};

/// Keys whose rate is remembered. Beyond it the full buckets are forgotten, then all.
const MAX_TRACKED: usize = 65_536;

/// A rate: so many at once, then one per `interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many are allowed at once.
    pub burst: u32,
    /// After the burst, one more is allowed per interval.
    pub interval: Duration,
}

/// Token buckets, one per key, bounded in memory.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    rate: Rate,
    /// When the bucket of a key will be full again. A key that isn't here has a full one.
    full_at: HashMap<K, Instant>,
}

impl<K: Hash + Eq> Buckets<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, full_at: HashMap::new() }
    }

    /// Takes one token of `key`, if it has one.
    pub(crate) fn take(&mut self, key: K, now: Instant) -> bool {
        if self.full_at.len() >= MAX_TRACKED {
            self.full_at.retain(|_, full| *full > now);
            if self.full_at.len() >= MAX_TRACKED {
                self.full_at.clear();
            }
        }
        let full = self.full_at.entry(key).or_insert(now);
        let next = (*full).max(now) + self.rate.interval;
        let allowed = next <= now + self.rate.interval * self.rate.burst;
        if allowed {
            *full = next;
        }
        allowed
    }
}

/// The part of an address that one customer of a provider has: an IPv4 address, or an IPv6 /64.
pub(crate) fn prefix(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let mut octets = ip.octets();
            octets[8..].fill(0);
            Ipv6Addr::from(octets).into()
        }
        v4 => v4,
    }
}

/// The address a connection comes from, as [`prefix`]; `None` if it must not be limited: without
/// an IP address, or from this machine (a reverse proxy or the tests of a developer).
pub(crate) fn limited_prefix(addr: &Multiaddr) -> Option<IpAddr> {
    let ip = addr.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::from(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::from(ip).to_canonical()),
        _ => None,
    })?;
    (!ip.is_loopback()).then(|| prefix(ip))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_one_per_interval() {
        let rate = Rate { burst: 3, interval: Duration::from_secs(2) };
        let mut buckets = Buckets::new(rate);
        let start = Instant::now();
        let taken = |b: &mut Buckets<u8>, at: u64| b.take(1, start + Duration::from_secs(at));
        assert_eq!([0; 5].map(|at| taken(&mut buckets, at)), [true, true, true, false, false]);
        assert_eq!([2, 2, 3, 4].map(|at| taken(&mut buckets, at)), [true, false, false, true]);
        assert!(buckets.take(2, start));
        assert_eq!([100; 4].map(|at| taken(&mut buckets, at)), [true, true, true, false]);
    }

    #[test]
    fn the_memory_of_buckets_is_bounded() {
        let rate = Rate { burst: 1, interval: Duration::from_secs(3600) };
        let mut buckets = Buckets::new(rate);
        let now = Instant::now();
        for key in 0..200_000_u32 {
            buckets.take(key, now);
        }
        assert!(buckets.full_at.len() <= MAX_TRACKED);
    }

    #[test]
    fn ipv6_counts_by_its_64_and_loopback_not_at_all() {
        let of = |text: &str| limited_prefix(&text.parse().unwrap());
        assert_eq!(of("/ip6/2001:db8::1/tcp/1"), of("/ip6/2001:db8::ffff/tcp/2/ws"));
        assert_ne!(of("/ip6/2001:db8::1/tcp/1"), of("/ip6/2001:db8:0:1::1/tcp/1"));
        assert_eq!(of("/ip6/::ffff:192.0.2.1/tcp/1"), of("/ip4/192.0.2.1/tcp/1"));
        assert_eq!(of("/ip4/127.3.4.5/tcp/1"), None);
        assert_eq!(of("/ip6/::1/tcp/1"), None);
        assert_eq!(of("/memory/7"), None);
    }
}
