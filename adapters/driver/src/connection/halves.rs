//! How many halves of a stream there are.

use std::task::{Context, Poll};

use crate::sync::{
    AtomicWaker,
    atomic::{AtomicUsize, Ordering},
};

/// The last one to go closes the stream.
pub(super) struct Halves {
    left: AtomicUsize,
    /// The task that waits for the last one, if there is one.
    waiter: AtomicWaker,
}

impl Halves {
    pub(super) fn both() -> Self {
        Self {
            left: AtomicUsize::new(2),
            waiter: AtomicWaker::new(),
        }
    }

    /// Whether it was the last.
    pub(super) fn drop_one(&self) -> bool {
        self.left.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// The last one is gone, and what follows from that is done.
    pub(super) fn wake(&self) {
        self.waiter.wake();
    }

    /// Waits until none is left. There is one task that does.
    pub(super) fn poll_gone(&self, cx: &Context<'_>) -> Poll<()> {
        // Before looking, so that dropping in between wakes.
        self.waiter.register(cx.waker());
        match self.left.load(Ordering::Acquire) {
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}
