//! Exchanging the socket of a connection for one with TLS.

use std::{
    io,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use millpond_core::{TransportError, WriteError, Writer};

use super::{Connection, ending::Failure, linger::linger, sending::News, waiters::Ticket};
use crate::{runtime::BoxFuture, socket::Socket, sync::atomic::Ordering};

impl Connection {
    pub(crate) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Ends after so long, if there is a clock.
    pub(crate) fn timer(&self, duration: Duration) -> Option<BoxFuture<'static, ()>> {
        self.background.timer(duration)
    }

    /// Waits until the stream is closed, is aborted, or fails.
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

    /// Takes the socket away, and what was read ahead of the reader: until the upgrade is finished,
    /// nothing can be read or written.
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

    /// An alert has reported what was wrong with the peer's side of TLS. As after a close, what the peer still
    /// sends must not destroy it.
    fn linger_after_alert(&self, below: Arc<dyn Socket>) {
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
        self.touch(); // the handshake has moved bytes
        // What was asked of the stream in between is done now.
        self.change(|change, _| {
            change.sending.news = News::of(&*socket);
            change.sending.socket = Some(socket);
        });
        self.listening.wake_all();
    }
}

/// A stream whose socket is being exchanged. It ends with this, unless that is finished.
pub(crate) struct Upgrade {
    connection: Arc<Connection>,
    /// Once it was taken, and until the upgrade has succeeded.
    below: Option<Arc<dyn Socket>>,
    finished: bool,
}

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
                self.connection.linger_after_alert(below);
            }
        }
        self.connection.fail(Failure::Upgrade(error));
    }
}

impl Drop for Upgrade {
    fn drop(&mut self) {
        if !self.finished {
            let why = "the upgrade to TLS was cancelled";
            self.end(io::Error::new(io::ErrorKind::ConnectionAborted, why).into());
        }
    }
}
