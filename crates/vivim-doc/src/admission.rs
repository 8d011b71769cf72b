//! What of an update may go to the engine now.
//!
//! The engine keeps items in lists that are linked by pointers and believes what an update says of
//! them. An update whose blocks are each encoded well, but claim to be beside things that are in
//! different places, makes it lose count or worse. So this module knows of every unit of the
//! document's history *where* it is, admits a block only when everything that it refers to is there
//! and agrees, and keeps the rest until then. The engine never sees a block that it would have to
//! keep waiting itself.
//!
//! Neighbours are mostly in the same place, so the knowledge is kept as runs: what somebody wrote in
//! one go is one run.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap, VecDeque},
};

use vivim_proto::wire::put_uvarint;

use crate::{
    Kind, TypeId,
    limits::MAX_DOCUMENT_NESTING,
    validate::{Block, Content, Id, Invalid, Part, Place, walk},
};

/// Where everything in a document is.
#[derive(Debug, Default)]
pub(crate) struct History {
    known: Known,
    scopes: Scopes,
}

/// What is known of a set of clocks. A history has one, and a second one while an update is being
/// judged, so that a refused update leaves no trace.
#[derive(Debug, Default)]
struct Known {
    /// The first clock of each client that isn't known.
    states: HashMap<u64, u32>,
    /// By the first unit of a run.
    runs: BTreeMap<Id, Run>,
    /// The units that are shared types, and their kinds.
    types: HashMap<Id, Kind>,
}

/// Units of one client in one scope, each written right after the one before it.
#[derive(Clone, Copy, Debug)]
struct Run {
    len: u32,
    scope: Scope,
    /// The first was written right after the unit before it, which another run ends with.
    continues: bool,
}

/// One list of items, or one key of a map, with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Scope(u32);

/// Where deleted and forgotten things are, and what is beside them.
const VOID: Scope = Scope(0);

#[derive(Debug, Default)]
struct Scopes {
    numbers: HashMap<ScopeKey, Scope>,
    /// By number, less one.
    known: Vec<ScopeInfo>,
}

#[derive(Debug)]
struct ScopeInfo {
    key: ScopeKey,
    /// How many shared types it is in.
    depth: u32,
    /// What it may hold.
    holds: Holds,
    /// What it has held: see [`Content::bit`].
    content: u8,
}

/// What a list, or a key, may hold. Nobody who means well puts anything else there, and the engine
/// isn't made for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// The list of a root, whose kind isn't told.
    Anything,
    /// Text, its formats, what is embedded.
    Text,
    /// Values and shared types.
    Values,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ScopeKey {
    parent: Parent,
    key: Option<Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Parent {
    Root(Box<str>),
    Type(Id),
}

/// An update, taken apart.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// What the engine may have now; everything it refers to is there. `None` if it is nothing.
    pub(crate) now: Option<Vec<u8>>,
    /// What must wait. `None` if it is nothing.
    pub(crate) later: Option<Waiting>,
}

/// A part of an update that must wait.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) update: Vec<u8>,
    /// What it waits for; any of these may let a part of it go on.
    pub(crate) missing: Vec<Id>,
}

/// A range of clocks that are deleted.
#[derive(Clone, Copy, Debug)]
struct Deletion {
    from: Id,
    len: u32,
}

/// The blocks of one client in an update.
#[derive(Default)]
struct Queue<'a> {
    blocks: VecDeque<Block<'a>>,
    first: Option<u32>,
    admitted: u64,
    bytes: Vec<u8>,
    waits_for: Option<Id>,
}

