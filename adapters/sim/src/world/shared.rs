//! The one lock of a world, and its queue of tasks beside it.

use std::{
    mem,
    ops::{Deref, DerefMut},
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

    pub(crate) fn lock(&self) -> Locked<'_> {
        Locked {
            // A program that panics while it holds the lock harms only itself.
            state: self.state.lock().unwrap_or_else(PoisonError::into_inner),
            deferred: None,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        epoch() + Duration::from_nanos(self.lock().clock.now)
    }

    /// By the clock of a host.
    pub(crate) fn now_on(&self, host: u32) -> Instant {
        let state = self.lock();
        epoch() + Duration::from_nanos(state.settings.time_on(host, state.clock.now))
    }
}

/// The state, until this is dropped. That releases the lock, and then does what was deferred.
pub(crate) struct Locked<'a> {
    // The order of these two is the order in which they are dropped.
    state: MutexGuard<'a, State>,
    deferred: Option<Deferred>,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if !self.state.deferred.is_empty() {
            self.deferred = Some(mem::take(&mut self.state.deferred));
        }
    }
}

/// What the time of every world begins with. Only differences of it mean anything.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}
