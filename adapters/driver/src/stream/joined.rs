//! Both halves of a stream in one.

use std::{error::Error, fmt, io::IoSlice, sync::Arc};

use bytes::Bytes;
use millpond_core::{ReadError, Reader, Separator, Status, TransportError, WriteError};

use super::{
    cork::Cork, reader::StreamReader, streams::Lines, transport::Transport, writer::StreamWriter,
};
use crate::{
    connection::{Closed, ShutdownRequested},
    socket::{ExtraInfo, StreamMode},
};

/// Both halves of a stream in one: asyncio's `Stream` of 3.8.
///
/// It reads as a [`StreamReader`] and writes as a [`StreamWriter`], whose documentation has the
/// details. Some streams have one direction only, those of pipes for instance: see
/// [`mode`](Self::mode). What is asked of the other one is an error that says so.
///
/// Dropping it delivers what is queued, then closes the stream. `Differs from asyncio:` there a stream
/// that is forgotten is aborted.
///
/// # Examples
///
/// ```
/// use millpond::Stream;
///
/// # futures_lite::future::block_on(async {
/// let ((reader, writer), (mut peer_reader, mut peer_writer)) = millpond::pair();
/// let mut stream = Stream::reunite(reader, writer).unwrap(); // they are of one stream
///
/// stream.write_all(b"ping\n").await?;
/// assert_eq!(peer_reader.read_line().await?, "ping\n");
/// peer_writer.write(b"pong\n")?;
/// assert_eq!(stream.read_line().await?, "pong\n");
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
#[doc(alias = "BufStream")]
pub struct Stream {
    pub(super) reader: StreamReader,
    pub(super) writer: StreamWriter,
}

/// The whole and its halves.
impl Stream {
    /// Of two halves that were opened together.
    pub(crate) fn new((reader, writer): (StreamReader, StreamWriter)) -> Self {
        debug_assert!(Arc::ptr_eq(reader.connection(), writer.connection()));
        Self { reader, writer }
    }

    /// The two halves, for two tasks. Each knows the direction that the stream does not have.
    ///
    /// ```
    /// use millpond::Stream;
    ///
    /// # futures_lite::future::block_on(async {
    /// # let ((reader, writer), (mut peer, _)) = millpond::pair();
    /// # let stream = Stream::reunite(reader, writer).unwrap();
    /// let (_reader, mut writer) = stream.into_split();
    /// writer.write(b"hello")?;
    /// assert_eq!(peer.read(10).await?, "hello");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn into_split(self) -> (StreamReader, StreamWriter) {
        (self.reader, self.writer)
    }

    /// The two halves, borrowed: to read and write at once in one task.
    ///
    /// ```
    /// use millpond::Stream;
    ///
    /// # futures_lite::future::block_on(async {
    /// # let ((reader, writer), (mut peer, mut peer_writer)) = millpond::pair();
    /// # peer_writer.write(b"answer\n")?;
    /// # let mut stream = Stream::reunite(reader, writer).unwrap();
    /// let (reader, writer) = stream.split();
    /// let both = futures_util::future::join(writer.write_all(b"question\n"), reader.read_line());
    /// assert_eq!(both.await.1?, "answer\n");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn split(&mut self) -> (&mut StreamReader, &mut StreamWriter) {
        (&mut self.reader, &mut self.writer)
    }

    /// Puts two halves of one stream together again.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`] with both, if they are of different streams.
    ///
    /// # Examples
    ///
    /// ```
    /// use millpond::Stream;
    ///
    /// let ((reader, writer), (peer_reader, peer_writer)) = millpond::pair();
    /// let error = Stream::reunite(reader, peer_writer).unwrap_err();
    /// assert!(Stream::reunite(error.reader, writer).is_ok());
    /// ```
    #[expect(clippy::result_large_err, reason = "both halves are given back")]
    pub fn reunite(reader: StreamReader, writer: StreamWriter) -> Result<Self, ReuniteError> {
        if Arc::ptr_eq(reader.connection(), writer.connection()) {
            Ok(Self { reader, writer })
        } else {
            Err(ReuniteError { reader, writer })
        }
    }

    /// Which directions the stream has.
    ///
    /// ```
    /// use millpond::{Stream, StreamMode};
    ///
    /// let ((reader, writer), _peer) = millpond::pair();
    /// let stream = Stream::reunite(reader, writer).unwrap();
    /// assert_eq!(stream.mode(), StreamMode::ReadWrite);
    /// ```
    pub fn mode(&self) -> StreamMode {
        self.reader.connection().mode()
    }

    /// What is known of the connection.
    ///
    /// ```
    /// # let ((reader, writer), _peer) = millpond::pair();
    /// # let stream = millpond::Stream::reunite(reader, writer).unwrap();
    /// assert!(stream.extra_info().peer_addr.is_none()); // memory has no address
    /// ```
    #[doc(alias = "get_extra_info")]
    pub fn extra_info(&self) -> &ExtraInfo {
        self.writer.extra_info()
    }

    /// What is below: to close or abort the stream from elsewhere, or to look at it.
    ///
    /// See [`Transport`] for an example.
    pub fn transport(&self) -> Transport {
        self.writer.transport()
    }

    /// As [`StreamWriter::shutdown_requested`].
    pub fn shutdown_requested(&self) -> ShutdownRequested {
        self.writer.shutdown_requested()
    }
}

