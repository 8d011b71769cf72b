//! `RTCPeerConnection` as a [`PeerConnection`].

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::Future,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures::{
    FutureExt,
    channel::oneshot,
    future::{Shared, select},
};
use js_sys::{Array, JSON, Promise, Reflect};
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    Event, RtcConfiguration, RtcDataChannel, RtcDataChannelEvent, RtcIceServer, RtcPeerConnection,
    RtcPeerConnectionIceEvent, RtcPeerConnectionState, RtcSdpType, RtcSessionDescriptionInit,
    RtcSignalingState,
};

use super::{
    WebChannel,
    bindings::{RawPeer, SctpTransport},
    failed,
};
use crate::{
    backend::{BackendError, Connectivity, PeerConnection, PeerEvent},
    config::IceServer,
    limits::MAX_BACKEND_EVENTS,
};

/// The label of the channel that gives ICE something to find a path for.
const INIT: &str = "init";

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
}

/// Peer connections that are not closed.
pub(super) fn live() -> usize {
    LIVE.get()
}

/// A peer connection of the browser.
pub struct WebPeer(SendWrapper<Inner>);

struct Inner {
    connection: RtcPeerConnection,
    state: Rc<State>,
    /// Ends the steps that are under way; some promises of a closed connection never settle.
    stop: Option<oneshot::Sender<()>>,
    stopped: Shared<oneshot::Receiver<()>>,
    /// Kept while they are handlers; `None` when the connection is closed.
    handlers: Option<Handlers>,
    /// The `init` channel of this side, and what closes it when it is open.
    init: Option<Init>,
}

struct Init {
    channel: RtcDataChannel,
    close: Closure<dyn FnMut(Event)>,
}

struct Handlers {
    _candidate: Closure<dyn FnMut(RtcPeerConnectionIceEvent)>,
    _channel: Closure<dyn FnMut(RtcDataChannelEvent)>,
    _state: Closure<dyn FnMut(Event)>,
    sctp_state: Closure<dyn FnMut(Event)>,
}

/// What handlers and steps share with the connection.
#[derive(Default)]
struct State {
    events: RefCell<VecDeque<PeerEvent<WebChannel>>>,
    overloaded: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    /// The `init` channel of the peer. It belongs to the peer, which closes it when it has seen
    /// it open; closing it here could come before that. It is kept because a browser may close a
    /// channel that nobody holds.
    remote_init: RefCell<Option<RtcDataChannel>>,
    sctp: RefCell<Option<SctpTransport>>,
}

impl State {
    fn push(&self, event: PeerEvent<WebChannel>) {
        if self.events.borrow().len() < MAX_BACKEND_EVENTS {
            self.events.borrow_mut().push_back(event);
        } else {
            self.overloaded.set(true);
        }
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn on_candidate(&self, event: &RtcPeerConnectionIceEvent) {
        // No candidate, or an empty one, means that there will be no more.
        let Some(candidate) = event.candidate().filter(|c| !c.candidate().is_empty()) else {
            return;
        };
        if let Some(json) = JSON::stringify(&candidate.to_json()).ok().and_then(|s| s.as_string()) {
            self.push(PeerEvent::LocalCandidate(json));
        }
    }

    fn on_channel(&self, event: &RtcDataChannelEvent) {
        let channel = event.channel();
        if channel.label() != INIT {
            self.push(PeerEvent::Channel(WebChannel::new(channel)));
        } else if let Some(second) = self.remote_init.replace(Some(channel)) {
            second.close();
        }
    }

    fn on_sctp_state(&self) {
        let closed = self.sctp.borrow().as_ref().is_some_and(|sctp| sctp.state() == "closed");
        if closed {
            self.push(PeerEvent::Connectivity(Connectivity::Closed));
        }
    }
}

impl WebPeer {
    pub(super) fn new(ice_servers: &[IceServer]) -> Result<Self, BackendError> {
        let configuration = RtcConfiguration::new();
        configuration.set_ice_servers(&servers(ice_servers));
        let connection = RtcPeerConnection::new_with_configuration(&configuration)
            .map_err(|thrown| failed("RTCPeerConnection", &thrown))?;
        LIVE.set(LIVE.get() + 1);

        let state = Rc::new(State::default());
        let (stop, stopped) = oneshot::channel();
        let handlers = Handlers::attach(&connection, &state);
        Ok(Self(SendWrapper::new(Inner {
            connection,
            state,
            stop: Some(stop),
            stopped: stopped.shared(),
            handlers: Some(handlers),
            init: None,
        })))
    }

