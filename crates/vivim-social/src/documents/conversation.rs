//! Conversations: `title` (text), `messages` (list), `participants`, `metadata`, `branches` (maps),
//! `annotations` (list).

use vivim_doc::{Doc, EditError, Kind as Type, Value};

use super::{
    Document, Look, content, grouped, id, look,
    membership::{self, AVATAR, Layout, NAME},
    number, record, text, unknown, values,
};
use crate::{
    edit,
    limits::{MAX_CONTENT, MAX_KEY, MAX_METADATA, MAX_NAME},
    record::{Absent, Field, Kind, Record, Schema, size},
    refusal::{Refusal, SocialError},
    rules::{
        By,
        conversation::{ConversationOp, ConversationState, judge},
        members::{CONVERSATION_ROLES, Joining, MembershipOp},
    },
};

pub(super) struct Conversation;

const LAYOUT: Layout = Layout {
    root: "participants",
    did: "did",
    roles: CONVERSATION_ROLES,
    has_flags: false,
    profile: Schema(&[NAME, AVATAR]),
};

const MESSAGE: Schema = Schema(&[
    Field("id", Kind::Id, Absent::Refuse),
    Field("authorId", Kind::Did, Absent::Refuse),
    Field("content", Kind::Text(MAX_CONTENT), Absent::Refuse),
    Field("timestamp", Kind::Time, Absent::Zero),
    Field("type", Kind::Choice(&["text", "image", "file", "system"]), Absent::Text("text")),
    Field("parentId", Kind::Id, Absent::Leave),
    Field("editedAt", Kind::Time, Absent::Leave),
    Field("metadata", Kind::Map, Absent::Leave),
]);

const BRANCH: Schema = Schema(&[
    Field("id", Kind::Id, Absent::Refuse),
    Field("name", Kind::Text(MAX_NAME), Absent::Text("")),
    Field("headId", Kind::Id, Absent::Refuse),
    Field("parentBranchId", Kind::Id, Absent::Leave),
    Field("createdAt", Kind::Time, Absent::Zero),
    Field("createdBy", Kind::Did, Absent::Refuse),
]);

const BRANCH_CHANGES: Schema = Schema(&[
    Field("name", Kind::Text(MAX_NAME), Absent::Text("")),
    Field("headId", Kind::Id, Absent::Refuse),
]);

const ANNOTATION: Schema = Schema(&[
    Field("id", Kind::Id, Absent::Refuse),
    Field("targetMessageId", Kind::Id, Absent::Refuse),
    Field("authorId", Kind::Did, Absent::Refuse),
    Field("content", Kind::Text(MAX_CONTENT), Absent::Refuse),
    Field(
        "type",
        Kind::Choice(&["comment", "correction", "note", "warning"]),
        Absent::Text("comment"),
    ),
    Field("createdAt", Kind::Time, Absent::Zero),
    Field("resolvedAt", Kind::Time, Absent::Leave),
]);

impl Document for Conversation {
    type Op = ConversationOp;

