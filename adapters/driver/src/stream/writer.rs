//! The send half of a stream, for `async`.

use std::{fmt, future::poll_fn, io::IoSlice, sync::Arc};

use bytes::Bytes;
use millpond_core::{WriteError, Writer};

use super::{cork::Cork, transport::Transport};
use crate::{
    connection::{Closed, Connection, ShutdownRequested, Ticket},
    runtime::Budget,
    socket::ExtraInfo,
};

/// The send half of a stream: asyncio's `StreamWriter` on any runtime.
///
/// [`write`](Self::write) does not wait: it sends what the socket takes at once and queues the rest,
/// which is delivered in the background without another await, and even after the
/// writer is dropped. Small answers to a peer that pipelines leave together. [`drain`](Self::drain) waits while
/// too much is queued; a program that writes much calls it after each write, or uses
/// [`write_all`](Self::write_all).
///
/// Dropping the writer ends the stream as [`write_eof`](Self::write_eof) does: what is queued is
/// delivered, then the peer sees the end, and the reader goes on; where no direction
/// [ends alone](Self::can_write_eof), it ends with the reader. [`close`](Self::close) ends both
/// directions, and so does dropping the second of both halves. `Differs from asyncio:` that is an
/// orderly end, and nothing warns of it.
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// let ((_, mut writer), (mut reader, _)) = millpond::pair();
/// writer.write(b"hello ")?;
/// writer.write(b"world")?;
/// writer.drain().await?;
/// writer.close();
/// writer.wait_closed().await?;
/// assert_eq!(reader.read_to_eof().await?, "hello world");
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
#[doc(alias = "BufWriter")]
#[doc(alias = "AsyncWrite")]
pub struct StreamWriter {
    pub(super) connection: Arc<Connection>,
    /// The connection's, as it was when TLS began last.
    extra_info: Arc<ExtraInfo>,
    pub(super) budget: Budget,
    /// That of this writer where it waits, of which there is one wait at a time.
    pub(super) ticket: Ticket,
}

