//! What may be done in a team.

use std::collections::BTreeSet;

use vivim_proto::SortedMap;

use crate::{
    limits::{MAX_CHANNELS, MAX_MEMBERS},
    record::Record,
    refusal::Refusal,
    rules::{
        By, check_room,
        members::{self, Joining, Member, Membership, MembershipOp, Policy, Role, TEAM_ROLES},
    },
};

/// An operation on a team.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TeamOp {
    /// Makes a channel.
    AddChannel(Record),
    /// Adds somebody to a channel, or oneself. Control.
    AddChannelMember {
        /// To which.
        channel: String,
        /// Whom, by DID.
        did: String,
    },
    /// Appends a message to a channel.
    AddMessage(Record),
    /// Changes a message's content.
    EditMessage {
        /// Which.
        id: String,
        /// To this.
        content: String,
    },
    /// Changes who belongs to it. Control.
    Members(MembershipOp),
    /// Reacts to a message.
    React {
        /// To which.
        message: String,
        /// How.
        emoji: String,
    },
    /// Removes a channel with its messages. Control.
    RemoveChannel(String),
    /// Removes somebody from a channel, or oneself. Control.
    RemoveChannelMember {
        /// From which.
        channel: String,
        /// Whom, by DID.
        did: String,
    },
    /// Removes a message.
    RemoveMessage(String),
    /// Edits the description.
    SetDescription(String),
    /// Edits the name.
    SetName(String),
    /// Changes one's own notifications of a channel and how far one has read.
    UpdateChannelMember {
        /// Of which.
        channel: String,
        /// These fields.
        changes: Record,
    },
    /// Looks at a channel. Changes nothing: for whoever hands its content out.
    See(String),
    /// Takes a reaction back.
    Unreact {
        /// From which message.
        message: String,
        /// Which.
        emoji: String,
    },
    /// Renames or moves a channel.
    UpdateChannel {
        /// Which.
        id: String,
        /// These fields.
        changes: Record,
    },
    /// Changes settings. Control.
    UpdateSettings(Record),
}

/// A team, as far as rules go.
#[derive(Clone, Debug, PartialEq)]
pub struct TeamState {
    /// Who belongs to it.
    pub members: Membership,
    /// Whether everybody may join.
    pub is_open: bool,
    /// Whether joining is asking first.
    pub require_approval: bool,
    /// Whether there may be guests.
    pub allow_guest_access: bool,
    /// The most members.
    pub max_members: Option<usize>,
    /// The channels by id.
    pub channels: SortedMap<String, Channel>,
    /// Author and channel of the messages, by id.
    pub messages: SortedMap<String, (String, String)>,
}

/// A channel, as far as rules go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channel {
    /// Whether it's open to the whole team.
    pub is_public: bool,
    /// Who made it.
    pub creator: String,
    /// Who was added or joined.
    pub members: BTreeSet<String>,
}

const ADMINS: &str = "the owner and admins";
const CREATOR_OR_ADMINS: &str = "the channel's creator, the owner and admins";
const CHANNEL_MEMBERS: &str = "members of the channel";

impl Default for TeamState {
    fn default() -> Self {
        Self {
            members: Membership::default(),
            is_open: false,
            require_approval: true,
            allow_guest_access: false,
            max_members: None,
            channels: SortedMap::new(),
            messages: SortedMap::new(),
        }
    }
}

impl TeamOp {
    /// Whether it decides about rights, and so belongs into a log of signed operations.
    pub fn is_control(&self) -> bool {
        match self {
            Self::AddChannel(_)
            | Self::AddChannelMember { .. }
            | Self::RemoveChannel(_)
            | Self::RemoveChannelMember { .. }
            | Self::UpdateSettings(_) => true,
            Self::Members(op) => op.is_control(),
            Self::AddMessage(_)
            | Self::EditMessage { .. }
            | Self::React { .. }
            | Self::RemoveMessage(_)
            | Self::See(_)
            | Self::SetDescription(_)
            | Self::SetName(_)
            | Self::Unreact { .. }
            | Self::UpdateChannel { .. }
            | Self::UpdateChannelMember { .. } => false,
        }
    }
}

impl TeamState {
    fn channel(&self, id: &str) -> Result<&Channel, Refusal> {
        self.channels.get(id).ok_or_else(|| Refusal::not_found("channel", id))
    }

