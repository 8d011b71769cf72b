//! Moves the bytes of one stream between the network and the actor.
//!
//! Two tasks per stream, each ended by the other side of its channel: the reader stops when the
//! link's [`Link`] is dropped, the writer closes the stream when the link's sender is.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures::{
    AsyncReadExt, AsyncWriteExt, SinkExt, StreamExt,
    channel::mpsc,
    future::{AbortHandle, abortable},
};

use crate::{limits, platform};

/// The number of a stream; unique within one actor.
pub(crate) type LinkId = u64;

/// What a stream's tasks tell the actor.
#[derive(Debug)]
pub(crate) enum Event {
    /// Bytes came.
    Read(LinkId, Bytes),
    /// The writer, which was full, takes frames again.
    Ready(LinkId),
    /// The stream has ended or failed.
    Closed(LinkId),
}

/// The actor's end of a stream.
#[derive(Debug)]
pub(crate) struct Link {
    frames: mpsc::Sender<Bytes>,
    backlog: Arc<Backlog>,
    reader: AbortHandle,
}

/// What the writer has yet to write. The actor is told of room only when it has found none: for a
/// letter that would be one more turn of everything.
#[derive(Debug, Default)]
struct Backlog {
    frames: AtomicUsize,
    /// The actor has more to send and waits for room.
    awaited: AtomicBool,
}

impl Backlog {
    /// Whether there is room; if not, [`Event::Ready`] will say when there is.
    fn has_room(&self) -> bool {
        let full = || self.frames.load(Ordering::SeqCst) >= limits::WRITER_FRAMES;
        if !full() {
            return true;
        }
        self.awaited.store(true, Ordering::SeqCst);
        // The writer may have written everything just before it could know.
        !full()
    }

    /// So many frames were written. True if the actor is to bring more: when half of them are through,
    /// so that it needn't come for each.
    fn written(&self, frames: usize) -> bool {
        let left = self.frames.fetch_sub(frames, Ordering::SeqCst) - frames;
        left <= limits::WRITER_FRAMES / 2 && self.awaited.swap(false, Ordering::SeqCst)
    }
}

impl Link {
    /// Starts the tasks of a stream.
    pub(crate) fn start(id: LinkId, stream: libp2p::Stream, events: &mpsc::Sender<Event>) -> Self {
        let (mut input, mut output) = stream.split();
        let (frames, mut queue) = mpsc::channel::<Bytes>(limits::WRITER_FRAMES);
        let mut to_actor = events.clone();
        let (read, reader) = abortable(async move {
            let mut buffer = vec![0; limits::READ_SIZE];
            loop {
                let event = match input.read(&mut buffer).await {
                    Ok(0) | Err(_) => Event::Closed(id),
                    Ok(n) => {
                        Event::Read(id, Bytes::copy_from_slice(buffer.get(..n).unwrap_or_default()))
                    }
                };
                let end = matches!(event, Event::Closed(_));
                if to_actor.send(event).await.is_err() || end {
                    return;
                }
            }
        });
        platform::spawn(async move {
            // Aborted when the link is dropped.
            let _ = read.await;
        });
        let mut to_actor = events.clone();
        let backlog = Arc::<Backlog>::default();
        let rest = Arc::clone(&backlog);
        platform::spawn(async move {
            let mut carried = None;
            loop {
                let first = match carried.take() {
                    Some(frame) => Some(frame),
                    None => queue.next().await,
                };
                let Some(first) = first else { break };
                let batch = Batch::gather(first, &mut queue);
                carried = batch.next;
                let mut failed = output.write_all(&batch.bytes).await.is_err();
                // Flush once for all frames that are there.
                if carried.is_none() {
                    failed = failed || output.flush().await.is_err();
                }
                if failed {
                    // If the actor has gone, it needn't know.
                    let _ = to_actor.send(Event::Closed(id)).await;
                    return;
                }
                if rest.written(batch.frames) && to_actor.send(Event::Ready(id)).await.is_err() {
                    return;
                }
            }
            // The other side may be gone; then there is nobody to tell.
            let _ = output.close().await;
        });
        Self { frames, backlog, reader }
    }

    /// Whether the writer takes another frame; if not, [`Event::Ready`] follows.
    pub(crate) fn ready(&self) -> bool {
        self.backlog.has_room()
    }

    /// Gives a frame to the writer. Call only when [`Link::ready`].
    pub(crate) fn send(&mut self, frame: Bytes) {
        // Before the writer can have written it.
        self.backlog.frames.fetch_add(1, Ordering::SeqCst);
        // Fails only if the writer has ended, which is reported as `Closed`.
        let _ = self.frames.try_send(frame);
    }
}

/// Frames that are written as one: each write is a message of its own on a data channel, which costs
/// more than all else that is done for a letter.
#[derive(Debug)]
struct Batch {
    bytes: Bytes,
    frames: usize,
    /// The frame that had no place any more.
    next: Option<Bytes>,
}

impl Batch {
    /// The frames that are there, as far as they fit.
    fn gather(first: Bytes, queue: &mut mpsc::Receiver<Bytes>) -> Self {
        let mut batch = Self { bytes: first, frames: 1, next: queue.try_recv().ok() };
        let mut bytes = Vec::new();
        while let Some(frame) = &batch.next {
            let taken = batch.bytes.len() + bytes.len();
            if taken + frame.len() > limits::WRITE_SIZE {
                break;
            }
            bytes.extend_from_slice(frame);
            batch.frames += 1;
            batch.next = queue.try_recv().ok();
        }
        if !bytes.is_empty() {
            batch.bytes = [&batch.bytes[..], &bytes[..]].concat().into();
        }
        batch
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
