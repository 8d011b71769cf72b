//! Friends and follows: their state machines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests may panic.

mod support;

use serde_json::{Value as Json, json};
use support::{NOW, Replica, at_once, person, texts};
use vivim_social::{DocumentKind, Refusal};

const ANN: &str = "ann";
const BOB: &str = "bob";
const CAT: &str = "cat";

fn friends() -> Replica {
    Replica::new(DocumentKind::Friend, 1)
}

fn ask(id: &str, whom: &str) -> Json {
    json!({ "request": { "id": id, "addresseeDid": person(whom), "message": "hi" } })
}

fn id(id: &str) -> Json {
    json!({ "id": id })
}

fn status(replica: &mut Replica, id: &str) -> String {
    let friends = replica.view("friends");
    let row = friends.as_array().unwrap().iter().find(|row| row["id"] == id);
    row.map_or("none", |row| row["status"].as_str().unwrap()).to_owned()
}

/// A replica where the request `r` of Ann to Bob is in this state.
fn in_state(state: &str) -> Replica {
    let mut replica = friends();
    if state == "none" {
        return replica;
    }
    replica.act(ANN, "sendRequest", ask("r", BOB));
    match state {
        "pending" => {}
        "accepted" => drop(replica.act(BOB, "acceptRequest", id("r"))),
        "rejected" => drop(replica.act(BOB, "rejectRequest", id("r"))),
        "cancelled" => drop(replica.act(ANN, "cancelRequest", id("r"))),
        "blocked" => drop(replica.act(BOB, "block", id("r"))),
        _ => unreachable!(),
    }
    assert_eq!(status(&mut replica, "r"), state);
    replica
}

#[test]
fn every_transition_of_a_friendship() {
    const STATES: [&str; 6] = ["none", "pending", "accepted", "rejected", "cancelled", "blocked"];
    // Operation, who, and the states in which it is allowed.
    let rows: &[(&str, &str, Json, &[&str])] = &[
        ("sendRequest", ANN, ask("s", BOB), &["none", "rejected", "cancelled"]),
        ("sendRequest", BOB, ask("s", ANN), &["none", "rejected", "cancelled"]),
        ("acceptRequest", BOB, id("r"), &["pending"]),
        ("acceptRequest", ANN, id("r"), &[]),
        ("acceptRequest", CAT, id("r"), &[]),
        ("rejectRequest", BOB, id("r"), &["pending"]),
        ("rejectRequest", ANN, id("r"), &[]),
        ("cancelRequest", ANN, id("r"), &["pending"]),
        ("cancelRequest", BOB, id("r"), &[]),
        ("removeFriend", ANN, id("r"), &["accepted", "rejected", "cancelled"]),
        ("removeFriend", BOB, id("r"), &["accepted", "rejected", "cancelled"]),
        ("removeFriend", CAT, id("r"), &[]),
        ("block", ANN, json!({ "id": person(BOB) }), &STATES),
        ("block", BOB, json!({ "id": person(ANN) }), &STATES),
        ("block", CAT, id("r"), &["none"]),
        ("unblock", BOB, json!({ "id": person(ANN) }), &["blocked"]),
        ("unblock", ANN, json!({ "id": person(BOB) }), &[]),
    ];
    for (op, who, args, allowed) in rows {
        for state in STATES {
            if *op == "block" && *who == CAT && state == "none" {
                // Without a row the id stands for a DID.
                continue;
            }
            let allowed = allowed.contains(&state);
            let judged = in_state(state).check(who, op, args.clone());
            assert_eq!(judged.is_ok(), allowed, "{who} {op} when {state}: {judged:?}");
        }
    }
}

#[test]
fn a_request_is_made_in_ones_own_name_and_to_somebody_else() {
    let mut replica = friends();
    let forged = json!({ "request": { "id": "r", "requesterDid": person(BOB), "addresseeDid": person(CAT) } });
    assert_eq!(replica.refused(ANN, "sendRequest", forged), Refusal::NotAuthor(person(BOB)));
    assert!(replica.check(ANN, "sendRequest", ask("r", ANN)).is_err());
}

#[test]
fn an_answer_is_dated_and_a_request_repeated_is_one() {
    let mut replica = in_state("accepted");
    let row = &replica.view("friends")[0];
    assert_eq!(row["requesterDid"], person(ANN));
    assert_eq!(row["message"], "hi");
    assert_eq!(row["requestedAt"], json!(NOW as u64 + 1));
    assert_eq!(row["respondedAt"], json!(NOW as u64 + 2));
    let pair = json!({ "a": person(BOB), "b": person(ANN) });
    assert_eq!(replica.view_of("areFriends", pair), true);

    let mut replica = in_state("pending");
    assert_eq!(replica.act(ANN, "addFriend", ask("r", BOB)), false);
    assert_eq!(replica.view("friends").as_array().unwrap().len(), 1);
}

