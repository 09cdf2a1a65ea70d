//! Many worlds, one after the other, until one fails.

use std::{
    cell::RefCell,
    io::{IsTerminal, stderr},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    choice::Source,
    sim::Sim,
    tally::{Counting, report::Report, tally::Tally},
    trace::failure::{self, Many, Origin, UnreportedFailure},
};

/// How often the progress is printed.
const PROGRESS: Duration = Duration::from_secs(1);

/// Calls `test` with the world of each seed, until one fails.
///
/// That prints the last events, and the seed with which it can be repeated: if the environment
/// variable `MILLPOND_SEED` is set, only the world of that seed is run. It is a number, or `bytes:`
/// and hexadecimal digits for a [world of bytes](Sim::from_bytes).
/// [`Sim::save_failures_in`] saves more of a failure.
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
}

impl<S: IntoIterator<Item = u64>> Check<S> {
    /// The world of each seed.
    ///
    /// See [`Check`] for an example.
    pub fn new(seeds: S) -> Self {
        Self {
            seeds,
            must: Vec::new(),
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
        let mut worlds = Worlds::new(test);
        let began = Instant::now();
        if let Some(source) = failure::chosen() {
            worlds.run(source);
            return worlds.report(began);
        }
        for name in &self.must {
            worlds.tally.borrow_mut().expect(name);
        }
        let mut progress = began;
        for (seed, count) in self.seeds.into_iter().zip(1..) {
            worlds.run(Source::Seed(seed));
            if progress.elapsed() >= PROGRESS {
                progress = Instant::now();
                print_progress(count, began.elapsed(), seed);
            }
        }
        if progress > began && stderr().is_terminal() {
            eprintln!();
        }
        let report = worlds.report(began);
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

/// The worlds of one check.
struct Worlds<T> {
    test: T,
    many: Arc<Many>,
    tally: Rc<RefCell<Tally>>,
}

impl<T: FnMut(Sim)> Worlds<T> {
    fn new(test: T) -> Self {
        Self {
            test,
            many: Arc::default(),
            tally: Rc::default(),
        }
    }

    fn run(&mut self, source: Source) {
        self.tally.borrow_mut().begin_world(&source);
        let counting = Counting::begin(Some(self.tally.clone()));
        let origin = Origin::of_many(source, &self.many);
        let unreported = UnreportedFailure(&origin);
        (self.test)(Sim::of(origin.clone()));
        drop((unreported, counting));
        if let Some(watched) = &*self.many.last() {
            let mut tally = self.tally.borrow_mut();
            tally.add_faults(watched.asked, &watched.struck);
        }
    }

    fn report(&self, began: Instant) -> Report {
        Report::new(self.tally.borrow().clone(), began.elapsed())
    }
}

fn print_progress(count: u64, time: Duration, seed: u64) {
    let rate = count as f64 / time.as_secs_f64();
    let line = format!("{count} worlds in {time:.0?}, {rate:.0} a second, seed {seed}");
    if stderr().is_terminal() {
        eprint!("\r{line}");
    } else {
        eprintln!("{line}");
    }
}
