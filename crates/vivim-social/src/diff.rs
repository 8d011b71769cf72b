//! The smallest edits that make one text of another.

use crate::limits::MAX_DIFF;

/// Deletes and inserts at one place of the old text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Where, in UTF-16 units of the old text.
    pub(crate) at: u32,
    /// How many UTF-16 units go.
    pub(crate) delete: u32,
    /// What comes instead.
    pub(crate) insert: String,
}

/// The steps from `old` to `new`, first to last. No step cuts a character in two.
pub(crate) fn diff(old: &str, new: &str) -> Vec<Step> {
    let old: Vec<char> = old.chars().collect();
    let new: Vec<char> = new.chars().collect();
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let old_middle = &old_rest[..old_rest.len() - tail];
    let new_middle = &new_rest[..new_rest.len() - tail];

    let kept = if old_middle.len() <= MAX_DIFF && new_middle.len() <= MAX_DIFF {
        common(old_middle, new_middle)
    } else {
        Vec::new()
    };
    let mut steps = Vec::new();
    let mut at = units(&old[..head]);
    let (mut i, mut j) = (0, 0);
    // What is kept, and the end of both as if that were kept, too.
    for (i_kept, j_kept) in kept.into_iter().chain([(old_middle.len(), new_middle.len())]) {
        let delete = units(&old_middle[i..i_kept]);
        let insert: String = new_middle[j..j_kept].iter().collect();
        if delete > 0 || !insert.is_empty() {
            steps.push(Step { at, delete, insert });
        }
        at += delete + old_middle.get(i_kept).map_or(0, |c| c.len_utf16() as u32);
        (i, j) = (i_kept + 1, j_kept + 1);
    }
    steps
}

/// The places of a longest common subsequence, in both.
fn common(a: &[char], b: &[char]) -> Vec<(usize, usize)> {
    let width = b.len() + 1;
    // How much the ends from (i, j) on have in common; at most MAX_DIFF, which fits.
    let mut len = vec![0u16; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            len[i * width + j] = if a[i] == b[j] {
                len[(i + 1) * width + j + 1] + 1
            } else {
                len[(i + 1) * width + j].max(len[i * width + j + 1])
            };
        }
    }
    let mut kept = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            kept.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if len[(i + 1) * width + j] >= len[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    kept
}

fn units(text: &[char]) -> u32 {
    text.iter().map(|c| c.len_utf16() as u32).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(old: &str, steps: &[Step]) -> String {
        let mut units: Vec<u16> = old.encode_utf16().collect();
        for Step { at, delete, insert } in steps.iter().rev() {
            let range = *at as usize..(at + delete) as usize;
            units.splice(range, insert.encode_utf16());
        }
        String::from_utf16(&units).expect("no character was cut")
    }

    #[test]
    fn the_steps_make_the_new_text() {
        for (old, new, count) in [
            ("", "", 0),
            ("same", "same", 0),
            ("", "all", 1),
            ("all", "", 1),
            ("the cat", "the black cat", 1),
            ("one two three", "One two Three!", 3),
            ("a😀b", "a😃b", 1),
            ("😀😀", "😀", 1),
        ] {
            let steps = diff(old, new);
            assert_eq!(apply(old, &steps), new, "{old:?} -> {new:?}: {steps:?}");
            assert_eq!(steps.len(), count, "{old:?} -> {new:?}: {steps:?}");
        }
    }

    #[test]
    fn a_text_of_other_letters_beyond_the_bound_is_replaced_in_one_step() {
        let (old, new) = ("a".repeat(MAX_DIFF + 1), "b".repeat(MAX_DIFF + 1));
        let steps = diff(&old, &new);
        assert_eq!(steps.len(), 1);
        assert_eq!(apply(&old, &steps), new);
    }
}
