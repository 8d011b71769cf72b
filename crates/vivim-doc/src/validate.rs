//! The checks in front of the engine: walks through encoded bytes without building anything.
//!
//! What passes is safe to give to the engine's decoder: everything announced is there, nothing is
//! nested or repeated beyond [`limits`](crate::limits), and no number overflows. It is *not*
//! thereby sensible: an update may refer to things that don't exist; the engine copes with that.

use std::collections::HashSet;

use vivim_proto::wire::{WireError, read_uvarint};

use crate::{
    Kind,
    limits::{
        MAX_BLOCKS, MAX_CLIENTS, MAX_NAME, MAX_NESTING, MAX_STATE_VECTOR, MAX_SUBDOCUMENTS,
        MAX_UPDATE, MAX_VALUES,
    },
};

/// The largest client id: what a JavaScript number holds exactly.
pub(crate) const MAX_CLIENT: u64 = (1 << 53) - 1;

/// What is wrong with encoded bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// The input ends in the middle, or a length in it goes past its end.
    #[error("the input ends in the middle of something")]
    Truncated,
    /// A number isn't encoded as its writer would.
    #[error("a number is encoded wrongly")]
    BadNumber,
    /// A client id, clock or length is larger than the engine can hold.
    #[error("a client id, clock or length overflows")]
    Overflow,
    /// A string that should be JSON isn't.
    #[error("a string is not JSON")]
    BadJson,
    /// A string isn't UTF-8.
    #[error("a string is not UTF-8")]
    BadString,
    /// A block, value or type of a kind that isn't known, or that the engine reads otherwise than
    /// Yjs writes it (JSON content from before Yjs 13, XML hooks).
    #[error("content of kind {0} is not supported")]
    UnknownKind(u8),
    /// A block or range of no length.
    #[error("a block has no length")]
    Empty,
    /// A client appears twice, or ranges of deletions are out of order.
    #[error("clients or ranges are not in order")]
    OutOfOrder,
    /// A block refers to itself or to a later one of its own client.
    #[error("a block refers to itself or a later one")]
    Circular,
    /// A block claims to be beside two others that are in different places.
    #[error("a block claims to be in two places")]
    Inconsistent,
    /// Bytes are left behind the end.
    #[error("bytes are left behind the end")]
    Trailing,
    /// More of something than [`limits`](crate::limits) allow.
    #[error("more than {0} of something")]
    TooMany(usize),
    /// Something is nested deeper than [`MAX_NESTING`].
    #[error("something is nested too deep")]
    TooDeep,
    /// The whole is longer than allowed.
    #[error("{0} bytes are too many")]
    TooLarge(usize),
}

impl Invalid {
    /// Whether smaller pieces of the same could have passed.
    pub fn is_size(self) -> bool {
        matches!(self, Self::TooMany(_) | Self::TooLarge(_))
    }
}

/// Checks an update in encoding V1.
pub fn update(bytes: &[u8]) -> Result<(), Invalid> {
    walk(bytes, |_| {})
}

/// Checks a state vector in encoding V1.
pub fn state_vector(bytes: &[u8]) -> Result<(), Invalid> {
    if bytes.len() > MAX_STATE_VECTOR {
        return Err(Invalid::TooLarge(bytes.len()));
    }
    let mut cursor = Cursor { rest: bytes };
    let count = cursor.count(MAX_STATE_VECTOR / 2)?;
    for _ in 0..count {
        cursor.client()?;
        cursor.u32()?;
    }
    cursor.end()
}

/// A part of an update.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'a> {
    Block(Block<'a>),
    /// A range of clocks that are deleted.
    Deletion {
        from: Id,
        len: u32,
    },
}

/// One block of an update.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    pub(crate) id: Id,
    pub(crate) len: u32,
    pub(crate) place: Place<'a>,
    pub(crate) content: Content,
    /// The block is a shared type of this kind.
    pub(crate) is_type: Option<Kind>,
    /// Where in the update it begins.
    pub(crate) at: usize,
    /// The block as it is encoded.
    pub(crate) bytes: &'a [u8],
    /// Where in `bytes` it says what is right of it.
    right: (u8, u8),
}

impl<'a> Block<'a> {
    /// The block as it is encoded, without what it says is right of it: two pieces.
    pub(crate) fn without_right(&self) -> Option<(u8, &'a [u8], &'a [u8])> {
        let (info, _) = self.bytes.split_first()?;
        let head = self.bytes.get(1..self.right.0.into())?;
        Some((info & !HAS_RIGHT_ORIGIN, head, self.bytes.get(self.right.1.into()..)?))
    }
}

