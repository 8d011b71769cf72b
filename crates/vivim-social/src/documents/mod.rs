//! The eight kinds of documents: how they are laid out, read and edited.
//!
//! Every kind has a module with `state` (what the rules need), `apply` (judge, then edit) and
//! `view` (plain records). [`execute`], [`check`] and [`view`] reach all of them by name, for callers
//! that have only names and values.

pub mod circle;
pub mod conversation;
pub mod follow;
pub mod friend;
pub mod group;
mod membership;
mod pairs;
pub mod profile;
pub mod settings;
pub mod team;

use std::collections::BTreeMap;

use vivim_doc::{Doc, EditError, Value};
use vivim_proto::SortedMap;

use crate::{
    edit,
    limits::MAX_CONTENT,
    record::{Record, Schema, is_did, is_id},
    refusal::{Refusal, SocialError},
    rules::{Authors, By},
};

/// The root of the settings, in all kinds of documents that have some.
const SETTINGS: &str = "settings";

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DocumentKind {
    /// People, roles, permissions, posts and shared content.
    Circle,
    /// Messages between people.
    Conversation,
    /// Who follows whom.
    Follow,
    /// Who is friends with whom.
    Friend,
    /// Members and their posts.
    Group,
    /// Somebody's name, picture and biography.
    Profile,
    /// Somebody's settings.
    Settings,
    /// Members, channels and their messages.
    Team,
}

/// What a kind of document has to say for [`execute`] and [`check`].
trait Document {
    type Op;

    /// The operation of this name.
    fn parse(name: &str, args: &Record, by: By<'_>) -> Result<Self::Op, Refusal>;

    /// Judges the operation and makes it, if `is_real`.
    fn run(doc: &mut Doc, op: &Self::Op, by: By<'_>, is_real: bool) -> Result<Value, SocialError>;

    /// A part of the document as plain records.
    fn view(doc: &mut Doc, name: &str, args: &Record) -> Result<Value, SocialError>;
}

impl DocumentKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Circle,
        Self::Conversation,
        Self::Follow,
        Self::Friend,
        Self::Group,
        Self::Profile,
        Self::Settings,
        Self::Team,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Circle => "circle",
            Self::Conversation => "conversation",
            Self::Follow => "follow",
            Self::Friend => "friend",
            Self::Group => "group",
            Self::Profile => "profile",
            Self::Settings => "settings",
            Self::Team => "team",
        }
    }

    /// The kind of this name.
    pub fn find(name: &str) -> Result<Self, Refusal> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| unknown("kind of document", name))
    }
}

/// Makes the operation of this name, if the rules allow it.
///
/// An operation and its arguments are also what a log of signed operations would hold of it.
pub fn execute(
    doc: &mut Doc,
    kind: DocumentKind,
    operation: &str,
    args: &Record,
    by: By<'_>,
) -> Result<Value, SocialError> {
    by_name(doc, kind, operation, args, by, true)
}

/// Whether the rules allow the operation of this name now.
pub fn check(
    doc: &mut Doc,
    kind: DocumentKind,
    operation: &str,
    args: &Record,
    by: By<'_>,
) -> Result<(), SocialError> {
    by_name(doc, kind, operation, args, by, false).map(drop)
}

/// A part of a document, by name, as plain records.
pub fn view(
    doc: &mut Doc,
    kind: DocumentKind,
    name: &str,
    args: &Record,
) -> Result<Value, SocialError> {
    match kind {
        DocumentKind::Circle => circle::Circle::view(doc, name, args),
        DocumentKind::Conversation => conversation::Conversation::view(doc, name, args),
        DocumentKind::Follow => follow::Follows::view(doc, name, args),
        DocumentKind::Friend => friend::Friends::view(doc, name, args),
        DocumentKind::Group => group::Group::view(doc, name, args),
        DocumentKind::Profile => profile::Profile::view(doc, name, args),
        DocumentKind::Settings => settings::Settings::view(doc, name, args),
        DocumentKind::Team => team::Team::view(doc, name, args),
    }
}

fn by_name(
    doc: &mut Doc,
    kind: DocumentKind,
    operation: &str,
    args: &Record,
    by: By<'_>,
    is_real: bool,
) -> Result<Value, SocialError> {
    match kind {
        DocumentKind::Circle => run::<circle::Circle>(doc, operation, args, by, is_real),
        DocumentKind::Conversation => {
            run::<conversation::Conversation>(doc, operation, args, by, is_real)
        }
        DocumentKind::Follow => run::<follow::Follows>(doc, operation, args, by, is_real),
        DocumentKind::Friend => run::<friend::Friends>(doc, operation, args, by, is_real),
        DocumentKind::Group => run::<group::Group>(doc, operation, args, by, is_real),
        DocumentKind::Profile => run::<profile::Profile>(doc, operation, args, by, is_real),
        DocumentKind::Settings => run::<settings::Settings>(doc, operation, args, by, is_real),
        DocumentKind::Team => run::<team::Team>(doc, operation, args, by, is_real),
    }
}

fn run<D: Document>(
    doc: &mut Doc,
    operation: &str,
    args: &Record,
    by: By<'_>,
    is_real: bool,
) -> Result<Value, SocialError> {
    let op = D::parse(operation, args, check_by(by)?)?;
    D::run(doc, &op, by, is_real)
}

/// Makes the edits of one operation one change.
fn grouped(
    doc: &mut Doc,
    edit: impl FnOnce(&mut Doc) -> Result<Value, SocialError>,
) -> Result<Value, SocialError> {
    doc.begin_change();
    let result = edit(doc);
    doc.end_change();
    result
}

