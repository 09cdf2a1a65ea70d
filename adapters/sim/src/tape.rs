//! The choices of a world that are not the calm ones, so that they can be made again.

use std::sync::{Arc, Mutex, PoisonError};

/// What a choice is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Subject {
    Order,
    Pending,
    WakeUp,
    Amount,
    Latency,
    Port,
    Jump,
    Fault,
    /// The program's own.
    Program,
}

impl Subject {
    pub(crate) const ALL: [Self; 9] = [
        Self::Order,
        Self::Pending,
        Self::WakeUp,
        Self::Amount,
        Self::Latency,
        Self::Port,
        Self::Jump,
        Self::Fault,
        Self::Program,
    ];
}

/// A choice that was not the calm one, which is 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Drawn {
    /// How many choices there were before.
    pub(crate) place: usize,
    pub(crate) number: u64,
    pub(crate) subject: Subject,
}

/// The numbers of a world's choices by their places. All others are calm.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tape(
    /// Invariant: in the order of places, each once.
    Vec<(usize, u64)>,
);

impl Tape {
    pub(crate) fn of<'a>(drawn: impl IntoIterator<Item = &'a Drawn>) -> Self {
        let drawn = drawn.into_iter();
        Self(drawn.map(|it| (it.place, it.number)).collect())
    }

    /// Lets what comes from there on come so much earlier. What was in between is left out.
    pub(crate) fn pull_back(&mut self, from: usize, by: usize) {
        self.0
            .retain(|(place, _)| *place >= from || *place < from - by);
        let behind = self.0.iter_mut().filter(|(place, _)| *place >= from);
        behind.for_each(|(place, _)| *place -= by);
    }

    pub(crate) fn set(&mut self, index: usize, number: u64) {
        self.0[index].1 = number;
    }

    pub(crate) fn text(&self) -> String {
        print_pairs(&self.0)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        parse_pairs(text).map(Self)
    }
}

/// Places and numbers, as `24:1,29:1`.
pub(crate) fn print_pairs(pairs: &[(usize, u64)]) -> String {
    let pairs = pairs.iter();
    let pairs = pairs.map(|(place, number)| format!("{place}:{number}"));
    pairs.collect::<Vec<_>>().join(",")
}

/// At least one, in the order of places.
pub(crate) fn parse_pairs(text: &str) -> Option<Vec<(usize, u64)>> {
    let pair = |pair: &str| {
        let (place, number) = pair.split_once(':')?;
        Some((place.parse().ok()?, number.parse().ok()?))
    };
    let pairs: Vec<(usize, u64)> = text.split(',').map(pair).collect::<Option<_>>()?;
    let ordered = pairs.windows(2).all(|pair| pair[0].0 < pair[1].0);
    ordered.then_some(pairs)
}

/// A tape that is played once.
#[derive(Debug)]
pub(crate) struct Playing {
    tape: Tape,
    /// How many of its numbers are used up.
    used: usize,
    place: usize,
}

impl Playing {
    pub(crate) fn new(tape: Tape) -> Self {
        Self {
            tape,
            used: 0,
            place: 0,
        }
    }

    /// A number that does not fit, since the world has become another one, is calm.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        let place = self.place;
        self.place += 1;
        match self.tape.0.get(self.used) {
            Some(&(next, number)) if next == place => {
                self.used += 1;
                if number < n { number } else { 0 }
            }
            _ => 0,
        }
    }
}

/// Notes choices. A clone notes the same ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder {
    drawn: Arc<Mutex<Vec<Drawn>>>,
    place: usize,
}

impl Recorder {
    pub(crate) fn add(&mut self, subject: Subject, number: u64) {
        let place = self.place;
        self.place += 1;
        if number > 0 {
            let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
            drawn.push(Drawn {
                place,
                number,
                subject,
            });
        }
    }

    pub(crate) fn take(&self) -> Vec<Drawn> {
        std::mem::take(&mut self.drawn.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tape_is_printed_as_it_is_parsed() {
        for text in ["0:1", "24:1,29:18446744073709551615"] {
            assert_eq!(Tape::parse(text).unwrap().text(), text);
        }
        for text in ["", "1", "1:", ":1", "2:1,1:1", "1:1,1:2", "-1:1", "1:1,"] {
            assert!(Tape::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_tape_is_calm_between_its_numbers_and_where_they_do_not_fit() {
        let mut playing = Playing::new(Tape::parse("1:5,2:5,4:1").unwrap());
        let numbers = [9, 9, 5, 9, 9, 9].map(|n| playing.below(n));
        assert_eq!(numbers, [0, 5, 0, 0, 1, 0]);
    }

    #[test]
    fn what_is_pulled_back_comes_earlier() {
        let mut tape = Tape::parse("1:1,4:2,6:3,9:4").unwrap();
        tape.pull_back(6, 3);
        assert_eq!(tape.text(), "1:1,3:3,6:4");
    }
}
