//! The stream as `AsyncRead` and `AsyncWrite`: the [machine](super::machine) joined to a channel.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use futures::{AsyncRead, AsyncWrite};

use super::{
    StreamError,
    frame::Frame,
    machine::{Input, Machine, Output, Outputs, Read},
};
use crate::{
    backend::{ChannelEvent, ChannelSink, DataChannel},
    limits::{MAX_CONNECTION_BUFFER, SEND_HIGH_WATER},
};

/// Names a stream within its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StreamId(pub(crate) u64);

/// What a stream tells its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Its owner let go of it, but its end is not acknowledged yet.
    Lingering(StreamId),
    /// Its channel is closed.
    Finished(StreamId),
}

/// What the streams of a connection share.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    /// Sum of [`Machine::queued`].
    queued: AtomicUsize,
    notices: Mutex<(Vec<Notice>, Option<Waker>)>,
}

impl Hub {
    /// Takes the notices that have come, and wakes this task for the next one.
    pub(crate) fn take_notices(&self, cx: &Context<'_>) -> Vec<Notice> {
        let mut notices = lock(&self.notices);
        if !notices.1.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            notices.1 = Some(cx.waker().clone());
        }
        std::mem::take(&mut notices.0)
    }

    fn notify(&self, notice: Notice) {
        let waker = {
            let mut notices = lock(&self.notices);
            notices.0.push(notice);
            notices.1.take()
        };
        wake(waker);
    }
}

/// A stream as its channel and its connection see it.
pub(crate) struct Shared<C> {
    id: StreamId,
    hub: Arc<Hub>,
    channel: C,
    core: Mutex<Core>,
}

struct Core {
    machine: Machine,
    open: bool,
    /// At least the bytes in the channel's send buffer.
    unsent: usize,
    /// What the hub knows of [`Machine::queued`].
    charged: usize,
    /// The frame being made; kept for its memory.
    frame: Vec<u8>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl<C: DataChannel> Shared<C> {
    pub(crate) fn new(id: StreamId, hub: Arc<Hub>, channel: C, machine: Machine) -> Arc<Self> {
        let core = Core {
            machine,
            open: channel.is_open(),
            unsent: 0,
            charged: 0,
            frame: Vec::new(),
            reader: None,
            writer: None,
        };
        let shared = Arc::new(Self { id, hub, channel, core: Mutex::new(core) });
        let sink: Weak<Self> = Arc::downgrade(&shared);
        shared.channel.attach(sink);
        shared
    }

    pub(crate) fn id(&self) -> StreamId {
        self.id
    }

    pub(crate) fn handle(&self, input: Input) {
        let mut core = lock(&self.core);
        let outputs = core.machine.handle(input);
        self.carry_out(core, outputs);
    }

    /// Does what the machine says, with the lock held so that frames leave in its order, and
    /// wakes without it.
    fn carry_out(&self, mut core: MutexGuard<'_, Core>, outputs: Outputs) {
        let (mut reader, mut writer, mut finished) = (None, None, false);
        for output in outputs {
            match output {
                Output::CloseChannel => {
                    self.channel.close();
                    finished = true;
                }
                Output::Send(flag, credit) => {
                    let core = &mut *core;
                    core.frame.clear();
                    Frame::encode(flag, &[], credit, &mut core.frame);
                    // A channel that can't send is about to report its end.
                    let _ = self.channel.send(&core.frame);
                }
                Output::WakeReader => reader = core.reader.take(),
                Output::WakeWriter => writer = core.writer.take(),
            }
        }
        self.settle(&mut core);
        drop(core);
        if finished {
            self.hub.notify(Notice::Finished(self.id));
        }
        wake(reader);
        wake(writer);
    }

    /// Brings the connection's account of received bytes up to date.
    fn settle(&self, core: &mut Core) {
        let queued = core.machine.queued();
        if queued > core.charged {
            self.hub.queued.fetch_add(queued - core.charged, Ordering::Relaxed);
        } else {
            self.hub.queued.fetch_sub(core.charged - queued, Ordering::Relaxed);
        }
        core.charged = queued;
    }
}

impl<C> Drop for Shared<C> {
    fn drop(&mut self) {
        let charged = lock(&self.core).charged;
        self.hub.queued.fetch_sub(charged, Ordering::Relaxed);
    }
}

impl<C: DataChannel> ChannelSink for Shared<C> {
    fn on_channel_event(&self, event: ChannelEvent) {
        match event {
            ChannelEvent::BufferedAmountLow => {
                let waker = {
                    let mut core = lock(&self.core);
                    core.unsent = self.channel.buffered_amount();
                    core.writer.take()
                };
                wake(waker);
            }
            ChannelEvent::Closed => self.handle(Input::ChannelClosed),
            ChannelEvent::Message(bytes) => {
                let used = self.hub.queued.load(Ordering::Relaxed);
                let room = MAX_CONNECTION_BUFFER.saturating_sub(used);
                self.handle(Input::Message { bytes, room });
            }
            ChannelEvent::Open => {
                let waker = {
                    let mut core = lock(&self.core);
                    core.open = true;
                    core.writer.take()
                };
                wake(waker);
            }
        }
    }
}

/// One libp2p stream. Dropping it without closing it resets it.
pub struct Stream<C: DataChannel> {
    shared: Arc<Shared<C>>,
}

impl<C: DataChannel> Stream<C> {
    pub(crate) fn new(shared: Arc<Shared<C>>) -> Self {
        Self { shared }
    }
}

impl<C: DataChannel> AsyncRead for Stream<C> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut core = lock(&self.shared.core);
        let (read, outputs) = core.machine.read(buffer);
        let result = match read {
            Read::Data(n) => Poll::Ready(Ok(n)),
            Read::End => Poll::Ready(Ok(0)),
            Read::Failed(error) => Poll::Ready(Err(error.into())),
            Read::Pending => {
                core.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        };
        self.shared.carry_out(core, outputs);
        result
    }
}

