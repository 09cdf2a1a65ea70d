//! `shrink`: the smallest trace that still fails.

use std::{io, path::PathBuf, process::ExitCode};

use anstream::eprintln;
use clap::Args;
use millpond_conformance::trace::{Line, Python, Trace, judge, replay, shrink};

use crate::{
    about,
    compare::is_unexplained,
    read,
    style::{FAINT, GOOD},
};

#[derive(Args)]
pub(crate) struct Options {
    /// The trace; of several, the first that fails. `-` is standard input.
    file: PathBuf,
    /// Fails if this CPython answers otherwise than the core, and not on purpose.
    ///
    /// Without it, a trace fails if the core answers otherwise than the rules say; or, if the core is
    /// right, as long as it gives the answer that the trace does not expect.
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    let traces = read(&options.file)?;
    let mut traces = traces.into_iter().map(|(trace, _)| trace);
    let small = match &options.python {
        Some(path) => {
            let mut python = Python::start(path).map_err(|error| about(path, &error))?;
            traces
                .find(|trace| is_unexplained(&mut python, trace))
                .map(|trace| with_python(&mut python, &trace))
                .transpose()?
        }
        None => traces
            .find(|trace| judge(trace).is_some() || !replay(trace).is_empty())
            .map(|trace| alone(&trace)),
    };
    match small {
        Some(trace) => {
            trace.write(io::stdout().lock())?;
            eprintln!("{FAINT}{} lines are left{FAINT:#}", trace.lines().len());
        }
        None => eprintln!("{GOOD}nothing fails{GOOD:#}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// With CPython's answers.
fn with_python(python: &mut Python, trace: &Trace) -> io::Result<Trace> {
    let small = shrink(trace, |candidate| is_unexplained(python, candidate));
    Ok(python.answer(&[small])?.remove(0))
}

/// With the answers that there should be.
fn alone(trace: &Trace) -> Trace {
    if judge(trace).is_some() {
        let small = shrink(trace, |candidate| judge(candidate).is_some());
        return judge(&small).unwrap_or(small);
    }
    // The core is right and the trace is not: keep the line and what came of it.
    let unexpected: Vec<(Line, Line)> = surprises(trace).collect();
    shrink(trace, |candidate| {
        surprises(candidate).any(|surprise| unexpected.contains(&surprise))
    })
}

/// What was expected, and what happened.
fn surprises(trace: &Trace) -> impl Iterator<Item = (Line, Line)> {
    let differences = replay(trace).into_iter();
    differences.map(|difference| (difference.expected, difference.got))
}
