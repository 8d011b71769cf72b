//! Counts the bytes of each connection.
//!
//! A transport's output is wrapped before the swarm sees it, when the connection has no number
//! yet; the actor claims the counters by peer and endpoint when the connection is established.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};
use libp2p::{
    PeerId,
    core::{
        ConnectedPoint,
        muxing::{StreamMuxer, StreamMuxerEvent},
    },
};

/// Bytes of one connection, after encryption is taken off.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Counters {
    /// Sent and received.
    pub(crate) fn read(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }
}

/// Counters that no connection has claimed yet. Entries of abandoned dials die with their muxer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry(Arc<Mutex<Vec<Unclaimed>>>);

#[derive(Debug)]
struct Unclaimed {
    peer: PeerId,
    endpoint: ConnectedPoint,
    counters: Weak<Counters>,
}

impl Registry {
    /// Wraps a fresh connection.
    pub(crate) fn meter<M>(&self, peer: PeerId, endpoint: ConnectedPoint, muxer: M) -> Metered<M> {
        let counters = Arc::new(Counters::default());
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending.retain(|unclaimed| unclaimed.counters.strong_count() > 0);
        pending.push(Unclaimed { peer, endpoint, counters: Arc::downgrade(&counters) });
        Metered { muxer, counters }
    }

    /// The counters of an established connection.
    pub(crate) fn claim(&self, peer: &PeerId, endpoint: &ConnectedPoint) -> Arc<Counters> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pending
            .iter()
            .position(|unclaimed| unclaimed.peer == *peer && unclaimed.endpoint == *endpoint)
            .and_then(|i| pending.swap_remove(i).counters.upgrade())
            .unwrap_or_default()
    }
}

/// A muxer whose streams count.
#[derive(Debug)]
pub(crate) struct Metered<M> {
    muxer: M,
    counters: Arc<Counters>,
}

impl<M: StreamMuxer + Unpin> StreamMuxer for Metered<M>
where
    M::Substream: Unpin,
{
    type Substream = Counted<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, M::Error>> {
        let counters = self.counters.clone();
        Pin::new(&mut self.muxer).poll_inbound(cx).map_ok(|stream| Counted { stream, counters })
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, M::Error>> {
        let counters = self.counters.clone();
        Pin::new(&mut self.muxer).poll_outbound(cx).map_ok(|stream| Counted { stream, counters })
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        Pin::new(&mut self.muxer).poll_close(cx)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, M::Error>> {
        Pin::new(&mut self.muxer).poll(cx)
    }
}

/// A stream that counts.
#[derive(Debug)]
pub(crate) struct Counted<S> {
    stream: S,
    counters: Arc<Counters>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Poll::Ready(Ok(n)) = read {
            self.counters.received.fetch_add(n as u64, Ordering::Relaxed);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(n)) = written {
            self.counters.sent.fetch_add(n as u64, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
