//! How deep shared types are nested: within an update before it is applied, within the document
//! after it.
//!
//! The engine deletes and reads nested types by recursion, so depth is stack. A block knows its
//! parent only if it is the first of its type; any other is beside a neighbour. So depth is found by
//! following references, iteratively, through the update and then through what is known of the
//! document.

use std::collections::{BTreeMap, HashMap};

use crate::{
    limits::MAX_NESTING,
    validate::{Block, Facts, Id, Invalid, Place, walk},
};

/// The depth of everything in a document that is not directly in a root, as runs of clocks.
///
/// A document without nested types costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Depths {
    /// By the first clock of a run: its length and depth.
    runs: BTreeMap<Id, (u32, u32)>,
}

/// Checks an update on its own: whatever it refers to elsewhere counts as a root.
pub(crate) fn check(bytes: &[u8]) -> Result<Facts, Invalid> {
    let facts = walk(bytes, |_| {})?;
    if facts.types > MAX_NESTING {
        measure(bytes, &Depths::default(), |_, depth| {
            if depth > MAX_NESTING as u32 { Err(Invalid::TooDeep) } else { Ok(()) }
        })?;
    }
    Ok(facts)
}

impl Depths {
    /// Takes in an update that has been integrated, all of whose references are known by now.
    /// Returns the largest depth in it.
    pub(crate) fn integrate(&mut self, bytes: &[u8]) -> Result<u32, Invalid> {
        let mut types = 0;
        walk(bytes, |block| types += usize::from(block.is_type))?;
        if types == 0 && self.runs.is_empty() {
            return Ok(0);
        }
        let mut deepest = 0;
        let mut found = Vec::new();
        measure(bytes, self, |block, depth| {
            if depth > 0 {
                found.push((Id { client: block.client, clock: block.clock }, block.len, depth));
                deepest = deepest.max(depth);
            }
            Ok(())
        })?;
        for (id, len, depth) in found {
            self.insert(id, len, depth);
        }
        Ok(deepest)
    }

    fn get(&self, id: Id) -> u32 {
        match self.runs.range(..=id).next_back() {
            Some((start, (len, depth)))
                if start.client == id.client && id.clock - start.clock < *len =>
            {
                *depth
            }
            _ => 0,
        }
    }

    fn insert(&mut self, id: Id, len: u32, depth: u32) {
        if let Some((start, (run, of))) = self.runs.range_mut(..=id).next_back()
            && start.client == id.client
            && id.clock - start.clock <= *run
            && *of == depth
        {
            *run = (*run).max((id.clock - start.clock).saturating_add(len));
            return;
        }
        self.runs.insert(id, (len, depth));
    }
}

/// Finds the depth of each block: how many shared types it is in, not counting the root.
fn measure(
    bytes: &[u8],
    known: &Depths,
    mut visit: impl FnMut(&Block, u32) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    let mut blocks: Vec<Block> = Vec::new();
    // Blocks of one client follow each other, so a client is a range of indices.
    let mut clients: HashMap<u64, std::ops::Range<usize>> = HashMap::new();
    walk(bytes, |block| {
        let at = blocks.len();
        clients.entry(block.client).or_insert(at..at).end = at + 1;
        blocks.push(block);
    })?;
    let find = |id: Id| -> Option<usize> {
        let range = clients.get(&id.client)?.clone();
        let of_client = blocks.get(range.clone())?;
        let after = of_client.partition_point(|block| block.clock <= id.clock);
        let at = after.checked_sub(1)?;
        let block = of_client.get(at)?;
        (id.clock - block.clock < block.len).then_some(range.start + at)
    };

    /// Not followed yet.
    const UNKNOWN: u32 = u32::MAX;
    /// Being followed: meeting it again is a circle.
    const OPEN: u32 = u32::MAX - 1;
    let mut depths = vec![UNKNOWN; blocks.len()];
    let mut path: Vec<usize> = Vec::new();
    for start in 0..blocks.len() {
        path.push(start);
        while let Some(&at) = path.last() {
            let (target, step) = match blocks[at].place {
                Place::Gap | Place::Root | Place::Void => (None, 0),
                Place::Beside(id) => (Some(id), 0),
                Place::In(id) => (Some(id), 1),
            };
            let base = match target.map(|id| (id, find(id))) {
                None => 0,
                Some((id, None)) => known.get(id),
                Some((_, Some(next))) => match depths[next] {
                    UNKNOWN if depths[at] == UNKNOWN => {
                        depths[at] = OPEN;
                        path.push(next);
                        continue;
                    }
                    UNKNOWN | OPEN => return Err(Invalid::Circular),
                    depth => depth,
                },
            };
            depths[at] = base + step;
            path.pop();
        }
    }
    blocks.iter().zip(depths).try_for_each(|(block, depth)| visit(block, depth))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(client: u64, clock: u32) -> Id {
        Id { client, clock }
    }

    #[test]
    fn neighbouring_runs_of_one_depth_are_one() {
        let mut depths = Depths::default();
        depths.insert(id(1, 5), 3, 2);
        depths.insert(id(1, 8), 2, 2);
        depths.insert(id(1, 10), 1, 3);
        assert_eq!(depths.runs.len(), 2);
        let found: Vec<u32> = (4..12).map(|clock| depths.get(id(1, clock))).collect();
        assert_eq!(found, [0, 2, 2, 2, 2, 2, 3, 0]);
        assert_eq!(depths.get(id(2, 5)), 0);
    }
}
