//! A peer that plays by no rules: bare data channels on one side of a connection.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures::future::{self, poll_fn};
use js_sys::{Function, Promise};
use vivim_webrtc::{
    Connect, Muxer,
    backend::{
        Backend, BackendError, ChannelEvent, ChannelSink, Connectivity, DataChannel,
        PeerConnection, PeerEvent,
        web::{Web, WebChannel, WebPeer},
    },
    limits::SEND_HIGH_WATER,
    signaling::session::Role,
    stream::frame::{Decoder, Frame},
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::{Driven, connect_raw, pipe, within};

/// A peer connection that a test can reach behind its muxer.
#[derive(Clone)]
pub struct SharedPeer(Arc<Mutex<WebPeer>>);

impl PeerConnection for SharedPeer {
    type Channel = WebChannel;

    fn start_offer(&mut self) {
        self.0.lock().unwrap().start_offer();
    }

    fn start_answer(&mut self, offer: String) {
        self.0.lock().unwrap().start_answer(offer);
    }

    fn accept_answer(&mut self, answer: String) {
        self.0.lock().unwrap().accept_answer(answer);
    }

    fn add_candidate(&mut self, candidate: String) {
        self.0.lock().unwrap().add_candidate(candidate);
    }

    fn open_channel(&mut self) -> Result<WebChannel, BackendError> {
        self.0.lock().unwrap().open_channel()
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<PeerEvent<WebChannel>> {
        self.0.lock().unwrap().poll_event(cx)
    }

    fn close(&mut self) {
        self.0.lock().unwrap().close();
    }
}

/// The lawless side of a connection.
pub struct Raw {
    peer: SharedPeer,
    _muxer: Muxer<SharedPeer>,
}

/// A lawless and a proper peer, connected.
pub async fn raw_pair() -> (Raw, Driven) {
    let peer = SharedPeer(Arc::new(Mutex::new(Web.peer_connection(&[]).unwrap())));
    let (muxer, driven) = connect_raw(peer.clone()).await;
    (Raw { peer, _muxer: muxer }, driven)
}

impl Raw {
    /// A new channel, not open yet.
    pub fn try_open(&self) -> Result<RawChannel, BackendError> {
        self.peer.clone().open_channel().map(RawChannel::new)
    }

    /// A new channel that can be used.
    pub async fn open(&self) -> RawChannel {
        let channel = self.try_open().unwrap();
        within(5, channel.opened()).await;
        channel
    }
}

/// Two ends of one bare channel, and what keeps their connection.
pub async fn raw_channels() -> (RawChannel, RawChannel, impl Sized) {
    let peer = || SharedPeer(Arc::new(Mutex::new(Web.peer_connection(&[]).unwrap())));
    let (near, mut far) = (peer(), peer());
    let (a, b) = pipe();
    let session = |role, peer: &SharedPeer, signaling| {
        Connect::new(role, peer.clone(), signaling, Duration::from_secs(20))
    };
    let both =
        future::try_join(session(Role::Initiator, &near, a), session(Role::Responder, &far, b));
    // The muxers carried the session; nobody polls them from here on.
    let (near_muxer, far_muxer) = within(10, both).await.unwrap();
    let raw = Raw { peer: near, _muxer: near_muxer };
    let channel = raw.open().await;
    let incoming = poll_fn(|cx| {
        loop {
            match std::task::ready!(far.poll_event(cx)) {
                PeerEvent::Channel(channel) => return Poll::Ready(channel),
                _ => continue,
            }
        }
    });
    let incoming = RawChannel::new(within(5, incoming).await);
    (channel, incoming, (raw, far_muxer))
}

/// Two connected peers, and what waits for the end of the first one's SCTP association. The events
/// of the first are still to be taken: nobody has polled it since its offer.
pub async fn unpolled_pair() -> (WebPeer, WebPeer, JsFuture) {
    let peer = || Web.peer_connection(&[]).unwrap();
    let (mut near, mut far) = (peer(), peer());
    near.start_offer();
    let offer = within(5, poll_fn(|cx| near.poll_event(cx))).await;
    let PeerEvent::LocalDescription(offer) = offer else { panic!("{offer:?}") };
    far.start_answer(offer);
    loop {
        match within(10, poll_fn(|cx| far.poll_event(cx))).await {
            PeerEvent::LocalDescription(answer) => near.accept_answer(answer),
            PeerEvent::LocalCandidate(candidate) => near.add_candidate(candidate),
            PeerEvent::Connectivity(Connectivity::Connected) => break,
            _ => {}
        }
    }
    let ended = next_association_ended();
    let channel = RawChannel::new(near.open_channel().unwrap());
    within(5, channel.opened()).await;
    (near, far, ended)
}

/// Waits for the end of the association in which the next channel is opened. Only the browser can
/// tell of it without the peer being polled.
fn next_association_ended() -> JsFuture {
    let ended = Function::new_no_args(
        "const { prototype } = RTCPeerConnection, make = prototype.createDataChannel;
        return new Promise((ended) => {
            prototype.createDataChannel = function (...args) {
                prototype.createDataChannel = make;
                this.sctp.addEventListener('statechange', ({ target }) => {
                    if (target.state === 'closed') ended();
                });
                return make.apply(this, args);
            };
        });",
    );
    JsFuture::from(ended.call0(&JsValue::NULL).unwrap().unchecked_into::<Promise>())
}

#[derive(Default)]
struct State {
    open: bool,
    closed: bool,
    messages: VecDeque<Bytes>,
    decoder: Decoder,
    /// The reader's and the writer's.
    wakers: Vec<Waker>,
}

#[derive(Default)]
struct Inbox(Mutex<State>);

impl ChannelSink for Inbox {
    fn on_channel_event(&self, event: ChannelEvent) {
        let wakers = {
            let mut state = self.0.lock().unwrap();
            match event {
                ChannelEvent::BufferedAmountLow => {}
                ChannelEvent::Closed => state.closed = true,
                ChannelEvent::Message(bytes) => state.messages.push_back(bytes),
                ChannelEvent::Open => state.open = true,
            }
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// A bare channel.
pub struct RawChannel {
    channel: WebChannel,
    inbox: Arc<Inbox>,
}

impl RawChannel {
    pub fn new(channel: WebChannel) -> Self {
        let inbox = Arc::new(Inbox::default());
        let sink: Weak<Inbox> = Arc::downgrade(&inbox);
        channel.attach(sink);
        Self { channel, inbox }
    }

    /// Sends any bytes. What a closed channel does not take is lost.
    pub fn send(&self, bytes: &[u8]) {
        let _ = self.channel.send(bytes);
    }

    /// Waits until there is room in the send buffer, or never will be: a closed channel's buffer
    /// doesn't drain.
    pub async fn room(&self) {
        let ready =
            |state: &State| state.closed || self.channel.buffered_amount() < SEND_HIGH_WATER;
        self.wait(|state| ready(state).then_some(())).await;
    }

    pub fn is_closed(&self) -> bool {
        self.inbox.0.lock().unwrap().closed
    }

    /// The next message; `None` when the channel is closed.
    pub async fn message(&self) -> Option<Bytes> {
        self.wait(|state| match state.messages.pop_front() {
            Some(message) => Some(Some(message)),
            None => state.closed.then_some(None),
        })
        .await
    }

    /// The next frame with a flag.
    pub async fn next(&self) -> Frame {
        self.wait(|state| {
            loop {
                while let Some(frame) = state.decoder.next_frame().unwrap() {
                    if frame.flag.is_some() {
                        return Some(frame);
                    }
                }
                let message = state.messages.pop_front()?;
                state.decoder.push(message);
            }
        })
        .await
    }

    pub async fn opened(&self) {
        self.wait(|state| state.open.then_some(())).await;
    }

    pub async fn closed(&self) {
        self.wait(|state| state.closed.then_some(())).await;
    }

    async fn wait<T>(&self, mut get: impl FnMut(&mut State) -> Option<T>) -> T {
        poll_fn(|cx| {
            let mut state = self.inbox.0.lock().unwrap();
            match get(&mut state) {
                Some(value) => Poll::Ready(value),
                None => {
                    state.wakers.push(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
