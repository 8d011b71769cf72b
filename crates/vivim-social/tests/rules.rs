//! Who may do what: every row of the table of rules, for those who may and those who may not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests may panic.

mod support;

use serde_json::{Value as Json, json};
use support::{Replica, person};
use vivim_social::{DocumentKind, Refusal};

const OWNER: &str = "olga";
const ADMIN: &str = "adam";
const MODERATOR: &str = "mona";
const MEMBER: &str = "mel";
const OTHER: &str = "otto";
const LOWEST: &str = "gus";
const STRANGER: &str = "stan";

/// Who may do something, and who may not.
struct Row {
    what: &'static str,
    op: &'static str,
    args: fn(&str) -> Json,
    may: &'static [&'static str],
    may_not: &'static [&'static str],
}

fn judge_all(replica: &mut Replica, rows: &[Row]) {
    for Row { what, op, args, may, may_not } in rows {
        for did in *may {
            if let Err(refusal) = replica.check(did, op, args(did)) {
                panic!("{what}: {did} may {op} but was refused: {refusal}");
            }
        }
        for did in *may_not {
            if replica.check(did, op, args(did)).is_ok() {
                panic!("{what}: {did} may not {op}");
            }
        }
    }
}

fn did(name: &str) -> String {
    person(name)
}

fn circle(settings: Json) -> Replica {
    let mut circle = Replica::new(DocumentKind::Circle, 1);
    circle.act(OWNER, "create", json!({}));
    for (name, role) in [
        (ADMIN, "admin"),
        (MODERATOR, "moderator"),
        (MEMBER, "member"),
        (OTHER, "member"),
        (LOWEST, "viewer"),
    ] {
        circle.act(OWNER, "addMember", json!({ "member": { "did": did(name), "role": role } }));
    }
    circle.act(OWNER, "updateSettings", json!({ "changes": settings }));
    circle
}

fn group(settings: Json) -> Replica {
    let mut group = Replica::new(DocumentKind::Group, 1);
    group.act(OWNER, "create", json!({}));
    for (name, role) in
        [(ADMIN, "admin"), (MODERATOR, "moderator"), (MEMBER, "member"), (OTHER, "member")]
    {
        group.act(OWNER, "addMember", json!({ "member": { "userDid": did(name), "role": role } }));
    }
    group.act(OWNER, "updateSettings", json!({ "changes": settings }));
    group
}

fn team(settings: Json) -> Replica {
    let mut team = Replica::new(DocumentKind::Team, 1);
    team.act(OWNER, "create", json!({}));
    team.act(OWNER, "updateSettings", json!({ "changes": { "allowGuestAccess": true } }));
    for (name, role) in [(ADMIN, "admin"), (MEMBER, "member"), (OTHER, "member"), (LOWEST, "guest")]
    {
        team.act(OWNER, "addMember", json!({ "member": { "userDid": did(name), "role": role } }));
    }
    team.act(OWNER, "updateSettings", json!({ "changes": settings }));
    team
}

fn conversation() -> Replica {
    let mut conversation = Replica::new(DocumentKind::Conversation, 1);
    conversation.act(OWNER, "create", json!({}));
    for (name, role) in [(MODERATOR, "moderator"), (MEMBER, "member"), (OTHER, "member")] {
        let member = json!({ "did": did(name), "role": role });
        conversation.act(OWNER, "addParticipant", json!({ "member": member }));
    }
    conversation
}

#[test]
fn circle_create() {
    let mut circle = Replica::new(DocumentKind::Circle, 1);
    assert_eq!(circle.refused(MEMBER, "setName", json!({ "name": "x" })), Refusal::NotCreated);
    circle.act(OWNER, "create", json!({ "member": { "displayName": "Olga" } }));
    assert_eq!(circle.view("owner"), json!(did(OWNER)));
    assert_eq!(circle.refused(MEMBER, "create", json!({})), Refusal::AlreadyCreated);
}

