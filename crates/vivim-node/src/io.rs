//! Moves the bytes of one stream between the network and the actor.
//!
//! Two tasks per stream, each ended by the other side of its channel: the reader stops when the
//! link's [`Link`] is dropped, the writer closes the stream when the link's sender is.

use bytes::Bytes;
use futures::{
    AsyncReadExt, AsyncWriteExt, SinkExt, StreamExt,
    channel::mpsc,
    future::{AbortHandle, abortable},
};

use crate::{limits, platform};

/// The number of a stream; unique within one actor.
pub(crate) type LinkId = u64;

/// Bytes read at once: one frame of the sync protocol.
const READ_SIZE: usize = 16 * 1024;

/// What a stream's tasks tell the actor.
#[derive(Debug)]
pub(crate) enum Event {
    /// Bytes came.
    Read(LinkId, Bytes),
    /// So many frames were written.
    Written(LinkId, usize),
    /// The stream has ended or failed.
    Closed(LinkId),
}

/// The actor's end of a stream.
#[derive(Debug)]
pub(crate) struct Link {
    frames: mpsc::Sender<Bytes>,
    /// Frames given to the writer and not reported as written yet.
    in_flight: usize,
    reader: AbortHandle,
}

impl Link {
    /// Starts the tasks of a stream.
    pub(crate) fn start(id: LinkId, stream: libp2p::Stream, events: &mpsc::Sender<Event>) -> Self {
        let (mut input, mut output) = stream.split();
        let (frames, mut queue) = mpsc::channel::<Bytes>(limits::WRITER_FRAMES);
        let mut to_actor = events.clone();
        let (read, reader) = abortable(async move {
            let mut buffer = vec![0; READ_SIZE];
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
        platform::spawn(async move {
            while let Some(first) = queue.next().await {
                let mut written = 1;
                let mut failed = output.write_all(&first).await.is_err();
                // Flush once for all frames that are there.
                while !failed && let Ok(next) = queue.try_recv() {
                    failed = output.write_all(&next).await.is_err();
                    written += 1;
                }
                failed = failed || output.flush().await.is_err();
                let event = if failed { Event::Closed(id) } else { Event::Written(id, written) };
                if to_actor.send(event).await.is_err() || failed {
                    return;
                }
            }
            // The other side may be gone; then there is nobody to tell.
            let _ = output.close().await;
        });
        Self { frames, in_flight: 0, reader }
    }

    /// Whether the writer takes another frame.
    pub(crate) fn ready(&self) -> bool {
        self.in_flight < limits::WRITER_FRAMES
    }

    /// Gives a frame to the writer. Call only when [`Link::ready`].
    pub(crate) fn send(&mut self, frame: Bytes) {
        // Fails only if the writer has ended, which is reported as `Closed`.
        if self.frames.try_send(frame).is_ok() {
            self.in_flight += 1;
        }
    }

    pub(crate) fn written(&mut self, frames: usize) {
        self.in_flight = self.in_flight.saturating_sub(frames);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
