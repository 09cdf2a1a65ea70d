//! The receive half: every rule of reading.

use alloc::boxed::Box;
use core::fmt;

use bytes::Bytes;

use crate::{
    buffer::Buffer,
    error::{ReadError, TransportError},
    flow::{Event, Flow},
    request::{Request, Status},
    search::{Match, Search, SearchBehind},
    separator::Separator,
};

/// How many bytes there may be before a separator, unless set otherwise: 64 KiB, as in asyncio
/// (`_DEFAULT_LIMIT` in CPython's `asyncio/streams.py`).
pub const DEFAULT_LIMIT: usize = 64 * 1024;

/// How many bytes a parser may leave buffered and yet need more, unless a cap is set: 16 MiB. See
/// [`Reader::poll_with`].
pub const DEFAULT_PARSE_CAP: usize = 16 * 1024 * 1024;

/// The receive half of a stream: bytes in, answers out.
///
/// ```text
///                 feed, commit                    poll
///   transport ───────────────────▶  buffer  ◀───────────────  application
///                 feed_eof, fail              take, consume
/// ```
///
/// A request is a question about the front of the buffer, and its answer is a length. The caller
/// then takes so many bytes, owned or borrowed:
///
/// ```
/// use millpond_core::{Reader, Request, Status};
///
/// let mut reader = Reader::new();
/// let mut input = [&b"hel"[..], b"lo\nworld"].into_iter();
/// let n = loop {
///     match reader.poll(Request::Line)? {
///         Status::Ready(n) => break n,
///         Status::NeedData => reader.feed(input.next().unwrap()), // the only line that does I/O
///     }
/// };
/// assert_eq!(&reader.take(n)[..], b"hello\n");
/// # Ok::<(), millpond_core::ReadError>(())
/// ```
///
/// Its methods are of two families, one for each side. The application polls and takes; the
/// transport feeds, and asks [`wants_read`](Self::wants_read) or
/// [`poll_event`](Self::poll_event) whether to go on. Answers do not depend on how the input was
/// cut, except those to [`Request::UpTo`].
///
/// # Memory
///
/// A reader that holds no bytes holds no memory after [`shrink`](Self::shrink), which the
/// `millpond` driver calls before it waits. Otherwise what it buffers is bounded by what the
/// requests need, plus the one piece that was fed last. A transport that heeds the back-pressure and
/// feeds unasked adds at most twice the limit.
///
/// | request | what it needs at the most |
/// |---|---|
/// | `Line`, `Until` | the limit, and a separator |
/// | `Exactly`, `Peek` | the number, as it arrives; one above the cap is refused |
/// | `ToEof` | the cap; without one, whatever the peer sends |
/// | `UpTo` | one byte |
/// | [`poll_with`](Self::poll_with) | the cap; without one, [`DEFAULT_PARSE_CAP`] or the limit, whichever is more |
pub struct Reader {
    buffer: Buffer,
    search: Search,
    /// That of [`poll_at`](Self::poll_at), from the first time on that it is needed.
    behind: Option<Box<SearchBehind>>,
    end: End,
    line: Line,
    message: Message,
    flow: Flow,
    /// Invariant: `limit > 0`.
    limit: usize,
    /// The most that may be buffered for `Exactly`, `Peek`, `ToEof` and a parser; `usize::MAX` for none.
    cap: usize,
}

/// Whether more can come. The first end is the last word: later ones are ignored.
#[derive(Clone, Debug)]
enum End {
    Open,
    Eof,
    Failed(TransportError),
}

/// From where a request looks.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// What an error hands over or skips is removed.
    Front,
    /// So many bytes behind the front. Nothing is removed.
    ///
    /// Invariant: so many are buffered.
    Behind(usize),
}

/// Whether the stream is inside a line that was reported as too long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Line {
    Kept,
    /// Everything up to and with the next line feed is dropped as it arrives.
    ///
    /// Invariant: the buffer is empty.
    Skipped,
}

/// Where in the stream a parser is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Message {
    /// Between two messages, where the stream may end.
    Between,
    /// It has taken the beginning of one.
    Within,
}

/// What is left of a reader that was taken apart; made by [`Reader::into_parts`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReaderParts {
    /// Bytes that arrived and were not taken.
    pub leftover: Bytes,
    /// Whether the end of the stream was fed.
    pub eof: bool,
    /// The failure of the transport.
    pub error: Option<TransportError>,
    /// Whether the last line was too long and its line feed has not arrived.
    pub skipping_line: bool,
    /// The limit of the reader, in bytes.
    pub limit: usize,
    /// The cap of the reader, in bytes.
    pub cap: Option<usize>,
}