#[test]
fn circle_rows() {
    let mut replica = circle(json!({}));
    let no_settings: &[&str] = &[ADMIN, MODERATOR, MEMBER, LOWEST, STRANGER];
    judge_all(
        &mut replica,
        &[
            Row {
                what: "update settings",
                op: "updateSettings",
                args: |_| json!({ "changes": { "encryption": false } }),
                may: &[OWNER],
                may_not: no_settings,
            },
            Row {
                what: "update name",
                op: "setName",
                args: |_| json!({ "name": "x" }),
                may: &[OWNER],
                may_not: no_settings,
            },
            Row {
                what: "delete",
                op: "delete",
                args: |_| json!({}),
                may: &[OWNER],
                may_not: no_settings,
            },
            Row {
                what: "add a member",
                op: "addMember",
                args: |_| json!({ "member": { "did": did(STRANGER) } }),
                may: &[OWNER, ADMIN],
                may_not: &[MODERATOR, MEMBER, LOWEST, STRANGER],
            },
            Row {
                what: "add an admin, which is not above an admin's own role",
                op: "addMember",
                args: |_| json!({ "member": { "did": did(STRANGER), "role": "admin" } }),
                may: &[OWNER, ADMIN],
                may_not: &[MODERATOR, MEMBER],
            },
            Row {
                what: "add an owner",
                op: "addMember",
                args: |_| json!({ "member": { "did": did(STRANGER), "role": "owner" } }),
                may: &[],
                may_not: &[OWNER, ADMIN],
            },
            Row {
                what: "add somebody with a permission that one hasn't",
                op: "addMember",
                args: |_| {
                    let permissions = json!({ "manageSettings": true });
                    json!({ "member": { "did": did(STRANGER), "permissions": permissions } })
                },
                may: &[OWNER],
                may_not: &[ADMIN],
            },
            Row {
                what: "invite",
                op: "invite",
                args: |_| json!({ "invitation": { "id": "i", "inviteeDid": did(STRANGER) } }),
                may: &[OWNER, ADMIN],
                may_not: &[MODERATOR, MEMBER, LOWEST, STRANGER],
            },
            Row {
                what: "invite an owner",
                op: "invite",
                args: |_| {
                    let role = "owner";
                    json!({ "invitation": { "id": "i", "inviteeDid": did(STRANGER), "role": role } })
                },
                may: &[],
                may_not: &[OWNER, ADMIN],
            },
            Row {
                what: "remove a member",
                op: "removeMember",
                args: |_| json!({ "id": did(MEMBER) }),
                may: &[OWNER, ADMIN, MODERATOR, MEMBER],
                may_not: &[OTHER, LOWEST, STRANGER],
            },
            Row {
                what: "remove an admin",
                op: "removeMember",
                args: |_| json!({ "id": did(ADMIN) }),
                may: &[OWNER, ADMIN],
                may_not: &[MODERATOR, MEMBER],
            },
            Row {
                what: "remove the owner",
                op: "removeMember",
                args: |_| json!({ "id": did(OWNER) }),
                may: &[],
                may_not: &[OWNER, ADMIN, MODERATOR],
            },
            Row {
                what: "make a member a moderator",
                op: "updateMember",
                args: |_| json!({ "id": did(MEMBER), "changes": { "role": "moderator" } }),
                may: &[OWNER, ADMIN],
                may_not: &[MODERATOR, MEMBER, OTHER, STRANGER],
            },
            Row {
                what: "make a member an admin",
                op: "updateMember",
                args: |_| json!({ "id": did(MEMBER), "changes": { "role": "admin" } }),
                may: &[OWNER],
                may_not: &[ADMIN, MODERATOR, MEMBER],
            },
            Row {
                what: "make a member the owner without a transfer",
                op: "updateMember",
                args: |_| json!({ "id": did(MEMBER), "changes": { "role": "owner" } }),
                may: &[],
                may_not: &[OWNER, ADMIN],
            },
            Row {
                what: "touch the owner's role",
                op: "updateMember",
                args: |_| json!({ "id": did(OWNER), "changes": { "role": "member" } }),
                may: &[],
                may_not: &[OWNER, ADMIN],
            },
            Row {
                what: "give a permission",
                op: "updateMember",
                args: |_| json!({ "id": did(MEMBER), "changes": { "permissions": { "invite": true } } }),
                may: &[OWNER, ADMIN],
                may_not: &[MODERATOR, MEMBER],
            },
            Row {
                what: "give a permission that one hasn't",
                op: "updateMember",
                args: |_| {
                    let permissions = json!({ "manageSettings": true });
                    json!({ "id": did(MEMBER), "changes": { "permissions": permissions } })
                },
                may: &[OWNER],
                may_not: &[ADMIN],
            },
            Row {
                what: "change a name",
                op: "updateMember",
                args: |_| json!({ "id": did(MEMBER), "changes": { "displayName": "M" } }),
                may: &[OWNER, ADMIN, MEMBER],
                may_not: &[MODERATOR, OTHER, STRANGER],
            },
            Row {
                what: "transfer the ownership",
                op: "transferOwnership",
                args: |_| json!({ "id": did(MEMBER) }),
                may: &[OWNER],
                may_not: &[ADMIN, MODERATOR, MEMBER, STRANGER],
            },
            Row {
                what: "leave",
                op: "leave",
                args: |_| json!({}),
                may: &[ADMIN, MODERATOR, MEMBER, LOWEST],
                may_not: &[OWNER, STRANGER],
            },
        ],
    );
}