    /// Runs steps beside the program. They end with the connection, and a failure is reported.
    fn spawn(&self, steps: impl Future<Output = Result<(), BackendError>> + 'static) {
        let (state, stopped) = (self.0.state.clone(), self.0.stopped.clone());
        let steps = Box::pin(steps.map(move |result| {
            if let Err(error) = result {
                state.push(PeerEvent::Failed(error));
            }
        }));
        spawn_local(select(steps, stopped).map(drop));
    }

    fn raw(&self) -> RawPeer {
        self.0.connection.clone().unchecked_into()
    }
}

impl PeerConnection for WebPeer {
    type Channel = WebChannel;

    fn start_offer(&mut self) {
        let raw = self.raw();
        match raw.create_data_channel(INIT) {
            Ok(channel) => {
                let target = channel.clone();
                let close = Closure::<dyn FnMut(Event)>::new(move |_| target.close());
                channel.set_onopen(Some(close.as_ref().unchecked_ref()));
                self.0.init = Some(Init { channel, close });
            }
            Err(thrown) => {
                let error = failed("createDataChannel", &thrown);
                return self.0.state.push(PeerEvent::Failed(error));
            }
        }
        let state = self.0.state.clone();
        // Called now and not in the steps, which wait for their turn on a busy thread.
        let offer = begin("createOffer", raw.create_offer());
        self.spawn(async move {
            let offer = offer.await?;
            let (sdp, description) = description(RtcSdpType::Offer, &offer);
            // Reported first, so that it is on its way while ICE starts.
            state.push(PeerEvent::LocalDescription(sdp));
            begin("setLocalDescription", raw.set_local_description(&description)).await?;
            Ok(())
        });
    }

    fn start_answer(&mut self, offer: String) {
        let (raw, state) = (self.raw(), self.0.state.clone());
        let remote = RtcSessionDescriptionInit::new(RtcSdpType::Offer);
        remote.set_sdp(&offer);
        // The browser does one after the other; asking for both at once saves a turn of a busy
        // thread.
        let applied = begin("setRemoteDescription", raw.set_remote_description(&remote));
        let answer = begin("createAnswer", raw.create_answer());
        self.spawn(async move {
            applied.await?;
            state.push(PeerEvent::RemoteDescriptionApplied);
            let answer = answer.await?;
            let (sdp, description) = description(RtcSdpType::Answer, &answer);
            state.push(PeerEvent::LocalDescription(sdp));
            begin("setLocalDescription", raw.set_local_description(&description)).await?;
            Ok(())
        });
    }

    fn accept_answer(&mut self, answer: String) {
        let (raw, state) = (self.raw(), self.0.state.clone());
        let remote = RtcSessionDescriptionInit::new(RtcSdpType::Answer);
        remote.set_sdp(&answer);
        let applied = begin("setRemoteDescription", raw.set_remote_description(&remote));
        self.spawn(async move {
            applied.await?;
            state.push(PeerEvent::RemoteDescriptionApplied);
            Ok(())
        });
    }

    fn add_candidate(&mut self, candidate: String) {
        // Only an object: `null` would mean the end of candidates.
        let Some(candidate) = JSON::parse(&candidate).ok().filter(JsValue::is_object) else {
            return tracing::debug!("ignored a candidate that does not parse");
        };
        let added = begin("addIceCandidate", self.raw().add_ice_candidate(&candidate));
        self.spawn(async move {
            if let Err(error) = added.await {
                tracing::debug!(%error, "ignored a candidate");
            }
            Ok(())
        });
    }

