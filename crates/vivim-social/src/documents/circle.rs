//! Circles: `name`, `description` (texts), `members`, `settings`, `invitations` (maps), `posts`,
//! `contentRefs`, `auditLog` (lists).

use vivim_doc::{Doc, EditError, Kind as Type, Value};
use vivim_proto::SortedMap;

use super::{
    Document, Look, content, grouped, id, look,
    membership::{self, AVATAR, Layout, NAME},
    number, record, text, unknown, values,
};
use crate::{
    edit,
    limits::{MAX_AUDIT, MAX_CONTENT, MAX_ID, MAX_NAME},
    record::{Absent, Field, Kind, Record, Schema},
    refusal::{Refusal, SocialError},
    rules::{
        Authors, By,
        circle::{CircleOp, CircleState, Invitation, Sharing, Visibility, judge},
        members::{CIRCLE_ROLES, FlagChanges, Joining, MembershipOp, NewMember},
    },
};

pub(super) struct Circle;

const LAYOUT: Layout = Layout {
    root: "members",
    did: "did",
    roles: CIRCLE_ROLES,
    has_flags: true,
    profile: Schema(&[NAME, AVATAR]),
};

const SETTINGS: Schema = Schema(&[
    Field("visibility", Kind::Choice(&["private", "circle", "public"]), Absent::Text("private")),
    Field(
        "sharingPolicy",
        Kind::Choice(&["owner-only", "moderators", "all-members"]),
        Absent::Text("owner-only"),
    ),
    Field("syncMode", Kind::Choice(&["realtime", "periodic", "manual"]), Absent::Text("realtime")),
    Field("encryption", Kind::Bool, Absent::True),
    Field("maxMembers", Kind::Count, Absent::Leave),
]);

const POST: Schema = Schema(&[
    Field("id", Kind::Id, Absent::Refuse),
    Field("authorId", Kind::Did, Absent::Refuse),
    Field("content", Kind::Text(MAX_CONTENT), Absent::Refuse),
    Field("timestamp", Kind::Time, Absent::Zero),
    Field("editedAt", Kind::Time, Absent::Leave),
    Field("attachments", Kind::List, Absent::EmptyList),
    Field("metadata", Kind::Map, Absent::Leave),
]);

const CONTENT_REF: Schema = Schema(&[
    Field("type", Kind::Text(MAX_NAME), Absent::Refuse),
    Field("id", Kind::Id, Absent::Refuse),
    Field("addedBy", Kind::Did, Absent::Leave),
    Field("addedAt", Kind::Time, Absent::Leave),
]);

const INVITATION: Schema = Schema(&[
    Field("id", Kind::Id, Absent::Refuse),
    Field("inviteeDid", Kind::Did, Absent::Refuse),
    Field("inviterDid", Kind::Did, Absent::Refuse),
    Field("role", Kind::Text(MAX_NAME), Absent::Text("viewer")),
    Field("status", Kind::Choice(&["pending", "accepted", "rejected"]), Absent::Text("rejected")),
    Field("createdAt", Kind::Time, Absent::Zero),
    Field("expiresAt", Kind::Time, Absent::Zero),
]);

const AUDIT: Schema = Schema(&[
    Field("id", Kind::Id, Absent::Refuse),
    Field("action", Kind::Text(MAX_NAME), Absent::Refuse),
    Field("actorDid", Kind::Did, Absent::Refuse),
    Field("targetDid", Kind::Did, Absent::Leave),
    Field("details", Kind::Map, Absent::EmptyMap),
    Field("timestamp", Kind::Time, Absent::Zero),
]);

/// How long an invitation holds if nothing else is said: 30 days, in milliseconds.
const INVITATION_LIFE: f64 = 30.0 * 24.0 * 60.0 * 60.0 * 1000.0;

impl Document for Circle {
    type Op = CircleOp;