#[test]
fn circle_posting_follows_the_sharing_policy_and_the_permission() {
    for (policy, may, may_not) in [
        ("owner-only", &[OWNER][..], &[ADMIN, MODERATOR, MEMBER, LOWEST, STRANGER][..]),
        ("moderators", &[OWNER, ADMIN, MODERATOR], &[MEMBER, LOWEST, STRANGER]),
        ("all-members", &[OWNER, ADMIN, MODERATOR, MEMBER], &[LOWEST, STRANGER]),
    ] {
        let mut replica = circle(json!({ "sharingPolicy": policy }));
        for (op, args) in [
            ("addPost", json!({ "post": { "id": "p", "content": "x" } })),
            ("addContentRef", json!({ "ref": { "type": "note", "id": "n" } })),
        ] {
            for did in may {
                assert_eq!(replica.check(did, op, args.clone()), Ok(()), "{policy} {op} {did}");
            }
            for did in may_not {
                assert!(replica.check(did, op, args.clone()).is_err(), "{policy} {op} {did}");
            }
        }
        let silenced =
            json!({ "id": did(ADMIN), "changes": { "permissions": { "write": false } } });
        replica.act(OWNER, "updateMember", silenced);
        let post = json!({ "post": { "id": "p", "content": "x" } });
        assert!(replica.check(ADMIN, "addPost", post).is_err());
    }
}

#[test]
fn circle_posts_belong_to_their_authors() {
    let mut replica = circle(json!({ "sharingPolicy": "all-members" }));
    replica.act(MEMBER, "addPost", json!({ "post": { "id": "p", "content": "x" } }));
    replica.act(MEMBER, "addContentRef", json!({ "ref": { "type": "note", "id": "n" } }));
    judge_all(
        &mut replica,
        &[
            Row {
                what: "write in another's name",
                op: "addPost",
                args: |_| json!({ "post": { "id": "q", "content": "x", "authorId": did(MEMBER) } }),
                may: &[MEMBER],
                may_not: &[OWNER, OTHER],
            },
            Row {
                what: "edit a post",
                op: "editPost",
                args: |_| json!({ "id": "p", "content": "y" }),
                may: &[MEMBER],
                may_not: &[OWNER, ADMIN, MODERATOR, OTHER, STRANGER],
            },
            Row {
                what: "remove a post",
                op: "removePost",
                args: |_| json!({ "id": "p" }),
                may: &[MEMBER, MODERATOR, ADMIN, OWNER],
                may_not: &[OTHER, LOWEST, STRANGER],
            },
            Row {
                what: "share no more",
                op: "removeContentRef",
                args: |_| json!({ "type": "note", "id": "n" }),
                may: &[MEMBER, MODERATOR, ADMIN, OWNER],
                may_not: &[OTHER, LOWEST, STRANGER],
            },
        ],
    );
}

#[test]
fn circle_visibility() {
    for (visibility, may, may_not) in [
        ("private", &[OWNER, MEMBER][..], &[LOWEST, STRANGER][..]),
        ("circle", &[OWNER, MEMBER, LOWEST], &[STRANGER]),
        ("public", &[OWNER, MEMBER, LOWEST, STRANGER], &[]),
    ] {
        let mut replica = circle(json!({ "visibility": visibility }));
        for did in may {
            assert_eq!(replica.check(did, "see", json!({})), Ok(()), "{visibility} {did}");
        }
        for did in may_not {
            assert!(replica.check(did, "see", json!({})).is_err(), "{visibility} {did}");
        }
    }
}

#[test]
fn circle_max_members() {
    let mut replica = circle(json!({ "maxMembers": 6 }));
    let add = json!({ "member": { "did": did(STRANGER) } });
    assert_eq!(
        replica.check(OWNER, "addMember", add.clone()),
        Err(Refusal::Full { what: "members", max: 6 })
    );
    replica.act(OWNER, "updateSettings", json!({ "changes": { "maxMembers": null } }));
    replica.act(OWNER, "addMember", add.clone());
    assert_eq!(replica.check(OWNER, "addMember", add), Err(Refusal::AlreadyMember(did(STRANGER))));
}

