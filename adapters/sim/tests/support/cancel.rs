//! Cancelling a future after some polls.

use std::{future::poll_fn, pin::pin, task::Poll};

/// Drops a future that is not ready after this many polls; 0 is never.
pub(crate) async fn cancel_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    CancelOne::new(polls).run(future).await
}

/// Cancels one of many futures: the one that is pending when that has happened this often.
pub(crate) struct CancelOne {
    /// How often it may happen before; 0 is never.
    left: usize,
}

impl CancelOne {
    pub(crate) fn new(polls: usize) -> Self {
        Self { left: polls }
    }

    /// `None` if it is the one that is cancelled.
    pub(crate) async fn run<F: Future>(&mut self, future: F) -> Option<F::Output> {
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
