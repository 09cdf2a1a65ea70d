//! Waiting for the peer to leave.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker, ready},
};

use millpond_core::ReadError;

use super::{
    Connection,
    receiving::End,
    waiters::{Ticket, WaitList, Waiting},
};
use crate::{runtime::Budget, socket::StreamMode};

/// Ends when the peer has ended or reset the stream; made by
/// [`StreamWriter::closed`](crate::StreamWriter::closed) and its namesakes.
///
/// It borrows nothing and does not keep the stream alive.
#[must_use = "does nothing unless awaited"]
pub struct Closed {
    waiting: Waiting<Watchers>,
    mode: StreamMode,
    budget: Budget,
}

/// The tasks that wait for the end of a connection.
struct Watchers(Weak<Connection>);

impl WaitList for Watchers {
    fn leave(&self, ticket: &mut Ticket) -> Option<Waker> {
        self.0.upgrade()?.listening().leave(ticket)
    }
}

impl Closed {
    pub(crate) fn new(connection: &Arc<Connection>) -> Self {
        Self::of(Arc::downgrade(connection), connection.mode())
    }

    pub(crate) fn of(connection: Weak<Connection>, mode: StreamMode) -> Self {
        Self {
            waiting: Waiting::new(Watchers(connection)),
            mode,
            budget: Budget::default(),
        }
    }

    fn poll_end(&mut self, cx: &Context<'_>) -> Poll<End> {
        let Waiting { list, ticket } = &mut self.waiting;
        match list.0.upgrade() {
            Some(connection) => connection.poll_end(ticket, &mut self.budget, cx),
            None => Poll::Ready(End::Eof), // by dropping both halves
        }
    }
}

impl Future for Closed {
    type Output = Result<(), ReadError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.mode.can_read() {
            return Poll::Ready(Err(ReadError::WriteOnly));
        }
        Poll::Ready(match ready!(self.poll_end(cx)) {
            End::Eof => Ok(()),
            End::Failed(error) => Err(ReadError::from(&error)),
        })
    }
}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}
