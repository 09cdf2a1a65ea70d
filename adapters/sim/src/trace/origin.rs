//! Where a world comes from, and who waits for what happens in it.

use std::{
    env, mem,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use crate::{
    choice::Source,
    tape::Recorder,
    trace::{
        digest::digest,
        history::{History, Keep},
    },
};

/// Names one world that is to be run instead of all.
const SEED: &str = "MILLPOND_SEED";

/// Where a world comes from, so that it can be repeated.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) source: Source,
    pub(super) listener: Option<Arc<Listener>>,
    pub(crate) again: Option<Again>,
}

/// A world that is run once more: what records its choices, and after how many polls it is given up.
#[derive(Clone, Debug)]
pub(crate) struct Again {
    pub(crate) recorder: Recorder,
    pub(crate) max_polls: u64,
    pub(crate) keep: Keep,
}

/// How one of a check's worlds has ended. Otherwise a failure is printed at once.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    over: Mutex<Over>,
}

/// How a world has ended.
#[derive(Debug, Default)]
pub(crate) enum Over {
    /// There was none.
    #[default]
    Not,
    /// It has not failed, but a test of what it did may.
    Passed(History),
    Failed(History),
}

impl Over {
    /// `None` if there was no world.
    pub(crate) fn history(self) -> Option<History> {
        match self {
            Self::Passed(history) | Self::Failed(history) => Some(history),
            Self::Not => None,
        }
    }
}

impl Origin {
    pub(crate) fn of_program(source: Source) -> Self {
        Self {
            source,
            listener: None,
            again: None,
        }
    }

    pub(crate) fn of_many(source: Source, listener: &Arc<Listener>) -> Self {
        Self {
            source,
            listener: Some(listener.clone()),
            again: None,
        }
    }

    pub(crate) fn of_many_again(source: Source, listener: &Arc<Listener>, again: Again) -> Self {
        Self {
            again: Some(again),
            ..Self::of_many(source, listener)
        }
    }

    /// What is kept of the world beside its last events.
    pub(super) fn keep(&self) -> Keep {
        self.again.as_ref().map_or(Keep::ToSave, |again| again.keep)
    }

    /// Prints what happened in a world that failed, and how to repeat it.
    pub(crate) fn report(&self, history: &History) {
        history.print();
        history.save(&self.name());
        self.report_command();
    }

    pub(crate) fn report_command(&self) {
        eprintln!("to repeat it: {}\n", self.command());
    }

    pub(crate) fn command(&self) -> String {
        let source = &self.source;
        match (&self.listener, test_name()) {
            (Some(_), Some(test)) => {
                format!("{SEED}={} cargo test {test} -- --exact", source.variable())
            }
            (Some(_), None) => format!("{SEED}={}", source.variable()),
            (None, _) => source.constructor(),
        }
    }

    /// A name for files.
    pub(crate) fn name(&self) -> String {
        let world = match &self.source {
            Source::Seed(seed) => seed.to_string(),
            Source::Bytes(bytes) => format!("{:016x}", digest([&bytes[..]])),
            Source::Branch(branch) => {
                format!("explored-{:016x}", digest([branch.text().as_bytes()]))
            }
            Source::Tape(_) => "smallest".to_owned(),
        };
        match test_name() {
            Some(test) => format!("{}-{world}", test.replace("::", "-")),
            None => world,
        }
    }
}

impl Listener {
    /// A failure is not forgotten for a world that the same test has run after it.
    pub(super) fn report(&self, over: Over) {
        let mut last = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!((&*last, &over), (Over::Failed(_), Over::Passed(_))) {
            *last = over;
        }
    }

    /// What was reported last.
    pub(crate) fn take(&self) -> Over {
        mem::take(&mut self.over.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The test that this thread runs.
pub(crate) fn test_name() -> Option<String> {
    let name = thread::current().name()?.to_owned();
    (name != "main").then_some(name)
}

/// The world that the environment names.
///
/// # Panics
///
/// If the variable is set, and names none.
pub(crate) fn chosen() -> Option<Source> {
    let text = env::var(SEED).ok()?;
    match Source::parse(&text) {
        Some(source) => Some(source),
        None => panic!(
            "{SEED} is a number, perhaps with turns, or bytes: and hexadecimal digits, or calm+ and choices, not {text:?}"
        ),
    }
}
