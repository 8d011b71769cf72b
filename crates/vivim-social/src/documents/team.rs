//! Teams: `teamData` (name and description as texts), `members`, `settings`, `channels`,
//! `channelMembers`, `reactions` (maps), `messages` (list).

use std::collections::BTreeSet;

use vivim_doc::{Doc, EditError, Kind as Type, Value};
use vivim_proto::SortedMap;

use super::{
    Document, Look, content, count, did, grouped, id, look,
    membership::{self, AVATAR, Layout, METADATA, NAME},
    number, pairs, record, unknown, values,
};
use crate::{
    edit,
    limits::{MAX_CONTENT, MAX_DESCRIPTION, MAX_EMOJI, MAX_NAME},
    record::{Absent, Field, Kind, Record, Schema, is_did},
    refusal::{Refusal, SocialError},
    rules::{
        By,
        members::{Joining, MembershipOp, TEAM_ROLES},
        team::{Channel, TeamOp, TeamState, judge},
    },
};

pub(super) struct Team;

const DATA: &str = "teamData";

/// The id and name of the channel that every team begins with.
const GENERAL: &str = "general";

const LAYOUT: Layout = Layout {
    root: "members",
    did: "userDid",
    roles: TEAM_ROLES,
    has_flags: false,
    profile: Schema(&[
        NAME,
        AVATAR,
        Field("title", Kind::Text(MAX_NAME), Absent::Leave),
        Field("notifyAll", Kind::Bool, Absent::False),
        Field("notifyMentions", Kind::Bool, Absent::True),
        Field("lastActiveAt", Kind::Time, Absent::Leave),
        METADATA,
    ]),
};

const SETTINGS: Schema = Schema(&[
    Field("visibility", Kind::Choice(&["open", "invite"]), Absent::Text("invite")),
    Field("type", Kind::Choice(&["work", "project", "personal"]), Absent::Text("project")),
    Field("allowGuestAccess", Kind::Bool, Absent::False),
    Field("requireApproval", Kind::Bool, Absent::True),
    Field("maxMembers", Kind::Count, Absent::Leave),
]);

const CHANNEL: Schema = Schema(&[
    Field("id", Kind::Id, Absent::Refuse),
    Field("name", Kind::Text(MAX_NAME), Absent::Text("")),
    Field("description", Kind::Text(MAX_DESCRIPTION), Absent::Leave),
    // What can't be read is closed rather than open.
    Field("type", Kind::Text(MAX_NAME), Absent::Text("private")),
    Field("sortOrder", Kind::Number, Absent::Zero),
    Field("createdAt", Kind::Time, Absent::Zero),
    Field("updatedAt", Kind::Time, Absent::Zero),
    Field("createdBy", Kind::Text(MAX_DESCRIPTION), Absent::Text("")),
    METADATA,
]);

const CHANNEL_TYPES: [&str; 3] = ["public", "private", "direct"];

const CHANNEL_CHANGES: Schema = Schema(&[
    Field("name", Kind::Text(MAX_NAME), Absent::Text("")),
    Field("description", Kind::Text(MAX_DESCRIPTION), Absent::Leave),
    Field("sortOrder", Kind::Number, Absent::Zero),
    METADATA,
]);

const CHANNEL_MEMBER: Schema = Schema(&[
    Field("notify", Kind::Bool, Absent::True),
    Field("mute", Kind::Bool, Absent::False),
    Field("lastReadAt", Kind::Time, Absent::Leave),
]);

const MESSAGE: Schema = Schema(&[
    Field("id", Kind::Id, Absent::Refuse),
    Field("channelId", Kind::Id, Absent::Refuse),
    Field("authorDid", Kind::Did, Absent::Refuse),
    Field("content", Kind::Text(MAX_CONTENT), Absent::Refuse),
    Field("contentType", Kind::Text(MAX_NAME), Absent::Text("text")),
    Field("parentId", Kind::Id, Absent::Leave),
    Field("editedAt", Kind::Time, Absent::Leave),
    Field("createdAt", Kind::Time, Absent::Zero),
    METADATA,
]);

