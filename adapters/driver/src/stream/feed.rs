//! A reader that the program feeds itself.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    io::{self, ErrorKind},
    mem,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use millpond_core::{TransportError, WriteError};

use super::{options::StreamOptions, reader::StreamReader};
use crate::{
    runtime::{self, Budget, Inline},
    socket::{Socket, StreamMode},
    sync::{Mutex, MutexGuard},
};

/// From this size on, a chunk of its own costs less than copying it.
const OWN_CHUNK: usize = 8 * 1024;

/// As much as a reader takes at once: gathering more would only be copied more often.
const BLOCK: usize = 64 * 1024;

/// A reader and what feeds it, with asyncio's defaults: for transports that call back, message
/// channels and tests. [`StreamOptions::fed`] has the settings.
///
/// `As in asyncio:` it is `StreamReader()` with its `feed_data`, `feed_eof` and `set_exception`,
/// which are here on a half of their own.
///
/// # Examples
///
/// A library calls back with whatever came in; lines come out:
///
/// ```
/// use std::{sync::mpsc, thread};
///
/// let (mut feeder, mut reader) = millpond::fed();
/// let (sender, messages) = mpsc::channel::<Vec<u8>>();
/// let source = thread::spawn(move || {
///     for message in messages {
///         if feeder.feed(&message).is_err() {
///             return; // the reader was dropped
///         }
///     }
///     feeder.feed_eof();
/// });
///
/// // Messages are cut anywhere.
/// for message in ["temperature 2", "1.5\nhumidity", " 40\n"] {
///     sender.send(message.into()).unwrap();
/// }
/// drop(sender);
///
/// # futures_lite::future::block_on(async {
/// assert_eq!(reader.read_line().await?, "temperature 21.5\n");
/// assert_eq!(reader.read_line().await?, "humidity 40\n");
/// assert_eq!(reader.read_line().await?, "");
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// # source.join().unwrap();
/// ```
pub fn fed() -> (Feeder, StreamReader) {
    StreamOptions::new().fed()
}

impl StreamOptions {
    /// A reader with these options and what feeds it, which is paused above twice the limit. The
    /// watermarks are not used.
    ///
    /// # Panics
    ///
    /// If the limit is 0, or the low watermark above the high one.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use millpond::{ReadError, StreamOptions};
    ///
    /// let (mut feeder, mut reader) = StreamOptions::new().limit(4).fed();
    /// feeder.feed(b"too long\nfits\n")?;
    /// assert_eq!(reader.read_line().await, Err(ReadError::LimitOverrun { consumed: 5 }));
    /// assert_eq!(reader.read_line().await?, "fits\n");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn fed(&self) -> (Feeder, StreamReader) {
        let shared = Arc::new(Shared::new(self.limit));
        let outlet = Box::new(Outlet(shared.clone()));
        let (reader, _) = self.open(outlet, Arc::new(Inline)); // a fed stream has no writer
        let budget = Budget::default();
        (Feeder { shared, budget }, reader)
    }
}

/// What feeds a [`StreamReader`]; made by [`fed`] and [`StreamOptions::fed`].
///
/// No method but [`drain`](Self::drain) waits, so a callback can call them. A read that waits is
/// woken by each of them that changes something, and by a drop.
///
/// Dropping it before [`feed_eof`](Self::feed_eof) or [`fail`](Self::fail) is a failure: the reader
/// gets what was fed, then [`ReadError::Transport`](crate::ReadError::Transport) of the kind
/// `UnexpectedEof`. So a source that panics is not taken for one that has ended.
///
/// # Memory
///
/// Small pieces are gathered, and when everything is taken no memory is held. What is fed is not
/// bounded by itself: a source that heeds [`is_paused`](Self::is_paused), or drains after each
/// piece, keeps it at twice the limit and one piece. What the reader has taken over is not counted
/// here; it takes up to 64 KiB at a time, and only when a read needs more than it has.
///
/// # Examples
///
/// A protocol is tested without a socket, byte by byte:
///
/// ```
/// use futures_lite::future::{block_on, poll_once};
/// use millpond::{ReadError, StreamReader};
///
/// /// What is to be tested: a length, a colon, and so many bytes.
/// async fn netstring(reader: &mut StreamReader) -> Result<String, ReadError> {
///     let head = reader.read_until(":").await?;
///     let len = head[..head.len() - 1].iter().fold(0, |len, digit| 10 * len + usize::from(digit - b'0'));
///     let text = reader.read_exactly(len).await?;
///     Ok(String::from_utf8_lossy(&text).into_owned())
/// }
///
/// let (mut feeder, mut reader) = millpond::fed();
/// let mut message = Box::pin(netstring(&mut reader));
/// for byte in b"5:hell" {
///     feeder.feed(&[*byte])?;
///     assert!(block_on(poll_once(&mut message)).is_none());
/// }
/// feeder.feed(b"o3:by")?;
/// assert_eq!(block_on(message)?, "hello");
///
/// feeder.feed_eof();
/// let cut_short = block_on(netstring(&mut reader));
/// assert!(matches!(cut_short, Err(ReadError::Incomplete { partial, .. }) if partial == "by"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "StreamReaderProtocol")]
pub struct Feeder {
    shared: Arc<Shared>,
    budget: Budget,
}