/// Construction and settings.
impl Reader {
    /// A reader with the default limit of [`DEFAULT_LIMIT`] bytes and no cap.
    ///
    /// ```
    /// # use millpond_core::Reader;
    /// assert_eq!(Reader::new().limit(), 64 * 1024);
    /// ```
    pub fn new() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }

    /// A reader that finds a separator after at most `limit` bytes.
    ///
    /// # Panics
    ///
    /// If `limit` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::{Reader, ReadError, Request, Status};
    /// let mut reader = Reader::with_limit(3);
    /// reader.feed(b"abc\nabcd\n");
    /// assert_eq!(reader.poll(Request::Line), Ok(Status::Ready(4)));
    /// reader.consume(4);
    /// assert_eq!(reader.poll(Request::Line), Err(ReadError::LimitOverrun { consumed: 4 }));
    /// ```
    pub fn with_limit(limit: usize) -> Self {
        assert!(limit > 0, "the limit of a reader is at least 1 byte");
        Self {
            buffer: Buffer::new(),
            search: Search::new(),
            behind: None,
            end: End::Open,
            line: Line::Kept,
            message: Message::Between,
            flow: Flow::default(),
            limit,
            cap: usize::MAX,
        }
    }

    /// Bounds what may be buffered for one `Exactly`, `Peek`, `ToEof` or
    /// [`poll_with`](Self::poll_with); by default only the last has a bound.
    ///
    /// `Exactly` and `Peek` of more than `cap` bytes are refused before anything is waited for.
    ///
    /// `Differs from asyncio:` it has no such bound.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::{Reader, ReadError, Request};
    /// let mut reader = Reader::new().with_cap(1024);
    /// let refused = reader.poll(Request::Exactly(1025));
    /// assert_eq!(refused, Err(ReadError::CapExceeded { cap: 1024 }));
    /// ```
    #[must_use]
    pub fn with_cap(mut self, cap: usize) -> Self {
        self.cap = cap;
        self
    }

    /// The most bytes there may be before a separator.
    ///
    /// ```
    /// # use millpond_core::Reader;
    /// assert_eq!(Reader::with_limit(80).limit(), 80);
    /// ```
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Changes the limit, for a protocol whose lines may be longer from here on.
    ///
    /// ```
    /// # use millpond_core::{Reader, ReadError, Request, Status};
    /// let mut reader = Reader::with_limit(2);
    /// reader.feed(b"abc\n");
    /// let comma = ",".into();
    /// assert!(matches!(reader.poll(Request::Until(&comma)), Err(ReadError::LimitOverrun { .. })));
    /// reader.set_limit(3);
    /// assert_eq!(reader.poll(Request::Line), Ok(Status::Ready(4)));
    /// ```
    ///
    /// # Panics
    ///
    /// If `limit` is 0.
    pub fn set_limit(&mut self, limit: usize) {
        assert!(limit > 0, "the limit of a reader is at least 1 byte");
        self.limit = limit;
        self.removed(0);
    }

    /// The most bytes that may be buffered for one `Exactly`, `Peek`, `ToEof` or
    /// [`poll_with`](Self::poll_with).
    ///
    /// ```
    /// # use millpond_core::Reader;
    /// assert_eq!(Reader::new().cap(), None);
    /// assert_eq!(Reader::new().with_cap(1024).cap(), Some(1024));
    /// ```
    pub fn cap(&self) -> Option<usize> {
        (self.cap < usize::MAX).then_some(self.cap)
    }
}