impl Document for Team {
    type Op = TeamOp;

    fn parse(name: &str, args: &Record, by: By<'_>) -> Result<TeamOp, Refusal> {
        if let Some(op) = LAYOUT.parse(name, args, by)? {
            return Ok(TeamOp::Members(op));
        }
        Ok(match name {
            "addChannel" => TeamOp::AddChannel(channel(record(args, "channel")?, by)?),
            "addChannelMember" => {
                TeamOp::AddChannelMember { channel: id(args, "id")?, did: did(args, "did")? }
            }
            "addMessage" => {
                let mut given = record(args, "message")?;
                given.set_default("authorDid", by.did);
                given.set_default("createdAt", by.now);
                given.remove("editedAt");
                TeamOp::AddMessage(MESSAGE.check(&given)?)
            }
            "addReaction" => TeamOp::React { message: id(args, "id")?, emoji: emoji(args)? },
            "deleteMessage" | "removeMessage" => TeamOp::RemoveMessage(id(args, "id")?),
            "editMessage" => TeamOp::EditMessage { id: id(args, "id")?, content: content(args)? },
            "joinChannel" => {
                TeamOp::AddChannelMember { channel: id(args, "id")?, did: by.did.to_owned() }
            }
            "leaveChannel" => {
                TeamOp::RemoveChannelMember { channel: id(args, "id")?, did: by.did.to_owned() }
            }
            "removeChannel" => TeamOp::RemoveChannel(id(args, "id")?),
            "removeChannelMember" => {
                TeamOp::RemoveChannelMember { channel: id(args, "id")?, did: did(args, "did")? }
            }
            "removeReaction" => TeamOp::Unreact { message: id(args, "id")?, emoji: emoji(args)? },
            "see" => TeamOp::See(id(args, "id")?),
            "setDescription" => {
                TeamOp::SetDescription(membership::description(args, "description")?)
            }
            "setName" => TeamOp::SetName(membership::title(args, "name")?),
            "updateChannel" => {
                let mut changes = CHANNEL_CHANGES.check_partial(&record(args, "changes")?)?;
                changes.set("updatedAt", by.now);
                TeamOp::UpdateChannel { id: id(args, "id")?, changes }
            }
            "updateChannelMember" => TeamOp::UpdateChannelMember {
                channel: id(args, "id")?,
                changes: CHANNEL_MEMBER.check_partial(&record(args, "changes")?)?,
            },
            "updateSettings" => {
                TeamOp::UpdateSettings(SETTINGS.check_partial(&record(args, "changes")?)?)
            }
            _ => return Err(unknown("operation on teams", name)),
        })
    }

    fn run(doc: &mut Doc, op: &TeamOp, by: By<'_>, is_real: bool) -> Result<Value, SocialError> {
        let state = state(doc, Some(op))?;
        judge(op, by, &state)?;
        if !is_real {
            return Ok(Value::Null);
        }
        grouped(doc, |doc| make(doc, op, by, &state))
    }

    fn view(doc: &mut Doc, name: &str, args: &Record) -> Result<Value, SocialError> {
        if let Some(value) = membership::view(&LAYOUT, doc, name, args)? {
            return Ok(value);
        }
        Ok(match name {
            "channelMembers" => values(channel_members(doc, args.text("id"))?),
            "channels" => values(channels(doc)?),
            "description" | "name" => super::entry_text(doc, DATA, name)?,
            "members" => values(members(doc)?),
            "messageCount" => {
                let mut messages = messages(doc)?;
                if let Value::String(channel) = args.get("id").unwrap_or(&Value::Null) {
                    messages.retain(|message| message.text("channelId") == channel);
                }
                number(messages.len())
            }
            "messages" => {
                let mut messages = messages(doc)?;
                messages.retain(|message| message.text("channelId") == args.text("id"));
                values(with_reactions(doc, messages)?)
            }
            "settings" => super::settings_record(doc, SETTINGS)?.into(),
            "thread" => {
                let mut messages = messages(doc)?;
                messages.retain(|message| message.text("parentId") == args.text("id"));
                values(with_reactions(doc, messages)?)
            }
            _ => return Err(unknown("view of teams", name).into()),
        })
    }
}

