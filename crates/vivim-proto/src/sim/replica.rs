//! A replica that is a set.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::sync::{ReplicaError, ReplicaOp, ReplicaResult};

/// A set of numbered elements, each with a size. Merging is union.
#[derive(Clone, Debug, Default)]
pub struct SetReplica {
    elements: BTreeMap<u64, u32>,
    awareness: Bytes,
    /// Differences above so many bytes are given in pieces.
    piece: Option<usize>,
    /// Of differences above so many bytes the first part is given.
    part: Option<usize>,
}

impl SetReplica {
    /// Adds an element that takes `size` bytes, and returns the update that carries it.
    pub fn insert(&mut self, element: u64, size: u32) -> Bytes {
        self.elements.insert(element, size);
        encode([(element, size)].into_iter())
    }

    /// From now on, differences of more than `bytes` are given in pieces of about that size.
    pub fn set_piece(&mut self, bytes: usize) {
        self.piece = Some(bytes);
    }

    /// From now on, of differences of more than `bytes` in pieces a part of about that size is given.
    pub fn set_part(&mut self, bytes: usize) {
        self.part = Some(bytes);
    }

    /// The awareness that this replica gives out.
    pub fn set_awareness(&mut self, payload: Bytes) {
        self.awareness = payload;
    }

    /// The last awareness set or taken in.
    pub fn awareness(&self) -> &Bytes {
        &self.awareness
    }

    /// Whether the element is there.
    pub fn contains(&self, element: u64) -> bool {
        self.elements.contains_key(&element)
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Answers a request.
    pub fn handle(&mut self, op: ReplicaOp) -> ReplicaResult {
        match op {
            ReplicaOp::Apply { payload } => match decode(payload) {
                Some(elements) => {
                    self.elements.extend(elements);
                    ReplicaResult::Applied
                }
                None => ReplicaResult::Failed(ReplicaError::Malformed),
            },
            ReplicaOp::ApplyAwareness { payload } => {
                self.awareness = payload;
                ReplicaResult::Applied
            }
            ReplicaOp::Diff { summary } => {
                if !summary.len().is_multiple_of(8) {
                    // One zero byte stands for the empty set, since an empty summary asks nothing.
                    if summary.as_ref() != [0] {
                        return ReplicaResult::Failed(ReplicaError::Malformed);
                    }
                }
                let has: Vec<u64> = summary.chunks_exact(8).map(|mut c| c.get_u64()).collect();
                let missing = self.elements.iter().filter(|(id, _)| has.binary_search(id).is_err());
                self.difference(missing.map(|(id, size)| (*id, *size)))
            }
            ReplicaOp::EncodeAwareness => ReplicaResult::Awareness(self.awareness.clone()),
            ReplicaOp::Summary => {
                let mut out = BytesMut::new();
                for id in self.elements.keys() {
                    out.put_u64(*id);
                }
                if out.is_empty() {
                    out.put_u8(0);
                }
                ReplicaResult::Summary(out.freeze())
            }
        }
    }
}

/// Equal is what has the same in it.
impl PartialEq for SetReplica {
    fn eq(&self, other: &Self) -> bool {
        self.elements == other.elements && self.awareness == other.awareness
    }
}

impl Eq for SetReplica {}

impl SetReplica {
    fn difference(&self, missing: impl Iterator<Item = (u64, u32)>) -> ReplicaResult {
        let Some(max) = self.piece else { return ReplicaResult::Diff(encode(missing)) };
        let mut pieces = vec![Vec::new()];
        let (mut len, mut all) = (0, 0);
        let mut is_part = false;
        for (id, size) in missing {
            all += size as usize;
            if all > size as usize && self.part.is_some_and(|part| all > part) {
                is_part = true;
                break;
            }
            if len > 0 && len + size as usize > max {
                pieces.push(Vec::new());
                len = 0;
            }
            len += size as usize;
            if let Some(piece) = pieces.last_mut() {
                piece.push((id, size));
            }
        }
        let pieces = pieces.into_iter().map(|piece| encode(piece.into_iter()));
        let pieces = pieces.collect();
        if is_part { ReplicaResult::Part(pieces) } else { ReplicaResult::Pieces(pieces) }
    }
}

fn encode(elements: impl Iterator<Item = (u64, u32)>) -> Bytes {
    let mut out = BytesMut::new();
    for (id, size) in elements {
        out.put_u64(id);
        out.put_u32(size);
        out.put_bytes(0, size as usize);
    }
    out.freeze()
}

fn decode(mut payload: Bytes) -> Option<Vec<(u64, u32)>> {
    let mut out = Vec::new();
    while !payload.is_empty() {
        let id = payload.try_get_u64().ok()?;
        let size = payload.try_get_u32().ok()?;
        if payload.len() < size as usize {
            return None;
        }
        payload.advance(size as usize);
        out.push((id, size));
    }
    Some(out)
}
