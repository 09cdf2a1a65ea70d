//! Two futures-io streams of one direction each, as one socket.

use std::{
    any::Any,
    io::{self, IoSlice},
    task::{Context, Poll},
};

use futures_io::{AsyncRead, AsyncWrite};

use super::{
    Socket,
    outgoing::{Locked, Outgoing},
};

/// What is read and what is written, each behind a lock of its own.
pub(crate) struct Halves<R, W> {
    reader: Locked<R>,
    writer: Outgoing<W>,
}

impl<R: Unpin, W: Unpin> Halves<R, W> {
    pub(crate) fn new(reader: R, writer: W) -> Self {
        Self {
            reader: Locked::new(reader),
            writer: Outgoing::new(writer),
        }
    }
}

impl<R, W> Socket for Halves<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.reader.poll(|reader| reader.poll_read(cx, buf))
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.writer.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writer.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.poll_flush(cx)
    }

    fn wants_flush(&self) -> bool {
        self.writer.wants_flush()
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.poll_close(cx)
    }

    fn give_back(&self, to: &mut dyn Any) {
        if let Some(to) = to.downcast_mut() {
            let (mut reader, mut writer) = (self.reader.lock(), self.writer.stream.lock());
            *to = reader.take().zip(writer.take());
        }
    }
}
