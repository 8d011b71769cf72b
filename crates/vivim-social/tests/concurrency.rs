//! What happens when two or three replicas edit at once, in every order of arrival.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests may panic.

mod support;

use serde_json::json;
use support::{Replica, at_once, everything, person, sync, texts};
use vivim_social::{DocumentKind, Refusal};

const OLGA: &str = "olga";
const MEL: &str = "mel";
const NED: &str = "ned";

fn created(kind: DocumentKind) -> Replica {
    let mut replica = Replica::new(kind, 1);
    replica.act(OLGA, "create", json!({}));
    let add = if kind == DocumentKind::Conversation { "addParticipant" } else { "addMember" };
    for (name, role) in [(MEL, "member"), (NED, "member")] {
        let member = json!({ "did": person(name), "userDid": person(name), "role": role });
        replica.act(OLGA, add, json!({ "member": member }));
    }
    replica
}

#[test]
fn likes_of_two_are_two() {
    let mut base = created(DocumentKind::Group);
    base.act(MEL, "addPost", json!({ "post": { "id": "p", "content": "x" } }));
    at_once(
        &base,
        |replica| drop(replica.act(MEL, "likePost", json!({ "id": "p" }))),
        |replica| drop(replica.act(NED, "likePost", json!({ "id": "p" }))),
        |replica| assert_eq!(replica.view("posts")[0]["likeCount"], 2),
    );
}

#[test]
fn a_like_survives_another_ones_withdrawal() {
    let mut base = created(DocumentKind::Group);
    base.act(MEL, "addPost", json!({ "post": { "id": "p", "content": "x" } }));
    base.act(MEL, "likePost", json!({ "id": "p" }));
    at_once(
        &base,
        |replica| drop(replica.act(MEL, "unlikePost", json!({ "id": "p" }))),
        |replica| drop(replica.act(NED, "likePost", json!({ "id": "p" }))),
        |replica| assert_eq!(replica.view("posts")[0]["likes"], json!([person(NED)])),
    );
}

#[test]
fn reactions_of_two_to_a_message_without_any_are_two() {
    let mut base = created(DocumentKind::Team);
    let message = json!({ "id": "m", "channelId": "general", "content": "x" });
    base.act(MEL, "addMessage", json!({ "message": message }));
    at_once(
        &base,
        |replica| drop(replica.act(MEL, "addReaction", json!({ "id": "m", "emoji": "👍" }))),
        |replica| {
            replica.act(NED, "addReaction", json!({ "id": "m", "emoji": "👍" }));
            replica.act(NED, "addReaction", json!({ "id": "m", "emoji": "🎉" }));
        },
        |replica| {
            let messages = replica.view_of("messages", json!({ "id": "general" }));
            let both = json!({ "👍": [person(MEL), person(NED)], "🎉": [person(NED)] });
            assert_eq!(messages[0]["reactions"], both);
        },
    );
}

#[test]
fn two_edits_of_a_title_both_stay() {
    for kind in [DocumentKind::Circle, DocumentKind::Group, DocumentKind::Team] {
        let mut base = created(kind);
        base.act(OLGA, "setName", json!({ "name": "the red house" }));
        at_once(
            &base,
            |replica| drop(replica.act(OLGA, "setName", json!({ "name": "the old red house" }))),
            |replica| drop(replica.act(OLGA, "setName", json!({ "name": "the red houses" }))),
            |replica| assert_eq!(replica.view("name"), "the old red houses", "{kind:?}"),
        );
    }
    let mut base = created(DocumentKind::Conversation);
    base.act(OLGA, "setTitle", json!({ "title": "lunch" }));
    at_once(
        &base,
        |replica| drop(replica.act(OLGA, "setTitle", json!({ "title": "lunch?" }))),
        |replica| drop(replica.act(OLGA, "setTitle", json!({ "title": "late lunch" }))),
        |replica| assert_eq!(replica.view("title"), "late lunch?"),
    );
}

#[test]
fn a_message_sent_twice_is_one_edited_as_one_and_removed_as_one() {
    let send = |replica: &mut Replica| {
        drop(replica.act(MEL, "addMessage", json!({ "message": { "id": "m", "content": "x" } })));
    };
    at_once(&created(DocumentKind::Conversation), send, send, |replica| {
        assert_eq!(replica.list("messages", "id"), ["m"]);
        replica.act(MEL, "editMessage", json!({ "id": "m", "content": "y" }));
        assert_eq!(replica.list("messages", "content"), ["y"]);
        replica.act(MEL, "removeMessage", json!({ "id": "m" }));
        assert_eq!(replica.view("messages"), json!([]));
    });
}

