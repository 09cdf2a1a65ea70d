//! Any futures-io stream as a socket.

use std::{
    any::Any,
    fmt,
    io::{self, IoSlice},
    task::{Context, Poll},
};

use futures_io::{AsyncRead, AsyncWrite};

use super::{Socket, outgoing::Outgoing};

/// Any futures-io stream as a [`Socket`].
///
/// The stream is one object that both directions poll, so there is a lock around it; it is held
/// during a poll and never across a wait.
///
/// # Examples
///
/// ```
/// use futures_io::{AsyncRead, AsyncWrite};
/// use millpond::{adapter::Socket, types::FuturesIo};
///
/// fn socket(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Box<dyn Socket> {
///     Box::new(FuturesIo::new(stream))
/// }
/// ```
pub struct FuturesIo<S>(Outgoing<S>);

impl<S: Unpin> FuturesIo<S> {
    /// Wraps a stream. See [`StreamOptions::open`](crate::StreamOptions::open) for an example.
    pub fn new(stream: S) -> Self {
        Self(Outgoing::new(stream))
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Socket for FuturesIo<S> {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.stream.poll(|stream| stream.poll_read(cx, buf))
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn wants_flush(&self) -> bool {
        self.0.wants_flush()
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_close(cx)
    }

    fn give_back(&self, to: &mut dyn Any) {
        if let Some(to) = to.downcast_mut() {
            *to = self.0.stream.lock().take();
        }
    }
}

impl<S> fmt::Debug for FuturesIo<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FuturesIo")
            .field(&std::any::type_name::<S>())
            .finish()
    }
}
