//! A peer that plays by no rules: bare data channels on one side of a connection.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll},
};

use futures::future::poll_fn;
use vivim_webrtc::{
    Muxer,
    backend::{
        Backend, BackendError, ChannelEvent, ChannelSink, DataChannel, PeerConnection, PeerEvent,
        web::{Web, WebChannel, WebPeer},
    },
    stream::frame::{Decoder, Frame},
};

use super::{Driven, connect_raw, within};

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
        let channel = self.peer.clone().open_channel()?;
        let inbox = Arc::new(Inbox::default());
        let sink: Weak<Inbox> = Arc::downgrade(&inbox);
        channel.attach(sink);
        Ok(RawChannel { channel, inbox })
    }

    /// A new channel that can be used.
    pub async fn open(&self) -> RawChannel {
        let channel = self.try_open().unwrap();
        within(5, channel.wait(|state| state.open.then_some(()))).await;
        channel
    }
}

#[derive(Default)]
struct State {
    open: bool,
    closed: bool,
    decoder: Decoder,
    frames: VecDeque<Frame>,
    waker: Option<std::task::Waker>,
}

#[derive(Default)]
struct Inbox(Mutex<State>);

impl ChannelSink for Inbox {
    fn on_channel_event(&self, event: ChannelEvent) {
        let mut state = self.0.lock().unwrap();
        match event {
            ChannelEvent::BufferedAmountLow => {}
            ChannelEvent::Closed => state.closed = true,
            ChannelEvent::Message(bytes) => {
                state.decoder.push(bytes);
                while let Some(frame) = state.decoder.next_frame().unwrap() {
                    state.frames.push_back(frame);
                }
            }
            ChannelEvent::Open => state.open = true,
        }
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}

/// A bare channel.
pub struct RawChannel {
    channel: WebChannel,
    inbox: Arc<Inbox>,
}

impl RawChannel {
    /// Sends any bytes. What a closed channel does not take is lost.
    pub fn send(&self, bytes: &[u8]) {
        let _ = self.channel.send(bytes);
    }

    pub fn buffered(&self) -> usize {
        self.channel.buffered_amount()
    }

    pub fn is_closed(&self) -> bool {
        self.inbox.0.lock().unwrap().closed
    }

    /// The next frame with a flag.
    pub async fn next(&self) -> Frame {
        self.wait(|state| {
            state.frames.retain(|frame| frame.flag.is_some());
            state.frames.pop_front()
        })
        .await
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
                    state.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
