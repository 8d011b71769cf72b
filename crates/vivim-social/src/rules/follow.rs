//! What may be done with follows: one-sided, and asked for only where an account is private.

use std::collections::BTreeSet;

use vivim_proto::SortedMap;

use crate::{
    record::{Record, is_did},
    refusal::Refusal,
    rules::{
        By,
        friend::{blocker, judge_unblock},
    },
};

/// An operation on follows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FollowOp {
    /// Follows somebody. Control.
    Add(Record),
    /// Lets a follower in. Control.
    Approve(String),
    /// Blocks a follower, by DID or by the follow's id. Control.
    Block(String),
    /// Doesn't let a follower in. Control.
    Reject(String),
    /// Follows no more. Control.
    Remove(String),
    /// Makes the author's account private or public. Control.
    SetPrivate(bool),
    /// Ends a block, by DID or by the follow's id. Control.
    Unblock(String),
    /// Changes what the follower is told and shown.
    UpdateNotifications {
        /// Of which follow.
        id: String,
        /// These fields.
        changes: Record,
    },
}

/// Follows, as far as rules go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowState {
    /// Who follows whom, by id; one for each pair.
    pub follows: SortedMap<String, Follow>,
    /// Who has blocked whom.
    pub blocks: BTreeSet<(String, String)>,
    /// Whose account is private.
    pub private: BTreeSet<String>,
}

/// Who follows whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// Who follows.
    pub follower: String,
    /// Whom.
    pub following: String,
    /// Whether it waits for approval.
    pub is_pending: bool,
}

impl FollowOp {
    /// Whether it decides about rights, and so belongs into a log of signed operations.
    pub fn is_control(&self) -> bool {
        !matches!(self, Self::UpdateNotifications { .. })
    }
}

impl FollowState {
    /// Keeps the lowest id of each pair.
    pub fn new(
        rows: SortedMap<String, Follow>,
        blocks: BTreeSet<(String, String)>,
        private: BTreeSet<String>,
    ) -> Self {
        let mut seen = BTreeSet::new();
        let mut follows = rows;
        follows.retain(|_, row| seen.insert((row.follower.clone(), row.following.clone())));
        Self { follows, blocks, private }
    }

    fn find(&self, id: &str) -> Result<&Follow, Refusal> {
        self.follows.get(id).ok_or_else(|| Refusal::not_found("follow", id))
    }

    /// Which follower the author means by a DID or by a follow's id.
    pub fn follower_of(&self, by: By<'_>, who: &str) -> Result<String, Refusal> {
        let follower = match self.follows.get(who) {
            Some(row) if row.following == by.did => &row.follower,
            Some(_) => return Err(Refusal::NotAllowed("the one who is followed")),
            None => who,
        };
        if !is_did(follower) || follower == by.did {
            return Err(Refusal::invalid("did", "the DID of somebody else"));
        }
        Ok(follower.to_owned())
    }
}

/// Judges an operation on follows.
pub fn judge(op: &FollowOp, by: By<'_>, state: &FollowState) -> Result<(), Refusal> {
    match op {
        FollowOp::Add(follow) => {
            let (id, other) = (follow.text("id"), follow.text("followingDid"));
            by.must_be(follow.text("followerDid"))?;
            if other == by.did {
                return Err(Refusal::invalid("followingDid", "the DID of somebody else"));
            }
            if let Some(blocker) = blocker(&state.blocks, by.did, other) {
                return Err(Refusal::Blocked { by: blocker.to_owned() });
            }
            let is_pair = |row: &Follow| row.follower == by.did && row.following == other;
            match state.follows.get(id) {
                Some(row) if is_pair(row) => Ok(()),
                Some(_) => Err(Refusal::Exists("a follow")),
                None if state.follows.values().any(is_pair) => Err(Refusal::Exists("a follow")),
                None => Ok(()),
            }
        }
        FollowOp::Approve(id) | FollowOp::Reject(id) => {
            let row = state.find(id)?;
            if row.following != by.did {
                return Err(Refusal::NotAllowed("the one who is followed"));
            }
            if let Some(blocker) = blocker(&state.blocks, by.did, &row.follower) {
                return Err(Refusal::Blocked { by: blocker.to_owned() });
            }
            if row.is_pending {
                return Ok(());
            }
            let to = if matches!(op, FollowOp::Approve(_)) { "active" } else { "rejected" };
            let advice = "block the follower to end it";
            Err(Refusal::BadTransition { is: "active".to_owned(), to, advice })
        }
        FollowOp::Remove(id) | FollowOp::UpdateNotifications { id, .. } => {
            if state.find(id)?.follower == by.did {
                Ok(())
            } else {
                Err(Refusal::NotAllowed("the follower"))
            }
        }
        FollowOp::Block(who) => state.follower_of(by, who).map(drop),
        FollowOp::Unblock(who) => {
            let other = state.follower_of(by, who)?;
            judge_unblock(&state.blocks, by, &other)
        }
        FollowOp::SetPrivate(_) => Ok(()),
    }
}