/// Writing.
impl StreamWriter {
    /// Writes `data` without waiting: what the socket does not take at once is queued, and
    /// delivered in the background. It is whatever is bytes: `b".."`, `&str`, `String`, `&[u8]`,
    /// [`Bytes`]; a large array by reference, as otherwise it is moved.
    ///
    /// A program that writes much must [`drain`](Self::drain) now and then; [`write_all`](Self::write_all)
    /// is both in one.
    ///
    /// On a runtime a write of less than 8 KiB waits while this stream's reader has more than it has answered
    /// with: the answers to a peer that pipelines leave together. They leave with the first write after the
    /// last answer, before a read asks the socket, when the task yields, in a [`flush`](Self::flush) or a
    /// [`drain`](Self::drain) that has to wait, with a larger write, above the high watermark, and at the
    /// end. A program that computes for long between two such answers, without awaiting anything, calls
    /// `flush` before. When nothing is left to read, a write leaves at once. `Differs from asyncio:` there each
    /// write leaves at once.
    ///
    /// # Errors
    ///
    /// [`WriteError::Finished`] after [`write_eof`](Self::write_eof), [`WriteError::Closed`] after
    /// [`close`](Self::close) or [`abort`](Self::abort), [`WriteError::Transport`] if the transport
    /// has failed, [`WriteError::PeerClosed`] if the peer has closed a stream with TLS.
    /// `Differs from asyncio:` a failure is reported by the next write at the latest.
    ///
    /// [`WriteError::CapExceeded`] if more would be queued than
    /// [`write_cap`](crate::StreamOptions::write_cap) allows; then nothing of `data` is sent or
    /// queued, and the stream goes on. There is no cap by default.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use millpond::WriteError;
    ///
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"hello")?;
    /// assert_eq!(reader.read(10).await?, "hello");
    /// writer.close();
    /// assert_eq!(writer.write(b"?"), Err(WriteError::Closed));
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn write(&mut self, data: impl AsRef<[u8]>) -> Result<(), WriteError> {
        self.connection.write(data.as_ref())
    }

    /// Like [`write`](Self::write), but what must be queued is not copied if it is 8 KiB or more.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write_bytes("hello".into())?;
    /// assert_eq!(reader.read(10).await?, "hello");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn write_bytes(&mut self, data: Bytes) -> Result<(), WriteError> {
        self.connection.write_bytes(data)
    }

    /// Like [`write`](Self::write), for several pieces that leave together.
    ///
    /// `As in asyncio:` they are written one behind the other, without anything in between.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use std::io::IoSlice;
    ///
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write_vectored(&[IoSlice::new(b"head"), IoSlice::new(b"body")])?;
    /// assert_eq!(reader.read(10).await?, "headbody");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "writelines")]
    pub fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<(), WriteError> {
        self.connection.write_vectored(bufs)
    }

    /// [`write`](Self::write), then [`drain`](Self::drain): asyncio's two calls in one.
    ///
    /// It returns when the queue is below the high watermark, not when all is sent: that is
    /// [`flush`](Self::flush).
    ///
    /// `As in asyncio:` it is the `await writer.write(data)` of 3.8.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write) and [`drain`](Self::drain).
    ///
    /// # Cancel safety
    ///
    /// Yes: once it was polled, all of `data` is written or queued and will be delivered; dropping
    /// it then cancels the wait, not the data, which must not be written again.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write_all(b"hello").await?;
    /// assert_eq!(reader.read(10).await?, "hello");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "awrite")]
    pub async fn write_all(&mut self, data: impl AsRef<[u8]>) -> Result<(), WriteError> {
        self.write(data)?;
        self.drain().await
    }

    /// Holds small writes back until the [`Cork`] is dropped, so that they leave together, in one
    /// call of the socket; `Cork` says what leaves earlier. It is for a message in several parts, and for a task
    /// that only writes: answers to a peer that pipelines [leave together anyway](Self::write).
    ///
    /// asyncio has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// let cork = writer.cork();
    /// writer.write(b"three ")?;
    /// writer.write(b"small ")?;
    /// writer.write(b"writes\n")?;
    /// assert_eq!(writer.queued(), 19);
    /// drop(cork);
    /// assert_eq!(writer.queued(), 0);
    /// assert_eq!(reader.read_line().await?, "three small writes\n");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn cork(&self) -> Cork {
        Cork::new(self.connection.clone())
    }

    /// Waits while more is queued than the high watermark, until it is down to the low one.
    ///
    /// `As in asyncio:` it returns at once below the watermark, which does not mean that everything
    /// was sent: small writes that [wait for each other](Self::write) or for a [`cork`](Self::cork) do so after
    /// it, too.
    ///
    /// # Errors
    ///
    /// [`WriteError::Transport`] if the transport has failed, [`WriteError::Closed`] if the stream
    /// was aborted, [`WriteError::PeerClosed`] if the peer has closed a stream with TLS.
    ///
    /// # Cancel safety
    ///
    /// Yes: it only waits.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(&[0; 1_000_000])?;
    /// let all = futures_util::future::try_join(
    ///     async { Ok::<_, std::io::Error>(writer.drain().await?) },
    ///     async { Ok(reader.read_exactly(1_000_000).await?) },
    /// );
    /// all.await?;
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn drain(&mut self) -> Result<(), WriteError> {
        let waiting = Waiting(self);
        poll_fn(|cx| waiting.0.poll_drain(cx)).await
    }

    /// Waits until everything that was written is with the system, and so outlives this process.
    ///
    /// A socket or pipe has taken it then, though the peer may not have; what a thread writes, as to
    /// files and standard output, is written; and a futures-io stream below has been flushed, be it
    /// the program's own or TLS.
    ///
    /// asyncio has no counterpart.
    ///
    /// # Errors
    ///
    /// As [`drain`](Self::drain).
    ///
    /// # Cancel safety
    ///
    /// Yes: it only waits.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.write(b"hello")?;
    /// writer.flush().await?;
    /// assert_eq!(writer.queued(), 0);
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn flush(&mut self) -> Result<(), WriteError> {
        let waiting = Waiting(self);
        poll_fn(|cx| waiting.0.poll_flush(cx)).await
    }

    /// How many bytes were written and not yet taken by the transport.
    ///
    /// ```
    /// let ((_, mut writer), _peer) = millpond::StreamOptions::new().pair(10);
    /// writer.write(&[0; 100])?;
    /// assert_eq!(writer.queued(), 90);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "get_write_buffer_size")]
    pub fn queued(&self) -> usize {
        self.connection.inspect(Writer::queued)
    }

    /// Whether more is queued than the high watermark, or was and has not come down to the low one,
    /// so that [`drain`](Self::drain) would wait.
    ///
    /// ```
    /// let ((_, mut writer), _peer) = millpond::StreamOptions::new().watermarks(0, 50).pair(10);
    /// writer.write(&[0; 60])?;
    /// assert!(!writer.is_paused()); // 10 are on their way
    /// writer.write(&[0; 1])?;
    /// assert!(writer.is_paused());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn is_paused(&self) -> bool {
        self.connection.inspect(Writer::is_paused)
    }

    /// Sets other watermarks: writing pauses when more than `high` bytes are queued and resumes at
    /// `low`. They hold for what is queued already, too, and a drain is woken if writing
    /// resumes by that.
    ///
    /// `Differs from asyncio:` there a paused writer resumes with the next send at the earliest.
    ///
    /// # Panics
    ///
    /// If `low` is above `high`.
    ///
    /// # Examples
    ///
    /// ```
    /// let ((_, mut writer), _peer) = millpond::StreamOptions::new().pair(10);
    /// writer.write(&[0; 100])?;
    /// writer.set_watermarks(20, 80);
    /// assert!(writer.is_paused()); // 90 are queued
    /// writer.set_watermarks(90, 120);
    /// assert!(!writer.is_paused());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "set_write_buffer_limits")]
    pub fn set_watermarks(&mut self, low: usize, high: usize) {
        self.connection.set_watermarks(low, high);
    }

    /// The low and the high watermark, in bytes; by default 16 and 64 KiB.
    ///
    /// ```
    /// let ((_, writer), _peer) = millpond::pair();
    /// assert_eq!(writer.watermarks(), (16 * 1024, 64 * 1024));
    /// ```
    #[doc(alias = "get_write_buffer_limits")]
    pub fn watermarks(&self) -> (usize, usize) {
        self.connection.inspect(Writer::watermarks)
    }
}

