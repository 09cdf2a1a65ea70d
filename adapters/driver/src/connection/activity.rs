//! When bytes last moved on a connection.

use std::{
    sync::Arc,
    task::Context,
    time::{Duration, Instant},
};

use crate::{
    runtime::Runtime,
    sync::{
        AtomicWaker,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// What the connection reports: when bytes last moved, and that it is closed.
pub(crate) struct Activity {
    runtime: Arc<dyn Runtime>,
    began: Instant,
    /// Nanoseconds from `began` to the last move.
    last: AtomicU64,
    closed: AtomicBool,
    watcher: AtomicWaker,
}

impl Activity {
    pub(super) fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self {
            began: runtime.now(),
            runtime,
            last: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            watcher: AtomicWaker::new(),
        }
    }

    pub(crate) fn touch(&self) {
        // They last for 584 years.
        let age = u64::try_from(self.age().as_nanos()).unwrap_or(u64::MAX);
        self.last.store(age, Ordering::Relaxed);
    }

    /// There is nothing left to watch.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.watcher.wake();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Wakes the task of `cx` when there is nothing left to watch.
    pub(super) fn register(&self, cx: &Context<'_>) {
        self.watcher.register(cx.waker());
    }

    pub(super) fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    pub(super) fn idle_for(&self) -> Duration {
        let last = Duration::from_nanos(self.last.load(Ordering::Relaxed));
        self.age().saturating_sub(last)
    }

    fn age(&self) -> Duration {
        self.runtime.now().duration_since(self.began)
    }
}
