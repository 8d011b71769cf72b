//! How conversations, circles, groups and teams keep their members.
//!
//! | root | holds | |
//! |---|---|---|
//! | `members` or `participants` | by DID: id, role, permissions, joinedAt, addedBy | control |
//! | `joinRequests` | by DID: who asks to join | control |
//! | `control` | createdAt, createdBy, deletedAt | control |
//! | `memberProfiles` | `DID field`: the free fields of a member | free |

use std::collections::{BTreeMap, BTreeSet};

use vivim_doc::{Doc, EditError, Value};

use super::{id, member, number, pairs, record, text};
use crate::{
    edit,
    limits::{MAX_DESCRIPTION, MAX_NAME, MAX_TITLE},
    record::{Absent, Field, Kind, Record, Schema, is_did},
    refusal::{Refusal, SocialError},
    rules::{
        By,
        members::{Flag, FlagChanges, Joining, Member, Membership, MembershipOp, NewMember, Roles},
    },
};

/// Where a kind of document keeps its members, and what a member's record has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// The root of the members.
    pub(super) root: &'static str,
    /// What the field with the DID is called.
    pub(super) did: &'static str,
    pub(super) roles: Roles,
    /// Whether members have permissions of their own.
    pub(super) has_flags: bool,
    /// The free fields.
    pub(super) profile: Schema,
}

pub(super) const CONTROL: &str = "control";
pub(super) const JOIN_REQUESTS: &str = "joinRequests";
pub(super) const PROFILES: &str = "memberProfiles";

/// The free fields that every member has.
pub(super) const NAME: Field = Field("displayName", Kind::Text(MAX_NAME), Absent::Text(""));
/// See [`NAME`].
pub(super) const AVATAR: Field = Field("avatar", Kind::Text(MAX_TITLE), Absent::Leave);
/// See [`NAME`]; not in all kinds.
pub(super) const METADATA: Field = Field("metadata", Kind::Map, Absent::EmptyMap);

impl Layout {
    /// The operation on the membership of this name, if it is one.
    pub(super) fn parse(
        &self,
        name: &str,
        args: &Record,
        by: By<'_>,
    ) -> Result<Option<MembershipOp>, Refusal> {
        Ok(Some(match name {
            "addMember" | "addParticipant" => {
                let given = record(args, "member")?;
                MembershipOp::Add(self.newcomer(&given, super::did(&given, self.did)?, by)?)
            }
            "approveJoin" => MembershipOp::Approve(super::did(args, "did")?),
            "delete" => MembershipOp::Delete,
            "create" => {
                let given = record(args, "member")?;
                MembershipOp::Create(self.newcomer(&given, by.did.to_owned(), by)?)
            }

            "join" => {
                let given = record(args, "member")?;
                MembershipOp::Join(self.newcomer(&given, by.did.to_owned(), by)?)
            }
            "leave" => MembershipOp::Remove(by.did.to_owned()),
            "rejectJoin" => MembershipOp::RefuseJoin(super::did(args, "did")?),
            "removeMember" | "removeParticipant" => MembershipOp::Remove(member(args, "id")?),
            "transferOwnership" => MembershipOp::Transfer(member(args, "id")?),
            "updateMember" | "updateParticipant" => {
                let changes = record(args, "changes")?;
                MembershipOp::Update {
                    member: member(args, "id")?,
                    role: self.role(&changes)?,
                    flags: self.flags(&changes)?,
                    profile: self.profile.check_partial(&changes)?,
                }
            }
            _ => return Ok(None),
        }))
    }

    fn newcomer(&self, given: &Record, did: String, by: By<'_>) -> Result<NewMember, Refusal> {
        let mut record = self.profile.check(given)?;
        if given.get("id").is_some() {
            record.set("id", id(given, "id")?);
        }
        let joined_at = Schema(&[Field("joinedAt", Kind::Time, Absent::Leave)]).check(given)?;
        record.set("joinedAt", joined_at.get("joinedAt").cloned().unwrap_or(by.now.into()));
        let role = self.role(given)?.unwrap_or(crate::rules::members::Role::Member);
        Ok(NewMember { did, role, flags: self.flags(given)?, record })
    }

