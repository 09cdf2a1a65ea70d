//! A socket with TLS on it.

use std::{
    io::{self, IoSlice, Read, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Wake, Waker, ready},
};

use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::{
    TlsStream,
    rustls::{CommonState, ProtocolVersion},
};
use millpond_core::{TransportError, Truncated};

use super::{Truncation, guard::Guard, info::TlsInfo};
use crate::{
    extra_info::ExtraInfo,
    inline::Hold,
    os::SockRef,
    socket::Socket,
    sync::{AtomicWaker, Mutex, MutexGuard},
};

/// Both directions use one TLS session, under a lock that is held during a poll and never across a
/// wait.
///
/// Reading may have to write and the other way round, so the socket below only sees one waker, that
/// wakes whoever waits for either direction.
pub(super) struct TlsSocket {
    session: Mutex<Session>,
    below: Arc<dyn Socket>,
    waiting: Arc<Waiting>,
    waker: Waker,
    half_close: bool,
    info: TlsInfo,
}

struct Session {
    stream: TlsStream<Guard>,
    truncation: Truncation,
    /// What reading has failed with, while there was still plaintext from before.
    failed: Option<TransportError>,
    /// Whether the socket below has something to flush.
    below_unflushed: bool,
    ours: Ours,
}

/// The direction away from this side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ours {
    Open,
    /// The peer is being told of its end, and nothing follows.
    Ended,
}

#[derive(Default)]
struct Waiting {
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.reader.wake();
        self.writer.wake();
    }
}

impl TlsSocket {
    pub(super) fn new(
        stream: TlsStream<Guard>,
        below: Arc<dyn Socket>,
        truncation: Truncation,
        server_name: Option<String>,
    ) -> Self {
        let (_, state) = stream.get_ref();
        // Before TLS 1.3, the end of one direction is the end of both.
        let half_close = state.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let server_name = match &stream {
            TlsStream::Client(_) => server_name,
            TlsStream::Server(stream) => stream.get_ref().1.server_name().map(ToOwned::to_owned),
        };
        let info = TlsInfo::new(state, server_name);
        let waiting = Arc::new(Waiting::default());
        Self {
            half_close: half_close && below.can_write_eof(),
            session: Mutex::new(Session {
                stream,
                truncation,
                failed: None,
                below_unflushed: true,
                ours: Ours::Open,
            }),
            below,
            waker: Waker::from(waiting.clone()),
            waiting,
            info,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn for_writing<T>(
        &self,
        cx: &Context<'_>,
        write: impl FnOnce(&mut Session, &mut Context<'_>) -> T,
    ) -> T {
        self.waiting.writer.register(cx.waker());
        let _hold = Hold::new();
        write(&mut self.lock(), &mut Context::from_waker(&self.waker))
    }
}

impl Session {
    fn stream(&mut self) -> Pin<&mut TlsStream<Guard>> {
        Pin::new(&mut self.stream)
    }

    fn state(&self) -> &CommonState {
        self.stream.get_ref().1
    }

    /// Plaintext that was received and can be read without the socket.
    fn read_received(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.stream {
            TlsStream::Client(stream) => stream.get_mut().1.reader().read(buf),
            TlsStream::Server(stream) => stream.get_mut().1.reader().read(buf),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.failed.is_none() {
            match ready!(self.poll_stream(cx, buf)) {
                Ok(n) => return Poll::Ready(Ok(n)),
                Err(error) => self.failed = Some(error.into()),
            }
        }
        // What was received before the failure comes first.
        match (self.read_received(buf), self.failed.take()) {
            (Ok(n), Some(error)) if n > 0 => {
                self.failed = Some(error);
                Poll::Ready(Ok(n))
            }
            (_, Some(error)) => Poll::Ready(self.ended_badly(error)),
            (received, None) => Poll::Ready(received),
        }
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.stream.get_mut().0.begin_poll();
        match self.ours {
            Ours::Open => self.stream().poll_read(cx, buf),
            // With debug assertions, rustls panics when what comes after its goodbye is no TLS
            // (https://github.com/rustls/rustls/issues/959). No peer shall do that to a program.
            Ours::Ended => {
                let read = AssertUnwindSafe(|| self.stream().poll_read(cx, buf));
                catch_unwind(read).unwrap_or_else(|_| {
                    let error = "what the peer has sent after the end is not TLS";
                    Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)))
                })
            }
        }
    }

    /// rustls keeps the answer to a peer that renews its keys until something is written, if only
    /// nothing. One answer is under way at a time and serves for all that was asked meanwhile, so that
    /// a peer that only asks does not fill the memory.
    fn answer_new_keys(&mut self) {
        if self.ours == Ours::Open && !self.state().wants_write() {
            let _written = match &mut self.stream {
                TlsStream::Client(stream) => stream.get_mut().1.writer().write(&[]),
                TlsStream::Server(stream) => stream.get_mut().1.writer().write(&[]),
            };
        }
    }

    fn ended_badly(&self, error: TransportError) -> io::Result<usize> {
        // So futures-rustls says that the peer has ended the connection, but not TLS.
        if error.kind() != io::ErrorKind::UnexpectedEof {
            return Err(error.into());
        }
        match self.truncation {
            Truncation::Accepted => Ok(0),
            Truncation::Refused => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                TransportError::new(Truncated),
            )),
        }
    }

    /// Before more is written: what is in the session leaves first, as each write to it may add an
    /// answer to new keys.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = &self.failed {
            // The last thing that was said is an alert.
            if error.kind() == io::ErrorKind::InvalidData {
                return Poll::Ready(Err(error.clone().into()));
            }
        }
        if self.state().wants_write() {
            ready!(self.stream().poll_flush(cx))?;
        }
        self.below_unflushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was written has to arrive, but a peer that is gone needs no farewell.
        if self.ours == Ours::Open {
            ready!(self.stream().poll_flush(cx))?;
            self.ours = Ours::Ended;
        }
        match ready!(self.stream().poll_close(cx)) {
            Err(error) if is_gone(&error) => Poll::Ready(Ok(())),
            closed => Poll::Ready(closed),
        }
    }

    fn poll_flush(&mut self, below: &dyn Socket, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.stream().poll_flush(cx))?;
        // The peer may have asked once more while there was no room for the answer.
        self.answer_new_keys();
        if self.state().wants_write() {
            self.below_unflushed = true;
            ready!(self.stream().poll_flush(cx))?;
        }
        if self.below_unflushed {
            ready!(below.poll_flush(cx))?;
            self.below_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
    )
}