/// What the rules need to know of a team: for one operation, or everything.
pub fn state(doc: &mut Doc, op: Option<&TeamOp>) -> Result<TeamState, EditError> {
    let settings = super::settings_record(doc, SETTINGS)?;
    let mut state = TeamState {
        members: LAYOUT.read(doc)?,
        is_open: settings.text("visibility") == "open",
        require_approval: settings.flag("requireApproval").unwrap_or(true),
        allow_guest_access: settings.flag("allowGuestAccess").unwrap_or(false),
        max_members: super::max_members(&settings),
        ..TeamState::default()
    };
    if matches!(op, Some(TeamOp::Members(_) | TeamOp::UpdateSettings(_))) {
        return Ok(state);
    }
    let mut members = channel_sets(doc, &state)?;
    for channel in bare_channels(doc)? {
        let id = channel.text("id").to_owned();
        let channel = Channel {
            is_public: channel.text("type") == "public",
            creator: channel.text("createdBy").to_owned(),
            members: members.remove(&id).unwrap_or_default(),
        };
        state.channels.insert(id, channel);
    }
    let of_messages = match op {
        None => Look::All,
        Some(TeamOp::AddMessage(message)) => Look::Of(message.text("id")),
        Some(
            TeamOp::EditMessage { id, .. }
            | TeamOp::RemoveMessage(id)
            | TeamOp::React { message: id, .. }
            | TeamOp::Unreact { message: id, .. },
        ) => Look::Of(id),
        Some(_) => Look::Nothing,
    };
    for message in look(doc, "messages", MESSAGE, &of_messages)? {
        let channel = message.text("channelId").to_owned();
        if state.channels.contains_key(&channel) {
            let author = message.text("authorDid").to_owned();
            state.messages.insert(message.text("id").to_owned(), (author, channel));
        }
    }
    Ok(state)
}

/// Makes an operation on a team, if the rules allow it.
pub fn apply(doc: &mut Doc, op: &TeamOp, by: By<'_>) -> Result<Value, SocialError> {
    Team::run(doc, op, by, true)
}

fn make(doc: &mut Doc, op: &TeamOp, by: By<'_>, state: &TeamState) -> Result<Value, SocialError> {
    match op {
        TeamOp::Members(op) => return make_members(doc, op, by, state),
        TeamOp::UpdateSettings(changes) => super::set_settings(doc, changes)?,
        TeamOp::SetName(name) => edit::set_entry_text(doc, DATA, "name", name)?,
        TeamOp::SetDescription(text) => edit::set_entry_text(doc, DATA, "description", text)?,
        TeamOp::AddChannel(channel) => {
            let id = channel.text("id");
            if state.channels.contains_key(id) {
                return Ok(Value::Bool(false));
            }
            edit::put(doc, "channels", id, channel)?;
            join_channel(doc, id, by.did)?;
        }
        TeamOp::UpdateChannel { id, changes } => edit::put_fields(doc, "channels", id, changes)?,
        TeamOp::RemoveChannel(id) => remove_channel(doc, id)?,
        TeamOp::AddChannelMember { channel, did } => join_channel(doc, channel, did)?,
        TeamOp::RemoveChannelMember { channel, did } => {
            edit::unset(doc, "channelMembers", &pairs::key(channel, did))?;
        }
        TeamOp::UpdateChannelMember { channel, changes } => {
            edit::put_fields(doc, "channelMembers", &pairs::key(channel, by.did), changes)?;
        }
        TeamOp::AddMessage(message) => {
            if state.messages.contains_key(message.text("id")) {
                return Ok(Value::Bool(false));
            }
            edit::push(doc, "messages", message)?;
            // Whoever writes in a public channel takes part in it.
            let channel = message.text("channelId");
            let known = state.channels.get(channel);
            if known.is_some_and(|known| !known.members.contains(by.did)) {
                join_channel(doc, channel, by.did)?;
            }
        }
        TeamOp::EditMessage { id, content } => {
            let changes = Record::new().with("content", content.as_str()).with("editedAt", by.now);
            edit::item_fields(doc, "messages", id, &changes)?;
        }
        TeamOp::RemoveMessage(id) => {
            edit::remove_items(doc, "messages", &[("id", id)])?;
            edit::unset_where(doc, "reactions", |key| {
                split_reaction(key).is_some_and(|(message, ..)| message == id)
            })?;
        }
        TeamOp::React { message, emoji } => {
            edit::set(doc, "reactions", &reaction(message, emoji, by.did), by.now)?;
        }
        TeamOp::Unreact { message, emoji } => {
            edit::unset(doc, "reactions", &reaction(message, emoji, by.did))?;
        }
        TeamOp::See(_) => {}
    }
    Ok(Value::Bool(true))
}

