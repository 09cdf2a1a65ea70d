//! The tasks that wait for the socket below TLS.

use std::{sync::Arc, task::Wake};

use crate::sync::{
    AtomicWaker,
    atomic::{AtomicBool, Ordering},
};

/// The one waker of the socket below, in whichever direction that has to wait: reading may have to
/// write and the other way round, so it wakes both.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) reader: AtomicWaker,
    pub(super) writer: AtomicWaker,
    /// Nothing was there to be read at the last poll, and this waker has not been called since. So
    /// nothing is there, and looking again would be a call of the system for nothing.
    quiet: AtomicBool,
}

impl Waiting {
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet.load(Ordering::Acquire)
    }

    /// To be called before looking, so that a wake-up meanwhile is not missed.
    pub(super) fn set_quiet(&self, quiet: bool) {
        self.quiet.store(quiet, Ordering::Release);
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.set_quiet(false);
        self.reader.wake();
        self.writer.wake();
    }
}
