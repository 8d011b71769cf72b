//! Several steps of a change to text, made as one edit.

use yrs::{
    Array, In, Text,
    types::{Attrs, Delta},
};

use crate::{
    Attributes, Doc, EditError, Entry, TextOp, TypeId, Value,
    limits::{MAX_UPDATE, MAX_VALUES},
    text::{attrs, list_of},
};

/// A delta as it is given to the engine: first all that is inserted and formatted, then all that is
/// deleted.
///
/// Right after it has deleted something, the engine takes the formats that are in effect for those
/// behind the format marks that follow, and what comes next in the delta would be formatted as if it
/// stood there. So nothing that depends on formats may come after a deletion. What is inserted
/// where something is deleted stands behind it, as Yjs has it.
#[derive(Default)]
struct Plan {
    writes: Vec<Delta<In>>,
    /// Of the text as it is after the writes: where, and how much.
    deletions: Vec<(u32, u32)>,
    /// How much of the text as it was is gone over.
    reach: u64,
    /// Where it is in the text after the writes.
    at: u64,
    /// The length of the strings in UTF-8.
    bytes: usize,
}

impl Doc {
    /// Makes several steps from the beginning of a text, as one edit. What is inserted has exactly the
    /// formats given. Shared types can't be inserted in this way: [`EditError::WrongKind`].
    pub fn text_apply_delta(&mut self, text: &TypeId, ops: &[TextOp]) -> Result<(), EditError> {
        if self.has_values(text) {
            return Err(EditError::WrongKind);
        }
        let plan = Plan::of(ops)?;
        let as_list = self.deletes_as_list(text);
        self.write_text(text, plan.reach, |txn, text| {
            text.apply_delta(txn, plan.writes);
            if as_list {
                // From the end, where nothing moves what is yet to be deleted.
                for (index, len) in plan.deletions.into_iter().rev() {
                    list_of(&text).remove_range(txn, index, len);
                }
            } else {
                text.apply_delta(txn, deletions(&plan.deletions));
            }
            Ok(())
        })
    }
}

impl Plan {
    fn of(ops: &[TextOp]) -> Result<Self, EditError> {
        let mut plan = Self::default();
        for op in ops {
            plan.add(op)?;
        }
        // The engine would go over the rest of the text for nothing.
        if let Some(Delta::Retain(_, None)) = plan.writes.last() {
            plan.writes.pop();
        }
        if plan.bytes > MAX_UPDATE / 2 || ops.len() > MAX_VALUES {
            return Err(EditError::TooLarge(plan.bytes));
        }
        Ok(plan)
    }

    fn add(&mut self, op: &TextOp) -> Result<(), EditError> {
        match op {
            TextOp::Delete(0) | TextOp::Retain(0, _) => {}
            TextOp::Delete(len) => {
                self.delete(*len);
                self.go_over(*len, None);
            }
            TextOp::Insert(Entry::Type(..), _) => return Err(EditError::WrongKind),
            TextOp::Insert(Entry::Value(value), attributes) => {
                let len = match value {
                    Value::String(string) if string.is_empty() => return Ok(()),
                    Value::String(string) => {
                        self.bytes = self.bytes.saturating_add(string.len());
                        string.encode_utf16().count() as u64
                    }
                    _ => 1,
                };
                self.at += len;
                let value = In::Any(value.to_any()?);
                self.writes.push(Delta::Inserted(value, boxed(attributes)?));
            }
            TextOp::Retain(len, attributes) => self.go_over(*len, boxed(attributes)?),
        }
        Ok(())
    }

    fn go_over(&mut self, len: u32, attributes: Option<Box<Attrs>>) {
        match (self.writes.last_mut(), &attributes) {
            // Where nothing is changed, the engine needn't stop, which parts a surrogate pair.
            (Some(Delta::Retain(before, None)), None) => *before = before.saturating_add(len),
            _ => self.writes.push(Delta::Retain(len, attributes)),
        }
        self.reach += u64::from(len);
        self.at += u64::from(len);
    }

    fn delete(&mut self, len: u32) {
        let at = u32::try_from(self.at).unwrap_or(u32::MAX);
        match self.deletions.last_mut() {
            Some((from, before)) if from.saturating_add(*before) == at => {
                *before = before.saturating_add(len);
            }
            _ => self.deletions.push((at, len)),
        }
    }
}

/// Deletions as a delta: between two of them is something.
fn deletions(ranges: &[(u32, u32)]) -> Vec<Delta<In>> {
    let mut delta = Vec::with_capacity(2 * ranges.len());
    let mut end = 0;
    for &(from, len) in ranges {
        if from > end {
            delta.push(Delta::Retain(from - end, None));
        }
        delta.push(Delta::Deleted(len));
        end = from.saturating_add(len);
    }
    delta
}

fn boxed(attributes: &Attributes) -> Result<Option<Box<Attrs>>, EditError> {
    if attributes.is_empty() { Ok(None) } else { Ok(Some(Box::new(attrs(attributes)?))) }
}

#[cfg(test)]
#[path = "delta_tests.rs"]
mod tests;