/// The application's side: ask, then take.
impl Reader {
    /// How many bytes at the front of the buffer answer `request`.
    ///
    /// It removes nothing, except what it hands over in [`ReadError::Incomplete`] and a line that
    /// is too long. What has arrived is looked at first, then the limit, then the end of the
    /// stream: data that came before an end or a failure can always be read. Only a number above
    /// the cap is refused before anything is looked at.
    ///
    /// # Errors
    ///
    /// See [`ReadError`], and each [`Request`] for which of them it can give.
    ///
    /// # Complexity
    ///
    /// However the input is cut and however often requests are repeated, at most two looks are taken at
    /// each byte that arrives: one for the last byte of a separator, and one for what is before it. That is at
    /// most 13 bytes of a separator of up to 14, of each if there are up to 8. So it is as long as no more
    /// than two separators take turns.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::{Reader, Request, Status};
    /// let mut reader = Reader::new();
    /// reader.feed(b"\x00\x03abcd");
    /// assert_eq!(reader.poll(Request::Exactly(2)), Ok(Status::Ready(2)));
    /// assert_eq!(&reader.take(2)[..], [0, 3]);
    /// assert_eq!(reader.poll(Request::Exactly(3)), Ok(Status::Ready(3)));
    /// ```
    #[inline]
    pub fn poll(&mut self, request: Request<'_>) -> Result<Status<usize>, ReadError> {
        self.poll_place(Place::Front, request)
    }

    /// How many bytes behind the first `offset` ones answer `request`: as [`poll`](Self::poll) would if
    /// those had been taken, but it takes, skips and hands over nothing.
    ///
    /// So a parser can look at all of a message before it takes any of it. An answer counts from
    /// `offset`, and so does the limit; the cap counts from the front, since all up to there has to be
    /// buffered. As long as fewer than `offset` bytes are, these are what is asked for.
    ///
    /// # Errors
    ///
    /// Those of [`poll`](Self::poll), with these differences: the bytes in [`ReadError::Incomplete`] are
    /// a copy of those behind `offset`, and a line that is too long is not skipped. So asking again gives
    /// the same error.
    ///
    /// # Complexity
    ///
    /// As that of [`poll`](Self::poll), also if the front is asked for something else in between, as
    /// long as the separator stays the same and the place does not move backwards.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::{Reader, Request, Status};
    /// let mut reader = Reader::new();
    /// reader.feed(b"$5\r\nhel");
    /// assert_eq!(reader.poll_at(0, Request::Line)?, Status::Ready(4));
    /// assert_eq!(reader.poll_at(4, Request::Exactly(5))?, Status::NeedData);
    /// reader.feed(b"lo\r\n");
    /// assert_eq!(reader.poll_at(4, Request::Exactly(5))?, Status::Ready(5));
    /// assert_eq!(&reader.buffered()[4..9], b"hello");
    /// # Ok::<(), millpond_core::ReadError>(())
    /// ```
    pub fn poll_at(
        &mut self,
        offset: usize,
        request: Request<'_>,
    ) -> Result<Status<usize>, ReadError> {
        let number = match request {
            Request::Exactly(n) | Request::Peek(n) => n,
            Request::Line | Request::ToEof | Request::Until(_) | Request::UpTo(_) => 0,
        };
        self.check_cap(offset.saturating_add(number))?;
        if offset > self.buffer.len() {
            return self.poll_place(Place::Behind(0), Request::Exactly(offset));
        }
        self.poll_place(Place::Behind(offset), request)
    }

