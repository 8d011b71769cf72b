//! Where the changes made here have got: what is only here, whom they have reached, who keeps them.
//!
//! # The numbers
//!
//! The changes made here are numbered 1, 2, 3, …, per document and device, going on after a reload.
//! A *watermark* is the number up to which all of them have got somewhere: there is one for this
//! device's storage, and two for each peer, what it has applied and what it has stored. Since each
//! covers all changes before, "how many are only here" is the distance from the last change to the
//! highest watermark that a peer ever had.
//!
//! The node tells them (`DocumentEvent::Reached`): from acknowledgements of the updates that carry
//! the changes, and of the answers to summaries, which stand for all changes before. In rooms of
//! more than eight members small changes go by gossip, which nobody acknowledges; then watermarks
//! move with the exchanges of summaries, every ten seconds with some neighbours, and nothing is
//! known of members with whom no summaries are exchanged. So a receipt is never too optimistic, and
//! the number of peers reached is a lower bound.
//!
//! *Applied* means: in the peer's memory. *Stored* means that the peer says that it would survive a
//! restart there; what a peer says isn't proof.
//!
//! # What survives a reload
//!
//! [`encode`](Receipts::encode) gives the last number, the watermarks, and the clock of this device
//! in the document (the sum of its openings' clocks) for the document's metadata. When a document is
//! loaded whose clock of this device is higher than the one saved, there are changes here that no
//! saved number counts: a crash came between. They count as one change, which no peer has. A
//! deletion alone doesn't move the clock, so one that was made within the last moment before a crash
//! can be missing from the count (not from the document, and it is sent to peers all the same).

use bytes::Bytes;
use vivim_proto::{
    SortedMap,
    wire::{Reader, WireError, put_bytes, put_uvarint},
};

use crate::limits::{MAX_PEER_ID, MAX_RECEIPT_PEERS};

/// The version of the saved form.
const VERSION: u8 = 1;

/// The flag of a peer that keeps documents for others.
const KEEPER: u8 = 1;

/// Where the changes made here have got. `P` names a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipts<P> {
    local: u64,
    durable: u64,
    /// The highest watermark that any peer has had, remembered or not.
    synced: u64,
    peers: SortedMap<P, Peer>,
    /// Counts up whenever a peer is heard of.
    clock: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Peer {
    applied: u64,
    stored: u64,
    open: bool,
    keeper: bool,
    heard: u64,
}

/// What is known of one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt<'a, P> {
    /// Who.
    pub peer: &'a P,
    /// It has applied all changes up to this one.
    pub applied: u64,
    /// It has stored all changes up to this one.
    pub stored: u64,
    /// It exchanges the document with us now.
    pub open: bool,
    /// It keeps documents for others (a relay that stores).
    pub keeper: bool,
}

/// The sum of all receipts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How many changes were made here, ever.
    pub local: u64,
    /// All up to this one are durable here.
    pub durable: u64,
    /// How many no peer has.
    pub unsynced: u64,
    /// How many peers have applied all of them, as far as is known.
    pub reached: usize,
    /// How many peers have stored all of them.
    pub stored: usize,
    /// How many of those keep documents for others.
    pub kept: usize,
}

impl<P> Default for Receipts<P> {
    fn default() -> Self {
        Self { local: 0, durable: 0, synced: 0, peers: SortedMap::new(), clock: 0 }
    }
}

impl<P: Clone + Ord> Receipts<P> {
    /// Of a document in which nothing was changed here.
    pub fn new() -> Self {
        Self::default()
    }

    /// A change was made here. Gives its number.
    pub fn change(&mut self) -> u64 {
        self.local += 1;
        self.local
    }

    /// All changes up to this one are durable here. True if that is news.
    pub fn durable(&mut self, change: u64) -> bool {
        let change = change.min(self.local);
        let news = change > self.durable;
        self.durable = self.durable.max(change);
        news
    }

    /// The exchange with this peer begins.
    pub fn opened(&mut self, peer: &P) {
        if let Some(entry) = self.entry(peer) {
            entry.open = true;
        }
    }

