//! Runs the worlds of one check, and reports the first that fails.

use std::{
    any::Any,
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    again::quiet,
    branch::Branch,
    check::progress::Progress,
    choice::Source,
    explore::{corpus::Corpus, explorer::Explorer, limit::Limit},
    shrink::smallest::{Shrunk, shrink, time_limit},
    sim::Sim,
    tally::{
        Counting,
        report::{Explored, Report},
        tally::Tally,
    },
    trace::origin::{Listener, Origin, Over},
    twice::{self, FirstRun},
};

/// Which worlds are run twice, to see whether they are the same again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Twice {
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

    pub(super) fn asked(one_in: u64) -> Self {
        match one_in {
            0 => Self::Never,
            one_in => Self::Asked(one_in),
        }
    }
}

/// The worlds of one check.
pub(super) struct Worlds<T> {
    test: T,
    listener: Arc<Listener>,
    pub(super) tally: Rc<RefCell<Tally>>,
    shrink_for: Duration,
    twice: Twice,
    /// The last world that was run twice within one second of the wall clock.
    waiting: Option<FirstRun>,
    explorer: Option<Explorer>,
}

impl<T: FnMut(Sim)> Worlds<T> {
    pub(super) fn new(test: T, shrink_for: Duration, twice: Twice) -> Self {
        Self {
            test,
            listener: Arc::default(),
            tally: Rc::default(),
            shrink_for,
            twice,
            waiting: None,
            explorer: None,
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.tally.borrow().worlds()
    }

    /// # Panics
    ///
    /// If the test does.
    pub(super) fn run_seed(&mut self, seed: u64) {
        match self.explorer.take() {
            Some(mut explorer) => {
                self.explore(&mut explorer, &Branch::new(seed));
                self.explorer = Some(explorer);
            }
            None => self.run(Source::Seed(seed)),
        }
    }

    /// # Panics
    ///
    /// If the test does.
    pub(super) fn run(&mut self, source: Source) {
        if let Err(payload) = self.try_run(source) {
            resume_unwind(payload);
        }
    }

    /// The panic of a test that fails, after the report.
    pub(super) fn try_run(&mut self, source: Source) -> thread::Result<()> {
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
                return Err(payload);
            }
        }
        Ok(())
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
            Source::Tape(_) => Shrunk::Not,
            _ if limit.is_zero() => Shrunk::Not,
            source @ (Source::Seed(_) | Source::Branch(_) | Source::Bytes(_)) => {
                shrink(&mut self.test, source, limit)
            }
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

    pub(super) fn report(&self, began: Instant) -> Report {
        let explored = self.explorer.as_ref().map(|explorer| Explored {
            worlds: explorer.worlds(),
            finds: explorer.finds(),
        });
        Report::new(self.tally.borrow().clone(), began.elapsed(), explored)
    }
}

/// Exploring.
impl<T: FnMut(Sim)> Worlds<T> {
    /// From now on notes what worlds show.
    pub(super) fn explore_in(&mut self, corpus: Corpus) {
        self.explorer = Some(Explorer::new(corpus));
    }

    /// # Panics
    ///
    /// If the test does.
    pub(super) fn explore_until(&mut self, limit: Limit, progress: &mut Progress) {
        let Some(mut explorer) = self.explorer.take() else {
            return;
        };
        let began = Instant::now();
        while !limit.is_over(explorer.worlds(), began) {
            let world = explorer.next();
            self.explore(&mut explorer, &world);
            if progress.print(self.count(), &explorer) {
                explorer.save(None);
            }
        }
        explorer.save(None);
        self.explorer = Some(explorer);
    }

    /// Runs a world, and notes what it has shown.
    fn explore(&mut self, explorer: &mut Explorer, world: &Branch) {
        let result = self.try_run(Source::Branch(world.clone()));
        match result {
            Ok(()) => explorer.saw(world, &self.tally.borrow_mut().take_sightings()),
            Err(payload) => {
                explorer.save(Some(world));
                resume_unwind(payload);
            }
        }
    }
}
