//! The system's sockets, for adapters of runtimes that use them.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener},
    task::{Poll, ready},
};

pub use socket2::SockRef;
use socket2::{Domain, Socket, Type};

use crate::{
    extra_info::{Address, ExtraInfo, SystemHandle},
    runtime::{StdListener, StdSocket},
};

/// Listens on an address: a socket that does not block, ready for
/// [`Runtime::adopt_listener`](crate::Runtime::adopt_listener).
///
/// `As in asyncio:` an address can be listened on again at once after a server closed
/// (`reuse_address`), except on Windows, and an IPv6 address takes no IPv4 connections.
///
/// # Errors
///
/// What the system says, for instance that the port is in use. On systems without unix sockets, an
/// address of that kind is `Unsupported`.
///
/// # Examples
///
/// ```
/// use millpond::{Address, StdListener};
///
/// let listener = millpond::os::listen(&Address::from(([127, 0, 0, 1], 0)), 100)?;
/// assert!(matches!(listener, StdListener::Tcp(_)));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn listen(address: &Address, backlog: u32) -> io::Result<StdListener> {
    // The system cuts what is too large.
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    match address {
        Address::Tcp(address) => listen_tcp(*address, backlog).map(StdListener::Tcp),
        #[cfg(unix)]
        Address::Unix(Some(path)) => {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.bind(&socket2::SockAddr::unix(path)?)?;
            socket.listen(backlog)?;
            socket.set_nonblocking(true)?;
            Ok(StdListener::Unix(std::os::fd::OwnedFd::from(socket).into()))
        }
        Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn listen_tcp(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // On Windows the option means that others may steal the port.
    socket.set_reuse_address(cfg!(not(windows)))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

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
/// let read = millpond::os::poll_io(|| tries.next().unwrap(), || Poll::Ready(Ok(())));
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

/// Sets the options that a TCP stream has by default: it sends at once (`TCP_NODELAY`).
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
/// millpond::os::prepare_tcp(&socket)?;
/// assert!(socket.nodelay()?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn prepare_tcp<'s, S>(socket: &'s S) -> io::Result<()>
where
    SockRef<'s>: From<&'s S>,
{
    SockRef::from(socket).set_tcp_nodelay(true)
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
/// millpond::os::shutdown_write(&socket)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn shutdown_write<'s, S>(socket: &'s S) -> io::Result<()>
where
    SockRef<'s>: From<&'s S>,
{
    SockRef::from(socket).shutdown(Shutdown::Write)
}

/// Makes closing the socket reset the connection instead of ending it.
///
/// It does nothing where the socket knows no such thing, as unix sockets do.
///
/// ```
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let socket = std::net::TcpStream::connect(listener.local_addr()?)?;
/// millpond::os::reset_on_close(&socket);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn reset_on_close<'s, S>(socket: &'s S)
where
    SockRef<'s>: From<&'s S>,
{
    // If it is refused, the connection is gone already.
    let _ = SockRef::from(socket).set_linger(Some(std::time::Duration::ZERO));
}

/// The number of a descriptor, or of a socket on Windows.
#[cfg(not(windows))]
pub type RawHandle = std::ffi::c_int;

/// The number of a descriptor, or of a socket on Windows.
#[cfg(windows)]
pub type RawHandle = std::os::windows::io::RawSocket;

/// Both addresses of a socket, and its number.
///
/// ```
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let socket = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let info = millpond::os::extra_info(&socket);
/// assert_eq!(info.peer_addr, Some(listener.local_addr()?.into()));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn extra_info<'s, S>(socket: &'s S) -> ExtraInfo
where
    SockRef<'s>: From<&'s S>,
{
    let socket = SockRef::from(socket);
    let mut info = ExtraInfo::new(
        socket.peer_addr().ok().and_then(address),
        socket.local_addr().ok().and_then(address),
    );
    info.handle = raw(&socket).map(SystemHandle::Socket);
    info
}

#[cfg(unix)]
fn raw(socket: &SockRef<'_>) -> Option<RawHandle> {
    Some(std::os::fd::AsRawFd::as_raw_fd(&**socket))
}

#[cfg(windows)]
fn raw(socket: &SockRef<'_>) -> Option<RawHandle> {
    Some(std::os::windows::io::AsRawSocket::as_raw_socket(&**socket))
}

#[cfg(not(any(unix, windows)))]
fn raw(_: &SockRef<'_>) -> Option<RawHandle> {
    None
}

/// The address that a socket is bound to.
///
/// # Errors
///
/// What the system says; `Unsupported` for an address of an unknown kind.
///
/// # Examples
///
/// ```
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let address = millpond::os::local_addr(&listener)?;
/// assert_eq!(address.tcp(), Some(listener.local_addr()?));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn local_addr<'s, S>(socket: &'s S) -> io::Result<Address>
where
    SockRef<'s>: From<&'s S>,
{
    address(SockRef::from(socket).local_addr()?).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

fn address(address: socket2::SockAddr) -> Option<Address> {
    if let Some(address) = address.as_socket() {
        return Some(Address::Tcp(address));
    }
    address
        .is_unix()
        .then(|| Address::Unix(address.as_pathname().map(Into::into)))
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
/// use millpond::StdSocket;
///
/// let (left, right): (StdSocket, StdSocket) = millpond::os::socket_pair()?;
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
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
        let left = std::net::TcpStream::connect(listener.local_addr()?)?;
        let (right, _) = listener.accept()?;
        Ok((left.into(), right.into()))
    }
}
