//! The worlds in which a sweep does each thing, and how one of them is run.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use crate::{
    choice::Source,
    fault::Fault,
    sim::Sim,
    tape::{Recorder, Tape},
    trace::{
        history::{History, Keep},
        origin::{Again, Listener, Origin},
    },
};

/// The calm world, and those of some seeds.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    seeds: Vec<u64>,
}

impl Sources {
    pub(super) fn calm() -> Self {
        Self { seeds: Vec::new() }
    }

    pub(super) fn and_seeds(seeds: impl IntoIterator<Item = u64>) -> Self {
        Self {
            seeds: seeds.into_iter().collect(),
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Source> {
        let seeds = self.seeds.iter().map(|seed| Source::Seed(*seed));
        [calm()].into_iter().chain(seeds)
    }
}

pub(super) fn calm() -> Source {
    Source::Tape(Tape::default())
}

/// What a sweep does in a world.
#[derive(Clone, Copy, Debug)]
pub(super) enum Done {
    NoFault,
    Fault(Fault),
    NothingGivenUp,
    GivenUp {
        /// Counted from 1.
        at: usize,
        of: usize,
    },
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFault => f.write_str("without a fault"),
            Self::Fault(fault) => write!(f, "with {}", fault.source()),
            Self::NothingGivenUp => f.write_str("with nothing given up"),
            Self::GivenUp { at, of } => write!(f, "given up at the pending poll {at} of {of}"),
        }
    }
}

/// Runs a test in a world. If it fails, says in which.
pub(super) fn run_in<T>(source: Source, what: Done, test: impl FnOnce(Sim) -> T) -> T {
    let listener = Arc::new(Listener::default());
    let origin = Origin::of_many(source, &listener);
    run(origin, &listener, what, test).0
}

/// The same, with every event.
pub(super) fn run_and_keep<T>(
    source: Source,
    what: Done,
    test: impl FnOnce(Sim) -> T,
) -> (T, Option<History>) {
    let listener = Arc::new(Listener::default());
    let again = Again {
        recorder: Recorder::default(),
        max_polls: u64::MAX,
        keep: Keep::ToCompare,
    };
    let origin = Origin::of_many_again(source, &listener, again);
    run(origin, &listener, what, test)
}

fn run<T>(
    origin: Origin,
    listener: &Listener,
    what: Done,
    test: impl FnOnce(Sim) -> T,
) -> (T, Option<History>) {
    let result = catch_unwind(AssertUnwindSafe(|| test(Sim::of(origin.clone()))));
    let history = listener.take().history();
    let payload = match result {
        Ok(output) => return (output, history),
        Err(payload) => payload,
    };
    if let Some(history) = history {
        history.print();
        history.save(&origin.name());
    }
    let world = match &origin.source {
        Source::Seed(seed) => format!("the world of seed {seed}"),
        Source::Branch(_) | Source::Bytes(_) | Source::Tape(_) => "the calm world".to_owned(),
    };
    eprintln!("a sweep has failed in {world} {what}");
    if let Done::Fault(fault) = what {
        let (sim, fault) = (origin.source.constructor(), fault.source());
        eprintln!("to repeat it, give the test this world: {sim}.fault({fault})");
    }
    eprintln!();
    resume_unwind(payload);
}

/// At most so many numbers below `len`, with even distances: all, or the first, the last, and some between.
pub(super) fn thinned(len: usize, at_most: usize) -> impl Iterator<Item = usize> {
    let count = len.min(at_most);
    let last = len.saturating_sub(1);
    (0..count).map(move |index| match count {
        1 => 0,
        count => (index as u128 * last as u128 / (count - 1) as u128) as usize,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_thinned_has_its_ends_and_even_distances() {
        let of = |len, at_most| thinned(len, at_most).collect::<Vec<_>>();
        assert_eq!(of(5, 9), [0, 1, 2, 3, 4]);
        assert_eq!(of(5, 5), [0, 1, 2, 3, 4]);
        assert_eq!(of(9, 3), [0, 4, 8]);
        assert_eq!(of(9, 1), [0]);
        assert_eq!(of(9, 0), []);
        assert_eq!(of(0, 9), []);
        for at_most in 2..100 {
            let numbers = of(1000, at_most);
            assert_eq!((numbers[0], numbers[at_most - 1]), (0, 999));
            let gaps: Vec<_> = numbers.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let [least, most] = [gaps.iter().min(), gaps.iter().max()].map(Option::unwrap);
            assert!(most - least <= 1, "{gaps:?}");
        }
    }
}
