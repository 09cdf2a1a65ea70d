//! What a script is made of, and what can come of a step.

use serde_json::{Value, json};

use crate::deliberate::Deliberate;

/// A conversation of a writer and its peer, step by step.
pub(crate) struct Script {
    /// What it shows.
    pub(crate) name: &'static str,
    pub(crate) lines: Vec<Line>,
}

pub(crate) struct Line {
    pub(crate) step: Step,
    /// Where the answers are not the same. Without one that [applies](Deliberate::applies) they are.
    pub(crate) differs: Vec<Differs>,
}

pub(crate) struct Differs {
    pub(crate) why: Deliberate,
    pub(crate) ours: Outcome,
    pub(crate) theirs: Outcome,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    Write(usize),
    WriteLines(&'static [usize]),
    /// Writes and drains, over and over.
    WriteUntilItFails,
    WriteEof,
    CanWriteEof,
    Close,
    Abort,
    IsClosing,
    /// Begins to drain, and says whether it waits.
    Drain,
    /// Drains to the end.
    Drained,
    /// Begins to wait until the stream is closed, and says whether it waits.
    WaitClosed,
    /// Waits until the stream is closed.
    Closed,
    /// Waits for the end of what waits.
    Finish,
    /// Looks in a while whether what waits has ended. asyncio is given as long as it needs.
    FinishSoon,
    /// Cancels what waits, if anything does.
    GiveUp,
    SetLimits {
        low: Amount,
        high: Amount,
    },
    Limits,
    /// How full the queue is.
    Queue,
    /// Waits until the system takes no more.
    Settle,
    /// Waits until the system has taken everything.
    UntilEmpty,
    ReadExactly(usize),
    /// Waits for the end of what the peer sends.
    ReadEnd,
    Peer(PeerStep),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PeerStep {
    Writes(usize),
    /// Writes until no more is taken.
    Fills,
    Reads(usize),
    /// Everything that was not read before.
    ReadsToEnd,
    /// Its own direction.
    Ends,
    Closes,
    /// Closes without a farewell. On a unix socket, which has no other way, something has to be there
    /// that it has not read.
    Resets,
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Amount {
    Bytes(usize),
    /// What is queued, and so many more or less.
    Queued(isize),
}

/// What came of a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Done,
    Waits,
    Is(bool),
    Limits {
        low: usize,
        high: usize,
    },
    Queue(Level),
    /// The end of what the peer sends.
    Ended,
    Received(Share, Ending),

    /// There is a `write_eof` before it.
    Finished,
    /// This side has closed or aborted the stream; in asyncio, the connection is gone without a
    /// reason.
    Lost,
    Reset,
    BrokenPipe,
    /// A panic, or a `ValueError`.
    Misuse,
    /// It was not cancelled itself.
    Cancelled,
    /// A `TypeError` or `AttributeError` from inside of asyncio.
    Crash,
    /// This version of asyncio does not have it.
    Absent,
}

/// What is queued, beside the watermarks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Level {
    Empty,
    Low,
    Between,
    High,
}

/// How much of what was written, as far as that was reported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Share {
    None,
    Some,
    All,
    /// More than that.
    More,
}

/// How the peer's stream has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    Eof,
    Reset,
}

impl Step {
    /// How many bytes.
    pub(crate) fn writes(self) -> usize {
        if let Self::Write(n) = self {
            n
        } else if let Self::WriteLines(sizes) = self {
            sizes.iter().sum()
        } else {
            0
        }
    }

    /// As the Python program takes it; not those of the peer.
    pub(crate) fn to_json(self) -> Value {
        match self {
            Self::Write(n) => json!(["write", n]),
            Self::WriteLines(sizes) => json!(["write_lines", sizes]),
            Self::WriteUntilItFails => json!(["write_until_it_fails"]),
            Self::WriteEof => json!(["write_eof"]),
            Self::CanWriteEof => json!(["can_write_eof"]),
            Self::Close => json!(["close"]),
            Self::Abort => json!(["abort"]),
            Self::IsClosing => json!(["is_closing"]),
            Self::Drain => json!(["drain"]),
            Self::Drained => json!(["drained"]),
            Self::WaitClosed => json!(["wait_closed"]),
            Self::Closed => json!(["closed"]),
            Self::Finish => json!(["finish"]),
            Self::FinishSoon => json!(["finish"]),
            Self::GiveUp => json!(["give_up"]),
            Self::SetLimits { low, high } => json!(["set_limits", low.to_json(), high.to_json()]),
            Self::Limits => json!(["limits"]),
            Self::Queue => json!(["queue"]),
            Self::Settle => json!(["settle"]),
            Self::UntilEmpty => json!(["until_empty"]),
            Self::ReadExactly(n) => json!(["read_exactly", n]),
            Self::ReadEnd => json!(["read_end"]),
            Self::Peer(step) => panic!("{step:?} is the peer's"),
        }
    }
}

impl Amount {
    pub(crate) fn of(self, queued: usize) -> usize {
        match self {
            Self::Bytes(n) => n,
            Self::Queued(more) => queued.saturating_add_signed(more),
        }
    }

    fn to_json(self) -> Value {
        match self {
            Self::Bytes(n) => json!(n),
            Self::Queued(more) => json!([more]),
        }
    }
}

impl Level {
    pub(crate) fn of(queued: usize, low: usize, high: usize) -> Self {
        match queued {
            0 => Self::Empty,
            n if n <= low => Self::Low,
            n if n <= high => Self::Between,
            _ => Self::High,
        }
    }
}

impl Share {
    pub(crate) fn of(received: usize, written: usize) -> Self {
        match received {
            n if n > written => Self::More,
            n if n == written => Self::All,
            0 => Self::None,
            _ => Self::Some,
        }
    }
}
