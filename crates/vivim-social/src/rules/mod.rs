//! Who may do what: pure functions of an operation, its author and the state it meets.
//!
//! Each kind of document has an enum of operations, a state and a `judge`. Nothing here knows a
//! document: [`documents`](crate::documents) reads the state from one and edits it after a
//! favourable judgement, and a log of signed operations can do the same on every replica later.
//!
//! Until operations are signed a judgement binds only whoever asks for it. Everybody in a plain room
//! can write anything into the document itself.

pub mod circle;
pub mod conversation;
pub mod follow;
pub mod friend;
pub mod group;
pub mod members;
pub mod own;
pub mod team;

use vivim_proto::SortedMap;

use crate::refusal::Refusal;

/// Who does something, and when.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// The author's DID.
    pub did: &'a str,
    /// The time, in milliseconds since 1970.
    pub now: f64,
}

/// Who wrote each of some things, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authors(SortedMap<String, String>);

impl By<'_> {
    /// Refuses what is done in another's name.
    pub(crate) fn must_be(&self, did: &str) -> Result<(), Refusal> {
        if self.did == did { Ok(()) } else { Err(Refusal::NotAuthor(did.to_owned())) }
    }
}

impl Authors {
    /// Who wrote this, if it's there.
    pub fn of(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses if there is nothing of this id.
    pub(crate) fn find(&self, what: &'static str, id: &str) -> Result<&str, Refusal> {
        self.of(id).ok_or_else(|| Refusal::not_found(what, id))
    }

    /// Refuses an id under which somebody else has written. The author's own is a repetition.
    pub(crate) fn must_be_free(
        &self,
        what: &'static str,
        id: &str,
        by: By<'_>,
    ) -> Result<(), Refusal> {
        match self.of(id) {
            Some(author) if author != by.did => Err(Refusal::Exists(what)),
            _ => Ok(()),
        }
    }
}

impl FromIterator<(String, String)> for Authors {
    /// The first of several of one id counts.
    fn from_iter<T: IntoIterator<Item = (String, String)>>(items: T) -> Self {
        let mut items: Vec<_> = items.into_iter().collect();
        // Of several the last would count.
        items.reverse();
        Self(items.into_iter().collect())
    }
}

/// Refuses when the bound is reached.
pub(crate) fn check_room(what: &'static str, len: usize, max: usize) -> Result<(), Refusal> {
    if len < max { Ok(()) } else { Err(Refusal::Full { what, max }) }
}