    fn role(&self, given: &Record) -> Result<Option<crate::rules::members::Role>, Refusal> {
        match given.get("role") {
            None | Some(Value::Null | Value::Undefined) => Ok(None),
            Some(Value::String(name)) => match self.roles.find(name) {
                Some(role) => Ok(Some(role)),
                None => Err(Refusal::invalid("role", "a role that this kind of document has")),
            },
            Some(_) => Err(Refusal::invalid("role", "the name of a role")),
        }
    }

    fn flags(&self, given: &Record) -> Result<FlagChanges, Refusal> {
        let mut flags = FlagChanges::default();
        if !self.has_flags {
            return Ok(flags);
        }
        let permissions = record(given, "permissions")?;
        for flag in Flag::ALL {
            match permissions.get(flag.name()) {
                None | Some(Value::Undefined) => {}
                Some(Value::Bool(value)) => flags.set(flag, Some(*value)),
                Some(_) => return Err(Refusal::invalid(flag.name(), "true or false")),
            }
        }
        Ok(flags)
    }

    /// The members as far as rules go.
    pub(super) fn read(&self, doc: &mut Doc) -> Result<Membership, EditError> {
        let entries = edit::map(doc, self.root)?;
        self.membership(doc, &entries)
    }

    /// The members as far as rules go, and their records in the order of joining.
    pub(super) fn records(&self, doc: &mut Doc) -> Result<(Membership, Vec<Record>), EditError> {
        let entries = edit::map(doc, self.root)?;
        let membership = self.membership(doc, &entries)?;
        let mut profiles = pairs::fields(doc, PROFILES)?;
        let mut members: Vec<&Member> = membership.iter().collect();
        members.sort_by(|a, b| a.joined_at.total_cmp(&b.joined_at).then_with(|| a.did.cmp(&b.did)));
        let records = members.into_iter().map(|member| {
            // Documents made elsewhere may hold the free fields beside the others.
            let mut free = match entries.get(&member.did) {
                Some(Value::Map(fields)) => fields.clone(),
                _ => BTreeMap::new(),
            };
            free.extend(profiles.remove(&member.did).unwrap_or_default());
            let added_by = match free.get("addedBy") {
                Some(Value::String(did)) if is_did(did) => Some(did.clone()),
                _ => None,
            };
            // What is read as a record always reads: no free field is required.
            let mut record = self.profile.read(&Value::Map(free)).unwrap_or_default();
            record.set("id", member.id.as_str());
            record.set(self.did, member.did.as_str());
            record.set("role", self.roles.name(member.role));
            record.set("joinedAt", member.joined_at);
            if let Some(did) = added_by {
                record.set("addedBy", did);
            }
            if self.has_flags {
                let mut permissions = Record::new();
                for flag in Flag::ALL {
                    permissions.set(flag.name(), member.flags.has(flag));
                }
                record.set("permissions", permissions);
            }
            record
        });
        let records = records.collect();
        Ok((membership, records))
    }

    /// The requests to join, the oldest first.
    pub(super) fn requests(&self, doc: &mut Doc) -> Result<Vec<Record>, EditError> {
        let membership = self.read(doc)?;
        let entries = edit::map(doc, JOIN_REQUESTS)?;
        let mut requests: Vec<Record> = membership
            .requests()
            .iter()
            .filter_map(|did| {
                let entry = entries.get(did)?;
                let mut record = self.profile.read(entry)?;
                let at = Schema(&[Field("requestedAt", Kind::Time, Absent::Zero)]).read(entry)?;
                record.set("requestedAt", at.number("requestedAt"));
                record.set(self.did, did.as_str());
                Some(record)
            })
            .collect();
        requests.sort_by(|a, b| a.number("requestedAt").total_cmp(&b.number("requestedAt")));
        Ok(requests)
    }

