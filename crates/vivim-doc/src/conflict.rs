//! Entries of maps, and attributes, that two clients wrote without knowing of each other.
//!
//! What is written under a key says which entry it replaces. If that isn't the one that is current
//! here, neither writer knew of the other's, and one of the two is lost: the document takes the one
//! by the client of the larger id, as Yjs does.

use yrs::{Array, ArrayRef, Map, MapRef, Text, TextRef, Transact, types::text::YChange};

use crate::{
    ClientId, Doc, Kind, PathPart, TypeId,
    history::{History, Scope},
    limits::{MAX_CHAIN, MAX_CONFLICTS_QUEUED},
    types::{branch_of, kind_of},
    validate::Id,
};

/// Two entries were written under one key concurrently, and one of them is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConflictEvent {
    /// The map, or the XML element or text.
    pub target: TypeId,
    /// The way to it, from its root's name on.
    pub path: Vec<PathPart>,
    /// The key, or the name of the attribute.
    pub key: String,
    /// Whose entry is there now.
    pub winner: ClientId,
    /// Whose entry isn't.
    pub loser: ClientId,
}

/// Something written under a key. Entries of one client that replace each other may be one block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    pub(crate) scope: Scope,
    pub(crate) first: Id,
    pub(crate) last: u32,
    /// What it replaces.
    pub(crate) over: Option<Id>,
    /// It hasn't been deleted as far as its sender knows.
    pub(crate) is_there: bool,
}

/// An entry from elsewhere that was written beside the one that is current here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clash {
    scope: Scope,
    winner: u64,
    loser: u64,
}

/// The entries that led to the current one of a key, each replacing the one before it: the most
/// recent, as stretches by one client.
#[derive(Debug, Default)]
pub(crate) struct Chain(Vec<Stretch>);

#[derive(Clone, Copy, Debug)]
struct Stretch {
    client: u64,
    first: u32,
    last: u32,
}

impl Chain {
    fn head(&self) -> Option<Id> {
        self.0.last().map(|last| Id { client: last.client, clock: last.last })
    }

    fn push(&mut self, first: Id, last: u32) {
        match self.0.last_mut() {
            Some(before) if before.client == first.client => before.last = last,
            _ => {
                if self.0.len() >= MAX_CHAIN {
                    self.0.remove(0);
                }
                self.0.push(Stretch { client: first.client, first: first.clock, last });
            }
        }
    }

    /// Takes in an entry; false if it isn't the current one thereafter.
    fn write(&mut self, first: Id, last: u32, over: Option<Id>) -> bool {
        if over == self.head() {
            self.push(first, last);
            return true;
        }
        // Where the ways part: the entry of both, and by whom the next one on our way is.
        let (keep, next) = match over {
            None => (0, self.0.first().map(|first| first.client)),
            Some(over) => {
                let holds = |s: &Stretch| {
                    s.client == over.client && (s.first..=s.last).contains(&over.clock)
                };
                let Some(at) = self.0.iter().rposition(holds) else {
                    // It goes on from an entry that has lost before.
                    return false;
                };
                let is_last = self.0.get(at).is_some_and(|stretch| stretch.last == over.clock);
                (at + 1, self.0.get(if is_last { at + 1 } else { at }).map(|next| next.client))
            }
        };
        if next.is_some_and(|next| next >= first.client) {
            return false;
        }
        self.0.truncate(keep);
        if let (Some(over), Some(kept)) = (over, self.0.last_mut()) {
            kept.last = over.clock;
        }
        self.push(first, last);
        true
    }
}

impl History {
    /// Notes what was written under keys, and says which of it is beside what was current before.
    pub(crate) fn note_writes(&mut self, writes: Vec<Write>) -> Vec<Clash> {
        let mut clashes = Vec::new();
        for Write { scope, first, last, over, is_there } in writes {
            self.note_field(scope);
            let Some(info) = self.scopes.info_mut(scope) else { continue };
            let head = info.chain.head();
            let wins = info.chain.write(first, last, over);
            let Some(head) = head else { continue };
            let was_here = head.clock < self.end_before(head.client);
            if Some(head) == over || !is_there || !was_here || head.client == first.client {
                continue;
            }
            let (winner, loser) =
                if wins { (first.client, head.client) } else { (head.client, first.client) };
            clashes.push(Clash { scope, winner, loser });
        }
        clashes
    }
}