#[test]
fn circle_invitations_are_accepted_by_the_invited_and_in_time() {
    let mut replica = circle(json!({}));
    let invitation = json!({ "id": "i", "inviteeDid": did(STRANGER), "role": "moderator" });
    replica.act(ADMIN, "invite", json!({ "invitation": invitation }));
    judge_all(
        &mut replica,
        &[
            Row {
                what: "accept an invitation",
                op: "acceptInvitation",
                args: |_| json!({ "id": "i" }),
                may: &[STRANGER],
                may_not: &[OWNER, ADMIN, MEMBER],
            },
            Row {
                what: "decline or take back an invitation",
                op: "rejectInvitation",
                args: |_| json!({ "id": "i" }),
                may: &[STRANGER, ADMIN, OWNER],
                may_not: &[MODERATOR, MEMBER],
            },
        ],
    );
    let now = replica.now;
    replica.now += 31.0 * 24.0 * 3600.0 * 1000.0;
    let accept = json!({ "id": "i" });
    assert_eq!(replica.check(STRANGER, "acceptInvitation", accept.clone()), Err(Refusal::Expired));
    replica.now = now;
    replica.act(STRANGER, "acceptInvitation", accept.clone());
    assert_eq!(replica.view_of("role", json!({ "did": did(STRANGER) })), "moderator");
    assert!(replica.check(STRANGER, "acceptInvitation", accept).is_err());
}

#[test]
fn an_invitation_is_worth_no_more_than_its_inviter() {
    let mut replica = circle(json!({}));
    let invitation = json!({ "id": "i", "inviteeDid": did(STRANGER), "role": "admin" });
    replica.act(ADMIN, "invite", json!({ "invitation": invitation }));
    let accept = json!({ "id": "i" });
    assert_eq!(replica.check(STRANGER, "acceptInvitation", accept.clone()), Ok(()));
    let demote = json!({ "id": did(ADMIN), "changes": { "role": "member" } });
    replica.act(OWNER, "updateMember", demote);
    assert!(replica.check(STRANGER, "acceptInvitation", accept.clone()).is_err());
    replica.act(OWNER, "removeMember", json!({ "id": did(ADMIN) }));
    assert!(replica.check(STRANGER, "acceptInvitation", accept).is_err());
}

