//! Documents: Yrs behind the replica interface of [`vivim_proto::sync`].
//!
//! This is the only crate that names `yrs`. A [`Doc`] is edited by its methods, answers the
//! requests of a sync session by [`Doc::handle`], and hands out what changed, as bytes, by
//! [`Doc::take_updates`]. It calls nobody: changes wait in a queue until the owner fetches them, so
//! whatever the owner does with them can't run in the middle of an edit.
//!
//! # What a peer can do to a document
//!
//! Anybody in a plain room may edit, so a hostile *edit* is not this crate's business; a hostile
//! *encoding* is. The engine's decoder reserves memory by announced lengths, recurses by announced
//! nesting and assumes some numbers in range, so no byte reaches it before [`validate`] has walked
//! through the whole update: lengths against the bytes that are there, counts and nesting against
//! [`limits`], every string as UTF-8, every clock without overflow. Only encoding V1 is accepted; in V2
//! a few bytes can stand for billions of blocks.
//!
//! What passes is then taken apart block by block ([`Doc::apply_update`]): only what refers to things
//! that are there, and that are where it says, goes to the engine. What refers to something that
//! hasn't come yet waits outside, within a budget; beyond it the waiting part is dropped and
//! [`Doc::take_resync`] asks for an exchange of summaries, which brings it again in the right order.
//!
//! # What else a document does
//!
//! | | |
//! |---|---|
//! | shared types | [`Doc::root`], then operations by [`TypeId`]: `text_*`, `entry_*` and `entries*` (maps), `array_*`, `xml_*` |
//! | changes as one update | [`Doc::begin_change`], [`Doc::end_change`] |
//! | what changed | [`Doc::observe`], [`Doc::take_events`] |
//! | undo | [`Doc::undo_scope`], [`Doc::undo`], [`Doc::redo`], [`Doc::set_time`] |
//! | positions that stay | [`Doc::relative_position`], [`Doc::absolute_position`] |
//! | the past | [`Doc::snapshot`], [`Doc::at_snapshot`] |
//! | concurrent entries | [`Doc::take_conflicts`] |
//! | large diffs | [`Doc::encode_pieces`] |
//!
//! Everything that waits is taken by a `take_` method and bounded by [`limits`].
//!
//! # Units
//!
//! Positions and lengths in text are UTF-16 code units, as in JavaScript and as Yjs counts.

mod admission;
mod array;
pub mod awareness;
mod change;
mod conflict;
mod delta;
mod doc;
mod encode;
mod error;
mod events;
mod history;
pub mod limits;
mod lookup;
mod map;
pub mod memory;
mod pieces;
mod position;
mod rehearsal;
mod replica;
mod snapshot;
mod text;
mod types;
mod typing;
mod undo;
pub mod validate;
mod value;
mod whole;
mod xml;

pub use self::{
    awareness::Awareness,
    change::merge as merge_own_updates,
    conflict::ConflictEvent,
    doc::{ClientId, Doc, DocOptions, DocUpdate, Origin},
    error::{ApplyError, EditError, SnapshotError, SummaryError},
    events::{ChangeDelta, ChangeEvent, ChangeOrigin, KeyChange, ListOp, PathPart},
    position::Assoc,
    rehearsal::Rehearsal,
    snapshot::Snapshot,
    text::TextOp,
    types::{Attributes, Entry, Kind, ParseTypeIdError, TypeId},
    typing::Typing,
    undo::UndoScope,
    value::Value,
};
