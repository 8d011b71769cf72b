//! A libp2p transport over the browser's `WebSocket`.
//!
//! Unlike libp2p-websocket-websys 0.6: closing and errors wake every waiting task, a flush does
//! not wait for the socket's buffer to drain, a refused connection fails at once, and an address
//! with something behind `/ws` other than `/p2p` is not ours.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::{AsyncRead, AsyncWrite, FutureExt, future::BoxFuture};
use futures_timer::Delay;
use js_sys::{ArrayBuffer, Uint8Array};
use libp2p::{
    Multiaddr,
    core::transport::{DialOpts, ListenerId, TransportError, TransportEvent},
    multiaddr::Protocol,
};
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, prelude::Closure};
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};

/// Bytes that may wait in the browser's send buffer before a writer waits.
const SEND_BUFFER: u32 = 1024 * 1024;
/// Bytes that may wait for the reader: a browser WebSocket can't push back, yamux's windows do.
/// A peer that goes beyond is broken or hostile and is disconnected.
const RECEIVE_BUFFER: usize = 16 * 1024 * 1024;
/// How often a full send buffer is looked at; the API has no event for it.
const DRAIN_INTERVAL: Duration = Duration::from_millis(5);
/// How long the handshake may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a WebSocket could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The browser refused the URL: mixed content or the page's CSP.
    #[error("the browser refuses {0}: an https page needs wss, and its CSP must allow connect-src")]
    Refused(String),
    /// Nobody listens there, or it isn't a WebSocket server.
    #[error("no WebSocket server answers at {0}")]
    Unreachable(String),
    /// The handshake took too long.
    #[error("{0} did not answer within {CONNECT_TIMEOUT:?}")]
    Timeout(String),
}

/// Dials `/ws`, `/wss` and `/tls/ws` addresses. Browsers can't listen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Transport;

impl libp2p::core::Transport for Transport {
    type Output = Connection;
    type Error = Error;
    type ListenerUpgrade = futures::future::Pending<Result<Connection, Error>>;
    type Dial = BoxFuture<'static, Result<Connection, Error>>;

