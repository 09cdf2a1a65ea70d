//! What a server, its accepting task and its handlers share.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    io, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, future::select, task::AtomicWaker};
use millpond_core::Writer;

use crate::{
    background::Background,
    connection::Connection,
    cork::Cork,
    error::{BoxError, HandlerError, HandlerErrorCause, OpenError, panic_message},
    extra_info::Address,
    idle::Idle,
    log,
    options::StreamOptions,
    os,
    reader::StreamReader,
    runtime::{BoxFuture, Runtime},
    socket::{Bound, Listener, Socket},
    socket_options::SocketOptions,
    tls::{Handshake, HandshakeError, upgrade},
    turns::Turns,
    writer::StreamWriter,
};

/// How long accepting rests after an error that does not go away by itself, such as too many open
/// files: short enough to go unnoticed if it was the only one, and twice as long after each.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long it rests at the most: as long as asyncio.
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

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
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) tls: Option<Handshake>,
    pub(crate) handler: Arc<Handler>,
    pub(crate) on_handshake_error: Arc<HandshakeReport>,
    pub(crate) on_handler_error: Arc<dyn Fn(HandlerError) + Send + Sync>,
    pub(crate) on_accept_error: Arc<dyn Fn(&io::Error) + Send + Sync>,
}

pub(crate) struct Serving {
    runtime: Arc<dyn Runtime>,
    config: Config,
    state: Mutex<State>,
    /// The accepting task, if it waits.
    acceptor: AtomicWaker,
}

struct State {
    phase: Phase,
    /// From their being accepted until they are closed; in that order, which is the same in every run.
    clients: BTreeMap<u64, Arc<Client>>,
    next_client: u64,
    /// Those who wait for the end, each under a number of its own, so that one who gives up is
    /// forgotten.
    waiters: BTreeMap<u64, Waker>,
    next_waiter: u64,
}

enum Phase {
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
struct Client {
    connection: Arc<Connection>,
    cancelled: AtomicBool,
    /// The task of its handler.
    task: AtomicWaker,
}

/// How a server's shutdown begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shutting {
    /// Handlers have their time, and so have their streams.
    Down,
    /// Streams are aborted.
    Aborted,
}

/// How many connections it took which stage to end, when a server was shut down; given by [`Server::shutdown`](crate::Server::shutdown).
///
/// ```no_run
/// # async fn example(server: millpond::Server) {
/// let shutdown = server.shutdown().await;
/// if shutdown.cancelled > 0 {
///     eprintln!("{} connections did not end by themselves", shutdown.cancelled);
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Shutdown {
    /// Those that were closed, because their handlers had not ended in time, or what those had
    /// written was not delivered.
    pub closed: usize,
    /// Those that had not ended in time even then: their handlers were cancelled, and what was not
    /// delivered is lost.
    pub cancelled: usize,
    /// Those whose handlers still run, because they never wait.
    pub left: usize,
}

