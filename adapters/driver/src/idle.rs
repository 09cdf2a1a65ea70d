//! Ending a connection on which nothing moves.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Context,
    time::{Duration, Instant},
};

use crate::{
    connection::Connection,
    runtime::{BoxFuture, Runtime},
};

/// When bytes last moved: told of each read and write that moved some.
pub(crate) struct Activity {
    runtime: Arc<dyn Runtime>,
    began: Instant,
    /// Nanoseconds from `began` to the last move.
    last: AtomicU64,
}

impl Activity {
    pub(crate) fn touch(&self) {
        // They last for 584 years.
        let age = u64::try_from(self.age().as_nanos()).unwrap_or(u64::MAX);
        self.last.store(age, Ordering::Relaxed);
    }

    fn idle_for(&self) -> Duration {
        let last = Duration::from_nanos(self.last.load(Ordering::Relaxed));
        self.age().saturating_sub(last)
    }

    fn age(&self) -> Duration {
        self.runtime.now().duration_since(self.began)
    }
}

/// Ends a connection on which nothing has moved for too long. It sleeps until that can be.
pub(crate) struct Idle {
    timeout: Duration,
    activity: Arc<Activity>,
    watch: Watch,
}

enum Watch {
    Awake,
    Asleep(BoxFuture<'static, ()>),
    Over,
}

impl Idle {
    pub(crate) fn new(timeout: Duration, runtime: Arc<dyn Runtime>) -> Self {
        let activity = Activity {
            began: runtime.now(),
            runtime,
            last: AtomicU64::new(0),
        };
        Self {
            timeout,
            activity: Arc::new(activity),
            watch: Watch::Awake,
        }
    }

    pub(crate) fn activity(&self) -> Arc<Activity> {
        self.activity.clone()
    }

    pub(crate) fn check(&mut self, connection: &Connection, cx: &mut Context<'_>) {
        loop {
            match &mut self.watch {
                Watch::Over => return,
                Watch::Awake => {}
                Watch::Asleep(timer) => {
                    if timer.as_mut().poll(cx).is_pending() {
                        return;
                    }
                }
            }
            let left = self.timeout.saturating_sub(self.activity.idle_for());
            if left.is_zero() {
                self.watch = Watch::Over;
                connection.time_out(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("nothing was read or written for {:?}", self.timeout),
                ));
            } else {
                self.watch = Watch::Asleep(self.activity.runtime.sleep(left));
            }
        }
    }
}
