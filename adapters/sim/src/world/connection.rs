//! What a program does with its end of a connection. The rules are Linux's.

use std::{
    io::{self, ErrorKind, IoSlice},
    mem,
    task::{Context, Poll, Waker},
};

use crate::{
    tape::Subject,
    trace::{
        digest::digest,
        event::{End, Event},
    },
    world::{
        deferred::Deferred,
        link::{Connection, Life, Mark, OnClose, PIPE_BUF, Sending, Tail, Transport, first, two},
        state::State,
        task::Wait,
    },
};

/// A read gives no more. How much room a reader's buffer has behind its data depends on where in
/// memory it lies, but it is always this much: so reads are the same in every run.
const READ_MAX: usize = 2048;

/// Reading and writing.
impl State {
    pub(super) fn connection(&mut self, at: End) -> &mut Connection {
        self.connection_and_deferred(at).0
    }

    /// To wake the tasks that wait at its ends, too.
    pub(super) fn connection_and_deferred(&mut self, at: End) -> (&mut Connection, &mut Deferred) {
        let connection = self.connections.get_mut(at.connection);
        let connection = connection.expect("a connection is there as long as one of its sockets");
        (connection, &mut self.deferred)
    }

    /// Now and then an operation is pending for no reason, and its task is woken at once.
    pub(super) fn is_spuriously_pending(&mut self, cx: &Context<'_>) -> bool {
        let pending = self
            .choices
            .one_in(Subject::Pending, self.settings.spurious_pending);
        if pending {
            self.deferred.wake(Some(cx.waker().clone()));
        }
        pending
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &Context<'_>,
        at: End,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_spuriously_pending(cx) {
            self.note(Event::SpuriousPending(at));
            return Poll::Pending;
        }
        let partial = self.settings.partial_io;
        let connection = self.connections.get_mut(at.connection);
        let connection = connection.expect("a connection is there as long as one of its sockets");
        let Connection { ends, pipes, kind } = connection;
        let [end, peer] = two(ends, at.side);
        let pipe = &mut pipes[at.peer().side];
        let mut n = pipe.arrived.min(buf.len()).min(READ_MAX);
        if n > 0 {
            if partial {
                n = self.choices.up_to(Subject::Amount, n);
            }
            pipe.take(&mut buf[..n]);
            self.deferred.wake(peer.writer.take());
            self.note(Event::Read(at, n));
            self.watched.received(at, Ok(&buf[..n]));
            return Poll::Ready(Ok(n));
        }
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        // After the proper end a TCP end reports no reset; a unix one reports it first.
        let ended = pipe.tail == Tail::Ended;
        let hidden = ended && *kind == Transport::Tcp;
        if let Some(error) = end.error.take_if(|_| !hidden) {
            self.note(Event::ReadFailed(at));
            self.watched.received(at, Err(error));
            return Poll::Ready(Err(error.into()));
        }
        if ended || end.life == Life::Dead {
            self.note(Event::ReadEnd(at));
            self.watched.received(at, Ok(&[]));
            return Poll::Ready(Ok(0));
        }
        self.deferred.register(&mut end.reader, cx.waker());
        self.note(Event::ReadWaits(at));
        self.waits.push(Wait::Read(at));
        Poll::Pending
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &Context<'_>,
        at: End,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_spuriously_pending(cx) {
            self.note(Event::SpuriousPending(at));
            return Poll::Pending;
        }
        let len: usize = bufs.iter().map(|buf| buf.len()).sum();
        let partial = self.settings.partial_io;
        let (connection, deferred) = self.connection_and_deferred(at);
        let kind = connection.kind;
        let [end, peer] = two(&mut connection.ends, at.side);
        let hung_up = match kind {
            Transport::Pipe => peer.life != Life::Open && len > 0,
            Transport::Tcp => false,
            Transport::Unix => peer.life != Life::Open,
        };
        if end.sending == Sending::Ended || end.life == Life::Dead || hung_up {
            // A unix end keeps its error for the reader.
            let error = end.error.take_if(|_| kind == Transport::Tcp);
            self.note(Event::WriteFailed(at));
            return Poll::Ready(Err(error.unwrap_or(ErrorKind::BrokenPipe).into()));
        }
        if len == 0 {
            return Poll::Ready(Ok(0));
        }
        let pipe = &mut connection.pipes[at.side];
        let mut n = len.min(pipe.capacity.saturating_sub(pipe.data.len()));
        let whole = kind == Transport::Pipe && len <= PIPE_BUF;
        if n == 0 || whole && n < len {
            deferred.register(&mut end.writer, cx.waker());
            self.note(Event::WriteWaits(at));
            self.waits.push(Wait::Write(at));
            return Poll::Pending;
        }
        if partial && !whole {
            n = self.choices.up_to(Subject::Amount, n);
        }
        if kind != Transport::Pipe {
            self.draw_flip(at, n);
            self.draw_repetition(at, n);
        }
        let written = first(bufs, n);
        self.note(Event::Wrote(at, n, digest(written.clone())));
        self.watched.wrote(written.clone());
        self.send_data(at, written, n);
        Poll::Ready(Ok(n))
    }
}

