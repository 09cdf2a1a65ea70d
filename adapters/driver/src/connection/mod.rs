//! What the two halves of a stream share: the socket, and everything about writing to it.

mod activity;
mod closed;
mod flush;
mod idle;
mod linger;
mod places;
mod receiving;
mod scratch;
mod shutdown_notice;
mod waiters;

use std::{
    fmt,
    io::{self, IoSlice},
    mem,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Wake, Waker, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use millpond_core::{Event, Spent, Transmit, TransportError, Truncated, WriteError, Writer};

use self::{
    activity::Activity,
    flush::Flush,
    linger::linger,
    receiving::{Listening, Receiving},
    shutdown_notice::ShutdownNotice,
    waiters::Ticket,
};
pub use self::{closed::Closed, shutdown_notice::ShutdownRequested};
pub(crate) use self::{
    idle::Idle,
    places::{Places, SocketPlace},
    receiving::{End, Received, Source, checked},
    scratch::with_scratch,
    shutdown_notice::IdleReads,
    waiters::{WaitList, Waiters, Waiting, Wakers},
};
use crate::{
    runtime::{Background, BoxFuture, Hold},
    socket::{ExtraInfo, Socket, StreamMode},
    sync::{
        AtomicWaker, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// Chunks for one vectored write. Linux takes up to 1024; more than this gains nothing measurable.
const MAX_CHUNKS: usize = 64;

/// A write of this size is worth a system call of its own; copying it into the queue is not.
const LARGE: usize = 8 * 1024;

/// Owns the socket and the queue of what is to be written.
///
/// A write sends what it can at once. When the socket is busy, the rest is queued and a flusher is
/// spawned that sends it and ends when nothing is left; it keeps the connection alive, so that the
/// rest is delivered even when both halves are gone.
///
/// The reader's side has the socket, too, under a lock of its own: both directions work at once, and
/// closing takes it away from both.
pub(crate) struct Connection {
    sending: Mutex<Sending>,
    /// Whether a cork holds something back, so that a reader takes the lock only if there is a reason.
    /// Written under the lock; it may say so for longer than it is true.
    holds_something: AtomicBool,
    /// The one waker that the write side of the socket ever sees, so that it does not matter who
    /// polled it last. Rings `bell`.
    waker: Waker,
    bell: Arc<Bell>,
    receiving: Mutex<Receiving>,
    /// The one waker that the read side of the socket ever sees. Wakes those who are `listening`.
    read_waker: Waker,
    listening: Arc<Listening>,
    background: Background,
    mode: StreamMode,
    /// The name that was connected to.
    #[cfg_attr(
        not(feature = "__tls"),
        expect(dead_code, reason = "only TLS asks for it")
    )]
    host: Option<Box<str>>,
    close_timeout: Duration,
    linger_timeout: Duration,
    /// That of the socket, if it is a server's.
    place: Mutex<Option<SocketPlace>>,
    /// Both change when the socket does.
    can_write_eof: AtomicBool,
    extra_info: Mutex<Arc<ExtraInfo>>,
    /// How many halves of the stream there are. The last one to go closes it.
    halves: AtomicUsize,
    /// If somebody wants to know.
    activity: Option<Arc<Activity>>,
    shutdown: ShutdownNotice,
}

struct Sending {
    core: Writer,
    /// `None` when the connection was closed or aborted.
    socket: Option<Arc<dyn Socket>>,
    /// That of the socket, or of the last one.
    news: News,
    flusher: Flusher,
    direction: Direction,
    /// How many [`Cork`](crate::Cork)s there are.
    corks: usize,
    /// The connection's.
    activity: Option<Arc<Activity>>,
    /// To be dropped once the lock is released.
    spent: Spent,
    /// Those who wait for the queue to shrink or for the end.
    waiters: Waiters,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flusher {
    None,
    /// Spawned, and not yet ended. Invariant: while anything is queued and not corked there is one.
    /// Two would each take the other's wake-ups.
    Spawned,
}

/// Whether the socket may have something to say to the writer, or to send of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum News {
    /// It is not asked.
    Never,
    Possible,
}

impl News {
    fn of(socket: &dyn Socket) -> Self {
        match socket.is_plain() {
            true => Self::Never,
            false => Self::Possible,
        }
    }
}

/// The direction away from this side, as the socket knows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Direction {
    Open,
    /// The peer was told of its end, or there is none. So there is nothing to tell when the stream is
    /// closed.
    Over,
    /// The peer has cut the connection off when nothing was on its way to it: the stream has failed, and
    /// nothing of what was written is lost.
    CutOff,
}

