//! `compare`: CPython beside the core.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
    path::PathBuf,
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
    source::Source,
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
    /// Where to write them, as traces with CPython's answers that can be replayed.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

/// What CPython and the core do not agree on.
enum Problem {
    Answers(Vec<Difference>),
    /// After the line with this index.
    Pause(usize),
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
    let mut save = options.save.as_ref().map(File::create).transpose()?;
    loop {
        let batch: Vec<Trace> = conversations.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            break;
        }
        for (trace, paused) in python.answer_and_pause(&batch)? {
            if figures.count(&trace, &paused) && figures.unexplained <= options.show {
                let small = progress.suspend(|| report(&mut python, &trace))?;
                if let Some(file) = &mut save {
                    small.write(file)?;
                }
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

impl Problem {
    fn of(trace: &Trace, paused: &[bool]) -> Option<Self> {
        match compare(trace) {
            Verdict::Broken(differences) => Some(Self::Answers(differences)),
            Verdict::Deliberate(_) | Verdict::Same | _ => {
                pauses_differ(trace, paused).map(Self::Pause)
            }
        }
    }

    fn print(&self, out: &mut impl Write, trace: &Trace) -> io::Result<()> {
        match self {
            Self::Answers(differences) => differences
                .iter()
                .try_for_each(|difference| writeln!(out, "  {difference}")),
            Self::Pause(index) => {
                let line = &trace.lines()[*index];
                writeln!(
                    out,
                    "  line {}: paused on one side alone after {line}",
                    index + 2
                )
            }
        }
    }
}

/// Shrinks and prints what is not explained.
fn report(python: &mut Python, trace: &Trace) -> io::Result<Trace> {
    let small = shrink(trace, |candidate| is_unexplained(python, candidate));
    let (small, paused) = python.answer_and_pause(&[small])?.remove(0);
    let mut out = stdout().lock();
    writeln!(out, "{BAD}unexplained{BAD:#}, when shrunk:")?;
    write!(out, "{small}")?;
    if let Some(problem) = Problem::of(&small, &paused) {
        problem.print(&mut out, &small)?;
    }
    writeln!(out)?;
    Ok(small)
}

/// Whether CPython and the core differ in this conversation, and not on purpose.
pub(crate) fn is_unexplained(python: &mut Python, conversation: &Trace) -> bool {
    let answered = python.answer_and_pause(std::slice::from_ref(conversation));
    answered.is_ok_and(|answered| {
        answered
            .iter()
            .any(|(trace, paused)| Problem::of(trace, paused).is_some())
    })
}

impl Figures {
    /// Whether it is one that is not explained.
    fn count(&mut self, trace: &Trace, paused: &[bool]) -> bool {
        self.conversations += 1;
        self.requests += trace.requests();
        self.pauses += usize::from(paused.contains(&true));
        if Problem::of(trace, paused).is_some() {
            self.unexplained += 1;
            return true;
        }
        match compare(trace) {
            Verdict::Deliberate(reasons) => {
                self.on_purpose += 1;
                for reason in reasons {
                    *self.by_reason.entry(reason).or_default() += 1;
                }
            }
            Verdict::Broken(_) | Verdict::Same | _ => self.same += 1,
        }
        false
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
