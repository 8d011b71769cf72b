//! What may be done in a group.

use crate::{
    limits::MAX_MEMBERS,
    record::Record,
    refusal::Refusal,
    rules::{
        Authors, By,
        members::{self, GROUP_ROLES, Joining, Membership, MembershipOp, Policy, Role},
    },
};

/// An operation on a group.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum GroupOp {
    /// Appends a comment to a post.
    AddComment(Record),
    /// Appends a post.
    AddPost(Record),
    /// Changes a post's content or attachments.
    EditPost {
        /// Which.
        id: String,
        /// These fields.
        changes: Record,
    },
    /// Likes a post.
    Like(String),
    /// Changes who belongs to it. Control.
    Members(MembershipOp),
    /// Removes a comment.
    RemoveComment(String),
    /// Removes a post.
    RemovePost(String),
    /// Edits the description.
    SetDescription(String),
    /// Edits the name.
    SetName(String),
    /// Likes a post no more.
    Unlike(String),
    /// Changes settings. Control.
    UpdateSettings(Record),
}

/// A group, as far as rules go.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupState {
    /// Who belongs to it.
    pub members: Membership,
    /// How one joins.
    pub joining: Joining,
    /// Whether members may add others.
    pub allow_member_invite: bool,
    /// Whether members may post.
    pub allow_member_post: bool,
    /// The most members.
    pub max_members: Option<usize>,
    /// Who wrote which post.
    pub posts: Authors,
    /// Who wrote which comment.
    pub comments: Authors,
}

const ADMINS: &str = "the owner and admins";
const AUTHOR_OR_MODERATORS: &str = "the author, the owner, admins and moderators";

impl Default for GroupState {
    fn default() -> Self {
        Self {
            members: Membership::default(),
            joining: Joining::Request,
            allow_member_invite: true,
            allow_member_post: true,
            max_members: None,
            posts: Authors::default(),
            comments: Authors::default(),
        }
    }
}

impl GroupOp {
    /// Whether it decides about rights, and so belongs into a log of signed operations.
    pub fn is_control(&self) -> bool {
        match self {
            Self::UpdateSettings(_) => true,
            Self::Members(op) => op.is_control(),
            Self::AddComment(_)
            | Self::AddPost(_)
            | Self::EditPost { .. }
            | Self::Like(_)
            | Self::RemoveComment(_)
            | Self::RemovePost(_)
            | Self::SetDescription(_)
            | Self::SetName(_)
            | Self::Unlike(_) => false,
        }
    }
}

/// Judges an operation on a group.
pub fn judge(op: &GroupOp, by: By<'_>, state: &GroupState) -> Result<(), Refusal> {
    let members = &state.members;
    match op {
        GroupOp::Members(op) => {
            let role = members.role(by.did);
            let invites = if state.allow_member_invite {
                (role >= Some(Role::Member), "members")
            } else {
                (role >= Some(Role::Admin), ADMINS)
            };
            let policy = Policy {
                roles: GROUP_ROLES,
                max: state.max_members.unwrap_or(MAX_MEMBERS),
                adds: invites,
                removes: (role >= Some(Role::Admin), ADMINS),
                joining: state.joining,
                approves: Role::Moderator,
                guests: true,
            };
            members::judge(op, by, members, &policy)
        }
        GroupOp::UpdateSettings(_) | GroupOp::SetName(_) | GroupOp::SetDescription(_) => {
            members.require_rank(by, Role::Admin, ADMINS).map(drop)
        }
        GroupOp::AddPost(post) => {
            if state.allow_member_post {
                members.require(by)?;
            } else {
                members.require_rank(by, Role::Moderator, "the owner, admins and moderators")?;
            }
            by.must_be(post.text("authorDid"))?;
            state.posts.must_be_free("a post", post.text("id"), by)
        }
        GroupOp::EditPost { id, .. } => {
            members.require(by)?;
            by.must_be(state.posts.find("post", id)?)
        }
        GroupOp::RemovePost(id) => {
            let author = state.posts.find("post", id)?;
            members.require_author_or(by, author, Role::Moderator, AUTHOR_OR_MODERATORS)
        }
        GroupOp::Like(id) | GroupOp::Unlike(id) => {
            members.require(by)?;
            state.posts.find("post", id).map(drop)
        }
        GroupOp::AddComment(comment) => {
            members.require(by)?;
            by.must_be(comment.text("authorDid"))?;
            state.posts.find("post", comment.text("postId"))?;
            state.comments.must_be_free("a comment", comment.text("id"), by)
        }
        GroupOp::RemoveComment(id) => {
            let author = state.comments.find("comment", id)?;
            members.require_author_or(by, author, Role::Moderator, AUTHOR_OR_MODERATORS)
        }
    }
}