impl Socket for TlsSocket {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.waiting.reader.register(cx.waker());
        let _hold = Hold::new();
        let mut session = self.lock();
        let cx = &mut Context::from_waker(&self.waker);
        let read = session.poll_read(cx, buf);
        session.answer_new_keys();
        // Keys to be renewed and alerts to be given do not wait for the next write. What the socket
        // does not take now is `wants_flush`'s.
        if session.state().wants_write() {
            session.below_unflushed = true;
            let _later = session.poll_flush(&*self.below, cx);
        }
        read
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.for_writing(cx, |session, cx| {
            ready!(session.poll_ready(cx))?;
            session.stream().poll_write(cx, buf)
        })
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.for_writing(cx, |session, cx| {
            ready!(session.poll_ready(cx))?;
            session.stream().poll_write_vectored(cx, bufs)
        })
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.for_writing(cx, |session, cx| session.poll_flush(&*self.below, cx))
    }

    fn wants_flush(&self) -> bool {
        let session = self.lock();
        session.state().wants_write() || session.below_unflushed && self.below.wants_flush()
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.for_writing(cx, |session, cx| session.poll_close(cx))
    }

    fn abort(&self) {
        self.below.abort();
    }

    fn can_write_eof(&self) -> bool {
        self.half_close
    }

    fn extra_info(&self) -> ExtraInfo {
        ExtraInfo {
            tls: Some(self.info.clone()),
            ..self.below.extra_info()
        }
    }

    fn system_socket(&self) -> Option<SockRef<'_>> {
        self.below.system_socket()
    }
}