/// Reading.
impl Stream {
    /// As [`StreamReader::read`].
    ///
    /// # Errors
    ///
    /// As there, and [`ReadError::WriteOnly`].
    ///
    /// # Cancel safety
    ///
    /// Yes, as there.
    pub async fn read(&mut self, n: usize) -> Result<Bytes, ReadError> {
        self.reader.read(n).await
    }

    /// As [`StreamReader::read_line`].
    ///
    /// # Errors
    ///
    /// As there, and [`ReadError::WriteOnly`].
    ///
    /// # Cancel safety
    ///
    /// Yes, as there.
    #[doc(alias = "readline")]
    pub async fn read_line(&mut self) -> Result<Bytes, ReadError> {
        self.reader.read_line().await
    }

    /// As [`StreamReader::read_exactly`].
    ///
    /// # Errors
    ///
    /// As there, and [`ReadError::WriteOnly`].
    ///
    /// # Cancel safety
    ///
    /// Yes, as there.
    #[doc(alias = "readexactly")]
    pub async fn read_exactly(&mut self, n: usize) -> Result<Bytes, ReadError> {
        self.reader.read_exactly(n).await
    }

    /// As [`StreamReader::read_until`].
    ///
    /// # Errors
    ///
    /// As there, and [`ReadError::WriteOnly`].
    ///
    /// # Panics
    ///
    /// If the separator is empty.
    ///
    /// # Cancel safety
    ///
    /// Yes, as there.
    #[doc(alias = "readuntil")]
    pub async fn read_until(
        &mut self,
        separator: impl Into<Separator>,
    ) -> Result<Bytes, ReadError> {
        self.reader.read_until(separator).await
    }

    /// As [`StreamReader::read_to_eof`].
    ///
    /// # Errors
    ///
    /// As there, and [`ReadError::WriteOnly`].
    ///
    /// # Cancel safety
    ///
    /// Yes, as there.
    #[doc(alias = "read_to_end")]
    pub async fn read_to_eof(&mut self) -> Result<Bytes, ReadError> {
        self.reader.read_to_eof().await
    }

    /// As [`StreamReader::read_with`].
    ///
    /// # Errors
    ///
    /// As there, and [`ReadError::WriteOnly`].
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn read_with<T, E: From<ReadError>>(
        &mut self,
        parse: impl FnMut(&mut Reader) -> Result<Status<T>, E>,
    ) -> Result<T, E> {
        self.reader.read_with(parse).await
    }

