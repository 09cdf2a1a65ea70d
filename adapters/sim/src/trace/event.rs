//! One thing that happened in a world: as numbers, and as a line of text.

use std::{fmt, net::SocketAddr, time::Duration};

use crate::{settings::FIRST_HOST, time::Seconds, trace::digest::digest};

/// An end of a connection.
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
    SpuriousPending(End),
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
    PartitionedOneWay(u32, u32),
}

impl Event {
    /// The event as numbers; no two events share theirs.
    pub(super) fn words(self) -> [u64; 3] {
        let end = |end: End| u64::from(end.connection) << 1 | end.side as u64;
        match self {
            Self::Polled(task) => [1, task, 0],
            Self::Spawned(task, host) => [2, task, host.into()],
            Self::Ended(task) => [3, task, 0],
            Self::Jumped(nanos) => [4, nanos, 0],
            // The target is for readers alone.
            Self::Connecting(number, _) => [5, number.into(), 0],
            Self::Lost(number) => [6, number.into(), 0],
            Self::Refused(number) => [7, number.into(), 0],
            Self::Connected(number) => [8, number.into(), 0],
            Self::Accepted(number) => [9, number.into(), 0],
            Self::AcceptFailed(port) => [10, port, 0],
            Self::SpuriousPending(at) => [11, end(at), 0],
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
            Self::PartitionedOneWay(from, to) => [28, from.into(), to.into()],
        }
    }
}

impl End {
    pub(crate) fn client(connection: u32) -> Self {
        let side = 0;
        Self { connection, side }
    }

    pub(crate) fn server(connection: u32) -> Self {
        let side = 1;
        Self { connection, side }
    }

    /// The other end of the connection.
    pub(crate) fn peer(self) -> Self {
        let side = 1 - self.side;
        Self { side, ..self }
    }

    pub(super) fn side_name(self) -> &'static str {
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
        let on = |host: u32| hosts.get(host as usize).map_or(FIRST_HOST, String::as_str);
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
            Self::SpuriousPending(end) => write!(f, "{end} is pending for no reason"),
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
            Self::Partitioned(a, b) => write!(f, "{} and {} are partitioned", on(*a), on(*b)),
            Self::PartitionedOneWay(from, to) => {
                write!(f, "nothing gets from {} to {}", on(*from), on(*to))
            }
            Self::Healed(a, b) => write!(f, "{} and {} are connected again", on(*a), on(*b)),
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

pub(super) struct Bytes(pub(super) usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 byte"),
            n => write!(f, "{n} bytes"),
        }
    }
}

/// An event and its time, as a line, with the names of the hosts.
pub(crate) struct Stamped<'a>(pub(crate) u64, pub(crate) Event, pub(crate) &'a [String]);

impl fmt::Display for Stamped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(now, event, hosts) = self;
        write!(f, "{:>13} s  ", Seconds(*now))?;
        event.describe(hosts, f)
    }
}
