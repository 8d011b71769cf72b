//! Members, roles and permissions: what conversations, circles, groups and teams have in common.

use std::collections::BTreeSet;

use vivim_proto::SortedMap;

use crate::{
    limits::{MAX_MEMBERS, MAX_WAITING},
    record::Record,
    refusal::Refusal,
    rules::{By, check_room},
};

/// A rank. Which ranks a kind of document has, and how it calls them, is in its [`Roles`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A guest of a team, a viewer of a circle.
    Guest,
    /// A member.
    Member,
    /// Looks after the content.
    Moderator,
    /// Looks after content and members.
    Admin,
    /// The one owner.
    Owner,
}

/// The roles of a kind of document by name, the lowest first.
#[derive(Clone, Copy, Debug)]
pub struct Roles(pub(crate) &'static [(&'static str, Role)]);

/// The roles of a conversation.
pub const CONVERSATION_ROLES: Roles =
    Roles(&[("member", Role::Member), ("moderator", Role::Moderator), ("owner", Role::Owner)]);

/// The roles of a circle.
pub const CIRCLE_ROLES: Roles = Roles(&[
    ("viewer", Role::Guest),
    ("member", Role::Member),
    ("moderator", Role::Moderator),
    ("admin", Role::Admin),
    ("owner", Role::Owner),
]);

/// The roles of a group.
pub const GROUP_ROLES: Roles = Roles(&[
    ("member", Role::Member),
    ("moderator", Role::Moderator),
    ("admin", Role::Admin),
    ("owner", Role::Owner),
]);

/// The roles of a team.
pub const TEAM_ROLES: Roles = Roles(&[
    ("guest", Role::Guest),
    ("member", Role::Member),
    ("admin", Role::Admin),
    ("owner", Role::Owner),
]);

/// A permission of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flag {
    /// To see the circle.
    Read,
    /// To post and share.
    Write,
    /// To add and invite.
    Invite,
    /// To remove members and posts.
    Remove,
    /// To change name, description and settings.
    ManageSettings,
}

impl Flag {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Read, Self::Write, Self::Invite, Self::Remove, Self::ManageSettings];

    /// Its name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Invite => "invite",
            Self::Remove => "remove",
            Self::ManageSettings => "manageSettings",
        }
    }
}

/// What is said about each permission, in the order of [`Flag::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlagChanges([Option<bool>; 5]);

/// Permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags([bool; 5]);

/// A member, as far as rules go.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Who.
    pub did: String,
    /// Under which id else.
    pub id: String,
    /// Their rank.
    pub role: Role,
    /// Since when, in milliseconds.
    pub joined_at: f64,
    /// What they may, by their role and beyond it.
    pub flags: Flags,
}

/// The members of a document and what else decides about membership.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Membership {
    members: SortedMap<String, Member>,
    owner: Option<String>,
    requests: BTreeSet<String>,
    deleted: bool,
}

/// Someone who is to become a member.
#[derive(Clone, Debug, PartialEq)]
pub struct NewMember {
    /// Who.
    pub did: String,
    /// With which rank.
    pub role: Role,
    /// With which permissions beyond the role's.
    pub flags: FlagChanges,
    /// The rest of the record: id, name, picture.
    pub record: Record,
}

/// An operation on the membership.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MembershipOp {
    /// Adds somebody.
    Add(NewMember),
    /// Answers a request to join with yes.
    Approve(String),
    /// Begins it all: the author becomes the owner.
    Create(NewMember),
    /// Ends it all.
    Delete,
    /// Joins, or asks to.
    Join(NewMember),
    /// Answers a request to join with no; withdraws one's own.
    RefuseJoin(String),
    /// Removes a member, or leaves. By DID or id.
    Remove(String),
    /// Makes a member the owner.
    Transfer(String),
    /// Changes a member.
    Update {
        /// Which, by DID or id.
        member: String,
        /// To this rank.
        role: Option<Role>,
        /// These permissions.
        flags: FlagChanges,
        /// These free fields.
        profile: Record,
    },
}