/// Wakes the flusher.
#[derive(Debug, Default)]
struct Bell(AtomicWaker);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake();
    }
}

/// The lock, from looking to doing: what a change relies on was seen under the same lock.
struct Change<'a> {
    sending: MutexGuard<'a, Sending>,
    /// The socket has not taken all of it, so what is left is for a flusher. This is no state of the
    /// connection: nobody else sees it, and only [`Connection::finish_change`] spawns.
    busy: bool,
    /// Ends after the lock, also in a panic.
    _hold: Hold,
}

/// How a connection ends.
pub(crate) struct Closing {
    pub(crate) timeout: Duration,
    pub(crate) linger_timeout: Duration,
    pub(crate) place: Option<SocketPlace>,
}

/// What is left to do once the lock is released: wakers and destructors may run anything.
#[must_use]
struct Afterwards {
    waiters: Option<Wakers>,
    closed: Option<Arc<dyn Socket>>,
    spent: Spent,
}

impl Connection {
    pub(crate) fn new(
        socket: Box<dyn Socket>,
        background: Background,
        closing: Closing,
        activity: Option<Arc<Activity>>,
        host: Option<&str>,
        core: Writer,
        limit: usize,
    ) -> Arc<Self> {
        let bell = Arc::new(Bell::default());
        let listening = Arc::new(Listening::default());
        let socket: Arc<dyn Socket> = Arc::from(socket);
        let direction = if socket.mode().can_write() {
            Direction::Open
        } else {
            Direction::Over
        };
        let connection = Self {
            waker: Waker::from(bell.clone()),
            bell,
            receiving: Mutex::new(Receiving::new(socket.clone(), limit)),
            read_waker: Waker::from(listening.clone()),
            listening,
            background,
            mode: socket.mode(),
            host: host.map(Box::from),
            close_timeout: closing.timeout,
            linger_timeout: closing.linger_timeout,
            place: Mutex::new(closing.place),
            can_write_eof: AtomicBool::new(socket.mode().can_write() && socket.can_write_eof()),
            extra_info: Mutex::new(Arc::new(socket.extra_info())),
            halves: AtomicUsize::new(2),
            activity: activity.clone(),
            shutdown: ShutdownNotice::default(),
            holds_something: AtomicBool::new(false),
            sending: Mutex::new(Sending {
                core,
                activity,
                news: News::of(&*socket),
                socket: Some(socket),
                flusher: Flusher::None,
                direction,
                corks: 0,
                waiters: Waiters::default(),
                spent: Spent::default(),
            }),
        };
        Arc::new(connection)
    }

    pub(crate) fn can_write_eof(&self) -> bool {
        self.can_write_eof.load(Ordering::Acquire)
    }

    pub(crate) fn mode(&self) -> StreamMode {
        self.mode
    }

    /// Bytes were read.
    pub(crate) fn touch(&self) {
        touch(self.activity.as_deref());
    }

