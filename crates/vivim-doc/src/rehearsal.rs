//! A rehearsal of what every document is about to do.

use crate::{ClientId, Doc};

/// Edits in the rehearsed document.
const EDITS: u32 = 600;

/// How many of them one step makes.
const EDITS_PER_STEP: u32 = 40;

/// How often it is opened.
const OPENINGS: u32 = 24;

const NAME: &str = "text";

/// Writes a made-up document and opens it a few times.
///
/// A browser compiles a function of WebAssembly when it is first called, in a hurry, and well only when
/// it was called often: the first large document takes several times as long to open as the next. An
/// application that has nothing else to do while it waits for the network can rehearse.
#[derive(Debug)]
pub struct Rehearsal {
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Writing { doc: Box<Doc>, edits: u32, len: u32 },
    Opening { state: Vec<u8>, left: u32 },
    Over,
}

impl Default for Rehearsal {
    fn default() -> Self {
        let doc = Box::new(Doc::new(ClientId::from_random(1)));
        Self { stage: Stage::Writing { doc, edits: 0, len: 0 } }
    }
}

impl Rehearsal {
    /// Does a part of it, of a few milliseconds at most. False if nothing is left.
    pub fn step(&mut self) -> bool {
        match &mut self.stage {
            Stage::Writing { doc, edits, len } => {
                let until = *edits + EDITS_PER_STEP;
                while *edits < until {
                    *len = write(doc, *edits, *len);
                    *edits += 1;
                }
                if *edits >= EDITS {
                    let state = doc.encode_state_as_update(None).unwrap_or_default();
                    self.stage = Stage::Opening { state, left: OPENINGS };
                }
            }
            Stage::Opening { state, left } => {
                let mut doc = Doc::new(ClientId::from_random(2));
                // Nobody reads it; it is the way that counts.
                let _ = doc.apply_update(state);
                let _ = doc.text(NAME);
                *left -= 1;
                if *left == 0 {
                    self.stage = Stage::Over;
                }
            }
            Stage::Over => {}
        }
        !matches!(self.stage, Stage::Over)
    }
}

/// Edits a text of this length as texts are written, all over the place. Gives the new length.
fn write(doc: &mut Doc, edit: u32, len: u32) -> u32 {
    const WORD: &str = "words ";
    const DELETED: u32 = 3;

    let at = edit.wrapping_mul(7919) % (len + 1);
    let mut len = len;
    if doc.text_insert(NAME, at, WORD).is_ok() {
        len += WORD.len() as u32;
    }
    if edit.is_multiple_of(4) && doc.text_delete(NAME, at, DELETED).is_ok() {
        len -= DELETED;
    }
    drop(doc.take_updates());
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_and_is_over_then() {
        let mut rehearsal = Rehearsal::default();
        let steps =
            1 + std::iter::repeat_with(|| rehearsal.step()).take_while(|more| *more).count();
        assert_eq!(steps as u32, EDITS / EDITS_PER_STEP + OPENINGS);
        assert!(!rehearsal.step());
    }

    #[test]
    fn what_it_opens_is_a_document_like_others() {
        let mut rehearsal = Rehearsal::default();
        for _ in 0..EDITS / EDITS_PER_STEP {
            assert!(rehearsal.step());
        }
        let Stage::Opening { state, .. } = &rehearsal.stage else { panic!("{rehearsal:?}") };
        let mut doc = Doc::new(ClientId::from_random(2));
        doc.apply_update(state).unwrap();
        let inserted = EDITS * 6 - EDITS / 4 * 3;
        assert_eq!(doc.text_len(NAME).unwrap(), inserted);
    }
}
