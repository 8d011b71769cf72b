//! Updates in pieces.
//!
//! A diff is one update of any size; a browser that applies it stands still until it is through. In
//! pieces it can take a breath between two. They are cut between blocks, in the order in which blocks
//! refer to one another, so that none has to wait for a later one, and come before the deletions.

use std::collections::HashMap;

use bytes::Bytes;
use vivim_proto::{limits::PIECE, wire::put_uvarint};

use crate::{
    Doc,
    admission::schedule,
    error::{ApplyError, SummaryError},
    limits::MIN_PIECE,
    validate::{
        Block, Cursor, Id, Invalid, Limits, Part, Place, utf16_len, value_len, walk_within,
    },
};

const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;
const GC: u8 = 0;
const DELETED: u8 = 1;
const STRING: u8 = 4;
const VALUES: u8 = 8;

/// What a client's part of an update takes beside its blocks, at most: three numbers.
const CLIENT_OVERHEAD: usize = 5 + 8 + 5;

/// What an update takes beside its clients and its deletions, at most.
const OVERHEAD: usize = 5 + 1;

/// What a range of deletions takes, at most: a client of its own, and two numbers.
const DELETION: usize = CLIENT_OVERHEAD + 10;

/// What a block that is cut takes more, at most: an origin and a length.
const CUT_OVERHEAD: usize = 8 + 5 + 5;

impl Doc {
    /// What is missing in a replica with this state vector (everything if `None`), in updates of at
    /// most `max_bytes`. Applied one after the other, none of them has to wait for another; in any
    /// order they come to the same in the end. Nothing missing is no update at all.
    ///
    /// Strings and lists of values are cut to fit; a single value that is larger goes alone.
    /// `max_bytes` is taken for [`MIN_PIECE`] if it is less.
    pub fn encode_pieces(
        &self,
        state_vector: Option<&[u8]>,
        max_bytes: usize,
    ) -> Result<Vec<Bytes>, SummaryError> {
        let diff = self.encode_state_as_update(state_vector)?;
        Ok(cut(&diff, max_bytes, Most::ALL)?.pieces)
    }

    /// Applies an update that this engine has written, which may be larger than anybody may send: piece
    /// by piece, each within the limits. The state of a document has no limit of its own.
    ///
    /// # Errors
    ///
    /// As of [`apply_update`](Self::apply_update). Pieces before the one that was refused stay applied.
    pub fn apply_in_pieces(&mut self, update: &[u8]) -> Result<(), ApplyError> {
        for piece in cut(update, PIECE, Most::ALL)?.pieces {
            self.apply_update(&piece)?;
        }
        Ok(())
    }

    /// The first of the pieces, if they are more than `most`. Who has applied those has another state
    /// vector, for which the next ones come.
    pub(crate) fn encode_some_pieces(
        &self,
        state_vector: &[u8],
        max_bytes: usize,
        most: Most,
    ) -> Result<Pieces, SummaryError> {
        let diff = self.encode_state_as_update(Some(state_vector))?;
        Ok(cut(&diff, max_bytes, most)?)
    }
}

/// How much of an update is cut into pieces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Most {
    pub(crate) bytes: usize,
    pub(crate) pieces: usize,
}

impl Most {
    pub(crate) const ALL: Self = Self { bytes: usize::MAX, pieces: usize::MAX };
}

/// An update in pieces.
#[derive(Debug)]
pub(crate) struct Pieces {
    pub(crate) pieces: Vec<Bytes>,
    /// If not, they are the first ones.
    pub(crate) are_all: bool,
}

