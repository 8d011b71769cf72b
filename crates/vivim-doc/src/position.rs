//! Positions that stay where they are while others edit.
//!
//! In Yjs' encoding (`Y.encodeRelativePosition`), so that editors and cursors of both understand each
//! other.

use vivim_proto::wire::{put_bytes, put_uvarint};
use yrs::{Assoc as EngineAssoc, ClientID, ID, IndexScope, StickyIndex, Transact, branch::Branch};

use crate::{
    Doc, EditError, Kind, TypeId,
    doc::check_bounds,
    limits::MAX_NAME,
    validate::{Cursor, Id, Invalid},
};

const SEQUENCE: &[Kind] =
    &[Kind::Array, Kind::Text, Kind::XmlElement, Kind::XmlFragment, Kind::XmlText];

/// What a position between two neighbours stays with, when something comes between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Assoc {
    /// The one behind it, as a cursor does.
    #[default]
    After,
    /// The one before it, as the end of a selection does.
    Before,
}

impl Doc {
    /// A position in a text, list or XML that stays with its neighbour, in Yjs' encoding.
    pub fn relative_position(
        &self,
        id: &TypeId,
        index: u32,
        assoc: Assoc,
    ) -> Result<Vec<u8>, EditError> {
        self.read(id, SEQUENCE, |txn, branch| {
            let ends: &Branch = &branch;
            check_bounds(index.into(), ends.content_len())?;
            let sticky = StickyIndex::at(txn, branch, index, assoc.into());
            let scope = sticky.map_or_else(
                // At the end, with nothing behind it to stay with.
                || IndexScope::from_branch(branch),
                |sticky| sticky.scope().clone(),
            );
            Ok(encode(&scope, assoc))
        })
    }

    /// Where such a position is now: the type that it is in, and the index. `None` if the bytes are
    /// not a position, or that type isn't there, or what the position stays with hasn't come yet.
    pub fn absolute_position(&self, position: &[u8]) -> Option<(TypeId, u32)> {
        let (scope, assoc) = decode(position).ok()?;
        let sticky = StickyIndex::new(scope, assoc.into());
        let txn = self.engine.transact();
        let offset = sticky.get_offset(&txn)?;
        if offset.branch.is_deleted() {
            return None;
        }
        Some((TypeId::of(offset.branch), offset.index))
    }
}

impl From<Assoc> for EngineAssoc {
    fn from(assoc: Assoc) -> Self {
        match assoc {
            Assoc::After => Self::After,
            Assoc::Before => Self::Before,
        }
    }
}

const UNIT: u8 = 0;
const ROOT: u8 = 1;
const NESTED: u8 = 2;

fn encode(scope: &IndexScope, assoc: Assoc) -> Vec<u8> {
    let mut out = Vec::new();
    match scope {
        IndexScope::Relative(id) => put_id(&mut out, UNIT, id),
        IndexScope::Nested(id) => put_id(&mut out, NESTED, id),
        IndexScope::Root(name) => {
            out.push(ROOT);
            put_bytes(&mut out, name.as_bytes());
        }
    }
    // A signed number: 0 or -1.
    out.push(match assoc {
        Assoc::After => 0,
        Assoc::Before => 0x41,
    });
    out
}

fn put_id(out: &mut Vec<u8>, kind: u8, id: &ID) {
    out.push(kind);
    put_uvarint(out, id.client.get());
    put_uvarint(out, id.clock.into());
}

fn decode(bytes: &[u8]) -> Result<(IndexScope, Assoc), Invalid> {
    let mut cursor = Cursor { rest: bytes };
    let id = |cursor: &mut Cursor<'_>| {
        let Id { client, clock } = cursor.id()?;
        Ok(ID::new(ClientID::new(client), clock))
    };
    let scope = match cursor.u8()? {
        UNIT => IndexScope::Relative(id(&mut cursor)?),
        ROOT => {
            let name = cursor.string()?;
            if name.len() > MAX_NAME {
                return Err(Invalid::TooLarge(name.len()));
            }
            IndexScope::Root(name.into())
        }
        NESTED => IndexScope::Nested(id(&mut cursor)?),
        other => return Err(Invalid::UnknownKind(other)),
    };
    // Older ones have none. Only the sign of the number counts.
    let is_negative = !cursor.rest.is_empty() && cursor.u8()? & 0x40 != 0;
    Ok((scope, if is_negative { Assoc::Before } else { Assoc::After }))
}

#[cfg(test)]
#[path = "position_tests.rs"]
mod tests;