    /// As [`StreamReader::lines`].
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// # let ((reader, writer), (_, mut peer)) = millpond::pair();
    /// # peer.write(b"one\ntwo\n")?;
    /// # drop(peer);
    /// # let mut stream = millpond::Stream::reunite(reader, writer).unwrap();
    /// let mut lines = stream.lines();
    /// while let Some(line) = lines.next().await {
    ///     print!("{}", line?.escape_ascii());
    /// }
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "__aiter__")]
    pub fn lines(&mut self) -> Lines<'_> {
        self.reader.lines()
    }

    /// As [`StreamReader::peek`].
    ///
    /// # Errors
    ///
    /// As there, and [`ReadError::WriteOnly`].
    ///
    /// # Cancel safety
    ///
    /// Yes, as there.
    pub async fn peek(&mut self, n: usize) -> Result<&[u8], ReadError> {
        self.reader.peek(n).await
    }

    /// As [`StreamReader::read_ref`].
    ///
    /// # Errors
    ///
    /// As there, and [`ReadError::WriteOnly`].
    ///
    /// # Cancel safety
    ///
    /// Yes, as there.
    pub async fn read_ref(&mut self, n: usize) -> Result<&[u8], ReadError> {
        self.reader.read_ref(n).await
    }

    /// As [`StreamReader::read_line_ref`].
    ///
    /// # Errors
    ///
    /// As there, and [`ReadError::WriteOnly`].
    ///
    /// # Cancel safety
    ///
    /// Yes, as there.
    pub async fn read_line_ref(&mut self) -> Result<&[u8], ReadError> {
        self.reader.read_line_ref().await
    }

    /// As [`StreamReader::read_exactly_ref`].
    ///
    /// # Errors
    ///
    /// As there, and [`ReadError::WriteOnly`].
    ///
    /// # Cancel safety
    ///
    /// Yes, as there.
    pub async fn read_exactly_ref(&mut self, n: usize) -> Result<&[u8], ReadError> {
        self.reader.read_exactly_ref(n).await
    }

    /// As [`StreamReader::read_until_ref`].
    ///
    /// # Errors
    ///
    /// As there, and [`ReadError::WriteOnly`].
    ///
    /// # Cancel safety
    ///
    /// Yes, as there.
    pub async fn read_until_ref(&mut self, separator: &Separator) -> Result<&[u8], ReadError> {
        self.reader.read_until_ref(separator).await
    }

    /// As [`StreamReader::buffered`].
    pub fn buffered(&self) -> &[u8] {
        self.reader.buffered()
    }

    /// As [`StreamReader::consume`].
    ///
    /// # Panics
    ///
    /// If fewer are buffered.
    pub fn consume(&mut self, n: usize) {
        self.reader.consume(n);
    }

    /// As [`StreamReader::at_eof`].
    pub fn at_eof(&self) -> bool {
        self.reader.at_eof()
    }

    /// As [`StreamReader::error`].
    #[doc(alias = "exception")]
    pub fn error(&self) -> Option<&TransportError> {
        self.reader.error()
    }

    /// As [`StreamReader::limit`].
    pub fn limit(&self) -> usize {
        self.reader.limit()
    }

    /// As [`StreamReader::set_limit`].
    ///
    /// # Panics
    ///
    /// If `limit` is 0.
    pub fn set_limit(&mut self, limit: usize) {
        self.reader.set_limit(limit);
    }
}

/// Writing.
impl Stream {
    /// As [`StreamWriter::write`]; [`write_all`](Self::write_all) drains, too.
    ///
    /// # Errors
    ///
    /// As there, and [`WriteError::ReadOnly`].
    pub fn write(&mut self, data: impl AsRef<[u8]>) -> Result<(), WriteError> {
        self.writer.write(data)
    }

    /// As [`StreamWriter::write_bytes`].
    ///
    /// # Errors
    ///
    /// As there, and [`WriteError::ReadOnly`].
    pub fn write_bytes(&mut self, data: Bytes) -> Result<(), WriteError> {
        self.writer.write_bytes(data)
    }

