//! What happened, as a number that two runs can be compared by, and the last of it as text.

use std::{
    collections::VecDeque, fmt, io::ErrorKind, mem, net::SocketAddr, path::PathBuf, thread,
    time::Duration,
};

use crate::{
    failure::{self, Origin},
    record::Record,
    settings::Settings,
};

/// How many events are kept for a report.
pub(crate) const KEPT: usize = 40;

/// What the first host is called.
pub(crate) const ONLY_HOST: &str = "localhost";

/// Who did it: an end of a connection.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct End {
    pub(crate) connection: u32,
    /// 0 is the client.
    pub(crate) side: usize,
}

/// One thing that happened. Small, and text only when it is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    Polled(u64),
    Spawned(u64, u32),
    Ended(u64),
    Jumped(u64),
    Connecting(u32, Option<SocketAddr>),
    Lost(u32),
    Refused(u32),
    Connected(u32),
    Piped(u32),
    Accepted(u32),
    AcceptFailed(u64),
    Hesitated(End),
    Read(End, usize),
    ReadEnd(End),
    ReadFailed(End),
    ReadWaits(End),
    Wrote(End, usize, u64),
    WriteFailed(End),
    WriteWaits(End),
    Finished(End),
    Dropped(End),
    Aborted(End),
    Reset(End),
    Faulted(u32, &'static str),
    Partitioned(u32, u32),
    Healed(u32, u32),
    Killed(u32),
}

impl Event {
    /// The event as numbers; no two events share theirs.
    fn words(self) -> [u64; 3] {
        let end = |end: End| u64::from(end.connection) << 1 | end.side as u64;
        match self {
            Self::Polled(task) => [1, task, 0],
            Self::Spawned(task, host) => [2, task, host.into()],
            Self::Ended(task) => [3, task, 0],
            Self::Jumped(nanos) => [4, nanos, 0],
            // What it is tried for is the program's business, and hashed when it is written.
            Self::Connecting(number, _) => [5, number.into(), 0],
            Self::Lost(number) => [6, number.into(), 0],
            Self::Refused(number) => [7, number.into(), 0],
            Self::Connected(number) => [8, number.into(), 0],
            Self::Accepted(number) => [9, number.into(), 0],
            Self::AcceptFailed(port) => [10, port, 0],
            Self::Hesitated(at) => [11, end(at), 0],
            Self::Read(at, len) => [12, end(at), len as u64],
            Self::ReadEnd(at) => [13, end(at), 0],
            Self::ReadFailed(at) => [14, end(at), 0],
            Self::ReadWaits(at) => [15, end(at), 0],
            Self::Wrote(at, len, digest) => [16 | (len as u64) << 8, end(at), digest],
            Self::WriteFailed(at) => [17, end(at), 0],
            Self::WriteWaits(at) => [18, end(at), 0],
            Self::Finished(at) => [19, end(at), 0],
            Self::Dropped(at) => [20, end(at), 0],
            Self::Aborted(at) => [21, end(at), 0],
            Self::Reset(at) => [22, end(at), 0],
            Self::Faulted(number, name) => [23, number.into(), digest([name.as_bytes()])],
            Self::Partitioned(a, b) => [24, a.into(), b.into()],
            Self::Healed(a, b) => [25, a.into(), b.into()],
            Self::Piped(number) => [26, number.into(), 0],
            Self::Killed(host) => [27, host.into(), 0],
        }
    }
}

impl End {
    pub(crate) fn side_name(self) -> &'static str {
        if self.side == 0 { "client" } else { "server" }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the {} of connection {}",
            self.side_name(),
            self.connection
        )
    }
}