impl<C: DataChannel> AsyncWrite for Stream<C> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let shared = &self.shared;
        let mut guard = lock(&shared.core);
        let core = &mut *guard;
        let writable = core.machine.writable()?;
        if core.unsent >= SEND_HIGH_WATER {
            core.unsent = shared.channel.buffered_amount();
        }
        core.open = core.open || shared.channel.is_open();
        if writable == 0 || core.unsent >= SEND_HIGH_WATER || !core.open {
            core.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let payload = bytes.get(..writable).unwrap_or(bytes);
        if payload.is_empty() {
            return Poll::Ready(Ok(0));
        }
        core.frame.clear();
        core.machine.write(payload, &mut core.frame);
        if let Err(error) = shared.channel.send(&core.frame) {
            tracing::debug!(%error, "a data channel does not take a frame");
            let outputs = core.machine.handle(Input::ChannelClosed);
            shared.carry_out(guard, outputs);
            return Poll::Ready(Err(StreamError::Closed.into()));
        }
        core.unsent += core.frame.len();
        Poll::Ready(Ok(payload.len()))
    }

    /// Ready at once: what was written is with the channel, which sends as fast as it can.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut core = lock(&self.shared.core);
        match core.machine.writable() {
            Ok(_) => {
                core.open = core.open || self.shared.channel.is_open();
                if !core.open {
                    core.writer = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                let outputs = core.machine.handle(Input::CloseWrite);
                self.shared.carry_out(core, outputs);
                Poll::Ready(Ok(()))
            }
            // Closed already, or nobody is interested in how it ends.
            Err(StreamError::WriteClosed | StreamError::StoppedByPeer) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}

impl<C: DataChannel> Drop for Stream<C> {
    fn drop(&mut self) {
        self.shared.handle(Input::Dropped);
        let finished = lock(&self.shared.core).machine.is_finished();
        if !finished {
            self.shared.hub.notify(Notice::Lingering(self.shared.id));
        }
    }
}

impl<C: DataChannel> std::fmt::Debug for Stream<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Stream").field(&self.shared.id.0).finish()
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A lock whose holder panicked protects nothing worse than what it held before.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
