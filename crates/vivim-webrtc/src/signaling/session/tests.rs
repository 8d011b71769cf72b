use proptest::prelude::*;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(20);

fn start(role: Role) -> Session {
    Session::start(role, TIMEOUT).0
}

fn offer() -> Input {
    Input::Message(Message::Offer("offer".into()))
}

fn answer() -> Input {
    Input::Message(Message::Answer("answer".into()))
}

fn candidate(text: &str) -> Input {
    Input::Message(Message::Candidate(text.into()))
}

fn local(text: &str) -> Input {
    Input::LocalCandidate(text.into())
}

fn sent(outputs: Vec<Output>) -> Vec<Message> {
    outputs
        .into_iter()
        .map(|output| match output {
            Output::Send(message) => message,
            other => panic!("{other:?} is not a message"),
        })
        .collect()
}

#[test]
fn an_initiator_begins_with_an_offer() {
    let (_, outputs) = Session::start(Role::Initiator, TIMEOUT);
    assert_eq!(outputs.last(), Some(&Output::CreateOffer));
    assert_eq!(outputs.first(), Some(&Output::SetTimer(Timer::Session, TIMEOUT)));
}

#[test]
fn an_initiator_sends_no_candidate_before_its_offer() {
    let mut session = start(Role::Initiator);
    assert_eq!(session.handle(local("one")), []);
    let messages = sent(session.handle(Input::LocalDescription("offer".into())));
    assert_eq!(messages, [Message::Offer("offer".into()), Message::Candidate("one".into())]);
    assert_eq!(sent(session.handle(local("two"))), [Message::Candidate("two".into())]);
}

#[test]
fn a_responder_sends_no_candidate_before_its_answer() {
    let mut session = start(Role::Responder);
    assert_eq!(session.handle(offer()), [Output::CreateAnswer("offer".into())]);
    assert_eq!(session.handle(local("one")), []);
    let messages = sent(session.handle(Input::LocalDescription("answer".into())));
    assert_eq!(messages, [Message::Answer("answer".into()), Message::Candidate("one".into())]);
}

#[test]
fn remote_candidates_wait_for_the_remote_description() {
    let mut session = start(Role::Responder);
    let _ = session.handle(offer());
    assert_eq!(session.handle(candidate("a")), []);
    assert_eq!(session.handle(candidate("b")), []);
    let outputs = session.handle(Input::RemoteDescriptionApplied);
    assert_eq!(outputs, [Output::AddCandidate("a".into()), Output::AddCandidate("b".into())]);
    assert_eq!(session.handle(candidate("c")), [Output::AddCandidate("c".into())]);
}

#[test]
fn an_initiator_keeps_candidates_that_overtake_the_answer() {
    let mut session = start(Role::Initiator);
    let _ = session.handle(Input::LocalDescription("offer".into()));
    assert_eq!(session.handle(candidate("a")), []);
    assert_eq!(session.handle(answer()), [Output::AcceptAnswer("answer".into())]);
    let outputs = session.handle(Input::RemoteDescriptionApplied);
    assert_eq!(outputs, [Output::AddCandidate("a".into())]);
}

#[test]
fn a_candidate_before_the_offer_is_an_error() {
    let outputs = start(Role::Responder).handle(candidate("a"));
    assert_eq!(outputs, [Output::Failed(SessionError::CandidateBeforeOffer)]);
}

#[test]
fn descriptions_out_of_place_are_errors() {
    let unexpected = |kind| [Output::Failed(SessionError::Unexpected(kind))];
    assert_eq!(start(Role::Responder).handle(answer()), unexpected(MessageKind::Answer));
    assert_eq!(start(Role::Initiator).handle(answer()), unexpected(MessageKind::Answer));

    let mut session = start(Role::Responder);
    let _ = session.handle(offer());
    assert_eq!(session.handle(offer()), unexpected(MessageKind::Offer));

    let mut session = start(Role::Initiator);
    let _ = session.handle(Input::LocalDescription("offer".into()));
    assert_eq!(session.handle(offer()), unexpected(MessageKind::Offer));
}

#[test]
fn the_end_of_candidates_is_nothing_to_do() {
    let mut session = start(Role::Responder);
    let _ = session.handle(offer());
    let _ = session.handle(Input::RemoteDescriptionApplied);
    assert_eq!(session.handle(candidate("")), []);
    assert_eq!(session.handle(candidate("null")), []);
}

