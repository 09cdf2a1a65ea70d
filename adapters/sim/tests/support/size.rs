//! How much a test does.

use std::env;

/// What the environment variable says, or else this.
pub(crate) fn of(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| {
        let size = text.parse();
        size.unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}"))
    })
}
