//! Who is there: each client's state, in the encoding of y-protocols.
//!
//! A state is JSON of the application's making, with a clock that goes up with each change. Nothing
//! of it is kept: a client that hasn't been heard of for
//! [`AWARENESS_TIMEOUT`] is gone. So each announces itself again
//! from time to time: call [`Awareness::handle_timeout`] when [`Awareness::poll_timeout`] says.

use vivim_proto::{
    SortedMap,
    limits::MAX_AWARENESS,
    time::Timestamp,
    wire::{put_bytes, put_uvarint},
};

use crate::{
    ClientId,
    limits::{AWARENESS_RENEWAL, AWARENESS_TIMEOUT, MAX_AWARENESS_CLIENTS, MAX_AWARENESS_STATE},
    validate::{Cursor, Invalid},
};

/// The states of all clients of a document.
#[derive(Debug)]
pub struct Awareness {
    own: u64,
    clients: SortedMap<u64, Client>,
    changes: SortedMap<u64, Change>,
    /// The own state must be announced: it changed, or somebody said that we are gone.
    announce: bool,
}

/// What became of a client's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// It is there now.
    Added,
    /// It has gone.
    Removed,
    /// It is another one.
    Updated,
}

/// Why a local state was not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// It isn't JSON.
    #[error("an awareness state must be JSON")]
    NotJson,
    /// It is longer than [`MAX_AWARENESS_STATE`].
    #[error("an awareness state of {0} bytes is too large")]
    TooLarge(usize),
}

/// What an update says of one client.
struct Entry<'a> {
    id: u64,
    clock: u64,
    state: Option<&'a str>,
}

#[derive(Debug)]
struct Client {
    clock: u64,
    /// `None` for one that has gone, remembered for its clock.
    state: Option<Box<str>>,
    seen: Timestamp,
}

impl Awareness {
    /// Nobody is there.
    pub(crate) fn new(own: ClientId) -> Self {
        Self {
            own: own.get(),
            clients: SortedMap::new(),
            changes: SortedMap::new(),
            announce: false,
        }
    }

    /// Sets this client's state, or takes it away; [`take_announcement`](Self::take_announcement)
    /// has what others must hear.
    pub fn set_local_state(
        &mut self,
        json: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        if let Some(json) = json {
            if json.len() > MAX_AWARENESS_STATE {
                return Err(StateError::TooLarge(json.len()));
            }
            if !is_json(json) {
                return Err(StateError::NotJson);
            }
        }
        // JSON's null means the same as no state, on the wire too.
        let json = json.filter(|json| json.trim() != "null");
        let before = self.clients.get(&self.own);
        let clock = before.map_or(0, |own| after(own.clock));
        let was_there = before.is_some_and(|own| own.state.is_some());
        if !was_there && json.is_none() {
            return Ok(());
        }
        self.clients.insert(self.own, Client { clock, state: json.map(Into::into), seen: now });
        self.note(self.own, was_there, json.is_some());
        self.announce = true;
        Ok(())
    }

    /// Takes in an awareness update of y-protocols, from anywhere.
    pub fn apply_update(&mut self, update: &[u8], now: Timestamp) -> Result<(), Invalid> {
        let entries = decode(update)?;
        for Entry { id, clock, state } in entries {
            self.apply(id, clock, state, now);
        }
        Ok(())
    }

    /// Somebody else is known to have gone, without having said so.
    pub fn remove(&mut self, client: ClientId, now: Timestamp) {
        let id = client.get();
        if id != self.own
            && let Some(known) = self.clients.get_mut(&id)
            && known.state.take().is_some()
        {
            // Its clock is kept for a while, so that an old update doesn't bring it back.
            known.seen = now;
            self.note(id, true, false);
        }
    }

    /// Gives up those who haven't been heard of, and announces the own state again if it is time.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let mut gone = Vec::new();
        let own = self.own;
        self.clients.retain(|id, client| {
            let silent = now - client.seen;
            if *id == own {
                if client.state.is_some() && silent >= AWARENESS_RENEWAL {
                    client.clock = after(client.clock);
                    client.seen = now;
                    self.announce = true;
                }
                return true;
            }
            if silent >= AWARENESS_TIMEOUT && client.state.take().is_some() {
                gone.push(*id);
                // Its clock is kept for as long again, so that an old update doesn't bring it back.
                client.seen = now;
                return true;
            }
            silent < AWARENESS_TIMEOUT
        });
        for id in gone {
            self.note(id, true, false);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let due = |(id, client): (&u64, &Client)| match (*id == self.own, &client.state) {
            (true, Some(_)) => Some(client.seen + AWARENESS_RENEWAL),
            (true, None) => None,
            (false, _) => Some(client.seen + AWARENESS_TIMEOUT),
        };
        self.clients.iter().filter_map(due).min()
    }

