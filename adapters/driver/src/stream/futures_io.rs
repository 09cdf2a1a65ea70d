//! The halves of a stream, and both in one, as those of futures-io.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};
use millpond_core::Request;

use super::{Stream, StreamReader, StreamWriter, slices::Slices};

/// For every crate that reads from a futures-io stream. Calls of the trait and the reader's own can be
/// mixed in any order: both see the same bytes. Errors are those of [`read`](Self::read), as
/// [`io::Error`]; [`ReadError::from_io`](crate::ReadError::from_io) gets them back.
///
/// ```
/// use futures_util::AsyncReadExt;
///
/// # futures_lite::future::block_on(async {
/// let ((_, mut writer), (mut reader, _)) = millpond::pair();
/// writer.write(b"length: 4\nbody and more")?;
/// assert_eq!(reader.read_line().await?, "length: 4\n"); // ours
/// let mut body = [0; 4];
/// AsyncReadExt::read_exact(&mut reader, &mut body).await?; // of the trait
/// assert_eq!(&body, b"body");
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
impl AsyncRead for StreamReader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let reader = self.get_mut();
        let n = ready!(reader.poll_request(cx, Request::UpTo(buf.len())))?;
        buf[..n].copy_from_slice(reader.lend(n));
        Poll::Ready(Ok(n))
    }
}

/// What it lends is what is [`buffered`](Self::buffered).
impl AsyncBufRead for StreamReader {
    #[inline]
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let reader = self.get_mut();
        // Mostly something is there, and then this is part of the caller.
        if reader.buffered().is_empty() {
            ready!(reader.poll_request(cx, Request::UpTo(usize::MAX)))?;
        }
        Poll::Ready(Ok(reader.buffered()))
    }

    #[inline]
    fn consume(self: Pin<&mut Self>, n: usize) {
        self.get_mut().consume(n);
    }
}

/// For every crate that writes to a futures-io stream.
///
/// A write takes as much as the high watermark leaves (8 KiB at the least), and waits above it until the
/// queue is down to the low one, as [`drain`](Self::drain) does; so it never fails for the write cap.
/// Flushing waits until everything is with the system. Closing ends this direction and waits until
/// that was sent: a [half close](Self::write_eof) where the stream can, the end of both directions where
/// it cannot, as over TLS. Reading goes on.
///
/// ```
/// use futures_util::AsyncWriteExt;
///
/// # futures_lite::future::block_on(async {
/// let ((_, mut writer), (mut reader, _)) = millpond::pair();
/// AsyncWriteExt::write_all(&mut writer, b"by the trait, ").await?;
/// writer.write(b"and by ours")?;
/// AsyncWriteExt::close(&mut writer).await?;
/// assert_eq!(reader.read_to_eof().await?, "by the trait, and by ours");
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
impl AsyncWrite for StreamWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let writer = self.get_mut();
        let n = ready!(writer.poll_room(cx, data.len()))?;
        writer.write(&data[..n])?;
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let writer = self.get_mut();
        let len = bufs.iter().map(|buf| buf.len()).sum();
        let room = ready!(writer.poll_room(cx, len))?;
        let first = Slices::first(bufs, room);
        writer.write_vectored(first.as_slice())?;
        Poll::Ready(Ok(first.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(ready!(self.get_mut().poll_all_sent(cx))?))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(ready!(self.get_mut().poll_end(cx))?))
    }
}

/// As that of [`StreamReader`].
impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        AsyncRead::poll_read(Pin::new(&mut self.get_mut().reader), cx, buf)
    }
}

/// As that of [`StreamReader`].
impl AsyncBufRead for Stream {
    #[inline]
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        AsyncBufRead::poll_fill_buf(Pin::new(&mut self.get_mut().reader), cx)
    }

    #[inline]
    fn consume(self: Pin<&mut Self>, n: usize) {
        self.get_mut().reader.consume(n);
    }
}

/// As that of [`StreamWriter`].
impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.get_mut().writer), cx, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write_vectored(Pin::new(&mut self.get_mut().writer), cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.get_mut().writer), cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_close(Pin::new(&mut self.get_mut().writer), cx)
    }
}