    fn parse(name: &str, args: &Record, by: By<'_>) -> Result<ConversationOp, Refusal> {
        if let Some(op) = LAYOUT.parse(name, args, by)? {
            return Ok(ConversationOp::Members(op));
        }
        Ok(match name {
            "addAnnotation" => {
                let mut given = record(args, "annotation")?;
                given.set_default("authorId", by.did);
                given.set_default("createdAt", by.now);
                given.remove("resolvedAt");
                ConversationOp::AddAnnotation(ANNOTATION.check(&given)?)
            }
            "addBranch" => {
                let mut given = record(args, "branch")?;
                given.set_default("createdBy", by.did);
                given.set_default("createdAt", by.now);
                ConversationOp::AddBranch(BRANCH.check(&given)?)
            }
            "addMessage" => {
                let mut given = record(args, "message")?;
                given.set_default("authorId", by.did);
                given.set_default("timestamp", by.now);
                given.remove("editedAt");
                ConversationOp::AddMessage(MESSAGE.check(&given)?)
            }
            "deleteMessage" | "removeMessage" => ConversationOp::RemoveMessage(id(args, "id")?),
            "deleteMetadata" => ConversationOp::DeleteMetadata(text(args, "key", MAX_KEY)?),
            "editMessage" => {
                ConversationOp::EditMessage { id: id(args, "id")?, content: content(args)? }
            }
            "removeAnnotation" => ConversationOp::RemoveAnnotation(id(args, "id")?),
            "removeBranch" => ConversationOp::RemoveBranch(id(args, "id")?),
            "resolveAnnotation" => ConversationOp::ResolveAnnotation(id(args, "id")?),
            "setMetadata" | "updateMetadata" => {
                let key = text(args, "key", MAX_KEY)?;
                let value = args.get("value").cloned().unwrap_or(Value::Null);
                if size(&value) > MAX_METADATA {
                    return Err(Refusal::invalid("value", "at most 16 KiB"));
                }
                ConversationOp::SetMetadata(Record::new().with(&key, value))
            }
            "setTitle" => ConversationOp::SetTitle(membership::title(args, "title")?),
            "updateBranch" => ConversationOp::UpdateBranch {
                id: id(args, "id")?,
                changes: BRANCH_CHANGES.check_partial(&record(args, "changes")?)?,
            },
            _ => return Err(unknown("operation on conversations", name)),
        })
    }

    fn run(
        doc: &mut Doc,
        op: &ConversationOp,
        by: By<'_>,
        is_real: bool,
    ) -> Result<Value, SocialError> {
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
            "annotations" => {
                let mut annotations = annotations(doc)?;
                if let Value::String(message) = args.get("messageId").unwrap_or(&Value::Null) {
                    annotations.retain(|record| record.text("targetMessageId") == message);
                }
                values(annotations)
            }
            "branches" => values(branches(doc)?),
            "messageCount" => number(messages(doc)?.len()),
            "messages" => values(messages(doc)?),
            "metadata" => Value::Map(metadata(doc)?),
            "participants" => values(LAYOUT.records(doc)?.1),
            "title" => edit::text(doc, "title")?.into(),
            _ => return Err(unknown("view of conversations", name).into()),
        })
    }
}

/// What the rules need to know of a conversation: for one operation, or everything.
pub fn state(doc: &mut Doc, op: Option<&ConversationOp>) -> Result<ConversationState, EditError> {
    use ConversationOp as Op;
    let mut state = ConversationState { members: LAYOUT.read(doc)?, ..Default::default() };
    let (of_messages, of_annotations) = match op {
        None => (Look::All, Look::All),
        Some(Op::AddMessage(message)) => (Look::Of(message.text("id")), Look::Nothing),
        Some(Op::EditMessage { id, .. } | Op::RemoveMessage(id)) => (Look::Of(id), Look::Nothing),
        Some(Op::AddAnnotation(annotation)) => {
            (Look::Of(annotation.text("targetMessageId")), Look::Of(annotation.text("id")))
        }
        Some(Op::RemoveAnnotation(id) | Op::ResolveAnnotation(id)) => (Look::Nothing, Look::Of(id)),
        Some(_) => (Look::Nothing, Look::Nothing),
    };
    state.messages = super::authors(look(doc, "messages", MESSAGE, &of_messages)?, "authorId");
    let annotations = look(doc, "annotations", ANNOTATION, &of_annotations)?;
    state.annotations = super::authors(annotations, "authorId");
    if matches!(op, None | Some(Op::AddBranch(_) | Op::RemoveBranch(_) | Op::UpdateBranch { .. })) {
        state.branches = super::authors(branches(doc)?, "createdBy");
    }
    if matches!(op, None | Some(ConversationOp::SetMetadata(_))) {
        let own = match op {
            Some(ConversationOp::SetMetadata(changes)) => Some(changes),
            _ => None,
        };
        // An entry that is replaced takes no more room.
        let is_new = |key: &&String| own.is_none_or(|own| own.get(key).is_none());
        state.metadata = metadata(doc)?.keys().filter(is_new).count();
    }
    Ok(state)
}

