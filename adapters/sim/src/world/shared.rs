//! The one lock of a world, and its queue of tasks beside it.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use crate::world::{deferred::Deferred, state::State, task::Ready};

/// What belongs to one world.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) ready: Arc<Ready>,
}

impl Shared {
    pub(crate) fn new(state: State, ready: Arc<Ready>) -> Self {
        Self {
            state: Mutex::new(state),
            ready,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A program that panics while it holds the lock harms only itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something under the lock, and what it defers without.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State, &mut Deferred) -> T) -> T {
        let mut deferred = Deferred::default();
        let result = work(&mut self.lock(), &mut deferred);
        deferred.run();
        result
    }

    pub(crate) fn now(&self) -> Instant {
        epoch() + Duration::from_nanos(self.lock().clock.now)
    }
}

/// What the time of every world begins with. Only differences of it mean anything.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}
