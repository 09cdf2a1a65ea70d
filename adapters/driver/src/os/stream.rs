//! What is done with a connected socket.

use std::{
    io,
    net::Shutdown,
    task::{Poll, ready},
};

use socket2::SockRef;

use crate::socket::StdSocket;

/// Tries an operation, and waits for readiness only when it would block: readiness alone may come
/// late, or be refused by a runtime's budget.
///
/// # Errors
///
/// Those of the operation, except `WouldBlock`, and of waiting.
///
/// # Examples
///
/// ```
/// use std::{io, task::Poll};
///
/// let mut tries = [Err(io::ErrorKind::WouldBlock.into()), Ok(5)].into_iter();
/// let read = millpond::adapter::os::poll_io(|| tries.next().unwrap(), || Poll::Ready(Ok(())));
/// assert!(matches!(read, Poll::Ready(Ok(5))));
/// ```
pub fn poll_io<T>(
    mut operation: impl FnMut() -> io::Result<T>,
    mut poll_ready: impl FnMut() -> Poll<io::Result<()>>,
) -> Poll<io::Result<T>> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(poll_ready())?,
            result => return Poll::Ready(result),
        }
    }
}

/// Ends the direction away from this side: a half close.
///
/// # Errors
///
/// What the system says; `NotConnected` after a reset.
///
/// # Examples
///
/// ```
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let socket = std::net::TcpStream::connect(listener.local_addr()?)?;
/// millpond::adapter::os::shutdown_write(&socket)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn shutdown_write<'s, S>(socket: &'s S) -> io::Result<()>
where
    SockRef<'s>: From<&'s S>,
{
    SockRef::from(socket).shutdown(Shutdown::Write)
}

/// Connects two sockets to each other, as asyncio's examples do with `socket.socketpair()`.
///
/// On Unix they are unix sockets; elsewhere TCP on loopback.
///
/// # Errors
///
/// What the system says.
///
/// # Examples
///
/// ```
/// use millpond::adapter::StdSocket;
///
/// let (left, right): (StdSocket, StdSocket) = millpond::adapter::os::socket_pair()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn socket_pair() -> io::Result<(StdSocket, StdSocket)> {
    #[cfg(unix)]
    {
        let (left, right) = std::os::unix::net::UnixStream::pair()?;
        Ok((left.into(), right.into()))
    }
    #[cfg(not(unix))]
    {
        let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
        let left = std::net::TcpStream::connect(listener.local_addr()?)?;
        loop {
            // Any process of this machine can connect.
            let (right, peer) = listener.accept()?;
            if peer == left.local_addr()? {
                return Ok((left.into(), right.into()));
            }
        }
    }
}
