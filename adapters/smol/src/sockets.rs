//! smol's sockets as millpond's.

use std::{
    io::{self, IoSlice, Read, Write},
    net::TcpListener,
    task::{Context, Poll, ready},
};

use async_io::Async;
use millpond::{Address, Listener, Socket, os};

/// A socket of the standard library in smol's reactor.
pub(crate) struct Io<S>(pub(crate) Async<S>);

impl<S> Io<S>
where
    Self: Socket,
    for<'a> os::SockRef<'a>: From<&'a S>,
{
    /// Waits until a socket of [`os::connect`] is connected.
    pub(crate) async fn connected(socket: Async<S>) -> io::Result<Box<dyn Socket>> {
        socket.writable().await?;
        os::connected(socket.get_ref())?;
        Ok(Box::new(Self(socket)))
    }
}

impl<S> Socket for Io<S>
where
    S: Send + Sync + 'static,
    for<'a> os::SockRef<'a>: From<&'a S>,
    for<'a> &'a S: Read + Write,
{
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        os::poll_io(|| self.0.get_ref().read(buf), || self.0.poll_readable(cx))
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        os::poll_io(|| self.0.get_ref().write(buf), || self.0.poll_writable(cx))
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        os::poll_io(
            || self.0.get_ref().write_vectored(bufs),
            || self.0.poll_writable(cx),
        )
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(os::shutdown_write(self.0.get_ref()))
    }

    fn system_socket(&self) -> Option<os::SockRef<'_>> {
        Some(self.0.get_ref().into())
    }
}

impl Listener for Io<TcpListener> {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Socket>>> {
        let accepted = os::poll_io(|| self.0.get_ref().accept(), || self.0.poll_readable(cx));
        let (stream, _) = ready!(accepted)?;
        Poll::Ready(Ok(Box::new(Io(Async::new(stream)?))))
    }

    fn local_addr(&self) -> io::Result<Address> {
        os::local_addr(self.0.get_ref())
    }
}

#[cfg(unix)]
impl Listener for Io<std::os::unix::net::UnixListener> {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Socket>>> {
        let accepted = os::poll_io(|| self.0.get_ref().accept(), || self.0.poll_readable(cx));
        let (stream, _) = ready!(accepted)?;
        Poll::Ready(Ok(Box::new(Io(Async::new(stream)?))))
    }

    fn local_addr(&self) -> io::Result<Address> {
        os::local_addr(self.0.get_ref())
    }
}