/// Makes an operation on a conversation, if the rules allow it.
pub fn apply(doc: &mut Doc, op: &ConversationOp, by: By<'_>) -> Result<Value, SocialError> {
    Conversation::run(doc, op, by, true)
}

fn make(
    doc: &mut Doc,
    op: &ConversationOp,
    by: By<'_>,
    state: &ConversationState,
) -> Result<Value, SocialError> {
    match op {
        ConversationOp::Members(op) => {
            let result = LAYOUT.apply(doc, op, by, &state.members, Joining::Closed);
            if *op == MembershipOp::Delete {
                edit::clear(
                    doc,
                    &[
                        ("title", Type::Text),
                        ("messages", Type::Array),
                        ("metadata", Type::Map),
                        ("branches", Type::Map),
                        ("annotations", Type::Array),
                    ],
                )?;
            }
            return result;
        }
        ConversationOp::AddMessage(message) => {
            if state.messages.of(message.text("id")).is_some() {
                return Ok(Value::Bool(false));
            }
            edit::push(doc, "messages", message)?;
        }
        ConversationOp::EditMessage { id, content } => {
            let changes = Record::new().with("content", content.as_str()).with("editedAt", by.now);
            edit::item_fields(doc, "messages", id, &changes)?;
        }
        ConversationOp::RemoveMessage(id) => {
            edit::remove_items(doc, "messages", &[("id", id)])?;
            edit::remove_items(doc, "annotations", &[("targetMessageId", id)])?;
        }
        ConversationOp::SetTitle(title) => edit::set_text(doc, "title", title)?,
        ConversationOp::SetMetadata(changes) => {
            for (key, value) in changes.iter() {
                edit::set(doc, "metadata", key, value.clone())?;
            }
        }
        ConversationOp::DeleteMetadata(key) => edit::unset(doc, "metadata", key)?,
        ConversationOp::AddBranch(branch) => {
            if state.branches.of(branch.text("id")).is_some() {
                return Ok(Value::Bool(false));
            }
            edit::put(doc, "branches", branch.text("id"), branch)?;
        }
        ConversationOp::UpdateBranch { id, changes } => {
            edit::put_fields(doc, "branches", id, changes)?;
        }
        ConversationOp::RemoveBranch(id) => edit::unset(doc, "branches", id)?,
        ConversationOp::AddAnnotation(annotation) => {
            if state.annotations.of(annotation.text("id")).is_some() {
                return Ok(Value::Bool(false));
            }
            edit::push(doc, "annotations", annotation)?;
        }
        ConversationOp::ResolveAnnotation(id) => {
            let changes = Record::new().with("resolvedAt", by.now);
            edit::item_fields(doc, "annotations", id, &changes)?;
        }
        ConversationOp::RemoveAnnotation(id) => {
            edit::remove_items(doc, "annotations", &[("id", id)])?;
        }
    }
    Ok(Value::Bool(true))
}

fn messages(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    Ok(super::items(edit::list(doc, "messages")?, MESSAGE))
}

fn annotations(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    Ok(super::items(edit::list(doc, "annotations")?, ANNOTATION))
}

fn branches(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    Ok(super::entities(edit::map(doc, "branches")?, BRANCH))
}

fn metadata(doc: &mut Doc) -> Result<std::collections::BTreeMap<String, Value>, EditError> {
    let mut metadata = edit::map(doc, "metadata")?;
    metadata.retain(|key, value| key.len() <= MAX_KEY && size(value) <= MAX_METADATA);
    Ok(metadata)
}
