//! Every bound of the typed documents, with its unit and the reason for it.
//!
//! They hold for what is written here. What is read from a document that others wrote is held
//! against the same bounds: a field beyond its bound counts as absent, an entry without a field it
//! needs counts as absent itself.

/// Bytes of an attachment's, a message's or another entity's id. Ids are UUIDs or hashes.
pub const MAX_ID: usize = 256;

/// Bytes of a DID. A `did:key` of the largest key in use has about 200.
pub const MAX_DID: usize = 512;

/// Bytes of a display name, a channel's name, a job title or another line of text.
pub const MAX_NAME: usize = 512;

/// Bytes of the name or title of a whole document.
pub const MAX_TITLE: usize = 4 * 1024;

/// Bytes of a description or biography.
pub const MAX_DESCRIPTION: usize = 64 * 1024;

/// Bytes of the content of a message, post, comment or annotation. Files go by content id.
pub const MAX_CONTENT: usize = 64 * 1024;

/// Bytes of one piece of free metadata, or of one setting, keys counted.
pub const MAX_METADATA: usize = 16 * 1024;

/// Bytes of a key of metadata or settings.
pub const MAX_KEY: usize = 256;

/// Bytes of an emoji: the longest in Unicode has 35.
pub const MAX_EMOJI: usize = 64;

/// Entries of a list inside a record, such as the attachments of a post.
pub const MAX_LIST: usize = 64;

/// Members of a conversation, circle, group or team whose settings name no smaller number.
pub const MAX_MEMBERS: usize = 10_000;

/// Invitations, and requests to join, that wait in one document. Those that nobody can answer any
/// more aren't counted.
pub const MAX_WAITING: usize = 1_000;

/// Channels of a team.
pub const MAX_CHANNELS: usize = 1_000;

/// Branches of a conversation.
pub const MAX_BRANCHES: usize = 1_000;

/// Entries of metadata of a conversation, or settings in a document of settings.
pub const MAX_KEYS: usize = 1_024;

/// Circles named by a profile.
pub const MAX_CIRCLES: usize = 1_000;

/// Entries of a circle's audit log; the oldest leave first.
pub const MAX_AUDIT: usize = 1_000;

/// The latest time that a record may have, in milliseconds: what a JavaScript `Date` can hold.
pub const MAX_TIME: f64 = 8.64e15;

/// UTF-16 units of the middle part of a text, on either side, that is compared letter by letter when
/// a text is replaced: the comparison takes the product of the two. Beyond it that part is replaced
/// as a whole.
pub const MAX_DIFF: usize = 1_000;
