//! Runs a world to its end.

use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use millpond::adapter::BoxFuture;

use crate::{
    host::{current::Entered, host::Host, world::World},
    picture::picture::Picture,
    settings::Settings,
    struck::Cause,
    time::nanos,
    trace::{event::Event, origin::Origin, trace::Trace, watched::Watched},
    world::{
        clock::Due,
        shared::Shared,
        state::{Phase, State},
        stuck::{Waiting, leaks},
        task::{ROOT, Ready, Slot},
    },
};

/// How the message of a world begins in which nothing can happen.
pub(crate) const STUCK: &str = "nothing can ever happen any more";

/// How that of a world begins in which something happens for ever.
pub(crate) const ENDLESS: &str = "there is no end";

/// How that of a world begins whose server's handler has panicked.
pub(crate) const CAUGHT: &str = "a server has caught a panic";

/// The outcome of a world, from [`Sim::record`](crate::Sim::record).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use millpond_sim::{Sim, world};
///
/// let run = Sim::new(1).record(async {
///     world().sleep(Duration::from_secs(5)).await;
///     42
/// });
/// assert_eq!(run.output.unwrap(), 42);
/// assert_eq!(run.elapsed, Duration::from_secs(5));
/// assert!(run.leaks.is_empty());
/// ```
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "a world that got stuck is no panic here"]
pub struct Run<T> {
    /// The program's output, if it ended.
    pub output: Result<T, Stuck>,
    /// How old the world became, by its own clock.
    pub elapsed: Duration,
    /// How often a task was polled.
    pub polls: u64,
    /// How many faults have happened, planned and random ones: a test of a fault that never happens
    /// tests nothing.
    pub faults: u64,
    /// What happened.
    pub trace: Trace,
    /// The tasks that had not ended when the program did, and the ends of connections that were not
    /// closed, a line each. With [`Sim::no_leaks`](crate::Sim::no_leaks) they had time to do so. They are
    /// no failure here: the caller decides.
    pub leaks: Vec<String>,
    /// Reports a failure if a panic drops the run.
    watched: Watched,
}

impl<T> Run<T> {
    /// What happened, as a diagram, if it was [kept](crate::Sim::keep_picture).
    ///
    /// See [`Picture`] for an example.
    pub fn picture(&self) -> Option<Picture> {
        self.watched.picture()
    }
}

/// A world in which nothing can ever happen any more, or in which something happens for ever.
///
/// Its `Display` says which tasks wait for what. A program that waits for a thread of its own needs
/// [`Sim::other_threads`](crate::Sim::other_threads).
///
/// # Examples
///
/// ```
/// use millpond_sim::{Sim, open_connection, start_server};
///
/// let run = Sim::new(1).record(async {
///     let server = start_server("127.0.0.1:7", async |mut reader, _writer| {
///         reader.read(1).await.map(drop) // waits for the client
///     });
///     let server = server.await.unwrap();
///     let (mut reader, _writer) = open_connection(&server.sockets()[0]).await.unwrap();
///     reader.read_line().await.unwrap(); // waits for the server
/// });
/// let stuck = run.output.unwrap_err().to_string();
/// assert!(stuck.contains("the main task waits to read as the client of connection 1"), "{stuck}");
/// ```
#[derive(Clone, Debug)]
pub struct Stuck(String);

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Stuck {}