    fn membership(
        &self,
        doc: &mut Doc,
        entries: &BTreeMap<String, Value>,
    ) -> Result<Membership, EditError> {
        const RECORD: Schema = Schema(&[
            Field("id", Kind::Id, Absent::Leave),
            Field("role", Kind::Text(MAX_NAME), Absent::Text("")),
            Field("joinedAt", Kind::Time, Absent::Zero),
        ]);
        let members = entries.iter().filter(|(did, _)| is_did(did)).filter_map(|(did, value)| {
            let record = RECORD.read(value)?;
            let Value::Map(fields) = value else { return None };
            let role = self.roles.read(record.text("role"));
            let id = Some(record.text("id")).filter(|id| !id.is_empty()).unwrap_or(did);
            Some(Member {
                did: did.clone(),
                id: id.to_owned(),
                role,
                joined_at: record.number("joinedAt"),
                flags: stored_flags(fields).over(role),
            })
        });
        let members: Vec<Member> = members.collect();
        let requests: BTreeSet<String> =
            edit::map(doc, JOIN_REQUESTS)?.into_keys().filter(|did| is_did(did)).collect();
        let control = edit::map(doc, CONTROL)?;
        let deleted = matches!(control.get("deletedAt"), Some(Value::Number(_)));
        Ok(Membership::new(members, requests, deleted))
    }

    /// Makes an operation that was judged well. `roots` are all free roots of the document.
    pub(super) fn apply(
        &self,
        doc: &mut Doc,
        op: &MembershipOp,
        by: By<'_>,
        state: &Membership,
        joining: Joining,
    ) -> Result<Value, SocialError> {
        match op {
            MembershipOp::Create(new) => {
                edit::set(doc, CONTROL, "createdAt", by.now)?;
                edit::set(doc, CONTROL, "createdBy", by.did)?;
                // Whoever is first is the owner: that isn't the application's to say.
                let mut new = new.clone();
                new.record.set("joinedAt", by.now);
                new.flags = FlagChanges::default();
                self.add(doc, &new, "owner", by)?;
                Ok(Value::Bool(true))
            }
            MembershipOp::Delete => {
                edit::clear(
                    doc,
                    &[
                        (self.root, vivim_doc::Kind::Map),
                        (PROFILES, vivim_doc::Kind::Map),
                        (JOIN_REQUESTS, vivim_doc::Kind::Map),
                    ],
                )?;
                edit::set(doc, CONTROL, "deletedAt", by.now)?;
                Ok(Value::Bool(true))
            }
            MembershipOp::Add(new) => {
                self.add(doc, new, self.roles.name(new.role), by)?;
                edit::unset(doc, JOIN_REQUESTS, &new.did)?;
                Ok(Value::Bool(true))
            }
            MembershipOp::Join(new) => {
                if joining == Joining::Open {
                    let lowest = crate::rules::members::Role::Member;
                    let new = NewMember { flags: FlagChanges::default(), ..new.clone() };
                    self.add(doc, &new, self.roles.name(lowest), by)?;
                    return Ok("joined".into());
                }
                let mut request = new.record.clone();
                request.set("requestedAt", by.now);
                edit::set(doc, JOIN_REQUESTS, &new.did, request)?;
                Ok("requested".into())
            }
            MembershipOp::Approve(did) => {
                let request = edit::map(doc, JOIN_REQUESTS)?.remove(did).unwrap_or(Value::Null);
                let mut record = self.profile.read(&request).unwrap_or_default();
                record.set("joinedAt", by.now);
                let role = crate::rules::members::Role::Member;
                let flags = FlagChanges::default();
                let new = NewMember { did: did.clone(), role, flags, record };
                self.add(doc, &new, self.roles.name(role), by)?;
                edit::unset(doc, JOIN_REQUESTS, did)?;
                Ok(Value::Bool(true))
            }
            MembershipOp::RefuseJoin(did) => {
                edit::unset(doc, JOIN_REQUESTS, did)?;
                Ok(Value::Bool(true))
            }
            MembershipOp::Remove(member) => {
                let did = &state.resolve(member)?.did;
                edit::unset(doc, self.root, did)?;
                pairs::unset_all(doc, PROFILES, did)?;
                Ok(Value::Bool(true))
            }
            MembershipOp::Transfer(member) => {
                let did = state.resolve(member)?.did.clone();
                for (known, value) in edit::map(doc, self.root)? {
                    let Value::Map(fields) = value else { continue };
                    if known == did || fields.get("role") != Some(&"owner".into()) {
                        continue;
                    }
                    // Somebody who is down as owner without being it wouldn't have been one.
                    let role = if state.owner() == Some(known.as_str()) {
                        self.roles.highest_below_owner()
                    } else {
                        crate::rules::members::Role::Member
                    };
                    let changes = Record::new().with("role", self.roles.name(role));
                    edit::put_fields(doc, self.root, &known, &changes)?;
                }
                edit::put_fields(doc, self.root, &did, &Record::new().with("role", "owner"))?;
                Ok(Value::Bool(true))
            }
            MembershipOp::Update { member, role, flags, profile } => {
                let did = &state.resolve(member)?.did;
                let mut changes = Record::new();
                if let Some(role) = role {
                    changes.set("role", self.roles.name(*role));
                }
                set_flags(&mut changes, flags);
                if !changes.is_empty() {
                    edit::put_fields(doc, self.root, did, &changes)?;
                }
                set_profile(doc, did, profile)?;
                Ok(Value::Bool(true))
            }
        }
    }

