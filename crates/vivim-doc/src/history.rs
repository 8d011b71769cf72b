//! Where every unit of a document's history is.
//!
//! Neighbours are mostly in the same place, so the knowledge is kept as runs: what somebody wrote in
//! one go is one run. The clocks of a client that are known have no holes, so a run is where it
//! begins, and the whole is one list per client.

use std::collections::HashMap;

use crate::{
    Kind, TypeId,
    conflict::Chain,
    limits::MAX_LIST_ENDS,
    lookup::Lookups,
    validate::{Content, Id},
};

/// Where everything in a document is.
#[derive(Debug, Default)]
pub(crate) struct History {
    clients: Vec<Client>,
    numbers: HashMap<u64, ClientNo>,
    /// How many updates have been judged.
    judged: u64,
    /// The units that are shared types, and their kinds.
    types: HashMap<Id, Kind>,
    pub(crate) scopes: Scopes,
    pub(crate) lookups: Lookups,
    /// The last items of lists that this replica has appended to, as far as others only append.
    ends: HashMap<Scope, Id>,
}

/// A client of whom something is known, with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientNo(u32);

#[derive(Debug)]
struct Client {
    id: u64,
    /// The first clock that isn't known.
    end: u32,
    runs: Vec<Run>,
    /// How many of the first runs are in one scope.
    alike: usize,
    /// The last update that has units of it, by number, and where the end was before.
    last: (u64, u32),
}

/// Units of one client in one scope, each written right after the one before it. It ends where the
/// next one begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) start: u32,
    pub(crate) scope: Scope,
    /// The first was written right after the unit before it, which another run ends with.
    pub(crate) continues: bool,
}

/// One list of items, or one key of a map, with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scope(u32);

/// Where deleted and forgotten things are, and what is beside them.
pub(crate) const VOID: Scope = Scope(0);

#[derive(Debug, Default)]
pub(crate) struct Scopes {
    numbers: HashMap<ScopeKey, Scope>,
    /// By number, less one.
    known: Vec<ScopeInfo>,
}

#[derive(Debug)]
pub(crate) struct ScopeInfo {
    pub(crate) key: ScopeKey,
    /// How many shared types it is in.
    pub(crate) depth: u32,
    /// What it may hold.
    pub(crate) holds: Holds,
    /// What it has held: see [`Content::bit`].
    content: u8,
    /// Of a key: who wrote what is there now.
    pub(crate) chain: Chain,
}

