//! What of an update may go to the engine now.
//!
//! The engine keeps items in lists that are linked by pointers and believes what an update says of
//! them. An update whose blocks are each encoded well, but claim to be beside things that are in
//! different places, makes it lose count or worse. So a [`History`] knows of every unit of the
//! document *where* it is, and this module admits a block only when everything that it refers to is
//! there and agrees, and keeps the rest until then. The engine never sees a block that it would have
//! to keep waiting itself.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    ops::Range,
};

use vivim_proto::wire::put_uvarint;

use crate::{
    Kind,
    conflict::{Clash, Write},
    doc::EMPTY_UPDATE,
    error::ApplyError,
    history::{ClientNo, History, Holds, Mark, Parent, Run, Scope, VOID},
    limits::MAX_DOCUMENT_NESTING,
    pieces::put_deletions,
    validate::{Block, Content, Id, Invalid, Limits, Part, Place, walk_within},
};

/// Bytes of an update at most whose blocks are kept before all of it was walked through.
const WALKED_ONCE: usize = 4 * 1024;

/// An update, taken apart.
#[derive(Debug)]
pub(crate) struct Admitted<'a> {
    /// What the engine may have now; everything it refers to is there. `None` if it is nothing.
    pub(crate) now: Option<Cow<'a, [u8]>>,
    /// How many blocks that are.
    pub(crate) blocks: usize,
    /// What must wait. `None` if it is nothing.
    pub(crate) later: Option<Waiting>,
    /// Entries in `now` that were written beside what is there.
    pub(crate) clashes: Vec<Clash>,
}

/// A part of an update that must wait.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) update: Vec<u8>,
    /// What it waits for; any of these may let a part of it go on.
    pub(crate) missing: Vec<Id>,
}

/// The blocks of one client in an update.
struct Queue<'a> {
    client: u64,
    number: ClientNo,
    /// Those that couldn't be admitted when they came.
    blocks: VecDeque<Block<'a>>,
    first: Option<u32>,
    admitted: u64,
    /// What was admitted and isn't in `span`, as it is to be encoded.
    bytes: Vec<u8>,
    /// Where in the update the last admitted blocks are, which are taken as they are.
    span: Range<usize>,
    /// Every block so far was admitted as it is.
    is_verbatim: bool,
    waits_for: Option<Id>,
}

/// From whom an update is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// The engine of this replica: it may be of any size.
    Engine,
    /// Somebody else, who has no say in what this client writes.
    Others { own_client: u64 },
}

impl History {
    /// Judges an update in encoding V1. On success, `now` must go to the engine, if it isn't from
    /// there.
    pub(crate) fn admit<'a>(
        &mut self,
        update: &'a [u8],
        from: From,
    ) -> Result<Admitted<'a>, ApplyError> {
        // A block that waits to be judged takes forty times the bytes of the shortest encoded one: what
        // is wrong somewhere is refused before any is kept.
        let mut keeps = from == From::Engine || update.len() <= WALKED_ONCE;
        loop {
            // Mostly nothing has to wait, and once is enough.
            if let Some(admitted) = self.try_to_admit(update, from, keeps)? {
                return Ok(admitted);
            }
            keeps = true;
        }
    }

    /// `None` if a block would have to be kept though none may be: the update is encoded well then, from
    /// its beginning to its end.
    fn try_to_admit<'a>(
        &mut self,
        update: &'a [u8],
        from: From,
        keeps: bool,
    ) -> Result<Option<Admitted<'a>>, ApplyError> {
        let mut mark = self.mark();
        let admitted = self.admit_marked(update, from, keeps, &mut mark);
        if !matches!(admitted, Ok(Some(_))) {
            self.reset(mark);
        }
        admitted
    }

    fn admit_marked<'a>(
        &mut self,
        update: &'a [u8],
        from: From,
        keeps: bool,
        mark: &mut Mark,
    ) -> Result<Option<Admitted<'a>>, ApplyError> {
        let (limits, own) = match from {
            From::Engine => (Limits::NONE, None),
            From::Others { own_client } => (Limits::UPDATE, Some(own_client)),
        };
        let own_state = own.map_or(0, |own| self.state(own));
        let mut queues: Vec<Queue<'a>> = Vec::new();
        let mut deletions = Vec::new();
        let mut judge = Judge { history: self, mark, update, writes: Vec::new() };
        let mut judged = Ok(true);
        let walked = walk_within(update, limits, |part| match part {
            Part::Block(_) if !matches!(judged, Ok(true)) => {}
            Part::Block(block) => {
                let client = block.id.client;
                let is_content = !matches!(block.place, Place::Gap);
                if is_content && own == Some(client) && block.id.clock + block.len > own_state {
                    judged = Err(ApplyError::OwnClient);
                    return;
                }
                // The blocks of one client come together.
                if queues.last().is_none_or(|queue| queue.client != client) {
                    queues.push(Queue::new(client, judge.open(client)));
                }
                if let Some(queue) = queues.last_mut() {
                    judged = judge.take(queue, block, keeps).map_err(ApplyError::from);
                }
            }
            Part::Deletion { from, len } => deletions.push((from, len)),
        })?;
        if !judged? {
            return Ok(None);
        }
        judge.schedule(&mut queues)?;
        let Judge { writes, .. } = judge;
        let clashes = self.note_writes(writes);
        let (mut now, mut later) = (Vec::with_capacity(deletions.len()), Vec::new());
        for (from, len) in deletions {
            let known = self.state(from.client).saturating_sub(from.clock).min(len);
            if known > 0 {
                now.push((from, known));
            }
            if known < len {
                later.push((Id { clock: from.clock + known, ..from }, len - known));
            }
        }
        let is_verbatim = later.is_empty()
            && !walked.names_for_nothing
            && queues.iter().all(|queue| queue.is_verbatim && queue.blocks.is_empty());
        let blocks: u64 = queues.iter().map(|queue| queue.admitted).sum();
        let later = encode_later(&queues, later);
        let now = if is_verbatim && update != EMPTY_UPDATE {
            Some(Cow::Borrowed(update))
        } else {
            encode_now(update, queues, now).map(Cow::Owned)
        };
        Ok(Some(Admitted { now, blocks: blocks as usize, later, clashes }))
    }
}

