//! Time as the world counts it.

use std::{fmt, time::Duration};

/// In nanoseconds; what is too long for them is for ever.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// So many nanoseconds, printed in seconds, to the microsecond.
pub(crate) struct Seconds(pub(crate) u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0 / 1000;
        f.pad(&format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000))
    }
}

/// What an environment variable says.
///
/// # Panics
///
/// If that is no number of seconds.
pub(crate) fn parse_seconds(variable: &str, text: &str) -> Duration {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse().ok();
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.unwrap_or_else(|| panic!("{variable} is a number of seconds, such as 5s, not {text:?}"))
}