/// Ending.
impl State {
    /// Ends its own direction.
    pub(crate) fn finish(&mut self, at: End) -> io::Result<()> {
        let connection = self.connection(at);
        let over = connection.is_over();
        let end = &mut connection.ends[at.side];
        if connection.kind == Transport::Tcp && (over || end.life == Life::Dead) {
            return Err(ErrorKind::NotConnected.into());
        }
        if end.sending == Sending::Open {
            end.sending = Sending::Ended;
            self.note(Event::Finished(at));
            self.send(at, Mark::Fin);
        }
        Ok(())
    }

    /// Closing it will reset.
    pub(crate) fn abort(&mut self, at: End) {
        self.connection(at).ends[at.side].on_close = OnClose::Reset;
        self.note(Event::Aborted(at));
    }

    /// The program drops its end.
    pub(crate) fn close(&mut self, at: End) {
        self.note(Event::Dropped(at));
        let (connection, deferred) = self.connection_and_deferred(at);
        let over = connection.is_over();
        let [end, peer] = two(&mut connection.ends, at.side);
        let was = mem::replace(&mut end.life, Life::Closed);
        let unread = connection.pipes[at.peer().side].arrived > 0;
        deferred.wake(end.reader.take());
        deferred.wake(end.writer.take());
        if peer.life == Life::Closed {
            self.remove(at.connection);
            return;
        }
        match connection.kind {
            Transport::Tcp if was == Life::Dead || over => {}
            Transport::Tcp if unread || end.on_close == OnClose::Reset => {
                self.send_reset(at);
            }
            Transport::Tcp if end.sending == Sending::Ended => {}
            Transport::Tcp => self.send(at, Mark::Fin),
            Transport::Pipe | Transport::Unix => {
                if unread && connection.kind == Transport::Unix {
                    peer.error = Some(ErrorKind::ConnectionReset);
                }
                deferred.wake(peer.writer.take());
                self.send(at, Mark::Fin);
            }
        }
        if let Some(connection) = self.connections.get_mut(at.connection) {
            connection.pipes[at.peer().side].drop_arrived();
            let writer = connection.ends[at.peer().side].writer.take();
            self.deferred.wake(writer);
        }
    }

    /// Closes an end that waits to be accepted, and never will be.
    pub(super) fn refuse_late(&mut self, at: End) {
        let (connection, deferred) = self.connection_and_deferred(at);
        match connection.kind {
            Transport::Tcp => connection.ends[at.side].on_close = OnClose::Reset,
            Transport::Pipe | Transport::Unix => {
                let client = &mut connection.ends[at.peer().side];
                client.error = Some(ErrorKind::ConnectionReset);
                deferred.wake(client.reader.take());
            }
        }
        self.close(at);
    }

    fn remove(&mut self, number: u32) {
        let Some(connection) = self.connections.remove(number) else {
            return;
        };
        for (pipe, from) in connection
            .pipes
            .iter()
            .zip([End::client(number), End::server(number)])
        {
            self.note_lost(from, pipe.data.len() - pipe.arrived);
        }
        if let Some(route) = connection.route() {
            self.routes.remove(&route);
        }
        self.faults.retain(|fault| !fault.is_only_for(number));
    }

    /// All wakers, to be dropped without the lock.
    pub(crate) fn take_wakers(&mut self) -> Vec<Waker> {
        let connections = self.connections.iter_mut();
        let ends = connections.flat_map(|connection| connection.ends.iter_mut());
        let waiting = ends.flat_map(|end| [end.reader.take(), end.writer.take()]);
        let mut wakers: Vec<_> = waiting.flatten().collect();
        wakers.extend(self.take_acceptors());
        wakers
    }
}
