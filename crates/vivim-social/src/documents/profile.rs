//! Profiles: `owner` (map), `displayName`, `bio` (texts), `avatar` (map), `circles` (list).

use std::collections::{BTreeMap, BTreeSet};

use vivim_doc::{Doc, EditError, Value};

use super::{Document, grouped, id, membership, number, record, unknown};
use crate::{
    edit,
    limits::{MAX_KEY, MAX_METADATA, MAX_TIME},
    record::{Record, is_did, is_id, size},
    refusal::{Refusal, SocialError},
    rules::{
        By,
        own::{OwnState, ProfileOp, judge_profile},
    },
};

pub(super) struct Profile;

const OWNER: &str = "owner";
const CIRCLES: &str = "circles";
const AVATAR: &str = "avatar";

impl Document for Profile {
    type Op = ProfileOp;

    fn parse(name: &str, args: &Record, _: By<'_>) -> Result<ProfileOp, Refusal> {
        Ok(match name {
            "addCircle" => ProfileOp::AddCircle(id(args, "id")?),
            "create" => ProfileOp::Claim,
            "removeCircle" => ProfileOp::RemoveCircle(id(args, "id")?),
            "setAvatar" => ProfileOp::SetAvatar(fields(args)?),
            "setBio" => ProfileOp::SetBio(membership::description(args, "bio")?),
            "setDisplayName" => ProfileOp::SetDisplayName(membership::title(args, "displayName")?),
            _ => return Err(unknown("operation on profiles", name)),
        })
    }

    fn run(doc: &mut Doc, op: &ProfileOp, by: By<'_>, is_real: bool) -> Result<Value, SocialError> {
        let state = state(doc)?;
        judge_profile(op, by, &state)?;
        if !is_real {
            return Ok(Value::Null);
        }
        grouped(doc, |doc| make(doc, op, by, &state))
    }

    fn view(doc: &mut Doc, name: &str, _: &Record) -> Result<Value, SocialError> {
        Ok(match name {
            "avatar" => Value::Map(plain(edit::map(doc, AVATAR)?)),
            "bio" | "displayName" => edit::text(doc, name)?.into(),
            "circleCount" => number(circles(doc)?.len()),
            "circles" => Value::Array(circles(doc)?.into_iter().map(Value::from).collect()),
            "did" => owner(doc)?.map_or(Value::Null, Value::from),
            _ => return Err(unknown("view of profiles", name).into()),
        })
    }
}

/// What the rules need to know of a profile.
pub fn state(doc: &mut Doc) -> Result<OwnState, EditError> {
    Ok(OwnState { owner: owner(doc)?, len: circles(doc)?.len() })
}

/// Makes an operation on a profile, if the rules allow it.
pub fn apply(doc: &mut Doc, op: &ProfileOp, by: By<'_>) -> Result<Value, SocialError> {
    Profile::run(doc, op, by, true)
}

fn make(doc: &mut Doc, op: &ProfileOp, by: By<'_>, state: &OwnState) -> Result<Value, SocialError> {
    claim(doc, by, state)?;
    match op {
        ProfileOp::Claim => {}
        ProfileOp::SetDisplayName(name) => edit::set_text(doc, "displayName", name)?,
        ProfileOp::SetBio(bio) => edit::set_text(doc, "bio", bio)?,
        ProfileOp::SetAvatar(changes) => set_fields(doc, AVATAR, changes)?,
        ProfileOp::AddCircle(id) => {
            if circles(doc)?.contains(id) {
                return Ok(Value::Bool(false));
            }
            let list = doc.root(vivim_doc::Kind::Array, CIRCLES)?;
            doc.array_push(&list, &[id.as_str().into()])?;
        }
        ProfileOp::RemoveCircle(id) => {
            let list = doc.root(vivim_doc::Kind::Array, CIRCLES)?;
            let values = edit::list(doc, CIRCLES)?;
            for (at, value) in (0..).zip(values).collect::<Vec<(u32, Value)>>().iter().rev() {
                if *value == id.as_str().into() {
                    doc.array_delete(&list, *at, 1)?;
                }
            }
        }
    }
    Ok(Value::Bool(true))
}

/// Notes the author as the one whom all this belongs to, unless somebody is.
pub(super) fn claim(doc: &mut Doc, by: By<'_>, state: &OwnState) -> Result<(), EditError> {
    if state.owner.is_some() { Ok(()) } else { edit::set(doc, OWNER, by.did, by.now) }
}

/// Who has claimed it first; the lower DID of two at once.
pub(super) fn owner(doc: &mut Doc) -> Result<Option<String>, EditError> {
    let claims = edit::map(doc, OWNER)?.into_iter().filter_map(|(did, at)| match at {
        Value::Number(at) if is_did(&did) && (0.0..=MAX_TIME).contains(&at) => Some((at, did)),
        _ => None,
    });
    let first = claims.min_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    Ok(first.map(|(_, did)| did))
}

/// The argument of changes to free fields.
pub(super) fn fields(args: &Record) -> Result<Record, Refusal> {
    let changes = record(args, "changes")?;
    for (key, value) in changes.iter() {
        if key.len() > MAX_KEY {
            return Err(Refusal::invalid("key", "at most 256 bytes"));
        }
        if size(value) > MAX_METADATA {
            return Err(Refusal::invalid(key, "at most 16 KiB"));
        }
    }
    Ok(changes)
}

/// Sets free fields, each for itself; null takes one away.
pub(super) fn set_fields(doc: &mut Doc, root: &str, changes: &Record) -> Result<(), EditError> {
    for (key, value) in changes.iter() {
        if *value == Value::Null {
            edit::unset(doc, root, key)?;
        } else {
            edit::set(doc, root, key, value.clone())?;
        }
    }
    Ok(())
}

/// Free fields within the bounds.
pub(super) fn plain(mut fields: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    fields.retain(|key, value| key.len() <= MAX_KEY && size(value) <= MAX_METADATA);
    fields
}

fn circles(doc: &mut Doc) -> Result<Vec<String>, EditError> {
    let mut seen = BTreeSet::new();
    let ids = edit::list(doc, CIRCLES)?.into_iter().filter_map(|value| match value {
        Value::String(id) if is_id(&id) => Some(id),
        _ => None,
    });
    Ok(ids.filter(|id| seen.insert(id.clone())).collect())
}
