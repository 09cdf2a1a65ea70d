//! Small writes that wait for each other: under a cork, or while the reader has more to answer.

use std::{sync::Arc, task::Context};

use super::{
    Connection,
    sending::{Change, More},
};
use crate::sync::atomic::Ordering;

impl Connection {
    /// From now on small writes are held back, until [`uncork`](Self::uncork) was called as often.
    pub(crate) fn cork(&self) {
        self.lock().corks += 1;
    }

    pub(crate) fn uncork(self: &Arc<Self>) {
        let mut change = self.begin_change();
        let held_back = change.sending.is_held_back();
        change.sending.corks -= 1;
        // Without a reason no task is woken: a handler that waits would wake itself again and again.
        if held_back && change.sending.corks == 0 {
            self.send_in(change);
        }
    }

    /// Whether something is held back.
    #[inline]
    pub(crate) fn holds_something(&self) -> bool {
        self.holds_something.load(Ordering::Acquire)
    }

    /// Sends what is held back.
    pub(crate) fn send_held_back(self: &Arc<Self>) {
        if self.holds_something() {
            self.send_held_back_in(self.begin_change());
        }
    }

    pub(super) fn send_held_back_in(self: &Arc<Self>, change: Change<'_>) {
        if change.sending.is_held_back() {
            self.send_in(change);
        }
    }

    /// What the socket does not take at once is no longer held back.
    fn send_in(self: &Arc<Self>, mut change: Change<'_>) {
        let cx = &mut Context::from_waker(&self.waker);
        let _ = change.sending.poll_transmit(cx);
        self.finish_change(change);
    }

    /// The reader has answered, and this is whether it has more than that.
    #[inline]
    pub(crate) fn set_more_to_read(&self, more: bool) {
        if self.more_to_read.load(Ordering::Relaxed) != more {
            self.more_to_read.store(more, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn more(&self) -> More {
        match self.more_to_read.load(Ordering::Relaxed) {
            true => More::Buffered,
            false => More::Nothing,
        }
    }
}
