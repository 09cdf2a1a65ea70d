//! What one world has shown, and after how many choices, for exploring.

use std::collections::BTreeMap;

/// What one world has shown, each with how many choices were made before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sightings {
    /// In the order in which they became true.
    pub(crate) marks: Vec<(&'static str, usize)>,
    pub(crate) extremes: Vec<Extreme>,
    /// The least and the greatest value of each name.
    ranges: BTreeMap<&'static str, (i128, i128)>,
}

/// A value that was less or greater than all before it in its world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extreme {
    pub(crate) name: &'static str,
    pub(crate) side: Side,
    pub(crate) value: i128,
    pub(crate) made: usize,
}

/// In which way a value is extreme.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Side {
    Least,
    Greatest,
}

impl Sightings {
    pub(super) fn mark(&mut self, name: &'static str, made: usize) {
        self.marks.push((name, made));
    }

    pub(super) fn observe(&mut self, name: &'static str, value: i128, made: usize) {
        let known = self.ranges.get(name).copied();
        let (least, greatest) = known.unwrap_or((value, value));
        self.ranges
            .insert(name, (least.min(value), greatest.max(value)));
        let is_extreme = [
            (Side::Least, known.is_none() || value < least),
            (Side::Greatest, known.is_none() || value > greatest),
        ];
        for (side, _) in is_extreme.into_iter().filter(|(_, is)| *is) {
            self.extremes.push(Extreme {
                name,
                side,
                value,
                made,
            });
        }
    }
}