    /// Asks a parser instead: a function over the reader that has an answer or needs data.
    ///
    /// A parser that has a state takes what it understands, keeps it, and goes on there when it is
    /// called again, so its work is proportional to its input, however that is cut. It outlives the
    /// call, so whatever drives it stays cancel-safe. One without a state begins anew each time: it takes
    /// only when everything is there, and [`poll_at`](Self::poll_at) shows it what that is. That is
    /// simpler, and enough for messages of one or two parts; with many parts, in many pieces, its work
    /// is quadratic.
    ///
    /// What a parser may leave buffered and yet need more is bounded, so that no peer can make it collect
    /// without end: by the cap, or without one by [`DEFAULT_PARSE_CAP`] or the limit, whichever is more.
    /// What it has taken into its state it bounds itself.
    /// What has arrived already is never refused, so an answer that is a piece longer may pass; one that
    /// asks for its length by `Exactly` or `Peek` is refused above the cap, however it was cut.
    ///
    /// # Errors
    ///
    /// Those of the parser. If it needs data: [`ReadError::CapExceeded`] if so much is buffered
    /// already, which stays there; otherwise, behind the end of the stream, [`ReadError::Incomplete`]
    /// with what is left, or [`ReadError::Transport`].
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond_core::{ReadError, Reader, Request, Status};
    ///
    /// /// A digit, and so many bytes.
    /// #[derive(Default)]
    /// struct Counted {
    ///     len: Option<usize>,
    /// }
    ///
    /// impl Counted {
    ///     fn parse(&mut self, reader: &mut Reader) -> Result<Status<Vec<u8>>, ReadError> {
    ///         let len = match self.len {
    ///             Some(len) => len,
    ///             None => match reader.poll(Request::Exactly(1))? {
    ///                 Status::NeedData => return Ok(Status::NeedData),
    ///                 Status::Ready(n) => usize::from(reader.lend(n)[0] % 16),
    ///             },
    ///         };
    ///         self.len = Some(len);
    ///         let found = reader.poll(Request::Exactly(len))?;
    ///         Ok(found.map(|n| {
    ///             self.len = None;
    ///             reader.lend(n).to_vec()
    ///         }))
    ///     }
    /// }
    ///
    /// let (mut reader, mut parser) = (Reader::new(), Counted::default());
    /// reader.feed(b"3ab");
    /// assert_eq!(reader.poll_with(|reader| parser.parse(reader))?, Status::NeedData);
    /// reader.feed(b"c");
    /// let found = reader.poll_with(|reader| parser.parse(reader))?;
    /// assert_eq!(found, Status::Ready(b"abc".to_vec()));
    /// # Ok::<(), ReadError>(())
    /// ```
    pub fn poll_with<T, E: From<ReadError>>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<Status<T>, E>,
    ) -> Result<Status<T>, E> {
        let before = self.buffer.len();
        let answer = parse(self)?;
        match answer {
            Status::Ready(_) => self.message = Message::Between,
            Status::NeedData => {
                if self.buffer.len() < before {
                    self.message = Message::Within;
                }
                self.check_parse_cap()?;
                let _still_open = self.incomplete(Place::Front, None)?;
                self.flow.resume();
            }
        }
        Ok(answer)
    }

    /// Asks a parser for the next message, or finds that the stream has ended behind the last one: then
    /// it is `None`, and the parser is not asked.
    ///
    /// A message has begun when the parser has taken something and needs more, or when something is
    /// buffered.
    ///
    /// # Errors
    ///
    /// Those of [`poll_with`](Self::poll_with), so [`ReadError::Incomplete`] if the stream ends within a
    /// message, though nothing may be left of it in the buffer.
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond_core::{ReadError, Reader, Request, Status};
    ///
    /// fn pair(reader: &mut Reader) -> Result<Status<Vec<u8>>, ReadError> {
    ///     let found = reader.poll(Request::Exactly(2))?;
    ///     Ok(found.map(|n| reader.lend(n).to_vec()))
    /// }
    ///
    /// let mut reader = Reader::new();
    /// reader.feed(b"ab");
    /// reader.feed_eof();
    /// assert_eq!(reader.poll_message(pair)?, Status::Ready(Some(b"ab".to_vec())));
    /// assert_eq!(reader.poll_message(pair)?, Status::Ready(None));
    /// # Ok::<(), ReadError>(())
    /// ```
    pub fn poll_message<T, E: From<ReadError>>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<Status<T>, E>,
    ) -> Result<Status<Option<T>>, E> {
        if self.message == Message::Between && self.at_eof() {
            return Ok(Status::Ready(None));
        }
        Ok(self.poll_with(parse)?.map(Some))
    }

    /// The bytes that have arrived and not been taken.
    ///
    /// ```
    /// # use millpond_core::Reader;
    /// let mut reader = Reader::new();
    /// reader.feed(b"abc");
    /// assert_eq!(reader.buffered(), b"abc");
    /// ```
    #[inline]
    pub fn buffered(&self) -> &[u8] {
        self.buffer.data()
    }

    /// How many bytes have arrived and not been taken, which costs less than to look at them.
    ///
    /// ```
    /// # use millpond_core::Reader;
    /// let mut reader = Reader::new();
    /// reader.feed(b"abc");
    /// assert_eq!(reader.buffered_len(), 3);
    /// ```
    #[inline]
    pub fn buffered_len(&self) -> usize {
        self.buffer.len()
    }

    /// Drops `n` bytes from the front.
    ///
    /// # Panics
    ///
    /// If fewer are buffered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::Reader;
    /// let mut reader = Reader::new();
    /// reader.feed(b"abc");
    /// reader.consume(2);
    /// assert_eq!(reader.buffered(), b"c");
    /// ```
    #[inline]
    pub fn consume(&mut self, n: usize) {
        self.buffer.consume(n);
        self.removed(n);
    }

    /// Removes `n` bytes from the front and lends them until the reader is next used.
    ///
    /// # Panics
    ///
    /// If fewer are buffered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::Reader;
    /// let mut reader = Reader::new();
    /// reader.feed(b"abc");
    /// assert_eq!(reader.lend(2), b"ab");
    /// assert_eq!(reader.buffered(), b"c");
    /// ```
    #[inline]
    pub fn lend(&mut self, n: usize) -> &[u8] {
        self.consume(n);
        self.buffer.consumed(n)
    }

    /// Removes `n` bytes from the front and hands them over without copying.
    ///
    /// The bytes keep the block alive in which they arrived, up to 64 KiB, or more if more was fed
    /// at once. Copy what is small and kept for long.
    ///
    /// # Panics
    ///
    /// If fewer are buffered.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::Reader;
    /// let mut reader = Reader::new();
    /// reader.feed(b"abc");
    /// assert_eq!(&reader.take(2)[..], b"ab");
    /// ```
    pub fn take(&mut self, n: usize) -> Bytes {
        let taken = self.buffer.take(n);
        self.removed(n);
        taken
    }

    /// Whether the end of the stream was fed and everything before it has been taken.
    ///
    /// `As in asyncio:` it stays false after a failure.
    ///
    /// ```
    /// # use millpond_core::Reader;
    /// let mut reader = Reader::new();
    /// reader.feed(b"a");
    /// reader.feed_eof();
    /// assert!(!reader.at_eof());
    /// reader.consume(1);
    /// assert!(reader.at_eof());
    /// ```
    pub fn at_eof(&self) -> bool {
        matches!(self.end, End::Eof) && self.buffer.is_empty()
    }

    /// The failure of the transport, if that is how the stream ended.
    ///
    /// ```
    /// # use millpond_core::{Reader, TransportError};
    /// let mut reader = Reader::new();
    /// assert!(reader.error().is_none());
    /// reader.fail(TransportError::new("reset"));
    /// assert!(reader.error().is_some());
    /// ```
    #[doc(alias = "exception")]
    pub fn error(&self) -> Option<&TransportError> {
        match &self.end {
            End::Failed(error) => Some(error),
            End::Open | End::Eof => None,
        }
    }

    /// Removes everything that is buffered, for another parser to go on with.
    ///
    /// ```
    /// # use millpond_core::Reader;
    /// let mut reader = Reader::new();
    /// reader.feed(b"HELO\r\n\x16\x03\x01");
    /// reader.consume(6);
    /// assert_eq!(&reader.leftover()[..], b"\x16\x03\x01");
    /// ```
    pub fn leftover(&mut self) -> Bytes {
        self.take(self.buffer.len())
    }

    /// Takes the reader apart, for an upgrade of the stream to another protocol.
    ///
    /// ```
    /// # use millpond_core::Reader;
    /// let mut reader = Reader::new();
    /// reader.feed(b"left");
    /// let parts = reader.into_parts();
    /// assert_eq!(&parts.leftover[..], b"left");
    /// assert!(!parts.eof);
    /// ```
    pub fn into_parts(mut self) -> ReaderParts {
        ReaderParts {
            leftover: self.leftover(),
            eof: matches!(self.end, End::Eof),
            error: self.error().cloned(),
            skipping_line: self.line == Line::Skipped,
            limit: self.limit,
            cap: self.cap(),
        }
    }
}

