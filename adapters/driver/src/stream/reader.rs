//! The receive half of a stream, for `async`.

use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use millpond_core::{ReadError, Reader, Request, Separator, Status, TransportError};

use super::transport::Transport;
use crate::{
    connection::{Closed, Connection, End, Received, Source, checked, with_scratch},
    runtime::Budget,
    socket::StreamMode,
};

/// Up to this size a copy costs less than sharing the block in which the bytes arrived, and does
/// not keep it alive.
const COPY_MAX: usize = 1024;

/// A read that brought this much is likely to be followed by another one, so the next goes straight
/// into the reader's own buffer.
const BURST: usize = 4 * 1024;

/// The receive half of a stream: asyncio's `StreamReader` on any runtime.
///
/// | to read | owned: [`Bytes`] | lent: `&[u8]` |
/// |---|---|---|
/// | a line | [`read_line`](Self::read_line), all of them: [`lines`](Self::lines) | [`read_line_ref`](Self::read_line_ref) |
/// | up to a separator, or one of several | [`read_until`](Self::read_until) | [`read_until_ref`](Self::read_until_ref) |
/// | so many bytes | [`read_exactly`](Self::read_exactly) | [`read_exactly_ref`](Self::read_exactly_ref) |
/// | whatever is there | [`read`](Self::read) | [`read_ref`](Self::read_ref) |
/// | everything | [`read_to_eof`](Self::read_to_eof) | |
/// | without taking it | | [`peek`](Self::peek), [`buffered`](Self::buffered) and [`consume`](Self::consume) |
/// | what a parser of the program's makes of it | [`read_with`](Self::read_with), all of it: [`messages`](Self::messages) | |
///
/// * **Owned** is the usual one: what is read can be kept, sent to another task, and borrows nothing.
/// * **Lent** reads copy nothing, for what is looked at and done with before the next read.
/// * **Parsed** is for messages whose length is in themselves, and for those that hold others: the parser
///   is the program's, a value with a state of its own.
///
/// Every method that waits is cancel-safe: what has arrived stays in the reader until a read takes
/// it, all at once, so a read that is dropped can be asked again, or another one can.
///
/// A reader that holds no bytes holds no buffer. What it buffers is bounded by what is asked for:
/// see [`millpond_core::Reader`], which has the rules.
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// let ((_, mut writer), (mut reader, _)) = millpond::pair();
/// writer.write(b"GET / HTTP/1.1\r\nhost: example.org\r\n\r\nbody")?;
/// drop(writer);
///
/// assert_eq!(reader.read_line().await?, "GET / HTTP/1.1\r\n");
/// assert_eq!(reader.read_until("\r\n\r\n").await?, "host: example.org\r\n\r\n");
/// assert_eq!(reader.read_exactly(2).await?, "bo");
/// assert_eq!(reader.read_to_eof().await?, "dy");
/// assert!(reader.at_eof());
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
#[doc(alias = "BufReader")]
#[doc(alias = "AsyncBufRead")]
pub struct StreamReader {
    pub(super) core: Reader,
    connection: Arc<Connection>,
    /// Whether the last read brought a large piece.
    burst: bool,
    budget: Budget,
}

