//! Groups: `groupData` (name and description as texts), `members`, `settings`, `likes` (maps),
//! `posts`, `comments` (lists).

use vivim_doc::{Doc, EditError, Kind as Type, Value};

use super::{
    Document, Look, count, grouped, id, look,
    membership::{self, AVATAR, Layout, METADATA, NAME},
    number, pairs, record, unknown, values,
};
use crate::{
    edit,
    limits::{MAX_CONTENT, MAX_ID},
    record::{Absent, Field, Kind, Record, Schema},
    refusal::{Refusal, SocialError},
    rules::{
        By,
        group::{GroupOp, GroupState, judge},
        members::{GROUP_ROLES, Joining, MembershipOp},
    },
};

pub(super) struct Group;

const DATA: &str = "groupData";

const LAYOUT: Layout = Layout {
    root: "members",
    did: "userDid",
    roles: GROUP_ROLES,
    has_flags: false,
    profile: Schema(&[
        NAME,
        AVATAR,
        Field("notifyOnPost", Kind::Bool, Absent::True),
        Field("showInFeed", Kind::Bool, Absent::True),
        METADATA,
    ]),
};

const SETTINGS: Schema = Schema(&[
    Field("visibility", Kind::Choice(&["public", "approval", "private"]), Absent::Text("approval")),
    Field(
        "type",
        Kind::Choice(&["general", "study", "project", "community"]),
        Absent::Text("general"),
    ),
    Field("allowMemberInvite", Kind::Bool, Absent::True),
    Field("allowMemberPost", Kind::Bool, Absent::True),
    Field("maxMembers", Kind::Count, Absent::Leave),
]);

const CONTENT_TYPE: Field =
    Field("contentType", Kind::Choice(&["text", "image", "link", "acu"]), Absent::Text("text"));

const POST: Schema = Schema(&[
    Field("id", Kind::Id, Absent::Refuse),
    Field("groupId", Kind::Text(MAX_ID), Absent::Text("")),
    Field("authorDid", Kind::Did, Absent::Refuse),
    Field("content", Kind::Text(MAX_CONTENT), Absent::Refuse),
    CONTENT_TYPE,
    Field("acuId", Kind::Id, Absent::Leave),
    Field("attachments", Kind::List, Absent::EmptyList),
    Field("createdAt", Kind::Time, Absent::Zero),
    Field("updatedAt", Kind::Time, Absent::Zero),
    METADATA,
]);

const POST_CHANGES: Schema = Schema(&[
    Field("content", Kind::Text(MAX_CONTENT), Absent::Refuse),
    CONTENT_TYPE,
    Field("acuId", Kind::Id, Absent::Leave),
    Field("attachments", Kind::List, Absent::EmptyList),
    METADATA,
]);

const COMMENT: Schema = Schema(&[
    Field("id", Kind::Id, Absent::Refuse),
    Field("postId", Kind::Id, Absent::Refuse),
    Field("authorDid", Kind::Did, Absent::Refuse),
    Field("content", Kind::Text(MAX_CONTENT), Absent::Refuse),
    Field("createdAt", Kind::Time, Absent::Zero),
]);

impl Document for Group {
    type Op = GroupOp;

    fn parse(name: &str, args: &Record, by: By<'_>) -> Result<GroupOp, Refusal> {
        if let Some(op) = LAYOUT.parse(name, args, by)? {
            return Ok(GroupOp::Members(op));
        }
        Ok(match name {
            "addComment" => {
                let mut given = record(args, "comment")?;
                given.set_default("authorDid", by.did);
                given.set_default("createdAt", by.now);
                GroupOp::AddComment(COMMENT.check(&given)?)
            }
            "addPost" => {
                let mut given = record(args, "post")?;
                given.set_default("authorDid", by.did);
                given.set_default("createdAt", by.now);
                let created_at = given.number("createdAt");
                given.set_default("updatedAt", created_at);
                GroupOp::AddPost(POST.check(&given)?)
            }
            "editPost" => {
                let mut changes = POST_CHANGES.check_partial(&record(args, "changes")?)?;
                changes.set("updatedAt", by.now);
                GroupOp::EditPost { id: id(args, "id")?, changes }
            }
            "likePost" => GroupOp::Like(id(args, "id")?),
            "removeComment" => GroupOp::RemoveComment(id(args, "id")?),
            "removePost" => GroupOp::RemovePost(id(args, "id")?),
            "setDescription" => {
                GroupOp::SetDescription(membership::description(args, "description")?)
            }
            "setName" => GroupOp::SetName(membership::title(args, "name")?),
            "unlikePost" => GroupOp::Unlike(id(args, "id")?),
            "updateSettings" => {
                GroupOp::UpdateSettings(SETTINGS.check_partial(&record(args, "changes")?)?)
            }
            _ => return Err(unknown("operation on groups", name)),
        })
    }

    fn run(doc: &mut Doc, op: &GroupOp, by: By<'_>, is_real: bool) -> Result<Value, SocialError> {
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
            "comments" => {
                let mut comments = comments(doc)?;
                comments.retain(|record| record.text("postId") == args.text("postId"));
                values(comments)
            }
            "description" | "name" => super::entry_text(doc, DATA, name)?,
            "members" => values(members(doc)?),
            "postCount" => number(bare_posts(doc)?.len()),
            "posts" => values(posts(doc)?),
            "settings" => super::settings_record(doc, SETTINGS)?.into(),
            _ => return Err(unknown("view of groups", name).into()),
        })
    }
}

