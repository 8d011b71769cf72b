//! A sync stream from a peer: bytes in pieces, frames, and the session behind them with a replica
//! that answers at once.

use bytes::Bytes;
use vivim_proto::id::DocId;
use vivim_proto::sync::{
    FrameDecoder, Input, Output, ReplicaOp, ReplicaResult, Session, SessionConfig,
};
use vivim_proto::time::Timestamp;

/// Bytes of a read from the transport.
const READ: usize = 61;

/// The session never panics, and what it says is a stream of frames.
pub(crate) fn run(data: &[u8]) {
    let now = Timestamp::ZERO;
    let mut session = Session::new(SessionConfig::default());
    let mut decoder = FrameDecoder::new();
    let mut sent = FrameDecoder::new();
    let ours = session.open(doc(1));
    answer(&mut session, ours, now);
    session.local_update(doc(1), Bytes::from_static(b"an update"));
    for read in data.chunks(READ) {
        decoder.push(read);
        loop {
            match decoder.next() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    let outputs = session.handle(Input::Frame(frame), now);
                    answer(&mut session, outputs, now);
                }
                // The stream is dropped.
                Err(_) => return,
            }
        }
        let offered: Vec<DocId> = session.offered().take(2).collect();
        for doc in offered {
            let outputs = session.open(doc);
            answer(&mut session, outputs, now);
        }
        session.local_awareness(doc(1), Bytes::from_static(b"awareness"));
        session.stored(doc(1));
        while let Some(frame) = session.poll_frame() {
            sent.push(&frame);
        }
        let outputs = session.handle(Input::Timeout, now);
        answer(&mut session, outputs, now);
    }
    loop {
        match sent.next() {
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => panic!("the session says what isn't a frame: {error}"),
        }
    }
}

/// The document of the stream's side, or one that a peer may name easily.
fn doc(byte: u8) -> DocId {
    DocId([byte; 32])
}

fn answer(session: &mut Session, outputs: Vec<Output>, now: Timestamp) {
    let mut left = outputs;
    while let Some(output) = left.pop() {
        let Output::Request { id, op, .. } = output else { continue };
        let result = match op {
            ReplicaOp::Apply { payload } if payload.len() % 2 == 0 => ReplicaResult::Stored,
            ReplicaOp::Apply { .. } | ReplicaOp::ApplyAwareness { .. } => ReplicaResult::Applied,
            ReplicaOp::Diff { summary } if summary.len() % 3 == 0 => {
                ReplicaResult::Part(vec![Bytes::from_static(b"one")])
            }
            ReplicaOp::Diff { summary } if summary.len() % 2 == 0 => {
                ReplicaResult::Pieces(vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")])
            }
            ReplicaOp::Diff { .. } => ReplicaResult::Diff(Bytes::from_static(b"diff")),
            ReplicaOp::EncodeAwareness => ReplicaResult::Awareness(Bytes::new()),
            ReplicaOp::Summary => ReplicaResult::Summary(Bytes::from_static(b"summary")),
        };
        left.extend(session.handle(Input::Replica { id, result }, now));
    }
}
