//! What a picture of a world needs beside its events. It is in no hash, and is kept only for a record.

use std::fmt;

use crate::{
    settings::FIRST_HOST,
    struck::Struck,
    trace::event::{Bytes, End},
};

/// Something that no program has done or seen.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    /// From which host to which a connection goes.
    Route(u32, u32, u32),
    /// The beginning of what was just written.
    Data(Vec<u8>),
    Sent(End, Signal),
    /// By a fault, in the place of the end.
    Forged(End, Signal),
    SignalArrived(End, Signal),
    /// From this end.
    Arrived(End, usize),
    /// When the other end was closed.
    TooLate(End, usize),
    Lost(End, usize),
    /// Of what was just written some come twice.
    Repeated(End, u64),
    Struck(Struck),
}

/// What an end sends without bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Signal {
    End,
    Reset,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::End => "an end",
            Self::Reset => "a reset",
        })
    }
}

/// In words, with the names of the hosts. Each begins with a dot, which no event does.
pub(super) struct Described<'a>(pub(super) &'a Note, pub(super) &'a [String]);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(note, hosts) = self;
        let name = |host: u32| hosts.get(host as usize).map_or(FIRST_HOST, String::as_str);
        f.write_str("· ")?;
        match note {
            Note::Route(number, from, to) => {
                let [from, to] = [name(*from), name(*to)];
                write!(f, "connection {number} goes from {from:?} to {to:?}")
            }
            Note::Data(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Note::Sent(from, signal) => write!(f, "{from} sends {signal}"),
            Note::Forged(from, signal) => write!(f, "a fault sends {signal} as {from}"),
            Note::SignalArrived(from, signal) => write!(f, "{signal} from {from} arrives"),
            Note::Arrived(from, n) => write!(f, "{} from {from} to its peer", Bytes(*n)),
            Note::TooLate(from, n) => write!(f, "{} from {from} to a closed peer", Bytes(*n)),
            Note::Lost(from, n) => write!(f, "{} from {from} to nowhere", Bytes(*n)),
            Note::Repeated(from, 1) => write!(f, "1 byte from {from} again"),
            Note::Repeated(from, n) => write!(f, "{n} bytes from {from} again"),
            Note::Struck(struck) => write!(f, "fault: {}", struck.describe(hosts)),
        }
    }
}
