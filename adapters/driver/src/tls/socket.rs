//! A socket with TLS on it.

use std::{
    io::{self, IoSlice, Read, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::{
    TlsStream,
    rustls::{self, CommonState, ConnectionCommon, IoState, ProtocolVersion, SideData},
};
use millpond_core::{TransportError, Truncated};

use super::{
    Terms, Truncation,
    failure::{self, Side},
    guard::Guard,
    waiting::Waiting,
};
use crate::{
    runtime::Hold,
    socket::{ExtraInfo, SockRef, Socket, TlsInfo},
    sync::{Mutex, MutexGuard},
};

/// Both directions use one TLS session, under a lock that is held during a poll and never across a
/// wait.
///
/// Reading may have to write and the other way round, so the socket below sees one waker, which
/// wakes the tasks of both directions.
pub(super) struct TlsSocket {
    session: Mutex<Session>,
    below: Arc<dyn Socket>,
    waiting: Arc<Waiting>,
    waker: Waker,
    ending: Ending,
    info: TlsInfo,
}

/// What the end of one direction is to the other one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    /// Its own, too.
    Both,
    /// Nothing.
    Alone,
}

struct Session {
    stream: TlsStream<Guard>,
    truncation: Truncation,
    /// What reading has failed with. What was received before is read first.
    failed: Option<TransportError>,
    /// The error of a write: the system reports a reset once, and then an end.
    broken: Option<TransportError>,
    /// Whether the socket below has something to flush.
    below_unflushed: bool,
    ours: Ours,
    theirs: Theirs,
}

/// The direction away from this side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ours {
    Open,
    /// close_notify is sent or on its way, and nothing follows.
    Ended,
}

/// The direction to this side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Theirs {
    Open,
    /// The peer has sent it, and everything before it was read.
    Ended,
}

