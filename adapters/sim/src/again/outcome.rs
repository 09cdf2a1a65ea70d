//! Runs a test in one more world, and says how it ended.

use std::sync::Arc;

use crate::{
    again::quiet::{Panic, run_quietly},
    choice::Source,
    run::{CAUGHT, ENDLESS, STUCK},
    sim::{LEFT, Sim},
    tally::Counting,
    tape::{Drawn, Recorder},
    trace::{
        history::{History, Keep},
        origin::{Again, Listener, Origin},
    },
};

/// A test of worlds.
pub(crate) type Test<'a> = &'a mut dyn FnMut(Sim);

/// How one more world has ended.
pub(crate) struct Outcome {
    pub(crate) failure: Option<Failure>,
    pub(crate) history: Option<History>,
    /// Its choices that were not calm.
    pub(crate) drawn: Vec<Drawn>,
}

/// How a test has failed. Two are equal if they seem to have one cause, whatever their messages are.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    place: String,
    kind: Kind,
    pub(crate) message: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Panic,
    Stuck,
    Endless,
    Leak,
}

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place && self.kind == other.kind
    }
}

impl Failure {
    /// By the last panic; of one that a server has caught, by that.
    fn of(mut panics: Vec<Panic>) -> Self {
        let last = panics.pop();
        let cause = match &last {
            Some(last) if last.message.starts_with(CAUGHT) => panics.pop(),
            _ => None,
        };
        let (place, message) = match cause.or(last) {
            Some(panic) => (panic.place, panic.message),
            None => Default::default(), // the program has a hook of its own
        };
        let kinds = [
            (STUCK, Kind::Stuck),
            (ENDLESS, Kind::Endless),
            (LEFT, Kind::Leak),
        ];
        let kind = kinds.iter().find(|(text, _)| message.contains(text));
        Self {
            place,
            kind: kind.map_or(Kind::Panic, |(_, kind)| *kind),
            message,
        }
    }

    /// Whether it shows only after very many polls.
    pub(crate) fn is_endless(&self) -> bool {
        self.kind == Kind::Endless
    }
}

/// Runs the test in the world of a source, which `change` changes, without counting or printing anything.
pub(crate) fn run_again(
    test: Test<'_>,
    source: Source,
    max_polls: u64,
    change: impl FnOnce(Sim) -> Sim,
) -> Outcome {
    let again = Again {
        recorder: Recorder::default(),
        max_polls,
        keep: Keep::Nothing,
    };
    run_as(again, test, source, change)
}

/// The same, and keeps every event with its bytes.
pub(crate) fn run_with_transcript(test: Test<'_>, source: Source) -> Outcome {
    let again = Again {
        recorder: Recorder::default(),
        max_polls: u64::MAX,
        keep: Keep::ToCompare,
    };
    run_as(again, test, source, |sim| sim)
}

fn run_as(
    again: Again,
    test: Test<'_>,
    source: Source,
    change: impl FnOnce(Sim) -> Sim,
) -> Outcome {
    let listener = Arc::new(Listener::default());
    let origin = Origin::of_many_again(source, &listener, again.clone());
    let (failure, history) = run(test, change(Sim::of(origin)), &listener);
    Outcome {
        failure,
        history,
        drawn: again.recorder.take(),
    }
}

/// Runs the test in a world that can be printed, drawn and saved.
pub(crate) fn run_for_report(test: Test<'_>, source: Source) -> (Origin, Option<History>) {
    let listener = Arc::new(Listener::default());
    let origin = Origin::of_many(source, &listener);
    let sim = Sim::of(origin.clone()).keep_picture();
    let (_, history) = run(test, sim, &listener);
    (origin, history)
}

fn run(test: Test<'_>, sim: Sim, listener: &Listener) -> (Option<Failure>, Option<History>) {
    let _counting = Counting::begin(None);
    let (failed, panics) = run_quietly(|| test(sim));
    (
        failed.then(|| Failure::of(panics)),
        listener.take().history(),
    )
}
