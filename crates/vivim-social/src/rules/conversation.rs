//! What may be done in a conversation.

use crate::{
    limits::{MAX_BRANCHES, MAX_KEYS, MAX_MEMBERS},
    record::Record,
    refusal::Refusal,
    rules::{
        Authors, By, check_room,
        members::{self, CONVERSATION_ROLES, Joining, Membership, MembershipOp, Policy, Role},
    },
};

/// An operation on a conversation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ConversationOp {
    /// Adds a remark on a message.
    AddAnnotation(Record),
    /// Begins a branch.
    AddBranch(Record),
    /// Appends a message.
    AddMessage(Record),
    /// Takes a piece of metadata away.
    DeleteMetadata(String),
    /// Changes a message's content.
    EditMessage {
        /// Which.
        id: String,
        /// To this.
        content: String,
    },
    /// Changes who takes part. Control.
    Members(MembershipOp),
    /// Removes a remark.
    RemoveAnnotation(String),
    /// Removes a branch; its messages stay.
    RemoveBranch(String),
    /// Removes a message.
    RemoveMessage(String),
    /// Marks a remark as done.
    ResolveAnnotation(String),
    /// Sets a piece of metadata.
    SetMetadata(Record),
    /// Edits the title.
    SetTitle(String),
    /// Renames a branch or moves its head.
    UpdateBranch {
        /// Which.
        id: String,
        /// These fields.
        changes: Record,
    },
}

/// A conversation, as far as rules go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConversationState {
    /// Who takes part.
    pub members: Membership,
    /// Who wrote which message.
    pub messages: Authors,
    /// Who began which branch.
    pub branches: Authors,
    /// Who wrote which remark.
    pub annotations: Authors,
    /// How many pieces of metadata there are.
    pub metadata: usize,
}

const MODERATORS: &str = "the owner and moderators";
const AUTHOR_OR_MODERATORS: &str = "the author, the owner and moderators";

impl ConversationOp {
    /// Whether it decides about rights, and so belongs into a log of signed operations.
    pub fn is_control(&self) -> bool {
        matches!(self, Self::Members(op) if op.is_control())
    }
}

/// Judges an operation on a conversation.
pub fn judge(op: &ConversationOp, by: By<'_>, state: &ConversationState) -> Result<(), Refusal> {
    let members = &state.members;
    match op {
        ConversationOp::Members(op) => {
            let moderates = members.role(by.did) >= Some(Role::Moderator);
            let policy = Policy {
                roles: CONVERSATION_ROLES,
                max: MAX_MEMBERS,
                adds: (moderates, MODERATORS),
                removes: (moderates, MODERATORS),
                joining: Joining::Closed,
                approves: Role::Owner,
                guests: true,
            };
            members::judge(op, by, members, &policy)
        }
        ConversationOp::AddMessage(message) => {
            members.require(by)?;
            by.must_be(message.text("authorId"))?;
            state.messages.must_be_free("a message", message.text("id"), by)
        }
        ConversationOp::EditMessage { id, .. } => {
            members.require(by)?;
            by.must_be(state.messages.find("message", id)?)
        }
        ConversationOp::RemoveMessage(id) => {
            let author = state.messages.find("message", id)?;
            members.require_author_or(by, author, Role::Moderator, AUTHOR_OR_MODERATORS)
        }
        ConversationOp::SetTitle(_) | ConversationOp::DeleteMetadata(_) => {
            members.require_rank(by, Role::Moderator, MODERATORS).map(drop)
        }
        ConversationOp::SetMetadata(_) => {
            members.require_rank(by, Role::Moderator, MODERATORS)?;
            check_room("pieces of metadata", state.metadata, MAX_KEYS)
        }
        ConversationOp::AddBranch(branch) => {
            members.require(by)?;
            by.must_be(branch.text("createdBy"))?;
            check_room("branches", state.branches.len(), MAX_BRANCHES)?;
            state.branches.must_be_free("a branch", branch.text("id"), by)
        }
        ConversationOp::UpdateBranch { id, .. } | ConversationOp::RemoveBranch(id) => {
            let author = state.branches.find("branch", id)?;
            members.require_author_or(by, author, Role::Moderator, AUTHOR_OR_MODERATORS)
        }
        ConversationOp::AddAnnotation(annotation) => {
            members.require(by)?;
            by.must_be(annotation.text("authorId"))?;
            let target = annotation.text("targetMessageId");
            state.messages.find("message", target)?;
            state.annotations.must_be_free("an annotation", annotation.text("id"), by)
        }
        ConversationOp::ResolveAnnotation(id) | ConversationOp::RemoveAnnotation(id) => {
            let author = state.annotations.find("annotation", id)?;
            members.require_author_or(by, author, Role::Moderator, AUTHOR_OR_MODERATORS)
        }
    }
}
