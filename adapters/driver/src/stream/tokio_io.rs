//! The halves of a stream, and both in one, as those of tokio: its traits alone, no runtime.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use millpond_core::Request;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::{Stream, StreamReader, StreamWriter};

/// For every crate that reads from a tokio stream, on any runtime; feature `tokio`. Calls of the trait and
/// the reader's own can be mixed in any order: both see the same bytes.
///
/// ```
/// use tokio::io::AsyncReadExt;
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
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let reader = self.get_mut();
        let n = ready!(reader.poll_request(cx, Request::UpTo(buf.remaining())))?;
        buf.put_slice(reader.lend(n));
        Poll::Ready(Ok(()))
    }
}

/// What it lends is what is [`buffered`](Self::buffered).
impl AsyncBufRead for StreamReader {
    #[inline]
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        futures_io::AsyncBufRead::poll_fill_buf(self, cx)
    }

    #[inline]
    fn consume(self: Pin<&mut Self>, n: usize) {
        self.get_mut().consume(n);
    }
}

/// As that of [`StreamReader`].
impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
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

/// Writing by the trait of tokio is writing by that of futures-io.
macro_rules! writes {
    ($( $(#[$doc:meta])+ $writer:ident; )+) => { $(
        $(#[$doc])+
        impl AsyncWrite for $writer {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                data: &[u8],
            ) -> Poll<io::Result<usize>> {
                futures_io::AsyncWrite::poll_write(self, cx, data)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                futures_io::AsyncWrite::poll_write_vectored(self, cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                futures_io::AsyncWrite::poll_flush(self, cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                futures_io::AsyncWrite::poll_close(self, cx)
            }
        }
    )+ };
}

writes! {
    /// For every crate that writes to a tokio stream, on any runtime; feature `tokio`. Writing, flushing and
    /// shutting down do what writing, flushing and closing do by the trait of futures-io.
    ///
    /// ```
    /// use tokio::io::AsyncWriteExt;
    ///
    /// # futures_lite::future::block_on(async {
    /// let ((_, mut writer), (mut reader, _)) = millpond::pair();
    /// AsyncWriteExt::write_all(&mut writer, b"by the trait, ").await?;
    /// writer.write(b"and by ours")?;
    /// AsyncWriteExt::shutdown(&mut writer).await?;
    /// assert_eq!(reader.read_to_eof().await?, "by the trait, and by ours");
    /// # Ok::<(), std::io::Error>(()) }).unwrap();
    /// ```
    StreamWriter;

    /// As that of [`StreamWriter`].
    Stream;
}
