//! What a hostile or broken peer sends.

use super::*;

fn open_body(version: u8, mode: u8, doc: DocId) -> Vec<u8> {
    let mut body = vec![version, mode];
    body.extend_from_slice(&doc.0);
    body.push(0);
    body
}

#[test]
fn an_unknown_mode_is_refused_and_never_downgraded() {
    let mut side = Side::new();
    side.open(DOC);
    let _ = side.session.poll_frame();
    side.receive_raw(kind::OPEN, false, 1, &open_body(1, 1, DOC));
    assert_eq!(side.take_events(), []);
    let close = side.session.poll_frame().unwrap();
    let expected = Close { yours: 1, code: CloseCode::Mode };
    assert_eq!(close, encode_parts(kind::CLOSE, false, 0, &[&expected.encode()]));
    assert!(!side.session.status(DOC).unwrap().remote);
    // What it sends on the refused channel is skipped.
    side.receive_raw(kind::UPDATE, false, 1, &[0, 0, 1, 0]);
    assert_eq!(side.failure(), None);
}

#[test]
fn the_peer_hears_that_its_mode_was_refused() {
    let mut side = Side::new();
    side.open(DOC);
    let close = Close { yours: 1, code: CloseCode::Mode };
    side.receive_raw(kind::CLOSE, false, 0, &close.encode());
    assert_eq!(side.take_events(), [Event::Closed { doc: DOC, code: CloseCode::Mode }]);
    assert_eq!(side.session.status(DOC), None);
}

#[test]
fn another_version_is_a_clear_error() {
    let mut side = Side::new();
    side.receive_raw(kind::OPEN, false, 1, &[2]);
    assert_eq!(side.failure(), Some(SyncError::UnsupportedVersion { theirs: 2 }));
}

#[test]
fn unknown_kinds_are_skipped_even_in_fragments() {
    let mut pair = Pair::synced();
    for more in [true, false] {
        pair.sides[0].receive_raw(99, more, 77, b"later version");
    }
    pair.sides[1].edit(DOC, 1, 1);
    pair.settle();
    assert_eq!(pair.sides[0].failure(), None);
    pair.assert_equal(DOC);
}

