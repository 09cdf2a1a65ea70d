//! smol's sockets as millpond's.

use std::{
    io::{self, IoSlice, Read},
    sync::Arc,
    task::{Context, Poll, ready},
};

use async_io::Async;
use millpond::{
    Address,
    adapter::{Listener, Socket, StdListener, os},
};

/// A socket of the standard library in smol's reactor: `Async` of it, or an `Arc` of that.
pub(crate) struct Io<A>(pub(crate) A);

/// What has a socket in smol's reactor.
pub(crate) trait Registered {
    /// That of the standard library.
    type Std;

    fn registered(&self) -> &Async<Self::Std>;
}

impl<S> Registered for Async<S> {
    type Std = S;

    fn registered(&self) -> &Self {
        self
    }
}

impl<S> Registered for Arc<Async<S>> {
    type Std = S;

    fn registered(&self) -> &Async<S> {
        self
    }
}

/// A socket that may have clones.
pub(crate) fn from_shared<S>(shared: Arc<Async<S>>) -> Box<dyn Socket>
where
    Io<Async<S>>: Socket,
    Io<Arc<Async<S>>>: Socket,
{
    match Arc::try_unwrap(shared) {
        Ok(owned) => Box::new(Io(owned)),
        Err(shared) => Box::new(Io(shared)),
    }
}

impl<A: Registered> Io<A> {
    fn get_ref(&self) -> &A::Std {
        self.0.registered().get_ref()
    }
}

impl<A> Socket for Io<A>
where
    A: Registered + Send + Sync + 'static,
    for<'a> os::SockRef<'a>: From<&'a A::Std>,
    for<'a> &'a A::Std: Read,
{
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        os::poll_io(
            || self.get_ref().read(buf),
            || self.0.registered().poll_readable(cx),
        )
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        os::poll_io(
            || os::send(self.get_ref(), buf),
            || self.0.registered().poll_writable(cx),
        )
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        os::poll_io(
            || os::send_vectored(self.get_ref(), bufs),
            || self.0.registered().poll_writable(cx),
        )
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(os::shutdown_write(self.get_ref()))
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn system_socket(&self) -> Option<os::SockRef<'_>> {
        Some(self.get_ref().into())
    }
}

impl Listener for Io<Async<StdListener>> {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Socket>>> {
        let accepted = os::poll_io(|| self.get_ref().accept(), || self.0.poll_readable(cx));
        Poll::Ready(Ok(Box::new(Io(Async::new(ready!(accepted)?)?))))
    }

    fn local_addr(&self) -> io::Result<Address> {
        os::local_addr(self.get_ref())
    }
}
