//! Counts names, values and faults of world after world.

use std::{collections::BTreeMap, mem};

use crate::{
    choice::Source,
    struck::{FaultKind, Kinds, Struck},
    tally::sightings::Sightings,
};

/// What is counted over many worlds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(super) worlds: u64,
    /// The world that runs.
    current: Option<Source>,
    /// What that has shown, if it is explored.
    sightings: Sightings,
    /// How often each has happened. What was asked for and never has is there, too.
    pub(super) faults: BTreeMap<FaultKind, u64>,
    pub(super) marks: BTreeMap<&'static str, Mark>,
    pub(super) observed: BTreeMap<&'static str, Extremes>,
}

/// What is to be true in one world at least.
#[derive(Clone, Debug, Default)]
pub(super) struct Mark {
    /// In how many it was.
    pub(super) worlds: u64,
    /// The first of them.
    pub(super) first: String,
    /// The number of the last of them.
    last: u64,
}

/// The least and the greatest value, each with the first world in which it was seen.
#[derive(Clone, Debug)]
pub(super) struct Extremes {
    pub(super) least: (i128, String),
    pub(super) greatest: (i128, String),
}

impl Tally {
    pub(crate) fn begin_world(&mut self, source: &Source) {
        self.worlds += 1;
        self.current = Some(source.clone());
    }

    /// What the last world has shown.
    pub(crate) fn take_sightings(&mut self) -> Sightings {
        mem::take(&mut self.sightings)
    }

    /// How many choices were made in the world that runs, if it is explored.
    fn made(&self) -> Option<usize> {
        match &self.current {
            Some(Source::Branch(branch)) => Some(branch.made()),
            Some(Source::Seed(_) | Source::Bytes(_) | Source::Tape(_)) | None => None,
        }
    }

    pub(crate) fn worlds(&self) -> u64 {
        self.worlds
    }

    pub(crate) fn add_faults(&mut self, asked: Kinds, struck: &[Struck]) {
        for kind in asked.kinds() {
            self.faults.entry(kind).or_default();
        }
        for kind in struck.iter().filter_map(Struck::kind) {
            *self.faults.entry(kind).or_default() += 1;
        }
    }

    /// Something of this name is to be true in one world at least.
    pub(crate) fn expect(&mut self, name: &'static str) {
        self.marks.entry(name).or_default();
    }

    /// Something was true or not. It counts once in a world.
    pub(super) fn mark(&mut self, name: &'static str, is_true: bool) {
        let mark = self.marks.entry(name).or_default();
        if !is_true || mark.last == self.worlds {
            return;
        }
        if mark.worlds == 0 {
            mark.first = name_of(self.current.as_ref());
        }
        mark.worlds += 1;
        mark.last = self.worlds;
        if let Some(made) = self.made() {
            self.sightings.mark(name, made);
        }
    }

    pub(super) fn observe(&mut self, name: &'static str, value: i128) {
        let seen = || (value, name_of(self.current.as_ref()));
        let extremes = self.observed.entry(name).or_insert_with(|| Extremes {
            least: seen(),
            greatest: seen(),
        });
        if value < extremes.least.0 {
            extremes.least = seen();
        }
        if value > extremes.greatest.0 {
            extremes.greatest = seen();
        }
        if let Some(made) = self.made() {
            self.sightings.observe(name, value, made);
        }
    }
}

/// As the environment names it.
fn name_of(world: Option<&Source>) -> String {
    world.map(Source::variable).unwrap_or_default()
}
