//! A document: its states, and the updates in between.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use yrs::{
    OffsetKind, Options, ReadTxn, StateVector, Transact, Transaction, TransactionMut, Update,
    branch::BranchPtr,
    updates::{decoder::Decode, encoder::Encode},
};

use crate::{
    Awareness, ConflictEvent, Kind, TypeId,
    admission::{Admitted, From as Sender, Waiting},
    change::Group,
    encode,
    error::{ApplyError, EditError, SummaryError},
    events::Events,
    history::History,
    limits::{
        MAX_DOCUMENT_NESTING, MAX_NAME, MAX_PENDING_BYTES, MAX_PENDING_UPDATES, MAX_UPDATE,
        MAX_UPDATES_QUEUED,
    },
    memory, pieces,
    types::kind_of,
    undo::Undo,
    validate::{self, MAX_CLIENT},
};

/// A document of shared types, compatible with Yjs.
///
/// Its roots are found by name ([`root`](Self::root)) and exist as soon as they are asked for. One
/// name has one kind. Other types are nested in them. Each operation takes the [`TypeId`] of the type
/// that it is about and commits itself: what is read next is current.
///
/// ```
/// use vivim_doc::{ClientId, Doc, Entry, Kind, Value};
///
/// let mut ours = Doc::new(ClientId::from_random(1));
/// let mut theirs = Doc::new(ClientId::from_random(2));
/// let people = ours.root(Kind::Map, "people")?;
/// let ann = ours.entry_set_type(&people, "ann", Kind::Map)?;
/// ours.entry_set(&ann, "age", &Value::Number(41.0))?;
/// for update in ours.take_updates() {
///     theirs.apply_update(&update.payload)?;
/// }
/// // Both sides agree on the names of nested types.
/// assert_eq!(theirs.entry_get(&ann, "age")?, Some(Entry::Value(Value::Number(41.0))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// For the simplest cases there are operations that take a root's name, such as
/// [`text_insert`](Self::text_insert) and [`map_set`](Self::map_set).
pub struct Doc {
    pub(crate) engine: yrs::Doc,
    pub(crate) client: ClientId,
    /// The kinds of the roots that were asked for here.
    pub(crate) kinds: HashMap<Box<str>, Kind>,
    updates: VecDeque<DocUpdate>,
    pub(crate) history: History,
    /// Updates that wait for something, oldest first.
    pending: Vec<Waiting>,
    pub(crate) group: Group,
    pub(crate) events: Events,
    pub(crate) conflicts: VecDeque<ConflictEvent>,
    pub(crate) undo: Undo,
    resync: bool,
    given_up: bool,
    awareness: Awareness,
}

/// Identifies one replica of a document for as long as it lives in memory.
///
/// Two replicas with one id destroy each other's edits, so make a new random one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(u64);

/// How a document is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DocOptions {
    /// Keep deleted content, so that the document can be shown as it was at any
    /// [`snapshot`](Doc::snapshot). Others can then still be told of it.
    pub keep_deleted: bool,
}

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

/// How the engine calls the transactions that apply updates. Those of edits have no name, and those of
/// undo one of the engine's.
pub(crate) const REMOTE: &str = "vivim remote";

