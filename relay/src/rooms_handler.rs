//! One connection's side of the room directory: the stream, its decoder and what waits to be
//! written. It knows nothing of rooms.
//!
//! A client that asks without reading isn't listened to until it reads, and a client that only
//! listens, but too slowly, loses its stream. Neither can make the relay hold more than
//! [`MAX_QUEUED`] bytes for it.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures::{AsyncRead, AsyncWrite};
use libp2p::{
    Stream, StreamProtocol,
    core::upgrade::{DeniedUpgrade, ReadyUpgrade},
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, SubstreamProtocol,
        handler::{ConnectionEvent, FullyNegotiatedInbound},
    },
};
use vivim_proto::rooms::{ClientMessage, FrameDecoder, PROTOCOL};

/// Bytes that may wait for a client to read them. Beyond it the stream is dropped; the client
/// opens another one and joins its rooms again.
pub const MAX_QUEUED: usize = 256 * 1024;

/// Bytes waiting from which on no further request of the client is read.
pub const PAUSE_QUEUED: usize = 32 * 1024;

/// Requests of one client that are being answered at a time.
pub const MAX_UNANSWERED: usize = 8;

/// Bytes read from the stream at a time.
const READ: usize = 2048;

/// Reads in one turn, before other connections on this thread get theirs.
const READS_PER_POLL: usize = 8;

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The client closed it, or the connection broke.
    Closed,
    /// It carried something that isn't a message.
    Malformed,
    /// The client didn't read.
    Slow,
}

/// What the handler tells the behaviour.
#[derive(Debug)]
pub(crate) enum Event {
    /// There is a new stream; it replaces the one before, if there was one.
    Opened {
        /// Number of the stream on this connection.
        stream: u64,
    },
    /// The client asks something; it must get exactly one [`Command::Reply`].
    Request(ClientMessage),
    /// The stream is gone.
    Ended(Ended),
}

/// What the behaviour tells the handler. A command for an earlier stream has no effect.
#[derive(Debug)]
pub(crate) enum Command {
    /// The encoded answer to one request; may be empty.
    Reply {
        /// The stream it is for.
        stream: u64,
        /// Encoded messages.
        bytes: Vec<u8>,
    },
    /// Encoded messages the client didn't ask for.
    Push {
        /// The stream it is for.
        stream: u64,
        /// Encoded messages.
        bytes: Vec<u8>,
    },
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Handler {
    active: Option<Active>,
    /// Streams opened on this connection so far.
    opened: u64,
    /// The behaviour has to hear of the stream in `active`.
    announce: bool,
    /// The behaviour has to hear that the stream it knows is gone.
    ended: Option<Ended>,
    waker: Option<Waker>,
}

#[derive(Debug)]
struct Active {
    stream: Stream,
    decoder: FrameDecoder<ClientMessage>,
    unanswered: usize,
    outgoing: Outgoing,
}

/// Encoded messages, and how far the first is written.
#[derive(Debug, Default)]
struct Outgoing {
    messages: VecDeque<Vec<u8>>,
    written: usize,
    bytes: usize,
    unflushed: bool,
}

impl Handler {
    fn end(&mut self, why: Ended) {
        // Dropping a stream that isn't closed resets it, so that the client notices.
        self.active = None;
        if self.announce {
            // The behaviour never heard of it.
            self.announce = false;
        } else {
            self.ended = Some(why);
        }
    }
}

impl Outgoing {
    fn push(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.bytes += bytes.len();
            self.messages.push_back(bytes);
        }
    }

    fn poll_write(
        &mut self,
        mut stream: Pin<&mut Stream>,
        cx: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        while let Some(rest) = self.messages.front().map(|m| m.get(self.written..).unwrap_or(&[])) {
            if rest.is_empty() {
                self.messages.pop_front();
                self.written = 0;
                continue;
            }
            match std::task::ready!(stream.as_mut().poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                n => {
                    self.written += n;
                    self.bytes -= n;
                    self.unflushed = true;
                }
            }
        }
        if self.unflushed {
            std::task::ready!(stream.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl Active {
    /// Writes and reads until something is to be reported.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<ClientMessage, Ended>> {
        if let Poll::Ready(Err(_)) = self.outgoing.poll_write(Pin::new(&mut self.stream), cx) {
            return Poll::Ready(Err(Ended::Closed));
        }
        if self.outgoing.bytes > MAX_QUEUED {
            return Poll::Ready(Err(Ended::Slow));
        }
        for _ in 0..READS_PER_POLL {
            if self.unanswered >= MAX_UNANSWERED || self.outgoing.bytes > PAUSE_QUEUED {
                // The next reply or write comes with a wake-up.
                return Poll::Pending;
            }
            match self.decoder.next() {
                Err(_) => return Poll::Ready(Err(Ended::Malformed)),
                Ok(Some(message)) => {
                    self.unanswered += 1;
                    return Poll::Ready(Ok(message));
                }
                Ok(None) => {}
            }
            let mut buffer = [0; READ];
            match std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Err(_) | Ok(0) => return Poll::Ready(Err(Ended::Closed)),
                Ok(n) => self.decoder.push(buffer.get(..n).unwrap_or_default()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Command;
    type ToBehaviour = Event;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = DeniedUpgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Infallible;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(StreamProtocol::new(PROTOCOL)), ())
    }

    fn on_behaviour_event(&mut self, command: Command) {
        let (Command::Reply { stream, .. } | Command::Push { stream, .. }) = &command;
        if *stream != self.opened {
            return;
        }
        let Some(active) = &mut self.active else { return };
        match command {
            Command::Reply { bytes, .. } => {
                active.unanswered = active.unanswered.saturating_sub(1);
                active.outgoing.push(bytes);
            }
            Command::Push { bytes, .. } => active.outgoing.push(bytes),
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Infallible, Event>> {
        self.waker = Some(cx.waker().clone());
        loop {
            if let Some(why) = self.ended.take() {
                return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Event::Ended(why)));
            }
            if std::mem::take(&mut self.announce) {
                let event = Event::Opened { stream: self.opened };
                return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
            }
            let Some(active) = &mut self.active else { return Poll::Pending };
            match std::task::ready!(active.poll(cx)) {
                Ok(message) => {
                    let event = Event::Request(message);
                    return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
                }
                Err(why) => self.end(why),
            }
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, DeniedUpgrade, (), Infallible>,
    ) {
        if let ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
            protocol: stream,
            ..
        }) = event
        {
            self.opened += 1;
            self.announce = true;
            self.ended = None;
            self.active = Some(Active {
                stream,
                decoder: FrameDecoder::new(),
                unanswered: 0,
                outgoing: Outgoing::default(),
            });
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}
