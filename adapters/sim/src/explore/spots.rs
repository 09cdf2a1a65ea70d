//! The moments at which worlds have shown something, to go on from.

use std::collections::BTreeMap;

use crate::{
    branch::Branch,
    tally::sightings::{Side, Sightings},
};

/// So many things at most that worlds have shown.
const MOST_FINDS: usize = 2000;

/// So many of the most extreme values of each name.
const MOST_VALUES: usize = 8;

/// Of each thing so many moments: one may lie in a world that has nothing more to show.
const MOST_SPOTS: usize = 8;

/// What a world may show.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Find {
    /// That all of these are true. Invariant: in order.
    Marks(Vec<&'static str>),
    /// A value that was the least or the greatest until then. A greater score is more extreme.
    Extreme(&'static str, Side, i128),
}

/// Where a world has shown something.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spot {
    /// Invariant: without turns behind the moment, so that no two are the same moment.
    pub(super) world: Branch,
    /// After how many choices.
    pub(super) made: usize,
}

/// The moments of one find.
#[derive(Debug, Default)]
struct Spots {
    spots: Vec<Spot>,
    /// How many worlds have gone on from there.
    tried: u64,
}

impl Spots {
    /// Of too many the latest is left out: behind the others there may be more to come.
    fn add(&mut self, spot: Spot) {
        if self.spots.contains(&spot) {
            return;
        }
        self.spots.push(spot);
        if self.spots.len() > MOST_SPOTS {
            let spots = self.spots.iter().enumerate();
            let latest = spots.max_by_key(|(_, spot)| spot.made);
            if let Some((index, _)) = latest {
                self.spots.swap_remove(index);
            }
        }
    }
}

/// Everything that worlds have shown.
#[derive(Debug, Default)]
pub(super) struct Finds(BTreeMap<Find, Spots>);

impl Finds {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds what a world has shown.
    pub(super) fn add(&mut self, world: &Branch, sightings: &Sightings) {
        let mut marks = Vec::new();
        for (name, made) in &sightings.marks {
            let at = marks.partition_point(|mark| mark < name);
            marks.insert(at, *name);
            self.add_one(Find::Marks(marks.clone()), world, *made);
        }
        for extreme in &sightings.extremes {
            let score = match extreme.side {
                Side::Least => extreme.value.saturating_neg(),
                Side::Greatest => extreme.value,
            };
            self.add_one(
                Find::Extreme(extreme.name, extreme.side, score),
                world,
                extreme.made,
            );
            self.leave_best(extreme.name, extreme.side);
        }
    }

    fn add_one(&mut self, find: Find, world: &Branch, made: usize) {
        if self.0.len() >= MOST_FINDS && !self.0.contains_key(&find) {
            return;
        }
        let world = world.before(made);
        self.0.entry(find).or_default().add(Spot { world, made });
    }

    /// Leaves out the least extreme of too many values.
    fn leave_best(&mut self, name: &'static str, side: Side) {
        let [first, last] = [i128::MIN, i128::MAX].map(|score| Find::Extreme(name, side, score));
        let mut values = self.0.range(first..=last).map(|(find, _)| find);
        let worst = values.next().cloned();
        if let (Some(worst), Some(_)) = (worst, values.nth(MOST_VALUES - 1)) {
            self.0.remove(&worst);
        }
    }

    /// A moment to go on from: of two finds that `draw` chooses, one of that from which fewer worlds have gone on.
    pub(super) fn pick(&mut self, mut draw: impl FnMut(usize) -> usize) -> Option<&Spot> {
        let mut finds: Vec<_> = self.0.values_mut().collect();
        let [one, other] = [(); 2].map(|()| draw(finds.len()));
        let rarer = match finds.get(one)?.tried <= finds.get(other)?.tried {
            true => one,
            false => other,
        };
        let found = finds.swap_remove(rarer);
        found.tried += 1;
        found.spots.get(draw(found.spots.len()))
    }

    /// Each world once.
    pub(super) fn worlds(&self) -> Vec<&Branch> {
        let spots = self.0.values().flat_map(|found| &found.spots);
        let mut worlds: Vec<_> = spots.map(|spot| (spot.world.text(), &spot.world)).collect();
        worlds.sort_by(|one, other| one.0.cmp(&other.0));
        worlds.dedup_by(|one, other| one.0 == other.0);
        worlds.into_iter().map(|(_, world)| world).collect()
    }
}
