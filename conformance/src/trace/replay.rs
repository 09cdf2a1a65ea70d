//! A trace on the bare core.

use std::fmt;

use millpond::millpond_core::{ReadError, Reader, Status};

use super::types::{Answer, Kind, Line, Request, Trace};

/// Where a replay went another way than its trace says.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// The index in [`Trace::lines`]. In a file that holds nothing else, the line's number is this
    /// and 2, for the first line is that of the limit.
    pub index: usize,
    /// What the trace says.
    pub expected: Line,
    /// What happened.
    pub got: Line,
}

/// Runs a trace on the core and gives what was different.
///
/// It needs no clock and no socket, and goes on behind a difference.
///
/// # Examples
///
/// ```
/// use millpond_conformance::trace::{Trace, replay};
///
/// let trace: Trace = r#"{"trace":1,"limit":3}
/// {"feed":"616263640a"}
/// {"read_line":true,"ok":"616263640a"}
/// "#
/// .parse()?;
/// let differences = replay(&trace);
/// assert_eq!(
///     differences[0].to_string(),
///     r#"line 3: expected {"read_line":true,"ok":"616263640a"}, got {"read_line":true,"overrun":true,"consumed":4}"#,
/// );
/// # Ok::<(), millpond_conformance::trace::ParseError>(())
/// ```
pub fn replay(trace: &Trace) -> Vec<Difference> {
    differences(trace, &answered_by_core(trace))
}

/// Where two runs of the same conversation differ.
pub(crate) fn differences(expected: &Trace, got: &Trace) -> Vec<Difference> {
    let pairs = expected.lines().iter().zip(got.lines()).enumerate();
    pairs
        .filter(|(_, (expected, got))| expected != got)
        .map(|(index, (expected, got))| Difference {
            index,
            expected: expected.clone(),
            got: got.clone(),
        })
        .collect()
}

/// The same conversation with the answers of the core.
pub(crate) fn answered_by_core(trace: &Trace) -> Trace {
    let mut replay = Replay::new(trace);
    let mut answered = Trace::new(trace.limit());
    if let Some(cap) = trace.cap() {
        answered = answered.with_cap(cap);
    }
    for line in trace.lines() {
        answered.push(replay.step(line));
    }
    answered
}

/// A reader that does what a trace says.
pub(crate) struct Replay {
    reader: Reader,
}

impl Replay {
    pub(crate) fn new(trace: &Trace) -> Self {
        let reader = Reader::with_limit(trace.limit());
        Self {
            reader: match trace.cap() {
                Some(cap) => reader.with_cap(cap),
                None => reader,
            },
        }
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Does what a line says, and says what happened.
    pub(crate) fn step(&mut self, line: &Line) -> Line {
        match line {
            Line::Ask(request, expected) => {
                return Line::Ask(request.clone(), self.ask(request, expected));
            }
            Line::Buffered(_) => return Line::Buffered(self.reader.buffered().to_vec()),
            Line::Consume(n) => {
                let n = self.reader.buffered().len().min(*n);
                self.reader.consume(n);
                return Line::Consume(n);
            }
            Line::Fail(kind) => self.reader.fail(kind.to_error()),
            Line::Feed(data) => self.reader.feed(data),
            Line::FeedEof => self.reader.feed_eof(),
            Line::SetLimit(limit) => self.reader.set_limit(*limit),
        }
        line.clone()
    }

    fn ask(&mut self, request: &Request, expected: &Answer) -> Answer {
        match request.with_core(|request| self.reader.poll(request)) {
            Ok(Status::NeedData) => Answer::Pending,
            Ok(Status::Ready(n)) => match (request, expected) {
                (_, Answer::Ready(_)) => Answer::Ready(n),
                (Request::Peek(_), _) => Answer::Ok(self.reader.buffered()[..n].to_vec()),
                _ => Answer::Ok(self.reader.take(n).to_vec()),
            },
            Err(error) => Answer::of(&error),
        }
    }
}

impl Answer {
    /// What a trace says of an error.
    ///
    /// # Panics
    ///
    /// If it is one that a request to a reader of the core does not give.
    pub(crate) fn of(error: &ReadError) -> Self {
        match error {
            ReadError::CapExceeded { cap } => Self::CapExceeded { cap: *cap },
            ReadError::Incomplete { partial, expected } => Self::Incomplete {
                partial: partial.to_vec(),
                expected: *expected,
            },
            ReadError::LimitOverrun { consumed } => Self::Overrun {
                consumed: *consumed,
            },
            ReadError::Transport(error) => Self::Failed(Kind::of(error)),
            ReadError::WriteOnly | _ => panic!("a reader of the core does not say {error:?}"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            index,
            expected,
            got,
        } = self;
        write!(f, "line {}: expected {expected}, got {got}", index + 2)
    }
}
