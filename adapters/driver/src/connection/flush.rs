//! The task that sends what a write could not.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use millpond_core::Writer;

use super::Connection;
use crate::runtime::BoxFuture;

/// Ends when nothing is left to send.
///
/// If its executor drops it before, what was queued cannot be delivered, and the stream has failed.
pub(crate) struct Flush {
    /// `None` when it is done.
    connection: Option<Arc<Connection>>,
    /// Once the stream is closing: the time that is left. It began with the close, and nothing that the
    /// peer does makes it longer.
    close_deadline: Option<BoxFuture<'static, ()>>,
}

impl Flush {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
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
        if connection.close_timeout().is_zero() {
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
            connection.give_up(io::Error::new(
                io::ErrorKind::TimedOut,
                format!(
                    "the peer had not taken everything {:?} after the stream was closed",
                    connection.close_timeout()
                ),
            ));
        }
        self.connection = None;
        Poll::Ready(())
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.give_up(io::Error::other(
                "the runtime ended before everything was written",
            ));
        }
    }
}
