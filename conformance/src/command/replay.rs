//! `replay`: traces on the core.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anstream::stdout;
use clap::Args;
use millpond_conformance::trace::{Difference, Trace, Verdict, compare, replay};

use crate::{
    source::read,
    style::{BAD, FAINT, GOOD},
};

#[derive(Args)]
pub(crate) struct Options {
    /// The traces; `-` is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The answers are those of CPython: deliberate differences are named and are no failure.
    #[arg(long)]
    cpython: bool,
}

#[derive(Default)]
struct Figures {
    traces: usize,
    lines: usize,
    failed: usize,
    deliberate: usize,
}

pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    let mut out = stdout().lock();
    let mut figures = Figures::default();
    for path in &options.files {
        for (trace, numbers) in read(path)? {
            figures.traces += 1;
            figures.lines += trace.lines().len();
            let differences = figures.judge(&trace, options.cpython);
            for Difference {
                index,
                expected,
                got,
                ..
            } in differences
            {
                let (path, number) = (path.display(), numbers[index]);
                writeln!(out, "{BAD}{path}:{number}{BAD:#}")?;
                writeln!(out, "  {FAINT}expected{FAINT:#} {expected}")?;
                writeln!(out, "  {FAINT}     got{FAINT:#} {got}")?;
            }
        }
    }
    figures.print(&mut out, options.cpython)?;
    Ok(ExitCode::from(u8::from(figures.failed > 0)))
}

impl Figures {
    fn judge(&mut self, trace: &Trace, of_cpython: bool) -> Vec<Difference> {
        let differences = if of_cpython && trace.is_known_to_asyncio() {
            match compare(trace) {
                Verdict::Broken(differences) => differences,
                Verdict::Deliberate(_) => {
                    self.deliberate += 1;
                    Vec::new()
                }
                Verdict::Same | _ => Vec::new(),
            }
        } else {
            replay(trace)
        };
        self.failed += usize::from(!differences.is_empty());
        differences
    }

    fn print(&self, out: &mut impl Write, of_cpython: bool) -> io::Result<()> {
        let Self {
            traces,
            lines,
            failed,
            deliberate,
        } = self;
        let style = if *failed > 0 { BAD } else { GOOD };
        write!(
            out,
            "{traces} traces, {lines} lines: {style}{failed} differ{style:#}"
        )?;
        if of_cpython {
            write!(out, ", {deliberate} differ on purpose")?;
        }
        writeln!(out)
    }
}
