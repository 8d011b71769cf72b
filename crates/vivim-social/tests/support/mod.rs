//! Replicas of one document and people who edit them.
// Each test file uses its own part of this.
#![allow(dead_code)]

use serde_json::{Value as Json, json};
use vivim_doc::{ClientId, Doc, Value};
use vivim_social::{By, DocumentKind, Record, Refusal, SocialError, documents};

pub(crate) const NOW: f64 = 1_700_000_000_000.0;

/// One replica.
pub(crate) struct Replica {
    pub(crate) doc: Doc,
    pub(crate) kind: DocumentKind,
    pub(crate) now: f64,
}

impl Replica {
    pub(crate) fn new(kind: DocumentKind, client: u64) -> Self {
        let doc = Doc::new(ClientId::from_random(client));
        Self { doc, kind, now: NOW }
    }

    /// Another replica with the same content.
    pub(crate) fn fork(&self, client: u64) -> Self {
        let mut fork = Self::new(self.kind, client);
        fork.now = self.now;
        fork.receive(&self.everything());
        fork
    }

    pub(crate) fn everything(&self) -> Vec<u8> {
        self.doc.encode_state_as_update(None).unwrap()
    }

    pub(crate) fn receive(&mut self, update: &[u8]) {
        self.doc.apply_update(update).unwrap();
    }

    pub(crate) fn try_as(&mut self, did: &str, op: &str, args: Json) -> Result<Json, SocialError> {
        self.now += 1.0;
        let by = By { did: &person(did), now: self.now };
        let result = documents::execute(&mut self.doc, self.kind, op, &record(args), by);
        self.doc.take_updates();
        result.map(|value| json_of(&value))
    }

    /// An operation that must be allowed.
    pub(crate) fn act(&mut self, did: &str, op: &str, args: Json) -> Json {
        let shown = args.to_string();
        self.try_as(did, op, args).unwrap_or_else(|e| panic!("{did}: {op} {shown}: {e}"))
    }

    /// An operation that must be refused.
    pub(crate) fn refused(&mut self, did: &str, op: &str, args: Json) -> Refusal {
        let shown = args.to_string();
        match self.try_as(did, op, args) {
            Err(SocialError::Refused(refusal)) => refusal,
            other => panic!("{did}: {op} {shown}: {other:?}"),
        }
    }

    /// Whether the rules allow it; nothing is done.
    pub(crate) fn check(&mut self, did: &str, op: &str, args: Json) -> Result<(), Refusal> {
        let by = By { did: &person(did), now: self.now };
        match documents::check(&mut self.doc, self.kind, op, &record(args), by) {
            Ok(()) => Ok(()),
            Err(SocialError::Refused(refusal)) => Err(refusal),
            Err(other) => panic!("{did}: {op}: {other}"),
        }
    }

    pub(crate) fn view(&mut self, name: &str) -> Json {
        self.view_of(name, json!({}))
    }

    pub(crate) fn view_of(&mut self, name: &str, args: Json) -> Json {
        json_of(&documents::view(&mut self.doc, self.kind, name, &record(args)).unwrap())
    }

    /// The fields of the records of a view, one string each.
    pub(crate) fn list(&mut self, view: &str, field: &str) -> Vec<String> {
        texts(&self.view(view), field)
    }
}

pub(crate) fn texts(records: &Json, field: &str) -> Vec<String> {
    let records = records.as_array().expect("a list");
    records.iter().map(|record| record[field].as_str().unwrap_or("").to_owned()).collect()
}

/// Gives each everything of the other.
pub(crate) fn sync(a: &mut Replica, b: &mut Replica) {
    let (of_a, of_b) = (a.everything(), b.everything());
    a.receive(&of_b);
    b.receive(&of_a);
}

/// Does something on one replica and something on another at once, in both orders of arrival and
/// with both orders of client ids, and hands over each pair when it agrees.
pub(crate) fn at_once(
    base: &Replica,
    one: impl Fn(&mut Replica),
    other: impl Fn(&mut Replica),
    then: impl Fn(&mut Replica),
) {
    for (a, b) in [(101, 202), (202, 101)] {
        let (mut left, mut right) = (base.fork(a), base.fork(b));
        one(&mut left);
        other(&mut right);
        sync(&mut left, &mut right);
        // A third one that hears of them the other way round.
        let mut third = base.fork(303);
        third.receive(&right.everything());
        third.receive(&left.everything());
        assert_eq!(everything(&mut left), everything(&mut right));
        assert_eq!(everything(&mut left), everything(&mut third));
        then(&mut left);
    }
}

/// All views of a document that take no arguments.
pub(crate) fn everything(replica: &mut Replica) -> Vec<Json> {
    views(replica.kind).iter().map(|name| replica.view(name)).collect()
}

pub(crate) fn views(kind: DocumentKind) -> &'static [&'static str] {
    match kind {
        DocumentKind::Circle => &[
            "auditLog",
            "capabilities",
            "contentRefs",
            "description",
            "invitations",
            "members",
            "name",
            "owner",
            "posts",
            "settings",
            "isDeleted",
        ],
        DocumentKind::Conversation => &[
            "annotations",
            "branches",
            "messages",
            "metadata",
            "owner",
            "participants",
            "title",
            "isDeleted",
        ],
        DocumentKind::Follow => &["blocks", "follows"],
        DocumentKind::Friend => &["blocks", "friends"],
        DocumentKind::Group => &[
            "description",
            "joinRequests",
            "members",
            "name",
            "owner",
            "posts",
            "settings",
            "isDeleted",
        ],
        DocumentKind::Profile => &["avatar", "bio", "circles", "did", "displayName"],
        DocumentKind::Settings => &["did", "settings"],
        DocumentKind::Team => &[
            "channels",
            "description",
            "joinRequests",
            "members",
            "messageCount",
            "name",
            "owner",
            "settings",
            "isDeleted",
        ],
        _ => &[],
    }
}

pub(crate) fn person(name: &str) -> String {
    if name.starts_with("did:") { name.to_owned() } else { format!("did:key:{name}") }
}

pub(crate) fn record(json: Json) -> Record {
    match value(&json) {
        Value::Map(fields) => fields.into(),
        other => panic!("{other:?} is no record"),
    }
}

pub(crate) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => Value::Number(number.as_f64().unwrap()),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(values) => Value::Array(values.iter().map(value).collect()),
        Json::Object(fields) => {
            Value::Map(fields.iter().map(|(name, field)| (name.clone(), value(field))).collect())
        }
    }
}

pub(crate) fn json_of(value: &Value) -> Json {
    serde_json::from_str(&value.to_json()).unwrap()
}
