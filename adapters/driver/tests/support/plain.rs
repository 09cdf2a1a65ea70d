//! The system's sockets without a runtime: they are asked by hand.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use millpond::{
    Address, Runtime,
    adapter::{Bound, BoxFuture, ListenOptions, Listener, Socket, Spawn, StdListener, os},
    types::FuturesIo,
};

use super::lacking::lacks;

pub struct Plain;

/// Takes an address with these options.
pub fn bind(address: &Address, options: &ListenOptions) -> io::Result<Box<dyn Bound>> {
    os::bind(Arc::new(Plain), address, options)
}

/// Whether a connection comes in right now.
pub fn accepts(listener: &dyn Listener) -> bool {
    let accepted = listener.poll_accept(&mut Context::from_waker(Waker::noop()));
    accepted.map(Result::unwrap).is_ready()
}

struct Held(StdListener);

impl Listener for Held {
    /// The connection ends at once.
    fn poll_accept(&self, _: &mut Context<'_>) -> Poll<io::Result<Box<dyn Socket>>> {
        match self.0.accept() {
            Ok(_) => {
                let nothing = futures_lite::io::Cursor::new(Vec::new());
                Poll::Ready(Ok(Box::new(FuturesIo::new(nothing))))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn local_addr(&self) -> io::Result<Address> {
        os::local_addr(&self.0)
    }
}

impl Spawn for Plain {
    /// It never runs; if it was dropped, a server would end with it.
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        std::mem::forget(task);
    }
}

impl Runtime for Plain {
    lacks! { ErrorKind::Unsupported.into(); connect adopt resolve }

    fn bind(&self, address: &Address, options: &ListenOptions) -> io::Result<Box<dyn Bound>> {
        bind(address, options)
    }

    fn adopt_listener(&self, listener: StdListener) -> io::Result<Box<dyn Listener>> {
        listener.set_nonblocking(true)?;
        Ok(Box::new(Held(listener)))
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}
