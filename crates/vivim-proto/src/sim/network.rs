//! The network and the nodes on it.

mod disk;
mod weather;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    fmt,
    time::Duration,
};

use bytes::Bytes;
use rand::RngCore;

use self::disk::Disk;
use super::{SetReplica, SimRng};
use crate::{
    id::DocId,
    limits::{GOSSIP_SETTLE, MAX_CREDIT_WINDOW},
    room::{self, Room, Route},
    sync::{
        CloseCode, Event, FrameDecoder, Input, Output, ReplicaOp, ReplicaResult, RequestId, Session,
    },
    time::Timestamp,
};

/// What kind of run it is to be.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Nodes in the room.
    pub nodes: usize,
    /// Documents that all of them share.
    pub docs: usize,
    /// Edits, spread over the bad time.
    pub edits: usize,
    /// How long the weather is bad.
    pub storm: Duration,
    /// How long after it everybody may take to agree.
    pub calm: Duration,
}

/// A room of nodes.
#[derive(Debug)]
pub struct Network {
    config: SimConfig,
    rng: SimRng,
    seed: u64,
    now: Timestamp,
    order: u64,
    queue: BinaryHeap<Reverse<Scheduled>>,
    nodes: Vec<Node>,
    /// The links that exist, by their nodes in order.
    links: BTreeMap<(usize, usize), Link>,
    next_link: u64,
    /// Which side of the split each node is on.
    side: Vec<bool>,
    storm: bool,
    /// What somebody was told to be stored: it must be everywhere at the end.
    promised: BTreeSet<(DocId, u64)>,
    report: Report,
}

/// What happened in a run that went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Bytes sent on all streams.
    pub stream_bytes: u64,
    /// Messages published by gossip.
    pub published: u64,
    /// The largest number of update bytes that one channel had at its replica.
    pub most_in_flight: usize,
    /// When everybody agreed, after the storm.
    pub agreed_after: Duration,
    /// Restarts from what was on disk.
    pub restarts: u64,
    /// Changes that a restart lost, because they were neither on disk nor with a peer.
    pub lost: u64,
    /// Acknowledgements that were checked against the truth.
    pub receipts: u64,
}

/// A run that didn't go well. Its `Display` names the seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed of the run.
    pub seed: u64,
    /// What was wrong.
    pub what: String,
}

#[derive(Debug)]
struct Node {
    room: Room<usize>,
    docs: BTreeMap<DocId, Doc>,
    /// Time per request of this node's replicas.
    slowness: Duration,
    /// When its replicas have done what they have been asked.
    busy_until: Timestamp,
    /// When its room's timer has been scheduled for.
    armed: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Doc {
    replica: SetReplica,
    disk: Disk,
    /// The elements of the changes made here, in the order of their numbers.
    own: Vec<u64>,
    closed: bool,
}

#[derive(Debug)]
struct Link {
    id: u64,
    delay: Duration,
    ends: [End; 2],
}

#[derive(Debug)]
struct End {
    session: Session,
    decoder: FrameDecoder,
    /// Bytes on their way from this end.
    in_transit: usize,
    /// When the last of them arrives; a stream doesn't reorder.
    arrives: Timestamp,
    /// Update bytes at the replica, by document, and the largest of them.
    applying: BTreeMap<DocId, (usize, usize)>,
    armed: Option<Timestamp>,
}

#[derive(Debug)]
struct Scheduled {
    at: Timestamp,
    /// In the order of scheduling, where times are equal.
    order: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    Answer { link: u64, pair: (usize, usize), end: usize, id: RequestId, doc: DocId, op: ReplicaOp },
    Arrive { link: u64, pair: (usize, usize), to: usize, bytes: Bytes },
    Edit,
    Flushed { node: usize, doc: DocId, start: u64 },
    Gossip { to: usize, doc: DocId, payload: Bytes },
    Reconnect { pair: (usize, usize) },
    Reopen { node: usize, doc: DocId },
    Heal,
    RoomTimer { node: usize },
    SessionTimer { link: u64, pair: (usize, usize), end: usize },
    Weather,
}

/// Bytes a transport takes in before it has delivered any.
const TRANSPORT_BUFFER: usize = 64 * 1024;

/// How often something breaks, on average.
const WEATHER_INTERVAL: u64 = 800;

impl Network {
    /// The network of this seed.
    pub fn new(config: SimConfig, seed: u64) -> Self {
        let mut rng = SimRng::new(seed);
        let nodes = (0..config.nodes)
            .map(|own| Node {
                room: Room::new(own),
                docs: (0..config.docs).map(|doc| (doc_id(doc), Doc::new(rng.one_in(2)))).collect(),
                slowness: Duration::from_micros(if rng.one_in(4) { 20_000 } else { 200 }),
                busy_until: Timestamp::ZERO,
                armed: None,
            })
            .collect();
        Self {
            side: vec![false; config.nodes],
            config,
            rng,
            seed,
            now: Timestamp::ZERO,
            order: 0,
            queue: BinaryHeap::new(),
            nodes,
            links: BTreeMap::new(),
            next_link: 0,
            storm: true,
            promised: BTreeSet::new(),
            report: Report::default(),
        }
    }