impl TlsSocket {
    pub(super) fn new(
        stream: TlsStream<Guard>,
        below: Arc<dyn Socket>,
        waiting: Arc<Waiting>,
        terms: &Terms,
        server_name: Option<String>,
    ) -> Self {
        let (_, state) = stream.get_ref();
        // Before TLS 1.3, the end of one direction is always the end of both.
        let can_end_alone =
            state.protocol_version() == Some(ProtocolVersion::TLSv1_3) && below.can_write_eof();
        let ending = match terms.half_close && can_end_alone {
            true => Ending::Alone,
            false => Ending::Both,
        };
        let server_name = match &stream {
            TlsStream::Client(_) => server_name,
            TlsStream::Server(stream) => stream.get_ref().1.server_name().map(ToOwned::to_owned),
        };
        let info = TlsInfo::new(state, server_name);
        Self {
            ending,
            session: Mutex::new(Session {
                stream,
                truncation: terms.truncation,
                failed: None,
                broken: None,
                below_unflushed: true,
                ours: Ours::Open,
                theirs: Theirs::Open,
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
        write: impl FnOnce(&mut Session, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.waiting.writer.register(cx.waker());
        let _hold = Hold::new();
        let mut session = self.lock();
        let written = write(&mut session, &mut Context::from_waker(&self.waker));
        session.noting(written)
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
                Ok(n) => {
                    if n == 0 {
                        self.theirs = Theirs::Ended;
                    }
                    return Poll::Ready(Ok(n));
                }
                Err(error) => self.failed = Some(self.explain(error)),
            }
        }
        // What was received before the failure comes first.
        Poll::Ready(match (self.read_received(buf), &self.failed) {
            (Ok(n), Some(_)) if n > 0 => Ok(n),
            (_, Some(error)) => self.ended_badly(error.clone()),
            (received, None) => received,
        })
    }

    /// Looks at what has come while nothing waits to be read: the peer may have refused what it was
    /// sent, or ended the stream, and there may be no task that reads. Whether something has come.
    ///
    /// A reader that waits has been woken for it: it waits only while the guard is quiet.
    fn look(&mut self, cx: &mut Context<'_>) -> bool {
        if self.ours == Ours::Ended || self.theirs == Theirs::Ended || self.failed.is_some() {
            return false;
        }
        let mut received_some = false;
        self.stream.get_mut().0.begin_poll();
        while self.state().wants_read() {
            let received = match self.poll_receive(cx) {
                Poll::Pending => return received_some,
                Poll::Ready(received) => received,
            };
            received_some = true;
            if let Err(error) = received {
                self.failed = Some(self.explain(error));
                return received_some;
            }
        }
        let state = self.io_state();
        if state.is_ok_and(|it| it.peer_has_closed() && it.plaintext_bytes_to_read() == 0) {
            self.theirs = Theirs::Ended;
        }
        received_some
    }

    /// Says what an alert means.
    fn explain(&self, error: io::Error) -> TransportError {
        let side = match self.stream {
            TlsStream::Client(_) => Side::Client,
            TlsStream::Server(_) => Side::Server,
        };
        TransportError::from(match error.kind() == io::ErrorKind::InvalidData {
            true => failure::explain(side, error),
            false => error,
        })
    }

    /// Reads once into the session.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            TlsStream::Client(stream) => {
                let (guard, session) = stream.get_mut();
                receive(guard, session, cx)
            }
            TlsStream::Server(stream) => {
                let (guard, session) = stream.get_mut();
                receive(guard, session, cx)
            }
        }
    }

    fn io_state(&mut self) -> Result<IoState, rustls::Error> {
        match &mut self.stream {
            TlsStream::Client(stream) => stream.get_mut().1.process_new_packets(),
            TlsStream::Server(stream) => stream.get_mut().1.process_new_packets(),
        }
    }

    fn poll_peer_closed(
        &mut self,
        below: &dyn Socket,
        ending: Ending,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.look(cx) {
            self.answer(below, cx);
        }
        match &self.failed {
            Some(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                Poll::Ready(Err(error.clone().into()))
            }
            _ if ending == Ending::Alone => Poll::Pending,
            // The plaintext before it comes first.
            Some(_) if !self.state().wants_read() => Poll::Pending,
            Some(error) => Poll::Ready(self.ended_badly(error.clone()).map(|_| ())),
            None if self.theirs == Theirs::Ended => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.stream.get_mut().0.begin_poll();
        match self.ours {
            Ours::Open => self.stream().poll_read(cx, buf),
            // With debug assertions, rustls panics when what comes after close_notify is no TLS
            // (https://github.com/rustls/rustls/issues/959). No peer shall do that to a program.
            Ours::Ended => {
                let read = AssertUnwindSafe(|| self.stream().poll_read(cx, buf));
                catch_unwind(read).unwrap_or_else(|_| {
                    let error = "the peer has sent something else than TLS after its end";
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

    /// What TLS has to say leaves without being asked for: keys to be renewed and alerts to be given do
    /// not wait for the next write. What the socket does not take now is `wants_flush`'s.
    fn answer(&mut self, below: &dyn Socket, cx: &mut Context<'_>) {
        self.answer_new_keys();
        if self.state().wants_write() {
            self.below_unflushed = true;
            let flushed = self.poll_flush(below, cx);
            let _later = self.noting(flushed);
        }
    }

    /// Keeps the error of a write for reads. Not that the peer takes no more: that may
    /// follow its proper end.
    fn noting<T>(&mut self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        written.map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                return error;
            }
            let error = TransportError::from(error);
            self.broken.get_or_insert_with(|| error.clone());
            error.into()
        })
    }

    fn ended_badly(&self, error: TransportError) -> io::Result<usize> {
        // So futures-rustls says that the peer has ended the connection, but not TLS.
        if error.kind() != io::ErrorKind::UnexpectedEof {
            return Err(error.into());
        }
        if let Some(broken) = &self.broken {
            return Err(broken.clone().into());
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
        self.look(cx);
        self.check()?;
        if self.state().wants_write() {
            ready!(self.stream().poll_flush(cx))?;
        }
        self.below_unflushed = true;
        Poll::Ready(Ok(()))
    }

    /// # Errors
    ///
    /// If the last message of either side is an alert.
    fn check(&self) -> io::Result<()> {
        match &self.failed {
            Some(error) if error.kind() == io::ErrorKind::InvalidData => Err(error.clone().into()),
            Some(_) | None => Ok(()),
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was written has to arrive, but a peer that is gone needs no farewell.
        if self.ours == Ours::Open {
            self.look(cx);
            self.check()?;
            ready!(self.stream().poll_flush(cx))?;
            self.ours = Ours::Ended;
        }
        let closed = self.stream().poll_close(cx);
        match ready!(self.noting(closed)) {
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

/// Reads once from the socket below, as futures-rustls does, which offers no other way than to take
/// the plaintext.
fn receive<S: SideData>(
    guard: &mut Guard,
    session: &mut ConnectionCommon<S>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    struct Below<'a, 'b>(&'a mut Guard, &'a mut Context<'b>);

    impl Read for Below<'_, '_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            match Pin::new(&mut *self.0).poll_read(self.1, buf) {
                Poll::Ready(read) => read,
                Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
            }
        }
    }

    Poll::Ready(match session.read_tls(&mut Below(guard, cx)) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => {
            let processed = session.process_new_packets().map(|_| ());
            processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
        Err(error) => Err(error),
    })
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
        session.answer(&*self.below, cx);
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

    fn poll_peer_closed(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.for_writing(cx, |session, cx| {
            session.poll_peer_closed(&*self.below, self.ending, cx)
        })
    }

    fn abort(&self) {
        self.below.abort();
    }

    fn can_write_eof(&self) -> bool {
        self.ending == Ending::Alone
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
