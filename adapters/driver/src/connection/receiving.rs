//! The direction towards this side: what was read ahead of the reader, and how it has ended.

use std::{
    io, mem,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Wake, Waker, ready},
};

use millpond_core::TransportError;

use super::{
    Connection,
    ending::Failure,
    scratch::with_scratch,
    waiters::{Ticket, Waiters},
};
use crate::{
    runtime::{Budget, Hold},
    socket::Socket,
    sync::{AtomicWaker, Mutex, MutexGuard},
};

/// The read side of a connection.
///
/// The lock around it is held while the socket is polled, so that no two threads take bytes out of order.
/// The writer's lock is taken within it, if both are needed, and never the other way round.
pub(crate) struct Receiving {
    /// `None` when the connection was closed or aborted, and while the socket is exchanged.
    socket: Option<Arc<dyn Socket>>,
    /// What was read ahead of the reader. Invariant: no more than the limit, as it was then.
    ahead: Vec<u8>,
    /// Invariant: once it is there, the socket is not asked any more.
    end: Option<End>,
    /// The reader's.
    limit: usize,
    reader: Reader,
}

/// Whether the reader still exists.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reader {
    Here,
    /// What comes is dropped. Invariant: nothing is kept that was read ahead.
    Gone,
}

/// How the direction has ended.
#[derive(Clone, Debug)]
pub(crate) enum End {
    Eof,
    Failed(TransportError),
}