impl MembershipOp {
    /// Whether it decides about rights. Only a change of nothing but free fields doesn't.
    pub fn is_control(&self) -> bool {
        !matches!(self, Self::Update { role: None, flags, .. } if flags.is_empty())
    }
}

/// How somebody becomes a member without being added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// By joining.
    Open,
    /// By asking.
    Request,
    /// Not at all.
    Closed,
}

/// What a kind of document, its settings and the author's place in it say about membership.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) roles: Roles,
    pub(crate) max: usize,
    /// Whether the author may add, and who may.
    pub(crate) adds: (bool, &'static str),
    /// Whether the author may remove, and who may.
    pub(crate) removes: (bool, &'static str),
    pub(crate) joining: Joining,
    /// From which rank on one answers requests to join.
    pub(crate) approves: Role,
    /// Whether there may be guests.
    pub(crate) guests: bool,
}

impl Roles {
    /// The role of this name; the lowest if there is none.
    pub fn read(&self, name: &str) -> Role {
        self.find(name).unwrap_or_else(|| self.lowest())
    }

    /// The role of this name.
    pub fn find(&self, name: &str) -> Option<Role> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, role)| *role)
    }

    /// What the role is called; the lowest if this kind of document hasn't got it.
    pub fn name(&self, role: Role) -> &'static str {
        let named = self.0.iter().find(|(_, known)| *known == role).or_else(|| self.0.first());
        named.map_or("member", |(name, _)| name)
    }

    /// The lowest role.
    pub fn lowest(&self) -> Role {
        self.0.first().map_or(Role::Member, |(_, role)| *role)
    }

    /// The role right under the owner's.
    pub fn highest_below_owner(&self) -> Role {
        self.0.iter().rev().find(|(_, role)| *role < Role::Owner).map_or(Role::Member, |(_, r)| *r)
    }
}

impl FlagChanges {
    /// Says something about one permission.
    pub fn set(&mut self, flag: Flag, value: Option<bool>) {
        self.0[flag as usize] = value;
    }

    /// What is said about a permission.
    pub fn get(&self, flag: Flag) -> Option<bool> {
        self.0[flag as usize]
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// The permissions of a role with these changes. An owner has all, whatever is said.
    pub fn over(&self, role: Role) -> Flags {
        let mut flags = Flags::of(role);
        if role < Role::Owner {
            for (flag, change) in flags.0.iter_mut().zip(self.0) {
                *flag = change.unwrap_or(*flag);
            }
        }
        flags
    }
}

impl Flags {
    /// What a role brings with it in a circle.
    pub const fn of(role: Role) -> Self {
        match role {
            Role::Guest => Self([false; 5]),
            Role::Member => Self([true, true, false, false, false]),
            Role::Moderator => Self([true, true, false, true, false]),
            Role::Admin => Self([true, true, true, true, false]),
            Role::Owner => Self([true; 5]),
        }
    }

    /// Whether a permission is there.
    pub const fn has(&self, flag: Flag) -> bool {
        self.0[flag as usize]
    }

    /// Whether all of the other's permissions are there.
    pub fn covers(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).all(|(own, other)| *own || !other)
    }
}

impl Membership {
    /// Decides who the owner is. Several may be written down as such after concurrent edits: the one
    /// who joined first is it and the others are members. If nobody is, the highest in rank who
    /// joined first takes the place, so that nothing is left without an owner. Guests never do.
    pub fn new(
        members: impl IntoIterator<Item = Member>,
        requests: BTreeSet<String>,
        deleted: bool,
    ) -> Self {
        let mut members: SortedMap<String, Member> =
            members.into_iter().map(|member| (member.did.clone(), member)).collect();
        let heir = members.values().filter(|member| member.role > Role::Guest).min_by(|a, b| {
            b.role.cmp(&a.role).then(a.joined_at.total_cmp(&b.joined_at)).then(a.did.cmp(&b.did))
        });
        let owner = heir.map(|heir| heir.did.clone());
        for member in members.values_mut() {
            if Some(&member.did) == owner.as_ref() {
                member.role = Role::Owner;
                member.flags = Flags::of(Role::Owner);
            } else if member.role == Role::Owner {
                member.role = Role::Member;
                member.flags = Flags::of(Role::Member);
            }
        }
        let requests = requests.into_iter().filter(|did| !members.contains_key(did)).collect();
        Self { members, owner, requests, deleted }
    }

