//! What has happened in many worlds, for readers.

use std::{fmt, ops::RangeInclusive, time::Duration};

use crate::tally::tally::{Extremes, Tally};

/// What has happened in the worlds of a [`Check`](crate::Check).
///
/// Its `Display` is what is printed at the end: how many worlds there were and in which time, how often
/// each kind of fault happened (`!` stands behind what was asked for and never did), in how many worlds
/// each name was true and in which first, and the least and the greatest of what was observed.
///
/// # Examples
///
/// ```
/// use millpond_sim::{Check, sometimes, world};
///
/// let report = Check::new(0..100).run(|sim| {
///     let thrown = sim.run(async { world().choose(6) + 1 });
///     sometimes!(thrown == 6, "a six is thrown");
/// });
/// assert_eq!(report.worlds(), 100);
/// assert!(report.count("a six is thrown") > 5);
/// println!("{report}");
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    tally: Tally,
    elapsed: Duration,
    explored: Option<Explored>,
}

/// What exploring has come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Explored {
    pub(crate) worlds: u64,
    /// How many things worlds have shown from which others have gone on.
    pub(crate) finds: usize,
}

impl Report {
    pub(crate) fn new(tally: Tally, elapsed: Duration, explored: Option<Explored>) -> Self {
        Self {
            tally,
            elapsed,
            explored,
        }
    }

    /// How many worlds there were.
    ///
    /// See [`Report`] for an example.
    pub fn worlds(&self) -> u64 {
        self.tally.worlds
    }

    /// In how many worlds something of this name was true.
    ///
    /// See [`Report`] for an example.
    pub fn count(&self, name: &str) -> u64 {
        self.tally.marks.get(name).map_or(0, |mark| mark.worlds)
    }

    /// The least and the greatest of what was observed under this name.
    ///
    /// See [`observe!`](crate::observe) for an example.
    pub fn observed(&self, name: &str) -> Option<RangeInclusive<i128>> {
        let extremes = self.tally.observed.get(name)?;
        Some(extremes.least.0..=extremes.greatest.0)
    }

    /// What was true in no world.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let marks = self.tally.marks.iter();
        let missing = marks.filter(|(_, mark)| mark.worlds == 0);
        missing.map(|(name, _)| *name).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {:.2?}", Worlds(self.worlds()), self.elapsed)?;
        if let Some(Explored { worlds, finds }) = self.explored {
            write!(f, "\n  explored {} from {finds} finds", Worlds(worlds))?;
        }
        if !self.tally.faults.is_empty() {
            let faults = self.tally.faults.iter().map(|(kind, count)| {
                let never = if *count == 0 { " (!)" } else { "" };
                format!("{} {count}{never}", kind.name())
            });
            write!(f, "\n  faults: {}", faults.collect::<Vec<_>>().join(", "))?;
        }
        for (name, mark) in &self.tally.marks {
            let first = &mark.first;
            match mark.worlds {
                0 => write!(f, "\n  NEVER {name:?}")?,
                n => write!(f, "\n  sometimes {name:?} in {}, first {first}", Worlds(n))?,
            }
        }
        for (name, Extremes { least, greatest }) in &self.tally.observed {
            write!(f, "\n  observed {name:?} from {} in {}", least.0, least.1)?;
            write!(f, " to {} in {}", greatest.0, greatest.1)?;
        }
        Ok(())
    }
}

struct Worlds(u64);

impl fmt::Display for Worlds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 world"),
            n => write!(f, "{n} worlds"),
        }
    }
}
