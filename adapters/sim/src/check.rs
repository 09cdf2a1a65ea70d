//! Many worlds, one after the other, until one fails.

use std::{
    any::Any,
    cell::RefCell,
    env,
    io::{IsTerminal, stderr},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    again::quiet,
    choice::Source,
    shrink::smallest::{Shrunk, shrink, time_limit},
    sim::Sim,
    tally::{Counting, report::Report, tally::Tally},
    trace::origin::{Listener, Origin, Over, chosen},
    twice::{self, FirstRun},
};

/// How often the progress is printed.
const PROGRESS: Duration = Duration::from_secs(1);

/// How long a failing world is made smaller.
const SHRINK: Duration = Duration::from_secs(2);

/// One in how many worlds is run twice, if the environment says so.
const TWICE: &str = "MILLPOND_TWICE";

/// Which worlds are run twice, to see whether they are the same again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Twice {
    /// One in 64. The first that differs is printed.
    Now,
    /// One in so many. One that differs fails.
    Asked(u64),
    Never,
}

impl Twice {
    fn includes(self, world: u64) -> bool {
        match self {
            Self::Now => world % 64 == 0,
            Self::Asked(one_in) => world % one_in == 0,
            Self::Never => false,
        }
    }

    fn asked(one_in: u64) -> Self {
        match one_in {
            0 => Self::Never,
            one_in => Self::Asked(one_in),
        }
    }
}

/// Calls `test` with the world of each seed, until one fails.
///
/// That prints the seed with which it can be repeated: if the environment variable `MILLPOND_SEED` is
/// set, only the world of that seed is run. It is a number, or `bytes:` and hexadecimal digits for a
/// [world of bytes](Sim::from_bytes), or what is printed of a smallest world.
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
        let mut worlds = Worlds::new(test, self.shrink_for, twice);
        let began = Instant::now();
        if let Some(source) = chosen() {
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
    listener: Arc<Listener>,
    tally: Rc<RefCell<Tally>>,
    shrink_for: Duration,
    twice: Twice,
    /// The last world that was run twice within one second of the wall clock.
    waiting: Option<FirstRun>,
}

impl<T: FnMut(Sim)> Worlds<T> {
    fn new(test: T, shrink_for: Duration, twice: Twice) -> Self {
        Self {
            test,
            listener: Arc::default(),
            tally: Rc::default(),
            shrink_for,
            twice,
            waiting: None,
        }
    }

    fn run(&mut self, source: Source) {
        self.tally.borrow_mut().begin_world(&source);
        let counting = Counting::begin(Some(self.tally.clone()));
        let origin = Origin::of_many(source, &self.listener);
        let result = catch_unwind(AssertUnwindSafe(|| (self.test)(Sim::of(origin.clone()))));
        drop(counting);
        match (result, self.listener.take()) {
            (Ok(()), Over::Passed(history)) => {
                let mut tally = self.tally.borrow_mut();
                tally.add_faults(history.asked, &history.struck);
                let worlds = tally.worlds();
                drop(tally);
                if self.twice.includes(worlds) && !history.has_other_threads {
                    self.run_twice(FirstRun::new(&origin.source, &history, false), &origin);
                }
            }
            (Ok(()), Over::Failed(history)) => origin.report(&history), // the test has caught it
            (Ok(()), Over::Not) => {}
            (Err(payload), over) => {
                self.report_failure(&origin, over, &*payload);
                resume_unwind(payload);
            }
        }
    }

    /// Runs a world again, and once more when the wall clock has gone on.
    fn run_twice(&mut self, first: FirstRun, origin: &Origin) {
        let mut difference = first.compare(&mut self.test);
        match &self.waiting {
            Some(waiting) if waiting.second == twice::second() => {}
            Some(waiting) => {
                difference = difference.or_else(|| waiting.compare(&mut self.test));
                self.waiting = Some(first);
            }
            None => self.waiting = Some(first),
        }
        let Some(difference) = difference else {
            return;
        };
        let command = origin.command();
        let text = format!("it is not deterministic: {difference}\nto repeat it: {command}");
        match self.twice {
            Twice::Asked(_) => panic!("{text}"),
            Twice::Now | Twice::Never => eprintln!("{text}\n"),
        }
        self.twice = Twice::Never; // once is enough
    }

    /// Prints what happened in a world that failed, or in the smallest that fails like it.
    fn report_failure(&mut self, origin: &Origin, over: Over, payload: &(dyn Any + Send)) {
        origin.report_command();
        let history = over.history();
        let first = match &history {
            Some(history) if !history.has_other_threads => {
                Some(FirstRun::new(&origin.source, history, true))
            }
            _ => None,
        };
        let limit = time_limit(self.shrink_for);
        let shrunk = match &origin.source {
            source @ (Source::Seed(_) | Source::Bytes(_)) if !limit.is_zero() => {
                shrink(&mut self.test, source, limit)
            }
            Source::Seed(_) | Source::Bytes(_) | Source::Tape(_) => Shrunk::Not,
        };
        if let Some(history) = &history {
            history.save(&origin.name());
        }
        match (shrunk, history) {
            (Shrunk::Smaller(world), _) => world.report(&mut self.test, &quiet::message(payload)),
            (Shrunk::Differs | Shrunk::Not, Some(history)) => history.print(),
            (Shrunk::Differs | Shrunk::Not, None) => {}
        }
        let first = first.filter(|_| self.twice != Twice::Never && !limit.is_zero());
        if let Some(first) = first {
            twice::wait_for_second_after(first.second);
            if let Some(difference) = first.compare(&mut self.test) {
                eprintln!("it is not deterministic: {difference}\n");
            }
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
