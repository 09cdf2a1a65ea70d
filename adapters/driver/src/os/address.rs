//! Names of unix sockets as the system takes them.

use std::io;

use socket2::SockAddr;

/// The address of a unix socket, by its path.
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
