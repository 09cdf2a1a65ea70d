//! The other end of a connection in a world: the test gives and takes its bytes.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use millpond::adapter::Socket;

/// The other end of a connection.
#[derive(Clone, Default)]
pub struct Peer(Arc<Both>);

#[derive(Default)]
struct Both {
    wire: Mutex<Wire>,
    /// How often the server's end was dropped.
    released: AtomicUsize,
    aborted: AtomicBool,
}

#[derive(Default)]
struct Wire {
    sent: VecDeque<u8>,
    ended: bool,
    failed: Option<ErrorKind>,
    received: Vec<u8>,
    received_end: bool,
    /// How much more the peer takes; `None` if it takes everything.
    room: Option<usize>,
    wakers: Vec<Waker>,
}

impl Peer {
    fn change(&self, change: impl FnOnce(&mut Wire)) {
        let mut wire = self.0.wire.lock().unwrap();
        change(&mut wire);
        let wakers = mem::take(&mut wire.wakers);
        drop(wire);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub fn send(&self, data: &[u8]) {
        self.change(|wire| wire.sent.extend(data));
    }

    pub fn end(&self) {
        self.change(|wire| wire.ended = true);
    }

    /// What is read and written from now on fails so.
    pub fn fail(&self, kind: ErrorKind) {
        self.change(|wire| wire.failed = Some(kind));
    }

    /// Takes so many bytes, and then no more.
    pub fn take(&self, n: usize) {
        self.change(|wire| wire.room = Some(n));
    }

    pub fn received(&self) -> Vec<u8> {
        self.0.wire.lock().unwrap().received.clone()
    }

    /// Whether the server has ended its direction.
    pub fn received_end(&self) -> bool {
        self.0.wire.lock().unwrap().received_end
    }

    pub fn was_reset(&self) -> bool {
        self.0.aborted.load(Ordering::Acquire)
    }

    /// Whether the server has let go of its socket.
    pub fn is_released(&self) -> bool {
        self.0.released.load(Ordering::Acquire) == 1
    }

    /// A socket for the server, to be given to [`World::come`](super::world::World::come).
    pub fn socket(&self) -> Box<dyn Socket> {
        Box::new(Line(self.clone()))
    }
}

struct Line(Peer);

impl Socket for Line {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut wire = self.0.0.wire.lock().unwrap();
        if let Some(kind) = wire.failed {
            return Poll::Ready(Err(kind.into()));
        }
        if wire.sent.is_empty() && !wire.ended {
            wire.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        let n = wire.sent.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(wire.sent.drain(..n)) {
            *to = from;
        }
        Poll::Ready(Ok(n))
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut wire = self.0.0.wire.lock().unwrap();
        if let Some(kind) = wire.failed {
            return Poll::Ready(Err(kind.into()));
        }
        let n = wire.room.map_or(buf.len(), |room| room.min(buf.len()));
        if n == 0 {
            wire.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        wire.room = wire.room.map(|room| room - n);
        wire.received.extend(&buf[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.0.wire.lock().unwrap().received_end = true;
        Poll::Ready(Ok(()))
    }

    fn abort(&self) {
        self.0.0.aborted.store(true, Ordering::Release);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.0.released.fetch_add(1, Ordering::AcqRel);
    }
}