impl History {
    /// Judges an update in encoding V1. On success, `now` must go to the engine.
    pub(crate) fn admit(&mut self, update: &[u8]) -> Result<Admitted, Invalid> {
        let mut queues: BTreeMap<u64, Queue<'_>> = BTreeMap::new();
        let mut deletions = Vec::new();
        walk(update, |part| match part {
            Part::Block(block) => {
                let queue = queues.entry(block.id.client).or_default();
                queue.blocks.push_back(block);
            }
            Part::Deletion { from, len } => deletions.push(Deletion { from, len }),
        })?;
        let mut judge = Judge { history: self, staged: Known::default() };
        judge.schedule(&mut queues)?;
        let Judge { staged, .. } = judge;
        self.known.extend(staged);
        let (now, later): (Vec<_>, Vec<_>) =
            deletions.into_iter().map(|deletion| self.split_deletion(deletion)).unzip();
        let now: Vec<_> = now.into_iter().flatten().collect();
        let later: Vec<_> = later.into_iter().flatten().collect();
        Ok(Admitted { now: encode_now(&queues, &now), later: encode_later(&queues, &later) })
    }

    /// Whether a unit is known.
    pub(crate) fn has(&self, id: Id) -> bool {
        id.clock < self.known.state(id.client)
    }

    /// The first clock of a client that isn't known.
    pub(crate) fn state(&self, client: u64) -> u32 {
        self.known.state(client)
    }

    /// Whether the list of a root has had values among its items, as a text shouldn't.
    pub(crate) fn has_values(&self, root: &str) -> bool {
        self.root_content(root) & Content::Value.bit() != 0
    }

    /// Whether the list of a root has had text among its items, as a list of values shouldn't.
    pub(crate) fn has_text(&self, root: &str) -> bool {
        self.root_content(root) & Content::Text.bit() != 0
    }

    fn root_content(&self, root: &str) -> u8 {
        let key = ScopeKey { parent: Parent::Root(root.into()), key: None };
        let scope = self.scopes.numbers.get(&key);
        scope.and_then(|scope| self.scopes.info(*scope)).map_or(0, |info| info.content)
    }

    /// What kind a root seems to have.
    pub(crate) fn guess_kind(&self, root: &str) -> Option<Kind> {
        let content = self.root_content(root);
        let has = |kind: Content| content & kind.bit() != 0;
        if has(Content::Text) {
            Some(Kind::Text)
        } else if has(Content::Value) || has(Content::Type) {
            Some(Kind::Array)
        } else if has(Content::Xml) {
            Some(Kind::XmlFragment)
        } else {
            let of_root = |info: &ScopeInfo| {
                info.key.key.is_some() && info.key.parent == Parent::Root(root.into())
            };
            self.scopes.known.iter().any(of_root).then_some(Kind::Map)
        }
    }

    /// How many shared types those are in that are in this one.
    pub(crate) fn depth_inside(&self, id: &TypeId) -> u32 {
        match id.nested() {
            None => 0,
            Some(id) => {
                let run = self.known.run(id);
                run.map_or(0, |(_, run)| self.scopes.depth(run.scope)) + 1
            }
        }
    }

    /// The type that a nested one is in.
    pub(crate) fn parent(&self, id: &TypeId) -> Option<TypeId> {
        let (_, run) = self.known.run(id.nested()?)?;
        Some(match &self.scopes.info(run.scope)?.key.parent {
            Parent::Root(name) => TypeId::root(name),
            Parent::Type(id) => TypeId::from_id(*id),
        })
    }

    /// The first clock that isn't known, of each client of whom anything is.
    pub(crate) fn states(&self) -> impl Iterator<Item = (u64, u32)> {
        self.known.states.iter().map(|(client, clock)| (*client, *clock))
    }

    /// The part of a range that is known, and the rest.
    fn split_deletion(&self, deletion: Deletion) -> (Option<Deletion>, Option<Deletion>) {
        let Deletion { from, len } = deletion;
        let known = self.state(from.client).saturating_sub(from.clock).min(len);
        let rest = Id { clock: from.clock + known, ..from };
        (
            (known > 0).then_some(Deletion { from, len: known }),
            (known < len).then_some(Deletion { from: rest, len: len - known }),
        )
    }
}

/// An update being judged.
struct Judge<'h> {
    history: &'h mut History,
    staged: Known,
}

