//! What is written to of futures-io's streams.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::PoisonError,
    task::{Context, Poll, ready},
};

use futures_io::AsyncWrite;

use crate::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

/// A stream behind a lock, which is held during a poll and never across a wait.
pub(super) struct Outgoing<W> {
    stream: Mutex<W>,
    /// Whether something was written since it was flushed.
    unflushed: AtomicBool,
}

/// Locks a stream. One that panicked is no worse than one that fails.
pub(super) fn lock<S>(stream: &Mutex<S>) -> MutexGuard<'_, S> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W> Outgoing<W> {
    pub(super) fn new(stream: W) -> Self {
        Self {
            stream: Mutex::new(stream),
            unflushed: AtomicBool::new(false),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, W> {
        lock(&self.stream)
    }

    pub(super) fn wants_flush(&self) -> bool {
        self.unflushed.load(Ordering::Acquire)
    }
}

impl<W: AsyncWrite + Unpin> Outgoing<W> {
    pub(super) fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.unflushed.store(true, Ordering::Release);
        Pin::new(&mut *self.lock()).poll_write(cx, buf)
    }

    pub(super) fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unflushed.store(true, Ordering::Release);
        Pin::new(&mut *self.lock()).poll_write_vectored(cx, bufs)
    }

    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut *self.lock()).poll_flush(cx));
        self.unflushed.store(false, Ordering::Release);
        Poll::Ready(flushed)
    }

    pub(super) fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_close(cx)
    }
}