impl Doc {
    /// The conflicts since the last call, oldest first. When nobody calls, the oldest are dropped.
    ///
    /// They are reported once, by the replica that held one of the two entries when the other came.
    pub fn take_conflicts(&mut self) -> Vec<ConflictEvent> {
        self.conflicts.drain(..).collect()
    }

    /// Leaves out those under keys where there is nothing any more.
    pub(crate) fn live_clashes(&self, clashes: Vec<Clash>) -> Vec<Clash> {
        if clashes.is_empty() {
            return clashes;
        }
        let txn = self.engine.transact();
        let is_live = |clash: &Clash| {
            let info = self.history.scopes.info(clash.scope);
            info.and_then(|info| {
                let branch = info.key.parent.type_id().branch_id().get_branch(&txn)?;
                let key = info.key.key.as_deref()?;
                Some(!branch.is_deleted() && MapRef::from(branch).contains_key(&txn, key))
            })
        };
        clashes.into_iter().filter(|clash| is_live(clash).unwrap_or(false)).collect()
    }

    pub(crate) fn report(&mut self, clashes: Vec<Clash>) {
        // The way is the same for all that is in one map.
        let mut last: Option<(TypeId, Vec<PathPart>)> = None;
        for Clash { scope, winner, loser } in clashes {
            let Some(info) = self.history.scopes.info(scope) else { continue };
            let Some(key) = info.key.key.as_deref().map(ToOwned::to_owned) else { continue };
            let target = info.key.parent.type_id();
            let path = match last {
                Some((known, path)) if known == target => path,
                _ => self.path(&target),
            };
            last = Some((target.clone(), path.clone()));
            if self.conflicts.len() >= MAX_CONFLICTS_QUEUED {
                self.conflicts.pop_front();
            }
            self.conflicts.push_back(ConflictEvent {
                target,
                path,
                key,
                winner: ClientId::from_random(winner),
                loser: ClientId::from_random(loser),
            });
        }
    }

    /// The way to a shared type: its root's name, and then keys and places in lists.
    pub fn path(&self, id: &TypeId) -> Vec<PathPart> {
        let mut path = Vec::new();
        let mut at = id.clone();
        while let Some(place) = self.history.place(&at) {
            let parent = place.parent.type_id();
            path.push(match &place.key {
                Some(key) => PathPart::Key(key.to_string()),
                None => PathPart::Index(self.index_in(&parent, &at)),
            });
            at = parent;
        }
        if let Some(name) = at.root_name() {
            path.push(PathPart::Key(name.to_owned()));
        }
        path.reverse();
        path
    }

    /// The place of a shared type in the list that it is in; the list's length if it isn't.
    fn index_in(&self, list: &TypeId, id: &TypeId) -> u32 {
        let txn = self.engine.transact();
        let Some(branch) = list.branch_id().get_branch(&txn) else { return 0 };
        let is_it = |out: &yrs::Out| branch_of(out).is_some_and(|inner| TypeId::of(inner) == *id);
        let kind = match list.root_name() {
            Some(name) => self.kinds.get(name).copied().or_else(|| self.history.guess_kind(name)),
            None => kind_of(branch),
        };
        if matches!(kind, Some(Kind::Text | Kind::XmlText)) {
            let mut index = 0;
            for piece in TextRef::from(branch).diff(&txn, YChange::identity) {
                if is_it(&piece.insert) {
                    break;
                }
                index += match &piece.insert {
                    yrs::Out::Any(yrs::Any::String(text)) => text.encode_utf16().count() as u32,
                    _ => 1,
                };
            }
            return index;
        }
        if list.root_name().is_some_and(|name| self.history.has_text(name)) {
            return 0;
        }
        ArrayRef::from(branch).iter(&txn).take_while(|out| !is_it(out)).count() as u32
    }
}

#[cfg(test)]
#[path = "conflict_tests.rs"]
mod tests;
