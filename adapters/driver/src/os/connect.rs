//! Connecting.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use super::configure::{set_buffers, set_tcp};
use crate::socket::{Address, ConnectOptions, StdSocket};

/// Begins to connect: a socket that does not block, and that is writable as soon as it is connected
/// or has failed. [`connected`] reports which.
///
/// # Errors
///
/// What the system says at once. `WouldBlock` for a unix socket means that its server has a full
/// backlog: it can be tried again. On systems without unix sockets, an address of that kind is
/// `Unsupported`.
///
/// # Examples
///
/// ```
/// use millpond::{Address, adapter::{ConnectOptions, StdSocket, os}};
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let address = Address::from(listener.local_addr()?);
/// let socket = os::connect(&address, &ConnectOptions::default())?;
/// assert!(matches!(socket, StdSocket::Tcp(_)));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn connect(address: &Address, options: &ConnectOptions) -> io::Result<StdSocket> {
    match address {
        Address::Tcp(address) => connect_tcp(*address, options),
        #[cfg(unix)]
        Address::Unix(Some(path)) => connect_unix(&super::address::of_path(path)?, options),
        Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Address::Abstract(name) => connect_unix(&super::address::of_name(name)?, options),
    }
}

/// What became of a socket of [`connect`] that is writable.
///
/// # Errors
///
/// Why it could not be connected.
///
/// # Examples
///
/// ```
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let socket = std::net::TcpStream::connect(listener.local_addr()?)?;
/// millpond::adapter::os::connected(&socket)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn connected<'s, S>(socket: &'s S) -> io::Result<()>
where
    SockRef<'s>: From<&'s S>,
{
    SockRef::from(socket).take_error()?.map_or(Ok(()), Err)
}

fn connect_tcp(address: SocketAddr, options: &ConnectOptions) -> io::Result<StdSocket> {
    let protocol = options.protocol.map(Protocol::from);
    let socket = nonblocking(Domain::for_address(address), protocol)?;
    // Before it connects: TCP's window is agreed upon then.
    set_buffers(&socket, &options.socket)?;
    set_tcp(&socket, &options.socket)?;
    bind_local(&socket, address, &options.local_addrs)?;
    begin(&socket, &address.into())?;
    Ok(StdSocket::Tcp(socket.into()))
}

/// Where the system can, it does not block from the start, which spares two system calls.
fn nonblocking(domain: Domain, protocol: Option<Protocol>) -> io::Result<Socket> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), protocol)?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let socket = {
        let socket = Socket::new(domain, Type::STREAM, protocol)?;
        socket.set_nonblocking(true)?;
        socket
    };
    Ok(socket)
}

/// Binds to the first address of the peer's family that works.
fn bind_local(socket: &Socket, peer: SocketAddr, locals: &[SocketAddr]) -> io::Result<()> {
    if locals.is_empty() {
        return Ok(());
    }
    let mut failed = io::Error::new(
        io::ErrorKind::AddrNotAvailable,
        "no local address is of its address family",
    );
    for local in locals {
        if local.is_ipv4() != peer.is_ipv4() {
            continue;
        }
        if cfg!(not(windows)) && local.port() != 0 {
            // Attempts to connect to other addresses use it at the same time.
            socket.set_reuse_address(true)?;
        }
        match socket.bind(&(*local).into()) {
            Ok(()) => return Ok(()),
            Err(error) => {
                let why = format!("the local address {local} cannot be used: {error}");
                failed = io::Error::new(error.kind(), why);
            }
        }
    }
    Err(failed)
}

#[cfg(unix)]
fn connect_unix(address: &SockAddr, options: &ConnectOptions) -> io::Result<StdSocket> {
    let socket = nonblocking(Domain::UNIX, None)?;
    set_buffers(&socket, &options.socket)?;
    begin(&socket, address)?;
    Ok(StdSocket::Unix(std::os::fd::OwnedFd::from(socket).into()))
}

fn begin(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    match socket.connect(address) {
        Err(error) if is_under_way(&error) => Ok(()),
        result => result,
    }
}

#[cfg(unix)]
fn is_under_way(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

#[cfg(not(unix))]
fn is_under_way(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}
