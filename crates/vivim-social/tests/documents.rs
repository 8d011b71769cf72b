//! Every operation of every kind of document, and its defaults.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests may panic.

mod support;

use serde_json::{Value as Json, json};
use support::{NOW, Replica, person, texts};
use vivim_social::{DocumentKind, Refusal, events, limits};

const OLGA: &str = "olga";
const MEL: &str = "mel";

fn created(kind: DocumentKind) -> Replica {
    let mut replica = Replica::new(kind, 1);
    replica.act(OLGA, "create", json!({ "member": { "displayName": "Olga" } }));
    let member =
        json!({ "did": person(MEL), "userDid": person(MEL), "id": "m-1", "displayName": "Mel" });
    let add = if kind == DocumentKind::Conversation { "addParticipant" } else { "addMember" };
    replica.act(OLGA, add, json!({ "member": member }));
    replica
}

fn find<'a>(records: &'a Json, field: &str, value: &str) -> &'a Json {
    let found = records.as_array().unwrap().iter().find(|record| record[field] == value);
    found.unwrap_or_else(|| panic!("no {field} {value} in {records}"))
}

#[test]
fn a_conversation_is_edited_by_every_operation() {
    let mut c = created(DocumentKind::Conversation);
    c.act(OLGA, "setTitle", json!({ "title": "Plans" }));
    assert_eq!(c.view("title"), "Plans");

    let image = json!({ "id": "m1", "content": "a.png", "type": "image", "timestamp": 5, "metadata": { "w": 1 } });
    assert_eq!(c.act(MEL, "addMessage", json!({ "message": image })), true);
    assert_eq!(c.act(MEL, "addMessage", json!({ "message": image })), false);
    let reply = json!({ "id": "m2", "content": "nice", "parentId": "m1" });
    c.act(OLGA, "addMessage", json!({ "message": reply }));
    assert_eq!(c.list("messages", "id"), ["m1", "m2"]);
    let messages = c.view("messages");
    assert_eq!(
        messages[0],
        json!({
            "id": "m1", "authorId": person(MEL), "content": "a.png", "timestamp": 5, "type": "image",
            "metadata": { "w": 1 },
        })
    );
    assert_eq!((&messages[1]["type"], &messages[1]["parentId"]), (&json!("text"), &json!("m1")));
    assert_eq!(
        c.refused(OLGA, "addMessage", json!({ "message": { "id": "m1", "content": "" } })),
        Refusal::Exists("a message")
    );

    c.act(MEL, "editMessage", json!({ "id": "m1", "content": "b.png" }));
    let edited = &c.view("messages")[0];
    assert_eq!(edited["content"], "b.png");
    assert!(edited["editedAt"].as_f64().unwrap() > NOW);

    c.act(
        MEL,
        "addAnnotation",
        json!({ "annotation": {
        "id": "a", "targetMessageId": "m1", "content": "hm", "type": "warning",
    } }),
    );
    assert_eq!(c.view("annotations")[0]["type"], "warning");
    assert!(c.view("annotations")[0]["resolvedAt"].is_null());
    c.act(MEL, "resolveAnnotation", json!({ "id": "a" }));
    assert!(c.view("annotations")[0]["resolvedAt"].is_number());
    assert_eq!(c.view_of("annotations", json!({ "messageId": "m2" })), json!([]));
    c.act(MEL, "removeAnnotation", json!({ "id": "a" }));
    assert_eq!(c.view("annotations"), json!([]));

    c.act(MEL, "addBranch", json!({ "branch": { "id": "b", "name": "B", "headId": "m1" } }));
    c.act(MEL, "updateBranch", json!({ "id": "b", "changes": { "headId": "m2" } }));
    let branch = &c.view("branches")[0];
    assert_eq!((&branch["name"], &branch["headId"]), (&json!("B"), &json!("m2")));
    c.act(OLGA, "removeBranch", json!({ "id": "b" }));
    assert_eq!(c.view("branches"), json!([]));

    c.act(OLGA, "setMetadata", json!({ "key": "topic", "value": { "a": [1] } }));
    c.act(OLGA, "updateMetadata", json!({ "key": "n", "value": null }));
    assert_eq!(c.view("metadata"), json!({ "topic": { "a": [1] }, "n": null }));
    c.act(OLGA, "deleteMetadata", json!({ "key": "n" }));
    assert_eq!(c.view("metadata"), json!({ "topic": { "a": [1] } }));

    // By id or by DID.
    c.act(OLGA, "updateParticipant", json!({ "id": "m-1", "changes": { "role": "moderator" } }));
    c.act(
        MEL,
        "updateParticipant",
        json!({ "id": person(MEL), "changes": { "displayName": "Melanie", "avatar": "x" } }),
    );
    let participants = c.view("participants");
    assert_eq!(
        *find(&participants, "id", "m-1"),
        json!({
            "id": "m-1", "did": person(MEL), "displayName": "Melanie", "avatar": "x",
            "role": "moderator", "joinedAt": NOW as u64 + 2, "addedBy": person(OLGA),
        })
    );
    c.act(MEL, "updateParticipant", json!({ "id": "m-1", "changes": { "avatar": null } }));
    assert!(find(&c.view("participants"), "id", "m-1")["avatar"].is_null());

    c.act(OLGA, "transferOwnership", json!({ "id": "m-1" }));
    assert_eq!(c.view("owner"), json!(person(MEL)));
    assert_eq!(c.view_of("role", json!({ "did": person(OLGA) })), "moderator");
    c.act(OLGA, "leave", json!({}));
    assert_eq!(c.view("memberCount"), 1);

    c.act(MEL, "deleteMessage", json!({ "id": "m1" }));
    assert_eq!(c.list("messages", "id"), ["m2"]);
    c.act(MEL, "removeMessage", json!({ "id": "m2" }));
    assert_eq!(c.view("messageCount"), 0);
}