impl Event {
    /// In words, with the names of the hosts.
    fn describe(&self, hosts: &[String], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |host: u32| hosts.get(host as usize).map_or(ONLY_HOST, String::as_str);
        match self {
            Self::Polled(task) => write!(f, "{} runs", Task(*task)),
            Self::Spawned(task, host) => write!(f, "{} is spawned on {}", Task(*task), on(*host)),
            Self::Ended(task) => write!(f, "{} ends", Task(*task)),
            Self::Jumped(nanos) => {
                write!(f, "the clock jumps by {:?}", Duration::from_nanos(*nanos))
            }
            Self::Connecting(number, Some(target)) => {
                write!(f, "connection {number} to {target} is tried")
            }
            Self::Connecting(number, None) => write!(f, "connection {number} is tried"),
            Self::Lost(number) => write!(f, "connection {number} gets no answer"),
            Self::Refused(number) => write!(f, "connection {number} is refused"),
            Self::Connected(number) => write!(f, "connection {number} is made"),
            Self::Piped(number) => {
                write!(f, "connection {number} is a pipe, which its client writes")
            }
            Self::Accepted(number) => write!(f, "connection {number} is accepted"),
            Self::AcceptFailed(_) => f.write_str("accepting fails"),
            Self::Hesitated(end) => write!(f, "{end} is told to try again, for no reason"),
            Self::Read(end, len) => write!(f, "{end} reads {}", Bytes(*len)),
            Self::ReadEnd(end) => write!(f, "{end} reads the end"),
            Self::ReadFailed(end) => write!(f, "{end} fails to read"),
            Self::ReadWaits(end) => write!(f, "{end} waits to read"),
            Self::Wrote(end, len, _) => write!(f, "{end} writes {}", Bytes(*len)),
            Self::WriteFailed(end) => write!(f, "{end} fails to write"),
            Self::WriteWaits(end) => write!(f, "{end} waits to write"),
            Self::Finished(end) => write!(f, "{end} ends its direction"),
            Self::Dropped(end) => write!(f, "{end} is closed"),
            Self::Aborted(end) => write!(f, "{end} is to be reset"),
            Self::Reset(end) => write!(f, "{end} is reset"),
            Self::Faulted(number, name) => write!(f, "fault on connection {number}: {name}"),
            Self::Partitioned(a, b) => write!(f, "{} and {} are parted", on(*a), on(*b)),
            Self::Healed(a, b) => write!(f, "{} and {} are joined again", on(*a), on(*b)),
            Self::Killed(host) => write!(f, "the tasks on {} are killed", on(*host)),
        }
    }
}

struct Task(u64);

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("the main task"),
            number => write!(f, "task {number}"),
        }
    }
}

struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 byte"),
            n => write!(f, "{n} bytes"),
        }
    }
}

/// What happened in a run, in order.
///
/// Two runs with the same seed have the same [`hash`](Self::hash), on every machine. Its `Display` is
/// one line for each of the last events.
///
/// # Examples
///
/// ```
/// use millpond_sim::Sim;
///
/// let hash = |seed| Sim::new(seed).record(async { /* .. */ }).trace.hash();
/// assert_eq!(hash(7), hash(7));
/// ```
pub struct Trace {
    hash: u64,
    count: u64,
    faults: u64,
    /// The names of the hosts; none if there is one, which is then called as everywhere.
    hosts: Vec<String>,
    last: VecDeque<(u64, Event)>,
    kept: usize,
    /// Everything, and where it is saved if the world fails.
    saved: Option<Box<(Record, PathBuf)>>,
    /// Whose failure is told if this is dropped by a panic: that of the world, or of whoever looks at
    /// what it did.
    origin: Option<Origin>,
}

impl Trace {
    pub(crate) fn new(kept: usize) -> Self {
        Self {
            hash: 0,
            count: 0,
            faults: 0,
            hosts: Vec::new(),
            last: VecDeque::with_capacity(kept.min(KEPT)),
            kept,
            saved: None,
            origin: None,
        }
    }

    /// That of a world that tells of its failure.
    pub(crate) fn of_world(settings: &Settings, origin: Origin) -> Self {
        let directory = settings.saved.clone().or_else(failure::directory);
        let mut trace = Self::new(settings.kept_events);
        let hosts = settings.hosts.iter().map(|(name, _)| name.clone());
        trace.hosts = match settings.hosts.len() {
            1 => Vec::new(),
            _ => hosts.collect(),
        };
        trace.saved = directory.map(|directory| Box::new((Record::default(), directory)));
        trace.origin = Some(origin);
        trace
    }

    /// Everything until now. What comes later is only counted here.
    pub(crate) fn take(&mut self) -> Self {
        let mut rest = Self::new(0);
        (rest.hash, rest.count) = (self.hash, self.count);
        mem::replace(self, rest)
    }

    pub(crate) fn add(&mut self, now: u64, event: Event) {
        self.hash = mix(self.hash, now);
        for word in event.words() {
            self.hash = mix(self.hash, word);
        }
        self.count += 1;
        self.faults += u64::from(matches!(event, Event::Faulted(..)));
        if let Some(saved) = &mut self.saved {
            saved.0.event(now, event);
        }
        if self.kept == 0 {
            return;
        }
        if self.last.len() == self.kept {
            self.last.pop_front();
        }
        self.last.push_back((now, event));
    }

    /// What an end was given by a read.
    pub(crate) fn received(&mut self, at: End, result: Result<&[u8], ErrorKind>) {
        if let Some(saved) = &mut self.saved {
            saved.0.received(at, result);
        }
    }

