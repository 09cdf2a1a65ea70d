//! Many worlds, one after the other, until one fails.

mod progress;
mod worlds;

use std::{env, path::PathBuf, time::Duration};

use crate::{
    check::{
        progress::Progress,
        worlds::{Twice, Worlds},
    },
    explore::{corpus::Corpus, limit::Limit},
    sim::Sim,
    tally::report::Report,
    trace::origin::{chosen, test_name},
};

/// How long a failing world is made smaller.
const SHRINK: Duration = Duration::from_secs(2);

/// One in how many worlds is run twice, if the environment says so.
const TWICE: &str = "MILLPOND_TWICE";

/// Calls `test` with the world of each seed, until one fails.
///
/// That prints the seed with which it can be repeated: if the environment variable `MILLPOND_SEED` is
/// set, only the world of that seed is run. It is a number, or `bytes:` and hexadecimal digits for a
/// [world of bytes](Sim::from_bytes), or what is printed of an explored or a smallest world.
///
/// Then the world is made smaller: `test` is called with calmer worlds, without printing their panics,
/// until none fails any more at the same place; or for two seconds at most, or as many as
/// `MILLPOND_SHRINK` says, of which 0 is none. The faults and the last events of the smallest are printed.
/// [`Sim::save_failures_in`] saves more of a failure.
///
/// A world that fails, and one in 64 that do not, is run twice: if it is another one then, something in
/// it is not decided by the seed, such as a clock or the order of a `HashMap`, and the first event that
/// differs is printed. With `MILLPOND_TWICE=1` that is so for every world, of 5 for one in 5, and the test
/// fails for it. Because of all this `test` must not depend on how often it was called.
///
/// A run that takes longer than a second prints its progress on standard error, and each its
/// [`Report`] at the end. [`Check`] has more settings.
///
/// # Panics
///
/// If `test` does, if the variable is neither, or if what is [`sometimes!`](crate::sometimes) to be true
/// never was.
///
/// # Examples
///
/// ```
/// use millpond_sim::{check, open_connection, start_server};
///
/// check(0..100, |sim| {
///     sim.rough().run(async {
///         let server = start_server("127.0.0.1:17", async |_, mut writer| writer.write(b"be good"));
///         let server = server.await.unwrap();
///         let (mut reader, _writer) = open_connection(&server.sockets()[0]).await.unwrap();
///         assert_eq!(reader.read_to_eof().await.unwrap(), "be good");
///     });
/// });
/// ```
pub fn check(seeds: impl IntoIterator<Item = u64>, test: impl FnMut(Sim)) {
    Check::new(seeds).run(test);
}

/// [`check`](crate::check()) with settings, and with a [`Report`] that it returns.
///
/// # Examples
///
/// ```
/// use millpond_sim::{Check, reachable, world};
///
/// let report = Check::new(0..100).must("a six is thrown").run(|sim| {
///     sim.run(async {
///         if world().choose(6) == 5 {
///             reachable!("a six is thrown");
///         }
///     })
/// });
/// assert!(report.count("a six is thrown") > 5);
/// ```
#[derive(Clone, Debug)]
#[must_use = "does nothing unless it is run"]
pub struct Check<S> {
    seeds: S,
    must: Vec<&'static str>,
    shrink_for: Duration,
    twice: Twice,
    explore: Limit,
    corpus: Option<PathBuf>,
}

impl<S: IntoIterator<Item = u64>> Check<S> {
    /// The world of each seed.
    ///
    /// See [`Check`] for an example.
    pub fn new(seeds: S) -> Self {
        Self {
            seeds,
            must: Vec::new(),
            shrink_for: SHRINK,
            twice: Twice::Now,
            explore: Limit::Worlds(0),
            corpus: None,
        }
    }

    /// Fails if in no world something of this name was [reached](crate::reachable) or
    /// [true](crate::sometimes), even if no world has ever come to the place that says so.
    ///
    /// See [`Check`] for an example.
    pub fn must(mut self, name: &'static str) -> Self {
        self.must.push(name);
        self
    }

    /// For how long a failing world is made smaller, if `MILLPOND_SHRINK` does not say so; two seconds by
    /// default.
    ///
    /// ```
    /// # use millpond_sim::Check;
    /// let check = Check::new(0..100).shrink_for(std::time::Duration::from_secs(10));
    /// ```
    pub fn shrink_for(mut self, time: Duration) -> Self {
        self.shrink_for = time;
        self
    }