    /// A member by DID.
    pub fn get(&self, did: &str) -> Option<&Member> {
        self.members.get(did)
    }

    /// A member's rank.
    pub fn role(&self, did: &str) -> Option<Role> {
        self.get(did).map(|member| member.role)
    }

    /// All members in the order of their DIDs.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The owner.
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Who asks to join.
    pub fn requests(&self) -> &BTreeSet<String> {
        &self.requests
    }

    /// Whether it was deleted.
    pub fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// Whom a DID or an id means.
    pub fn resolve(&self, member: &str) -> Result<&Member, Refusal> {
        self.get(member)
            .or_else(|| self.iter().find(|known| known.id == member))
            .ok_or_else(|| Refusal::not_found("member", member))
    }

    /// The author as a member.
    pub(crate) fn require(&self, by: By<'_>) -> Result<&Member, Refusal> {
        self.must_live()?;
        self.get(by.did).ok_or(Refusal::NotMember)
    }

    /// The author as a member of at least this rank.
    pub(crate) fn require_rank(
        &self,
        by: By<'_>,
        rank: Role,
        who: &'static str,
    ) -> Result<&Member, Refusal> {
        let author = self.require(by)?;
        if author.role >= rank { Ok(author) } else { Err(Refusal::NotAllowed(who)) }
    }

    /// Something that its author may undo, and so may whoever has at least this rank.
    pub(crate) fn require_author_or(
        &self,
        by: By<'_>,
        author: &str,
        rank: Role,
        who: &'static str,
    ) -> Result<(), Refusal> {
        let member = self.require(by)?;
        if author == by.did || member.role >= rank { Ok(()) } else { Err(Refusal::NotAllowed(who)) }
    }

    fn must_live(&self) -> Result<(), Refusal> {
        if self.deleted {
            Err(Refusal::Deleted)
        } else if self.owner.is_none() {
            Err(Refusal::NotCreated)
        } else {
            Ok(())
        }
    }

    /// Whether one more may come, and come with this rank.
    pub(crate) fn check_newcomer(
        &self,
        did: &str,
        role: Role,
        policy: &Policy,
    ) -> Result<(), Refusal> {
        if self.get(did).is_some() {
            return Err(Refusal::AlreadyMember(did.to_owned()));
        }
        if role == Role::Guest && !policy.guests {
            return Err(Refusal::NotAllowed("owners who have switched on guest access"));
        }
        check_room("members", self.len(), policy.max.min(MAX_MEMBERS))
    }
}

