//! A byte stream of an application protocol.
//!
//! Both directions work at once. Reading takes the read half out for the time of one read, so that
//! nothing is borrowed while it waits. Writing puts chunks into a bounded queue that one task, the
//! only owner of the write half, empties: a writer that stays under [`HIGH_WATER`] never waits for
//! a turn of the event loop, and small chunks share frames.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use futures::{
    AsyncRead, AsyncReadExt, AsyncWrite,
    channel::oneshot,
    future::{self, AbortHandle},
};
use js_sys::{Promise, Uint8Array};
use vivim_node::AppStream;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::{failure::Failure, js::promise};

/// Bytes that may wait for the network before `write` makes its caller wait: a few times what the
/// transports below hold, so that they never run dry between two turns of the event loop.
const HIGH_WATER: usize = 256 * 1024;
/// Bytes copied out of JavaScript at once, and the most that one read gives.
const SLICE: usize = 64 * 1024;

/// A stream. Dropping it resets what isn't closed.
#[wasm_bindgen]
pub struct RawStream {
    peer: String,
    protocol: String,
    direct: bool,
    reader: Rc<Reader>,
    queue: Rc<Queue>,
}

impl std::fmt::Debug for RawStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawStream")
            .field("peer", &self.peer)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

impl RawStream {
    pub(crate) fn new(stream: AppStream) -> Self {
        let AppStream { peer, protocol, direct, stream, .. } = stream;
        let (read, write) = stream.split();
        let queue = Rc::new(Queue::default());
        spawn_local(run_writer(write, Rc::clone(&queue)));
        Self {
            peer: peer.to_string(),
            protocol: protocol.to_string(),
            direct,
            reader: Rc::new(Reader {
                half: RefCell::new(Some(Box::new(read))),
                buffer: RefCell::default(),
                waiting: RefCell::default(),
                cancelled: Cell::new(false),
            }),
            queue,
        }
    }
}

#[wasm_bindgen]
impl RawStream {
    /// Who is at the other end.
    #[wasm_bindgen(getter, js_name = remotePeer)]
    pub fn remote_peer(&self) -> String {
        self.peer.clone()
    }

    /// What was negotiated.
    #[wasm_bindgen(getter)]
    pub fn protocol(&self) -> String {
        self.protocol.clone()
    }

    /// Whether it runs over a direct connection.
    #[wasm_bindgen(getter)]
    pub fn direct(&self) -> bool {
        self.direct
    }

    /// The next bytes, up to 64 KiB; undefined at the end. One read at a time.
    #[wasm_bindgen(unchecked_return_type = "Promise<Uint8Array<ArrayBuffer> | undefined>")]
    pub fn read(&self) -> Promise {
        let reader = Rc::clone(&self.reader);
        promise(async move { reader.read().await })
    }

    /// Reads no more.
    #[wasm_bindgen(js_name = stopReading)]
    pub fn stop_reading(&self) {
        self.reader.cancel();
    }

    /// Queues bytes. Undefined if more may come at once, else a promise of that.
    ///
    /// # Errors
    ///
    /// Throws if the stream is closed or broken.
    #[wasm_bindgen(unchecked_return_type = "Promise<void> | undefined")]
    pub fn write(&self, bytes: Uint8Array) -> Result<JsValue, JsValue> {
        let Some(room) = self.queue.push(bytes)? else { return Ok(JsValue::UNDEFINED) };
        let queue = Rc::clone(&self.queue);
        Ok(promise(async move {
            // Dropped without an answer when the writer ends; the queue knows why.
            let _ = room.await;
            queue.outcome().map(|()| JsValue::UNDEFINED)
        })
        .into())
    }

    /// Sends everything queued and closes this direction; the other one stays open.
    #[wasm_bindgen(js_name = closeWrite, unchecked_return_type = "Promise<void>")]
    pub fn close_write(&self) -> Promise {
        let queue = Rc::clone(&self.queue);
        let end = queue.close();
        promise(async move {
            if let Some(end) = end {
                let _ = end.await;
            }
            queue.outcome().map(|()| JsValue::UNDEFINED)
        })
    }

