//! What is told of a world that failed, and what is saved of it.

use std::{
    env,
    path::{self, Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::{
    choice::Source,
    record::Record,
    trace::{self, Trace},
};

/// Names one world that is to be run instead of all.
const SEED: &str = "MILLPOND_SEED";

/// Names the directory in which failures are saved.
const TRACES: &str = "MILLPOND_TRACES";

/// Where a world comes from, so that it can be had again.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) source: Source,
    /// If it is one of many; otherwise the program has asked for it by its source.
    many: Option<Arc<Many>>,
}

/// What is known of one world of many when it is over.
#[derive(Debug, Default)]
pub(crate) struct Many {
    /// Whether its failure was told.
    told: AtomicBool,
    /// What happened in it, if that was no failure so far.
    last: Mutex<Option<Trace>>,
}

impl Origin {
    pub(crate) fn of_program(source: Source) -> Self {
        Self { source, many: None }
    }

    /// That of the next world of many.
    pub(crate) fn of_many(source: Source, many: &Arc<Many>) -> Self {
        many.told.store(false, Ordering::Relaxed);
        *many.last() = None;
        let many = Some(many.clone());
        Self { source, many }
    }

    /// Tells what happened in a world that failed, and what that needs to be repeated.
    pub(crate) fn report(&self, trace: &Trace) {
        eprintln!(
            "the last of {} events in a world that failed:\n{trace}",
            trace.len()
        );
        trace.save(self);
        self.tell();
    }

    /// The world has not failed, but what is made of it may.
    pub(crate) fn keep(&self, trace: impl FnOnce() -> Trace) {
        if let Some(many) = &self.many {
            *many.last() = Some(trace());
        }
    }

    fn tell(&self) {
        if let Some(many) = &self.many {
            many.told.store(true, Ordering::Relaxed);
        }
        eprintln!("to repeat it: {}\n", self.command());
    }

    fn command(&self) -> String {
        let source = &self.source;
        match (&self.many, test_name()) {
            (Some(_), Some(test)) => {
                format!("{SEED}={} cargo test {test} -- --exact", source.variable())
            }
            (Some(_), None) => format!("{SEED}={}", source.variable()),
            (None, _) => source.constructor(),
        }
    }

    /// Saves everything in a directory of its own within this one, and tells which.
    pub(crate) fn save(&self, record: &Record, within: &Path, hosts: &[String]) {
        let directory = within.join(self.name());
        let directory = path::absolute(&directory).unwrap_or(directory);
        match record.save(&directory, hosts) {
            Ok(()) => eprintln!(
                "all of them, and what each end has received: {}",
                directory.display()
            ),
            Err(error) => eprintln!("nothing is saved in {}: {error}", directory.display()),
        }
    }

    /// A name for files.
    fn name(&self) -> String {
        let world = match &self.source {
            Source::Seed(seed) => seed.to_string(),
            Source::Bytes(bytes) => format!("{:016x}", trace::digest([&bytes[..]])),
        };
        match test_name() {
            Some(test) => format!("{}-{world}", test.replace("::", "-")),
            None => world,
        }
    }
}

/// The test that this thread runs.
fn test_name() -> Option<String> {
    let name = thread::current().name()?.to_owned();
    (name != "main").then_some(name)
}

/// Where the environment has failures saved.
pub(crate) fn directory() -> Option<PathBuf> {
    env::var_os(TRACES).map(PathBuf::from)
}

/// The world that the environment names.
///
/// # Panics
///
/// If it names none.
pub(crate) fn chosen() -> Option<Source> {
    let text = env::var(SEED).ok()?;
    match Source::parse(&text) {
        Some(source) => Some(source),
        None => panic!("{SEED} is a number, or bytes: and hexadecimal digits, not {text:?}"),
    }
}

impl Many {
    fn last(&self) -> MutexGuard<'_, Option<Trace>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sees to it that a failure is told that no world has told: of what was found behind it, or before.
pub(crate) struct Untold<'a>(pub(crate) &'a Origin);

impl Drop for Untold<'_> {
    fn drop(&mut self) {
        let Some(many) = &self.0.many else { return };
        if thread::panicking() && !many.told.load(Ordering::Relaxed) {
            let last = many.last().take();
            match last {
                Some(trace) => self.0.report(&trace),
                None => self.0.tell(),
            }
        }
    }
}
