//! Records, replays and compares conversations with a reader.

use std::{io, process::ExitCode};

use anstream::eprintln;
use clap::{Parser, Subcommand};

mod compare;
mod html;
mod record;
mod replay;
mod saved;
mod show;
mod shrink;
mod source;
mod style;
mod words;

use style::ERROR;

/// Records, replays and compares conversations with millpond's reader.
///
/// A conversation is a trace: one JSON object a line, the bytes that arrived, the requests and what
/// came of them. The exit status is 0 if everything is as expected, 1 if not, 2 if the command could
/// not be carried out.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs traces on the core and prints each difference.
    Replay(replay::Options),
    /// Runs conversations on a CPython and on the core, and reports what is not explained.
    Compare(compare::Options),
    /// Prints what a CPython answers, as traces.
    Record(record::Options),
    /// Prints the smallest trace that still fails.
    Shrink(shrink::Options),
    /// Shows a conversation as a timeline, or a world that failed as a diagram.
    Show(show::Options),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Replay(options) => replay::run(&options),
        Command::Compare(options) => compare::run(&options),
        Command::Record(options) => record::run(&options),
        Command::Shrink(options) => shrink::run(&options),
        Command::Show(options) => show::run(&options),
    };
    match done {
        Ok(code) => code,
        // The reader of the output has closed it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{ERROR}error{ERROR:#}: {error}");
            ExitCode::from(2)
        }
    }
}
