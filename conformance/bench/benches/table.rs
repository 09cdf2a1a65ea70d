//! Rounds of rows, and a table of what each took.
//!
//! Neither divan nor criterion can interleave: each finishes one row before the next, and on a
//! machine whose speed changes by the second, rows are then not comparable.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// What was asked for on the command line.
#[derive(Debug)]
pub(crate) struct Options {
    /// Empty for all.
    pub(crate) benches: Vec<String>,
    /// How often each row runs.
    rounds: Option<u32>,
    /// Only the row of this name.
    row: Option<String>,
    /// Only the column of this name.
    column: Option<String>,
    /// Only tables whose title contains this.
    table: Option<String>,
}

impl Options {
    pub(crate) fn from_arguments() -> Self {
        let mut options = Self {
            benches: Vec::new(),
            rounds: None,
            row: None,
            column: None,
            table: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().expect("the option has a value");
            match &argument[..] {
                "--bench" => {}
                "--rounds" => options.rounds = Some(value().parse().expect("a number of rounds")),
                "--row" => options.row = Some(value()),
                "--column" => options.column = Some(value()),
                "--table" => options.table = Some(value()),
                _ => options.benches.push(argument),
            }
        }
        options
    }
}

/// One competitor in one column.
pub(crate) struct Row<'a> {
    name: String,
    /// Does the work once and counts what it found, so that no row is fast by doing something else.
    pass: Box<dyn FnMut() -> u64 + 'a>,
}

impl<'a> Row<'a> {
    pub(crate) fn new(name: impl Into<String>, pass: impl FnMut() -> u64 + 'a) -> Self {
        Self {
            name: name.into(),
            pass: Box::new(pass),
        }
    }
}

/// The competitors under one condition.
pub(crate) struct Column<'a> {
    pub(crate) name: String,
    /// What every pass must count.
    pub(crate) count: u64,
    /// What the time of a pass is divided by.
    pub(crate) units: u64,
    pub(crate) rows: Vec<Row<'a>>,
}

/// How a time per unit is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// Nanoseconds for each of these.
    Nanoseconds(&'static str),
    /// Thousands of these per second.
    Thousands(&'static str),
    /// GB/s, where a unit is a byte.
    Throughput,
}

impl Unit {
    fn name(self) -> String {
        match self {
            Self::Nanoseconds(what) => format!("ns/{what}"),
            Self::Thousands(what) => format!("1000 {what}/s"),
            Self::Throughput => "GB/s".into(),
        }
    }

    fn show(self, nanoseconds: f64) -> String {
        let shown = match self {
            Self::Nanoseconds(_) => nanoseconds,
            Self::Thousands(_) => 1e6 / nanoseconds,
            Self::Throughput => 1.0 / nanoseconds,
        };
        match shown {
            0.0..1.0 => format!("{shown:.3}"),
            1.0..100.0 => format!("{shown:.2}"),
            _ => format!("{shown:.0}"),
        }
    }
}

/// The minima of a table that has been measured.
pub(crate) struct Measured {
    /// Name of the column, and of each of its rows with the nanoseconds per unit.
    columns: Vec<(String, Vec<(String, f64)>)>,
}

/// Measures a table and prints it. The ratio behind each figure is how many times as fast as the
/// row named `baseline` it is.
pub(crate) fn measure(
    options: &Options,
    title: &str,
    unit: Unit,
    baseline: &str,
    rounds: u32,
    columns: impl IntoIterator<Item = Column<'static>>,
) -> Measured {
    let mut measured = Measured {
        columns: Vec::new(),
    };
    if options.table.as_ref().is_some_and(|t| !title.contains(t)) {
        return measured;
    }
    for mut column in columns {
        if options.column.as_ref().is_some_and(|c| column.name != *c) {
            continue;
        }
        if let Some(only) = &options.row {
            column.rows.retain(|row| row.name == *only);
        }
        let minima = minima(&mut column, options.rounds.unwrap_or(rounds));
        let names = column.rows.iter().map(|row| row.name.clone());
        let per_unit = minima
            .iter()
            .map(|time| time.as_nanos() as f64 / column.units as f64);
        measured
            .columns
            .push((column.name, names.zip(per_unit).collect()));
    }
    measured.print(title, unit, baseline);
    measured
}

/// The shortest pass of each row, over rounds in which each of them has a turn.
fn minima(column: &mut Column<'_>, rounds: u32) -> Vec<Duration> {
    let mut minima = vec![Duration::MAX; column.rows.len()];
    for _ in 0..rounds {
        for (row, minimum) in column.rows.iter_mut().zip(&mut minima) {
            let start = Instant::now();
            let count = black_box((row.pass)());
            let elapsed = start.elapsed();
            assert_eq!(
                count, column.count,
                "{} counts something else in {}",
                row.name, column.name
            );
            *minimum = elapsed.min(*minimum);
        }
    }
    minima
}

impl Measured {
    /// Nanoseconds per unit, if it was measured.
    pub(crate) fn get(&self, column: &str, row: &str) -> Option<f64> {
        let (_, rows) = self.columns.iter().find(|(name, _)| name == column)?;
        rows.iter()
            .find(|(name, _)| name == row)
            .map(|(_, time)| *time)
    }

    /// How many times as fast as another one a row is.
    pub(crate) fn ratio(&self, column: &str, row: &str, to: &str) -> Option<f64> {
        Some(self.get(column, to)? / self.get(column, row)?)
    }

    fn print(&self, title: &str, unit: Unit, baseline: &str) {
        println!(
            "\n## {title}\n{} (and how many times as fast as {baseline})",
            unit.name()
        );
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.columns.iter().flat_map(|(_, rows)| rows) {
            if !names.contains(&&name[..]) {
                names.push(name);
            }
        }
        let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
        print!("| {:width$} |", "");
        for (column, _) in &self.columns {
            print!(" {column:>16} |");
        }
        println!();
        println!(
            "|{}|{}",
            "-".repeat(width + 2),
            "-----------------:|".repeat(self.columns.len())
        );
        for name in names {
            print!("| {name:width$} |");
            for (column, _) in &self.columns {
                let shown = self.get(column, name).map(|time| unit.show(time));
                let ratio = self
                    .ratio(column, name, baseline)
                    .map(|ratio| format!("({ratio:.2}x)"));
                print!(
                    " {:>7} {:>8} |",
                    shown.unwrap_or_default(),
                    ratio.unwrap_or_default()
                );
            }
            println!();
        }
    }
}

/// Says whether an aim is met.
pub(crate) fn aim(what: &str, ratio: Option<f64>, at_least: f64) {
    if let Some(ratio) = ratio {
        let met = if ratio >= at_least { "met" } else { "NOT met" };
        println!("aim: {what} >= {at_least}x: {ratio:.2}x, {met}");
    }
}
