//! Signaling messages over a stream.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, future::BoxFuture};
use futures_timer::Delay;

use super::{
    Message,
    codec::{self, CodecError, Decoder},
};
use crate::limits::{MAX_SIGNALING_MESSAGE, SIGNALING_LINGER};

/// What came from the remote side of the stream.
#[derive(Debug)]
pub(crate) enum Received {
    /// The peer will say nothing more.
    Closed,
    /// What the peer said is not a message.
    Malformed(CodecError),
    Message(Message),
    /// The stream broke.
    Reset(io::Error),
}

/// A signaling stream: messages in, messages out, nothing decided here.
pub(crate) struct SignalIo<S> {
    stream: S,
    decoder: Decoder,
    outgoing: VecDeque<u8>,
    unflushed: bool,
    read_done: bool,
    write_failed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> SignalIo<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            decoder: Decoder::default(),
            outgoing: VecDeque::new(),
            unflushed: false,
            read_done: false,
            write_failed: false,
        }
    }

    /// Queues bytes that [`codec::encode`] made.
    pub(crate) fn send(&mut self, encoded: &[u8]) {
        if !self.write_failed {
            self.outgoing.extend(encoded);
        }
    }

    /// Moves queued bytes into the stream. A failure shows up in [`poll_receive`](Self::poll_receive)
    /// or, if the session gets by without it, nowhere.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) {
        while !self.outgoing.is_empty() {
            let (head, _) = self.outgoing.as_slices();
            match Pin::new(&mut self.stream).poll_write(cx, head) {
                Poll::Ready(Ok(n)) if n > 0 => {
                    self.outgoing.drain(..n);
                    self.unflushed = true;
                }
                Poll::Ready(_) => {
                    self.write_failed = true;
                    self.outgoing.clear();
                }
                Poll::Pending => break,
            }
        }
        if self.unflushed
            && let Poll::Ready(result) = Pin::new(&mut self.stream).poll_flush(cx)
        {
            self.unflushed = false;
            self.write_failed |= result.is_err();
        }
    }

    /// The next message; `Closed`, `Malformed` and `Reset` come once and are the last.
    pub(crate) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Received> {
        let mut buffer = [0; 4096];
        while !self.read_done {
            match self.decoder.next_message() {
                Ok(Some(message)) => return Poll::Ready(Received::Message(message)),
                Ok(None) => {}
                Err(error) => {
                    self.read_done = true;
                    return Poll::Ready(Received::Malformed(error));
                }
            }
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(0)) => {
                    self.read_done = true;
                    return Poll::Ready(Received::Closed);
                }
                Poll::Ready(Ok(n)) => self.decoder.push(buffer.get(..n).unwrap_or_default()),
                Poll::Ready(Err(error)) => {
                    self.read_done = true;
                    return Poll::Ready(Received::Reset(error));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> SignalIo<S> {
    /// Closes the stream in good order: says what is left to say, closes, and lets the peer
    /// finish, so that it sees an end and not a reset.
    pub(crate) fn linger(self) -> BoxFuture<'static, ()> {
        let Self { mut stream, outgoing, .. } = self;
        let close = async move {
            let (head, tail) = outgoing.as_slices();
            stream.write_all(head).await?;
            stream.write_all(tail).await?;
            stream.close().await?;
            stream.take(4 * MAX_SIGNALING_MESSAGE as u64).read_to_end(&mut Vec::new()).await
        };
        Box::pin(async move {
            // Whether the peer minds its manners is all the same now.
            futures::future::select(Box::pin(close), Delay::new(SIGNALING_LINGER)).await;
        })
    }
}

/// As bytes, for [`SignalIo::send`]. What this side makes always fits, unless a browser makes a
/// description of more than 64 KiB.
pub(crate) fn encode(message: &Message) -> Result<Vec<u8>, CodecError> {
    codec::encode(message)
}