fn make_members(
    doc: &mut Doc,
    op: &MembershipOp,
    by: By<'_>,
    state: &TeamState,
) -> Result<Value, SocialError> {
    let joining = match (state.is_open, state.require_approval) {
        (true, false) => Joining::Open,
        _ => Joining::Request,
    };
    if let MembershipOp::Remove(member) = op {
        let did = state.members.resolve(member)?.did.clone();
        edit::unset_where(doc, "channelMembers", |key| {
            key.rsplit_once(' ').is_some_and(|(_, known)| known == did)
        })?;
    }
    let result = LAYOUT.apply(doc, op, by, &state.members, joining);
    match op {
        MembershipOp::Create(_) => {
            // Made once, so that two replicas don't each make a text of their own later.
            edit::set_entry_text(doc, DATA, "name", "")?;
            edit::set_entry_text(doc, DATA, "description", "")?;
            let given = Record::new().with("id", GENERAL).with("name", GENERAL);
            edit::put(doc, "channels", GENERAL, &channel(given.with("type", "public"), by)?)?;
            join_channel(doc, GENERAL, by.did)?;
        }
        MembershipOp::Delete => edit::clear(
            doc,
            &[
                (DATA, Type::Map),
                ("settings", Type::Map),
                ("channels", Type::Map),
                ("channelMembers", Type::Map),
                ("reactions", Type::Map),
                ("messages", Type::Array),
            ],
        )?,
        _ => {}
    }
    result
}

fn channel(mut given: Record, by: By<'_>) -> Result<Record, Refusal> {
    given.set_default("type", "public");
    if !CHANNEL_TYPES.contains(&given.text("type")) {
        return Err(Refusal::invalid("type", "`public`, `private` or `direct`"));
    }
    given.set("createdBy", by.did);
    given.set_default("createdAt", by.now);
    given.set_default("updatedAt", by.now);
    CHANNEL.check(&given)
}

fn emoji(args: &Record) -> Result<String, Refusal> {
    let emoji = args.text("emoji");
    if emoji.len() <= MAX_EMOJI && is_did(emoji) {
        Ok(emoji.to_owned())
    } else {
        Err(Refusal::invalid("emoji", "an emoji, without spaces and of at most 64 bytes"))
    }
}

fn reaction(message: &str, emoji: &str, did: &str) -> String {
    format!("{message} {emoji} {did}")
}

fn split_reaction(key: &str) -> Option<(&str, &str, &str)> {
    let (rest, did) = key.rsplit_once(' ')?;
    let (message, emoji) = rest.rsplit_once(' ')?;
    let fits = is_did(did) && is_did(emoji) && emoji.len() <= MAX_EMOJI;
    fits.then_some((message, emoji, did))
}

fn join_channel(doc: &mut Doc, channel: &str, did: &str) -> Result<(), EditError> {
    let member = Record::new().with("notify", true).with("mute", false);
    edit::put(doc, "channelMembers", &pairs::key(channel, did), &member)
}

fn remove_channel(doc: &mut Doc, id: &str) -> Result<(), EditError> {
    let of_channel = messages_where(doc, |message| message.text("channelId") == id)?;
    let ids: BTreeSet<&str> = of_channel.iter().map(|message| message.text("id")).collect();
    edit::unset_where(doc, "reactions", |key| {
        split_reaction(key).is_some_and(|(message, ..)| ids.contains(message))
    })?;
    edit::remove_items(doc, "messages", &[("channelId", id)])?;
    pairs::unset_all(doc, "channelMembers", id)?;
    edit::unset(doc, "channels", id)
}