/// Reads that own what they return: a copy of up to 1 KiB, or else a part of the block in which it
/// arrived, which it keeps alive.
impl StreamReader {
    /// Reads whatever is there, at least one byte and at most `n`; empty at the end of the stream.
    ///
    /// `Differs from asyncio:` `n` must be given; without one it is
    /// [`read_to_eof`](Self::read_to_eof).
    ///
    /// # Errors
    ///
    /// [`ReadError::Transport`] if the transport has failed and nothing is left to read.
    ///
    /// # Cancel safety
    ///
    /// Yes: a read that is dropped has taken nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"hello")?;
    /// assert_eq!(reader.read(100).await?, "hello");
    /// drop(writer);
    /// assert_eq!(reader.read(100).await?, "");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn read(&mut self, n: usize) -> Result<Bytes, ReadError> {
        let n = poll_fn(|cx| self.poll_answer(cx, Request::UpTo(n))).await?;
        Ok(self.take(n))
    }

    /// Reads through the next line feed; at the end of the stream whatever is left, and then
    /// nothing.
    ///
    /// `Differs from asyncio:` a line that is longer than the limit is reported once and skipped as
    /// a whole.
    ///
    /// # Errors
    ///
    /// [`ReadError::LimitOverrun`] if the line is longer than the limit; the next read starts
    /// behind it. [`ReadError::Transport`] if the transport has failed; the beginning of a line
    /// that came before is still [`buffered`](Self::buffered).
    ///
    /// # Cancel safety
    ///
    /// Yes: a read that is dropped has taken nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"one\ntwo")?;
    /// drop(writer);
    /// assert_eq!(reader.read_line().await?, "one\n");
    /// assert_eq!(reader.read_line().await?, "two");
    /// assert_eq!(reader.read_line().await?, "");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "readline")]
    #[doc(alias = "next_line")]
    pub async fn read_line(&mut self) -> Result<Bytes, ReadError> {
        let n = poll_fn(|cx| self.poll_answer(cx, Request::Line)).await?;
        Ok(self.take(n))
    }

    /// Reads exactly `n` bytes. The limit does not apply, the cap does.
    ///
    /// `As in asyncio:` what was left at the end of the stream is in the error.
    ///
    /// # Errors
    ///
    /// [`ReadError::Incomplete`] with what was left if the stream ends first.
    /// [`ReadError::CapExceeded`] at once if `n` is above the cap. [`ReadError::Transport`] if the
    /// transport has failed; what came before is still [`buffered`](Self::buffered).
    ///
    /// # Cancel safety
    ///
    /// Yes: a read that is dropped has taken nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"\x00\x02hi")?;
    /// let head = reader.read_exactly(2).await?;
    /// let len = u16::from_be_bytes([head[0], head[1]]);
    /// assert_eq!(reader.read_exactly(len.into()).await?, "hi");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "readexactly")]
    #[doc(alias = "read_exact")]
    pub async fn read_exactly(&mut self, n: usize) -> Result<Bytes, ReadError> {
        let n = poll_fn(|cx| self.poll_answer(cx, Request::Exactly(n))).await?;
        Ok(self.take(n))
    }

    /// Reads through the next separator: bytes, a string, or a [`Separator`] that was built before,
    /// which may be a set.
    ///
    /// In a loop, build the [`Separator`] first and pass a reference.
    ///
    /// `As in asyncio:` the separator is included, and of several that match the one that ends first
    /// counts. `Differs from asyncio:` it must be given; there it is a line feed by default.
    ///
    /// # Errors
    ///
    /// [`ReadError::LimitOverrun`] if no separator begins within the limit; nothing is taken, and
    /// the error says how many bytes can be read to get on. [`ReadError::Incomplete`] with what was
    /// left if the stream ends first. [`ReadError::Transport`] if the transport has failed; what
    /// came before is still [`buffered`](Self::buffered).
    ///
    /// # Panics
    ///
    /// If the separator is empty. [`Separator::try_new`] is for those that come from outside.
    ///
    /// # Cancel safety
    ///
    /// Yes: a read that is dropped has taken nothing, and the search goes on where it was.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use millpond::Separator;
    ///
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"one;two\r\nthree\n")?;
    /// let end = Separator::any([";", "\r\n", "\n"]);
    /// assert_eq!(reader.read_until(&end).await?, "one;");
    /// assert_eq!(reader.read_until(&end).await?, "two\r\n");
    /// assert_eq!(reader.read_until("\n").await?, "three\n");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "readuntil")]
    pub async fn read_until(
        &mut self,
        separator: impl Into<Separator>,
    ) -> Result<Bytes, ReadError> {
        let separator = separator.into();
        let n = poll_fn(|cx| self.poll_answer(cx, Request::Until(&separator))).await?;
        Ok(self.take(n))
    }

    /// Reads everything up to the end of the stream. The limit does not apply, the cap does.
    ///
    /// # Errors
    ///
    /// [`ReadError::CapExceeded`] if more than the cap arrives, [`ReadError::Transport`] if the
    /// transport fails. What came before is still [`buffered`](Self::buffered).
    ///
    /// # Cancel safety
    ///
    /// Yes: a read that is dropped has taken nothing. `Differs from asyncio:` there, what was
    /// collected is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"all of ")?;
    /// writer.write(b"it")?;
    /// drop(writer);
    /// assert_eq!(reader.read_to_eof().await?, "all of it");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "read_to_end")]
    pub async fn read_to_eof(&mut self) -> Result<Bytes, ReadError> {
        let n = poll_fn(|cx| self.poll_answer(cx, Request::ToEof)).await?;
        Ok(self.take(n))
    }

    /// Reads what a parser makes of the core: it is called with what has arrived, and again when
    /// more has, until it has an answer.
    ///
    /// A parser is a value with a state: it takes what it understands as it comes, and goes on there when it
    /// is called again. So its work is proportional to its input, however that is cut. It is tested by
    /// hand, fuzzed, and used on any runtime, since all that it knows is the [`Reader`].
    ///
    /// A plain function is a parser, too. It takes only when it has everything it needs, and begins anew
    /// when more has come, which is right for messages of one or two parts, and quadratic for those of
    /// many: see [`Reader::poll_with`].
    ///
    /// What may be buffered for it is bounded by the [`cap`](crate::StreamOptions::cap), and without
    /// one by 16 MiB ([`DEFAULT_PARSE_CAP`](millpond_core::DEFAULT_PARSE_CAP)), or by the limit if that is
    /// more. What it has taken into its state it bounds itself.
    ///
    /// # Errors
    ///
    /// Those of the parser. If it needs data and so much is buffered, [`ReadError::CapExceeded`];
    /// nothing is taken. If it needs data behind the end of the stream, [`ReadError::Incomplete`] with
    /// what is left, or [`ReadError::Transport`]. Nothing may be left though the stream has ended within a
    /// message, of which the parser has taken the beginning: [`messages`](Self::messages) distinguishes that from an
    /// end between two.
    ///
    /// # Cancel safety
    ///
    /// Yes, if the parser is kept beside the reader, and not in the future: what it has taken is in its
    /// state, and the next call goes on there. A parser without a state takes nothing before it has its
    /// answer.
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond::{
    ///     Bytes, ReadError,
    ///     millpond_core::{Reader, Request, Status},
    /// };
    ///
    /// /// A message behind its length in two bytes.
    /// #[derive(Default)]
    /// enum Parser {
    ///     #[default]
    ///     Length,
    ///     Message(usize),
    /// }
    ///
    /// impl Parser {
    ///     fn parse(&mut self, reader: &mut Reader) -> Result<Status<Bytes>, ReadError> {
    ///         loop {
    ///             let wanted = match self {
    ///                 Self::Length => 2,
    ///                 Self::Message(len) => *len,
    ///             };
    ///             let Status::Ready(n) = reader.poll(Request::Exactly(wanted))? else {
    ///                 return Ok(Status::NeedData);
    ///             };
    ///             let taken = reader.take(n);
    ///             match self {
    ///                 Self::Length => *self = Self::Message(usize::from(taken[0]) << 8 | usize::from(taken[1])),
    ///                 Self::Message(_) => {
    ///                     *self = Self::Length;
    ///                     return Ok(Status::Ready(taken));
    ///                 }
    ///             }
    ///         }
    ///     }
    /// }
    ///
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// let mut parser = Parser::default();
    /// writer.write(b"\x00\x05hello\x00\x02hi")?;
    /// assert_eq!(reader.read_with(|core| parser.parse(core)).await?, "hello");
    /// assert_eq!(reader.read_with(|core| parser.parse(core)).await?, "hi");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn read_with<T, E: From<ReadError>>(
        &mut self,
        mut parse: impl FnMut(&mut Reader) -> Result<Status<T>, E>,
    ) -> Result<T, E> {
        self.check_direction()?;
        loop {
            if let Status::Ready(answer) = self.core.poll_with(&mut parse)? {
                self.has_answered();
                return Ok(answer);
            }
            poll_fn(|cx| self.poll_fill(cx)).await;
        }
    }
}

