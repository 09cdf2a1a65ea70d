//! A future that is given up at every poll.

use std::{
    fmt::Debug,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Instant,
};

use crate::{
    sim::Sim,
    sweep::{
        summary::Summary,
        worlds::{Done, Sources, run_in, thinned},
    },
};

/// A future that is given up at every poll, from [`Sweep::every_poll`](crate::Sweep::every_poll).
///
/// # Examples
///
/// See [`Sweep::every_poll`](crate::Sweep::every_poll).
#[derive(Clone, Debug)]
#[must_use = "does nothing unless it is run"]
pub struct EveryPoll {
    sources: Sources,
    at_most: usize,
}

/// Gives up what it is [around](Self::around), once in a world.
///
/// # Examples
///
/// See [`Sweep::every_poll`](crate::Sweep::every_poll).
#[derive(Clone, Debug)]
pub struct GiveUp {
    /// How often something was pending.
    pending: Arc<AtomicUsize>,
    /// How often it may be until that is given up; 0 is for ever.
    at: usize,
}

impl GiveUp {
    fn at(at: usize) -> Self {
        Self {
            pending: Arc::default(),
            at,
        }
    }

    /// The future, which is dropped at one of the polls at which it is pending. Then there is `None`. What
    /// this and its clones are around is counted together, and only one of all is given up.
    ///
    /// # Cancel safety
    ///
    /// That of the future.
    ///
    /// # Examples
    ///
    /// See [`Sweep::every_poll`](crate::Sweep::every_poll).
    pub async fn around<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.pending.fetch_add(1, Ordering::Relaxed) + 1 == self.at => {
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Whether something was given up.
    ///
    /// ```
    /// use millpond_sim::{Sweep, world};
    ///
    /// let summary = Sweep::every_poll().run(|sim, give_up| {
    ///     sim.run(give_up.around(world_of_two_waits()));
    ///     give_up.has_happened()
    /// });
    /// assert_eq!(summary.count("true"), 2);
    ///
    /// async fn world_of_two_waits() {
    ///     world().sleep(std::time::Duration::from_secs(1)).await;
    ///     world().sleep(std::time::Duration::from_secs(1)).await;
    /// }
    /// ```
    pub fn has_happened(&self) -> bool {
        self.at > 0 && self.pending.load(Ordering::Relaxed) >= self.at
    }
}

impl EveryPoll {
    pub(super) fn new() -> Self {
        Self {
            sources: Sources::calm(),
            at_most: usize::MAX,
        }
    }

    /// Does the same in the worlds of these seeds, too, in which chance decides what the test leaves to
    /// it. By default there is only the calm world, in which it decides nothing.
    ///
    /// ```
    /// # use millpond_sim::Sweep;
    /// let sweep = Sweep::every_poll().seeds(0..10);
    /// ```
    pub fn seeds(mut self, seeds: impl IntoIterator<Item = u64>) -> Self {
        self.sources = Sources::and_seeds(seeds);
        self
    }

    /// If there are more polls in one world than this, leaves out some, with even distances.
    ///
    /// ```
    /// # use millpond_sim::Sweep;
    /// let sweep = Sweep::every_poll().at_most(1000);
    /// ```
    pub fn at_most(mut self, polls: usize) -> Self {
        self.at_most = polls;
        self
    }

    /// Calls `test` once for each poll at which something is pending that [`GiveUp`] is around, and gives
    /// it up there. What it returns is counted.
    ///
    /// # Panics
    ///
    /// If `test` does: then the poll is printed. If nothing is ever pending.
    ///
    /// # Examples
    ///
    /// See [`Sweep::every_poll`](crate::Sweep::every_poll).
    pub fn run<T: Debug>(self, mut test: impl FnMut(Sim, GiveUp) -> T) -> Summary {
        let began = Instant::now();
        let mut summary = Summary::default();
        for source in self.sources.all() {
            let never = GiveUp::at(0);
            run_in(source.clone(), Done::NothingGivenUp, |sim| {
                test(sim, never.clone())
            });
            let polls = never.pending.load(Ordering::Relaxed);
            for index in thinned(polls, self.at_most) {
                let give_up = GiveUp::at(index + 1);
                let what = Done::GivenUp {
                    at: index + 1,
                    of: polls,
                };
                let outcome = run_in(source.clone(), what, |sim| test(sim, give_up));
                summary.add(&outcome, &what.to_string());
            }
        }
        assert!(summary.worlds() > 0, "nothing was ever pending");
        summary.elapsed = began.elapsed();
        eprintln!("{summary}");
        summary
    }
}
