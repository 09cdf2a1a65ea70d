//! Sockets that the event loop watches.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    sync::Arc,
    task::{Context, Poll},
};

use mio::{Interest, Token, unix::SourceFd};

use super::{
    readiness::Source,
    runtime::{EventLoop, Shared},
};

/// A socket that the event loop watches.
pub(super) struct Watched<S: AsFd> {
    pub(super) socket: S,
    token: Token,
    source: Arc<Source>,
    shared: Arc<Shared>,
}

impl EventLoop {
    /// Watches a socket, which must not block.
    pub(super) fn watch<S: AsFd>(&self, socket: S) -> io::Result<Watched<S>> {
        let shared = self.0.clone();
        let token = Token(shared.next_number());
        let source = Arc::new(Source::default());
        shared.lock().sources.insert(token, Arc::downgrade(&source));
        let watched = Watched {
            socket,
            token,
            source,
            shared,
        };
        let both = Interest::READABLE | Interest::WRITABLE;
        let fd = watched.socket.as_fd().as_raw_fd();
        watched
            .shared
            .registry
            .register(&mut SourceFd(&fd), token, both)?;
        Ok(watched)
    }
}

impl<S: AsFd> Watched<S> {
    pub(super) fn poll_readable(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.source.poll_readable(cx)
    }

    pub(super) fn event_loop(&self) -> EventLoop {
        EventLoop(self.shared.clone())
    }

    pub(super) fn poll_writable(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.source.poll_writable(cx)
    }
}

impl<S: AsFd> Drop for Watched<S> {
    fn drop(&mut self) {
        self.shared.lock().sources.remove(&self.token);
        let fd = self.socket.as_fd().as_raw_fd();
        // It fails if watching has not begun.
        let _ = self.shared.registry.deregister(&mut SourceFd(&fd));
    }
}
