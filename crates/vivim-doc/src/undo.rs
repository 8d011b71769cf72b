//! Undo and redo of this replica's own edits.
//!
//! The engine does the work; here is decided what counts as one step, what is kept, and for how long.
//! The engine holds the types of a scope by their address, so a scope lets go of a type as soon as it
//! is deleted, before the next transaction.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use vivim_proto::{SortedMap, time::Timestamp};
use yrs::{
    MapRef, Transact,
    undo::{Options, StackItem, UndoManager},
};

use crate::{
    Doc, EditError, TypeId,
    doc::resolve,
    encode,
    limits::{MAX_UNDO_SCOPES, MAX_UNDO_STEPS},
    whole::ANY,
};

/// Names a history of undo over some shared types of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UndoScope(u32);

/// The histories of a document, and the time that it was told.
#[derive(Default)]
pub(crate) struct Undo {
    scopes: SortedMap<UndoScope, Steps>,
    next: u32,
    now: Timestamp,
    /// The edits of a change are one step: the time stands still from its first one on.
    standing: bool,
}

struct Steps {
    types: Vec<TypeId>,
    timeout: Duration,
    manager: UndoManager<()>,
    clock: Arc<AtomicU64>,
}

impl Steps {
    fn new(
        engine: &yrs::Doc,
        branches: &[MapRef],
        types: Vec<TypeId>,
        timeout: Duration,
        clock: Arc<AtomicU64>,
        steps: (Vec<StackItem<()>>, Vec<StackItem<()>>),
    ) -> Self {
        let time = Arc::clone(&clock);
        let mut manager = UndoManager::with_options(Options {
            // Steps are joined if they are less than this apart.
            capture_timeout_millis: millis(timeout).max(1),
            tracked_origins: Default::default(),
            capture_transaction: None,
            timestamp: Arc::new(move || time.load(Ordering::Relaxed)),
            init_undo_stack: steps.0,
            init_redo_stack: steps.1,
        });
        for branch in branches {
            manager.expand_scope(engine, branch);
        }
        Self { types, timeout, manager, clock }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Undo").field("scopes", &self.scopes.len()).finish_non_exhaustive()
    }
}

impl Undo {
    /// An edit of this replica follows.
    pub(crate) fn before_edit(&mut self, in_change: bool) {
        if self.scopes.is_empty() || (in_change && self.standing) {
            return;
        }
        self.standing = in_change;
        // The engine takes zero for never.
        let now = millis(self.now.since_epoch()).saturating_add(1);
        for steps in self.scopes.values() {
            let last = steps.clock.load(Ordering::Relaxed);
            let next = if steps.timeout.is_zero() { now.max(last.saturating_add(1)) } else { now };
            steps.clock.store(next.max(last), Ordering::Relaxed);
        }
    }

    pub(crate) fn end_change(&mut self) {
        self.standing = false;
    }
}

impl Doc {
    /// Tells the document the time, which [undo](Self::undo_scope) takes for that of the edits that
    /// follow.
    pub fn set_time(&mut self, now: Timestamp) {
        self.undo.now = self.undo.now.max(now);
    }

    /// Begins to note this replica's edits of these types, and of what is in them, so that they can be
    /// undone. Edits less than `capture_timeout` apart, and those of one
    /// [change](Self::begin_change), are one step. What others edit is never undone.
    ///
    /// Without types, and beyond [`MAX_UNDO_SCOPES`], it fails with
    /// [`EditError::TooMany`]. Of more than [`MAX_UNDO_STEPS`] steps,
    /// the oldest are forgotten.
    pub fn undo_scope(
        &mut self,
        types: &[TypeId],
        capture_timeout: Duration,
    ) -> Result<UndoScope, EditError> {
        if types.is_empty() || self.undo.scopes.len() >= MAX_UNDO_SCOPES {
            return Err(EditError::TooMany(MAX_UNDO_SCOPES));
        }
        let branches = self.undo_branches(types)?;
        let (types, clock) = (types.to_vec(), Arc::default());
        let steps =
            Steps::new(&self.engine, &branches, types, capture_timeout, clock, Default::default());
        let scope = UndoScope(self.undo.next);
        self.undo.next = self.undo.next.wrapping_add(1);
        self.undo.scopes.insert(scope, steps);
        Ok(scope)
    }

    /// Ends a history of undo, and lets go of what it kept.
    pub fn undo_end(&mut self, scope: UndoScope) {
        if let Some(mut steps) = self.undo.scopes.remove(&scope) {
            steps.manager.clear_all();
        }
    }

    /// Undoes the last step. False if there was none that changed anything.
    pub fn undo(&mut self, scope: UndoScope) -> bool {
        self.step(scope, UndoManager::undo_blocking)
    }