#[test]
fn group_rows() {
    let mut replica = group(json!({}));
    replica.act(MEMBER, "addPost", json!({ "post": { "id": "p", "content": "x" } }));
    replica.act(
        MEMBER,
        "addComment",
        json!({ "comment": { "id": "c", "postId": "p", "content": "x" } }),
    );
    let no_admin: &[&str] = &[MODERATOR, MEMBER, STRANGER];
    judge_all(
        &mut replica,
        &[
            Row {
                what: "update",
                op: "updateSettings",
                args: |_| json!({ "changes": { "type": "study" } }),
                may: &[OWNER, ADMIN],
                may_not: no_admin,
            },
            Row {
                what: "update the name",
                op: "setName",
                args: |_| json!({ "name": "x" }),
                may: &[OWNER, ADMIN],
                may_not: no_admin,
            },
            Row {
                what: "delete",
                op: "delete",
                args: |_| json!({}),
                may: &[OWNER],
                may_not: &[ADMIN, MODERATOR, MEMBER, STRANGER],
            },
            Row {
                what: "invite, as members may",
                op: "addMember",
                args: |_| json!({ "member": { "userDid": did(STRANGER) } }),
                may: &[OWNER, ADMIN, MODERATOR, MEMBER],
                may_not: &[STRANGER],
            },
            Row {
                what: "invite above one's own role",
                op: "addMember",
                args: |_| json!({ "member": { "userDid": did(STRANGER), "role": "moderator" } }),
                may: &[OWNER, ADMIN, MODERATOR],
                may_not: &[MEMBER],
            },
            Row {
                what: "leave",
                op: "leave",
                args: |_| json!({}),
                may: &[ADMIN, MODERATOR, MEMBER],
                may_not: &[OWNER, STRANGER],
            },
            Row {
                what: "remove a member",
                op: "removeMember",
                args: |_| json!({ "id": did(MEMBER) }),
                may: &[OWNER, ADMIN, MEMBER],
                may_not: &[MODERATOR, OTHER, STRANGER],
            },
            Row {
                what: "change a role",
                op: "updateMember",
                args: |_| json!({ "id": did(MEMBER), "changes": { "role": "moderator" } }),
                may: &[OWNER, ADMIN],
                may_not: no_admin,
            },
            Row {
                what: "change an admin's role",
                op: "updateMember",
                args: |_| json!({ "id": did(ADMIN), "changes": { "role": "member" } }),
                may: &[OWNER],
                may_not: &[ADMIN, MODERATOR, MEMBER],
            },
            Row {
                what: "demote the owner",
                op: "updateMember",
                args: |_| json!({ "id": did(OWNER), "changes": { "role": "admin" } }),
                may: &[],
                may_not: &[OWNER, ADMIN, MODERATOR],
            },
            Row {
                what: "transfer the ownership",
                op: "transferOwnership",
                args: |_| json!({ "id": did(ADMIN) }),
                may: &[OWNER],
                may_not: &[ADMIN, MODERATOR, MEMBER],
            },
            Row {
                what: "post, as members may",
                op: "addPost",
                args: |_| json!({ "post": { "id": "q", "content": "x" } }),
                may: &[OWNER, ADMIN, MODERATOR, MEMBER],
                may_not: &[STRANGER],
            },
            Row {
                what: "edit a post",
                op: "editPost",
                args: |_| json!({ "id": "p", "changes": { "content": "y" } }),
                may: &[MEMBER],
                may_not: &[OWNER, ADMIN, MODERATOR, OTHER],
            },
            Row {
                what: "delete a post",
                op: "removePost",
                args: |_| json!({ "id": "p" }),
                may: &[MEMBER, MODERATOR, ADMIN, OWNER],
                may_not: &[OTHER, STRANGER],
            },
            Row {
                what: "delete a comment",
                op: "removeComment",
                args: |_| json!({ "id": "c" }),
                may: &[MEMBER, MODERATOR, ADMIN, OWNER],
                may_not: &[OTHER, STRANGER],
            },
            Row {
                what: "like",
                op: "likePost",
                args: |_| json!({ "id": "p" }),
                may: &[OWNER, MEMBER, OTHER],
                may_not: &[STRANGER],
            },
            Row {
                what: "comment",
                op: "addComment",
                args: |_| json!({ "comment": { "id": "d", "postId": "p", "content": "x" } }),
                may: &[OWNER, MEMBER, OTHER],
                may_not: &[STRANGER],
            },
        ],
    );
    let settings = json!({ "allowMemberInvite": false, "allowMemberPost": false });
    replica.act(OWNER, "updateSettings", json!({ "changes": settings }));
    judge_all(
        &mut replica,
        &[
            Row {
                what: "invite, as only admins may",
                op: "addMember",
                args: |_| json!({ "member": { "userDid": did(STRANGER) } }),
                may: &[OWNER, ADMIN],
                may_not: &[MODERATOR, MEMBER, STRANGER],
            },
            Row {
                what: "post, as only moderators may",
                op: "addPost",
                args: |_| json!({ "post": { "id": "q", "content": "x" } }),
                may: &[OWNER, ADMIN, MODERATOR],
                may_not: &[MEMBER, STRANGER],
            },
        ],
    );
}

#[test]
fn group_joining() {
    let mut public = group(json!({ "visibility": "public" }));
    assert_eq!(public.act(STRANGER, "join", json!({})), "joined");
    assert_eq!(public.view_of("role", json!({ "did": did(STRANGER) })), "member");
    assert_eq!(
        public.check(STRANGER, "join", json!({})),
        Err(Refusal::AlreadyMember(did(STRANGER)))
    );

    let mut approval = group(json!({ "visibility": "approval" }));
    assert_eq!(approval.act(STRANGER, "join", json!({})), "requested");
    assert!(approval.view_of("role", json!({ "did": did(STRANGER) })).is_null());
    let row = |op| Row {
        what: "answer a request to join",
        op,
        args: |_| json!({ "did": did(STRANGER) }),
        may: &[OWNER, ADMIN, MODERATOR],
        may_not: &[MEMBER, "nobody"],
    };
    judge_all(&mut approval, &[row("approveJoin"), row("rejectJoin")]);
    // One can withdraw, but not let oneself in.
    let own = json!({ "did": did(STRANGER) });
    assert_eq!(approval.check(STRANGER, "rejectJoin", own.clone()), Ok(()));
    assert!(approval.check(STRANGER, "approveJoin", own.clone()).is_err());
    approval.act(MODERATOR, "approveJoin", own.clone());
    assert_eq!(approval.view_of("role", own), "member");

    let mut private = group(json!({ "visibility": "private" }));
    assert!(private.check(STRANGER, "join", json!({})).is_err());

    let mut full = group(json!({ "visibility": "public", "maxMembers": 5 }));
    assert_eq!(
        full.check(STRANGER, "join", json!({})),
        Err(Refusal::Full { what: "members", max: 5 })
    );
}

