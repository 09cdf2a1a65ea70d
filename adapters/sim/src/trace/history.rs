//! What has happened in one world, as far as it is kept, and what is printed and saved of it.

use std::{env, mem, path, path::PathBuf};

use crate::{
    settings::Settings,
    struck::{Asked, Struck},
    trace::{
        event::{End, Event},
        record::Record,
        trace::Trace,
    },
};

/// Names the directory in which failures are saved.
const TRACES: &str = "MILLPOND_TRACES";

/// What has happened in one world.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) trace: Trace,
    pub(crate) struck: Vec<Struck>,
    pub(crate) asked: Asked,
    /// Everything, if it is to be saved when the world fails.
    record: Option<Box<Record>>,
}

impl History {
    /// One that can be saved, if the program or the environment names a directory.
    pub(super) fn new(settings: &Settings, can_be_saved: bool) -> Self {
        let hosts = match &settings.hosts[..] {
            [_] => Vec::new(),
            hosts => hosts.iter().map(|(name, _)| name.clone()).collect(),
        };
        let parent = settings.saved.clone();
        let parent = parent.or_else(|| env::var_os(TRACES).map(PathBuf::from));
        let parent = parent.filter(|_| can_be_saved);
        Self {
            trace: Trace::new(settings.kept_events, hosts),
            struck: Vec::new(),
            asked: Asked::by(settings),
            record: parent.map(|parent| Box::new(Record::new(parent))),
        }
    }

    pub(super) fn add(&mut self, now: u64, event: Event) {
        self.trace.add(now, event);
        if let Some(record) = &mut self.record {
            record.event(now, event);
        }
    }

    pub(super) fn received(&mut self, at: End, result: Result<&[u8], std::io::ErrorKind>) {
        if let Some(record) = &mut self.record {
            record.received(at, result);
        }
    }

    /// Everything until now. What comes later is only counted here.
    pub(super) fn take(&mut self) -> Self {
        let rest = Self {
            trace: self.trace.without_events(),
            struck: Vec::new(),
            asked: Asked::default(),
            record: None,
        };
        mem::replace(self, rest)
    }

    /// Prints the faults and the last events.
    pub(crate) fn print(&self) {
        let trace = &self.trace;
        if !self.struck.is_empty() {
            eprintln!("the faults in a world that failed:");
        }
        for struck in &self.struck {
            eprintln!("    {}", struck.describe(trace.hosts()));
        }
        eprintln!(
            "the last of {} events in a world that failed:\n{trace}",
            trace.len()
        );
    }

    /// Saves everything under a name, if that is wanted, and prints where.
    pub(crate) fn save(&self, name: &str) {
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
