//! Two connected streams in memory.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice},
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
};

use super::{options::StreamOptions, reader::StreamReader, writer::StreamWriter};
use crate::{
    runtime::{self, Inline},
    socket::Socket,
    sync::{Mutex, MutexGuard},
};

/// As much as Linux takes at first on a loopback connection, roughly.
const CAPACITY: usize = 64 * 1024;

/// Two connected streams in memory, for tests that need no socket and no runtime.
///
/// They behave as a socket pair: each direction holds up to 64 KiB on its way, both sides can close,
/// half-close and abort. What is written beyond that waits in the writer and is delivered when the
/// other side reads. [`StreamOptions::pair`] has the settings. asyncio has no counterpart.
///
/// # Examples
///
/// ```
/// # futures_lite::future::block_on(async {
/// let ((mut reader, mut writer), (mut peer_reader, mut peer_writer)) = millpond::pair();
/// writer.write(b"ping\n")?;
/// assert_eq!(peer_reader.read_line().await?, "ping\n");
/// peer_writer.write(b"pong\n")?;
/// assert_eq!(reader.read_line().await?, "pong\n");
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
pub fn pair() -> ((StreamReader, StreamWriter), (StreamReader, StreamWriter)) {
    StreamOptions::new().pair(CAPACITY)
}

impl StreamOptions {
    /// Two connected streams in memory with these options, each of whose directions holds up to
    /// `capacity` bytes on their way.
    ///
    /// # Panics
    ///
    /// If `capacity` or the limit is 0, or the low watermark above the high one.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_lite::future::block_on(async {
    /// use millpond::StreamOptions;
    ///
    /// // Every byte has to make its way alone.
    /// let ((_, mut writer), (mut reader, _)) = StreamOptions::new().pair(1);
    /// writer.write(b"hello\n")?;
    /// assert_eq!(writer.queued(), 5);
    /// assert_eq!(reader.read_line().await?, "hello\n");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    pub fn pair(
        &self,
        capacity: usize,
    ) -> ((StreamReader, StreamWriter), (StreamReader, StreamWriter)) {
        let (left, right) = socket_pair(capacity);
        (
            self.open(left, Arc::new(Inline)),
            self.open(right, Arc::new(Inline)),
        )
    }
}

/// Two connected sockets in memory.
///
/// # Panics
///
/// If `capacity` is 0.
fn socket_pair(capacity: usize) -> (Box<dyn Socket>, Box<dyn Socket>) {
    assert!(capacity > 0, "a pair holds at least 1 byte on its way");
    let there = Arc::new(Pipe::new(capacity));
    let back = Arc::new(Pipe::new(capacity));
    let left = End {
        incoming: back.clone(),
        outgoing: there.clone(),
    };
    let right = End {
        incoming: there,
        outgoing: back,
    };
    (Box::new(left), Box::new(right))
}

/// One end of a pair.
struct End {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
}

/// One direction.
struct Pipe {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Invariant: at most `capacity` bytes.
    data: VecDeque<u8>,
    writing: Writing,
    reading: Reading,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Writing {
    #[default]
    Open,
    Finished,
    Reset,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Reading {
    #[default]
    Open,
    Gone,
}

impl Pipe {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            state: Mutex::default(),
        }
    }

    fn poll_read(&self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        let n = state.data.len().min(buf.len());
        if n == 0 && !buf.is_empty() {
            return match state.writing {
                Writing::Open => {
                    wait(state, |state| &mut state.reader, cx);
                    Poll::Pending
                }
                Writing::Finished => Poll::Ready(Ok(0)),
                Writing::Reset => Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
            };
        }
        let (front, back) = state.data.as_slices();
        let front = &front[..front.len().min(n)];
        buf[..front.len()].copy_from_slice(front);
        buf[front.len()..n].copy_from_slice(&back[..n - front.len()]);
        state.data.drain(..n);
        wake(state, |state| &mut state.writer);
        Poll::Ready(Ok(n))
    }

    fn poll_write(&self, cx: &Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        if state.reading == Reading::Gone || state.writing == Writing::Finished {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let mut written = 0;
        for buf in bufs {
            let room = self.capacity - state.data.len();
            let n = room.min(buf.len());
            state.data.extend(&buf[..n]);
            written += n;
        }
        if written == 0 {
            wait(state, |state| &mut state.writer, cx);
            return Poll::Pending;
        }
        wake(state, |state| &mut state.reader);
        Poll::Ready(Ok(written))
    }

    /// The write side ends, unless it has already: an end is not undone.
    fn end(&self, how: Writing) {
        let mut state = self.lock();
        if state.writing == Writing::Open {
            state.writing = how;
        }
        wake(state, |state| &mut state.reader);
    }

    /// The read side is gone: what is on its way is lost, and writing fails.
    fn leave(&self) {
        let mut state = self.lock();
        state.reading = Reading::Gone;
        wake(state, |state| &mut state.writer);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops the waker that was there after the lock is released: that may run anything.
fn wait(
    mut state: MutexGuard<'_, State>,
    who: impl FnOnce(&mut State) -> &mut Option<Waker>,
    cx: &Context<'_>,
) {
    let before = who(&mut state).replace(cx.waker().clone());
    drop(state);
    drop(before);
}

/// Wakes after the lock is released, and those of the stream are: the waker may run the other side.
fn wake(mut state: MutexGuard<'_, State>, who: impl FnOnce(&mut State) -> &mut Option<Waker>) {
    let waker = who(&mut state).take();
    drop(state);
    if let Some(waker) = waker {
        runtime::wake(waker);
    }
}

impl Socket for End {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.incoming.poll_read(cx, buf)
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.outgoing.poll_write(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.outgoing.poll_write(cx, bufs)
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.end(Writing::Finished);
        Poll::Ready(Ok(()))
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn abort(&self) {
        self.outgoing.end(Writing::Reset);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.incoming.leave();
        self.outgoing.end(Writing::Finished);
    }
}