/// What an update without a change looks like.
pub(crate) const EMPTY_UPDATE: &[u8] = &[0, 0];

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
        Self::with_options(client, DocOptions::default())
    }

    /// An empty document that is kept in other ways than usual.
    pub fn with_options(client: ClientId, options: DocOptions) -> Self {
        let options = Options {
            client_id: yrs::ClientID::new(client.0),
            offset_kind: OffsetKind::Utf16,
            skip_gc: options.keep_deleted,
            ..Options::default()
        };
        Self {
            engine: yrs::Doc::with_options(options),
            client,
            kinds: HashMap::new(),
            updates: VecDeque::new(),
            history: History::default(),
            pending: Vec::new(),
            group: Group::default(),
            events: Events::default(),
            conflicts: VecDeque::new(),
            undo: Undo::default(),
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
        Ok(encode::diff(&self.engine.transact(), &state_vector))
    }

    /// Applies an update in encoding V1 from anywhere.
    ///
    /// What refers to something that isn't there yet waits for it.
    pub fn apply_update(&mut self, update: &[u8]) -> Result<(), ApplyError> {
        self.apply_from(update, Sender::Others { own_client: self.client.0 })
    }

    pub(crate) fn apply_from(&mut self, update: &[u8], from: Sender) -> Result<(), ApplyError> {
        if self.given_up {
            return Err(ApplyError::GivenUp);
        }
        let is_first = self.history.is_empty();
        let admitted = self.history.admit(update, from)?;
        if self.take_admitted(admitted, is_first)? {
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

    /// Reads from a shared type.
    pub(crate) fn read<R>(
        &self,
        id: &TypeId,
        of: &[Kind],
        f: impl FnOnce(&Transaction<'_>, BranchPtr) -> Result<R, EditError>,
    ) -> Result<R, EditError> {
        let txn = self.engine.transact();
        let branch = resolve(&self.kinds, &txn, id, of)?;
        self.check_content(id)?;
        f(&txn, branch)
    }

    /// Changes a shared type. One call is one transaction of the engine and one update.
    pub(crate) fn write<R>(
        &mut self,
        id: &TypeId,
        of: &[Kind],
        f: impl FnOnce(&mut TransactionMut<'_>, BranchPtr) -> Result<R, EditError>,
    ) -> Result<R, EditError> {
        if self.given_up {
            return Err(EditError::GivenUp);
        }
        self.check_content(id)?;
        if self.history.depth_inside(id) > MAX_DOCUMENT_NESTING {
            return Err(EditError::TooDeep);
        }
        self.undo.before_edit(self.group.is_open());
        let mut txn = self.engine.transact_mut();
        let branch = resolve(&self.kinds, &txn, id, of)?;
        let result = f(&mut txn, branch);
        txn.commit();
        let change = encode::changes(&txn);
        drop(txn);
        self.take_in(change);
        self.after_transaction();
        result
    }

    /// Notes a change that the engine has made of its own accord or at the user's will.
    pub(crate) fn take_in(&mut self, change: Vec<u8>) {
        if change.is_empty() || change == EMPTY_UPDATE {
            return;
        }
        if self.history.admit(&change, Sender::Engine).is_err() {
            // The engine has written what can't be read back.
            self.given_up = true;
        }
        if let Some(change) = self.group.add(change) {
            self.publish(change, Origin::Local);
        }
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// A root's list may hold what its kind doesn't allow, if a hostile peer has put it there; the
    /// engine reads text in a list of values wrongly, and can't end.
    fn check_content(&self, id: &TypeId) -> Result<(), EditError> {
        let Some(name) = id.root_name() else { return Ok(()) };
        let is_list = matches!(self.kinds.get(name), Some(Kind::Array | Kind::XmlFragment));
        if is_list && self.history.has_text(name) { Err(EditError::WrongKind) } else { Ok(()) }
    }

    pub(crate) fn publish(&mut self, change: Vec<u8>, origin: Origin) {
        if change.is_empty() || change == EMPTY_UPDATE {
            return;
        }
        if self.updates.len() >= MAX_UPDATES_QUEUED {
            self.updates.clear();
            self.resync = true;
        }
        if change.len() <= MAX_UPDATE {
            self.updates.push_back(DocUpdate { payload: change.into(), origin });
            return;
        }
        // Undo may bring back more at once than anybody takes.
        let pieces = pieces::cut(&change, MAX_UPDATE, pieces::Most::ALL);
        let pieces = pieces.map(|cut| cut.pieces).unwrap_or_default();
        self.updates.extend(pieces.into_iter().map(|payload| DocUpdate { payload, origin }));
    }

    /// Gives the engine what has been admitted; false if it was nothing.
    fn take_admitted(
        &mut self,
        admitted: Admitted<'_>,
        is_first: bool,
    ) -> Result<bool, ApplyError> {
        let Admitted { now, blocks, later, clashes } = admitted;
        self.pending.extend(later);
        let Some(now) = now else { return Ok(false) };
        let clashes = self.live_clashes(clashes);
        memory::reserve_for(blocks, now.len());
        self.integrate(&now, is_first)?;
        self.report(clashes);
        self.after_transaction();
        Ok(true)
    }

    /// Hands what was admitted to the engine. If it `is_first`, nothing was in the document before.
    fn integrate(&mut self, admitted: &[u8], is_first: bool) -> Result<(), ApplyError> {
        let refused = match decode(admitted) {
            Err(error) => Some(error.to_string()),
            Ok(update) => {
                let mut txn = self.engine.transact_mut_with(REMOTE);
                let applied = txn.apply_update(update);
                let waits = txn.has_missing_updates();
                txn.commit();
                let change = if is_first && txn.has_changes() {
                    // What has changed is all of it: large documents open faster without encoding it.
                    admitted.to_vec()
                } else {
                    encode::changes(&txn)
                };
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
            let from = Sender::Others { own_client: self.client.0 };
            // One that turns out to contradict what has come meanwhile is dropped; whoever sent it
            // may be long gone.
            let Ok(admitted) = self.history.admit(&waiting.update, from) else { continue };
            self.take_admitted(admitted, false)?;
        }
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

// The half of applying an update that the compiler would put into one function with the other. A
// browser compiles a function a second time when it has become hot, as a whole, while somebody types.
#[inline(never)]
fn decode(update: &[u8]) -> Result<Update, yrs::encoding::read::Error> {
    Update::decode_v1(update)
}

/// Finds a shared type that is there and of one of these kinds.
pub(crate) fn resolve<T: ReadTxn>(
    kinds: &HashMap<Box<str>, Kind>,
    txn: &T,
    id: &TypeId,
    of: &[Kind],
) -> Result<BranchPtr, EditError> {
    let branch = id.branch_id().get_branch(txn).ok_or(EditError::Gone)?;
    if branch.is_deleted() {
        return Err(EditError::Gone);
    }
    let kind = match id.root_name() {
        Some(name) => kinds.get(name).copied(),
        None => kind_of(branch),
    };
    let kind = kind.ok_or(EditError::Gone)?;
    if of.contains(&kind) { Ok(branch) } else { Err(EditError::WrongKind) }
}

pub(crate) fn check_name(name: &str) -> Result<(), EditError> {
    if name.len() > MAX_NAME { Err(EditError::NameTooLong(name.len())) } else { Ok(()) }
}

pub(crate) fn check_bounds(position: u64, len: u32) -> Result<(), EditError> {
    if position > len.into() { Err(EditError::OutOfBounds { position, len }) } else { Ok(()) }
}

#[cfg(test)]
#[path = "doc_tests.rs"]
mod tests;
