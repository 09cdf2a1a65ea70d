//! Two futures-io streams of one direction each, as one socket.

use std::{
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

/// What is read and what is written, each behind a lock of its own, which is held during a poll.
pub(crate) struct Halves<R, W> {
    reader: Mutex<R>,
    writer: Mutex<W>,
    /// Whether something was written since it was flushed.
    unflushed: AtomicBool,
}

impl<R, W> Halves<R, W> {
    pub(crate) fn new(reader: R, writer: W) -> Self {
        Self {
            reader: Mutex::new(reader),
            writer: Mutex::new(writer),
            unflushed: AtomicBool::new(false),
        }
    }
}

fn lock<T>(half: &Mutex<T>) -> MutexGuard<'_, T> {
    // One that panicked is no worse than one that fails.
    half.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<R, W> Socket for Halves<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.reader)).poll_read(cx, buf)
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.unflushed.store(true, Ordering::Release);
        Pin::new(&mut *lock(&self.writer)).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unflushed.store(true, Ordering::Release);
        Pin::new(&mut *lock(&self.writer)).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut *lock(&self.writer)).poll_flush(cx));
        self.unflushed.store(false, Ordering::Release);
        Poll::Ready(flushed)
    }

    fn wants_flush(&self) -> bool {
        self.unflushed.load(Ordering::Acquire)
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.writer)).poll_close(cx)
    }
}