#[test]
fn a_circle_is_edited_by_every_operation() {
    let mut c = created(DocumentKind::Circle);
    assert_eq!(
        c.view("settings"),
        json!({
            "visibility": "private", "sharingPolicy": "owner-only", "syncMode": "realtime", "encryption": true,
        })
    );
    c.act(
        OLGA,
        "updateSettings",
        json!({ "changes": { "sharingPolicy": "all-members", "maxMembers": 9 } }),
    );
    assert_eq!(c.view("settings")["maxMembers"], 9);
    assert_eq!(c.view("settings")["encryption"], true);
    c.act(OLGA, "setName", json!({ "name": "Readers" }));
    c.act(OLGA, "setDescription", json!({ "description": "We read." }));
    assert_eq!((c.view("name"), c.view("description")), (json!("Readers"), json!("We read.")));

    let members = c.view("members");
    assert_eq!(
        find(&members, "id", "m-1")["permissions"],
        json!({
            "read": true, "write": true, "invite": false, "remove": false, "manageSettings": false,
        })
    );
    c.act(
        OLGA,
        "updateMember",
        json!({ "id": "m-1", "changes": { "permissions": { "invite": true } } }),
    );
    assert_eq!(find(&c.view("members"), "id", "m-1")["permissions"]["invite"], true);
    let capabilities = c.view("capabilities");
    let capability = find(&capabilities, "memberDid", &person(MEL));
    assert_eq!(capability["permissions"], json!(["invite", "read", "write"]));
    assert_eq!(capability["grantedBy"], json!(person(OLGA)));

    c.act(MEL, "addPost", json!({ "post": { "id": "p", "content": "hello" } }));
    c.act(MEL, "editPost", json!({ "id": "p", "content": "hello!" }));
    assert_eq!(c.view("posts")[0]["content"], "hello!");
    assert_eq!(c.view("posts")[0]["attachments"], json!([]));
    c.act(OLGA, "removePost", json!({ "id": "p" }));
    assert_eq!(c.view("postCount"), 0);

    assert_eq!(c.act(MEL, "addContentRef", json!({ "ref": { "type": "note", "id": "n" } })), true);
    assert_eq!(
        c.act(OLGA, "addContentRef", json!({ "ref": { "type": "note", "id": "n" } })),
        false
    );
    c.act(MEL, "addContentRef", json!({ "ref": { "type": "conversation", "id": "n" } }));
    assert_eq!(c.list("contentRefs", "type"), ["note", "conversation"]);
    c.act(MEL, "removeContentRef", json!({ "type": "note", "id": "n" }));
    assert_eq!(c.list("contentRefs", "type"), ["conversation"]);

    c.act(MEL, "invite", json!({ "invitation": { "id": "i", "inviteeDid": person("nia") } }));
    assert_eq!(c.view("invitations")[0]["roles"], json!(["member"]));
    assert_eq!(c.view_of("invitations", json!({ "now": NOW * 2.0 }))[0]["status"], "expired");
    c.act("nia", "acceptInvitation", json!({ "id": "i" }));
    assert_eq!(c.view("invitations")[0]["status"], "accepted");
    let members = c.view("members");
    assert_eq!(find(&members, "did", &person("nia"))["addedBy"], json!(person(MEL)));
    c.act(MEL, "invite", json!({ "invitation": { "id": "j", "inviteeDid": person("ned") } }));
    c.act("ned", "rejectInvitation", json!({ "id": "j" }));
    assert_eq!(texts(&c.view("invitations"), "status"), ["accepted", "rejected"]);
    c.act(OLGA, "removeMember", json!({ "id": person("nia") }));

    let log = c.view("auditLog");
    assert_eq!(
        texts(&log, "action"),
        [
            "circle:create",
            "member:add",
            "settings:update",
            "member:update",
            "invitation:create",
            "invitation:accept",
            "invitation:create",
            "invitation:reject",
            "member:remove",
        ]
    );
    assert_eq!(log[2]["details"], json!({ "sharingPolicy": "all-members", "maxMembers": 9 }));
    assert_eq!(log[8]["targetDid"], json!(person("nia")));
    assert_eq!(log[8]["actorDid"], json!(person(OLGA)));
}