#[test]
fn what_breaks_the_protocol_is_a_typed_failure() {
    type Frames<'a> = &'a [(u8, bool, u64, &'a [u8])];
    let large = vec![0; 16_000];
    let large = large.as_slice();
    let other_doc = open_body(1, 0, OTHER);
    let same_doc = open_body(1, 0, DOC);
    let cases: [(Frames<'_>, SyncError); 10] = [
        (&[(kind::UPDATE, false, 9, &[0])], SyncError::UnknownChannel(9)),
        (&[(kind::ACK, false, 9, &[1, 0])], SyncError::UnknownChannel(9)),
        (&[(kind::CREDIT, false, 0, &[1])], SyncError::UnknownChannel(0)),
        (&[(kind::OPEN, false, 1, &other_doc)], SyncError::ChannelReused(1)),
        (&[(kind::OPEN, false, 5, &same_doc)], SyncError::DocumentReopened(DOC)),
        (&[(kind::ACK, true, 1, &[1, 0])], SyncError::Fragmented(kind::ACK)),
        (&[(kind::ACK, false, 1, &[1, 99])], SyncError::AckAhead { seq: 99, sent: 1 }),
        (
            &[(kind::UPDATE, true, 1, &[0]), (kind::AWARENESS, false, 1, &[0])],
            SyncError::Interleaved(1),
        ),
        (
            &[(kind::UPDATE, false, 1, &[0, 0, 1, 0])],
            SyncError::SeqNotIncreasing { seq: 1, last: 1 },
        ),
        (
            &[
                (kind::AWARENESS, true, 1, large),
                (kind::AWARENESS, true, 1, large),
                (kind::AWARENESS, true, 1, large),
                (kind::AWARENESS, true, 1, large),
                (kind::AWARENESS, true, 1, large),
            ],
            SyncError::MessageTooLarge { max: MAX_AWARENESS },
        ),
    ];
    for (frames, error) in cases {
        let mut pair = Pair::synced();
        for (kind, more, channel, body) in frames {
            pair.sides[0].receive_raw(*kind, *more, *channel, body);
            // The credit for it.
            while pair.sides[0].session.poll_frame().is_some() {}
        }
        assert_eq!(pair.sides[0].failure(), Some(error));
        // Dead, but harmless.
        assert!(pair.sides[0].session.poll_frame().is_none());
        assert_eq!(pair.sides[0].session.open(OTHER), []);
        assert_eq!(pair.sides[0].edit(DOC, 1, 1), None);
    }
}

#[test]
fn who_sends_beyond_its_credit_is_dropped() {
    let mut pair = Pair::synced();
    pair.sides[0].hold = true;
    let body = |seq: u64| {
        let header = Update::plain(seq, false, Bytes::new()).header();
        [header.as_ref(), &[0; 16_000]].concat()
    };
    let mut sent = 0;
    for seq in 2..100 {
        let body = body(seq);
        sent += body.len() as u64;
        pair.sides[0].receive_raw(kind::UPDATE, false, 1, &body);
        if sent > 2 * CREDIT_WINDOW {
            break;
        }
    }
    assert_eq!(pair.sides[0].failure(), Some(SyncError::CreditExceeded(1)));
}

#[test]
fn a_payload_that_the_replica_refuses_closes_its_document_only() {
    let mut pair = Pair::synced();
    let header = Update::plain(2, false, Bytes::new()).header();
    pair.sides[0].receive_raw(kind::UPDATE, false, 1, &[header.as_ref(), b"rubbish"].concat());
    let closed = Event::Closed { doc: DOC, code: CloseCode::Rejected };
    assert_eq!(pair.sides[0].take_events(), std::slice::from_ref(&closed));
    pair.settle();
    assert_eq!(pair.sides[1].take_events(), [closed]);
    for side in &mut pair.sides {
        side.open(OTHER);
        side.replicas.entry(OTHER).or_default();
    }
    pair.settle();
    pair.assert_equal(OTHER);
}

#[test]
fn a_document_too_large_to_send_is_closed_with_that_reason() {
    let mut pair = Pair::new();
    pair.sides[0].edit(DOC, 1, MAX_MESSAGE as u32);
    pair.sides[0].open(DOC);
    pair.sides[1].open(DOC);
    pair.settle();
    let closed = Event::Closed { doc: DOC, code: CloseCode::TooLarge };
    assert!(pair.sides[0].take_events().contains(&closed));
    assert!(pair.sides[1].take_events().contains(&closed));
}

#[test]
fn a_peer_that_does_not_read_our_refusals_is_dropped() {
    let mut side = Side::new();
    for number in 1..2 * MAX_CONTROL_QUEUE as u64 {
        side.receive_raw(kind::OPEN, false, number, &open_body(1, 1, DOC));
    }
    assert_eq!(side.failure(), Some(SyncError::NotReading));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_frames_are_survived(
            frames in prop::collection::vec(
                (0u8..9, any::<bool>(), 0u64..4, prop::collection::vec(any::<u8>(), 0..60)),
                1..60,
            ),
        ) {
            let mut pair = Pair::synced();
            for (kind, more, channel, body) in frames {
                pair.sides[0].receive_raw(kind, more, channel, &body);
                while pair.sides[0].session.poll_frame().is_some() {}
            }
        }

        #[test]
        fn perturbed_frames_are_survived(
            at in any::<prop::sample::Index>(), bit in 0..8u32, which in 0usize..20,
        ) {
            let mut pair = Pair::new();
            pair.sides[0].edit(DOC, 1, 40_000);
            pair.sides[1].edit(DOC, 2, 40);
            pair.sides[0].open(DOC);
            pair.sides[1].open(DOC);
            let mut count = 0;
            for _ in 0..40 {
                for from in 0..2 {
                    let Some(frame) = pair.sides[from].session.poll_frame() else { continue };
                    let mut frame = frame.to_vec();
                    if count == which {
                        let at = at.index(frame.len());
                        frame[at] ^= 1 << bit;
                    }
                    count += 1;
                    let mut decoder = FrameDecoder::new();
                    decoder.push(&frame);
                    while let Ok(Some(frame)) = decoder.next() {
                        let to = &mut pair.sides[1 - from];
                        let outputs = to.session.handle(Input::Frame(frame), NOW);
                        to.perform(outputs, NOW);
                    }
                }
            }
        }
    }
}
