//! Friends: `friends` (map by request id), `blocks`, `settings` (maps).
//!
//! What each of the two has to say has a field of its own, so that a yes and a withdrawal at once
//! don't depend on chance: withdrawn is withdrawn, and blocked is blocked whatever else was said.

use std::collections::BTreeSet;

use vivim_doc::{Doc, EditError, Value};
use vivim_proto::SortedMap;

use super::{Document, grouped, id, member, pairs, record, unknown, values};
use crate::{
    edit,
    limits::MAX_CONTENT,
    record::{Absent, Field, Kind, Record, Schema},
    refusal::{Refusal, SocialError},
    rules::{
        By,
        friend::{FriendOp, FriendState, FriendStatus, Friendship, judge},
    },
};

pub(super) struct Friends;

const ROOT: &str = "friends";
const BLOCKS: &str = "blocks";
const SETTINGS_ROOT: &str = "settings";

const FRIEND: Schema = Schema(&[
    Field("id", Kind::Id, Absent::Refuse),
    Field("requesterDid", Kind::Did, Absent::Refuse),
    Field("addresseeDid", Kind::Did, Absent::Refuse),
    Field("message", Kind::Text(MAX_CONTENT), Absent::Leave),
    Field("requestedAt", Kind::Time, Absent::Zero),
    Field("respondedAt", Kind::Time, Absent::Leave),
    Field("metadata", Kind::Map, Absent::EmptyMap),
]);

/// What the rows hold beyond the record.
const ANSWER: Schema = Schema(&[
    Field("status", Kind::Choice(&["pending", "accepted", "rejected"]), Absent::Text("rejected")),
    Field("cancelledAt", Kind::Time, Absent::Leave),
]);

const SETTINGS: Schema = Schema(&[
    Field("notifyOnAccept", Kind::Bool, Absent::True),
    Field("shareActivity", Kind::Bool, Absent::False),
    Field("showInProfile", Kind::Bool, Absent::True),
]);

impl Document for Friends {
    type Op = FriendOp;

    fn parse(name: &str, args: &Record, by: By<'_>) -> Result<FriendOp, Refusal> {
        Ok(match name {
            "acceptRequest" => FriendOp::Accept(id(args, "id")?),
            "block" => FriendOp::Block(member(args, "id")?),
            "cancelRequest" => FriendOp::Cancel(id(args, "id")?),
            "rejectRequest" => FriendOp::Reject(id(args, "id")?),
            "removeFriend" => FriendOp::Remove(id(args, "id")?),
            "addFriend" | "sendRequest" => {
                let mut given = record(args, "request")?;
                given.set_default("requesterDid", by.did);
                given.set_default("requestedAt", by.now);
                given.remove("respondedAt");
                match given.text("status") {
                    "" | "pending" => {}
                    _ => return Err(Refusal::invalid("status", "`pending`: the other answers")),
                }
                FriendOp::Request(FRIEND.check(&given)?)
            }
            "unblock" => FriendOp::Unblock(member(args, "id")?),
            "updateFriendStatus" => {
                let id = id(args, "id")?;
                match args.text("status") {
                    "accepted" => FriendOp::Accept(id),
                    "blocked" => FriendOp::Block(id),
                    "cancelled" => FriendOp::Cancel(id),
                    "rejected" => FriendOp::Reject(id),
                    _ => {
                        let expected = "`accepted`, `rejected`, `cancelled` or `blocked`";
                        return Err(Refusal::invalid("status", expected));
                    }
                }
            }
            "updateSettings" => {
                FriendOp::SetSettings(SETTINGS.check_partial(&record(args, "changes")?)?)
            }
            _ => return Err(unknown("operation on friends", name)),
        })
    }

    fn run(doc: &mut Doc, op: &FriendOp, by: By<'_>, is_real: bool) -> Result<Value, SocialError> {
        let state = state(doc)?;
        judge(op, by, &state)?;
        if !is_real {
            return Ok(Value::Null);
        }
        grouped(doc, |doc| make(doc, op, by, &state))
    }

