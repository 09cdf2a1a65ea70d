//! What threads meet at: the standard library's, or, with `--cfg millpond_shuttle`, that of shuttle, which
//! runs a test under one schedule after the other.
//!
//! Whatever several threads look at goes through here. `Arc` is the standard library's in both cases:
//! what matters of counting is the lock or the atomic beside it.

#[cfg(not(millpond_shuttle))]
pub(crate) use {
    futures_util::task::AtomicWaker,
    std::{
        sync::{Mutex, MutexGuard, atomic},
        thread_local,
    },
};

#[cfg(millpond_shuttle)]
pub(crate) use {
    explored::AtomicWaker,
    shuttle::{
        sync::{Mutex, MutexGuard, atomic},
        thread_local,
    },
};

#[cfg(millpond_shuttle)]
mod explored {
    use std::{mem, sync::PoisonError, task::Waker};

    use super::Mutex;

    /// That of `futures_util`, with places where another thread may come first.
    #[derive(Debug, Default)]
    pub(crate) struct AtomicWaker(Mutex<Option<Waker>>);

    impl AtomicWaker {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        pub(crate) fn register(&self, waker: &Waker) {
            drop(self.exchange(Some(waker.clone())));
        }

        pub(crate) fn wake(&self) {
            if let Some(waker) = self.take() {
                waker.wake();
            }
        }

        pub(crate) fn take(&self) -> Option<Waker> {
            self.exchange(None)
        }

        /// The lock is released when this returns: a waker may run anything.
        fn exchange(&self, waker: Option<Waker>) -> Option<Waker> {
            let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            mem::replace(&mut *place, waker)
        }
    }
}