impl Serving {
    pub(crate) fn new(
        runtime: Arc<dyn Runtime>,
        config: Config,
        bound: Vec<Box<dyn Bound>>,
    ) -> Self {
        Self {
            runtime,
            config,
            state: Mutex::new(State {
                phase: Phase::Bound(bound),
                clients: BTreeMap::new(),
                next_client: 0,
                waiters: BTreeMap::new(),
                next_waiter: 0,
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
            self.runtime.spawn(Box::pin(Accepting(self.clone()).run()));
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

    /// Stops accepting.
    pub(crate) fn close(&self) {
        let state = self.lock();
        let phase = match state.phase {
            Phase::Serving(_) | Phase::Closing => Phase::Closing,
            Phase::Bound(_) | Phase::Starting | Phase::Closed => Phase::Closed,
        };
        self.enter(phase, state);
    }

    fn enter(&self, phase: Phase, mut state: MutexGuard<'_, State>) {
        let before = mem::replace(&mut state.phase, phase);
        let waiters = mem::take(&mut state.waiters);
        drop(state);
        drop(before);
        self.acceptor.wake();
        wake_all(waiters);
    }

    /// Calls `work` with the connection of each client.
    pub(crate) fn for_each_client(&self, work: impl Fn(&Arc<Connection>)) -> usize {
        let clients = self.all_clients();
        clients.iter().for_each(|client| work(&client.connection));
        clients.len()
    }

    fn cancel_clients(&self) -> usize {
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

    /// Each stage has its time, and the next one is for those who have not ended within it.
    pub(crate) async fn shutdown(&self, how: Shutting) -> Shutdown {
        let mut shutdown = Shutdown::default();
        self.close();
        match how {
            Shutting::Aborted => {
                self.for_each_client(Connection::abort);
            }
            Shutting::Down => {
                if self.ended_in_time().await {
                    return shutdown;
                }
                shutdown.closed = self.for_each_client(Connection::close);
            }
        }
        if self.ended_in_time().await {
            return shutdown;
        }
        shutdown.cancelled = self.cancel_clients();
        self.ended_in_time().await;
        shutdown.left = self.clients();
        shutdown
    }

    async fn ended_in_time(&self) -> bool {
        let ended = self.ended();
        crate::timeout(&*self.runtime, self.config.shutdown_timeout, ended)
            .await
            .is_ok()
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
        let mut waiting = Waiting {
            serving: self,
            number: None,
        };
        poll_fn(|cx| waiting.poll(cx, done)).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closing | Phase::Closed)
    }

    fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Closed) && self.clients.is_empty()
    }
}

/// One who waits for the end.
struct Waiting<'a> {
    serving: &'a Serving,
    /// The one that its waker has, once it had to wait.
    number: Option<u64>,
}

impl Waiting<'_> {
    fn poll(&mut self, cx: &Context<'_>, done: fn(&State) -> bool) -> Poll<()> {
        let mut state = self.serving.lock();
        if done(&state) {
            return Poll::Ready(());
        }
        let number = *self.number.get_or_insert(state.next_waiter);
        state.next_waiter = state.next_waiter.max(number + 1);
        let before = state.waiters.insert(number, cx.waker().clone());
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let waker = self.serving.lock().waiters.remove(&number);
            drop(waker);
        }
    }
}

fn wake_all(waiters: BTreeMap<u64, Waker>) {
    waiters.into_values().for_each(Waker::wake);
}

/// The accepting task. When it ends, even because its runtime does, nobody listens any more.
struct Accepting(Arc<Serving>);

