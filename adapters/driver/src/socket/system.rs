//! Socket options and addresses of the system.

use std::io;

use socket2::{SockAddr, SockRef, Type};

use super::{Address, ExtraInfo, RawHandle, SystemHandle};

/// Both addresses of a socket, and its number.
///
/// ```
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let socket = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let info = millpond::adapter::os::extra_info(&socket);
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
    info.handle = raw_handle(&socket).map(SystemHandle::Socket);
    info
}

#[cfg(unix)]
fn raw_handle(socket: &SockRef<'_>) -> Option<RawHandle> {
    Some(std::os::fd::AsRawFd::as_raw_fd(&**socket))
}

#[cfg(windows)]
fn raw_handle(socket: &SockRef<'_>) -> Option<RawHandle> {
    Some(std::os::windows::io::AsRawSocket::as_raw_socket(&**socket))
}

#[cfg(not(any(unix, windows)))]
fn raw_handle(_: &SockRef<'_>) -> Option<RawHandle> {
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
/// let address = millpond::adapter::os::local_addr(&listener)?;
/// assert_eq!(address.tcp(), Some(listener.local_addr()?));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn local_addr<'s, S>(socket: &'s S) -> io::Result<Address>
where
    SockRef<'s>: From<&'s S>,
{
    address(SockRef::from(socket).local_addr()?).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

fn address(address: SockAddr) -> Option<Address> {
    if let Some(address) = address.as_socket() {
        return Some(Address::Tcp(address));
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = address.as_abstract_namespace() {
        return Some(Address::Abstract(name.to_owned()));
    }
    #[cfg(unix)]
    if address.is_unix() {
        return Some(Address::Unix(address.as_pathname().map(Into::into)));
    }
    None
}

/// Makes closing the socket reset the connection instead of ending it.
///
/// It does nothing where the socket knows no such thing, as unix sockets do.
///
/// ```
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let socket = std::net::TcpStream::connect(listener.local_addr()?)?;
/// millpond::adapter::os::reset_on_close(&socket);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn reset_on_close<'s, S>(socket: &'s S)
where
    SockRef<'s>: From<&'s S>,
{
    // If it is refused, the connection is gone already.
    let _ = SockRef::from(socket).set_linger(Some(std::time::Duration::ZERO));
}

/// The kinds of stream that there is a type for.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StreamKind {
    Tcp,
    Unix,
}

/// What stream a descriptor carries.
///
/// # Errors
///
/// `InvalidInput` if it is no socket, or not of these.
#[cfg(unix)]
pub(crate) fn stream_kind(fd: &std::os::fd::OwnedFd) -> io::Result<StreamKind> {
    let refused = |what| {
        let why = format!("a stream socket is needed, and this is {what}");
        Err(io::Error::new(io::ErrorKind::InvalidInput, why))
    };
    let address = match SockRef::from(fd).local_addr() {
        Err(error) if error.raw_os_error() == Some(libc::ENOTSOCK) => {
            return refused("not a socket");
        }
        address => address?,
    };
    check_stream(fd)?;
    if address.is_ipv4() || address.is_ipv6() {
        Ok(StreamKind::Tcp)
    } else if address.is_unix() {
        Ok(StreamKind::Unix)
    } else {
        refused("neither a TCP nor a unix socket")
    }
}

/// Refuses a socket that does not carry a stream.
///
/// # Errors
///
/// `InvalidInput`, which says what the socket is; an error of the system otherwise.
///
/// # Examples
///
/// ```
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// let error = millpond::adapter::os::check_stream(&socket).unwrap_err();
/// assert_eq!(error.to_string(), "a stream socket is needed, and this is a datagram socket");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn check_stream<'s, S>(socket: &'s S) -> io::Result<()>
where
    SockRef<'s>: From<&'s S>,
{
    let what = match SockRef::from(socket).r#type()? {
        Type::STREAM => return Ok(()),
        Type::DGRAM => "a datagram socket",
        Type::SEQPACKET => "a socket of sequenced packets",
        Type::RAW => "a raw socket",
        _ => "a socket of another type",
    };
    let why = format!("a stream socket is needed, and this is {what}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}