/// What the rules need to know of a group: for one operation, or everything.
pub fn state(doc: &mut Doc, op: Option<&GroupOp>) -> Result<GroupState, EditError> {
    use GroupOp as Op;
    let settings = super::settings_record(doc, SETTINGS)?;
    let mut state = GroupState {
        members: LAYOUT.read(doc)?,
        joining: match settings.text("visibility") {
            "public" => Joining::Open,
            "private" => Joining::Closed,
            _ => Joining::Request,
        },
        allow_member_invite: settings.flag("allowMemberInvite").unwrap_or(true),
        allow_member_post: settings.flag("allowMemberPost").unwrap_or(true),
        max_members: super::max_members(&settings),
        ..GroupState::default()
    };
    let (of_posts, of_comments) = match op {
        None => (Look::All, Look::All),
        Some(Op::AddPost(post)) => (Look::Of(post.text("id")), Look::Nothing),
        Some(Op::EditPost { id, .. } | Op::Like(id) | Op::RemovePost(id) | Op::Unlike(id)) => {
            (Look::Of(id), Look::Nothing)
        }
        Some(Op::AddComment(comment)) => {
            (Look::Of(comment.text("postId")), Look::Of(comment.text("id")))
        }
        Some(Op::RemoveComment(id)) => (Look::Nothing, Look::Of(id)),
        Some(_) => (Look::Nothing, Look::Nothing),
    };
    state.posts = super::authors(look(doc, "posts", POST, &of_posts)?, "authorDid");
    state.comments = super::authors(look(doc, "comments", COMMENT, &of_comments)?, "authorDid");
    Ok(state)
}

/// Makes an operation on a group, if the rules allow it.
pub fn apply(doc: &mut Doc, op: &GroupOp, by: By<'_>) -> Result<Value, SocialError> {
    Group::run(doc, op, by, true)
}

fn make(doc: &mut Doc, op: &GroupOp, by: By<'_>, state: &GroupState) -> Result<Value, SocialError> {
    match op {
        GroupOp::Members(op) => {
            if matches!(op, MembershipOp::Create(_)) {
                // Made once, so that two replicas don't each make a text of their own later.
                edit::set_entry_text(doc, DATA, "name", "")?;
                edit::set_entry_text(doc, DATA, "description", "")?;
            }
            let result = LAYOUT.apply(doc, op, by, &state.members, state.joining);
            if *op == MembershipOp::Delete {
                edit::clear(
                    doc,
                    &[
                        (DATA, Type::Map),
                        ("settings", Type::Map),
                        ("likes", Type::Map),
                        ("posts", Type::Array),
                        ("comments", Type::Array),
                    ],
                )?;
            }
            return result;
        }
        GroupOp::UpdateSettings(changes) => super::set_settings(doc, changes)?,
        GroupOp::SetName(name) => edit::set_entry_text(doc, DATA, "name", name)?,
        GroupOp::SetDescription(text) => edit::set_entry_text(doc, DATA, "description", text)?,
        GroupOp::AddPost(post) => {
            if state.posts.of(post.text("id")).is_some() {
                return Ok(Value::Bool(false));
            }
            edit::push(doc, "posts", post)?;
        }
        GroupOp::EditPost { id, changes } => edit::item_fields(doc, "posts", id, changes)?,
        GroupOp::RemovePost(id) => {
            edit::remove_items(doc, "posts", &[("id", id)])?;
            edit::remove_items(doc, "comments", &[("postId", id)])?;
            pairs::unset_all(doc, "likes", id)?;
        }
        GroupOp::Like(id) => edit::set(doc, "likes", &pairs::key(id, by.did), by.now)?,
        GroupOp::Unlike(id) => edit::unset(doc, "likes", &pairs::key(id, by.did))?,
        GroupOp::AddComment(comment) => {
            if state.comments.of(comment.text("id")).is_some() {
                return Ok(Value::Bool(false));
            }
            edit::push(doc, "comments", comment)?;
        }
        GroupOp::RemoveComment(id) => edit::remove_items(doc, "comments", &[("id", id)])?,
    }
    Ok(Value::Bool(true))
}

fn bare_posts(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    Ok(super::items(edit::list(doc, "posts")?, POST))
}

fn comments(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    Ok(super::items(edit::list(doc, "comments")?, COMMENT))
}

/// The posts, with likes and counts.
fn posts(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    let mut likes = pairs::sets(doc, "likes")?;
    let counts = count(&comments(doc)?, "postId");
    let mut posts = bare_posts(doc)?;
    for post in &mut posts {
        let id = post.text("id").to_owned();
        let likes = likes.remove(&id).unwrap_or_default();
        post.set("likeCount", number(likes.len()));
        post.set("likes", Value::Array(likes.into_iter().map(Value::from).collect()));
        post.set("commentCount", number(counts.get(&id).copied().unwrap_or(0)));
    }
    Ok(posts)
}

fn members(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    let (_, mut members) = LAYOUT.records(doc)?;
    let counts = count(&bare_posts(doc)?, "authorDid");
    for member in &mut members {
        let own = counts.get(member.text("userDid")).copied().unwrap_or(0);
        member.set("postCount", number(own));
    }
    Ok(members)
}
