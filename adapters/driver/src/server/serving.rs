//! What a server, its accepting task and its clients share: whether it serves, its clients, and the tasks
//! that wait for its end.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    io, mem,
    sync::{Arc, PoisonError},
    task::{Poll, Waker},
    time::Duration,
};

use super::{
    handler_error::{BoxError, HandlerError},
    untaken::Untaken,
};
use crate::{
    connection::{Connection, IdleReads, Places, Ticket, WaitList, Waiters, Waiting},
    runtime::{BoxFuture, Runtime},
    socket::{Address, Bound, Listener, SocketOptions},
    stream::{StreamOptions, StreamReader, StreamWriter},
    sync::{
        AtomicWaker, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    tls::{Handshake, HandshakeError},
};

/// What becomes of a stream that was accepted.
#[derive(Clone)]
pub(crate) enum Service {
    Handler(Arc<Handler>),
    /// It is what a call of `accept` waits for.
    Accept,
}

pub(crate) type Handler = dyn Fn(StreamReader, StreamWriter) -> Handling + Send + Sync;

type HandshakeReport = dyn Fn(Option<&Address>, &HandshakeError) + Send + Sync;

pub(crate) type Handling = BoxFuture<'static, Result<(), BoxError>>;

/// What a server does with its connections.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) options: StreamOptions,
    pub(crate) sockets: SocketOptions,
    pub(crate) backlog: u32,
    pub(crate) max_connections: usize,
    pub(crate) max_lingering: usize,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) idle_reads: IdleReads,
    pub(crate) tls: Option<Handshake>,
    pub(crate) service: Service,
    pub(crate) on_handshake_error: Arc<HandshakeReport>,
    pub(crate) on_handler_error: Arc<dyn Fn(HandlerError) + Send + Sync>,
    pub(crate) on_accept_error: Arc<dyn Fn(&io::Error) + Send + Sync>,
}

pub(crate) struct Serving {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) config: Config,
    state: Mutex<State>,
    /// Those of the sockets.
    pub(crate) places: Arc<Places>,
    /// The accepting task, if it waits.
    pub(crate) acceptor: AtomicWaker,
}

pub(crate) struct State {
    pub(crate) phase: Phase,
    /// From their being accepted until they are closed; in that order, which is the same in every run.
    pub(crate) clients: BTreeMap<u64, Arc<Client>>,
    pub(crate) next_client: u64,
    pub(crate) untaken: Untaken,
    /// Tasks that wait for the end, each under a number of its own, so that a cancelled wait is
    /// forgotten.
    pub(crate) waiters: Waiters,
}

pub(crate) enum Phase {
    Bound(Vec<Box<dyn Bound>>),
    Starting,
    /// The listeners are owned here and borrowed by the accepting task for each poll, so that
    /// closing closes at once.
    Serving(Vec<Arc<dyn Listener>>),
    /// The accepting task may be in the middle of a poll, and with it the last of a listener.
    Closing,
    Closed,
}

/// A connection that was accepted.
pub(crate) struct Client {
    pub(crate) connection: Arc<Connection>,
    pub(crate) cancelled: AtomicBool,
    /// The task of its handler.
    pub(crate) task: AtomicWaker,
}

impl Serving {
    pub(crate) fn new(
        runtime: Arc<dyn Runtime>,
        config: Config,
        bound: Vec<Box<dyn Bound>>,
    ) -> Self {
        Self {
            runtime,
            places: Places::new(config.max_lingering),
            config,
            state: Mutex::new(State {
                phase: Phase::Bound(bound),
                clients: BTreeMap::new(),
                next_client: 0,
                untaken: Untaken::default(),
                waiters: Waiters::default(),
            }),
            acceptor: AtomicWaker::new(),
        }
    }

    pub(crate) fn is_serving(&self) -> bool {
        matches!(self.lock().phase, Phase::Serving(_))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_closed()
    }

    pub(crate) fn clients(&self) -> usize {
        self.lock().clients.len()
    }

    /// Stops accepting.
    pub(crate) fn close(&self) {
        let state = self.lock();
        let phase = match state.phase {
            Phase::Serving(_) | Phase::Closing => Phase::Closing,
            Phase::Bound(_) | Phase::Starting | Phase::Closed => Phase::Closed,
        };
        self.enter(phase, state);
    }

    pub(crate) fn enter(&self, phase: Phase, mut state: MutexGuard<'_, State>) {
        let before = mem::replace(&mut state.phase, phase);
        let waiters = state.waiters.take();
        let calls = state.untaken.wake_all();
        drop(state);
        drop(before);
        self.acceptor.wake();
        waiters.wake();
        calls.wake();
    }

    /// From now on a stream is dropped if no call waits to take it.
    pub(crate) fn end_accepting(&self) {
        let left = self.lock().untaken.end();
        drop(left);
    }

    /// Calls `work` with the connection of each client.
    pub(crate) fn for_each_client(&self, work: impl Fn(&Arc<Connection>)) -> usize {
        let clients = self.all_clients();
        clients.iter().for_each(|client| work(&client.connection));
        clients.len()
    }

    pub(crate) fn cancel_clients(&self) -> usize {
        let clients = self.all_clients();
        for client in &clients {
            client.cancelled.store(true, Ordering::Release);
            client.task.wake();
            client.connection.abort();
        }
        clients.len()
    }

    fn all_clients(&self) -> Vec<Arc<Client>> {
        self.lock().clients.values().cloned().collect()
    }

    /// Waits until the server is closed.
    pub(crate) async fn closed(&self) {
        self.wait_until(State::is_closed).await;
    }

    /// Waits until the server is closed and so are all its connections.
    pub(crate) async fn ended(&self) {
        self.wait_until(State::has_ended).await;
    }

    async fn wait_until(&self, done: fn(&State) -> bool) {
        let mut waiting = Waiting::new(self);
        poll_fn(|cx| {
            let mut state = self.lock();
            if done(&state) {
                return Poll::Ready(());
            }
            let before = state.waiters.wait(&mut waiting.ticket, cx);
            drop(state);
            drop(before);
            Poll::Pending
        })
        .await;
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitList for Serving {
    fn leave(&self, ticket: &mut Ticket) -> Option<Waker> {
        self.lock().waiters.leave(ticket)
    }
}

impl State {
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closing | Phase::Closed)
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Closed) && self.clients.is_empty()
    }
}
