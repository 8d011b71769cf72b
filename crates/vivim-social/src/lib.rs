//! Conversations, circles, friends, follows, groups, teams, profiles and settings as documents.
//!
//! Three parts, and no input or output in any of them:
//!
//! - [`rules`]: who may do what, as pure functions of an operation, its author and the state.
//! - [`documents`]: the state read from a [`vivim_doc::Doc`], the operation as edits of it, and plain
//!   records for whoever looks on.
//! - [`events`]: the names under which changes of a root are told.
//!
//! ```
//! use vivim_doc::{ClientId, Doc};
//! use vivim_social::{By, DocumentKind, Record, documents};
//!
//! let mut doc = Doc::new(ClientId::from_random(1));
//! let ann = By { did: "did:key:ann", now: 1_700_000_000_000.0 };
//! documents::execute(&mut doc, DocumentKind::Conversation, "create", &Record::new(), ann)?;
//! let message = Record::new().with("id", "m1").with("content", "hello");
//! let args = Record::new().with("message", message);
//! documents::execute(&mut doc, DocumentKind::Conversation, "addMessage", &args, ann)?;
//! # Ok::<(), vivim_social::SocialError>(())
//! ```
//!
//! # Where things are kept
//!
//! The names of roots are part of the format: they don't change. *Control* roots decide about rights;
//! they will come from a log of signed operations where documents are encrypted. All others are
//! content, which members write freely.
//!
//! | document | root | type | holds | |
//! |---|---|---|---|---|
//! | all with members | `control` | map | `createdAt`, `createdBy`, `deletedAt` | control |
//! | | `joinRequests` | map | by DID: who asks to join | control |
//! | | `memberProfiles` | map | `DID field`: name, picture and other free fields of a member | |
//! | Conversation | `participants` | map | by DID: id, role, joinedAt, addedBy | control |
//! | | `title` | text | the title | |
//! | | `messages` | list | messages | |
//! | | `metadata` | map | free values | |
//! | | `branches` | map | by id: branches | |
//! | | `annotations` | list | remarks on messages | |
//! | Circle | `members` | map | by DID: id, role, `permissions.*`, joinedAt, addedBy | control |
//! | | `settings` | map | by name: settings | control |
//! | | `invitations` | map | by id: invitations | control |
//! | | `auditLog` | list | what was done to control roots | control |
//! | | `name`, `description` | text | | |
//! | | `posts`, `contentRefs` | list | posts, shared content | |
//! | Group | `members`, `settings` | map | as above, no permissions | control |
//! | | `groupData` | map | `name`, `description` as texts | |
//! | | `posts`, `comments` | list | | |
//! | | `likes` | map | `post DID`: when it was liked | |
//! | Team | `members`, `settings` | map | as above, no permissions | control |
//! | | `channels` | map | by id: channels | control |
//! | | `channelMembers` | map | `channel DID`: notify, mute, lastReadAt | control: which keys there are |
//! | | `teamData` | map | `name`, `description` as texts | |
//! | | `messages` | list | messages of all channels | |
//! | | `reactions` | map | `message emoji DID`: when | |
//! | Friend | `friends` | map | by id: requests and what came of them | control |
//! | | `blocks` | map | `blocker blocked`: since when | control |
//! | | `settings` | map | `DID setting` | |
//! | Follow | `follows` | map | by id: follows | control |
//! | | `blocks` | map | `blocker blocked`: since when | control |
//! | | `privateAccounts` | map | by DID: true | control |
//! | Profile, Settings | `owner` | map | by DID: when it was claimed; the first counts | control |
//! | Profile | `displayName`, `bio` | text | | |
//! | | `avatar` | map | free fields | |
//! | | `circles` | list | ids of circles | |
//! | Settings | `settings` | map | by name: settings | |
//!
//! # What happens to concurrent edits
//!
//! - Entities are maps of their own: changes of two fields of one both stay. Of two changes of one
//!   field the same wins everywhere; which, the engine decides.
//! - Names, titles, descriptions and biographies are texts, and a new one is written as the smallest
//!   difference from the old: two edits at once both stay.
//! - Likes, reactions and blocks are sets of DIDs and counts are derived, so none is lost.
//! - Something appended under one id by two replicas is there once when read, and is edited and
//!   removed as one.
//! - Who is removed is out, whatever was changed about them at once. Withdrawn wins over accepted,
//!   blocked over everything. Requests that cross are a friendship, under the lower id.
//! - Of several owners the one who joined first is it; where none is left, the highest in rank who
//!   joined first.

mod diff;
pub mod documents;
mod edit;
pub mod events;
pub mod limits;
mod record;
mod refusal;
pub mod rules;

pub use self::{
    documents::DocumentKind,
    record::Record,
    refusal::{Refusal, SocialError},
    rules::By,
};