const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;
const HAS_KEY: u8 = 0x20;

/// What kind of thing a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// What was deleted.
    Nothing,
    /// Text, a format, or a value embedded in text.
    Text,
    /// A shared type of lists and maps, or a text.
    Type,
    /// A value, bytes, or a subdocument.
    Value,
    /// A shared type of XML.
    Xml,
}

impl Content {
    /// A bit for sets of these.
    pub(crate) fn bit(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Text => 1,
            Self::Type => 2,
            Self::Value => 4,
            Self::Xml => 8,
        }
    }
}

/// Where a block says that it belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// In the same place as these, left and right of it; at least one is there.
    Beside(Option<Id>, Option<Id>),
    /// Not a block at all, but room left for some that come elsewhere.
    Gap,
    /// In a shared type, under a key if it isn't in its list.
    In(Id, Option<&'a str>),
    /// In a root, likewise.
    Root(&'a str, Option<&'a str>),
    /// Nowhere: what was deleted and forgotten.
    Void,
}

/// The place of one unit in the history of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    pub(crate) client: u64,
    pub(crate) clock: u32,
}

/// Walks through an update, showing each part: the blocks of one client after the other, each
/// client's in order, then the deletions.
pub(crate) fn walk<'a>(bytes: &'a [u8], visit: impl FnMut(Part<'a>)) -> Result<(), Invalid> {
    walk_within(bytes, Limits::UPDATE, visit).map(drop)
}

/// How large an update may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    bytes: usize,
    blocks: usize,
    values: usize,
}

impl Limits {
    /// What anybody may send.
    pub(crate) const UPDATE: Self =
        Self { bytes: MAX_UPDATE, blocks: MAX_BLOCKS, values: MAX_VALUES };
    /// For what the engine of this replica has written.
    pub(crate) const NONE: Self =
        Self { bytes: usize::MAX, blocks: usize::MAX, values: usize::MAX };
}

/// What is to be said of an update besides that it is well encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Walked {
    /// A client is named of whom there is nothing. Nobody writes that, so the engine is spared it.
    pub(crate) names_for_nothing: bool,
}

/// As [`walk`], within other limits.
pub(crate) fn walk_within<'a>(
    bytes: &'a [u8],
    limits: Limits,
    mut visit: impl FnMut(Part<'a>),
) -> Result<Walked, Invalid> {
    if bytes.len() > limits.bytes {
        return Err(Invalid::TooLarge(bytes.len()));
    }
    let mut walker = Walker {
        cursor: Cursor { rest: bytes },
        len: bytes.len(),
        values: 0,
        max_values: limits.values,
        subdocuments: 0,
        kind: None,
    };
    let mut names_for_nothing = false;
    let mut left = limits.blocks;
    let mut seen = HashSet::new();
    let clients = walker.cursor.count(MAX_CLIENTS)?;
    for _ in 0..clients {
        let blocks = walker.cursor.count(left)?;
        names_for_nothing |= blocks == 0;
        left -= blocks;
        let client = walker.cursor.client()?;
        if !seen.insert(client) {
            return Err(Invalid::OutOfOrder);
        }
        let mut clock = walker.cursor.u32()?;
        for _ in 0..blocks {
            let block = walker.block(Id { client, clock })?;
            clock = clock.checked_add(block.len).ok_or(Invalid::Overflow)?;
            visit(Part::Block(block));
        }
    }
    names_for_nothing |= walker.deletions(left, visit)?;
    walker.cursor.end()?;
    Ok(Walked { names_for_nothing })
}

/// How many units a string of an update has; it is shorter than an update, so its length fits.
pub(crate) fn utf16_len(text: &str) -> u32 {
    let len = if text.is_ascii() { text.len() } else { text.encode_utf16().count() };
    len as u32
}

/// How many bytes the next of several encoded values takes.
pub(crate) fn value_len(bytes: &[u8]) -> Result<usize, Invalid> {
    let mut walker = Walker {
        cursor: Cursor { rest: bytes },
        len: bytes.len(),
        values: 0,
        max_values: usize::MAX,
        subdocuments: 0,
        kind: None,
    };
    walker.value()?;
    Ok(bytes.len() - walker.cursor.rest.len())
}

struct Walker<'a> {
    cursor: Cursor<'a>,
    /// Bytes of the whole.
    len: usize,
    values: usize,
    max_values: usize,
    subdocuments: usize,
    /// The kind of the shared type that was just walked through.
    kind: Option<Kind>,
}