    /// Ends both directions at once; what is queued is lost.
    pub fn reset(&self) {
        self.reader.cancel();
        self.queue.reset();
    }
}

impl Drop for RawStream {
    fn drop(&mut self) {
        self.reader.cancel();
        self.queue.abandon();
    }
}

struct Reader {
    half: RefCell<Option<Box<dyn AsyncRead + Unpin>>>,
    buffer: RefCell<Vec<u8>>,
    waiting: RefCell<Option<AbortHandle>>,
    cancelled: Cell<bool>,
}

impl Reader {
    async fn read(&self) -> Result<JsValue, Failure> {
        if self.cancelled.get() {
            return Ok(JsValue::UNDEFINED);
        }
        let Some(mut half) = self.half.take() else {
            return Err(Failure::new("STREAM", "one read at a time: the last has not ended"));
        };
        let mut buffer = self.buffer.take();
        buffer.resize(SLICE, 0);
        let (read, abort) =
            future::abortable(poll_fn(|cx| poll_fill(Pin::new(&mut half), cx, &mut buffer)));
        self.waiting.replace(Some(abort));
        let outcome = read.await;
        self.waiting.take();
        let value = match outcome {
            // Cancelled, or at the end: the half is dropped with this future.
            Err(_) | Ok(Ok(0)) => {
                self.cancelled.set(true);
                return Ok(JsValue::UNDEFINED);
            }
            Ok(Ok(n)) => Ok(Uint8Array::from(buffer.get(..n).unwrap_or_default()).into()),
            Ok(Err(error)) => Err(error.into()),
        };
        self.buffer.replace(buffer);
        self.half.replace(Some(half));
        value
    }

    fn cancel(&self) {
        self.cancelled.set(true);
        self.half.take();
        if let Some(waiting) = self.waiting.take() {
            waiting.abort();
        }
    }
}

/// Reads what is there, up to the buffer's end, and waits only if nothing is: fewer, larger chunks
/// cost the application fewer turns of the event loop.
fn poll_fill(
    mut half: Pin<&mut (impl AsyncRead + ?Sized)>,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut filled = 0;
    while let Some(space) = buffer.get_mut(filled..)
        && !space.is_empty()
    {
        match half.as_mut().poll_read(cx, space) {
            Poll::Ready(Ok(0)) => break,
            Poll::Ready(Ok(n)) => filled += n,
            // What came before the error is given first; the next read meets the error again.
            Poll::Ready(Err(error)) if filled == 0 => return Poll::Ready(Err(error)),
            Poll::Pending if filled == 0 => return Poll::Pending,
            Poll::Ready(Err(_)) | Poll::Pending => break,
        }
    }
    Poll::Ready(Ok(filled))
}

/// How far the writing direction got.
#[derive(Clone, Debug, Default, PartialEq)]
enum State {
    /// Chunks may come.
    #[default]
    Open,
    /// Closed once the queue is empty.
    Closing,
    /// Closed, and everything was sent.
    Closed,
    /// To be ended at once.
    Resetting,
    /// The connection broke, or the stream was reset.
    Broken(Failure),
}

/// Chunks on their way to the writer.
#[derive(Debug, Default)]
struct Queue {
    chunks: RefCell<VecDeque<(Uint8Array, u32)>>,
    bytes: Cell<usize>,
    state: RefCell<State>,
    writer: RefCell<Option<Waker>>,
    /// Who waits for a place, or for the end.
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
}

impl Queue {
    /// Takes a chunk; gives what to wait for before the next one.
    fn push(&self, chunk: Uint8Array) -> Result<Option<oneshot::Receiver<()>>, Failure> {
        match &*self.state.borrow() {
            State::Open => {}
            State::Broken(failure) => return Err(failure.clone()),
            State::Closing | State::Closed | State::Resetting => return Err(closed()),
        }
        self.bytes.set(self.bytes.get() + chunk.length() as usize);
        self.chunks.borrow_mut().push_back((chunk, 0));
        self.wake();
        Ok((self.bytes.get() > HIGH_WATER).then(|| self.wait()))
    }

