//! One stream, as a machine without IO.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use smallvec::SmallVec;

use super::{
    StreamError,
    frame::{Decoder, Flag, Frame},
};
use crate::limits::{
    CHUNK_COST, CREDIT_COST, MAX_PAYLOAD, MAX_RECEIVE_BUFFER, MAX_UNACCEPTED_BUFFER, RECEIVE_WINDOW,
};

/// What one input leads to. Rarely more than two things.
pub type Outputs = SmallVec<[Output; 3]>;

/// Something happened to a stream.
#[derive(Debug)]
pub enum Input {
    /// The application took the stream; it may hold more from now on.
    Accepted,
    /// The channel is closed.
    ChannelClosed,
    /// The application will write no more.
    CloseWrite,
    /// The connection is gone.
    ConnectionLost,
    /// The application let go of the stream.
    Dropped,
    /// A message of the channel, and how much the connection's receive buffer has room for.
    Message {
        /// The message.
        bytes: Bytes,
        /// Room, in bytes and [`CHUNK_COST`]s.
        room: usize,
    },
    /// FIN_ACK has not come in time.
    Timeout,
}

/// Something to do for a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Close the channel. Nothing is sent afterwards.
    CloseChannel,
    /// Send a frame without payload.
    Send(Option<Flag>, Option<u64>),
    /// A waiting reader may look again.
    WakeReader,
    /// A waiting writer may look again.
    WakeWriter,
}