#[test]
fn team_rows() {
    let mut replica = team(json!({}));
    replica.act(MEMBER, "addChannel", json!({ "channel": { "id": "private", "type": "private" } }));
    let message = |id: &str, channel: &str| json!({ "message": { "id": id, "channelId": channel, "content": "x" } });
    replica.act(MEMBER, "addMessage", message("m", "general"));
    replica.act(MEMBER, "addMessage", message("n", "private"));
    let no_admin: &[&str] = &[MEMBER, LOWEST, STRANGER];
    judge_all(
        &mut replica,
        &[
            Row {
                what: "update",
                op: "updateSettings",
                args: |_| json!({ "changes": { "type": "work" } }),
                may: &[OWNER, ADMIN],
                may_not: no_admin,
            },
            Row {
                what: "update the description",
                op: "setDescription",
                args: |_| json!({ "description": "x" }),
                may: &[OWNER, ADMIN],
                may_not: no_admin,
            },
            Row {
                what: "delete",
                op: "delete",
                args: |_| json!({}),
                may: &[OWNER],
                may_not: &[ADMIN, MEMBER, LOWEST, STRANGER],
            },
            Row {
                what: "add a member",
                op: "addMember",
                args: |_| json!({ "member": { "userDid": did(STRANGER) } }),
                may: &[OWNER, ADMIN],
                may_not: no_admin,
            },
            Row {
                what: "add a guest where there are none",
                op: "addMember",
                args: |_| json!({ "member": { "userDid": did(STRANGER), "role": "guest" } }),
                may: &[OWNER, ADMIN],
                may_not: no_admin,
            },
            Row {
                what: "remove a member",
                op: "removeMember",
                args: |_| json!({ "id": did(MEMBER) }),
                may: &[OWNER, ADMIN, MEMBER],
                may_not: &[OTHER, LOWEST, STRANGER],
            },
            Row {
                what: "remove the owner",
                op: "removeMember",
                args: |_| json!({ "id": did(OWNER) }),
                may: &[],
                may_not: &[OWNER, ADMIN],
            },
            Row {
                what: "change a role",
                op: "updateMember",
                args: |_| json!({ "id": did(MEMBER), "changes": { "role": "guest" } }),
                may: &[OWNER, ADMIN],
                may_not: no_admin,
            },
            Row {
                what: "change a title",
                op: "updateMember",
                args: |_| json!({ "id": did(MEMBER), "changes": { "title": "Lead" } }),
                may: &[OWNER, ADMIN, MEMBER],
                may_not: &[OTHER, LOWEST],
            },
            Row {
                what: "create a channel",
                op: "addChannel",
                args: |_| json!({ "channel": { "id": "new" } }),
                may: &[OWNER, ADMIN, MEMBER],
                may_not: &[LOWEST, STRANGER],
            },
            Row {
                what: "remove a channel",
                op: "removeChannel",
                args: |_| json!({ "id": "private" }),
                may: &[OWNER, ADMIN, MEMBER],
                may_not: &[OTHER, LOWEST, STRANGER],
            },
            Row {
                what: "rename a channel",
                op: "updateChannel",
                args: |_| json!({ "id": "private", "changes": { "name": "x" } }),
                may: &[OWNER, ADMIN, MEMBER],
                may_not: &[OTHER, LOWEST, STRANGER],
            },
            Row {
                what: "see a private channel",
                op: "see",
                args: |_| json!({ "id": "private" }),
                may: &[MEMBER],
                may_not: &[OWNER, ADMIN, OTHER, LOWEST, STRANGER],
            },
            Row {
                what: "add oneself to a private channel",
                op: "joinChannel",
                args: |_| json!({ "id": "private" }),
                may: &[OWNER, ADMIN],
                may_not: &[OTHER, LOWEST, STRANGER],
            },
            Row {
                what: "add another to a private channel",
                op: "addChannelMember",
                args: |_| json!({ "id": "private", "did": did(LOWEST) }),
                may: &[MEMBER, OWNER, ADMIN],
                may_not: &[OTHER, LOWEST, STRANGER],
            },
            Row {
                what: "remove another from a private channel",
                op: "removeChannelMember",
                args: |_| json!({ "id": "private", "did": did(MEMBER) }),
                may: &[MEMBER, OWNER, ADMIN],
                may_not: &[OTHER, LOWEST, STRANGER],
            },
            Row {
                what: "post in a public channel",
                op: "addMessage",
                args: |_| json!({ "message": { "id": "x", "channelId": "general", "content": "" } }),
                may: &[OWNER, ADMIN, MEMBER, OTHER],
                may_not: &[LOWEST, STRANGER],
            },
            Row {
                what: "post in a private channel",
                op: "addMessage",
                args: |_| json!({ "message": { "id": "x", "channelId": "private", "content": "" } }),
                may: &[MEMBER],
                may_not: &[OWNER, ADMIN, OTHER, LOWEST, STRANGER],
            },
            Row {
                what: "edit a message",
                op: "editMessage",
                args: |_| json!({ "id": "m", "content": "y" }),
                may: &[MEMBER],
                may_not: &[OWNER, ADMIN, OTHER, LOWEST, STRANGER],
            },
            Row {
                what: "delete a message",
                op: "deleteMessage",
                args: |_| json!({ "id": "m" }),
                may: &[MEMBER, OWNER, ADMIN],
                may_not: &[OTHER, LOWEST, STRANGER],
            },
            Row {
                what: "react",
                op: "addReaction",
                args: |_| json!({ "id": "m", "emoji": "👍" }),
                may: &[OWNER, ADMIN, MEMBER, OTHER],
                may_not: &[LOWEST, STRANGER],
            },
            Row {
                what: "react in a private channel",
                op: "addReaction",
                args: |_| json!({ "id": "n", "emoji": "👍" }),
                may: &[MEMBER],
                may_not: &[OWNER, OTHER, LOWEST],
            },
        ],
    );
    // A guest takes part where they were added.
    replica.act(ADMIN, "addChannelMember", json!({ "id": "general", "did": did(LOWEST) }));
    assert_eq!(replica.check(LOWEST, "addMessage", message("x", "general")), Ok(()));
    assert!(replica.check(LOWEST, "addMessage", message("x", "private")).is_err());

    replica.act(OWNER, "updateSettings", json!({ "changes": { "allowGuestAccess": false } }));
    let guest = json!({ "member": { "userDid": did(STRANGER), "role": "guest" } });
    assert!(replica.check(OWNER, "addMember", guest).is_err());
}