    /// As [`StreamWriter::write_vectored`].
    ///
    /// # Errors
    ///
    /// As there, and [`WriteError::ReadOnly`].
    #[doc(alias = "writelines")]
    pub fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<(), WriteError> {
        self.writer.write_vectored(bufs)
    }

    /// [`write`](Self::write), then [`drain`](Self::drain), as [`StreamWriter::write_all`].
    ///
    /// # Errors
    ///
    /// As there, and [`WriteError::ReadOnly`].
    ///
    /// # Cancel safety
    ///
    /// Yes, as there.
    #[doc(alias = "awrite")]
    pub async fn write_all(&mut self, data: impl AsRef<[u8]>) -> Result<(), WriteError> {
        self.writer.write_all(data).await
    }

    /// As [`StreamWriter::cork`].
    pub fn cork(&self) -> Cork {
        self.writer.cork()
    }

    /// As [`StreamWriter::drain`].
    ///
    /// # Errors
    ///
    /// As there, and [`WriteError::ReadOnly`].
    ///
    /// # Cancel safety
    ///
    /// Yes, as there.
    pub async fn drain(&mut self) -> Result<(), WriteError> {
        self.writer.drain().await
    }

    /// As [`StreamWriter::flush`].
    ///
    /// # Errors
    ///
    /// As there, and [`WriteError::ReadOnly`].
    ///
    /// # Cancel safety
    ///
    /// Yes, as there.
    pub async fn flush(&mut self) -> Result<(), WriteError> {
        self.writer.flush().await
    }

    /// As [`StreamWriter::queued`].
    #[doc(alias = "get_write_buffer_size")]
    pub fn queued(&self) -> usize {
        self.writer.queued()
    }

    /// As [`StreamWriter::is_paused`].
    pub fn is_paused(&self) -> bool {
        self.writer.is_paused()
    }

    /// As [`StreamWriter::set_watermarks`].
    ///
    /// # Panics
    ///
    /// If `low` is above `high`.
    #[doc(alias = "set_write_buffer_limits")]
    pub fn set_watermarks(&mut self, low: usize, high: usize) {
        self.writer.set_watermarks(low, high);
    }

    /// As [`StreamWriter::watermarks`].
    #[doc(alias = "get_write_buffer_limits")]
    pub fn watermarks(&self) -> (usize, usize) {
        self.writer.watermarks()
    }
}

/// Ending.
impl Stream {
    /// As [`StreamWriter::can_write_eof`].
    pub fn can_write_eof(&self) -> bool {
        self.writer.can_write_eof()
    }

    /// As [`StreamWriter::write_eof`].
    ///
    /// # Errors
    ///
    /// As there, and [`WriteError::ReadOnly`].
    pub fn write_eof(&mut self) -> Result<(), WriteError> {
        self.writer.write_eof()
    }

    /// As [`StreamWriter::close`].
    pub fn close(&mut self) {
        self.writer.close();
    }

    /// As [`StreamWriter::is_closing`].
    pub fn is_closing(&self) -> bool {
        self.writer.is_closing()
    }

    /// As [`StreamWriter::closed`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Yes, as there.
    pub fn closed(&self) -> Closed {
        self.writer.closed()
    }

    /// As [`StreamWriter::wait_closed`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Yes: it only waits.
    #[doc(alias = "aclose")]
    pub async fn wait_closed(&mut self) -> Result<(), WriteError> {
        self.writer.wait_closed().await
    }

    /// As [`StreamWriter::abort`].
    pub fn abort(&mut self) {
        self.writer.abort();
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("reader", &self.reader)
            .field("writer", &self.writer)
            .finish()
    }
}

/// Two halves that are not of one stream. See [`Stream::reunite`] for an example.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReuniteError {
    /// The one half.
    pub reader: StreamReader,
    /// The other one.
    pub writer: StreamWriter,
}

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reader and the writer are halves of different streams")
    }
}

impl Error for ReuniteError {}
