//! The last events of a world, and a hash of all.

use std::{collections::VecDeque, fmt};

use crate::{
    settings::KEPT_EVENTS,
    trace::{
        digest::mix,
        event::{Event, Stamped},
    },
};

/// What happened in a run, in order.
///
/// Two runs with the same seed have the same [`hash`](Self::hash), on every machine. Its `Display` is
/// one line for each of the last events.
///
/// # Examples
///
/// ```
/// use millpond_sim::Sim;
///
/// let hash = |seed| Sim::new(seed).record(async { /* .. */ }).trace.hash();
/// assert_eq!(hash(7), hash(7));
/// ```
#[derive(Clone)]
pub struct Trace {
    hash: u64,
    count: u64,
    faults: u64,
    /// The names of the hosts; none if there is only the first one, by its default name.
    hosts: Vec<String>,
    last: VecDeque<(u64, Event)>,
    kept: usize,
}

impl Trace {
    /// Without events, of which the last `kept` are kept.
    pub(super) fn new(kept: usize, hosts: Vec<String>) -> Self {
        Self {
            hash: 0,
            count: 0,
            faults: 0,
            hosts,
            last: VecDeque::with_capacity(kept.min(KEPT_EVENTS)),
            kept,
        }
    }

    /// Goes on from here, and keeps no event.
    pub(super) fn without_events(&self) -> Self {
        Self {
            hash: self.hash,
            count: self.count,
            ..Self::new(0, Vec::new())
        }
    }

    pub(super) fn add(&mut self, now: u64, event: Event) {
        self.hash = mix(self.hash, now);
        for word in event.words() {
            self.hash = mix(self.hash, word);
        }
        self.count += 1;
        self.faults += u64::from(matches!(event, Event::Faulted(..)));
        if self.kept == 0 {
            return;
        }
        if self.last.len() == self.kept {
            self.last.pop_front();
        }
        self.last.push_back((now, event));
    }

    /// How many faults there were.
    pub(crate) fn faults(&self) -> u64 {
        self.faults
    }

    pub(crate) fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// A number made of everything that happened: every event, its time, and the bytes that were
    /// written.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many events there were.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nanos, event) in &self.last {
            writeln!(f, "{}", Stamped(*nanos, *event, &self.hosts))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("hash", &format_args!("{:016x}", self.hash))
            .field("len", &self.count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_depends_on_every_event_its_time_and_the_order() {
        let of = |events: &[(u64, Event)]| {
            let mut trace = Trace::new(0, Vec::new());
            events.iter().for_each(|(at, event)| trace.add(*at, *event));
            trace.hash()
        };
        let [one, two] = [(0, Event::Polled(1)), (0, Event::Polled(2))];
        let all = [
            of(&[]),
            of(&[one]),
            of(&[one, two]),
            of(&[two, one]),
            of(&[(1, one.1), two]),
        ];
        for (index, hash) in all.iter().enumerate() {
            assert!(!all[..index].contains(hash), "{all:?}");
        }
    }

    #[test]
    fn only_the_last_events_are_kept() {
        let mut trace = Trace::new(2, Vec::new());
        (1..=5).for_each(|task| trace.add(1_500_000_000, Event::Polled(task)));
        assert_eq!(trace.len(), 5);
        assert_eq!(
            trace.to_string(),
            "     1.500000 s  task 4 runs\n     1.500000 s  task 5 runs\n"
        );
    }
}