/// What a list, or a key, may hold. Nobody who means well puts anything else there, and the engine
/// isn't made for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// The list of a root, whose kind isn't told.
    Anything,
    /// Text, its formats, what is embedded.
    Text,
    /// Values and shared types.
    Values,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ScopeKey {
    pub(crate) parent: Parent,
    pub(crate) key: Option<Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Parent {
    Root(Box<str>),
    Type(Id),
}

/// What it takes to forget an update that turns out to be bad in the middle.
#[derive(Debug)]
pub(crate) struct Mark {
    known_clients: usize,
    known_scopes: usize,
    ends: Vec<(ClientNo, usize, u32)>,
    types: Vec<Id>,
    /// What scopes had held before.
    contents: Vec<(Scope, u8)>,
}

impl Parent {
    pub(crate) fn of(id: &TypeId) -> Self {
        id.nested()
            .map_or_else(|| Self::Root(id.root_name().unwrap_or_default().into()), Self::Type)
    }

    pub(crate) fn type_id(&self) -> TypeId {
        match self {
            Self::Root(name) => TypeId::root(name),
            Self::Type(id) => TypeId::from_id(*id),
        }
    }
}

impl History {
    pub(crate) fn mark(&mut self) -> Mark {
        self.judged += 1;
        Mark {
            known_clients: self.clients.len(),
            known_scopes: self.scopes.known.len(),
            ends: Vec::new(),
            types: Vec::new(),
            contents: Vec::new(),
        }
    }

    /// The number of a client whose units are about to be added.
    pub(crate) fn open(&mut self, client: u64, mark: &mut Mark) -> ClientNo {
        let next = ClientNo(self.clients.len() as u32);
        let number = *self.numbers.entry(client).or_insert(next);
        if number == next {
            self.clients.push(Client {
                id: client,
                end: 0,
                runs: Vec::new(),
                alike: 0,
                last: (0, 0),
            });
        }
        let judged = self.judged;
        if let Some(known) = self.clients.get_mut(number.0 as usize) {
            known.last = (judged, known.end);
            mark.ends.push((number, known.runs.len(), known.end));
        }
        number
    }

    /// The first clock of a client that wasn't known before the update that is being judged.
    pub(crate) fn end_before(&self, client: u64) -> u32 {
        self.find(client).map_or(0, |client| match client.last {
            (update, end) if update == self.judged => end,
            _ => client.end,
        })
    }

    /// Forgets what was added since the mark.
    pub(crate) fn reset(&mut self, mark: Mark) {
        for (number, runs, end) in mark.ends {
            if let Some(client) = self.clients.get_mut(number.0 as usize) {
                client.runs.truncate(runs);
                client.alike = client.alike.min(runs);
                client.end = end;
            }
        }
        for client in self.clients.drain(mark.known_clients..) {
            self.numbers.remove(&client.id);
        }
        for id in mark.types {
            self.types.remove(&id);
        }
        for (scope, content) in mark.contents.into_iter().rev() {
            if let Some(info) = self.scopes.info_mut(scope) {
                info.content = content;
            }
        }
        // What was said of a type that isn't there would be believed of the one that comes.
        for info in self.scopes.known.drain(mark.known_scopes..) {
            self.scopes.numbers.remove(&info.key);
        }
        self.ends.clear();
    }

    /// Adds what comes next of one client.
    pub(crate) fn add(&mut self, number: ClientNo, run: Run, end: u32) {
        let Some(client) = self.clients.get_mut(number.0 as usize) else { return };
        client.end = end;
        let joins = run.continues && client.runs.last().is_some_and(|last| last.scope == run.scope);
        if !joins {
            let is_alike = client.runs.first().is_none_or(|first| first.scope == run.scope);
            if is_alike && client.alike == client.runs.len() {
                client.alike += 1;
            }
            client.runs.push(run);
        }
    }

    pub(crate) fn add_type(&mut self, id: Id, kind: Kind, mark: &mut Mark) {
        self.types.insert(id, kind);
        mark.types.push(id);
    }

    fn client(&self, number: ClientNo) -> Option<&Client> {
        self.clients.get(number.0 as usize)
    }

    fn find(&self, client: u64) -> Option<&Client> {
        self.client(*self.numbers.get(&client)?)
    }

    pub(crate) fn end(&self, number: ClientNo) -> u32 {
        self.client(number).map_or(0, |client| client.end)
    }

    /// The run that a unit is in, and its end.
    pub(crate) fn run(&self, id: Id) -> Option<(Run, u32)> {
        self.find(id.client)?.run(id.clock)
    }

    /// The run that a unit of this client is in, and its end.
    pub(crate) fn run_of(&self, number: ClientNo, clock: u32) -> Option<(Run, u32)> {
        self.client(number)?.run(clock)
    }

    pub(crate) fn scope_of(&self, id: Id) -> Scope {
        self.find(id.client).map_or(VOID, |client| client.scope(id.clock))
    }

    /// The scope that a unit of this client is in.
    pub(crate) fn scope_in(&self, number: ClientNo, clock: u32) -> Scope {
        self.client(number).map_or(VOID, |client| client.scope(clock))
    }

    pub(crate) fn kind(&self, id: Id) -> Option<Kind> {
        self.types.get(&id).copied()
    }

    /// Whether nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.clients.iter().all(|client| client.end == 0)
    }

    /// Whether a unit is known.
    pub(crate) fn has(&self, id: Id) -> bool {
        id.clock < self.state(id.client)
    }

    /// The first clock of a client that isn't known.
    pub(crate) fn state(&self, client: u64) -> u32 {
        self.find(client).map_or(0, |client| client.end)
    }

    /// The first clock that isn't known, of each client of whom anything is.
    pub(crate) fn states(&self) -> impl Iterator<Item = (u64, u32)> {
        let known = self.clients.iter().filter(|client| client.end > 0);
        known.map(|client| (client.id, client.end))
    }

    /// Whether the list of a root has had values among its items, as a text shouldn't.
    pub(crate) fn has_values(&self, root: &str) -> bool {
        self.root_content(root) & Content::Value.bit() != 0
    }

    /// Whether the list of a root has had text among its items, as a list of values shouldn't.
    pub(crate) fn has_text(&self, root: &str) -> bool {
        self.root_content(root) & Content::Text.bit() != 0
    }

    /// Whether the list of a root or a nested type has had shared types among its items.
    pub(crate) fn has_types(&self, id: &TypeId) -> bool {
        self.list_content(&Parent::of(id)) & (Content::Type.bit() | Content::Xml.bit()) != 0
    }

    /// Whether a list has had values among its items that aren't shared types.
    pub(crate) fn has_plain_values(&self, list: &Parent) -> bool {
        self.list_content(list) & Content::Value.bit() != 0
    }

    /// The last item of a list, if it's known.
    pub(crate) fn list_end(&self, list: &Parent) -> Option<Id> {
        self.ends.get(&self.list_scope(list)?).copied()
    }

    /// Notes that this is the last item of a list.
    pub(crate) fn set_list_end(&mut self, list: &Parent, end: Id) {
        let Some(scope) = self.list_scope(list) else { return };
        if self.ends.len() >= MAX_LIST_ENDS {
            self.ends.clear();
        }
        self.ends.insert(scope, end);
    }

    /// Notes that something was inserted in a list, right of an item and left of none if `left` is
    /// one.
    pub(crate) fn note_insertion(&mut self, list: Scope, left: Option<Id>, last: Id) {
        if self.ends.is_empty() {
            return;
        }
        match self.ends.get_mut(&list) {
            Some(end) if Some(*end) == left => *end = last,
            Some(_) => drop(self.ends.remove(&list)),
            None => {}
        }
    }

    fn list_scope(&self, list: &Parent) -> Option<Scope> {
        self.scopes.numbers.get(&ScopeKey { parent: list.clone(), key: None }).copied()
    }

    fn root_content(&self, root: &str) -> u8 {
        self.list_content(&Parent::Root(root.into()))
    }

    fn list_content(&self, list: &Parent) -> u8 {
        self.list_scope(list)
            .and_then(|scope| self.scopes.info(scope))
            .map_or(0, |info| info.content)
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
            let is_root = |parent: &Parent| matches!(parent, Parent::Root(name) if **name == *root);
            let of_root = |info: &ScopeInfo| info.key.key.is_some() && is_root(&info.key.parent);
            self.scopes.known.iter().any(of_root).then_some(Kind::Map)
        }
    }

    /// How many shared types those are in that are in this one.
    pub(crate) fn depth_inside(&self, id: &TypeId) -> u32 {
        match id.nested() {
            None => 0,
            Some(id) => self.scopes.info(self.scope_of(id)).map_or(0, |info| info.depth) + 1,
        }
    }

    /// Where a nested type is: the type that it is in, and the key in that.
    pub(crate) fn place(&self, id: &TypeId) -> Option<&ScopeKey> {
        Some(&self.scopes.info(self.scope_of(id.nested()?))?.key)
    }
}