impl<'a> Walker<'a> {
    fn block(&mut self, id: Id) -> Result<Block<'a>, Invalid> {
        const GC: u8 = 0;
        const SKIP: u8 = 10;

        let from = self.cursor.rest;
        let info = self.cursor.u8()?;
        let kind = info & 0x1f;
        let mut right_at = (0, 0);
        let (place, len) = if info == GC || info == SKIP {
            (if info == GC { Place::Void } else { Place::Gap }, self.length()?)
        } else {
            let left = if info & HAS_ORIGIN != 0 { Some(self.cursor.id()?) } else { None };
            // An id has 15 bytes at most.
            right_at.0 = (from.len() - self.cursor.rest.len()) as u8;
            let right = if info & HAS_RIGHT_ORIGIN != 0 { Some(self.cursor.id()?) } else { None };
            right_at.1 = (from.len() - self.cursor.rest.len()) as u8;
            let place = if left.is_some() || right.is_some() {
                Place::Beside(left, right)
            } else {
                self.parent(info & HAS_KEY != 0)?
            };
            (place, self.content(kind)?)
        };
        let bytes = from.get(..from.len() - self.cursor.rest.len()).unwrap_or_default();
        let is_type = self.kind.take();
        let content = match (kind, is_type) {
            (4..=6, _) => Content::Text,
            (3 | 8 | 9, _) => Content::Value,
            (_, Some(Kind::XmlElement | Kind::XmlText)) => Content::Xml,
            (_, Some(_)) => Content::Type,
            _ => Content::Nothing,
        };
        let at = self.len - from.len();
        Ok(Block { id, len, place, content, is_type, at, bytes, right: right_at })
    }

    fn parent(&mut self, has_key: bool) -> Result<Place<'a>, Invalid> {
        let place = match self.cursor.uvarint()? {
            0 => Place::In(self.cursor.id()?, None),
            1 => Place::Root(self.name()?, None),
            _ => return Err(Invalid::BadNumber),
        };
        if !has_key {
            return Ok(place);
        }
        let key = Some(self.name()?);
        Ok(match place {
            Place::In(parent, _) => Place::In(parent, key),
            Place::Root(name, _) => Place::Root(name, key),
            other => other,
        })
    }

    /// Walks through a block's content and returns its length in clocks.
    fn content(&mut self, kind: u8) -> Result<u32, Invalid> {
        match kind {
            1 => return self.length(),
            3 => drop(self.cursor.bytes()?),
            4 => {
                let len = utf16_len(self.cursor.string()?);
                return if len == 0 { Err(Invalid::Empty) } else { Ok(len) };
            }
            5 => self.json()?,
            6 => {
                self.name()?;
                self.json()?;
            }
            7 => {
                self.kind = Some(match self.cursor.u8()? {
                    0 => Kind::Array,
                    1 => Kind::Map,
                    2 => Kind::Text,
                    3 => {
                        self.name()?;
                        Kind::XmlElement
                    }
                    4 => Kind::XmlFragment,
                    6 => Kind::XmlText,
                    other => return Err(Invalid::UnknownKind(other)),
                });
            }
            8 => {
                let count = self.cursor.count(self.max_values)?;
                if count == 0 {
                    return Err(Invalid::Empty);
                }
                for _ in 0..count {
                    self.value()?;
                }
                return Ok(count as u32);
            }
            9 => {
                self.subdocuments += 1;
                if self.subdocuments > MAX_SUBDOCUMENTS {
                    return Err(Invalid::TooMany(MAX_SUBDOCUMENTS));
                }
                self.name()?;
                self.value()?;
            }
            other => return Err(Invalid::UnknownKind(other)),
        }
        Ok(1)
    }

    /// Walks through one value without recursing: the stack is a list of what is still to come on
    /// each level.
    fn value(&mut self) -> Result<(), Invalid> {
        struct Level {
            left: usize,
            keyed: bool,
        }
        let mut levels: Vec<Level> = Vec::new();
        loop {
            self.values += 1;
            if self.values > self.max_values {
                return Err(Invalid::TooMany(self.max_values));
            }
            let kind = self.cursor.u8()?;
            match kind {
                120 | 121 | 126 | 127 => {}
                116 => drop(self.cursor.bytes()?),
                117 | 118 => {
                    if levels.len() >= MAX_NESTING {
                        return Err(Invalid::TooDeep);
                    }
                    levels.push(Level {
                        left: self.cursor.count(self.max_values)?,
                        keyed: kind == 118,
                    });
                }
                119 => drop(self.cursor.string()?),
                122 | 123 => drop(self.cursor.take(8)?),
                124 => drop(self.cursor.take(4)?),
                125 => self.cursor.signed()?,
                other => return Err(Invalid::UnknownKind(other)),
            }
            loop {
                match levels.last_mut() {
                    None => return Ok(()),
                    Some(level) if level.left == 0 => drop(levels.pop()),
                    Some(level) => {
                        level.left -= 1;
                        if level.keyed {
                            self.name()?;
                        }
                        break;
                    }
                }
            }
        }
    }

    fn deletions(
        &mut self,
        mut left: usize,
        mut visit: impl FnMut(Part<'a>),
    ) -> Result<bool, Invalid> {
        let mut names_for_nothing = false;
        let mut seen = HashSet::new();
        let clients = self.cursor.count(MAX_CLIENTS)?;
        for _ in 0..clients {
            let client = self.cursor.client()?;
            if !seen.insert(client) {
                return Err(Invalid::OutOfOrder);
            }
            let ranges = self.cursor.count(left)?;
            names_for_nothing |= ranges == 0;
            left -= ranges;
            let mut end = 0;
            for _ in 0..ranges {
                let clock = self.cursor.u32()?;
                if clock < end {
                    return Err(Invalid::OutOfOrder);
                }
                let len = self.length()?;
                end = clock.checked_add(len).ok_or(Invalid::Overflow)?;
                visit(Part::Deletion { from: Id { client, clock }, len });
            }
        }
        Ok(names_for_nothing)
    }

    fn length(&mut self) -> Result<u32, Invalid> {
        match self.cursor.u32()? {
            0 => Err(Invalid::Empty),
            len => Ok(len),
        }
    }

    /// JSON that the engine can read; its parser limits the nesting.
    fn json(&mut self) -> Result<(), Invalid> {
        let json = self.cursor.string()?;
        serde_json::from_str::<yrs::Any>(json).map(drop).map_err(|_| Invalid::BadJson)
    }

    fn name(&mut self) -> Result<&'a str, Invalid> {
        let name = self.cursor.string()?;
        if name.len() > MAX_NAME { Err(Invalid::TooLarge(name.len())) } else { Ok(name) }
    }
}