#[test]
fn team_joining() {
    let mut invite = team(json!({}));
    assert!(invite.check(STRANGER, "join", json!({})).is_err());

    let mut open = team(json!({ "visibility": "open", "requireApproval": false }));
    assert_eq!(open.act(STRANGER, "join", json!({})), "joined");

    let mut asking = team(json!({ "visibility": "open" }));
    assert_eq!(asking.act(STRANGER, "join", json!({})), "requested");
    judge_all(
        &mut asking,
        &[Row {
            what: "let somebody in",
            op: "approveJoin",
            args: |_| json!({ "did": did(STRANGER) }),
            may: &[OWNER, ADMIN],
            may_not: &[MEMBER, LOWEST, STRANGER],
        }],
    );
}

#[test]
fn conversation_rows() {
    let mut replica = conversation();
    replica.act(MEMBER, "addMessage", json!({ "message": { "id": "m", "content": "x" } }));
    let branch = json!({ "branch": { "id": "b", "headId": "m" } });
    replica.act(MEMBER, "addBranch", branch);
    let annotation = json!({ "id": "a", "targetMessageId": "m", "content": "x" });
    replica.act(MEMBER, "addAnnotation", json!({ "annotation": annotation }));
    let everybody: &[&str] = &[OWNER, MODERATOR, MEMBER];
    judge_all(
        &mut replica,
        &[
            Row {
                what: "update metadata",
                op: "updateMetadata",
                args: |_| json!({ "key": "k", "value": 1 }),
                may: &[OWNER, MODERATOR],
                may_not: &[MEMBER, STRANGER],
            },
            Row {
                what: "update the title",
                op: "setTitle",
                args: |_| json!({ "title": "x" }),
                may: &[OWNER, MODERATOR],
                may_not: &[MEMBER, STRANGER],
            },
            Row {
                what: "add a message",
                op: "addMessage",
                args: |_| json!({ "message": { "id": "n", "content": "x" } }),
                may: everybody,
                may_not: &[STRANGER],
            },
            Row {
                what: "add a message in another's name",
                op: "addMessage",
                args: |_| json!({ "message": { "id": "n", "content": "x", "authorId": did(OTHER) } }),
                may: &[OTHER],
                may_not: everybody,
            },
            Row {
                what: "edit a message",
                op: "editMessage",
                args: |_| json!({ "id": "m", "content": "y" }),
                may: &[MEMBER],
                may_not: &[OWNER, MODERATOR, OTHER, STRANGER],
            },
            Row {
                what: "remove a message",
                op: "removeMessage",
                args: |_| json!({ "id": "m" }),
                may: everybody,
                may_not: &[OTHER, STRANGER],
            },
            Row {
                what: "add a participant",
                op: "addParticipant",
                args: |_| json!({ "member": { "did": did(STRANGER) } }),
                may: &[OWNER, MODERATOR],
                may_not: &[MEMBER, STRANGER],
            },
            Row {
                what: "remove a participant",
                op: "removeParticipant",
                args: |_| json!({ "id": did(MEMBER) }),
                may: everybody,
                may_not: &[OTHER, STRANGER],
            },
            Row {
                what: "change a role",
                op: "updateParticipant",
                args: |_| json!({ "id": did(MEMBER), "changes": { "role": "moderator" } }),
                may: &[OWNER],
                may_not: &[MODERATOR, MEMBER, STRANGER],
            },
            Row {
                what: "move a branch",
                op: "updateBranch",
                args: |_| json!({ "id": "b", "changes": { "headId": "n" } }),
                may: everybody,
                may_not: &[OTHER, STRANGER],
            },
            Row {
                what: "resolve an annotation",
                op: "resolveAnnotation",
                args: |_| json!({ "id": "a" }),
                may: everybody,
                may_not: &[OTHER, STRANGER],
            },
            Row {
                what: "delete",
                op: "delete",
                args: |_| json!({}),
                may: &[OWNER],
                may_not: &[MODERATOR, MEMBER, STRANGER],
            },
        ],
    );
}