#[test]
fn a_group_is_edited_by_every_operation() {
    let mut g = created(DocumentKind::Group);
    assert_eq!(
        g.view("settings"),
        json!({
            "visibility": "approval", "type": "general", "allowMemberInvite": true, "allowMemberPost": true,
        })
    );
    // What is set is what is read.
    g.act(OLGA, "setName", json!({ "name": "Gardeners" }));
    g.act(OLGA, "setDescription", json!({ "description": "We dig." }));
    assert_eq!((g.view("name"), g.view("description")), (json!("Gardeners"), json!("We dig.")));
    g.act(
        MEL,
        "updateMember",
        json!({ "id": "m-1", "changes": { "notifyOnPost": false, "metadata": { "a": 1 } } }),
    );

    let post = json!({
        "id": "p", "groupId": "g", "content": "look", "contentType": "link", "attachments": ["a"],
        "likeCount": 99, "commentCount": 99,
    });
    assert_eq!(g.act(MEL, "addPost", json!({ "post": post })), true);
    assert_eq!(g.act(MEL, "addPost", json!({ "post": post })), false);
    g.act(OLGA, "likePost", json!({ "id": "p" }));
    g.act(OLGA, "likePost", json!({ "id": "p" }));
    g.act(MEL, "likePost", json!({ "id": "p" }));
    g.act(OLGA, "addComment", json!({ "comment": { "id": "c", "postId": "p", "content": "oh" } }));
    let read = &g.view("posts")[0];
    assert_eq!((&read["likeCount"], &read["commentCount"]), (&json!(2), &json!(1)));
    assert_eq!(read["likes"], json!([person(MEL), person(OLGA)]));
    assert_eq!(read["createdAt"], read["updatedAt"]);
    g.act(OLGA, "unlikePost", json!({ "id": "p" }));
    g.act(MEL, "editPost", json!({ "id": "p", "changes": { "content": "look!" } }));
    let read = &g.view("posts")[0];
    assert_eq!((&read["likeCount"], &read["content"]), (&json!(1), &json!("look!")));
    assert!(read["updatedAt"].as_f64() > read["createdAt"].as_f64());
    assert_eq!(texts(&g.view_of("comments", json!({ "postId": "p" })), "content"), ["oh"]);

    let members = g.view("members");
    let mel = find(&members, "id", "m-1");
    assert_eq!(mel["postCount"], 1);
    assert_eq!((&mel["notifyOnPost"], &mel["showInFeed"]), (&json!(false), &json!(true)));
    assert_eq!((&mel["userDid"], &mel["metadata"]), (&json!(person(MEL)), &json!({ "a": 1 })));

    g.act(OLGA, "removeComment", json!({ "id": "c" }));
    assert_eq!(g.view("posts")[0]["commentCount"], 0);
    g.act("nia", "join", json!({ "member": { "displayName": "Nia" } }));
    assert_eq!(g.list("joinRequests", "displayName"), ["Nia"]);
    g.act(OLGA, "approveJoin", json!({ "did": person("nia") }));
    assert_eq!(find(&g.view("members"), "userDid", &person("nia"))["displayName"], "Nia");
    assert_eq!(g.view("joinRequests"), json!([]));
    g.act("ned", "join", json!({}));
    g.act("ned", "rejectJoin", json!({ "did": person("ned") }));
    assert_eq!(g.view("joinRequests"), json!([]));
    g.act(MEL, "removePost", json!({ "id": "p" }));
    assert_eq!(g.view("postCount"), 0);
    g.act(MEL, "addPost", json!({ "post": post }));
    assert_eq!(g.view("posts")[0]["likeCount"], 0, "likes don't outlive a post");
}

