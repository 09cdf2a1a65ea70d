//! The runtime: when sockets are ready.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use mio::{Interest, Token, event::Event, unix::SourceFd};

use super::runtime::{EventLoop, Shared};

/// A socket that the event loop watches.
pub(super) struct Watched<S: AsFd> {
    pub(super) socket: S,
    token: Token,
    source: Arc<Source>,
    shared: Arc<Shared>,
}

/// What is known of a socket, in each direction.
#[derive(Default)]
pub(super) struct Source {
    read: Mutex<Direction>,
    write: Mutex<Direction>,
}

#[derive(Default)]
struct Direction {
    /// Something has happened since it was last asked.
    ready: bool,
    waker: Option<Waker>,
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
        poll_ready(&self.source.read, cx)
    }

    pub(super) fn event_loop(&self) -> EventLoop {
        EventLoop(self.shared.clone())
    }

    pub(super) fn poll_writable(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(&self.source.write, cx)
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

impl Source {
    /// The system tells each change once.
    pub(super) fn tell(&self, event: &Event) {
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            make_ready(&self.read);
        }
        if event.is_writable() || event.is_write_closed() || event.is_error() {
            make_ready(&self.write);
        }
    }
}

fn poll_ready(direction: &Mutex<Direction>, cx: &Context<'_>) -> Poll<io::Result<()>> {
    let mut direction = direction.lock().unwrap_or_else(PoisonError::into_inner);
    if std::mem::take(&mut direction.ready) {
        return Poll::Ready(Ok(()));
    }
    direction.waker = Some(cx.waker().clone());
    Poll::Pending
}

fn make_ready(direction: &Mutex<Direction>) {
    let mut direction = direction.lock().unwrap_or_else(PoisonError::into_inner);
    direction.ready = true;
    let waker = direction.waker.take();
    drop(direction);
    if let Some(waker) = waker {
        waker.wake();
    }
}