#[test]
fn a_message_is_known_by_its_id_however_many_have_come_since() {
    let mut c = created(DocumentKind::Conversation);
    let message = |at: usize| json!({ "message": { "id": format!("m{at}"), "content": "x" } });
    for at in 0..400 {
        assert_eq!(c.act(MEL, "addMessage", message(at)), true);
    }
    assert_eq!(c.act(MEL, "addMessage", message(0)), false);
    assert_eq!(c.refused(NED, "addMessage", message(0)), Refusal::Exists("a message"));
    c.act(MEL, "removeMessage", json!({ "id": "m0" }));
    assert_eq!(c.act(NED, "addMessage", message(0)), true);
    let ids = c.list("messages", "id");
    assert_eq!((ids.len(), ids.last().unwrap().as_str()), (400, "m0"));
}

#[test]
fn messages_keep_the_order_in_which_each_wrote_them() {
    let base = created(DocumentKind::Conversation);
    let write = |who: &'static str| {
        move |replica: &mut Replica| {
            for at in 0..3 {
                let message = json!({ "id": format!("{who}{at}"), "content": "" });
                replica.act(who, "addMessage", json!({ "message": message }));
            }
        }
    };
    at_once(&base, write(MEL), write(NED), |replica| {
        let ids = replica.list("messages", "id");
        for who in [MEL, NED] {
            let own: Vec<&String> = ids.iter().filter(|id| id.starts_with(who)).collect();
            assert_eq!(own, [&format!("{who}0"), &format!("{who}1"), &format!("{who}2")]);
        }
        assert_eq!(ids.len(), 6);
    });
}

#[test]
fn whoever_is_removed_is_out_whatever_role_they_got_at_once() {
    for kind in [DocumentKind::Circle, DocumentKind::Group, DocumentKind::Team] {
        let promote =
            json!({ "id": person(MEL), "changes": { "role": "admin", "displayName": "M" } });
        at_once(
            &created(kind),
            |replica| drop(replica.act(OLGA, "removeMember", json!({ "id": person(MEL) }))),
            |replica| drop(replica.act(OLGA, "updateMember", promote.clone())),
            |replica| {
                assert!(replica.view_of("role", json!({ "did": person(MEL) })).is_null());
                assert!(replica.check(MEL, "setName", json!({ "name": "x" })).is_err());
            },
        );
    }
}

#[test]
fn role_name_and_permissions_of_a_member_change_at_once() {
    let id = person(MEL);
    let change = |changes: serde_json::Value| {
        let args = json!({ "id": id, "changes": changes });
        move |replica: &mut Replica| drop(replica.act(OLGA, "updateMember", args.clone()))
    };
    let two = json!({ "permissions": { "remove": true }, "displayName": "Mel" });
    at_once(
        &created(DocumentKind::Circle),
        change(json!({ "role": "moderator", "permissions": { "invite": true } })),
        change(two),
        |replica| {
            let members = replica.view("members");
            let mel = members.as_array().unwrap().iter().find(|m| m["did"] == id).unwrap();
            assert_eq!((&mel["role"], &mel["displayName"]), (&json!("moderator"), &json!("Mel")));
            assert_eq!(mel["permissions"]["invite"], true);
            assert_eq!(mel["permissions"]["remove"], true);
        },
    );
}

#[test]
fn two_settings_change_at_once() {
    at_once(
        &created(DocumentKind::Circle),
        |replica| {
            let changes = json!({ "encryption": false });
            replica.act(OLGA, "updateSettings", json!({ "changes": changes }));
        },
        |replica| {
            let changes = json!({ "visibility": "public" });
            replica.act(OLGA, "updateSettings", json!({ "changes": changes }));
        },
        |replica| {
            let settings = replica.view("settings");
            assert_eq!(settings["encryption"], false);
            assert_eq!(settings["visibility"], "public");
        },
    );
    let settings = Replica::new(DocumentKind::Settings, 1);
    at_once(
        &settings,
        |replica| drop(replica.act(OLGA, "set", json!({ "key": "a", "value": 1 }))),
        |replica| drop(replica.act(OLGA, "update", json!({ "changes": { "b": 2 } }))),
        |replica| assert_eq!(replica.view("settings"), json!({ "a": 1, "b": 2 })),
    );
}

