//! A socket as futures-rustls needs one.

use std::{
    future::poll_fn,
    io, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use futures_io::{AsyncRead, AsyncWrite, IoSlice};

use super::{progress::Progress, waiting::Waiting};
use crate::{connection::behind, runtime::Budget, socket::Socket};

/// What futures-rustls moves ciphertext with.
///
/// It spins when a write of 0 bytes succeeds, and forgets in a handshake that it has to flush when
/// flushing has to wait. So the one is an error here and the other never happens: the caller flushes
/// the socket below the TLS stream as well. And it reads for as long as something comes that is no
/// plaintext, be it for ever: so reading has a budget here.
pub(super) struct Guard {
    socket: Arc<dyn Socket>,
    /// What was received before TLS began and belongs to it.
    early: Bytes,
    /// Reads within one poll of the TLS stream, or within the handshake.
    budget: Budget,
    stage: Stage,
}

enum Stage {
    Handshake {
        progress: Arc<Progress>,
        /// What the socket had no room for when it was last asked: futures-rustls offers an alert once
        /// and then forgets it.
        refused: Vec<u8>,
    },
    /// It is polled with the waker of these alone.
    Stream(Arc<Waiting>),
}

impl Guard {
    pub(super) fn new(socket: Arc<dyn Socket>, early: Bytes, progress: Arc<Progress>) -> Self {
        Self {
            socket,
            early,
            budget: Budget::default(),
            stage: Stage::Handshake {
                progress,
                refused: Vec::new(),
            },
        }
    }

    /// The handshake has succeeded.
    pub(super) fn shaken(&mut self, waiting: Arc<Waiting>) {
        self.stage = Stage::Stream(waiting);
    }

    /// The handshake has failed: sends the alert, if there was no room for it before.
    pub(super) async fn send_alert(mut self) -> io::Result<()> {
        let refused = match &mut self.stage {
            Stage::Handshake { refused, .. } => mem::take(refused),
            Stage::Stream(_) => Vec::new(),
        };
        let mut rest = &refused[..];
        poll_fn(|cx| {
            while !rest.is_empty() {
                let n = ready!(Pin::new(&mut self).poll_write(cx, rest))?;
                rest = &rest[n..];
            }
            poll_flush(&*self.socket, cx)
        })
        .await
    }

    /// Another poll of the TLS stream begins, whose reader has a budget of its own.
    pub(super) fn begin_poll(&mut self) {
        self.budget.reset();
    }

    fn keep_refused(&mut self, bufs: &[IoSlice<'_>], written: &Poll<io::Result<usize>>) {
        let taken = match written {
            Poll::Pending => 0,
            Poll::Ready(Ok(n)) => *n,
            Poll::Ready(Err(_)) => usize::MAX,
        };
        if let Stage::Handshake { refused, .. } = &mut self.stage {
            *refused = behind(bufs, taken).collect::<Vec<_>>().concat();
        }
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.early.has_remaining() {
            let n = self.early.len().min(buf.len());
            self.early.copy_to_slice(&mut buf[..n]);
            if self.early.is_empty() {
                self.early = Bytes::new(); // gives the memory back
            }
            return Poll::Ready(Ok(n));
        }
        let read = match &self.stage {
            Stage::Stream(waiting) if waiting.is_quiet() => Poll::Pending,
            Stage::Stream(waiting) => {
                let waiting = waiting.clone();
                ready!(self.budget.poll_proceed(cx));
                waiting.set_quiet(true);
                let read = read(&*self.socket, cx, buf);
                if read.is_ready() {
                    waiting.set_quiet(false);
                }
                read
            }
            Stage::Handshake { progress, .. } => {
                let progress = progress.clone();
                ready!(self.budget.poll_proceed(cx));
                let read = read(&*self.socket, cx, buf);
                if let Poll::Ready(Ok(n)) = read {
                    progress.received(n);
                }
                read
            }
        };
        if read.is_pending() {
            self.budget.reset();
        }
        read
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = written(buf.len(), || self.socket.poll_write(cx, buf));
        self.get_mut().keep_refused(&[IoSlice::new(buf)], &written);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        let written = written(len, || self.socket.poll_write_vectored(cx, bufs));
        self.get_mut().keep_refused(bufs, &written);
        written
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// What is kept back below is sent first, and close_notify with it.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(poll_flush(&*self.socket, cx))?;
        self.socket.poll_close(cx)
    }
}

/// Flushes the socket, which the guard does not.
pub(super) fn poll_flush(socket: &dyn Socket, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    match socket.wants_flush() {
        true => socket.poll_flush(cx),
        false => Poll::Ready(Ok(())),
    }
}

/// Reads what TLS can believe.
pub(super) fn read(
    socket: &dyn Socket,
    cx: &mut Context<'_>,
    buf: &mut [u8],
) -> Poll<io::Result<usize>> {
    believable(buf.len(), || socket.poll_read(cx, buf))
}

fn written(len: usize, write: impl FnMut() -> Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
    Poll::Ready(match ready!(believable(len, write)) {
        Ok(0) if len > 0 => Err(io::Error::new(
            io::ErrorKind::WriteZero,
            "the transport wrote 0 bytes",
        )),
        result => result,
    })
}

/// Repeats what was interrupted, which would be the end of a handshake.
fn believable(
    len: usize,
    mut step: impl FnMut() -> Poll<io::Result<usize>>,
) -> Poll<io::Result<usize>> {
    loop {
        return Poll::Ready(match ready!(step()) {
            Ok(n) if n > len => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the transport reported {n} bytes moved of {len}"),
            )),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        task::Waker,
    };

    use super::*;

    /// Interrupts every other call.
    #[derive(Default)]
    struct Interrupting {
        last: AtomicBool,
    }

    impl Interrupting {
        fn moves(&self, n: usize) -> Poll<io::Result<usize>> {
            match self.last.fetch_not(Ordering::Relaxed) {
                false => Poll::Ready(Err(io::ErrorKind::Interrupted.into())),
                true => Poll::Ready(Ok(n)),
            }
        }
    }

    impl Socket for Interrupting {
        fn poll_read(&self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            self.moves(buf.len())
        }

        fn poll_write(&self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.moves(buf.len())
        }

        fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn what_was_interrupted_is_repeated() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut guard = Guard::new(
            Arc::new(Interrupting::default()),
            Bytes::new(),
            Arc::default(),
        );
        let mut guard = Pin::new(&mut guard);
        let read = guard.as_mut().poll_read(&mut cx, &mut [0; 3]);
        assert!(matches!(read, Poll::Ready(Ok(3))), "{read:?}");
        let written = guard.as_mut().poll_write(&mut cx, b"four");
        assert!(matches!(written, Poll::Ready(Ok(4))), "{written:?}");
        let bufs = [IoSlice::new(b"one"), IoSlice::new(b"two")];
        let written = guard.as_mut().poll_write_vectored(&mut cx, &bufs);
        assert!(matches!(written, Poll::Ready(Ok(3))), "{written:?}");
    }
}