impl Judge<'_> {
    /// Admits block after block until no client of the update can go on.
    fn schedule(&mut self, queues: &mut BTreeMap<u64, Queue<'_>>) -> Result<(), Invalid> {
        let mut work: VecDeque<u64> = queues.keys().copied().collect();
        // By the client waited for: the clock, and who waits.
        let mut waiting: HashMap<u64, BinaryHeap<Reverse<(u32, u64)>>> = HashMap::new();
        while let Some(client) = work.pop_front() {
            let Some(queue) = queues.get_mut(&client) else { continue };
            self.advance(client, queue)?;
            if let Some(id) = queue.waits_for {
                waiting.entry(id.client).or_default().push(Reverse((id.clock, client)));
            }
            let state = self.state(client);
            let Some(waiters) = waiting.get_mut(&client) else { continue };
            while let Some(Reverse((clock, waiter))) = waiters.peek().copied() {
                if clock >= state {
                    break;
                }
                waiters.pop();
                work.push_back(waiter);
            }
        }
        Ok(())
    }

    fn advance(&mut self, client: u64, queue: &mut Queue<'_>) -> Result<(), Invalid> {
        queue.waits_for = None;
        while let Some(block) = queue.blocks.front().copied() {
            let state = self.state(client);
            // The walk has made sure that this doesn't overflow.
            let end = block.id.clock + block.len;
            let is_gap = matches!(block.place, Place::Gap);
            if is_gap || end <= state {
                queue.blocks.pop_front();
                continue;
            }
            if block.id.clock > state {
                queue.waits_for = Some(Id { client, clock: state });
                return Ok(());
            }
            if let Some(missing) = self.missing(&block)? {
                queue.waits_for = Some(missing);
                return Ok(());
            }
            let scope = self.scope(&block)?;
            self.check_order(&block, state)?;
            self.check_known_part(block.id, state, scope)?;
            self.stage(&block, state, end, scope);
            queue.admit(&block, scope);
            queue.blocks.pop_front();
        }
        Ok(())
    }

    /// The first reference of a block that isn't there yet.
    fn missing(&self, block: &Block<'_>) -> Result<Option<Id>, Invalid> {
        let references = match block.place {
            Place::Beside(left, right) => [left, right],
            Place::In(parent, _) => [Some(parent), None],
            Place::Gap | Place::Root(..) | Place::Void => [None, None],
        };
        for id in references.into_iter().flatten() {
            if id.client == block.id.client && id.clock >= block.id.clock {
                return Err(Invalid::Circular);
            }
            if id.clock >= self.state(id.client) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Where a block is, all of whose references are there. One that isn't of the kind that belongs
    /// there is nowhere.
    fn scope(&mut self, block: &Block<'_>) -> Result<Scope, Invalid> {
        let scope = self.claimed_scope(block)?;
        let allowed = self.history.scopes.info(scope).is_none_or(|info| {
            !matches!(
                (info.holds, block.content),
                (Holds::Values, Content::Text) | (Holds::Text, Content::Value)
            )
        });
        Ok(if allowed { scope } else { VOID })
    }

    fn claimed_scope(&mut self, block: &Block<'_>) -> Result<Scope, Invalid> {
        match block.place {
            Place::Beside(left, right) => {
                let left = left.map(|id| self.known_scope(id));
                let right = right.map(|id| self.known_scope(id));
                match (left, right) {
                    (Some(VOID), _) | (_, Some(VOID)) | (None, None) => Ok(VOID),
                    (Some(left), Some(right)) if left != right => Err(Invalid::Inconsistent),
                    // An entry of a map replaces the one left of it; nothing is ever written
                    // before another entry, and replicas wouldn't agree on where that is.
                    (_, Some(right)) if self.history.scopes.is_keyed(right) => {
                        Err(Invalid::Inconsistent)
                    }
                    (Some(scope), _) | (None, Some(scope)) => Ok(scope),
                }
            }
            Place::In(parent, key) => {
                // What is in something that isn't a shared type, or is one no longer, is nowhere.
                let Some(kind) = self.kind(parent) else { return Ok(VOID) };
                let outer = self.known_scope(parent);
                if outer == VOID {
                    return Ok(VOID);
                }
                let depth = self.history.scopes.depth(outer) + 1;
                if depth > MAX_DOCUMENT_NESTING {
                    return Err(Invalid::TooDeep);
                }
                let list = match kind {
                    Kind::Text | Kind::XmlText => Holds::Text,
                    _ => Holds::Values,
                };
                Ok(self.history.scopes.number(Parent::Type(parent), key, depth, list))
            }
            Place::Root(name, key) => {
                let parent = Parent::Root(name.into());
                Ok(self.history.scopes.number(parent, key, 0, Holds::Anything))
            }
            Place::Gap | Place::Void => Ok(VOID),
        }
    }

    /// Units that were written one after the other may be one item in the engine, whose order is
    /// that of their clocks. What claims to be right of a later and left of an earlier one would be
    /// put where the item happens to be split: elsewhere in each replica.
    fn check_order(&self, block: &Block<'_>, state: u32) -> Result<(), Invalid> {
        let Place::Beside(left, Some(right)) = block.place else { return Ok(()) };
        let known = (state > block.id.clock).then(|| Id { clock: state - 1, ..block.id });
        let Some(left) = known.or(left) else { return Ok(()) };
        if left.client != right.client || left.clock < right.clock {
            return Ok(());
        }
        let mut id = left;
        while let Some((start, run)) = self.run(id) {
            if start.clock <= right.clock {
                return Err(Invalid::Inconsistent);
            }
            if !run.continues {
                break;
            }
            id.clock = start.clock - 1;
        }
        Ok(())
    }

    /// A block may begin with units that are known, if it says of them what is known: the engine
    /// puts the rest beside the last of them.
    fn check_known_part(&self, from: Id, state: u32, scope: Scope) -> Result<(), Invalid> {
        let mut id = from;
        while id.clock < state {
            match self.run(id) {
                Some((start, run)) if run.scope == scope => id.clock = start.clock + run.len,
                _ => return Err(Invalid::Inconsistent),
            }
        }
        Ok(())
    }

    fn stage(&mut self, block: &Block<'_>, state: u32, end: u32, scope: Scope) {
        let from = Id { clock: state, ..block.id };
        let before = from.clock.checked_sub(1).map(|clock| Id { clock, ..from });
        let continues = state > block.id.clock
            || matches!(block.place, Place::Beside(left, _) if left.is_some() && left == before)
            || scope == VOID;
        self.staged.insert(from, Run { len: end - state, scope, continues });
        if let Some(kind) = block.is_type {
            self.staged.types.insert(block.id, kind);
        }
        self.history.scopes.note(scope, block.content);
    }

    fn state(&self, client: u64) -> u32 {
        let staged = self.staged.states.get(&client).copied();
        staged.unwrap_or_else(|| self.history.known.state(client))
    }

    fn known_scope(&self, id: Id) -> Scope {
        self.run(id).map_or(VOID, |(_, run)| run.scope)
    }

    fn run(&self, id: Id) -> Option<(Id, Run)> {
        self.staged.run(id).or_else(|| self.history.known.run(id))
    }

    fn kind(&self, id: Id) -> Option<Kind> {
        let staged = self.staged.types.get(&id);
        staged.or_else(|| self.history.known.types.get(&id)).copied()
    }
}

impl Known {
    fn state(&self, client: u64) -> u32 {
        self.states.get(&client).copied().unwrap_or(0)
    }

    /// The run that a unit is in, and the run's first unit.
    fn run(&self, id: Id) -> Option<(Id, Run)> {
        let (start, run) = self.runs.range(..=id).next_back()?;
        let is_in = start.client == id.client && id.clock - start.clock < run.len;
        is_in.then_some((*start, *run))
    }

    /// Adds what comes next of one client.
    fn insert(&mut self, from: Id, run: Run) {
        self.states.insert(from.client, from.clock + run.len);
        if run.continues
            && let Some((start, before)) = self.runs.range_mut(..=from).next_back()
            && start.client == from.client
            && start.clock + before.len == from.clock
            && before.scope == run.scope
        {
            before.len += run.len;
            return;
        }
        self.runs.insert(from, run);
    }

    fn extend(&mut self, staged: Self) {
        for (from, run) in staged.runs {
            self.insert(from, run);
        }
        self.types.extend(staged.types);
    }
}

impl Scopes {
    fn number(&mut self, parent: Parent, key: Option<&str>, depth: u32, list: Holds) -> Scope {
        let key = ScopeKey { parent, key: key.map(Into::into) };
        if let Some(scope) = self.numbers.get(&key) {
            return *scope;
        }
        let holds = if key.key.is_some() { Holds::Values } else { list };
        self.known.push(ScopeInfo { key: key.clone(), depth, holds, content: 0 });
        let scope = Scope(self.known.len() as u32);
        self.numbers.insert(key, scope);
        scope
    }

    fn info(&self, scope: Scope) -> Option<&ScopeInfo> {
        self.known.get(scope.0.checked_sub(1)? as usize)
    }

    fn is_keyed(&self, scope: Scope) -> bool {
        self.info(scope).is_some_and(|info| info.key.key.is_some())
    }

    fn note(&mut self, scope: Scope, content: Content) {
        let at = scope.0.checked_sub(1).map(|at| at as usize);
        if let Some(info) = at.and_then(|at| self.known.get_mut(at)) {
            info.content |= content.bit();
        }
    }

    fn depth(&self, scope: Scope) -> u32 {
        self.info(scope).map_or(0, |info| info.depth)
    }
}

impl Queue<'_> {
    fn admit(&mut self, block: &Block<'_>, scope: Scope) {
        self.first.get_or_insert(block.id.clock);
        self.admitted += 1;
        if scope == VOID {
            // The engine would come to the same, but by ways that are less travelled.
            self.bytes.push(0);
            put_uvarint(&mut self.bytes, block.len.into());
        } else {
            self.bytes.extend_from_slice(block.bytes);
        }
    }
}

