//! The direction away from this side: the socket, the queue, and what a change to them means.

use std::{
    io::{self, IoSlice},
    mem,
    sync::Arc,
    task::{Context, Poll, ready},
};

use millpond_core::{Event, Spent, Transmit, TransportError, Truncated, WriteError, Writer};

use super::{
    activity::Activity,
    waiters::{Waiters, Wakers},
};
use crate::{runtime::Hold, socket::Socket, sync::MutexGuard};

/// Chunks for one vectored write. Linux takes up to 1024; more than this gains nothing measurable.
const MAX_CHUNKS: usize = 64;

/// A write of this size is worth a system call of its own; copying it into the queue is not.
pub(super) const LARGE: usize = 8 * 1024;

pub(super) struct Sending {
    pub(super) core: Writer,
    /// `None` when the connection was closed or aborted.
    pub(super) socket: Option<Arc<dyn Socket>>,
    /// Of the socket, or of the last one if it is gone.
    pub(super) news: News,
    pub(super) queued: Queued,
    /// Invariant: it is there while what is queued is deferred or the flusher's. The change that makes it so
    /// spawns one.
    pub(super) flusher: Flusher,
    /// Whether small writes may be deferred at all: the flusher is a task of a runtime, which runs when
    /// others yield.
    pub(super) can_defer: bool,
    pub(super) direction: Direction,
    /// How many [`Cork`](crate::types::Cork)s there are.
    pub(super) corks: usize,
    /// The connection's.
    pub(super) activity: Option<Arc<Activity>>,
    /// To be dropped once the lock is released.
    pub(super) spent: Spent,
    /// Tasks that wait for the queue to shrink or for the end.
    pub(super) waiters: Waiters,
}

/// What becomes of what is queued.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Queued {
    /// Nothing is queued, or the last cork to go sends it.
    Idle,
    /// Small writes wait for those that are likely to follow. The first change with a reason sends them, or
    /// else the flusher when the task yields.
    Deferred,
    /// The socket was busy: the flusher's alone.
    Busy,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Flusher {
    None,
    /// Spawned, and not yet ended. Two would each take the other's wake-ups.
    Spawned,
}

/// Whether the socket may have something to say to the writer, or to send of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum News {
    /// It is not asked.
    Never,
    Possible,
}

impl News {
    pub(super) fn of(socket: &dyn Socket) -> Self {
        match socket.is_plain() {
            true => Self::Never,
            false => Self::Possible,
        }
    }
}

/// What the reader has behind its last answer. It is only a hint: small writes are likely to follow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum More {
    Nothing,
    Buffered,
}

/// The direction away from this side, as the socket knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Direction {
    Open,
    /// Its end was sent, or it does not exist. So nothing is sent when the stream is closed.
    Over,
    /// The peer has cut the connection off when nothing was on its way to it: the stream has failed, and
    /// nothing of what was written is lost.
    CutOff,
}

/// A change to what is sent, under one lock from the look at the state to the last effect on it. Only
/// `Connection::finish_change` spawns.
pub(super) struct Change<'a> {
    pub(super) sending: MutexGuard<'a, Sending>,
    /// Ends after the lock, also in a panic.
    _hold: Hold,
}

/// What must wait until the lock is released: wakers and destructors may run anything.
pub(super) struct Deferred {
    pub(super) waiters: Option<Wakers>,
    pub(super) closed: Option<Arc<dyn Socket>>,
    pub(super) spent: Spent,
}

impl<'a> Change<'a> {
    #[inline]
    pub(super) fn new(sending: MutexGuard<'a, Sending>) -> Self {
        Self {
            sending,
            _hold: Hold::new(),
        }
    }
}

impl Change<'_> {
    /// Sends straight from the caller's memory, behind what was held back, unless the socket is busy
    /// or this is small and held back, too: by a cork, or while the reader has `more`. Returns how many
    /// bytes of it were sent.
    pub(super) fn try_send(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
        more: More,
    ) -> Result<usize, WriteError> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        self.sending.check_peer(cx);
        self.accept(cx, len)?;
        let sending = &mut *self.sending;
        if sending.queued == Queued::Busy || sending.corks > 0 && len < LARGE {
            return Ok(0);
        }
        if sending.defers(len, more) {
            sending.queued = Queued::Deferred;
            return Ok(0);
        }
        let Some(socket) = &sending.socket else {
            return Ok(0);
        };
        let mut rest = bufs;
        let mut sent_of_first = 0;
        let mut sent = 0;
        while sent < len {
            let held_back = sending.core.queued();
            let chunks = sending.core.chunks().chain(behind(rest, sent_of_first));
            match poll_write_all(&**socket, cx, chunks, held_back + len - sent) {
                Poll::Pending => {
                    sending.queued = Queued::Busy;
                    return Ok(sent);
                }
                Poll::Ready(Ok(n)) => {
                    if held_back > 0 {
                        sending.spent.append(sending.core.sent(n.min(held_back)));
                    }
                    let n = n.saturating_sub(held_back);
                    sent += n;
                    sent_of_first += n;
                    // What was sent is skipped once, not again for each piece of the rest.
                    while let Some(first) = rest.first().filter(|buf| buf.len() <= sent_of_first) {
                        sent_of_first -= first.len();
                        rest = &rest[1..];
                    }
                    touch(sending.activity.as_deref());
                }
                Poll::Ready(Err(error)) => {
                    let error = TransportError::from(error);
                    sending.fail(error.clone());
                    return Err(WriteError::Transport(error));
                }
            }
        }
        if len > 0 {
            sending.queued = Queued::Idle;
        }
        Ok(sent)
    }

    /// Whether a write of `len` bytes is taken. What is held back is sent before a write is
    /// refused for it.
    fn accept(&mut self, cx: &mut Context<'_>, len: usize) -> Result<(), WriteError> {
        match self.sending.core.accepts(len) {
            Err(WriteError::CapExceeded { .. }) if self.sending.queued != Queued::Busy => {
                let _ = self.sending.poll_transmit(cx);
                self.sending.core.accepts(len)
            }
            accepted => accepted,
        }
    }
}