/// Ending.
impl StreamWriter {
    /// Whether [`write_eof`](Self::write_eof) can end this direction and leave the other one open.
    ///
    /// `As in asyncio:` over TLS it is false, because few peers go on behind an end. Between those that
    /// know each other it can be allowed: `TlsConnector::half_close` and `TlsAcceptor::half_close`.
    ///
    /// ```
    /// let ((_, writer), _peer) = millpond::pair();
    /// assert!(writer.can_write_eof());
    /// ```
    pub fn can_write_eof(&self) -> bool {
        self.connection.can_write_eof()
    }

    /// Ends this direction (half-close) once everything queued is sent. Reading goes on.
    ///
    /// `As in asyncio:` it does nothing after the first time, and nothing after
    /// [`close`](Self::close) or [`abort`](Self::abort).
    ///
    /// # Errors
    ///
    /// [`WriteError::Transport`] if the transport has failed, so that the end cannot be sent.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((mut answer, mut ask), (mut request, mut reply)) = millpond::pair();
    /// ask.write(b"question")?;
    /// ask.write_eof()?;
    /// assert_eq!(request.read_to_eof().await?, "question");
    /// reply.write(b"answer")?;
    /// drop(reply);
    /// assert_eq!(answer.read_to_eof().await?, "answer");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "shutdown")]
    pub fn write_eof(&mut self) -> Result<(), WriteError> {
        self.connection.write_eof()
    }

