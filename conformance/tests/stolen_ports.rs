//! Scenarios beside a process that takes each port as soon as a server has given it up, and never answers
//! later clients of it.
#![cfg(target_os = "linux")]

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use millpond::{
    Address, Runtime,
    adapter::{
        Bound, BoxFuture, ConnectOptions, ListenOptions, Listener, Lookup, Socket, Spawn,
        StdListener, StdPipe, StdSocket,
    },
};
use millpond_conformance::{Harness, Scenario};
use millpond_smol::Smol;
use socket2::{Domain, Type};

struct BesideAThief;

impl Harness for BesideAThief {
    fn run(scenario: Scenario) {
        smol::block_on(scenario.on(Arc::new(Robbed)));
    }
}

millpond_conformance::suite!(BesideAThief: tcp, tls, tcp_server, tls_server, runtime, tls_runtime);

/// smol, with ports that are stolen.
struct Robbed;

/// What has a port: it is stolen when this is dropped.
struct Victim<S: ?Sized> {
    /// Until it is dropped.
    socket: Option<Box<S>>,
    address: Option<SocketAddr>,
}

static STOLEN: Mutex<Vec<TcpListener>> = Mutex::new(Vec::new());

/// Takes a port as the system gives it to a process that asks for any port of all interfaces: not if
/// another socket is bound to it.
fn steal(address: SocketAddr) -> io::Result<()> {
    let all: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let thief = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    thief.bind(&SocketAddr::from((all, address.port())).into())?;
    thief.listen(100)?;
    let mut stolen = STOLEN.lock().unwrap_or_else(PoisonError::into_inner);
    stolen.push(thief.into());
    Ok(())
}

impl<S: ?Sized> Drop for Victim<S> {
    fn drop(&mut self) {
        if self.socket.take().is_some() {
            // It is not free if connections of the server are left.
            let _ = self.address.map(steal);
        }
    }
}

impl Bound for Victim<dyn Bound> {
    fn local_addr(&self) -> io::Result<Address> {
        self.socket.as_ref().unwrap().local_addr()
    }

    fn listen(mut self: Box<Self>, backlog: u32) -> io::Result<Box<dyn Listener>> {
        let socket = self.socket.take().unwrap();
        Ok(Box::new(Victim {
            socket: Some(socket.listen(backlog)?),
            address: self.address,
        }))
    }
}

impl Listener for Victim<dyn Listener> {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Socket>>> {
        self.socket.as_ref().unwrap().poll_accept(cx)
    }

    fn local_addr(&self) -> io::Result<Address> {
        self.socket.as_ref().unwrap().local_addr()
    }
}

impl Spawn for Robbed {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        Smol.spawn(task);
    }
}

impl Runtime for Robbed {
    fn connect<'a>(
        &'a self,
        address: &'a Address,
        options: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Smol.connect(address, options)
    }

    fn bind(&self, address: &Address, options: &ListenOptions) -> io::Result<Box<dyn Bound>> {
        let bound = Smol.bind(address, options)?;
        let address = bound.local_addr()?.tcp();
        Ok(Box::new(Victim {
            socket: Some(bound),
            // A port that is asked for so that no other process can share it is given up on purpose.
            address: address.filter(|_| options.reuse_address),
        }))
    }

    fn adopt(&self, socket: StdSocket) -> io::Result<Box<dyn Socket>> {
        Smol.adopt(socket)
    }

    fn adopt_listener(&self, listener: StdListener) -> io::Result<Box<dyn Listener>> {
        Smol.adopt_listener(listener)
    }

    fn adopt_pipe(&self, pipe: StdPipe) -> io::Result<Box<dyn Socket>> {
        Smol.adopt_pipe(pipe)
    }

    fn resolve<'a>(&'a self, lookup: &'a Lookup) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Smol.resolve(lookup)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Smol.sleep(duration)
    }
}
