//! Follows: `follows` (map by id), `blocks`, `privateAccounts` (maps).

use vivim_proto::SortedMap;

use vivim_doc::{Doc, EditError, Value};

use super::{Document, grouped, id, member, number, pairs, record, unknown, values};
use crate::{
    edit,
    record::{Absent, Field, Kind, Record, Schema, is_did},
    refusal::{Refusal, SocialError},
    rules::{
        By,
        follow::{Follow, FollowOp, FollowState, judge},
        friend::blocker,
    },
};

pub(super) struct Follows;

const ROOT: &str = "follows";
const BLOCKS: &str = "blocks";
const PRIVATE: &str = "privateAccounts";

const FOLLOW: Schema = Schema(&[
    Field("id", Kind::Id, Absent::Refuse),
    Field("followerDid", Kind::Did, Absent::Refuse),
    Field("followingDid", Kind::Did, Absent::Refuse),
    // What can't be read waits rather than counts.
    Field("status", Kind::Choice(&["pending", "active"]), Absent::Text("pending")),
    Field("notifyOnPost", Kind::Bool, Absent::False),
    Field("showInFeed", Kind::Bool, Absent::True),
    Field("createdAt", Kind::Time, Absent::Zero),
    Field("metadata", Kind::Map, Absent::EmptyMap),
]);

const NOTIFICATIONS: Schema = Schema(&[
    Field("notifyOnPost", Kind::Bool, Absent::False),
    Field("showInFeed", Kind::Bool, Absent::True),
]);

impl Document for Follows {
    type Op = FollowOp;

    fn parse(name: &str, args: &Record, by: By<'_>) -> Result<FollowOp, Refusal> {
        Ok(match name {
            "addFollow" => {
                let mut given = record(args, "follow")?;
                given.set_default("followerDid", by.did);
                given.set_default("createdAt", by.now);
                given.set("status", "pending");
                FollowOp::Add(FOLLOW.check(&given)?)
            }
            "approveFollow" => FollowOp::Approve(id(args, "id")?),
            "block" => FollowOp::Block(member(args, "id")?),
            "rejectFollow" => FollowOp::Reject(id(args, "id")?),
            "removeFollow" => FollowOp::Remove(id(args, "id")?),
            "setPrivate" => match args.get("private") {
                Some(Value::Bool(private)) => FollowOp::SetPrivate(*private),
                _ => return Err(Refusal::invalid("private", "true or false")),
            },
            "unblock" => FollowOp::Unblock(member(args, "id")?),
            "updateFollowStatus" => {
                let id = id(args, "id")?;
                match args.text("status") {
                    "active" => FollowOp::Approve(id),
                    "blocked" => FollowOp::Block(id),
                    _ => return Err(Refusal::invalid("status", "`active` or `blocked`")),
                }
            }
            "updateNotificationSettings" => FollowOp::UpdateNotifications {
                id: id(args, "id")?,
                changes: NOTIFICATIONS.check_partial(args)?,
            },
            _ => return Err(unknown("operation on follows", name)),
        })
    }

    fn run(doc: &mut Doc, op: &FollowOp, by: By<'_>, is_real: bool) -> Result<Value, SocialError> {
        let state = state(doc)?;
        judge(op, by, &state)?;
        if !is_real {
            return Ok(Value::Null);
        }
        grouped(doc, |doc| make(doc, op, by, &state))
    }

    fn view(doc: &mut Doc, name: &str, args: &Record) -> Result<Value, SocialError> {
        let active = |doc: &mut Doc, field: &str| -> Result<Vec<Record>, EditError> {
            let mut follows = follows(doc)?;
            follows.retain(|record| {
                record.text("status") == "active" && record.text(field) == args.text("did")
            });
            Ok(follows)
        };
        Ok(match name {
            "blocks" => {
                let blocks = pairs::pairs(doc, BLOCKS)?
                    .into_iter()
                    .map(|(by, did)| Record::new().with("blockerDid", by).with("blockedDid", did));
                values(blocks)
            }
            "followerCount" => number(active(doc, "followingDid")?.len()),
            "followers" => values(active(doc, "followingDid")?),
            "following" => values(active(doc, "followerDid")?),
            "followingCount" => number(active(doc, "followerDid")?.len()),
            "follows" => values(follows(doc)?),
            "isFollowing" => {
                let follows = follows(doc)?;
                let is_it = |record: &Record| {
                    record.text("status") == "active"
                        && record.text("followerDid") == args.text("a")
                        && record.text("followingDid") == args.text("b")
                };
                follows.iter().any(is_it).into()
            }
            "isPrivate" => state(doc)?.private.contains(args.text("did")).into(),
            "pendingFollowers" => {
                let mut follows = follows(doc)?;
                follows.retain(|record| {
                    record.text("status") == "pending"
                        && record.text("followingDid") == args.text("did")
                });
                values(follows)
            }
            _ => return Err(unknown("view of follows", name).into()),
        })
    }
}

