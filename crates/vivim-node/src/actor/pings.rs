//! `/ipfs/ping/1.0.0`: the other side echoes 32 random bytes. Liveness is libp2p's behaviour;
//! here are the answers, and the pings that the application measures.

use std::time::Duration;

use futures::{
    AsyncReadExt, AsyncWriteExt,
    future::{Either, select},
};
use futures_timer::Delay;
use libp2p::{PeerId, Stream, swarm::ConnectionId};
use rand_chacha::rand_core::RngCore;
use web_time::Instant;

use super::{Actor, links::Opening, timers::Timer};
use crate::{command::Reply, error::StreamError, limits, platform};

/// Bytes of one ping.
const PAYLOAD: usize = 32;

/// Streams of pings that one connection may keep open; libp2p allows a client one, or a short one
/// per ping.
const MAX_ANSWERING: usize = 8;

impl Actor {
    /// Echoes until the other side is done.
    pub(super) fn answer_pings(&mut self, connection: ConnectionId, mut stream: Stream) {
        let Some(entry) = self.connections.get(connection) else { return };
        let guard = entry.pings.clone();
        // One is the table's own.
        if std::sync::Arc::strong_count(&guard) > MAX_ANSWERING + 1 {
            return;
        }
        stream.ignore_for_keep_alive();
        platform::spawn(async move {
            let _guard = guard;
            let mut payload = [0; PAYLOAD];
            while stream.read_exact(&mut payload).await.is_ok() {
                let echoed = match stream.write_all(&payload).await {
                    Ok(()) => stream.flush().await,
                    failed => failed,
                };
                if echoed.is_err() {
                    return;
                }
            }
            // The other side has closed its half; closing ours may fail with the connection.
            let _ = stream.close().await;
        });
    }

    /// Makes sure soon that a peer is still there: without a byte from it until the timer, its
    /// direct connections are closed.
    pub(super) fn probe(&mut self, peer: PeerId) {
        let direct: Vec<(ConnectionId, u64)> = self
            .connections
            .of(&peer)
            .filter(|(_, e)| e.direct)
            .map(|(id, e)| (id, e.received()))
            .collect();
        for (id, received) in direct {
            // Only its echo's bytes matter, so nobody waits for the answer.
            let (unheard, _) = futures::channel::oneshot::channel();
            self.open(peer, id, libp2p::ping::PROTOCOL_NAME, Opening::Ping(unheard));
            self.timers.after(limits::PROBE_TIMEOUT, Timer::Probe(id, received));
        }
    }

    pub(super) fn on_probe_timer(&mut self, id: ConnectionId, received: u64) {
        if self.connections.get(id).is_some_and(|e| e.received() == received) {
            self.swarm.close_connection(id);
        }
    }

    /// One round over a fresh stream.
    pub(super) fn measure(&mut self, mut stream: Stream, reply: Reply<Duration, StreamError>) {
        let mut payload = [0; PAYLOAD];
        self.rng.fill_bytes(&mut payload);
        platform::spawn(async move {
            // Lazy negotiation is settled by the first exchange; the second is measured.
            let mut measured = Err(StreamError::Io);
            for _ in 0..2 {
                let started = Instant::now();
                let timeout = Delay::new(limits::PING_TIMEOUT);
                let echo = Box::pin(echo(&mut stream, payload));
                measured = match select(echo, timeout).await {
                    Either::Left((true, _)) => Ok(started.elapsed()),
                    _ => Err(StreamError::Io),
                };
            }
            // The measurement is done; a failing close changes nothing.
            let _ = stream.close().await;
            let _ = reply.send(measured);
        });
    }
}

async fn echo(stream: &mut Stream, payload: [u8; PAYLOAD]) -> bool {
    let mut echo = [0; PAYLOAD];
    let exchange = async {
        stream.write_all(&payload).await?;
        stream.flush().await?;
        stream.read_exact(&mut echo).await
    };
    exchange.await.is_ok() && echo == payload
}
