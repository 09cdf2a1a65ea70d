//! tokio's sockets as millpond's.

use std::{
    io::{self, IoSlice, Read},
    task::{Context, Poll, ready},
};

use millpond::{
    Address,
    adapter::{Listener, Socket, os},
};
use tokio::{io::Interest, net};

/// Where readiness comes as a change (epoll, kqueue), a read that does not fill its block has taken all there
/// was: what comes later is a change. So the socket is not asked again before, as in tokio's own reads. An end
/// that has come already stays known.
const SHORT_READ_IS_ALL: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple"
));

/// Reads once, if the socket is ready.
fn try_read(
    buf: &mut [u8],
    try_io: impl FnOnce(&mut dyn FnMut() -> io::Result<usize>) -> io::Result<usize>,
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut all = None;
    let result = try_io(&mut || match read(buf) {
        Ok(n) if SHORT_READ_IS_ALL && 0 < n && n < buf.len() => {
            all = Some(n);
            Err(io::ErrorKind::WouldBlock.into()) // so tokio waits for the next change
        }
        read => read,
    });
    all.map_or(result, Ok)
}

/// A socket of tokio's.
pub(crate) struct Io<S>(pub(crate) S);

/// Both kinds of stream have the same methods, but no trait for them.
///
/// Each operation is tried before its readiness is waited for: tokio's own `poll_write` refuses
/// after 128 operations in one task, even if the kernel would take more. Nor does it write by
/// `write(2)`: that raises a signal when the peer has left.
macro_rules! stream {
    ($stream:ty) => {
        impl Socket for Io<$stream> {
            fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
                os::poll_io(
                    || {
                        try_read(
                            buf,
                            |read| self.0.try_io(Interest::READABLE, read),
                            |buf| (&*os::SockRef::from(&self.0)).read(buf),
                        )
                    },
                    || self.0.poll_read_ready(cx),
                )
            }

            fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                let send = || os::send(&self.0, buf);
                os::poll_io(
                    || self.0.try_io(Interest::WRITABLE, send),
                    || self.0.poll_write_ready(cx),
                )
            }

            fn poll_write_vectored(
                &self,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                let send = || os::send_vectored(&self.0, bufs);
                os::poll_io(
                    || self.0.try_io(Interest::WRITABLE, send),
                    || self.0.poll_write_ready(cx),
                )
            }

            fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(os::shutdown_write(&self.0))
            }

            fn is_plain(&self) -> bool {
                true
            }

            fn system_socket(&self) -> Option<os::SockRef<'_>> {
                Some((&self.0).into())
            }
        }
    };
}

stream!(net::TcpStream);
#[cfg(unix)]
stream!(net::UnixStream);

impl Listener for Io<net::TcpListener> {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Socket>>> {
        let (stream, _) = ready!(self.0.poll_accept(cx))?;
        Poll::Ready(Ok(Box::new(Io(stream))))
    }

    fn local_addr(&self) -> io::Result<Address> {
        os::local_addr(&self.0)
    }
}

#[cfg(unix)]
impl Listener for Io<net::UnixListener> {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Socket>>> {
        let (stream, _) = ready!(self.0.poll_accept(cx))?;
        Poll::Ready(Ok(Box::new(Io(stream))))
    }

    fn local_addr(&self) -> io::Result<Address> {
        os::local_addr(&self.0)
    }
}
