//! `show`: a conversation as a timeline.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anstream::stdout;
use clap::Args;
use millpond_conformance::trace::{Answer, Line, Moment, Trace, timeline};

use crate::{
    html,
    source::read,
    style::{BAD, FAINT, GOOD, HEAD, INPUT, PAUSED},
    words::{describe, expected, scale},
};

/// Columns of the picture of a level.
const COLUMNS: usize = 24;

#[derive(Args)]
pub(crate) struct Options {
    /// The traces; `-` is standard input.
    file: PathBuf,
    /// Writes a page with a picture instead; it needs nothing beside it.
    #[arg(long, value_name = "OUT")]
    html: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    let traces = read(&options.file)?;
    if let Some(out) = &options.html {
        fs::write(
            out,
            html::page(&options.file.display().to_string(), &traces),
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = stdout().lock();
    for (trace, numbers) in &traces {
        print(&mut out, trace, numbers)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(out: &mut impl Write, trace: &Trace, numbers: &[usize]) -> io::Result<()> {
    let moments = timeline(trace);
    let top = scale(trace, &moments);
    let limit = trace.limit();
    writeln!(
        out,
        "{HEAD}limit {limit}, pauses above {}{HEAD:#}; a full bar is {top} bytes, | is the limit",
        limit.saturating_mul(2)
    )?;
    let lines = trace.lines().iter().zip(&moments).zip(numbers);
    for ((recorded, moment), number) in lines {
        let bar = bar(moment, top);
        let style = if moment.paused { PAUSED } else { FAINT };
        let paused = if moment.paused { "paused" } else { "" };
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

fn bar(moment: &Moment, top: usize) -> String {
    let column = |level: usize| match level <= top {
        true => (level * COLUMNS).div_ceil(top),
        false => COLUMNS + 1, // out of the picture
    };
    let filled = column(moment.buffered);
    (1..=COLUMNS)
        .map(|at| match at {
            at if at <= filled && at == column(moment.limit) => '┃',
            at if at == column(moment.limit) => '│',
            at if at <= filled => '█',
            _ => '·',
        })
        .collect()
}
