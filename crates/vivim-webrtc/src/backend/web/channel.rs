//! `RTCDataChannel` as a [`DataChannel`].

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Weak,
};

use bytes::Bytes;
use js_sys::{ArrayBuffer, Uint8Array};
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Event, MessageEvent, RtcDataChannel, RtcDataChannelState, RtcDataChannelType};

use super::failed;
use crate::{
    backend::{BackendError, ChannelEvent, ChannelSink, DataChannel},
    limits::{MAX_EARLY_MESSAGES, MAX_MESSAGE, SEND_LOW_WATER},
};

/// A data channel of the browser.
pub struct WebChannel(SendWrapper<Inner>);

struct Inner {
    channel: RtcDataChannel,
    inbox: Rc<Inbox>,
    _on_event: Closure<dyn FnMut(Event)>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

/// Where the handlers leave events: with the sink, or here until there is one.
#[derive(Default)]
struct Inbox {
    sink: RefCell<Option<Weak<dyn ChannelSink>>>,
    early: RefCell<Vec<ChannelEvent>>,
    closed: Cell<bool>,
}

impl Inbox {
    fn deliver(&self, channel: &RtcDataChannel, event: ChannelEvent) {
        // `error` and `close` both mean the end.
        let is_end = matches!(event, ChannelEvent::Closed);
        if is_end && self.closed.replace(true) {
            return;
        }
        let sink = self.sink.borrow().clone();
        match sink {
            Some(sink) => {
                if let Some(sink) = sink.upgrade() {
                    sink.on_channel_event(event);
                }
            }
            // The end always has room: whoever takes the channel would wait for it in vain.
            None if is_end || self.early.borrow().len() < MAX_EARLY_MESSAGES => {
                self.early.borrow_mut().push(event);
            }
            None => {
                tracing::debug!("a data channel brought too much before it was taken");
                channel.close();
            }
        }
    }
}

impl WebChannel {
    /// Takes a channel as soon as it exists, so that no event is missed.
    pub(super) fn new(channel: RtcDataChannel) -> Self {
        let inbox = Rc::new(Inbox::default());
        channel.set_binary_type(RtcDataChannelType::Arraybuffer);
        channel.set_buffered_amount_low_threshold(u32::try_from(SEND_LOW_WATER).unwrap_or(0));

        let (box_, target) = (inbox.clone(), channel.clone());
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            match event.data().dyn_into::<ArrayBuffer>() {
                Ok(buffer) if buffer.byte_length() as usize <= MAX_MESSAGE => {
                    let bytes = Bytes::from(Uint8Array::new(&buffer).to_vec());
                    box_.deliver(&target, ChannelEvent::Message(bytes));
                }
                // Neither this nor text has a place in the protocol.
                _ => {
                    target.close();
                    box_.deliver(&target, ChannelEvent::Closed);
                }
            }
        });
        let (box_, target) = (inbox.clone(), channel.clone());
        let on_event = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
            let event = match event.type_().as_str() {
                "open" => ChannelEvent::Open,
                "bufferedamountlow" => ChannelEvent::BufferedAmountLow,
                _ => ChannelEvent::Closed,
            };
            box_.deliver(&target, event);
        });

        channel.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        let handler = Some(on_event.as_ref().unchecked_ref());
        channel.set_onopen(handler);
        channel.set_onclose(handler);
        channel.set_onerror(handler);
        channel.set_onbufferedamountlow(handler);
        Self(SendWrapper::new(Inner {
            channel,
            inbox,
            _on_event: on_event,
            _on_message: on_message,
        }))
    }
}

impl DataChannel for WebChannel {
    fn attach(&self, sink: Weak<dyn ChannelSink>) {
        *self.0.inbox.sink.borrow_mut() = Some(sink.clone());
        let early = self.0.inbox.early.take();
        if let Some(sink) = sink.upgrade() {
            for event in early {
                sink.on_channel_event(event);
            }
        }
    }

    fn buffered_amount(&self) -> usize {
        self.0.channel.buffered_amount() as usize
    }

    fn close(&self) {
        self.0.channel.close();
    }

    fn is_open(&self) -> bool {
        self.0.channel.ready_state() == RtcDataChannelState::Open
    }

    fn send(&self, message: &[u8]) -> Result<(), BackendError> {
        self.0.channel.send_with_u8_array(message).map_err(|thrown| failed("send", &thrown))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Before the closures go: a call to a closure that is gone is an exception.
        self.channel.set_onmessage(None);
        self.channel.set_onopen(None);
        self.channel.set_onclose(None);
        self.channel.set_onerror(None);
        self.channel.set_onbufferedamountlow(None);
        self.channel.close();
    }
}

impl std::fmt::Debug for WebChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebChannel").field("id", &self.0.channel.id()).finish_non_exhaustive()
    }
}
