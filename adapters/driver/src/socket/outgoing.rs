//! What is written to of futures-io's streams, and the lock around each of them.

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::PoisonError,
    task::{Context, Poll, ready},
};

use futures_io::AsyncWrite;

use crate::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

/// A stream behind a lock, which is held during a poll and never across a wait; none any more once it was
/// given back.
pub(super) struct Locked<S>(Mutex<Option<S>>);

impl<S: Unpin> Locked<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(Mutex::new(Some(stream)))
    }

    /// One that panicked is no worse than one that fails.
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn poll<T>(
        &self,
        poll: impl FnOnce(Pin<&mut S>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut *self.lock() {
            Some(stream) => poll(Pin::new(stream)),
            None => Poll::Ready(Err(ErrorKind::NotConnected.into())),
        }
    }
}

pub(super) struct Outgoing<W> {
    pub(super) stream: Locked<W>,
    /// Whether something was written since it was flushed.
    unflushed: AtomicBool,
}

impl<W: Unpin> Outgoing<W> {
    pub(super) fn new(stream: W) -> Self {
        Self {
            stream: Locked::new(stream),
            unflushed: AtomicBool::new(false),
        }
    }

    pub(super) fn wants_flush(&self) -> bool {
        self.unflushed.load(Ordering::Acquire)
    }
}

impl<W: AsyncWrite + Unpin> Outgoing<W> {
    pub(super) fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.unflushed.store(true, Ordering::Release);
        self.stream.poll(|stream| stream.poll_write(cx, buf))
    }

    pub(super) fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unflushed.store(true, Ordering::Release);
        self.stream
            .poll(|stream| stream.poll_write_vectored(cx, bufs))
    }

    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(self.stream.poll(|stream| stream.poll_flush(cx)));
        self.unflushed.store(false, Ordering::Release);
        Poll::Ready(flushed)
    }

    pub(super) fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll(|stream| stream.poll_close(cx))
    }
}