#[test]
fn two_who_create_at_once_have_one_owner_and_the_other_is_a_member() {
    for kind in [DocumentKind::Conversation, DocumentKind::Circle, DocumentKind::Group] {
        at_once(
            &Replica::new(kind, 1),
            |replica| drop(replica.act(OLGA, "create", json!({}))),
            |replica| {
                replica.now += 5.0;
                replica.act(MEL, "create", json!({}));
            },
            |replica| {
                assert_eq!(replica.view("owner"), json!(person(OLGA)));
                assert_eq!(replica.view_of("role", json!({ "did": person(MEL) })), "member");
                // The ownership goes where it is given, not to the other who was written down.
                let add =
                    if kind == DocumentKind::Conversation { "addParticipant" } else { "addMember" };
                let member = json!({ "did": person(NED), "userDid": person(NED) });
                replica.act(OLGA, add, json!({ "member": member }));
                replica.act(OLGA, "transferOwnership", json!({ "id": person(NED) }));
                assert_eq!(replica.view("owner"), json!(person(NED)));
            },
        );
    }
}

#[test]
fn a_transfer_to_somebody_who_is_removed_at_once_leaves_an_owner() {
    let mut base = created(DocumentKind::Group);
    base.act(OLGA, "updateMember", json!({ "id": person(NED), "changes": { "role": "admin" } }));
    at_once(
        &base,
        |replica| drop(replica.act(OLGA, "transferOwnership", json!({ "id": person(MEL) }))),
        |replica| drop(replica.act(NED, "removeMember", json!({ "id": person(MEL) }))),
        |replica| assert_eq!(replica.view("owner"), json!(person(OLGA))),
    );
}

#[test]
fn a_message_to_a_channel_that_is_removed_at_once_is_gone() {
    let mut base = created(DocumentKind::Team);
    base.act(MEL, "addChannel", json!({ "channel": { "id": "x" } }));
    at_once(
        &base,
        |replica| drop(replica.act(MEL, "removeChannel", json!({ "id": "x" }))),
        |replica| {
            let message = json!({ "id": "m", "channelId": "x", "content": "" });
            replica.act(NED, "addMessage", json!({ "message": message }));
        },
        |replica| {
            assert_eq!(replica.view_of("messages", json!({ "id": "x" })), json!([]));
            assert_eq!(replica.view("messageCount"), 0);
            assert_eq!(replica.list("channels", "id"), ["general"]);
        },
    );
}

#[test]
fn content_shared_twice_is_shared_once() {
    let mut base = created(DocumentKind::Circle);
    let changes = json!({ "sharingPolicy": "all-members" });
    base.act(OLGA, "updateSettings", json!({ "changes": changes }));
    let share = |who: &'static str| {
        move |replica: &mut Replica| {
            drop(replica.act(who, "addContentRef", json!({ "ref": { "type": "t", "id": "i" } })));
        }
    };
    at_once(&base, share(MEL), share(NED), |replica| {
        assert_eq!(replica.list("contentRefs", "id"), ["i"]);
        let author = replica.list("contentRefs", "addedBy").remove(0);
        replica.act(&author, "removeContentRef", json!({ "type": "t", "id": "i" }));
        assert_eq!(replica.view("contentRefs"), json!([]));
    });
}

/// A small generator of random numbers, so that a seed names a run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn of<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len() as u64) as usize]
    }
}

