//! All that a world consists of.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use crate::{
    choice::Choices,
    fault::Fault,
    settings::Settings,
    struck::{Cause, Kinds, Struck, What},
    trace::{event::Event, note::Note, origin::Origin, watched::Watched},
    world::{
        backlog::{File, Port},
        clock::Clock,
        connections::Connections,
        deferred::Deferred,
        task::{Slot, Wait},
    },
};

/// The first of the ports that the system chooses itself.
pub(super) const FIRST_PORT: u16 = 49_152;

/// Everything that the world's one lock protects.
pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) choices: Choices,
    pub(crate) watched: Watched,
    pub(crate) settings: Settings,
    pub(super) deferred: Deferred,

    pub(crate) tasks: Vec<Slot>,
    pub(crate) free_tasks: Vec<usize>,
    pub(super) next_task: u64,
    /// What the task that runs has found to be not ready.
    pub(crate) waits: Vec<Wait>,
    pub(crate) phase: Phase,
    /// That of a handler, which is to fail the world.
    pub(crate) caught_panic: Option<String>,

    pub(crate) hosts: Vec<HostState>,
    /// Pairs of hosts that the program has partitioned, the smaller one first.
    pub(super) partitions: BTreeSet<(u32, u32)>,
    /// From the first to the second.
    pub(super) one_way_partitions: BTreeSet<(u32, u32)>,
    /// Those that chance has partitioned.
    pub(super) outages: BTreeSet<(u32, u32)>,
    /// Those that are taken. No number is given twice.
    pub(super) ports: BTreeMap<usize, Port>,
    pub(super) next_port_id: usize,
    pub(crate) files: BTreeMap<(u32, PathBuf), File>,
    /// Those that are not over, by number.
    pub(crate) connections: Connections,
    /// From 1 on.
    pub(super) next_connection: u32,
    /// The host, the local address and the target of each connection: no two are alike.
    pub(super) routes: BTreeSet<(u32, SocketAddr, SocketAddr)>,
    pub(super) faults: Vec<Fault>,
    /// Kinds of faults that chance leaves out.
    pub(super) absent: Kinds,
}

/// Whether tasks can be spawned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    Running,
    /// What is left is dropped, and so is what that spawns.
    Ended,
}

pub(crate) struct HostState {
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(super) next_port: u16,
}

impl State {
    pub(crate) fn new(mut settings: Settings, origin: Origin) -> Self {
        let recorder = origin.again.as_ref().map(|again| again.recorder.clone());
        let choices = Choices::new(origin.source.clone(), recorder);
        let watched = Watched::new(&settings, origin);
        let hosts = mem::take(&mut settings.hosts).into_iter();
        let hosts = hosts.map(|(name, addresses)| HostState {
            name,
            addresses,
            next_port: FIRST_PORT,
        });
        let mut state = Self {
            clock: Clock::default(),
            choices,
            watched,
            deferred: Deferred::default(),
            tasks: Vec::new(),
            free_tasks: Vec::new(),
            next_task: 1,
            waits: Vec::new(),
            phase: Phase::Running,
            caught_panic: None,
            hosts: hosts.collect(),
            partitions: BTreeSet::new(),
            one_way_partitions: BTreeSet::new(),
            outages: BTreeSet::new(),
            ports: BTreeMap::new(),
            next_port_id: 0,
            files: BTreeMap::new(),
            connections: Connections::default(),
            next_connection: 1,
            routes: BTreeSet::new(),
            faults: settings.faults.clone(),
            absent: Kinds::default(),
            settings,
        };
        if state.settings.swarm {
            state.draw_swarm();
        }
        state
    }

    pub(crate) fn note(&mut self, event: Event) {
        self.watched.add(self.clock.now, event);
    }

    /// For a record alone.
    pub(super) fn note_for_record(&mut self, note: impl FnOnce() -> Note) {
        self.watched.note(self.clock.now, note);
    }

    /// A fault happens.
    pub(super) fn strike(&mut self, cause: Cause, what: What) {
        let at = self.clock.now;
        self.watched.strike(Struck { at, cause, what });
    }
}