/// What the rules need to know of follows.
pub fn state(doc: &mut Doc) -> Result<FollowState, EditError> {
    Ok(read(doc)?.0)
}

/// Makes an operation on follows, if the rules allow it.
pub fn apply(doc: &mut Doc, op: &FollowOp, by: By<'_>) -> Result<Value, SocialError> {
    Follows::run(doc, op, by, true)
}

fn make(
    doc: &mut Doc,
    op: &FollowOp,
    by: By<'_>,
    state: &FollowState,
) -> Result<Value, SocialError> {
    match op {
        FollowOp::Add(follow) => {
            let id = follow.text("id");
            if state.follows.contains_key(id) {
                return Ok(Value::Bool(false));
            }
            let waits = state.private.contains(follow.text("followingDid"));
            let status = if waits { "pending" } else { "active" };
            edit::put(doc, ROOT, id, &follow.clone().with("status", status))?;
        }
        FollowOp::Approve(id) => {
            edit::put_fields(doc, ROOT, id, &Record::new().with("status", "active"))?;
        }
        FollowOp::Reject(id) => edit::unset(doc, ROOT, id)?,
        FollowOp::Remove(id) => {
            // Two replicas may have followed at once: no row of the pair stays behind.
            if let Some(row) = state.follows.get(id) {
                let (follower, following) = (row.follower.clone(), row.following.clone());
                remove_pair(doc, &follower, &following)?;
            }
        }
        FollowOp::UpdateNotifications { id, changes } => {
            edit::put_fields(doc, ROOT, id, changes)?;
        }
        FollowOp::Block(who) => {
            let other = state.follower_of(by, who)?;
            edit::set(doc, BLOCKS, &pairs::key(by.did, &other), by.now)?;
        }
        FollowOp::Unblock(who) => {
            let other = state.follower_of(by, who)?;
            edit::unset(doc, BLOCKS, &pairs::key(by.did, &other))?;
            // What was before doesn't come back by itself.
            remove_pair(doc, &other, by.did)?;
        }
        FollowOp::SetPrivate(true) => edit::set(doc, PRIVATE, by.did, true)?,
        FollowOp::SetPrivate(false) => edit::unset(doc, PRIVATE, by.did)?,
    }
    Ok(Value::Bool(true))
}

fn remove_pair(doc: &mut Doc, follower: &str, following: &str) -> Result<(), EditError> {
    for row in super::entities(edit::map(doc, ROOT)?, FOLLOW) {
        if row.text("followerDid") == follower && row.text("followingDid") == following {
            edit::unset(doc, ROOT, row.text("id"))?;
        }
    }
    Ok(())
}

/// The state that counts, and the rows as they are written down.
fn read(doc: &mut Doc) -> Result<(FollowState, Vec<Record>), EditError> {
    let mut records = super::entities(edit::map(doc, ROOT)?, FOLLOW);
    records.retain(|record| record.text("followerDid") != record.text("followingDid"));
    let row = |record: &Record| {
        let follow = Follow {
            follower: record.text("followerDid").to_owned(),
            following: record.text("followingDid").to_owned(),
            is_pending: record.text("status") == "pending",
        };
        (record.text("id").to_owned(), follow)
    };
    let rows: SortedMap<String, Follow> = records.iter().map(row).collect();
    let private = edit::map(doc, PRIVATE)?.into_iter();
    let private = private.filter(|(did, value)| is_did(did) && *value == Value::Bool(true));
    let private = private.map(|(did, _)| did).collect();
    Ok((FollowState::new(rows, pairs::pairs(doc, BLOCKS)?, private), records))
}

/// All records in the order of their making.
fn follows(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    let (state, records) = read(doc)?;
    let mut follows: Vec<Record> = records
        .into_iter()
        .filter(|record| state.follows.contains_key(record.text("id")))
        .map(|record| {
            let (a, b) = (record.text("followerDid"), record.text("followingDid"));
            match blocker(&state.blocks, a, b).map(str::to_owned) {
                Some(by) => record.with("status", "blocked").with("blockedBy", by),
                None => record,
            }
        })
        .collect();
    follows.sort_by(|a, b| a.number("createdAt").total_cmp(&b.number("createdAt")));
    Ok(follows)
}
