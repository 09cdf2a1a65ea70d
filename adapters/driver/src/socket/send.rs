//! Sending to a peer that may have left.

use std::io::{self, IoSlice};

use socket2::SockRef;

/// A peer that has left is an error and not the signal `SIGPIPE`, which ends the process unless that
/// ignores it. Where there is no such flag, the socket has an option, which
/// [`configure`](crate::adapter::os::configure) sets.
#[cfg(all(unix, not(target_vendor = "apple")))]
const NO_SIGNAL: libc::c_int = libc::MSG_NOSIGNAL;
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
const NO_SIGNAL: i32 = 0;

/// Writes to a socket, without a signal if the peer has left: that is `BrokenPipe`, whatever the
/// process does about `SIGPIPE`.
///
/// The standard library's `write` raises the signal on a unix socket before Rust 1.89.
///
/// # Errors
///
/// What the system says.
///
/// # Examples
///
/// ```
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let socket = std::net::TcpStream::connect(listener.local_addr()?)?;
/// assert_eq!(millpond::adapter::os::send(&socket, b"hello")?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn send<'s, S>(socket: &'s S, buf: &[u8]) -> io::Result<usize>
where
    SockRef<'s>: From<&'s S>,
{
    SockRef::from(socket).send_with_flags(buf, NO_SIGNAL)
}

/// Like [`send`], from several buffers in one go.
///
/// The standard library's `write_vectored` raises the signal on every socket.
///
/// # Errors
///
/// What the system says.
///
/// # Examples
///
/// ```
/// use std::io::IoSlice;
///
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let socket = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let bufs = [IoSlice::new(b"hello "), IoSlice::new(b"world")];
/// assert_eq!(millpond::adapter::os::send_vectored(&socket, &bufs)?, 11);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn send_vectored<'s, S>(socket: &'s S, bufs: &[IoSlice<'_>]) -> io::Result<usize>
where
    SockRef<'s>: From<&'s S>,
{
    SockRef::from(socket).send_vectored_with_flags(bufs, NO_SIGNAL)
}
