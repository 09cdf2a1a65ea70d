//! Everything that happens in a world, to be saved in files.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{self, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
};

use millpond::millpond_core::DEFAULT_LIMIT;

use crate::{
    choice::hex,
    trace::event::{End, Event, Stamped},
};

/// What is written to files when a world fails.
#[derive(Debug)]
pub(super) struct Record {
    /// Where each failure has a directory of its own.
    pub(super) parent: PathBuf,
    events: Vec<(u64, Event)>,
    received: BTreeMap<End, Received>,
}

/// What an end has received, as a trace of the format that `millpond-conformance` reads.
#[derive(Debug)]
struct Received {
    trace: String,
    /// A reader takes nothing more after the end of the stream.
    ended: bool,
}

impl Record {
    pub(super) fn new(parent: PathBuf) -> Self {
        Self {
            parent,
            events: Vec::new(),
            received: BTreeMap::new(),
        }
    }

    pub(super) fn event(&mut self, now: u64, event: Event) {
        self.events.push((now, event));
    }

    pub(super) fn received(&mut self, at: End, result: Result<&[u8], ErrorKind>) {
        let received = self.received.entry(at).or_default();
        if received.ended {
            return;
        }
        let trace = &mut received.trace;
        // Writing to a string does not fail.
        let _ = match result {
            Ok([]) => writeln!(trace, "{{\"feed_eof\":true}}"),
            Ok(data) => writeln!(trace, "{{\"feed\":\"{}\"}}", hex(data)),
            Err(kind) => writeln!(trace, "{{\"fail\":\"{kind:?}\"}}"),
        };
        received.ended = !matches!(result, Ok([_, ..]));
    }

    /// Writes a file with all events, and one for each end that has received something.
    pub(super) fn save(&self, directory: &Path, hosts: &[String]) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        remove_old(directory)?;
        let mut events = BufWriter::new(fs::File::create(directory.join("events.txt"))?);
        for (now, event) in &self.events {
            writeln!(events, "{}", Stamped(*now, *event, hosts))?;
        }
        events.flush()?;
        for (end, received) in &self.received {
            let name = format!("connection-{}-{}.jsonl", end.connection, end.side_name());
            fs::write(directory.join(name), &received.trace)?;
        }
        Ok(())
    }
}

impl Default for Received {
    fn default() -> Self {
        Self {
            trace: format!("{{\"trace\":1,\"limit\":{DEFAULT_LIMIT}}}\n"),
            ended: false,
        }
    }
}

/// Removes what an earlier failure of the same name has received at ends that this one has not.
fn remove_old(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with("connection-") && name.ends_with(".jsonl")) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