    pub(crate) fn extra_info(&self) -> Arc<ExtraInfo> {
        let info = self.extra_info.lock();
        info.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets `ask` look at the socket, unless it was closed.
    pub(crate) fn with_socket<T>(&self, ask: impl FnOnce(&dyn Socket) -> T) -> Option<T> {
        let socket = self.lock().socket.clone();
        socket.map(|socket| ask(&*socket))
    }

    /// # Errors
    ///
    /// [`WriteError::ReadOnly`].
    pub(crate) fn check_direction(&self) -> Result<(), WriteError> {
        match self.mode {
            StreamMode::Read => Err(WriteError::ReadOnly),
            StreamMode::ReadWrite | StreamMode::Write => Ok(()),
        }
    }

    /// Lets `ask` look at the core.
    pub(crate) fn inspect<T>(&self, ask: impl FnOnce(&Writer) -> T) -> T {
        ask(&self.lock().core)
    }

    #[inline]
    pub(crate) fn write(self: &Arc<Self>, data: &[u8]) -> Result<(), WriteError> {
        self.check_direction()?;
        let mut sending = self.lock();
        if sending.only_queues(data.len()) {
            sending.core.write(data)?;
            self.holds_something.store(true, Ordering::Release);
            return Ok(());
        }
        drop(sending);
        self.write_now(data)
    }

    fn write_now(self: &Arc<Self>, data: &[u8]) -> Result<(), WriteError> {
        self.change(|change, cx| {
            let sent = change.try_send(cx, &[IoSlice::new(data)])?;
            change.sending.core.write(&data[sent..])
        })
    }

    pub(crate) fn write_bytes(self: &Arc<Self>, mut data: Bytes) -> Result<(), WriteError> {
        self.check_direction()?;
        // What is copied is dropped without the lock: it may be the program's own memory.
        self.change(|change, cx| {
            let sent = change.try_send(cx, &[IoSlice::new(&data)])?;
            data.advance(sent);
            match data.len() < LARGE {
                true => change.sending.core.write(&data),
                false => change.sending.core.write_bytes(mem::take(&mut data)),
            }
        })
    }

    pub(crate) fn write_vectored(self: &Arc<Self>, bufs: &[IoSlice<'_>]) -> Result<(), WriteError> {
        self.check_direction()?;
        self.change(|change, cx| {
            let sent = change.try_send(cx, bufs)?;
            behind(bufs, sent).try_for_each(|buf| change.sending.core.write(buf))
        })
    }

    pub(crate) fn set_watermarks(self: &Arc<Self>, low: usize, high: usize) {
        self.change(|change, _| change.sending.core.set_watermarks(low, high));
    }

    pub(crate) fn write_eof(self: &Arc<Self>) -> Result<(), WriteError> {
        self.check_direction()?;
        if !self.can_write_eof() {
            return Err(WriteError::Transport(TransportError::from(io::Error::new(
                io::ErrorKind::Unsupported,
                "this direction cannot be ended alone: close the stream",
            ))));
        }
        self.change(|change, _| {
            let core = &mut change.sending.core;
            match self.mode {
                // There is no other direction to be left open.
                StreamMode::Write => core.close(),
                StreamMode::Read | StreamMode::ReadWrite => core.write_eof(),
            }
            let error = core.error().cloned();
            error.map_or(Ok(()), |error| Err(WriteError::Transport(error)))
        })
    }

    /// Whether the stream was closed or aborted, or has failed, as what has come may say.
    pub(crate) fn is_closing(self: &Arc<Self>) -> bool {
        if !self.inspect(Writer::is_closing) {
            let _last = self.read_ahead();
        }
        self.inspect(Writer::is_closing)
    }

    pub(crate) fn close(self: &Arc<Self>) {
        if !self.inspect(Writer::is_closing) {
            self.keep_what_has_come();
        }
        self.change(|change, _| change.sending.core.close());
        self.bell.0.wake(); // the flusher's time is limited from now on
    }

    /// The reader is gone.
    pub(crate) fn drop_reader(self: &Arc<Self>) {
        self.stop_receiving();
        if self.was_last_half() {
            self.close();
        }
    }

    /// The writer is gone, and this side's direction ends.
    pub(crate) fn drop_writer(self: &Arc<Self>) {
        if self.was_last_half() {
            self.close();
        } else {
            // There is nobody left to tell of a failure.
            let _ = self.write_eof();
        }
    }

    fn was_last_half(&self) -> bool {
        self.halves.fetch_sub(1, Ordering::AcqRel) == 1
    }

    pub(crate) fn abort(self: &Arc<Self>) {
        drop(self.change(|change, _| change.sending.core.abort()));
    }

    /// Waits until everything that was written is with the system. What has gone wrong is the core's
    /// to tell.
    pub(crate) fn poll_flushed(
        self: &Arc<Self>,
        ticket: &mut Ticket,
        cx: &Context<'_>,
    ) -> Poll<Result<(), WriteError>> {
        let mut change = self.begin_wait();
        let sending = &mut *change.sending;
        let socket = sending.socket.as_ref();
        let flushed = !socket.is_some_and(|socket| socket.wants_flush());
        let answer = match sending.core.error() {
            Some(error) => Poll::Ready(Err(WriteError::Transport(error.clone()))),
            None if sending.core.is_aborted() => Poll::Ready(Err(WriteError::Closed)),
            None if sending.core.queued() == 0 && flushed => Poll::Ready(Ok(())),
            None => Poll::Pending,
        };
        self.wait_for(&answer, change, ticket, cx);
        answer
    }

    /// Waits for the end of the stream, and how it has ended for what was written.
    pub(crate) fn poll_closed(
        self: &Arc<Self>,
        ticket: &mut Ticket,
        cx: &Context<'_>,
    ) -> Poll<Result<(), WriteError>> {
        let change = self.begin_wait();
        let answer = change.sending.poll_closed();
        self.wait_for(&answer, change, ticket, cx);
        answer
    }

    /// Reading has given the socket something to send.
    pub(crate) fn flush_below(self: &Arc<Self>) {
        self.change(|_, _| ());
    }

    /// Waits until `done` has an answer. The answer is asked for after each change that can matter.
    #[inline]
    pub(crate) fn poll_until<T>(
        self: &Arc<Self>,
        ticket: &mut Ticket,
        cx: &Context<'_>,
        done: impl FnOnce(&Writer) -> Poll<T>,
    ) -> Poll<T> {
        let change = self.begin_wait();
        let answer = done(&change.sending.core);
        self.wait_for(&answer, change, ticket, cx);
        answer
    }

    /// Waits or stops waiting, under the lock under which the answer was found.
    #[inline]
    fn wait_for<T>(
        self: &Arc<Self>,
        answer: &Poll<T>,
        change: Change<'_>,
        ticket: &mut Ticket,
        cx: &Context<'_>,
    ) {
        if answer.is_pending() || ticket.is_used() {
            self.wait_or_leave(answer.is_pending(), change, ticket, cx);
        }
    }

    fn wait_or_leave(
        self: &Arc<Self>,
        waits: bool,
        mut change: Change<'_>,
        ticket: &mut Ticket,
        cx: &Context<'_>,
    ) {
        let waiters = &mut change.sending.waiters;
        let before = if waits {
            waiters.wait(ticket, cx)
        } else {
            waiters.leave(ticket)
        };
        if waits {
            // Nothing is held back from somebody who waits for it to leave.
            self.send_held_back_in(change);
        } else {
            drop(change);
        }
        drop(before);
    }

    /// From now on small writes are held back, until [`let_go`](Self::let_go) was called as often.
    pub(crate) fn hold_back(&self) {
        self.lock().corks += 1;
    }

    pub(crate) fn let_go(self: &Arc<Self>) {
        let mut change = self.begin_change();
        let held_back = change.sending.is_held_back();
        change.sending.corks -= 1;
        // Without a reason nobody is woken: a handler that waits would wake itself again and again.
        if held_back {
            self.finish_change(change);
        }
    }

    /// Sends what a cork holds back.
    pub(crate) fn send_held_back(self: &Arc<Self>) {
        if self.holds_something.load(Ordering::Acquire) {
            self.send_held_back_in(self.begin_change());
        }
    }

    fn send_held_back_in(self: &Arc<Self>, mut change: Change<'_>) {
        if change.sending.is_held_back() {
            change.send_held_back(&mut Context::from_waker(&self.waker));
            self.finish_change(change);
        }
    }

    /// A graceful shutdown of the server has begun, and this connection is to end soon.
    pub(crate) fn begin_shutdown(&self, idle_reads: IdleReads) {
        self.shutdown.begin(idle_reads);
        self.listening.wake_reader();
    }

    pub(crate) fn shutdown(&self) -> &ShutdownNotice {
        &self.shutdown
    }

    pub(crate) fn listening(&self) -> &Listening {
        &self.listening
    }

    pub(crate) fn read_waker(&self) -> &Waker {
        &self.read_waker
    }

    pub(crate) fn receiving(&self) -> MutexGuard<'_, Receiving> {
        self.receiving
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer has said something: it may be the end of this side's direction, too.
    pub(crate) fn hear(self: &Arc<Self>) {
        drop(self.begin_wait());
    }

    #[inline]
    fn begin_change(&self) -> Change<'_> {
        let hold = Hold::new();
        Change {
            sending: self.lock(),
            busy: false,
            _hold: hold,
        }
    }

    /// For somebody who is about to wait: what the peer has said may be the answer. Without news nobody
    /// is woken, or those who wait would wake each other for ever.
    #[inline]
    fn begin_wait(self: &Arc<Self>) -> Change<'_> {
        let change = self.begin_change();
        match change.sending.news {
            News::Never => change,
            News::Possible => self.heed_news(change),
        }
    }

