//! A socket as futures-rustls needs one.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use futures_io::{AsyncRead, AsyncWrite, IoSlice};

use crate::socket::Socket;

/// What futures-rustls moves ciphertext with.
///
/// It spins when a write of 0 bytes succeeds, and forgets in a handshake that it has to flush when
/// flushing has to wait. So the one is an error here and the other never happens: whoever flushes the
/// TLS stream flushes the socket below it himself.
pub(super) struct Guard {
    socket: Arc<dyn Socket>,
    /// What was received before TLS began and belongs to it.
    early: Bytes,
}

impl Guard {
    pub(super) fn new(socket: Arc<dyn Socket>, early: Bytes) -> Self {
        Self { socket, early }
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let len = buf.len();
        if self.early.has_remaining() {
            let n = self.early.len().min(len);
            self.early.copy_to_slice(&mut buf[..n]);
            return Poll::Ready(Ok(n));
        }
        believable(ready!(self.socket.poll_read(cx, buf)), len)
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        written(ready!(self.socket.poll_write(cx, buf)), buf.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        written(ready!(self.socket.poll_write_vectored(cx, bufs)), len)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_close(cx)
    }
}

fn written(result: io::Result<usize>, len: usize) -> Poll<io::Result<usize>> {
    match result {
        Ok(0) if len > 0 => Poll::Ready(Err(io::Error::new(
            io::ErrorKind::WriteZero,
            "the transport wrote 0 bytes",
        ))),
        result => believable(result, len),
    }
}

fn believable(result: io::Result<usize>, len: usize) -> Poll<io::Result<usize>> {
    Poll::Ready(match result {
        Ok(n) if n > len => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the transport claims to have moved {n} of {len} bytes"),
        )),
        result => result,
    })
}
