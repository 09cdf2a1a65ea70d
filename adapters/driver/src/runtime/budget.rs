//! A cooperative budget: lets other tasks run when a stream never has to wait.

use std::task::{Context, Poll};

/// How many operations in a row a stream does before it yields: as many as tokio's budget has. At up
/// to 64 KiB each that is 8 MiB, a few milliseconds at the most.
const BUDGET: u8 = 128;

/// Counts operations that did not have to wait.
///
/// Not every runtime has a budget of its own, and a try that finds the socket ready spends none of
/// it: without this, a reader whose data arrives as fast as it reads would starve the other tasks of
/// its thread.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// Invariant: at most `BUDGET`.
    spent: u8,
}

impl Budget {
    /// Before an operation: pending if the budget is spent, with the waker already called.
    pub(crate) fn poll_proceed(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.spend() {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Before an operation: false if the caller has to yield, with its waker called once no lock is held.
    pub(crate) fn spend(&mut self) -> bool {
        if self.spent == BUDGET {
            self.spent = 0;
            return false;
        }
        self.spent += 1;
        true
    }

    /// The stream had to wait, so other tasks could run.
    pub(crate) fn reset(&mut self) {
        self.spent = 0;
    }
}
