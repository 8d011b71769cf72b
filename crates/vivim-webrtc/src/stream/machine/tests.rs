use proptest::prelude::*;

use super::*;
use crate::{limits::MAX_FRAME, stream::frame::FrameError};

/// A machine that sees its frames as a peer would.
fn message(flag: Option<Flag>, payload: &[u8], credit: Option<u64>) -> Input {
    let mut bytes = Vec::new();
    Frame::encode(flag, payload, credit, &mut bytes);
    Input::Message { bytes: bytes.into(), room: usize::MAX }
}

fn flag(flag: Flag) -> Input {
    message(Some(flag), &[], None)
}

fn send(flag: Flag) -> Output {
    Output::Send(Some(flag), None)
}

fn read_all(machine: &mut Machine) -> (Vec<u8>, Read) {
    let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
    loop {
        match machine.read(&mut buffer).0 {
            Read::Data(n) => all.extend_from_slice(&buffer[..n]),
            end => return (all, end),
        }
    }
}

fn effects(outputs: Outputs) -> Vec<Output> {
    outputs
        .into_iter()
        .filter(|output| !matches!(output, Output::WakeReader | Output::WakeWriter))
        .collect()
}

#[test]
fn fin_is_acknowledged_at_once_and_read_last() {
    let mut machine = Machine::outbound();
    let _ = machine.handle(message(None, b"abc", None));
    assert_eq!(effects(machine.handle(flag(Flag::Fin))), [send(Flag::FinAck)]);
    assert_eq!(read_all(&mut machine), (b"abc".to_vec(), Read::End));
}

#[test]
fn a_fin_that_is_repeated_is_not_acknowledged_again() {
    let mut machine = Machine::outbound();
    let mut bytes = Vec::new();
    for _ in 0..1000 {
        Frame::encode(Some(Flag::Fin), &[], None, &mut bytes);
    }
    let message = || Input::Message { bytes: bytes.clone().into(), room: usize::MAX };
    assert_eq!(effects(machine.handle(message())), [send(Flag::FinAck)]);
    assert_eq!(effects(machine.handle(message())), []);
}

#[test]
fn the_channel_is_closed_when_both_halves_have_ended() {
    let mut machine = Machine::outbound();
    let outputs = effects(machine.handle(Input::CloseWrite));
    assert!(matches!(outputs[..], [Output::Send(Some(Flag::Fin), _)]));
    assert_eq!(effects(machine.handle(flag(Flag::Fin))), [send(Flag::FinAck)]);
    assert!(!machine.is_finished());
    assert_eq!(effects(machine.handle(flag(Flag::FinAck))), [Output::CloseChannel]);
    assert!(machine.is_finished());
}

#[test]
fn the_last_acknowledgement_leaves_before_the_channel_is_closed() {
    let mut machine = Machine::outbound();
    let _ = machine.handle(Input::CloseWrite);
    let _ = machine.handle(flag(Flag::FinAck));
    let outputs = effects(machine.handle(message(Some(Flag::Fin), b"end", None)));
    assert_eq!(outputs, [send(Flag::FinAck), Output::CloseChannel]);
    assert_eq!(read_all(&mut machine), (b"end".to_vec(), Read::End));
}

#[test]
fn a_second_close_is_nothing_to_do() {
    let mut machine = Machine::outbound();
    let _ = machine.handle(Input::CloseWrite);
    assert_eq!(effects(machine.handle(Input::CloseWrite)), []);
    assert_eq!(machine.writable(), Err(StreamError::WriteClosed));
}

#[test]
fn an_unfinished_stream_is_reset_when_it_is_dropped() {
    let mut machine = Machine::outbound();
    let outputs = effects(machine.handle(Input::Dropped));
    assert_eq!(outputs, [send(Flag::ResetStream), Output::CloseChannel]);
}

#[test]
fn a_stream_whose_peer_is_done_ends_in_good_order_when_it_is_dropped() {
    let mut machine = Machine::outbound();
    let _ = machine.handle(flag(Flag::Fin));
    let outputs = effects(machine.handle(Input::Dropped));
    assert!(matches!(outputs[..], [Output::Send(Some(Flag::Fin), None)]), "{outputs:?}");
    assert_eq!(effects(machine.handle(flag(Flag::FinAck))), [Output::CloseChannel]);
}

#[test]
fn a_closed_stream_tells_its_peer_to_stop_when_it_is_dropped() {
    let mut machine = Machine::outbound();
    let _ = machine.handle(Input::CloseWrite);
    assert_eq!(effects(machine.handle(Input::Dropped)), [send(Flag::StopSending)]);
    // Flags still count, payload does not.
    assert_eq!(effects(machine.handle(message(None, b"late", None))), []);
    assert_eq!(machine.queued(), 0);
    assert_eq!(effects(machine.handle(flag(Flag::FinAck))), [Output::CloseChannel]);
}