#[test]
fn what_was_deleted_stays_deleted() {
    for mut replica in [circle(json!({})), group(json!({})), team(json!({})), conversation()] {
        replica.act(OWNER, "delete", json!({}));
        assert_eq!(replica.view("isDeleted"), json!(true), "{:?}", replica.kind);
        assert_eq!(replica.refused(OWNER, "create", json!({})), Refusal::Deleted);
        assert_eq!(replica.refused(OWNER, "delete", json!({})), Refusal::Deleted);
        assert_eq!(replica.view("memberCount"), json!(0));
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let mut replica = circle(json!({}));
    for (did, op, args, advice) in [
        (OWNER, "leave", json!({}), "transfer the ownership first"),
        (STRANGER, "setName", json!({ "name": "x" }), "ask for an invitation"),
        (MEMBER, "setName", json!({ "name": "x" }), "ask one of them"),
        (OWNER, "updateSettings", json!({ "changes": { "encryption": 1 } }), "true or false"),
        (OWNER, "removePost", json!({ "id": "p" }), "look it up again"),
    ] {
        let refusal = replica.check(did, op, args).unwrap_err().to_string();
        assert!(refusal.contains(advice), "{op}: {refusal}");
    }
}

#[test]
fn what_decides_about_rights_is_control_and_free_content_is_not() {
    use vivim_social::{
        Record,
        rules::{
            circle::CircleOp, friend::FriendOp, members::MembershipOp, members::Role, team::TeamOp,
        },
    };
    let update = |role, profile| MembershipOp::Update {
        member: did(MEMBER),
        role,
        flags: Default::default(),
        profile,
    };
    let named = Record::new().with("displayName", "x");
    for (is_control, judged) in [
        (true, CircleOp::UpdateSettings(Record::new()).is_control()),
        (true, CircleOp::Members(MembershipOp::Remove(did(MEMBER))).is_control()),
        (true, CircleOp::Members(update(Some(Role::Admin), named.clone())).is_control()),
        (false, CircleOp::Members(update(None, named)).is_control()),
        (false, CircleOp::SetName("x".to_owned()).is_control()),
        (false, CircleOp::AddPost(Record::new()).is_control()),
        (true, FriendOp::Block(did(MEMBER)).is_control()),
        (false, FriendOp::SetSettings(Record::new()).is_control()),
        (true, TeamOp::RemoveChannel("x".to_owned()).is_control()),
        (false, TeamOp::AddMessage(Record::new()).is_control()),
    ] {
        assert_eq!(judged, is_control);
    }
}