/// Cuts an update that the engine has written.
///
/// Deletions come when all blocks have. If they alone are more than `most`, they come all the same:
/// no state vector would say which of them were there.
pub(crate) fn cut(update: &[u8], max_bytes: usize, most: Most) -> Result<Pieces, Invalid> {
    let max_bytes = max_bytes.max(MIN_PIECE);
    let mut clients: Vec<u64> = Vec::new();
    let mut queues: Vec<std::vec::IntoIter<Block<'_>>> = Vec::new();
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut deletions: Vec<(Id, u32)> = Vec::new();
    walk_within(update, Limits::NONE, |part| match part {
        Part::Block(block) => {
            if clients.last() != Some(&block.id.client) {
                if !clients.is_empty() {
                    queues.push(std::mem::take(&mut blocks).into_iter());
                }
                clients.push(block.id.client);
            }
            blocks.push(block);
        }
        Part::Deletion { from, len } => deletions.push((from, len)),
    })?;
    if !blocks.is_empty() {
        queues.push(blocks.into_iter());
    }
    if update.len() <= max_bytes {
        let is_none = clients.is_empty() && deletions.is_empty();
        let whole = (!is_none).then(|| Bytes::copy_from_slice(update));
        return Ok(Pieces { pieces: whole.into_iter().collect(), are_all: true });
    }
    let mut cutter = Cutter::new(max_bytes, most);
    // What is not in the diff is there already.
    let mut there: HashMap<u64, u32> = HashMap::new();
    for (client, queue) in clients.iter().zip(&queues) {
        there.insert(*client, queue.as_slice().first().map_or(0, |block| block.id.clock));
    }
    schedule(&clients, |at| {
        let Some(queue) = queues.get_mut(at) else { return Ok((None, 0)) };
        let mut state = 0;
        while let Some(block) = queue.as_slice().first().copied() {
            let client = block.id.client;
            state = block.id.clock;
            let references = match block.place {
                Place::Beside(left, right) => [left, right],
                Place::In(parent, _) => [Some(parent), None],
                Place::Gap | Place::Root(..) | Place::Void => [None, None],
            };
            let is_missing = |id: &Id| {
                id.client != client && there.get(&id.client).is_some_and(|clock| id.clock >= *clock)
            };
            if let Some(missing) = references.into_iter().flatten().find(is_missing) {
                return Ok((Some(missing), state));
            }
            cutter.add(&block)?;
            queue.next();
            state = block.id.clock + block.len;
            there.insert(client, state);
        }
        Ok::<_, Invalid>((None, state))
    })?;
    // There are none left, unless an update refers to itself in circles.
    for queue in queues {
        for block in queue {
            cutter.add(&block)?;
        }
    }
    // With blocks before them they can wait for the next time; alone, they come as they are.
    let has_blocks = !clients.is_empty();
    if !cutter.is_full && (!has_blocks || cutter.takes(deletions.len() * DELETION)) {
        cutter.add_deletions(deletions);
    }
    Ok(cutter.finish())
}

struct Cutter {
    max_bytes: usize,
    most: Most,
    piece: Piece,
    done: Vec<Bytes>,
    done_bytes: usize,
    /// A block didn't fit into what was asked for; none is taken after it.
    is_full: bool,
}

/// An update that is being written.
#[derive(Default)]
struct Piece {
    of_clients: Vec<OfClient>,
    at: HashMap<u64, usize>,
    bytes: usize,
    deletions: Vec<(Id, u32)>,
}

/// The blocks of one client in a piece.
struct OfClient {
    first: Id,
    count: u64,
    bytes: Vec<u8>,
}

impl Cutter {
    fn new(max_bytes: usize, most: Most) -> Self {
        let (piece, done) = (Piece::default(), Vec::new());
        Self { max_bytes, most, piece, done, done_bytes: 0, is_full: false }
    }

    /// Whether there is room for so many bytes more. The first block always has.
    fn takes(&mut self, bytes: usize) -> bool {
        let is_first = self.done.is_empty() && self.piece.is_empty();
        let all = self.done_bytes + self.piece.bytes + bytes + OVERHEAD + CLIENT_OVERHEAD;
        // Into the piece that is being written, or into one more.
        let fits = all <= self.most.bytes && self.done.len() + 2 <= self.most.pieces;
        self.is_full |= !fits && !is_first;
        !self.is_full
    }

    fn add(&mut self, block: &Block<'_>) -> Result<(), Invalid> {
        let whole = self.max_bytes.saturating_sub(OVERHEAD + CLIENT_OVERHEAD);
        if self.is_full || (block.bytes.len() <= whole && !self.takes(block.bytes.len())) {
            return Ok(());
        }
        let room = self.piece.room(block.id.client, self.max_bytes);
        if block.bytes.len() <= room {
            self.piece.add(block.id, |out| out.extend_from_slice(block.bytes));
            return Ok(());
        }
        if block.bytes.len() <= whole {
            self.flush();
            self.piece.add(block.id, |out| out.extend_from_slice(block.bytes));
            return Ok(());
        }
        let taken = take_apart(block)?;
        let mut rest = taken.units;
        let mut from = 0;
        while from < block.len {
            let room = self.piece.room(block.id.client, self.max_bytes);
            let fits = rest.fit(block.len - from, room.saturating_sub(CUT_OVERHEAD))?;
            let (count, bytes) = match fits {
                Some(fits) => fits,
                // Not even one unit fits a piece.
                None if self.piece.is_empty() => rest.first()?,
                None => {
                    self.flush();
                    continue;
                }
            };
            let (part, left) = rest.split(bytes)?;
            rest = left;
            if !self.takes(bytes + CUT_OVERHEAD) {
                return Ok(());
            }
            let id = Id { clock: block.id.clock + from, ..block.id };
            self.piece.add(id, |out| {
                if count == block.len {
                    return out.extend_from_slice(block.bytes);
                }
                put_header(out, block, &taken, from);
                part.put(out, count);
            });
            from += count;
        }
        Ok(())
    }

