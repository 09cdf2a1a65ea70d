//! Those who wait for something to change.

use std::{
    mem,
    task::{Context, Waker},
};

/// Each is here once, however often it asks.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Vec<Waker>);

impl Waiters {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add(&mut self, cx: &Context<'_>) {
        if !self.0.iter().any(|waiter| waiter.will_wake(cx.waker())) {
            self.0.push(cx.waker().clone());
        }
    }

    /// To be woken once no lock is held: a waker may run anything.
    pub(crate) fn take(&mut self) -> Self {
        mem::take(self)
    }

    pub(crate) fn wake(self) {
        self.0.into_iter().for_each(Waker::wake);
    }
}
