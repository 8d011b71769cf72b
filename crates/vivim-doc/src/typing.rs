//! Neighbouring edits of one text, taken together before they are written.
//!
//! Every edit of a text by index makes the engine walk from the text's beginning, open and commit a
//! transaction and encode an update. Typing is letters beside letters, so a [`Typing`] holds back
//! what belongs together, as one insertion with deletions on both sides of it, and writes it when
//! something else comes: an edit elsewhere, or [`Typing::settle`], which whoever owns document and
//! typing calls before it does *anything* else with the document. Nobody can tell the difference,
//! except that an update holds more than one letter.

use crate::{
    Doc, TypeId,
    doc::check_bounds,
    error::EditError,
    limits::{MAX_RUN, MAX_UPDATE},
};

/// What was typed into a document and isn't written yet.
#[derive(Debug, Default)]
pub struct Typing {
    run: Option<(TypeId, Run)>,
}

/// One insertion and the deletions around it. Positions are those of the text before it.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    /// Where to insert.
    at: u32,
    /// UTF-16 units to delete before that.
    left: u32,
    inserted: Vec<u16>,
    /// UTF-16 units to delete behind it.
    right: u32,
    /// The text's length with all of this done.
    len: u32,
}

impl Typing {
    /// Nothing typed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Inserts into a text at a position in UTF-16 units, now or when it settles.
    ///
    /// # Errors
    ///
    /// As [`Doc::text_insert_at`]; nothing is changed then.
    pub fn insert(
        &mut self,
        doc: &mut Doc,
        id: &TypeId,
        index: u32,
        text: &str,
    ) -> Result<(), EditError> {
        if text.len() > MAX_UPDATE / 2 {
            return Err(EditError::TooLarge(text.len()));
        }
        let run = self.run_of(doc, id)?;
        check_bounds(index.into(), run.len)?;
        if run.insert(index, text) {
            return Ok(());
        }
        self.settle(doc)?;
        self.run_of(doc, id)?.start(index, text);
        Ok(())
    }

    /// Deletes `len` UTF-16 units of a text, now or when it settles.
    ///
    /// # Errors
    ///
    /// As [`Doc::text_delete_at`]; nothing is changed then.
    pub fn delete(
        &mut self,
        doc: &mut Doc,
        id: &TypeId,
        index: u32,
        len: u32,
    ) -> Result<(), EditError> {
        let run = self.run_of(doc, id)?;
        check_bounds(u64::from(index) + u64::from(len), run.len)?;
        if run.delete(index, len) {
            return Ok(());
        }
        self.settle(doc)?;
        self.run_of(doc, id)?.delete(index, len);
        Ok(())
    }

    /// The length of a text in UTF-16 units, with what was typed.
    ///
    /// # Errors
    ///
    /// As [`Doc::text_len_of`].
    pub fn len(&self, doc: &Doc, id: &TypeId) -> Result<u32, EditError> {
        match &self.run {
            Some((of, run)) if of == id => Ok(run.len),
            _ => doc.text_len_of(id),
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.run.is_none()
    }

    /// Writes what was typed. From here on the document may be used in any way.
    ///
    /// # Errors
    ///
    /// As [`Doc::text_insert_at`]; what was typed is lost then. Its bounds were checked when it was typed, so
    /// this is a document that has been given up.
    pub fn settle(&mut self, doc: &mut Doc) -> Result<(), EditError> {
        let Some((id, run)) = self.run.take() else { return Ok(()) };
        // The insertion first: it belongs where it was typed, and has the format that was there.
        if !run.inserted.is_empty() {
            doc.text_insert_at(&id, run.at, &String::from_utf16_lossy(&run.inserted))?;
        }
        if run.right > 0 {
            doc.text_delete_at(&id, run.at + run.inserted.len() as u32, run.right)?;
        }
        if run.left > 0 {
            doc.text_delete_at(&id, run.at - run.left, run.left)?;
        }
        Ok(())
    }

    /// The run of this text; one of another text is written.
    fn run_of(&mut self, doc: &mut Doc, id: &TypeId) -> Result<&mut Run, EditError> {
        if self.run.as_ref().is_some_and(|(of, _)| of != id) {
            self.settle(doc)?;
        }
        let run = match self.run.take() {
            Some((_, run)) => run,
            None => Run::new(doc.text_len_of(id)?),
        };
        Ok(&mut self.run.insert((id.clone(), run)).1)
    }
}

impl Run {
    fn new(len: u32) -> Self {
        Self { at: 0, left: 0, inserted: Vec::new(), right: 0, len }
    }

    fn is_blank(&self) -> bool {
        self.left == 0 && self.right == 0 && self.inserted.is_empty()
    }

    /// Where what is inserted begins, in the text as it is now.
    fn from(&self) -> u32 {
        self.at - self.left
    }

    /// Where it ends.
    fn to(&self) -> u32 {
        self.from() + self.inserted.len() as u32
    }

    /// Begins a blank run, of which any insertion is the neighbour.
    fn start(&mut self, index: u32, text: &str) {
        self.at = index;
        self.splice(index, text);
    }

    /// False if it isn't a neighbour; `index` is in bounds.
    fn insert(&mut self, index: u32, text: &str) -> bool {
        if text.is_empty() {
            return true;
        }
        if self.is_blank() {
            self.at = index;
        } else if !(self.from()..=self.to()).contains(&index)
            || self.inserted.len() + text.len() > MAX_RUN
        {
            return false;
        }
        self.splice(index, text);
        true
    }

    fn splice(&mut self, index: u32, text: &str) {
        let place = (index - self.from()) as usize;
        let before = self.inserted.len();
        if place == before {
            self.inserted.extend(text.encode_utf16());
        } else {
            self.inserted.splice(place..place, text.encode_utf16());
        }
        self.len += (self.inserted.len() - before) as u32;
    }

    /// False if it isn't a neighbour; the range is in bounds.
    fn delete(&mut self, index: u32, len: u32) -> bool {
        if len == 0 {
            return true;
        }
        if self.is_blank() {
            self.at = index;
        }
        let (from, to, end) = (self.from(), self.to(), index + len);
        if index > to || end < from {
            return false;
        }
        let inside = index.max(from) - from..end.min(to).max(from) - from;
        self.inserted.drain(inside.start as usize..inside.end as usize);
        self.left += from.saturating_sub(index);
        self.right += end.saturating_sub(to);
        self.len -= len;
        if self.inserted.is_empty() {
            // What is inserted next belongs before all that was deleted, as if that had been first.
            self.at -= self.left;
            self.right += std::mem::take(&mut self.left);
        }
        true
    }
}

#[cfg(test)]
#[path = "typing_tests.rs"]
mod tests;