    fn parse(name: &str, args: &Record, by: By<'_>) -> Result<CircleOp, Refusal> {
        if let Some(op) = LAYOUT.parse(name, args, by)? {
            return Ok(CircleOp::Members(op));
        }
        Ok(match name {
            "acceptInvitation" => CircleOp::AcceptInvitation(id(args, "id")?),
            "addContentRef" => {
                let mut given = record(args, "ref")?;
                given.set("addedBy", by.did);
                given.set("addedAt", by.now);
                CircleOp::AddContentRef(CONTENT_REF.check(&given)?)
            }
            "addPost" => {
                let mut given = record(args, "post")?;
                given.set_default("authorId", by.did);
                given.set_default("timestamp", by.now);
                given.remove("editedAt");
                CircleOp::AddPost(POST.check(&given)?)
            }
            "editPost" => CircleOp::EditPost { id: id(args, "id")?, content: content(args)? },
            "invite" => {
                let mut given = record(args, "invitation")?;
                given.set_default("inviterDid", by.did);
                given.set_default("createdAt", by.now);
                given.set_default("expiresAt", by.now + INVITATION_LIFE);
                given.set_default("role", "member");
                given.set("status", "pending");
                let invitation = INVITATION.check(&given)?;
                if CIRCLE_ROLES.find(invitation.text("role")).is_none() {
                    return Err(Refusal::invalid("role", "a role of circles"));
                }
                CircleOp::Invite(invitation)
            }
            "rejectInvitation" => CircleOp::RejectInvitation(id(args, "id")?),
            "removeContentRef" => CircleOp::RemoveContentRef {
                kind: text(args, "type", MAX_NAME)?,
                id: id(args, "id")?,
            },
            "removePost" => CircleOp::RemovePost(id(args, "id")?),
            "see" => CircleOp::See,
            "setDescription" => {
                CircleOp::SetDescription(membership::description(args, "description")?)
            }
            "setName" => CircleOp::SetName(membership::title(args, "name")?),
            "updateSettings" => {
                CircleOp::UpdateSettings(SETTINGS.check_partial(&record(args, "changes")?)?)
            }
            _ => return Err(unknown("operation on circles", name)),
        })
    }

    fn run(doc: &mut Doc, op: &CircleOp, by: By<'_>, is_real: bool) -> Result<Value, SocialError> {
        let state = state(doc, Some(op))?;
        judge(op, by, &state)?;
        if !is_real {
            return Ok(Value::Null);
        }
        grouped(doc, |doc| {
            // Noted first: afterwards whoever is removed or deleted can't be looked up.
            audit(doc, op, by, &state)?;
            make(doc, op, by, &state)
        })
    }

    fn view(doc: &mut Doc, name: &str, args: &Record) -> Result<Value, SocialError> {
        if let Some(value) = membership::view(&LAYOUT, doc, name, args)? {
            return Ok(value);
        }
        Ok(match name {
            "auditLog" => values(super::items(edit::list(doc, "auditLog")?, AUDIT)),
            "capabilities" => values(capabilities(doc)?),
            "contentRefs" => values(content_refs(doc)?),
            "description" => edit::text(doc, "description")?.into(),
            "invitations" => values(invitation_records(doc, args.number("now"))?),
            "members" => values(LAYOUT.records(doc)?.1),
            "name" => edit::text(doc, "name")?.into(),
            "postCount" => number(posts(doc)?.len()),
            "posts" => values(posts(doc)?),
            "settings" => settings(doc)?.into(),
            _ => return Err(unknown("view of circles", name).into()),
        })
    }
}

/// What the rules need to know of a circle: for one operation, or everything.
pub fn state(doc: &mut Doc, op: Option<&CircleOp>) -> Result<CircleState, EditError> {
    let settings = settings(doc)?;
    let mut state = CircleState {
        members: LAYOUT.read(doc)?,
        visibility: match settings.text("visibility") {
            "public" => Visibility::Public,
            "circle" => Visibility::Circle,
            _ => Visibility::Private,
        },
        sharing: match settings.text("sharingPolicy") {
            "all-members" => Sharing::AllMembers,
            "moderators" => Sharing::Moderators,
            _ => Sharing::OwnerOnly,
        },
        max_members: super::max_members(&settings),
        ..CircleState::default()
    };
    let of_posts = match op {
        None => Look::All,
        Some(CircleOp::AddPost(post)) => Look::Of(post.text("id")),
        Some(CircleOp::EditPost { id, .. } | CircleOp::RemovePost(id)) => Look::Of(id),
        Some(_) => Look::Nothing,
    };
    state.posts = super::authors(look(doc, "posts", POST, &of_posts)?, "authorId");
    if matches!(op, None | Some(CircleOp::AddContentRef(_) | CircleOp::RemoveContentRef { .. })) {
        let author = |record: &Record| (ref_key(record), record.text("addedBy").to_owned());
        state.content_refs = content_refs(doc)?.iter().map(author).collect::<Authors>();
    }
    if matches!(
        op,
        None | Some(
            CircleOp::AcceptInvitation(_) | CircleOp::Invite(_) | CircleOp::RejectInvitation(_)
        )
    ) {
        state.invitations = invitations(doc)?;
    }
    Ok(state)
}