/// An update being judged.
struct Judge<'h> {
    history: &'h mut History,
    mark: &'h mut Mark,
    update: &'h [u8],
    /// What was written under keys.
    writes: Vec<Write>,
}

/// Lets each of several queues go as far as it can, and again when what it waits for has come.
/// `advance` says of a queue what it waits for, and up to where its client is known now.
pub(crate) fn schedule<E>(
    clients: &[u64],
    mut advance: impl FnMut(usize) -> Result<(Option<Id>, u32), E>,
) -> Result<(), E> {
    let mut work: VecDeque<usize> = (0..clients.len()).collect();
    // By the client waited for: the clock, and who waits.
    let mut waiting: HashMap<u64, BinaryHeap<Reverse<(u32, usize)>>> = HashMap::new();
    while let Some(at) = work.pop_front() {
        let (waits_for, state) = advance(at)?;
        if let Some(id) = waits_for {
            waiting.entry(id.client).or_default().push(Reverse((id.clock, at)));
        }
        let waiters = clients.get(at).and_then(|client| waiting.get_mut(client));
        let Some(waiters) = waiters else { continue };
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

impl Judge<'_> {
    fn open(&mut self, client: u64) -> ClientNo {
        self.history.open(client, self.mark)
    }

    /// Admits the next block of a client if it can, and otherwise keeps it if it may. False if neither.
    fn take<'a>(
        &mut self,
        queue: &mut Queue<'a>,
        block: Block<'a>,
        keeps: bool,
    ) -> Result<bool, Invalid> {
        let waits = !queue.blocks.is_empty() || !self.admit(queue, &block)?;
        if waits && keeps {
            queue.blocks.push_back(block);
        }
        Ok(!waits || keeps)
    }

    /// Admits block after block of those that were kept, until no client of the update can go on.
    fn schedule(&mut self, queues: &mut [Queue<'_>]) -> Result<(), Invalid> {
        if queues.iter().all(|queue| queue.blocks.is_empty()) {
            return Ok(());
        }
        let clients: Vec<u64> = queues.iter().map(|queue| queue.client).collect();
        schedule(&clients, |at| {
            let Some(queue) = queues.get_mut(at) else { return Ok((None, 0)) };
            while let Some(block) = queue.blocks.front().copied() {
                if !self.admit(queue, &block)? {
                    break;
                }
                queue.blocks.pop_front();
            }
            Ok((queue.waits_for, self.history.end(queue.number)))
        })
    }

    /// Admits a block, or passes over it if it is known. False if it has to wait.
    #[inline(never)] // As `decode` in `doc`.
    fn admit(&mut self, queue: &mut Queue<'_>, block: &Block<'_>) -> Result<bool, Invalid> {
        queue.waits_for = None;
        let state = self.history.end(queue.number);
        // The walk has made sure that this doesn't overflow.
        let end = block.id.clock + block.len;
        let is_gap = matches!(block.place, Place::Gap);
        if is_gap || end <= state {
            queue.is_verbatim = false;
            return Ok(true);
        }
        let missing = if block.id.clock > state {
            Some(Id { client: queue.client, clock: state })
        } else {
            self.missing(block)?
        };
        if missing.is_some() {
            queue.waits_for = missing;
            return Ok(false);
        }
        let scope = self.scope(block, queue.number)?;
        let is_ordered = self.is_ordered(block, state, queue.number)?;
        self.check_known_part(block.id, state, scope)?;
        self.add(queue.number, block, state, end, scope);
        queue.admit(self.update, block, scope, is_ordered);
        Ok(true)
    }

    /// The first reference of a block that isn't there yet.
    fn missing(&self, block: &Block<'_>) -> Result<Option<Id>, Invalid> {
        let references = match block.place {
            Place::Beside(left, right) => [left, right],
            Place::In(parent, _) => [Some(parent), None],
            Place::Gap | Place::Root(..) | Place::Void => [None, None],
        };
        for id in references.into_iter().flatten() {
            if id.client == block.id.client {
                // All of its own client that is before it is there.
                if id.clock >= block.id.clock {
                    return Err(Invalid::Circular);
                }
            } else if !self.history.has(id) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Where a block is, all of whose references are there. One that isn't of the kind that belongs
    /// there is nowhere.
    fn scope(&mut self, block: &Block<'_>, own: ClientNo) -> Result<Scope, Invalid> {
        let scope = self.claimed_scope(block, own)?;
        let allowed = self.history.scopes.info(scope).is_none_or(|info| {
            !matches!(
                (info.holds, block.content),
                (Holds::Values, Content::Text) | (Holds::Text, Content::Value)
            )
        });
        Ok(if allowed { scope } else { VOID })
    }

    fn claimed_scope(&mut self, block: &Block<'_>, own: ClientNo) -> Result<Scope, Invalid> {
        let scope_of = |id: Id| {
            if id.client == block.id.client {
                self.history.scope_in(own, id.clock)
            } else {
                self.history.scope_of(id)
            }
        };
        match block.place {
            Place::Beside(left, right) => match (left.map(scope_of), right.map(scope_of)) {
                (Some(VOID), _) | (_, Some(VOID)) | (None, None) => Ok(VOID),
                (Some(left), Some(right)) if left != right => Err(Invalid::Inconsistent),
                // An entry of a map replaces the one left of it; nothing is ever written before
                // another entry, and replicas wouldn't agree on where that is.
                (_, Some(right)) if self.history.scopes.is_keyed(right) => {
                    Err(Invalid::Inconsistent)
                }
                (Some(scope), _) | (None, Some(scope)) => Ok(scope),
            },
            Place::In(parent, key) => {
                // What is in something that isn't a shared type, or is one no longer, is nowhere.
                let Some(kind) = self.history.kind(parent) else { return Ok(VOID) };
                let outer = scope_of(parent);
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

    /// Whether what is left of a block is left of what is right of it, as far as is known.
    ///
    /// Units that were written one after the other may be one item in the engine, whose order is
    /// that of their clocks. What claims to be right of a later and left of an earlier one would be
    /// put where the item happens to be split: elsewhere in each replica. The engine's own undo (and
    /// Yjs') writes such blocks when it brings back what was in something that was deleted, so they
    /// aren't refused: they are taken as being right of the one, and of the other nothing is said.
    fn is_ordered(&self, block: &Block<'_>, state: u32, own: ClientNo) -> Result<bool, Invalid> {
        let Place::Beside(left, Some(right)) = block.place else { return Ok(true) };
        let known = (state > block.id.clock).then(|| Id { clock: state - 1, ..block.id });
        let Some(left) = known.or(left) else {
            self.check_first(right)?;
            return Ok(true);
        };
        if left.client != right.client || left.clock < right.clock {
            return Ok(true);
        }
        let mut id = left;
        // Its own client is found without looking for it.
        let run_of = |id: Id| {
            if id.client == block.id.client {
                self.history.run_of(own, id.clock)
            } else {
                self.history.run(id)
            }
        };
        while let Some((run, _)) = run_of(id) {
            if run.start <= right.clock {
                return Ok(false);
            }
            if !run.continues {
                break;
            }
            id.clock = run.start - 1;
        }
        Ok(left != right)
    }

    /// What is written before all else is written before a unit that has nothing on its left, and not
    /// before one that was itself written right after another.
    fn check_first(&self, right: Id) -> Result<(), Invalid> {
        match self.history.run(right) {
            Some((run, _)) if run.scope != VOID && (run.start < right.clock || run.continues) => {
                Err(Invalid::Inconsistent)
            }
            _ => Ok(()),
        }
    }

    /// A block may begin with units that are known, if it says of them what is known: the engine
    /// puts the rest beside the last of them.
    fn check_known_part(&self, from: Id, state: u32, scope: Scope) -> Result<(), Invalid> {
        let mut id = from;
        while id.clock < state {
            match self.history.run(id) {
                Some((run, end)) if run.scope == scope => id.clock = end,
                _ => return Err(Invalid::Inconsistent),
            }
        }
        Ok(())
    }

    fn add(&mut self, number: ClientNo, block: &Block<'_>, state: u32, end: u32, scope: Scope) {
        let from = Id { clock: state, ..block.id };
        let before = from.clock.checked_sub(1).map(|clock| Id { clock, ..from });
        let left = match block.place {
            Place::Beside(left, _) => left,
            _ => None,
        };
        let continues =
            state > block.id.clock || (left.is_some() && left == before) || scope == VOID;
        self.history.add(number, Run { start: state, scope, continues }, end);
        if scope == VOID {
            return;
        }
        if let Some(kind) = block.is_type {
            self.history.add_type(block.id, kind, self.mark);
        }
        self.history.scopes.note(scope, block.content, self.mark);
        let after = match block.place {
            Place::Beside(left, None) if state == block.id.clock => left,
            _ => None,
        };
        self.history.note_insertion(scope, after, Id { clock: end - 1, ..from });
        if self.history.scopes.is_keyed(scope) {
            let over = if state > block.id.clock { before } else { left };
            let is_there = block.content != Content::Nothing;
            self.writes.push(Write { scope, first: from, last: end - 1, over, is_there });
        }
    }
}

impl Queue<'_> {
    fn new(client: u64, number: ClientNo) -> Self {
        Self {
            client,
            number,
            blocks: VecDeque::new(),
            first: None,
            admitted: 0,
            bytes: Vec::new(),
            span: 0..0,
            is_verbatim: true,
            waits_for: None,
        }
    }

    fn admit(&mut self, update: &[u8], block: &Block<'_>, scope: Scope, is_ordered: bool) {
        self.first.get_or_insert(block.id.clock);
        self.admitted += 1;
        // What is nowhere is left out: the engine would come to the same, but by ways that are less
        // travelled.
        let changed = scope == VOID && !matches!(block.place, Place::Void);
        let without_right = if is_ordered { None } else { block.without_right() };
        if !changed && without_right.is_none() {
            if self.span.end != block.at {
                self.settle(update);
                self.span = block.at..block.at;
            }
            self.span.end += block.bytes.len();
            return;
        }
        self.is_verbatim = false;
        self.settle(update);
        match without_right {
            Some((info, head, tail)) if !changed => {
                self.bytes.push(info);
                self.bytes.extend_from_slice(head);
                self.bytes.extend_from_slice(tail);
            }
            _ => {
                self.bytes.push(0);
                put_uvarint(&mut self.bytes, block.len.into());
            }
        }
    }

    /// Takes the bytes of `span`.
    fn settle(&mut self, update: &[u8]) {
        let span = std::mem::replace(&mut self.span, 0..0);
        self.bytes.extend_from_slice(update.get(span).unwrap_or_default());
    }
}

#[inline(never)] // As `decode` in `doc`.
fn encode_now(
    update: &[u8],
    mut queues: Vec<Queue<'_>>,
    mut deletions: Vec<(Id, u32)>,
) -> Option<Vec<u8>> {
    queues.retain(|queue| queue.admitted > 0);
    if queues.is_empty() && deletions.is_empty() {
        return None;
    }
    let len: usize = queues.iter().map(|queue| queue.bytes.len() + queue.span.len() + 32).sum();
    let mut out = Vec::with_capacity(len + deletions.len() * 4 + 32);
    put_uvarint(&mut out, queues.len() as u64);
    for mut queue in queues {
        put_uvarint(&mut out, queue.admitted);
        put_uvarint(&mut out, queue.client);
        put_uvarint(&mut out, queue.first.unwrap_or_default().into());
        queue.settle(update);
        out.append(&mut queue.bytes);
    }
    put_deletions(&mut out, &mut deletions);
    Some(out)
}

fn encode_later(queues: &[Queue<'_>], mut deletions: Vec<(Id, u32)>) -> Option<Waiting> {
    let left = || queues.iter().filter_map(|queue| Some((queue, queue.blocks.front()?)));
    let count = left().count();
    if count == 0 && deletions.is_empty() {
        return None;
    }
    let mut update = Vec::new();
    put_uvarint(&mut update, count as u64);
    for (queue, first) in left() {
        put_uvarint(&mut update, queue.blocks.len() as u64);
        put_uvarint(&mut update, queue.client);
        put_uvarint(&mut update, first.id.clock.into());
        for block in &queue.blocks {
            update.extend_from_slice(block.bytes);
        }
    }
    let missing = left().filter_map(|(queue, _)| queue.waits_for);
    let missing = missing.chain(deletions.iter().map(|(from, _)| *from)).collect();
    put_deletions(&mut update, &mut deletions);
    Some(Waiting { update, missing })
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
