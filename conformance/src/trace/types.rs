//! What a trace says, line by line.

use std::{fmt, io};

use millpond::{
    Separator,
    millpond_core::{self, TransportError},
};

/// A conversation with one reader: what arrived, what was asked, and what came of it.
///
/// ```
/// use millpond_conformance::trace::{Answer, Line, Request, Trace};
///
/// let mut trace = Trace::new(64);
/// trace.push(Line::Ask(Request::Line, Answer::Pending));
/// trace.push(Line::Feed(b"hello\n".to_vec()));
/// trace.push(Line::Ask(Request::Line, Answer::Ok(b"hello\n".to_vec())));
/// assert_eq!(
///     trace.to_string(),
///     r#"{"trace":1,"limit":64}
/// {"read_line":true,"pending":true}
/// {"feed":"68656c6c6f0a"}
/// {"read_line":true,"ok":"68656c6c6f0a"}
/// "#,
/// );
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trace {
    /// Invariant: at least 1.
    limit: usize,
    cap: Option<usize>,
    /// Invariant: nothing is fed after an end, and each is sound by itself.
    lines: Vec<Line>,
    /// Invariant: whether there is an end among the lines.
    ended: bool,
}

/// One thing that happened.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Line {
    /// A request, and what it gave.
    ///
    /// One that is pending waits. If the next request is the same, it is this one asked again;
    /// otherwise this one was cancelled.
    Ask(Request, Answer),
    /// A statement: these bytes are buffered.
    Buffered(Vec<u8>),
    /// So many bytes at the front were dropped without a request for them.
    Consume(usize),
    /// The transport failed.
    Fail(Kind),
    /// Bytes arrived.
    Feed(Vec<u8>),
    /// The peer ended the stream.
    FeedEof,
    /// The limit was changed.
    SetLimit(usize),
}

/// What was asked: [`millpond_core::Request`] with separators as plain bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Request {
    /// Exactly so many bytes.
    Exactly(usize),
    /// Through the next line feed.
    Line,
    /// A look ahead by so many bytes. asyncio has no counterpart.
    Peek(usize),
    /// Everything up to the end.
    ToEof,
    /// Through the first of these separators.
    Until(Vec<Vec<u8>>),
    /// At least one byte and at most so many.
    UpTo(usize),
}

/// What came of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// More than the cap would have to be buffered.
    CapExceeded {
        /// The cap, in bytes.
        cap: usize,
    },
    /// The transport had failed.
    Failed(Kind),
    /// The stream ended too early.
    Incomplete {
        /// What there was.
        partial: Vec<u8>,
        /// How many bytes were asked for.
        expected: Option<usize>,
    },
    /// These bytes; they were taken, unless the request was [`Request::Peek`].
    Ok(Vec<u8>),
    /// No separator within the limit.
    Overrun {
        /// How many bytes can be consumed without cutting a separator.
        consumed: usize,
    },
    /// Too little has arrived.
    Pending,
    /// So many bytes are the answer, and were not taken.
    Ready(usize),
}

/// The name of a transport's failure, `ConnectionReset` for instance.
///
/// Any text will do: a replay fails the reader with it and expects the same text back.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Kind(String);

impl Trace {
    /// A trace with nothing in it yet, of a reader with this limit.
    ///
    /// # Panics
    ///
    /// If `limit` is 0.
    pub fn new(limit: usize) -> Self {
        assert!(limit > 0, "the limit of a reader is at least 1 byte");
        Self {
            limit,
            cap: None,
            lines: Vec::new(),
            ended: false,
        }
    }

    /// The reader has a cap, too.
    #[must_use]
    pub fn with_cap(mut self, cap: usize) -> Self {
        self.cap = Some(cap);
        self
    }

    /// The limit at the beginning, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The cap, in bytes.
    pub fn cap(&self) -> Option<usize> {
        self.cap
    }

    /// Everything that happened, in order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// How many requests there are.
    pub fn requests(&self) -> usize {
        let is_request = |line: &&Line| matches!(line, Line::Ask(..));
        self.lines.iter().filter(is_request).count()
    }

