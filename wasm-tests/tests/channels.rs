//! The data channel driver: two peer connections in one page, signaling over a pipe.
#![cfg(target_arch = "wasm32")]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod support;

use std::time::Duration;

use futures::{
    AsyncReadExt, AsyncWriteExt,
    future::{self, poll_fn},
};
use support::{
    connected, eventually, pair, pipe,
    raw::{self, RawChannel, raw_pair},
    read_all, session, stays_pending, stream, within,
};
use vivim_webrtc::{
    ConnectError, ConnectionError,
    backend::{Connectivity, PeerConnection, PeerEvent, web::Web},
    limits,
    signaling::{
        Message, codec,
        session::{Role, SessionError},
    },
    stream::{
        StreamError,
        frame::{Flag, Frame, FrameError},
    },
};
use wasm_bindgen_test::*;

wasm_bindgen_test_configure!(run_in_browser);

/// The typed error inside an IO error.
fn typed(error: std::io::Error) -> StreamError {
    error.get_ref().unwrap().downcast_ref::<StreamError>().unwrap().clone()
}

fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2654435761) >> 24) as u8).collect()
}

#[wasm_bindgen_test]
async fn two_peers_connect_and_talk_on_a_stream_of_either() {
    let (a, b) = pair().await;
    for (from, to) in [(&a, &b), (&b, &a)] {
        let (mut ours, mut theirs) = stream(from, to).await;
        ours.write_all(b"ping").await.unwrap();
        let mut buffer = [0; 4];
        theirs.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"ping");
        theirs.write_all(b"pong").await.unwrap();
        ours.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"pong");
    }
}

#[wasm_bindgen_test]
async fn a_half_closed_stream_still_carries_the_other_half() {
    let (a, b) = pair().await;
    let (mut ours, mut theirs) = stream(&a, &b).await;
    ours.close().await.unwrap();
    let mut request = Vec::new();
    theirs.read_to_end(&mut request).await.unwrap();
    assert_eq!(typed(ours.write_all(b"more").await.unwrap_err()), StreamError::WriteClosed);
    theirs.write_all(&noise(100_000)).await.unwrap();
    theirs.close().await.unwrap();
    let (answer, end) = within(10, read_all(&mut ours)).await;
    end.unwrap();
    assert!(answer == noise(100_000));
}

#[wasm_bindgen_test]
async fn channels_are_closed_when_their_streams_have_ended() {
    let (a, b) = pair().await;
    for _ in 0..20 {
        let (mut ours, mut theirs) = stream(&a, &b).await;
        ours.close().await.unwrap();
        theirs.close().await.unwrap();
        ours.read_to_end(&mut Vec::new()).await.unwrap();
        theirs.read_to_end(&mut Vec::new()).await.unwrap();
    }
    within(5, future::join(a.until_streams(0), b.until_streams(0))).await;
    // More streams one after the other than a connection has channels.
    for _ in 0..1100 {
        drop(stream(&a, &b).await);
    }
    within(5, future::join(a.until_streams(0), b.until_streams(0))).await;
}

#[wasm_bindgen_test]
async fn a_mebibyte_goes_each_way_at_once() {
    let (a, b) = pair().await;
    let (mut ours, mut theirs) = stream(&a, &b).await;
    let data = noise(1 << 20);
    let talk = |stream: support::Stream| {
        let data = data.clone();
        async move {
            let (mut reader, mut writer) = stream.split();
            let write = async {
                writer.write_all(&data).await.unwrap();
                writer.close().await.unwrap();
            };
            let (received, end) = future::join(write, read_all(&mut reader)).await.1;
            end.unwrap();
            received
        }
    };
    ours.flush().await.unwrap();
    theirs.flush().await.unwrap();
    let (left, right) = within(20, future::join(talk(ours), talk(theirs))).await;
    assert!(left == data && right == data);
}

