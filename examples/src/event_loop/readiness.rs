//! When sockets are ready.

use std::{
    io,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use mio::event::Event;

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

impl Source {
    /// The system reports each change once.
    pub(super) fn report(&self, event: &Event) {
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            make_ready(&self.read);
        }
        if event.is_writable() || event.is_write_closed() || event.is_error() {
            make_ready(&self.write);
        }
    }

    pub(super) fn poll_readable(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(&self.read, cx)
    }

    pub(super) fn poll_writable(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        poll_ready(&self.write, cx)
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
