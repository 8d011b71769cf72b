//! Who holds a reservation.
//!
//! libp2p-relay 0.22 counts a renewal as one more reservation, so that a full relay would throw its
//! clients out one by one, whenever they renew. So this counts peers, and the limit of libp2p-relay
//! is off.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use libp2p::PeerId;

/// The peers with a reservation, shared by the relay protocol, which takes places, and the driver
/// of the swarm, which hears of their end.
#[derive(Debug, Clone)]
pub(crate) struct Reservations {
    limit: usize,
    peers: Arc<Mutex<HashSet<PeerId>>>,
}

impl Reservations {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, peers: Arc::default() }
    }

    /// Gives `peer` a place, unless it has none yet and all are taken.
    pub(crate) fn admit(&self, peer: PeerId) -> bool {
        let mut peers = self.peers();
        peers.contains(&peer) || (peers.len() < self.limit && peers.insert(peer))
    }

    /// The reservation of `peer` is over.
    pub(crate) fn release(&self, peer: PeerId) {
        self.peers().remove(&peer);
    }

    pub(crate) fn len(&self) -> usize {
        self.peers().len()
    }

    fn peers(&self) -> MutexGuard<'_, HashSet<PeerId>> {
        // The set is whole even if a thread panicked while it held the lock.
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_place_keeps_it_when_all_are_taken() {
        let reservations = Reservations::new(2);
        let [a, b, c] = [(); 3].map(|()| PeerId::random());
        assert!(reservations.admit(a) && reservations.admit(b));
        assert!(!reservations.admit(c));
        assert!(reservations.admit(a));
        reservations.release(b);
        assert!(reservations.admit(c));
        assert_eq!(reservations.len(), 2);
    }
}
