//! What breaks, and how it comes back.

use std::{collections::BTreeMap, time::Duration};

use super::{End, Failure, Link, Network, WEATHER_INTERVAL, What, doc_id};
use crate::{
    id::DocId,
    room,
    sync::{CloseCode, FrameDecoder, Session, SessionConfig},
    time::Timestamp,
};

impl Network {
    /// Breaks something, or nothing.
    pub(super) fn weather(&mut self) -> Result<(), Failure> {
        if !self.storm {
            return Ok(());
        }
        let nodes = self.config.nodes as u64;
        match self.rng.below(6) {
            0 => {
                let pairs: Vec<_> = self.links.keys().copied().collect();
                if !pairs.is_empty() {
                    let pair = pairs[self.rng.below(pairs.len() as u64) as usize];
                    self.cut(pair)?;
                }
            }
            1 => {
                let node = self.rng.below(nodes) as usize;
                for pair in self.pairs_of(node) {
                    self.cut(pair)?;
                }
                // Of some only the network is lost, of others everything that isn't on disk.
                if self.rng.one_in(2) {
                    self.restart(node);
                }
            }
            2 => {
                for node in 0..self.config.nodes {
                    self.side[node] = self.rng.one_in(2);
                }
                let split: Vec<_> = self
                    .links
                    .keys()
                    .copied()
                    .filter(|(a, b)| self.side[*a] != self.side[*b])
                    .collect();
                for pair in split {
                    self.cut(pair)?;
                }
                let length = self.rng.below(5_000);
                self.schedule(Duration::from_millis(length), What::Heal);
            }
            3 => {
                let node = self.rng.below(nodes) as usize;
                let doc = doc_id(self.rng.below(self.config.docs as u64) as usize);
                if let Some(state) = self.nodes[node].docs.get_mut(&doc) {
                    state.closed = true;
                }
                for pair in self.pairs_of(node) {
                    let end = usize::from(pair.1 == node);
                    if let Some(link) = self.links.get_mut(&pair) {
                        link.ends[end].session.close(doc, CloseCode::Done);
                    }
                    self.perform(pair, end, Vec::new())?;
                }
                let length = self.rng.below(2_000);
                self.schedule(Duration::from_millis(length), What::Reopen { node, doc });
            }
            _ => {}
        }
        let next = self.rng.below(2 * WEATHER_INTERVAL);
        self.schedule(Duration::from_millis(next), What::Weather);
        Ok(())
    }

    pub(super) fn heal(&mut self) -> Result<(), Failure> {
        self.side.fill(false);
        Ok(())
    }

    pub(super) fn reopen(&mut self, node: usize, doc: DocId) -> Result<(), Failure> {
        match self.nodes[node].docs.get_mut(&doc) {
            Some(state) if state.closed => state.closed = false,
            _ => return Ok(()),
        }
        for pair in self.pairs_of(node) {
            let end = usize::from(pair.1 == node);
            let changes = self.changes(node, doc);
            let Some(link) = self.links.get_mut(&pair) else { continue };
            let outputs = link.ends[end].session.open(doc);
            link.ends[end].session.note_change(doc, changes);
            self.perform(pair, end, outputs)?;
        }
        Ok(())
    }

    pub(super) fn connect(&mut self, pair: (usize, usize)) -> Result<(), Failure> {
        if self.links.contains_key(&pair) {
            return Ok(());
        }
        if self.side[pair.0] != self.side[pair.1] {
            self.tell_room(pair.0, room::Input::Disconnected(pair.1))?;
            return self.tell_room(pair.1, room::Input::Disconnected(pair.0));
        }
        let delay = Duration::from_millis(1 + self.rng.below(150));
        self.next_link += 1;
        let end = || End {
            session: Session::new(SessionConfig::default()),
            decoder: FrameDecoder::new(),
            in_transit: 0,
            arrives: Timestamp::ZERO,
            applying: BTreeMap::new(),
            armed: None,
        };
        self.links.insert(pair, Link { id: self.next_link, delay, ends: [end(), end()] });
        for (end, node, other) in [(0, pair.0, pair.1), (1, pair.1, pair.0)] {
            let open: Vec<_> = self.nodes[node]
                .docs
                .iter()
                .filter(|(_, d)| !d.closed)
                .map(|(id, _)| *id)
                .collect();
            for doc in open {
                let changes = self.changes(node, doc);
                let Some(link) = self.links.get_mut(&pair) else { break };
                let outputs = link.ends[end].session.open(doc);
                link.ends[end].session.note_change(doc, changes);
                self.perform(pair, end, outputs)?;
            }
            self.tell_room(node, room::Input::Connected(other))?;
        }
        Ok(())
    }

    fn cut(&mut self, pair: (usize, usize)) -> Result<(), Failure> {
        self.links.remove(&pair);
        self.tell_room(pair.0, room::Input::Disconnected(pair.1))?;
        self.tell_room(pair.1, room::Input::Disconnected(pair.0))
    }
}