#[test]
fn a_session_is_established_when_the_connection_is() {
    let mut session = start(Role::Responder);
    let _ = session.handle(offer());
    let outputs = session.handle(Input::Connectivity(Connectivity::Connected));
    assert_eq!(outputs, [Output::Established]);
    assert!(session.is_done());
    assert_eq!(session.handle(Input::Timeout(Timer::Session)), []);
}

#[test]
fn a_peer_that_leaves_before_the_descriptions_has_given_up() {
    for input in [Input::SignalingClosed, Input::SignalingReset] {
        let outputs = start(Role::Responder).handle(input);
        assert_eq!(outputs, [Output::Failed(SessionError::Abandoned)]);
    }
}

#[test]
fn a_peer_that_closes_the_stream_after_the_descriptions_may_be_connected() {
    let mut session = start(Role::Responder);
    let _ = session.handle(offer());
    assert_eq!(session.handle(Input::SignalingClosed), []);
    let outputs = session.handle(Input::Connectivity(Connectivity::Connected));
    assert_eq!(outputs, [Output::Established]);
}

#[test]
fn a_broken_stream_leaves_a_connecting_session_little_time() {
    let mut session = start(Role::Responder);
    let _ = session.handle(offer());
    let outputs = session.handle(Input::SignalingReset);
    assert_eq!(outputs, [Output::SetTimer(Timer::Abandoned, ABANDONED_TIMEOUT)]);
    let outputs = session.handle(Input::Timeout(Timer::Abandoned));
    assert_eq!(outputs, [Output::Failed(SessionError::Abandoned)]);
}

#[test]
fn every_wait_has_a_timeout() {
    let mut session = start(Role::Responder);
    let outputs = session.handle(Input::Timeout(Timer::Description));
    assert_eq!(outputs, [Output::Failed(SessionError::DescriptionTimeout)]);

    let mut session = start(Role::Responder);
    let _ = session.handle(offer());
    assert_eq!(session.handle(Input::Timeout(Timer::Description)), []);
    let outputs = session.handle(Input::Timeout(Timer::Session));
    assert_eq!(outputs, [Output::Failed(SessionError::Timeout)]);
}

#[test]
fn a_talkative_peer_is_cut_off() {
    let mut session = start(Role::Responder);
    let _ = session.handle(offer());
    let outputs: Vec<Output> =
        (0..MAX_SIGNALING_MESSAGES).flat_map(|_| session.handle(candidate("a"))).collect();
    assert_eq!(outputs, [Output::Failed(SessionError::TooManyMessages)]);
}

#[test]
fn a_passing_disconnection_is_not_a_failure() {
    let mut session = start(Role::Initiator);
    assert_eq!(session.handle(Input::Connectivity(Connectivity::Disconnected)), []);
    let outputs = session.handle(Input::Connectivity(Connectivity::Failed));
    assert_eq!(outputs, [Output::Failed(SessionError::ConnectivityFailed)]);
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(offer()),
        Just(answer()),
        "[a-c]{0,2}".prop_map(|text| candidate(&text)),
        "[a-c]{1,2}".prop_map(|text| local(&text)),
        Just(Input::LocalDescription("sdp".into())),
        Just(Input::RemoteDescriptionApplied),
        Just(Input::Connectivity(Connectivity::Disconnected)),
        Just(Input::SignalingClosed),
        Just(Input::SignalingReset),
        Just(Input::Timeout(Timer::Description)),
    ]
}

proptest! {
    /// Whatever happens in whatever order: our description goes before our candidates, one
    /// description at most, remote candidates go in after the remote description only, and
    /// nothing at all follows the end.
    #[test]
    fn the_rules_of_order_hold(
        initiator in any::<bool>(),
        inputs in prop::collection::vec(input(), 0..40),
    ) {
        let role = if initiator { Role::Initiator } else { Role::Responder };
        let mut session = start(role);
        let (mut described, mut applied, mut done) = (false, false, false);
        for input in inputs {
            applied |= matches!(input, Input::RemoteDescriptionApplied);
            for output in session.handle(input) {
                prop_assert!(!done, "an output after the end: {output:?}");
                match output {
                    Output::Send(Message::Candidate(_)) => prop_assert!(described),
                    Output::Send(message) => {
                        prop_assert!(!described);
                        let kind = if initiator { MessageKind::Offer } else { MessageKind::Answer };
                        prop_assert_eq!(message.kind(), kind);
                        described = true;
                    }
                    Output::AddCandidate(_) => prop_assert!(applied),
                    Output::Failed(_) | Output::Established => done = true,
                    _ => {}
                }
            }
            prop_assert_eq!(done, session.is_done());
        }
    }
}
