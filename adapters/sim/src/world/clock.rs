//! The clock, and what is due at which time.

use std::{collections::BTreeMap, mem, task::Waker, time::Duration};

use crate::{
    fault::{Direction, StreamFault},
    time::nanos,
};

/// So often something may run without time going on. From then on running takes time, so that a task
/// that runs until something happens sees it happen.
const RUNS_AT_ONCE: u32 = 10_000;

/// How long it takes then, in nanoseconds.
const RUN_TIME: u64 = 1000;

#[derive(Default)]
pub(crate) struct Clock {
    /// In nanoseconds since the world began.
    pub(crate) now: u64,
    timers: BTreeMap<TimerKey, Due>,
    next_timer: u64,
    runs_at_once: u32,
}

/// When, and of those due at the same time, which came first.
pub(crate) type TimerKey = (u64, u64);

/// What happens at a time.
pub(crate) enum Due {
    Wake(Waker),
    /// Something arrives that this side of a connection has sent.
    Arrival(u32, usize),
    /// A random fault.
    Fault(u32, Direction, StreamFault),
    /// A random partition of two hosts begins, or ends.
    Outage((u32, u32), bool),
    /// One of the program's own, by its index.
    Action(usize),
}

impl Clock {
    pub(crate) fn in_future(&self, duration: Duration) -> u64 {
        self.now.saturating_add(nanos(duration))
    }

    /// `None` for a time that never comes.
    pub(crate) fn add_timer(&mut self, at: u64, due: Due) -> Option<TimerKey> {
        if at == u64::MAX {
            return None;
        }
        let key = (at, self.next_timer);
        self.next_timer += 1;
        self.timers.insert(key, due);
        Some(key)
    }

    pub(crate) fn timer_mut(&mut self, key: TimerKey) -> Option<&mut Due> {
        self.timers.get_mut(&key)
    }

    #[must_use = "it must be dropped without the lock"]
    pub(crate) fn remove_timer(&mut self, key: TimerKey) -> Option<Due> {
        self.timers.remove(&key)
    }

    /// What is due now.
    pub(crate) fn next_due(&mut self) -> Option<Due> {
        let first = self.timers.first_entry()?;
        (first.key().0 <= self.now).then(|| first.remove())
    }

    /// Goes to the time of the next timer, if there is one.
    pub(crate) fn skip_to_next_timer(&mut self) -> bool {
        let Some((&(at, _), _)) = self.timers.first_key_value() else {
            return false;
        };
        if at > self.now {
            self.now = at;
            self.runs_at_once = 0;
        }
        true
    }

    pub(super) fn jump(&mut self, time: u64) {
        self.now = self.now.saturating_add(time);
    }

    /// Cancels the faults and outages that chance has planned.
    pub(super) fn cancel_faults(&mut self) {
        self.timers
            .retain(|_, due| !matches!(due, Due::Fault(..) | Due::Outage(..)));
    }

    /// Something runs.
    pub(crate) fn spend_time(&mut self) {
        if self.runs_at_once < RUNS_AT_ONCE {
            self.runs_at_once += 1;
        } else {
            self.now = self.now.saturating_add(RUN_TIME);
        }
    }

    #[must_use = "they must be dropped without the lock"]
    pub(crate) fn take_timers(&mut self) -> BTreeMap<TimerKey, Due> {
        mem::take(&mut self.timers)
    }
}