#[wasm_bindgen_test]
async fn a_slow_reader_holds_its_writer_back_and_loses_nothing() {
    let (a, b) = pair().await;
    let (mut ours, mut theirs) = stream(&a, &b).await;
    const LEN: usize = 24 << 20;
    let data = noise(LEN);
    let mut write = Box::pin(async {
        ours.write_all(&data).await.unwrap();
        ours.close().await.unwrap();
    });
    // Nobody reads. All of it would not fit in the receive buffer; the writer stops well before.
    assert!(stays_pending(&mut write, Duration::from_millis(1500)).await);
    let (received, end) = within(20, future::join(write, read_all(&mut theirs))).await.1;
    end.unwrap();
    assert!(received == data);
}

#[wasm_bindgen_test]
async fn a_dropped_stream_is_a_reset_for_its_peer() {
    let (a, b) = pair().await;
    let (ours, mut theirs) = stream(&a, &b).await;
    drop(ours);
    let error = within(5, theirs.read_to_end(&mut Vec::new())).await.unwrap_err();
    assert_eq!(typed(error), StreamError::ResetByPeer);
    drop(theirs);
    within(5, future::join(a.until_streams(0), b.until_streams(0))).await;
}

#[wasm_bindgen_test]
async fn a_closed_connection_ends_the_peers_connection_and_its_waiting_streams() {
    let (a, b) = pair().await;
    let (ours, mut theirs) = stream(&a, &b).await;
    let mut buffer = [0];
    let mut read = Box::pin(theirs.read(&mut buffer));
    assert!(stays_pending(&mut read, Duration::from_millis(10)).await);
    a.close().await;
    drop(ours);
    // At once, and not when ICE notices.
    let error = within(3, b.ended()).await;
    assert_eq!(error, ConnectionError::Closed);
    assert!(within(3, read).await.is_err());
}

#[wasm_bindgen_test]
async fn peer_connections_are_closed_exactly_when_they_are_of_no_use() {
    let before = Web.live_connections();
    let (a, b) = connected().await;
    assert_eq!(Web.live_connections(), before + 2);
    drop((a, b));
    assert_eq!(Web.live_connections(), before);

    // A session that is given up in the middle.
    let (left, right) = pipe();
    let mut abandoned = session(Role::Initiator, left);
    assert!(stays_pending(&mut abandoned, Duration::from_millis(50)).await);
    assert_eq!(Web.live_connections(), before + 1);
    drop(abandoned);
    assert_eq!(Web.live_connections(), before);

    // A session that fails.
    let mut failing = session(Role::Responder, right);
    assert!((&mut failing).await.is_err());
    assert_eq!(Web.live_connections(), before);
}

async fn responder_error(messages: &[u8]) -> ConnectError {
    let (mut peer, signaling) = pipe();
    let responder = session(Role::Responder, signaling);
    peer.write_all(messages).await.unwrap();
    within(5, responder).await.unwrap_err()
}

#[wasm_bindgen_test]
async fn bad_signaling_is_a_typed_error() {
    let candidate = codec::encode(&Message::Candidate("{}".into())).unwrap();
    let error = responder_error(&candidate).await;
    assert!(matches!(error, ConnectError::Session(SessionError::CandidateBeforeOffer)));

    // The length of 64 KiB + 1.
    let error = responder_error(&[0x81, 0x80, 0x04]).await;
    let ConnectError::Session(SessionError::Codec(error)) = error else { panic!("{error:?}") };
    assert_eq!(error, codec::CodecError::TooLong(limits::MAX_SIGNALING_MESSAGE + 1));

    let offer = codec::encode(&Message::Offer("not an offer".into())).unwrap();
    let error = responder_error(&offer).await;
    assert!(matches!(error, ConnectError::Session(SessionError::Backend(_))), "{error:?}");
    eventually(|| Web.live_connections() == 0).await;
}

