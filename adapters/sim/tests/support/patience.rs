//! Giving up.

use std::{future::poll_fn, pin::pin, task::Poll};

/// Polls a future so many times, and gives it up if that is not enough; 0 is for ever.
pub(crate) async fn given_up<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polled = 0;
    poll_fn(|cx| {
        polled += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polled == polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
