//! What may be done in a circle.

use vivim_proto::SortedMap;

use crate::{
    limits::{MAX_MEMBERS, MAX_WAITING},
    record::Record,
    refusal::Refusal,
    rules::{
        Authors, By, check_room,
        members::{
            self, CIRCLE_ROLES, Flag, FlagChanges, Joining, Member, Membership, MembershipOp,
            Policy, Role,
        },
    },
};

/// An operation on a circle.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CircleOp {
    /// Takes an invitation up. Control.
    AcceptInvitation(String),
    /// Shares a piece of content.
    AddContentRef(Record),
    /// Appends a post.
    AddPost(Record),
    /// Changes a post's content.
    EditPost {
        /// Which.
        id: String,
        /// To this.
        content: String,
    },
    /// Invites somebody. Control.
    Invite(Record),
    /// Changes who belongs to it. Control.
    Members(MembershipOp),
    /// Declines an invitation, or takes one back. Control.
    RejectInvitation(String),
    /// Shares a piece of content no more.
    RemoveContentRef {
        /// Of this type.
        kind: String,
        /// Which.
        id: String,
    },
    /// Removes a post.
    RemovePost(String),
    /// Looks at it. Changes nothing: for whoever hands the content out.
    See,
    /// Edits the description.
    SetDescription(String),
    /// Edits the name.
    SetName(String),
    /// Changes settings. Control.
    UpdateSettings(Record),
}

/// A circle, as far as rules go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CircleState {
    /// Who belongs to it.
    pub members: Membership,
    /// Who may see it.
    pub visibility: Visibility,
    /// Who may post and share.
    pub sharing: Sharing,
    /// The most members.
    pub max_members: Option<usize>,
    /// Who wrote which post.
    pub posts: Authors,
    /// Who shared which content, by type and id with a space between.
    pub content_refs: Authors,
    /// Who is invited.
    pub invitations: SortedMap<String, Invitation>,
}

/// Who may see a circle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// Members with the permission to read.
    #[default]
    Private,
    /// All members.
    Circle,
    /// Everybody.
    Public,
}

/// Who may post and share in a circle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// The owner.
    #[default]
    OwnerOnly,
    /// The owner, admins and moderators.
    Moderators,
    /// All who have the permission to write.
    AllMembers,
}

/// An invitation.
#[derive(Clone, Debug, PartialEq)]
pub struct Invitation {
    /// Who is invited.
    pub invitee: String,
    /// By whom.
    pub inviter: String,
    /// To which rank.
    pub role: Role,
    /// Whether it waits for an answer.
    pub is_pending: bool,
    /// Until when, in milliseconds.
    pub expires_at: f64,
}

const MANAGERS: &str = "the owner and members who may manage settings";
const INVITERS: &str = "members who may invite";
const REMOVERS: &str = "members who may remove, over those of a lower role";

impl CircleOp {
    /// Whether it decides about rights, and so belongs into a log of signed operations.
    pub fn is_control(&self) -> bool {
        match self {
            Self::AcceptInvitation(_)
            | Self::Invite(_)
            | Self::RejectInvitation(_)
            | Self::UpdateSettings(_) => true,
            Self::Members(op) => op.is_control(),
            Self::AddContentRef(_)
            | Self::AddPost(_)
            | Self::EditPost { .. }
            | Self::RemoveContentRef { .. }
            | Self::RemovePost(_)
            | Self::See
            | Self::SetDescription(_)
            | Self::SetName(_) => false,
        }
    }
}