impl Sending {
    /// Whether something is queued that the socket was not offered yet, be it for a cork or because it is
    /// deferred.
    pub(super) fn is_held_back(&self) -> bool {
        let held_back = match self.queued {
            Queued::Idle => self.corks > 0,
            Queued::Deferred => true,
            Queued::Busy => false,
        };
        held_back && self.core.queued() > 0
    }

    /// Whether a write of `len` bytes waits for those that are likely to follow. One that is empty is none.
    fn defers(&self, len: usize, more: More) -> bool {
        let is_small = (1..LARGE).contains(&len);
        self.can_defer && more == More::Buffered && is_small && self.core.has_room_for(len)
    }

    /// Whether the peer has closed or failed the stream, or the socket has something to flush.
    pub(super) fn has_news(&mut self, cx: &mut Context<'_>) -> bool {
        let peer_closed = self.check_peer(cx);
        let socket = self.socket.as_ref();
        peer_closed || self.queued != Queued::Busy && socket.is_some_and(|it| it.wants_flush())
    }

    /// Records it if the peer has closed or failed the stream, and returns whether it has.
    #[inline]
    fn check_peer(&mut self, cx: &mut Context<'_>) -> bool {
        match self.news {
            News::Never => false,
            News::Possible => self.ask_for_news(cx),
        }
    }