    fn heed_news<'a>(self: &'a Arc<Self>, mut change: Change<'a>) -> Change<'a> {
        if !change
            .sending
            .has_news(&mut Context::from_waker(&self.waker))
        {
            return change;
        }
        self.finish_change(change);
        self.begin_change()
    }

    /// Makes a change under the lock, then sees to it that what follows is done, now or by the
    /// flusher.
    fn change<T>(self: &Arc<Self>, make: impl FnOnce(&mut Change<'_>, &mut Context<'_>) -> T) -> T {
        let mut change = self.begin_change();
        let result = make(&mut change, &mut Context::from_waker(&self.waker));
        self.finish_change(change);
        result
    }

    fn finish_change(self: &Arc<Self>, mut change: Change<'_>) {
        let cx = &mut Context::from_waker(&self.waker);
        let busy = change.poll_send(cx).is_pending();
        let before = change.sending.flusher;
        if busy {
            change.sending.flusher = Flusher::Spawned;
        }
        let holds_something = change.sending.is_held_back();
        self.holds_something
            .store(holds_something, Ordering::Release);
        let afterwards = change.sending.settle();
        drop(change);
        self.finish(afterwards);
        match (busy, before) {
            (true, Flusher::None) => self.background.spawn(Flush::new(self.clone())),
            (false, Flusher::Spawned) => self.bell.0.wake(), // nothing is left for it: let it end
            (true, Flusher::Spawned) | (false, Flusher::None) => {}
        }
    }

