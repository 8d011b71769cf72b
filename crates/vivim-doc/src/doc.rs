//! A document: its edits, its states, and the updates in between.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use yrs::{
    Array, GetString, Map, MapRef, OffsetKind, Options, Out, ReadTxn, StateVector, Text, TextRef,
    Transact, TransactionMut, Update, WriteTxn,
    types::ToJson,
    updates::{decoder::Decode, encoder::Encode},
};

use crate::{
    Awareness, Value,
    admission::{Admitted, History, Waiting},
    error::{ApplyError, EditError, SummaryError},
    limits::{MAX_NAME, MAX_PENDING_BYTES, MAX_PENDING_UPDATES, MAX_UPDATE, MAX_UPDATES_QUEUED},
    validate::{self, Block, MAX_CLIENT, Part, Place},
};

/// A document of text and maps, compatible with Yjs.
///
/// Text and maps are found by name and exist as soon as they are asked for. One name has one kind.
///
/// ```
/// use vivim_doc::{ClientId, Doc, Value};
///
/// let mut ours = Doc::new(ClientId::from_random(1));
/// let mut theirs = Doc::new(ClientId::from_random(2));
/// ours.text_insert("body", 0, "hello")?;
/// theirs.map_set("meta", "title", &Value::String("greeting".into()))?;
/// for update in ours.take_updates() {
///     theirs.apply_update(&update.payload)?;
/// }
/// assert_eq!(theirs.text("body")?, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Doc {
    engine: yrs::Doc,
    client: ClientId,
    kinds: HashMap<Box<str>, Kind>,
    updates: VecDeque<DocUpdate>,
    history: History,
    /// Updates that wait for something, oldest first.
    pending: Vec<Waiting>,
    resync: bool,
    given_up: bool,
    awareness: Awareness,
}

/// Identifies one replica of a document for as long as it lives in memory.
///
/// Two replicas with one id destroy each other's edits, so make a new random one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(u64);

/// A change that was made to a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocUpdate {
    /// The change, in encoding V1.
    pub payload: Bytes,
    /// Who made it.
    pub origin: Origin,
}

/// Who made a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// An edit of this replica: others have yet to hear of it.
    Local,
    /// An update that was applied.
    Remote,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Map,
    Text,
}

/// What an update without a change looks like.
const EMPTY_UPDATE: &[u8] = &[0, 0];

