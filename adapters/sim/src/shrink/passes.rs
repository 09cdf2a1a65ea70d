//! Ways of making a world smaller, tried in turn until none helps.

use std::time::Instant;

use crate::{
    again::outcome::{Failure, Outcome, Test, run_again},
    choice::Source,
    struck::{Cause, Struck},
    tape::{Subject, Tape},
};

/// So many choices are made at most that would not be if one before them was calm: of a fault, when it is
/// to happen, to which direction, and which.
const MOST_DETAILS: usize = 6;

/// Looks for smaller worlds that fail in the same way.
pub(super) struct Shrinker<'a> {
    test: Test<'a>,
    failure: Failure,
    max_polls: u64,
    deadline: Instant,
    /// The smallest world so far.
    pub(super) best: Outcome,
    /// Whether its tape is known to make it: the first world comes from a seed.
    pub(super) is_on_tape: bool,
    pub(super) tried: u64,
}

/// How large a world is: faults that chance has chosen, choices that are not calm, events, and how late
/// and how large these choices are.
type Size = (usize, usize, u64, usize, u128);

fn size(world: &Outcome) -> Size {
    let history = world.history.as_ref();
    let is_chance = |it: &&Struck| it.cause == Cause::Chance && it.kind().is_some();
    let faults = history.map_or(0, |it| it.struck.iter().filter(is_chance).count());
    let events = history.map_or(0, |it| it.trace.len());
    let places = world.drawn.iter().map(|it| it.place).sum();
    let numbers = world.drawn.iter().map(|it| u128::from(it.number)).sum();
    (faults, world.drawn.len(), events, places, numbers)
}

impl<'a> Shrinker<'a> {
    pub(super) fn new(
        test: Test<'a>,
        first: Outcome,
        failure: Failure,
        max_polls: u64,
        deadline: Instant,
    ) -> Self {
        Self {
            test,
            failure,
            max_polls,
            deadline,
            best: first,
            is_on_tape: false,
            tried: 0,
        }
    }

    pub(super) fn run(&mut self) {
        let all = Tape::of(&self.best.drawn);
        loop {
            let before = size(&self.best);
            self.calm_subjects();
            self.calm_tail();
            self.calm_blocks();
            if !self.is_on_tape && !self.attempt(all.clone()) {
                return; // something else than choices decides
            }
            self.calm_with_details();
            self.pull_back_blocks();
            self.lower_numbers();
            if size(&self.best) >= before {
                return;
            }
        }
    }

    /// Keeps a world if it fails in the same way and is smaller.
    fn attempt(&mut self, tape: Tape) -> bool {
        if self.is_late() {
            return false;
        }
        self.tried += 1;
        let source = Source::Tape(tape);
        let world = run_again(&mut *self.test, source, self.max_polls, |sim| sim);
        let fails = world.failure.as_ref() == Some(&self.failure);
        if !fails || self.is_on_tape && size(&world) >= size(&self.best) {
            return false;
        }
        self.best = world;
        self.is_on_tape = true;
        true
    }

    /// Whether there may be a smaller world that was not looked for.
    pub(super) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    fn calm_subjects(&mut self) {
        for subject in Subject::ALL {
            let drawn = self.best.drawn.iter();
            let others = Tape::of(drawn.filter(|it| it.subject != subject));
            if others != Tape::of(&self.best.drawn) {
                self.attempt(others);
            }
        }
    }

    /// Finds after how many choices the rest can be calm.
    fn calm_tail(&mut self) {
        let (mut too_few, mut enough) = (0, self.best.drawn.len());
        while too_few < enough {
            let middle = too_few.midpoint(enough);
            if self.attempt(Tape::of(&self.best.drawn[..middle])) {
                enough = self.best.drawn.len().min(middle);
            } else {
                too_few = middle + 1;
            }
        }
    }

    fn calm_blocks(&mut self) {
        let mut len = self.best.drawn.len();
        while len > 0 {
            let mut end = self.best.drawn.len();
            while end > 0 {
                let (before, rest) = self.best.drawn.split_at(end.saturating_sub(len));
                let behind = &rest[end - before.len()..];
                let without = Tape::of(before.iter().chain(behind));
                self.attempt(without);
                end = end.saturating_sub(len).min(self.best.drawn.len());
            }
            len /= 2;
        }
    }

    /// Calms a choice and leaves out those behind it, which are not made then.
    fn calm_with_details(&mut self) {
        let mut index = self.best.drawn.len();
        while index > 0 {
            index = (index - 1).min(self.best.drawn.len().saturating_sub(1));
            for details in 1..=MOST_DETAILS {
                let Some(drawn) = self.best.drawn.get(index) else {
                    return;
                };
                let place = drawn.place;
                let others = self.best.drawn.iter().filter(|it| it.place != place);
                let mut tape = Tape::of(others);
                tape.pull_back(place + details + 1, details);
                if self.attempt(tape) {
                    break;
                }
            }
        }
    }

    /// Leaves out choices in front of one that is not calm, which so comes earlier.
    fn pull_back_blocks(&mut self) {
        let mut index = self.best.drawn.len();
        while index > 0 {
            index = (index - 1).min(self.best.drawn.len().saturating_sub(1));
            let Some(drawn) = self.best.drawn.get(index) else {
                return;
            };
            let mut by = drawn.place.checked_ilog2().map_or(0, |bits| 1 << bits);
            while by > 0 {
                let Some(drawn) = self.best.drawn.get(index) else {
                    break;
                };
                let place = drawn.place;
                let mut tape = Tape::of(&self.best.drawn);
                if by <= place {
                    tape.pull_back(place, by);
                    self.attempt(tape);
                }
                by /= 2;
            }
        }
    }

    fn lower_numbers(&mut self) {
        let mut index = 0;
        while let Some(drawn) = self.best.drawn.get(index) {
            // Calm is too low: that was tried.
            let (mut too_low, mut low_enough) = (0, drawn.number);
            while low_enough - too_low > 1 {
                let number = match too_low {
                    0 if low_enough > 2 => 1, // often it is enough
                    _ => too_low.midpoint(low_enough),
                };
                let mut tape = Tape::of(&self.best.drawn);
                tape.set(index, number);
                if self.attempt(tape) {
                    low_enough = number;
                } else {
                    too_low = number;
                }
                if self.best.drawn.get(index).map(|it| it.number) != Some(low_enough) {
                    break; // the world has become another one
                }
            }
            index += 1;
        }
    }
}
