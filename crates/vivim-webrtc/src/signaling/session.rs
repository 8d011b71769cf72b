//! One signaling session, as a machine without IO.
//!
//! The initiator makes an offer, the responder an answer, and both send ICE candidates as they
//! find them. The machine takes [`Input`]s and returns [`Output`]s; whoever drives it carries out
//! every output in order and feeds back what came of it. Time is an output too
//! ([`Output::SetTimer`]); a timer that is no longer of interest is ignored when it fires.
//!
//! Rules of order, which other implementations rely on:
//!
//! * a responder's candidates follow its answer, an initiator's follow its offer;
//! * candidates are kept until the remote description is in force;
//! * a candidate is never fatal, but one *before the offer* is: the peer plays another protocol;
//! * the end of the stream is not the end of the session once both descriptions are exchanged: a
//!   peer that is connected already may leave first.

use std::time::Duration;

use super::{Message, MessageKind, codec::CodecError};
use crate::{
    backend::{BackendError, Connectivity},
    limits::{ABANDONED_TIMEOUT, DESCRIPTION_TIMEOUT, MAX_SIGNALING_MESSAGES},
};

/// Who makes the offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Opened the signaling stream and makes the offer.
    Initiator,
    /// Accepted the signaling stream and makes the answer.
    Responder,
}

/// Something happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A step of the peer connection failed.
    BackendFailed(BackendError),
    /// The state of the peer connection changed.
    Connectivity(Connectivity),
    /// The peer connection found a candidate.
    LocalCandidate(String),
    /// The peer connection made the offer or answer.
    LocalDescription(String),
    /// The peer sent a message.
    Message(Message),
    /// The remote description is in force.
    RemoteDescriptionApplied,
    /// The peer closed its side of the stream.
    SignalingClosed,
    /// The peer sent something that is no message.
    SignalingMalformed(CodecError),
    /// The stream broke.
    SignalingReset,
    /// A timer fired.
    Timeout(Timer),
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Give the peer connection the remote answer.
    AcceptAnswer(String),
    /// Give the peer connection a remote candidate.
    AddCandidate(String),
    /// Let the peer connection make an answer to this offer.
    CreateAnswer(String),
    /// Let the peer connection make an offer.
    CreateOffer,
    /// The connection is usable; close the stream in good order. Nothing follows.
    Established,
    /// Give up: reset the stream, close the peer connection. Nothing follows.
    Failed(SessionError),
    /// Send a message.
    Send(Message),
    /// Feed [`Input::Timeout`] after this time.
    SetTimer(Timer, Duration),
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// The peer has cut the stream; the connection may still come up.
    Abandoned,
    /// The remote description.
    Description,
    /// The whole session.
    Session,
}

/// Why a session gave up. The relayed connection is unharmed; try again later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The peer cut the stream before a connection came up: it gave up.
    #[error("the peer gave up the signaling stream")]
    Abandoned,
    /// A step of the peer connection failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The peer sent a candidate before its offer.
    #[error("a candidate came before the offer")]
    CandidateBeforeOffer,
    /// What the peer sent is not a signaling message.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// ICE or DTLS failed: the two peers can't reach each other directly, or UDP is blocked.
    #[error("no direct path to the peer was found")]
    ConnectivityFailed,
    /// The peer didn't send its offer or answer in time.
    #[error("the remote description did not come in time")]
    DescriptionTimeout,
    /// No connection came up in time.
    #[error("the session timed out")]
    Timeout,
    /// The peer sent more than [`MAX_SIGNALING_MESSAGES`].
    #[error("too many signaling messages")]
    TooManyMessages,
    /// The peer sent something that has no place here, such as a second offer.
    #[error("{0:?} has no place here")]
    Unexpected(MessageKind),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Initiator: making the offer.
    Offering,
    /// Initiator: the offer is sent.
    AwaitingAnswer,
    /// Responder: waiting for the offer.
    AwaitingOffer,
    /// Responder: making the answer.
    Answering,
    /// Both descriptions are exchanged; ICE and DTLS are at work.
    Connecting,
    /// Established or failed.
    Done,
}

/// The machine.
#[derive(Debug)]
pub struct Session {
    state: State,
    timeout: Duration,
    remote_applied: bool,
    messages: usize,
    local_candidates: Vec<String>,
    remote_candidates: Vec<String>,
}

impl Session {
    /// Starts a session that may take so long.
    #[must_use]
    pub fn start(role: Role, timeout: Duration) -> (Self, Vec<Output>) {
        let mut outputs = vec![
            Output::SetTimer(Timer::Session, timeout),
            Output::SetTimer(Timer::Description, DESCRIPTION_TIMEOUT.min(timeout)),
        ];
        let state = match role {
            Role::Initiator => {
                outputs.push(Output::CreateOffer);
                State::Offering
            }
            Role::Responder => State::AwaitingOffer,
        };
        let session = Self {
            state,
            timeout,
            remote_applied: false,
            messages: 0,
            local_candidates: Vec::new(),
            remote_candidates: Vec::new(),
        };
        (session, outputs)
    }

