//! What the peer's closing of a channel does.

use super::Session;
use crate::{
    id::DocId,
    sync::{CloseCode, Event, Output, SyncError, message::Close},
};

impl Session {
    // Rare: see `Session::handle`.
    #[inline(never)]
    pub(super) fn handle_close(
        &mut self,
        number: u64,
        Close { yours, code }: Close,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        let theirs = if number == 0 { None } else { self.remote_doc(number)? };
        let ours = if yours == 0 { None } else { self.local_doc(yours)? };
        // Of a peer that keeps to the protocol both are the same document.
        for doc in theirs.into_iter().chain(ours.filter(|ours| Some(*ours) != theirs)) {
            self.closed_by_peer(doc, theirs == Some(doc), ours == Some(doc), code, out);
        }
        Ok(())
    }

    fn closed_by_peer(
        &mut self,
        doc: DocId,
        theirs: bool,
        ours: bool,
        code: CloseCode,
        out: &mut Vec<Output>,
    ) {
        let was_linked = self.unlink(doc);
        let Some(mut channel) = self.channels.remove(&doc) else { return };
        if theirs && let Some(remote) = channel.remote.take() {
            self.remote.remove(&remote.channel);
        }
        let mut ended = was_linked;
        if let Some(local) = channel.local.take() {
            if code != CloseCode::Done {
                self.local.remove(&local.channel);
                if !ours {
                    // The peer closed before it saw our offer, which it must not remember now.
                    let code = CloseCode::Done;
                    self.send_close(local.channel, Close { yours: 0, code });
                }
                ended = true;
            } else if ours {
                self.local.remove(&local.channel);
                let number = self.offer(doc);
                channel.local = Some(local.reoffer(number));
            } else {
                channel.local = Some(local);
            }
        }
        if !channel.is_unused() {
            self.channels.insert(doc, channel);
            if self.channels.get(&doc).is_some_and(|channel| channel.remote.is_some()) {
                self.link(doc, out);
            }
        }
        if ended {
            out.push(Output::Event(Event::Closed { doc, code }));
        }
    }
}
