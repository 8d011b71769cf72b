//! One document in a session.

use bytes::Bytes;

use super::{
    AckLevel, ChannelStatus,
    inbound::Inbound,
    outbound::{Outbound, Polled},
};
use crate::{
    bucket::Bucket,
    limits::{self, MAX_HOLD},
    time::Timestamp,
};

/// One document: what each side has offered, and the sync between them if both have.
#[derive(Debug, Default)]
pub(super) struct Channel {
    /// This side's offer.
    pub(super) local: Option<Outbound>,
    /// The peer's offer.
    pub(super) remote: Option<Inbound>,
    /// Exists while both have offered.
    pub(super) link: Option<Link>,
    /// Whether the channel is in the session's queue of those that may have something to send.
    pub(super) ready: bool,
}

/// The state of sync proper.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) synced: bool,
    /// The replica has been asked for our summary; whether to ask for the peer's along with it.
    pub(super) summary_asked: Option<bool>,
    /// The replica has been asked for what the peer is missing.
    pub(super) diff_asked: bool,
    /// The newest summary of the peer that waits for its answer.
    pub(super) to_answer: Option<Bytes>,
    pub(super) answers: Bucket,
    pub(super) hold: Hold,
    /// The last frame was one that counts against credit; another may follow.
    is_sending: bool,
}

/// When a summary isn't answered at once, because what is missing is on its way already.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// The peer has been told what it was missing, at least once.
    pub(super) answered: bool,
    /// Until when what is new here is on its way to the peer.
    pub(super) until: Timestamp,
    /// When the first of the summaries came that had to wait. The next to be answered ends it.
    pub(super) since: Option<Timestamp>,
    /// The summary that waits is too old to be answered: a newer one has to be asked for.
    pub(super) is_stale: bool,
}

impl Hold {
    /// Until when to hold a summary that is here now; `None` if it isn't to be held.
    pub(super) fn active(&self, now: Timestamp) -> Option<Timestamp> {
        let end = self.since.map_or(self.until, |since| self.until.min(since + MAX_HOLD));
        (self.answered && now < end).then_some(end)
    }
}

impl Channel {
    /// Both halves, while sync goes on.
    pub(super) fn linked(&mut self) -> Option<(&mut Outbound, &mut Inbound, &mut Link)> {
        match (&mut self.local, &mut self.remote, &mut self.link) {
            (Some(local), Some(remote), Some(link)) => Some((local, remote, link)),
            _ => None,
        }
    }

    /// Neither side has the document open.
    pub(super) fn is_unused(&self) -> bool {
        self.local.is_none() && self.remote.is_none()
    }

    pub(super) fn status(&self) -> ChannelStatus {
        let local = self.local.as_ref();
        ChannelStatus {
            local: local.is_some(),
            remote: self.remote.is_some(),
            synced: self.link.as_ref().is_some_and(|link| link.synced),
            sent: local.map_or(0, Outbound::sent),
            applied: local.map_or(0, |local| local.acked(AckLevel::Applied)),
            stored: local.map_or(0, |local| local.acked(AckLevel::Stored)),
        }
    }

    /// The next frame: what can't wait of acknowledgements and credit first, since the peer may be
    /// waiting for it and it costs none. Other acknowledgements go behind what goes anyway.
    pub(super) fn poll(&mut self) -> Polled {
        let exempt = |bytes| Polled::Frame { bytes, answered: false };
        if let Some(bytes) = self.remote.as_mut().and_then(Inbound::poll_exempt) {
            return exempt(bytes);
        }
        let (Some(local), Some(link)) = (&mut self.local, &mut self.link) else {
            return Polled::Idle;
        };
        let polled = local.poll();
        let has_sent =
            std::mem::replace(&mut link.is_sending, matches!(polled, Polled::Frame { .. }));
        match (&polled, &mut self.remote) {
            (Polled::Idle, Some(remote)) if has_sent => {
                remote.hurry_acks();
                remote.poll_exempt().map_or(polled, exempt)
            }
            _ => polled,
        }
    }
}

impl Link {
    pub(super) fn new() -> Self {
        Self {
            synced: false,
            summary_asked: None,
            diff_asked: false,
            to_answer: None,
            answers: Bucket::new(limits::SUMMARY_BURST, limits::SUMMARY_INTERVAL),
            hold: Hold::default(),
            is_sending: false,
        }
    }
}