impl Accepting {
    async fn run(self) {
        let serving = &self.0;
        let mut turns = Turns::default();
        let mut next = 0;
        let mut pause = ACCEPT_PAUSE;
        loop {
            // Handlers must run, however fast connections come in.
            poll_fn(|cx| turns.poll_take(cx)).await;
            match poll_fn(|cx| serving.poll_accept(&mut next, cx)).await {
                None => return,
                Some(Ok(socket)) => {
                    pause = ACCEPT_PAUSE;
                    serving.serve(socket);
                }
                Some(Err(error)) if is_of_one_connection(&error) => {}
                Some(Err(error)) => {
                    if pause == ACCEPT_PAUSE {
                        log::accept_error(&error);
                        serving.tell(|| (serving.config.on_accept_error)(&error));
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

/// Accepting.
impl Serving {
    /// The next connection of any listener, beginning with `next`, so that none comes short. `None`
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
            let state = self.lock();
            let Phase::Serving(listeners) = &state.phase else {
                return Poll::Ready(None);
            };
            let full = state.clients.len() >= self.config.max_connections;
            if full || tried == listeners.len() {
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

    fn serve(self: &Arc<Self>, socket: Box<dyn Socket>) {
        // Where this fails the peer has left already, and the handler will find out.
        if let Some(system) = socket.system_socket() {
            let _ = os::configure(&*system, &self.config.sockets);
        }
        let background = Background::Runtime(self.runtime.clone());
        let idle = self.config.idle_timeout;
        let idle = idle.map(|timeout| Idle::new(timeout, self.runtime.clone()));
        let activity = idle.as_ref().map(Idle::activity);
        let (reader, writer, connection) = self
            .config
            .options
            .open_shared(socket, background, activity, None);
        // Who comes in while the server is closed has come too late.
        let Some(running) = Running::new(self.clone(), connection) else {
            return;
        };
        let handler = match self.config.tls.clone() {
            None => (self.config.handler)(reader, writer),
            Some(handshake) => Box::pin(self.clone().handle_over_tls(handshake, reader, writer)),
        };
        self.runtime.spawn(Box::pin(running.handle(handler, idle)));
    }
}

impl Serving {
    async fn handle_over_tls(
        self: Arc<Self>,
        handshake: Handshake,
        mut reader: StreamReader,
        mut writer: StreamWriter,
    ) -> Result<(), BoxError> {
        let begun = upgrade(&mut reader, &mut writer, &handshake, Bytes::new()).await;
        if let Err(error) = begun {
            log::handshake_error(&error);
            let peer_addr = writer.extra_info().peer_addr.as_ref();
            self.tell(|| (self.config.on_handshake_error)(peer_addr, &error));
            return Ok(());
        }
        (self.config.handler)(reader, writer).await
    }
}

/// A connection that is counted, until this is dropped, even by a runtime that shuts down.
struct Running {
    serving: Arc<Serving>,
    id: u64,
    client: Arc<Client>,
}

impl Running {
    /// `None` if the server is closed.
    fn new(serving: Arc<Serving>, connection: Arc<Connection>) -> Option<Self> {
        let client = Arc::new(Client {
            connection,
            cancelled: AtomicBool::new(false),
            task: AtomicWaker::new(),
        });
        let mut state = serving.lock();
        if state.is_closed() {
            return None;
        }
        let id = state.next_client;
        state.next_client += 1;
        state.clients.insert(id, client.clone());
        drop(state);
        Some(Self {
            serving,
            id,
            client,
        })
    }

    async fn handle(self, handler: Handling, idle: Option<Idle>) {
        let ended = self.run(handler, idle).await;
        let connection = &self.client.connection;
        connection.close();
        let cause = match ended {
            Ended::Well => None,
            Ended::Badly(cause) => Some(cause),
            Ended::Cancelled => Some(HandlerErrorCause::Cancelled),
        };
        if let Some(cause) = cause {
            let peer_addr = connection.extra_info().peer_addr.clone();
            self.serving.report(HandlerError { peer_addr, cause });
        }
        poll_fn(|cx| connection.poll_until(cx, is_closed)).await;
    }

    /// Polls the handler until it ends or is cancelled, and drops it.
    async fn run(&self, handler: Handling, mut idle: Option<Idle>) -> Ended {
        let mut handler = AssertUnwindSafe(handler).catch_unwind();
        let client = &*self.client;
        poll_fn(|cx| {
            client.task.register(cx.waker());
            if client.cancelled.load(Ordering::Acquire) {
                return Poll::Ready(Ended::Cancelled);
            }
            if let Some(idle) = &mut idle {
                idle.check(&client.connection, cx);
            }
            // What the handler writes in one go leaves together.
            let _cork = Cork::new(client.connection.clone());
            handler.poll_unpin(cx).map(|ended| match ended {
                Ok(Ok(())) => Ended::Well,
                Ok(Err(error)) => Ended::Badly(HandlerErrorCause::Failed(error)),
                Err(payload) => Ended::Badly(HandlerErrorCause::Panicked(panic_message(&*payload))),
            })
        })
        .await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.serving.lock();
        let full = state.clients.len() == self.serving.config.max_connections;
        let client = state.clients.remove(&self.id);
        let waiters = match state.has_ended() {
            true => mem::take(&mut state.waiters),
            false => BTreeMap::new(),
        };
        drop(state);
        drop(client);
        if full {
            self.serving.acceptor.wake();
        }
        wake_all(waiters);
    }
}

impl Serving {
    fn report(&self, error: HandlerError) {
        log::handler_error(&error);
        if let HandlerErrorCause::Panicked(message) = &error.cause {
            self.runtime.caught_panic(message);
        }
        self.tell(|| (self.config.on_handler_error)(error));
    }

    /// Calls what the program has to say to an error. If that panics, which was printed then, the
    /// server goes on nevertheless.
    fn tell(&self, report: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(report)) {
            self.runtime.caught_panic(&panic_message(&*payload));
        }
    }
}

enum Ended {
    Well,
    Badly(HandlerErrorCause),
    Cancelled,
}

fn is_closed(core: &Writer) -> Poll<()> {
    match core.is_closed() {
        true => Poll::Ready(()),
        false => Poll::Pending,
    }
}

/// Whether the error is that of a connection which failed before it was accepted, so that the next
/// one may be fine.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
