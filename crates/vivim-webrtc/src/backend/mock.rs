//! A backend without a network: peer connections of one process, joined by the numbers in their
//! descriptions. What one side sends waits until the other side is polled.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use super::{
    Backend, BackendError, ChannelEvent, ChannelSink, Connectivity, DataChannel, PeerConnection,
    PeerEvent,
};
use crate::{
    config::IceServer,
    limits::{SEND_HIGH_WATER, SEND_LOW_WATER},
    stream::io::lock,
};

/// The network that all clones share.
#[derive(Clone, Default)]
pub(crate) struct Mock {
    net: Arc<Net>,
}

#[derive(Default)]
struct Net {
    next: AtomicU64,
    peers: Mutex<HashMap<u64, Arc<Side>>>,
    blocked: AtomicBool,
    live: AtomicUsize,
}

impl Mock {
    /// From now on no connection comes up, or they do again.
    pub(crate) fn block(&self, blocked: bool) {
        self.net.blocked.store(blocked, Ordering::Relaxed);
    }

    /// Peer connections that are not closed.
    pub(crate) fn live(&self) -> usize {
        self.net.live.load(Ordering::Relaxed)
    }

    /// Lets all connections report this.
    pub(crate) fn report(&self, connectivity: Connectivity) {
        for side in lock(&self.net.peers).values() {
            side.push(Event::Connectivity(connectivity));
        }
    }
}

impl Backend for Mock {
    type Peer = MockPeer;

    fn is_available(&self) -> bool {
        true
    }

    fn peer_connection(&self, _: &[IceServer]) -> Result<MockPeer, BackendError> {
        let id = self.net.next.fetch_add(1, Ordering::Relaxed);
        let side = Arc::new(Side::default());
        lock(&self.net.peers).insert(id, side.clone());
        self.net.live.fetch_add(1, Ordering::Relaxed);
        Ok(MockPeer { net: self.net.clone(), id, side, remote: None, next_channel: 0, open: true })
    }
}

enum Event {
    Local(Local),
    Connectivity(Connectivity),
    Opened(u64),
    Channel(u64, ChannelEvent),
}

enum Local {
    Description(String),
    Candidate(String),
    Applied,
}

/// What waits for one peer connection, and its channels.
#[derive(Default)]
struct Side {
    inbox: Mutex<(VecDeque<Event>, Option<Waker>)>,
    channels: Mutex<HashMap<u64, Arc<Line>>>,
    /// It has both descriptions and a candidate of the peer.
    ready: AtomicBool,
}