    /// What others must hear about this client, if there is news.
    pub fn take_announcement(&mut self) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.announce) {
            return None;
        }
        self.encode(std::iter::once(self.own))
    }

    /// Whose states changed since the last call.
    pub fn take_changes(&mut self) -> Vec<(ClientId, Change)> {
        let changes = std::mem::take(&mut self.changes);
        changes.into_iter().map(|(id, change)| (ClientId::from_random(id), change)).collect()
    }

    /// The states of all who are there, in JSON.
    pub fn states(&self) -> impl Iterator<Item = (ClientId, &str)> + '_ {
        self.clients
            .iter()
            .filter_map(|(id, client)| Some((ClientId::from_random(*id), client.state.as_deref()?)))
    }

    /// This client's state, in JSON.
    pub fn local_state(&self) -> Option<&str> {
        self.clients.get(&self.own)?.state.as_deref()
    }

    /// An update with everybody who is there, the own state first, as many as fit a message; `None`
    /// if nobody is.
    pub fn encode_all(&self) -> Option<Vec<u8>> {
        let there = |id: &u64| self.clients.get(id).is_some_and(|client| client.state.is_some());
        let others = self.clients.keys().copied().filter(|id| *id != self.own);
        self.encode(std::iter::once(self.own).chain(others).filter(there))
    }

    fn encode(&self, ids: impl Iterator<Item = u64>) -> Option<Vec<u8>> {
        // Room for the count in front.
        const COUNT: usize = 3;
        let mut entries = Vec::new();
        let mut count = 0;
        for (id, client) in ids.filter_map(|id| Some((id, self.clients.get(&id)?))) {
            let before = entries.len();
            put_uvarint(&mut entries, id);
            put_uvarint(&mut entries, client.clock);
            put_bytes(&mut entries, client.state.as_deref().unwrap_or("null").as_bytes());
            if COUNT + entries.len() > MAX_AWARENESS {
                entries.truncate(before);
                break;
            }
            count += 1;
        }
        if count == 0 {
            return None;
        }
        let mut out = Vec::with_capacity(COUNT + entries.len());
        put_uvarint(&mut out, count);
        out.extend_from_slice(&entries);
        Some(out)
    }

    fn apply(&mut self, id: u64, clock: u64, state: Option<&str>, now: Timestamp) {
        if id == self.own {
            // Nobody else sets or ends this client's state; it is announced above their clock.
            if let Some(own) = self.clients.get_mut(&id)
                && own.clock <= clock
                && (own.clock < clock || own.state.is_none() != state.is_none())
            {
                own.clock = after(clock);
                self.announce = true;
            }
            return;
        }
        if !self.clients.contains_key(&id) && self.clients.len() >= MAX_AWARENESS_CLIENTS {
            return;
        }
        let known = self.clients.get(&id);
        let was_there = known.is_some_and(|client| client.state.is_some());
        let newer = known.is_none_or(|client| client.clock < clock);
        let ends = known.is_some_and(|client| client.clock == clock) && was_there;
        if !(newer || ends && state.is_none()) {
            return;
        }
        let changed = known.is_none_or(|client| client.state.as_deref() != state);
        self.clients.insert(id, Client { clock, state: state.map(Into::into), seen: now });
        if changed {
            self.note(id, was_there, state.is_some());
        }
    }

    fn note(&mut self, id: u64, was_there: bool, is_there: bool) {
        let change = match (was_there, is_there) {
            (false, true) => Change::Added,
            (true, true) => Change::Updated,
            (true, false) => Change::Removed,
            (false, false) => return,
        };
        // Between two looks, an addition and an update are an addition.
        let merged = match (self.changes.get(&id), change) {
            (Some(Change::Added), Change::Updated) => Change::Added,
            (Some(Change::Added), Change::Removed) => {
                self.changes.remove(&id);
                return;
            }
            (Some(Change::Removed), Change::Added) => Change::Updated,
            _ => change,
        };
        self.changes.insert(id, merged);
    }
}

/// The clock behind another. It ends where readers end, so that nobody can drive another's clock beyond
/// that: a whole update is refused for one clock.
fn after(clock: u64) -> u64 {
    (clock + 1).min(u32::MAX.into())
}

/// Whose device made an awareness update: by convention its first entry. `None` if it has none.
pub fn author(update: &[u8]) -> Option<ClientId> {
    let mut cursor = Cursor { rest: update };
    let count = cursor.count(MAX_AWARENESS_CLIENTS).ok()?;
    let first = cursor.client().ok()?;
    (count > 0).then(|| ClientId::from_random(first))
}

/// Checks an awareness update in the encoding of y-protocols.
pub fn validate(update: &[u8]) -> Result<(), Invalid> {
    decode(update).map(drop)
}

/// The entries of an update, checked as a whole before any is used.
fn decode(update: &[u8]) -> Result<Vec<Entry<'_>>, Invalid> {
    if update.len() > MAX_AWARENESS {
        return Err(Invalid::TooLarge(update.len()));
    }
    let mut cursor = Cursor { rest: update };
    let count = cursor.count(MAX_AWARENESS_CLIENTS)?;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let id = cursor.client()?;
        let clock = cursor.u32()?.into();
        let state = cursor.string()?;
        if state.len() > MAX_AWARENESS_STATE {
            return Err(Invalid::TooLarge(state.len()));
        }
        if !is_json(state) {
            return Err(Invalid::BadJson);
        }
        let state = Some(state).filter(|state| state.trim() != "null");
        entries.push(Entry { id, clock, state });
    }
    cursor.end()?;
    Ok(entries)
}

/// Whether it is JSON, and not nested deeper than readers that recurse can bear: this parser's limit
/// is 128.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<yrs::Any>(text).is_ok()
}

#[cfg(test)]
#[path = "awareness_tests.rs"]
mod tests;
