//! Listening, and the accepting task of a server.

use std::{
    future::poll_fn,
    io, mem,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::select;

use super::{
    accept_error::is_of_one_connection,
    log,
    serving::{Phase, Service, Serving},
};
use crate::{
    open_error::OpenError,
    runtime::Budget,
    socket::{Bound, Listener, Socket},
};

/// How long accepting pauses after an accept error of the process, such as too many open files: short
/// enough to go unnoticed if it was the only one, and twice as long after each further one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause: as in asyncio.
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// The accepting task. When it ends, even because its runtime does, the server is closed.
pub(crate) struct Accepting(Arc<Serving>);

impl Accepting {
    pub(crate) fn new(serving: Arc<Serving>) -> Self {
        Self(serving)
    }

    pub(crate) async fn run(self) {
        let serving = &self.0;
        let mut budget = Budget::default();
        let mut next = 0;
        let mut pause = ACCEPT_PAUSE;
        loop {
            // Handlers must run, however fast connections come in.
            poll_fn(|cx| budget.poll_proceed(cx)).await;
            match poll_fn(|cx| serving.poll_accept(&mut next, cx)).await {
                None => return,
                Some(Ok(socket)) => {
                    pause = ACCEPT_PAUSE;
                    serving.serve(socket);
                }
                Some(Err(error)) if is_of_one_connection(&error) => {}
                // The sockets that lingered have freed descriptors, which may have been short.
                Some(Err(_)) if serving.places.evict_all() => {}
                Some(Err(error)) => {
                    if pause == ACCEPT_PAUSE {
                        log::accept_error(&error);
                        serving.report(|| (serving.config.on_accept_error)(&error));
                    }
                    let closed = pin!(serving.closed());
                    select(closed, serving.runtime.sleep(pause)).await;
                    pause = (2 * pause).min(ACCEPT_PAUSE_MAX);
                }
            }
        }
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        let state = self.0.lock();
        self.0.enter(Phase::Closed, state);
    }
}

impl Serving {
    /// Listens on every address and accepts, unless it does already.
    pub(crate) fn start(self: &Arc<Self>) -> Result<(), OpenError> {
        let mut state = self.lock();
        let bound = match &mut state.phase {
            Phase::Starting | Phase::Serving(_) => return Ok(()),
            Phase::Closing | Phase::Closed => return Err(OpenError::Closed),
            Phase::Bound(bound) => mem::take(bound),
        };
        state.phase = Phase::Starting;
        drop(state);
        let listening = bound.into_iter().map(|bound| self.listen(bound)).collect();
        let listeners = match listening {
            Ok(listeners) => listeners,
            Err(error) => {
                self.close();
                return Err(error);
            }
        };
        let mut state = self.lock();
        if let Phase::Starting = state.phase {
            state.phase = Phase::Serving(listeners);
            drop(state);
            self.runtime
                .spawn(Box::pin(Accepting::new(self.clone()).run()));
        }
        Ok(())
    }

    fn listen(&self, bound: Box<dyn Bound>) -> Result<Arc<dyn Listener>, OpenError> {
        let address = bound.local_addr().ok();
        match bound.listen(self.config.backlog) {
            Ok(listener) => Ok(Arc::from(listener)),
            Err(source) => Err(match address {
                Some(address) => OpenError::Listen { address, source },
                None => OpenError::Adopt { source },
            }),
        }
    }

    /// The next connection of any listener, beginning with `next`, so that none starves. `None`
    /// when the server is closed.
    fn poll_accept(
        &self,
        next: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Box<dyn Socket>>>> {
        // Before looking, so that closing in between wakes.
        self.acceptor.register(cx.waker());
        let mut tried = 0;
        loop {
            let mut state = self.lock();
            let full = state.clients.len() >= self.config.max_connections;
            let wanted = match self.config.service {
                Service::Handler(_) => true,
                Service::Accept => state.untaken.is_wanted(),
            };
            let Phase::Serving(listeners) = &state.phase else {
                return Poll::Ready(None);
            };
            if full || !wanted || tried == listeners.len() {
                return Poll::Pending;
            }
            let listener = listeners[*next % listeners.len()].clone();
            drop(state);
            *next = next.wrapping_add(1);
            tried += 1;
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                return Poll::Ready(Some(accepted));
            }
        }
    }
}