#[test]
fn a_fin_that_is_never_acknowledged_is_not_waited_for_forever() {
    let mut machine = Machine::outbound();
    let _ = machine.handle(Input::CloseWrite);
    let _ = machine.handle(Input::Dropped);
    assert_eq!(effects(machine.handle(Input::Timeout)), [Output::CloseChannel]);
}

#[test]
fn a_reset_ends_the_peers_half_only() {
    let mut machine = Machine::outbound();
    let _ = machine.handle(message(None, b"abc", None));
    let _ = machine.handle(flag(Flag::ResetStream));
    let failed = Read::Failed(StreamError::ResetByPeer);
    assert_eq!(read_all(&mut machine), (b"abc".to_vec(), failed));
    assert!(machine.writable().is_ok());
}

#[test]
fn stop_sending_ends_our_half_only() {
    let mut machine = Machine::outbound();
    let outputs = machine.handle(flag(Flag::StopSending));
    assert_eq!(outputs[..], [Output::WakeWriter]);
    assert_eq!(machine.writable(), Err(StreamError::StoppedByPeer));
    let _ = machine.handle(message(Some(Flag::Fin), b"abc", None));
    assert_eq!(read_all(&mut machine), (b"abc".to_vec(), Read::End));
}

#[test]
fn a_frame_that_is_too_long_resets_the_stream_and_loses_nothing_before_it() {
    let mut machine = Machine::outbound();
    let _ = machine.handle(message(None, b"abc", None));
    let outputs = effects(machine.handle(message(None, &[0; 17 * 1024], None)));
    assert_eq!(outputs, [send(Flag::ResetStream), Output::CloseChannel]);
    let (data, end) = read_all(&mut machine);
    assert_eq!(data, b"abc");
    let Read::Failed(StreamError::Frame(FrameError::TooLong(_))) = end else { panic!("{end:?}") };
    assert!(matches!(machine.writable(), Err(StreamError::Frame(_))));
}

#[test]
fn a_closed_channel_wakes_everybody() {
    let mut machine = Machine::outbound();
    let outputs = machine.handle(Input::ChannelClosed);
    assert!(outputs.contains(&Output::WakeReader) && outputs.contains(&Output::WakeWriter));
    assert_eq!(read_all(&mut machine).1, Read::Failed(StreamError::Closed));
}

#[test]
fn a_peer_without_credit_is_bounded() {
    let mut machine = Machine::outbound();
    let block = vec![0; MAX_PAYLOAD];
    let mut held = 0;
    loop {
        let outputs = effects(machine.handle(message(None, &block, None)));
        if !outputs.is_empty() {
            assert_eq!(outputs, [send(Flag::ResetStream), Output::CloseChannel]);
            break;
        }
        held += block.len();
    }
    assert!(held <= MAX_RECEIVE_BUFFER && held > MAX_RECEIVE_BUFFER - 8 * MAX_FRAME);
    let (data, end) = read_all(&mut machine);
    assert_eq!((data.len(), end), (held, Read::Failed(StreamError::ReceiveBufferFull)));
}

#[test]
fn tiny_frames_cost_more_than_their_payload() {
    let mut machine = Machine::inbound();
    let mut frames = 0;
    while effects(machine.handle(message(None, b"x", None))).is_empty() {
        frames += 1;
    }
    assert_eq!(frames, MAX_UNACCEPTED_BUFFER / (1 + CHUNK_COST));
}

#[test]
fn the_connections_bound_holds_too() {
    let mut machine = Machine::outbound();
    let mut bytes = Vec::new();
    Frame::encode(None, b"abc", None, &mut bytes);
    let input = Input::Message { bytes: bytes.into(), room: 10 };
    assert_eq!(effects(machine.handle(input)), [send(Flag::ResetStream), Output::CloseChannel]);
}

#[test]
fn an_accepted_stream_may_hold_more() {
    let mut machine = Machine::inbound();
    let _ = machine.handle(Input::Accepted);
    let block = vec![0; MAX_PAYLOAD];
    for _ in 0..MAX_UNACCEPTED_BUFFER / MAX_PAYLOAD + 1 {
        assert_eq!(effects(machine.handle(message(None, &block, None))), []);
    }
}

#[test]
fn a_peer_that_shows_no_credit_gets_no_frames_of_nothing_but_credit() {
    let mut machine = Machine::outbound();
    let block = vec![0; MAX_PAYLOAD];
    for _ in 0..200 {
        assert_eq!(effects(machine.handle(message(None, &block, None))), []);
        let (_, outputs) = machine.read(&mut vec![0; MAX_PAYLOAD]);
        assert_eq!(effects(outputs), []);
    }
    assert_eq!(machine.writable(), Ok(MAX_PAYLOAD - CREDIT_COST));
}