    /// Saves everything, if that is wanted.
    pub(crate) fn save(&self, origin: &Origin) {
        if let Some(saved) = &self.saved {
            origin.save(&saved.0, &saved.1, &self.hosts);
        }
    }

    /// How many faults there were.
    pub(crate) fn faults(&self) -> u64 {
        self.faults
    }

    /// A number made of everything that happened: every event, its time, and the bytes that were
    /// written.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many events there were.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nanos, event) in &self.last {
            writeln!(f, "{}", Stamped(*nanos, *event, &self.hosts))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("hash", &format_args!("{:016x}", self.hash))
            .field("len", &self.count)
            .finish_non_exhaustive()
    }
}

/// The copy of a trace tells of no failure.
impl Clone for Trace {
    fn clone(&self) -> Self {
        Self {
            hash: self.hash,
            count: self.count,
            faults: self.faults,
            hosts: self.hosts.clone(),
            last: self.last.clone(),
            kept: self.kept,
            saved: None,
            origin: None,
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        match self.origin.take() {
            Some(origin) if thread::panicking() => origin.report(self),
            Some(origin) => origin.keep(|| self.take()),
            None => {}
        }
    }
}

/// An event and its time, as a line, with the names of the hosts.
pub(crate) struct Stamped<'a>(pub(crate) u64, pub(crate) Event, pub(crate) &'a [String]);

impl fmt::Display for Stamped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(now, event, hosts) = self;
        let micros = now / 1000;
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        write!(f, "{seconds:>6}.{micros:06} s  ")?;
        event.describe(hosts, f)
    }
}

fn mix(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// A number made of all the bytes, however they are cut.
pub(crate) fn digest<'a>(bufs: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut digest = Digest::default();
    bufs.into_iter().for_each(|buf| digest.add(buf));
    digest.end()
}

#[derive(Default)]
struct Digest {
    hash: u64,
    /// The bytes that make no word yet.
    word: u64,
    len: u64,
}

impl Digest {
    fn add(&mut self, mut buf: &[u8]) {
        while self.len % 8 != 0 {
            let Some((first, rest)) = buf.split_first() else {
                return;
            };
            self.byte(*first);
            buf = rest;
        }
        let mut words = buf.chunks_exact(8);
        for word in &mut words {
            let word = word
                .iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.hash = mix(self.hash, word);
            self.len += 8;
        }
        words.remainder().iter().for_each(|byte| self.byte(*byte));
    }

    fn byte(&mut self, byte: u8) {
        self.word = self.word << 8 | u64::from(byte);
        self.len += 1;
        if self.len % 8 == 0 {
            self.hash = mix(self.hash, self.word);
            self.word = 0;
        }
    }

    fn end(self) -> u64 {
        mix(mix(self.hash, self.word), self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_does_not_depend_on_cuts_but_on_every_byte() {
        let data: Vec<u8> = (0..40).collect();
        let whole = digest([&data[..]]);
        for cut in 0..=data.len() {
            for next in cut..=data.len() {
                let parts = [&data[..cut], &data[cut..next], &data[next..]];
                assert_eq!(digest(parts), whole, "{cut} {next}");
            }
        }
        for position in 0..data.len() {
            let mut other = data.clone();
            other[position] ^= 1;
            assert_ne!(digest([&other[..]]), whole);
            assert_ne!(digest([&data[..position]]), whole);
        }
    }

    #[test]
    fn the_hash_depends_on_every_event_its_time_and_the_order() {
        let of = |events: &[(u64, Event)]| {
            let mut trace = Trace::new(0);
            events.iter().for_each(|(at, event)| trace.add(*at, *event));
            trace.hash()
        };
        let [one, two] = [(0, Event::Polled(1)), (0, Event::Polled(2))];
        let all = [
            of(&[]),
            of(&[one]),
            of(&[one, two]),
            of(&[two, one]),
            of(&[(1, one.1), two]),
        ];
        for (index, hash) in all.iter().enumerate() {
            assert!(!all[..index].contains(hash), "{all:?}");
        }
    }

    #[test]
    fn only_the_last_events_are_kept() {
        let mut trace = Trace::new(2);
        (1..=5).for_each(|task| trace.add(1_500_000_000, Event::Polled(task)));
        assert_eq!(trace.len(), 5);
        assert_eq!(
            trace.to_string(),
            "     1.500000 s  task 4 runs\n     1.500000 s  task 5 runs\n"
        );
    }
}
