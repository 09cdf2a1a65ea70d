//! Connected sockets as a runtime has them: each direction keeps the last waker that asked.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    mem,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
};

use millpond::adapter::Socket;
use shuttle::sync::{Mutex, MutexGuard};

/// Two ends, each of whose directions holds `capacity` bytes.
pub(crate) fn connected(capacity: usize) -> (Box<dyn Socket>, Box<dyn Socket>) {
    let there = Arc::new(Line::new(capacity));
    let back = Arc::new(Line::new(capacity));
    let left = End {
        incoming: back.clone(),
        outgoing: there.clone(),
    };
    let right = End {
        incoming: there,
        outgoing: back,
    };
    (Box::new(left), Box::new(right))
}

struct End {
    incoming: Arc<Line>,
    outgoing: Arc<Line>,
}

/// One direction.
struct Line {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    end: Ended,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Ended {
    #[default]
    Open,
    Finished,
    /// By either side.
    Reset,
}

impl Line {
    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_read(&self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        if state.end == Ended::Reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        let n = state.bytes.len().min(buf.len());
        if n == 0 {
            if state.end == Ended::Finished {
                return Poll::Ready(Ok(0));
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        for (to, from) in buf.iter_mut().zip(state.bytes.drain(..n)) {
            *to = from;
        }
        let writer = state.writer.take();
        drop(state);
        wake(writer);
        Poll::Ready(Ok(n))
    }

    fn poll_write(&self, cx: &Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        if state.end != Ended::Open {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let n = buf.len().min(self.capacity - state.bytes.len());
        if n == 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.bytes.extend(&buf[..n]);
        let reader = state.reader.take();
        drop(state);
        wake(reader);
        Poll::Ready(Ok(n))
    }

    fn end(&self, end: Ended) {
        let mut state = self.lock();
        if state.end == Ended::Open {
            state.end = end;
        }
        let wakers = (state.reader.take(), state.writer.take());
        drop(state);
        wake(wakers.0);
        wake(wakers.1);
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Socket for End {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.incoming.poll_read(cx, buf)
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.outgoing.poll_write(cx, buf)
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.end(Ended::Finished);
        Poll::Ready(Ok(()))
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn abort(&self) {
        self.outgoing.end(Ended::Reset);
        self.incoming.end(Ended::Reset);
    }
}

impl Drop for End {
    /// With unread input that is a reset, as the system has it.
    fn drop(&mut self) {
        let unread = mem::take(&mut self.incoming.lock().bytes);
        if unread.is_empty() {
            self.outgoing.end(Ended::Finished);
        } else {
            self.outgoing.end(Ended::Reset);
        }
        self.incoming.end(Ended::Reset);
    }
}