#[test]
fn a_team_is_edited_by_every_operation() {
    let mut t = created(DocumentKind::Team);
    assert_eq!(
        t.view("settings"),
        json!({
            "visibility": "invite", "type": "project", "allowGuestAccess": false, "requireApproval": true,
        })
    );
    let general = &t.view("channels")[0];
    assert_eq!((&general["name"], &general["type"]), (&json!("general"), &json!("public")));
    assert_eq!((&general["sortOrder"], &general["memberCount"]), (&json!(0), &json!(1)));
    t.act(OLGA, "setName", json!({ "name": "Crew" }));
    t.act(OLGA, "setDescription", json!({ "description": "We sail." }));
    assert_eq!((t.view("name"), t.view("description")), (json!("Crew"), json!("We sail.")));
    t.act(
        MEL,
        "updateMember",
        json!({ "id": "m-1", "changes": { "title": "Mate", "notifyAll": true } }),
    );

    let say = |id: &str, channel: &str| json!({ "message": { "id": id, "channelId": channel, "content": id } });
    assert_eq!(t.act(MEL, "addMessage", say("a", "general")), true);
    assert_eq!(t.act(MEL, "addMessage", say("a", "general")), false);
    let members = t.view_of("channelMembers", json!({ "id": "general" }));
    assert_eq!(members.as_array().unwrap().len(), 2, "who posts in a public channel joins it");
    let thread = json!({ "id": "b", "channelId": "general", "content": "re", "parentId": "a" });
    t.act(OLGA, "addMessage", json!({ "message": thread }));
    assert_eq!(texts(&t.view_of("thread", json!({ "id": "a" })), "id"), ["b"]);

    t.act(MEL, "addReaction", json!({ "id": "a", "emoji": "👍" }));
    t.act(OLGA, "addReaction", json!({ "id": "a", "emoji": "👍" }));
    t.act(OLGA, "addReaction", json!({ "id": "a", "emoji": "🎉" }));
    t.act(OLGA, "removeReaction", json!({ "id": "a", "emoji": "👍" }));
    let messages = t.view_of("messages", json!({ "id": "general" }));
    assert_eq!(messages[0]["reactions"], json!({ "👍": [person(MEL)], "🎉": [person(OLGA)] }));
    assert_eq!(messages[1]["reactions"], json!({}));
    t.act(MEL, "editMessage", json!({ "id": "a", "content": "A" }));
    let edited = &t.view_of("messages", json!({ "id": "general" }))[0];
    assert_eq!(edited["content"], "A");
    assert!(edited["editedAt"].is_number());

    let channel = json!({ "id": "ops", "name": "Ops", "type": "private", "sortOrder": -1 });
    t.act(MEL, "addChannel", json!({ "channel": channel }));
    assert_eq!(t.list("channels", "id"), ["ops", "general"]);
    t.act(
        MEL,
        "updateChannel",
        json!({ "id": "ops", "changes": { "name": "Operations", "sortOrder": 1 } }),
    );
    assert_eq!(t.list("channels", "name"), ["general", "Operations"]);
    t.act(MEL, "addChannelMember", json!({ "id": "ops", "did": person(OLGA) }));
    t.act(
        OLGA,
        "updateChannelMember",
        json!({ "id": "ops", "changes": { "mute": true, "lastReadAt": 7 } }),
    );
    let members = t.view_of("channelMembers", json!({ "id": "ops" }));
    assert_eq!(
        *find(&members, "userDid", &person(OLGA)),
        json!({
            "channelId": "ops", "userDid": person(OLGA), "notify": true, "mute": true, "lastReadAt": 7,
        })
    );
    t.act(OLGA, "addMessage", say("c", "ops"));
    let counts = t.view("channels");
    assert_eq!((&counts[1]["memberCount"], &counts[1]["messageCount"]), (&json!(2), &json!(1)));
    t.act(OLGA, "leaveChannel", json!({ "id": "ops" }));
    assert!(t.check(OLGA, "addMessage", say("d", "ops")).is_err());
    t.act(MEL, "removeChannelMember", json!({ "id": "ops", "did": person(MEL) }));

    let members = t.view("members");
    let mel = find(&members, "id", "m-1");
    assert_eq!((&mel["title"], &mel["notifyAll"]), (&json!("Mate"), &json!(true)));
    assert_eq!((&mel["notifyMentions"], &mel["messageCount"]), (&json!(true), &json!(1)));

    t.act(OLGA, "removeChannel", json!({ "id": "ops" }));
    assert_eq!(t.view("messageCount"), 2, "a channel's messages go with it");
    t.act(MEL, "deleteMessage", json!({ "id": "a" }));
    t.act(MEL, "addMessage", say("a", "general"));
    let again = t.view_of("messages", json!({ "id": "general" }));
    assert_eq!(*find(&again, "id", "a")["reactions"].as_object().unwrap(), serde_json::Map::new());
    t.act(OLGA, "removeMember", json!({ "id": "m-1" }));
    assert_eq!(t.view("channels")[0]["memberCount"], 1);
}

