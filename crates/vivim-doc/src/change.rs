//! Groups of edits that go out as one update.

use vivim_proto::wire::put_uvarint;

use crate::{
    Doc, Origin,
    limits::MAX_GROUP,
    pieces::put_deletions,
    validate::{Id, Part, walk},
};

/// The edits of a change that hasn't ended.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// How many changes are within one another.
    depth: u32,
    edits: Vec<Vec<u8>>,
    bytes: usize,
}

impl Group {
    pub(crate) fn is_open(&self) -> bool {
        self.depth > 0
    }

    /// Takes an edit of this replica; gives back what is to be sent now.
    pub(crate) fn add(&mut self, edit: Vec<u8>) -> Option<Vec<u8>> {
        if !self.is_open() {
            return Some(edit);
        }
        self.bytes += edit.len();
        self.edits.push(edit);
        if self.bytes > MAX_GROUP { self.flush() } else { None }
    }

    fn flush(&mut self) -> Option<Vec<u8>> {
        self.bytes = 0;
        let edits = std::mem::take(&mut self.edits);
        match edits.len() {
            0 | 1 => edits.into_iter().next(),
            _ => Some(merge(&edits)),
        }
    }
}

impl Doc {
    /// Begins a change: until [`end_change`](Self::end_change), edits are made one by one as ever,
    /// and each is there to be read at once, but they go out as one update and are undone together.
    ///
    /// Changes may be nested; only the outermost counts. One that grows beyond
    /// [`MAX_GROUP`] bytes goes out in parts.
    pub fn begin_change(&mut self) {
        self.group.depth = self.group.depth.saturating_add(1);
    }

    /// Ends the change that was begun last. Without one, it does nothing.
    pub fn end_change(&mut self) {
        if !self.group.is_open() {
            return;
        }
        self.group.depth -= 1;
        if self.group.is_open() {
            return;
        }
        self.undo.end_change();
        if let Some(update) = self.group.flush() {
            self.publish(update, Origin::Local);
        }
    }

    /// Whether a change has begun and not ended.
    pub fn is_changing(&self) -> bool {
        self.group.is_open()
    }
}

/// Makes one update of updates that one replica has published of its own edits
/// ([`Origin::Local`]) one after the other, none of them left out.
pub fn merge<T: AsRef<[u8]>>(edits: &[T]) -> Vec<u8> {
    let mut first: Option<Id> = None;
    let mut count = 0u64;
    let mut blocks = Vec::new();
    let mut deletions: Vec<(Id, u32)> = Vec::new();
    for edit in edits {
        // What the engine has written passes, or the document has been given up.
        let _ = walk(edit.as_ref(), |part| match part {
            Part::Block(block) => {
                first.get_or_insert(block.id);
                count += 1;
                blocks.extend_from_slice(block.bytes);
            }
            Part::Deletion { from, len } => deletions.push((from, len)),
        });
    }
    let mut out = Vec::with_capacity(blocks.len() + 32);
    match first {
        None => put_uvarint(&mut out, 0),
        Some(id) => {
            put_uvarint(&mut out, 1);
            put_uvarint(&mut out, count);
            put_uvarint(&mut out, id.client);
            put_uvarint(&mut out, id.clock.into());
            out.extend_from_slice(&blocks);
        }
    }
    put_deletions(&mut out, &mut deletions);
    out
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
