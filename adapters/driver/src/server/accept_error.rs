//! Which accept errors are those of one connection.

use std::io;

/// Whether the error is that of a connection which failed before it was accepted, so that the next
/// one may be fine. Everything else, as too many open files, stays for a while.
///
/// On Linux, accept(2) returns the errors that are pending on a new connection. Its manual says to try
/// again.
pub(crate) fn is_of_one_connection(error: &io::Error) -> bool {
    let of_its_kind = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::Interrupted
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::TimedOut
    );
    of_its_kind || error.raw_os_error().is_some_and(is_code_of_one_connection)
}

/// Those that std has no kind for, or one that others have, too: `EACCES` is no error of a single
/// connection, `EPERM` is that of a firewall.
#[cfg(unix)]
fn is_code_of_one_connection(code: i32) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if code == libc::ENONET {
        return true;
    }
    matches!(
        code,
        libc::EPROTO | libc::EHOSTDOWN | libc::EOPNOTSUPP | libc::ENOPROTOOPT | libc::EPERM
    )
}

#[cfg(not(unix))]
fn is_code_of_one_connection(_: i32) -> bool {
    false
}