    fn message(&self, id: &str) -> Result<(&str, &str), Refusal> {
        let found = self.messages.get(id).map(|(author, channel)| (&**author, &**channel));
        found.ok_or_else(|| Refusal::not_found("message", id))
    }

    /// The author as one who takes part in this channel. Everybody but guests does in a public one.
    fn require_in_channel(&self, by: By<'_>, id: &str) -> Result<&Member, Refusal> {
        let author = self.members.require(by)?;
        let channel = self.channel(id)?;
        let is_in = channel.members.contains(by.did);
        if is_in || (channel.is_public && author.role > Role::Guest) {
            Ok(author)
        } else {
            Err(Refusal::NotAllowed(CHANNEL_MEMBERS))
        }
    }
}

/// Judges an operation on a team.
pub fn judge(op: &TeamOp, by: By<'_>, state: &TeamState) -> Result<(), Refusal> {
    let members = &state.members;
    match op {
        TeamOp::Members(op) => {
            let manages = (members.role(by.did) >= Some(Role::Admin), ADMINS);
            let policy = Policy {
                roles: TEAM_ROLES,
                max: state.max_members.unwrap_or(MAX_MEMBERS),
                adds: manages,
                removes: manages,
                joining: match (state.is_open, state.require_approval) {
                    (true, true) => Joining::Request,
                    (true, false) => Joining::Open,
                    (false, _) => Joining::Closed,
                },
                approves: Role::Admin,
                guests: state.allow_guest_access,
            };
            members::judge(op, by, members, &policy)
        }
        TeamOp::UpdateSettings(_) | TeamOp::SetName(_) | TeamOp::SetDescription(_) => {
            members.require_rank(by, Role::Admin, ADMINS).map(drop)
        }
        TeamOp::AddChannel(channel) => {
            members.require_rank(by, Role::Member, "members who are not guests")?;
            check_room("channels", state.channels.len(), MAX_CHANNELS)?;
            match state.channels.get(channel.text("id")) {
                Some(known) if known.creator != by.did => Err(Refusal::Exists("a channel")),
                _ => Ok(()),
            }
        }
        TeamOp::UpdateChannel { id, .. } | TeamOp::RemoveChannel(id) => {
            let creator = &state.channel(id)?.creator;
            members.require_author_or(by, creator, Role::Admin, CREATOR_OR_ADMINS)
        }
        TeamOp::AddChannelMember { channel, did } => {
            let target = members.get(did).ok_or_else(|| Refusal::not_found("member", did))?;
            let author = members.require(by)?;
            let channel = state.channel(channel)?;
            if channel.members.contains(did) {
                return Err(Refusal::AlreadyMember(did.clone()));
            }
            let joins = target.did == author.did && channel.is_public;
            let adds = joins || channel.members.contains(by.did) || author.role >= Role::Admin;
            if adds && author.role > Role::Guest {
                Ok(())
            } else {
                Err(Refusal::NotAllowed("members of the channel who are not guests"))
            }
        }
        TeamOp::RemoveChannelMember { channel, did } => {
            let author = members.require(by)?;
            let channel = state.channel(channel)?;
            if !channel.members.contains(did) {
                return Err(Refusal::not_found("member of the channel", did));
            }
            if did == by.did || channel.creator == by.did || author.role >= Role::Admin {
                Ok(())
            } else {
                Err(Refusal::NotAllowed("the member, the channel's creator, the owner and admins"))
            }
        }
        TeamOp::UpdateChannelMember { channel, .. } | TeamOp::See(channel) => {
            state.require_in_channel(by, channel).map(drop)
        }
        TeamOp::AddMessage(message) => {
            state.require_in_channel(by, message.text("channelId"))?;
            by.must_be(message.text("authorDid"))?;
            match state.messages.get(message.text("id")) {
                Some((author, _)) if author != by.did => Err(Refusal::Exists("a message")),
                _ => Ok(()),
            }
        }
        TeamOp::EditMessage { id, .. } => {
            let (author, channel) = state.message(id)?;
            state.require_in_channel(by, channel)?;
            by.must_be(author)
        }
        TeamOp::RemoveMessage(id) => {
            let (author, _) = state.message(id)?;
            members.require_author_or(by, author, Role::Admin, "the author, the owner and admins")
        }
        TeamOp::React { message, .. } | TeamOp::Unreact { message, .. } => {
            let (_, channel) = state.message(message)?;
            state.require_in_channel(by, channel).map(drop)
        }
    }
}
