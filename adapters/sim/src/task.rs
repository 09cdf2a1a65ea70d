//! Tasks, and the queue of those that are to run.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use millpond::BoxFuture;

use crate::{
    trace::{End, Event},
    world::State,
};

/// The task that [`Sim::run`](crate::Sim::run) itself is.
pub(crate) const ROOT: usize = 0;

/// A place for a task.
pub(crate) struct Slot {
    /// Given once; 0 is that of [`ROOT`].
    pub(crate) number: u64,
    pub(crate) host: u32,
    /// Taken out while it runs.
    pub(crate) work: Option<(BoxFuture<'static, ()>, Waker)>,
    pub(crate) alarm: Arc<Alarm>,
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
    /// The thread that runs the tasks, if others may wake them.
    driver: Option<Thread>,
}

/// Wakes one task.
pub(crate) struct Alarm {
    ready: Arc<Ready>,
    task: usize,
    /// Whether it is in the queue.
    rung: AtomicBool,
}

impl Ready {
    /// For tasks that run on this thread.
    pub(crate) fn new(other_threads: bool) -> Self {
        Self {
            queue: Mutex::default(),
            driver: other_threads.then(thread::current),
        }
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, VecDeque<usize>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alarm {
    fn new(ready: Arc<Ready>, task: usize) -> Self {
        Self {
            ready,
            task,
            rung: AtomicBool::new(false),
        }
    }

    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.ready.queue().push_back(self.task);
            if let Some(driver) = &self.ready.driver {
                driver.unpark();
            }
        }
    }

    /// It was taken out of the queue.
    pub(crate) fn reset(&self) {
        self.rung.swap(false, Ordering::AcqRel); // what was done before it rang is seen
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

impl State {
    /// Gives the task back if the world has ended.
    pub(crate) fn spawn(
        &mut self,
        ready: &Arc<Ready>,
        host: u32,
        task: BoxFuture<'static, ()>,
    ) -> Result<(), BoxFuture<'static, ()>> {
        if self.ended {
            return Err(task);
        }
        let number = self.next_task;
        self.next_task += 1;
        self.note(Event::Spawned(number, host));
        let place = self.free_tasks.pop().unwrap_or(self.tasks.len());
        let slot = Slot::new(ready, place, number, host, Some(task));
        slot.alarm.ring();
        if place == self.tasks.len() {
            self.tasks.push(slot);
        } else {
            self.tasks[place] = slot;
        }
        Ok(())
    }

    /// Takes one of the woken tasks, by chance unless they are to run in order.
    pub(crate) fn pick(&mut self, ready: &Ready) -> Option<usize> {
        let mut queue = ready.queue();
        let index = match self.settings.in_order {
            true => 0,
            false => self.choices.index(queue.len()),
        };
        // The first one is the one that has waited longest, so that nobody waits for ever when there
        // are no choices left.
        let task = queue.swap_remove_front(index);
        drop(queue);
        if let Some(task) = task {
            self.tasks[task].alarm.reset();
        }
        task
    }

    /// Wakes somebody for no reason, now and then.
    pub(crate) fn wake_somebody(&mut self) {
        if self.choices.one_in(self.settings.spurious_wakeups) {
            let index = self.choices.index(self.tasks.len());
            let slot = &self.tasks[index];
            if slot.alive {
                slot.alarm.ring();
            }
        }
    }

    /// Ends all tasks of a host; the one that runs, when it waits. They are to be dropped without the
    /// lock.
    pub(crate) fn take_tasks_of(&mut self, host: u32) -> Vec<BoxFuture<'static, ()>> {
        let mut taken = Vec::new();
        for (place, slot) in self.tasks.iter_mut().enumerate().skip(1) {
            if slot.alive && slot.host == host {
                slot.alive = false;
                if let Some((future, _)) = slot.work.take() {
                    taken.push(future);
                    self.free_tasks.push(place);
                }
            }
        }
        taken
    }

    /// Those that have not ended, without the root.
    pub(crate) fn live_tasks(&self) -> impl Iterator<Item = &Slot> {
        self.tasks[1..].iter().filter(|slot| slot.alive)
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
        let alarm = Arc::new(Alarm::new(ready.clone(), place));
        Self {
            number,
            host,
            work: future.map(|future| (future, Waker::from(alarm.clone()))),
            alarm,
            waits: Vec::new(),
            alive: true,
        }
    }

    /// What it is and what it waits for, as a line.
    pub(crate) fn describe(&self, state: &State, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 => f.write_str("the main task")?,
            number => write!(f, "task {number}")?,
        }
        if state.hosts.len() > 1 {
            write!(f, " on {}", state.hosts[self.host as usize].name)?;
        }
        for (index, wait) in self.waits.iter().enumerate() {
            if !self.waits[..index].contains(wait) {
                f.write_str(if index == 0 { " waits " } else { ", " })?;
                wait.describe(state, f)?;
            }
        }
        if self.waits.is_empty() {
            f.write_str(" waits for something else than the network and the clock")?;
        }
        Ok(())
    }
}

impl Wait {
    fn describe(self, state: &State, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept(id) => match state.port(id) {
                Some(port) => write!(f, "to accept at {}", port.address),
                None => f.write_str("to accept where nobody listens any more"),
            },
            Self::Connect(number) => write!(f, "for an answer to connection {number}"),
            Self::Read(end) => {
                write!(f, "to read as {end}")?;
                describe_ends(end, state, f)
            }
            Self::Sleep(nanos) => {
                write!(
                    f,
                    "until the world is {:?} old",
                    Duration::from_nanos(nanos)
                )
            }
            Self::Write(end) => {
                write!(f, "to write as {end}")?;
                describe_ends(end, state, f)
            }
        }
    }
}

fn describe_ends(end: End, state: &State, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match state.connections.get(&end.connection) {
        Some(connection) => {
            let [client, server] = &connection.ends;
            write!(f, " ({} to {})", client.address, server.address)
        }
        None => Ok(()),
    }
}