    /// One in this many worlds is run twice, and fails if it is not the same again. By default one in 64 is,
    /// and the first that differs is printed; 0 is none, not even of those that fail. Worlds of programs
    /// with [other threads](Sim::other_threads) never are.
    ///
    /// ```should_panic
    /// use std::time::SystemTime;
    ///
    /// use millpond_sim::{Check, StreamOptions, world};
    ///
    /// Check::new(0..100).run_twice(1).run(|sim| {
    ///     sim.run(async {
    ///         let ((_reader, mut writer), _peer) = world().connection(&StreamOptions::new());
    ///         writer.write(format!("date: {:?}", SystemTime::now())).unwrap();
    ///     })
    /// });
    /// ```
    pub fn run_twice(mut self, one_in: u64) -> Self {
        self.twice = Twice::asked(one_in);
        self
    }

    /// After the worlds of the seeds, explores for this long, if `MILLPOND_EXPLORE=30s` does not say how long:
    /// by default not at all.
    ///
    /// What [`sometimes!`](crate::sometimes), [`reachable!`](crate::reachable) and
    /// [`observe!`](crate::observe) see for the first time is where other worlds begin: they make the same
    /// choices until then, and others from there on. So what takes several steps is found one step after the
    /// other. A failure is made smaller and printed as any other.
    ///
    /// Where it stood is kept in a file in the directory that cargo builds in
    /// (`target/millpond/TEST.worlds`), and taken up when the test of this name explores again; that may be
    /// deleted. Each of its lines is a value for `MILLPOND_SEED`.
    ///
    /// # Examples
    ///
    /// One in a hundred million worlds opens this lock:
    ///
    /// ```should_panic
    /// use std::time::Duration;
    ///
    /// use millpond_sim::{Check, observe, world};
    ///
    /// Check::new(0..100).explore_for(Duration::from_secs(30)).run(|sim| {
    ///     sim.run(async {
    ///         for (index, digit) in [13, 88, 4, 51].into_iter().enumerate() {
    ///             if world().choose(100) != digit {
    ///                 return;
    ///             }
    ///             observe!("digits", index + 1);
    ///         }
    ///         panic!("it is open");
    ///     })
    /// });
    /// ```
    pub fn explore_for(mut self, time: Duration) -> Self {
        self.explore = Limit::Time(time);
        self
    }

    /// As [`explore_for`](Self::explore_for), for a number of worlds: so two runs are the same, if none has a
    /// corpus.
    ///
    /// ```
    /// # use millpond_sim::Check;
    /// let check = Check::new(0..100).explore_worlds(10_000);
    /// ```
    pub fn explore_worlds(mut self, worlds: u64) -> Self {
        self.explore = Limit::Worlds(worlds);
        self
    }

    /// Keeps the worlds to go on from in this directory, in place of cargo's.
    ///
    /// ```
    /// # use millpond_sim::Check;
    /// let check = Check::new(0..100).explore_worlds(10_000).keep_corpus_in("corpus");
    /// ```
    pub fn keep_corpus_in(mut self, directory: impl Into<PathBuf>) -> Self {
        self.corpus = Some(directory.into());
        self
    }

    /// Calls `test` with each world, until one fails, and prints and returns a report. With
    /// `MILLPOND_SEED` there is one world, and nothing has to be true in it.
    ///
    /// # Panics
    ///
    /// As [`check`](crate::check()) does, and if what [must](Self::must) be reached was not.
    ///
    /// # Examples
    ///
    /// See [`Check`].
    pub fn run(self, test: impl FnMut(Sim)) -> Report {
        let twice = match env::var(TWICE) {
            Ok(text) => match text.parse() {
                Ok(one_in) => Twice::asked(one_in),
                Err(_) => panic!("{TWICE} is a number of worlds, not {text:?}"),
            },
            Err(_) => self.twice,
        };
        let limit = Limit::or_of_environment(self.explore);
        let mut worlds = Worlds::new(test, self.shrink_for, twice);
        let mut progress = Progress::begin();
        if let Some(source) = chosen() {
            worlds.run(source);
            return worlds.report(progress.began);
        }
        for name in &self.must {
            worlds.tally.borrow_mut().expect(name);
        }
        if !limit.is_none() {
            worlds.explore_in(Corpus::of(test_name(), self.corpus));
        }
        for seed in self.seeds {
            worlds.run_seed(seed);
            progress.print(worlds.count(), format_args!("seed {seed}"));
        }
        worlds.explore_until(limit, &mut progress);
        progress.end();
        let report = worlds.report(progress.began);
        eprintln!("{report}");
        let missing = report.missing();
        assert!(
            missing.is_empty(),
            "in none of {} worlds was it so: {missing:?}",
            report.worlds()
        );
        report
    }
}
