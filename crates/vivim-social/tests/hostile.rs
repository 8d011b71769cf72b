//! Documents that others have filled with nonsense: it reads as absent, and nothing breaks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests may panic.

mod support;

use serde_json::{Value as Json, json};
use support::{NOW, Replica, everything, person, value};
use vivim_doc::{Kind, Value};
use vivim_social::{By, DocumentKind, Record, SocialError, documents, events, limits};

const OLGA: &str = "olga";

fn nonsense() -> Vec<Value> {
    let deep = (0..30).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    let fields = |value: Value| {
        let names = [
            "id",
            "did",
            "role",
            "joinedAt",
            "authorId",
            "authorDid",
            "content",
            "timestamp",
            "type",
            "status",
            "requesterDid",
            "addresseeDid",
            "followerDid",
            "followingDid",
            "channelId",
            "postId",
            "metadata",
            "attachments",
            "permissions",
            "expiresAt",
            "createdBy",
            "visibility",
            "maxMembers",
            "cancelledAt",
        ];
        Value::Map(names.into_iter().map(|name| (name.to_owned(), value.clone())).collect())
    };
    let mut all = vec![
        Value::Null,
        Value::Undefined,
        Value::Bool(true),
        Value::BigInt(i64::MIN),
        Value::Number(f64::NAN),
        Value::Number(f64::NEG_INFINITY),
        Value::Number(-1.5),
        Value::Number(1e300),
        Value::String(String::new()),
        Value::String("\u{0} \n".to_owned()),
        Value::Bytes(vec![0; 10]),
        deep,
    ];
    let inside: Vec<Value> = all.iter().cloned().map(fields).collect();
    all.extend(inside);
    // Once is enough: with all of its fields this long a document is no update any more.
    all.push(Value::String("x".repeat(limits::MAX_CONTENT + 1)));
    all.push(value(&json!({ "id": "ok", "authorId": "a b", "content": "x" })));
    all
}

/// Puts nonsense under nonsensical and sensible keys, plainly and nested.
fn fill(replica: &mut Replica) {
    let people = [person(OLGA), person("mel")];
    for (root, kind, _) in events::of(replica.kind) {
        let id = replica.doc.root(*kind, root).unwrap();
        match kind {
            Kind::Map => {
                for (at, value) in nonsense().iter().enumerate() {
                    for key in [
                        format!("k{at}"),
                        format!("did:key:{at}"),
                        format!("a b {at}"),
                        format!("m 👍 did:{at}"),
                        " ".to_owned(),
                        String::new(),
                        format!("{}{at}", "x".repeat(limits::MAX_DID)),
                    ] {
                        replica.doc.entry_set(&id, &key, value).unwrap();
                    }
                    let nested = replica
                        .doc
                        .entry_set_type(&id, &format!("did:nested:{at}"), Kind::Map)
                        .unwrap();
                    for name in ["role", "id", "status", "joinedAt", "authorId"] {
                        replica.doc.entry_set(&nested, name, value).unwrap();
                    }
                }
                for did in &people {
                    replica.doc.entry_set_type(&id, &format!("{did}x"), Kind::Array).unwrap();
                    replica.doc.entry_set_type(&id, &format!("{did}y"), Kind::Text).unwrap();
                }
            }
            Kind::Array => {
                replica.doc.array_push(&id, &nonsense()).unwrap();
                for kind in [Kind::Map, Kind::Array, Kind::Text] {
                    replica.doc.array_push_type(&id, kind).unwrap();
                }
            }
            _ => replica.doc.text_insert_at(&id, 0, "x").unwrap(),
        }
    }
}

#[test]
fn nonsense_reads_as_absent_and_stops_nobody() {
    for kind in DocumentKind::ALL {
        let mut replica = Replica::new(kind, 1);
        let _ = replica.try_as(OLGA, "create", json!({}));
        fill(&mut replica);
        let mut reader = replica.fork(2);
        let read = everything(&mut reader);
        assert!(read == everything(&mut reader.fork(3)), "{kind:?}");
        // A record that is shown has what its kind needs.
        for record in read.iter().filter_map(Json::as_array).flatten() {
            let names = ["id", "did", "userDid", "memberDid", "blockerDid"];
            let is_named = names.iter().any(|name| record[name].is_string());
            assert!(is_named || record.is_string(), "{kind:?}: {record}");
        }
        // What is well-formed still works beside it.
        for (op, args) in operations(kind) {
            let result = reader.try_as(OLGA, op, args);
            assert!(result.is_ok(), "{kind:?} {op}: {result:?}");
        }
    }
}