/// Makes an operation on a circle, if the rules allow it.
pub fn apply(doc: &mut Doc, op: &CircleOp, by: By<'_>) -> Result<Value, SocialError> {
    Circle::run(doc, op, by, true)
}

fn make(
    doc: &mut Doc,
    op: &CircleOp,
    by: By<'_>,
    state: &CircleState,
) -> Result<Value, SocialError> {
    match op {
        CircleOp::Members(op) => {
            let result = LAYOUT.apply(doc, op, by, &state.members, Joining::Closed);
            if *op == MembershipOp::Delete {
                edit::clear(
                    doc,
                    &[
                        ("name", Type::Text),
                        ("description", Type::Text),
                        ("settings", Type::Map),
                        ("invitations", Type::Map),
                        ("posts", Type::Array),
                        ("contentRefs", Type::Array),
                    ],
                )?;
            }
            return result;
        }
        CircleOp::UpdateSettings(changes) => super::set_settings(doc, changes)?,
        CircleOp::SetName(name) => edit::set_text(doc, "name", name)?,
        CircleOp::SetDescription(text) => edit::set_text(doc, "description", text)?,
        CircleOp::AddPost(post) => {
            if state.posts.of(post.text("id")).is_some() {
                return Ok(Value::Bool(false));
            }
            edit::push(doc, "posts", post)?;
        }
        CircleOp::EditPost { id, content } => {
            let changes = Record::new().with("content", content.as_str()).with("editedAt", by.now);
            edit::item_fields(doc, "posts", id, &changes)?;
        }
        CircleOp::RemovePost(id) => edit::remove_items(doc, "posts", &[("id", id)])?,
        CircleOp::AddContentRef(content) => {
            if state.content_refs.of(&ref_key(content)).is_some() {
                return Ok(Value::Bool(false));
            }
            edit::push(doc, "contentRefs", content)?;
        }
        CircleOp::RemoveContentRef { kind, id } => {
            edit::remove_items(doc, "contentRefs", &[("id", id), ("type", kind)])?;
        }
        CircleOp::Invite(invitation) => {
            if state.invitations.contains_key(invitation.text("id")) {
                return Ok(Value::Bool(false));
            }
            edit::put(doc, "invitations", invitation.text("id"), invitation)?;
        }
        CircleOp::AcceptInvitation(id) => {
            answer(doc, id, "accepted")?;
            let Some(invitation) = state.invitations.get(id) else { return Ok(Value::Null) };
            let new = NewMember {
                did: by.did.to_owned(),
                role: invitation.role,
                flags: FlagChanges::default(),
                record: Record::new().with("joinedAt", by.now),
            };
            // In the inviter's name: it's they who have let somebody in.
            let inviter = By { did: &invitation.inviter, now: by.now };
            LAYOUT.apply(doc, &MembershipOp::Add(new), inviter, &state.members, Joining::Closed)?;
        }
        CircleOp::RejectInvitation(id) => answer(doc, id, "rejected")?,
        CircleOp::See => {}
    }
    Ok(Value::Bool(true))
}

fn answer(doc: &mut Doc, id: &str, status: &str) -> Result<(), EditError> {
    edit::put_fields(doc, "invitations", id, &Record::new().with("status", status))
}

