//! The task that sends what a write could not.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use crate::{connection::Connection, runtime::BoxFuture};

/// Ends when nothing is left to send.
///
/// If its executor drops it before, what was queued cannot be delivered, and the stream has failed.
pub(crate) struct Flush {
    /// `None` when it is done.
    connection: Option<Arc<Connection>>,
    /// While the stream is closing: how much was queued when the time began, and the time.
    patience: Option<(usize, BoxFuture<'static, ()>)>,
}

impl Flush {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection: Some(connection),
            patience: None,
        }
    }

    /// Ready when the stream is closing and the peer has taken nothing for too long.
    fn poll_impatience(&mut self, connection: &Connection, cx: &mut Context<'_>) -> Poll<()> {
        let closing = connection.inspect(|core| core.is_closing().then(|| core.queued()));
        let Some(queued) = closing else {
            return Poll::Pending;
        };
        if connection.close_timeout().is_zero() {
            return Poll::Ready(()); // needs no clock
        }
        if self
            .patience
            .as_ref()
            .is_none_or(|(then, _)| *then != queued)
        {
            self.patience = connection.close_timer().map(|timer| (queued, timer));
        }
        match &mut self.patience {
            Some((_, timer)) => timer.as_mut().poll(cx),
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
            ready!(self.poll_impatience(&connection, cx));
            connection.give_up(io::Error::new(
                io::ErrorKind::TimedOut,
                format!(
                    "the peer took nothing for {:?} after the stream was closed",
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
