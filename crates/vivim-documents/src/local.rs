//! Edits of this turn, until they are handed on.

use bytes::Bytes;
use vivim_doc::merge_own_updates;

use crate::limits::{MAX_PIECE, MERGED_UPDATES, SEPARATE_UPDATES};

/// Edits that have not been handed on.
///
/// A few stay what they are. Many, as a loop makes them, are put together on the way, into pieces
/// that a peer applies in a moment.
#[derive(Debug, Default)]
pub(crate) struct Local {
    done: Vec<Bytes>,
    /// Own edits, one after the other.
    small: Vec<Bytes>,
    small_bytes: usize,
    /// Some have been put together, so all are.
    merging: bool,
}

impl Local {
    /// An edit of this replica.
    pub(crate) fn push(&mut self, update: Bytes) {
        if self.small_bytes + update.len() > MAX_PIECE || self.small.len() >= MERGED_UPDATES {
            self.merging = true;
            self.merge();
        }
        self.small_bytes += update.len();
        self.small.push(update);
    }

    /// An update that the application had from elsewhere.
    pub(crate) fn push_foreign(&mut self, update: Bytes) {
        self.merge();
        self.done.push(update);
    }

    /// Everything, in order.
    pub(crate) fn take(&mut self) -> Vec<Bytes> {
        self.merge();
        self.merging = false;
        std::mem::take(&mut self.done)
    }

    fn merge(&mut self) {
        self.small_bytes = 0;
        let small = std::mem::take(&mut self.small);
        if small.len() > SEPARATE_UPDATES || self.merging && small.len() > 1 {
            self.done.push(merge_own_updates(&small).into());
        } else {
            self.done.extend(small);
        }
    }
}

#[cfg(test)]
mod tests {
    use vivim_doc::{ClientId, Doc};

    use super::*;

    fn typed(letters: usize) -> (Doc, Vec<Bytes>) {
        let mut doc = Doc::new(ClientId::from_random(1));
        let mut local = Local::default();
        for at in 0..letters {
            doc.text_insert("t", at as u32, "x").unwrap();
            doc.take_updates().into_iter().for_each(|update| local.push(update.payload));
        }
        (doc, local.take())
    }

    fn replayed(updates: &[Bytes]) -> usize {
        let mut copy = Doc::new(ClientId::from_random(2));
        for update in updates {
            copy.apply_update(update).unwrap();
        }
        copy.text("t").unwrap().len()
    }

    #[test]
    fn a_few_edits_stay_what_they_are() {
        let (_, updates) = typed(SEPARATE_UPDATES);
        assert_eq!(updates.len(), SEPARATE_UPDATES);
        assert_eq!(replayed(&updates), SEPARATE_UPDATES);
    }

    #[test]
    fn many_are_put_together_into_pieces() {
        let (_, updates) = typed(5_000);
        assert!(updates.len() < 15, "{}", updates.len());
        assert!(updates.iter().all(|update| update.len() <= MAX_PIECE));
        assert_eq!(replayed(&updates), 5_000);
    }

    #[test]
    fn what_came_from_elsewhere_keeps_its_place_among_them() {
        let (mut other, _) = typed(0);
        other.text_insert("o", 0, "other").unwrap();
        let foreign = other.take_updates().remove(0).payload;
        let mut doc = Doc::new(ClientId::from_random(3));
        let mut local = Local::default();
        for at in 0..40 {
            doc.text_insert("t", at, "x").unwrap();
            doc.take_updates().into_iter().for_each(|update| local.push(update.payload));
            if at == 20 {
                local.push_foreign(foreign.clone());
            }
        }
        let updates = local.take();
        assert_eq!(updates.len(), 3);
        assert_eq!(updates[1], foreign);
        assert_eq!(replayed(&updates), 40);
    }
}
