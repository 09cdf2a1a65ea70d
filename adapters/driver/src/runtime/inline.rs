//! Runs a task on whichever thread wakes it: enough for tasks that only touch memory.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    mem::ManuallyDrop,
    sync::{Arc, PoisonError},
    task::{Context, Wake, Waker},
};

use super::{BoxFuture, Spawn};
use crate::sync::{
    Mutex,
    atomic::{AtomicU8, Ordering},
    thread_local,
};

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
    static HELD: Held = const {
        Held {
            holds: Cell::new(0),
            later: RefCell::new(ManuallyDrop::new(VecDeque::new())),
        }
    };
}

/// What is held on this thread. It has no destructor, so that it is there to the very end of the
/// thread: a stream may be dropped by the destructor of another local.
struct Held {
    /// How many [`Hold`]s there are.
    holds: Cell<usize>,
    /// What they hold. Invariant: while it is empty it has no memory, which would never be freed.
    later: RefCell<ManuallyDrop<VecDeque<Later>>>,
}

enum Later {
    Run(Arc<Task>),
    Wake(Waker),
}

/// Tasks that are woken on this thread meanwhile run when it ends, and so do the wakers of sockets in
/// memory.
///
/// A poll of a socket under a lock has one around it: polling wakes the other side, whose task
/// takes locks of its own and may wake this side in turn.
#[must_use]
pub(crate) struct Hold(());

impl Hold {
    #[inline]
    pub(crate) fn new() -> Self {
        HELD.with(|held| held.holds.set(held.holds.get() + 1));
        Self(())
    }
}

impl Drop for Hold {
    #[inline]
    fn drop(&mut self) {
        let one_less = OneLess;
        if HELD.with(Held::is_due) {
            release(one_less);
        }
    }
}

/// The last hold still counts while the tasks run, so that what they wake comes after them.
#[cold]
fn release(_one_less: OneLess) {
    while let Some(next) = HELD.with(Held::next) {
        match next {
            Later::Run(task) => task.run(),
            Later::Wake(waker) => waker.wake(),
        }
    }
}

/// Wakes once the locks are released under which a socket in memory is polled: a waker may run anything.
pub(crate) fn wake(waker: Waker) {
    if let Some(Later::Wake(waker)) = HELD.with(|held| held.put_off(Later::Wake(waker))) {
        waker.wake();
    }
}

impl Held {
    /// Whether the last hold ends, and something was held.
    #[inline]
    fn is_due(&self) -> bool {
        self.holds.get() == 1 && !self.later.borrow().is_empty()
    }

    /// Gives it back if nothing is held.
    fn put_off(&self, later: Later) -> Option<Later> {
        if self.holds.get() == 0 {
            return Some(later);
        }
        self.later.borrow_mut().push_back(later);
        None
    }

    fn next(&self) -> Option<Later> {
        let mut later = self.later.borrow_mut();
        let next = later.pop_front();
        if later.is_empty() {
            **later = VecDeque::new();
        }
        next
    }
}

/// Also when a task panics.
struct OneLess;

impl Drop for OneLess {
    fn drop(&mut self) {
        HELD.with(|held| held.holds.set(held.holds.get() - 1));
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::AcqRel) != IDLE {
            return; // the thread that runs it polls it once more
        }
        if let Some(Later::Run(task)) = HELD.with(|held| held.put_off(Later::Run(self))) {
            task.run();
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
