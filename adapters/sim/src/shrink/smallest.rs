//! From a seed that fails to the smallest world that fails in the same way, and what is printed of it.

use std::{
    env,
    time::{Duration, Instant},
};

use crate::{
    again::outcome::{Test, run_again, run_for_report},
    choice::Source,
    shrink::{passes::Shrinker, plan::Plan},
    tape::Tape,
    time::parse_seconds,
};

/// How many seconds shrinking may take, if the environment says so; 0 is none.
const SHRINK: &str = "MILLPOND_SHRINK";

/// What is known of a world that failed when it was run once more.
pub(crate) enum Shrunk {
    /// It did not fail again.
    Differs,
    /// There is no smaller one.
    Not,
    Smaller(Smallest),
}

/// The smallest world found.
pub(crate) struct Smallest {
    tape: Tape,
    choices: usize,
    message: String,
    tried: u64,
    elapsed: Duration,
    /// The time was over before no smaller one was found.
    is_cut_short: bool,
    /// The faults alone, as a program has them, if it fails with these, too.
    plan: Option<String>,
}

/// How long shrinking may take.
///
/// # Panics
///
/// If the environment variable is no number of seconds.
pub(crate) fn time_limit(default: Duration) -> Duration {
    env::var(SHRINK).map_or(default, |text| parse_seconds(SHRINK, &text))
}

/// Makes a world that has failed small. It is run again first, since passing worlds note no choices.
pub(crate) fn shrink(test: Test<'_>, source: &Source, limit: Duration) -> Shrunk {
    let began = Instant::now();
    let first = run_again(&mut *test, source.clone(), u64::MAX, |sim| sim);
    let Some(failure) = first.failure.clone() else {
        return Shrunk::Differs;
    };
    let events = first.history.as_ref().map_or(0, |it| it.trace.len());
    let max_polls = match failure.is_endless() {
        true => u64::MAX,
        false => 4 * events + 10_000, // a smaller one needs no more
    };
    let mut shrinker = Shrinker::new(&mut *test, first, failure.clone(), max_polls, began + limit);
    shrinker.run();
    let is_cut_short = shrinker.is_late();
    let (best, tried) = (shrinker.best, shrinker.tried);
    if !shrinker.is_on_tape {
        return Shrunk::Not;
    }
    let plan = best.history.as_ref().map(Plan::of);
    let plan = plan.filter(|plan| {
        let calm = Source::Tape(Tape::default());
        let planned = run_again(&mut *test, calm, max_polls, |sim| plan.apply(sim));
        planned.failure.as_ref() == Some(&failure)
    });
    Shrunk::Smaller(Smallest {
        tape: Tape::of(&best.drawn),
        choices: best.drawn.len(),
        message: best.failure.map_or_else(String::new, |it| it.message),
        tried,
        elapsed: began.elapsed(),
        is_cut_short,
        plan: plan.map(|plan| plan.source()),
    })
}

impl Smallest {
    /// Runs it once more, prints what happens in it, and how to repeat it. `message` is that of the
    /// first failure.
    pub(crate) fn report(&self, test: Test<'_>, message: &str) {
        let (origin, history) = run_for_report(test, Source::Tape(self.tape.clone()));
        eprintln!(
            "the smallest world that fails like it, of {} tried in {:.2?}: {}",
            self.tried,
            self.elapsed,
            match self.choices {
                0 => "all choices are calm".to_owned(),
                1 => "1 choice is not calm".to_owned(),
                n => format!("{n} choices are not calm"),
            }
        );
        if self.is_cut_short {
            let longer = (4 * self.elapsed.as_secs()).max(10);
            eprintln!("there was no time to look for smaller ones: {SHRINK}={longer}s has it");
        }
        if !message.contains(&self.message) {
            eprintln!("it fails with: {}", self.message);
        }
        if let Some(history) = history {
            history.print();
            history.print_picture();
            history.save(&origin.name());
        }
        eprintln!("to repeat the smallest: {}", origin.command());
        if let Some(plan) = &self.plan {
            eprintln!("or with its faults alone: {plan}");
        }
        eprintln!();
    }
}