/// Where the reader gets its bytes from.
pub(crate) enum Source<'a> {
    Ahead(&'a [u8]),
    Socket(&'a dyn Socket),
}

/// What the reader got.
pub(crate) enum Received {
    Bytes(usize),
    End(End),
    /// The system call was interrupted.
    Nothing,
}

/// What became of asking the socket once.
struct Asked {
    received: Poll<Received>,
    /// There was no socket to be asked.
    is_detached: bool,
    /// Reading has given the socket something to send.
    wants_flush: bool,
    /// No read has seen this end before.
    is_news: bool,
}

/// The reader and the tasks that wait for the peer's end.
///
/// This is the one waker that the read side of the socket ever sees, so that it does not matter which
/// task polled it last. Invariant: a task was registered here before the socket was polled for it, or was
/// found to be closed or full; and each wake-up reaches all. So no task depends on what becomes of the
/// others.
#[derive(Default)]
pub(crate) struct Listening {
    reader: AtomicWaker,
    /// Tasks that wait for the end alone.
    watchers: Mutex<Waiters>,
}

impl Listening {
    pub(crate) fn wake_reader(&self) {
        self.reader.wake();
    }

    pub(crate) fn wake_all(&self) {
        self.reader.wake();
        self.wake_watchers();
    }

    fn wake_watchers(&self) {
        let watchers = self.watchers().take();
        watchers.wake();
    }

    fn watch(&self, ticket: &mut Ticket, cx: &Context<'_>) {
        let before = self.watchers().wait(ticket, cx);
        drop(before);
    }

    /// Returns the waker that waited with this ticket, to be dropped once no lock is held.
    pub(super) fn leave(&self, ticket: &mut Ticket) -> Option<Waker> {
        self.watchers().leave(ticket)
    }

    fn watchers(&self) -> MutexGuard<'_, Waiters> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Listening {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}

impl Receiving {
    pub(crate) fn new(socket: Arc<dyn Socket>, limit: usize) -> Self {
        Self {
            socket: Some(socket),
            ahead: Vec::new(),
            end: None,
            limit,
            reader: Reader::Here,
        }
    }

    /// From now on nothing is read. What is returned is to be dropped once no lock is held.
    #[must_use]
    pub(crate) fn detach(&mut self) -> Option<Arc<dyn Socket>> {
        self.socket.take()
    }

    /// Goes on with another socket of the same connection.
    #[cfg(feature = "__tls")]
    pub(crate) fn attach(&mut self, socket: Arc<dyn Socket>) {
        self.socket = Some(socket);
        self.end = None;
    }

    /// What is not the reader's yet: it can be had as if it was still in the socket.
    pub(crate) fn take_ahead(&mut self) -> Vec<u8> {
        mem::take(&mut self.ahead)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    fn is_full(&self) -> bool {
        self.ahead.len() >= self.limit
    }
}

/// For the reader.
impl Connection {
    /// Lets `read` have what was read ahead, or else read from the socket.
    pub(crate) fn poll_receive(
        self: &Arc<Self>,
        cx: &Context<'_>,
        read: impl FnOnce(Source<'_>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<Received> {
        // Before looking, so that what happens in between wakes.
        self.listening().reader.register(cx.waker());
        let hold = Hold::new();
        let mut receiving = self.receiving();
        let ahead = mem::take(&mut receiving.ahead);
        if !ahead.is_empty() {
            drop(receiving);
            drop(hold);
            self.listening().wake_watchers(); // there is room again
            let cx = &mut Context::from_waker(Waker::noop());
            let _taken = read(Source::Ahead(&ahead), cx);
            return Poll::Ready(Received::Bytes(ahead.len()));
        }
        let Receiving { socket, end, .. } = &mut *receiving;
        let asked = self.ask(socket.as_deref(), end, |socket, cx| {
            read(Source::Socket(socket), cx)
        });
        drop(receiving);
        drop(hold);
        self.settle_received(asked)
    }

    /// The reader's limit has changed.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.receiving().limit = limit;
        self.listening().wake_all(); // there may be room
    }

    /// No task will read any more.
    pub(crate) fn stop_receiving(&self) {
        let mut receiving = self.receiving();
        receiving.reader = Reader::Gone;
        receiving.ahead = Vec::new();
        drop(receiving);
        self.set_more_to_read(false);
        self.listening().wake_all(); // there is room without end
    }
}

/// For tasks that look ahead of the reader.
impl Connection {
    /// Reads what has come, without waiting, until there is no room for more. Gives what came last.
    pub(crate) fn read_ahead(self: &Arc<Self>) -> Poll<Received> {
        let receiving = self.receiving();
        let mut left = receiving.limit;
        let can_look = receiving
            .socket
            .as_ref()
            .is_none_or(|it| it.reads_at_once());
        drop(receiving);
        if !self.mode().can_read() || !can_look {
            return Poll::Pending;
        }
        loop {
            match self.look() {
                // A reader that is gone has room for ever.
                Poll::Ready(Received::Bytes(n)) if n < left => left -= n,
                last @ (Poll::Pending | Poll::Ready(_)) => return last,
            }
        }
    }

    /// Before this side closes: what has come can still be read then.
    pub(crate) fn keep_what_has_come(self: &Arc<Self>) {
        let receiving = self.receiving();
        let reader = receiving.reader;
        drop(receiving);
        if reader == Reader::Here {
            let _last = self.read_ahead();
        }
    }

    /// Whether the reader would come to the end at once.
    pub(crate) fn is_at_end(self: &Arc<Self>) -> bool {
        let last = self.read_ahead();
        matches!(last, Poll::Ready(Received::End(End::Eof))) && self.receiving().ahead.is_empty()
    }

    /// Waits for the end, whatever comes before it.
    pub(crate) fn poll_end(
        self: &Arc<Self>,
        ticket: &mut Ticket,
        budget: &mut Budget,
        cx: &Context<'_>,
    ) -> Poll<End> {
        self.listening().watch(ticket, cx); // before looking
        loop {
            ready!(budget.poll_proceed(cx));
            match self.look() {
                Poll::Ready(Received::End(end)) => return Poll::Ready(end),
                Poll::Ready(Received::Bytes(_) | Received::Nothing) => {}
                Poll::Pending => {
                    budget.reset();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Reads ahead once. It is pending as well when there is no room.
    fn look(self: &Arc<Self>) -> Poll<Received> {
        let hold = Hold::new();
        let mut receiving = self.receiving();
        if receiving.is_full() && receiving.end.is_none() {
            return Poll::Pending;
        }
        let room = receiving.limit.saturating_sub(receiving.ahead.len());
        let keeps = receiving.reader == Reader::Here;
        let Receiving {
            socket, end, ahead, ..
        } = &mut *receiving;
        let asked = self.ask(socket.as_deref(), end, |socket, cx| {
            with_scratch(|block| {
                let len = room.min(block.len());
                let read = checked(socket.poll_read(cx, &mut block[..len]), len);
                if let (Poll::Ready(Ok(n)), true) = (&read, keeps) {
                    ahead.extend_from_slice(&block[..*n]);
                }
                read
            })
        });
        drop(receiving);
        drop(hold);
        if let Poll::Ready(Received::Bytes(_)) = asked.received {
            self.listening().wake_reader();
        }
        self.settle_received(asked)
    }
}

impl Connection {
    /// Polls the socket once, unless the end is known.
    fn ask(
        &self,
        socket: Option<&dyn Socket>,
        end: &mut Option<End>,
        read: impl FnOnce(&dyn Socket, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Asked {
        let mut asked = Asked {
            received: Poll::Pending,
            is_detached: end.is_none() && socket.is_none(),
            wants_flush: false,
            is_news: false,
        };
        if let Some(end) = end {
            asked.received = Poll::Ready(Received::End(end.clone()));
        } else if let Some(socket) = socket {
            let read = read(socket, &mut Context::from_waker(self.read_waker()));
            asked.wants_flush = socket.wants_flush();
            asked.received = read.map(|read| match self.judge(read) {
                Ok(received) => received,
                Err(seen) => {
                    *end = Some(seen.clone());
                    asked.is_news = true;
                    Received::End(seen)
                }
            });
        }
        asked
    }

    /// What a read means; an end is an error.
    fn judge(&self, read: io::Result<usize>) -> Result<Received, End> {
        match read {
            Ok(0) => match self.failure_of_writing() {
                // The kernel reports a reset once, to whichever side asks first, and then an end.
                Some(error) => Err(End::Failed(error)),
                None => Err(End::Eof),
            },
            Ok(n) => Ok(Received::Bytes(n)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Received::Nothing),
            Err(error) => {
                // What cut the stream off says more than that it was.
                let cut_off = error.kind() == io::ErrorKind::UnexpectedEof;
                Err(End::Failed(match self.failure_of_writing() {
                    Some(cause) if cut_off => cause,
                    Some(_) | None => TransportError::from(error),
                }))
            }
        }
    }

    /// Not a broken pipe: that is what writing gives after the peer's proper end.
    fn failure_of_writing(&self) -> Option<TransportError> {
        let failure = self.inspect(|core| core.error().cloned());
        failure.filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }

    /// What follows when no lock is held any more.
    fn settle_received(self: &Arc<Self>, asked: Asked) -> Poll<Received> {
        if asked.wants_flush {
            // What reading has to say does not wait for the next write.
            self.flush_below();
        }
        if asked.is_detached {
            return self.own_end().map(Received::End);
        }
        match &asked.received {
            Poll::Ready(Received::Bytes(_)) => self.touch(),
            Poll::Ready(Received::End(end)) if asked.is_news => {
                match end {
                    // Both directions have failed, and the system reports it to only one of them.
                    End::Failed(error) => self.fail(Failure::Read(error.clone())),
                    End::Eof => self.check_peer(), // it may be the end of both
                }
                self.listening().wake_all();
            }
            Poll::Pending | Poll::Ready(_) => {}
        }
        asked.received
    }

    /// How this side has ended the direction, if it has.
    ///
    /// `As in asyncio:` after `close`, reads come to an end. `Differs from asyncio:` after `abort` they
    /// fail, so that it is not taken for the peer's end.
    fn own_end(&self) -> Poll<End> {
        self.inspect(|core| match core.error() {
            Some(error) => Poll::Ready(End::Failed(error.clone())),
            None if core.is_aborted() => {
                Poll::Ready(End::Failed(TransportError::from(io::Error::new(
                    io::ErrorKind::ConnectionAborted,
                    "the stream was aborted by this side",
                ))))
            }
            None if core.is_closing() => Poll::Ready(End::Eof),
            None => Poll::Pending, // the socket is being exchanged
        })
    }
}

/// What a socket claims to have read, if that can be.
pub(crate) fn checked(read: Poll<io::Result<usize>>, len: usize) -> Poll<io::Result<usize>> {
    match read {
        Poll::Ready(Ok(n)) if n > len => Poll::Ready(Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the transport reported {n} bytes read into a buffer of {len}"),
        ))),
        Poll::Pending | Poll::Ready(_) => read,
    }
}
