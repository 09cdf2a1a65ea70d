//! What a connection hears of the shutdown of its server.

use std::{
    fmt,
    pin::Pin,
    sync::{PoisonError, Weak},
    task::{Context, Poll},
};

use super::{
    Connection,
    waiters::{Ticket, Waiters},
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

/// Whether a graceful shutdown has begun, and those who wait for it.
#[derive(Default)]
pub(crate) struct ShutdownNotice {
    /// Looked at by the reader whenever it would wait.
    ends_idle_reads: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
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

    /// Also when there is nothing left to be told of.
    pub(crate) fn wake_all(&self) {
        let waiters = self.lock().waiters.take();
        waiters.wake();
    }

    fn poll_begun(&self, ticket: &mut Ticket, cx: &Context<'_>) -> Poll<()> {
        let mut waiting = self.lock();
        if waiting.begun {
            return Poll::Ready(());
        }
        let before = waiting.waiters.wait(ticket, cx);
        drop(waiting);
        drop(before);
        Poll::Pending
    }

    fn forget(&self, ticket: &mut Ticket) {
        let waker = self.lock().waiters.leave(ticket);
        drop(waker);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
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
    connection: Weak<Connection>,
    ticket: Ticket,
}

impl ShutdownRequested {
    pub(crate) fn new(connection: Weak<Connection>) -> Self {
        Self {
            connection,
            ticket: Ticket::default(),
        }
    }
}

impl Future for ShutdownRequested {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(connection) = self.connection.upgrade() else {
            return Poll::Ready(());
        };
        connection.shutdown().poll_begun(&mut self.ticket, cx)
    }
}

impl Drop for ShutdownRequested {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.upgrade() {
            connection.shutdown().forget(&mut self.ticket);
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
    fn with_idle_reads_left_alone_only_those_who_ask_hear_of_it() {
        block_on(async {
            let ((mut reader, writer), _peer) = crate::pair();
            writer.connection().begin_shutdown(IdleReads::Wait);
            assert!(poll_once(reader.read_line()).await.is_none());
            writer.shutdown_requested().await;
        });
    }

    #[test]
    fn whoever_gives_up_is_forgotten() {
        let ((_reader, writer), _peer) = crate::pair();
        for _ in 0..1_000 {
            assert!(block_on(poll_once(writer.shutdown_requested())).is_none());
        }
        assert!(writer.connection().shutdown().lock().waiters.is_empty());
    }
}
