//! Lets other tasks run when a stream is never out of work.

use std::task::{Context, Poll};

/// How many times in a row a stream goes on without giving way: as many as tokio's budget has. At up
/// to 64 KiB each that is 8 MiB, a few milliseconds at the most.
const TURNS: u8 = 128;

/// Counts operations that did not have to wait.
///
/// Not every runtime has a budget of its own, and a try that finds the socket ready spends none of
/// it: without this, a reader that is fed as fast as it reads would keep its thread for itself.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// Invariant: at most `TURNS`.
    taken: u8,
}

impl Turns {
    /// Before an operation: pending once in a while, with the waker already called.
    pub(crate) fn poll_take(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.taken == TURNS {
            self.taken = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.taken += 1;
        Poll::Ready(())
    }

    /// The stream had to wait, so others have had their turn.
    pub(crate) fn waited(&mut self) {
        self.taken = 0;
    }
}
