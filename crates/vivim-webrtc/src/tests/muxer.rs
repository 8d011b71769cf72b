//! Streams over the mock backend.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt, future::poll_fn};
use libp2p::core::muxing::StreamMuxerExt;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use crate::{
    Connect, ConnectError, ConnectionError, Muxer,
    backend::{
        Backend, Connectivity,
        mock::{Mock, MockChannel, MockPeer},
    },
    signaling::session::{Role, SessionError},
    stream::{Stream, StreamError},
};

/// Tokio's in-memory pipe for futures.
struct Pipe(tokio::io::DuplexStream);

impl futures::AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        Pin::new(&mut self.0).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
    }
}

impl futures::AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

const TIMEOUT: Duration = Duration::from_secs(5);

fn sessions(mock: &Mock) -> (Connect<MockPeer, Pipe>, Connect<MockPeer, Pipe>) {
    let (a, b) = tokio::io::duplex(1024);
    let peer = || mock.peer_connection(&[]).unwrap();
    (
        Connect::new(Role::Initiator, peer(), Pipe(a), TIMEOUT),
        Connect::new(Role::Responder, peer(), Pipe(b), TIMEOUT),
    )
}

/// A muxer that a task drives, as a swarm does.
#[derive(Clone)]
struct Driven(Arc<Mutex<Muxer<MockPeer>>>);

impl Driven {
    fn new(muxer: Muxer<MockPeer>) -> Self {
        let driven = Self(Arc::new(Mutex::new(muxer)));
        let weak = Arc::downgrade(&driven.0);
        tokio::spawn(poll_fn(move |cx| {
            let Some(muxer) = weak.upgrade() else { return Poll::Ready(()) };
            let polled = muxer.lock().unwrap().poll_unpin(cx);
            if polled.is_ready() { Poll::Ready(()) } else { Poll::Pending }
        }));
        driven
    }

    async fn open(&self) -> Stream<MockChannel> {
        poll_fn(|cx| self.0.lock().unwrap().poll_outbound_unpin(cx)).await.unwrap()
    }

    async fn accept(&self) -> Stream<MockChannel> {
        poll_fn(|cx| self.0.lock().unwrap().poll_inbound_unpin(cx)).await.unwrap()
    }

    async fn ended(&self) -> ConnectionError {
        poll_fn(|cx| self.0.lock().unwrap().poll_unpin(cx)).await.unwrap_err()
    }
}

async fn pair(mock: &Mock) -> (Driven, Driven) {
    let (a, b) = sessions(mock);
    let (a, b) = futures::future::try_join(a, b).await.unwrap();
    (Driven::new(a), Driven::new(b))
}

/// Polls both muxers until nothing more happens.
async fn settle(a: &Driven, b: &Driven) {
    for _ in 0..10 {
        for side in [a, b] {
            poll_fn(|cx| Poll::Ready(side.0.lock().unwrap().poll_unpin(cx).is_ready())).await;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn large_and_half_closed_streams_carry_everything() {
    let (a, b) = pair(&Mock::default()).await;
    let data: Vec<u8> = (0..3_000_000u32).map(|i| (i * 7) as u8).collect();
    let mut stream = a.open().await;
    let (sent, expected) = (data.clone(), data.len());
    let client = tokio::spawn(async move {
        stream.write_all(&sent).await.unwrap();
        stream.close().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    });
    let mut stream = b.accept().await;
    let mut received = vec![0; expected];
    stream.read_exact(&mut received).await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    assert!(received == data);
    stream.write_all(b"all of it").await.unwrap();
    stream.close().await.unwrap();
    assert_eq!(client.await.unwrap(), "all of it");
    drop(stream);
    settle(&a, &b).await;
    assert_eq!(a.0.lock().unwrap().open_streams(), 0);
    assert_eq!(b.0.lock().unwrap().open_streams(), 0);
}

#[tokio::test]
async fn a_lost_connection_ends_waiting_readers_and_writers() {
    let mock = Mock::default();
    let (a, b) = pair(&mock).await;
    let mut stream = a.open().await;
    stream.write_all(b"x").await.unwrap();
    let theirs = b.accept().await;
    let (mut reader, mut writer) = theirs.split();
    reader.read_exact(&mut [0]).await.unwrap();
    let read = tokio::spawn(async move { reader.read(&mut [0]).await.unwrap_err() });
    let write = tokio::spawn(async move {
        loop {
            if let Err(error) = writer.write_all(&[0; 100_000]).await {
                return error;
            }
        }
    });
    settle(&a, &b).await;
    mock.report(Connectivity::Failed);
    assert_eq!(b.ended().await, ConnectionError::Failed);
    for error in [read.await.unwrap(), write.await.unwrap()] {
        assert_eq!(
            error.get_ref().unwrap().downcast_ref(),
            Some(&StreamError::ConnectionLost),
            "{error}"
        );
    }
    assert_eq!(a.ended().await, ConnectionError::Failed);
    assert_eq!(mock.live(), 0);
}

#[tokio::test]
async fn sessions_that_fail_close_their_connection() {
    let mock = Mock::default();
    mock.block(true);
    let (a, b) = sessions(&mock);
    let (a, b) = futures::future::join(a, b).await;
    for result in [a, b] {
        let error = result.map(drop).unwrap_err();
        assert!(matches!(error, ConnectError::Session(_)), "{error}");
    }
    assert_eq!(mock.live(), 0);
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_given_up() {
    let mock = Mock::default();
    let (a, _silent) = tokio::io::duplex(1024);
    let peer = mock.peer_connection(&[]).unwrap();
    let session = Connect::new(Role::Initiator, peer, Pipe(a), Duration::from_millis(30));
    let error = session.await.map(drop).unwrap_err();
    let ConnectError::Session(error) = error else { panic!("{error}") };
    assert!(matches!(error, SessionError::Timeout | SessionError::DescriptionTimeout));
    assert_eq!(mock.live(), 0);
}

#[tokio::test]
async fn streams_beyond_the_limit_wait_for_a_place() {
    let mock = Mock::default();
    let (a, b) = pair(&mock).await;
    let accepted = tokio::spawn({
        let b = b.clone();
        async move {
            let mut streams = Vec::new();
            for _ in 0..crate::limits::MAX_STREAMS {
                streams.push(b.accept().await);
            }
            streams
        }
    });
    let mut streams: Vec<_> = futures::stream::iter(0..crate::limits::MAX_STREAMS)
        .then(|_| async {
            let stream = a.open().await;
            tokio::task::yield_now().await;
            stream
        })
        .collect()
        .await;
    let accepted = accepted.await.unwrap();
    assert!(a.open().now_or_never().is_none());
    drop(streams.pop());
    drop(a.open().await);
    drop(accepted);
}