    fn add_deletions(&mut self, deletions: Vec<(Id, u32)>) {
        for (from, len) in deletions {
            if self.piece.room(from.client, self.max_bytes) < DELETION {
                self.flush();
            }
            self.piece.deletions.push((from, len));
            self.piece.bytes += DELETION;
        }
    }

    fn flush(&mut self) {
        let piece = std::mem::take(&mut self.piece);
        if !piece.is_empty() {
            let piece = piece.encode();
            self.done_bytes += piece.len();
            self.done.push(piece);
        }
    }

    fn finish(mut self) -> Pieces {
        self.flush();
        Pieces { pieces: self.done, are_all: !self.is_full }
    }
}

impl Piece {
    fn is_empty(&self) -> bool {
        self.of_clients.is_empty() && self.deletions.is_empty()
    }

    /// How large a block of this client may be that is added.
    fn room(&self, client: u64, max_bytes: usize) -> usize {
        let new = if self.at.contains_key(&client) { 0 } else { CLIENT_OVERHEAD };
        max_bytes.saturating_sub(OVERHEAD + self.bytes + new)
    }

    fn add(&mut self, id: Id, write: impl FnOnce(&mut Vec<u8>)) {
        let at = *self.at.entry(id.client).or_insert_with(|| {
            self.of_clients.push(OfClient { first: id, count: 0, bytes: Vec::new() });
            self.bytes += CLIENT_OVERHEAD;
            self.of_clients.len() - 1
        });
        if let Some(part) = self.of_clients.get_mut(at) {
            let before = part.bytes.len();
            write(&mut part.bytes);
            part.count += 1;
            self.bytes += part.bytes.len() - before;
        }
    }

    fn encode(mut self) -> Bytes {
        let mut out = Vec::with_capacity(self.bytes + OVERHEAD);
        put_uvarint(&mut out, self.of_clients.len() as u64);
        for OfClient { first, count, bytes } in &self.of_clients {
            put_uvarint(&mut out, *count);
            put_uvarint(&mut out, first.client);
            put_uvarint(&mut out, first.clock.into());
            out.extend_from_slice(bytes);
        }
        put_deletions(&mut out, &mut self.deletions);
        out.into()
    }
}

/// The content of a block, which can be cut if it is one of these.
#[derive(Clone, Copy)]
enum Units<'a> {
    /// Nothing that takes place.
    Count,
    Text(&'a str),
    Values(&'a [u8]),
    /// One unit.
    Whole,
}

struct Taken<'a> {
    kind: u8,
    right: Option<Id>,
    units: Units<'a>,
}

fn take_apart<'a>(block: &Block<'a>) -> Result<Taken<'a>, Invalid> {
    let mut cursor = Cursor { rest: block.bytes };
    let info = cursor.u8()?;
    let kind = info & 0x1f;
    let mut right = None;
    if info != GC {
        let (mut left, has_key) = (None, info & 0x20 != 0);
        if info & HAS_ORIGIN != 0 {
            left = Some(cursor.id()?);
        }
        if info & HAS_RIGHT_ORIGIN != 0 {
            right = Some(cursor.id()?);
        }
        if left.is_none() && right.is_none() {
            if cursor.uvarint()? == 0 {
                cursor.id()?;
            } else {
                cursor.string()?;
            }
            if has_key {
                cursor.string()?;
            }
        }
    }
    let units = match kind {
        GC | DELETED => Units::Count,
        STRING => Units::Text(cursor.string()?),
        VALUES => {
            cursor.uvarint()?;
            Units::Values(cursor.rest)
        }
        _ => Units::Whole,
    };
    Ok(Taken { kind, right, units })
}

impl<'a> Units<'a> {
    /// How many of `len` units have so many bytes of content, and their bytes; `None` if not even one
    /// has.
    fn fit(&self, len: u32, room: usize) -> Result<Option<(u32, usize)>, Invalid> {
        let (mut count, mut bytes) = (0, 0);
        match self {
            Units::Count | Units::Whole => count = len,
            Units::Text(text) => {
                bytes = text.floor_char_boundary(room);
                count = utf16_len(text.get(..bytes).unwrap_or_default());
            }
            Units::Values(values) => {
                while count < len {
                    let next = value_len(values.get(bytes..).unwrap_or_default())?;
                    if bytes + next > room {
                        break;
                    }
                    bytes += next;
                    count += 1;
                }
            }
        }
        Ok((count > 0).then_some((count, bytes)))
    }

    /// The first unit alone, or the two of a character, and their bytes.
    fn first(&self) -> Result<(u32, usize), Invalid> {
        match self {
            Units::Count | Units::Whole => Ok((1, 0)),
            Units::Text(text) => {
                let first = text.chars().next().ok_or(Invalid::Truncated)?;
                Ok((first.len_utf16() as u32, first.len_utf8()))
            }
            Units::Values(values) => Ok((1, value_len(values)?)),
        }
    }