/// The transport's side: four things can happen to a receive half.
impl Reader {
    /// Bytes have arrived. They are copied in.
    ///
    /// # Panics
    ///
    /// If the stream has ended: a transport does not deliver after its end or failure.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::Reader;
    /// let mut reader = Reader::new();
    /// reader.feed(b"ab");
    /// reader.feed(b"cd");
    /// assert_eq!(reader.buffered(), b"abcd");
    /// ```
    #[doc(alias = "feed_data")]
    pub fn feed(&mut self, data: &[u8]) {
        self.assert_open();
        let data = match self.line {
            Line::Kept => data,
            Line::Skipped => match memchr::memchr(b'\n', data) {
                Some(at) => {
                    self.line = Line::Kept;
                    &data[at + 1..]
                }
                None => return,
            },
        };
        if !data.is_empty() {
            self.buffer.feed(data);
            self.arrived();
        }
    }

    /// Room to read into without a copy, never empty. [`commit`](Self::commit) turns what was
    /// written there into data; without it, it is as if nothing had happened.
    ///
    /// The room is at least 4 KiB at first and grows up to 64 KiB while reads fill it.
    ///
    /// # Panics
    ///
    /// If the stream has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # use millpond_core::Reader;
    /// use std::io::Read;
    ///
    /// let mut source = &b"from a socket"[..];
    /// let mut reader = Reader::new();
    /// let n = source.read(reader.spare())?;
    /// reader.commit(n);
    /// assert_eq!(reader.buffered(), b"from a socket");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn spare(&mut self) -> &mut [u8] {
        self.assert_open();
        self.buffer.spare()
    }

    /// The first `n` bytes of [`spare`](Self::spare) have been written and are data now.
    ///
    /// # Panics
    ///
    /// If the stream has ended, or `n` is more than was spare.
    ///
    /// # Examples
    ///
    /// See [`spare`](Self::spare).
    pub fn commit(&mut self, n: usize) {
        self.assert_open();
        self.buffer.commit(n);
        if self.line == Line::Skipped {
            self.skip_line();
        }
        if n > 0 {
            self.arrived();
        }
    }

    /// The peer has ended the stream. What is buffered can still be read.
    ///
    /// It is ignored if the stream has ended already.
    ///
    /// ```
    /// # use millpond_core::{Reader, Request, Status};
    /// let mut reader = Reader::new();
    /// reader.feed(b"no newline");
    /// reader.feed_eof();
    /// assert_eq!(reader.poll(Request::Line), Ok(Status::Ready(10)));
    /// ```
    pub fn feed_eof(&mut self) {
        if let End::Open = self.end {
            self.end = End::Eof;
        }
    }

    /// The transport has failed. What is buffered can still be read; after that, every request
    /// reports the failure.
    ///
    /// It is ignored if the stream has ended already: the first end is the one that counts.
    ///
    /// `Differs from asyncio:` `set_exception` hides what had arrived before.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Error, ErrorKind};
    ///
    /// use millpond_core::{Reader, Request, Status};
    ///
    /// let mut reader = Reader::new();
    /// reader.feed(b"last words\n");
    /// reader.fail(Error::from(ErrorKind::ConnectionReset));
    /// assert_eq!(reader.poll(Request::Line), Ok(Status::Ready(11)));
    /// reader.consume(11);
    /// assert!(reader.poll(Request::Line).is_err());
    /// ```
    #[doc(alias = "set_exception")]
    pub fn fail(&mut self, error: impl Into<TransportError>) {
        if let End::Open = self.end {
            self.end = End::Failed(error.into());
        }
    }

    /// Whether the stream is open.
    ///
    /// ```
    /// # use millpond_core::Reader;
    /// let mut reader = Reader::new();
    /// assert!(reader.is_open());
    /// reader.feed_eof();
    /// assert!(!reader.is_open());
    /// ```
    pub fn is_open(&self) -> bool {
        matches!(self.end, End::Open)
    }

    /// Whether the transport should read on: the stream is open and not paused. The level of
    /// back-pressure, for transports that read when asked to.
    ///
    /// `As in asyncio:` reading is paused when more than twice the limit is buffered and resumed at
    /// the limit, or at once when a request needs data.
    ///
    /// ```
    /// # use millpond_core::{Reader, Request};
    /// let mut reader = Reader::with_limit(2);
    /// reader.feed(b"abcde");
    /// assert!(!reader.wants_read());
    /// let _ = reader.poll(Request::Exactly(6));
    /// assert!(reader.wants_read());
    /// ```
    pub fn wants_read(&self) -> bool {
        self.is_open() && !self.flow.is_paused()
    }

    /// The change of back-pressure since the last call, for transports that push:
    /// [`Event::PauseReading`] and [`Event::ResumeReading`], always in turn.
    ///
    /// ```
    /// # use millpond_core::{Event, Reader};
    /// let mut reader = Reader::with_limit(2);
    /// reader.feed(b"abcde");
    /// assert_eq!(reader.poll_event(), Some(Event::PauseReading));
    /// assert_eq!(reader.poll_event(), None);
    /// reader.consume(3);
    /// assert_eq!(reader.poll_event(), Some(Event::ResumeReading));
    /// ```
    pub fn poll_event(&mut self) -> Option<Event> {
        self.flow.report().map(|paused| {
            if paused {
                Event::PauseReading
            } else {
                Event::ResumeReading
            }
        })
    }

    /// Gives back memory that holds no data: all of it if nothing is buffered, the surplus if
    /// little is. For a transport that is about to wait.
    ///
    /// ```
    /// # use millpond_core::Reader;
    /// let mut reader = Reader::new();
    /// reader.feed(&[0; 100_000]);
    /// reader.consume(100_000);
    /// reader.shrink();
    /// assert_eq!(reader.capacity(), 0);
    /// ```
    #[doc(alias = "shrink_to_fit")]
    pub fn shrink(&mut self) {
        self.buffer.shrink();
    }

    /// The memory held for the buffer, in bytes, used or not.
    ///
    /// ```
    /// # use millpond_core::{Reader, Request};
    /// let mut reader = Reader::new();
    /// let _ = reader.poll(Request::Exactly(usize::MAX));
    /// assert_eq!(reader.capacity(), 0); // nothing has arrived
    /// ```
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }
}