/// One random operation; refusals are as good as anything.
fn random_edit(replica: &mut Replica, dice: &mut Dice) {
    const PEOPLE: [&str; 4] = [OLGA, MEL, NED, "sue"];
    let who = dice.of(&PEOPLE);
    let whom = person(dice.of(&PEOPLE));
    let id = format!("i{}", dice.roll(6));
    let role = dice.of(&["member", "moderator", "admin", "viewer", "guest"]);
    let text = dice.of(&["red house", "old house", "a red, old house", "", "house!"]);
    let (op, args) = match replica.kind {
        DocumentKind::Friend => match dice.roll(7) {
            0 => ("acceptRequest", json!({ "id": id })),
            1 => ("rejectRequest", json!({ "id": id })),
            2 => ("cancelRequest", json!({ "id": id })),
            3 => ("removeFriend", json!({ "id": id })),
            4 => ("block", json!({ "id": whom })),
            5 => ("unblock", json!({ "id": whom })),
            _ => ("sendRequest", json!({ "request": { "id": id, "addresseeDid": whom } })),
        },
        DocumentKind::Follow => match dice.roll(6) {
            0 => ("approveFollow", json!({ "id": id })),
            1 => ("removeFollow", json!({ "id": id })),
            2 => ("block", json!({ "id": whom })),
            3 => ("unblock", json!({ "id": whom })),
            4 => ("setPrivate", json!({ "private": dice.roll(2) == 0 })),
            _ => ("addFollow", json!({ "follow": { "id": id, "followingDid": whom } })),
        },
        DocumentKind::Profile => match dice.roll(4) {
            0 => ("setDisplayName", json!({ "displayName": text })),
            1 => ("addCircle", json!({ "id": id })),
            2 => ("removeCircle", json!({ "id": id })),
            _ => ("setAvatar", json!({ "changes": { "url": text } })),
        },
        DocumentKind::Settings => ("set", json!({ "key": id, "value": text })),
        kind => match dice.roll(14) {
            0 => ("removeMember", json!({ "id": whom })),
            1 | 2 => {
                let add =
                    if kind == DocumentKind::Conversation { "addParticipant" } else { "addMember" };
                (add, json!({ "member": { "did": whom, "userDid": whom, "role": role } }))
            }
            3 => ("updateMember", json!({ "id": whom, "changes": { "role": role } })),
            4 => ("transferOwnership", json!({ "id": whom })),
            5 => ("setName", json!({ "name": text })),
            6 => ("setTitle", json!({ "title": text })),
            7 | 8 => match kind {
                DocumentKind::Conversation => {
                    ("addMessage", json!({ "message": { "id": id, "content": text } }))
                }
                DocumentKind::Team => {
                    let message = json!({ "id": id, "channelId": "general", "content": text });
                    ("addMessage", json!({ "message": message }))
                }
                _ => ("addPost", json!({ "post": { "id": id, "content": text } })),
            },
            9 => ("removeMessage", json!({ "id": id })),
            10 => ("editMessage", json!({ "id": id, "content": text })),
            11 => match kind {
                DocumentKind::Team => ("addReaction", json!({ "id": id, "emoji": "👍" })),
                _ => ("likePost", json!({ "id": id })),
            },
            12 => ("removePost", json!({ "id": id })),
            _ => ("join", json!({})),
        },
    };
    let _ = replica.try_as(who, op, args);
}

#[test]
fn random_edits_of_three_replicas_converge() {
    for kind in DocumentKind::ALL {
        for seed in 0..25 {
            let mut dice = Dice(seed);
            let mut base = Replica::new(kind, 1);
            let _ = base.try_as(OLGA, "create", json!({}));
            let changes = json!({ "sharingPolicy": "all-members", "visibility": "public", "allowGuestAccess": true });
            let _ = base.try_as(OLGA, "updateSettings", json!({ "changes": changes }));
            let mut replicas: Vec<Replica> = (2..5).map(|client| base.fork(client)).collect();
            for _ in 0..60 {
                let at = dice.roll(3) as usize;
                if dice.roll(6) == 0 {
                    let from = replicas[dice.roll(3) as usize].everything();
                    replicas[at].receive(&from);
                } else {
                    random_edit(&mut replicas[at], &mut dice);
                }
            }
            let updates: Vec<Vec<u8>> = replicas.iter().map(Replica::everything).collect();
            for (at, replica) in replicas.iter_mut().enumerate() {
                // Each hears of the others in an order of its own.
                for step in 0..3 {
                    replica.receive(&updates[(at + step * 2) % 3]);
                }
            }
            let all: Vec<_> = replicas.iter_mut().map(everything).collect();
            assert_eq!(all[0], all[1], "{kind:?}, seed {seed}");
            assert_eq!(all[0], all[2], "{kind:?}, seed {seed}");
        }
    }
}

#[test]
fn what_a_fork_missed_comes_by_sync() {
    let mut a = created(DocumentKind::Conversation);
    let mut b = a.fork(9);
    a.act(MEL, "addMessage", json!({ "message": { "id": "1", "content": "" } }));
    b.act(NED, "addMessage", json!({ "message": { "id": "2", "content": "" } }));
    sync(&mut a, &mut b);
    assert_eq!(texts(&a.view("messages"), "id"), texts(&b.view("messages"), "id"));
    assert_eq!(a.view("messageCount"), 2);
}