/// Reads that lend what they return, without an allocation.
impl StreamReader {
    /// Lends the next `n` bytes without taking them; fewer if the stream ends first.
    ///
    /// asyncio has no counterpart.
    ///
    /// # Errors
    ///
    /// [`ReadError::CapExceeded`] at once if `n` is above the cap. [`ReadError::Transport`] if the
    /// transport has failed and nothing is left to read.
    ///
    /// # Cancel safety
    ///
    /// Yes: nothing is taken.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"\x16\x03\x01...")?;
    /// let is_tls = reader.peek(1).await? == b"\x16";
    /// assert!(is_tls);
    /// assert_eq!(reader.read(2).await?, "\x16\x03");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn peek(&mut self, n: usize) -> Result<&[u8], ReadError> {
        let n = poll_fn(|cx| self.poll_answer(cx, Request::Peek(n))).await?;
        Ok(&self.core.buffered()[..n])
    }

    /// Like [`read`](Self::read), but lends the bytes until the next read.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// Yes, as [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"hello")?;
    /// assert_eq!(reader.read_ref(100).await?, b"hello");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn read_ref(&mut self, n: usize) -> Result<&[u8], ReadError> {
        let n = poll_fn(|cx| self.poll_answer(cx, Request::UpTo(n))).await?;
        Ok(self.lend(n))
    }

    /// Like [`read_line`](Self::read_line), but lends the line until the next read.
    ///
    /// # Errors
    ///
    /// As [`read_line`](Self::read_line).
    ///
    /// # Cancel safety
    ///
    /// Yes, as [`read_line`](Self::read_line).
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"one\ntwo\n")?;
    /// assert_eq!(reader.read_line_ref().await?, b"one\n");
    /// assert_eq!(reader.read_line_ref().await?, b"two\n");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn read_line_ref(&mut self) -> Result<&[u8], ReadError> {
        let n = poll_fn(|cx| self.poll_answer(cx, Request::Line)).await?;
        Ok(self.lend(n))
    }

    /// Like [`read_exactly`](Self::read_exactly), but lends the bytes until the next read.
    ///
    /// # Errors
    ///
    /// As [`read_exactly`](Self::read_exactly).
    ///
    /// # Cancel safety
    ///
    /// Yes, as [`read_exactly`](Self::read_exactly).
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"abcd")?;
    /// assert_eq!(reader.read_exactly_ref(3).await?, b"abc");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn read_exactly_ref(&mut self, n: usize) -> Result<&[u8], ReadError> {
        let n = poll_fn(|cx| self.poll_answer(cx, Request::Exactly(n))).await?;
        Ok(self.lend(n))
    }

    /// Like [`read_until`](Self::read_until), but lends the bytes until the next read.
    ///
    /// # Errors
    ///
    /// As [`read_until`](Self::read_until).
    ///
    /// # Cancel safety
    ///
    /// Yes, as [`read_until`](Self::read_until).
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use millpond::Separator;
    ///
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"one\r\n")?;
    /// let crlf = Separator::new("\r\n");
    /// assert_eq!(reader.read_until_ref(&crlf).await?, b"one\r\n");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn read_until_ref(&mut self, separator: &Separator) -> Result<&[u8], ReadError> {
        let n = poll_fn(|cx| self.poll_answer(cx, Request::Until(separator))).await?;
        Ok(self.lend(n))
    }

    /// The bytes that have arrived and not been taken.
    ///
    /// asyncio has no counterpart.
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"no newline yet")?;
    /// drop(writer);
    /// let incomplete = reader.read_exactly(100).await;
    /// assert!(incomplete.is_err());
    /// assert!(reader.buffered().is_empty()); // they are in the error
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[inline]
    pub fn buffered(&self) -> &[u8] {
        self.core.buffered()
    }

    /// Drops `n` bytes that have arrived.
    ///
    /// # Panics
    ///
    /// If fewer are buffered.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"   word")?;
    /// let blanks = reader.peek(7).await?.iter().take_while(|byte| **byte == b' ').count();
    /// reader.consume(blanks);
    /// assert_eq!(reader.read(10).await?, "word");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[inline]
    pub fn consume(&mut self, n: usize) {
        self.lend(n);
    }
}