fn check_by(by: By<'_>) -> Result<By<'_>, Refusal> {
    if !is_did(by.did) {
        return Err(Refusal::invalid("did", "the author's DID"));
    }
    if !(0.0..=crate::limits::MAX_TIME).contains(&by.now) {
        return Err(Refusal::invalid("now", "a time in milliseconds since 1970"));
    }
    Ok(by)
}

fn unknown(what: &'static str, name: &str) -> Refusal {
    Refusal::Unknown { what, name: name.chars().take(64).collect() }
}

/// An argument that is an id.
fn id(args: &Record, name: &str) -> Result<String, Refusal> {
    let id = args.text(name);
    if is_id(id) {
        Ok(id.to_owned())
    } else {
        Err(Refusal::invalid(name, "an id, without control characters and of 1 to 256 bytes"))
    }
}

/// An argument that is a DID.
fn did(args: &Record, name: &str) -> Result<String, Refusal> {
    let did = args.text(name);
    if is_did(did) {
        Ok(did.to_owned())
    } else {
        Err(Refusal::invalid(name, "a DID, without spaces and of at most 512 bytes"))
    }
}

/// An argument that names a member, by DID or id.
fn member(args: &Record, name: &str) -> Result<String, Refusal> {
    did(args, name).or_else(|_| id(args, name))
}

/// An argument that is text of at most so many bytes.
fn text(args: &Record, name: &str, max: usize) -> Result<String, Refusal> {
    match args.get(name) {
        Some(Value::String(text)) if text.len() <= max => Ok(text.clone()),
        _ => Err(Refusal::invalid(name, "a string, not longer than the limit for it")),
    }
}

/// The new content of something.
fn content(args: &Record) -> Result<String, Refusal> {
    text(args, "content", MAX_CONTENT)
}

/// An argument that is a record.
fn record(args: &Record, name: &str) -> Result<Record, Refusal> {
    match args.get(name) {
        Some(Value::Map(fields)) => Ok(fields.clone().into()),
        None | Some(Value::Undefined) => Ok(Record::new()),
        Some(_) => Err(Refusal::invalid(name, "a record")),
    }
}

/// Records in a list, the first of each id.
fn unique(records: impl IntoIterator<Item = Record>, key: &str) -> Vec<Record> {
    let mut seen = std::collections::BTreeSet::new();
    records.into_iter().filter(|record| seen.insert(record.text(key).to_owned())).collect()
}

fn values(records: impl IntoIterator<Item = Record>) -> Value {
    Value::Array(records.into_iter().map(Value::from).collect())
}

fn number(count: usize) -> Value {
    // No document holds more than a float can count.
    Value::Number(count as f64)
}

/// Which records of a list are wanted.
enum Look<'a> {
    /// All.
    All,
    /// None.
    Nothing,
    /// Those of this id.
    Of(&'a str),
}

/// Some records of a root list.
fn look(
    doc: &mut Doc,
    root: &str,
    schema: Schema,
    look: &Look<'_>,
) -> Result<Vec<Record>, EditError> {
    let list = match look {
        Look::All => edit::list(doc, root)?,
        Look::Nothing => return Ok(Vec::new()),
        Look::Of(id) => edit::find(doc, root, id)?,
    };
    Ok(items(list, schema))
}

/// Who wrote each of some records.
fn authors(records: Vec<Record>, field: &str) -> Authors {
    let pair = |record: Record| (record.text("id").to_owned(), record.text(field).to_owned());
    records.into_iter().map(pair).collect()
}

/// The records of a list that are such, each id once: two replicas may have appended the same.
fn items(list: Vec<Value>, schema: Schema) -> Vec<Record> {
    unique(list.iter().filter_map(|value| schema.read(value)), "id")
}

/// The records of a map that are such. Their id is their key, whatever they say.
fn entities(map: BTreeMap<String, Value>, schema: Schema) -> Vec<Record> {
    let named = map.into_iter().filter_map(|(id, value)| {
        let Value::Map(mut fields) = value else { return None };
        fields.insert("id".to_owned(), id.into());
        schema.read(&Value::Map(fields))
    });
    named.collect()
}

/// A setting that is a number of members.
fn max_members(settings: &Record) -> Option<usize> {
    let max = settings.number("maxMembers");
    // The schema has seen to it that it is a whole number in range.
    (max >= 1.0).then_some(max as usize)
}

/// The settings of a circle, group or team: one entry for each.
fn settings_record(doc: &mut Doc, schema: Schema) -> Result<Record, EditError> {
    Ok(schema.read(&Value::Map(edit::map(doc, SETTINGS)?)).unwrap_or_default())
}

/// Changes settings, each for itself.
fn set_settings(doc: &mut Doc, changes: &Record) -> Result<(), EditError> {
    for (name, value) in changes.iter() {
        if *value == Value::Null {
            edit::unset(doc, SETTINGS, name)?;
        } else {
            edit::set(doc, SETTINGS, name, value.clone())?;
        }
    }
    Ok(())
}

/// A text in a root map.
fn entry_text(doc: &mut Doc, root: &str, key: &str) -> Result<Value, EditError> {
    match edit::map(doc, root)?.remove(key) {
        Some(Value::String(text)) => Ok(text.into()),
        _ => Ok("".into()),
    }
}

/// How many records there are of each value of a field.
fn count(records: &[Record], field: &str) -> SortedMap<String, usize> {
    let mut values: Vec<String> =
        records.iter().map(|record| record.text(field).to_owned()).collect();
    values.sort();
    let same = values.chunk_by(|a, b| a == b);
    same.filter_map(|group| Some((group.first()?.clone(), group.len()))).collect()
}
