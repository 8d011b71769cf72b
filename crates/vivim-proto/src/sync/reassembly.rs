//! The session's budget for messages of which only fragments have come.

use std::collections::HashMap;

use crate::{SortedSet, id::DocId, limits::MAX_REASSEMBLY};

/// The session's budget for messages of which only fragments have come.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// Bytes of them, by document.
    partial: HashMap<DocId, usize>,
    total: usize,
    /// Those that wait for the budget.
    stalled: SortedSet<DocId>,
    /// While the budget is spent, the one that may go on, so that some message always ends.
    favoured: Option<DocId>,
}

impl Reassembly {
    /// Notes how much of a message is here; `None` if no message is half here.
    pub(super) fn set(&mut self, doc: DocId, len: Option<usize>) {
        let before = match len {
            Some(len) => self.partial.insert(doc, len),
            None => self.partial.remove(&doc),
        };
        self.total = self.total + len.unwrap_or(0) - before.unwrap_or(0);
        if len.is_none() {
            self.stalled.remove(&doc);
            if self.favoured == Some(doc) {
                self.favoured = None;
            }
        }
    }

    /// Bytes of all messages that are half here.
    #[cfg(test)]
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// Which half-received messages may go on past their windows: `doc`, and those that waited.
    pub(super) fn admitted(&mut self, doc: DocId) -> Vec<DocId> {
        if self.total < MAX_REASSEMBLY {
            let mut admitted: Vec<DocId> = std::mem::take(&mut self.stalled).into_iter().collect();
            if self.partial.contains_key(&doc) {
                admitted.push(doc);
            }
            return admitted;
        }
        if self.partial.contains_key(&doc) {
            self.stalled.insert(doc);
        }
        if self.favoured.is_none() {
            self.favoured = self.stalled.first().copied();
        }
        self.favoured.into_iter().collect()
    }
}
