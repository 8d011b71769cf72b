//! What changes are called.

use vivim_doc::Kind;

use crate::DocumentKind;

/// The roots of a kind of document, what they are, and the event that a change anywhere in one is.
pub const fn of(kind: DocumentKind) -> &'static [(&'static str, Kind, &'static str)] {
    match kind {
        DocumentKind::Circle => &[
            ("auditLog", Kind::Array, "audit:change"),
            ("contentRefs", Kind::Array, "content:change"),
            ("control", Kind::Map, "members:change"),
            ("description", Kind::Text, "description:change"),
            ("invitations", Kind::Map, "invitations:change"),
            ("joinRequests", Kind::Map, "requests:change"),
            ("memberProfiles", Kind::Map, "members:change"),
            ("members", Kind::Map, "members:change"),
            ("name", Kind::Text, "name:change"),
            ("posts", Kind::Array, "posts:change"),
            ("settings", Kind::Map, "settings:change"),
        ],
        DocumentKind::Conversation => &[
            ("annotations", Kind::Array, "annotations:change"),
            ("branches", Kind::Map, "branches:change"),
            ("control", Kind::Map, "participants:change"),
            ("joinRequests", Kind::Map, "participants:change"),
            ("memberProfiles", Kind::Map, "participants:change"),
            ("messages", Kind::Array, "messages:change"),
            ("metadata", Kind::Map, "metadata:change"),
            ("participants", Kind::Map, "participants:change"),
            ("title", Kind::Text, "title:change"),
        ],
        DocumentKind::Follow => &[
            ("blocks", Kind::Map, "follows:change"),
            ("follows", Kind::Map, "follows:change"),
            ("privateAccounts", Kind::Map, "follows:change"),
        ],
        DocumentKind::Friend => &[
            ("blocks", Kind::Map, "friends:change"),
            ("friends", Kind::Map, "friends:change"),
            ("settings", Kind::Map, "settings:change"),
        ],
        DocumentKind::Group => &[
            ("comments", Kind::Array, "posts:change"),
            ("control", Kind::Map, "members:change"),
            ("groupData", Kind::Map, "group:change"),
            ("joinRequests", Kind::Map, "requests:change"),
            ("likes", Kind::Map, "posts:change"),
            ("memberProfiles", Kind::Map, "members:change"),
            ("members", Kind::Map, "members:change"),
            ("posts", Kind::Array, "posts:change"),
            ("settings", Kind::Map, "settings:change"),
        ],
        DocumentKind::Profile => &[
            ("avatar", Kind::Map, "avatar:change"),
            ("bio", Kind::Text, "bio:change"),
            ("circles", Kind::Array, "circles:change"),
            ("displayName", Kind::Text, "displayName:change"),
            ("owner", Kind::Map, "owner:change"),
        ],
        DocumentKind::Settings => {
            &[("owner", Kind::Map, "owner:change"), ("settings", Kind::Map, "settings:change")]
        }
        DocumentKind::Team => &[
            ("channelMembers", Kind::Map, "channels:change"),
            ("channels", Kind::Map, "channels:change"),
            ("control", Kind::Map, "members:change"),
            ("joinRequests", Kind::Map, "requests:change"),
            ("memberProfiles", Kind::Map, "members:change"),
            ("members", Kind::Map, "members:change"),
            ("messages", Kind::Array, "messages:change"),
            ("reactions", Kind::Map, "messages:change"),
            ("settings", Kind::Map, "settings:change"),
            ("teamData", Kind::Map, "team:change"),
        ],
    }
}