impl Feeder {
    /// Feeds a copy of `data`, whether paused or not. Empty `data` feeds nothing, and the answer
    /// is whether more would be taken.
    ///
    /// # Errors
    ///
    /// [`WriteError::Closed`] if the reader is gone, so that the source can stop;
    /// [`WriteError::Finished`] after [`feed_eof`](Self::feed_eof), [`WriteError::Transport`] after
    /// [`fail`](Self::fail). Then nothing of `data` is fed.
    ///
    /// `Differs from asyncio:` there, feeding after the end is an assertion, and feeding after
    /// `set_exception` is taken.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use millpond::WriteError;
    ///
    /// let (mut feeder, mut reader) = millpond::fed();
    /// feeder.feed(b"hel")?;
    /// feeder.feed(b"lo\n")?;
    /// assert_eq!(reader.read_line().await?, "hello\n");
    /// drop(reader);
    /// assert_eq!(feeder.feed(b"?"), Err(WriteError::Closed));
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "feed_data")]
    #[doc(alias = "data_received")]
    pub fn feed(&mut self, data: &[u8]) -> Result<(), WriteError> {
        self.shared.feed(|queue| queue.push(data))
    }

    /// Like [`feed`](Self::feed), but what is 8 KiB or more is not copied until it is read.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed).
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use millpond::Bytes;
    ///
    /// static PAGE: [u8; 10_000] = [b'x'; 10_000];
    /// let (mut feeder, mut reader) = millpond::fed();
    /// feeder.feed_bytes(Bytes::from_static(&PAGE))?;
    /// assert_eq!(reader.read_exactly(10_000).await?, &PAGE[..]);
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn feed_bytes(&mut self, data: Bytes) -> Result<(), WriteError> {
        if data.len() < OWN_CHUNK {
            return self.feed(&data);
        }
        self.shared.feed(move |queue| queue.push_bytes(data))
    }

    /// Ends the stream behind what was fed. It does nothing after the first time, and nothing after
    /// [`fail`](Self::fail).
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let (mut feeder, mut reader) = millpond::fed();
    /// feeder.feed(b"all of it")?;
    /// feeder.feed_eof();
    /// assert_eq!(reader.read_to_eof().await?, "all of it");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "eof_received")]
    pub fn feed_eof(&mut self) {
        self.shared.end(End::Eof);
    }

    /// Fails the stream behind what was fed: that can still be read, then every read reports
    /// `error`. It does nothing after the first time, and nothing after
    /// [`feed_eof`](Self::feed_eof).
    ///
    /// `Differs from asyncio:` `set_exception` hides what was fed before, and a later one takes its
    /// place.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use millpond::error::TransportError;
    ///
    /// let (mut feeder, mut reader) = millpond::fed();
    /// feeder.feed(b"last words\n")?;
    /// feeder.fail(TransportError::new("the modem hung up"));
    /// assert_eq!(reader.read_line().await?, "last words\n");
    /// let error = reader.read_line().await.unwrap_err();
    /// assert_eq!(error.to_string(), "the transport failed: the modem hung up");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "set_exception")]
    #[doc(alias = "connection_lost")]
    pub fn fail(&mut self, error: impl Into<TransportError>) {
        self.shared.end(End::Failed(error.into()));
    }

    /// Whether more than twice the limit is fed and not taken, or was and has not come down to the
    /// limit. The level of back-pressure: a source should stop while it is true.
    ///
    /// `As in asyncio:` the numbers are those of `pause_reading` and `resume_reading`. Here they
    /// hold for the limit that the reader was made with.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let (mut feeder, mut reader) = millpond::StreamOptions::new().limit(10).fed();
    /// feeder.feed(&[0; 20])?;
    /// assert!(!feeder.is_paused());
    /// feeder.feed(&[0; 80])?;
    /// assert!(feeder.is_paused());
    /// assert_eq!(reader.read_exactly(100).await?.len(), 100); // it takes all that it needs
    /// assert!(!feeder.is_paused());
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    #[doc(alias = "pause_reading")]
    #[doc(alias = "resume_reading")]
    pub fn is_paused(&self) -> bool {
        self.shared.lock().paused
    }

    /// Waits while more than twice the limit is fed and not taken, until it is down to the limit.
    ///
    /// # Errors
    ///
    /// [`WriteError::Closed`] if the reader is gone.
    ///
    /// # Cancel safety
    ///
    /// Yes: it only waits.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use millpond::WriteError;
    ///
    /// let (mut feeder, mut reader) = millpond::fed();
    /// let source = async {
    ///     for _ in 0..1000 {
    ///         feeder.feed(&[0; 1000])?;
    ///         feeder.drain().await?;
    ///         assert!(feeder.queued() <= 2 * millpond::millpond_core::DEFAULT_LIMIT);
    ///     }
    ///     feeder.feed_eof();
    ///     Ok::<_, std::io::Error>(())
    /// };
    /// let sink = async { Ok(reader.read_to_eof().await?) };
    /// let (_, all) = futures_util::future::try_join(source, sink).await?;
    /// assert_eq!(all.len(), 1_000_000);
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn drain(&mut self) -> Result<(), WriteError> {
        let Self { shared, budget } = self;
        // A source that feeds in a loop and is never paused must let others run, too.
        poll_fn(|cx| budget.poll_proceed(cx)).await;
        poll_fn(|cx| {
            let answer = shared.poll_drained(cx);
            if answer.is_pending() {
                budget.reset();
            }
            answer
        })
        .await
    }

    /// How many bytes were fed and not taken over by the reader.
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// let (mut feeder, mut reader) = millpond::fed();
    /// feeder.feed(b"hello")?;
    /// assert_eq!(feeder.queued(), 5);
    /// assert_eq!(reader.read(2).await?, "he");
    /// assert_eq!(feeder.queued(), 0); // the reader has the rest
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn queued(&self) -> usize {
        self.shared.lock().queue.len
    }
}

