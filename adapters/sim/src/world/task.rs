//! A task, and the queue of tasks that were woken.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
    thread::{self, Thread},
};

use millpond::adapter::BoxFuture;

use crate::trace::event::End;

/// The task that [`Sim::run`](crate::Sim::run) itself is.
pub(crate) const ROOT: usize = 0;

/// A place for a task.
pub(crate) struct Slot {
    /// Given once; 0 is that of [`ROOT`].
    pub(crate) number: u64,
    pub(crate) host: u32,
    /// Taken out while it runs.
    pub(crate) work: Option<(BoxFuture<'static, ()>, Waker)>,
    pub(crate) waker: Arc<TaskWaker>,
    /// What it found to be not ready when it last ran.
    pub(crate) waits: Vec<Wait>,
    pub(crate) alive: bool,
}

/// What a task waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wait {
    Accept(usize),
    Connect(u32),
    Read(End),
    Sleep(u64),
    Write(End),
}

/// The tasks that were woken. Wakers know only this, so that they can be called under any lock.
pub(crate) struct Ready {
    queue: Mutex<VecDeque<usize>>,
    /// The thread that runs the tasks, if other threads may wake them.
    executor: Option<Thread>,
}

/// Wakes one task.
pub(crate) struct TaskWaker {
    ready: Arc<Ready>,
    task: usize,
    /// Whether it is in the queue.
    queued: AtomicBool,
}

impl Ready {
    /// For tasks that run on this thread.
    pub(crate) fn new(other_threads: bool) -> Self {
        Self {
            queue: Mutex::default(),
            executor: other_threads.then(thread::current),
        }
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, VecDeque<usize>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TaskWaker {
    fn new(ready: Arc<Ready>, task: usize) -> Self {
        Self {
            ready,
            task,
            queued: AtomicBool::new(false),
        }
    }

    pub(crate) fn wake_task(&self) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.ready.queue().push_back(self.task);
            if let Some(executor) = &self.ready.executor {
                executor.unpark();
            }
        }
    }

    /// The task was taken out of the queue.
    pub(super) fn reset(&self) {
        self.queued.swap(false, Ordering::AcqRel); // what was done before the wake-up is seen
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_task();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_task();
    }
}

impl Slot {
    pub(crate) fn new(
        ready: &Arc<Ready>,
        place: usize,
        number: u64,
        host: u32,
        future: Option<BoxFuture<'static, ()>>,
    ) -> Self {
        let waker = Arc::new(TaskWaker::new(ready.clone(), place));
        Self {
            number,
            host,
            work: future.map(|future| (future, Waker::from(waker.clone()))),
            waker,
            waits: Vec::new(),
            alive: true,
        }
    }
}
