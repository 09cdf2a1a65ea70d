//! The runtime: tasks and timers.

use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap},
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use futures_util::{
    future::{BoxFuture, LocalBoxFuture},
    stream::{FuturesUnordered, StreamExt},
};
use mio::{Events, Registry, Token};

use super::readiness::Source;

/// The token of [`Shared::wake_up`]; sources are counted from 0.
const WAKE_UP: Token = Token(usize::MAX);

/// An event loop on one thread: a handle to it, which works from any thread.
#[derive(Clone, Debug)]
pub struct EventLoop(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) registry: Registry,
    wake_up: mio::Waker,
    state: Mutex<State>,
}

/// What other threads may change while the loop sleeps.
#[derive(Default)]
pub(super) struct State {
    /// Not started yet.
    tasks: Vec<BoxFuture<'static, ()>>,
    /// By the time and a number of their own.
    timers: BTreeMap<(Instant, usize), Waker>,
    pub(super) sources: HashMap<Token, Weak<Source>>,
    last_number: usize,
}

/// Runs `program` and the tasks it spawns, until it ends. Tasks that are left are dropped then.
///
/// # Errors
///
/// If the system has no more descriptors, or waiting fails.
pub fn run<F: Future>(program: impl FnOnce(EventLoop) -> F) -> io::Result<F::Output> {
    let mut poll = mio::Poll::new()?;
    let shared = Arc::new(Shared {
        registry: poll.registry().try_clone()?,
        wake_up: mio::Waker::new(poll.registry(), WAKE_UP)?,
        state: Mutex::default(),
    });
    let program = program(EventLoop(shared.clone()));
    let output = Cell::new(None);
    let mut tasks = FuturesUnordered::<LocalBoxFuture<'_, ()>>::new();
    tasks.push(Box::pin(async { output.set(Some(program.await)) }));
    let waker = Waker::from(shared.clone());
    let mut events = Events::with_capacity(1024);
    loop {
        tasks.extend(shared.lock().tasks.drain(..).map(|task| task as _));
        while let Poll::Ready(Some(())) = tasks.poll_next_unpin(&mut Context::from_waker(&waker)) {}
        if let Some(output) = output.take() {
            return Ok(output);
        }
        if let Err(error) = poll.poll(&mut events, shared.until_next_timer()) {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        for event in &events {
            let source = shared.lock().sources.get(&event.token()).cloned();
            if let Some(source) = source.as_ref().and_then(Weak::upgrade) {
                source.report(event);
            }
        }
        shared.ring();
    }
}

impl EventLoop {
    pub(super) fn spawn_boxed(&self, task: BoxFuture<'static, ()>) {
        self.0.lock().tasks.push(task);
        self.0.wake_by_ref();
    }

    pub(super) fn sleep_for(&self, duration: Duration) -> Sleep {
        let number = self.0.next_number();
        Sleep {
            shared: self.0.clone(),
            key: (Instant::now() + duration, number),
        }
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_number(&self) -> usize {
        let mut state = self.lock();
        state.last_number += 1;
        state.last_number
    }

    fn until_next_timer(&self) -> Option<Duration> {
        let (time, _) = *self.lock().timers.first_key_value()?.0;
        Some(time.saturating_duration_since(Instant::now()))
    }

    /// Wakes those whose time has come.
    fn ring(&self) {
        let mut state = self.lock();
        let later = state.timers.split_off(&(Instant::now(), usize::MAX));
        let due = std::mem::replace(&mut state.timers, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
    }
}

/// Wakes the loop, from whatever thread.
impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_up.wake().expect("the loop can be woken");
    }
}

pub(super) struct Sleep {
    shared: Arc<Shared>,
    key: (Instant, usize),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.shared.lock();
        if self.key.0 <= Instant::now() {
            return Poll::Ready(());
        }
        state.timers.insert(self.key, cx.waker().clone());
        drop(state);
        self.shared.wake_by_ref(); // it may be the next to ring
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.shared.lock().timers.remove(&self.key);
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}
