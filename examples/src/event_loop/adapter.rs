//! The adapter: all that millpond has to know of the runtime.

use std::{
    io::{self, IoSlice, Read},
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::future::poll_fn;
use millpond::{
    Address, Runtime,
    adapter::{
        Bound, BoxFuture, ConnectOptions, ListenOptions, Listener, Lookup, Socket, Spawn,
        StdListener, StdSocket,
        os::{self, SockRef},
    },
};

use super::{runtime::EventLoop, watched::Watched};

impl Spawn for EventLoop {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.spawn_boxed(task);
    }
}

impl Runtime for EventLoop {
    fn connect<'a>(
        &'a self,
        address: &'a Address,
        options: &'a ConnectOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            let socket = self.watch(os::connect(address, options)?)?;
            poll_fn(|cx| socket.poll_writable(cx)).await?;
            os::connected(&socket.socket)?;
            Ok(Box::new(socket) as _)
        })
    }

    fn bind(&self, address: &Address, options: &ListenOptions) -> io::Result<Box<dyn Bound>> {
        os::bind(Arc::new(self.clone()), address, options)
    }

    fn adopt(&self, socket: StdSocket) -> io::Result<Box<dyn Socket>> {
        socket.set_nonblocking(true)?;
        Ok(Box::new(self.watch(socket)?))
    }

    fn adopt_listener(&self, listener: StdListener) -> io::Result<Box<dyn Listener>> {
        listener.set_nonblocking(true)?;
        Ok(Box::new(self.watch(listener)?))
    }

    fn resolve<'a>(&'a self, lookup: &'a Lookup) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        os::resolve(lookup)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(self.sleep_for(duration))
    }
}

impl Socket for Watched<StdSocket> {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        os::poll_io(|| (&self.socket).read(buf), || self.poll_readable(cx))
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        os::poll_io(|| os::send(&self.socket, buf), || self.poll_writable(cx))
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        os::poll_io(
            || os::send_vectored(&self.socket, bufs),
            || self.poll_writable(cx),
        )
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(os::shutdown_write(&self.socket))
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn system_socket(&self) -> Option<SockRef<'_>> {
        Some((&self.socket).into())
    }
}

impl Listener for Watched<StdListener> {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Socket>>> {
        let socket = ready!(os::poll_io(
            || self.socket.accept(),
            || self.poll_readable(cx)
        ))?;
        Poll::Ready(self.event_loop().adopt(socket))
    }

    fn local_addr(&self) -> io::Result<Address> {
        os::local_addr(&self.socket)
    }
}
