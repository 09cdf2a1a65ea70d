//! Copying from one stream to another, and both ways at once.

use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use millpond_core::{ReadError, Request, WriteError};

use super::{Stream, StreamReader, StreamWriter, writer::Waiting};

/// Copies what `from` receives to `to`, up to its end, and waits until all of it is with the system.
/// Returns how many bytes that were. `to` stays open.
///
/// No more is read than `to` has room for: its watermarks bound what is queued, `from`'s limit what is
/// read ahead. Nothing is allocated for each piece.
///
/// # Errors
///
/// [`CopyError`], which has how much was written before. What was read and not written is still
/// [`buffered`](StreamReader::buffered) in `from`.
///
/// # Cancel safety
///
/// Yes: what was read and not written is still in `from`. How much was copied is lost with the future.
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// let ((_, mut client), (mut from, _)) = millpond::pair();
/// let ((mut server, _), (_, mut to)) = millpond::pair();
/// client.write(b"hello")?;
/// client.write_eof()?;
/// assert_eq!(millpond::copy(&mut from, &mut to).await?, 5);
/// assert_eq!(server.read(100).await?, "hello");
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
#[doc(alias = "copy_buf")]
pub async fn copy(from: &mut StreamReader, to: &mut StreamWriter) -> Result<u64, CopyError> {
    let mut copied = 0;
    let to = Waiting(to);
    let done = poll_fn(|cx| {
        ready!(poll_pieces(cx, from, to.0, &mut |n| copied += n))?;
        to.0.poll_flush(cx).map_err(CopyErrorCause::Write)
    });
    let done = done.await;
    done.map(|()| copied)
        .map_err(|cause| CopyError { copied, cause })
}

/// Copies both ways between two streams until both have ended; what a proxy does. Await the result,
/// which is how many bytes went from `left` to `right`, and from `right` to `left`.
///
/// An end is passed on as an end ([`write_eof`](StreamWriter::write_eof)), and the other direction goes
/// on; where a stream cannot end one direction alone, as over TLS, it is closed. A failure is passed on
/// as a reset: when a stream was reset, cut off or idle for longer than its
/// [`idle_timeout`](crate::StreamOptions::idle_timeout), both are aborted, so that no reader takes a part for
/// the whole.
///
/// While one stream takes nothing, the other is read up to its limit, so that its reset ends both. A reset
/// behind more than that is noticed when there is room again: an `idle_timeout` on both, which is off by
/// default, bounds how long that can take, and how long two silent peers are held.
///
/// # Errors
///
/// [`CopyError`] with what has failed first; it counts both directions.
///
/// # Cancel safety
///
/// Yes: what was read and not written is still in the streams, and they stay open.
///
/// # Examples
///
/// ```
/// use millpond::{Stream, copy_bidirectional};
///
/// /// Forwards a client to a server.
/// async fn forward(mut client: Stream, mut server: Stream) -> std::io::Result<()> {
///     let (sent, received) = copy_bidirectional(&mut client, &mut server).await?;
///     println!("{sent} bytes sent, {received} received");
///     Ok(())
/// }
/// ```
pub fn copy_bidirectional<'a>(
    left: &'a mut Stream,
    right: &'a mut Stream,
) -> CopyBidirectional<'a> {
    CopyBidirectional {
        left,
        right,
        to_right: OneWay::Copying,
        to_left: OneWay::Copying,
        progress: CopyProgress::default(),
    }
}

/// Both ways between two streams; made by [`copy_bidirectional`], which says what it does.
#[derive(Debug)]
#[must_use = "does nothing unless awaited"]
pub struct CopyBidirectional<'a> {
    left: &'a mut Stream,
    right: &'a mut Stream,
    to_right: OneWay,
    to_left: OneWay,
    progress: CopyProgress,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum OneWay {
    Copying,
    /// The end is being passed on.
    Ending,
    Done,
}

impl CopyBidirectional<'_> {
    /// How much was copied so far, to be looked at from elsewhere while this is awaited.
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// # let (one, mut client) = millpond::pair();
    /// # let (two, server) = millpond::pair();
    /// # let [mut left, mut right] = [one, two].map(|(r, w)| millpond::Stream::reunite(r, w).unwrap());
    /// # client.1.write("hello")?;
    /// # client.1.write_eof()?;
    /// # let (_server_reader, mut server) = server;
    /// # server.write_eof()?;
    /// let copying = millpond::copy_bidirectional(&mut left, &mut right);
    /// let progress = copying.progress();
    /// copying.await?;
    /// assert_eq!(progress.to_right(), 5);
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn progress(&self) -> CopyProgress {
        self.progress.clone()
    }

    fn poll_both(&mut self, cx: &Context<'_>) -> Poll<Result<(), CopyErrorCause>> {
        let Counts { to_right, to_left } = &*self.progress.0;
        let (left, right) = (&mut *self.left, &mut *self.right);
        let rightwards = self
            .to_right
            .poll(cx, &mut left.reader, &mut right.writer, to_right)?;
        let leftwards = self
            .to_left
            .poll(cx, &mut right.reader, &mut left.writer, to_left)?;
        match rightwards.is_ready() && leftwards.is_ready() {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }
}