#[test]
fn sent_and_received_are_not_the_same() {
    let mut replica = in_state("pending");
    let of = |did: &str| json!({ "did": person(did) });
    assert_eq!(texts(&replica.view_of("pendingSent", of(ANN)), "id"), ["r"]);
    assert_eq!(texts(&replica.view_of("pendingSent", of(BOB)), "id"), [""; 0]);
    assert_eq!(texts(&replica.view_of("pendingReceived", of(BOB)), "id"), ["r"]);
    assert_eq!(texts(&replica.view_of("pendingReceived", of(ANN)), "id"), [""; 0]);
}

#[test]
fn a_block_names_the_blocker_and_outlives_everything_but_its_end() {
    let mut replica = in_state("blocked");
    assert_eq!(replica.view("friends")[0]["blockedBy"], person(BOB));
    assert_eq!(
        replica.refused(ANN, "sendRequest", ask("s", BOB)),
        Refusal::Blocked { by: person(BOB) }
    );
    assert_eq!(
        replica.refused(ANN, "unblock", json!({ "id": person(BOB) })),
        Refusal::Blocked { by: person(BOB) }
    );
    replica.act(BOB, "unblock", id("r"));
    assert_eq!(status(&mut replica, "r"), "none");
    replica.act(ANN, "sendRequest", ask("s", BOB));
}

#[test]
fn crossed_requests_are_a_friendship_under_the_lower_id() {
    at_once(
        &friends(),
        |replica| drop(replica.act(ANN, "sendRequest", ask("a", BOB))),
        |replica| drop(replica.act(BOB, "sendRequest", ask("b", ANN))),
        |replica| {
            let friends = replica.view("friends");
            assert_eq!(texts(&friends, "id"), ["a"]);
            assert_eq!(texts(&friends, "status"), ["accepted"]);
            assert!(friends[0]["respondedAt"].is_number());
            replica.act(BOB, "removeFriend", id("a"));
            assert_eq!(replica.view("friends"), json!([]));
        },
    );
}

#[test]
fn a_yes_and_a_withdrawal_at_once_are_a_withdrawal() {
    at_once(
        &in_state("pending"),
        |replica| drop(replica.act(BOB, "acceptRequest", id("r"))),
        |replica| drop(replica.act(ANN, "cancelRequest", id("r"))),
        |replica| assert_eq!(status(replica, "r"), "cancelled"),
    );
}

#[test]
fn a_yes_and_a_block_at_once_are_a_block() {
    at_once(
        &in_state("pending"),
        |replica| drop(replica.act(BOB, "acceptRequest", id("r"))),
        |replica| drop(replica.act(ANN, "block", id("r"))),
        |replica| {
            assert_eq!(status(replica, "r"), "blocked");
            let pair = json!({ "a": person(ANN), "b": person(BOB) });
            assert_eq!(replica.view_of("areFriends", pair), false);
        },
    );
}

#[test]
fn settings_are_each_persons_own() {
    let mut replica = friends();
    replica.act(ANN, "updateSettings", json!({ "changes": { "shareActivity": true } }));
    let of = |did: &str| json!({ "did": person(did) });
    let defaults = json!({ "notifyOnAccept": true, "shareActivity": false, "showInProfile": true });
    assert_eq!(replica.view_of("settings", of(BOB)), defaults);
    assert_eq!(replica.view_of("settings", of(ANN))["shareActivity"], true);
}

fn follow(id: &str, whom: &str) -> Json {
    json!({ "follow": { "id": id, "followingDid": person(whom) } })
}

fn follows() -> Replica {
    Replica::new(DocumentKind::Follow, 1)
}

