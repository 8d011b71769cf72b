//! What may be done with friendships: a state machine for each pair of people.
//!
//! ```text
//! none ──request──► pending ──accept (the one asked)──► accepted ──remove (either)──► none
//!                      ├─────reject (the one asked)───► rejected ──┐
//!                      └─────cancel (the one who asked)► cancelled ┴─request (new id)─► pending
//! any ──block (either)──► blocked ──unblock (who blocked)──► none
//! ```
//!
//! Two requests that cross are a friendship, under the lower id.

use std::collections::BTreeSet;

use vivim_proto::SortedMap;

use crate::{record::Record, refusal::Refusal, rules::By};

/// An operation on friendships.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FriendOp {
    /// Says yes to a request. Control.
    Accept(String),
    /// Blocks somebody, by DID or by the id of what is between the two. Control.
    Block(String),
    /// Takes a request back. Control.
    Cancel(String),
    /// Says no to a request. Control.
    Reject(String),
    /// Ends a friendship, or clears away an old request. Control.
    Remove(String),
    /// Asks somebody. Control.
    Request(Record),
    /// Changes one's own settings.
    SetSettings(Record),
    /// Ends a block. Control.
    Unblock(String),
}

/// Friendships, as far as rules go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FriendState {
    /// What is between two, by id.
    pub friends: SortedMap<String, Friendship>,
    /// Who has blocked whom.
    pub blocks: BTreeSet<(String, String)>,
}

/// What is between two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Friendship {
    /// Who asked.
    pub requester: String,
    /// Who was asked.
    pub addressee: String,
    /// What came of it.
    pub status: FriendStatus,
}

/// What came of a request, blocks apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FriendStatus {
    /// It waits.
    Pending,
    /// They are friends.
    Accepted,
    /// No.
    Rejected,
    /// Taken back.
    Cancelled,
}