/// What is done next.
enum Next {
    Root,
    Task(usize, BoxFuture<'static, ()>, Waker),
    Due(Due),
    /// A server has caught it, and the world is to fail.
    Panic(String),
    Nothing,
    TooMuch,
}

/// A world, and the thread that runs it.
struct Executor {
    shared: Arc<Shared>,
    entered: Entered,
    /// By the index that is due; `None` is done.
    actions: Vec<Option<Action>>,
    polls: u64,
    max_polls: u64,
}

/// What the program wants done at a time.
pub(crate) type Action = Box<dyn FnOnce(&World) + Send>;

/// Runs a future in a new world.
pub(crate) fn run<F: Future>(
    settings: Settings,
    origin: Origin,
    actions: Vec<(Duration, Action)>,
    future: Pin<&mut F>,
) -> Run<F::Output> {
    let ready = Arc::new(Ready::new(settings.other_threads.is_some()));
    let mut max_polls = settings.max_polls;
    if let Some(again) = &origin.again {
        max_polls = max_polls.min(again.max_polls);
    }
    let mut state = State::new(settings, origin);
    let root = Slot::new(&ready, ROOT, 0, 0, None);
    root.waker.wake_task();
    state.tasks.push(root);
    for (index, (time, _)) in actions.iter().enumerate() {
        state.clock.add_timer(nanos(*time), Due::Action(index));
    }
    let shared = Arc::new(Shared::new(state, ready));
    let mut executor = Executor {
        entered: Entered::new(Host::new(shared.clone(), 0)),
        shared,
        actions: actions.into_iter().map(|(_, it)| Some(it)).collect(),
        polls: 0,
        max_polls,
    };
    let result = catch_unwind(AssertUnwindSafe(|| executor.run(future)));
    match result {
        Ok(run) => run,
        Err(payload) => {
            // It reports the failure when this panic drops it.
            let _watched = executor.shared.lock().watched.take();
            executor.end();
            resume_unwind(payload);
        }
    }
}

impl Executor {
    fn run<F: Future>(&mut self, future: Pin<&mut F>) -> Run<F::Output> {
        let output = self.run_root(future);
        let (no_leaks, now) = {
            let mut state = self.shared.lock();
            state.tasks[ROOT].alive = false;
            (state.settings.no_leaks, state.clock.now)
        };
        if no_leaks && output.is_ok() {
            self.settle();
        }
        let (leaks, watched) = {
            let mut state = self.shared.lock();
            (leaks(&state), state.watched.take())
        };
        let run = Run {
            output,
            elapsed: Duration::from_nanos(now),
            polls: self.polls,
            faults: watched.trace().faults(),
            trace: watched.trace().clone(),
            leaks,
            watched,
        };
        self.end();
        run
    }

    /// Goes on until nothing can happen any more.
    fn settle(&mut self) {
        loop {
            match self.step(&mut || true) {
                Step::Done => {}
                Step::Idle if self.has_live_tasks() && self.wait_for_other_threads() => {}
                Step::Idle | Step::TooMuch => return,
            }
        }
    }

    fn has_live_tasks(&self) -> bool {
        self.shared.lock().live_tasks().next().is_some()
    }

    fn run_root<F: Future>(&mut self, mut future: Pin<&mut F>) -> Result<F::Output, Stuck> {
        let waker = Waker::from(self.shared.lock().tasks[ROOT].waker.clone());
        let mut cx = Context::from_waker(&waker);
        let mut output = None;
        loop {
            let mut poll_root = || match future.as_mut().poll(&mut cx) {
                Poll::Ready(ended) => {
                    output = Some(ended);
                    true
                }
                Poll::Pending => false,
            };
            match self.step(&mut poll_root) {
                Step::Done => {}
                Step::Idle if self.wait_for_other_threads() => {}
                Step::Idle => return Err(self.stuck(STUCK)),
                Step::TooMuch => {
                    return Err(self.stuck(&format!("{ENDLESS} after {} polls", self.polls)));
                }
            }
            if let Some(output) = output.take() {
                return Ok(output);
            }
        }
    }