    /// Runs storm and calm, and checks that all replicas agree at the end.
    pub fn run(mut self) -> Result<Report, Failure> {
        for node in 0..self.config.nodes {
            for other in (0..self.config.nodes).filter(|other| *other != node) {
                self.tell_room(node, room::Input::PeerJoined(other))?;
            }
        }
        for _ in 0..self.config.edits {
            let at = self.rng.below(self.config.storm.as_millis() as u64);
            self.schedule(Duration::from_millis(at), What::Edit);
        }
        self.schedule(Duration::ZERO, What::Weather);
        let end_of_storm = self.now + self.config.storm;
        self.run_until(end_of_storm, false)?;
        self.storm = false;
        self.heal()?;
        for (node, doc) in self.each_doc() {
            self.reopen(node, doc)?;
        }
        self.run_until(end_of_storm + self.config.calm, true)?;
        self.check_agreement()?;
        self.check_promises()?;
        self.report.agreed_after = self.now - end_of_storm;
        Ok(self.report)
    }

    fn run_until(&mut self, end: Timestamp, stop_when_agreed: bool) -> Result<(), Failure> {
        let mut events = 0u64;
        while let Some(Reverse(next)) = self.queue.pop() {
            if next.at > end {
                self.queue.push(Reverse(next));
                break;
            }
            self.now = self.now.max(next.at);
            self.happen(next.what)?;
            events += 1;
            if stop_when_agreed && events.is_multiple_of(64) && self.check_agreement().is_ok() {
                break;
            }
        }
        Ok(())
    }

    fn happen(&mut self, what: What) -> Result<(), Failure> {
        match what {
            What::Answer { link, pair, end, id, doc, op } => {
                self.answer(link, pair, end, id, doc, op)
            }
            What::Arrive { link, pair, to, bytes } => self.arrive(link, pair, to, &bytes),
            What::Edit => self.edit(),
            What::Gossip { to, doc, payload } => {
                if let Some(state) = self.nodes[to].docs.get_mut(&doc) {
                    let _ = state.replica.handle(ReplicaOp::Apply { payload });
                }
                self.write(to, doc);
                Ok(())
            }
            What::Flushed { node, doc, start } => self.flushed(node, doc, start),
            What::Heal => self.heal(),
            What::Reconnect { pair } => self.connect(pair),
            What::Reopen { node, doc } => self.reopen(node, doc),
            What::RoomTimer { node } => {
                self.nodes[node].armed = None;
                self.tell_room(node, room::Input::Timeout)
            }
            What::SessionTimer { link, pair, end } => {
                let now = self.now;
                let Some(side) = self.end(link, pair, end) else { return Ok(()) };
                side.armed = None;
                let outputs = side.session.handle(Input::Timeout, now);
                self.perform(pair, end, outputs)
            }
            What::Weather => self.weather(),
        }
    }

    fn edit(&mut self) -> Result<(), Failure> {
        let node = self.rng.below(self.config.nodes as u64) as usize;
        let doc = doc_id(self.rng.below(self.config.docs as u64) as usize);
        let size = match self.rng.below(40) {
            0 => 600_000,
            1..4 => 50_000,
            _ => 20,
        };
        let element = self.rng.next_u64();
        let Some(state) = self.nodes[node].docs.get_mut(&doc) else { return Ok(()) };
        let update = state.replica.insert(element, size);
        state.own.push(element);
        let (change, closed) = (state.own.len() as u64, state.closed);
        self.write(node, doc);
        if closed {
            return Ok(());
        }
        let route = self.nodes[node].room.route(update.len());
        if route == Route::Gossip {
            self.report.published += 1;
            for to in (0..self.config.nodes).filter(|to| *to != node) {
                let lost = self.side[to] != self.side[node] || self.rng.one_in(10);
                if !lost {
                    let delay = Duration::from_millis(self.rng.below(200));
                    let payload = update.clone();
                    self.schedule(delay, What::Gossip { to, doc, payload });
                }
            }
            let until = self.now + GOSSIP_SETTLE;
            self.each_session(node, |session| {
                session.hold_answers(doc, until);
                session.note_change(doc, change);
            });
            return Ok(());
        }
        for pair in self.pairs_of(node) {
            let (end, other) = if pair.1 == node { (1, pair.0) } else { (0, pair.1) };
            let neighbour = self.nodes[node].room.neighbours().any(|peer| *peer == other);
            let Some(link) = self.links.get_mut(&pair) else { continue };
            if route == Route::Neighbours && !neighbour {
                link.ends[end].session.note_change(doc, change);
                continue;
            }
            let _ = link.ends[end].session.local_change(doc, change, update.clone());
            self.perform(pair, end, Vec::new())?;
        }
        Ok(())
    }

