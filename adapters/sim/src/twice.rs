//! Runs a world twice, to see whether it is the same one.

use std::{
    fmt, thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    again::outcome::{Outcome, Test, run_again, run_with_transcript},
    choice::Source,
    trace::history::History,
};

/// A world that has run, to be compared with a second run.
pub(crate) struct FirstRun {
    source: Source,
    hash: u64,
    failed: bool,
    /// That of the wall clock.
    pub(crate) second: u64,
}

/// How two runs of one world differ, in words.
#[derive(Debug)]
pub(crate) struct Difference(String);

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FirstRun {
    pub(crate) fn new(source: &Source, history: &History, failed: bool) -> Self {
        Self {
            source: source.clone(),
            hash: history.trace.hash(),
            failed,
            second: second(),
        }
    }

    fn is_like(&self, outcome: &Outcome) -> bool {
        let history = outcome.history.as_ref();
        history.is_some_and(|history| history.trace.hash() == self.hash)
            && outcome.failure.is_some() == self.failed
    }

    /// Runs it again: how it differs.
    pub(crate) fn compare(&self, test: Test<'_>) -> Option<Difference> {
        let again = run_again(&mut *test, self.source.clone(), u64::MAX, |sim| sim);
        if self.is_like(&again) {
            return None;
        }
        let first = run_with_transcript(&mut *test, self.source.clone());
        let mut then = run_with_transcript(&mut *test, self.source.clone());
        let mut difference = difference(&first, &then);
        if difference.is_none() {
            // Perhaps it asks a clock for the second.
            wait_for_second_after(second());
            then = run_with_transcript(&mut *test, self.source.clone());
            difference = self::difference(&first, &then);
        }
        Some(Difference(difference.unwrap_or_else(|| {
            "two more runs were the same, so it is so only now and then".to_owned()
        })))
    }
}

fn difference(one: &Outcome, other: &Outcome) -> Option<String> {
    let (one_history, other_history) = (one.history.as_ref()?, other.history.as_ref()?);
    let transcripts = (&one_history.transcript, &other_history.transcript);
    if let (Some(transcript), Some(then)) = transcripts {
        let difference = transcript.difference(then, one_history.trace.hosts());
        if difference.is_some() {
            return difference;
        }
    }
    match (&one.failure, &other.failure) {
        (Some(failure), None) | (None, Some(failure)) => Some(format!(
            "no event differs, but only one of two runs fails with: {}",
            failure.message
        )),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

/// That of the wall clock.
pub(crate) fn second() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

/// Waits until the wall clock has another second.
pub(crate) fn wait_for_second_after(before: u64) {
    while second() == before {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let left = 1_000_000_000 - u64::from(now.subsec_nanos());
        thread::sleep(Duration::from_nanos(left));
    }
}
