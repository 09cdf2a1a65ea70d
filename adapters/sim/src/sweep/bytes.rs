//! A fault at every byte.

use std::{fmt::Debug, time::Instant};

use crate::{
    fault::{Direction, Fault},
    sim::Sim,
    sweep::{
        summary::Summary,
        worlds::{Done, Sources, calm, run_and_keep, run_in, thinned},
    },
};

/// A fault at every byte of a conversation, from [`Sweep::every_byte`](crate::Sweep::every_byte).
///
/// # Examples
///
/// See [`Sweep::every_byte`](crate::Sweep::every_byte).
#[derive(Clone, Debug)]
#[must_use = "does nothing unless it is run"]
pub struct EveryByte {
    faults: Vec<Fault>,
    sources: Sources,
    at_most: usize,
}

/// Where a conversation is cut.
///
/// # Examples
///
/// See [`Sweep::every_byte`](crate::Sweep::every_byte).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Cut {
    /// Which fault happens; it is part of the world's plan already.
    pub fault: Fault,
    /// On which connection, counted from 1.
    pub connection: u32,
    /// In which direction.
    pub direction: Direction,
    /// After so many bytes.
    pub after: u64,
}

impl EveryByte {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self {
            faults,
            sources: Sources::calm(),
            at_most: usize::MAX,
        }
    }

    /// Does each also in the worlds of these seeds, in which chance decides what the test leaves to it. By
    /// default there is only the calm world, in which it decides nothing.
    ///
    /// ```
    /// # use millpond_sim::{Fault, Sweep};
    /// let sweep = Sweep::every_byte([Fault::eof()]).seeds(0..10);
    /// ```
    pub fn seeds(mut self, seeds: impl IntoIterator<Item = u64>) -> Self {
        self.sources = Sources::and_seeds(seeds);
        self
    }

    /// If there are more cuts than this, leaves out some, with even distances.
    ///
    /// ```
    /// # use millpond_sim::{Fault, Sweep};
    /// let sweep = Sweep::every_byte([Fault::eof()]).at_most(1000);
    /// ```
    pub fn at_most(mut self, cuts: usize) -> Self {
        self.at_most = cuts;
        self
    }

    /// Calls `test` with the world of each cut, and what it returns is counted. Before them there is a world
    /// without a fault, which is not.
    ///
    /// # Panics
    ///
    /// If `test` does: then the cut is printed. If nothing is sent.
    ///
    /// # Examples
    ///
    /// See [`Sweep::every_byte`](crate::Sweep::every_byte).
    pub fn run<T: Debug>(self, mut test: impl FnMut(Sim, Option<Cut>) -> T) -> Summary {
        let began = Instant::now();
        let mut summary = Summary::default();
        let cuts = self.cuts(&mut test);
        for index in thinned(cuts.len(), self.at_most) {
            let cut = cuts[index];
            for source in self.sources.all() {
                let what = Done::Fault(cut.fault);
                let outcome = run_in(source, what, |sim| test(sim.fault(cut.fault), Some(cut)));
                summary.add(&outcome, &what.to_string());
            }
        }
        summary.elapsed = began.elapsed();
        eprintln!("{summary}");
        summary
    }

    /// Every cut of what is sent in the calm world, of each fault.
    fn cuts<T>(&self, test: &mut impl FnMut(Sim, Option<Cut>) -> T) -> Vec<Cut> {
        let (_, history) = run_and_keep(calm(), Done::NoFault, |sim| test(sim, None));
        let transcript = history.and_then(|history| history.transcript);
        let sent = transcript.map(|it| it.sent()).unwrap_or_default();
        assert!(!sent.is_empty(), "nothing is sent that could be cut");
        let mut cuts = Vec::new();
        for fault in &self.faults {
            for (end, bytes) in &sent {
                let direction = Direction::written_by(end.side);
                let cut = |after| Cut {
                    fault: fault.connection(end.connection).after(direction, after),
                    connection: end.connection,
                    direction,
                    after,
                };
                cuts.extend((0..*bytes).map(cut));
            }
        }
        cuts
    }
}
