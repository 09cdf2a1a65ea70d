//! Giving up.

use std::{future::poll_fn, pin::pin, task::Poll};

/// Polls a future so many times, and gives it up if that is not enough; 0 is for ever.
pub(crate) async fn given_up<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    Patience::new(polls).wait(future).await
}

/// Gives up one of many futures: the one that is not ready when that has happened so often.
pub(crate) struct Patience {
    /// How often it may happen before; 0 is for ever.
    left: usize,
}

impl Patience {
    pub(crate) fn new(polls: usize) -> Self {
        Self { left: polls }
    }

    /// `None` if it is the one that is given up.
    pub(crate) async fn wait<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.ends() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    fn ends(&mut self) -> bool {
        let last = self.left == 1;
        self.left = self.left.saturating_sub(1);
        last
    }
}
