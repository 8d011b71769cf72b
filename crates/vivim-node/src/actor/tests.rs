use futures::{channel::mpsc, future::poll_fn};

use super::*;

#[tokio::test]
async fn nothing_is_taken_from_the_network_while_the_application_is_behind_with_its_events() {
    let (_handle, commands) = mpsc::channel(1);
    let (events, mut heard) = mpsc::channel(0);
    let mut actor = Actor::new(Config::default(), commands, events).unwrap().0;
    actor.swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    (actor.running, actor.stale) = (true, false);
    for _ in 0..=limits::EVENT_QUEUE {
        actor.emit(Event::Warning { code: WarningCode::ListenFailed, message: String::new() });
    }

    // The address is news of the network, and it waits.
    for _ in 0..100 {
        poll_fn(|cx| {
            actor.deliver(cx);
            actor.round(cx);
            Poll::Ready(())
        })
        .await;
        tokio::task::yield_now().await;
    }
    assert!(!actor.stale);
    assert!(actor.outbox.len() >= limits::EVENT_QUEUE);

    // Until the application has caught up.
    poll_fn(|cx| {
        while let Poll::Ready(Some(_)) = heard.poll_next_unpin(cx) {
            actor.deliver(cx);
        }
        actor.deliver(cx);
        if actor.round(cx) {
            cx.waker().wake_by_ref();
        }
        if actor.stale { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