    /// Does again what was undone last. False if there was nothing that changed anything. An edit ends
    /// what can be done again.
    pub fn redo(&mut self, scope: UndoScope) -> bool {
        self.step(scope, UndoManager::redo_blocking)
    }

    /// How many steps can be undone, and done again.
    pub fn undo_depth(&self, scope: UndoScope) -> (usize, usize) {
        self.undo.scopes.get(&scope).map_or((0, 0), |steps| {
            (steps.manager.undo_stack().len(), steps.manager.redo_stack().len())
        })
    }

    /// Whether there is a step to undo.
    pub fn can_undo(&self, scope: UndoScope) -> bool {
        self.undo_depth(scope).0 > 0
    }

    /// Whether there is a step to do again.
    pub fn can_redo(&self, scope: UndoScope) -> bool {
        self.undo_depth(scope).1 > 0
    }

    /// Makes the next edit begin a step, however soon it comes.
    pub fn undo_stop_capturing(&mut self, scope: UndoScope) {
        if let Some(steps) = self.undo.scopes.get_mut(&scope) {
            steps.manager.reset();
        }
    }

    /// Forgets all steps.
    pub fn undo_clear(&mut self, scope: UndoScope) {
        if let Some(steps) = self.undo.scopes.get_mut(&scope) {
            steps.manager.clear_all();
        }
    }

    fn step(&mut self, scope: UndoScope, step: fn(&mut UndoManager<()>) -> bool) -> bool {
        if self.is_given_up() {
            return false;
        }
        let Some(steps) = self.undo.scopes.get_mut(&scope) else { return false };
        // The engine makes the transaction itself, so its update has to be caught.
        let caught: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let catcher = Arc::clone(&caught);
        let key = "vivim undo";
        let observed = self.engine.observe_transaction_cleanup(key, move |txn, _| {
            let changes = encode::changes(txn);
            catcher.lock().unwrap_or_else(PoisonError::into_inner).push(changes);
        });
        if observed.is_err() {
            return false;
        }
        let changed = step(&mut steps.manager);
        // Fails only while a transaction is open.
        let _ = self.engine.unobserve_transaction_cleanup(key);
        let caught = std::mem::take(&mut *caught.lock().unwrap_or_else(PoisonError::into_inner));
        for update in caught {
            self.take_in(update);
        }
        self.after_transaction();
        changed
    }

    /// Lets scopes go of what is deleted, and of steps that are too many.
    pub(crate) fn after_transaction(&mut self) {
        let scopes: Vec<UndoScope> = self.undo.scopes.keys().copied().collect();
        for scope in scopes {
            self.tidy(scope);
        }
    }

    fn tidy(&mut self, scope: UndoScope) {
        let Some(steps) = self.undo.scopes.get(&scope) else { return };
        let is_nested = |id: &TypeId| id.root_name().is_none();
        let is_there = |id: &&TypeId| !is_nested(id) || self.exists(id);
        let (undo, redo) = (steps.manager.undo_stack(), steps.manager.redo_stack());
        let too_many = undo.len() > MAX_UNDO_STEPS || redo.len() > MAX_UNDO_STEPS;
        if !too_many && steps.types.iter().all(|id| is_there(&id)) {
            return;
        }
        let left: Vec<TypeId> = steps.types.iter().filter(is_there).cloned().collect();
        // Half of them, so that this isn't done for each edit.
        let keep = |steps: &[StackItem<()>]| {
            let from = if too_many { steps.len().saturating_sub(MAX_UNDO_STEPS / 2) } else { 0 };
            let (old, new) = steps.split_at(from);
            (old.to_vec(), new.to_vec())
        };
        let ((old_undo, undo), (old_redo, redo)) = (keep(undo), keep(redo));
        let (timeout, clock) = (steps.timeout, Arc::clone(&steps.clock));
        // Ends the engine's use of the addresses of what is gone.
        self.undo.scopes.remove(&scope);
        let Ok(branches) = self.undo_branches(&left) else { return };
        let make = |engine: &yrs::Doc, stacks| {
            Steps::new(engine, &branches, left.clone(), timeout, Arc::clone(&clock), stacks)
        };
        if too_many {
            // Clearing them lets the engine collect what they kept.
            make(&self.engine, (old_undo, old_redo)).manager.clear_all();
        }
        let steps = make(&self.engine, (undo, redo));
        self.undo.scopes.insert(scope, steps);
    }

    /// Only the address counts for the engine, not the kind.
    fn undo_branches(&self, types: &[TypeId]) -> Result<Vec<MapRef>, EditError> {
        let txn = self.engine.transact();
        types.iter().map(|id| resolve(&self.kinds, &txn, id, ANY).map(MapRef::from)).collect()
    }
}

#[cfg(test)]
#[path = "undo_tests.rs"]
mod tests;
