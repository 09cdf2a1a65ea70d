//! Back-pressure as a level and as the change of it that has not been reported yet.

/// A change of back-pressure; asyncio's four callbacks. See
/// [`Reader::poll_event`](crate::Reader::poll_event) and [`Writer::poll_event`](crate::Writer::poll_event) for examples.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The application does not keep up: stop feeding.
    PauseReading,
    /// The transport does not keep up: stop writing.
    PauseWriting,
    /// Feed again.
    ResumeReading,
    /// Write again.
    ResumeWriting,
}

/// Events are differences between what is and what was last reported, not a queue: a pause and a
/// resume between two reports cancel out, and at most one event is ever waiting.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flow {
    paused: bool,
    reported: bool,
}

impl Flow {
    pub(crate) fn is_paused(self) -> bool {
        self.paused
    }

    pub(crate) fn pause(&mut self) {
        self.paused = true;
    }

    pub(crate) fn resume(&mut self) {
        self.paused = false;
    }

    /// `Some(paused)` if that has changed since the last report.
    pub(crate) fn report(&mut self) -> Option<bool> {
        let changed = self.paused != self.reported;
        self.reported = self.paused;
        changed.then_some(self.paused)
    }
}
