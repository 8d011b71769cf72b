//! The simplest replica that converges: a set of entries. An update is a list of entries, a
//! summary is the list of their hashes. It stands for any CRDT; the protocol doesn't care.

use std::{
    collections::{BTreeMap, HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::{Arc, Mutex},
};

use vivim_node::{Config, DocId, Event, Node, ReplicaOp, ReplicaResult};

use super::Peer;

/// The documents of one peer.
#[derive(Clone, Default)]
pub struct Replicas(Arc<Mutex<HashMap<DocId, BTreeMap<u64, Vec<u8>>>>>);

fn hash(entry: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    entry.hash(&mut hasher);
    hasher.finish()
}

fn encode<'a>(entries: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        out.extend_from_slice(&u32::try_from(entry.len()).unwrap().to_be_bytes());
        out.extend_from_slice(entry);
    }
    out
}

fn decode(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
        let (entry, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
        entries.push(entry.to_vec());
        bytes = rest;
    }
    entries
}

impl Replicas {
    pub fn entries(&self, doc: DocId) -> Vec<Vec<u8>> {
        let mut entries: Vec<_> = self
            .0
            .lock()
            .unwrap()
            .get(&doc)
            .into_iter()
            .flatten()
            .map(|(_, e)| e.clone())
            .collect();
        entries.sort();
        entries
    }

    fn answer(&self, doc: DocId, op: &ReplicaOp) -> ReplicaResult {
        let mut docs = self.0.lock().unwrap();
        let entries = docs.entry(doc).or_default();
        match op {
            ReplicaOp::Summary => {
                // The byte in front: an empty summary would mean that none is wanted in return.
                let hashes = entries.keys().flat_map(|h| h.to_be_bytes());
                ReplicaResult::Summary(std::iter::once(0).chain(hashes).collect())
            }
            ReplicaOp::Diff { summary } => {
                let there: Vec<u64> =
                    summary[1..].as_chunks().0.iter().map(|h| u64::from_be_bytes(*h)).collect();
                let missing = entries.iter().filter(|(h, _)| !there.contains(h)).map(|(_, e)| e);
                ReplicaResult::Diff(encode(missing).into())
            }
            ReplicaOp::Apply { payload } => {
                entries.extend(decode(payload).into_iter().map(|e| (hash(&e), e)));
                ReplicaResult::Applied
            }
            ReplicaOp::ApplyAwareness { .. } => ReplicaResult::Applied,
            ReplicaOp::EncodeAwareness => ReplicaResult::Awareness(Default::default()),
        }
    }

    /// Puts an entry into the document without telling the node.
    pub fn insert(&self, doc: DocId, entry: &[u8]) {
        let entry = entry.to_vec();
        self.0.lock().unwrap().entry(doc).or_default().insert(hash(&entry), entry);
    }

    /// Writes an entry as a numbered change.
    pub fn write_change(&self, node: &Node, doc: DocId, change: u64, entry: &[u8]) {
        self.insert(doc, entry);
        node.local_change(doc, change, encode([&entry.to_vec()]));
    }

    pub fn write(&self, node: &Node, doc: DocId, entry: &[u8]) {
        let entry = entry.to_vec();
        self.0.lock().unwrap().entry(doc).or_default().insert(hash(&entry), entry.clone());
        node.local_update(doc, encode([&entry]));
    }
}

/// A peer with a replica of whatever documents it opens.
pub fn start(config: Config) -> (Peer, Replicas) {
    let replicas = Replicas::default();
    let answering = replicas.clone();
    let peer = Peer::start_with(config, move |node: &Node, event: &Event| {
        let Event::Replica { doc, id, op, .. } = event else { return false };
        node.respond(*doc, *id, answering.answer(*doc, op));
        true
    });
    (peer, replicas)
}