    fn listen_on(&mut self, _: ListenerId, addr: Multiaddr) -> Result<(), TransportError<Error>> {
        Err(TransportError::MultiaddrNotSupported(addr))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(
        &mut self,
        addr: Multiaddr,
        opts: DialOpts,
    ) -> Result<Self::Dial, TransportError<Error>> {
        let Some(url) = url(&addr).filter(|_| !opts.role.is_listener()) else {
            return Err(TransportError::MultiaddrNotSupported(addr));
        };
        // The socket opens now; the future only waits for it.
        let socket = Socket::open(&url).map_err(TransportError::Other)?;
        Ok(SendWrapper::new(async move {
            let timeout = Delay::new(CONNECT_TIMEOUT);
            futures::select! {
                opened = socket.opened().fuse() => match opened {
                    true => Ok(Connection { socket, drain: None }),
                    false => Err(Error::Unreachable(url)),
                },
                () = timeout.fuse() => Err(Error::Timeout(url)),
            }
        })
        .boxed())
    }

    fn poll(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Error>> {
        Poll::Pending
    }
}

/// `/dns4/h/tcp/443/tls/ws` and its kin as a URL; nothing else may follow but `/p2p`.
fn url(addr: &Multiaddr) -> Option<String> {
    let mut parts = addr.iter().peekable();
    let mut host = match parts.next()? {
        Protocol::Ip4(ip) => ip.to_string(),
        Protocol::Ip6(ip) => format!("[{ip}]"),
        Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => name.into_owned(),
        _ => return None,
    };
    let Protocol::Tcp(port) = parts.next()? else { return None };
    let mut tls = false;
    if matches!(parts.peek(), Some(Protocol::Tls)) {
        tls = true;
        parts.next();
        if let Some(Protocol::Sni(name)) = parts.peek() {
            host = name.to_string();
            parts.next();
        }
    }
    let (scheme, path) = match parts.next()? {
        Protocol::Ws(path) => (if tls { "wss" } else { "ws" }, path.into_owned()),
        Protocol::Wss(path) if !tls => ("wss", path.into_owned()),
        _ => return None,
    };
    match (parts.next(), parts.next()) {
        (None, _) | (Some(Protocol::P2p(_)), None) => {
            Some(format!("{scheme}://{host}:{port}{path}"))
        }
        _ => None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Open,
    Closed,
    Overloaded,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    received: VecDeque<Vec<u8>>,
    /// Bytes of the first message that were read already.
    offset: usize,
    buffered: usize,
    opener: Option<Waker>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl State {
    fn wake_all(&mut self) {
        let wakers = [self.opener.take(), self.reader.take(), self.writer.take()];
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

type Shared = Arc<Mutex<State>>;

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The browser's socket and its handlers, which are detached before they are dropped.
/// Browser objects belong to their thread, hence the wrapper: a wasm instance has one.
#[derive(Debug)]
struct Socket(SendWrapper<Inner>);

#[derive(Debug)]
struct Inner {
    socket: WebSocket,
    state: Shared,
    _on_open: Closure<dyn FnMut(Event)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
    _on_error: Closure<dyn FnMut(Event)>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

impl Socket {
    fn open(url: &str) -> Result<Self, Error> {
        let socket = WebSocket::new(url).map_err(|_| Error::Refused(url.to_owned()))?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let state = Arc::new(Mutex::new(State {
            phase: Phase::Connecting,
            received: VecDeque::new(),
            offset: 0,
            buffered: 0,
            opener: None,
            reader: None,
            writer: None,
        }));
        let on_open = {
            let state = state.clone();
            Closure::new(move |_: Event| {
                let mut state = lock(&state);
                state.phase = Phase::Open;
                state.wake_all();
            })
        };
        let end = |state: &Shared| {
            let mut state = lock(state);
            if state.phase != Phase::Overloaded {
                state.phase = Phase::Closed;
            }
            state.wake_all();
        };
        let on_close = {
            let state = state.clone();
            Closure::new(move |_: CloseEvent| end(&state))
        };
        let on_error = {
            let state = state.clone();
            Closure::new(move |_: Event| end(&state))
        };
        let on_message = {
            let state = state.clone();
            Closure::new(move |event: MessageEvent| {
                let mut state = lock(&state);
                // Text frames are no part of the protocol.
                let Ok(buffer) = event.data().dyn_into::<ArrayBuffer>() else { return };
                let size = buffer.byte_length() as usize;
                if size == 0 {
                    return;
                }
                if state.buffered + size > RECEIVE_BUFFER {
                    state.phase = Phase::Overloaded;
                    state.received.clear();
                    state.wake_all();
                    return;
                }
                state.received.push_back(Uint8Array::new(&buffer).to_vec());
                state.buffered += size;
                if let Some(reader) = state.reader.take() {
                    reader.wake();
                }
            })
        };
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        socket.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        Ok(Self(SendWrapper::new(Inner {
            socket,
            state,
            _on_open: on_open,
            _on_close: on_close,
            _on_error: on_error,
            _on_message: on_message,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    /// True once open, false if it never will be.
    async fn opened(&self) -> bool {
        futures::future::poll_fn(|cx| {
            let mut state = self.state();
            match state.phase {
                Phase::Connecting => {
                    state.opener = Some(cx.waker().clone());
                    Poll::Pending
                }
                Phase::Open => Poll::Ready(true),
                Phase::Closed | Phase::Overloaded => Poll::Ready(false),
            }
        })
        .await
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let socket = &self.0.socket;
        socket.set_onopen(None);
        socket.set_onclose(None);
        socket.set_onerror(None);
        socket.set_onmessage(None);
        // Closing a closed socket does nothing.
        let _ = socket.close();
    }
}

/// An open WebSocket as a byte stream.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Socket,
    drain: Option<Delay>,
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.socket.state();
        let mut filled = 0;
        while filled < buf.len() {
            let offset = state.offset;
            let Some(first) = state.received.front() else { break };
            let rest = first.get(offset..).unwrap_or_default();
            let n = rest.len().min(buf.len() - filled);
            buf[filled..filled + n].copy_from_slice(&rest[..n]);
            filled += n;
            if n == rest.len() {
                state.received.pop_front();
                state.offset = 0;
            } else {
                state.offset += n;
            }
            state.buffered -= n;
        }
        if filled > 0 || buf.is_empty() {
            return Poll::Ready(Ok(filled));
        }
        match state.phase {
            Phase::Closed => Poll::Ready(Ok(0)),
            Phase::Overloaded => Poll::Ready(Err(io::ErrorKind::OutOfMemory.into())),
            Phase::Connecting | Phase::Open => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let phase = self.socket.state().phase;
            if phase != Phase::Open {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if self.socket.0.socket.buffered_amount() < SEND_BUFFER {
                self.drain = None;
                let sent = self.socket.0.socket.send_with_u8_array(buf);
                return Poll::Ready(
                    sent.map(|()| buf.len()).map_err(|_| io::ErrorKind::BrokenPipe.into()),
                );
            }
            self.socket.state().writer = Some(cx.waker().clone());
            let drain = self.drain.get_or_insert_with(|| Delay::new(DRAIN_INTERVAL));
            match drain.poll_unpin(cx) {
                Poll::Ready(()) => self.drain = None,
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// What was written is the browser's; waiting for its buffer would only add delay.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The browser sends what is buffered before it closes.
        let _ = self.socket.0.socket.close();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn relay_addresses_become_urls_and_circuit_addresses_are_not_ours() {
        let parse = |s: &str| url(&s.parse().unwrap());
        assert_eq!(parse("/ip4/127.0.0.1/tcp/9000/ws").unwrap(), "ws://127.0.0.1:9000/");
        assert_eq!(parse("/dns4/a.b/tcp/443/tls/ws").unwrap(), "wss://a.b:443/");
        assert_eq!(parse("/dns/a.b/tcp/443/wss").unwrap(), "wss://a.b:443/");
        assert_eq!(parse("/ip6/::1/tcp/1/ws").unwrap(), "ws://[::1]:1/");
        assert_eq!(parse("/ip4/127.0.0.1/tcp/9000/ws/p2p-circuit"), None);
        assert_eq!(parse("/ip4/127.0.0.1/tcp/9000"), None);
    }
}
