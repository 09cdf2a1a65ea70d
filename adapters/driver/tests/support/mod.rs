//! Sockets that are answered from a script, and an executor that is polled by hand.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(unreachable_pub, reason = "a module of tests")]

pub mod internet;
pub mod lacking;
pub mod peer;
pub mod system;
#[cfg(feature = "__tls")]
pub mod tls;
pub mod world;

use std::{
    io::{self, ErrorKind, IoSlice},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_lite::future::{block_on, poll_once};
use millpond::{
    Stream, StreamOptions, StreamReader, StreamWriter,
    adapter::{BoxFuture, Socket, Spawn},
};

/// Both halves of one stream in one.
pub fn whole((reader, writer): (StreamReader, StreamWriter)) -> Stream {
    Stream::reunite(reader, writer).unwrap()
}

/// A socket whose every call is answered from a script.
#[derive(Default)]
pub struct Scripted {
    reads: Mutex<Vec<Poll<io::Result<usize>>>>,
    writes: Mutex<Vec<Poll<io::Result<usize>>>>,
    written: Mutex<Vec<u8>>,
    /// Whether every write takes everything, whatever the script says.
    pub takes_all: AtomicBool,
    /// Wakers that the write side was polled with.
    pub write_wakers: Mutex<Vec<Waker>>,
    pub closes: AtomicUsize,
    /// What every close fails with, if it does.
    pub close_error: Mutex<Option<ErrorKind>>,
    pub aborts: AtomicUsize,
}

impl Scripted {
    /// The answers come in turn; after the last one every call is pending.
    pub fn new(
        reads: impl IntoIterator<Item = Poll<io::Result<usize>>>,
        writes: impl IntoIterator<Item = Poll<io::Result<usize>>>,
    ) -> Arc<Self> {
        let scripted = Self::default();
        *scripted.reads.lock().unwrap() = reversed(reads);
        *scripted.writes.lock().unwrap() = reversed(writes);
        Arc::new(scripted)
    }

    pub fn open(self: &Arc<Self>, spawner: impl Spawn) -> (StreamReader, StreamWriter) {
        self.open_with(&StreamOptions::new(), spawner)
    }

    pub fn open_with(
        self: &Arc<Self>,
        options: &StreamOptions,
        spawner: impl Spawn,
    ) -> (StreamReader, StreamWriter) {
        options.open(Box::new(Handle(self.clone())), Arc::new(spawner))
    }

    pub fn written(&self) -> Vec<u8> {
        self.written.lock().unwrap().clone()
    }

    /// How many times the driver has tried to write.
    pub fn write_calls(&self) -> usize {
        self.write_wakers.lock().unwrap().len()
    }

    pub fn then_writes(&self, answers: impl IntoIterator<Item = Poll<io::Result<usize>>>) {
        *self.writes.lock().unwrap() = reversed(answers);
    }
}

fn reversed<T>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.reverse();
    items
}

/// What the driver gets, so that the test can watch.
pub struct Handle(pub Arc<Scripted>);

impl Socket for Handle {
    fn poll_read(&self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let answer = self.0.reads.lock().unwrap().pop().unwrap_or(Poll::Pending);
        if let Poll::Ready(Ok(n)) = answer {
            let n = n.min(buf.len());
            buf[..n].fill(b'x');
        }
        answer
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        assert!(bufs.iter().all(|buf| !buf.is_empty()));
        self.0.write_wakers.lock().unwrap().push(cx.waker().clone());
        let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        let answer = match self.0.takes_all.load(Ordering::Relaxed) {
            true => ready(all.len()),
            false => self.0.writes.lock().unwrap().pop().unwrap_or(Poll::Pending),
        };
        if let Poll::Ready(Ok(n)) = answer {
            let n = n.min(all.len());
            self.0.written.lock().unwrap().extend(&all[..n]);
        }
        answer
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.closes.fetch_add(1, Ordering::Relaxed);
        let error = *self.0.close_error.lock().unwrap();
        Poll::Ready(error.map_or(Ok(()), |kind| Err(kind.into())))
    }

    fn poll_peer_closed(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::Error::other("a plain socket is not to be asked")))
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn abort(&self) {
        self.0.aborts.fetch_add(1, Ordering::Relaxed);
    }
}

pub fn ready(n: usize) -> Poll<io::Result<usize>> {
    Poll::Ready(Ok(n))
}

pub fn fails(kind: ErrorKind) -> Poll<io::Result<usize>> {
    Poll::Ready(Err(kind.into()))
}

/// Keeps what is spawned, for the test to poll.
#[derive(Clone, Default)]
pub struct Kept(pub Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl Kept {
    pub fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Polls every task once with a waker of its own, and forgets those that have ended.
    pub fn poll_all(&self) {
        let mut tasks = std::mem::take(&mut *self.0.lock().unwrap());
        tasks.retain_mut(|task| block_on(poll_once(task)).is_none());
        self.0.lock().unwrap().append(&mut tasks);
    }
}

impl Spawn for Kept {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.lock().unwrap().push(task);
    }
}

/// A waker that remembers whether it was called.
#[derive(Default)]
pub struct Alarm(AtomicBool);

impl Alarm {
    pub fn has_rung(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub fn reset(&self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}
