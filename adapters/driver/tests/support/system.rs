//! The system's listening sockets, which are asked by hand.

use std::{
    io::{self, ErrorKind},
    task::{Context, Poll, Waker},
};

use millpond::{
    Address,
    adapter::{Bound, ListenOptions, Listener, Socket, StdListener, os},
    types::FuturesIo,
};

use super::world::World;

/// Takes an address of the system with these options.
pub fn bind(address: &Address, options: &ListenOptions) -> io::Result<Box<dyn Bound>> {
    os::bind(World::default().runtime(), address, options)
}

/// Whether a connection comes in right now.
pub fn accepts(listener: &dyn Listener) -> bool {
    let accepted = listener.poll_accept(&mut Context::from_waker(Waker::noop()));
    accepted.map(Result::unwrap).is_ready()
}

pub struct Listening(StdListener);

impl Listening {
    pub fn new(listener: StdListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }
}

impl Listener for Listening {
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
