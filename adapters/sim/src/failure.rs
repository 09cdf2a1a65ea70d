//! What is told of a world that failed, and what is saved of it.

use std::{
    env,
    path::{self, Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::{choice::Source, record::Record, trace};

/// Names one world that is to be run instead of all.
const SEED: &str = "MILLPOND_SEED";

/// Names the directory in which failures are saved.
const TRACES: &str = "MILLPOND_TRACES";

/// Where a world comes from, so that it can be had again.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) source: Source,
    /// Of a world that is one of many, whether its failure was told; nothing of one that the program
    /// has asked for by its source.
    told: Option<Arc<AtomicBool>>,
}

impl Origin {
    pub(crate) fn of_program(source: Source) -> Self {
        Self { source, told: None }
    }

    pub(crate) fn of_many(source: Source, told: Arc<AtomicBool>) -> Self {
        let told = Some(told);
        Self { source, told }
    }

    /// Tells what a failure needs to be repeated.
    pub(crate) fn tell(&self) {
        if let Some(told) = &self.told {
            told.store(true, Ordering::Relaxed);
        }
        eprintln!("to repeat it: {}\n", self.command());
    }

    fn command(&self) -> String {
        let source = &self.source;
        match (&self.told, test_name()) {
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

/// Sees to it that a failure is told that no world has told: of what was found behind it, or before.
pub(crate) struct Untold<'a>(pub(crate) &'a Origin);

impl Drop for Untold<'_> {
    fn drop(&mut self) {
        let told = self.0.told.as_ref();
        if thread::panicking() && told.is_none_or(|told| !told.load(Ordering::Relaxed)) {
            self.0.tell();
        }
    }
}
