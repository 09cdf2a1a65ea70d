//! Chooses the next world.

use std::{collections::VecDeque, fmt};

use crate::{
    branch::Branch,
    choice::split_mix,
    explore::{
        corpus::Corpus,
        spots::{Finds, Spot},
    },
    tally::sightings::Sightings,
};

/// One in so many worlds has nothing of another one.
const FRESH: u64 = 4;

/// One in so many goes on from somewhat earlier: what comes next may have been decided by then.
const EARLIER: u64 = 2;

/// Chooses worlds by what others have shown.
#[derive(Debug)]
pub(crate) struct Explorer {
    /// Of what it draws itself.
    state: u64,
    finds: Finds,
    corpus: Corpus,
    /// Those of the corpus that are to be run first.
    known: VecDeque<Branch>,
    /// How many worlds it has chosen.
    worlds: u64,
    /// How many were chosen before with this corpus.
    worlds_before: u64,
}

impl Explorer {
    /// Goes on from a corpus.
    pub(crate) fn new(corpus: Corpus) -> Self {
        let (before, known) = corpus.load();
        Self {
            state: before, // so the draws are others than then
            finds: Finds::default(),
            corpus,
            known: known.into(),
            worlds: 0,
            worlds_before: before,
        }
    }

    pub(crate) fn next(&mut self) -> Branch {
        self.worlds += 1;
        if let Some(known) = self.known.pop_front() {
            return known;
        }
        let seed = self.draw() >> 32; // short to print
        let [is_fresh, is_earlier] = [FRESH, EARLIER].map(|n| self.draw() % n == 0);
        let state = &mut self.state;
        let spot = self
            .finds
            .pick(|len| split_mix(state) as usize % len.max(1));
        let Some(Spot { world, made }) = spot.filter(|_| !is_fresh).cloned() else {
            return Branch::new(seed);
        };
        let back = match is_earlier {
            true => self.magnitude(made),
            false => 0,
        };
        world.turn(made - back, seed)
    }

    /// How many worlds it has chosen.
    pub(crate) fn worlds(&self) -> u64 {
        self.worlds
    }

    /// How many things they have shown.
    pub(crate) fn finds(&self) -> usize {
        self.finds.len()
    }

    /// What a world has shown.
    pub(crate) fn saw(&mut self, world: &Branch, sightings: &Sightings) {
        self.finds.add(world, sightings);
    }

    /// Keeps what there is to go on from, and a world that has failed, which is run first then.
    pub(crate) fn save(&self, failed: Option<&Branch>) {
        let worlds = failed.into_iter().chain(&self.known);
        let worlds = worlds.chain(self.finds.worlds());
        self.corpus.save(self.worlds_before + self.worlds, worlds);
    }

    fn draw(&mut self) -> u64 {
        split_mix(&mut self.state)
    }

    /// At most `max`; small numbers are as likely as large ones.
    fn magnitude(&mut self, max: usize) -> usize {
        let bits = max.checked_ilog2().map_or(0, |bits| bits + 1);
        let bits = self.draw() % u64::from(bits + 1);
        let number = self.draw() % (1 << bits);
        usize::try_from(number).unwrap_or(max).min(max)
    }
}

/// As progress.
impl fmt::Display for Explorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exploring from {} finds", self.finds.len())
    }
}