    fn tell_room(&mut self, node: usize, input: room::Input<usize>) -> Result<(), Failure> {
        let outputs = self.nodes[node].room.handle(input, self.now, &mut self.rng);
        for output in outputs {
            match output {
                room::Output::Connect(peer) => {
                    let pair = (node.min(peer), node.max(peer));
                    let delay = Duration::from_millis(self.rng.below(300));
                    self.schedule(delay, What::Reconnect { pair });
                }
                room::Output::Mode(_) => {}
                room::Output::Resummarize(peer) => {
                    let pair = (node.min(peer), node.max(peer));
                    let end = usize::from(pair.1 == node);
                    let docs: Vec<_> = self.nodes[node].docs.keys().copied().collect();
                    for doc in docs {
                        let Some(link) = self.links.get_mut(&pair) else { break };
                        let outputs = link.ends[end].session.resummarize(doc);
                        self.perform(pair, end, outputs)?;
                    }
                }
            }
        }
        let (now, node_state) = (self.now, &mut self.nodes[node]);
        if let Some(at) = node_state.room.poll_timeout()
            && node_state.armed.is_none_or(|armed| armed > at)
        {
            node_state.armed = Some(at);
            self.schedule(at - now, What::RoomTimer { node });
        }
        Ok(())
    }

    fn arrive(
        &mut self,
        link: u64,
        pair: (usize, usize),
        to: usize,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let Some(from) = self.end(link, pair, 1 - to) else { return Ok(()) };
        from.in_transit -= bytes.len();
        self.pump(pair, 1 - to);
        if let Some(end) = self.end(link, pair, to) {
            end.decoder.push(bytes);
        }
        loop {
            let now = self.now;
            let Some(end) = self.end(link, pair, to) else { return Ok(()) };
            let frame = match end.decoder.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.failure(format!("undecodable frame: {error}"))),
            };
            let outputs = end.session.handle(Input::Frame(frame), now);
            self.perform(pair, to, outputs)?;
        }
    }

    /// Does what a session asks for, then sends what it has.
    fn perform(
        &mut self,
        pair: (usize, usize),
        end: usize,
        outputs: Vec<Output>,
    ) -> Result<(), Failure> {
        for output in outputs {
            match output {
                Output::Event(Event::Failed(error)) => {
                    return Err(self.failure(format!("a session failed: {error}")));
                }
                Output::Event(Event::Closed { code, .. }) if code != CloseCode::Done => {
                    return Err(self.failure(format!("a channel closed: {code:?}")));
                }
                Output::Event(Event::Reached { doc, change, level }) => {
                    self.check_receipt(pair, end, doc, change, level)?;
                }
                Output::Event(_) => {}
                Output::Request { id, doc, op } => self.request(pair, end, id, doc, op)?,
            }
        }
        self.pump(pair, end);
        let now = self.now;
        if let Some(link) = self.links.get_mut(&pair) {
            let id = link.id;
            let side = &mut link.ends[end];
            if let Some(at) = side.session.poll_timeout()
                && side.armed.is_none_or(|armed| armed > at)
            {
                side.armed = Some(at);
                self.schedule(at - now, What::SessionTimer { link: id, pair, end });
            }
        }
        Ok(())
    }

    /// Queues a request at the node's replicas, which do one thing at a time.
    fn request(
        &mut self,
        pair: (usize, usize),
        end: usize,
        id: RequestId,
        doc: DocId,
        op: ReplicaOp,
    ) -> Result<(), Failure> {
        let node = if end == 0 { pair.0 } else { pair.1 };
        let Some(link) = self.links.get_mut(&pair) else { return Ok(()) };
        let link_id = link.id;
        let side = &mut link.ends[end];
        let state = &mut self.nodes[node];
        if let ReplicaOp::Apply { payload } = &op {
            let (bytes, largest) = side.applying.entry(doc).or_default();
            *bytes += payload.len();
            *largest = payload.len().max(*largest);
            let (bytes, largest) = (*bytes, *largest);
            self.report.most_in_flight = self.report.most_in_flight.max(bytes);
            if bytes > largest + MAX_CREDIT_WINDOW as usize {
                return Err(self.failure(format!("{bytes} bytes wait for one replica")));
            }
        }
        state.busy_until = state.busy_until.max(self.now) + state.slowness;
        let wait = state.busy_until - self.now;
        self.schedule(wait, What::Answer { link: link_id, pair, end, id, doc, op });
        Ok(())
    }

    /// A replica does what it was asked, whether or not whoever asked is still there.
    fn answer(
        &mut self,
        link: u64,
        pair: (usize, usize),
        end: usize,
        id: RequestId,
        doc: DocId,
        op: ReplicaOp,
    ) -> Result<(), Failure> {
        let node = if end == 0 { pair.0 } else { pair.1 };
        let now = self.now;
        let applied = match &op {
            ReplicaOp::Apply { payload } => payload.len(),
            _ => 0,
        };
        let Some(state) = self.nodes[node].docs.get_mut(&doc) else { return Ok(()) };
        let before = state.replica.len();
        let result = state.replica.handle(op);
        self.write(node, doc);
        let Some(state) = self.nodes[node].docs.get(&doc) else { return Ok(()) };
        if result == ReplicaResult::Applied && applied > 20_000 && state.replica.len() > before {
            self.tell_room(node, room::Input::LargeUpdate)?;
        }
        let Some(side) = self.end(link, pair, end) else { return Ok(()) };
        if let Some((bytes, _)) = side.applying.get_mut(&doc) {
            *bytes -= applied;
        }
        let outputs = side.session.handle(Input::Replica { id, result }, now);
        self.perform(pair, end, outputs)
    }

    /// Sends what a session has, as far as its transport takes it.
    fn pump(&mut self, pair: (usize, usize), end: usize) {
        let Some(link) = self.links.get_mut(&pair) else { return };
        let id = link.id;
        let mut sent = Vec::new();
        let side = &mut link.ends[end];
        while side.in_transit < TRANSPORT_BUFFER {
            let Some(frame) = side.session.poll_frame() else { break };
            side.in_transit += frame.len();
            let jitter = if self.rng.one_in(20) { self.rng.below(500) } else { self.rng.below(5) };
            let arrives = self.now + link.delay + Duration::from_millis(jitter);
            side.arrives = side.arrives.max(arrives);
            sent.push((side.arrives, frame));
        }
        for (at, bytes) in sent {
            self.report.stream_bytes += bytes.len() as u64;
            self.schedule(at - self.now, What::Arrive { link: id, pair, to: 1 - end, bytes });
        }
    }

    fn check_agreement(&self) -> Result<(), Failure> {
        for doc in (0..self.config.docs).map(doc_id) {
            let replicas = self.nodes.iter().filter_map(|node| node.docs.get(&doc));
            let mut replicas = replicas.map(|doc| &doc.replica);
            let Some(first) = replicas.next() else { continue };
            for other in replicas {
                if first.len() != other.len() || first != other {
                    let what = format!("{} and {} elements in {doc:?}", first.len(), other.len());
                    return Err(self.failure(what));
                }
            }
        }
        Ok(())
    }

    fn schedule(&mut self, after: Duration, what: What) {
        self.order += 1;
        self.queue.push(Reverse(Scheduled { at: self.now + after, order: self.order, what }));
    }

    fn end(&mut self, link: u64, pair: (usize, usize), end: usize) -> Option<&mut End> {
        let found = self.links.get_mut(&pair).filter(|found| found.id == link)?;
        found.ends.get_mut(end)
    }

    fn pairs_of(&self, node: usize) -> Vec<(usize, usize)> {
        self.links.keys().copied().filter(|(a, b)| *a == node || *b == node).collect()
    }

    fn each_session(&mut self, node: usize, mut run: impl FnMut(&mut Session)) {
        for (pair, link) in &mut self.links {
            if pair.0 == node {
                run(&mut link.ends[0].session);
            } else if pair.1 == node {
                run(&mut link.ends[1].session);
            }
        }
    }

    fn each_doc(&self) -> Vec<(usize, DocId)> {
        let docs = 0..self.config.docs;
        (0..self.config.nodes).flat_map(|n| docs.clone().map(move |doc| (n, doc_id(doc)))).collect()
    }

    fn failure(&self, what: String) -> Failure {
        Failure { seed: self.seed, what: format!("at {:?}: {what}", self.now) }
    }
}

fn doc_id(index: usize) -> DocId {
    DocId([index as u8; 32])
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}", self.seed, self.what)
    }
}

impl std::error::Error for Failure {}
