//! Ending a connection on which nothing moves.

use std::{
    future::poll_fn,
    io,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use super::{Connection, activity::Activity, ending::Failure};
use crate::runtime::{BoxFuture, Runtime};

/// How long a handler whose connection was ended may take to end by itself, at the most.
const GRACE: Duration = Duration::from_secs(1);

/// Ends a connection on which nothing has moved for too long. It sleeps until that can be.
pub(crate) struct Idle {
    timeout: Duration,
    activity: Arc<Activity>,
    watch: Watch,
}

enum Watch {
    Awake,
    /// Until the connection can be idle.
    Asleep(BoxFuture<'static, ()>),
    /// It was idle and is ended. Until its handler must have ended, too.
    Grace(BoxFuture<'static, ()>),
    Over,
}

impl Idle {
    pub(crate) fn new(timeout: Duration, runtime: Arc<dyn Runtime>) -> Self {
        Self {
            timeout,
            activity: Arc::new(Activity::new(runtime)),
            watch: Watch::Awake,
        }
    }

    pub(crate) fn activity(&self) -> Arc<Activity> {
        self.activity.clone()
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Watches a connection for as long as it is not closed, in a task of its own.
    pub(crate) fn spawn(mut self, connection: &Arc<Connection>) {
        let connection = Arc::downgrade(connection);
        let runtime = self.activity.runtime().clone();
        runtime.spawn(Box::pin(poll_fn(move |cx| {
            self.poll_closed(&connection, cx)
        })));
    }

    fn poll_closed(&mut self, connection: &Weak<Connection>, cx: &mut Context<'_>) -> Poll<()> {
        // Before looking, so that closing in between wakes.
        self.activity.register(cx);
        match connection.upgrade() {
            Some(connection) if !self.activity.is_closed() => {
                let _ = self.poll(&connection, cx); // there is no handler
                Poll::Pending
            }
            Some(_) | None => Poll::Ready(()),
        }
    }

    /// Ends the connection once it is idle. Ready when that was so long ago that its handler must have
    /// ended, too.
    pub(crate) fn poll(&mut self, connection: &Connection, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut self.watch {
                Watch::Over => return Poll::Ready(()),
                Watch::Awake => {}
                Watch::Asleep(timer) => match timer.as_mut().poll(cx) {
                    Poll::Ready(()) => {}
                    Poll::Pending => return Poll::Pending,
                },
                Watch::Grace(timer) => {
                    if timer.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.watch = Watch::Over;
                    continue;
                }
            }
            if self.activity.is_closed() {
                return Poll::Pending; // by others, who may go on
            }
            let left = self.timeout.saturating_sub(self.activity.idle_for());
            if left.is_zero() {
                let grace = self.timeout.min(GRACE);
                self.watch = Watch::Grace(self.activity.runtime().sleep(grace));
                connection.fail(Failure::Idle(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!(
                        "idle timeout: nothing was read or written for {:?}",
                        self.timeout
                    ),
                )));
            } else {
                self.watch = Watch::Asleep(self.activity.runtime().sleep(left));
            }
        }
    }
}
