//! Everything that happens in a world, to be drawn and to be saved in files.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use millpond::millpond_core::DEFAULT_LIMIT;

use crate::{
    choice::hex,
    picture::picture::Picture,
    settings::Settings,
    time::Seconds,
    trace::{
        event::{End, Event, Stamped},
        note::{Described, Note},
    },
};

/// So many bytes of each write are kept.
const KEPT_BYTES: usize = 4096;

/// Everything that happens, if that is asked for.
#[derive(Debug)]
pub(super) struct Record {
    /// Where a failure is saved in a directory of its own.
    pub(super) parent: Option<PathBuf>,
    /// Where a page is written, whether the world fails or not.
    page: Option<PathBuf>,
    lines: Vec<(u64, Line)>,
    received: BTreeMap<End, Received>,
}

#[derive(Debug)]
enum Line {
    Event(Event),
    Note(Note),
}

/// What an end has received, as a trace of the format that `millpond-conformance` reads.
#[derive(Debug)]
struct Received {
    trace: String,
    /// A reader takes nothing more after the end of the stream.
    ended: bool,
}

impl Record {
    /// `None` if nothing asks for it.
    pub(super) fn new(settings: &Settings, parent: Option<PathBuf>) -> Option<Self> {
        let page = settings.page.clone();
        let wanted = parent.is_some() || page.is_some() || settings.keeps_picture;
        wanted.then(|| Self {
            parent,
            page,
            lines: Vec::new(),
            received: BTreeMap::new(),
        })
    }

    pub(super) fn event(&mut self, now: u64, event: Event) {
        self.lines.push((now, Line::Event(event)));
    }

    pub(super) fn note(&mut self, now: u64, note: Note) {
        self.lines.push((now, Line::Note(note)));
    }

    /// Behind the event of the write.
    pub(super) fn wrote<'a>(&mut self, bufs: impl Iterator<Item = &'a [u8]>) {
        let Some((now, _)) = self.lines.last() else {
            return;
        };
        let mut kept = Vec::new();
        for buf in bufs {
            let room = KEPT_BYTES - kept.len();
            kept.extend_from_slice(&buf[..room.min(buf.len())]);
        }
        self.note(*now, Note::Data(kept));
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

    /// All lines, of which each is an event, or a note that begins with a dot.
    fn text(&self, hosts: &[String]) -> String {
        let mut text = String::new();
        for (now, line) in &self.lines {
            let _ = match line {
                Line::Event(event) => writeln!(text, "{}", Stamped(*now, *event, hosts)),
                Line::Note(note) => {
                    let (now, note) = (Seconds(*now), Described(note, hosts));
                    writeln!(text, "{now:>13} s  {note}")
                }
            };
        }
        text
    }

    pub(super) fn picture(&self, hosts: &[String]) -> Picture {
        Picture::of_events(&self.text(hosts))
    }

    /// Writes the page that the program has asked for.
    pub(super) fn save_page(&self, hosts: &[String]) -> Option<(&Path, io::Result<()>)> {
        let page = self.page.as_deref()?;
        let title = page.file_stem().unwrap_or_default().to_string_lossy();
        let text = self.picture(hosts).page(&title);
        let parent = page.parent().map_or(Ok(()), fs::create_dir_all);
        Some((page, parent.and_then(|()| fs::write(page, text))))
    }

    /// Writes a file with all events, a page that shows them, and one file for each end that has received
    /// something.
    pub(super) fn save(&self, directory: &Path, hosts: &[String]) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        remove_old(directory)?;
        let events = self.text(hosts);
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        let page = Picture::of_events(&events).page(&name);
        fs::write(directory.join("events.txt"), events)?;
        fs::write(directory.join("world.html"), page)?;
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
