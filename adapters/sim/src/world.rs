//! The state of a world: its time, its choices, and all that is in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    task::Waker,
    time::Duration,
};

use crate::{
    choice::Choices,
    connection::Connection,
    failure::Origin,
    fault::{Direction, Fault, StreamFault},
    port::{File, Port},
    settings::Settings,
    task::{Slot, Wait},
    trace::{Event, Trace},
    world_handle::World,
};

/// So often something may run without time going on. From then on running takes time, so that those
/// who run until something happens see it happen.
const RUNS_AT_ONCE: u32 = 10_000;

/// How long it takes then.
const RUN_TIME: u64 = 1000;

/// Everything that the world's one lock protects.
pub(crate) struct State {
    /// In nanoseconds since the world began.
    pub(crate) now: u64,
    pub(crate) choices: Choices,
    pub(crate) trace: Trace,
    pub(crate) settings: Settings,
    timers: BTreeMap<TimerKey, Due>,
    next_timer: u64,
    runs_at_once: u32,

    pub(crate) tasks: Vec<Slot>,
    pub(crate) free_tasks: Vec<usize>,
    pub(crate) next_task: u64,
    /// What the task that runs has found to be not ready.
    pub(crate) waits: Vec<Wait>,
    pub(crate) ended: bool,
    /// That of a handler, which is to fail the world.
    pub(crate) caught_panic: Option<String>,

    pub(crate) hosts: Vec<HostState>,
    /// Pairs of hosts that do not reach each other because the program says so, the smaller one first.
    pub(crate) partitions: BTreeSet<(u32, u32)>,
    /// Those that do not by chance.
    pub(crate) outages: BTreeSet<(u32, u32)>,
    /// Those that are taken. No number is given twice.
    pub(crate) ports: BTreeMap<usize, Port>,
    pub(crate) next_port_id: usize,
    pub(crate) files: BTreeMap<(u32, PathBuf), File>,
    /// Those that are not over, by number.
    pub(crate) connections: BTreeMap<u32, Box<Connection>>,
    /// From 1 on.
    pub(crate) next_connection: u32,
    /// Who has connected from where to where, so that no two do so alike.
    pub(crate) routes: BTreeSet<(u32, SocketAddr, SocketAddr)>,
    pub(crate) faults: Vec<Fault>,
}

pub(crate) struct HostState {
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) next_port: u16,
}

/// When, and of those due at the same time, which came first.
pub(crate) type TimerKey = (u64, u64);

/// What happens at a time.
pub(crate) enum Due {
    Wake(Waker),
    /// Something arrives, on the way from this side of a connection.
    Arrival(u32, usize),
    /// A fault by chance.
    Strike(u32, Direction, StreamFault),
    /// By chance two hosts no longer reach each other, or do again.
    Outage((u32, u32), bool),
    Call(Box<dyn FnOnce(&World) + Send>),
}

/// Wakers to be called, and dropped, once the lock is not held: they may run anything.
#[derive(Default)]
pub(crate) struct Afterwards {
    wake: [Option<Waker>; 2],
    more: Vec<Waker>,
    dropped: Option<Waker>,
}

impl Afterwards {
    pub(crate) fn wake(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        match self.wake.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(waker),
            None => self.more.push(waker),
        }
    }

    /// Puts the waker of whoever waits now where the last one was.
    pub(crate) fn wait(&mut self, place: &mut Option<Waker>, waker: &Waker) {
        match place {
            Some(old) if old.will_wake(waker) => {}
            _ => self.dropped = place.replace(waker.clone()),
        }
    }

    pub(crate) fn run(self) {
        self.wake.into_iter().flatten().for_each(Waker::wake);
        self.more.into_iter().for_each(Waker::wake);
    }
}

impl State {
    pub(crate) fn new(settings: Settings, origin: Origin) -> Self {
        let mut state = Self {
            now: 0,
            choices: Choices::new(origin.source.clone()),
            trace: Trace::of_world(&settings, origin),
            timers: BTreeMap::new(),
            next_timer: 0,
            runs_at_once: 0,
            tasks: Vec::new(),
            free_tasks: Vec::new(),
            next_task: 1,
            waits: Vec::new(),
            ended: false,
            caught_panic: None,
            hosts: Vec::new(),
            partitions: BTreeSet::new(),
            outages: BTreeSet::new(),
            ports: BTreeMap::new(),
            next_port_id: 0,
            files: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_connection: 1,
            routes: BTreeSet::new(),
            faults: settings.faults.clone(),
            settings,
        };
        for (name, addresses) in mem::take(&mut state.settings.hosts) {
            state.hosts.push(HostState {
                name,
                addresses,
                next_port: FIRST_PORT,
            });
        }
        state
    }

    pub(crate) fn note(&mut self, event: Event) {
        self.trace.add(self.now, event);
    }
}

/// The first port that is given to those who do not ask for one.
pub(crate) const FIRST_PORT: u16 = 49_152;

/// Time.
impl State {
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

    pub(crate) fn jump(&mut self, time: u64) {
        self.note(Event::Jumped(time));
        self.now = self.now.saturating_add(time);
    }

    /// What was to happen by chance does not.
    pub(crate) fn cancel_chance(&mut self) {
        self.timers
            .retain(|_, due| !matches!(due, Due::Strike(..) | Due::Outage(..)));
    }

    /// Something runs.
    pub(crate) fn spend_time(&mut self) {
        if self.runs_at_once < RUNS_AT_ONCE {
            self.runs_at_once += 1;
        } else {
            self.now = self.now.saturating_add(RUN_TIME);
        }
    }

    pub(crate) fn take_timers(&mut self) -> BTreeMap<TimerKey, Due> {
        mem::take(&mut self.timers)
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Two hosts, the smaller one first.
pub(crate) fn pair(a: u32, b: u32) -> (u32, u32) {
    (a.min(b), a.max(b))
}

/// The way between hosts.
impl State {
    pub(crate) fn is_cut(&self, a: u32, b: u32) -> bool {
        let hosts = pair(a, b);
        [&self.partitions, &self.outages]
            .iter()
            .any(|pairs| !pairs.is_empty() && pairs.contains(&hosts))
    }

    /// By chance two hosts no longer reach each other, or do again.
    pub(crate) fn set_outage(&mut self, hosts: (u32, u32), begins: bool) {
        let (a, b) = hosts;
        if begins {
            self.note(Event::Partitioned(a, b));
            self.outages.insert(hosts);
        } else if self.outages.remove(&hosts) {
            self.note(Event::Healed(a, b));
            self.resume();
        }
    }

    /// How long something takes from one end to the other.
    pub(crate) fn draw_latency(&mut self) -> u64 {
        let (min, max) = self.settings.latency;
        min + self.choices.below((max - min).saturating_add(1))
    }
}
