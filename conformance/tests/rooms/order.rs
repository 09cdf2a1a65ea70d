//! The order of the rooms of each crate, and what does not keep to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use crate::house::{Arrow, House};

/// A crate as the table has it.
pub(crate) struct Order {
    /// The file of its root, seen from the root of the repository.
    pub(crate) root: PathBuf,
    /// From the top down.
    rooms: Vec<String>,
    circles: Vec<BTreeSet<PathBuf>>,
}

/// The rows of the table.
///
/// # Panics
///
/// Panics if something is not as it should be, or a circle has no reason.
pub(crate) fn read(table: &str) -> Vec<Order> {
    let table: Table = table.parse().unwrap();
    let crates = table["crate"].as_array().unwrap();
    crates.iter().map(Order::new).collect()
}

impl Order {
    fn new(row: &Value) -> Self {
        let circles = row.get("circle").and_then(Value::as_array);
        let circle = |row: &Value| {
            assert!(row["because"].as_str().is_some_and(|why| !why.is_empty()));
            strings(&row["files"]).map(PathBuf::from).collect()
        };
        Self {
            root: row["root"].as_str().unwrap().into(),
            rooms: strings(&row["rooms"]).collect(),
            circles: circles.into_iter().flatten().map(circle).collect(),
        }
    }

    /// The folder of the sources.
    pub(crate) fn folder(&self) -> &Path {
        self.root.parent().unwrap()
    }

    /// Everything in which a crate is not as the table says, a line each.
    pub(crate) fn problems(&self, house: &House) -> Vec<String> {
        let arrows = house.arrows();
        let mut problems = self.unknown_rooms(house);
        problems.extend(self.wrong_ways(&arrows));
        problems.extend(self.unknown_circles(&arrows));
        problems.sort();
        problems.dedup();
        problems
    }

    fn unknown_rooms(&self, house: &House) -> Vec<String> {
        let root = self.root.display();
        let there = house.rooms();
        let listed: BTreeSet<&str> = self.rooms.iter().map(String::as_str).collect();
        let missing = there.difference(&listed);
        let gone = listed.difference(&there).filter(|room| **room != "lib");
        missing
            .map(|room| format!("{root}: the room {room} is not in the table"))
            .chain(gone.map(|room| format!("{root}: there is no room {room}")))
            .collect()
    }

    /// The first of each file into a room.
    fn wrong_ways(&self, arrows: &[Arrow]) -> Vec<String> {
        let mut first: BTreeMap<(&Path, &str), usize> = BTreeMap::new();
        for arrow in arrows {
            let from = room_of(&arrow.from, &self.root);
            let above = |room: &&String| self.height(room) < self.height(&from);
            for to in arrow.rooms.iter().filter(above) {
                let line = first.entry((&arrow.from, to)).or_insert(arrow.line);
                *line = arrow.line.min(*line);
            }
        }
        let lines = first.into_iter().map(|((file, to), line)| {
            let from = room_of(file, &self.root);
            let file = self.folder().join(file);
            format!(
                "{}:{line}: {from} uses {to}, which is above it",
                file.display()
            )
        });
        lines.collect()
    }

    fn height(&self, room: &str) -> usize {
        let found = self.rooms.iter().position(|it| it == room);
        found.unwrap_or(0)
    }

    fn unknown_circles(&self, arrows: &[Arrow]) -> Vec<String> {
        let found = circles(arrows, &self.root);
        let mut problems = Vec::new();
        for circle in &found {
            if !self.circles.iter().any(|known| circle.is_subset(known)) {
                let why = inside(circle, arrows);
                problems.push(format!(
                    "{}: in a circle: {circle:?}\n{why}",
                    self.root.display()
                ));
            }
        }
        for known in &self.circles {
            if !found.iter().any(|circle| circle == known) {
                problems.push(format!("{}: no circle: {known:?}", self.root.display()));
            }
        }
        problems
    }
}

fn strings(array: &Value) -> impl Iterator<Item = String> {
    let values = array.as_array().unwrap().iter();
    values.map(|value| value.as_str().unwrap().to_owned())
}

/// The room of a file.
fn room_of(file: &Path, root: &Path) -> String {
    if Some(file.as_os_str()) == root.file_name() {
        return "lib".to_owned();
    }
    let first = file.iter().next().unwrap();
    let room = Path::new(first).file_stem().unwrap();
    room.to_str().unwrap().to_owned()
}

/// The sets of files of one room that need each other.
fn circles(arrows: &[Arrow], root: &Path) -> Vec<BTreeSet<PathBuf>> {
    let mut needs: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for arrow in arrows {
        if room_of(&arrow.from, root) == room_of(&arrow.to, root) {
            needs.entry(&arrow.from).or_default().insert(&arrow.to);
        }
    }
    let reached: BTreeMap<&Path, BTreeSet<&Path>> = needs
        .keys()
        .map(|&file| (file, reachable(file, &needs)))
        .collect();
    let reaches = |from: &Path, to: &Path| reached.get(from).is_some_and(|set| set.contains(to));
    let mut circles = BTreeSet::new();
    for (&file, there) in &reached {
        let back = there.iter().filter(|other| reaches(other, file));
        let circle: BTreeSet<PathBuf> = back.map(|other| other.to_path_buf()).collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reachable<'a>(
    from: &Path,
    needs: &BTreeMap<&'a Path, BTreeSet<&'a Path>>,
) -> BTreeSet<&'a Path> {
    let mut reached = BTreeSet::new();
    let mut left: Vec<&Path> = vec![from];
    while let Some(file) = left.pop() {
        for &next in needs.get(file).into_iter().flatten() {
            if reached.insert(next) {
                left.push(next);
            }
        }
    }
    reached
}

/// One use for each arrow of a circle.
fn inside(circle: &BTreeSet<PathBuf>, arrows: &[Arrow]) -> String {
    let of_it = arrows
        .iter()
        .filter(|arrow| circle.contains(&arrow.from) && circle.contains(&arrow.to));
    let one_each: BTreeMap<_, _> = of_it
        .map(|arrow| ((&arrow.from, &arrow.to), arrow.line))
        .collect();
    let lines = one_each.iter().map(|((from, to), line)| {
        let (from, to) = (from.display(), to.display());
        format!("    {from}:{line} uses {to}")
    });
    lines.collect::<Vec<_>>().join("\n")
}