/// The rules. A number above the cap is refused whatever has arrived. Otherwise each looks at the data
/// first, then at the bounds, then at the end of the stream.
impl Reader {
    #[inline(always)]
    fn poll_place(
        &mut self,
        place: Place,
        request: Request<'_>,
    ) -> Result<Status<usize>, ReadError> {
        let answer = match request {
            Request::Exactly(n) => self.exactly(place, n),
            Request::Line => self.line(place),
            Request::Peek(n) => self.peek(place, n),
            Request::ToEof => self.to_eof(place),
            Request::Until(separator) => self.until(place, separator),
            Request::UpTo(n) => self.up_to(place, n),
        };
        if let Ok(Status::NeedData) = answer {
            // A reader that waits must be fed, however much is buffered, or it would wait for ever.
            self.flow.resume();
        }
        answer
    }

    /// How much there is to look at.
    #[inline]
    fn len(&self, place: Place) -> usize {
        match place {
            Place::Front => self.buffer.len(),
            Place::Behind(offset) => self.buffer.len() - offset,
        }
    }

    #[inline]
    fn exactly(&mut self, place: Place, n: usize) -> Result<Status<usize>, ReadError> {
        self.check_cap(n)?;
        if n <= self.len(place) {
            return Ok(Status::Ready(n));
        }
        self.incomplete(place, Some(n))
    }