#[test]
fn a_profile_belongs_to_whom_it_was_first_edited_by() {
    let mut p = Replica::new(DocumentKind::Profile, 1);
    assert!(p.view("did").is_null());
    p.act(OLGA, "setDisplayName", json!({ "displayName": "Olga" }));
    assert_eq!(p.view("did"), json!(person(OLGA)));
    p.act(OLGA, "setBio", json!({ "bio": "reads" }));
    p.act(OLGA, "setAvatar", json!({ "changes": { "url": "a", "alt": "b" } }));
    p.act(OLGA, "setAvatar", json!({ "changes": { "alt": null } }));
    assert_eq!((p.view("displayName"), p.view("bio")), (json!("Olga"), json!("reads")));
    assert_eq!(p.view("avatar"), json!({ "url": "a" }));
    assert_eq!(p.act(OLGA, "addCircle", json!({ "id": "c" })), true);
    assert_eq!(p.act(OLGA, "addCircle", json!({ "id": "c" })), false);
    p.act(OLGA, "addCircle", json!({ "id": "d" }));
    assert_eq!(p.view("circles"), json!(["c", "d"]));
    p.act(OLGA, "removeCircle", json!({ "id": "c" }));
    assert_eq!(p.view("circles"), json!(["d"]));
    for (op, args) in [
        ("setDisplayName", json!({ "displayName": "x" })),
        ("setBio", json!({ "bio": "x" })),
        ("setAvatar", json!({ "changes": {} })),
        ("addCircle", json!({ "id": "x" })),
        ("removeCircle", json!({ "id": "d" })),
        ("create", json!({})),
    ] {
        assert_eq!(p.refused(MEL, op, args), Refusal::NotAuthor(person(OLGA)), "{op}");
    }
}

#[test]
fn settings_are_set_one_by_one() {
    let mut s = Replica::new(DocumentKind::Settings, 1);
    s.act(OLGA, "create", json!({}));
    s.act(OLGA, "set", json!({ "key": "theme", "value": "dark" }));
    s.act(OLGA, "update", json!({ "changes": { "size": 12, "theme": "light" } }));
    assert_eq!(s.view("settings"), json!({ "theme": "light", "size": 12 }));
    s.act(OLGA, "delete", json!({ "key": "size" }));
    assert_eq!(s.view("settings"), json!({ "theme": "light" }));
    let update = json!({ "changes": { "theme": "x" } });
    assert_eq!(s.refused(MEL, "update", update), Refusal::NotAuthor(person(OLGA)));
}

