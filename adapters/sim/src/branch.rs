//! Worlds that begin as others have begun.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::tape::{parse_pairs, print_pairs};

/// A world whose choices come from one seed, and after so many of them from others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Branch {
    seed: u64,
    /// After how many choices, and the seed of those that follow. Invariant: in this order, each once.
    turns: Vec<(usize, u64)>,
    /// How many choices were made when it was last run, or a clone of it.
    made: Arc<AtomicUsize>,
}

impl Branch {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// The world that begins as this one, and has another seed after so many choices.
    pub(crate) fn turn(&self, after: usize, seed: u64) -> Self {
        if after == 0 {
            return Self::new(seed);
        }
        let mut branch = self.before(after);
        branch.turns.push((after, seed));
        branch
    }

    /// The world without the turns that come after so many choices.
    pub(crate) fn before(&self, made: usize) -> Self {
        let kept = self.turns.iter().take_while(|(place, _)| *place < made);
        Self {
            turns: kept.copied().collect(),
            ..Self::new(self.seed)
        }
    }

    #[cfg(feature = "__tls")]
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    /// As `17,840:212,1031:980`.
    pub(crate) fn text(&self) -> String {
        match self.turns.is_empty() {
            true => self.seed.to_string(),
            false => format!("{},{}", self.seed, print_pairs(&self.turns)),
        }
    }

    /// Of a seed alone none is made.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (seed, turns) = text.split_once(',')?;
        let turns = parse_pairs(turns).filter(|turns| turns[0].0 > 0)?;
        Some(Self {
            turns,
            ..Self::new(seed.parse().ok()?)
        })
    }
}

impl PartialEq for Branch {
    fn eq(&self, other: &Self) -> bool {
        self.seed == other.seed && self.turns == other.turns
    }
}

/// A branch that is followed once.
#[derive(Debug)]
pub(crate) struct Following {
    branch: Branch,
    /// How many of its turns were taken.
    taken: usize,
    place: usize,
    state: u64,
}

impl Following {
    pub(crate) fn new(branch: Branch) -> Self {
        branch.made.store(0, Ordering::Relaxed);
        Self {
            taken: 0,
            place: 0,
            state: branch.seed,
            branch,
        }
    }

    /// The state of what draws the next choice.
    pub(crate) fn next(&mut self) -> &mut u64 {
        if let Some(&(after, seed)) = self.branch.turns.get(self.taken) {
            if after == self.place {
                self.taken += 1;
                self.state = seed;
            }
        }
        self.place += 1;
        self.branch.made.store(self.place, Ordering::Relaxed);
        &mut self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_printed_as_it_is_parsed() {
        for text in ["17,840:212", "0,1:0,2:18446744073709551615"] {
            assert_eq!(Branch::parse(text).unwrap().text(), text);
        }
        for text in ["", "1", "1,", ",1:1", "1,0:1", "1,1", "1,2:1,1:1", "1,1:1,"] {
            assert!(Branch::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_turn_takes_the_place_of_those_that_were_to_come() {
        let branch = Branch::new(1).turn(10, 2).turn(20, 3);
        for (after, text) in [
            (0, "9"),
            (5, "1,5:9"),
            (10, "1,10:9"),
            (15, "1,10:2,15:9"),
            (20, "1,10:2,20:9"),
            (30, "1,10:2,20:3,30:9"),
        ] {
            assert_eq!(branch.turn(after, 9).text(), text);
        }
    }

    #[test]
    fn each_choice_has_the_seed_of_its_turn() {
        let branch = Branch::new(10).turn(2, 20).turn(3, 30);
        let mut following = Following::new(branch.clone());
        let states = [(); 5].map(|()| {
            let state = following.next();
            *state += 1;
            *state - 1
        });
        assert_eq!(states, [10, 11, 20, 30, 31]);
        assert_eq!(branch.made(), 5);
    }
}
