//! Futures polled by hand.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Drops `future` when it has been pending `times` times; `None` then. `between` is called each
/// time, before the future is dropped.
pub(crate) async fn interrupted<F: Future>(
    times: usize,
    mut between: impl FnMut(),
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|cx| {
        if let Poll::Ready(answer) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(answer));
        }
        between();
        left -= 1;
        if left == 0 {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    })
    .await
}

/// How often `future` has to be polled until it is done.
pub(crate) async fn count_polls(future: impl Future<Output = ()>) -> usize {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        future.as_mut().poll(cx)
    })
    .await;
    polls
}

/// Polls `future` once, with a waker that does nothing, and drops it.
pub(crate) fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A waker that remembers whether it was called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alarm(Arc<Bell>);

#[derive(Debug, Default)]
struct Bell(AtomicBool);

impl Alarm {
    /// Polls `future` once, with this waker, and drops it.
    pub(crate) fn poll<F: Future>(&self, future: F) -> Poll<F::Output> {
        pin!(future).poll(&mut Context::from_waker(&Waker::from(self.0.clone())))
    }

    pub(crate) fn has_rung(&self) -> bool {
        self.0.0.load(Ordering::Acquire)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Lets others run.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn three_yields() -> u8 {
        yield_now().await;
        yield_now().await;
        yield_now().await;
        7
    }

    #[test]
    fn an_interrupted_future_is_dropped_at_the_given_poll() {
        for (times, answer, pending) in [(1, None, 1), (3, None, 3), (4, Some(7), 3)] {
            let mut count = 0;
            let got = smol::block_on(interrupted(times, || count += 1, three_yields()));
            assert_eq!((got, count), (answer, pending));
        }
    }

    #[test]
    fn polls_are_counted() {
        let work = async {
            three_yields().await;
        };
        assert_eq!(smol::block_on(count_polls(work)), 4);
    }

    #[test]
    fn an_alarm_rings_when_it_is_woken() {
        let alarm = Alarm::default();
        assert!(alarm.poll(std::future::pending::<()>()).is_pending());
        assert!(!alarm.has_rung());
        assert!(alarm.poll(yield_now()).is_pending());
        assert!(alarm.has_rung());
    }

    #[test]
    fn polling_once_does_not_wait() {
        assert_eq!(poll_once(three_yields()), Poll::Pending);
        assert_eq!(poll_once(async { 7 }), Poll::Ready(7));
    }
}
