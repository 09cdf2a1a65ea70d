//! Reports a world that failed: its last events, how to repeat it, and what is saved of it.

use std::{
    env, fmt, mem,
    path::{self, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::{
    choice::Source,
    settings::Settings,
    struck::{Asked, Struck},
    trace::{
        digest::digest,
        event::{End, Event},
        record::Record,
        trace::Trace,
    },
};

/// Names one world that is to be run instead of all.
const SEED: &str = "MILLPOND_SEED";

/// Names the directory in which failures are saved.
const TRACES: &str = "MILLPOND_TRACES";

/// What happens in a world. If a panic drops it, it reports the failure: that of the world, or of a
/// test of what the world did.
pub(crate) struct Watched {
    pub(crate) trace: Trace,
    pub(crate) struck: Vec<Struck>,
    pub(crate) asked: Asked,
    /// Everything, if it is to be saved when the world fails.
    record: Option<Box<Record>>,
    /// `None` if the failure of this world is reported elsewhere.
    origin: Option<Origin>,
}

impl Watched {
    pub(crate) fn new(settings: &Settings, origin: Origin) -> Self {
        let hosts = match &settings.hosts[..] {
            [_] => Vec::new(),
            hosts => hosts.iter().map(|(name, _)| name.clone()).collect(),
        };
        let parent = settings.saved.clone();
        let parent = parent.or_else(|| env::var_os(TRACES).map(PathBuf::from));
        Self {
            trace: Trace::new(settings.kept_events, hosts),
            struck: Vec::new(),
            asked: Asked::by(settings),
            record: parent.map(|parent| Box::new(Record::new(parent))),
            origin: Some(origin),
        }
    }

    pub(crate) fn add(&mut self, now: u64, event: Event) {
        self.trace.add(now, event);
        if let Some(record) = &mut self.record {
            record.event(now, event);
        }
    }

    /// What a read has returned at an end.
    pub(crate) fn received(&mut self, at: End, result: Result<&[u8], std::io::ErrorKind>) {
        if let Some(record) = &mut self.record {
            record.received(at, result);
        }
    }

    /// Everything until now. What comes later is only counted here.
    pub(crate) fn take(&mut self) -> Self {
        let rest = Self {
            trace: self.trace.without_events(),
            struck: Vec::new(),
            asked: Asked::default(),
            record: None,
            origin: None,
        };
        mem::replace(self, rest)
    }

    /// Saves everything, if that is wanted, in a directory of its own, and prints which.
    fn save(&self, name: &str) {
        let Some(record) = &self.record else { return };
        let directory = record.parent.join(name);
        let directory = path::absolute(&directory).unwrap_or(directory);
        match record.save(&directory, self.trace.hosts()) {
            Ok(()) => eprintln!(
                "all of them, and what each end has received: {}",
                directory.display()
            ),
            Err(error) => eprintln!("nothing is saved in {}: {error}", directory.display()),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        match self.origin.take() {
            Some(origin) if thread::panicking() => origin.report(self),
            Some(origin) => origin.keep(|| self.take()),
            None => {}
        }
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(f)
    }
}

/// Where a world comes from, so that it can be repeated.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) source: Source,
    /// If it is one of many; otherwise the program has asked for it by its source.
    many: Option<Arc<Many>>,
}

/// What is known of one world of many when it is over.
#[derive(Debug, Default)]
pub(crate) struct Many {
    /// Whether its failure was reported.
    reported: AtomicBool,
    /// What happened in it, if that was no failure so far.
    last: Mutex<Option<Watched>>,
}

impl Origin {
    pub(crate) fn of_program(source: Source) -> Self {
        Self { source, many: None }
    }

    /// That of the next world of many.
    pub(crate) fn of_many(source: Source, many: &Arc<Many>) -> Self {
        many.reported.store(false, Ordering::Relaxed);
        *many.last() = None;
        let many = Some(many.clone());
        Self { source, many }
    }

    /// Prints what happened in a world that failed, and how to repeat it.
    fn report(&self, watched: &Watched) {
        let trace = &watched.trace;
        if !watched.struck.is_empty() {
            eprintln!("the faults in a world that failed:");
        }
        for struck in &watched.struck {
            eprintln!("    {}", struck.describe(trace.hosts()));
        }
        eprintln!(
            "the last of {} events in a world that failed:\n{trace}",
            trace.len()
        );
        watched.save(&self.name());
        self.report_command();
    }

    /// The world has not failed, but a test of what it did may.
    fn keep(&self, watched: impl FnOnce() -> Watched) {
        if let Some(many) = &self.many {
            *many.last() = Some(watched());
        }
    }

    fn report_command(&self) {
        if let Some(many) = &self.many {
            many.reported.store(true, Ordering::Relaxed);
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

    /// A name for files.
    fn name(&self) -> String {
        let world = match &self.source {
            Source::Seed(seed) => seed.to_string(),
            Source::Bytes(bytes) => format!("{:016x}", digest([&bytes[..]])),
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

/// The world that the environment names.
///
/// # Panics
///
/// If the variable is set, and names none.
pub(crate) fn chosen() -> Option<Source> {
    let text = env::var(SEED).ok()?;
    match Source::parse(&text) {
        Some(source) => Some(source),
        None => panic!("{SEED} is a number, or bytes: and hexadecimal digits, not {text:?}"),
    }
}

impl Many {
    pub(crate) fn last(&self) -> MutexGuard<'_, Option<Watched>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// If a panic drops it, it reports a failure that no world has reported: one of the test before or
/// after its world.
pub(crate) struct UnreportedFailure<'a>(pub(crate) &'a Origin);

impl Drop for UnreportedFailure<'_> {
    fn drop(&mut self) {
        let Some(many) = &self.0.many else { return };
        if thread::panicking() && !many.reported.load(Ordering::Relaxed) {
            let last = many.last().take();
            match last {
                Some(watched) => self.0.report(&watched),
                None => self.0.report_command(),
            }
        }
    }
}
