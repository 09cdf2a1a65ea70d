//! `compare`: CPython beside the core.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    process::ExitCode,
    time::Instant,
};

use anstream::stdout;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use millpond_conformance::trace::{
    Deliberate, Difference, Python, Trace, Verdict, compare, pauses_differ, shrink,
};

use crate::{
    Source,
    style::{BAD, FAINT, GOOD, HEAD},
};

/// How many conversations the interpreter gets at once.
const BATCH: usize = 500;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,
    /// How many random conversations.
    #[arg(long, default_value_t = 100_000)]
    count: usize,
    /// How many unexplained differences are shrunk and printed.
    #[arg(long, default_value_t = 5)]
    show: usize,
}

#[derive(Default)]
struct Figures {
    conversations: usize,
    requests: usize,
    same: usize,
    on_purpose: usize,
    by_reason: BTreeMap<Deliberate, usize>,
    /// In which CPython paused.
    pauses: usize,
    unexplained: usize,
}

pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    let started = Instant::now();
    let mut python = options.source.start()?;
    let mut conversations = options.source.conversations(&python, options.count)?;
    let progress = progress_bar(conversations.size_hint().0);
    let mut figures = Figures::default();
    loop {
        let batch: Vec<Trace> = conversations.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            break;
        }
        for (trace, paused) in python.answer_and_pause(&batch)? {
            let differences = figures.count(&trace);
            let pause = figures.count_pause(&trace, &paused);
            if figures.unexplained > options.show {
                continue;
            }
            if let Some(differences) = differences {
                progress.suspend(|| report(&mut python, &trace, &differences))?;
            }
            if let Some(index) = pause {
                progress.suspend(|| report_pause(&trace, index))?;
            }
        }
        progress.inc(batch.len() as u64);
    }
    progress.finish_and_clear();
    figures.print(python.version(), started)?;
    Ok(ExitCode::from(u8::from(figures.unexplained > 0)))
}

fn progress_bar(count: usize) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:40} {human_pos} of {human_len} conversations, {per_sec}, {eta} left",
    );
    let bar = ProgressBar::new(count as u64);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Prints a difference as a trace that can be replayed, with a comment on standard error.
fn report(python: &mut Python, trace: &Trace, differences: &[Difference]) -> io::Result<()> {
    let small = shrink(trace, |candidate| is_unexplained(python, candidate));
    let answered = python.answer(&[small])?;
    let mut out = stdout().lock();
    writeln!(out, "{BAD}unexplained{BAD:#} at first:")?;
    for difference in differences {
        writeln!(out, "  {difference}")?;
    }
    writeln!(
        out,
        "{BAD}unexplained{BAD:#} when shrunk, as CPython answers:"
    )?;
    for trace in &answered {
        write!(out, "{trace}")?;
        if let Verdict::Broken(differences) = compare(trace) {
            for difference in differences {
                writeln!(out, "  {difference}")?;
            }
        }
    }
    Ok(())
}

fn report_pause(trace: &Trace, index: usize) -> io::Result<()> {
    let mut out = stdout().lock();
    let line = &trace.lines()[index];
    writeln!(out, "{BAD}paused on one side alone{BAD:#} after {line} in")?;
    write!(out, "{trace}")
}

/// Whether CPython and the core differ in this conversation, and not on purpose.
pub(crate) fn is_unexplained(python: &mut Python, conversation: &Trace) -> bool {
    let answered = python.answer(std::slice::from_ref(conversation));
    answered.is_ok_and(|traces| {
        traces
            .iter()
            .any(|trace| matches!(compare(trace), Verdict::Broken(_)))
    })
}

impl Figures {
    /// The differences, if they are not explained.
    fn count(&mut self, trace: &Trace) -> Option<Vec<Difference>> {
        self.conversations += 1;
        self.requests += trace.requests();
        match compare(trace) {
            Verdict::Broken(differences) => {
                self.unexplained += 1;
                return Some(differences);
            }
            Verdict::Deliberate(reasons) => {
                self.on_purpose += 1;
                for reason in reasons {
                    *self.by_reason.entry(reason).or_default() += 1;
                }
            }
            Verdict::Same | _ => self.same += 1,
        }
        None
    }

    /// The line after which reading was paused on one side alone.
    fn count_pause(&mut self, trace: &Trace, paused: &[bool]) -> Option<usize> {
        self.pauses += usize::from(paused.contains(&true));
        let differs = pauses_differ(trace, paused);
        self.unexplained += usize::from(differs.is_some());
        differs
    }

    fn print(&self, version: &str, started: Instant) -> io::Result<()> {
        let mut out = stdout().lock();
        let seconds = started.elapsed().as_secs_f64();
        let rate = self.conversations as f64 / seconds;
        writeln!(
            out,
            "{HEAD}CPython {version}{HEAD:#}: {} conversations with {} requests in {seconds:.1} s, {rate:.0} a second",
            self.conversations, self.requests,
        )?;
        writeln!(out, "{:>9} the same", self.same)?;
        writeln!(out, "{:>9} different on purpose, because", self.on_purpose)?;
        for difference in Deliberate::all() {
            let count = self.by_reason.get(&difference).unwrap_or(&0);
            writeln!(out, "{count:>9}   {difference}")?;
            writeln!(out, "{:>9}   {FAINT}{}{FAINT:#}", "", difference.reason())?;
        }
        writeln!(out, "{:>9} in which reading was paused", self.pauses)?;
        let style = if self.unexplained > 0 { BAD } else { GOOD };
        writeln!(out, "{style}{:>9} unexplained{style:#}", self.unexplained)
    }
}
