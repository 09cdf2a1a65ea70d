//! What has happened in one world, as far as it is kept, and what is printed and saved of it.

use std::{env, mem, path, path::PathBuf};

use crate::{
    picture::picture::Picture,
    settings::Settings,
    struck::{Kinds, Struck},
    trace::{
        event::{End, Event},
        note::Note,
        record::Record,
        trace::Trace,
        transcript::Transcript,
    },
};

/// Names the directory in which failures are saved.
const TRACES: &str = "MILLPOND_TRACES";

/// So many lines of a picture are printed.
const PICTURE_ROWS: usize = 40;

/// What has happened in one world.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) trace: Trace,
    pub(crate) struck: Vec<Struck>,
    pub(crate) asked: Kinds,
    /// Whether threads of the program may do what the seed does not decide.
    pub(crate) has_other_threads: bool,
    /// If the world is to be compared with another run.
    pub(crate) transcript: Option<Box<Transcript>>,
    /// Everything, if it is to be drawn, or saved when the world fails.
    record: Option<Box<Record>>,
}

/// What is kept beside the last events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keep {
    /// Everything, if the program or the environment asks for it.
    ToSave,
    Nothing,
    ToCompare,
}

impl History {
    pub(super) fn new(settings: &Settings, keep: Keep) -> Self {
        let hosts = match &settings.hosts[..] {
            [_] => Vec::new(),
            hosts => hosts.iter().map(|(name, _)| name.clone()).collect(),
        };
        let parent = settings.saved.clone();
        let parent = parent.or_else(|| env::var_os(TRACES).map(PathBuf::from));
        Self {
            trace: Trace::new(settings.kept_events, hosts),
            struck: Vec::new(),
            asked: Kinds::asked_by(settings),
            has_other_threads: settings.other_threads.is_some(),
            transcript: (keep == Keep::ToCompare).then(Box::default),
            record: match keep {
                Keep::ToSave => Record::new(settings, parent).map(Box::new),
                Keep::Nothing | Keep::ToCompare => None,
            },
        }
    }

    pub(super) fn add(&mut self, now: u64, event: Event) {
        self.trace.add(now, event);
        if let Some(transcript) = &mut self.transcript {
            transcript.add(now, event);
        }
        if let Some(record) = &mut self.record {
            record.event(now, event);
        }
    }

    pub(super) fn wrote<'a>(&mut self, bufs: impl Iterator<Item = &'a [u8]> + Clone) {
        if let Some(transcript) = &mut self.transcript {
            transcript.wrote(bufs.clone());
        }
        if let Some(record) = &mut self.record {
            record.wrote(bufs);
        }
    }

    pub(super) fn is_recorded(&self) -> bool {
        self.record.is_some()
    }

    pub(super) fn note(&mut self, now: u64, note: impl FnOnce() -> Note) {
        if let Some(record) = &mut self.record {
            record.note(now, note());
        }
    }

    pub(super) fn picture(&self) -> Option<Picture> {
        let record = self.record.as_ref()?;
        Some(record.picture(self.trace.hosts()))
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
            asked: Kinds::default(),
            has_other_threads: self.has_other_threads,
            transcript: None,
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

    /// Prints the last rows of a picture, if everything is kept.
    pub(crate) fn print_picture(&self) {
        let Some(picture) = self.picture() else {
            return;
        };
        let text = picture.to_string();
        let mut lines = text.lines();
        eprintln!("a picture of it:\n{}", lines.next().unwrap_or_default());
        let lines: Vec<_> = lines.collect();
        let before = lines.len().saturating_sub(PICTURE_ROWS);
        if before > 0 {
            eprintln!("{before:>5} lines before");
        }
        lines[before..].iter().for_each(|line| eprintln!("{line}"));
        eprintln!();
    }

    /// Writes the page that the program has asked for.
    pub(super) fn save_page(&self) {
        let Some(record) = &self.record else { return };
        if let Some((page, Err(error))) = record.save_page(self.trace.hosts()) {
            eprintln!("no picture is saved in {}: {error}", page.display());
        }
    }

    /// Saves everything under a name, if that is wanted, and prints where.
    pub(crate) fn save(&self, name: &str) {
        let Some(record) = &self.record else { return };
        let Some(parent) = &record.parent else { return };
        let directory = parent.join(name);
        let directory = path::absolute(&directory).unwrap_or(directory);
        match record.save(&directory, self.trace.hosts()) {
            Ok(()) => {
                let shown = directory.display();
                eprintln!("all of them, and what each end has received: {shown}");
                eprintln!("as a page: {}", directory.join("world.html").display());
            }
            Err(error) => eprintln!("nothing is saved in {}: {error}", directory.display()),
        }
    }
}