    /// Closes both directions once everything queued is sent, in the background.
    ///
    /// A peer that has not taken it 30 s later is reset. What it still sends is read and dropped
    /// for a while (30 s and 16 MiB at the most), because closing with unread input would destroy
    /// what it has not read yet. Both need the clock of a runtime, and neither is for pipes;
    /// [`close_timeout`](crate::StreamOptions::close_timeout) and
    /// [`linger_timeout`](crate::StreamOptions::linger_timeout) set other times.
    ///
    /// `As in asyncio:` reads that wait then come to an end, and what has arrived can still be read.
    /// It does nothing after the first time.
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((mut reader, mut writer), _peer) = millpond::pair();
    /// writer.close();
    /// assert!(writer.is_closing());
    /// assert_eq!(reader.read(1).await?, "");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn close(&mut self) {
        self.connection.close();
    }

    /// Whether the stream was closed or aborted, or its transport has failed: by a reset of the peer for
    /// instance. Over TLS, whether the peer has closed it, too.
    ///
    /// `As in asyncio:` after [`write_eof`](Self::write_eof) alone it is not, nor after the peer's end
    /// where this side can still write behind it: [`at_eof`](crate::StreamReader::at_eof) knows of that.
    /// `Differs from asyncio:` there the event loop reads in the background; here this looks, without
    /// waiting, at what has come, and keeps it for the reader, up to its limit. To wait for the peer to
    /// leave there is [`closed`](Self::closed).
    ///
    /// ```
    /// let ((_, mut writer), _peer) = millpond::pair();
    /// assert!(!writer.is_closing());
    /// writer.close();
    /// assert!(writer.is_closing());
    /// ```
    pub fn is_closing(&self) -> bool {
        self.connection.is_closing()
    }

    /// Waits until the peer has ended the stream: `Ok` for an orderly end, and the reason for any other
    /// one. It ends as well when this side closes.
    ///
    /// It takes nothing: what comes meanwhile is kept for the reader, up to its limit. When so much is
    /// kept, an end behind it is only seen after the reader has taken some. If the reader is gone, what
    /// comes is dropped. What it gives borrows nothing, so that the stream can be used meanwhile.
    ///
    /// asyncio has no counterpart; there, such a task polls [`is_closing`](Self::is_closing) or
    /// [`at_eof`](crate::StreamReader::at_eof).
    ///
    /// # Errors
    ///
    /// [`ReadError::Transport`](crate::ReadError::Transport) if the peer has reset the connection, it has
    /// failed otherwise, or this side has aborted the stream;
    /// [`ReadError::Truncated`](crate::ReadError::Truncated) if it was truncated (known over TLS);
    /// [`ReadError::WriteOnly`](crate::ReadError::WriteOnly) if nothing can come from the peer.
    ///
    /// # Cancel safety
    ///
    /// Yes: it only waits, and can be asked again.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use std::{future::pending, pin::pin};
    ///
    /// use futures_util::future::{Either, select};
    ///
    /// let ((_reader, mut writer), peer) = millpond::pair();
    /// let mut closed = writer.closed();
    /// drop(peer);
    ///
    /// let work = async {
    ///     writer.write(b"progress\n").ok();
    ///     pending().await // for a long time
    /// };
    /// match select(pin!(work), &mut closed).await {
    ///     Either::Left(((), _)) => unreachable!("it takes too long"),
    ///     Either::Right((left, _)) => left?, // the result is not wanted any more
    /// }
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn closed(&self) -> Closed {
        Closed::new(&self.connection)
    }

    /// Waits until the stream is closed: everything is delivered to the transport, and the
    /// connection is released.
    ///
    /// `As in asyncio:` it does not close; without [`close`](Self::close) or
    /// [`abort`](Self::abort) it waits until the transport fails. `Differs from asyncio:` it can be
    /// dropped and asked again; and a failure is met by reading, by writing or with something queued,
    /// where asyncio reads in the background, too.
    ///
    /// `As in asyncio:` a peer that disconnects without an end (known over TLS) fails no close that has
    /// nothing left to deliver. Whether what came is all is what [`read`](crate::StreamReader::read)
    /// says.
    ///
    /// # Errors
    ///
    /// [`WriteError::Transport`] if the transport has failed, so that not everything was delivered.
    ///
    /// # Cancel safety
    ///
    /// Yes: it only waits.
    ///
    /// # Examples
    ///
    /// See [`StreamWriter`].
    #[doc(alias = "aclose")]
    pub async fn wait_closed(&mut self) -> Result<(), WriteError> {
        let waiting = Waiting(self);
        poll_fn(|cx| waiting.0.poll_closed(cx)).await
    }

    /// Drops what is queued and resets the connection.
    ///
    /// `Differs from asyncio:` a drain that waits fails, and so do reads of this side.
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// writer.abort();
    /// assert!(reader.read(1).await.is_err()); // connection reset
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn abort(&mut self) {
        self.connection.abort();
    }
}

