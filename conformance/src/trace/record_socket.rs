//! A socket that keeps a trace of what is read from it.

use std::{
    io::{self, IoSlice},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use millpond::{
    StreamMode,
    adapter::{Socket, os::SockRef},
    millpond_core::DEFAULT_LIMIT,
    types::ExtraInfo,
};

use super::types::{Line, Trace};

/// A [`Socket`] around another one that keeps a [`Trace`] of what is read: each chunk as it came, the
/// end, a failure.
///
/// It does what the socket alone does, so it can stay in a test suite. It costs one copy of each byte
/// that is read, and memory for as long as the [`Recording`] is kept.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use millpond::{StreamOptions, adapter::BoxFuture, types::FuturesIo};
/// use millpond_conformance::trace::RecordedSocket;
/// use smol::io::Cursor;
///
/// # smol::block_on(async {
/// let socket = FuturesIo::new(Cursor::new(b"hello\n".to_vec()));
/// let (socket, recording) = RecordedSocket::new(Box::new(socket));
/// let spawn = |task: BoxFuture<'static, ()>| smol::spawn(task).detach();
/// let (mut reader, _writer) = StreamOptions::new().open(Box::new(socket), Arc::new(spawn));
/// reader.read_to_eof().await?;
///
/// assert_eq!(
///     recording.trace().to_string(),
///     r#"{"trace":1,"limit":65536}
/// {"feed":"68656c6c6f0a"}
/// {"feed_eof":true}
/// "#,
/// );
/// # Ok::<(), millpond::ReadError>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct RecordedSocket {
    inner: Box<dyn Socket>,
    recording: Recording,
}

/// What a [`RecordedSocket`] has read; clones share it.
#[derive(Clone, Debug)]
pub struct Recording(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    trace: Trace,
    /// What comes after an end is none of the reader's business.
    ended: bool,
}

impl RecordedSocket {
    /// Wraps `inner`, for a reader with the default limit.
    pub fn new(inner: Box<dyn Socket>) -> (Self, Recording) {
        Self::with_limit(inner, DEFAULT_LIMIT)
    }

    /// Wraps `inner`, for a reader with this limit.
    ///
    /// # Panics
    ///
    /// If `limit` is 0.
    pub fn with_limit(inner: Box<dyn Socket>, limit: usize) -> (Self, Recording) {
        let recording = Recording(Arc::new(Mutex::new(State {
            trace: Trace::new(limit),
            ended: false,
        })));
        let socket = Self {
            inner,
            recording: recording.clone(),
        };
        (socket, recording)
    }
}

impl Recording {
    /// Everything up to now.
    pub fn trace(&self) -> Trace {
        self.lock().trace.clone()
    }

    fn read(&self, result: &io::Result<usize>, buf: &[u8]) {
        let mut state = self.lock();
        if state.ended || buf.is_empty() {
            return;
        }
        let line = match result {
            Ok(0) => Line::FeedEof,
            Ok(n) => Line::Feed(buf.get(..*n).unwrap_or(buf).to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return,
            Err(error) => Line::Fail(error.kind().into()),
        };
        state.ended = !matches!(line, Line::Feed(_));
        state.trace.push(line);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Socket for RecordedSocket {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let polled = self.inner.poll_read(cx, buf);
        if let Poll::Ready(result) = &polled {
            self.recording.read(result, buf);
        }
        polled
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.inner.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_write_vectored(cx, bufs)
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.poll_close(cx)
    }

    fn abort(&self) {
        self.inner.abort();
    }

    fn mode(&self) -> StreamMode {
        self.inner.mode()
    }

    fn can_write_eof(&self) -> bool {
        self.inner.can_write_eof()
    }

    fn extra_info(&self) -> ExtraInfo {
        self.inner.extra_info()
    }

    fn system_socket(&self) -> Option<SockRef<'_>> {
        self.inner.system_socket()
    }
}
