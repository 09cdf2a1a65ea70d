//! Taking the streams of a server, instead of giving it a handler.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use super::{
    handle::Server,
    serving::{Service, Serving},
};
use crate::{connection::Ticket, stream::Stream};

/// Taking streams, from a server that was started by [`listen`](crate::listen).
impl Server {
    /// The next connection, with its handshake behind it if there is TLS; `None` once the server is closed
    /// and those that were accepted before are taken.
    ///
    /// Connections are accepted while a call waits, and else stay in the backlog. Handshakes run
    /// concurrently, so one that stalls delays no other. Several tasks may call this at once.
    ///
    /// A stream that was taken is counted until both its halves are dropped: see
    /// [`max_connections`](crate::types::StartServer::max_connections).
    ///
    /// asyncio has no counterpart: it calls the handler.
    ///
    /// # Panics
    ///
    /// If the server has a handler.
    ///
    /// # Cancel safety
    ///
    /// Yes: the next call gives what this one would have.
    ///
    /// # Examples
    ///
    /// See [`listen`](crate::listen).
    pub async fn accept(&self) -> Option<Stream> {
        let mut call = Call::new(self.serving());
        poll_fn(|cx| call.poll(cx)).await
    }

    /// What [`accept`](Self::accept) gives, one after the other, as a
    /// [`Stream`](https://docs.rs/futures-core/latest/futures_core/stream/trait.Stream.html) of futures.
    ///
    /// # Panics
    ///
    /// If the server has a handler.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use futures_util::StreamExt;
    ///
    /// # async fn example(runtime: std::sync::Arc<dyn millpond::Runtime>) -> std::io::Result<()> {
    /// let server = millpond::listen(runtime, "127.0.0.1:17").await?;
    /// let greet = async |mut stream: millpond::Stream| {
    ///     let _ = stream.write_all("be excellent to each other\n").await;
    /// };
    /// server.incoming().for_each_concurrent(100, greet).await;
    /// # Ok(()) }
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming {
            call: Call::new(self.serving()),
        }
    }
}

/// The connections of a server; made by [`Server::incoming`].
#[must_use = "does nothing unless polled"]
pub struct Incoming<'a> {
    call: Call<'a>,
}

impl futures_core::Stream for Incoming<'_> {
    type Item = Stream;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Stream>> {
        self.call.poll(cx)
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}

/// A wait for a stream. It can be polled again after its answer, for the next one.
struct Call<'a> {
    serving: &'a Serving,
    ticket: Ticket,
}

impl<'a> Call<'a> {
    fn new(serving: &'a Serving) -> Self {
        assert!(
            matches!(serving.config.service, Service::Accept),
            "the connections of this server go to its handler: start it by `listen` to accept them"
        );
        Self {
            serving,
            ticket: Ticket::default(),
        }
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<Option<Stream>> {
        let mut state = self.serving.lock();
        let answer = match state.untaken.next() {
            Poll::Ready(None) if state.untaken.is_expecting() || !state.is_closed() => {
                Poll::Pending
            }
            answer @ Poll::Ready(_) => answer,
            Poll::Pending => {
                drop(state);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        };
        if answer.is_ready() {
            let left = state.untaken.leave(&mut self.ticket);
            drop(state);
            drop(left);
        } else {
            let (wake, before) = state.untaken.wait(&mut self.ticket, cx);
            drop(state);
            drop(before);
            if wake {
                self.serving.acceptor.wake();
            }
        }
        answer
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let left = self.serving.lock().untaken.leave(&mut self.ticket);
        drop(left);
    }
}
