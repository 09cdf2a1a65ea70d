//! How a connection ends: closed, failed, or dropped.

use std::{
    io,
    sync::{Arc, PoisonError},
    task::{Context, Poll},
};

use millpond_core::{TransportError, Writer};

use super::{
    Connection,
    linger::linger,
    places::SocketPlace,
    sending::{Deferred, Flusher, Sending},
};
use crate::{
    socket::{Socket, StreamMode},
    sync::MutexGuard,
};

/// Why a connection has failed, and with it what becomes of its socket.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Reading has failed. The socket stays until both halves are gone.
    Read(TransportError),
    /// The flusher cannot deliver what is left. The connection is reset.
    Flush(io::Error),
    /// Nothing has moved for too long. The connection is reset, so that the peer does not take it for the
    /// end of what it was sent.
    Idle(io::Error),
    /// Its socket has another owner now.
    GivenBack,
    /// The upgrade to TLS has not succeeded. The socket is closed.
    #[cfg(feature = "__tls")]
    Upgrade(TransportError),
}

impl Connection {
    /// Whether the stream was closed or aborted, or has failed, as what has come may say.
    pub(crate) fn is_closing(self: &Arc<Self>) -> bool {
        if !self.inspect(Writer::is_closing) {
            let _last = self.read_ahead();
        }
        self.inspect(Writer::is_closing)
    }

    pub(crate) fn close(self: &Arc<Self>) {
        if !self.inspect(Writer::is_closing) {
            self.keep_what_has_come();
        }
        self.change(|change, _| change.sending.core.close());
        self.flusher_waker.0.wake(); // the flusher's time is limited from now on
    }

    /// The reader is gone.
    pub(crate) fn drop_reader(self: &Arc<Self>) {
        self.stop_receiving();
        if self.halves.drop_one() {
            self.end_halves();
        }
    }

    /// The writer is gone, and this side's direction ends.
    pub(crate) fn drop_writer(self: &Arc<Self>) {
        if self.halves.drop_one() {
            self.end_halves();
        } else {
            // No task is left that a failure could be reported to.
            let _ = self.write_eof();
        }
    }

    fn end_halves(self: &Arc<Self>) {
        self.close();
        self.halves.wake();
    }

    /// Waits until both halves are gone. There is one task that does.
    pub(crate) fn poll_released(&self, cx: &Context<'_>) -> Poll<()> {
        self.halves.poll_gone(cx)
    }

    pub(crate) fn abort(self: &Arc<Self>) {
        drop(self.change(|change, _| change.sending.core.abort()));
    }
}

impl Connection {
    pub(crate) fn fail(&self, failure: Failure) {
        let mut sending = self.lock();
        match failure {
            Failure::Read(error) => {
                sending.fail(error);
                let deferred = sending.settle();
                drop(sending);
                self.finish(deferred);
            }
            Failure::Flush(error) => {
                sending.flusher = Flusher::None;
                self.disconnect(sending, error.into(), |socket| socket.abort());
                return; // by the flusher, which ends
            }
            Failure::Idle(error) => {
                self.disconnect(sending, error.into(), |socket| socket.abort());
            }
            Failure::GivenBack => {
                let why = io::Error::other("the socket of the stream was given back");
                self.disconnect(sending, why.into(), |_| {});
            }
            #[cfg(feature = "__tls")]
            Failure::Upgrade(error) => self.disconnect(sending, error, |_| {}),
        }
        self.flusher_waker.0.wake(); // nothing is left for the flusher: let it end
    }

    /// Takes the socket away from both directions. `last` is done with it before it is closed.
    fn disconnect(
        &self,
        mut sending: MutexGuard<'_, Sending>,
        error: TransportError,
        last: impl FnOnce(&dyn Socket),
    ) {
        sending.fail(error);
        let socket = sending.socket.take();
        let deferred = sending.settle();
        drop(sending);
        self.activity_ends();
        if let Some(socket) = socket {
            let detached = self.receiving().detach();
            last(&*socket);
            drop((socket, detached));
            self.listening.wake_all();
        }
        drop(self.take_place());
        self.finish(deferred);
    }

    #[inline]
    pub(super) fn finish(&self, deferred: Option<Deferred>) {
        if let Some(deferred) = deferred {
            self.run_deferred(deferred);
        }
    }

    fn run_deferred(&self, deferred: Deferred) {
        if let Some(socket) = deferred.closed {
            self.release(socket, self.inspect(Writer::is_aborted));
            self.listening.wake_all();
        }
        if let Some(waiters) = deferred.waiters {
            waiters.wake();
        }
        drop(deferred.spent);
    }

    fn release(&self, socket: Arc<dyn Socket>, aborted: bool) {
        self.activity_ends();
        let mut receiving = self.receiving();
        // From here on no other task polls it: a poll of the read side holds the lock.
        let detached = receiving.detach();
        let peer_may_send = !receiving.has_ended();
        drop(receiving);
        drop(detached);
        if !aborted && peer_may_send && self.mode == StreamMode::ReadWrite {
            let place = self.take_place();
            linger(place, socket, &self.background, self.linger_timeout);
        } else {
            drop(socket);
            drop(self.take_place());
        }
    }

    pub(super) fn take_place(&self) -> Option<SocketPlace> {
        let place = self.place.lock();
        place.unwrap_or_else(PoisonError::into_inner).take()
    }

    fn activity_ends(&self) {
        if let Some(activity) = &self.activity {
            activity.close();
        }
    }
}

impl Drop for Connection {
    /// Both halves are gone, and everything is sent.
    fn drop(&mut self) {
        let (socket, failed) = {
            let mut sending = self.lock();
            (sending.socket.take(), sending.core.error().is_some())
        };
        if let Some(socket) = socket {
            self.release(socket, failed);
        }
        self.shutdown.wake_all();
    }
}
