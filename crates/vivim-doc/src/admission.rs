//! What of an update may go to the engine now.
//!
//! The engine keeps items in lists that are linked by pointers and believes what an update says of
//! them. An update whose blocks are each encoded well, but claim to be beside things that are in
//! different places, makes it lose count or worse. So this module knows of every unit of the
//! document's history *where* it is, admits a block only when everything that it refers to is there
//! and agrees, and keeps the rest until then. The engine never sees a block that it would have to
//! keep waiting itself.
//!
//! Neighbours are mostly in the same place, so the knowledge is kept as runs: a text of a million
//! characters is one run per author.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque},
};

use vivim_proto::wire::put_uvarint;

use crate::{
    limits::MAX_DOCUMENT_NESTING,
    validate::{Block, Id, Invalid, Part, Place, walk},
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
    /// By the first unit of a run: its length and scope.
    runs: BTreeMap<Id, (u32, Scope)>,
    /// The units that are shared types.
    types: HashSet<Id>,
}

/// One list of items, or one key of a map, with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Scope(u32);

/// Where deleted and forgotten things are, and what is beside them.
const VOID: Scope = Scope(0);

#[derive(Debug, Default)]
struct Scopes {
    numbers: HashMap<ScopeKey, Scope>,
    /// How many shared types each is in; by number, less one.
    depths: Vec<u32>,
    /// Those with values in them.
    with_values: HashSet<Scope>,
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

    /// Whether the list of a root has values among its items, as a text shouldn't.
    pub(crate) fn has_values(&self, root: &str) -> bool {
        let key = ScopeKey { parent: Parent::Root(root.into()), key: None };
        let scope = self.scopes.numbers.get(&key);
        scope.is_some_and(|scope| self.scopes.with_values.contains(scope))
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

    /// Where a block is, all of whose references are there.
    fn scope(&mut self, block: &Block<'_>) -> Result<Scope, Invalid> {
        match block.place {
            Place::Beside(left, right) => {
                let left = left.map(|id| self.known_scope(id));
                let right = right.map(|id| self.known_scope(id));
                match (left, right) {
                    (Some(VOID), _) | (_, Some(VOID)) | (None, None) => Ok(VOID),
                    (Some(left), Some(right)) if left != right => Err(Invalid::Inconsistent),
                    (Some(scope), _) | (None, Some(scope)) => Ok(scope),
                }
            }
            // What is in something that isn't a shared type, or is one no longer, is nowhere.
            Place::In(parent, _) if !self.is_type(parent) => Ok(VOID),
            Place::In(parent, key) => {
                let outer = self.known_scope(parent);
                if outer == VOID {
                    return Ok(VOID);
                }
                let depth = self.history.scopes.depth(outer) + 1;
                if depth > MAX_DOCUMENT_NESTING {
                    return Err(Invalid::TooDeep);
                }
                Ok(self.history.scopes.number(Parent::Type(parent), key, depth))
            }
            Place::Root(name, key) => {
                Ok(self.history.scopes.number(Parent::Root(name.into()), key, 0))
            }
            Place::Gap | Place::Void => Ok(VOID),
        }
    }

    /// A block may begin with units that are known, if it says of them what is known: the engine
    /// puts the rest beside the last of them.
    fn check_known_part(&self, from: Id, state: u32, scope: Scope) -> Result<(), Invalid> {
        let mut id = from;
        while id.clock < state {
            let run = self.staged.run(id).or_else(|| self.history.known.run(id));
            match run {
                Some((end, known)) if known == scope => id.clock = end,
                _ => return Err(Invalid::Inconsistent),
            }
        }
        Ok(())
    }

    fn stage(&mut self, block: &Block<'_>, state: u32, end: u32, scope: Scope) {
        let from = Id { clock: state, ..block.id };
        self.staged.insert(from, end - state, scope);
        if block.is_type {
            self.staged.types.insert(block.id);
        }
        if block.is_value {
            self.history.scopes.with_values.insert(scope);
        }
    }

    fn state(&self, client: u64) -> u32 {
        let staged = self.staged.states.get(&client).copied();
        staged.unwrap_or_else(|| self.history.known.state(client))
    }

    fn known_scope(&self, id: Id) -> Scope {
        let run = self.staged.run(id).or_else(|| self.history.known.run(id));
        run.map_or(VOID, |(_, scope)| scope)
    }

    fn is_type(&self, id: Id) -> bool {
        self.staged.types.contains(&id) || self.history.known.types.contains(&id)
    }
}

impl Known {
    fn state(&self, client: u64) -> u32 {
        self.states.get(&client).copied().unwrap_or(0)
    }

    /// The end and the scope of the run that a unit is in.
    fn run(&self, id: Id) -> Option<(u32, Scope)> {
        let (start, (len, scope)) = self.runs.range(..=id).next_back()?;
        let is_in = start.client == id.client && id.clock - start.clock < *len;
        is_in.then_some((start.clock + len, *scope))
    }

    /// Adds what comes next of one client.
    fn insert(&mut self, from: Id, len: u32, scope: Scope) {
        self.states.insert(from.client, from.clock + len);
        if let Some((start, (run, of))) = self.runs.range_mut(..=from).next_back()
            && start.client == from.client
            && start.clock + *run == from.clock
            && *of == scope
        {
            *run += len;
            return;
        }
        self.runs.insert(from, (len, scope));
    }

    fn extend(&mut self, staged: Self) {
        for (from, (len, scope)) in staged.runs {
            self.insert(from, len, scope);
        }
        self.types.extend(staged.types);
    }
}

impl Scopes {
    fn number(&mut self, parent: Parent, key: Option<&str>, depth: u32) -> Scope {
        let key = ScopeKey { parent, key: key.map(Into::into) };
        let next = Scope(self.depths.len() as u32 + 1);
        *self.numbers.entry(key).or_insert_with(|| {
            self.depths.push(depth);
            next
        })
    }

    fn depth(&self, scope: Scope) -> u32 {
        let at = scope.0.checked_sub(1).and_then(|at| self.depths.get(at as usize));
        at.copied().unwrap_or(0)
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
