//! Which lane each end of a connection has: its host's, or in a world of one host that of its task.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    picture::line::{End, Said},
    settings::FIRST_HOST,
};

/// More tasks than these have no lanes of their own.
const MOST_TASKS: usize = 6;

/// The name of the lane of what is on no host that is known.
const UNKNOWN: &str = "elsewhere";

/// The lanes of a world.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    pub(super) names: Vec<String>,
    by_end: BTreeMap<End, usize>,
}

/// What is known of the ends of connections.
#[derive(Default)]
struct Seen<'a> {
    hosts_of_tasks: BTreeMap<u64, &'a str>,
    running: u64,
    /// In the order in which they came up.
    ends: Vec<End>,
    hosts: BTreeMap<End, &'a str>,
    tasks: BTreeMap<End, u64>,
}

impl<'a> Seen<'a> {
    fn see(&mut self, said: &Said<'a>) {
        match said {
            Said::Polled(task) => self.running = *task,
            Said::Spawned(task, host) => {
                self.hosts_of_tasks.insert(*task, host);
            }
            Said::Tried(number, _) => {
                let client = client(*number);
                self.ends.extend([client, client.peer()]);
                let host = self.hosts_of_tasks.get(&self.running);
                self.hosts.insert(client, host.unwrap_or(&FIRST_HOST));
                self.tasks.insert(client, self.running);
            }
            Said::Route(number, from, to) => {
                let client = client(*number);
                self.hosts.insert(client, from);
                self.hosts.insert(client.peer(), to);
            }
            Said::Reads(end, _)
            | Said::ReadsEnd(end)
            | Said::FailsToRead(end)
            | Said::WaitsToRead(end)
            | Said::Writes(end, _)
            | Said::FailsToWrite(end)
            | Said::WaitsToWrite(end) => {
                self.tasks.entry(*end).or_insert(self.running);
            }
            Said::Unshown
            | Said::Unanswered(_)
            | Said::Refused(_)
            | Said::Made(_)
            | Said::Accepted(_)
            | Said::Data(_)
            | Said::Closed(_)
            | Said::Aborts(_)
            | Said::IsReset(_)
            | Said::Sends(..)
            | Said::Forges(..)
            | Said::SignalArrives(..)
            | Said::Arrives(..)
            | Said::TooLate(..)
            | Said::Lost(..)
            | Said::Repeats(..)
            | Said::Fault(..)
            | Said::Other(_) => {}
        }
    }

    fn host(&self, end: End) -> &'a str {
        self.hosts.get(&end).unwrap_or(&UNKNOWN)
    }

    /// The name of the lane of an end, if tasks have lanes.
    fn task_lane(&self, end: End) -> String {
        match self.tasks.get(&end) {
            Some(0) => "main task".to_owned(),
            Some(task) => format!("task {task}"),
            None => self.host(end).to_owned(),
        }
    }

    /// The same if hosts have lanes. One that connects to itself has two.
    fn host_lane(&self, end: End, split: &BTreeSet<&str>) -> String {
        let host = self.host(end);
        match (split.contains(host), end.side) {
            (false, _) => host.to_owned(),
            (true, 0) => format!("{host}, clients"),
            (true, _) => format!("{host}, servers"),
        }
    }

    /// Whether the tasks are few, and no connection is one of a task with itself.
    fn tasks_have_lanes(&self) -> bool {
        let hosts: BTreeSet<_> = self.hosts.values().collect();
        let tasks: BTreeSet<_> = self.tasks.values().collect();
        let to_itself = |end: &End| {
            let [one, other] = [*end, end.peer()].map(|end| self.tasks.get(&end));
            one.is_some() && one == other
        };
        hosts.len() <= 1 && tasks.len() <= MOST_TASKS && !self.ends.iter().any(to_itself)
    }
}

impl Lanes {
    pub(super) fn of<'a>(lines: impl Iterator<Item = &'a Said<'a>>) -> Self {
        let mut seen = Seen::default();
        lines.for_each(|said| seen.see(said));
        let mut lanes = Self::default();
        if seen.tasks_have_lanes() {
            for end in &seen.ends {
                lanes.add(*end, &seen.task_lane(*end));
            }
            return lanes;
        }
        let clients = seen.ends.iter().filter(|end| end.side == 0);
        let split = clients.filter(|end| seen.host(**end) == seen.host(end.peer()));
        let split: BTreeSet<&str> = split.map(|end| seen.host(*end)).collect();
        for end in &seen.ends {
            lanes.add(*end, &seen.host_lane(*end, &split));
        }
        lanes
    }

    fn add(&mut self, end: End, name: &str) {
        let known = self.names.iter().position(|known| known == name);
        let lane = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        self.by_end.insert(end, lane);
    }

    /// An end that no line has introduced has the first one.
    pub(super) fn of_end(&self, end: End) -> usize {
        self.by_end.get(&end).copied().unwrap_or(0)
    }
}

pub(super) fn client(connection: u32) -> End {
    let side = 0;
    End { connection, side }
}