    #[inline]
    fn up_to(&self, place: Place, n: usize) -> Result<Status<usize>, ReadError> {
        match self.len(place).min(n) {
            0 if n > 0 => self.none_left(),
            some => Ok(Status::Ready(some)),
        }
    }

    fn peek(&self, place: Place, n: usize) -> Result<Status<usize>, ReadError> {
        self.check_cap(n)?;
        let len = self.len(place);
        if n <= len {
            return Ok(Status::Ready(n));
        }
        match self.end {
            End::Eof | End::Failed(_) if len > 0 => Ok(Status::Ready(len)),
            End::Open | End::Eof | End::Failed(_) => self.none_left(),
        }
    }

    fn to_eof(&self, place: Place) -> Result<Status<usize>, ReadError> {
        self.check_cap(self.buffer.len())?;
        match &self.end {
            End::Open => Ok(Status::NeedData),
            End::Eof => Ok(Status::Ready(self.len(place))),
            End::Failed(error) => Err(error.into()),
        }
    }

    #[inline]
    fn until(&mut self, place: Place, separator: &Separator) -> Result<Status<usize>, ReadError> {
        match self.find(place, separator) {
            Some(found) if found.start <= self.limit => Ok(Status::Ready(found.end)),
            found => self.not_within_limit(place, separator, found),
        }
    }

    #[inline(never)]
    fn not_within_limit(
        &mut self,
        place: Place,
        separator: &Separator,
        found: Option<Match>,
    ) -> Result<Status<usize>, ReadError> {
        match found {
            None if self.len(place) < self.window(separator) => self.incomplete(place, None),
            Some(_) | None => Err(self.overrun()),
        }
    }

    #[inline]
    fn line(&mut self, place: Place) -> Result<Status<usize>, ReadError> {
        let window = self.window(&Separator::NEWLINE).min(self.len(place));
        let found = match place {
            Place::Front => self.search.find_line_feed(&self.buffer.data()[..window]),
            Place::Behind(_) => {
                let found = self.find(place, &Separator::NEWLINE);
                found.map(|found| found.start)
            }
        };
        match found {
            Some(at) => Ok(Status::Ready(at + 1)),
            None => self.no_line_within_limit(place),
        }
    }

