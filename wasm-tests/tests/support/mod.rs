//! What the browser tests share.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

pub mod raw;

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::{
    AsyncRead, AsyncWrite, FutureExt,
    future::{self, Either, poll_fn},
};
use futures_timer::Delay;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerExt};
use vivim_webrtc::{
    Connect, ConnectError, Muxer,
    backend::{
        Backend,
        web::{Web, WebChannel, WebPeer},
    },
    signaling::session::Role,
    stream,
};

/// A stream of two browsers in one page.
pub type Stream = stream::Stream<WebChannel>;

/// Fails a test that takes too long.
pub async fn within<T>(seconds: u64, future: impl Future<Output = T>) -> T {
    match future::select(Box::pin(future), Delay::new(Duration::from_secs(seconds))).await {
        Either::Left((value, _)) => value,
        Either::Right(_) => panic!("not done within {seconds} s"),
    }
}

/// One direction of a pipe.
#[derive(Default)]
struct Half {
    bytes: VecDeque<u8>,
    closed: bool,
    reader: Option<Waker>,
}

/// One end of an in-memory pipe, in place of a relayed stream.
pub struct Pipe {
    incoming: Arc<Mutex<Half>>,
    outgoing: Arc<Mutex<Half>>,
}

/// Both ends.
pub fn pipe() -> (Pipe, Pipe) {
    let (a, b) = (Arc::<Mutex<Half>>::default(), Arc::<Mutex<Half>>::default());
    (Pipe { incoming: a.clone(), outgoing: b.clone() }, Pipe { incoming: b, outgoing: a })
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut half = self.incoming.lock().unwrap();
        if half.bytes.is_empty() && !half.closed {
            half.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = half.bytes.len().min(buffer.len());
        for (slot, byte) in buffer.iter_mut().zip(half.bytes.drain(..n)) {
            *slot = byte;
        }
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut half = self.outgoing.lock().unwrap();
        half.bytes.extend(bytes);
        if let Some(reader) = half.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut half = self.outgoing.lock().unwrap();
        half.closed = true;
        if let Some(reader) = half.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = Pin::new(self).poll_close(&mut Context::from_waker(Waker::noop()));
    }
}

/// A session with the default timeout and no ICE servers.
pub fn session(role: Role, signaling: Pipe) -> Connect<WebPeer, Pipe> {
    let peer = Web.peer_connection(&[]).unwrap();
    Connect::new(role, peer, signaling, Duration::from_secs(20))
}

/// Two connected muxers, of the initiator and the responder.
pub async fn connected() -> (Muxer<WebPeer>, Muxer<WebPeer>) {
    let (a, b) = pipe();
    let both = future::try_join(session(Role::Initiator, a), session(Role::Responder, b));
    let result: Result<_, ConnectError> = within(10, both).await;
    result.unwrap()
}

/// A connection whose muxer is polled in the background, as a swarm does.
pub struct Driven(Arc<Mutex<Muxer<WebPeer>>>);

impl Driven {
    pub fn new(muxer: Muxer<WebPeer>) -> Self {
        let muxer = Arc::new(Mutex::new(muxer));
        let weak = Arc::downgrade(&muxer);
        wasm_bindgen_futures::spawn_local(poll_fn(move |cx| {
            let Some(muxer) = weak.upgrade() else { return Poll::Ready(()) };
            match muxer.lock().unwrap().poll_unpin(cx) {
                Poll::Ready(Err(_)) => Poll::Ready(()),
                _ => Poll::Pending,
            }
        }));
        Self(muxer)
    }

    pub async fn open(&self) -> Stream {
        poll_fn(|cx| self.poke(cx, |muxer, cx| muxer.poll_outbound_unpin(cx))).await.unwrap()
    }

    pub async fn accept(&self) -> Stream {
        poll_fn(|cx| self.poke(cx, |muxer, cx| muxer.poll_inbound_unpin(cx))).await.unwrap()
    }

    /// The error that ends the connection.
    pub async fn ended(&self) -> <Muxer<WebPeer> as StreamMuxer>::Error {
        poll_fn(|cx| match self.0.lock().unwrap().poll_unpin(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(error),
            _ => Poll::Pending,
        })
        .await
    }

    pub fn streams(&self) -> usize {
        self.0.lock().unwrap().open_streams()
    }

    /// Waits until so many streams are open.
    pub async fn until_streams(&self, wanted: usize) {
        poll_fn(|cx| {
            let mut muxer = self.0.lock().unwrap();
            let _ = muxer.poll_unpin(cx);
            if muxer.open_streams() == wanted { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    pub async fn close(&self) {
        let _ = poll_fn(|cx| self.0.lock().unwrap().poll_close_unpin(cx)).await;
    }

    fn poke<T>(
        &self,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Muxer<WebPeer>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        f(&mut self.0.lock().unwrap(), cx)
    }
}

/// A connection between anything and a driven muxer.
pub async fn connect_raw<P: vivim_webrtc::backend::PeerConnection>(peer: P) -> (Muxer<P>, Driven) {
    let (a, b) = pipe();
    let initiator = Connect::new(Role::Initiator, peer, a, Duration::from_secs(20));
    let both = future::try_join(initiator, session(Role::Responder, b));
    let (raw, driven) = within(10, both).await.unwrap();
    (raw, Driven::new(driven))
}

/// Two connected and driven muxers.
pub async fn pair() -> (Driven, Driven) {
    let (a, b) = connected().await;
    (Driven::new(a), Driven::new(b))
}

/// A stream of the first to the second, both ends.
pub async fn stream(a: &Driven, b: &Driven) -> (Stream, Stream) {
    let (mut ours, theirs) = future::join(
        async {
            let mut stream = a.open().await;
            // A channel says nothing until it is used.
            use futures::AsyncWriteExt;
            stream.write_all(b"!").await.unwrap();
            stream
        },
        async {
            let mut stream = b.accept().await;
            use futures::AsyncReadExt;
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            stream
        },
    )
    .await;
    let _ = &mut ours;
    (ours, theirs)
}

/// Lets the browser's events happen until something is true.
pub async fn eventually(mut condition: impl FnMut() -> bool) {
    within(5, async {
        while !condition() {
            // There is no event for what is asked here; a turn of the event loop is the least.
            Delay::new(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Everything a stream still brings, and how it ends. `read_to_end` clears all the room it has on
/// every wake, which is quadratic.
pub async fn read_all(stream: &mut (impl AsyncRead + Unpin)) -> (Vec<u8>, io::Result<()>) {
    use futures::AsyncReadExt;
    let (mut all, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return (all, Ok(())),
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(error) => return (all, Err(error)),
        }
    }
}

/// Whether a future is not ready after a turn of the event loop.
pub async fn stays_pending<F: Future + Unpin>(future: &mut F, time: Duration) -> bool {
    future::select(future, Delay::new(time)).map(|first| matches!(first, Either::Right(_))).await
}
