//! Time as the world counts it.

use std::time::Duration;

/// In nanoseconds; what is too long for them is for ever.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
