//! The faults that chance has chosen, as a program plans them.

use std::time::Duration;

use crate::{
    settings::FIRST_HOST,
    sim::Sim,
    struck::{Cause, Struck, What},
    trace::history::History,
};

/// Faults in a world in which nothing else is left to chance.
pub(super) struct Plan<'a> {
    faults: Vec<&'a Struck>,
    hosts: &'a [String],
}

impl<'a> Plan<'a> {
    pub(super) fn of(history: &'a History) -> Self {
        let struck = history.struck.iter();
        Self {
            faults: struck.filter(|it| it.cause == Cause::Chance).collect(),
            hosts: history.trace.hosts(),
        }
    }

    fn host(&self, number: u32) -> String {
        let name = self.hosts.get(number as usize);
        name.map_or(FIRST_HOST, String::as_str).to_owned()
    }

    /// A world with these faults.
    pub(super) fn apply(&self, mut sim: Sim) -> Sim {
        for Struck { at, what, .. } in self.faults.iter().copied().copied() {
            let at = Duration::from_nanos(at);
            sim = match what {
                What::Connection(fault) => sim.fault(fault),
                What::AcceptErrors(kind, times) => {
                    sim.at(at, move |world| world.fail_accepts(kind, times))
                }
                What::Partition(a, b) => {
                    let [a, b] = [self.host(a), self.host(b)];
                    sim.at(at, move |world| world.partition(&a, &b))
                }
                What::OneWayPartition(a, b) => {
                    let [a, b] = [self.host(a), self.host(b)];
                    sim.at(at, move |world| world.partition_one_way(&a, &b))
                }
                What::Healed(a, b) => {
                    let [a, b] = [self.host(a), self.host(b)];
                    sim.at(at, move |world| world.heal(&a, &b))
                }
                What::Jump(time) => {
                    let time = Duration::from_nanos(time);
                    sim.at(at, move |world| world.jump(time))
                }
            };
        }
        sim
    }

    /// The same as a program has it.
    pub(super) fn source(&self) -> String {
        let mut source = "Sim::new(0).in_order(true)".to_owned();
        for struck in &self.faults {
            let call = match struck.what {
                What::Connection(fault) => {
                    source += &format!(".fault({})", fault.source());
                    continue;
                }
                What::AcceptErrors(kind, times) => {
                    format!("fail_accepts(ErrorKind::{kind:?}, {times})")
                }
                What::Partition(a, b) => {
                    format!("partition({:?}, {:?})", self.host(a), self.host(b))
                }
                What::OneWayPartition(a, b) => {
                    let [a, b] = [self.host(a), self.host(b)];
                    format!("partition_one_way({a:?}, {b:?})")
                }
                What::Healed(a, b) => format!("heal({:?}, {:?})", self.host(a), self.host(b)),
                What::Jump(time) => format!("jump(Duration::from_nanos({time}))"),
            };
            let at = struck.at;
            source += &format!(".at(Duration::from_nanos({at}), |world| world.{call})");
        }
        source
    }
}
