//! Listening.

use std::{io, net::SocketAddr, sync::Arc};

use socket2::{Domain, SockRef, Socket, Type};

use super::configure::{set_buffers, set_tcp};
use crate::{
    extra_info::Address,
    runtime::{Runtime, StdListener},
    socket::{Bound, Listener},
    socket_options::ListenOptions,
};

/// Takes an address, for `runtime` to listen on.
///
/// `As in asyncio:` an IPv6 address takes no IPv4 connections.
///
/// # Errors
///
/// What the system says, for instance that the port is in use. On systems without unix sockets, an
/// address of that kind is `Unsupported`, and so is `reuse_port` where no system call is known for
/// it.
///
/// # Examples
///
/// ```no_run
/// use std::{io, sync::Arc};
///
/// use millpond::{Address, Listener, ListenOptions, Runtime, os};
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
    let listener = match address {
        Address::Tcp(address) => StdListener::Tcp(bind_tcp(*address, options)?.into()),
        #[cfg(unix)]
        Address::Unix(Some(path)) => bind_unix(&super::address::of_path(path)?, options)?,
        Address::Unix(_) => return Err(io::ErrorKind::Unsupported.into()),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Address::Abstract(name) => bind_unix(&super::address::of_name(name)?, options)?,
    };
    Ok(bound(runtime, listener))
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
/// use millpond::{Listener, Runtime, StdListener, os};
///
/// fn listen(runtime: Arc<dyn Runtime>, listener: StdListener) -> io::Result<Box<dyn Listener>> {
///     os::bound(runtime, listener).listen(100)
/// }
/// ```
pub fn bound(runtime: Arc<dyn Runtime>, listener: StdListener) -> Box<dyn Bound> {
    Box::new(Taken { runtime, listener })
}

/// An address that is taken.
struct Taken {
    runtime: Arc<dyn Runtime>,
    /// Bound; whether it listens is not known to the runtime yet.
    listener: StdListener,
}

impl Taken {
    fn socket(&self) -> SockRef<'_> {
        match &self.listener {
            StdListener::Tcp(listener) => listener.into(),
            #[cfg(unix)]
            StdListener::Unix(listener) => listener.into(),
        }
    }
}

impl Bound for Taken {
    fn local_addr(&self) -> io::Result<Address> {
        super::local_addr(&*self.socket())
    }

    fn listen(self: Box<Self>, backlog: u32) -> io::Result<Box<dyn Listener>> {
        // The system cuts what is too large.
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        self.socket().listen(backlog)?;
        self.runtime.adopt_listener(self.listener)
    }
}

fn bind_tcp(address: SocketAddr, options: &ListenOptions) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
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
    let why = "`reuse_port` is not known to this system";
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}

#[cfg(unix)]
fn bind_unix(address: &socket2::SockAddr, options: &ListenOptions) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    set_buffers(&socket, &options.socket)?;
    socket.bind(address)?;
    Ok(StdListener::Unix(std::os::fd::OwnedFd::from(socket).into()))
}
