//! The sockets of a world.

use std::{
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll, ready},
};

use millpond::{
    Address, StreamMode,
    adapter::{Bound, Listener, Socket},
    types::ExtraInfo,
};

use crate::{trace::event::End, world::shared::Shared};

/// An end of a connection.
pub(crate) struct SimSocket {
    shared: Arc<Shared>,
    at: End,
    mode: StreamMode,
}

impl SimSocket {
    pub(crate) fn new(shared: Arc<Shared>, at: End) -> Self {
        Self {
            shared,
            at,
            mode: StreamMode::ReadWrite,
        }
    }

    /// Both ends of a pipe, the one that is read first.
    pub(crate) fn pipe(shared: &Arc<Shared>, connection: u32) -> [Self; 2] {
        [(1, StreamMode::Read), (0, StreamMode::Write)].map(|(side, mode)| Self {
            shared: shared.clone(),
            at: End { connection, side },
            mode,
        })
    }
}

impl Socket for SimSocket {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.shared.lock().poll_read(cx, self.at, buf)
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.shared.lock().poll_write(cx, self.at, bufs)
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shared.lock().finish(self.at))
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn abort(&self) {
        self.shared.lock().abort(self.at);
    }

    fn mode(&self) -> StreamMode {
        self.mode
    }

    fn extra_info(&self) -> ExtraInfo {
        if self.mode != StreamMode::ReadWrite {
            return ExtraInfo::default();
        }
        let state = self.shared.lock();
        match state.connections.get(self.at.connection) {
            Some(connection) => {
                let address = |side: usize| Some(connection.ends[side].address.clone());
                ExtraInfo::new(address(self.at.peer().side), address(self.at.side))
            }
            None => ExtraInfo::default(),
        }
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        self.shared.lock().close(self.at);
    }
}

/// An address that is taken.
pub(crate) struct SimBound {
    shared: Arc<Shared>,
    id: usize,
}

impl SimBound {
    pub(crate) fn new(shared: Arc<Shared>, id: usize) -> Self {
        Self { shared, id }
    }

    fn address(&self) -> io::Result<Address> {
        let state = self.shared.lock();
        let port = state.port(self.id).ok_or(io::ErrorKind::NotConnected)?;
        Ok(port.address.clone())
    }
}

impl Bound for SimBound {
    fn local_addr(&self) -> io::Result<Address> {
        self.address()
    }

    fn listen(self: Box<Self>, backlog: u32) -> io::Result<Box<dyn Listener>> {
        self.shared.lock().listen(self.id, backlog);
        Ok(Box::new(SimListener(*self)))
    }
}

impl Drop for SimBound {
    fn drop(&mut self) {
        self.shared.lock().close_port(self.id);
    }
}

/// An address at which connections are accepted.
struct SimListener(SimBound);

impl Listener for SimListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Socket>>> {
        let shared = &self.0.shared;
        let end = ready!(shared.lock().poll_accept(self.0.id, cx))?;
        Poll::Ready(Ok(Box::new(SimSocket::new(shared.clone(), end))))
    }

    fn local_addr(&self) -> io::Result<Address> {
        self.0.address()
    }
}