    fn ask_for_news(&mut self, cx: &mut Context<'_>) -> bool {
        // While the stream is closing, only the result of closing matters.
        if self.core.is_closing() {
            return false;
        }
        let socket = self.socket.as_ref();
        match socket.map_or(Poll::Pending, |socket| socket.poll_peer_closed(cx)) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) => self.core.peer_closed(),
            Poll::Ready(Err(error)) => self.fail(error),
        }
        true
    }

    /// Whether a write of `len` bytes changes nothing but the queue: it is held back, the socket has no
    /// news, and no task waits for it. It can still fail, if the stream has ended.
    #[inline]
    pub(super) fn only_queues(&self, len: usize, more: More) -> bool {
        let held_back = match self.queued {
            Queued::Idle => self.corks > 0,
            Queued::Deferred => self.corks > 0 || more == More::Buffered,
            Queued::Busy => false,
        };
        held_back
            && (1..LARGE).contains(&len)
            && self.news == News::Never
            && self.waiters.is_empty()
            && self.core.has_room_for(len)
    }

    /// Neither a cork nor a reader that has more holds back more than the high watermark, what a task waits
    /// for, or the end.
    fn holds_back(&self) -> bool {
        let more_may_come = self.core.writable().is_ok();
        self.is_held_back() && more_may_come && self.waiters.is_empty() && !self.core.is_paused()
    }

    /// Sends what is neither held back nor left to the flusher.
    pub(super) fn send(&mut self, cx: &mut Context<'_>) {
        let left_to_flusher = self.queued == Queued::Busy && self.core.queued() > 0;
        if !left_to_flusher && !self.holds_back() {
            let _ = self.poll_transmit(cx);
        }
    }

    /// Carries out what the core asks for until it asks for nothing, or the socket is busy.
    pub(super) fn poll_transmit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let done = self.poll_steps(cx);
        self.queued = match done {
            Poll::Ready(()) => Queued::Idle,
            Poll::Pending => Queued::Busy,
        };
        done
    }

    fn poll_steps(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.check_peer(cx);
        let Some(socket) = &self.socket else {
            return Poll::Ready(());
        };
        let core = &mut self.core;
        while let Some(step) = core.poll_transmit() {
            let result = match step {
                Transmit::Data(_) => {
                    let sent = poll_write_all(&**socket, cx, core.chunks(), core.queued());
                    ready!(sent).map(|n| {
                        self.spent.append(core.sent(n));
                        touch(self.activity.as_deref());
                    })
                }
                Transmit::Shutdown => match ready!(socket.poll_close(cx)) {
                    Ok(()) => {
                        self.direction = Direction::Over;
                        core.ended();
                        Ok(())
                    }
                    Err(error) => Err(end_failed(error)),
                },
                Transmit::Close if self.direction == Direction::Over => {
                    core.ended();
                    Ok(())
                }
                Transmit::Close => match ready!(socket.poll_close(cx)) {
                    Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
                    // What is gone already cannot be closed.
                    Ok(()) | Err(_) => {
                        core.ended();
                        Ok(())
                    }
                },
                Transmit::Abort => {
                    socket.abort();
                    core.ended();
                    Ok(())
                }
            };
            if let Err(error) = result {
                self.spent.append(core.fail(error));
            }
        }
        if self.news == News::Possible && core.error().is_none() && socket.wants_flush() {
            if let Err(error) = ready!(socket.poll_flush(cx)) {
                self.spent.append(core.fail(error));
            }
        }
        Poll::Ready(())
    }

    pub(super) fn fail(&mut self, error: impl Into<TransportError>) {
        let error = error.into();
        let is_cut = error.get_ref().is::<Truncated>();
        if is_cut && !self.core.is_closed() && !self.is_under_way() {
            self.direction = Direction::CutOff;
        }
        self.queued = Queued::Idle; // nothing is left to send
        self.spent.append(self.core.fail(error));
    }

    /// Whether something of what was written is not with the system.
    fn is_under_way(&self) -> bool {
        let socket = self.socket.as_ref();
        self.core.queued() > 0 || socket.is_some_and(|socket| socket.wants_flush())
    }

    pub(super) fn poll_closed(&self) -> Poll<Result<(), WriteError>> {
        match self.core.error() {
            // What may be missing is for the reader to know.
            Some(_) if self.direction == Direction::CutOff => Poll::Ready(Ok(())),
            Some(error) => Poll::Ready(Err(WriteError::Transport(error.clone()))),
            None if self.core.is_closed() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }

    /// After a change: which tasks are to be woken, and is the socket to be closed?
    #[must_use]
    pub(super) fn settle(&mut self) -> Option<Deferred> {
        let resumed = self.core.poll_event() == Some(Event::ResumeWriting);
        let wakes = resumed || self.core.queued() == 0 || self.core.is_closing();
        let waiters = (wakes && !self.waiters.is_empty()).then(|| self.waiters.take());
        let closes = self.core.is_closed() && self.core.error().is_none();
        let closed = if closes { self.socket.take() } else { None };
        if waiters.is_none() && closed.is_none() && self.spent.is_empty() {
            return None;
        }
        Some(Deferred {
            waiters,
            closed,
            spent: mem::take(&mut self.spent),
        })
    }
}

/// To end the direction of a connection that was reset fails with `ENOTCONN`. The reader reports the
/// reset itself; to a writer it is a broken pipe.
fn end_failed(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotConnected {
        return io::Error::new(io::ErrorKind::BrokenPipe, error);
    }
    error
}

pub(super) fn touch(activity: Option<&Activity>) {
    if let Some(activity) = activity {
        activity.touch();
    }
}

/// Writes what it can of `chunks`, `len` bytes in all and at least one, in one go.
fn poll_write_all<'a>(
    socket: &dyn Socket,
    cx: &mut Context<'_>,
    chunks: impl Iterator<Item = &'a [u8]>,
    len: usize,
) -> Poll<io::Result<usize>> {
    let mut chunks = chunks.filter(|chunk| !chunk.is_empty());
    let first = chunks.next().unwrap_or_default();
    if first.len() == len {
        return poll_write_checked(len, || socket.poll_write(cx, first));
    }
    let mut slices = [IoSlice::new(&[]); MAX_CHUNKS];
    slices[0] = IoSlice::new(first);
    let mut count = 1;
    for (slice, chunk) in slices[1..].iter_mut().zip(chunks) {
        *slice = IoSlice::new(chunk);
        count += 1;
    }
    poll_write_checked(len, || socket.poll_write_vectored(cx, &slices[..count]))
}

/// Repeats a write that was interrupted, and refuses a length that cannot be.
fn poll_write_checked(
    len: usize,
    mut write: impl FnMut() -> Poll<io::Result<usize>>,
) -> Poll<io::Result<usize>> {
    loop {
        return Poll::Ready(match ready!(write()) {
            Ok(0) => Err(io::Error::new(
                io::ErrorKind::WriteZero,
                "the transport wrote 0 bytes",
            )),
            Ok(n) if n > len => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the transport reported {n} bytes written of {len}"),
            )),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            written => written,
        });
    }
}

/// What is left of `bufs` behind their first `n` bytes.
pub(crate) fn behind<'a>(bufs: &'a [IoSlice<'a>], mut n: usize) -> impl Iterator<Item = &'a [u8]> {
    bufs.iter().map(move |buf| {
        let skipped = n.min(buf.len());
        n -= skipped;
        &buf[skipped..]
    })
}