    fn wait(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().push(sender);
        receiver
    }

    /// Begins the end; gives what to wait for, if it isn't there yet.
    fn close(&self) -> Option<oneshot::Receiver<()>> {
        let state = self.state.borrow().clone();
        match state {
            State::Open | State::Closing => {
                self.state.replace(State::Closing);
                self.wake();
                Some(self.wait())
            }
            State::Closed | State::Resetting | State::Broken(_) => None,
        }
    }

    fn reset(&self) {
        if !matches!(*self.state.borrow(), State::Closed | State::Broken(_)) {
            self.state.replace(State::Resetting);
        }
        self.wake();
    }

    /// Nobody holds the stream any more: a close that was asked for is still carried out.
    fn abandon(&self) {
        if *self.state.borrow() == State::Open {
            self.reset();
        }
    }

    fn outcome(&self) -> Result<(), Failure> {
        match &*self.state.borrow() {
            State::Broken(failure) => Err(failure.clone()),
            State::Resetting => Err(closed()),
            State::Open | State::Closing | State::Closed => Ok(()),
        }
    }

    fn end(&self, state: State) {
        self.state.replace(state);
        self.chunks.take();
        self.bytes.set(0);
        self.waiting.take();
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    /// Moves up to [`SLICE`] bytes from the queue into the writer's buffer.
    fn fill(&self, buffer: &mut Vec<u8>) {
        let mut chunks = self.chunks.borrow_mut();
        while buffer.len() < SLICE
            && let Some((chunk, from)) = chunks.front_mut()
        {
            let space = u32::try_from(SLICE - buffer.len()).unwrap_or(u32::MAX);
            let to = chunk.length().min(from.saturating_add(space));
            let start = buffer.len();
            buffer.resize(start + (to - *from) as usize, 0);
            if let Some(place) = buffer.get_mut(start..) {
                chunk.subarray(*from, to).copy_to(place);
            }
            *from = to;
            if to == chunk.length() {
                chunks.pop_front();
            }
        }
    }

    fn sent(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().saturating_sub(bytes));
        // Who closes waits for the end, not for a place.
        if self.bytes.get() <= HIGH_WATER / 2 && *self.state.borrow() == State::Open {
            for waiting in self.waiting.take() {
                // Fails if the caller has gone away.
                let _ = waiting.send(());
            }
        }
    }
}

fn closed() -> Failure {
    Failure::new("STREAM_CLOSED", "the stream is closed for writing")
}

/// Owns the write half until the end of its direction.
async fn run_writer<W: AsyncWrite + Unpin>(mut half: W, queue: Rc<Queue>) {
    let mut buffer = Vec::new();
    let mut from = 0;
    let end = poll_fn(|cx| {
        queue.writer.replace(Some(cx.waker().clone()));
        poll_write(&mut half, &queue, &mut buffer, &mut from, cx)
    })
    .await;
    let state = match end {
        Ok(state) => state,
        Err(error) => State::Broken(error.into()),
    };
    // Dropping a half that isn't closed resets the stream, once the other half is gone too.
    drop(half);
    queue.end(state);
}

/// Writes until there's nothing to write, flushes, and closes when asked to.
fn poll_write<W: AsyncWrite + Unpin>(
    half: &mut W,
    queue: &Queue,
    buffer: &mut Vec<u8>,
    from: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<State>> {
    let mut half = Pin::new(half);
    loop {
        if *queue.state.borrow() == State::Resetting {
            let reset = Failure::new("STREAM_CLOSED", "the stream was reset");
            return Poll::Ready(Ok(State::Broken(reset)));
        }
        if *from == buffer.len() {
            buffer.clear();
            *from = 0;
            queue.fill(buffer);
        }
        let rest = buffer.get(*from..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
        match half.as_mut().poll_write(cx, rest) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(Ok(n)) => {
                *from += n;
                queue.sent(n);
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        }
    }
    if *queue.state.borrow() == State::Closing {
        return half.poll_close(cx).map_ok(|()| State::Closed);
    }
    match half.poll_flush(cx) {
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        // Chunks that come, or a close, wake this task again.
        Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
    }
}
