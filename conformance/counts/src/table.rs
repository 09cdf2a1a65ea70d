//! The counts that are kept in the repository, and how far others may be from them.

use std::{fmt, fs, path::PathBuf};

/// In either direction: what became cheaper is kept, too. Other versions of the compiler and of libc
/// are further apart; then the table is renewed.
const TOLERANCE: f64 = 0.05;

/// Counts that differ by less are the same: what happens once a pass, spread over its units.
const NOISE: Noise = Noise {
    instructions: 1.0,
    allocations: 0.005,
    system_calls: 0.005,
};

struct Noise {
    instructions: f64,
    allocations: f64,
    system_calls: f64,
}

const HEAD: &str = "\
| row | for each | instructions | allocations | system calls |
|---|---|---:|---:|---:|
";

/// One row of it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// What the counts are divided by.
    pub(crate) per: String,
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
    pub(crate) system_calls: f64,
}

/// All rows.
#[derive(Debug)]
pub(crate) struct Table(Vec<Entry>);

/// What is reported of a row.
#[derive(Debug)]
pub(crate) enum Verdict {
    AsKnown,
    /// By so much, of the column that differs most.
    Differs(f64, Entry),
    Unknown,
}

impl Table {
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        Self(entries)
    }

    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(path()).expect("the table can be read");
        let rows = text.lines().skip(HEAD.lines().count());
        Self(rows.map(Entry::parse).collect())
    }

    pub(crate) fn write(&self) {
        let mut text = String::from(HEAD);
        for entry in &self.0 {
            text.push_str(&format!("{entry}\n"));
        }
        print!("{text}");
        fs::write(path(), text).expect("the table can be written");
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|entry| &entry.name[..])
    }

    pub(crate) fn judge(&self, counted: &Entry) -> Verdict {
        let Some(known) = self.0.iter().find(|known| known.name == counted.name) else {
            return Verdict::Unknown;
        };
        let changes = [
            change(counted.instructions, known.instructions, NOISE.instructions),
            change(counted.allocations, known.allocations, NOISE.allocations),
            change(counted.system_calls, known.system_calls, NOISE.system_calls),
        ];
        match changes.into_iter().flatten().next() {
            Some(change) => Verdict::Differs(change, known.clone()),
            None => Verdict::AsKnown,
        }
    }
}

/// By how much of what is known, if by more than may be.
fn change(counted: f64, known: f64, noise: f64) -> Option<f64> {
    let difference = counted - known;
    let differs = difference.abs() > noise.max(TOLERANCE * known);
    differs.then_some(difference / known.max(noise))
}

impl Entry {
    fn parse(line: &str) -> Self {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, per, instructions, allocations, system_calls, _] = cells[..] else {
            panic!("not a row of the table: {line}");
        };
        Self {
            name: name.into(),
            per: per.into(),
            instructions: instructions.parse().expect("a number of instructions"),
            allocations: allocations.parse().expect("a number of allocations"),
            system_calls: system_calls.parse().expect("a number of system calls"),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            per,
            instructions,
            allocations,
            system_calls,
        } = self;
        write!(
            f,
            "| {name} | {per} | {instructions:.1} | {allocations:.3} | {system_calls:.3} |"
        )
    }
}

impl Verdict {
    pub(crate) fn fails(&self) -> bool {
        !matches!(self, Self::AsKnown)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsKnown => f.write_str("as in the table"),
            Self::Differs(change, known) => {
                let Entry {
                    instructions,
                    allocations,
                    system_calls,
                    ..
                } = known;
                let percent = 100.0 * change;
                write!(
                    f,
                    "{percent:+.1} %, was {instructions:.1}, {allocations:.3} and {system_calls:.3}"
                )
            }
            Self::Unknown => f.write_str("not in the table"),
        }
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("TABLE.md")
}
