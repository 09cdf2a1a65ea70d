//! Rounds of rows.
//!
//! Neither divan nor criterion can interleave: each finishes one row before the next, and on a
//! machine whose speed changes by the second, rows are then not comparable.

use std::{
    hint::black_box,
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::measured::{Cell, Measured, Side, Unit};

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
    /// Where the plot goes.
    pub(crate) plot: Option<PathBuf>,
}

impl Options {
    pub(crate) fn from_arguments() -> Self {
        let mut options = Self {
            benches: Vec::new(),
            rounds: None,
            row: None,
            column: None,
            table: None,
            plot: None,
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
                "--plot" => options.plot = Some(value().into()),
                _ => options.benches.push(argument),
            }
        }
        options
    }
}

/// One competitor in one column.
pub(crate) struct Row<'a> {
    name: String,
    side: Side,
    /// Does the work once and counts what it found, so that no row is fast by doing something else.
    pass: Box<dyn FnMut() -> u64 + 'a>,
}

impl<'a> Row<'a> {
    /// It is ours if its name says so.
    pub(crate) fn new(name: impl Into<String>, pass: impl FnMut() -> u64 + 'a) -> Self {
        let name = name.into();
        let side = match name.starts_with("millpond") {
            true => Side::Ours,
            false => Side::Peer,
        };
        Self {
            name,
            side,
            pass: Box::new(pass),
        }
    }

    /// What can hardly be beaten: less work than the others do.
    pub(crate) fn ceiling(name: impl Into<String>, pass: impl FnMut() -> u64 + 'a) -> Self {
        Self {
            side: Side::Ceiling,
            ..Self::new(name, pass)
        }
    }

    /// One of those of which that with the name `ceiling` is one.
    pub(crate) fn below(ceiling: &str, name: &str, pass: impl FnMut() -> u64 + 'a) -> Self {
        match name == ceiling {
            true => Self::ceiling(name, pass),
            false => Self::new(name, pass),
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

impl<'a> Column<'a> {
    /// What every pass counts is what its time is divided by.
    pub(crate) fn new(name: impl Into<String>, count: u64, rows: Vec<Row<'a>>) -> Self {
        Self {
            name: name.into(),
            count,
            units: count,
            rows,
        }
    }
}

/// Measures a table and prints it. `featured` is the row of ours that a program would use, which stands in
/// the plot.
pub(crate) fn measure(
    options: &Options,
    title: &str,
    unit: Unit,
    featured: &'static str,
    rounds: u32,
    columns: impl IntoIterator<Item = Column<'static>>,
) -> Measured {
    let mut measured = Measured::new(title, unit, featured);
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
        let times = times(&mut column, options.rounds.unwrap_or(rounds));
        let units = column.units as f64;
        let cells = column.rows.iter().zip(times).map(|(row, times)| Cell {
            row: row.name.clone(),
            side: row.side,
            times: times
                .iter()
                .map(|time| time.as_nanos() as f64 / units)
                .collect(),
        });
        measured.push(column.name, cells.collect());
    }
    measured.print();
    measured
}

/// What each row took in each round. In a round each of them has a turn.
fn times(column: &mut Column<'_>, rounds: u32) -> Vec<Vec<Duration>> {
    let mut times = vec![Vec::new(); column.rows.len()];
    // One more, which warms up.
    for _ in 0..=rounds {
        for (row, times) in column.rows.iter_mut().zip(&mut times) {
            let start = Instant::now();
            let count = black_box((row.pass)());
            times.push(start.elapsed());
            assert_eq!(
                count, column.count,
                "{} counts something else in {}",
                row.name, column.name
            );
        }
    }
    for times in &mut times {
        times.remove(0);
    }
    times
}

/// Says whether an aim is met.
pub(crate) fn aim(what: &str, ratio: Option<f64>, at_least: f64) {
    if let Some(ratio) = ratio {
        let met = if ratio >= at_least { "met" } else { "NOT met" };
        println!("aim: {what} >= {at_least}x: {ratio:.2}x, {met}");
    }
}