    /// This peer exchanges the document with us no longer. What it has is remembered.
    pub fn closed(&mut self, peer: &P) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.open = false;
        }
    }

    /// Whether this peer keeps documents for others.
    pub fn set_keeper(&mut self, peer: &P, keeper: bool) {
        if let Some(entry) = self.entry(peer) {
            entry.keeper = keeper;
        }
    }

    /// This peer has all changes up to this one: in memory, or also stored. True if that is news.
    pub fn reached(&mut self, peer: &P, change: u64, stored: bool) -> bool {
        // Nobody has what was never made.
        let change = change.min(self.local);
        let unknown = change > self.synced;
        self.synced = self.synced.max(change);
        let Some(entry) = self.entry(peer) else { return unknown };
        let before = (entry.applied, entry.stored);
        entry.applied = entry.applied.max(change);
        if stored {
            entry.stored = entry.stored.max(change);
        }
        (entry.applied, entry.stored) != before
    }

    /// The number of the last change made here.
    pub fn local(&self) -> u64 {
        self.local
    }

    /// How many changes no peer has.
    pub fn unsynced(&self) -> u64 {
        self.local.saturating_sub(self.synced)
    }

    /// How many changes are not durable here.
    pub fn undurable(&self) -> u64 {
        self.local.saturating_sub(self.durable)
    }

    /// How many peers have applied all changes up to this one, as far as is known.
    pub fn reached_by(&self, change: u64) -> usize {
        self.peers.values().filter(|peer| peer.applied >= change).count()
    }

    /// How many peers have stored all changes up to this one.
    pub fn stored_by(&self, change: u64) -> usize {
        self.peers.values().filter(|peer| peer.stored >= change).count()
    }

    /// The sum of it. While nothing was changed here, nobody is counted: there was nothing to reach
    /// them.
    pub fn standing(&self) -> Standing {
        let kept = |peer: &&Peer| peer.keeper && peer.stored >= self.local;
        let any = self.local > 0;
        Standing {
            local: self.local,
            durable: self.durable,
            unsynced: self.unsynced(),
            reached: if any { self.reached_by(self.local) } else { 0 },
            stored: if any { self.stored_by(self.local) } else { 0 },
            kept: if any { self.peers.values().filter(kept).count() } else { 0 },
        }
    }

    /// What is known of each peer.
    pub fn peers(&self) -> impl ExactSizeIterator<Item = Receipt<'_, P>> {
        self.peers.iter().map(|(peer, entry)| Receipt {
            peer,
            applied: entry.applied,
            stored: entry.stored,
            open: entry.open,
            keeper: entry.keeper,
        })
    }

    /// As it is kept beside the document. `own_clock` is the sum of the clocks of this device's
    /// openings in the document, `id` the bytes of a peer's id.
    pub fn encode(&self, own_clock: u64, id: impl Fn(&P) -> Vec<u8>) -> Bytes {
        let mut out = vec![VERSION];
        put_uvarint(&mut out, self.local);
        put_uvarint(&mut out, own_clock);
        put_uvarint(&mut out, self.synced);
        // A peer that has nothing is as good as one that isn't known.
        let worth = |peer: &Peer| peer.applied > 0 || peer.stored > 0;
        let peers: Vec<_> = self.peers.iter().filter(|(_, peer)| worth(peer)).collect();
        put_uvarint(&mut out, peers.len() as u64);
        for (peer, entry) in peers {
            put_bytes(&mut out, &id(peer));
            put_uvarint(&mut out, entry.applied);
            put_uvarint(&mut out, entry.stored);
            out.push(if entry.keeper { KEEPER } else { 0 });
        }
        out.into()
    }

    /// What was kept, for a document that was loaded and in which this device's clock is `own_clock`
    /// now. `peer` reads a peer's id; peers that it doesn't know are forgotten.
    ///
    /// # Errors
    ///
    /// If the bytes can't be read. Then start with [`lost`](Self::lost).
    pub fn restore(
        kept: &Bytes,
        own_clock: u64,
        peer: impl Fn(&[u8]) -> Option<P>,
    ) -> Result<Self, WireError> {
        let mut reader = Reader::new(kept.clone());
        let version = reader.u8()?;
        if version != VERSION {
            return Err(WireError::UnknownValue(version.into()));
        }
        let mut this = Self { local: reader.uvarint()?, ..Self::default() };
        let saved_clock = reader.uvarint()?;
        this.synced = reader.uvarint()?.min(this.local);
        for _ in 0..reader.length(MAX_RECEIPT_PEERS)? {
            let id = reader.bytes(MAX_PEER_ID)?;
            let applied = reader.uvarint()?.min(this.local);
            let stored = reader.uvarint()?.min(applied);
            let keeper = reader.u8()? & KEEPER != 0;
            if let Some(peer) = peer(&id) {
                let entry = Peer { applied, stored, keeper, ..Peer::default() };
                this.peers.insert(peer, entry);
            }
        }
        reader.finish()?;
        if own_clock > saved_clock {
            this.local += 1;
        }
        // It was loaded, so it is stored.
        this.durable = this.local;
        Ok(this)
    }

    /// Of a loaded document whose receipts are lost, or were never kept: everything that this device
    /// ever did counts as one change that no peer has.
    pub fn lost(own_clock: u64) -> Self {
        let local = own_clock.min(1);
        Self { local, durable: local, ..Self::default() }
    }

    /// The entry of a peer, for which room is made if need be. `None` if everybody known is
    /// connected.
    fn entry(&mut self, peer: &P) -> Option<&mut Peer> {
        self.clock += 1;
        if !self.peers.contains_key(peer) {
            if self.peers.len() >= MAX_RECEIPT_PEERS {
                let gone = self.least()?;
                self.peers.remove(&gone);
            }
            self.peers.insert(peer.clone(), Peer::default());
        }
        let entry = self.peers.get_mut(peer)?;
        entry.heard = self.clock;
        Some(entry)
    }

    /// Of those that aren't connected the one that has the least, and of equals the one that was
    /// heard of longest ago.
    fn least(&self) -> Option<P> {
        let away = self.peers.iter().filter(|(_, peer)| !peer.open);
        let least = away.min_by_key(|(_, peer)| (peer.applied, peer.stored, peer.heard));
        least.map(|(peer, _)| peer.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(peer: &u32) -> Vec<u8> {
        peer.to_be_bytes().to_vec()
    }

    fn peer(id: &[u8]) -> Option<u32> {
        Some(u32::from_be_bytes(id.try_into().ok()?))
    }

    fn restored(receipts: &Receipts<u32>, saved: u64, now: u64) -> Receipts<u32> {
        Receipts::restore(&receipts.encode(saved, id), now, peer).unwrap()
    }

    #[test]
    fn a_change_is_only_here_then_durable_then_reached_then_stored() {
        let mut receipts = Receipts::new();
        assert_eq!(receipts.standing(), Standing::default());
        receipts.opened(&1);
        receipts.opened(&2);
        let change = receipts.change();
        assert_eq!((receipts.unsynced(), receipts.undurable()), (1, 1));
        assert!(receipts.durable(change));
        assert_eq!((receipts.unsynced(), receipts.undurable()), (1, 0));
        assert!(receipts.reached(&1, change, false));
        assert!(!receipts.reached(&1, change, false), "no news");
        assert_eq!(receipts.unsynced(), 0);
        assert!(receipts.reached(&2, change, true));
        let standing = receipts.standing();
        assert_eq!((standing.reached, standing.stored, standing.kept), (2, 1, 0));
        receipts.change();
        let standing = receipts.standing();
        assert_eq!((standing.reached, standing.stored, standing.unsynced), (0, 0, 1));
        assert_eq!((receipts.reached_by(change), receipts.stored_by(change)), (2, 1));
    }

    #[test]
    fn a_peer_that_acknowledges_as_a_store_fills_the_relays_tier() {
        let mut receipts = Receipts::new();
        let change = receipts.change();
        receipts.reached(&1, change, true);
        assert_eq!(receipts.standing().kept, 0);
        receipts.set_keeper(&1, true);
        assert_eq!(receipts.standing().kept, 1);
        receipts.change();
        assert_eq!(receipts.standing().kept, 0, "the new change isn't kept yet");
    }

    #[test]
    fn what_a_peer_has_outlives_its_connection() {
        let mut receipts = Receipts::new();
        receipts.opened(&1);
        receipts.change();
        receipts.reached(&1, 1, false);
        receipts.closed(&1);
        assert_eq!(receipts.unsynced(), 0);
        assert!(receipts.peers().all(|receipt| !receipt.open && receipt.applied == 1));
    }

    #[test]
    fn watermarks_never_go_down_and_never_past_the_last_change() {
        let mut receipts = Receipts::new();
        for _ in 0..5 {
            receipts.change();
        }
        receipts.reached(&1, 4, true);
        assert!(!receipts.reached(&1, 2, true), "an older stream's");
        assert!(receipts.reached(&1, 99, false));
        let receipt = receipts.peers().next().unwrap();
        assert_eq!((receipt.applied, receipt.stored), (5, 4));
        assert!(receipts.durable(99));
        assert_eq!(receipts.standing().durable, 5);
    }

    #[test]
    fn the_count_survives_a_reload() {
        let mut receipts = Receipts::new();
        for _ in 0..5 {
            receipts.change();
        }
        receipts.opened(&1);
        receipts.reached(&1, 3, false);
        receipts.reached(&2, 2, true);
        receipts.set_keeper(&2, true);
        let again = restored(&receipts, 70, 70);
        assert_eq!(again.unsynced(), 2);
        assert_eq!(again.undurable(), 0, "it was loaded");
        let known: Vec<_> = again.peers().map(|r| (*r.peer, r.applied, r.stored)).collect();
        assert_eq!(known, [(1, 3, 0), (2, 2, 2)]);
        assert!(again.peers().all(|receipt| !receipt.open));
        assert!(again.peers().any(|receipt| receipt.keeper));
    }

    #[test]
    fn changes_that_no_saved_number_counts_are_one_more() {
        let mut receipts = Receipts::new();
        receipts.change();
        receipts.reached(&1, 1, false);
        assert_eq!(restored(&receipts, 10, 10).unsynced(), 0);
        let mut again = restored(&receipts, 10, 17);
        assert_eq!(again.unsynced(), 1);
        assert!(again.reached(&1, again.local(), false));
        assert_eq!(again.unsynced(), 0);
        assert_eq!(Receipts::<u32>::lost(9).unsynced(), 1);
        assert_eq!(Receipts::<u32>::lost(0).unsynced(), 0);
    }

    #[test]
    fn peers_are_bounded_and_the_highest_watermark_outlives_its_peer() {
        let mut receipts = Receipts::new();
        receipts.change();
        receipts.reached(&0, 1, true);
        for peer in 1..10_000 {
            receipts.opened(&peer);
            receipts.closed(&peer);
        }
        assert_eq!(receipts.peers().len(), MAX_RECEIPT_PEERS);
        assert_eq!(receipts.unsynced(), 0);
        // While everybody is connected, one more isn't counted; nobody is pushed out.
        for peer in 20_000..20_000 + MAX_RECEIPT_PEERS as u32 {
            receipts.opened(&peer);
        }
        assert_eq!(receipts.unsynced(), 0);
        assert!(receipts.encode(0, id).len() < 64, "those that have nothing aren't saved");
    }

    #[test]
    fn bytes_that_cannot_be_read_are_refused() {
        let mut receipts = Receipts::new();
        receipts.change();
        receipts.reached(&1, 1, true);
        let good = receipts.encode(5, id);
        for len in 0..good.len() {
            assert!(Receipts::<u32>::restore(&good.slice(..len), 5, peer).is_err());
        }
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.to_vec();
                bad[at] ^= 1 << bit;
                if let Ok(receipts) = Receipts::<u32>::restore(&bad.into(), 5, peer) {
                    assert!(receipts.peers().all(|r| r.stored <= r.applied));
                    assert!(receipts.peers().all(|r| r.applied <= receipts.local()));
                }
            }
        }
    }
}