impl Side {
    fn push(&self, event: Event) {
        let waker = {
            let mut inbox = lock(&self.inbox);
            inbox.0.push_back(event);
            inbox.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// One end of a channel.
#[derive(Default)]
struct Line {
    sink: Mutex<Option<Weak<dyn ChannelSink>>>,
    early: Mutex<Vec<ChannelEvent>>,
    /// Bytes that the other side has not been polled for.
    in_flight: AtomicUsize,
    open: AtomicBool,
}

impl Line {
    fn deliver(&self, event: ChannelEvent) {
        match &event {
            ChannelEvent::Open => self.open.store(true, Ordering::Relaxed),
            ChannelEvent::Closed => self.open.store(false, Ordering::Relaxed),
            _ => {}
        }
        let sink = lock(&self.sink).clone();
        match sink.map(|sink| sink.upgrade()) {
            Some(Some(sink)) => sink.on_channel_event(event),
            Some(None) => {}
            None => lock(&self.early).push(event),
        }
    }
}

/// A peer connection.
pub(crate) struct MockPeer {
    net: Arc<Net>,
    id: u64,
    side: Arc<Side>,
    remote: Option<Arc<Side>>,
    next_channel: u64,
    open: bool,
}

impl MockPeer {
    fn join(&mut self, description: &str) {
        let id: u64 = description.parse().unwrap();
        self.remote = lock(&self.net.peers).get(&id).cloned();
        self.side.push(Event::Local(Local::Applied));
    }

    fn local(&self, event: Local) {
        self.side.push(Event::Local(event));
    }

    fn channel(&self, id: u64) -> MockChannel {
        let line = lock(&self.side.channels).entry(id).or_default().clone();
        MockChannel { id, line, remote: self.remote.clone(), side: self.side.clone() }
    }
}

impl PeerConnection for MockPeer {
    type Channel = MockChannel;

    fn start_offer(&mut self) {
        self.local(Local::Description(self.id.to_string()));
        self.local(Local::Candidate("here".into()));
    }

    fn start_answer(&mut self, offer: String) {
        // A candidate in hand before the answer, which the session has to keep.
        self.local(Local::Candidate("early".into()));
        self.join(&offer);
        self.local(Local::Description(self.id.to_string()));
        self.local(Local::Candidate("here".into()));
    }

    fn accept_answer(&mut self, answer: String) {
        self.join(&answer);
    }

    /// When both sides know of each other, both are up.
    fn add_candidate(&mut self, candidate: String) {
        if candidate != "here" {
            return;
        }
        let Some(remote) = &self.remote else { return };
        self.side.ready.store(true, Ordering::Relaxed);
        if remote.ready.load(Ordering::Relaxed) {
            let blocked = self.net.blocked.load(Ordering::Relaxed);
            let state = if blocked { Connectivity::Failed } else { Connectivity::Connected };
            self.side.push(Event::Connectivity(state));
            remote.push(Event::Connectivity(state));
        }
    }

    fn open_channel(&mut self) -> Result<MockChannel, BackendError> {
        let remote = self.remote.clone().filter(|_| self.open).ok_or(BackendError::Closed)?;
        // Even and odd, so that both sides can open at once.
        let id = self.next_channel * 2 + self.id % 2;
        self.next_channel += 1;
        let channel = self.channel(id);
        remote.push(Event::Opened(id));
        self.side.push(Event::Channel(id, ChannelEvent::Open));
        Ok(channel)
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<PeerEvent<MockChannel>> {
        loop {
            let event = {
                let mut inbox = lock(&self.side.inbox);
                match inbox.0.pop_front() {
                    Some(event) => event,
                    None => {
                        inbox.1 = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                }
            };
            match event {
                Event::Local(Local::Applied) => {
                    return Poll::Ready(PeerEvent::RemoteDescriptionApplied);
                }
                Event::Local(Local::Candidate(text)) => {
                    return Poll::Ready(PeerEvent::LocalCandidate(text));
                }
                Event::Local(Local::Description(sdp)) => {
                    return Poll::Ready(PeerEvent::LocalDescription(sdp));
                }
                Event::Connectivity(state) => {
                    return Poll::Ready(PeerEvent::Connectivity(state));
                }
                Event::Opened(id) => {
                    let channel = self.channel(id);
                    channel.line.open.store(true, Ordering::Relaxed);
                    return Poll::Ready(PeerEvent::Channel(channel));
                }
                Event::Channel(id, event) => {
                    let line = lock(&self.side.channels).get(&id).cloned();
                    if let (ChannelEvent::Message(bytes), Some(remote)) = (&event, &self.remote)
                        && let Some(other) = lock(&remote.channels).get(&id)
                    {
                        let before = other.in_flight.fetch_sub(bytes.len(), Ordering::Relaxed);
                        let after = before - bytes.len();
                        if before > SEND_LOW_WATER && after <= SEND_LOW_WATER {
                            remote.push(Event::Channel(id, ChannelEvent::BufferedAmountLow));
                        }
                    }
                    if let Some(line) = line {
                        line.deliver(event);
                    }
                }
            }
        }
    }

    fn close(&mut self) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        self.net.live.fetch_sub(1, Ordering::Relaxed);
        lock(&self.net.peers).remove(&self.id);
        if let Some(remote) = self.remote.take() {
            remote.push(Event::Connectivity(Connectivity::Closed));
        }
    }
}

impl Drop for MockPeer {
    fn drop(&mut self) {
        self.close();
    }
}

/// One end of a channel.
pub(crate) struct MockChannel {
    id: u64,
    line: Arc<Line>,
    side: Arc<Side>,
    remote: Option<Arc<Side>>,
}

impl DataChannel for MockChannel {
    fn attach(&self, sink: Weak<dyn ChannelSink>) {
        *lock(&self.line.sink) = Some(sink);
        let early = std::mem::take(&mut *lock(&self.line.early));
        for event in early {
            self.line.deliver(event);
        }
    }

    fn buffered_amount(&self) -> usize {
        self.line.in_flight.load(Ordering::Relaxed)
    }

    fn close(&self) {
        if self.line.open.swap(false, Ordering::Relaxed)
            && let Some(remote) = &self.remote
        {
            remote.push(Event::Channel(self.id, ChannelEvent::Closed));
        }
        lock(&self.side.channels).remove(&self.id);
    }

    fn is_open(&self) -> bool {
        self.line.open.load(Ordering::Relaxed)
    }

    fn send(&self, message: &[u8]) -> Result<(), BackendError> {
        let remote = self.remote.as_ref().filter(|_| self.is_open()).ok_or(BackendError::Closed)?;
        let in_flight = self.line.in_flight.fetch_add(message.len(), Ordering::Relaxed);
        assert!(in_flight <= SEND_HIGH_WATER, "a writer does not wait");
        let bytes = Bytes::copy_from_slice(message);
        remote.push(Event::Channel(self.id, ChannelEvent::Message(bytes)));
        Ok(())
    }
}

impl Drop for MockChannel {
    fn drop(&mut self) {
        self.close();
    }
}