impl Client {
    fn scope(&self, clock: u32) -> Scope {
        match self.runs.first() {
            // Who has only ever written in one place need not be looked through.
            Some(first) if self.alike == self.runs.len() && clock < self.end => first.scope,
            _ => self.run(clock).map_or(VOID, |(run, _)| run.scope),
        }
    }

    fn run(&self, clock: u32) -> Option<(Run, u32)> {
        if clock >= self.end {
            return None;
        }
        let after = self.runs.partition_point(|run| run.start <= clock);
        let run = self.runs.get(after.checked_sub(1)?)?;
        Some((*run, self.runs.get(after).map_or(self.end, |next| next.start)))
    }
}

impl Scopes {
    pub(crate) fn number(
        &mut self,
        parent: Parent,
        key: Option<&str>,
        depth: u32,
        list: Holds,
    ) -> Scope {
        let key = ScopeKey { parent, key: key.map(Into::into) };
        if let Some(scope) = self.numbers.get(&key) {
            return *scope;
        }
        let holds = if key.key.is_some() { Holds::Values } else { list };
        let chain = Chain::default();
        self.known.push(ScopeInfo { key: key.clone(), depth, holds, content: 0, chain });
        let scope = Scope(self.known.len() as u32);
        self.numbers.insert(key, scope);
        scope
    }

    pub(crate) fn info(&self, scope: Scope) -> Option<&ScopeInfo> {
        self.known.get(scope.0.checked_sub(1)? as usize)
    }

    pub(crate) fn info_mut(&mut self, scope: Scope) -> Option<&mut ScopeInfo> {
        self.known.get_mut(scope.0.checked_sub(1)? as usize)
    }

    pub(crate) fn is_keyed(&self, scope: Scope) -> bool {
        self.info(scope).is_some_and(|info| info.key.key.is_some())
    }

    pub(crate) fn note(&mut self, scope: Scope, content: Content, mark: &mut Mark) {
        if let Some(info) = self.info_mut(scope)
            && info.content & content.bit() != content.bit()
        {
            mark.contents.push((scope, info.content));
            info.content |= content.bit();
        }
    }

    pub(crate) fn depth(&self, scope: Scope) -> u32 {
        self.info(scope).map_or(0, |info| info.depth)
    }
}

#[cfg(test)]
impl History {
    pub(crate) fn count_runs(&self) -> usize {
        self.clients.iter().map(|client| client.runs.len()).sum()
    }
}