impl StreamWriter {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self {
            extra_info: connection.extra_info(),
            connection,
            budget: Budget::default(),
            ticket: Ticket::default(),
        }
    }

    /// What is known of the connection: both addresses.
    ///
    /// ```no_run
    /// # fn show(writer: &millpond::StreamWriter) {
    /// if let Some(peer) = &writer.extra_info().peer_addr {
    ///     println!("connected to {peer}");
    /// }
    /// # }
    /// ```
    #[doc(alias = "get_extra_info")]
    pub fn extra_info(&self) -> &ExtraInfo {
        &self.extra_info
    }

    /// What is below both halves: to close or abort the stream from elsewhere, or to look at it.
    ///
    /// See [`Transport`] for an example.
    pub fn transport(&self) -> Transport {
        Transport::new(&self.connection)
    }

    /// Ends when a graceful shutdown of the server that accepted the stream has begun, so that a
    /// handler can finish what it does and return.
    ///
    /// What it gives borrows nothing, so that the stream can be used meanwhile. On a stream that no
    /// server has accepted, it ends when both halves are gone. asyncio has no counterpart.
    ///
    /// # Cancel safety
    ///
    /// Yes: it only waits, and can be asked again.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::pin::pin;
    ///
    /// use futures_util::future::{Either, select};
    /// use millpond::{StreamReader, StreamWriter};
    ///
    /// async fn handle(mut reader: StreamReader, mut writer: StreamWriter) -> std::io::Result<()> {
    ///     let mut shutdown = writer.shutdown_requested();
    ///     loop {
    ///         let line = match select(pin!(reader.read_line()), &mut shutdown).await {
    ///             Either::Left((line, _)) => line?,
    ///             Either::Right(_) => return Ok(writer.write(b"421 closing\r\n")?),
    ///         };
    ///         writer.write_all(&line).await?;
    ///     }
    /// }
    /// ```
    pub fn shutdown_requested(&self) -> ShutdownRequested {
        ShutdownRequested::new(Arc::downgrade(&self.connection))
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// The socket was exchanged.
    #[cfg(feature = "__tls")]
    pub(crate) fn refresh(&mut self) {
        self.extra_info = self.connection.extra_info();
    }
}

/// A wait of an `async fn`, which leaves nothing behind when it is dropped.
pub(super) struct Waiting<'a>(pub(super) &'a mut StreamWriter);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.stop_waiting();
    }
}

impl fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("StreamWriter");
        self.connection.describe(&mut debug);
        let core = self.connection.inspect(Writer::snapshot);
        debug.field("core", &core).finish()
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        self.stop_waiting();
        self.connection.drop_writer();
    }
}
