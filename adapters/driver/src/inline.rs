//! Runs a task on whichever thread wakes it: enough for tasks that only touch memory.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
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

thread_local! {
    /// How many [`Hold`]s there are on this thread.
    static HELD: Cell<usize> = const { Cell::new(0) };
    /// What they hold.
    static LATER: RefCell<VecDeque<Arc<Task>>> = const { RefCell::new(VecDeque::new()) };
}

/// Tasks that are woken on this thread meanwhile run when it ends.
///
/// Whoever polls a socket under a lock has one around it: polling wakes the other side, whose task
/// takes locks of its own and may wake this side in turn.
#[must_use]
pub(crate) struct Hold(());

impl Hold {
    pub(crate) fn new() -> Self {
        HELD.with(|held| held.set(held.get() + 1));
        Self(())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // It still counts while the tasks run, so that what they wake comes after them.
        let _one_less = OneLess;
        if HELD.with(Cell::get) == 1 {
            while let Some(task) = next() {
                task.run();
            }
        }
    }
}

/// `None` as well where the thread ends, which keeps nothing for later.
fn next() -> Option<Arc<Task>> {
    let next = LATER.try_with(|later| later.borrow_mut().pop_front());
    next.ok().flatten()
}

/// Also when a task panics.
struct OneLess;

impl Drop for OneLess {
    fn drop(&mut self) {
        HELD.with(|held| held.set(held.get() - 1));
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::AcqRel) != IDLE {
            return; // whoever runs it polls it once more
        }
        if HELD.with(Cell::get) == 0 {
            return self.run();
        }
        let later = self.clone();
        if LATER
            .try_with(|held| held.borrow_mut().push_back(later))
            .is_err()
        {
            self.run();
        }
    }
}

impl Task {
    /// Until it is not woken any more.
    fn run(self: Arc<Self>) {
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
