//! `shrink`: the smallest trace that still fails.

use std::{io, path::PathBuf, process::ExitCode};

use anstream::eprintln;
use clap::Args;
use millpond_conformance::trace::{Line, Python, Trace, judge, replay, shrink};

use crate::{
    compare::is_unexplained,
    source::{about, read},
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
    let traces: Vec<Trace> = traces.into_iter().map(|(trace, _)| trace).collect();
    let small = match &options.python {
        Some(path) => {
            let mut python = Python::start(path).map_err(|error| about(path, &error))?;
            let failing = traces
                .iter()
                .find(|trace| is_unexplained(&mut python, trace));
            failing
                .map(|trace| with_python(&mut python, trace))
                .transpose()?
        }
        None => alone(&traces),
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

fn alone(traces: &[Trace]) -> Option<Trace> {
    if let Some(trace) = traces.iter().find(|trace| judge(trace).is_some()) {
        let small = shrink(trace, |candidate| judge(candidate).is_some());
        return judge(&small);
    }
    // The core is right and the trace is not: keep the line and what came of it.
    let trace = traces.iter().find(|trace| !replay(trace).is_empty())?;
    let unexpected: Vec<(Line, Line)> = surprises(trace).collect();
    Some(shrink(trace, |candidate| {
        surprises(candidate).any(|surprise| unexpected.contains(&surprise))
    }))
}

/// What was expected, and what happened.
fn surprises(trace: &Trace) -> impl Iterator<Item = (Line, Line)> {
    let differences = replay(trace).into_iter();
    differences.map(|difference| (difference.expected, difference.got))
}