/// Who was added to which channel and is a member still.
fn channel_sets(
    doc: &mut Doc,
    state: &TeamState,
) -> Result<SortedMap<String, BTreeSet<String>>, EditError> {
    let mut sets = pairs::sets(doc, "channelMembers")?;
    for set in sets.values_mut() {
        set.retain(|did| state.members.get(did).is_some());
    }
    Ok(sets)
}

fn bare_channels(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    let mut channels = super::entities(edit::map(doc, "channels")?, CHANNEL);
    for channel in &mut channels {
        if !CHANNEL_TYPES.contains(&channel.text("type")) {
            channel.set("type", "private");
        }
    }
    Ok(channels)
}

/// The channels in their order, with counts.
fn channels(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    let state = TeamState { members: LAYOUT.read(doc)?, ..TeamState::default() };
    let members = channel_sets(doc, &state)?;
    let messages = count(&messages_where(doc, |_| true)?, "channelId");
    let mut channels = bare_channels(doc)?;
    for channel in &mut channels {
        let id = channel.text("id").to_owned();
        channel.set("memberCount", number(members.get(&id).map_or(0, BTreeSet::len)));
        channel.set("messageCount", number(messages.get(&id).copied().unwrap_or(0)));
    }
    // They come in the order of their ids, which decides what else is equal.
    channels.sort_by(|a, b| {
        let by_order = a.number("sortOrder").total_cmp(&b.number("sortOrder"));
        by_order.then(a.number("createdAt").total_cmp(&b.number("createdAt")))
    });
    Ok(channels)
}

fn channel_members(doc: &mut Doc, channel: &str) -> Result<Vec<Record>, EditError> {
    let membership = LAYOUT.read(doc)?;
    let entries = edit::map(doc, "channelMembers")?;
    let members = entries.iter().filter_map(|(key, value)| {
        let (known, did) = key.rsplit_once(' ')?;
        if known != channel || membership.get(did).is_none() {
            return None;
        }
        Some(CHANNEL_MEMBER.read(value)?.with("channelId", channel).with("userDid", did))
    });
    Ok(members.collect())
}

/// The messages of channels that are there.
fn messages(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    let channels = edit::map(doc, "channels")?;
    messages_where(doc, |message| channels.contains_key(message.text("channelId")))
}

fn messages_where(
    doc: &mut Doc,
    is_meant: impl Fn(&Record) -> bool,
) -> Result<Vec<Record>, EditError> {
    let mut messages = super::items(edit::list(doc, "messages")?, MESSAGE);
    messages.retain(is_meant);
    Ok(messages)
}

fn with_reactions(doc: &mut Doc, mut messages: Vec<Record>) -> Result<Vec<Record>, EditError> {
    let mut reactions: SortedMap<String, SortedMap<String, Vec<Value>>> = SortedMap::new();
    for key in edit::map(doc, "reactions")?.into_keys() {
        if let Some((message, emoji, did)) = split_reaction(&key) {
            let of_message = reactions.get_or_insert_with(message.to_owned(), SortedMap::new);
            of_message.get_or_insert_with(emoji.to_owned(), Vec::new).push(did.into());
        }
    }
    for message in &mut messages {
        let own = reactions.get_mut(message.text("id")).map(std::mem::take).unwrap_or_default();
        let own = own.into_iter().map(|(emoji, dids)| (emoji, Value::Array(dids)));
        message.set("reactions", Value::Map(own.collect()));
    }
    Ok(messages)
}

fn members(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    let (_, mut members) = LAYOUT.records(doc)?;
    let counts = count(&messages(doc)?, "authorDid");
    for member in &mut members {
        let own = counts.get(member.text("userDid")).copied().unwrap_or(0);
        member.set("messageCount", number(own));
    }
    Ok(members)
}