    #[inline(never)]
    fn no_line_within_limit(&mut self, place: Place) -> Result<Status<usize>, ReadError> {
        let len = self.len(place);
        if len > self.limit {
            if let Place::Front = place {
                self.skip_line();
                self.removed(len - self.buffer.len());
            }
            return Err(self.overrun());
        }
        match &self.end {
            End::Open => Ok(Status::NeedData),
            End::Eof => Ok(Status::Ready(len)),
            End::Failed(error) => Err(error.into()),
        }
    }

    /// How many bytes decide whether a separator begins within the limit.
    #[inline]
    fn window(&self, separator: &Separator) -> usize {
        self.limit.saturating_add(separator.longest())
    }

    #[inline]
    fn find(&mut self, place: Place, separator: &Separator) -> Option<Match> {
        let window = self.window(separator).min(self.len(place));
        match place {
            Place::Front => self.search.find(&self.buffer.data()[..window], separator),
            Place::Behind(offset) => {
                let search = self.behind.get_or_insert_default();
                let data = &self.buffer.data()[offset..][..window];
                search.find(offset, data, separator)
            }
        }
    }

    fn overrun(&self) -> ReadError {
        ReadError::LimitOverrun {
            consumed: self.limit + 1,
        }
    }

    #[inline]
    fn check_cap(&self, n: usize) -> Result<(), ReadError> {
        if n > self.cap {
            return Err(ReadError::CapExceeded { cap: self.cap });
        }
        Ok(())
    }

    /// A parser needs more than is buffered. May it?
    fn check_parse_cap(&self) -> Result<(), ReadError> {
        let cap = match self.cap() {
            Some(cap) => cap,
            None => DEFAULT_PARSE_CAP.max(self.limit),
        };
        match self.buffer.len() < cap {
            true => Ok(()),
            false => Err(ReadError::CapExceeded { cap }),
        }
    }

    /// Nothing is buffered: what does the end of the stream say?
    #[inline(never)]
    fn none_left(&self) -> Result<Status<usize>, ReadError> {
        match &self.end {
            End::Open => Ok(Status::NeedData),
            End::Eof => Ok(Status::Ready(0)),
            End::Failed(error) => Err(error.into()),
        }
    }

    /// Too little is buffered: what does the end of the stream say?
    #[inline(never)]
    fn incomplete(
        &mut self,
        place: Place,
        expected: Option<usize>,
    ) -> Result<Status<usize>, ReadError> {
        match &self.end {
            End::Open => Ok(Status::NeedData),
            End::Eof => Err(ReadError::Incomplete {
                partial: match place {
                    Place::Front => self.leftover(),
                    Place::Behind(offset) => Bytes::copy_from_slice(&self.buffered()[offset..]),
                },
                expected,
            }),
            End::Failed(error) => Err(error.into()),
        }
    }
}

/// What follows from a change of the buffer.
impl Reader {
    fn assert_open(&self) {
        assert!(self.is_open(), "data was fed after the end of the stream");
    }

    fn arrived(&mut self) {
        if self.buffer.len() > self.limit.saturating_mul(2) {
            self.flow.pause();
        }
    }

    #[inline]
    fn removed(&mut self, n: usize) {
        self.search.removed(n);
        if let Some(behind) = &mut self.behind {
            behind.removed(n);
        }
        if self.buffer.len() <= self.limit {
            self.flow.resume();
        }
    }

    /// Drops the buffer through the first line feed; if there is none, all of it and what arrives
    /// later, too.
    fn skip_line(&mut self) {
        match memchr::memchr(b'\n', self.buffer.data()) {
            Some(at) => {
                self.buffer.consume(at + 1);
                self.line = Line::Kept;
            }
            None => {
                self.buffer.consume(self.buffer.len());
                self.line = Line::Skipped;
            }
        }
    }
}

/// As asyncio's `repr`: how much is buffered, how much may be, and how the stream stands.
impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Reader");
        debug
            .field("buffered", &self.buffer.len())
            .field("limit", &self.limit);
        if let Some(cap) = self.cap() {
            debug.field("cap", &cap);
        }
        if self.line == Line::Skipped {
            debug.field("skipping_line", &true);
        }
        debug
            .field("paused", &self.flow.is_paused())
            .field("end", &self.end)
            .finish()
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}