#[test]
fn arguments_are_checked() {
    let mut c = created(DocumentKind::Conversation);
    let long = "x".repeat(limits::MAX_CONTENT + 1);
    for (op, args, field) in [
        ("addMessage", json!({ "message": { "content": "x" } }), "id"),
        ("addMessage", json!({ "message": { "id": "", "content": "x" } }), "id"),
        ("addMessage", json!({ "message": { "id": "a\n", "content": "x" } }), "id"),
        ("addMessage", json!({ "message": { "id": "a", "content": 1 } }), "content"),
        ("addMessage", json!({ "message": { "id": "a", "content": long } }), "content"),
        ("addMessage", json!({ "message": { "id": "a", "content": "", "type": "x" } }), "type"),
        (
            "addMessage",
            json!({ "message": { "id": "a", "content": "", "timestamp": -1 } }),
            "timestamp",
        ),
        ("addMessage", json!({ "message": [] }), "message"),
        ("addParticipant", json!({ "member": { "did": "a b" } }), "did"),
        ("addParticipant", json!({ "member": { "did": "a", "role": "king" } }), "role"),
        ("addParticipant", json!({ "member": { "did": "a", "role": 1 } }), "role"),
        ("setTitle", json!({ "title": 1 }), "title"),
        ("setTitle", json!({}), "title"),
        ("setMetadata", json!({ "key": "k", "value": long }), "value"),
        ("editMessage", json!({ "id": "a" }), "content"),
    ] {
        let shown = format!("{op}: {field}");
        match c.refused(OLGA, op, args) {
            Refusal::Invalid { field: named, .. } => assert_eq!(named, field, "{shown}"),
            other => panic!("{shown}: {other:?}"),
        }
    }
    assert!(matches!(c.refused(OLGA, "dance", json!({})), Refusal::Unknown { .. }));
    assert!(matches!(c.refused("a b", "leave", json!({})), Refusal::Invalid { .. }));
}

#[test]
fn limits_are_kept() {
    let mut s = Replica::new(DocumentKind::Settings, 1);
    for at in 0..limits::MAX_KEYS {
        s.act(OLGA, "set", json!({ "key": format!("k{at}"), "value": at }));
    }
    s.act(OLGA, "set", json!({ "key": "k0", "value": "replaced" }));
    let more = json!({ "key": "more", "value": 1 });
    let full = Refusal::Full { what: "settings", max: limits::MAX_KEYS };
    assert_eq!(s.refused(OLGA, "set", more), full);

    let mut c = Replica::new(DocumentKind::Circle, 1);
    c.act(OLGA, "create", json!({}));
    for at in 0..limits::MAX_AUDIT {
        c.act(OLGA, "updateSettings", json!({ "changes": { "maxMembers": at + 1 } }));
    }
    let log = c.view("auditLog");
    assert_eq!(log.as_array().unwrap().len(), limits::MAX_AUDIT);
    assert_eq!(log[0]["action"], "settings:update", "the oldest entry left");
}

#[test]
fn one_operation_is_one_update() {
    let mut c = created(DocumentKind::Team);
    let by = vivim_social::By { did: &person(OLGA), now: NOW };
    let args = support::record(json!({ "channel": { "id": "x", "name": "X" } }));
    vivim_social::documents::execute(&mut c.doc, c.kind, "addChannel", &args, by).unwrap();
    assert_eq!(c.doc.take_updates().len(), 1);
}

#[test]
fn every_root_that_is_written_has_an_event() {
    let mut replicas: Vec<Replica> =
        [DocumentKind::Circle, DocumentKind::Conversation, DocumentKind::Group, DocumentKind::Team]
            .into_iter()
            .map(created)
            .collect();
    let mut friend = Replica::new(DocumentKind::Friend, 1);
    friend.act(OLGA, "block", json!({ "id": person(MEL) }));
    let mut follow = Replica::new(DocumentKind::Follow, 1);
    follow.act(OLGA, "setPrivate", json!({ "private": true }));
    let mut profile = Replica::new(DocumentKind::Profile, 1);
    profile.act(OLGA, "setBio", json!({ "bio": "x" }));
    let mut settings = Replica::new(DocumentKind::Settings, 1);
    settings.act(OLGA, "set", json!({ "key": "a", "value": 1 }));
    replicas.extend([friend, follow, profile, settings]);
    for replica in &replicas {
        let roots: Vec<&str> = events::of(replica.kind).iter().map(|(root, ..)| *root).collect();
        let written = support::json_of(&replica.doc.to_value());
        for root in written.as_object().unwrap().keys() {
            assert!(roots.contains(&root.as_str()), "{:?}: {root}", replica.kind);
        }
    }
}