    fn view(doc: &mut Doc, name: &str, args: &Record) -> Result<Value, SocialError> {
        let of_status = |doc: &mut Doc, status: &str| -> Result<Vec<Record>, EditError> {
            let mut friends = friends(doc)?;
            friends.retain(|record| record.text("status") == status);
            Ok(friends)
        };
        Ok(match name {
            "accepted" => values(of_status(doc, "accepted")?),
            "areFriends" => {
                let (a, b) = (args.text("a"), args.text("b"));
                let is_pair = |record: &Record| {
                    let (from, to) = (record.text("requesterDid"), record.text("addresseeDid"));
                    (from == a && to == b) || (from == b && to == a)
                };
                of_status(doc, "accepted")?.iter().any(is_pair).into()
            }
            "blocks" => {
                let blocks = pairs::pairs(doc, BLOCKS)?
                    .into_iter()
                    .map(|(by, did)| Record::new().with("blockerDid", by).with("blockedDid", did));
                values(blocks)
            }
            "byStatus" => values(of_status(doc, args.text("status"))?),
            "friends" => values(friends(doc)?),
            "pending" => values(of_status(doc, "pending")?),
            "pendingReceived" | "pendingSent" => {
                let field = if name == "pendingSent" { "requesterDid" } else { "addresseeDid" };
                let mut pending = of_status(doc, "pending")?;
                pending.retain(|record| record.text(field) == args.text("did"));
                values(pending)
            }
            "settings" => {
                let own = pairs::fields(doc, SETTINGS_ROOT)?.remove(args.text("did"));
                SETTINGS.read(&Value::Map(own.unwrap_or_default())).unwrap_or_default().into()
            }
            _ => return Err(unknown("view of friends", name).into()),
        })
    }
}

/// What the rules need to know of friendships.
pub fn state(doc: &mut Doc) -> Result<FriendState, EditError> {
    Ok(read(doc)?.0)
}

/// Makes an operation on friendships, if the rules allow it.
pub fn apply(doc: &mut Doc, op: &FriendOp, by: By<'_>) -> Result<Value, SocialError> {
    Friends::run(doc, op, by, true)
}

fn make(
    doc: &mut Doc,
    op: &FriendOp,
    by: By<'_>,
    state: &FriendState,
) -> Result<Value, SocialError> {
    match op {
        FriendOp::Request(request) => {
            let id = request.text("id");
            if state.friends.contains_key(id) {
                return Ok(Value::Bool(false));
            }
            edit::put(doc, ROOT, id, &request.clone().with("status", "pending"))?;
        }
        FriendOp::Accept(id) | FriendOp::Reject(id) => {
            let status = if matches!(op, FriendOp::Accept(_)) { "accepted" } else { "rejected" };
            let changes = Record::new().with("status", status).with("respondedAt", by.now);
            edit::put_fields(doc, ROOT, id, &changes)?;
        }
        FriendOp::Cancel(id) => {
            // A withdrawal of one of several requests to the same one is meant for all.
            let other = state.other_of(by, id)?;
            for id in rows_between(doc, by.did, &other, false)? {
                let changes = Record::new().with("cancelledAt", by.now);
                edit::put_fields(doc, ROOT, &id, &changes)?;
            }
        }
        FriendOp::Remove(id) => {
            let other = state.other_of(by, id)?;
            let is_friendship =
                state.friends.get(id).map(|row| row.status) == Some(FriendStatus::Accepted);
            if is_friendship {
                for id in rows_between(doc, by.did, &other, true)? {
                    edit::unset(doc, ROOT, &id)?;
                }
            } else {
                edit::unset(doc, ROOT, id)?;
            }
        }
        FriendOp::Block(who) => {
            let other = state.other_of(by, who)?;
            edit::set(doc, BLOCKS, &pairs::key(by.did, &other), by.now)?;
        }
        FriendOp::Unblock(who) => {
            let other = state.other_of(by, who)?;
            edit::unset(doc, BLOCKS, &pairs::key(by.did, &other))?;
            // What was before doesn't come back by itself.
            for id in rows_between(doc, by.did, &other, true)? {
                edit::unset(doc, ROOT, &id)?;
            }
        }
        FriendOp::SetSettings(changes) => {
            for (name, value) in changes.iter() {
                edit::set(doc, SETTINGS_ROOT, &pairs::key(by.did, name), value.clone())?;
            }
        }
    }
    Ok(Value::Bool(true))
}

