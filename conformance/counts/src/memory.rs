//! A source and a sink in memory, and an executor that only polls.

use std::{
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use millpond::{StreamOptions, StreamReader, StreamWriter, adapter::BoxFuture, types::FuturesIo};
use tokio::io::ReadBuf;

/// What is counted.
pub(crate) struct Row {
    pub(crate) name: String,
    /// What a unit is.
    pub(crate) per: &'static str,
    /// How many of them there are in a pass, and it has to find as many.
    pub(crate) units: u64,
    pub(crate) pass: Box<dyn FnMut() -> u64>,
}

impl Row {
    pub(crate) fn new(
        name: impl Into<String>,
        per: &'static str,
        units: u64,
        pass: impl FnMut() -> u64 + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            per,
            units,
            pass: Box::new(pass),
        }
    }
}

/// Where the text lies decides how it is copied, and is not to depend on what else there is.
const ALIGN: usize = 64;

/// Records of one text, which arrive in pieces.
#[derive(Clone)]
pub(crate) struct Source {
    text: Arc<Vec<u8>>,
    at: usize,
    piece: usize,
    pauses: Pauses,
}

/// Whether there is nothing to read between two pieces, once.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Pauses {
    Never,
    BeforeNext,
    AfterNext,
}

impl Source {
    pub(crate) fn new(record: &[u8], records: u64, piece: usize) -> Self {
        let records = record.repeat(records as usize);
        let mut text: Vec<u8> = Vec::with_capacity(ALIGN + records.len());
        let start = text.as_ptr().align_offset(ALIGN);
        text.resize(start, 0);
        text.extend_from_slice(&records);
        Self {
            text: Arc::new(text),
            at: start,
            piece,
            pauses: Pauses::Never,
        }
    }

    pub(crate) fn with_pauses(self) -> Self {
        Self {
            pauses: Pauses::AfterNext,
            ..self
        }
    }

    /// The next piece, of at most `room` bytes.
    pub(crate) fn next(&mut self, room: usize) -> &[u8] {
        let n = self.piece.min(room).min(self.text.len() - self.at);
        self.at += n;
        &self.text[self.at - n..self.at]
    }
}

impl futures_io::AsyncRead for Source {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.pauses {
            Pauses::Never => {}
            Pauses::AfterNext => self.pauses = Pauses::BeforeNext,
            Pauses::BeforeNext => {
                self.pauses = Pauses::AfterNext;
                return Poll::Pending;
            }
        }
        let piece = self.next(buf.len());
        buf[..piece.len()].copy_from_slice(piece);
        Poll::Ready(Ok(piece.len()))
    }
}

impl tokio::io::AsyncRead for Source {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = futures_io::AsyncRead::poll_read(self, cx, buf.initialize_unfilled());
        read.map_ok(|n| buf.advance(n))
    }
}

/// It takes everything, as a sink too.
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

pub(crate) fn open(source: Source) -> (StreamReader, StreamWriter) {
    let spawner = |_: BoxFuture<'static, ()>| unreachable!("a sink in memory is never busy");
    StreamOptions::new().open(Box::new(FuturesIo::new(source)), Arc::new(spawner))
}

/// Nothing here waits for anything, so nothing needs to be woken.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = poll(future.as_mut()) {
            return output;
        }
    }
}

/// Polls once and drops it.
pub(crate) fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    poll(pin!(future))
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