impl Future for CopyBidirectional<'_> {
    type Output = Result<(u64, u64), CopyError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let done = ready!(this.poll_both(cx));
        let counts = (this.progress.to_right(), this.progress.to_left());
        Poll::Ready(done.map(|()| counts).map_err(|cause| {
            this.left.abort();
            this.right.abort();
            let copied = counts.0 + counts.1;
            CopyError { copied, cause }
        }))
    }
}

impl Drop for CopyBidirectional<'_> {
    fn drop(&mut self) {
        self.left.writer.stop_waiting();
        self.right.writer.stop_waiting();
    }
}

impl OneWay {
    fn poll(
        &mut self,
        cx: &Context<'_>,
        from: &mut StreamReader,
        to: &mut StreamWriter,
        count: &AtomicU64,
    ) -> Poll<Result<(), CopyErrorCause>> {
        loop {
            *self = match self {
                Self::Copying => {
                    ready!(poll_pieces(cx, from, to, &mut |n| {
                        count.fetch_add(n, Ordering::Relaxed);
                    }))?;
                    Self::Ending
                }
                Self::Ending => {
                    ready!(to.poll_end(cx)).map_err(CopyErrorCause::Write)?;
                    Self::Done
                }
                Self::Done => return Poll::Ready(Ok(())),
            };
        }
    }
}

/// Copies up to the end of `from`, which is not passed on.
fn poll_pieces(
    cx: &Context<'_>,
    from: &mut StreamReader,
    to: &mut StreamWriter,
    copied: &mut dyn FnMut(u64),
) -> Poll<Result<(), CopyErrorCause>> {
    loop {
        let there = ready!(from.poll_request(cx, Request::UpTo(usize::MAX)));
        let there = there.map_err(CopyErrorCause::Read)?;
        if there == 0 {
            return Poll::Ready(Ok(()));
        }
        let Poll::Ready(room) = to.poll_room(cx, there) else {
            return poll_failure(cx, from).map(|error| Err(CopyErrorCause::Read(error)));
        };
        let room = room.map_err(CopyErrorCause::Write)?;
        let piece = &from.buffered()[..room];
        to.write(piece).map_err(CopyErrorCause::Write)?;
        from.consume(room);
        copied(room as u64);
    }
}

/// Waits for a failure of `from` while there is no room for what it has: reads on, up to the limit.
fn poll_failure(cx: &Context<'_>, from: &mut StreamReader) -> Poll<ReadError> {
    let most = from.core.cap().unwrap_or(usize::MAX).min(from.limit());
    loop {
        let more = from.buffered().len() + 1;
        if more > most {
            return Poll::Pending;
        }
        match ready!(from.poll_request(cx, Request::Peek(more))) {
            Ok(there) if there == more => {}
            // The end of the stream, which is passed on behind the rest.
            Ok(_) => {
                return from
                    .error()
                    .map_or(Poll::Pending, |error| Poll::Ready(error.into()));
            }
            Err(error) => return Poll::Ready(error),
        }
    }
}

/// How much a [`CopyBidirectional`] has copied so far.
#[derive(Clone, Debug, Default)]
pub struct CopyProgress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    to_right: AtomicU64,
    to_left: AtomicU64,
}

impl CopyProgress {
    /// How many bytes went from the first stream to the second.
    ///
    /// See [`CopyBidirectional::progress`] for an example.
    pub fn to_right(&self) -> u64 {
        self.0.to_right.load(Ordering::Relaxed)
    }

    /// How many bytes went from the second stream to the first.
    ///
    /// See [`CopyBidirectional::progress`] for an example.
    pub fn to_left(&self) -> u64 {
        self.0.to_left.load(Ordering::Relaxed)
    }
}

/// Why [`copy`] or [`copy_bidirectional`] ended early.
///
/// It converts into an [`io::Error`] of the same kind.
///
/// ```
/// # futures_lite::future::block_on(async {
/// let ((_, mut client), (mut from, _)) = millpond::pair();
/// let (peer, (_, mut to)) = millpond::pair();
/// drop(peer);
/// client.write(b"hello")?;
/// client.write_eof()?;
/// let error = millpond::copy(&mut from, &mut to).await.unwrap_err();
/// assert_eq!(error.to_string(), "after 0 bytes were copied, writing failed: the transport failed: broken pipe");
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CopyError {
    /// How many bytes were written before, in both directions. Of the piece whose writing failed, which
    /// is not counted, a part may have been sent.
    pub copied: u64,
    /// What has failed.
    pub cause: CopyErrorCause,
}

/// What has failed in a [`CopyError`].
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "copying reads and writes")]
pub enum CopyErrorCause {
    /// Reading.
    Read(ReadError),
    /// Writing.
    Write(WriteError),
}

impl CopyError {
    /// The kind that it has as an I/O error: that of the cause.
    pub fn kind(&self) -> io::ErrorKind {
        match &self.cause {
            CopyErrorCause::Read(error) => error.kind(),
            CopyErrorCause::Write(error) => error.kind(),
        }
    }
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {} bytes were copied, ", self.copied)?;
        match &self.cause {
            CopyErrorCause::Read(error) => write!(f, "reading failed: {error}"),
            CopyErrorCause::Write(error) => write!(f, "writing failed: {error}"),
        }
    }
}

impl Error for CopyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            CopyErrorCause::Read(error) => error.source(),
            CopyErrorCause::Write(error) => error.source(),
        }
    }
}

impl From<CopyError> for io::Error {
    fn from(error: CopyError) -> Self {
        Self::new(error.kind(), error)
    }
}
