//! `show`: a conversation as a timeline, a world as a diagram.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anstream::stdout;
use clap::Args;
use millpond_conformance::trace::{Answer, Line, Trace, timeline};
use millpond_sim::Picture;

use crate::{
    html,
    saved::{Saved, open},
    style::{BAD, FAINT, GOOD, HEAD, INPUT, PAUSED},
    words::{asks, describe, expected, scale},
};

/// Columns of the picture of a level.
const COLUMNS: usize = 24;

#[derive(Args)]
pub(crate) struct Options {
    /// Traces, the events.txt of a world that failed, or the directory in which it was saved; `-` is
    /// standard input.
    file: PathBuf,
    /// Writes a page with a picture instead; it needs nothing beside it. Of a directory it shows the world.
    #[arg(long, value_name = "OUT")]
    html: Option<PathBuf>,
    /// Leaves out other connections of a world; can be given more than once.
    #[arg(long, value_name = "NUMBER")]
    connection: Vec<u32>,
    /// Columns of the picture of a world.
    #[arg(long, value_name = "COLUMNS", default_value_t = 100)]
    width: usize,
}

pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    let all = open(&options.file)?;
    if let Some(out) = &options.html {
        fs::write(out, page(&options.file, all, &options.connection))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = stdout().lock();
    let several = all.len() > 1;
    for (path, saved) in &all {
        if several {
            writeln!(out, "{HEAD}{}{HEAD:#}", path.display())?;
        }
        match saved {
            Saved::World(lines) => {
                let picture = world(lines, &options.connection).width(options.width);
                writeln!(out, "{}", picture.colours(true))?;
            }
            Saved::Traces(traces) => {
                for (trace, numbers) in traces {
                    print(&mut out, trace, numbers)?;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn world(lines: &str, connections: &[u32]) -> Picture {
    let picture = Picture::of_events(lines);
    match connections {
        [] => picture,
        some => picture.only(some.iter().copied()),
    }
}

/// That of the world, or of all traces if there is none.
fn page(path: &Path, all: Vec<(PathBuf, Saved)>, connections: &[u32]) -> String {
    let title = path.display().to_string();
    let mut traces = Vec::new();
    for (_, saved) in all {
        match saved {
            Saved::World(lines) => return world(&lines, connections).page(&title),
            Saved::Traces(more) => traces.extend(more),
        }
    }
    html::page(&title, &traces)
}

fn print(out: &mut impl Write, trace: &Trace, numbers: &[usize]) -> io::Result<()> {
    let moments = timeline(trace);
    let top = scale(trace, &moments);
    let limit = trace.limit();
    match asks(trace) {
        true => writeln!(
            out,
            "{HEAD}limit {limit}, pauses above {}{HEAD:#}; a full bar is {top} bytes, | is the limit",
            limit.saturating_mul(2)
        )?,
        false => writeln!(
            out,
            "{HEAD}what has arrived{HEAD:#}, for no request is recorded; a full bar is {top} bytes"
        )?,
    }
    let lines = trace.lines().iter().zip(&moments).zip(numbers);
    for ((recorded, moment), number) in lines {
        let limit = Some(moment.limit).filter(|_| asks(trace));
        let bar = bar(moment.buffered, limit, top);
        let is_paused = moment.paused && asks(trace);
        let style = if is_paused { PAUSED } else { FAINT };
        let paused = if is_paused { "paused" } else { "" };
        write!(
            out,
            "{FAINT}{number:>5}{FAINT:#} {style}{bar}{style:#} {:>6} {style}{paused:6}{style:#} ",
            moment.buffered
        )?;
        let (what, style) = match &moment.line {
            Line::Feed(_) | Line::FeedEof | Line::Fail(_) => (describe(&moment.line), INPUT),
            Line::Ask(_, Answer::Pending) => (describe(&moment.line), FAINT),
            Line::Ask(_, Answer::Ok(_) | Answer::Ready(_)) => (describe(&moment.line), GOOD),
            Line::Ask(..) => (describe(&moment.line), BAD),
            Line::Buffered(_) | Line::Consume(_) | Line::SetLimit(_) | _ => {
                (describe(&moment.line), GOOD)
            }
        };
        writeln!(out, "{style}{what}{style:#}")?;
        if *recorded != moment.line {
            writeln!(
                out,
                "{:>46} {BAD}expected: {}{BAD:#}",
                "",
                expected(recorded, moment)
            )?;
        }
    }
    writeln!(out)
}

/// A level, and where the limit is.
fn bar(level: usize, limit: Option<usize>, top: usize) -> String {
    let column = |level: usize| match level <= top {
        true => (level * COLUMNS).div_ceil(top),
        false => COLUMNS + 1, // out of the picture
    };
    let (filled, limit) = (column(level), limit.map(column));
    (1..=COLUMNS)
        .map(|at| match at {
            at if at <= filled && Some(at) == limit => '┃',
            at if Some(at) == limit => '│',
            at if at <= filled => '█',
            _ => '·',
        })
        .collect()
}