impl ClientId {
    /// An id from 64 random bits, of which it keeps 53: what a JavaScript number holds.
    pub const fn from_random(bits: u64) -> Self {
        Self(bits & MAX_CLIENT)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Doc {
    /// An empty document.
    pub fn new(client: ClientId) -> Self {
        let options = Options {
            client_id: yrs::ClientID::new(client.0),
            offset_kind: OffsetKind::Utf16,
            ..Options::default()
        };
        Self {
            engine: yrs::Doc::with_options(options),
            client,
            kinds: HashMap::new(),
            updates: VecDeque::new(),
            history: History::default(),
            pending: Vec::new(),
            resync: false,
            given_up: false,
            awareness: Awareness::new(client),
        }
    }

    /// This replica's id.
    pub fn client_id(&self) -> ClientId {
        self.client
    }

    /// Who is there: names, cursors.
    pub fn awareness(&mut self) -> &mut Awareness {
        &mut self.awareness
    }

    /// Inserts into a text, at a position in UTF-16 units.
    pub fn text_insert(&mut self, name: &str, index: u32, text: &str) -> Result<(), EditError> {
        if text.len() > MAX_UPDATE / 2 {
            return Err(EditError::TooLarge(text.len()));
        }
        self.edit_text(name, |txn, root| {
            check_bounds(index.into(), root.len(txn))?;
            if !text.is_empty() {
                root.insert(txn, index, text);
            }
            Ok(())
        })
    }

    /// Deletes from a text `len` UTF-16 units.
    pub fn text_delete(&mut self, name: &str, index: u32, len: u32) -> Result<(), EditError> {
        // A hostile peer may have put values into the text. The engine counts them in a text's
        // length, but only a list's way of deleting can delete them.
        let has_values = self.history.has_values(name);
        self.edit_text(name, |txn, root| {
            check_bounds(u64::from(index) + u64::from(len), root.len(txn))?;
            if len == 0 {
                return Ok(());
            }
            if has_values {
                txn.get_or_insert_array(name).remove_range(txn, index, len);
            } else {
                root.remove_range(txn, index, len);
            }
            Ok(())
        })
    }

    /// A text as a string.
    pub fn text(&mut self, name: &str) -> Result<String, EditError> {
        self.edit_text(name, |txn, root| Ok(root.get_string(txn)))
    }

    /// The length of a text in UTF-16 units.
    pub fn text_len(&mut self, name: &str) -> Result<u32, EditError> {
        self.edit_text(name, |txn, root| Ok(root.len(txn)))
    }

    /// Sets an entry of a map.
    pub fn map_set(&mut self, name: &str, key: &str, value: &Value) -> Result<(), EditError> {
        check_name(key)?;
        let value = value.to_any()?;
        self.edit_map(name, |txn, root| {
            root.insert(txn, key, value);
            Ok(())
        })
    }

    /// An entry of a map. A nested shared type is read as its JSON.
    pub fn map_get(&mut self, name: &str, key: &str) -> Result<Option<Value>, EditError> {
        self.edit_map(name, |txn, root| Ok(root.get(txn, key).map(|out| read(&out, txn))))
    }

    /// Deletes an entry of a map. False if there was none.
    pub fn map_delete(&mut self, name: &str, key: &str) -> Result<bool, EditError> {
        self.edit_map(name, |txn, root| Ok(root.remove(txn, key).is_some()))
    }

    /// A whole map.
    pub fn map(&mut self, name: &str) -> Result<Value, EditError> {
        self.edit_map(name, |txn, root| Ok(root.to_json(txn).into()))
    }

    /// The whole document: a record of its roots. A root that came from elsewhere and that this
    /// replica hasn't asked for by kind is [`Value::Undefined`].
    pub fn to_value(&self) -> Value {
        self.engine.to_json(&self.engine.transact()).into()
    }

    /// What this replica has, in encoding V1.
    pub fn encode_state_vector(&self) -> Vec<u8> {
        self.engine.transact().state_vector().encode_v1()
    }

    /// What is missing in a replica with this state vector, in encoding V1; everything if `None`.
    pub fn encode_state_as_update(
        &self,
        state_vector: Option<&[u8]>,
    ) -> Result<Vec<u8>, SummaryError> {
        let state_vector = match state_vector {
            None => StateVector::default(),
            Some(bytes) => {
                validate::state_vector(bytes)?;
                // The validator is at least as strict as this decoder.
                StateVector::decode_v1(bytes).map_err(|_| validate::Invalid::BadNumber)?
            }
        };
        Ok(self.engine.transact().encode_diff_v1(&state_vector))
    }

    /// Applies an update in encoding V1 from anywhere.
    ///
    /// What refers to something that isn't there yet waits for it.
    pub fn apply_update(&mut self, update: &[u8]) -> Result<(), ApplyError> {
        if self.given_up {
            return Err(ApplyError::GivenUp);
        }
        self.check_own_client(update)?;
        let Admitted { now, later } = self.history.admit(update)?;
        self.pending.extend(later);
        if let Some(now) = now {
            self.integrate(&now)?;
            self.retry_pending()?;
        }
        let bytes: usize = self.pending.iter().map(|waiting| waiting.update.len()).sum();
        if bytes > MAX_PENDING_BYTES || self.pending.len() > MAX_PENDING_UPDATES {
            self.pending.clear();
            self.resync = true;
        }
        Ok(())
    }

    /// What changed since the last call, oldest first. Call it after edits and updates; a session is
    /// told of the local ones.
    pub fn take_updates(&mut self) -> Vec<DocUpdate> {
        self.updates.drain(..).collect()
    }

    /// True, once, if something was dropped that an exchange of summaries must bring again: updates
    /// that waited for others too long, or local ones that nobody fetched. Resummarize then.
    pub fn take_resync(&mut self) -> bool {
        std::mem::take(&mut self.resync)
    }

    /// Whether updates wait for something that hasn't come.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    fn edit_text<R>(
        &mut self,
        name: &str,
        f: impl FnOnce(&mut TransactionMut<'_>, TextRef) -> Result<R, EditError>,
    ) -> Result<R, EditError> {
        self.edit(name, Kind::Text, |txn| {
            let root = txn.get_or_insert_text(name);
            f(txn, root)
        })
    }

    fn edit_map<R>(
        &mut self,
        name: &str,
        f: impl FnOnce(&mut TransactionMut<'_>, MapRef) -> Result<R, EditError>,
    ) -> Result<R, EditError> {
        self.edit(name, Kind::Map, |txn| {
            let root = txn.get_or_insert_map(name);
            f(txn, root)
        })
    }

    fn edit<R>(
        &mut self,
        name: &str,
        kind: Kind,
        f: impl FnOnce(&mut TransactionMut<'_>) -> Result<R, EditError>,
    ) -> Result<R, EditError> {
        if self.given_up {
            return Err(EditError::GivenUp);
        }
        check_name(name)?;
        match self.kinds.get(name) {
            Some(known) if *known != kind => return Err(EditError::WrongKind),
            Some(_) => {}
            None => drop(self.kinds.insert(name.into(), kind)),
        }
        let mut txn = self.engine.transact_mut();
        let result = f(&mut txn);
        txn.commit();
        let change = txn.encode_update_v1();
        drop(txn);
        if change != EMPTY_UPDATE && self.history.admit(&change).is_err() {
            // The engine has written what can't be read back.
            self.given_up = true;
        }
        self.publish(change, Origin::Local);
        result
    }

    fn publish(&mut self, change: Vec<u8>, origin: Origin) {
        if change == EMPTY_UPDATE {
            return;
        }
        if self.updates.len() >= MAX_UPDATES_QUEUED {
            self.updates.clear();
            self.resync = true;
        }
        self.updates.push_back(DocUpdate { payload: change.into(), origin });
    }

    /// Gives the engine what has been admitted.
    fn integrate(&mut self, admitted: &[u8]) -> Result<(), ApplyError> {
        let refused = match Update::decode_v1(admitted) {
            Err(error) => Some(error.to_string()),
            Ok(update) => {
                let mut txn = self.engine.transact_mut();
                let applied = txn.apply_update(update);
                let waits = txn.has_missing_updates();
                txn.commit();
                let change = txn.encode_update_v1();
                drop(txn);
                self.publish(change, Origin::Remote);
                match applied {
                    Err(error) => Some(error.to_string()),
                    Ok(()) if waits => Some("something is missing".to_owned()),
                    Ok(()) => None,
                }
            }
        };
        match refused {
            None => Ok(()),
            Some(reason) => {
                // What this side has noted of the document isn't true any more.
                self.given_up = true;
                Err(ApplyError::Engine(reason))
            }
        }
    }

    /// Lets those go on whose turn has come, until none can.
    fn retry_pending(&mut self) -> Result<(), ApplyError> {
        loop {
            let history = &self.history;
            let ready = |waiting: &Waiting| waiting.missing.iter().any(|id| history.has(*id));
            let Some(at) = self.pending.iter().position(ready) else { return Ok(()) };
            let waiting = self.pending.remove(at);
            // One that turns out to contradict what has come meanwhile is dropped; whoever sent it
            // may be long gone.
            let Ok(Admitted { now, later }) = self.history.admit(&waiting.update) else { continue };
            self.pending.extend(later);
            if let Some(now) = now {
                self.integrate(&now)?;
            }
        }
    }

    /// Refuses edits under this replica's id that it hasn't made.
    fn check_own_client(&self, update: &[u8]) -> Result<(), ApplyError> {
        let own = self.client.0;
        let state = self.history.state(own);
        let mut forged = false;
        validate::walk(update, |part| {
            if let Part::Block(Block { id, len, place, .. }) = part {
                let is_content = !matches!(place, Place::Gap);
                forged |= is_content && id.client == own && id.clock + len > state;
            }
        })?;
        if forged { Err(ApplyError::OwnClient) } else { Ok(()) }
    }
}

impl std::fmt::Debug for Doc {
    /// Without the content, which may be private.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doc")
            .field("client", &self.client)
            .field("updates", &self.updates.len())
            .field("pending", &self.pending.len())
            .field("given_up", &self.given_up)
            .finish_non_exhaustive()
    }
}

fn read(out: &Out, txn: &TransactionMut<'_>) -> Value {
    out.to_json(txn).into()
}

fn check_name(name: &str) -> Result<(), EditError> {
    if name.len() > MAX_NAME { Err(EditError::NameTooLong(name.len())) } else { Ok(()) }
}

fn check_bounds(position: u64, len: u32) -> Result<(), EditError> {
    if position > len.into() { Err(EditError::OutOfBounds { position, len }) } else { Ok(()) }
}

#[cfg(test)]
#[path = "doc_tests.rs"]
mod tests;
