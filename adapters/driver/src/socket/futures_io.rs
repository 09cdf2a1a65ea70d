//! Any futures-io stream as a socket.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::PoisonError,
    task::{Context, Poll, ready},
};

use futures_io::{AsyncRead, AsyncWrite};

use super::Socket;
use crate::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

/// Any futures-io stream as a [`Socket`].
///
/// The stream is one object that both directions poll, so there is a lock around it; it is held
/// during a poll and never across a wait.
///
/// # Examples
///
/// ```
/// use futures_io::{AsyncRead, AsyncWrite};
/// use millpond::{FuturesIo, adapter::Socket};
///
/// fn socket(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Box<dyn Socket> {
///     Box::new(FuturesIo::new(stream))
/// }
/// ```
pub struct FuturesIo<S> {
    stream: Mutex<S>,
    /// Whether something was written since it was flushed.
    unflushed: AtomicBool,
}

impl<S> FuturesIo<S> {
    /// Wraps a stream. See [`StreamOptions::open`](crate::StreamOptions::open) for an example.
    pub fn new(stream: S) -> Self {
        Self {
            stream: Mutex::new(stream),
            unflushed: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, S> {
        // A stream that panicked is no worse than one that fails.
        let stream = self.stream.lock();
        stream.unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Socket for FuturesIo<S> {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_read(cx, buf)
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.unflushed.store(true, Ordering::Release);
        Pin::new(&mut *self.lock()).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unflushed.store(true, Ordering::Release);
        Pin::new(&mut *self.lock()).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut *self.lock()).poll_flush(cx));
        self.unflushed.store(false, Ordering::Release);
        Poll::Ready(flushed)
    }

    fn wants_flush(&self) -> bool {
        self.unflushed.load(Ordering::Acquire)
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_close(cx)
    }
}

impl<S> fmt::Debug for FuturesIo<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FuturesIo")
            .field(&std::any::type_name::<S>())
            .finish()
    }
}
