//! Whether the server of a connection has begun a graceful shutdown.

use std::{
    fmt,
    pin::Pin,
    sync::{PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use super::{
    Connection,
    waiters::{Ticket, WaitList, Waiters, Waiting},
};
use crate::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

/// What becomes of reads that wait with an empty buffer when a graceful shutdown begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum IdleReads {
    /// They go on waiting.
    Wait,
    /// They see the end of the stream.
    End,
}

impl IdleReads {
    pub(crate) fn ended(end: bool) -> Self {
        match end {
            true => Self::End,
            false => Self::Wait,
        }
    }
}

/// Whether a graceful shutdown has begun, and the tasks that wait for it.
#[derive(Default)]
pub(crate) struct ShutdownNotice {
    /// Looked at by the reader whenever it would wait.
    ends_idle_reads: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    begun: bool,
    waiters: Waiters,
}

impl ShutdownNotice {
    pub(crate) fn begin(&self, idle_reads: IdleReads) {
        if idle_reads == IdleReads::End {
            self.ends_idle_reads.store(true, Ordering::SeqCst);
        }
        self.lock().begun = true;
        self.wake_all();
    }

    pub(crate) fn ends_idle_reads(&self) -> bool {
        self.ends_idle_reads.load(Ordering::SeqCst)
    }

    /// Also when the connection is gone.
    pub(crate) fn wake_all(&self) {
        let waiters = self.lock().waiters.take();
        waiters.wake();
    }

    fn poll_begun(&self, ticket: &mut Ticket, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.begun {
            return Poll::Ready(());
        }
        let before = state.waiters.wait(ticket, cx);
        drop(state);
        drop(before);
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends when a graceful shutdown of the stream's server begins; made by
/// [`StreamWriter::shutdown_requested`](crate::StreamWriter::shutdown_requested) and
/// [`Transport::shutdown_requested`](crate::Transport::shutdown_requested).
///
/// It borrows nothing and does not keep the stream alive. It also ends when both halves of the stream
/// are gone.
#[must_use = "does nothing unless awaited"]
pub struct ShutdownRequested {
    waiting: Waiting<Noticed>,
}

/// The tasks that wait for the shutdown of a connection's server.
struct Noticed(Weak<Connection>);

impl WaitList for Noticed {
    fn leave(&self, ticket: &mut Ticket) -> Option<Waker> {
        self.0.upgrade()?.shutdown().lock().waiters.leave(ticket)
    }
}

impl ShutdownRequested {
    pub(crate) fn new(connection: Weak<Connection>) -> Self {
        Self {
            waiting: Waiting::new(Noticed(connection)),
        }
    }
}

impl Future for ShutdownRequested {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Waiting { list, ticket } = &mut self.waiting;
        match list.0.upgrade() {
            Some(connection) => connection.shutdown().poll_begun(ticket, cx),
            None => Poll::Ready(()),
        }
    }
}

impl fmt::Debug for ShutdownRequested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownRequested").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn a_read_with_an_empty_buffer_sees_the_end_and_others_go_on() {
        block_on(async {
            let ((mut idle, _writer), (_, mut peer)) = crate::pair();
            assert!(poll_once(idle.read_line()).await.is_none());
            peer.write(b"one\ntw").unwrap();
            idle.connection().begin_shutdown(IdleReads::End);
            assert_eq!(idle.read_line().await.unwrap(), "one\n");
            assert!(poll_once(idle.read_line()).await.is_none());
            peer.write(b"o\n").unwrap();
            assert_eq!(idle.read_line().await.unwrap(), "two\n");
            assert_eq!(idle.read_line().await.unwrap(), "");
            assert!(idle.at_eof());
        });
    }

    #[test]
    fn a_read_that_waits_is_woken_for_the_end() {
        let ((mut idle, writer), _peer) = crate::pair();
        let read = std::thread::spawn(move || block_on(idle.read_line()));
        writer.connection().begin_shutdown(IdleReads::End);
        assert_eq!(read.join().unwrap().unwrap(), "");
    }

    #[test]
    fn what_has_come_is_read_before_the_end_of_an_idle_read() {
        block_on(async {
            let ((mut reader, _writer), (_, mut peer)) = crate::pair();
            reader.connection().begin_shutdown(IdleReads::End);
            peer.write(b"in time\n").unwrap();
            assert_eq!(reader.read_line().await.unwrap(), "in time\n");
            assert_eq!(reader.read_line().await.unwrap(), "");
        });
    }

    #[test]
    fn with_idle_reads_left_open_only_shutdown_requested_ends() {
        block_on(async {
            let ((mut reader, writer), _peer) = crate::pair();
            writer.connection().begin_shutdown(IdleReads::Wait);
            assert!(poll_once(reader.read_line()).await.is_none());
            writer.shutdown_requested().await;
        });
    }

    #[test]
    fn a_cancelled_wait_is_forgotten() {
        let ((_reader, writer), _peer) = crate::pair();
        for _ in 0..1_000 {
            assert!(block_on(poll_once(writer.shutdown_requested())).is_none());
        }
        assert!(writer.connection().shutdown().lock().waiters.is_empty());
    }
}
