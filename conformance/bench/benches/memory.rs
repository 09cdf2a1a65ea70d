//! Sources and sinks in memory, and what is read from them.

use std::{
    fmt::Debug,
    hint::black_box,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use futures_util::{Stream, StreamExt};
use millpond::{
    StreamOptions, StreamReader, StreamWriter,
    adapter::{BoxFuture, Socket},
    types::FuturesIo,
};

/// More than a first and less than a second level cache holds, and too long for a branch predictor
/// to learn by heart.
const TEXT: usize = 512 * 1024;

/// As many bytes as one pass reads, roughly.
const PASS: usize = 4 * 1024 * 1024;

/// What is read, over and over.
#[derive(Clone)]
pub(crate) struct Text {
    pub(crate) bytes: Arc<[u8]>,
    /// Records in `bytes`.
    pub(crate) records: u64,
    /// How often a pass reads it.
    pub(crate) repeats: u64,
}

impl Text {
    pub(crate) fn new(bytes: Vec<u8>, records: u64) -> Self {
        Self {
            repeats: (PASS / bytes.len()).max(1) as u64,
            bytes: bytes.into(),
            records,
        }
    }

    /// Letters, in records of uniformly random length around `mean`, each with one of `ends`.
    pub(crate) fn records(mean: usize, ends: &[&str]) -> Self {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let mut bytes = Vec::with_capacity(TEXT + 2 * mean);
        let mut records = 0;
        while bytes.len() < TEXT {
            let end = ends[random.below(ends.len())];
            let len = mean / 2 + random.below(mean + 1);
            for _ in 0..len.saturating_sub(end.len()) {
                bytes.push(b'a' + random.below(26) as u8);
            }
            bytes.extend_from_slice(end.as_bytes());
            records += 1;
        }
        Self::new(bytes, records)
    }

    /// Records in a pass.
    pub(crate) fn count(&self) -> u64 {
        self.records * self.repeats
    }

    /// Bytes in a pass.
    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64 * self.repeats
    }

    /// A pass.
    pub(crate) fn source(&self, chunk: usize) -> Source {
        Source {
            text: self.bytes.clone(),
            at: 0,
            left: self.len() as usize,
            chunk,
            pauses: false,
            pausing: false,
        }
    }
}

/// xorshift64*; a benchmark needs no better one.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }
}

/// A text in pieces, for every trait there is to read. It takes whatever is written to it.
pub(crate) struct Source {
    text: Arc<[u8]>,
    at: usize,
    left: usize,
    chunk: usize,
    /// Whether there is a pause after each piece.
    pauses: bool,
    pausing: bool,
}

impl Source {
    /// Pending after each piece.
    pub(crate) fn with_pauses(mut self) -> Self {
        self.pauses = true;
        self
    }

    /// The next piece, of at most `room` bytes.
    pub(crate) fn next(&mut self, room: usize) -> &[u8] {
        if self.at == self.text.len() {
            self.at = 0;
        }
        let n = self
            .chunk
            .min(room)
            .min(self.left)
            .min(self.text.len() - self.at);
        self.at += n;
        self.left -= n;
        &self.text[self.at - n..self.at]
    }

    fn poll_next(&mut self, room: usize) -> Poll<&[u8]> {
        self.pausing = self.pauses && !self.pausing;
        if self.pauses && !self.pausing && self.left > 0 {
            return Poll::Pending;
        }
        Poll::Ready(self.next(room))
    }
}

impl io::Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let piece = self.next(buf.len());
        buf[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

impl futures_io::AsyncRead for Source {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_next(buf.len()).map(|piece| {
            buf[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        })
    }
}

impl tokio::io::AsyncRead for Source {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_next(buf.remaining()).map(|piece| {
            buf.put_slice(piece);
            Ok(())
        })
    }
}

impl futures_io::AsyncWrite for Source {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Takes everything and counts: the calls are what would be system calls.
#[derive(Clone, Default)]
pub(crate) struct Sink(Arc<Counts>);

#[derive(Default)]
struct Counts {
    bytes: AtomicU64,
    calls: AtomicU64,
}

impl Sink {
    pub(crate) fn take(&self, n: usize) -> usize {
        // There is one writer, so that a locked instruction would measure nothing but itself.
        let Counts { bytes, calls } = &*self.0;
        bytes.store(bytes.load(Ordering::Relaxed) + n as u64, Ordering::Relaxed);
        calls.store(calls.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        n
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }
}

fn total(bufs: &[io::IoSlice<'_>]) -> usize {
    bufs.iter().map(|buf| buf.len()).sum()
}

impl io::Write for Sink {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(self.take(buf.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tokio::io::AsyncWrite for Sink {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.take(buf.len())))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.take(total(bufs))))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

impl futures_io::AsyncWrite for Sink {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.take(buf.len())))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.take(total(bufs))))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// As the adapters' sockets are, and the connection needs to ask them for nothing.
impl Socket for Sink {
    fn poll_read(&self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn poll_write(&self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.take(buf.len())))
    }

    fn poll_write_vectored(
        &self,
        _: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.take(total(bufs))))
    }

    fn poll_close(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn is_plain(&self) -> bool {
        true
    }
}

/// The driver over a futures-io stream.
pub(crate) fn open<S>(stream: S) -> (StreamReader, StreamWriter)
where
    S: futures_io::AsyncRead + futures_io::AsyncWrite + Send + Unpin + 'static,
{
    open_socket(FuturesIo::new(stream))
}

/// The driver over a socket that is never busy.
pub(crate) fn open_socket(socket: impl Socket) -> (StreamReader, StreamWriter) {
    let spawner = |_: BoxFuture<'static, ()>| unreachable!("a sink in memory is never busy");
    StreamOptions::new()
        .limit(1 << 20)
        .open(Box::new(socket), Arc::new(spawner))
}

/// Polls until it is done. Nothing here waits for anything, so nothing needs to be woken, and an
/// executor's turns would only blur the rows that take some.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = poll(future.as_mut()) {
            return output;
        }
    }
}

/// Counts what comes out of a stream that does not wait.
pub(crate) fn count_all<T, E: Debug>(items: impl Stream<Item = Result<T, E>>) -> u64 {
    let mut items = pin!(items);
    block_on(async {
        let mut count = 0;
        while let Some(item) = items.next().await {
            black_box(item.unwrap());
            count += 1;
        }
        count
    })
}

/// Polls once and drops it.
pub(crate) fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    poll(pin!(future))
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