/// Takes things from the front of the input.
pub(crate) struct Cursor<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn u8(&mut self) -> Result<u8, Invalid> {
        let (first, rest) = self.rest.split_first().ok_or(Invalid::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(crate) fn uvarint(&mut self) -> Result<u64, Invalid> {
        // Most numbers are small.
        if let [small @ 0..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok((*small).into());
        }
        match read_uvarint(self.rest) {
            Ok(Some((value, len))) => {
                self.take(len)?;
                Ok(value)
            }
            Ok(None) | Err(WireError::Truncated) => Err(Invalid::Truncated),
            Err(_) => Err(Invalid::BadNumber),
        }
    }

    /// Something of which there are at most `max`, and of which each takes at least a byte: a count
    /// is never larger than what is left.
    pub(crate) fn count(&mut self, max: usize) -> Result<usize, Invalid> {
        let count = usize::try_from(self.uvarint()?).map_err(|_| Invalid::Overflow)?;
        if count > self.rest.len() {
            return Err(Invalid::Truncated);
        }
        if count > max { Err(Invalid::TooMany(max)) } else { Ok(count) }
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Invalid> {
        u32::try_from(self.uvarint()?).map_err(|_| Invalid::Overflow)
    }

    pub(crate) fn client(&mut self) -> Result<u64, Invalid> {
        let client = self.uvarint()?;
        if client > MAX_CLIENT { Err(Invalid::Overflow) } else { Ok(client) }
    }

    pub(crate) fn id(&mut self) -> Result<Id, Invalid> {
        Ok(Id { client: self.client()?, clock: self.u32()? })
    }

    /// A signed number of lib0, in as many bytes as fit the engine's arithmetic.
    fn signed(&mut self) -> Result<(), Invalid> {
        const MAX_BYTES: usize = 9;
        for _ in 0..MAX_BYTES {
            if self.u8()? & 0x80 == 0 {
                return Ok(());
            }
        }
        Err(Invalid::BadNumber)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Invalid> {
        let len = usize::try_from(self.uvarint()?).map_err(|_| Invalid::Truncated)?;
        self.take(len)
    }

    pub(crate) fn string(&mut self) -> Result<&'a str, Invalid> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Invalid::BadString)
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Invalid> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Invalid::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn end(&self) -> Result<(), Invalid> {
        if self.rest.is_empty() { Ok(()) } else { Err(Invalid::Trailing) }
    }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