#[wasm_bindgen_test]
async fn bad_candidates_are_ignored() {
    let ((a, a_far), (b, b_far)) = (pipe(), pipe());
    let ((a_read, mut a_write), (b_read, mut b_write)) = (a_far.split(), b_far.split());
    // Between the two: everything passes, and rubbish follows each description.
    wasm_bindgen_futures::spawn_local(async move {
        let there = pass_with_rubbish(a_read, &mut b_write);
        let back = pass_with_rubbish(b_read, &mut a_write);
        future::join(there, back).await;
    });
    let both = future::try_join(session(Role::Initiator, a), session(Role::Responder, b));
    within(10, both).await.unwrap();
}

async fn pass_with_rubbish(
    mut from: impl futures::AsyncRead + Unpin,
    to: &mut (impl futures::AsyncWrite + Unpin),
) {
    let mut decoder = codec::Decoder::default();
    let mut buffer = [0; 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        decoder.push(&buffer[..n]);
        while let Some(message) = decoder.next_message().unwrap() {
            to.write_all(&codec::encode(&message).unwrap()).await.unwrap();
            if matches!(message, Message::Candidate(_)) {
                continue;
            }
            for rubbish in ["", "null", "{", "[]", "7", r#"{"candidate":"x","sdpMid":"0"}"#] {
                let rubbish = Message::Candidate(rubbish.into());
                to.write_all(&codec::encode(&rubbish).unwrap()).await.unwrap();
            }
        }
    }
    to.close().await.unwrap();
}

/// A frame with payload, as any implementation writes it.
fn frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Frame::encode(None, payload, None, &mut bytes);
    bytes
}

#[wasm_bindgen_test]
async fn a_frame_of_17_kib_resets_its_stream_and_nothing_else() {
    let (raw, b) = raw_pair().await;
    let channel = raw.open().await;
    channel.send(&frame(b"hello"));
    let mut stream = within(5, b.accept()).await;
    channel.send(&frame(&[0; 17 * 1024]));
    let (received, end) = within(5, read_all(&mut stream)).await;
    assert_eq!(received, b"hello");
    let StreamError::Frame(FrameError::TooLong(_)) = typed(end.unwrap_err()) else { panic!() };
    // The peer hears of it.
    assert_eq!(channel.next().await.flag, Some(Flag::ResetStream));
    within(5, channel.closed()).await;
    // The connection is as good as before.
    let channel = raw.open().await;
    channel.send(&frame(b"again"));
    let mut stream = within(5, b.accept()).await;
    let mut buffer = [0; 5];
    stream.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"again");
}