#[test]
fn a_writer_stops_at_its_credit_and_goes_on_with_more() {
    let mut machine = Machine::outbound();
    let _ = machine.handle(message(None, &[], Some(100)));
    assert_eq!(machine.writable(), Ok(100));
    machine.write(&[0; 60], &mut Vec::new());
    assert_eq!(machine.writable(), Ok(40));
    machine.write(&[0; 40], &mut Vec::new());
    assert_eq!(machine.writable(), Ok(0));
    // Old news.
    let _ = machine.handle(message(None, &[], Some(50)));
    assert_eq!(machine.writable(), Ok(0));
    let outputs = machine.handle(message(None, &[], Some(130)));
    assert!(outputs.contains(&Output::WakeWriter));
    assert_eq!(machine.writable(), Ok(30));
}

/// Two machines and the messages between them.
#[derive(Default)]
struct Wire {
    there: VecDeque<Vec<u8>>,
    back: VecDeque<Vec<u8>>,
}

fn queue(outputs: Outputs, wire: &mut VecDeque<Vec<u8>>) {
    for output in outputs {
        if let Output::Send(flag, credit) = output {
            let mut bytes = Vec::new();
            Frame::encode(flag, &[], credit, &mut bytes);
            wire.push_back(bytes);
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Write(usize),
    Read(usize),
    Deliver,
    Answer,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1usize..200_000).prop_map(Step::Write),
        2 => (1usize..100_000).prop_map(Step::Read),
        3 => Just(Step::Deliver),
        2 => Just(Step::Answer),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Between two peers of this crate: whatever the order of writing, reading and delivery, all
    /// bytes arrive in order, and the reader never holds more than its credit and what was sent
    /// before the first answer.
    #[test]
    fn credit_bounds_a_slow_reader_and_loses_nothing(
        steps in prop::collection::vec(step(), 1..400),
    ) {
        let (mut writer, mut reader) = (Machine::outbound(), Machine::outbound());
        let mut wire = Wire::default();
        let (mut sent, mut received) = (0u64, 0u64);
        // What was written before the writer knew of credit.
        let mut before_credit = 0u64;
        let finish = [Step::Deliver, Step::Answer, Step::Read(1 << 20)];
        let rest = finish.iter().cloned().cycle().take(9000);
        for step in steps.into_iter().chain(rest) {
            match step {
                Step::Write(len) => {
                    let mut left = len;
                    while left > 0 && wire.there.len() < 32 {
                        let n = writer.writable().unwrap().min(left);
                        if n == 0 {
                            break;
                        }
                        let payload: Vec<u8> = (0..n as u64).map(|i| (sent + i) as u8).collect();
                        let mut frame = Vec::new();
                        writer.write(&payload, &mut frame);
                        wire.there.push_back(frame);
                        sent += n as u64;
                        left -= n;
                    }
                    if writer.limit.is_none() {
                        before_credit = sent;
                    }
                }
                Step::Read(len) => {
                    let mut buffer = vec![0; len];
                    let (read, outputs) = reader.read(&mut buffer);
                    queue(outputs, &mut wire.back);
                    if let Read::Data(n) = read {
                        for byte in &buffer[..n] {
                            prop_assert_eq!(*byte, received as u8);
                            received += 1;
                        }
                    }
                }
                Step::Deliver => {
                    if let Some(bytes) = wire.there.pop_front() {
                        let input = Input::Message { bytes: bytes.into(), room: usize::MAX };
                        queue(reader.handle(input), &mut wire.back);
                    }
                }
                Step::Answer => {
                    if let Some(bytes) = wire.back.pop_front() {
                        let input = Input::Message { bytes: bytes.into(), room: usize::MAX };
                        queue(writer.handle(input), &mut wire.there);
                    }
                }
            }
            let payload: usize = reader.queue.iter().map(Bytes::len).sum();
            prop_assert!(payload as u64 <= before_credit + RECEIVE_WINDOW);
        }
        prop_assert_eq!(received, sent);
        prop_assert!(matches!(reader.read, ReadHalf::Open));
    }

    /// No input in any order makes the machine panic, send after the end, or end twice.
    #[test]
    fn nothing_follows_the_end(
        inputs in prop::collection::vec((0..9u8, prop::collection::vec(any::<u8>(), 0..20)), 0..40),
    ) {
        let mut machine = Machine::inbound();
        let mut closed = false;
        for (kind, bytes) in inputs {
            let input = match kind {
                0 => Input::Accepted,
                1 => Input::CloseWrite,
                2 => flag(Flag::Fin),
                3 => flag(Flag::FinAck),
                4 => flag(Flag::StopSending),
                5 => flag(Flag::ResetStream),
                6 => message(None, &bytes, Some(bytes.len() as u64)),
                7 => Input::Message { bytes: bytes.into(), room: 1000 },
                _ => Input::Dropped,
            };
            for output in machine.handle(input) {
                match output {
                    Output::CloseChannel => {
                        prop_assert!(!closed);
                        closed = true;
                    }
                    Output::Send(..) => prop_assert!(!closed, "a frame after the end"),
                    Output::WakeReader | Output::WakeWriter => {}
                }
            }
            prop_assert_eq!(machine.is_finished(), closed);
        }
    }
}
