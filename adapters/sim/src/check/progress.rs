//! What a check prints while it takes long.

use std::{
    fmt::Display,
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

/// How often it is printed.
const EVERY: Duration = Duration::from_secs(1);

/// The progress of a check.
pub(super) struct Progress {
    pub(super) began: Instant,
    printed: Instant,
}

impl Progress {
    pub(super) fn begin() -> Self {
        let began = Instant::now();
        let printed = began;
        Self { began, printed }
    }

    /// Prints it now and then: whether it has.
    pub(super) fn print(&mut self, worlds: u64, more: impl Display) -> bool {
        let is_time = self.printed.elapsed() >= EVERY;
        if is_time {
            self.printed = Instant::now();
            let time = self.began.elapsed();
            let rate = worlds as f64 / time.as_secs_f64();
            let line = format!("{worlds} worlds in {time:.0?}, {rate:.0} a second, {more}");
            if stderr().is_terminal() {
                eprint!("\r{line}");
            } else {
                eprintln!("{line}");
            }
        }
        is_time
    }

    pub(super) fn end(&self) {
        if self.printed > self.began && stderr().is_terminal() {
            eprintln!();
        }
    }
}