/// The length with its prefix is more than 32 bits hold.
#[wasm_bindgen_test]
async fn a_frame_of_4_gib_resets_its_stream() {
    let (raw, b) = raw_pair().await;
    let channel = raw.open().await;
    channel.send(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    let mut stream = within(5, b.accept()).await;
    let (_, end) = within(5, read_all(&mut stream)).await;
    let too_long = FrameError::TooLong(u32::MAX.into());
    assert_eq!(typed(end.unwrap_err()), StreamError::Frame(too_long));
}

#[wasm_bindgen_test]
async fn a_message_of_more_than_64_kib_ends_its_stream_and_nothing_else() {
    let (raw, b) = raw_pair().await;
    let channel = raw.open().await;
    // Empty frames, of which none is too long.
    channel.send(&frame(b"hello"));
    channel.send(&vec![0; limits::MAX_MESSAGE]);
    let mut stream = within(5, b.accept()).await;
    channel.send(&vec![0; limits::MAX_MESSAGE + 1]);
    let (received, end) = within(5, read_all(&mut stream)).await;
    assert_eq!(received, b"hello");
    assert_eq!(typed(end.unwrap_err()), StreamError::Closed);
    within(5, channel.closed()).await;
    raw.open().await;
}

#[wasm_bindgen_test]
async fn a_peer_that_is_gone_before_its_connection_is_noticed_is_a_closed_connection() {
    let (mut near, mut far, ended) = raw::unpolled_pair().await;
    far.close();
    within(5, ended).await.unwrap();
    for expected in [Connectivity::Connected, Connectivity::Closed] {
        let seen = async {
            loop {
                if let PeerEvent::Connectivity(seen) = poll_fn(|cx| near.poll_event(cx)).await {
                    break seen;
                }
            }
        };
        assert_eq!(within(5, seen).await, expected);
    }
}

#[wasm_bindgen_test]
async fn a_channel_that_brought_too_much_before_it_was_taken_is_closed_for_who_takes_it() {
    let (mut near, mut far, _) = raw::unpolled_pair().await;
    let channel = RawChannel::new(far.open_channel().unwrap());
    within(5, channel.opened()).await;
    for _ in 0..2 * limits::MAX_EARLY_MESSAGES {
        channel.send(&frame(b"hello"));
    }
    within(5, channel.closed()).await;
    let taken = async {
        loop {
            if let PeerEvent::Channel(taken) = poll_fn(|cx| near.poll_event(cx)).await {
                break RawChannel::new(taken);
            }
        }
    };
    let taken = within(5, taken).await;
    within(5, taken.closed()).await;
}

#[wasm_bindgen_test]
async fn a_peer_that_opens_1000_channels_gets_as_many_as_there_is_room_for() {
    let (raw, b) = raw_pair().await;
    let mut channels = Vec::new();
    for _ in 0..1000 {
        // A browser may have fewer.
        match raw.try_open() {
            Ok(channel) => channels.push(channel),
            Err(_) => break,
        }
    }
    assert!(channels.len() >= 500, "{}", channels.len());
    // Nobody accepts: all but those that may wait are closed.
    let closed = || channels.iter().filter(|channel| channel.is_closed()).count();
    eventually(|| closed() >= channels.len() - limits::MAX_UNACCEPTED_STREAMS).await;
    assert!(b.streams() <= limits::MAX_UNACCEPTED_STREAMS);
    drop(channels);
    within(5, b.until_streams(0)).await;
    let channel = raw.open().await;
    channel.send(&frame(b"still here"));
    let mut buffer = [0; 10];
    // On a busy machine one of the 1000 may be announced only now. It has ended.
    while within(5, b.accept()).await.read_exact(&mut buffer).await.is_err() {}
    assert_eq!(&buffer, b"still here");
}

#[wasm_bindgen_test]
async fn a_peer_without_credit_can_not_fill_the_memory() {
    let (raw, b) = raw_pair().await;
    let channel = raw.open().await;
    channel.send(&frame(b"hello"));
    let mut stream = within(5, b.accept()).await;
    let block = frame(&[7; 16_000]);
    let mut sent = 0;
    while sent < limits::MAX_RECEIVE_BUFFER + (1 << 20) && !channel.is_closed() {
        within(5, channel.room()).await;
        channel.send(&block);
        sent += 16_000;
    }
    within(10, channel.closed()).await;
    // What came before is not lost, and the reason is named.
    let (received, end) = within(10, read_all(&mut stream)).await;
    assert_eq!(typed(end.unwrap_err()), StreamError::ReceiveBufferFull);
    assert!(received.len() > limits::MAX_RECEIVE_BUFFER - (1 << 20), "{}", received.len());
}

#[wasm_bindgen_test]
async fn a_peer_that_never_reads_stops_its_writer() {
    let (a, b) = pair().await;
    let (mut ours, theirs) = stream(&a, &b).await;
    let block = vec![0; 1 << 20];
    let mut written = 0;
    loop {
        let mut write = Box::pin(ours.write_all(&block));
        if stays_pending(&mut write, Duration::from_millis(1000)).await {
            break;
        }
        drop(write);
        written += block.len();
        assert!(written < limits::MAX_RECEIVE_BUFFER, "nothing stops the writer");
    }
    // Other streams don't care.
    let (mut other, mut far) = stream(&a, &b).await;
    other.write_all(b"x").await.unwrap();
    far.read_exact(&mut [0]).await.unwrap();
    drop(theirs);
    assert_eq!(typed(ours.write_all(&block).await.unwrap_err()), StreamError::Closed);
}