    pub(crate) fn poll_flush(&self, cx: &Context<'_>) -> Poll<()> {
        self.bell.0.register(cx.waker());
        let mut change = self.begin_change();
        let sending = &mut *change.sending;
        let done = sending.poll_transmit(&mut Context::from_waker(&self.waker));
        if done.is_ready() {
            sending.flusher = Flusher::None;
        }
        let afterwards = sending.settle();
        drop(change);
        self.finish(afterwards);
        done
    }

    /// The read side was told that the transport has failed.
    pub(crate) fn fail(&self, error: TransportError) {
        let mut sending = self.lock();
        sending.fail(error);
        let afterwards = sending.settle();
        drop(sending);
        self.finish(afterwards);
        self.bell.0.wake(); // nothing is left for the flusher: let it end
    }

    /// The flusher can do no more: the stream has failed, and the connection is reset.
    pub(crate) fn give_up(&self, error: io::Error) {
        let mut sending = self.lock();
        sending.flusher = Flusher::None;
        self.lose(sending, error, |socket| socket.abort());
    }

    /// Nothing has moved for too long: the stream has failed, and the connection is reset, so that the
    /// peer does not take it for the end of what it was sent.
    pub(crate) fn time_out(&self, error: io::Error) {
        self.lose(self.lock(), error, |socket| socket.abort());
        self.bell.0.wake(); // nothing is left for the flusher: let it end
    }

    /// The stream has failed for another reason than its socket, which is closed.
    #[cfg(feature = "__tls")]
    fn break_off(&self, error: TransportError) {
        self.lose(self.lock(), error, |_| {});
        self.bell.0.wake(); // nothing is left for the flusher: let it end
    }

    fn lose(
        &self,
        mut sending: MutexGuard<'_, Sending>,
        error: impl Into<TransportError>,
        last: impl FnOnce(&dyn Socket),
    ) {
        sending.fail(error);
        let socket = sending.socket.take();
        let afterwards = sending.settle();
        drop(sending);
        self.activity_ends();
        if let Some(socket) = socket {
            let detached = self.receiving().detach();
            last(&*socket);
            drop((socket, detached));
            self.listening.wake_all();
        }
        drop(self.take_place());
        self.finish(afterwards);
    }

