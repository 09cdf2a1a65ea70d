//! Watches a world until it is over.

use std::{fmt, io::ErrorKind, thread};

use crate::{
    picture::picture::Picture,
    settings::Settings,
    struck::Struck,
    trace::{
        event::{End, Event},
        history::History,
        note::Note,
        origin::{Origin, Over},
        trace::Trace,
    },
};

/// What happens in a world. If a panic drops it, that is a failure: of the world, or of a test of what
/// the world did.
pub(crate) struct Watched {
    history: History,
    /// `None` if another one watches.
    origin: Option<Origin>,
}

impl Watched {
    pub(crate) fn new(settings: &Settings, origin: Origin) -> Self {
        Self {
            history: History::new(settings, origin.keep()),
            origin: Some(origin),
        }
    }

    pub(crate) fn trace(&self) -> &Trace {
        &self.history.trace
    }

    pub(crate) fn add(&mut self, now: u64, event: Event) {
        self.history.add(now, event);
    }

    pub(crate) fn strike(&mut self, struck: Struck) {
        self.history.struck.push(struck);
        self.history.note(struck.at, || Note::Struck(struck));
    }

    /// Whether everything is kept.
    pub(crate) fn is_recorded(&self) -> bool {
        self.history.is_recorded()
    }

    /// For a record alone.
    pub(crate) fn note(&mut self, now: u64, note: impl FnOnce() -> Note) {
        self.history.note(now, note);
    }

    /// If everything is kept.
    pub(crate) fn picture(&self) -> Option<Picture> {
        self.history.picture()
    }

    /// What an end has written.
    pub(crate) fn wrote<'a>(&mut self, bufs: impl Iterator<Item = &'a [u8]> + Clone) {
        self.history.wrote(bufs);
    }

    /// What a read has returned at an end.
    pub(crate) fn received(&mut self, at: End, result: Result<&[u8], ErrorKind>) {
        self.history.received(at, result);
    }

    /// Everything until now. What comes later is only counted here.
    pub(crate) fn take(&mut self) -> Self {
        self.history.save_page();
        Self {
            history: self.history.take(),
            origin: self.origin.take(),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(origin) = self.origin.take() else {
            return;
        };
        let failed = thread::panicking();
        match &origin.listener {
            Some(listener) if failed => listener.report(Over::Failed(self.history.take())),
            Some(listener) => listener.report(Over::Passed(self.history.take())),
            None if failed => origin.report(&self.history),
            None => {}
        }
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(f)
    }
}