/// Notes an operation that decides about rights.
fn audit(doc: &mut Doc, op: &CircleOp, by: By<'_>, state: &CircleState) -> Result<(), EditError> {
    if !op.is_control() {
        return Ok(());
    }
    let did = |member: &str| state.members.resolve(member).map(|member| member.did.clone()).ok();
    let (action, target) = match op {
        CircleOp::Members(op) => match op {
            MembershipOp::Add(new) => ("member:add", Some(new.did.clone())),
            MembershipOp::Create(_) => ("circle:create", None),
            MembershipOp::Delete => ("circle:delete", None),
            MembershipOp::Remove(member) => ("member:remove", did(member)),
            MembershipOp::Transfer(member) => ("circle:transfer", did(member)),
            MembershipOp::Update { member, .. } => ("member:update", did(member)),
            MembershipOp::Approve(did) => ("member:approve", Some(did.clone())),
            MembershipOp::Join(new) => ("member:join", Some(new.did.clone())),
            MembershipOp::RefuseJoin(did) => ("member:refuse", Some(did.clone())),
        },
        CircleOp::AcceptInvitation(_) => ("invitation:accept", None),
        CircleOp::Invite(invitation) => {
            ("invitation:create", Some(invitation.text("inviteeDid").to_owned()))
        }
        CircleOp::RejectInvitation(id) => {
            let invitee = state.invitations.get(id).map(|known| known.invitee.clone());
            ("invitation:reject", invitee)
        }
        _ => ("settings:update", None),
    };
    let details = match op {
        CircleOp::UpdateSettings(changes) => changes.clone(),
        _ => Record::new(),
    };
    let entries = edit::list(doc, "auditLog")?;
    if entries.len() >= MAX_AUDIT {
        edit::remove_first(doc, "auditLog", entries.len() + 1 - MAX_AUDIT)?;
    }
    // Nothing else of this author can happen at this place of the log.
    let mut id = format!("{} {} {action} {}", by.now, entries.len(), by.did);
    let cut = (0..=MAX_ID.min(id.len())).rev().find(|at| id.is_char_boundary(*at)).unwrap_or(0);
    id.truncate(cut);
    let mut entry = Record::new().with("id", id).with("action", action);
    entry.set("actorDid", by.did);
    entry.set("timestamp", by.now);
    entry.set("details", details);
    if let Some(target) = target {
        entry.set("targetDid", target);
    }
    edit::push(doc, "auditLog", &entry)
}

fn settings(doc: &mut Doc) -> Result<Record, EditError> {
    super::settings_record(doc, SETTINGS)
}

fn posts(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    Ok(super::items(edit::list(doc, "posts")?, POST))
}

fn content_refs(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    let list = edit::list(doc, "contentRefs")?;
    let mut seen = std::collections::BTreeSet::new();
    let refs = list.iter().filter_map(|value| CONTENT_REF.read(value));
    Ok(refs.filter(|record| seen.insert(ref_key(record))).collect())
}

fn ref_key(record: &Record) -> String {
    format!("{} {}", record.text("type"), record.text("id"))
}

fn invitations(doc: &mut Doc) -> Result<SortedMap<String, Invitation>, EditError> {
    let records = super::entities(edit::map(doc, "invitations")?, INVITATION);
    let invitation = |record: Record| {
        let invitation = Invitation {
            invitee: record.text("inviteeDid").to_owned(),
            inviter: record.text("inviterDid").to_owned(),
            role: CIRCLE_ROLES.read(record.text("role")),
            is_pending: record.text("status") == "pending",
            expires_at: record.number("expiresAt"),
        };
        (record.text("id").to_owned(), invitation)
    };
    Ok(records.into_iter().map(invitation).collect())
}

fn invitation_records(doc: &mut Doc, now: f64) -> Result<Vec<Record>, EditError> {
    let mut records = super::entities(edit::map(doc, "invitations")?, INVITATION);
    for record in &mut records {
        let role = CIRCLE_ROLES.name(CIRCLE_ROLES.read(record.text("role")));
        record.set("roles", Value::Array(vec![role.into()]));
        record.set("role", role);
        if record.text("status") == "pending" && record.number("expiresAt") <= now {
            record.set("status", "expired");
        }
    }
    Ok(records)
}

/// What each member may do, as the schema of capabilities has it.
fn capabilities(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    let (_, records) = LAYOUT.records(doc)?;
    let capability = |record: Record| {
        let mut granted = Vec::new();
        if let Some(Value::Map(flags)) = record.get("permissions") {
            granted.extend(flags.iter().filter(|(_, has)| **has == Value::Bool(true)));
        }
        let names = granted.into_iter().map(|(name, _)| name.as_str().into()).collect();
        let by = Some(record.text("addedBy")).filter(|by| !by.is_empty());
        Record::new()
            .with("memberDid", record.text("did"))
            .with("roles", Value::Array(vec![record.text("role").into()]))
            .with("permissions", Value::Array(names))
            .with("grantedBy", by.unwrap_or(record.text("did")))
            .with("grantedAt", record.number("joinedAt"))
    };
    Ok(records.into_iter().map(capability).collect())
}