/// Judges an operation on the membership.
pub(crate) fn judge(
    op: &MembershipOp,
    by: By<'_>,
    state: &Membership,
    policy: &Policy,
) -> Result<(), Refusal> {
    match op {
        MembershipOp::Create(new) => {
            if state.deleted {
                return Err(Refusal::Deleted);
            }
            if state.owner.is_some() {
                return Err(Refusal::AlreadyCreated);
            }
            by.must_be(&new.did)
        }
        MembershipOp::Delete => {
            state.require_rank(by, Role::Owner, "the owner")?;
            Ok(())
        }
        MembershipOp::Add(new) => {
            let author = state.require(by)?;
            allow(policy.adds)?;
            check_grant(author, new.role, &new.flags, policy)?;
            state.check_newcomer(&new.did, new.role, policy)
        }
        MembershipOp::Join(new) => {
            state.must_live()?;
            by.must_be(&new.did)?;
            match policy.joining {
                Joining::Open => {}
                Joining::Request => check_room("requests", state.requests.len(), MAX_WAITING)?,
                Joining::Closed => return Err(Refusal::NotAllowed("those who are invited")),
            }
            state.check_newcomer(&new.did, Role::Member, policy)
        }
        MembershipOp::Approve(did) => {
            state.require_rank(by, policy.approves, "those who look after the members")?;
            if !state.requests.contains(did) {
                return Err(Refusal::not_found("request to join of", did));
            }
            state.check_newcomer(did, Role::Member, policy)
        }
        MembershipOp::RefuseJoin(did) => {
            state.must_live()?;
            if !state.requests.contains(did) {
                return Err(Refusal::not_found("request to join of", did));
            }
            if by.did != did {
                state.require_rank(by, policy.approves, "those who look after the members")?;
            }
            Ok(())
        }
        MembershipOp::Remove(member) => {
            let author = state.require(by)?;
            let target = state.resolve(member)?;
            if target.role == Role::Owner {
                return Err(Refusal::OwnerStays);
            }
            if target.did == author.did {
                return Ok(());
            }
            allow(policy.removes)?;
            must_outrank(author, target, policy)
        }
        MembershipOp::Transfer(member) => {
            state.require_rank(by, Role::Owner, "the owner")?;
            let target = state.resolve(member)?;
            if target.role == Role::Owner {
                return Err(Refusal::AlreadyMember(target.did.clone()));
            }
            Ok(())
        }
        MembershipOp::Update { member, role, flags, profile } => {
            let author = state.require(by)?;
            let target = state.resolve(member)?;
            if role.is_some() || !flags.is_empty() {
                judge_rank(author, target, *role, flags, policy)?;
            }
            if !profile.is_empty() && author.did != target.did {
                manages_members(author)?;
                must_outrank(author, target, policy)?;
            }
            Ok(())
        }
    }
}

fn judge_rank(
    author: &Member,
    target: &Member,
    role: Option<Role>,
    flags: &FlagChanges,
    policy: &Policy,
) -> Result<(), Refusal> {
    if target.role == Role::Owner {
        return Err(Refusal::NotAllowed("an owner who transfers the ownership"));
    }
    manages_members(author)?;
    must_outrank(author, target, policy)?;
    let role = role.unwrap_or(target.role);
    if role == Role::Guest && !policy.guests {
        return Err(Refusal::NotAllowed("owners who have switched on guest access"));
    }
    check_grant(author, role, flags, policy)?;
    if role >= author.role {
        return Err(Refusal::RoleTooHigh(policy.roles.name(role)));
    }
    Ok(())
}

/// Nobody gives what they haven't got, and nobody gives the ownership but by transferring it.
pub(crate) fn check_grant(
    author: &Member,
    role: Role,
    flags: &FlagChanges,
    policy: &Policy,
) -> Result<(), Refusal> {
    if role == Role::Owner {
        return Err(Refusal::NotAllowed("an owner who transfers the ownership"));
    }
    if role > author.role {
        return Err(Refusal::RoleTooHigh(policy.roles.name(role)));
    }
    let granted = Flag::ALL.into_iter().filter(|flag| flags.get(*flag) == Some(true));
    let mut beyond = granted.filter(|flag| !author.flags.has(*flag));
    match beyond.next() {
        Some(_) => Err(Refusal::NotAllowed("those who have the permission themselves")),
        None => Ok(()),
    }
}

fn manages_members(author: &Member) -> Result<(), Refusal> {
    if author.role >= Role::Admin {
        Ok(())
    } else {
        Err(Refusal::NotAllowed("the owner and admins"))
    }
}

fn must_outrank(author: &Member, target: &Member, policy: &Policy) -> Result<(), Refusal> {
    if author.role > target.role {
        Ok(())
    } else {
        Err(Refusal::RoleTooHigh(policy.roles.name(target.role)))
    }
}

fn allow((allowed, who): (bool, &'static str)) -> Result<(), Refusal> {
    if allowed { Ok(()) } else { Err(Refusal::NotAllowed(who)) }
}