    fn step(&mut self, poll_root: &mut dyn FnMut() -> bool) -> Step {
        match self.next() {
            Next::Root => {
                let ended = poll_root();
                self.after_root(ended);
            }
            Next::Task(place, mut future, waker) => {
                let ended = future
                    .as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_ready();
                self.after_task(place, future, waker, ended);
            }
            Next::Due(Due::Wake(waker)) => waker.wake(),
            Next::Due(Due::Arrival(number, side)) => {
                self.shared.lock().deliver(number, side);
            }
            Next::Due(Due::Fault(number, direction, fault)) => {
                let side = direction.writer();
                let mut state = self.shared.lock();
                state.apply_after(number, side, 0, fault, Cause::Chance);
            }
            Next::Due(Due::Outage(hosts, begins)) => {
                self.shared.lock().set_outage(hosts, begins);
            }
            Next::Due(Due::Action(index)) => {
                self.entered.go_to(0);
                if let Some(action) = self.actions[index].take() {
                    action(&World {
                        shared: self.shared.clone(),
                    });
                }
            }
            Next::Panic(message) => panic!("{CAUGHT}: {message}"),
            Next::Nothing => return Step::Idle,
            Next::TooMuch => return Step::TooMuch,
        }
        Step::Done
    }

    /// What is due comes before what is ready, and what is ready before time goes on.
    fn next(&mut self) -> Next {
        let mut state = self.shared.lock();
        let state = &mut *state;
        if let Some(message) = state.caught_panic.take() {
            return Next::Panic(message);
        }
        loop {
            if let Some(due) = state.clock.next_due() {
                return Next::Due(due);
            }
            let Some(place) = state.pick(&self.shared.ready) else {
                if state.clock.skip_to_next_timer() {
                    continue;
                }
                return Next::Nothing;
            };
            if self.polls == self.max_polls {
                return Next::TooMuch;
            }
            let slot = &mut state.tasks[place];
            let number = slot.number;
            let host = slot.host;
            let next = match slot.work.take() {
                _ if place == ROOT && slot.alive => Next::Root,
                Some((future, waker)) => Next::Task(place, future, waker),
                None => continue, // woken too late
            };
            self.polls += 1;
            state.waits.clear();
            state.clock.spend_time();
            state.note(Event::Polled(number));
            state.wake_spuriously();
            state.draw_jump();
            self.entered.go_to(host);
            return next;
        }
    }

    fn after_root(&self, ended: bool) {
        let mut state = self.shared.lock();
        let state = &mut *state;
        if ended {
            state.note(Event::Ended(0));
        } else {
            mem::swap(&mut state.tasks[ROOT].waits, &mut state.waits);
        }
    }

    fn after_task(&self, place: usize, future: BoxFuture<'static, ()>, waker: Waker, ended: bool) {
        let mut state = self.shared.lock();
        let state = &mut *state;
        let slot = &mut state.tasks[place];
        if !ended && slot.alive {
            slot.work = Some((future, waker));
            mem::swap(&mut slot.waits, &mut state.waits);
            return;
        }
        slot.alive = false;
        let number = slot.number;
        state.free_tasks.push(place);
        state.note(Event::Ended(number));
    }

    /// Whether there may be something to do that no task of the world has woken.
    fn wait_for_other_threads(&self) -> bool {
        let Some(time) = self.shared.lock().settings.other_threads else {
            return false;
        };
        let until = Instant::now() + time;
        while self.shared.ready.queue().is_empty() {
            // The tasks of this thread have called it, too, so it may end at once.
            thread::park_timeout(until.saturating_duration_since(Instant::now()));
            if Instant::now() >= until {
                break;
            }
        }
        !self.shared.ready.queue().is_empty()
    }

    fn stuck(&self, why: &str) -> Stuck {
        let state = self.shared.lock();
        Stuck(format!("{why}; {}", Waiting(&state)))
    }

    /// Drops everything that is left, which may spawn, write and wake.
    fn end(&mut self) {
        self.shared.lock().phase = Phase::Ended;
        loop {
            let mut state = self.shared.lock();
            let work: Vec<_> = state
                .tasks
                .iter_mut()
                .filter_map(|slot| slot.work.take())
                .collect();
            let timers = state.clock.take_timers();
            let wakers = state.take_wakers();
            drop(state);
            let actions = mem::take(&mut self.actions);
            if work.is_empty() && timers.is_empty() && wakers.is_empty() && actions.is_empty() {
                return;
            }
            drop((work, timers, actions, wakers));
        }
    }
}

enum Step {
    Done,
    /// Nothing is left to do.
    Idle,
    TooMuch,
}