/// Judges an operation on a circle.
pub fn judge(op: &CircleOp, by: By<'_>, state: &CircleState) -> Result<(), Refusal> {
    let members = &state.members;
    let has = |flag| members.get(by.did).is_some_and(|member| member.flags.has(flag));
    let policy = Policy {
        roles: CIRCLE_ROLES,
        max: state.max_members.unwrap_or(MAX_MEMBERS),
        adds: (has(Flag::Invite), INVITERS),
        removes: (has(Flag::Remove), REMOVERS),
        joining: Joining::Closed,
        approves: Role::Admin,
        guests: true,
    };
    match op {
        CircleOp::Members(op) => members::judge(op, by, members, &policy),
        CircleOp::UpdateSettings(_) | CircleOp::SetName(_) | CircleOp::SetDescription(_) => {
            require_flag(members.require(by)?, Flag::ManageSettings, MANAGERS)
        }
        CircleOp::AddPost(post) => {
            may_share(by, state)?;
            by.must_be(post.text("authorId"))?;
            state.posts.must_be_free("a post", post.text("id"), by)
        }
        CircleOp::EditPost { id, .. } => {
            members.require(by)?;
            by.must_be(state.posts.find("post", id)?)
        }
        CircleOp::RemovePost(id) => author_or_remover(by, state.posts.find("post", id)?, members),
        CircleOp::AddContentRef(_) => may_share(by, state),
        CircleOp::RemoveContentRef { kind, id } => {
            let author = state.content_refs.of(&format!("{kind} {id}"));
            let author = author.ok_or_else(|| Refusal::not_found("shared content", id))?;
            author_or_remover(by, author, members)
        }
        CircleOp::Invite(invitation) => {
            let author = members.require(by)?;
            require_flag(author, Flag::Invite, INVITERS)?;
            by.must_be(invitation.text("inviterDid"))?;
            let role = CIRCLE_ROLES.read(invitation.text("role"));
            members::check_grant(author, role, &FlagChanges::default(), &policy)?;
            members.check_newcomer(invitation.text("inviteeDid"), role, &policy)?;
            let id = invitation.text("id");
            match state.invitations.get(id) {
                Some(known) if known.inviter == by.did && known.is_pending => {}
                Some(_) => return Err(Refusal::Exists("an invitation")),
                None => {}
            }
            let waits = |known: &&Invitation| known.is_pending && known.expires_at > by.now;
            let waiting = state.invitations.values().filter(waits).count();
            check_room("open invitations", waiting, MAX_WAITING)
        }
        CircleOp::AcceptInvitation(id) => {
            let invitation = find_invitation(state, id)?;
            by.must_be(&invitation.invitee)?;
            must_be_pending(invitation, "accepted")?;
            if invitation.expires_at <= by.now {
                return Err(Refusal::Expired);
            }
            // What the inviter may no longer do isn't done in their name either.
            let inviter = members.get(&invitation.inviter);
            let inviter = inviter.ok_or(Refusal::NotAllowed("those whom a member has invited"))?;
            require_flag(inviter, Flag::Invite, INVITERS)?;
            members::check_grant(inviter, invitation.role, &FlagChanges::default(), &policy)?;
            members.check_newcomer(by.did, invitation.role, &policy)
        }
        CircleOp::RejectInvitation(id) => {
            let invitation = find_invitation(state, id)?;
            must_be_pending(invitation, "rejected")?;
            if by.did == invitation.invitee || by.did == invitation.inviter {
                return Ok(());
            }
            members
                .require_rank(by, Role::Admin, "the invited, the inviter, the owner and admins")
                .map(drop)
        }
        CircleOp::See => match state.visibility {
            Visibility::Public => Ok(()),
            Visibility::Circle => members.require(by).map(drop),
            Visibility::Private => require_flag(
                members.require(by)?,
                Flag::Read,
                "members with the permission to read",
            ),
        },
    }
}

fn may_share(by: By<'_>, state: &CircleState) -> Result<(), Refusal> {
    let author = state.members.require(by)?;
    require_flag(author, Flag::Write, "members with the permission to write")?;
    let (rank, who) = match state.sharing {
        Sharing::OwnerOnly => (Role::Owner, "the owner"),
        Sharing::Moderators => (Role::Moderator, "the owner, admins and moderators"),
        Sharing::AllMembers => return Ok(()),
    };
    if author.role >= rank { Ok(()) } else { Err(Refusal::NotAllowed(who)) }
}

fn author_or_remover(by: By<'_>, author: &str, members: &Membership) -> Result<(), Refusal> {
    let member = members.require(by)?;
    if author == by.did {
        return Ok(());
    }
    require_flag(member, Flag::Remove, "the author and members who may remove")
}

fn require_flag(member: &Member, flag: Flag, who: &'static str) -> Result<(), Refusal> {
    if member.flags.has(flag) { Ok(()) } else { Err(Refusal::NotAllowed(who)) }
}

fn find_invitation<'a>(state: &'a CircleState, id: &str) -> Result<&'a Invitation, Refusal> {
    state.invitations.get(id).ok_or_else(|| Refusal::not_found("invitation", id))
}

fn must_be_pending(invitation: &Invitation, to: &'static str) -> Result<(), Refusal> {
    if invitation.is_pending {
        return Ok(());
    }
    let advice = "ask for another invitation";
    Err(Refusal::BadTransition { is: "answered".to_owned(), to, advice })
}
