//! How long is explored.

use std::{
    env,
    time::{Duration, Instant},
};

use crate::time::parse_seconds;

/// For how many seconds a check explores, if the environment says so; 0 is none.
const EXPLORE: &str = "MILLPOND_EXPLORE";

/// How long a check explores.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Limit {
    Time(Duration),
    Worlds(u64),
}

impl Limit {
    /// What the environment says, or else this.
    ///
    /// # Panics
    ///
    /// If the environment variable is no number of seconds.
    pub(crate) fn or_of_environment(default: Self) -> Self {
        match env::var(EXPLORE) {
            Ok(text) => Self::Time(parse_seconds(EXPLORE, &text)),
            Err(_) => default,
        }
    }

    /// Whether there is anything to explore at all.
    pub(crate) fn is_none(self) -> bool {
        matches!(self, Self::Time(Duration::ZERO) | Self::Worlds(0))
    }

    /// Whether it is over after so many worlds.
    pub(crate) fn is_over(self, worlds: u64, began: Instant) -> bool {
        match self {
            Self::Time(time) => began.elapsed() >= time,
            Self::Worlds(most) => worlds >= most,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_when_the_time_is_or_the_worlds_are() {
        let second = Duration::from_secs(1);
        let began = Instant::now() - second;
        for (limit, is_over) in [
            (Limit::Time(second), true),
            (Limit::Time(second * 3600), false),
            (Limit::Worlds(8), false),
            (Limit::Worlds(7), true),
        ] {
            assert_eq!(limit.is_over(7, began), is_over, "{limit:?}");
        }
    }
}