    /// Whether the session is over.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes what happened and says what to do.
    #[must_use]
    pub fn handle(&mut self, input: Input) -> Vec<Output> {
        if self.is_done() {
            return Vec::new();
        }
        match self.step(input) {
            Ok(outputs) => outputs,
            Err(error) => {
                self.state = State::Done;
                vec![Output::Failed(error)]
            }
        }
    }

    fn step(&mut self, input: Input) -> Result<Vec<Output>, SessionError> {
        match input {
            Input::BackendFailed(error) => Err(error.into()),
            Input::Connectivity(connectivity) => self.on_connectivity(connectivity),
            Input::LocalCandidate(candidate) => Ok(self.on_local_candidate(candidate)),
            Input::LocalDescription(sdp) => Ok(self.on_local_description(sdp)),
            Input::Message(message) => self.on_message(message),
            Input::RemoteDescriptionApplied => {
                self.remote_applied = true;
                Ok(self.remote_candidates.drain(..).map(Output::AddCandidate).collect())
            }
            Input::SignalingClosed | Input::SignalingReset if !self.is_described() => {
                Err(SessionError::Abandoned)
            }
            Input::SignalingClosed => Ok(Vec::new()),
            Input::SignalingReset => {
                Ok(vec![Output::SetTimer(Timer::Abandoned, ABANDONED_TIMEOUT.min(self.timeout))])
            }
            Input::SignalingMalformed(error) => Err(error.into()),
            Input::Timeout(Timer::Abandoned) => Err(SessionError::Abandoned),
            Input::Timeout(Timer::Description) if self.awaits_description() => {
                Err(SessionError::DescriptionTimeout)
            }
            Input::Timeout(Timer::Description) => Ok(Vec::new()),
            Input::Timeout(Timer::Session) => Err(SessionError::Timeout),
        }
    }

    fn on_connectivity(&mut self, connectivity: Connectivity) -> Result<Vec<Output>, SessionError> {
        match connectivity {
            Connectivity::Connected => {
                self.state = State::Done;
                Ok(vec![Output::Established])
            }
            Connectivity::Failed | Connectivity::Closed => Err(SessionError::ConnectivityFailed),
            Connectivity::Disconnected => Ok(Vec::new()),
        }
    }

    fn on_local_candidate(&mut self, candidate: String) -> Vec<Output> {
        if matches!(self.state, State::AwaitingAnswer | State::Connecting) {
            return vec![Output::Send(Message::Candidate(candidate))];
        }
        self.local_candidates.push(candidate);
        Vec::new()
    }

    fn on_local_description(&mut self, sdp: String) -> Vec<Output> {
        let message = match self.state {
            State::Offering => {
                self.state = State::AwaitingAnswer;
                Message::Offer(sdp)
            }
            State::Answering => {
                self.state = State::Connecting;
                Message::Answer(sdp)
            }
            _ => return Vec::new(),
        };
        let candidates = self.local_candidates.drain(..).map(Message::Candidate);
        std::iter::once(message).chain(candidates).map(Output::Send).collect()
    }

    fn on_message(&mut self, message: Message) -> Result<Vec<Output>, SessionError> {
        self.messages += 1;
        if self.messages > MAX_SIGNALING_MESSAGES {
            return Err(SessionError::TooManyMessages);
        }
        match (self.state, message) {
            (State::AwaitingOffer, Message::Offer(sdp)) => {
                self.state = State::Answering;
                Ok(vec![Output::CreateAnswer(sdp)])
            }
            (State::AwaitingOffer, Message::Candidate(_)) => {
                Err(SessionError::CandidateBeforeOffer)
            }
            (State::AwaitingAnswer, Message::Answer(sdp)) => {
                self.state = State::Connecting;
                Ok(vec![Output::AcceptAnswer(sdp)])
            }
            // Nothing of the peer's can be an answer to an offer it has not seen.
            (State::Offering, message) => Err(SessionError::Unexpected(message.kind())),
            (_, Message::Candidate(candidate)) => Ok(self.on_remote_candidate(candidate)),
            (_, message) => Err(SessionError::Unexpected(message.kind())),
        }
    }

    fn on_remote_candidate(&mut self, candidate: String) -> Vec<Output> {
        // Both spell "no more candidates", which ICE can do without.
        if candidate.is_empty() || candidate == "null" {
            return Vec::new();
        }
        if self.remote_applied {
            return vec![Output::AddCandidate(candidate)];
        }
        self.remote_candidates.push(candidate);
        Vec::new()
    }

    /// Whether both descriptions have been exchanged, as far as this side can tell.
    fn is_described(&self) -> bool {
        matches!(self.state, State::Answering | State::Connecting)
    }

    fn awaits_description(&self) -> bool {
        matches!(self.state, State::Offering | State::AwaitingAnswer | State::AwaitingOffer)
    }
}

#[cfg(test)]
mod tests;
