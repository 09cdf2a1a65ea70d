//! `show`: a conversation as a timeline.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    str::EscapeDebug,
};

use anstream::stdout;
use clap::Args;
use millpond_conformance::trace::{Answer, Kind, Line, Moment, Request, Trace, timeline};

use crate::{
    html, read,
    style::{BAD, FAINT, GOOD, HEAD, INPUT, PAUSED},
};

/// Columns of the picture of a level.
const COLUMNS: usize = 24;

/// The most bytes of a text that are shown.
const SHOWN: usize = 48;

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
    for ((said, moment), number) in lines {
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
        if *said != moment.line {
            writeln!(
                out,
                "{:>46} {BAD}expected: {}{BAD:#}",
                "",
                expected(said, moment)
            )?;
        }
    }
    writeln!(out)
}

/// The level at which a picture is full: it shows the limit, the pause and the highest level.
pub(crate) fn scale(trace: &Trace, moments: &[Moment]) -> usize {
    let highest = moments.iter().map(|moment| moment.buffered).max();
    let highest = highest.unwrap_or(0).max(1);
    // A limit that is far away would leave nothing to be seen of the rest.
    let limit = trace.limit();
    if limit > 8 * highest {
        highest
    } else {
        highest.max(2 * limit + 1)
    }
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

/// What a trace says that did not happen, in words, or as it is if words do not tell the difference.
pub(crate) fn expected(said: &Line, moment: &Moment) -> String {
    let words = describe(said);
    if words == describe(&moment.line) {
        return said.to_string();
    }
    words
}

/// A line in words.
pub(crate) fn describe(line: &Line) -> String {
    match line {
        Line::Ask(request, answer) => format!("{} → {}", asked(request), answered(answer)),
        Line::Buffered(data) => format!("buffered: {}", text(data)),
        Line::Consume(n) => format!("drops {n}"),
        Line::Fail(kind) => format!("⟵ fails: {}", plain(kind)),
        Line::Feed(data) => format!("⟵ {} ({})", text(data), data.len()),
        Line::FeedEof => "⟵ end of the stream".to_owned(),
        Line::SetLimit(n) => format!("the limit is {n}"),
        _ => line.to_string(),
    }
}

fn asked(request: &Request) -> String {
    match request {
        Request::Exactly(n) => format!("read_exactly({n})"),
        Request::Line => "read_line()".to_owned(),
        Request::Peek(n) => format!("peek({n})"),
        Request::ToEof => "read_to_eof()".to_owned(),
        Request::Until(needles) => {
            let needles: Vec<String> = needles.iter().map(|needle| text(needle)).collect();
            format!("read_until({})", needles.join(", "))
        }
        Request::UpTo(n) => format!("read({n})"),
        _ => request.to_string(),
    }
}

fn answered(answer: &Answer) -> String {
    match answer {
        Answer::CapExceeded { cap } => format!("exceeds the cap of {cap}"),
        Answer::Failed(kind) => format!("failed: {}", plain(kind)),
        Answer::Incomplete { partial, expected } => match expected {
            Some(n) => format!("incomplete, {} of {n}: {}", partial.len(), text(partial)),
            None => format!("incomplete: {}", text(partial)),
        },
        Answer::Ok(data) => text(data),
        Answer::Overrun { consumed } => format!("overrun, {consumed} bytes can be skipped"),
        Answer::Pending => "waits".to_owned(),
        Answer::Ready(n) => format!("{n} bytes, not taken"),
        _ => answer.to_string(),
    }
}

/// A file can say anything.
fn plain(kind: &Kind) -> EscapeDebug<'_> {
    kind.as_str().escape_debug()
}

fn text(data: &[u8]) -> String {
    match data.get(..SHOWN) {
        Some(start) if data.len() > SHOWN => format!("\"{}…\"", start.escape_ascii()),
        _ => format!("\"{}\"", data.escape_ascii()),
    }
}