    fn split(self, bytes: usize) -> Result<(Self, Self), Invalid> {
        match self {
            Units::Count | Units::Whole => Ok((self, self)),
            Units::Text(text) => {
                let (part, rest) = text.split_at_checked(bytes).ok_or(Invalid::Truncated)?;
                Ok((Units::Text(part), Units::Text(rest)))
            }
            Units::Values(values) => {
                let (part, rest) = values.split_at_checked(bytes).ok_or(Invalid::Truncated)?;
                Ok((Units::Values(part), Units::Values(rest)))
            }
        }
    }

    /// Writes `count` units.
    fn put(&self, out: &mut Vec<u8>, count: u32) {
        match self {
            Units::Count | Units::Whole => put_uvarint(out, count.into()),
            Units::Text(text) => {
                put_uvarint(out, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
            }
            Units::Values(values) => {
                put_uvarint(out, count.into());
                out.extend_from_slice(values);
            }
        }
    }
}

/// Writes the first units of a block as a block of their own. A surrogate pair that is cut becomes a
/// replacement character, as in the engine.
pub(crate) fn put_first(out: &mut Vec<u8>, block: &Block<'_>, count: u32) -> Result<(), Invalid> {
    let taken = take_apart(block)?;
    if count == block.len || matches!(taken.units, Units::Whole) {
        out.extend_from_slice(block.bytes);
        return Ok(());
    }
    put_header(out, block, &taken, 0);
    match taken.units {
        Units::Text(text) => {
            let (mut end, mut units) = (0, 0);
            for character in text.chars() {
                if units + character.len_utf16() as u32 > count {
                    break;
                }
                units += character.len_utf16() as u32;
                end += character.len_utf8();
            }
            let mut part = text.get(..end).unwrap_or_default().to_owned();
            if units < count {
                part.push(char::REPLACEMENT_CHARACTER);
            }
            Units::Text(&part).put(out, count);
        }
        Units::Values(mut values) => {
            let all = values;
            for _ in 0..count {
                values = values.get(value_len(values)?..).ok_or(Invalid::Truncated)?;
            }
            let (part, _) = Units::Values(all).split(all.len() - values.len())?;
            part.put(out, count);
        }
        Units::Count | Units::Whole => taken.units.put(out, count),
    }
    Ok(())
}

/// Writes what comes before the units of a block, from one of them on.
fn put_header(out: &mut Vec<u8>, block: &Block<'_>, taken: &Taken<'_>, from: u32) {
    let Taken { kind, right, units } = taken;
    if from == 0 {
        out.extend_from_slice(header(block, units));
    } else if block.bytes.first() == Some(&GC) {
        out.push(GC);
    } else {
        let left = Id { clock: block.id.clock + from - 1, ..block.id };
        out.push(kind | HAS_ORIGIN | if right.is_some() { HAS_RIGHT_ORIGIN } else { 0 });
        for id in [Some(left), *right].into_iter().flatten() {
            put_uvarint(out, id.client);
            put_uvarint(out, id.clock.into());
        }
    }
}

/// The bytes of a block before its content's length.
fn header<'a>(block: &Block<'a>, units: &Units<'_>) -> &'a [u8] {
    let mut length = Vec::new();
    let content = match units {
        Units::Count => {
            put_uvarint(&mut length, block.len.into());
            0
        }
        Units::Text(text) => {
            put_uvarint(&mut length, text.len() as u64);
            text.len()
        }
        Units::Values(values) => {
            put_uvarint(&mut length, block.len.into());
            values.len()
        }
        Units::Whole => 0,
    };
    let end = block.bytes.len().saturating_sub(content + length.len());
    block.bytes.get(..end).unwrap_or_default()
}

/// Writes deletions in order and without overlaps.
pub(crate) fn put_deletions(out: &mut Vec<u8>, deletions: &mut Vec<(Id, u32)>) {
    if !deletions.is_sorted() {
        deletions.sort_unstable();
    }
    deletions.dedup_by(|next, last| {
        let end = last.0.clock + last.1;
        let joins = last.0.client == next.0.client && next.0.clock <= end;
        if joins {
            last.1 = end.max(next.0.clock + next.1) - last.0.clock;
        }
        joins
    });
    let of_clients = deletions.chunk_by(|a, b| a.0.client == b.0.client);
    put_uvarint(out, of_clients.clone().count() as u64);
    for ranges in of_clients {
        put_uvarint(out, ranges.first().map_or(0, |(from, _)| from.client));
        put_uvarint(out, ranges.len() as u64);
        for (from, len) in ranges {
            put_uvarint(out, from.clock.into());
            put_uvarint(out, (*len).into());
        }
    }
}

#[cfg(test)]
#[path = "pieces_tests.rs"]
mod tests;
