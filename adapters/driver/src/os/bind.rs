//! Listening.

use std::{io, net::SocketAddr, sync::Arc};

use socket2::{Domain, SockRef, Socket, Type};

use super::configure::{set_buffers, set_tcp};
use crate::{
    runtime::Runtime,
    socket::{Address, Bound, ListenOptions, Listener, StdListener},
};

/// Takes an address, for `runtime` to listen on.
///
/// `As in asyncio:` an IPv6 address takes no IPv4 connections.
///
/// # Unix sockets
///
/// A path that a dead server has left is replaced: it is a socket, and refuses connections twice
/// within 10 ms, for which this blocks. Anything else that is in the way stays. A socket at a path
/// listens at once, so that no other starter takes it for such a leftover; a client that connects before
/// [`Bound::listen`] waits to be accepted. Dropping what this gives removes the path, if it still is
/// that of the socket, unless [`cleanup_socket`](ListenOptions::cleanup_socket) is `false`.
///
/// To find out whether a server is alive, it is connected to, and accepts a connection that ends at
/// once. No lock is involved: of several that start on a leftover at once, one gets it, and one that
/// is stopped for 10 ms between binding and listening begins again. On macOS and the BSDs a server
/// whose backlog is full refuses connections, too, and may be replaced.
///
/// `Differs from asyncio:` there a socket is removed even if a server listens on it.
///
/// # Errors
///
/// What the system says, for instance that the port is in use; `AddrInUse`, which says what is in
/// the way, for the path of a unix socket. On systems without unix sockets, an
/// address of that kind is `Unsupported`, and so is `reuse_port` where no system call is known for
/// it.
///
/// # Examples
///
/// ```no_run
/// use std::{io, sync::Arc};
///
/// use millpond::{Address, Runtime, adapter::{ListenOptions, Listener, os}};
///
/// fn listen(runtime: Arc<dyn Runtime>) -> io::Result<Box<dyn Listener>> {
///     let address = Address::from(([127, 0, 0, 1], 0));
///     os::bind(runtime, &address, &ListenOptions::default())?.listen(100)
/// }
/// ```
pub fn bind(
    runtime: Arc<dyn Runtime>,
    address: &Address,
    options: &ListenOptions,
) -> io::Result<Box<dyn Bound>> {
    match address {
        Address::Tcp(address) => {
            let socket = bind_tcp(*address, options)?;
            Ok(bound(runtime, StdListener::Tcp(socket.into())))
        }
        #[cfg(unix)]
        Address::Unix(Some(path)) => {
            let (socket, path) = super::unix_path::bind(path, options)?;
            let bound = bound(runtime, unix_listener(socket));
            Ok(Box::new(super::unix_path::AtPath::new(path, bound)))
        }
        Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Address::Abstract(name) => {
            let socket = bind_abstract(name, options)?;
            Ok(bound(runtime, unix_listener(socket)))
        }
    }
}

/// A socket that the program has bound itself, for `runtime` to listen on.
///
/// The path of a unix socket is not removed when it is closed.
///
/// # Examples
///
/// ```no_run
/// use std::{io, sync::Arc};
///
/// use millpond::{Runtime, adapter::{Listener, StdListener, os}};
///
/// fn listen(runtime: Arc<dyn Runtime>, listener: StdListener) -> io::Result<Box<dyn Listener>> {
///     os::bound(runtime, listener).listen(100)
/// }
/// ```
pub fn bound(runtime: Arc<dyn Runtime>, listener: StdListener) -> Box<dyn Bound> {
    Box::new(Taken {
        runtime,
        listener,
        keeps_backlog: false,
    })
}

/// As [`bound`], but one that listens already goes on with the backlog that it has. Where the system
/// does not say whether it listens, it gets the one that is asked for.
pub(crate) fn handed_over(runtime: Arc<dyn Runtime>, listener: StdListener) -> Box<dyn Bound> {
    let keeps_backlog = listens(&listener);
    Box::new(Taken {
        runtime,
        listener,
        keeps_backlog,
    })
}

