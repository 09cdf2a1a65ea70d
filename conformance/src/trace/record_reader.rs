//! A reader that keeps a trace of what happens to it.

use millpond::{
    Bytes,
    millpond_core::{self, Event, ReadError, Reader, Status, TransportError},
};

use super::types::{Answer, Kind, Line, Request, Trace};

/// A [`Reader`] of the core that keeps a [`Trace`] of everything that is done with it: each chunk as
/// it was cut, each request and its answer, the end.
///
/// It answers as the reader alone does. It costs one copy of each byte that arrives and one of each
/// that is taken, and memory for as long as it is kept.
///
/// # Examples
///
/// ```
/// use millpond::millpond_core::{Reader, Request, Status};
/// use millpond_conformance::trace::{RecordedReader, replay};
///
/// let mut reader = RecordedReader::new(Reader::with_limit(100));
/// assert_eq!(reader.poll(Request::Line)?, Status::NeedData);
/// reader.feed(b"hello\nwor");
/// assert_eq!(reader.poll(Request::Line)?, Status::Ready(6));
/// assert_eq!(&reader.take(6)[..], b"hello\n");
///
/// let trace = reader.into_trace();
/// assert!(replay(&trace).is_empty());
/// assert_eq!(
///     trace.to_string(),
///     r#"{"trace":1,"limit":100}
/// {"read_line":true,"pending":true}
/// {"feed":"68656c6c6f0a776f72"}
/// {"read_line":true,"ok":"68656c6c6f0a"}
/// {"buffered":"776f72"}
/// "#,
/// );
/// # Ok::<(), millpond::ReadError>(())
/// ```
#[derive(Debug)]
pub struct RecordedReader {
    reader: Reader,
    trace: Trace,
    /// A request whose answer was not taken yet.
    answered: Option<(Request, usize)>,
    /// The rest of a line that was too long is still to come.
    skipping: bool,
    /// Where to read into while the reader skips: what is committed to it then is gone.
    scratch: Vec<u8>,
}

/// How much is read at once while a line is skipped.
const SCRATCH: usize = 4096;

impl RecordedReader {
    /// Records from here on, with what is buffered and how the stream stands. `reader` must not be
    /// inside a line that was too long.
    pub fn new(reader: Reader) -> Self {
        let mut trace = Trace::new(reader.limit());
        if let Some(cap) = reader.cap() {
            trace = trace.with_cap(cap);
        }
        if !reader.buffered().is_empty() {
            trace.push(Line::Feed(reader.buffered().to_vec()));
        }
        match reader.error() {
            Some(error) => trace.push(Line::Fail(Kind::of(error))),
            None if !reader.is_open() => trace.push(Line::FeedEof),
            None => {}
        }
        Self {
            reader,
            trace,
            answered: None,
            skipping: false,
            scratch: Vec::new(),
        }
    }

    /// The reader, for what changes nothing: `at_eof`, `wants_read` and the like.
    pub fn get_ref(&self) -> &Reader {
        &self.reader
    }

    /// Ends the recording with a statement of what is left.
    pub fn into_trace(mut self) -> Trace {
        self.settle(None);
        let left = self.reader.buffered().to_vec();
        self.trace.push(Line::Buffered(left));
        self.trace
    }

    /// As [`Reader::poll`].
    ///
    /// # Errors
    ///
    /// As [`Reader::poll`].
    pub fn poll(
        &mut self,
        request: millpond_core::Request<'_>,
    ) -> Result<Status<usize>, ReadError> {
        self.settle(None);
        let unended = matches!(request, millpond_core::Request::Line)
            && !self.reader.buffered().contains(&b'\n');
        let answer = self.reader.poll(request);
        self.skipping |= unended && matches!(answer, Err(ReadError::LimitOverrun { .. }));
        let Some(request) = Request::of(request) else {
            return answer;
        };
        let recorded = match &answer {
            Ok(Status::NeedData) => Answer::Pending,
            Ok(Status::Ready(n)) if *n > 0 && !matches!(request, Request::Peek(_)) => {
                self.answered = Some((request, *n));
                return answer;
            }
            Ok(Status::Ready(n)) => Answer::Ok(self.reader.buffered()[..*n].to_vec()),
            Err(error) => Answer::of(error),
        };
        self.trace.push(Line::Ask(request, recorded));
        answer
    }

