//! The connection that both halves of a stream share: its socket, its queue, and the task that flushes it.

mod activity;
mod closed;
mod ending;
#[cfg(feature = "__tls")]
mod exchange;
mod halves;
mod holding_back;
mod idle;
mod linger;
mod parting;
mod places;
mod receiving;
mod scratch;
mod sending;
mod shutdown_notice;
mod waiters;

use std::{
    fmt,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Wake, Waker, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use millpond_core::{Spent, TransportError, WriteError, Writer};

#[cfg(feature = "__tls")]
pub(crate) use self::exchange::Upgrade;
use self::{
    activity::Activity,
    halves::Halves,
    receiving::{Listening, Receiving},
    sending::{Change, Deferred, Direction, Flusher, LARGE, News, Queued, Sending, touch},
    shutdown_notice::ShutdownNotice,
};
pub use self::{closed::Closed, shutdown_notice::ShutdownRequested};
pub(crate) use self::{
    ending::Failure,
    idle::Idle,
    places::{Places, SocketPlace},
    receiving::{End, Received, Source, checked},
    scratch::with_scratch,
    sending::behind,
    shutdown_notice::IdleReads,
    waiters::{Ticket, WaitList, Waiters, Waiting, Wakers},
};
use crate::{
    runtime::{Background, BoxFuture},
    socket::{ExtraInfo, Socket, StreamMode},
    sync::{
        AtomicWaker, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

/// Owns the socket and the queue of what is to be written.
///
/// A write sends what it can at once. When the socket is busy, the rest is queued and a flusher is
/// spawned that sends it and ends when nothing is left; it keeps the connection alive, so that the
/// rest is delivered even when both halves are gone.
///
/// While the reader has more than it has answered with, a small write is deferred: those that follow are
/// likely to be the answers to the rest. The first one that comes when the reader has no more sends them all,
/// or else the reader before it asks the socket, or the flusher when the task yields.
///
/// The reader's side has the socket, too, under a lock of its own: both directions work at once, and
/// closing takes it away from both.
pub(crate) struct Connection {
    sending: Mutex<Sending>,
    /// Whether something is held back, so that a reader takes the lock only if there is a reason.
    /// Written under the lock; it may say so for longer than it is true.
    holds_something: AtomicBool,
    /// Whether the reader has more than it has answered with. Only a hint, so no lock is needed.
    more_to_read: AtomicBool,
    /// The one waker that the write side of the socket ever sees, so that it does not matter which task
    /// polled it last. Rings `flusher_waker`.
    waker: Waker,
    flusher_waker: Arc<FlusherWaker>,
    receiving: Mutex<Receiving>,
    /// The one waker that the read side of the socket ever sees. Wakes the tasks that are `listening`.
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
    /// The place of the socket, if a server has accepted it.
    place: Mutex<Option<SocketPlace>>,
    /// Changes with the socket, as the next one does.
    can_write_eof: AtomicBool,
    extra_info: Mutex<Arc<ExtraInfo>>,
    halves: Halves,
    /// When bytes last moved, if that is limited.
    activity: Option<Arc<Activity>>,
    shutdown: ShutdownNotice,
}

/// How a connection ends.
pub(crate) struct Closing {
    pub(crate) timeout: Duration,
    pub(crate) linger_timeout: Duration,
    pub(crate) place: Option<SocketPlace>,
}

/// Wakes the flusher.
#[derive(Debug, Default)]
struct FlusherWaker(AtomicWaker);

impl Wake for FlusherWaker {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake();
    }
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
        let flusher_waker = Arc::new(FlusherWaker::default());
        let listening = Arc::new(Listening::default());
        let socket: Arc<dyn Socket> = Arc::from(socket);
        let can_defer = matches!(background, Background::Runtime(_));
        let direction = if socket.mode().can_write() {
            Direction::Open
        } else {
            Direction::Over
        };
        let connection = Self {
            waker: Waker::from(flusher_waker.clone()),
            flusher_waker,
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
            halves: Halves::both(),
            activity: activity.clone(),
            shutdown: ShutdownNotice::default(),
            holds_something: AtomicBool::new(false),
            more_to_read: AtomicBool::new(false),
            sending: Mutex::new(Sending {
                core,
                activity,
                news: News::of(&*socket),
                socket: Some(socket),
                queued: Queued::Idle,
                flusher: Flusher::None,
                can_defer,
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
        if sending.only_queues(data.len(), self.more()) {
            sending.core.write(data)?;
            self.holds_something.store(true, Ordering::Release);
            return Ok(());
        }
        drop(sending);
        self.write_now(data)
    }

    fn write_now(self: &Arc<Self>, data: &[u8]) -> Result<(), WriteError> {
        self.change(|change, cx| {
            let sent = change.try_send(cx, &[IoSlice::new(data)], self.more())?;
            change.sending.core.write(&data[sent..])
        })
    }

    pub(crate) fn write_bytes(self: &Arc<Self>, mut data: Bytes) -> Result<(), WriteError> {
        self.check_direction()?;
        // What is copied is dropped without the lock: it may be the program's own memory.
        self.change(|change, cx| {
            let sent = change.try_send(cx, &[IoSlice::new(&data)], self.more())?;
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
            let sent = change.try_send(cx, bufs, self.more())?;
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
                "the transport does not support a half-close: close the stream",
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

    /// Waits until everything that was written is with the system. The core knows of failures.
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
            // Nothing is held back from a task that waits for it to leave.
            self.send_held_back_in(change);
        } else {
            drop(change);
        }
        drop(before);
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

    /// The peer has ended its direction. That may be the end of this side's direction, too.
    pub(crate) fn check_peer(self: &Arc<Self>) {
        drop(self.begin_wait());
    }

    #[inline]
    fn begin_change(&self) -> Change<'_> {
        Change::new(self.lock())
    }

    /// Before a wait: news of the peer may be the answer. Without news no task is woken, or those that
    /// wait would wake each other for ever.
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

    /// Makes a change under the lock, and does what follows from it, now or by the flusher.
    fn change<T>(self: &Arc<Self>, make: impl FnOnce(&mut Change<'_>, &mut Context<'_>) -> T) -> T {
        let mut change = self.begin_change();
        let result = make(&mut change, &mut Context::from_waker(&self.waker));
        self.finish_change(change);
        result
    }

    fn finish_change(self: &Arc<Self>, mut change: Change<'_>) {
        let sending = &mut *change.sending;
        sending.send(&mut Context::from_waker(&self.waker));
        let before = sending.flusher;
        let is_wanted = sending.queued != Queued::Idle;
        if is_wanted {
            sending.flusher = Flusher::Spawned;
        }
        let deferred = self.settle(sending);
        drop(change);
        self.finish(deferred);
        match (is_wanted, before) {
            (true, Flusher::None) => self.background.spawn(Flush::new(self.clone())),
            (false, Flusher::Spawned) => self.flusher_waker.0.wake(), // nothing is left for it: let it end
            (true, Flusher::Spawned) | (false, Flusher::None) => {}
        }
    }

    fn settle(&self, sending: &mut Sending) -> Option<Deferred> {
        let holds_something = sending.is_held_back();
        self.holds_something
            .store(holds_something, Ordering::Release);
        sending.settle()
    }

    fn poll_flush(&self, cx: &Context<'_>) -> Poll<()> {
        self.flusher_waker.0.register(cx.waker());
        let mut change = self.begin_change();
        let sending = &mut *change.sending;
        let done = sending.poll_transmit(&mut Context::from_waker(&self.waker));
        // A waker would keep the memory of a task that has ended. Under the lock it cannot be that of the next.
        let own_waker = match done {
            Poll::Pending => None,
            Poll::Ready(()) => {
                sending.flusher = Flusher::None;
                self.flusher_waker.0.take()
            }
        };
        let deferred = self.settle(sending);
        drop(change);
        drop(own_waker);
        self.finish(deferred);
        done
    }

    /// The flusher is dropped before it has ended. Whether something was left for it.
    fn loses_flusher(&self) -> bool {
        let mut sending = self.lock();
        sending.flusher = Flusher::None;
        sending.queued != Queued::Idle
    }

    /// Ends after the close timeout, if there is a clock and a limit at all: a reader of a pipe may take
    /// its time, as a pager does.
    fn close_timer(&self) -> Option<BoxFuture<'static, ()>> {
        match self.mode {
            StreamMode::ReadWrite => self.background.timer(self.close_timeout),
            StreamMode::Read | StreamMode::Write => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sending> {
        // The core keeps its invariants even when a socket panics in the middle of a poll.
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitList for Arc<Connection> {
    fn leave(&self, ticket: &mut Ticket) -> Option<Waker> {
        self.lock().waiters.leave(ticket)
    }
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

/// The task that sends what a write could not. It ends when nothing is left to send.
///
/// If its executor drops it before, what was queued cannot be delivered, and the stream has failed.
struct Flush {
    /// `None` when it is done.
    connection: Option<Arc<Connection>>,
    /// Once the stream is closing: the time that is left. It began with the close, and the peer cannot
    /// make it longer.
    close_deadline: Option<BoxFuture<'static, ()>>,
}

impl Flush {
    fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection: Some(connection),
            close_deadline: None,
        }
    }

    /// Ready when closing the stream has taken too long.
    fn poll_close_deadline(&mut self, connection: &Connection, cx: &mut Context<'_>) -> Poll<()> {
        if !connection.inspect(Writer::is_closing) {
            return Poll::Pending;
        }
        if connection.close_timeout.is_zero() {
            return Poll::Ready(()); // needs no clock
        }
        if self.close_deadline.is_none() {
            self.close_deadline = connection.close_timer();
        }
        match &mut self.close_deadline {
            Some(deadline) => deadline.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl Future for Flush {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(connection) = self.connection.clone() else {
            return Poll::Ready(());
        };
        if connection.poll_flush(cx).is_pending() {
            ready!(self.poll_close_deadline(&connection, cx));
            connection.fail(Failure::Flush(io::Error::new(
                io::ErrorKind::TimedOut,
                format!(
                    "the peer had not received everything {:?} after the stream was closed",
                    connection.close_timeout
                ),
            )));
        }
        self.connection = None;
        Poll::Ready(())
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let connection = self.connection.take();
        if let Some(connection) = connection.filter(|it| it.loses_flusher()) {
            connection.fail(Failure::Flush(io::Error::other(
                "the runtime shut down before everything was written",
            )));
        }
    }
}