/// An address that is taken.
struct Taken {
    runtime: Arc<dyn Runtime>,
    /// Bound; whether it listens is not known to the runtime yet.
    listener: StdListener,
    /// It listens already, with a backlog that was chosen before.
    keeps_backlog: bool,
}

impl Bound for Taken {
    fn local_addr(&self) -> io::Result<Address> {
        super::local_addr(&self.listener)
    }

    fn listen(self: Box<Self>, backlog: u32) -> io::Result<Box<dyn Listener>> {
        if !self.keeps_backlog {
            // The system cuts what is too large.
            let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
            SockRef::from(&self.listener).listen(backlog)?;
        }
        self.runtime.adopt_listener(self.listener)
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn listens(listener: &StdListener) -> bool {
    SockRef::from(listener).is_listener().unwrap_or(false)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn listens(_: &StdListener) -> bool {
    false
}

fn bind_tcp(address: SocketAddr, options: &ListenOptions) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None);
    let socket = socket.map_err(unavailable_without_family)?;
    set_buffers(&socket, &options.socket)?;
    set_tcp(&socket, &options.socket)?;
    if options.reuse_address {
        socket.set_reuse_address(true)?;
    }
    if options.reuse_port {
        share_port(&socket)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// A system without IPv6 has none of its addresses, though its resolver may name them.
fn unavailable_without_family(error: io::Error) -> io::Error {
    #[cfg(unix)]
    let no_family = libc::EAFNOSUPPORT;
    #[cfg(not(unix))]
    let no_family = 10047; // WSAEAFNOSUPPORT
    match error.raw_os_error() == Some(no_family) {
        true => io::Error::new(io::ErrorKind::AddrNotAvailable, error),
        false => error,
    }
}

#[cfg(all(
    unix,
    not(any(
        target_os = "solaris",
        target_os = "illumos",
        target_os = "cygwin",
        target_os = "nuttx"
    ))
))]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(
    unix,
    not(any(
        target_os = "solaris",
        target_os = "illumos",
        target_os = "cygwin",
        target_os = "nuttx"
    ))
)))]
fn share_port(_: &Socket) -> io::Result<()> {
    let why = "`reuse_port` is not supported by this system";
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn bind_abstract(name: &[u8], options: &ListenOptions) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    set_buffers(&socket, &options.socket)?;
    socket.bind(&super::address::of_name(name)?)?;
    Ok(socket)
}

#[cfg(unix)]
fn unix_listener(socket: Socket) -> StdListener {
    StdListener::Unix(std::os::fd::OwnedFd::from(socket).into())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};

    use super::*;

    #[test]
    fn a_listening_socket_has_its_options_and_accepted_ones_inherit_the_buffer_sizes() {
        let mut options = ListenOptions::default();
        options.socket.receive_buffer = Some(50_000);
        let here = (Ipv4Addr::LOCALHOST, 0).into();
        let socket = bind_tcp(here, &options).unwrap();
        assert_eq!(socket.reuse_address().unwrap(), cfg!(not(windows)));
        socket.listen(1).unwrap();
        let address = crate::os::local_addr(&socket).unwrap().tcp().unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let (accepted, _) = socket.accept().unwrap();
        let size = accepted.recv_buffer_size().unwrap();
        assert!([50_000, 100_000].contains(&size), "{size}"); // Linux doubles it

        options.reuse_address = false;
        let socket = bind_tcp(here, &options).unwrap();
        assert!(!socket.reuse_address().unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn without_a_family_its_addresses_are_not_available() {
        let kind = |code| unavailable_without_family(io::Error::from_raw_os_error(code)).kind();
        assert_eq!(kind(libc::EAFNOSUPPORT), io::ErrorKind::AddrNotAvailable);
        assert_eq!(kind(libc::EACCES), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn an_ipv6_address_takes_no_ipv4_connections() {
        let any = (Ipv6Addr::UNSPECIFIED, 0).into();
        match bind_tcp(any, &ListenOptions::default()) {
            Ok(socket) => assert!(socket.only_v6().unwrap()),
            Err(error) => eprintln!("skipped: no IPv6 here: {error}"),
        }
    }
}