    /// As [`Reader::buffered`].
    pub fn buffered(&self) -> &[u8] {
        self.reader.buffered()
    }

    /// As [`Reader::consume`].
    ///
    /// # Panics
    ///
    /// As [`Reader::consume`].
    pub fn consume(&mut self, n: usize) {
        self.settle(Some(n));
        self.reader.consume(n);
    }

    /// As [`Reader::lend`].
    ///
    /// # Panics
    ///
    /// As [`Reader::lend`].
    pub fn lend(&mut self, n: usize) -> &[u8] {
        self.settle(Some(n));
        self.reader.lend(n)
    }

    /// As [`Reader::take`].
    ///
    /// # Panics
    ///
    /// As [`Reader::take`].
    pub fn take(&mut self, n: usize) -> Bytes {
        self.settle(Some(n));
        self.reader.take(n)
    }

    /// As [`Reader::leftover`].
    pub fn leftover(&mut self) -> Bytes {
        self.take(self.reader.buffered().len())
    }

    /// As [`Reader::set_limit`].
    ///
    /// # Panics
    ///
    /// As [`Reader::set_limit`].
    pub fn set_limit(&mut self, limit: usize) {
        self.settle(None);
        self.reader.set_limit(limit);
        self.trace.push(Line::SetLimit(limit));
    }

    /// As [`Reader::feed`].
    ///
    /// # Panics
    ///
    /// As [`Reader::feed`].
    pub fn feed(&mut self, data: &[u8]) {
        self.settle(None);
        self.reader.feed(data);
        self.fed(data.to_vec());
    }

    /// As [`Reader::spare`].
    ///
    /// # Panics
    ///
    /// As [`Reader::spare`].
    pub fn spare(&mut self) -> &mut [u8] {
        if self.skipping && self.reader.is_open() {
            self.scratch.resize(SCRATCH, 0);
            return &mut self.scratch;
        }
        self.reader.spare()
    }

    /// As [`Reader::commit`].
    ///
    /// # Panics
    ///
    /// As [`Reader::commit`].
    pub fn commit(&mut self, n: usize) {
        self.settle(None);
        let data = if self.skipping {
            let spare = self.scratch.len();
            assert!(
                n <= spare,
                "committed {n} bytes, but only {spare} were spare"
            );
            let data = self.scratch[..n].to_vec();
            self.reader.feed(&data);
            data
        } else {
            self.reader.commit(n);
            let buffered = self.reader.buffered();
            buffered[buffered.len() - n..].to_vec()
        };
        self.fed(data);
    }

    /// As [`Reader::feed_eof`].
    pub fn feed_eof(&mut self) {
        self.settle(None);
        self.reader.feed_eof();
        self.trace.push(Line::FeedEof);
    }

    /// As [`Reader::fail`].
    pub fn fail(&mut self, error: impl Into<TransportError>) {
        let error = error.into();
        self.settle(None);
        self.trace.push(Line::Fail(Kind::of(&error)));
        self.reader.fail(error);
    }

    /// As [`Reader::poll_event`].
    pub fn poll_event(&mut self) -> Option<Event> {
        self.reader.poll_event()
    }

    /// As [`Reader::shrink`].
    pub fn shrink(&mut self) {
        self.reader.shrink();
    }

    fn fed(&mut self, data: Vec<u8>) {
        self.skipping &= !data.contains(&b'\n');
        self.trace.push(Line::Feed(data));
    }

    /// Writes down what became of the last answer, now that `taken` bytes are about to be removed,
    /// or something else happens.
    fn settle(&mut self, taken: Option<usize>) {
        let answered = self.answered.take();
        if taken.is_some_and(|n| n > self.reader.buffered().len()) {
            return; // The reader is about to panic.
        }
        match (answered, taken) {
            (Some((request, n)), Some(taken)) if n == taken => {
                let data = self.reader.buffered()[..n].to_vec();
                self.trace.push(Line::Ask(request, Answer::Ok(data)));
            }
            (answered, taken) => {
                if let Some((request, n)) = answered {
                    self.trace.push(Line::Ask(request, Answer::Ready(n)));
                }
                if let Some(n) = taken.filter(|n| *n > 0) {
                    self.trace.push(Line::Consume(n));
                }
            }
        }
    }
}
