//! What the worlds of a sweep have come to.

use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
    time::Duration,
};

/// How often the worlds of a sweep came to which outcome: to which value that the test has returned, as its
/// `Debug` has it. Its `Display` is what is printed at the end of a sweep.
///
/// # Examples
///
/// See [`Sweep::every_byte`](crate::Sweep::every_byte).
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub(super) elapsed: Duration,
    /// And the first world of each.
    outcomes: BTreeMap<String, (u64, String)>,
}

impl Summary {
    pub(super) fn add(&mut self, outcome: &impl Debug, world: &str) {
        let outcome = format!("{outcome:?}");
        let first = || (0, world.to_owned());
        self.outcomes.entry(outcome).or_insert_with(first).0 += 1;
    }

    /// How many worlds there were, without the first one, which only counts.
    ///
    /// See [`Sweep::every_byte`](crate::Sweep::every_byte) for an example.
    pub fn worlds(&self) -> u64 {
        self.outcomes.values().map(|(count, _)| count).sum()
    }

    /// How many came to this outcome.
    ///
    /// See [`Sweep::every_byte`](crate::Sweep::every_byte) for an example.
    pub fn count(&self, outcome: &str) -> u64 {
        self.outcomes.get(outcome).map_or(0, |(count, _)| *count)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} worlds in {:.2?}", self.worlds(), self.elapsed)?;
        for (outcome, (count, first)) in &self.outcomes {
            write!(f, "\n  {outcome} in {count}, first {first}")?;
        }
        Ok(())
    }
}
