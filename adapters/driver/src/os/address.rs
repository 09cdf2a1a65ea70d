//! Addresses as the system has them.

use std::io;

use socket2::{SockAddr, SockRef};

use crate::extra_info::{Address, ExtraInfo, SystemHandle};

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

/// The address of a unix socket, by its path.
#[cfg(unix)]
pub(super) fn of_path(path: &std::path::Path) -> io::Result<SockAddr> {
    let bytes = path.as_os_str().as_encoded_bytes();
    // The system takes an empty path for "any name", a first NUL for an abstract address, and a
    // later one for the end.
    if bytes.is_empty() || bytes.contains(&0) {
        let why = "the path of a unix socket is empty or contains a NUL";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    SockAddr::unix(path)
}

/// An abstract address, by its name.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn of_name(name: &[u8]) -> io::Result<SockAddr> {
    use std::os::unix::ffi::OsStrExt;

    let path = [b"\0", name].concat();
    SockAddr::unix(std::ffi::OsStr::from_bytes(&path))
}