impl StreamReader {
    pub(crate) fn new(core: Reader, connection: Arc<Connection>) -> Self {
        Self {
            core,
            connection,
            burst: false,
            budget: Budget::default(),
        }
    }

    /// Whether the stream has ended and everything before its end has been taken.
    ///
    /// `As in asyncio:` it stays false after a failure, such as a reset. `Differs from asyncio:` there
    /// the event loop reads in the background; here a reader with an empty buffer looks, without waiting,
    /// at what has come, and keeps it for the next read, up to the [`limit`](Self::limit). To wait for
    /// the end there is [`closed`](Self::closed).
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"bye")?;
    /// drop(writer);
    /// assert!(!reader.at_eof());
    /// assert_eq!(reader.read(10).await?, "bye");
    /// assert!(reader.at_eof());
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn at_eof(&self) -> bool {
        match self.core.buffered().is_empty() && self.core.is_open() {
            true => self.connection.is_at_end(),
            false => self.core.at_eof(),
        }
    }

    /// Waits until the peer has ended the stream, without taking anything: `Ok` for an orderly end, and
    /// the reason for any other one.
    ///
    /// See [`StreamWriter::closed`](crate::StreamWriter::closed).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Yes: it takes nothing, and can be asked again.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"bye")?;
    /// drop(writer);
    /// reader.closed().await?;
    /// assert_eq!(reader.read(10).await?, "bye");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn closed(&self) -> Closed {
        Closed::new(&self.connection)
    }

    /// Why the transport has failed, if it has and a read has come upon it; what arrived before can
    /// still be read.
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// assert!(reader.error().is_none());
    /// writer.abort();
    /// assert!(reader.read(1).await.is_err());
    /// assert_eq!(reader.error().unwrap().kind(), std::io::ErrorKind::ConnectionReset);
    /// # });
    /// ```
    #[doc(alias = "exception")]
    pub fn error(&self) -> Option<&TransportError> {
        self.core.error()
    }

    /// The most bytes there may be before a separator.
    ///
    /// ```
    /// let ((reader, _), _peer) = millpond::pair();
    /// assert_eq!(reader.limit(), millpond::millpond_core::DEFAULT_LIMIT);
    /// ```
    pub fn limit(&self) -> usize {
        self.core.limit()
    }

    /// Changes the limit, for a protocol whose lines may be longer from here on.
    ///
    /// asyncio has no counterpart.
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::StreamOptions::new().limit(4).pair(100);
    /// writer.write(b"head\na longer body\n")?;
    /// assert_eq!(reader.read_line().await?, "head\n");
    /// reader.set_limit(80);
    /// assert_eq!(reader.read_line().await?, "a longer body\n");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Panics
    ///
    /// If `limit` is 0.
    pub fn set_limit(&mut self, limit: usize) {
        self.core.set_limit(limit);
        self.connection.set_limit(limit);
    }

    /// What is below both halves: to close or abort the stream from elsewhere, or to look at it.
    ///
    /// See [`Transport`] for an example.
    pub fn transport(&self) -> Transport {
        Transport::new(&self.connection)
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Waits until there is something to read, and takes nothing: `false` at the end of the stream. It
    /// lends nothing either, so it can stand in a `select!` beside a shutdown signal.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// Yes: it takes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"x")?;
    /// drop(writer);
    /// assert!(reader.readable().await?);
    /// reader.consume(1);
    /// assert!(!reader.readable().await?);
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn readable(&mut self) -> Result<bool, ReadError> {
        let n = poll_fn(|cx| self.poll_answer(cx, Request::UpTo(1))).await?;
        Ok(n > 0)
    }

    /// Everything that has arrived.
    pub(crate) fn take_all(&mut self) -> Bytes {
        let all = self.core.take(self.core.buffered().len());
        self.has_answered();
        all
    }

    fn take(&mut self, n: usize) -> Bytes {
        if n <= COPY_MAX {
            Bytes::copy_from_slice(self.lend(n))
        } else {
            let taken = self.core.take(n);
            self.has_answered();
            taken
        }
    }

    /// Removes `n` bytes from the front and lends them.
    #[inline]
    pub(super) fn lend(&mut self, n: usize) -> &[u8] {
        // Writes know already that there is more: from the answer that has brought it.
        if n < self.core.buffered_len() {
            return self.core.lend(n);
        }
        self.lend_all(n)
    }

    #[inline(never)]
    fn lend_all(&mut self, n: usize) -> &[u8] {
        self.connection.set_more_to_read(false);
        self.core.lend(n)
    }

    pub(super) fn check_direction(&self) -> Result<(), ReadError> {
        match self.connection.mode() {
            StreamMode::Write => Err(ReadError::WriteOnly),
            StreamMode::Read | StreamMode::ReadWrite => Ok(()),
        }
    }

    /// The only place that waits, and it holds no bytes. Mostly the answer is in the buffer, and then
    /// this is part of the caller.
    #[inline]
    pub(super) fn poll_answer(
        &mut self,
        cx: &Context<'_>,
        request: Request<'_>,
    ) -> Poll<Result<usize, ReadError>> {
        match self.core.poll(request) {
            Ok(Status::Ready(n)) if n > 0 => Poll::Ready(Ok(n)),
            answer => self.poll_more(cx, request, answer),
        }
    }

    /// What a request finds, or `None` if that is nothing: the end of the stream.
    pub(super) fn poll_item(
        &mut self,
        cx: &Context<'_>,
        request: Request<'_>,
    ) -> Poll<Option<Result<Bytes, ReadError>>> {
        let answer = ready!(self.poll_answer(cx, request));
        Poll::Ready(match answer {
            Ok(0) => None,
            Ok(n) => Some(Ok(self.take(n))),
            Err(error) => Some(Err(error)),
        })
    }

    #[inline(never)]
    fn poll_more(
        &mut self,
        cx: &Context<'_>,
        request: Request<'_>,
        mut answer: Result<Status<usize>, ReadError>,
    ) -> Poll<Result<usize, ReadError>> {
        self.check_direction()?;
        loop {
            if let Status::Ready(n) = answer? {
                self.has_answered();
                return Poll::Ready(Ok(n));
            }
            ready!(self.poll_fill(cx));
            answer = self.core.poll(request);
        }
    }

    /// Lets writes know whether anything is left to be answered: until it is, small ones wait for each other.
    pub(super) fn has_answered(&self) {
        self.connection
            .set_more_to_read(self.core.buffered_len() > 0);
    }

    /// Gets more from the socket into the core, or its end, or its failure.
    pub(super) fn poll_fill(&mut self, cx: &Context<'_>) -> Poll<()> {
        ready!(self.budget.poll_proceed(cx));
        self.connection.set_more_to_read(false); // what is buffered is not enough for an answer
        self.connection.send_held_back();
        let (core, burst) = (&mut self.core, self.burst);
        let received = self.connection.poll_receive(cx, |source, cx| match source {
            Source::Ahead(bytes) => {
                core.feed(bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            Source::Socket(socket) if burst => {
                let spare = core.spare();
                let len = spare.len();
                let read = socket.poll_read(cx, spare);
                checked(read, len).map_ok(|n| {
                    core.commit(n);
                    n
                })
            }
            Source::Socket(socket) => with_scratch(|block| {
                let read = socket.poll_read(cx, block);
                checked(read, block.len()).map_ok(|n| {
                    core.feed(&block[..n]);
                    n
                })
            }),
        });
        match received {
            Poll::Pending => return self.wait(),
            Poll::Ready(Received::Bytes(n)) => self.burst = n >= BURST,
            Poll::Ready(Received::Nothing) => {}
            Poll::Ready(Received::End(End::Eof)) => self.core.feed_eof(),
            Poll::Ready(Received::End(End::Failed(error))) => self.core.fail(error),
        }
        Poll::Ready(())
    }

    /// Waiting may take long, so memory goes back. When the server is shutting down it may be too long.
    fn wait(&mut self) -> Poll<()> {
        self.budget.reset();
        self.burst = false;
        self.core.shrink();
        if self.core.buffered().is_empty() && self.connection.shutdown().ends_idle_reads() {
            self.core.feed_eof();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        self.connection.drop_reader();
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("StreamReader");
        self.connection.describe(&mut debug);
        debug.field("core", &self.core).finish()
    }
}
