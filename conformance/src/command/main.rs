//! Records, replays and compares conversations with a reader.

use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anstream::eprintln;
use clap::{Args, Parser, Subcommand};
use millpond_conformance::trace::{Conversations, Python, Trace};

mod compare;
mod html;
mod record;
mod replay;
mod show;
mod shrink;
mod style;

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
    /// Shows a conversation as a timeline.
    Show(show::Options),
}

/// Which conversations a CPython is asked for.
#[derive(Args)]
struct Source {
    /// The interpreter, CPython 3.6 or later.
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: PathBuf,
    /// What the random conversations are made from. The same seed makes the same ones.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Traces whose conversations are taken instead of random ones; `-` is standard input.
    files: Vec<PathBuf>,
}

impl Source {
    fn start(&self) -> io::Result<Python> {
        Python::start(&self.python).map_err(|error| about(&self.python, &error))
    }

    /// `count` random ones, or those of the files.
    fn conversations(
        &self,
        python: &Python,
        count: usize,
    ) -> io::Result<Box<dyn Iterator<Item = Trace>>> {
        if self.files.is_empty() {
            let random = Conversations::new(self.seed).with_sets(python.has_sets());
            return Ok(Box::new(random.take(count)));
        }
        let traces = self.files.iter().map(|path| read(path));
        let traces = traces.collect::<io::Result<Vec<_>>>()?;
        let all = traces.into_iter().flatten().map(|(trace, _)| trace);
        Ok(Box::new(all.collect::<Vec<_>>().into_iter()))
    }
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
        // Whoever reads the output has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{ERROR}error{ERROR:#}: {error}");
            ExitCode::from(2)
        }
    }
}

/// The traces of a file, with the number of each line.
fn read(path: &Path) -> io::Result<Vec<(Trace, Vec<usize>)>> {
    let traces = if path == Path::new("-") {
        Trace::read_numbered(io::stdin().lock())
    } else {
        File::open(path).and_then(|file| Trace::read_numbered(BufReader::new(file)))
    };
    let traces = traces.map_err(|error| about(path, &error))?;
    if traces.is_empty() {
        let error = "there is no trace in it: one begins with the line {\"trace\":1,\"limit\":N}";
        return Err(about(
            path,
            &io::Error::new(io::ErrorKind::InvalidData, error),
        ));
    }
    Ok(traces)
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