    fn add(
        &self,
        doc: &mut Doc,
        new: &NewMember,
        role: &'static str,
        by: By<'_>,
    ) -> Result<(), EditError> {
        let mut entry = Record::new().with("role", role).with("addedBy", by.did);
        entry.set("joinedAt", new.record.number("joinedAt"));
        entry.set("id", new.record.get("id").cloned().unwrap_or(new.did.as_str().into()));
        set_flags(&mut entry, &new.flags);
        edit::put(doc, self.root, &new.did, &entry)?;
        let mut profile = new.record.clone();
        profile.remove("id");
        profile.remove("joinedAt");
        set_profile(doc, &new.did, &profile)
    }
}

fn stored_flags(fields: &BTreeMap<String, Value>) -> FlagChanges {
    let mut flags = FlagChanges::default();
    for flag in Flag::ALL {
        // A permission is a field of its own, so that two can be changed at once; documents made
        // elsewhere may hold a record of them.
        let own = fields.get(&flag_field(flag));
        let inside = match fields.get("permissions") {
            Some(Value::Map(permissions)) => permissions.get(flag.name()),
            _ => None,
        };
        if let Some(Value::Bool(value)) = own.or(inside) {
            flags.set(flag, Some(*value));
        }
    }
    flags
}

fn set_flags(record: &mut Record, flags: &FlagChanges) {
    for flag in Flag::ALL {
        if let Some(value) = flags.get(flag) {
            record.set(&flag_field(flag), value);
        }
    }
}

fn flag_field(flag: Flag) -> String {
    format!("permissions.{}", flag.name())
}

fn set_profile(doc: &mut Doc, did: &str, profile: &Record) -> Result<(), EditError> {
    for (name, value) in profile.iter() {
        let key = pairs::key(did, name);
        if *value == Value::Null {
            edit::unset(doc, PROFILES, &key)?;
        } else {
            edit::set(doc, PROFILES, &key, value.clone())?;
        }
    }
    Ok(())
}

/// The views that all documents with members have.
pub(super) fn view(
    layout: &Layout,
    doc: &mut Doc,
    name: &str,
    args: &Record,
) -> Result<Option<Value>, SocialError> {
    let value = match name {
        "isDeleted" => layout.read(doc)?.is_deleted().into(),
        "joinRequests" => super::values(layout.requests(doc)?),
        "memberCount" => number(layout.read(doc)?.len()),
        "owner" => layout.read(doc)?.owner().map_or(Value::Null, Value::from),
        "role" => {
            let membership = layout.read(doc)?;
            let role = membership.role(args.text("did"));
            role.map_or(Value::Null, |role| layout.roles.name(role).into())
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// An argument that is the name of a whole.
pub(super) fn title(args: &Record, name: &str) -> Result<String, Refusal> {
    text(args, name, MAX_TITLE)
}

/// An argument that is a description.
pub(super) fn description(args: &Record, name: &str) -> Result<String, Refusal> {
    text(args, name, MAX_DESCRIPTION)
}