impl FriendStatus {
    /// Its name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of this name.
    pub fn find(name: &str) -> Option<Self> {
        [Self::Pending, Self::Accepted, Self::Rejected, Self::Cancelled]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

impl Friendship {
    /// The other of the two.
    pub fn other(&self, did: &str) -> Option<&str> {
        if self.requester == did {
            Some(&self.addressee)
        } else if self.addressee == did {
            Some(&self.requester)
        } else {
            None
        }
    }
}

impl FriendOp {
    /// Whether it decides about rights, and so belongs into a log of signed operations.
    pub fn is_control(&self) -> bool {
        !matches!(self, Self::SetSettings(_))
    }
}

impl FriendState {
    /// Puts the rows of each pair together: the lower id is what is between two who asked each
    /// other, or who asked twice, and the others are taken out.
    pub fn new(rows: SortedMap<String, Friendship>, blocks: BTreeSet<(String, String)>) -> Self {
        let mut friends = rows;
        let is_live =
            |row: &Friendship| matches!(row.status, FriendStatus::Pending | FriendStatus::Accepted);
        let live = friends.iter().filter(|(_, row)| is_live(row));
        let live: BTreeSet<(String, String)> =
            live.map(|(id, row)| (pair_key(row), id.clone())).collect();
        let live: Vec<(String, String)> = live.into_iter().collect();
        let mut gone = BTreeSet::new();
        for ids in live.chunk_by(|(pair, _), (other, _)| pair == other) {
            let live = ids.iter().filter_map(|(_, id)| friends.get(id));
            let accepted = live.clone().any(|row| row.status == FriendStatus::Accepted);
            let first = live.clone().next().map(|row| row.requester.clone());
            let crossed = live.clone().any(|row| Some(&row.requester) != first.as_ref());
            let mut ids = ids.iter().map(|(_, id)| id);
            if let Some(row) = ids.next().and_then(|lowest| friends.get_mut(lowest))
                && (accepted || crossed)
            {
                row.status = FriendStatus::Accepted;
            }
            gone.extend(ids.cloned());
        }
        friends.retain(|id, _| !gone.contains(id));
        Self { friends, blocks }
    }

    /// Who of two has blocked the other; the lower DID if both have.
    pub fn blocked_by(&self, a: &str, b: &str) -> Option<&str> {
        blocker(&self.blocks, a, b)
    }

    /// Pending or accepted between two.
    fn between(&self, a: &str, b: &str) -> Option<(&str, &Friendship)> {
        self.friends
            .iter()
            .find(|(_, row)| {
                row.other(a) == Some(b)
                    && matches!(row.status, FriendStatus::Pending | FriendStatus::Accepted)
            })
            .map(|(id, row)| (id.as_str(), row))
    }

    fn find(&self, id: &str) -> Result<&Friendship, Refusal> {
        self.friends.get(id).ok_or_else(|| Refusal::not_found("friend or request", id))
    }

    /// Whom the author means by a DID or by the id of what is between them.
    pub fn other_of(&self, by: By<'_>, who: &str) -> Result<String, Refusal> {
        let other = match self.friends.get(who) {
            Some(row) => row.other(by.did).ok_or(Refusal::NotAllowed("the two concerned"))?,
            None => who,
        };
        if !crate::record::is_did(other) || other == by.did {
            return Err(Refusal::invalid("did", "the DID of somebody else"));
        }
        Ok(other.to_owned())
    }
}

/// Judges an operation on friendships.
pub fn judge(op: &FriendOp, by: By<'_>, state: &FriendState) -> Result<(), Refusal> {
    match op {
        FriendOp::Request(request) => judge_request(request, by, state),
        FriendOp::Accept(id) | FriendOp::Reject(id) => {
            let row = state.find(id)?;
            let to = if matches!(op, FriendOp::Accept(_)) { "accepted" } else { "rejected" };
            if row.addressee != by.did {
                return Err(Refusal::NotAllowed("the one who was asked"));
            }
            must_be_pending(row, state, to)
        }
        FriendOp::Cancel(id) => {
            let row = state.find(id)?;
            if row.requester != by.did {
                return Err(Refusal::NotAllowed("the one who asked"));
            }
            must_be_pending(row, state, "cancelled")
        }
        FriendOp::Remove(id) => {
            let row = state.find(id)?;
            if row.other(by.did).is_none() {
                return Err(Refusal::NotAllowed("the two concerned"));
            }
            if row.status == FriendStatus::Pending {
                let advice = "cancel or reject the request instead";
                return Err(Refusal::BadTransition {
                    is: row.status.name().to_owned(),
                    to: "removed",
                    advice,
                });
            }
            Ok(())
        }
        FriendOp::Block(who) => state.other_of(by, who).map(drop),
        FriendOp::Unblock(who) => {
            let other = state.other_of(by, who)?;
            judge_unblock(&state.blocks, by, &other)
        }
        FriendOp::SetSettings(_) => Ok(()),
    }
}

fn judge_request(request: &Record, by: By<'_>, state: &FriendState) -> Result<(), Refusal> {
    let (id, other) = (request.text("id"), request.text("addresseeDid"));
    by.must_be(request.text("requesterDid"))?;
    if other == by.did {
        return Err(Refusal::invalid("addresseeDid", "the DID of somebody else"));
    }
    if let Some(blocker) = state.blocked_by(by.did, other) {
        return Err(Refusal::Blocked { by: blocker.to_owned() });
    }
    if let Some(known) = state.friends.get(id) {
        // The same request again is none.
        let is_same = known.requester == by.did && known.addressee == other;
        let waits = known.status == FriendStatus::Pending;
        return if is_same && waits { Ok(()) } else { Err(Refusal::Exists("a request")) };
    }
    match state.between(by.did, other) {
        None => Ok(()),
        Some((_, row)) if row.status == FriendStatus::Accepted => {
            Err(Refusal::Exists("a friendship"))
        }
        Some((_, row)) if row.requester == by.did => Err(Refusal::Exists("a request")),
        Some(_) => Err(Refusal::BadTransition {
            is: "pending from the other side".to_owned(),
            to: "pending",
            advice: "accept their request instead",
        }),
    }
}

fn must_be_pending(row: &Friendship, state: &FriendState, to: &'static str) -> Result<(), Refusal> {
    if let Some(by) = state.blocked_by(&row.requester, &row.addressee) {
        return Err(Refusal::Blocked { by: by.to_owned() });
    }
    if row.status == FriendStatus::Pending {
        return Ok(());
    }
    let advice = "send a new request, under a new id";
    Err(Refusal::BadTransition { is: row.status.name().to_owned(), to, advice })
}

/// Only who has blocked may end it.
pub(crate) fn judge_unblock(
    blocks: &BTreeSet<(String, String)>,
    by: By<'_>,
    other: &str,
) -> Result<(), Refusal> {
    if blocks.contains(&(by.did.to_owned(), other.to_owned())) {
        return Ok(());
    }
    match blocker(blocks, by.did, other) {
        Some(blocker) => Err(Refusal::Blocked { by: blocker.to_owned() }),
        None => Err(Refusal::not_found("block of", other)),
    }
}

/// Who of two has blocked the other; the lower DID if both have.
pub(crate) fn blocker<'a>(
    blocks: &'a BTreeSet<(String, String)>,
    a: &str,
    b: &str,
) -> Option<&'a str> {
    let (a, b) = pair(a, b);
    let found = blocks.get(&(a.clone(), b.clone())).or_else(|| blocks.get(&(b, a)));
    found.map(|(blocker, _)| blocker.as_str())
}

/// One name for both directions: no DID has a space in it.
fn pair_key(row: &Friendship) -> String {
    let (a, b) = pair(&row.requester, &row.addressee);
    format!("{a} {b}")
}

fn pair(a: &str, b: &str) -> (String, String) {
    if a < b { (a.to_owned(), b.to_owned()) } else { (b.to_owned(), a.to_owned()) }
}