fn encode_now(queues: &BTreeMap<u64, Queue<'_>>, deletions: &[Deletion]) -> Option<Vec<u8>> {
    let admitted = || queues.iter().filter_map(|(client, q)| Some((client, q, q.first?)));
    let count = admitted().count();
    if count == 0 && deletions.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    put_uvarint(&mut out, count as u64);
    for (client, queue, first) in admitted() {
        put_uvarint(&mut out, queue.admitted);
        put_uvarint(&mut out, *client);
        put_uvarint(&mut out, first.into());
        out.extend_from_slice(&queue.bytes);
    }
    put_deletions(&mut out, deletions);
    Some(out)
}

fn encode_later(queues: &BTreeMap<u64, Queue<'_>>, deletions: &[Deletion]) -> Option<Waiting> {
    let left = || queues.iter().filter_map(|(client, q)| Some((client, q, q.blocks.front()?)));
    let count = left().count();
    if count == 0 && deletions.is_empty() {
        return None;
    }
    let mut update = Vec::new();
    put_uvarint(&mut update, count as u64);
    for (client, queue, first) in left() {
        put_uvarint(&mut update, queue.blocks.len() as u64);
        put_uvarint(&mut update, *client);
        put_uvarint(&mut update, first.id.clock.into());
        for block in &queue.blocks {
            update.extend_from_slice(block.bytes);
        }
    }
    put_deletions(&mut update, deletions);
    let missing = left().filter_map(|(_, queue, _)| queue.waits_for);
    let missing = missing.chain(deletions.iter().map(|deletion| deletion.from)).collect();
    Some(Waiting { update, missing })
}

fn put_deletions(out: &mut Vec<u8>, deletions: &[Deletion]) {
    let of_clients: Vec<_> = deletions.chunk_by(|a, b| a.from.client == b.from.client).collect();
    put_uvarint(out, of_clients.len() as u64);
    for ranges in of_clients {
        for (at, Deletion { from, len }) in ranges.iter().enumerate() {
            if at == 0 {
                put_uvarint(out, from.client);
                put_uvarint(out, ranges.len() as u64);
            }
            put_uvarint(out, from.clock.into());
            put_uvarint(out, (*len).into());
        }
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
