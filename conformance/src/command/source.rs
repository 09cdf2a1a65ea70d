//! Where conversations come from: files, and an interpreter.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use clap::Args;
use millpond_conformance::trace::{Conversations, Python, Trace};

/// Which conversations a CPython is asked for.
#[derive(Args)]
pub(crate) struct Source {
    /// The interpreter, CPython 3.6 or later.
    #[arg(long, value_name = "PATH", default_value = "python3")]
    pub(crate) python: PathBuf,
    /// What the random conversations are made from. The same seed makes the same ones.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Traces whose conversations are taken instead of random ones; `-` is standard input.
    pub(crate) files: Vec<PathBuf>,
}

impl Source {
    pub(crate) fn start(&self) -> io::Result<Python> {
        Python::start(&self.python).map_err(|error| about(&self.python, &error))
    }

    /// `count` random ones, or those of the files.
    pub(crate) fn conversations(
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

/// A trace, and the number of each of its lines.
pub(crate) type Numbered = (Trace, Vec<usize>);

/// The traces of a file, with the number of each line.
pub(crate) fn read(path: &Path) -> io::Result<Vec<Numbered>> {
    if path == Path::new("-") {
        return traces_of(path, io::stdin().lock());
    }
    let file = File::open(path).map_err(|error| about(path, &error))?;
    traces_of(path, BufReader::new(file))
}

/// Those of what is read from a path.
pub(crate) fn traces_of(path: &Path, lines: impl BufRead) -> io::Result<Vec<Numbered>> {
    let traces = Trace::read_numbered(lines).map_err(|error| about(path, &error))?;
    if traces.is_empty() {
        let error = "there is no trace in it: one begins with the line {\"trace\":1,\"limit\":N}";
        let error = io::Error::new(io::ErrorKind::InvalidData, error);
        return Err(about(path, &error));
    }
    Ok(traces)
}

pub(crate) fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