/// The ids of what is between two: from the first to the second, or either way.
fn rows_between(
    doc: &mut Doc,
    from: &str,
    to: &str,
    either_way: bool,
) -> Result<Vec<String>, EditError> {
    let rows = super::entities(edit::map(doc, ROOT)?, FRIEND).into_iter().filter(|row| {
        let (requester, addressee) = (row.text("requesterDid"), row.text("addresseeDid"));
        let forth = requester == from && addressee == to;
        forth || (either_way && requester == to && addressee == from)
    });
    Ok(rows.map(|row| row.text("id").to_owned()).collect())
}

/// The state that counts, and the rows as they are written down.
fn read(doc: &mut Doc) -> Result<(FriendState, Vec<Record>), EditError> {
    let map = edit::map(doc, ROOT)?;
    let answers: SortedMap<String, Record> =
        map.iter().filter_map(|(id, value)| Some((id.clone(), ANSWER.read(value)?))).collect();
    let mut records = super::entities(map, FRIEND);
    records.retain(|record| record.text("requesterDid") != record.text("addresseeDid"));
    let rows = records.iter().map(|record| {
        let id = record.text("id");
        let empty = Record::new();
        let answer = answers.get(id).unwrap_or(&empty);
        let status = if answer.get("cancelledAt").is_some() {
            FriendStatus::Cancelled
        } else {
            FriendStatus::find(answer.text("status")).unwrap_or(FriendStatus::Rejected)
        };
        let row = Friendship {
            requester: record.text("requesterDid").to_owned(),
            addressee: record.text("addresseeDid").to_owned(),
            status,
        };
        (id.to_owned(), row)
    });
    let rows = rows.collect();
    let blocks: BTreeSet<(String, String)> = pairs::pairs(doc, BLOCKS)?;
    Ok((FriendState::new(rows, blocks), records))
}

/// All records in the order of their requests.
fn friends(doc: &mut Doc) -> Result<Vec<Record>, EditError> {
    let (state, records) = read(doc)?;
    // Requests that crossed are answered when the later of them was sent.
    let sending = |record: &Record| {
        let key = (record.text("requesterDid").to_owned(), record.text("addresseeDid").to_owned());
        (key, record.number("requestedAt"))
    };
    let mut sent: Vec<_> = records.iter().map(sending).collect();
    sent.sort_by(|a, b| a.1.total_cmp(&b.1));
    let sent: SortedMap<(String, String), f64> = sent.into_iter().collect();
    let mut friends = Vec::new();
    for mut record in records {
        let Some(row) = state.friends.get(record.text("id")) else { continue };
        record.set("status", row.status.name());
        if row.status == FriendStatus::Accepted && record.get("respondedAt").is_none() {
            let back = sent.get(&(row.addressee.clone(), row.requester.clone()));
            let at = back.copied().unwrap_or(0.0).max(record.number("requestedAt"));
            record.set("respondedAt", at);
        }
        if let Some(by) = state.blocked_by(&row.requester, &row.addressee) {
            record.set("status", "blocked");
            record.set("blockedBy", by);
        }
        friends.push(record);
    }
    friends.sort_by(|a, b| a.number("requestedAt").total_cmp(&b.number("requestedAt")));
    Ok(friends)
}