    /// Ends after so long, if there is a clock.
    #[cfg(feature = "__tls")]
    pub(crate) fn timer(&self, duration: Duration) -> Option<BoxFuture<'static, ()>> {
        self.background.timer(duration)
    }

    pub(crate) fn close_timeout(&self) -> Duration {
        self.close_timeout
    }

    /// Ends after the close timeout, if there is a clock and a limit at all: whoever reads a pipe may
    /// take its time, as a pager does.
    pub(crate) fn close_timer(&self) -> Option<BoxFuture<'static, ()>> {
        match self.mode {
            StreamMode::ReadWrite => self.background.timer(self.close_timeout),
            StreamMode::Read | StreamMode::Write => None,
        }
    }

    #[inline]
    fn finish(&self, afterwards: Option<Afterwards>) {
        if let Some(afterwards) = afterwards {
            self.do_afterwards(afterwards);
        }
    }

    fn do_afterwards(&self, afterwards: Afterwards) {
        if let Some(socket) = afterwards.closed {
            self.release(socket, self.inspect(Writer::is_aborted));
            self.listening.wake_all();
        }
        if let Some(waiters) = afterwards.waiters {
            waiters.wake();
        }
        drop(afterwards.spent);
    }

    fn release(&self, socket: Arc<dyn Socket>, aborted: bool) {
        self.activity_ends();
        let mut receiving = self.receiving();
        // From here on nobody else polls it: who was at it had the lock.
        let detached = receiving.detach();
        let peer_may_send = !receiving.has_ended();
        drop(receiving);
        drop(detached);
        if !aborted && peer_may_send && self.mode == StreamMode::ReadWrite {
            let place = self.take_place();
            linger(place, socket, &self.background, self.linger_timeout);
        } else {
            drop(socket);
            drop(self.take_place());
        }
    }

    fn take_place(&self) -> Option<SocketPlace> {
        let place = self.place.lock();
        place.unwrap_or_else(PoisonError::into_inner).take()
    }

    fn activity_ends(&self) {
        if let Some(activity) = &self.activity {
            activity.close();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sending> {
        // The core keeps its invariants even when a socket panics in the middle of a poll.
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitList for Arc<Connection> {
    fn with_waiters<T>(&self, work: impl FnOnce(&mut Waiters) -> T) -> T {
        work(&mut self.lock().waiters)
    }
}

impl Drop for Connection {
    /// Both halves are gone, and everything is sent.
    fn drop(&mut self) {
        let (socket, failed) = {
            let mut sending = self.lock();
            (sending.socket.take(), sending.core.error().is_some())
        };
        if let Some(socket) = socket {
            self.release(socket, failed);
        }
        self.shutdown.wake_all();
    }
}

/// Exchanging the socket.
#[cfg(feature = "__tls")]
impl Connection {
    pub(crate) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Waits until somebody closes or aborts the stream, or it fails.
    pub(crate) fn poll_closing(
        self: &Arc<Self>,
        ticket: &mut Ticket,
        cx: &Context<'_>,
    ) -> Poll<WriteError> {
        self.poll_until(ticket, cx, |core| match (core.error(), core.is_closing()) {
            (Some(error), _) => Poll::Ready(WriteError::Transport(error.clone())),
            (None, true) => Poll::Ready(WriteError::Closed),
            (None, false) => Poll::Pending,
        })
    }

    /// Takes the socket away, and what somebody has read ahead of the reader: until the upgrade is
    /// finished, nothing can be read or written.
    fn take_socket(&self) -> Result<(Arc<dyn Socket>, Vec<u8>), WriteError> {
        let mut receiving = self.receiving();
        let mut sending = self.lock();
        sending.core.writable()?;
        let socket = sending.socket.take().ok_or(WriteError::Closed)?;
        drop(sending);
        let detached = receiving.detach();
        let ahead = receiving.take_ahead();
        drop(receiving);
        drop(detached);
        Ok((socket, ahead))
    }

    /// The peer was told by an alert what was wrong with its side of TLS. As behind a close, what it
    /// still sends must not destroy that.
    fn part(&self, below: Arc<dyn Socket>) {
        let now = &mut Context::from_waker(Waker::noop());
        if below.poll_close(now).is_ready() {
            let place = self.take_place();
            linger(place, below, &self.background, self.linger_timeout);
        }
    }

    fn put_socket(self: &Arc<Self>, socket: Arc<dyn Socket>) {
        let info = Arc::new(socket.extra_info());
        let can_write_eof = socket.can_write_eof();
        self.can_write_eof.store(can_write_eof, Ordering::Release);
        *self
            .extra_info
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = info;
        self.receiving().attach(socket.clone());
        self.touch(); // by the handshake
        // Whatever was asked of the stream meanwhile is done now.
        self.change(|change, _| {
            change.sending.news = News::of(&*socket);
            change.sending.socket = Some(socket);
        });
        self.listening.wake_all();
    }
}

/// A stream whose socket is being exchanged. It ends with this, unless that is finished.
#[cfg(feature = "__tls")]
pub(crate) struct Upgrade {
    connection: Arc<Connection>,
    /// Once it was taken, and until the upgrade has succeeded.
    below: Option<Arc<dyn Socket>>,
    finished: bool,
}

#[cfg(feature = "__tls")]
impl Upgrade {
    pub(crate) fn new(connection: &Arc<Connection>) -> Self {
        Self {
            connection: connection.clone(),
            below: None,
            finished: false,
        }
    }

    /// The socket that the stream had so far, and what was read of it ahead of the reader.
    pub(crate) fn take_socket(&mut self) -> Result<(Arc<dyn Socket>, Vec<u8>), WriteError> {
        let (below, ahead) = self.connection.take_socket()?;
        self.below = Some(below.clone());
        Ok((below, ahead))
    }

    pub(crate) fn finish(mut self, socket: Arc<dyn Socket>) {
        self.finished = true;
        self.connection.put_socket(socket);
    }

    pub(crate) fn fail(mut self, error: TransportError) {
        self.finished = true;
        self.end(error);
    }

    fn end(&mut self, error: TransportError) {
        if let Some(below) = self.below.take() {
            if self.connection.inspect(Writer::is_aborted) {
                below.abort();
            } else if error.kind() == io::ErrorKind::InvalidData {
                self.connection.part(below);
            }
        }
        self.connection.break_off(error);
    }
}

#[cfg(feature = "__tls")]
impl Drop for Upgrade {
    fn drop(&mut self) {
        if !self.finished {
            let why = "the upgrade to TLS was given up";
            self.end(io::Error::new(io::ErrorKind::ConnectionAborted, why).into());
        }
    }
}

impl Change<'_> {
    /// Sends straight from the caller's memory, behind what was held back, unless the socket is busy
    /// or this is small and held back, too. Returns how many bytes of it were sent.
    fn try_send(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Result<usize, WriteError> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        self.sending.hear(cx);
        self.accept(cx, len)?;
        let sending = &mut *self.sending;
        let left_to_flusher = self.busy || sending.flusher == Flusher::Spawned;
        if left_to_flusher || sending.corks > 0 && len < LARGE {
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
                    self.busy = true;
                    break;
                }
                Poll::Ready(Ok(n)) => {
                    sending.spent.append(sending.core.sent(n.min(held_back)));
                    let n = n.saturating_sub(held_back);
                    sent += n;
                    sent_of_first += n;
                    // What is sent is passed by once, not again for each piece of the rest.
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
        Ok(sent)
    }

    /// Whether a write of `len` bytes is taken. What a cork holds back is sent before a write is
    /// refused for it.
    fn accept(&mut self, cx: &mut Context<'_>, len: usize) -> Result<(), WriteError> {
        match self.sending.core.accepts(len) {
            Err(WriteError::CapExceeded { .. }) if self.sending.flusher == Flusher::None => {
                self.send_held_back(cx);
                self.sending.core.accepts(len)
            }
            accepted => accepted,
        }
    }

    /// What the socket does not take of it at once is not held back any more.
    fn send_held_back(&mut self, cx: &mut Context<'_>) {
        self.busy = self.sending.poll_transmit(cx).is_pending();
    }

    /// Sends what is to be sent now, and leaves to the flusher what is its own.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let sending = &mut *self.sending;
        if sending.core.queued() > 0 {
            if self.busy || sending.flusher == Flusher::Spawned {
                return Poll::Pending;
            }
            if sending.holds_back() {
                return Poll::Ready(());
            }
        }
        sending.poll_transmit(cx)
    }
}

impl Sending {
    /// Whether there is something that leaves only when the last cork does, or is made to.
    fn is_held_back(&self) -> bool {
        self.corks > 0 && self.core.queued() > 0 && self.flusher == Flusher::None
    }

    /// Whether the peer has said something, or there is something to be said to it.
    fn has_news(&mut self, cx: &mut Context<'_>) -> bool {
        let heard = self.hear(cx);
        let socket = self.socket.as_ref();
        heard || self.flusher == Flusher::None && socket.is_some_and(|it| it.wants_flush())
    }

    /// Heeds what the peer has said to whoever writes. Whether it has.
    #[inline]
    fn hear(&mut self, cx: &mut Context<'_>) -> bool {
        match self.news {
            News::Never => false,
            News::Possible => self.ask_for_news(cx),
        }
    }

    fn ask_for_news(&mut self, cx: &mut Context<'_>) -> bool {
        // The end has its own look, at what matters to it.
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

    /// Whether a write of `len` bytes changes nothing but the queue: it is held back, the socket has
    /// nothing to say to it, and nobody waits for it. It may yet be refused for being written too late.
    #[inline]
    fn only_queues(&self, len: usize) -> bool {
        self.corks > 0
            && (1..LARGE).contains(&len)
            && self.news == News::Never
            && self.flusher == Flusher::None
            && self.waiters.is_empty()
            && self.core.has_room_for(len)
    }

    /// Not what is too much, nor what somebody waits for, nor what nothing can follow.
    fn holds_back(&self) -> bool {
        let more_may_come = self.core.writable().is_ok();
        self.corks > 0 && more_may_come && self.waiters.is_empty() && !self.core.is_paused()
    }

    /// Does what the core says until it says nothing, or the socket is busy.
    fn poll_transmit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.hear(cx);
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
                    // What is gone already needs no farewell.
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

    fn fail(&mut self, error: impl Into<TransportError>) {
        let error = error.into();
        let is_cut = error.get_ref().is::<Truncated>();
        if is_cut && !self.core.is_closed() && !self.is_under_way() {
            self.direction = Direction::CutOff;
        }
        self.spent.append(self.core.fail(error));
    }

    /// Whether something of what was written is not with the system.
    fn is_under_way(&self) -> bool {
        let socket = self.socket.as_ref();
        self.core.queued() > 0 || socket.is_some_and(|socket| socket.wants_flush())
    }

    fn poll_closed(&self) -> Poll<Result<(), WriteError>> {
        match self.core.error() {
            // What may be missing is for the reader to know.
            Some(_) if self.direction == Direction::CutOff => Poll::Ready(Ok(())),
            Some(error) => Poll::Ready(Err(WriteError::Transport(error.clone()))),
            None if self.core.is_closed() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }

    /// After a change: who is to be woken, and is the socket to be closed?
    fn settle(&mut self) -> Option<Afterwards> {
        let resumed = self.core.poll_event() == Some(Event::ResumeWriting);
        let wakes = resumed || self.core.queued() == 0 || self.core.is_closing();
        let waiters = (wakes && !self.waiters.is_empty()).then(|| self.waiters.take());
        let closes = self.core.is_closed() && self.core.error().is_none();
        let closed = if closes { self.socket.take() } else { None };
        if waiters.is_none() && closed.is_none() && self.spent.is_empty() {
            return None;
        }
        Some(Afterwards {
            waiters,
            closed,
            spent: mem::take(&mut self.spent),
        })
    }
}

/// Of a connection that was reset the system says that there is none. The reset itself is the reader's
/// to hear: who writes finds it broken.
fn end_failed(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotConnected {
        return io::Error::new(io::ErrorKind::BrokenPipe, error);
    }
    error
}

fn touch(activity: Option<&Activity>) {
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

/// Repeats a write that was interrupted, and does not believe one that cannot be.
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
                format!("the transport claims to have written {n} of {len} bytes"),
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

impl Connection {
    /// Whether the peer's end was seen, or a failure of reading.
    pub(crate) fn has_seen_the_end(&self) -> bool {
        self.receiving().has_ended()
    }

    /// Adds what is worth knowing of the connection to the description of a half.
    pub(crate) fn describe(&self, debug: &mut fmt::DebugStruct<'_, '_>) {
        if self.mode != StreamMode::ReadWrite {
            debug.field("mode", &self.mode);
        }
        let info = self.extra_info();
        if let Some(peer) = &info.peer_addr {
            debug.field("peer_addr", &format_args!("{peer}"));
        }
        if let Some(local) = &info.local_addr {
            debug.field("local_addr", &format_args!("{local}"));
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Connection");
        self.describe(&mut debug);
        let writer = self.inspect(Writer::snapshot);
        debug.field("writer", &writer).finish()
    }
}