/// What a reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// So many bytes.
    Data(usize),
    /// The peer has closed its half and everything has been read.
    End,
    /// The stream is broken and everything that came before has been read.
    Failed(StreamError),
    /// Nothing now.
    Pending,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ReadHalf {
    Open,
    /// FIN came.
    Finished,
    /// We will not read: STOP_SENDING is sent or pointless.
    Stopped,
    Failed(StreamError),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum WriteHalf {
    Open,
    /// FIN is sent.
    Finishing,
    /// FIN_ACK came.
    Finished,
    Failed(StreamError),
}

/// The machine.
///
/// Bytes in, bytes out, flags, credit and the end of it: see [the module](super). A stream has
/// two halves that end on their own; when both have ended the channel is closed.
#[derive(Debug)]
pub struct Machine {
    read: ReadHalf,
    write: WriteHalf,
    decoder: Decoder,
    /// Payload for the reader.
    queue: VecDeque<Bytes>,
    /// Bytes and [`CHUNK_COST`]s in `queue`.
    queued: usize,
    max_queued: usize,
    /// Payload bytes the reader took.
    consumed: u64,
    /// The credit limit the peer has been told; 0 if it has not been told of credit.
    advertised: u64,
    /// Payload bytes sent.
    sent: u64,
    /// The credit limit the peer told us, if it takes part.
    limit: Option<u64>,
    /// FIN has come and FIN_ACK is sent.
    fin_acknowledged: bool,
    channel_closed: bool,
}

impl Machine {
    /// A stream that this side opened.
    pub fn outbound() -> Self {
        Self {
            read: ReadHalf::Open,
            write: WriteHalf::Open,
            decoder: Decoder::default(),
            queue: VecDeque::new(),
            queued: 0,
            max_queued: MAX_RECEIVE_BUFFER,
            consumed: 0,
            advertised: 0,
            sent: 0,
            limit: None,
            fin_acknowledged: false,
            channel_closed: false,
        }
    }

    /// A stream that the peer opened and nobody has accepted.
    pub fn inbound() -> Self {
        Self { max_queued: MAX_UNACCEPTED_BUFFER, ..Self::outbound() }
    }

    /// Bytes and [`CHUNK_COST`]s held for the reader.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Whether both halves have ended or broken: nothing is left to wait for.
    pub fn is_finished(&self) -> bool {
        self.channel_closed || (self.read != ReadHalf::Open && self.is_write_finished())
    }

    /// Takes what happened and says what to do.
    #[must_use]
    pub fn handle(&mut self, input: Input) -> Outputs {
        let mut outputs = Outputs::new();
        let was_finished = self.is_finished();
        match input {
            Input::Accepted => self.max_queued = MAX_RECEIVE_BUFFER,
            Input::ChannelClosed => self.fail(StreamError::Closed, &mut outputs),
            Input::CloseWrite => self.on_close_write(&mut outputs),
            Input::ConnectionLost => self.fail(StreamError::ConnectionLost, &mut outputs),
            Input::Dropped => self.on_dropped(&mut outputs),
            Input::Message { bytes, room } => self.on_message(bytes, room, &mut outputs),
            Input::Timeout => self.fail(StreamError::FinAckTimeout, &mut outputs),
        }
        if self.is_finished() && !was_finished {
            self.channel_closed = true;
            outputs.push(Output::CloseChannel);
        }
        outputs
    }

    /// Reads what is there.
    #[must_use]
    pub fn read(&mut self, buffer: &mut [u8]) -> (Read, Outputs) {
        let mut outputs = Outputs::new();
        let mut filled = 0;
        while let Some(chunk) = self.queue.front_mut() {
            let n = chunk.len().min(buffer.len() - filled);
            chunk.copy_to_slice(&mut buffer[filled..filled + n]);
            filled += n;
            self.queued -= n;
            if chunk.has_remaining() {
                break;
            }
            self.queue.pop_front();
            self.queued -= CHUNK_COST;
        }
        if filled > 0 || buffer.is_empty() {
            self.consumed += filled as u64;
            self.renew_credit(&mut outputs);
            return (Read::Data(filled), outputs);
        }
        let read = match &self.read {
            ReadHalf::Open => Read::Pending,
            ReadHalf::Finished => Read::End,
            ReadHalf::Stopped => Read::Failed(StreamError::Closed),
            ReadHalf::Failed(error) => Read::Failed(error.clone()),
        };
        (read, outputs)
    }

    /// How many payload bytes the next frame may carry; 0 if a writer must wait for credit.
    pub fn writable(&self) -> Result<usize, StreamError> {
        match &self.write {
            WriteHalf::Open => {
                let credit = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.sent));
                let room = MAX_PAYLOAD - if self.is_silent() { CREDIT_COST } else { 0 };
                Ok(usize::try_from(credit).unwrap_or(usize::MAX).min(room))
            }
            WriteHalf::Finishing | WriteHalf::Finished => Err(StreamError::WriteClosed),
            WriteHalf::Failed(error) => Err(error.clone()),
        }
    }

    /// Appends a frame with payload, at most [`writable`](Self::writable) bytes of it.
    pub fn write(&mut self, payload: &[u8], frame: &mut Vec<u8>) {
        self.sent += payload.len() as u64;
        let credit = self.announce();
        Frame::encode(None, payload, credit, frame);
    }

    /// Whether the write half has ended, with FIN_ACK or otherwise.
    pub fn is_write_finished(&self) -> bool {
        matches!(self.write, WriteHalf::Finished | WriteHalf::Failed(_))
    }

    fn on_close_write(&mut self, outputs: &mut Outputs) {
        if self.write == WriteHalf::Open {
            self.write = WriteHalf::Finishing;
            let credit = self.announce();
            outputs.push(Output::Send(Some(Flag::Fin), credit));
        }
    }

    fn on_dropped(&mut self, outputs: &mut Outputs) {
        self.max_queued = 0;
        self.discard();
        match (&self.write, &self.read) {
            // The peer is done, and all that this side ever wanted to say is said.
            (WriteHalf::Open, ReadHalf::Finished) => self.on_close_write(outputs),
            (WriteHalf::Open, _) => {
                self.write = WriteHalf::Failed(StreamError::Closed);
                outputs.push(Output::Send(Some(Flag::ResetStream), None));
            }
            _ => {}
        }
        if self.read == ReadHalf::Open {
            self.read = ReadHalf::Stopped;
            // A channel that is about to be closed says as much.
            if !self.is_write_finished() {
                outputs.push(Output::Send(Some(Flag::StopSending), None));
            }
        }
    }

    fn on_message(&mut self, bytes: Bytes, mut room: usize, outputs: &mut Outputs) {
        if self.channel_closed {
            return;
        }
        self.decoder.push(bytes);
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => {
                    let before = self.queued;
                    if let Err(error) = self.on_frame(frame, room, outputs) {
                        return self.reset(error, outputs);
                    }
                    room = room.saturating_sub(self.queued - before);
                }
                Ok(None) => return,
                Err(error) => return self.reset(error.into(), outputs),
            }
        }
    }

    fn on_frame(
        &mut self,
        frame: Frame,
        room: usize,
        outputs: &mut Outputs,
    ) -> Result<(), StreamError> {
        if let Some(credit) = frame.credit {
            self.limit = Some(self.limit.map_or(credit, |limit| limit.max(credit)));
            outputs.push(Output::WakeWriter);
        }
        if !frame.payload.is_empty() && self.read == ReadHalf::Open {
            let cost = frame.payload.len() + CHUNK_COST;
            if cost > room || self.queued + cost > self.max_queued {
                return Err(StreamError::ReceiveBufferFull);
            }
            self.queued += cost;
            self.queue.push_back(frame.payload);
            outputs.push(Output::WakeReader);
            // A peer that takes part must hear of our side even if we never write.
            self.renew_credit(outputs);
        }
        match frame.flag {
            None => {}
            Some(Flag::Fin) => {
                if self.read == ReadHalf::Open {
                    self.read = ReadHalf::Finished;
                    outputs.push(Output::WakeReader);
                }
                // Once: a message has room for twenty thousand of them, and each answer is a message.
                if !std::mem::replace(&mut self.fin_acknowledged, true) {
                    outputs.push(Output::Send(Some(Flag::FinAck), None));
                }
            }
            Some(Flag::FinAck) if self.write == WriteHalf::Finishing => {
                self.write = WriteHalf::Finished;
                outputs.push(Output::WakeWriter);
            }
            Some(Flag::ResetStream) if self.read == ReadHalf::Open => {
                self.read = ReadHalf::Failed(StreamError::ResetByPeer);
                outputs.push(Output::WakeReader);
            }
            Some(Flag::StopSending) if !self.is_write_finished() => {
                self.write = WriteHalf::Failed(StreamError::StoppedByPeer);
                outputs.push(Output::WakeWriter);
            }
            // Late flags of a half that has ended.
            Some(Flag::FinAck | Flag::ResetStream | Flag::StopSending) => {}
        }
        Ok(())
    }

    /// Ends the stream because of something the peer did, and tells the peer.
    fn reset(&mut self, error: StreamError, outputs: &mut Outputs) {
        outputs.push(Output::Send(Some(Flag::ResetStream), None));
        self.fail(error, outputs);
    }

    /// Ends both halves. What has been received stays readable.
    fn fail(&mut self, error: StreamError, outputs: &mut Outputs) {
        if self.read == ReadHalf::Open {
            self.read = ReadHalf::Failed(error.clone());
        }
        if !self.is_write_finished() {
            self.write = WriteHalf::Failed(error);
        }
        outputs.push(Output::WakeReader);
        outputs.push(Output::WakeWriter);
    }

    fn discard(&mut self) {
        self.queue.clear();
        self.queued = 0;
    }

    /// The credit to put on a frame that is sent anyway, if the peer has not been told of credit.
    fn announce(&mut self) -> Option<u64> {
        self.is_silent().then(|| {
            self.advertised = self.consumed + RECEIVE_WINDOW;
            self.advertised
        })
    }

    /// Whether the peer has not been told of credit and should be.
    fn is_silent(&self) -> bool {
        self.advertised == 0 && self.read == ReadHalf::Open
    }

    /// Tells a peer that takes part of more credit, when it has used half of what it has.
    fn renew_credit(&mut self, outputs: &mut Outputs) {
        let limit = self.consumed + RECEIVE_WINDOW;
        let due = match self.advertised {
            // Bytes are on their way that nothing limits yet: soon, but not for a short exchange.
            0 => self.consumed + self.queued as u64 >= RECEIVE_WINDOW / 4,
            advertised => limit - advertised >= RECEIVE_WINDOW / 2,
        };
        if self.limit.is_some() && self.read == ReadHalf::Open && due && limit > self.advertised {
            self.advertised = limit;
            outputs.push(Output::Send(None, Some(limit)));
        }
    }
}

#[cfg(test)]
mod tests;