    /// Adds what happened next.
    ///
    /// # Panics
    ///
    /// If it cannot happen: bytes after an end or a failure, a limit of 0, or an empty separator.
    pub fn push(&mut self, line: Line) {
        if let Err(problem) = self.try_push(line) {
            panic!("{problem}");
        }
    }

    /// As [`push`](Self::push), for lines that come from outside.
    pub(crate) fn try_push(&mut self, line: Line) -> Result<(), &'static str> {
        match &line {
            Line::Feed(_) if self.ended => {
                return Err("data was fed after the end of the stream");
            }
            Line::SetLimit(0) => return Err("the limit of a reader is at least 1 byte"),
            Line::Ask(Request::Until(needles), _)
                if needles.is_empty() || needles.iter().any(Vec::is_empty) =>
            {
                return Err("a separator holds at least one sequence, each of at least one byte");
            }
            Line::Ask(..)
            | Line::Buffered(_)
            | Line::Consume(_)
            | Line::Fail(_)
            | Line::Feed(_)
            | Line::FeedEof
            | Line::SetLimit(_) => {}
        }
        self.ended |= matches!(line, Line::FeedEof | Line::Fail(_));
        self.lines.push(line);
        Ok(())
    }

    /// The same conversation with other answers: those of `ask`, in order.
    pub(crate) fn with_answers(&self, mut next: impl FnMut(&Line) -> Line) -> Self {
        let lines = self.lines.iter().map(|line| match line {
            Line::Ask(..) | Line::Buffered(_) => next(line),
            Line::Consume(_)
            | Line::Fail(_)
            | Line::Feed(_)
            | Line::FeedEof
            | Line::SetLimit(_) => line.clone(),
        });
        Self {
            limit: self.limit,
            cap: self.cap,
            lines: lines.collect(),
            ended: self.ended,
        }
    }
}

impl Request {
    /// The same as plain bytes; `None` if a trace has no such request.
    pub(crate) fn of(request: millpond_core::Request<'_>) -> Option<Self> {
        Some(match request {
            millpond_core::Request::Exactly(n) => Self::Exactly(n),
            millpond_core::Request::Line => Self::Line,
            millpond_core::Request::Peek(n) => Self::Peek(n),
            millpond_core::Request::ToEof => Self::ToEof,
            millpond_core::Request::Until(separator) => {
                Self::Until(separator.needles().map(<[u8]>::to_vec).collect())
            }
            millpond_core::Request::UpTo(n) => Self::UpTo(n),
            _ => return None,
        })
    }

    /// Lets `work` ask the core the same.
    pub(crate) fn with_core<T>(&self, work: impl FnOnce(millpond_core::Request<'_>) -> T) -> T {
        let separator;
        work(match self {
            Self::Exactly(n) => millpond_core::Request::Exactly(*n),
            Self::Line => millpond_core::Request::Line,
            Self::Peek(n) => millpond_core::Request::Peek(*n),
            Self::ToEof => millpond_core::Request::ToEof,
            Self::Until(needles) => {
                separator = Separator::any(needles);
                millpond_core::Request::Until(&separator)
            }
            Self::UpTo(n) => millpond_core::Request::UpTo(*n),
        })
    }
}

impl Kind {
    /// A failure of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a failure: that which a replay gave it, or the kind of the I/O error.
    pub fn of(error: &TransportError) -> Self {
        match error.get_ref().downcast_ref::<Replayed>() {
            Some(Replayed(kind)) => kind.clone(),
            None => error.kind().into(),
        }
    }

    /// A failure that [`of`](Self::of) gives this name.
    pub fn to_error(&self) -> TransportError {
        TransportError::new(Replayed(self.clone()))
    }
}

impl From<io::ErrorKind> for Kind {
    fn from(kind: io::ErrorKind) -> Self {
        Self(format!("{kind:?}"))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The failure of a transport in a replay.
#[derive(Debug)]
struct Replayed(Kind);

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Replayed {}
