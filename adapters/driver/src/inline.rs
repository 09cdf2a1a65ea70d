//! Runs a task on whichever thread wakes it: enough for tasks that only touch memory.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Wake, Waker},
};

use crate::runtime::{BoxFuture, Spawn};

const IDLE: u8 = 0;
const RUNNING: u8 = 1;
const WOKEN: u8 = 2;

/// Polls each task where it is spawned, and again in each call to its waker.
#[derive(Debug)]
pub(crate) struct Inline;

struct Task {
    /// `None` when the task has ended.
    future: Mutex<Option<BoxFuture<'static, ()>>>,
    /// `IDLE`, `RUNNING`, or `WOKEN`: running and to be polled again.
    state: AtomicU8,
}

impl Spawn for Inline {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let task = Arc::new(Task {
            future: Mutex::new(Some(task)),
            state: AtomicU8::new(IDLE),
        });
        task.wake();
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::AcqRel) != IDLE {
            return; // whoever runs it polls it once more
        }
        let waker = Waker::from(self.clone());
        loop {
            self.state.swap(RUNNING, Ordering::AcqRel);
            self.poll(&mut Context::from_waker(&waker));
            let idle =
                self.state
                    .compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire);
            if idle.is_ok() {
                return;
            }
        }
    }
}

impl Task {
    fn poll(&self, cx: &mut Context<'_>) {
        let mut future = self.future.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = &mut *future {
            if task.as_mut().poll(cx).is_ready() {
                *future = None;
            }
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}