impl fmt::Debug for Feeder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        let (queued, paused, end) = (state.queue.len, state.paused, state.end.clone());
        drop(state); // an error may print anything
        f.debug_struct("Feeder")
            .field("queued", &queued)
            .field("paused", &paused)
            .field("end", &end)
            .finish()
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        let error = io::Error::new(
            ErrorKind::UnexpectedEof,
            "the feeder was dropped before feed_eof",
        );
        self.shared.end(End::Failed(error.into()));
    }
}

/// What a feeder and its reader share.
struct Shared {
    /// More than twice of it pauses, no more than it resumes.
    limit: usize,
    state: Mutex<State>,
}

struct State {
    queue: Queue,
    /// Invariant: true above twice the limit, false at or below the limit.
    paused: bool,
    end: End,
    /// The reader, if it waits for more.
    reader: Option<Waker>,
    /// The feeder, if it waits for less. Invariant: `None` unless paused.
    feeder: Option<Waker>,
}

/// The first end is the last word, except that the reader may go at any time.
#[derive(Clone, Debug)]
enum End {
    Open,
    Eof,
    Failed(TransportError),
    /// Invariant: the queue is empty.
    ReaderGone,
}

impl Shared {
    fn new(limit: usize) -> Self {
        let state = State {
            queue: Queue::default(),
            paused: false,
            end: End::Open,
            reader: None,
            feeder: None,
        };
        Self {
            limit,
            state: Mutex::new(state),
        }
    }

    /// `push` returns how many bytes it pushed. What it would have pushed is dropped when no lock is
    /// held, as arguments outlive locals.
    fn feed(&self, push: impl FnOnce(&mut Queue) -> usize) -> Result<(), WriteError> {
        let mut state = self.lock();
        match &state.end {
            End::Open => {}
            End::Eof => return Err(WriteError::Finished),
            End::Failed(error) => return Err(WriteError::Transport(error.clone())),
            End::ReaderGone => return Err(WriteError::Closed),
        }
        if push(&mut state.queue) > 0 {
            state.paused |= state.queue.len > self.limit.saturating_mul(2);
            let reader = state.reader.take();
            drop(state);
            wake(reader);
        }
        Ok(())
    }

    fn end(&self, end: End) {
        let mut state = self.lock();
        if !matches!(state.end, End::Open) {
            return;
        }
        state.end = end;
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }

    fn poll_drained(&self, cx: &Context<'_>) -> Poll<Result<(), WriteError>> {
        let mut state = self.lock();
        if let End::ReaderGone = state.end {
            return Poll::Ready(Err(WriteError::Closed));
        }
        if !state.paused {
            return Poll::Ready(Ok(()));
        }
        let replaced = state.feeder.replace(cx.waker().clone());
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    fn poll_read(&self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        if state.queue.len == 0 {
            return match &state.end {
                End::Open => {
                    let replaced = state.reader.replace(cx.waker().clone());
                    drop(state);
                    drop(replaced);
                    Poll::Pending
                }
                End::Eof | End::ReaderGone => Poll::Ready(Ok(0)),
                End::Failed(error) => Poll::Ready(Err(error.clone().into())),
            };
        }
        let piece = state.queue.take(buf.len());
        let mut feeder = None;
        if state.queue.len <= self.limit {
            state.paused = false;
            feeder = state.feeder.take();
        }
        drop(state);
        wake(feeder);
        buf[..piece.len()].copy_from_slice(&piece);
        Poll::Ready(Ok(piece.len()))
    }

    fn reader_gone(&self) {
        let mut state = self.lock();
        let end = mem::replace(&mut state.end, End::ReaderGone);
        let queue = mem::take(&mut state.queue);
        state.paused = false;
        let reader = state.reader.take();
        let feeder = state.feeder.take();
        drop(state);
        drop((end, queue, reader));
        wake(feeder);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// To be called when the lock is released.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        runtime::wake(waker);
    }
}

/// What was fed and not taken. It leaves in whole pieces, so that they are copied and dropped when
/// no lock is held: the memory may be the program's, with a destructor of its own.
#[derive(Default)]
struct Queue {
    /// Comes before `gathered`. Invariant: no chunk is empty.
    chunks: VecDeque<Bytes>,
    /// Small pieces, one behind the other, so that none costs more than its bytes.
    gathered: BytesMut,
    /// Invariant: the bytes in `chunks` and `gathered`.
    len: usize,
}

impl Queue {
    /// Returns the length of `data`.
    fn push(&mut self, data: &[u8]) -> usize {
        if self.gathered.len() + data.len() > BLOCK {
            self.close_gathered();
        }
        self.gathered.extend_from_slice(data);
        self.len += data.len();
        data.len()
    }

    /// Returns the length of `data`, which is not empty.
    fn push_bytes(&mut self, data: Bytes) -> usize {
        let n = data.len();
        self.close_gathered();
        self.chunks.push_back(data);
        self.len += n;
        n
    }

    /// Removes at most `n` bytes of the first chunk.
    fn take(&mut self, n: usize) -> Bytes {
        let first = self.chunks.pop_front();
        let mut first = first.unwrap_or_else(|| mem::take(&mut self.gathered).freeze());
        let piece = first.split_to(n.min(first.len()));
        if !first.is_empty() {
            self.chunks.push_front(first);
        }
        self.len -= piece.len();
        if self.len == 0 {
            *self = Self::default(); // gives the memory back
        }
        piece
    }

    fn close_gathered(&mut self) {
        if !self.gathered.is_empty() {
            let gathered = mem::take(&mut self.gathered);
            self.chunks.push_back(gathered.freeze());
        }
    }
}

/// The end of the queue that the reader reads from.
struct Outlet(Arc<Shared>);

impl Socket for Outlet {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buf)
    }

    fn poll_write(&self, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::Error::new(
            ErrorKind::Unsupported,
            "a stream that is fed can only be read",
        )))
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn mode(&self) -> StreamMode {
        StreamMode::Read
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.0.reader_gone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pieces_share_their_blocks() {
        let mut queue = Queue::default();
        for _ in 0..1_000_000 {
            queue.push(b"x");
        }
        assert!(queue.chunks.len() <= 1_000_000 / BLOCK);
        for _ in 0..1_000 {
            queue.push_bytes(vec![0; OWN_CHUNK].into());
            queue.push(b"x");
        }
        assert!(queue.chunks.len() <= 1_000_000 / BLOCK + 2_000);
    }

    #[test]
    fn an_empty_queue_holds_no_memory() {
        let mut queue = Queue::default();
        for _ in 0..100 {
            queue.push(b"small");
            queue.push_bytes(vec![0; OWN_CHUNK].into());
        }
        while queue.len > 0 {
            assert!(!queue.take(1_000).is_empty());
        }
        assert_eq!((queue.chunks.capacity(), queue.gathered.capacity()), (0, 0));
    }

    #[test]
    fn an_outlet_cannot_be_written_to() {
        let outlet = Outlet(Arc::new(Shared::new(1)));
        let written = outlet.poll_write(&mut Context::from_waker(Waker::noop()), b"x");
        assert!(
            matches!(written, Poll::Ready(Err(error)) if error.kind() == ErrorKind::Unsupported)
        );
    }
}