#[test]
fn following_a_public_account_is_active_at_once_and_has_the_defaults() {
    let mut replica = follows();
    replica.act(ANN, "addFollow", follow("f", BOB));
    let row = &replica.view("follows")[0];
    assert_eq!(row["status"], "active");
    assert_eq!((&row["notifyOnPost"], &row["showInFeed"]), (&json!(false), &json!(true)));
    assert_eq!(replica.act(ANN, "addFollow", follow("f", BOB)), false);
    assert_eq!(replica.refused(ANN, "addFollow", follow("g", BOB)), Refusal::Exists("a follow"));
    assert!(replica.check(ANN, "addFollow", follow("g", ANN)).is_err());
    let pair = |a: &str, b: &str| json!({ "a": person(a), "b": person(b) });
    assert_eq!(replica.view_of("isFollowing", pair(ANN, BOB)), true);
    assert_eq!(replica.view_of("isFollowing", pair(BOB, ANN)), false);
    let of = |did: &str| json!({ "did": person(did) });
    assert_eq!(replica.view_of("followerCount", of(BOB)), 1);
    assert_eq!(replica.view_of("followingCount", of(BOB)), 0);
    assert_eq!(texts(&replica.view_of("followers", of(BOB)), "followerDid"), [person(ANN)]);
    assert_eq!(texts(&replica.view_of("following", of(ANN)), "followingDid"), [person(BOB)]);
}

#[test]
fn a_private_account_is_followed_after_approval() {
    let mut replica = follows();
    replica.act(BOB, "setPrivate", json!({ "private": true }));
    replica.act(ANN, "addFollow", follow("f", BOB));
    assert_eq!(replica.view("follows")[0]["status"], "pending");
    for (op, args) in [
        ("approveFollow", id("f")),
        ("rejectFollow", id("f")),
        ("updateFollowStatus", json!({ "id": "f", "status": "active" })),
        ("block", id("f")),
    ] {
        assert_eq!(replica.check(BOB, op, args.clone()), Ok(()), "{op}");
        assert!(replica.check(ANN, op, args.clone()).is_err(), "{op}");
        assert!(replica.check(CAT, op, args).is_err(), "{op}");
    }
    replica.act(BOB, "approveFollow", id("f"));
    assert_eq!(replica.view("follows")[0]["status"], "active");
    assert!(replica.check(BOB, "approveFollow", id("f")).is_err());
    assert!(replica.check(BOB, "rejectFollow", id("f")).is_err());
}

#[test]
fn only_the_follower_edits_notifications_and_unfollows() {
    let mut replica = follows();
    replica.act(ANN, "addFollow", follow("f", BOB));
    let notify = json!({ "id": "f", "notifyOnPost": true });
    for (op, args) in [("removeFollow", id("f")), ("updateNotificationSettings", notify.clone())] {
        assert_eq!(replica.check(ANN, op, args.clone()), Ok(()));
        assert!(replica.check(BOB, op, args.clone()).is_err());
        assert!(replica.check(CAT, op, args).is_err());
    }
    replica.act(ANN, "updateNotificationSettings", notify);
    let row = &replica.view("follows")[0];
    assert_eq!((&row["notifyOnPost"], &row["showInFeed"]), (&json!(true), &json!(true)));
}

#[test]
fn a_blocked_follower_stays_out_until_the_block_ends() {
    let mut replica = follows();
    replica.act(ANN, "addFollow", follow("f", BOB));
    replica.act(BOB, "updateFollowStatus", json!({ "id": "f", "status": "blocked" }));
    assert_eq!(replica.view("follows")[0]["status"], "blocked");
    assert_eq!(replica.view_of("followerCount", json!({ "did": person(BOB) })), 0);
    replica.act(ANN, "removeFollow", id("f"));
    assert_eq!(
        replica.refused(ANN, "addFollow", follow("g", BOB)),
        Refusal::Blocked { by: person(BOB) }
    );
    assert!(replica.check(ANN, "unblock", json!({ "id": person(BOB) })).is_err());
    replica.act(BOB, "unblock", json!({ "id": person(ANN) }));
    replica.act(ANN, "addFollow", follow("g", BOB));
}

#[test]
fn two_follows_of_one_pair_at_once_are_one() {
    at_once(
        &follows(),
        |replica| drop(replica.act(ANN, "addFollow", follow("f", BOB))),
        |replica| drop(replica.act(ANN, "addFollow", follow("g", BOB))),
        |replica| {
            assert_eq!(replica.list("follows", "id"), ["f"]);
            replica.act(ANN, "removeFollow", id("f"));
            assert_eq!(replica.view("follows"), json!([]));
        },
    );
}

#[test]
fn a_block_and_an_unfollow_and_follow_at_once_are_a_block() {
    let mut base = follows();
    base.act(ANN, "addFollow", follow("f", BOB));
    at_once(
        &base,
        |replica| drop(replica.act(BOB, "block", id("f"))),
        |replica| {
            replica.act(ANN, "removeFollow", id("f"));
            replica.act(ANN, "addFollow", follow("g", BOB));
        },
        |replica| assert_eq!(replica.list("follows", "status"), ["blocked"]),
    );
}