    fn open_channel(&mut self) -> Result<WebChannel, BackendError> {
        // The state may say so before the event does.
        if self.0.connection.signaling_state() == RtcSignalingState::Closed {
            return Err(BackendError::Closed);
        }
        let channel = self.raw().create_data_channel("");
        channel.map(WebChannel::new).map_err(|thrown| failed("createDataChannel", &thrown))
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<PeerEvent<WebChannel>> {
        let inner = &*self.0;
        if inner.state.overloaded.get() {
            return Poll::Ready(PeerEvent::Failed(BackendError::Overloaded));
        }
        // A statement of its own: what follows may add an event.
        let event = inner.state.events.borrow_mut().pop_front();
        if let Some(event) = event {
            if matches!(event, PeerEvent::Connectivity(Connectivity::Connected)) {
                inner.watch_sctp();
            }
            return Poll::Ready(event);
        }
        *inner.state.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    fn close(&mut self) {
        self.0.close();
    }
}

impl Inner {
    /// Watches the SCTP association. It ends at once when the peer closes the connection, while
    /// ICE takes half a minute to notice.
    fn watch_sctp(&self) {
        let raw: &RawPeer = self.connection.unchecked_ref();
        let (Some(sctp), Some(handlers)) = (raw.sctp(), &self.handlers) else { return };
        sctp.set_onstatechange(Some(handlers.sctp_state.as_ref().unchecked_ref()));
        *self.state.sctp.borrow_mut() = Some(sctp);
        // It may have happened already.
        self.state.on_sctp_state();
    }

    fn close(&mut self) {
        let Some(handlers) = self.handlers.take() else { return };
        // Before the closures go: a call to a closure that is gone is an exception.
        self.connection.set_onicecandidate(None);
        self.connection.set_ondatachannel(None);
        self.connection.set_onconnectionstatechange(None);
        if let Some(sctp) = self.state.sctp.take() {
            sctp.set_onstatechange(None);
        }
        drop(handlers);
        if let Some(Init { channel, close }) = self.init.take() {
            channel.set_onopen(None);
            drop(close);
        }
        self.stop = None;
        self.state.remote_init.take();
        self.state.events.take();
        self.connection.close();
        LIVE.set(LIVE.get().saturating_sub(1));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Handlers {
    /// Attaches all handlers before any description is set, so that no event is missed.
    fn attach(connection: &RtcPeerConnection, state: &Rc<State>) -> Self {
        let shared = state.clone();
        let candidate = Closure::<dyn FnMut(RtcPeerConnectionIceEvent)>::new(
            move |event: RtcPeerConnectionIceEvent| shared.on_candidate(&event),
        );
        let shared = state.clone();
        let channel =
            Closure::<dyn FnMut(RtcDataChannelEvent)>::new(move |event: RtcDataChannelEvent| {
                shared.on_channel(&event);
            });
        let (shared, target) = (state.clone(), connection.clone());
        let on_state = Closure::<dyn FnMut(Event)>::new(move |_| {
            let connectivity = match target.connection_state() {
                RtcPeerConnectionState::Closed => Connectivity::Closed,
                RtcPeerConnectionState::Connected => Connectivity::Connected,
                RtcPeerConnectionState::Disconnected => Connectivity::Disconnected,
                RtcPeerConnectionState::Failed => Connectivity::Failed,
                // `new` and `connecting`: nothing has come of it yet.
                _ => return,
            };
            shared.push(PeerEvent::Connectivity(connectivity));
        });
        let shared = state.clone();
        let sctp_state = Closure::<dyn FnMut(Event)>::new(move |_| shared.on_sctp_state());

        connection.set_onicecandidate(Some(candidate.as_ref().unchecked_ref()));
        connection.set_ondatachannel(Some(channel.as_ref().unchecked_ref()));
        connection.set_onconnectionstatechange(Some(on_state.as_ref().unchecked_ref()));
        Self { _candidate: candidate, _channel: channel, _state: on_state, sctp_state }
    }
}

impl std::fmt::Debug for WebPeer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebPeer")
            .field("state", &self.0.connection.connection_state())
            .finish_non_exhaustive()
    }
}

/// A step that the browser has begun.
fn begin(
    step: &'static str,
    promise: Result<Promise, JsValue>,
) -> impl Future<Output = Result<JsValue, BackendError>> {
    let settled = promise.map(JsFuture::from);
    async move {
        match settled {
            Ok(settled) => settled.await.map_err(|thrown| failed(step, &thrown)),
            Err(thrown) => Err(failed(step, &thrown)),
        }
    }
}

/// The text of a description that the browser made, and the description to apply.
fn description(kind: RtcSdpType, made: &JsValue) -> (String, RtcSessionDescriptionInit) {
    let sdp = Reflect::get(made, &"sdp".into()).ok().and_then(|sdp| sdp.as_string());
    let sdp = sdp.unwrap_or_default();
    let description = RtcSessionDescriptionInit::new(kind);
    description.set_sdp(&sdp);
    (sdp, description)
}

fn servers(ice_servers: &[IceServer]) -> Array {
    ice_servers
        .iter()
        .map(|server| {
            let entry = RtcIceServer::new();
            entry.set_urls(&server.urls.iter().map(JsValue::from).collect::<Array>());
            if let Some((username, password)) = &server.credentials {
                entry.set_username(username);
                entry.set_credential(password);
            }
            entry
        })
        .collect()
}