fn operations(kind: DocumentKind) -> Vec<(&'static str, Json)> {
    match kind {
        DocumentKind::Circle => vec![
            ("setName", json!({ "name": "n" })),
            ("addPost", json!({ "post": { "id": "p", "content": "c" } })),
            ("editPost", json!({ "id": "p", "content": "d" })),
            ("removePost", json!({ "id": "p" })),
            ("addContentRef", json!({ "ref": { "type": "t", "id": "i" } })),
            ("removeContentRef", json!({ "type": "t", "id": "i" })),
            ("updateSettings", json!({ "changes": { "visibility": "public" } })),
        ],
        DocumentKind::Conversation => vec![
            ("setTitle", json!({ "title": "n" })),
            ("addMessage", json!({ "message": { "id": "m", "content": "c" } })),
            ("editMessage", json!({ "id": "m", "content": "d" })),
            ("removeMessage", json!({ "id": "m" })),
        ],
        DocumentKind::Follow => vec![
            ("addFollow", json!({ "follow": { "id": "f", "followingDid": "did:x" } })),
            ("removeFollow", json!({ "id": "f" })),
        ],
        DocumentKind::Friend => vec![
            ("sendRequest", json!({ "request": { "id": "r", "addresseeDid": "did:x" } })),
            ("cancelRequest", json!({ "id": "r" })),
            ("block", json!({ "id": "did:x" })),
            ("unblock", json!({ "id": "did:x" })),
        ],
        DocumentKind::Group => vec![
            ("setName", json!({ "name": "n" })),
            ("addPost", json!({ "post": { "id": "p", "content": "c" } })),
            ("likePost", json!({ "id": "p" })),
            ("removePost", json!({ "id": "p" })),
        ],
        DocumentKind::Profile => vec![
            ("setDisplayName", json!({ "displayName": "n" })),
            ("addCircle", json!({ "id": "c" })),
            ("removeCircle", json!({ "id": "c" })),
        ],
        DocumentKind::Settings => {
            vec![("set", json!({ "key": "k1", "value": 1 })), ("delete", json!({ "key": "k1" }))]
        }
        DocumentKind::Team => vec![
            ("setName", json!({ "name": "n" })),
            ("addChannel", json!({ "channel": { "id": "c" } })),
            ("addMessage", json!({ "message": { "id": "m", "channelId": "c", "content": "x" } })),
            ("addReaction", json!({ "id": "m", "emoji": "👍" })),
            ("removeMessage", json!({ "id": "m" })),
            ("removeChannel", json!({ "id": "c" })),
        ],
        _ => vec![],
    }
}

#[test]
fn unknown_roles_are_the_lowest() {
    for (kind, lowest) in [
        (DocumentKind::Circle, "viewer"),
        (DocumentKind::Conversation, "member"),
        (DocumentKind::Group, "member"),
        (DocumentKind::Team, "guest"),
    ] {
        let mut replica = Replica::new(kind, 1);
        replica.act(OLGA, "create", json!({}));
        let root = if kind == DocumentKind::Conversation { "participants" } else { "members" };
        for (name, role) in [("a", json!("king")), ("b", json!(7)), ("c", json!("Owner"))] {
            let id = replica.doc.root(Kind::Map, root).unwrap();
            let member = replica.doc.entry_set_type(&id, &person(name), Kind::Map).unwrap();
            replica.doc.entry_set(&member, "role", &value(&role)).unwrap();
            assert_eq!(replica.view_of("role", json!({ "did": person(name) })), lowest, "{kind:?}");
        }
    }
}

#[test]
fn somebody_who_writes_down_an_owner_is_none() {
    let mut replica = Replica::new(DocumentKind::Group, 1);
    replica.act(OLGA, "create", json!({}));
    let id = replica.doc.root(Kind::Map, "members").unwrap();
    let entry = json!({ "role": "owner", "joinedAt": NOW * 2.0 });
    replica.doc.entry_set(&id, &person("eve"), &value(&entry)).unwrap();
    assert_eq!(replica.view("owner"), json!(person(OLGA)));
    assert_eq!(replica.view_of("role", json!({ "did": person("eve") })), "member");
}

#[test]
fn a_list_made_unreadable_reads_as_empty() {
    let mut replica = Replica::new(DocumentKind::Conversation, 1);
    replica.act(OLGA, "create", json!({}));
    // A peer uses the name of the list for a text.
    let mut hostile = vivim_doc::Doc::new(vivim_doc::ClientId::from_random(9));
    hostile.text_insert("messages", 0, "boo").unwrap();
    replica.receive(&hostile.encode_state_as_update(None).unwrap());
    assert_eq!(replica.view("messages"), json!([]));
    let args = support::record(json!({ "message": { "id": "m", "content": "x" } }));
    let by = By { did: &person(OLGA), now: NOW };
    let result = documents::execute(&mut replica.doc, replica.kind, "addMessage", &args, by);
    assert!(matches!(result, Ok(_) | Err(SocialError::Edit(_))), "{result:?}");
}

#[test]
fn a_time_that_is_none_is_refused() {
    let mut replica = Replica::new(DocumentKind::Settings, 1);
    for now in [f64::NAN, f64::INFINITY, -1.0, 1e18] {
        let by = By { did: &person(OLGA), now };
        let result =
            documents::execute(&mut replica.doc, replica.kind, "create", &Record::new(), by);
        assert!(matches!(result, Err(SocialError::Refused(_))), "{now}");
    }
}
