//! `record`: what CPython answers.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Args;
use millpond_conformance::trace::Trace;

use crate::source::Source;

#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,
    /// How many random conversations.
    #[arg(long, default_value_t = 10)]
    count: usize,
}

pub(crate) fn run(options: &Options) -> io::Result<ExitCode> {
    let mut python = options.source.start()?;
    let conversations = options.source.conversations(&python, options.count)?;
    let conversations: Vec<Trace> = conversations.collect();
    let mut out = io::stdout().lock();
    for trace in python.answer(&conversations)? {
        trace.write(&mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
