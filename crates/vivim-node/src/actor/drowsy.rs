//! A stream that sleeps until it is woken or touched.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures::{Stream, StreamExt, task::AtomicWaker};

/// A stream within a larger poll function, which wakes for much that is none of the stream's concern:
/// a letter moves between a replica and a stream's tasks, and asking a swarm with all of its behaviours
/// whether it has news takes longer than everything else that is done for the letter.
///
/// Like any stream it may be changed between two polls, so whoever borrows it mutably wakes it.
#[derive(Debug)]
pub(super) struct Drowsy<S> {
    stream: S,
    alarm: Arc<Alarm>,
    waker: Waker,
    touched: bool,
}

#[derive(Debug, Default)]
struct Alarm {
    has_rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl<S: Stream + Unpin> Drowsy<S> {
    pub(super) fn new(stream: S) -> Self {
        let alarm = Arc::<Alarm>::default();
        let waker = Waker::from(Arc::clone(&alarm));
        Self { stream, alarm, waker, touched: true }
    }

    /// The next item, if the stream was woken or touched since it had none.
    pub(super) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<S::Item>> {
        // First, so that no alarm is missed in between.
        self.alarm.task.register(cx.waker());
        let has_rung = self.alarm.has_rung.swap(false, Ordering::Acquire);
        if !std::mem::take(&mut self.touched) && !has_rung {
            return Poll::Pending;
        }
        self.ask()
    }

    // Rare: see `Actor::round`.
    #[inline(never)]
    fn ask(&mut self) -> Poll<Option<S::Item>> {
        let polled = self.stream.poll_next_unpin(&mut Context::from_waker(&self.waker));
        // There may be more.
        self.touched = polled.is_ready();
        polled
    }
}

impl<S> Deref for Drowsy<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.stream
    }
}

impl<S> DerefMut for Drowsy<S> {
    fn deref_mut(&mut self) -> &mut S {
        self.touched = true;
        &mut self.stream
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::Pin, sync::atomic::AtomicUsize};

    use futures::task::noop_waker;

    use super::*;

    /// Counts how often it is asked, and gives what was put into it.
    #[derive(Debug, Default)]
    struct Asked {
        times: usize,
        items: Vec<u8>,
        waker: Option<Waker>,
    }

    impl Stream for Asked {
        type Item = u8;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u8>> {
            self.times += 1;
            self.waker = Some(cx.waker().clone());
            self.items.pop().map_or(Poll::Pending, |item| Poll::Ready(Some(item)))
        }
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn it_is_asked_at_first_and_then_only_when_woken() {
        let mut stream = Drowsy::new(Asked::default());
        let outer = Arc::<Count>::default();
        let waker = Waker::from(Arc::clone(&outer));
        let cx = Context::from_waker(&waker);
        for _ in 0..3 {
            assert!(stream.poll_next(&cx).is_pending());
        }
        assert_eq!(stream.times, 1);
        stream.stream.waker.clone().unwrap().wake();
        assert_eq!(outer.0.load(Ordering::SeqCst), 1, "the whole is woken");
        for _ in 0..3 {
            assert!(stream.poll_next(&cx).is_pending());
        }
        assert_eq!(stream.times, 2);
    }

    #[test]
    fn who_touches_it_wakes_it_and_it_is_asked_until_it_has_no_more() {
        let mut stream = Drowsy::new(Asked::default());
        let waker = noop_waker();
        let cx = Context::from_waker(&waker);
        assert!(stream.poll_next(&cx).is_pending());
        stream.items.extend([2, 1]);
        assert_eq!(stream.poll_next(&cx), Poll::Ready(Some(1)));
        assert_eq!(stream.poll_next(&cx), Poll::Ready(Some(2)));
        assert!(stream.poll_next(&cx).is_pending());
        assert!(stream.poll_next(&cx).is_pending());
        assert_eq!(stream.times, 4);
    }
}
